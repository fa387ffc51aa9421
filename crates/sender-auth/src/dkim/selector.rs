//! The name of a key, and where in the DNS it leads (RFC 6376 §3.1).

use alloc::boxed::Box;
use core::fmt;

use smtp_types::{DnsQuestion, DomainName, DomainNameError, RecordType};

/// The name of a key below its domain (RFC 6376 §3.1): labels as A-labels, lower case. Unlike a
/// domain it may end in a label of digits, for example a date.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector(Box<str>);

impl Selector {
    /// Reads a selector as a signature or an operator writes it; U-labels are allowed
    /// (RFC 8616 §5).
    ///
    /// # Errors
    /// What keeps it from being a name.
    pub fn parse(text: &str) -> Result<Self, DomainNameError> {
        if text.is_empty() {
            return Err(DomainNameError::Empty);
        }
        // The labels behind keep a last label of digits from being taken for an address.
        let name = DomainName::parse(&[text, ".", KEYS].concat())?;
        let labels = name.as_str().len() - KEYS.len() - 1;
        Ok(Self(name.as_str().split_at(labels).0.into()))
    }

    /// The selector as text: A-labels, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The subdomain that holds all keys of a domain.
const KEYS: &str = "_domainkey";

/// Where the key of a signature stands (RFC 6376 §3.6.2.1).
///
/// # Errors
/// If the name would have more than 253 octets.
pub fn key_question(
    domain: &DomainName,
    selector: &Selector,
) -> Result<DnsQuestion, DomainNameError> {
    let name = domain.below(&[selector.as_str(), ".", KEYS].concat())?;
    Ok(DnsQuestion::new(name, RecordType::Txt))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn selectors() {
        for (text, expected) in [
            ("Mail-2026", "mail-2026"),
            ("20230601", "20230601"),
            ("a.b", "a.b"),
            ("dané", "xn--dan-dma"),
        ] {
            assert_eq!(Selector::parse(text).unwrap().as_str(), expected);
        }
        for text in ["", "a.", ".a", "a b", "a..b", "-a"] {
            assert!(Selector::parse(text).is_err(), "{text:?}");
        }
        let domain = DomainName::parse("example.com").unwrap();
        let question = key_question(&domain, &Selector::parse("s1.x").unwrap()).unwrap();
        assert_eq!(question.to_string(), "TXT s1.x._domainkey.example.com");
    }
}
