//! How a state is kept: one line of text, `name=value` with single spaces between.
//!
//! The first field is the kind with its version. A line that this program does not understand
//! whole is not understood at all: half a state would forget a promise that was made to caches.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use mta_sts::{Mode, MxPattern, Policy};
use smtp_types::UnixTime;

/// More than any state has; a longer line is none of ours.
const MAX_LINE: usize = 65_536;

/// The fields of a line, in order.
pub(crate) struct StateLine<'t> {
    fields: Vec<(&'t str, &'t str)>,
}

impl<'t> StateLine<'t> {
    /// Splits a line. `known` are its fields; those in `repeated` may stand there several times.
    pub(crate) fn read(
        text: &'t str,
        kind: &'static str,
        known: &[&'static str],
        repeated: &[&'static str],
    ) -> Result<Self, StateError> {
        if text.len() > MAX_LINE {
            return Err(StateError::TooLong { octets: text.len() });
        }
        let (found, rest) = text.split_once(' ').unwrap_or((text, ""));
        if found != kind {
            return Err(StateError::Kind { expected: kind, found: found.into() });
        }
        let mut fields: Vec<(&str, &str)> = Vec::new();
        for part in rest.split(' ').filter(|_| !rest.is_empty()) {
            let unknown = || StateError::Unknown { found: part.into() };
            let (name, value) = part.split_once('=').ok_or_else(unknown)?;
            let again = fields.iter().any(|(first, _)| *first == name);
            if !repeated.contains(&name) && (again || !known.contains(&name)) {
                return Err(unknown());
            }
            fields.push((name, value));
        }
        Ok(Self { fields })
    }

    pub(crate) fn maybe(&self, name: &str) -> Option<&'t str> {
        self.all(name).next()
    }

    pub(crate) fn one(&self, name: &'static str) -> Result<&'t str, StateError> {
        self.maybe(name).ok_or(StateError::Missing { field: name })
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'t str> {
        { self.fields.iter() }.filter(move |(found, _)| *found == name).map(|(_, value)| *value)
    }

    /// A span in seconds, if it is there.
    pub(crate) fn span(&self, name: &'static str) -> Result<Option<Duration>, StateError> {
        self.maybe(name).map(|text| seconds(name, text)).transpose()
    }

    /// A time in seconds since 1970, if it is there.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<UnixTime>, StateError> {
        Ok(self.span(name)?.map(|span| UnixTime(span.as_secs())))
    }
}

pub(crate) fn seconds(field: &'static str, text: &str) -> Result<Duration, StateError> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    { text.parse().ok().filter(|_| canonical).map(Duration::from_secs) }
        .ok_or_else(|| StateError::value(field, "seconds", text))
}

/// A policy in a line: `enforce,604800,mx1.example.com,*.example.com`.
pub(crate) struct PolicyField<'p>(pub(crate) &'p Policy);

impl fmt::Display for PolicyField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.0.mode().as_str(), self.0.max_age().as_secs())?;
        self.0.mx().iter().try_for_each(|pattern| write!(f, ",{pattern}"))
    }
}

pub(crate) fn policy(field: &'static str, text: &str) -> Result<Policy, StateError> {
    let fault = || StateError::value(field, "mode, max_age and mx patterns", text);
    let mut parts = text.split(',');
    let mode = match parts.next() {
        Some("enforce") => Mode::Enforce,
        Some("testing") => Mode::Testing,
        Some("none") => Mode::None,
        _ => return Err(fault()),
    };
    let max_age = seconds(field, parts.next().ok_or_else(fault)?)?;
    let mx: Result<Vec<_>, _> = parts.map(MxPattern::parse).collect();
    Policy::new(mode, mx.map_err(|_| fault())?, max_age).ok_or_else(fault)
}

/// Why a text is not a state. The consequence: the machine must not be stepped, and whatever is
/// published stays as it is, until somebody has looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateError {
    /// Longer than any state.
    TooLong {
        /// How long.
        octets: usize,
    },
    /// Another kind of state, or another version.
    Kind {
        /// The first word of a state of this kind.
        expected: &'static str,
        /// The first word.
        found: Box<str>,
    },
    /// A field that is not known, or stands there twice.
    Unknown {
        /// The field.
        found: Box<str>,
    },
    /// A field is missing.
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A value is not what it must be.
    Value {
        /// The name of its field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
        /// The value.
        found: Box<str>,
    },
}

impl StateError {
    pub(crate) fn value(field: &'static str, expected: &'static str, found: &str) -> Self {
        Self::Value { field, expected, found: found.into() }
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { octets } => {
                write!(f, "state: expected at most {MAX_LINE} octets, found {octets}")
            }
            Self::Kind { expected, found } => {
                write!(f, "state: expected {expected:?}, found {found:?}")
            }
            Self::Unknown { found } => {
                write!(f, "state: expected known fields, each once, found {found:?}")
            }
            Self::Missing { field } => write!(f, "state: {field}: expected this field, found none"),
            Self::Value { field, expected, found } => {
                write!(f, "state: {field}: expected {expected}, found {found:?}")
            }
        }
    }
}

impl core::error::Error for StateError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn lines() {
        let read = |text| StateLine::read(text, "x1", &["a", "b"], &["c"]).map(|line| line.fields);
        assert_eq!(read("x1"), Ok(Vec::new()));
        assert_eq!(read("x1 a=1 c=2 c=3"), Ok([("a", "1"), ("c", "2"), ("c", "3")].into()));
        let bad = [
            ("", "state: expected \"x1\", found \"\""),
            ("x2 a=1", "state: expected \"x1\", found \"x2\""),
            ("x1 a=1 a=2", "state: expected known fields, each once, found \"a=2\""),
            ("x1 d=1", "state: expected known fields, each once, found \"d=1\""),
            ("x1  a=1", "state: expected known fields, each once, found \"\""),
        ];
        for (text, error) in bad {
            assert_eq!(read(text).unwrap_err().to_string(), error, "{text:?}");
        }
        assert!(read(&"x".repeat(MAX_LINE + 1)).is_err());
    }

    #[test]
    fn policies() {
        for text in ["enforce,604800,mx.example.com,*.example.com", "none,86400"] {
            assert_eq!(PolicyField(&policy("p", text).unwrap()).to_string(), text);
        }
        for text in ["", "enforce", "enforce,1", "testing,01,a.b", "none,99999999", "none,1,a..b"] {
            assert!(policy("p", text).is_err(), "{text}");
        }
    }
}
