//! The name of a report, in its JSON, its subject and its Message-ID.

use alloc::boxed::Box;
use alloc::format;
use core::fmt;

use smtp_types::DomainName;

use crate::Day;

/// How many octets an id may have, so that a header line with it stays below 998 (RFC 5322 §2.1.1).
const MAX_OCTETS: usize = 640;

/// `left@right`, dot-atoms both (RFC 5322 §3.6.4), without angle brackets, at most 640 octets.
///
/// RFC 8460 §4.4 lets `report-id` be any unique text, and §5.3 wants the same id in the subject, in
/// the form of a Message-ID. One that is both needs no second one. It must stay the same when the
/// report is sent again: make it once, and store it with the report.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportId(Box<str>);

impl ReportId {
    /// Reads an id, without angle brackets.
    ///
    /// # Errors
    /// [`ReportIdError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ReportIdError> {
        if text.len() > MAX_OCTETS {
            return Err(ReportIdError::TooLong { octets: text.len() });
        }
        if let Some(found) = text.chars().find(|c| !is_atext(*c) && !matches!(c, '.' | '@')) {
            return Err(ReportIdError::Character { found });
        }
        let (left, right) = text.split_once('@').ok_or(ReportIdError::NotOneAt)?;
        if right.contains('@') {
            return Err(ReportIdError::NotOneAt);
        }
        match [left, right].iter().any(|half| half.split('.').any(str::is_empty)) {
            true => Err(ReportIdError::EmptyAtom),
            false => Ok(Self(text.into())),
        }
    }

    /// The id of the report about one domain on one day: `20261121.example.com.NODE@SUBMITTER`.
    /// `node` tells apart those who count and report separately; one atom, for example `a`.
    ///
    /// # Errors
    /// If `node` is not an atom, or all together is too long.
    pub fn of_day(
        day: Day,
        domain: &DomainName,
        node: &str,
        submitter: &DomainName,
    ) -> Result<Self, ReportIdError> {
        Self::parse(&format!("{day}.{domain}.{node}@{submitter}"))
    }

    /// The id as text, without angle brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `atext` of RFC 5322 §3.2.3.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReportId({})", self.0)
    }
}

/// Why a text is not the id of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportIdError {
    /// It has more than 640 octets.
    TooLong {
        /// How many.
        octets: usize,
    },
    /// A character that a dot-atom does not have.
    Character {
        /// The character.
        found: char,
    },
    /// There is no `@`, or more than one.
    NotOneAt,
    /// Nothing between two dots, or at an end.
    EmptyAtom,
}

impl fmt::Display for ReportIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { octets } => {
                write!(f, "report-id: expected at most {MAX_OCTETS} octets, found {octets}")
            }
            Self::Character { found } => {
                write!(f, "report-id: expected atoms, dots and one @, found {found:?}")
            }
            Self::NotOneAt => write!(f, "report-id: expected one @, found none or several"),
            Self::EmptyAtom => write!(f, "report-id: expected an atom on each side of a dot"),
        }
    }
}

impl core::error::Error for ReportIdError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn ids() {
        for text in ["20261121.example.com.a@reports.example", "735ff.e317+bf22029@example.net"] {
            assert_eq!(ReportId::parse(text).unwrap().to_string(), text);
        }
        let bad = [
            ("a b@c", ReportIdError::Character { found: ' ' }),
            ("a>\r\nBcc: x@c", ReportIdError::Character { found: '>' }),
            ("a", ReportIdError::NotOneAt),
            ("a@b@c", ReportIdError::NotOneAt),
            ("a..b@c", ReportIdError::EmptyAtom),
            ("@c", ReportIdError::EmptyAtom),
        ];
        for (text, error) in bad {
            assert_eq!(ReportId::parse(text), Err(error), "{text}");
        }
        assert_eq!(ReportId::parse(&"a".repeat(641)), Err(ReportIdError::TooLong { octets: 641 }));
    }

    #[test]
    fn of_a_day() {
        let name = |text| DomainName::parse(text).unwrap();
        let id =
            ReportId::of_day(Day::since_epoch(20_778), &name("example.com"), "a", &name("s.test"));
        assert_eq!(id.unwrap().as_str(), "20261121.example.com.a@s.test");
    }
}
