//! Chains of ARC.

use std::sync::LazyLock;

use sender_auth::arc::{
    ChainFailure, ChainStatus, Outcome, SealError, SealOptions, Sealer, ValidateLimits, Validator,
};
use sender_auth::authres::{AuthenticationResults, AuthservId};
use sender_auth::crypto::{
    Crypto, Digest, KeyType, RsaPublicKey, Sha256, SigningFailed, SigningKey,
};
use sender_auth::dkim::{Selector, SignWith};
use sender_auth::{Header, HeaderLimits, MessageReader, Part};
use sha2::Digest as _;
use smtp_types::{DnsAnswer, DnsName, Dnssec, DomainName, Known, RecordData, UnixTime};

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

/// The key of everyone.
static ANSWER: LazyLock<DnsAnswer> = LazyLock::new(|| DnsAnswer {
    dnssec: Dnssec::Insecure,
    canonical_name: DnsName::parse("key.test").expect("a name"),
    name_exists: true,
    records: vec![RecordData::Txt(
        (*b"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").into(),
    )],
    ttl: 300,
});

/// A message with a chain: judged without a fault, in at most two rounds of questions; and what is
/// sealed on top of it has the outcome that the chain before it leads to.
pub fn arc_chain(data: &[u8]) {
    let Some((header, body)) = read(data) else {
        return;
    };
    let before = validate(&header, &body);
    let status = match &before {
        Outcome::None => ChainStatus::None,
        Outcome::Pass { .. } => ChainStatus::Pass,
        Outcome::Fail(_) => ChainStatus::Fail,
    };
    let with = SignWith {
        domain: DomainName::parse("sealer.test").expect("a domain"),
        selector: Selector::parse("s").expect("a selector"),
        key: &AnyKey,
    };
    let options = SealOptions::new(NOW);
    let mut sealer = match Sealer::new(&header, status, &Credulous, with, &options) {
        Ok(sealer) => sealer,
        Err(SealError::FailedBefore) => {
            assert_eq!(before, Outcome::Fail(ChainFailure::FailedBefore));
            return;
        }
        Err(_) => return,
    };
    sealer.push(&body);
    let authserv_id = AuthservId::new("mx.sealer.test").expect("an id");
    let results = AuthenticationResults { authserv_id, results: Vec::new() };
    let set = sealer.finish(&results).expect("the key never fails");
    assert!((1..=50).contains(&set.instance));
    assert_eq!(set.chain_status, status);
    let mut fields = vec![set.seal, set.message_signature, set.authentication_results];
    fields.extend_from_slice(header.fields());
    match validate(&Header::new(fields), &body) {
        Outcome::Pass { .. } => assert_ne!(status, ChainStatus::Fail),
        // A seal covers more than one before it, and there is a limit to that.
        Outcome::Fail(ChainFailure::MessageSignature { .. } | ChainFailure::Seal { .. }) => {
            let octets: usize = header.fields().iter().map(|field| field.octets().len()).sum();
            assert!(octets > 100_000, "{status}");
        }
        Outcome::Fail(failure) => assert_eq!(status, ChainStatus::Fail, "{failure}"),
        Outcome::None => panic!("there is a set"),
    }
}

const NOW: UnixTime = UnixTime(1_800_000_000);

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

fn validate(header: &Header, body: &[u8]) -> Outcome {
    let mut validator = Validator::new(header, &Credulous, ValidateLimits::default());
    body.chunks(7).for_each(|piece| validator.push(piece));
    let hashed = validator.finish();
    let mut known = Known::default();
    if let Err(need) = hashed.evaluate(&known, &Credulous, NOW) {
        assert!(!need.dns.is_empty() && need.dns.len() <= 100 && need.https.is_empty());
        need.dns.into_iter().for_each(|question| known.add_dns(question, Ok(ANSWER.clone())));
    }
    let result = hashed.evaluate(&known, &Credulous, NOW).expect("all was answered at once");
    assert!(result.sets.len() <= 50);
    result.outcome
}
