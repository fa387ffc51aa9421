//! A domain name as mail software compares it.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// A domain name in A-labels, lower case, without the final dot of the root.
///
/// Two names are equal exactly when the DNS holds them equal. Underscores are allowed, because
/// `_mta-sts` and `_25._tcp` are names too, and because MX hosts with an underscore exist; ask
/// [`is_host_name`](Self::is_host_name) where RFC 5321 §2.3.5 is meant.
///
/// The root itself is not a `DomainName`: no mail goes there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Box<str>);

impl DomainName {
    /// Reads a name as people and configuration files write it.
    ///
    /// Upper case is folded, one final dot is dropped, U-labels become A-labels by UTS #46
    /// (RFC 5891 §4.4). The result has 1 to 253 octets in labels of 1 to 63 octets
    /// (RFC 1035 §2.3.4).
    ///
    /// # Errors
    /// [`DomainNameError`] says which rule is broken, and where.
    pub fn parse(text: &str) -> Result<Self, DomainNameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_ascii() {
            return Self::parse_ascii(name.to_ascii_lowercase());
        }
        let ascii = idna::domain_to_ascii_cow(name.as_bytes(), idna::AsciiDenyList::EMPTY)
            .map_err(|_| DomainNameError::NotInternationalized { found: name.into() })?;
        Self::parse_ascii(ascii.into_owned())
    }

    fn parse_ascii(name: String) -> Result<Self, DomainNameError> {
        if name.is_empty() {
            return Err(DomainNameError::Empty);
        }
        if name.len() > 253 {
            return Err(DomainNameError::TooLong { octets: name.len() });
        }
        let mut column = 1;
        for label in name.split('.') {
            check_label(label, column)?;
            column += label.len() + 1;
        }
        let top = name.rsplit('.').next().unwrap_or_default();
        if top.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(DomainNameError::NumericTop { found: top.into() });
        }
        Ok(Self(name.into_boxed_str()))
    }

    /// The name as text: A-labels, lower case, no final dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_text(self) -> Box<str> {
        self.0
    }

    /// The labels from left to right; at least one.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// The name without its leftmost label, or `None` for a name of one label.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_once('.')?;
        Some(Self(parent.into()))
    }

    /// The name below this one, for example `_mta-sts` + `example.com`.
    ///
    /// # Errors
    /// [`DomainNameError::TooLong`] if the result has more than 253 octets, and any other
    /// variant if `labels` is not made of labels.
    pub fn below(&self, labels: &str) -> Result<Self, DomainNameError> {
        Self::parse_ascii([labels, ".", &self.0].concat())
    }

    /// Whether every label is letters, digits and inner hyphens (RFC 5321 §2.3.5, RFC 1123 §2.1):
    /// what Postfix calls a valid host name. False as soon as there is an underscore.
    #[must_use]
    pub fn is_host_name(&self) -> bool {
        !self.0.contains('_')
    }
}

/// One label, by RFC 1035 §2.3.1 as relaxed by RFC 1123 §2.1, and underscores (RFC 8552).
fn check_label(label: &str, column: usize) -> Result<(), DomainNameError> {
    if label.is_empty() {
        return Err(DomainNameError::EmptyLabel { column });
    }
    if label.len() > 63 {
        return Err(DomainNameError::LabelTooLong { column, octets: label.len() });
    }
    let is_known = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    if let Some(index) = label.bytes().position(|octet| !is_known(octet)) {
        let found = label.get(index..).and_then(|rest| rest.chars().next()).unwrap_or_default();
        return Err(DomainNameError::BadCharacter { column: column + index, found });
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(DomainNameError::OuterHyphen { column });
    }
    Ok(())
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DomainName({})", self.0)
    }
}

impl AsRef<str> for DomainName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a domain name. Columns count from 1, in octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainNameError {
    /// Nothing there, or only the root's dot.
    Empty,
    /// More than 253 octets (RFC 1035 §2.3.4).
    TooLong {
        /// How many there are.
        octets: usize,
    },
    /// Two dots in a row, or a dot in front.
    EmptyLabel {
        /// Where the label should begin.
        column: usize,
    },
    /// A label of more than 63 octets (RFC 1035 §2.3.4).
    LabelTooLong {
        /// Where the label begins.
        column: usize,
        /// How many octets it has.
        octets: usize,
    },
    /// A character that no label has.
    BadCharacter {
        /// Where it stands.
        column: usize,
        /// The character.
        found: char,
    },
    /// A label that begins or ends with a hyphen (RFC 1123 §2.1).
    OuterHyphen {
        /// Where the label begins.
        column: usize,
    },
    /// The last label is all digits, as in an IPv4 address (RFC 1123 §2.1).
    NumericTop {
        /// The last label.
        found: Box<str>,
    },
    /// Not a valid internationalized name (UTS #46).
    NotInternationalized {
        /// The name as given.
        found: Box<str>,
    },
}

impl fmt::Display for DomainNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "expected a domain name, found nothing"),
            Self::TooLong { octets } => {
                write!(f, "expected at most 253 octets, found {octets}")
            }
            Self::EmptyLabel { column } => {
                write!(f, "column {column}: expected a label, found none")
            }
            Self::LabelTooLong { column, octets } => {
                write!(f, "column {column}: expected a label of at most 63 octets, found {octets}")
            }
            Self::BadCharacter { column, found } => {
                write!(
                    f,
                    "column {column}: expected a letter, digit, hyphen or dot, found {found:?}"
                )
            }
            Self::OuterHyphen { column } => {
                write!(f, "column {column}: expected no hyphen at either end of a label, found one")
            }
            Self::NumericTop { found } => {
                write!(f, "expected a last label with a letter, found {found:?} (an IP address?)")
            }
            Self::NotInternationalized { found } => {
                write!(f, "expected an internationalized domain name, found {found:?}")
            }
        }
    }
}

impl core::error::Error for DomainNameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn good(text: &str, expected: &str) {
        assert_eq!(DomainName::parse(text).unwrap().as_str(), expected, "{text}");
    }

    fn bad(text: &str, expected: &str) {
        assert_eq!(DomainName::parse(text).unwrap_err().to_string(), expected, "{text}");
    }

    #[test]
    fn names() {
        good("example.com", "example.com");
        good("Example.COM.", "example.com"); // folded, final dot dropped
        good("dané.test", "xn--dan-dma.test"); // U-label
        good("_25._tcp.mx-1.example", "_25._tcp.mx-1.example");
        good("localhost", "localhost");
        good("1and1.example", "1and1.example");
        bad("", "expected a domain name, found nothing");
        bad(".", "expected a domain name, found nothing");
        bad(".example.com", "column 1: expected a label, found none");
        bad("a..b", "column 3: expected a label, found none");
        bad("a b.test", "column 2: expected a letter, digit, hyphen or dot, found ' '");
        bad("*.test", "column 1: expected a letter, digit, hyphen or dot, found '*'");
        bad("a.-b.test", "column 3: expected no hyphen at either end of a label, found one");
        bad("192.0.2.1", "expected a last label with a letter, found \"1\" (an IP address?)");
        bad(&"a".repeat(64), "column 1: expected a label of at most 63 octets, found 64");
        bad(&"a.".repeat(128), "expected at most 253 octets, found 255");
        bad("a\u{0}.test", "column 2: expected a letter, digit, hyphen or dot, found '\\0'");
    }

    #[test]
    fn below_keeps_the_limit() {
        let long = DomainName::parse(&["a".repeat(62).as_str(); 4].join(".")).unwrap();
        assert_eq!(long.below("_mta-sts"), Err(DomainNameError::TooLong { octets: 260 }));
        let short = DomainName::parse("example.com").unwrap();
        assert_eq!(short.below("_mta-sts").unwrap().as_str(), "_mta-sts.example.com");
        assert_eq!(short.parent().unwrap().as_str(), "com");
        assert_eq!(short.parent().unwrap().parent(), None);
    }
}
