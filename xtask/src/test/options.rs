//! The command line of `cargo xtask test`.

use super::steps::STEPS;

/// What to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Only these steps; all if empty.
    pub(crate) only: Vec<&'static str>,
    /// Not these steps.
    pub(crate) skip: Vec<&'static str>,
    /// Name the steps instead of running them.
    pub(crate) list: bool,
}

impl Options {
    /// Reads the arguments. In CI there is no `--skip` and no `--only`.
    ///
    /// # Errors
    /// A sentence for people.
    pub(crate) fn parse(arguments: &[String], in_ci: bool) -> Result<Self, String> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let chosen = match argument.as_str() {
                "--list" => {
                    options.list = true;
                    continue;
                }
                "--only" => &mut options.only,
                "--skip" => &mut options.skip,
                other => return Err(format!("expected --only, --skip or --list, found {other:?}")),
            };
            let name = rest.next().ok_or(format!("{argument}: expected a step, found nothing"))?;
            let step = STEPS.iter().find(|step| step.name == name).ok_or_else(|| {
                let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
                format!("{argument}: expected one of {}, found {name:?}", names.join(", "))
            })?;
            chosen.push(step.name);
        }
        if in_ci && !(options.only.is_empty() && options.skip.is_empty()) {
            return Err("CI=true: expected neither --only nor --skip: all steps run".to_owned());
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str], in_ci: bool) -> Result<Options, String> {
        let arguments: Vec<String> = arguments.iter().map(|&one| one.into()).collect();
        Options::parse(&arguments, in_ci)
    }

    #[test]
    fn steps_are_chosen_by_name() {
        assert_eq!(parse(&[], true), Ok(Options::default()));
        assert_eq!(
            parse(&["--only", "format", "--only", "specs"], false),
            Ok(Options { only: vec!["format", "specs"], ..Options::default() })
        );
        assert_eq!(
            parse(&["--skip", "e2e"], false),
            Ok(Options { skip: vec!["e2e"], ..Options::default() })
        );
        assert!(parse(&["--only"], false).unwrap_err().contains("found nothing"));
        assert!(parse(&["--only", "fmt"], false).unwrap_err().contains("expected one of"));
        assert!(parse(&["all"], false).is_err());
    }

    #[test]
    fn in_ci_all_steps_run() {
        assert!(parse(&["--skip", "e2e"], true).is_err());
        assert!(parse(&["--only", "e2e"], true).is_err());
    }

    #[test]
    fn names_of_steps_are_unique() {
        let mut names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }
}
