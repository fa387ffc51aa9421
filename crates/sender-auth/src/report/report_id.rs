//! The name of a report, in its XML, its Subject, its file name and its Message-ID.

use alloc::boxed::Box;
use alloc::format;
use core::fmt;

use smtp_types::DomainName;

use super::Day;

/// How many octets an id may have, so that a header line with it stays below 998 (RFC 5322 §2.1.1).
const MAX_OCTETS: usize = 640;

/// `ridfmt = (dot-atom-text ["@" dot-atom-text])` (RFC 9990 §3.5.1), at most 640 octets.
///
/// It must be unique among the reports to one domain, and must stay the same when a report is sent
/// again. So make it once, and store it with the report.
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
        let (left, right) = text.split_once('@').unwrap_or((text, "a"));
        if right.contains('@') {
            return Err(ReportIdError::SecondAt);
        }
        match [left, right].iter().any(|half| half.split('.').any(str::is_empty)) {
            true => Err(ReportIdError::EmptyAtom),
            false => Ok(Self(text.into())),
        }
    }

    /// The id of the report about one domain on one day: `20261121.example.com.NODE@SUBMITTER`.
    /// `node` tells processes apart that count separately; one atom, for example `a`.
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

    /// Whether it has a right half, as a Message-ID must have.
    #[must_use]
    pub fn has_domain(&self) -> bool {
        self.0.contains('@')
    }

    /// Whether it can stand in a file name: `unique-id = 1*(ALPHA / DIGIT)` (RFC 9990 §3.5.2).
    #[must_use]
    pub fn is_alphanumeric(&self) -> bool {
        self.0.bytes().all(|octet| octet.is_ascii_alphanumeric())
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
    /// A character that an atom does not have.
    Character {
        /// The character.
        found: char,
    },
    /// There is more than one `@`.
    SecondAt,
    /// A half is empty, or begins or ends with a dot, or has two dots in a row.
    EmptyAtom,
}

impl fmt::Display for ReportIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "report id: ")?;
        match self {
            Self::TooLong { octets } => {
                write!(f, "expected at most {MAX_OCTETS} octets, found {octets}")
            }
            Self::Character { found } => {
                write!(
                    f,
                    "expected letters, digits, dots and !#$%&'*+-/=?^_`{{|}}~, found {found:?}"
                )
            }
            Self::SecondAt => write!(f, "expected one @ at most, found two"),
            Self::EmptyAtom => write!(f, "expected text around each dot and @, found none"),
        }
    }
}

impl core::error::Error for ReportIdError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use smtp_types::UnixTime;

    #[test]
    fn ids() {
        for good in ["a", "a.b", "20261121.example.com.a@mx.example.net", "1234567890+", "a@b"] {
            assert_eq!(ReportId::parse(good).unwrap().to_string(), good);
        }
        let bad = [
            ("", ReportIdError::EmptyAtom),
            ("a.", ReportIdError::EmptyAtom),
            ("@b", ReportIdError::EmptyAtom),
            ("a@", ReportIdError::EmptyAtom),
            ("a..b", ReportIdError::EmptyAtom),
            ("a@b@c", ReportIdError::SecondAt),
            ("<a@b>", ReportIdError::Character { found: '<' }),
            ("a b", ReportIdError::Character { found: ' ' }),
            ("ä", ReportIdError::Character { found: 'ä' }),
        ];
        for (text, error) in bad {
            assert_eq!(ReportId::parse(text), Err(error), "{text:?}");
        }
        let long = "a".repeat(641);
        assert_eq!(ReportId::parse(&long), Err(ReportIdError::TooLong { octets: 641 }));
    }

    #[test]
    fn the_id_of_a_day_fits_for_the_longest_names() {
        let name = |text: &str| DomainName::parse(text).unwrap();
        let long = name(&alloc::vec!["a".repeat(49); 5].join("."));
        let day = Day::of(UnixTime(1_795_289_400));
        assert!(ReportId::of_day(day, &long, "node1", &long).is_ok());
        assert!(ReportId::of_day(day, &long, "a b", &long).is_err());
        let id = ReportId::of_day(day, &name("example.com"), "a", &name("mx.example.net")).unwrap();
        assert_eq!(id.as_str(), "20261121.example.com.a@mx.example.net");
        assert!(id.has_domain() && !id.is_alphanumeric());
        assert!(ReportId::parse("3v98abbp8ya9n3va8yr8oa3ya").unwrap().is_alphanumeric());
    }
}
