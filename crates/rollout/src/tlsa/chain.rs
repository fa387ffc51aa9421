//! What TLSA records are about: keys, by their digest, and the chains that show them.

use alloc::collections::BTreeSet;
use core::fmt;
use core::str::FromStr;

use smtp_dane::{CertUsage, MatchingType, Selector, Tlsa};
use smtp_types::TlsaRdata;

use crate::StateError;

/// SHA-256 of a `SubjectPublicKeyInfo`: what `3 1 1` and `2 1 1` records hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl KeyDigest {
    /// Reads 64 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 64
            && text.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
        let mut digest = [0; 32];
        for (octet, index) in digest.iter_mut().zip((0..64).step_by(2)).filter(|_| digits) {
            *octet = u8::from_str_radix(text.get(index..index + 2)?, 16).ok()?;
        }
        digits.then_some(Self(digest))
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// The first digits are enough to tell keys apart.
impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// What a server shows, or will: its keys, of which a host with an RSA and an ECDSA certificate has
/// two, and the authorities above them that are to have records.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chain {
    /// The keys of server certificates.
    pub keys: BTreeSet<KeyDigest>,
    /// The keys of authorities in the chain; empty if there are to be no `2 1 1` records.
    pub anchors: BTreeSet<KeyDigest>,
}

impl Chain {
    /// A chain of keys without authorities.
    #[must_use]
    pub fn of_keys(keys: impl IntoIterator<Item = KeyDigest>) -> Self {
        Self { keys: keys.into_iter().collect(), anchors: BTreeSet::new() }
    }

    /// The records: `3 1 1` for each key, `2 1 1` for each authority.
    pub fn records(&self) -> impl Iterator<Item = Tlsa> {
        let keys = self.keys.iter().filter_map(|key| record(CertUsage::DaneEe, *key));
        keys.chain(self.anchors.iter().filter_map(|key| record(CertUsage::DaneTa, *key)))
    }
}

fn record(usage: CertUsage, key: KeyDigest) -> Option<Tlsa> {
    let rdata = TlsaRdata {
        usage: usage.number(),
        selector: Selector::Spki.number(),
        matching_type: MatchingType::Sha256.number(),
        data: key.0.to_vec(),
    };
    Tlsa::parse(&rdata).ok()
}

/// As in a line of state: the keys, then the authorities, with `+` between them and in front.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.keys.iter().try_for_each(|key| write!(f, "+{key}"))?;
        self.anchors.iter().try_for_each(|key| write!(f, "^{key}"))
    }
}

impl FromStr for Chain {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        let fault = || StateError::value("chain", "+ or ^ and 64 hex digits", text);
        let mut chain = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, behind) = rest.split_at_checked(65).ok_or_else(fault)?;
            let (is_key, digits) = match (part.strip_prefix('+'), part.strip_prefix('^')) {
                (Some(digits), _) => (true, digits),
                (None, Some(digits)) => (false, digits),
                (None, None) => return Err(fault()),
            };
            let key = KeyDigest::parse(digits).ok_or_else(fault)?;
            let new = if is_key { chain.keys.insert(key) } else { chain.anchors.insert(key) };
            if !new {
                return Err(fault());
            }
            rest = behind;
        }
        Ok(chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn chains() {
        let chain = Chain {
            keys: [KeyDigest([1; 32]), KeyDigest([2; 32])].into(),
            anchors: [KeyDigest([3; 32])].into(),
        };
        assert_eq!(chain.to_string().parse(), Ok(chain.clone()));
        assert_eq!("".parse(), Ok(Chain::default()));
        let records: Vec<_> =
            chain.records().map(|tlsa| tlsa.to_string()[..8].to_string()).collect();
        assert_eq!(records, ["3 1 1 01", "3 1 1 02", "2 1 1 03"]);
        let key = KeyDigest([1; 32]);
        for text in ["x", "+", "+00", &alloc::format!("{key}"), &alloc::format!("+{key}+{key}")] {
            assert!(text.parse::<Chain>().is_err(), "{text}");
        }
    }

    #[test]
    fn digests() {
        let key = KeyDigest([0xab; 32]);
        assert_eq!(KeyDigest::parse(&key.to_string()), Some(key));
        for text in ["", "ab", &"g".repeat(64), &"A".repeat(64), &"é".repeat(32)] {
            assert_eq!(KeyDigest::parse(text), None, "{text}");
        }
    }
}
