//! A world in a table: domains with records and keys, and letters that are signed and judged.

use std::cell::RefCell;
use std::collections::BTreeMap;

use sender_auth::arc::{ChainStatus, SealOptions, Sealer};
use sender_auth::authres::{AuthenticationResults, AuthservId, MethodResult};
use sender_auth::crypto::KeyType;
use sender_auth::dkim::{Selector, SignOptions, SignWith, Signer};
use sender_auth::{
    Authentication, Header, HeaderLimits, Incoming, Limits, MessageReader, Part, spf,
};
use smtp_types::{
    DnsAnswer, DnsFailure, DnsQuestion, DnsReply, Dnssec, DomainName, Known, RecordData,
    RecordType, UnixTime,
};
use waxseal::config::LocalVerdicts;
use waxseal::crypto::{AwsLc, SigningKey};

pub(crate) const NOW: UnixTime = UnixTime(1_795_289_400);

pub(crate) const LETTER: &str = "From: Alice <alice@good.test>\r\nTo: bob@here.test\r\n\
    Subject: hello\r\nDate: Sat, 21 Nov 2026 19:30:00 +0000\r\nMessage-ID: <1@good.test>\r\n\r\n\
    Good morning!\r\n";

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// Who has which records, and whom the operator trusts.
pub(crate) struct World {
    texts: BTreeMap<String, String>,
    silent: Option<String>,
    flags: &'static str,
    keys: RefCell<BTreeMap<String, SigningKey>>,
    pub(crate) local: LocalVerdicts,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            texts: BTreeMap::new(),
            silent: None,
            flags: "",
            keys: RefCell::default(),
            local: LocalVerdicts::default(),
        }
    }

    pub(crate) fn dmarc(mut self, domain: &str, record: &str) -> Self {
        self.texts.insert(format!("_dmarc.{domain}"), record.into());
        self
    }

    pub(crate) fn spf(mut self, domain: &str, record: &str) -> Self {
        self.texts.insert(domain.into(), record.into());
        self
    }

    /// Nothing below this domain is answered.
    pub(crate) fn silent(mut self, domain: &str) -> Self {
        self.silent = Some(domain.into());
        self
    }

    /// All keys are only tested (`t=y`).
    pub(crate) fn testing_keys(mut self) -> Self {
        self.flags = "t=y; ";
        self
    }

    /// The same world, in which the operator trusts this forwarder.
    pub(crate) fn trusting(&self, domain: &str) -> Self {
        let text = format!("[[forwarder]]\ndomain = \"{domain}\"\ncomment = \"our lists\"\n");
        Self {
            texts: self.texts.clone(),
            silent: self.silent.clone(),
            flags: self.flags,
            keys: RefCell::new(self.keys.take()),
            local: LocalVerdicts::parse("local.toml", &text).unwrap(),
        }
    }

    /// The letter with a signature of this domain on top.
    pub(crate) fn signed(&self, domain: &str, letter: &str) -> String {
        let (header, body) = read(letter);
        let keys = self.keys_with(domain);
        let crypto = AwsLc::new();
        let mut signer =
            Signer::new(&header, &crypto, vec![with(&keys, domain)], SignOptions::new(NOW))
                .unwrap();
        signer.push(&body);
        let fields = signer.finish().unwrap();
        format!("{}\r\n{letter}", String::from_utf8(fields[0].octets().to_vec()).unwrap())
    }

    /// The letter with a seal of this domain on top.
    pub(crate) fn sealed(
        &self,
        domain: &str,
        letter: &str,
        chain: ChainStatus,
        results: &[MethodResult],
    ) -> String {
        let (header, body) = read(letter);
        let keys = self.keys_with(domain);
        let (crypto, options) = (AwsLc::new(), SealOptions::new(NOW));
        let mut sealer =
            Sealer::new(&header, chain, &crypto, with(&keys, domain), &options).unwrap();
        sealer.push(&body);
        let authserv_id = AuthservId::new(domain).unwrap();
        let results = AuthenticationResults { authserv_id, results: results.to_vec() };
        let set = sealer.finish(&results).unwrap();
        let fields = [&set.seal, &set.message_signature, &set.authentication_results];
        let lines = fields.map(|field| String::from_utf8(field.octets().to_vec()).unwrap());
        format!("{}\r\n{letter}", lines.join("\r\n"))
    }

    /// All checks of a letter that came from 192.0.2.1 with the return path alice@good.test.
    pub(crate) fn judged(&self, letter: &str) -> Authentication {
        let (header, body) = read(letter);
        let (crypto, limits) = (AwsLc::new(), Limits::default());
        let mut incoming = Incoming::new(&header, &crypto, &limits);
        incoming.push(&body);
        let received = incoming.finish();
        let ip = "192.0.2.1".parse().unwrap();
        let client = spf::Client { ip, helo: "mx.good.test", mail_from: "alice@good.test" };
        let receiver = spf::Receiver { host_name: "mx.test", now: NOW };
        let mut known = Known::default();
        loop {
            match received.evaluate(&known, &crypto, Some(client), &receiver, &limits) {
                Ok(authentication) => return authentication,
                Err(need) => {
                    for question in need.dns {
                        let reply = self.answer(&question);
                        known.add_dns(question, reply);
                    }
                }
            }
        }
    }

    pub(crate) fn header(letter: &str) -> Header {
        read(letter).0
    }

    fn answer(&self, question: &DnsQuestion) -> DnsReply {
        let asked = question.name.as_str();
        if self.silent.as_ref().is_some_and(|silent| asked.ends_with(silent.as_str())) {
            return Err(DnsFailure::Temporary { detail: "resolver 10.0.0.1 is silent".into() });
        }
        let key = asked.strip_prefix("s._domainkey.").and_then(|domain| {
            let keys = self.keys.borrow();
            let public = keys.get(domain)?.public_key().ok()?.base64();
            Some(format!("v=DKIM1; k=ed25519; {}p={public}", self.flags))
        });
        let text = key.or_else(|| self.texts.get(asked).cloned());
        let text = text.filter(|_| question.record_type == RecordType::Txt);
        let records: Vec<_> =
            text.into_iter().map(|text| RecordData::Txt(text.into_bytes().into())).collect();
        Ok(DnsAnswer {
            dnssec: Dnssec::Insecure,
            canonical_name: question.name.clone(),
            name_exists: !records.is_empty(),
            records,
            ttl: 60,
        })
    }

    fn keys_with(&self, domain: &str) -> std::cell::Ref<'_, BTreeMap<String, SigningKey>> {
        let new = || SigningKey::generate(KeyType::Ed25519).unwrap();
        self.keys.borrow_mut().entry(domain.into()).or_insert_with(new);
        self.keys.borrow()
    }
}

fn with<'k>(keys: &'k BTreeMap<String, SigningKey>, domain: &str) -> SignWith<'k, SigningKey> {
    let selector = Selector::parse("s").unwrap();
    SignWith { domain: name(domain), selector, key: &keys[domain] }
}

fn read(letter: &str) -> (Header, Vec<u8>) {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(letter.as_bytes()).unwrap();
    parts.extend(reader.finish().unwrap());
    let (mut header, mut body) = (Header::default(), Vec::new());
    for part in parts {
        match part {
            Part::Header(found) => header = found,
            Part::Body(octets) => body.extend(octets),
        }
    }
    (header, body)
}
