//! Signatures, keys and messages of DKIM.

use sender_auth::crypto::{
    Crypto, Digest, KeyType, RsaPublicKey, Sha256, SigningFailed, SigningKey,
};
use sender_auth::dkim::{
    KeyRecord, MAX_RSA_BITS, MIN_RSA_BITS, Reason, SIGNATURE_FIELD, Selector, ServiceType,
    SignOptions, SignWith, Signature, SignatureResult, Signer, Verifier, VerifyLimits,
    lint_key_record, not_strict, select_key,
};
use sender_auth::{Header, HeaderField, HeaderLimits, MessageReader, Part};
use sha2::Digest as _;
use smtp_types::{DnsAnswer, DnsName, DnsReply, Dnssec, DomainName, Known, RecordData, UnixTime};

use crate::is_valid;

/// Real hashes, and signatures that always fit: so that inputs get to what comes behind them.
struct Credulous;

struct Sha2(sha2::Sha256);

struct AnyKey;

impl Crypto for Credulous {
    type Sha256 = Sha2;
    type SigningKey = AnyKey;

    fn sha256(&self) -> Sha2 {
        Sha2(sha2::Sha256::new())
    }

    fn verify_rsa_sha256(&self, _: RsaPublicKey<'_>, _: &[u8], _: &[u8]) -> bool {
        true
    }

    fn verify_ed25519(&self, _: &[u8; 32], _: &[u8], _: &[u8]) -> bool {
        true
    }
}

impl Sha256 for Sha2 {
    fn update(&mut self, octets: &[u8]) {
        sha2::Digest::update(&mut self.0, octets);
    }

    fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

impl SigningKey for AnyKey {
    fn key_type(&self) -> KeyType {
        KeyType::Ed25519
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        Ok(vec![0; 64])
    }
}

/// A DKIM-Signature field: one that is read keeps to all rules that need nothing but itself.
pub fn dkim_signature(data: &[u8]) {
    let Ok(field) = HeaderField::new(SIGNATURE_FIELD.as_bytes(), data) else {
        return;
    };
    let signature = match Signature::parse(&field) {
        Ok(signature) => signature,
        Err(error) => {
            assert!(error.position.line >= 1 && error.position.column >= 1);
            assert!(!error.to_string().contains(char::is_control), "{error}");
            return;
        }
    };
    let names: Vec<_> = signature.signed_fields().collect();
    assert!(names.len() <= 256 && names.iter().any(|name| name.eq_ignore_ascii_case("from")));
    assert!(names.iter().all(|name| HeaderField::new(name.as_bytes(), b"").is_ok()));
    let (domain, identity) = (&signature.domain, &signature.identity.domain);
    assert!(domain == identity || identity.as_str().ends_with(&format!(".{domain}")));
    assert!(domain.parent().is_some());
    assert!(!signature.octets().is_empty() && !signature.body_hash().is_empty());
    if let (Some(timestamp), Some(expiration)) = (signature.timestamp, signature.expiration) {
        assert!(timestamp < expiration);
    }
}

/// A key record: printed and read it is the same, the linter agrees with the reader, and what can
/// be used has a sensible size.
pub fn dkim_key_record(data: &[u8]) {
    let parsed = KeyRecord::parse(data);
    let bits = |record: &KeyRecord| record.key().map(|key| (record.key_type(), key.bits()));
    let usable = parsed.as_ref().is_ok_and(|record| {
        let size = match bits(record) {
            Some((KeyType::Rsa, bits)) => (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits),
            Some((KeyType::Ed25519, bits)) => bits == 256,
            None => true,
        };
        size && record.allows_sha256()
    });
    assert_eq!(usable, is_valid(&lint_key_record(data), &[]), "{parsed:?}");
    let Ok(record) = parsed else {
        assert!(select_key([data]).is_err());
        return;
    };
    assert_eq!(KeyRecord::parse(record.to_string().as_bytes()).as_ref(), Ok(&record));
    assert_eq!(select_key([b"v=spf1 -all", data]).as_ref(), Ok(&record));
    assert!(select_key([data, data]).is_err());
}

const KEYS: [&str; 2] = [
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOC\
     KG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaN\
     BcWToIMmPSPDdQPNUYckcQ2QIDAQAB",
];

/// A whole message: every signature has a result, however the body is cut; and what is signed
/// anew verifies.
pub fn dkim_message(data: &[u8]) {
    let Some((header, body)) = read(data) else {
        return;
    };
    let fields = header.named(SIGNATURE_FIELD).count();
    for key in KEYS {
        let results = verify(&header, &body, body.len().max(1), key);
        assert_eq!(results.len(), fields);
        assert_eq!(results, verify(&header, &body, 1 + data.len() % 7, key));
        for result in &results {
            let signature = result.signature.as_ref();
            assert!(!result.reason.to_string().contains(char::is_control), "{result:?}");
            assert!(result.reason != Reason::Verified || signature.is_some());
        }
    }
    let _ = not_strict(&header);
    let with = SignWith {
        domain: DomainName::parse("example.com").expect("a domain"),
        selector: Selector::parse("s").expect("a selector"),
        key: &AnyKey,
    };
    let options = SignOptions::new(UnixTime(1_700_000_000));
    let Ok(mut signer) = Signer::new(&header, &Credulous, vec![with], options) else {
        return;
    };
    signer.push(&body);
    let signed = signer.finish().expect("a signature");
    for field in &signed {
        assert!(field.octets().split(|octet| *octet == b'\n').all(|line| line.len() <= 79));
    }
    let header: Header = signed.iter().chain(header.fields()).cloned().collect();
    let results = verify(&header, &body, 5, KEYS[0]);
    assert_eq!(results[0].reason, Reason::Verified);
    assert!(results[0].unsigned_fields.is_empty() && results[0].unsigned_body_octets == 0);
}

fn verify(header: &Header, body: &[u8], piece: usize, key: &str) -> Vec<SignatureResult> {
    let mut verifier = Verifier::new(header, &Credulous, VerifyLimits::default());
    let asked: Vec<_> = verifier.questions().cloned().collect();
    body.chunks(piece).for_each(|piece| verifier.push(piece));
    let hashed = verifier.finish();
    let mut known = Known::default();
    let now = UnixTime(1_700_000_000);
    if let Err(need) = hashed.evaluate(&known, &Credulous, ServiceType::Email, now) {
        for question in need.dns {
            assert!(asked.contains(&question));
            known.add_dns(question, published(key));
        }
    }
    hashed.evaluate(&known, &Credulous, ServiceType::Email, now).expect("all is known")
}

fn published(key: &str) -> DnsReply {
    Ok(DnsAnswer {
        dnssec: Dnssec::Insecure,
        canonical_name: DnsName::parse("example.com").expect("a name"),
        name_exists: true,
        records: vec![RecordData::Txt(key.as_bytes().into())],
        ttl: 300,
    })
}

fn read(data: &[u8]) -> Option<(Header, Vec<u8>)> {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(data).ok()?;
    parts.extend(reader.finish().ok()?);
    let (mut header, mut body) = (Header::default(), Vec::new());
    for part in parts {
        match part {
            Part::Header(read) => header = read,
            Part::Body(octets) => body.extend(octets),
        }
    }
    Some((header, body))
}
