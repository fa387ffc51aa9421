//! Taking persons out of a message that is reported (RFC 6590).
//!
//! What is not needed is left out; that is nearly everything. What is needed to find a fault is
//! kept without what names a person: a local part becomes a pseudonym, always the same for the same
//! address, so that the reader sees that ten messages had one author, and not who it was. The
//! pseudonym is keyed, because a plain hash of an address is undone by hashing a list of addresses.
//!
//! | field | what is left of it |
//! |---|---|
//! | `From` | pseudonyms at the reported domain and below; display names and other addresses not |
//! | `Date` | the date; comments not |
//! | `Message-ID` | a pseudonym at the reported domain or below, else at `redacted.invalid` |
//! | `DKIM-Signature` | the tags `v a c d s t x h` |
//! | all others | nothing |

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::DomainName;

use crate::Header;
use crate::crypto::{Crypto, Digest, Sha256};

/// How many fields of one name, and how many addresses of one field, are kept.
const MAX_KEPT: usize = 10;

/// The key of pseudonyms: at least 16 octets that nobody else has. A new key makes all pseudonyms
/// new; RFC 6590 §2 wants one that stays for some time, so that reports can be compared.
#[derive(Clone)]
pub struct RedactionKey(Box<[u8]>);

impl RedactionKey {
    /// A key of these octets, which should be random.
    ///
    /// # Errors
    /// [`KeyTooShort`] if there are fewer than 16.
    pub fn new(octets: &[u8]) -> Result<Self, KeyTooShort> {
        if octets.len() < 16 { Err(KeyTooShort) } else { Ok(Self(octets.into())) }
    }
}

impl fmt::Debug for RedactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedactionKey(…)")
    }
}

/// The key of pseudonyms has fewer than 16 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTooShort;

impl fmt::Display for KeyTooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redaction key: expected at least 16 octets, found fewer")
    }
}

impl core::error::Error for KeyTooShort {}

/// Replaces local parts.
#[derive(Debug)]
pub(super) struct Redaction<'r, C> {
    pub(super) crypto: &'r C,
    pub(super) key: &'r RedactionKey,
    /// The domain about which the report is.
    pub(super) domain: &'r DomainName,
}

impl<C: Crypto> Redaction<'_, C> {
    /// What stands for a local part: 32 hexadecimal digits of HMAC-SHA256 (RFC 2104) over the whole
    /// address. The domain is part of it, so that one name at two domains is two persons.
    pub(super) fn pseudonym(&self, local_part: &[u8], domain: &str) -> String {
        let domain = domain.to_ascii_lowercase();
        let digest = hmac_sha256(self.crypto, &self.key.0, &[local_part, b"@", domain.as_bytes()]);
        digest.iter().take(16).fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
    }

    /// The lines of the header that may be told, each with CRLF.
    pub(super) fn header(&self, header: &Header) -> String {
        let mut lines = String::new();
        let mut keep = |name: &str, redacted: &dyn Fn(&[u8]) -> Option<String>| {
            let fields = header.named(name).take(MAX_KEPT);
            let values = fields.filter_map(|field| redacted(field.value()));
            values.for_each(|value| lines.extend([name, ": ", &value, "\r\n"]));
        };
        keep("From", &|value| self.from(value));
        keep("Date", &date);
        keep("Message-ID", &|value| self.message_id(value));
        keep("DKIM-Signature", &dkim_signature);
        lines
    }

    fn from(&self, value: &[u8]) -> Option<String> {
        let kept = addresses(value).filter(|(_, domain)| self.is_reported(domain)).take(MAX_KEPT);
        let kept = kept.map(|(local, domain)| {
            let pseudonym = self.pseudonym(local, domain.as_str());
            format!("<{pseudonym}@{domain}>")
        });
        let kept: Vec<String> = kept.collect();
        (!kept.is_empty()).then(|| kept.join(",\r\n "))
    }

    fn message_id(&self, value: &[u8]) -> Option<String> {
        let at = value.iter().rposition(|octet| *octet == b'@')?;
        let (left, right) = (&value[..at], core::str::from_utf8(&value[at + 1..]).ok()?);
        let right = right.trim().trim_end_matches('>');
        let pseudonym = self.pseudonym(left.trim_ascii(), right);
        let told = DomainName::parse(right).ok().filter(|domain| self.is_reported(domain));
        let told = told.as_ref().map_or("redacted.invalid", DomainName::as_str);
        Some(format!("<{pseudonym}@{told}>"))
    }

    /// Whether the reader of the report owns the domain anyway.
    pub(super) fn is_reported(&self, domain: &DomainName) -> bool {
        is_at_or_below(domain, self.domain)
    }
}

/// Whether a name is another or one below it.
pub(super) fn is_at_or_below(name: &DomainName, other: &DomainName) -> bool {
    let rest = name.as_str().strip_suffix(other.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Everything in a field that can be taken for an address, with what stands left of its `@`.
fn addresses(value: &[u8]) -> impl Iterator<Item = (&[u8], DomainName)> {
    let ends_local = |octet: &u8| b" \t\r\n<>(),;:\"\\[]@".contains(octet);
    let in_domain =
        |octet: &u8| octet.is_ascii_alphanumeric() || b".-_".contains(octet) || *octet > 127;
    let ats = value.iter().enumerate().filter(|(_, octet)| **octet == b'@');
    ats.filter_map(move |(at, _)| {
        let start = value[..at].iter().rposition(ends_local).map_or(0, |before| before + 1);
        let rest = &value[at + 1..];
        let end = rest.iter().position(|octet| !in_domain(octet)).unwrap_or(rest.len());
        let domain = core::str::from_utf8(&rest[..end]).ok()?;
        Some((&value[start..at], DomainName::parse(domain).ok()?))
    })
}

/// A date of words that dates are made of. Whatever else stands there is no date.
fn date(value: &[u8]) -> Option<String> {
    const WORDS: [&str; 31] = [
        "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr", "May", "Jun",
        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "GMT", "UT", "UTC", "EST", "EDT", "CST", "CDT",
        "MST", "MDT", "PST", "PDT", "Z",
    ];
    let text = core::str::from_utf8(value).ok()?.split('(').next()?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let is_date = |word: &&str| {
        let word = word.trim_end_matches(',');
        let numeric = |c: char| c.is_ascii_digit() || matches!(c, ':' | '+' | '-');
        (word.len() <= 8 && word.chars().all(numeric))
            || WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
    };
    let plausible = (4..=6).contains(&words.len()) && words.iter().all(is_date);
    plausible.then(|| words.join(" "))
}

/// The tags of a signature that name no person. `i` does, `z` repeats the header, and `b` and `bh`
/// could confirm a guess about the text.
fn dkim_signature(value: &[u8]) -> Option<String> {
    const TAGS: [&str; 8] = ["v", "a", "c", "d", "s", "t", "x", "h"];
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
    let text = core::str::from_utf8(value).ok()?;
    let mut kept = Vec::new();
    for tag in text.split(';') {
        let Some((name, value)) = tag.split_once('=') else {
            continue;
        };
        let (name, value) = (name.trim(), value.split_ascii_whitespace().collect::<String>());
        if TAGS.contains(&name) && value.len() <= 500 && value.chars().all(plain) {
            kept.push(format!("{name}={value}"));
        }
    }
    (!kept.is_empty()).then(|| kept.join(";\r\n "))
}

/// HMAC (RFC 2104) with SHA-256, out of the hash that [`Crypto`] gives.
fn hmac_sha256<C: Crypto>(crypto: &C, key: &[u8], message: &[&[u8]]) -> Digest {
    const BLOCK: usize = 64;
    let digest = |first: &[u8], rest: &[&[u8]]| {
        let mut hash = crypto.sha256();
        hash.update(first);
        rest.iter().for_each(|octets| hash.update(octets));
        hash.finish()
    };
    let mut padded = [0_u8; BLOCK];
    if key.len() > BLOCK {
        padded[..32].copy_from_slice(&digest(key, &[]));
    } else {
        padded[..key.len()].copy_from_slice(key);
    }
    let inner = digest(&padded.map(|octet| octet ^ 0x36), message);
    digest(&padded.map(|octet| octet ^ 0x5c), &[&inner])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeyType, RsaPublicKey, SigningFailed, SigningKey};
    use sha2::Digest as _;

    /// Hashes, and can do nothing else.
    struct HashOnly;

    struct NoKey;

    impl SigningKey for NoKey {
        fn key_type(&self) -> KeyType {
            KeyType::Rsa
        }

        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SigningFailed> {
            Err(SigningFailed)
        }
    }

    impl Crypto for HashOnly {
        type Sha256 = Hash;
        type SigningKey = NoKey;

        fn sha256(&self) -> Hash {
            Hash(sha2::Sha256::new())
        }

        fn verify_rsa_sha256(&self, _: RsaPublicKey<'_>, _: &[u8], _: &[u8]) -> bool {
            false
        }

        fn verify_ed25519(&self, _: &[u8; 32], _: &[u8], _: &[u8]) -> bool {
            false
        }
    }

    struct Hash(sha2::Sha256);

    impl Sha256 for Hash {
        fn update(&mut self, octets: &[u8]) {
            self.0.update(octets);
        }

        fn finish(self) -> Digest {
            self.0.finalize().into()
        }
    }

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn hmac_gives_the_vectors_of_rfc_4231() {
        let mac = |key: &[u8], message: &[u8]| hex(&hmac_sha256(&HashOnly, key, &[message]));
        assert_eq!(
            mac(&[0x0b; 20], b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            mac(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            mac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn a_pseudonym_stays_the_same_and_depends_on_key_and_domain() {
        let key = RedactionKey::new(&[1; 16]).unwrap();
        let other = RedactionKey::new(&[2; 16]).unwrap();
        assert!(RedactionKey::new(&[1; 15]).is_err());
        assert_eq!(format!("{key:?}"), "RedactionKey(…)");
        let domain = name("example.com");
        let of = |key| Redaction { crypto: &HashOnly, key, domain: &domain };
        let first = of(&key).pseudonym(b"jane", "example.com");
        assert_eq!(first.len(), 32);
        assert_eq!(of(&key).pseudonym(b"jane", "EXAMPLE.com"), first);
        assert_ne!(of(&key).pseudonym(b"jane", "example.net"), first);
        assert_ne!(of(&other).pseudonym(b"jane", "example.com"), first);
    }

    #[test]
    fn fields() {
        let (key, domain) = (RedactionKey::new(&[1; 16]).unwrap(), name("example.com"));
        let redaction = Redaction { crypto: &HashOnly, key: &key, domain: &domain };
        let jane = redaction.pseudonym(b"jane", "example.com");
        for (value, expected) in [
            ("Jane Doe <jane@example.com>", Some(format!("<{jane}@example.com>"))),
            ("\"jane@other.test\" <jane@Example.COM>", Some(format!("<{jane}@example.com>"))),
            ("jane@notexample.com", None),
            ("jane", None),
        ] {
            assert_eq!(redaction.from(value.as_bytes()), expected, "{value}");
        }
        let ids = redaction.message_id(b" <jane.17@pc.example.com>").unwrap();
        assert!(ids.ends_with("@pc.example.com>") && !ids.contains("jane"), "{ids}");
        let ids = redaction.message_id(b"<1@janes-laptop.local>").unwrap();
        assert!(ids.ends_with("@redacted.invalid>"), "{ids}");

        let good = " Sat,  21 Nov 2026 19:30:00 +0100 (call Jane)";
        assert_eq!(date(good.as_bytes()).unwrap(), "Sat, 21 Nov 2026 19:30:00 +0100");
        for bad in ["call Jane at 17:00 +0100", "", "21 Nov", "21 Nov 2026 123456789 17:00"] {
            assert_eq!(date(bad.as_bytes()), None, "{bad}");
        }

        let signature = b" v=1; a=rsa-sha256; d=example.com;\r\n s=s1; i=jane@example.com; b=abc;\
            \r\n z=From:jane@example.com; h=From: To; s=<script>; x";
        assert_eq!(
            dkim_signature(signature).unwrap(),
            "v=1;\r\n a=rsa-sha256;\r\n d=example.com;\r\n s=s1;\r\n h=From:To"
        );
    }
}
