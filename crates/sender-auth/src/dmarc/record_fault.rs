//! What can be wrong with a policy record, and what follows from it.

use alloc::boxed::Box;
use core::fmt;

use smtp_types::Position;

use super::report_uri::ReportUriError;

/// What is wrong with a record, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The place of the fault; records have one line.
    pub position: Position,
    /// The fault.
    pub fault: RecordFault,
}

impl RecordError {
    pub(crate) fn at(text: &str, offset: usize, fault: RecordFault) -> Self {
        Self { position: Position::of(text, offset), fault }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.position, self.fault, self.fault.clause())
    }
}

impl core::error::Error for RecordError {}

/// What can be wrong with a record. [`Version`](Self::Version) and [`Repeated`](Self::Repeated)
/// spoil it; the others spoil the place where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// Does not begin with the version.
    Version {
        /// What stands before the first semicolon.
        found: Box<str>,
    },
    /// A tag that was there before.
    Repeated {
        /// The tag.
        tag: Box<str>,
    },
    /// Nothing between two semicolons.
    Empty,
    /// Something that is not `name=value`, the name made of letters.
    NotTag {
        /// What stands there.
        found: Box<str>,
    },
    /// A character that no value has, in a tag that has no meaning.
    Character {
        /// The tag.
        tag: Box<str>,
        /// The character.
        found: char,
    },
    /// A value that the tag does not have.
    Value {
        /// The tag.
        tag: Box<str>,
        /// The value.
        found: Box<str>,
    },
    /// Something in a list of URIs that is none.
    Uri {
        /// The tag.
        tag: Box<str>,
        /// What is wrong with it.
        error: ReportUriError,
    },
}

impl RecordFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Version { .. } => "dmarc-version",
            Self::Repeated { .. } => "dmarc-tag-repeated",
            Self::Empty => "dmarc-tag-empty",
            Self::NotTag { .. } => "dmarc-tag-syntax",
            Self::Character { .. } => "dmarc-value-character",
            Self::Value { .. } => "dmarc-value",
            Self::Uri { .. } => "dmarc-uri",
        }
    }

    /// The rule.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::Version { .. } | Self::Value { .. } => "RFC 9989 §4.7",
            Self::Repeated { .. } => "RFC 6376 §3.2",
            Self::Empty | Self::NotTag { .. } | Self::Character { .. } | Self::Uri { .. } => {
                "RFC 9989 §4.8"
            }
        }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { found } => {
                write!(f, "v: expected \"v=DMARC1;\" in front, found {found:?}")
            }
            Self::Repeated { tag } => {
                write!(f, "{}: expected this tag once, found it again", tag.escape_debug())
            }
            Self::Empty => write!(f, "expected \"name=value\", found nothing"),
            Self::NotTag { found } => write!(f, "expected \"name=value\", found {found:?}"),
            Self::Character { tag, found } => {
                write!(f, "{tag}: expected printable ASCII, found {found:?}")
            }
            Self::Value { tag, found } => {
                write!(f, "{tag}: expected {}, found {found:?}", expected(tag))
            }
            Self::Uri { tag, error } => write!(f, "{tag}: {error}"),
        }
    }
}

/// What a tag may say, for people.
fn expected(tag: &str) -> &'static str {
    match tag.to_ascii_lowercase().as_str() {
        "p" | "sp" | "np" => "none, quarantine or reject",
        "t" => "y or n",
        "psd" => "y, n or u",
        "adkim" | "aspf" => "r or s",
        _ => "0 or 1, d and s, each once, with colons between them",
    }
}
