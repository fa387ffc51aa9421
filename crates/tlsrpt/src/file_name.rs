//! The name of a report as a file (RFC 8460 §5.1).

use alloc::boxed::Box;
use core::fmt;

use smtp_types::{DomainName, DomainNameError, UnixTime};

use crate::DateRange;

/// How a report is packed for the way (RFC 8460 §5.2: gzip SHOULD be used).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// Not at all: `json`.
    None,
    /// With gzip: `json.gz`.
    Gzip,
}

impl Compression {
    /// The media type of the report in a mail (§5.3) and in a POST (§5.4).
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::None => "application/tlsrpt+json",
            Self::Gzip => "application/tlsrpt+gzip",
        }
    }

    /// The ending of the file's name, without a dot in front.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::None => "json",
            Self::Gzip => "json.gz",
        }
    }
}

/// `sender!policy-domain!begin!end[!unique-id].json[.gz]`
///
/// It must stay the same when the report is sent again. What stands in the report counts more than
/// its name (RFC 8460 §5.6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    /// The domain of the submitter's contact.
    pub submitter: DomainName,
    /// The policy domain that the report is about.
    pub domain: DomainName,
    /// The period.
    pub period: DateRange,
    /// Tells apart several reports of the same day: letters and digits.
    pub unique_id: Option<Box<str>>,
    /// Whether the file is compressed.
    pub compression: Compression,
}

impl FileName {
    /// Reads a name. Lenient: folders in front are passed over, the ending may be anything or
    /// nothing, and the unique id may have any characters.
    ///
    /// # Errors
    /// [`FileNameError`] says which part is not as it must be.
    pub fn parse(text: &str) -> Result<Self, FileNameError> {
        let name = text.rsplit(['/', '\\']).next().unwrap_or(text);
        let lower = name.to_ascii_lowercase();
        let compression = match lower.ends_with(".gz") {
            true => Compression::Gzip,
            false => Compression::None,
        };
        let stem = [".json.gz", ".json", ".gz"]
            .iter()
            .find(|ending| lower.ends_with(**ending))
            .map_or(name, |ending| &name[..name.len() - ending.len()]);
        let mut parts = stem.split('!');
        let mut next = |part| parts.next().ok_or(FileNameError::Missing { part });
        let (submitter, domain) = (next("sender")?, next("policy-domain")?);
        let (begin, end) = (next("begin-timestamp")?, next("end-timestamp")?);
        let unique_id = parts.next().filter(|id| !id.is_empty()).map(Box::from);
        if parts.next().is_some() {
            return Err(FileNameError::TooMany);
        }
        let name = |part, text| {
            DomainName::parse(text).map_err(|error| FileNameError::Domain { part, error })
        };
        let period = DateRange {
            begin: timestamp("begin-timestamp", begin)?,
            end: timestamp("end-timestamp", end)?,
        };
        Ok(Self {
            submitter: name("sender", submitter)?,
            domain: name("policy-domain", domain)?,
            period,
            unique_id,
            compression,
        })
    }
}

/// `begin-timestamp = 1*DIGIT`: seconds since 1970.
fn timestamp(part: &'static str, text: &str) -> Result<UnixTime, FileNameError> {
    let is_digits = text.bytes().all(|octet| octet.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| is_digits);
    seconds.map(UnixTime).ok_or(FileNameError::Timestamp { part })
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { submitter, domain, period, unique_id, compression } = self;
        write!(f, "{submitter}!{domain}!{}!{}", period.begin.0, period.end.0)?;
        if let Some(id) = unique_id {
            write!(f, "!{id}")?;
        }
        write!(f, ".{}", compression.extension())
    }
}

/// Why a text is not the name of a report's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileNameError {
    /// There are fewer than four parts between exclamation points.
    Missing {
        /// The first that is missing.
        part: &'static str,
    },
    /// There are more than five.
    TooMany,
    /// A domain is not one.
    Domain {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        error: DomainNameError,
    },
    /// A time is not a number of seconds.
    Timestamp {
        /// Which part.
        part: &'static str,
    },
}

impl fmt::Display for FileNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { part } => write!(f, "{part}: expected this part, found none"),
            Self::TooMany => write!(f, "file name: expected at most five parts, found more"),
            Self::Domain { part, error } => write!(f, "{part}: {error}"),
            Self::Timestamp { part } => write!(f, "{part}: expected seconds, found another text"),
        }
    }
}

impl core::error::Error for FileNameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names() {
        for text in [
            "mail.sndr.example.com!example.net!1470013207!1470186007!001.json.gz",
            "example.com!example.net!1795219200!1795305599.json",
        ] {
            assert_eq!(FileName::parse(text).unwrap().to_string(), text);
        }
        let odd = FileName::parse("/in/Google.com!Example.net!1!2!a-b.JSON.GZ").unwrap();
        assert_eq!(odd.to_string(), "google.com!example.net!1!2!a-b.json.gz");
        let bad = [
            ("report.json", FileNameError::Missing { part: "policy-domain" }),
            ("a!b!1.json", FileNameError::Missing { part: "end-timestamp" }),
            ("a!b!1!2!3!4.json", FileNameError::TooMany),
            ("a!b!1!+2.json", FileNameError::Timestamp { part: "end-timestamp" }),
            ("a!b!!2.json", FileNameError::Timestamp { part: "begin-timestamp" }),
            (
                "!b!1!2.json",
                FileNameError::Domain { part: "sender", error: DomainNameError::Empty },
            ),
        ];
        for (text, error) in bad {
            assert_eq!(FileName::parse(text), Err(error), "{text}");
        }
    }
}
