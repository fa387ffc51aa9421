//! Key records: what has to be published for a key, and whether the DNS shows it.
//!
//! A record of ours reads `v=DKIM1; k=rsa; h=sha256; p=…` (RFC 6376 §3.6.1). Of the other tags none
//! is written, on purpose:
//!
//! - `s=`, the service type: without it a key is good for every service. TLS reports ask for
//!   `tlsrpt` to be among them (RFC 8460 §3), and every reader knows the default, while some stumble
//!   over a list.
//! - `t=s` would forbid that `example.com` signs for `sub.example.com`; `t=y` tells readers to
//!   ignore what is signed.
//!
//! [`judge`] asks whether a record makes verifiers use just this key, in whatever way somebody has
//! written it; it reads it as verifiers do.

use std::fmt;

use sender_auth::crypto::KeyType;
use sender_auth::dkim::{self, KeyRecord, KeyRecordFault, ServiceType};
use smtp_types::{DnsQuestion, DnsReply, Known, Need, RecordType};

use super::generation::{DomainKeys, Key};
use super::rotation::Observations;
use crate::crypto::PublicKey;

/// The longest string of a TXT record (RFC 1035 §3.3.14).
const LONGEST_STRING: usize = 255;

/// The text of the record for a key.
#[must_use]
pub fn record_text(public: &PublicKey) -> String {
    format!("v=DKIM1; k={}; h=sha256; p={}", public.key_type().as_str(), public.base64())
}

/// The text in strings of at most 255 octets, as a TXT record holds it.
#[must_use]
pub fn strings(text: &str) -> Vec<&str> {
    let mut strings = Vec::new();
    let mut rest = text;
    while let Some((string, after)) = rest.split_at_checked(LONGEST_STRING) {
        strings.push(string);
        rest = after;
    }
    if !rest.is_empty() {
        strings.push(rest);
    }
    strings
}

/// The record as a zone file holds it (RFC 1035 §5.1), without a TTL: the zone's default is good.
#[must_use]
pub fn zone_entry(key: &Key) -> String {
    let text = record_text(&key.public);
    let name = &key.name;
    match &*strings(&text) {
        [one] => format!("{name}. IN TXT \"{one}\"\n"),
        several => {
            let lines: String = { several.iter() }.map(|one| format!("  \"{one}\"\n")).collect();
            format!("{name}. IN TXT (\n{lines})\n")
        }
    }
}

/// What the DNS shows where the record of a key should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsObservation {
    /// A record that makes verifiers use this key.
    Matches,
    /// No record.
    Absent,
    /// A record that revokes whatever key there was: an empty `p=` (RFC 6376 §3.6.1).
    Revoked,
    /// Something else.
    Different(Difference),
    /// Nobody could be asked.
    Unknown {
        /// What happened.
        detail: String,
    },
}

impl DnsObservation {
    /// Whether verifiers do not find the key there, for certain.
    #[must_use]
    pub const fn is_certainly_unusable(&self) -> bool {
        match self {
            Self::Absent | Self::Revoked | Self::Different(_) => true,
            Self::Matches | Self::Unknown { .. } => false,
        }
    }

    /// `matches`, `absent`, `revoked`, `different` or `unknown`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Matches => "matches",
            Self::Absent => "absent",
            Self::Revoked => "revoked",
            Self::Different(_) => "different",
            Self::Unknown { .. } => "unknown",
        }
    }
}

impl fmt::Display for DnsObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matches => f.write_str("as it must be"),
            Self::Absent => f.write_str("not there"),
            Self::Revoked => f.write_str("revoked"),
            Self::Different(difference) => difference.fmt(f),
            Self::Unknown { detail } => f.write_str(detail),
        }
    }
}

/// In what a record differs from what must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// There are several TXT records, and nobody knows which counts (RFC 6376 §3.6.2.2).
    SeveralRecords,
    /// It is not a list of tags, or `v=` is not `DKIM1` in front (RFC 6376 §3.6.1).
    NotARecord,
    /// `k=` is another algorithm.
    OtherAlgorithm,
    /// `p=` is not base64, as after a copy that was cut off.
    BrokenKey,
    /// `p=` is another key.
    OtherKey,
    /// `h=` does not allow SHA-256.
    OtherHash,
    /// `s=` does not allow mail.
    OtherService,
    /// `t=y`: verifiers are told to treat the mail as not signed.
    Testing,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SeveralRecords => "expected one TXT record, found several",
            Self::NotARecord => "expected a key record (v=DKIM1; …), found another text",
            Self::OtherAlgorithm => "k: expected the algorithm of the key, found another",
            Self::BrokenKey => "p: expected base64, found something else (cut off?)",
            Self::OtherKey => "p: expected this key, found another",
            Self::OtherHash => "h: expected sha256 among the hashes, found others only",
            Self::OtherService => "s: expected * or email among the services, found others only",
            Self::Testing => "t: expected no y, for it makes verifiers ignore the signature",
        })
    }
}

/// What the DNS shows at every selector of a domain.
///
/// # Errors
/// The questions that have not been answered yet.
pub fn observe(known: &Known, keys: &DomainKeys) -> Result<Observations, Need> {
    let observed = keys.keys().map(|(key, _)| {
        let question = DnsQuestion::new(key.name.clone(), RecordType::Txt);
        Ok((key.selector.clone(), judge(&key.public, known.dns(&question)?)))
    });
    Ok(smtp_types::all(observed)?.into_iter().collect())
}

/// What a reply says of a key.
#[must_use]
pub fn judge(public: &PublicKey, reply: &DnsReply) -> DnsObservation {
    let answer = match reply {
        Ok(answer) => answer,
        Err(failure) => return DnsObservation::Unknown { detail: failure.to_string() },
    };
    let mut texts = answer.txt();
    match (texts.next(), texts.next()) {
        (None, _) => DnsObservation::Absent,
        (Some(text), None) => judge_text(public, text),
        (Some(_), Some(_)) => DnsObservation::Different(Difference::SeveralRecords),
    }
}

fn judge_text(public: &PublicKey, text: &[u8]) -> DnsObservation {
    let record = match KeyRecord::parse(text) {
        Ok(record) => record,
        Err(error) => return DnsObservation::Different(unreadable(public, &error.fault)),
    };
    let Some(key) = record.key() else { return DnsObservation::Revoked };
    match difference(public, &record, key) {
        Some(difference) => DnsObservation::Different(difference),
        None => DnsObservation::Matches,
    }
}

/// What to say of a record that no verifier can use.
fn unreadable(public: &PublicKey, fault: &KeyRecordFault) -> Difference {
    let another_than = |read_as: KeyType| match public.key_type() == read_as {
        true => Difference::OtherKey,
        false => Difference::OtherAlgorithm,
    };
    match fault {
        KeyRecordFault::TagList(_)
        | KeyRecordFault::Version { .. }
        | KeyRecordFault::VersionNotFirst
        | KeyRecordFault::KeyMissing
        | KeyRecordFault::List { .. } => Difference::NotARecord,
        KeyRecordFault::KeyType { .. } => Difference::OtherAlgorithm,
        KeyRecordFault::KeyNotBase64 => Difference::BrokenKey,
        KeyRecordFault::RsaEncoding | KeyRecordFault::RsaExponent => another_than(KeyType::Rsa),
        KeyRecordFault::Ed25519Length { .. } | KeyRecordFault::Ed25519Wrapped => {
            another_than(KeyType::Ed25519)
        }
    }
}

/// What keeps verifiers from using just this key for mail. A key is compared in the form in which it
/// is published, for an RSA key may stand in a record in two (RFC 6376 §3.6.1, erratum 3017).
fn difference(public: &PublicKey, record: &KeyRecord, key: &dkim::PublicKey) -> Option<Difference> {
    if record.key_type() != public.key_type() {
        return Some(Difference::OtherAlgorithm);
    }
    if key.to_string() != public.base64() {
        return Some(Difference::OtherKey);
    }
    if !record.allows_sha256() {
        return Some(Difference::OtherHash);
    }
    if !record.serves(ServiceType::Email) {
        return Some(Difference::OtherService);
    }
    record.is_testing().then_some(Difference::Testing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sender_auth::dkim::Selector;
    use smtp_types::{DnsAnswer, DnsFailure, DnsName, Dnssec, DomainName, RecordData};

    fn answer(texts: &[&str]) -> DnsReply {
        let records =
            { texts.iter() }.map(|text| RecordData::Txt(text.as_bytes().into())).collect();
        Ok(DnsAnswer {
            dnssec: Dnssec::Insecure,
            canonical_name: DnsName::parse("a.test").unwrap(),
            name_exists: true,
            records,
            ttl: 300,
        })
    }

    fn public(key_type: KeyType) -> PublicKey {
        SigningKey::generate(key_type).unwrap().public_key().unwrap()
    }

    #[test]
    fn our_own_records_match() {
        for key_type in [KeyType::Rsa, KeyType::Ed25519] {
            let public = public(key_type);
            assert_eq!(judge(&public, &answer(&[&record_text(&public)])), DnsObservation::Matches);
        }
    }

    #[test]
    fn records_of_other_hands() {
        use Difference::*;
        use DnsObservation::{Absent, Different, Matches, Revoked};
        let key = PublicKey::new(KeyType::Ed25519, &[7; 32]);
        let p = key.base64();
        let (head, tail) = p.split_at(20);
        let table = [
            (format!("v=DKIM1; k=ed25519; p={p}"), Matches),
            (format!("k=ed25519;p={p};"), Matches),
            (format!(" v = DKIM1 ; p = {head} \t{tail} ; k = ed25519 ; n=note; zz=1;"), Matches),
            (format!("v=DKIM1; k=ed25519; h=sha1:sha256; s=tlsrpt:email; t=s; p={p}"), Matches),
            ("v=DKIM1; k=ed25519; p=".to_owned(), Revoked),
            ("v=DKIM1; p=".to_owned(), Revoked),
            (format!("v=DKIM1; p={p}"), Different(OtherAlgorithm)),
            (format!("v=DKIM1; k=ed25519; p={head}"), Different(OtherKey)),
            (format!("v=DKIM1; k=ed25519; p={}", &p[..21]), Different(BrokenKey)),
            (format!("v=DKIM1; k=ed25519; p={p}{p}"), Different(BrokenKey)),
            (format!("v=DKIM1; k=ed25519; h=sha1; p={p}"), Different(OtherHash)),
            (format!("v=DKIM1; k=ed25519; s=tlsrpt; p={p}"), Different(OtherService)),
            (format!("v=DKIM1; k=ed25519; t=s:y; p={p}"), Different(Testing)),
            (format!("v=DKIM2; k=ed25519; p={p}"), Different(NotARecord)),
            (format!("k=ed25519; v=DKIM1; p={p}"), Different(NotARecord)),
            (format!("v=DKIM1; k=ed25519; p={p}; p={p}"), Different(NotARecord)),
            ("v=DKIM1; k=ed25519".to_owned(), Different(NotARecord)),
            ("v=spf1 -all".to_owned(), Different(NotARecord)),
            (String::new(), Different(NotARecord)),
        ];
        for (text, expected) in table {
            assert_eq!(judge(&key, &answer(&[&text])), expected, "{text}");
        }
        let good = record_text(&key);
        assert_eq!(judge(&key, &answer(&[])), Absent);
        assert_eq!(judge(&key, &answer(&[&good, &good])), Different(SeveralRecords));
        let failure = Err(DnsFailure::Temporary { detail: "timeout".into() });
        assert_eq!(judge(&key, &failure).as_str(), "unknown");
    }

    /// RFC 6376 §3.6.1 by its words, and as everybody reads it.
    #[test]
    fn both_forms_of_an_rsa_key_match() {
        // What stands before the `RSAPublicKey` in a `SubjectPublicKeyInfo` of 2048 bits.
        const SPKI_HEAD: usize = 24;
        let public = public(KeyType::Rsa);
        let bare = STANDARD.encode(&public.octets()[SPKI_HEAD..]);
        let text = format!("v=DKIM1; p={bare}");
        assert_eq!(judge(&public, &answer(&[&text])), DnsObservation::Matches);
    }

    #[test]
    fn long_records_are_split_and_nothing_is_lost() {
        let domain = DomainName::parse("example.com").unwrap();
        let public = public(KeyType::Rsa);
        let text = record_text(&public);
        assert_eq!(strings(&text).concat(), text);
        assert_eq!(strings(&text).first().map(|one| one.len()), Some(255));
        let exact = "x".repeat(510);
        assert_eq!(strings(&exact), [&exact[..255]; 2]);
        let key = Key::new(&domain, Selector::parse("s").unwrap(), public).unwrap();
        let entry = zone_entry(&key);
        assert!(entry.starts_with("s._domainkey.example.com. IN TXT (\n  \"v=DKIM1; k=rsa; "));
        let read: String = entry.split('"').skip(1).step_by(2).collect();
        assert_eq!(read, text);
    }
}
