//! A DNS that is a table, and messages that are read as from the network.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sender_auth::crypto::{Crypto, Sha256, SigningKey};
use sender_auth::dkim::{
    Algorithm, BodyHash, DkimResult, SIGNATURE_FIELD, ServiceType, Signature, SignatureResult,
    Verifier, VerifyLimits, header_field,
};
use sender_auth::{Header, HeaderField, HeaderLimits, MessageReader, Part};
use smtp_types::{
    DnsAnswer, DnsName, DnsQuestion, DnsReply, Dnssec, Known, RecordData, RecordType, UnixTime,
};

/// All that the DNS knows, and the time.
#[derive(Clone, Debug)]
pub struct World {
    pub known: Known,
    pub now: UnixTime,
    pub limits: VerifyLimits,
    pub service: ServiceType,
}

impl Default for World {
    fn default() -> Self {
        Self {
            known: Known::default(),
            now: UnixTime(1_800_000_000),
            limits: VerifyLimits::default(),
            service: ServiceType::Email,
        }
    }
}

impl World {
    /// One TXT record at a name.
    pub fn key(self, name: &str, text: &str) -> Self {
        self.txt(name, txt(&[text]))
    }

    /// What the DNS says to the question for TXT at a name.
    pub fn txt(mut self, name: &str, reply: DnsReply) -> Self {
        self.known.add_dns(DnsQuestion::new(DnsName::parse(name).unwrap(), RecordType::Txt), reply);
        self
    }

    /// Verifies a message, its lines ended by LF or CRLF. Names that the table lacks do not exist.
    pub fn verify<C: Crypto>(&self, crypto: &C, message: &[u8]) -> Vec<SignatureResult> {
        let (header, body) = read(message);
        let mut verifier = Verifier::new(&header, crypto, self.limits);
        let asked: Vec<_> = verifier.questions().cloned().collect();
        verifier.push(&body);
        let hashed = verifier.finish();
        let mut known = self.known.clone();
        if let Err(need) = hashed.evaluate(&known, crypto, self.service, self.now) {
            for question in need.dns {
                assert!(asked.contains(&question), "{question} was not announced");
                known.add_dns(question, txt(&[]));
            }
        }
        hashed.evaluate(&known, crypto, self.service, self.now).unwrap()
    }
}

/// An answer of these texts; none if the name does not exist.
pub fn txt(texts: &[&str]) -> DnsReply {
    Ok(DnsAnswer {
        dnssec: Dnssec::Insecure,
        canonical_name: DnsName::parse("example.com").unwrap(),
        name_exists: !texts.is_empty(),
        records: texts.iter().map(|text| RecordData::Txt(text.as_bytes().into())).collect(),
        ttl: 300,
    })
}

/// Header and body of a message, its lines ended by LF or CRLF.
pub fn read(message: &[u8]) -> (Header, Vec<u8>) {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(message).unwrap();
    parts.extend(reader.finish().unwrap());
    let (mut header, mut body) = (Header::default(), Vec::new());
    for part in parts {
        match part {
            Part::Header(read) => header = read,
            Part::Body(octets) => body.extend(octets),
        }
    }
    (header, body)
}

/// Signs as the tags say, sensible or not; `bh` and `b` are added. It follows RFC 6376 §3.7 on its
/// own, so that what only a hostile signer would do can be verified, too.
pub fn sign_as<C: Crypto>(
    crypto: &C,
    key: &C::SigningKey,
    tags: &str,
    message: &[u8],
) -> HeaderField {
    let (header, body) = read(message);
    let field = |bh: &str, b: &str| {
        let text = format!("{SIGNATURE_FIELD}: {tags}; bh={bh}; b={b}");
        HeaderField::parse(text.as_bytes()).unwrap()
    };
    let draft = Signature::parse(&field("AAAA", "AAAA")).unwrap();
    let mut hash = BodyHash::new(draft.body_canonicalization, draft.body_limit, crypto.sha256());
    hash.push(&body);
    let bh = STANDARD.encode(hash.finish().digest);

    let mut signed = Vec::new();
    let mut left: Vec<&HeaderField> = header.fields().iter().rev().collect();
    for name in draft.signed_fields() {
        if let Some(index) = left.iter().position(|field| field.is(name)) {
            header_field(draft.header_canonicalization, left.remove(index), &mut signed);
        }
    }
    header_field(draft.header_canonicalization, &field(&bh, ""), &mut signed);
    signed.truncate(signed.len() - 2);
    let message = match draft.algorithm {
        Algorithm::RsaSha256 => signed,
        Algorithm::Ed25519Sha256 => {
            let mut sha256 = crypto.sha256();
            sha256.update(&signed);
            sha256.finish().to_vec()
        }
    };
    field(&bh, &STANDARD.encode(key.sign(&message).unwrap()))
}

/// Puts fields above a message.
pub fn above(fields: &[HeaderField], message: &[u8]) -> Vec<u8> {
    let above = fields.iter().flat_map(|field| [field.octets(), b"\r\n"].concat());
    above.chain(message.iter().copied()).collect()
}

/// The words of the results.
pub fn words(results: &[SignatureResult]) -> Vec<DkimResult> {
    results.iter().map(SignatureResult::result).collect()
}
