//! Why a step did not pass.

use std::fmt;
use std::io;
use std::path::Path;

/// Why a step did not pass. Printed, it says what to do about it.
#[derive(Debug)]
pub(crate) enum StepError {
    /// A program could not be started: most likely it is not installed.
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ran and failed; what it printed stands above.
    Failed {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
    },
    /// A file or folder could not be read or written.
    File {
        /// Its path.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A check found faults in the project's own files.
    Faults {
        /// What was checked, and how to put it right.
        what: String,
        /// One line for each fault.
        faults: Vec<String>,
    },
    /// The machine lacks something.
    Missing(String),
    /// The command line is wrong.
    Usage(String),
}

impl StepError {
    /// For `map_err`: a failed access to `path`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }

    /// `Ok` if there are no faults.
    pub(crate) fn from_faults(what: &str, faults: Vec<String>) -> Result<(), Self> {
        if faults.is_empty() {
            return Ok(());
        }
        Err(Self::Faults { what: what.to_owned(), faults })
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { command, source } => write!(f, "cannot start `{command}`: {source}"),
            Self::Failed { command, status } => write!(f, "`{command}` failed: {status}"),
            Self::File { path, source } => write!(f, "{path}: {source}"),
            Self::Faults { what, faults } => {
                faults.iter().try_for_each(|fault| writeln!(f, "  {fault}"))?;
                write!(f, "{} faults: {what}", faults.len())
            }
            Self::Missing(what) | Self::Usage(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for StepError {}
