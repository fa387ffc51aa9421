//! Selectors: the names under which a domain publishes its keys (RFC 6376 §3.1).

use std::fmt;

use smtp_types::{DnsName, DomainName, DomainNameError, UnixTime};

/// The longest selector, in octets. The standard says nothing; one label has at most 63, and nobody
/// needs more.
const LONGEST: usize = 63;

/// The longest prefix, so that the month and the letter fit behind it.
const LONGEST_PREFIX: usize = 20;

/// The name of a key below `_domainkey`: labels of letters, digits, hyphens and (not in the standard,
/// but in use) underscores, at most 63 octets in all, lower case. Its text is also the name of a
/// file, for which it has neither a slash nor a dot in front.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector(Box<str>);

impl Selector {
    /// Reads a selector. Upper case is folded, for the DNS does not know it.
    ///
    /// # Errors
    /// [`SelectorError`] says what was expected.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        if text.len() > LONGEST {
            return Err(SelectorError { found: text.chars().take(LONGEST).collect() });
        }
        let is_label = |label: &str| {
            let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            !label.is_empty()
                && label.chars().all(inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if !text.split('.').all(is_label) {
            return Err(SelectorError { found: text.into() });
        }
        Ok(Self(text.to_ascii_lowercase().into_boxed_str()))
    }

    /// The selector as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where its key record stands: `SELECTOR._domainkey.DOMAIN` (RFC 6376 §3.6.2.1).
    ///
    /// # Errors
    /// [`DomainNameError::TooLong`] if the domain is so long that there is no such name.
    pub fn record_name(&self, domain: &DomainName) -> Result<DnsName, DomainNameError> {
        DnsName::parse(&format!("{}._domainkey.{domain}", self.0))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({})", self.0)
    }
}

/// A text that is no selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorError {
    found: String,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected labels of letters, digits and inner hyphens, at most {LONGEST} octets, \
             found {:?}",
            self.found
        )
    }
}

impl std::error::Error for SelectorError {}

/// What the selectors of our own keys begin with. Two hosts that sign for one domain, each with keys
/// of its own, need different ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorPrefix(Box<str>);

impl SelectorPrefix {
    /// Reads a prefix: 1 to 20 lower-case letters, digits and hyphens, beginning with a letter or a
    /// digit. `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_prefix = (1..=LONGEST_PREFIX).contains(&text.len())
            && text.chars().all(inner)
            && !text.starts_with('-');
        is_prefix.then(|| Self(text.into()))
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Selectors for a new pair of keys: prefix, year and month, `r` for RSA and `e` for Ed25519, as
    /// in `wx202611r`. A second pair of the same month is `wx202611-2r`, and so on: neither
    /// selector is ever one that `is_taken`.
    #[must_use]
    pub fn fresh_pair(&self, now: UnixTime, is_taken: impl Fn(&Selector) -> bool) -> FreshPair {
        let date = now.to_string();
        let mut parts = date.split('-');
        let (year, month) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let mut number = 1_u64;
        loop {
            let tag = match number {
                1 => String::new(),
                _ => format!("-{number}"),
            };
            let selector =
                |letter| Selector(format!("{}{year}{month}{tag}{letter}", self.0).into());
            let pair = FreshPair { rsa: selector('r'), ed25519: selector('e') };
            if !is_taken(&pair.rsa) && !is_taken(&pair.ed25519) {
                return pair;
            }
            number += 1;
        }
    }
}

impl fmt::Display for SelectorPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for SelectorPrefix {
    fn default() -> Self {
        Self("wx".into())
    }
}

/// The selectors of two keys that are made together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreshPair {
    /// For the RSA key.
    pub rsa: Selector,
    /// For the Ed25519 key.
    pub ed25519: Selector,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors() {
        let domain = DomainName::parse("example.com").unwrap();
        for (text, name) in [
            ("Mail", "mail._domainkey.example.com"),
            ("2024", "2024._domainkey.example.com"),
            ("a.b-c._d", "a.b-c._d._domainkey.example.com"),
        ] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(selector.record_name(&domain).unwrap().as_str(), name);
        }
        let long = "a".repeat(64);
        for text in ["", ".", ".a", "a.", "a..b", "-a", "a-", "a b", "a/b", "ä", "a\0", &long] {
            assert!(Selector::parse(text).is_err(), "{text:?}");
        }
        let deep = DomainName::parse(&format!("{}a", "a.".repeat(126))).unwrap();
        assert!(Selector::parse("a").unwrap().record_name(&deep).is_err());
    }

    #[test]
    fn fresh_pairs_never_meet_others() {
        let prefix = SelectorPrefix::default();
        let now = UnixTime(1_795_200_000);
        let mut taken = Vec::new();
        for expected in ["wx202611", "wx202611-2", "wx202611-3"] {
            let pair = prefix.fresh_pair(now, |selector| taken.contains(selector));
            assert_eq!(pair.rsa.as_str(), format!("{expected}r"));
            assert_eq!(pair.ed25519.as_str(), format!("{expected}e"));
            taken.push(pair.ed25519);
        }
        // The longest prefix at the end of time is still a selector.
        let prefix = SelectorPrefix::parse(&"x".repeat(LONGEST_PREFIX)).unwrap();
        let pair = prefix.fresh_pair(UnixTime(u64::MAX), |_| false);
        assert_eq!(Selector::parse(pair.rsa.as_str()), Ok(pair.rsa));
    }

    #[test]
    fn prefixes() {
        for text in ["wx", "a", "mail1", "mx-a-", "9"] {
            assert_eq!(SelectorPrefix::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "-", "Wx", "a.b", "a_b", "ä", &"x".repeat(21)] {
            assert_eq!(SelectorPrefix::parse(text), None, "{text:?}");
        }
    }
}
