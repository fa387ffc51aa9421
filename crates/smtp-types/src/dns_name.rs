//! A name as the DNS can be asked for it, wider than what a mail domain may be called.

use alloc::boxed::Box;
use core::fmt;

use crate::{DomainName, DomainNameError};

/// A name to ask the DNS for: any printable ASCII in its labels, lower case, no final dot.
///
/// A mail domain is a [`DomainName`]. But SPF makes names out of local parts and addresses
/// (RFC 7208 §7), such as `a+b._spf.example.com` or `192.0.2.1`, and the DNS itself holds any octet
/// in a label (RFC 2181 §11). Such a name may be asked for; it is not a place for mail to go.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Box<str>);

impl DnsName {
    /// Reads a name of 1 to 253 octets in labels of 1 to 63 octets (RFC 1035 §2.3.4), each octet
    /// printable ASCII or a space. Upper case is folded, one final dot is dropped.
    ///
    /// # Errors
    /// [`DomainNameError`] says which rule is broken, and where.
    pub fn parse(text: &str) -> Result<Self, DomainNameError> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
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
        Ok(Self(name.into_boxed_str()))
    }

    /// The name as text: lower case, no final dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels from left to right; at least one.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// The same name as a place where mail may go.
    ///
    /// # Errors
    /// What keeps it from being one.
    pub fn to_domain_name(&self) -> Result<DomainName, DomainNameError> {
        DomainName::parse(&self.0)
    }
}

fn check_label(label: &str, column: usize) -> Result<(), DomainNameError> {
    if label.is_empty() {
        return Err(DomainNameError::EmptyLabel { column });
    }
    if label.len() > 63 {
        return Err(DomainNameError::LabelTooLong { column, octets: label.len() });
    }
    match label.char_indices().find(|(_, c)| !matches!(c, ' '..='~')) {
        Some((index, found)) => {
            Err(DomainNameError::BadCharacter { column: column + index, found })
        }
        None => Ok(()),
    }
}

impl From<DomainName> for DnsName {
    fn from(name: DomainName) -> Self {
        Self(name.into_text())
    }
}

impl From<&DomainName> for DnsName {
    fn from(name: &DomainName) -> Self {
        Self(name.as_str().into())
    }
}

impl PartialEq<DomainName> for DnsName {
    fn eq(&self, other: &DomainName) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DnsName({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, expected) in [
            ("Example.COM.", "example.com"),
            ("a+b=c._spf.example.com", "a+b=c._spf.example.com"),
            ("192.0.2.1", "192.0.2.1"),
            ("a b.test", "a b.test"),
            ("-a-.test", "-a-.test"),
        ] {
            assert_eq!(DnsName::parse(text).unwrap().as_str(), expected);
        }
        let bad = [
            ("", DomainNameError::Empty),
            (".", DomainNameError::Empty),
            ("a..b", DomainNameError::EmptyLabel { column: 3 }),
            ("a\u{7}.test", DomainNameError::BadCharacter { column: 2, found: '\u{7}' }),
            ("ä.test", DomainNameError::BadCharacter { column: 1, found: 'ä' }),
        ];
        for (text, error) in bad {
            assert_eq!(DnsName::parse(text), Err(error), "{text:?}");
        }
        assert!(DnsName::parse(&"a.".repeat(128)).is_err());
        assert!(DnsName::parse(&"a".repeat(64)).is_err());
    }

    #[test]
    fn a_domain_name_is_a_name() {
        let domain = DomainName::parse("example.com").unwrap();
        let name = DnsName::from(&domain);
        assert_eq!(name, domain);
        assert_eq!(name.to_domain_name(), Ok(domain));
        assert!(DnsName::parse("a+b.test").unwrap().to_domain_name().is_err());
    }
}
