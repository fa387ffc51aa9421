//! `specs/index.tsv`: which clause of which standard is kept by which function, and which test
//! would notice if it were not.
//!
//! The table is written by hand, one line for each rule, and held against the source: functions
//! and tests that it names exist, and every clause that the source cites has a line. So a reader
//! can lay it beside the standard and tick off, and nothing in it has gone stale.

mod citations;
mod conformity;
mod source;
mod table;

use crate::error::StepError;
use crate::tree;
use source::Source;
use table::{Row, Status};

/// The table.
const INDEX: &str = "specs/index.tsv";

/// `cargo xtask specs [--print]`
pub(crate) fn run(arguments: &[String]) -> Result<(), StepError> {
    match arguments {
        [] => check(),
        [one] if one == "--print" => {
            print!("{}", conformity::render(&rows()?));
            Ok(())
        }
        _ => Err(StepError::Usage("specs: expected nothing or --print".to_owned())),
    }
}

/// Checks the table against the source.
pub(crate) fn check() -> Result<(), StepError> {
    let rows = rows()?;
    let source = Source::read()?;
    let mut faults: Vec<String> = rows.iter().flat_map(|row| row_faults(row, &source)).collect();
    faults.extend(repeated(&rows));
    for (path, text) in source.crates() {
        let lost = citations::find(text).into_iter().filter(|one| !has_row(&rows, one));
        faults.extend(lost.map(|one| {
            let (line, rfc, section) = (one.line, one.rfc, one.section);
            format!("{path}:{line}: RFC {rfc} §{section} is cited here, and {INDEX} has no row")
        }));
    }
    StepError::from_faults("the table must fit the source (CONTRIBUTING.md)", faults)?;
    println!("{}", conformity::sums(&rows));
    Ok(())
}

fn rows() -> Result<Vec<Row>, StepError> {
    let text = tree::read(&tree::root().join(INDEX))?;
    table::parse(&text).map_err(|errors| StepError::Faults {
        what: format!("{INDEX} cannot be read"),
        faults: errors.iter().map(|error| format!("{INDEX}: {error}")).collect(),
    })
}

/// A row names what exists, and says enough.
fn row_faults(row: &Row, source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |text: String| faults.push(format!("{INDEX}:{}: {text}", row.line));
    for function in &row.functions {
        if !source.has_function(function) {
            fault(format!("function: expected one in the source, found no {function}"));
        }
    }
    for test in &row.tests {
        if !source.has_test(test) {
            fault(format!("test: expected one in the source, found no {test}"));
        }
    }
    match row.status {
        Status::Yes if row.functions.is_empty() => fault("yes: expected a function".to_owned()),
        Status::Yes if row.tests.is_empty() => fault("yes: expected a test".to_owned()),
        Status::Partly | Status::No if row.note.is_empty() => {
            fault(format!("{}: expected a note that says why", row.status.as_str()));
        }
        Status::Yes | Status::Partly | Status::No => {}
    }
    faults
}

/// Rows that say the same of the same clause.
fn repeated(rows: &[Row]) -> Vec<String> {
    let same = |a: &Row, b: &Row| (a.rfc, &a.section, &a.rule) == (b.rfc, &b.section, &b.rule);
    let again = rows.iter().enumerate().filter_map(|(index, row)| {
        let first = rows.get(..index)?.iter().find(|first| same(first, row))?;
        Some(format!("{INDEX}:{}: repeats line {}", row.line, first.line))
    });
    again.collect()
}

/// Whether the cited section or one above it has a row.
fn has_row(rows: &[Row], citation: &citations::Citation) -> bool {
    rows.iter().filter(|row| row.rfc == citation.rfc).any(|row| {
        let below = citation.section.strip_prefix(&*row.section);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_covers_its_section_and_those_below() {
        let text = format!("{}\n8461\t3.1\trule\t\t\tno\tlater\n", table::HEADER);
        let rows = table::parse(&text).unwrap();
        let has = |rfc, section: &str| {
            let section = section.to_owned();
            has_row(&rows, &citations::Citation { line: 1, rfc, section })
        };
        assert!(has(8461, "3.1"));
        assert!(has(8461, "3.1.2"));
        assert!(!has(8461, "3"));
        assert!(!has(8461, "3.10"));
        assert!(!has(8460, "3.1"));
    }

    #[test]
    fn a_repeated_row_is_found() {
        let text = format!(
            "{}\n1\t1\ta\t\t\tno\tx\n1\t1\tb\t\t\tno\tx\n1\t1\ta\t\t\tno\ty\n",
            table::HEADER
        );
        let rows = table::parse(&text).unwrap();
        assert_eq!(repeated(&rows), ["specs/index.tsv:4: repeats line 2"]);
    }
}
