//! Names for new keys: selectors (RFC 6376 §3.1) that nobody has used yet.

use std::fmt;

use sender_auth::dkim::Selector;
use smtp_types::{DomainNameError, UnixTime};

/// The longest prefix, so that the month and the letter fit behind it.
const LONGEST_PREFIX: usize = 20;

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
    ///
    /// # Errors
    /// What keeps prefix and month from being a selector; nothing does for months that calendars
    /// know.
    pub fn fresh_pair(
        &self,
        now: UnixTime,
        is_taken: impl Fn(&Selector) -> bool,
    ) -> Result<FreshPair, DomainNameError> {
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
                |letter| Selector::parse(&format!("{}{year}{month}{tag}{letter}", self.0));
            let pair = FreshPair { rsa: selector('r')?, ed25519: selector('e')? };
            if !is_taken(&pair.rsa) && !is_taken(&pair.ed25519) {
                return Ok(pair);
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
    fn fresh_pairs_never_meet_others() {
        let prefix = SelectorPrefix::default();
        let now = UnixTime(1_795_200_000);
        let mut taken = Vec::new();
        for expected in ["wx202611", "wx202611-2", "wx202611-3"] {
            let pair = prefix.fresh_pair(now, |selector| taken.contains(selector)).unwrap();
            assert_eq!(pair.rsa.as_str(), format!("{expected}r"));
            assert_eq!(pair.ed25519.as_str(), format!("{expected}e"));
            taken.push(pair.ed25519);
        }
        // The longest prefix at the end of time is still a selector.
        let prefix = SelectorPrefix::parse(&"x".repeat(LONGEST_PREFIX)).unwrap();
        let pair = prefix.fresh_pair(UnixTime(u64::MAX), |_| false).unwrap();
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
