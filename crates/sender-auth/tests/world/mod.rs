//! A DNS that is a table, and messages that are read as from the network.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use sender_auth::crypto::Crypto;
use sender_auth::dkim::{ServiceType, SignatureResult, Verifier, VerifyLimits};
use sender_auth::{Header, HeaderLimits, MessageReader, Part};
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
