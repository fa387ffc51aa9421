//! What can go wrong while the lab is built or used, always with what was found and expected.

use crate::case::CaseError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the lab cannot go on. A case that fails is not an error, but a result.
#[derive(Debug)]
pub enum LabError {
    /// The machine lacks something; the text says what to install or to change.
    Prerequisite(String),
    /// A command of the machine failed.
    Command {
        /// The command line.
        command: String,
        /// The status that it ended with.
        status: String,
        /// Its last words.
        output: String,
    },
    /// A file, a socket or a process could not be used.
    Io {
        /// What was being done, with the name of the thing.
        doing: String,
        /// The system's reason.
        source: io::Error,
    },
    /// An event did not come before the deadline, or its source ended.
    Deadline {
        /// The event.
        expected: String,
        /// The last lines of the source's log.
        log: String,
    },
    /// A case file cannot be read.
    Case {
        /// The file.
        file: PathBuf,
        /// The place and the mistake.
        error: CaseError,
    },
    /// A case asks for something that the lab cannot bring about.
    Unsupported(String),
    /// A certificate could not be made.
    Certificate(rcgen::Error),
    /// A certificate could not be put into a TLS server.
    Tls(rustls::Error),
}

impl LabError {
    /// For `map_err`: names what was being done when the system refused.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prerequisite(missing) => f.write_str(missing),
            Self::Command { command, status, output } => {
                write!(f, "{command}: expected success, found {status}\n{}", output.trim_end())
            }
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Deadline { expected, log } => {
                write!(f, "expected {expected}, found nothing of it in time; last lines:\n{log}")
            }
            Self::Case { file, error } => write!(f, "{}: {error}", file.display()),
            Self::Unsupported(what) => write!(f, "the lab cannot do this: {what}"),
            Self::Certificate(error) => write!(f, "making a certificate: {error}"),
            Self::Tls(error) => write!(f, "configuring a TLS server: {error}"),
        }
    }
}

impl std::error::Error for LabError {}
