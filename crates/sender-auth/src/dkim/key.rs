//! The public key in the DNS: the TXT record at `<selector>._domainkey.<domain>` (RFC 6376 §3.6).
//!
//! Reading a record and using it are two things. [`KeyRecord::parse`] knows the grammar;
//! [`KeyRecord::usable_for`] says whether this key may verify that signature. A short key reads
//! well and is never used.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DnsFailure, DnsQuestion, Known, Need};

use crate::crypto::KeyType;
use crate::dkim::public_key::{parse_ed25519, parse_rsa};
use crate::dkim::{
    Algorithm, KeyRecordError, KeyRecordFault, MAX_RSA_BITS, MIN_RSA_BITS, PublicKey,
};
use crate::tag_list::{Tag, TagList, base64, parts};

/// A record that keeps to the grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    key: Option<PublicKey>,
    key_type: KeyType,
    hashes: Option<Box<[Box<str>]>>,
    services: Option<Box<[Box<str>]>>,
    flags: Box<[Box<str>]>,
    notes: Option<Box<str>>,
}

/// What the signature of a message is used for; a key may be bound to one use (RFC 6376 §3.6.1
/// `s=`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceType {
    /// `email`: mail of all kinds.
    Email,
    /// `tlsrpt`: mail that carries a TLS report (RFC 8460 §3). A key without `s=`, or with `s=*`,
    /// serves that, too; a key that is bound to `email` does not.
    TlsRpt,
}

impl KeyRecord {
    /// A record for a new key, without any tag that has a default, but for `v=` and `k=`.
    #[must_use]
    pub fn new(key: PublicKey) -> Self {
        Self {
            key_type: key.key_type(),
            key: Some(key),
            hashes: None,
            services: None,
            flags: Box::default(),
            notes: None,
        }
    }

    /// Reads one record, its strings joined already.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &[u8]) -> Result<Self, KeyRecordError> {
        let list = TagList::parse_record(text)?;
        check_version(&list)?;
        let key_type = parse_key_type(&list)?;
        let key = parse_key(&list, key_type)?;
        let names = |name| list.get(name).map(|tag| parse_names(&list, tag)).transpose();
        Ok(Self {
            key,
            key_type,
            hashes: names("h")?,
            services: names("s")?,
            flags: names("t")?.unwrap_or_default(),
            notes: list.get("n").map(|tag| tag.value.into()),
        })
    }

    /// The key; `None` if it has been revoked (an empty `p=`).
    #[must_use]
    pub fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    /// The kind of the key, also of a revoked one.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// `t=y`: the domain only tests DKIM, and its mail must not be treated differently from mail
    /// without a signature (RFC 6376 §3.6.1).
    #[must_use]
    pub fn is_testing(&self) -> bool {
        self.has_flag("y")
    }

    /// `t=s`: the identity `i=` must be of the very domain `d=`, not of one below it.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.has_flag("s")
    }

    /// The notes to administrators, as written.
    #[must_use]
    pub fn notes(&self) -> Option<&str> {
        self.notes.as_deref()
    }

    /// Whether signatures with SHA-256 are allowed (`h=`).
    #[must_use]
    pub fn allows_sha256(&self) -> bool {
        self.hashes.as_ref().is_none_or(|hashes| hashes.iter().any(|hash| &**hash == "sha256"))
    }

    /// Whether the key serves this use. RFC 6376 §3.6.1 `s=`: "Verifiers for a given service type
    /// MUST ignore this record if the appropriate type is not listed".
    #[must_use]
    pub fn serves(&self, service: ServiceType) -> bool {
        let Some(services) = &self.services else {
            return true;
        };
        services.iter().any(|name| match &**name {
            "*" => true,
            "email" => service == ServiceType::Email,
            "tlsrpt" => service == ServiceType::TlsRpt,
            _ => false,
        })
    }

    /// The key, if it may verify a signature of this algorithm (RFC 6376 §6.1.2).
    ///
    /// # Errors
    /// Why it may not.
    pub fn usable_for(
        &self,
        algorithm: Algorithm,
        service: ServiceType,
    ) -> Result<&PublicKey, KeyFailure> {
        if !self.serves(service) {
            return Err(KeyFailure::OtherService);
        }
        if !self.allows_sha256() {
            return Err(KeyFailure::HashNotAllowed);
        }
        let key = self.key.as_ref().ok_or(KeyFailure::Revoked)?;
        if self.key_type != algorithm.key_type() {
            return Err(KeyFailure::OtherKeyType { found: self.key_type });
        }
        match key {
            PublicKey::Rsa { .. } if key.bits() < MIN_RSA_BITS => {
                Err(KeyFailure::TooShort { bits: key.bits() })
            }
            PublicKey::Rsa { .. } if key.bits() > MAX_RSA_BITS => {
                Err(KeyFailure::TooLong { bits: key.bits() })
            }
            PublicKey::Rsa { .. } | PublicKey::Ed25519(_) => Ok(key),
        }
    }

    fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|found| &**found == flag)
    }
}

/// The one record out of all texts found at its name.
///
/// "TXT RRs MUST be unique for a particular selector name; that is, if there are multiple records
/// in an RRset, the results are undefined" (RFC 6376 §3.6.2.2). Here they are defined so that their
/// order does not matter: texts that are no key records do not count, and if two are left, none is
/// used.
///
/// # Errors
/// [`KeyFailure`] says why there is none.
pub fn select_key<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Result<KeyRecord, KeyFailure> {
    let mut first_error = None;
    let mut records = Vec::new();
    for text in texts {
        match KeyRecord::parse(text) {
            Ok(record) => records.push(record),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match (records.len(), records.pop(), first_error) {
        (1, Some(record), _) => Ok(record),
        (0, _, Some(error)) => Err(KeyFailure::Invalid(error)),
        (0, _, None) => Err(KeyFailure::Absent),
        (count, _, _) => Err(KeyFailure::Several { count }),
    }
}

/// Looks a key up (RFC 6376 §6.1.2).
///
/// # Errors
/// What must be asked first.
pub(crate) fn look_up_key(
    known: &Known,
    question: &DnsQuestion,
) -> Result<Result<KeyRecord, KeyFailure>, Need> {
    Ok(match known.dns(question)? {
        Ok(answer) => select_key(answer.txt()),
        Err(failure) => Err(KeyFailure::Dns(failure.clone())),
    })
}

/// Why no key can verify a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFailure {
    /// The name of the record would have more than 253 octets.
    NameTooLong,
    /// The DNS failed; it may answer later.
    Dns(DnsFailure),
    /// There is no record.
    Absent,
    /// More than one text is a key record.
    Several {
        /// How many.
        count: usize,
    },
    /// The only one is not well-formed.
    Invalid(KeyRecordError),
    /// The key was withdrawn: `p=` is empty.
    Revoked,
    /// The key is of another kind than the signature.
    OtherKeyType {
        /// The kind of the key.
        found: KeyType,
    },
    /// `h=` lists hashes, and SHA-256 is not among them.
    HashNotAllowed,
    /// `s=` binds the key to other uses.
    OtherService,
    /// `t=s`, and the identity is of a domain below the signing one.
    Subdomain,
    /// An RSA key of less than 1024 bits (RFC 8301 §3.2).
    TooShort {
        /// How many it has.
        bits: usize,
    },
    /// An RSA key of more than 8192 bits.
    TooLong {
        /// How many it has.
        bits: usize,
    },
}

impl fmt::Display for KeyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTooLong => write!(f, "key: the name of the record has over 253 octets"),
            Self::Dns(failure) => write!(f, "key: {failure}"),
            Self::Absent => write!(f, "key: expected a record, found none"),
            Self::Several { count } => {
                write!(f, "key: expected one record, found {count} (RFC 6376 §3.6.2.2)")
            }
            Self::Invalid(error) => write!(f, "key: {error}"),
            Self::Revoked => write!(f, "key: revoked"),
            Self::OtherKeyType { found } => {
                let found = found.as_str();
                write!(f, "key: expected the kind of the signature, found {found}")
            }
            Self::HashNotAllowed => write!(f, "key: h= does not list sha256"),
            Self::OtherService => write!(f, "key: s= binds it to other uses"),
            Self::Subdomain => write!(f, "key: t=s, and i= is of a domain below d="),
            Self::TooShort { bits } => {
                let least = MIN_RSA_BITS;
                write!(f, "key: expected at least {least} bits, found {bits} (RFC 8301 §3.2)")
            }
            Self::TooLong { bits } => {
                write!(f, "key: expected at most {MAX_RSA_BITS} bits, found {bits}")
            }
        }
    }
}

impl core::error::Error for KeyFailure {}

/// §3.6.1 `v=`: if present it "MUST be the first tag in the record", and it is compared as a
/// string: `DKIM1.0` is another version.
pub(crate) fn check_version(list: &TagList<'_>) -> Result<(), KeyRecordError> {
    let Some(tag) = list.get("v") else {
        return Ok(());
    };
    if tag.value != VERSION {
        let fault = KeyRecordFault::Version { found: tag.value.into() };
        return Err(at(list, tag.value_offset, fault));
    }
    if list.tags().first() != Some(tag) {
        return Err(at(list, tag.name_offset, KeyRecordFault::VersionNotFirst));
    }
    Ok(())
}

/// `key-v-tag = %x76 [FWS] "=" [FWS] %x44.4B.49.4D.31`
pub(crate) const VERSION: &str = "DKIM1";

/// §3.6.1 `k=`: the default is `rsa`.
pub(crate) fn parse_key_type(list: &TagList<'_>) -> Result<KeyType, KeyRecordError> {
    match list.get("k") {
        None => Ok(KeyType::Rsa),
        Some(tag) if tag.value == KeyType::Rsa.as_str() => Ok(KeyType::Rsa),
        Some(tag) if tag.value == KeyType::Ed25519.as_str() => Ok(KeyType::Ed25519),
        Some(tag) => {
            let fault = KeyRecordFault::KeyType { found: tag.value.into() };
            Err(at(list, tag.value_offset, fault))
        }
    }
}

/// §3.6.1 `p=`: required; empty if the key was revoked.
pub(crate) fn parse_key(
    list: &TagList<'_>,
    key_type: KeyType,
) -> Result<Option<PublicKey>, KeyRecordError> {
    let Some(tag) = list.get("p") else {
        let fault = KeyRecordFault::KeyMissing;
        return Err(KeyRecordError { position: list.end(), fault });
    };
    if tag.value.is_empty() {
        return Ok(None);
    }
    let octets = base64(tag.value)
        .ok_or_else(|| at(list, tag.value_offset, KeyRecordFault::KeyNotBase64))?;
    let key = match key_type {
        KeyType::Rsa => parse_rsa(&octets),
        KeyType::Ed25519 => parse_ed25519(&octets),
    };
    key.map(Some).map_err(|fault| at(list, tag.value_offset, fault))
}

/// `h=`, `s=` and `t=`: names with colons between them.
pub(crate) fn parse_names(
    list: &TagList<'_>,
    tag: &Tag<'_>,
) -> Result<Box<[Box<str>]>, KeyRecordError> {
    let names: Box<[Box<str>]> = parts(tag.value).map(Box::from).collect();
    if names.iter().any(|name| !is_name(name)) {
        let fault = KeyRecordFault::List { tag: tag.name.into(), found: tag.value.into() };
        return Err(at(list, tag.value_offset, fault));
    }
    Ok(names)
}

/// `hyphenated-word` (RFC 6376 §2.10), or the `*` of `s=`.
fn is_name(name: &str) -> bool {
    let inner = name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    name == "*" || (!name.is_empty() && inner)
}

fn at(list: &TagList<'_>, offset: usize, fault: KeyRecordFault) -> KeyRecordError {
    KeyRecordError { position: list.position(offset), fault }
}

/// The record as it is published.
impl fmt::Display for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v={VERSION}; k={}", self.key_type.as_str())?;
        for (tag, names) in [("h", &self.hashes), ("s", &self.services)] {
            if let Some(names) = names {
                write!(f, "; {tag}={}", names.join(":"))?;
            }
        }
        if !self.flags.is_empty() {
            write!(f, "; t={}", self.flags.join(":"))?;
        }
        if let Some(notes) = &self.notes {
            write!(f, "; n={notes}")?;
        }
        f.write_str("; p=")?;
        self.key.as_ref().map_or(Ok(()), |key| key.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag_list::TagListFault;
    use alloc::string::{String, ToString};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use spki::SubjectPublicKeyInfoRef;

    // RFC 8463 Appendix A.2
    const ED25519: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    const RSA: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy\
        5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvH\
        O9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";

    fn good(text: &str) -> KeyRecord {
        let record = KeyRecord::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert_eq!(KeyRecord::parse(record.to_string().as_bytes()).as_ref(), Ok(&record));
        record
    }

    fn bad(text: &str, column: usize, fault: KeyRecordFault) {
        let error = KeyRecord::parse(text.as_bytes()).expect_err(text);
        assert_eq!((error.fault, error.position.column), (fault, column), "{text:?}");
    }

    fn bare_rsa() -> String {
        let octets = base64(RSA).unwrap();
        let info = SubjectPublicKeyInfoRef::try_from(&*octets).unwrap();
        STANDARD.encode(info.subject_public_key.raw_bytes())
    }

    #[test]
    fn records() {
        let rsa = good(&alloc::format!("v=DKIM1; k=rsa; p={RSA}"));
        assert_eq!(rsa.key().unwrap().bits(), 1024);
        assert_eq!(rsa.to_string(), alloc::format!("v=DKIM1; k=rsa; p={RSA}"));
        assert_eq!(good(&alloc::format!("p={RSA}")), rsa); // v= and k= have defaults
        assert_eq!(good(&alloc::format!("p={}", bare_rsa())), rsa);
        assert_eq!(good(&alloc::format!("p={} \t{}; g=*", &RSA[..40], &RSA[40..])), rsa);

        let ed25519 = good(&alloc::format!("v=DKIM1; k=ed25519; p={ED25519}"));
        assert_eq!(ed25519.key().unwrap().bits(), 256);
        assert!(!ed25519.is_testing() && !ed25519.is_strict());
        let flags =
            good(&alloc::format!("k=ed25519;t=y : s:x;h=sha1:sha256;s=tlsrpt;n=a=b c;p={ED25519}"));
        assert!(flags.is_testing() && flags.is_strict() && flags.allows_sha256());
        assert!(flags.serves(ServiceType::TlsRpt) && !flags.serves(ServiceType::Email));
        assert_eq!(flags.notes(), Some("a=b c"));
        assert_eq!(good("v=DKIM1; p=").key(), None);
    }

    #[test]
    fn faults() {
        bad("v=DKIM1; k=rsa", 15, KeyRecordFault::KeyMissing);
        bad("v=spf1 -all", 3, KeyRecordFault::Version { found: "spf1 -all".into() });
        bad("v=DKIM1.0; p=", 3, KeyRecordFault::Version { found: "DKIM1.0".into() });
        bad("v=dkim1; p=", 3, KeyRecordFault::Version { found: "dkim1".into() });
        bad("k=rsa; v=DKIM1; p=", 8, KeyRecordFault::VersionNotFirst);
        bad("k=dsa; p=AAAA", 3, KeyRecordFault::KeyType { found: "dsa".into() });
        bad("k=RSA; p=AAAA", 3, KeyRecordFault::KeyType { found: "RSA".into() });
        bad("p=\"AAAA\"", 3, KeyRecordFault::KeyNotBase64);
        bad("p=AAAA", 3, KeyRecordFault::RsaEncoding);
        bad(&alloc::format!("p={ED25519}"), 3, KeyRecordFault::RsaEncoding);
        bad("k=ed25519; p=AAAA", 14, KeyRecordFault::Ed25519Length { octets: 3 });
        let spki = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        bad(&alloc::format!("k=ed25519; p={spki}"), 14, KeyRecordFault::Ed25519Wrapped);
        bad(&alloc::format!("p={spki}"), 3, KeyRecordFault::RsaEncoding);
        bad("h=; p=", 3, KeyRecordFault::List { tag: "h".into(), found: "".into() });
        bad("p=; t=y:", 7, KeyRecordFault::List { tag: "t".into(), found: "y:".into() });
        bad("p=;; t=y", 4, KeyRecordFault::TagList(TagListFault::Empty));
    }
}
