//! The `[dns]` section: what the sender's validating resolver says, one record to a line.
//!
//! ```text
//! TYPE  owner.name.  SECURITY  DATA
//! ```
//!
//! `SECURITY` is the word of RFC 4033 §5 that the resolver ends with: `secure`, `insecure` or
//! `bogus`; or `temporary` when it gets no answer. `DATA` is the record as in a zone file, or
//! `nodata`, or `nxdomain`. After `bogus` the data is what the forger put there (the resolver
//! hands out none of it); without data the forger took the record away. Words with `@` stand for
//! what only the lab knows: `@receiver`, `@rogue`, `@policy-host` (addresses) and `@receiver-key`
//! (the SHA-256 digest of the receiver's public key).

use super::{CaseError, Line};

/// One record, or one failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsLine {
    /// The type asked for.
    pub kind: Kind,
    /// The name asked for, without the final dot.
    pub name: String,
    /// How far the resolver could trust the answer.
    pub security: Security,
    /// The answer.
    pub answer: Answer,
}

/// The record types that a case can speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Mail servers.
    Mx,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Certificates.
    Tlsa,
    /// Texts.
    Txt,
    /// Other names for a name.
    Cname,
}

/// The security state of an answer, RFC 4033 §5, and the failure to get any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// An unbroken chain of signatures from the root.
    Secure,
    /// Proved to have no signatures.
    Insecure,
    /// The signatures do not fit: the resolver answers SERVFAIL.
    Bogus,
    /// No name server answered: the resolver answers SERVFAIL or nothing.
    Temporary,
}

/// What the answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A record, in the form of a zone file.
    Record(String),
    /// The name exists, but has no record of this type.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// Nothing: the forger took the record away, or no server answered.
    Withheld,
}

pub(super) fn parse(lines: &[Line]) -> Result<Vec<DnsLine>, CaseError> {
    lines.iter().map(record).collect()
}

fn record(line: &Line) -> Result<DnsLine, CaseError> {
    let (kind, rest) = word(&line.text);
    let (name, rest) = word(rest);
    let (security, data) = word(rest);
    let Some(kind) = Kind::parse(kind) else {
        return Err(line.error("MX, A, AAAA, TLSA, TXT or CNAME at the start"));
    };
    let Some(name) = name.strip_suffix('.').filter(|name| !name.is_empty()) else {
        return Err(line.error("a full name with a final dot after the type"));
    };
    let Some(security) = Security::parse(security) else {
        return Err(line.error("secure, insecure, bogus or temporary after the name"));
    };
    let answer = match (security, data) {
        (Security::Bogus | Security::Temporary, "") => Answer::Withheld,
        (Security::Secure | Security::Insecure, "nodata") => Answer::NoData,
        (Security::Secure | Security::Insecure, "nxdomain") => Answer::NxDomain,
        (Security::Secure | Security::Insecure, "") => {
            return Err(line.error("a record, nodata or nxdomain at the end"));
        }
        (Security::Temporary, _) => return Err(line.error("no data after temporary")),
        (Security::Bogus, "nodata" | "nxdomain") => {
            return Err(line.error("the forged record after bogus, or nothing"));
        }
        (Security::Secure | Security::Insecure | Security::Bogus, data) => {
            Answer::Record(data.to_owned())
        }
    };
    Ok(DnsLine { kind, name: name.to_owned(), security, answer })
}

fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start())
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        let all = [Self::Mx, Self::A, Self::Aaaa, Self::Tlsa, Self::Txt, Self::Cname];
        all.into_iter().find(|kind| kind.word() == word)
    }

    /// The type's name in a zone file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mx => "MX",
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Tlsa => "TLSA",
            Self::Txt => "TXT",
            Self::Cname => "CNAME",
        }
    }
}

impl Security {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "secure" => Some(Self::Secure),
            "insecure" => Some(Self::Insecure),
            "bogus" => Some(Self::Bogus),
            "temporary" => Some(Self::Temporary),
            _ => None,
        }
    }
}
