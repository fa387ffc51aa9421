//! How many tests passed, summed over all test programs.

use std::fmt;

/// Tests by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Those that passed.
    pub(crate) passed: u64,
    /// Those that failed.
    pub(crate) failed: u64,
    /// Those that were not run: `#[ignore]`, or a step left out by `--skip`.
    pub(crate) skipped: u64,
}

impl Counts {
    /// Adds a line of output if it is the last line of a test program:
    /// `test result: ok. 12 passed; 0 failed; 1 ignored; …`, or, of programs with a harness of
    /// their own, `12 passed, 0 failed`. Any other line adds nothing.
    pub(crate) fn add_line(&mut self, line: &str) {
        let behind = line.trim().split_once("test result: ");
        if let Some((_, results)) = behind.and_then(|(_, behind)| behind.split_once(". ")) {
            results.split("; ").filter_map(read_result).for_each(|result| self.add(result));
            return;
        }
        let results: Option<Vec<_>> = line.trim().split(", ").map(read_result).collect();
        if let Some(results) = results.filter(|results| results.len() > 1) {
            results.into_iter().for_each(|result| self.add(result));
        }
    }

    fn add(&mut self, (number, word): (u64, &str)) {
        match word {
            "passed" => self.passed += number,
            "failed" => self.failed += number,
            "ignored" | "skipped" => self.skipped += number,
            _ => {}
        }
    }
}

/// `12 passed`
fn read_result(text: &str) -> Option<(u64, &str)> {
    let (number, word) = text.split_once(' ')?;
    Some((number.parse().ok()?, word))
}

/// `12 passed, 0 failed`, and `, 1 skipped` only if there are such.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.skipped {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(lines: &[&str]) -> String {
        let mut counts = Counts::default();
        lines.iter().for_each(|line| counts.add_line(line));
        counts.to_string()
    }

    #[test]
    fn results_are_summed() {
        assert_eq!(
            sum(&[
                "running 3 tests",
                "test a ... ok",
                "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; \
                 finished in 0.01s",
                "",
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured",
            ]),
            "4 passed, 2 failed"
        );
        assert_eq!(sum(&["test result: ok. 3 passed; 0 failed; 4 ignored"]), {
            "3 passed, 0 failed, 4 skipped"
        });
        assert_eq!(sum(&["44 passed, 1 failed", "1 passed, 0 failed, 2 skipped"]), {
            "45 passed, 1 failed, 2 skipped"
        });
    }

    #[test]
    fn other_lines_add_nothing() {
        assert_eq!(
            sum(&[
                "",
                "test result: ",
                "test result: ok",
                "test result: ok. x passed",
                "3 passed",
                "of 3 cases, 2 passed",
            ]),
            "0 passed, 0 failed"
        );
    }
}
