//! The words of the field: what may stand in it at all.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use smtp_types::DomainName;

/// How many octets a value, a comment or an authserv-id may have. A line of a message has at most
/// 998 (RFC 5322 §2.1.1), and a word without a space cannot be folded.
pub(super) const MAX_OCTETS: usize = 900;

/// The name of a method, a result, a property type or a property:
/// `Keyword = Ldh-str` (RFC 5321 §4.1.2), in lower case, for its case does not matter.
///
/// Those of the IANA registry that are in use have constants here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyword(Cow<'static, str>);

impl Keyword {
    /// The method `spf` (RFC 8601 §2.7.2).
    pub const SPF: Self = Self(Cow::Borrowed("spf"));
    /// The method `dkim` (RFC 8601 §2.7.1).
    pub const DKIM: Self = Self(Cow::Borrowed("dkim"));
    /// The method `arc` (RFC 8617 §10.1).
    pub const ARC: Self = Self(Cow::Borrowed("arc"));
    /// The method `dmarc` (RFC 9989).
    pub const DMARC: Self = Self(Cow::Borrowed("dmarc"));
    /// The method `iprev` (RFC 8601 §3).
    pub const IPREV: Self = Self(Cow::Borrowed("iprev"));
    /// The method `auth` (RFC 8601 §2.7.4).
    pub const AUTH: Self = Self(Cow::Borrowed("auth"));

    /// The result `none`: there was nothing to check.
    pub const NONE: Self = Self(Cow::Borrowed("none"));
    /// The result `pass`.
    pub const PASS: Self = Self(Cow::Borrowed("pass"));
    /// The result `fail`.
    pub const FAIL: Self = Self(Cow::Borrowed("fail"));
    /// The result `softfail`, of `spf` only.
    pub const SOFTFAIL: Self = Self(Cow::Borrowed("softfail"));
    /// The result `neutral`.
    pub const NEUTRAL: Self = Self(Cow::Borrowed("neutral"));
    /// The result `policy`: the check passed and is not good enough for us.
    pub const POLICY: Self = Self(Cow::Borrowed("policy"));
    /// The result `temperror`: a later attempt may say more.
    pub const TEMPERROR: Self = Self(Cow::Borrowed("temperror"));
    /// The result `permerror`: a later attempt will say the same.
    pub const PERMERROR: Self = Self(Cow::Borrowed("permerror"));

    /// Reads letters, digits and hyphens, the last of them no hyphen; at most 64. `None` if the
    /// text is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=64).contains(&text.len())
            && text.bytes().all(is_keyword_octet)
            && !text.ends_with('-');
        well_formed.then(|| Self(Cow::Owned(text.to_ascii_lowercase())))
    }

    /// A keyword that stands in our source.
    pub(super) const fn known(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The word in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What `Ldh-str` is made of.
pub(super) const fn is_keyword_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-'
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyword({})", self.0)
    }
}

/// The value of a property, or a reason: one line of text without control characters, at most 900
/// octets.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(Box<str>);

impl Value {
    /// Makes a value of any text. Control characters become `?`. What is too long is cut, and ends
    /// in `...` then, so that it cannot be taken for another domain or address.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(one_line(text))
    }

    /// The value as text, without the quotes that it may need in the field.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Words for people (`CFWS` of RFC 5322 §3.2.2): one line of text without control characters, at
/// most 900 octets.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comment(Box<str>);

impl Comment {
    /// Makes a comment of any text, as [`Value::new`] does.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(one_line(text))
    }

    /// The comment as text, without the parentheses around it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text without what could end a line, and without what could make it too long for one.
fn one_line(text: &str) -> Box<str> {
    let mut line: String = text
        .chars()
        .take(MAX_OCTETS + 1) // enough to see that it is too long
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if line.len() > MAX_OCTETS {
        line.truncate(line.floor_char_boundary(MAX_OCTETS - 3));
        line.push_str("...");
    }
    line.into_boxed_str()
}

/// Who has checked (RFC 8601 §2.5): a name that is unique for a mail system, most often a domain
/// name of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthservId(Box<str>);

impl AuthservId {
    /// Reads an id: 1 to 900 octets without control characters.
    ///
    /// # Errors
    /// [`AuthservIdError`] says which rule is broken.
    pub fn new(text: &str) -> Result<Self, AuthservIdError> {
        if text.is_empty() || text.len() > MAX_OCTETS {
            return Err(AuthservIdError::Length { octets: text.len() });
        }
        match text.chars().find(|c| c.is_control()) {
            Some(found) => Err(AuthservIdError::Character { found }),
            None => Ok(Self(text.into())),
        }
    }

    /// The id as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name the same server. Case does not matter, nor, for domain names, whether a
    /// label is an A-label or a U-label (RFC 8601 §5), nor a final dot.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        if self.0.to_lowercase() == other.0.to_lowercase() {
            return true;
        }
        match (DomainName::parse(&self.0), DomainName::parse(&other.0)) {
            (Ok(one), Ok(two)) => one == two,
            _ => false,
        }
    }
}

impl From<&DomainName> for AuthservId {
    fn from(name: &DomainName) -> Self {
        Self(name.as_str().into())
    }
}

impl fmt::Display for AuthservId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text is not an authserv-id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthservIdError {
    /// Nothing there, or more than 900 octets.
    Length {
        /// How many there are.
        octets: usize,
    },
    /// A control character.
    Character {
        /// The character.
        found: char,
    },
}

impl fmt::Display for AuthservIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { octets } => {
                write!(f, "authserv-id: expected 1 to {MAX_OCTETS} octets, found {octets}")
            }
            Self::Character { found } => {
                write!(f, "authserv-id: expected no control characters, found {found:?}")
            }
        }
    }
}

impl core::error::Error for AuthservIdError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords() {
        for (text, word) in [("spf", "spf"), ("DKIM-ATPS", "dkim-atps"), ("x1", "x1")] {
            assert_eq!(Keyword::parse(text).unwrap().as_str(), word);
        }
        for text in ["", "a-", "a_b", "a b", "a\r\nb", "ä", &"a".repeat(65)] {
            assert_eq!(Keyword::parse(text), None, "{text:?}");
        }
        assert_eq!(Keyword::parse("Pass"), Some(Keyword::PASS));
    }

    #[test]
    fn values_have_no_control_characters_and_an_end() {
        assert_eq!(Value::new("a\r\nX-Forged: b\0\u{85}").as_str(), "a??X-Forged: b??");
        assert_eq!(Value::new(&"a".repeat(900)).as_str().len(), 900);
        let cut = Value::new(&"ä".repeat(900));
        assert!(cut.as_str().ends_with("ä...") && cut.as_str().len() <= 900);
        assert_eq!(Comment::new("\n").as_str(), "?");
    }

    #[test]
    fn ids() {
        let id = |text: &str| AuthservId::new(text).unwrap();
        assert!(id("MX.example.com").is_same(&id("mx.Example.com.")));
        assert!(id("dané.test").is_same(&id("XN--dan-dma.test")));
        assert!(id("Dienst Eins").is_same(&id("dienst eins")));
        assert!(!id("mx.example.com").is_same(&id("example.com")));
        assert_eq!(AuthservId::new(""), Err(AuthservIdError::Length { octets: 0 }));
        assert_eq!(AuthservId::new("a\n"), Err(AuthservIdError::Character { found: '\n' }));
    }
}
