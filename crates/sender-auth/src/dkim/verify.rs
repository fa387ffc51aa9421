//! Verifying the signatures of a message (RFC 6376 §6.1), in three steps:
//!
//! 1. [`Verifier::new`] takes the header: it picks the signatures and knows at once which keys to
//!    ask for ([`questions`](Verifier::questions)), so that the DNS can answer while the body
//!    still comes.
//! 2. [`push`](Verifier::push) takes the body piece by piece, [`finish`](Verifier::finish) its end.
//!    Signatures that want the same form of the body share one hash; nothing is stored.
//! 3. [`Hashed::evaluate`] says what became of each signature, once the keys are known.
//!
//! It reports on every signature and decides nothing about the message: that a domain has signed
//! it says who is responsible, not that it is welcome. Whether the domain is that of `From` is
//! asked in `dmarc`.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use smtp_types::{DnsQuestion, Known, Need, UnixTime, all};

use crate::crypto::{Crypto, Sha256};
use crate::dkim::canonical::{header_field, signature_field, signed_fields};
use crate::dkim::key::look_up_key;
use crate::dkim::{
    BodyDigest, BodyHash, Canonicalization, KeyFailure, KeyRecord, PublicKey, Reason,
    SIGNATURE_FIELD, ServiceType, Signature, SignatureError, SignatureResult, key_question,
};
use crate::header::{Header, HeaderField};

/// How much is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyLimits {
    /// How many well-formed signatures are verified, from the top; each costs a hash and a public
    /// key operation. The others are reported as [`Reason::NotEvaluated`]. The default is 10.
    pub signatures: usize,
    /// How many octets of canonical header one signature may cover. The default is 256 KiB.
    pub header_octets: usize,
    /// How far in the future a signature may have been made, for clocks that are wrong. The
    /// default is one day.
    pub clock_error: Duration,
}

impl Default for VerifyLimits {
    fn default() -> Self {
        Self {
            signatures: 10,
            header_octets: 256 * 1024,
            clock_error: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// The signatures of a message whose body is still coming. `S` is the hash of the
/// [`Crypto`](crate::crypto::Crypto).
#[derive(Debug)]
pub struct Verifier<S> {
    limits: VerifyLimits,
    candidates: Vec<Candidate>,
    bodies: Vec<Body<S>>,
}

/// One form of the body, shared by all signatures that want it.
#[derive(Debug)]
struct Body<S> {
    how: Canonicalization,
    limit: Option<u64>,
    hash: BodyHash<S>,
}

/// One DKIM-Signature field.
#[derive(Clone, Debug)]
enum Candidate {
    Malformed(SignatureError),
    /// Beyond a limit of ours.
    Skipped(Arc<Signature>),
    Ready(Box<Ready>),
}

/// A signature with all that the message has to say about it.
#[derive(Clone, Debug)]
struct Ready {
    signature: Arc<Signature>,
    /// Where its key stands; `None` if no such name can exist.
    question: Option<DnsQuestion>,
    /// The canonical header that was signed.
    signed: Box<[u8]>,
    unsigned_fields: Vec<Box<str>>,
    /// Which of the bodies.
    body: usize,
}

impl<S: Sha256> Verifier<S> {
    /// Picks the signatures out of the header, from top to bottom.
    #[must_use]
    pub fn new<C: Crypto<Sha256 = S>>(header: &Header, crypto: &C, limits: VerifyLimits) -> Self {
        let mut verifier = Self { limits, candidates: Vec::new(), bodies: Vec::new() };
        let mut left = limits.signatures;
        for field in header.named(SIGNATURE_FIELD) {
            let candidate = match Signature::parse(field) {
                Err(error) => Candidate::Malformed(error),
                Ok(signature) if left == 0 => Candidate::Skipped(Arc::new(signature)),
                Ok(signature) => {
                    left -= 1;
                    verifier.prepare(header, field, signature, crypto)
                }
            };
            verifier.candidates.push(candidate);
        }
        verifier
    }

    /// The keys to ask the DNS for.
    pub fn questions(&self) -> impl Iterator<Item = &DnsQuestion> {
        self.candidates.iter().filter_map(Candidate::question)
    }

    /// Takes the next piece of the body, its lines ended by CRLF, cut anywhere.
    pub fn push(&mut self, octets: &[u8]) {
        for body in &mut self.bodies {
            body.hash.push(octets);
        }
    }

    /// The body is at its end.
    #[must_use]
    pub fn finish(self) -> Hashed {
        Hashed {
            limits: self.limits,
            candidates: self.candidates,
            digests: self.bodies.into_iter().map(|body| body.hash.finish()).collect(),
        }
    }

    /// §3.7: the header that was signed, and the hash that its body needs.
    fn prepare<C: Crypto<Sha256 = S>>(
        &mut self,
        header: &Header,
        field: &HeaderField,
        signature: Signature,
        crypto: &C,
    ) -> Candidate {
        let fields = signed_fields(header, signature.signed_fields(), Some(field));
        let octets: usize = fields.iter().map(|field| field.octets().len() + 2).sum();
        if octets + field.octets().len() > self.limits.header_octets {
            return Candidate::Skipped(Arc::new(signature));
        }
        let how = signature.header_canonicalization;
        let mut signed = Vec::with_capacity(octets + field.octets().len());
        for field in &fields {
            header_field(how, field, &mut signed);
        }
        signature_field(how, field, signature.b(), &mut signed);
        Candidate::Ready(Box::new(Ready {
            question: key_question(&signature.domain, &signature.selector).ok(),
            signed: signed.into_boxed_slice(),
            unsigned_fields: unsigned_fields(header, &fields),
            body: self.body_for(&signature, crypto),
            signature: Arc::new(signature),
        }))
    }

    fn body_for<C: Crypto<Sha256 = S>>(&mut self, signature: &Signature, crypto: &C) -> usize {
        let (how, limit) = (signature.body_canonicalization, signature.body_limit);
        let same = |body: &Body<S>| body.how == how && body.limit == limit;
        if let Some(index) = self.bodies.iter().position(same) {
            return index;
        }
        let hash = BodyHash::new(how, limit, crypto.sha256());
        self.bodies.push(Body { how, limit, hash });
        self.bodies.len() - 1
    }
}

/// Fields that may be in a message once (RFC 5322 §3.6), and that readers and programs act upon.
pub(crate) const SINGLE_FIELDS: [&str; 14] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Date",
    "Subject",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// §8.15: fields that may be there once, are there more often, and of which one was signed and
/// another was not. The other may be what a reader is shown.
fn unsigned_fields(header: &Header, signed: &[&HeaderField]) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = Vec::new();
    for field in header.fields() {
        if signed.iter().any(|signed| core::ptr::eq(*signed, field)) {
            continue;
        }
        if let Some(name) = SINGLE_FIELDS.into_iter().find(|name| field.is(name))
            && signed.iter().any(|signed| signed.is(name))
            && !names.iter().any(|known| **known == *name)
        {
            names.push(name.into());
        }
    }
    names
}

impl Candidate {
    fn question(&self) -> Option<&DnsQuestion> {
        match self {
            Self::Ready(ready) => ready.question.as_ref(),
            Self::Malformed(_) | Self::Skipped(_) => None,
        }
    }
}

/// The signatures of a message that has been read to its end.
#[derive(Clone, Debug)]
pub struct Hashed {
    limits: VerifyLimits,
    candidates: Vec<Candidate>,
    digests: Vec<BodyDigest>,
}

impl Hashed {
    /// The keys to ask the DNS for.
    pub fn questions(&self) -> impl Iterator<Item = &DnsQuestion> {
        self.candidates.iter().filter_map(Candidate::question)
    }

    /// What became of each signature, in the order of the header. `service` is what the message is
    /// used for, `now` the time when it came.
    ///
    /// # Errors
    /// The keys that must be looked up first, all at once.
    pub fn evaluate<C: Crypto>(
        &self,
        known: &Known,
        crypto: &C,
        service: ServiceType,
        now: UnixTime,
    ) -> Result<Vec<SignatureResult>, Need> {
        let keys = all(self.candidates.iter().map(|candidate| match candidate.question() {
            Some(question) => look_up_key(known, question),
            None => Ok(Err(KeyFailure::NameTooLong)),
        }))?;
        let judge = |(candidate, key): (&Candidate, _)| match candidate {
            Candidate::Malformed(error) => SignatureResult::malformed(error.clone()),
            Candidate::Skipped(signature) => {
                SignatureResult::of(Arc::clone(signature), Reason::NotEvaluated)
            }
            Candidate::Ready(ready) => self.judge(ready, key, crypto, service, now),
        };
        Ok(self.candidates.iter().zip(keys).map(judge).collect())
    }

    /// §6.1.1 to §6.1.3 for one signature.
    fn judge<C: Crypto>(
        &self,
        ready: &Ready,
        record: Result<KeyRecord, KeyFailure>,
        crypto: &C,
        service: ServiceType,
        now: UnixTime,
    ) -> SignatureResult {
        let Ready { signature, signed, unsigned_fields, body, .. } = ready;
        let digest = self.digests.get(*body);
        let mut result = SignatureResult::of(Arc::clone(signature), Reason::NotEvaluated);
        result.unsigned_fields.clone_from(unsigned_fields);
        result.unsigned_body_octets = digest.map_or(0, |digest| digest.unsigned_octets);
        let check = || {
            self.check_time(signature, now)?;
            let record = record.map_err(Reason::Key)?;
            result.testing = record.is_testing();
            result.key_bits = record.key().map(PublicKey::bits);
            let key = usable_key(&record, signature, service).map_err(Reason::Key)?;
            let header_fits = key.verify(crypto, signed, signature.octets());
            Ok(compare(signature, digest, header_fits))
        };
        result.reason = check().unwrap_or_else(|reason: Reason| reason);
        result
    }

    /// §3.5 `t=`: "Implementations MAY ignore signatures that have a timestamp in the future";
    /// `x=`: "Signatures MAY be considered invalid if the verification time [...] is past the
    /// expiration date". Both are done.
    fn check_time(&self, signature: &Signature, now: UnixTime) -> Result<(), Reason> {
        if let Some(at) = signature.timestamp
            && at > now.plus(self.limits.clock_error)
        {
            return Err(Reason::FromTheFuture { at });
        }
        match signature.expiration {
            Some(at) if at < now => Err(Reason::Expired { at }),
            _ => Ok(()),
        }
    }
}

/// The key, if it may be used for this signature.
fn usable_key<'r>(
    record: &'r KeyRecord,
    signature: &Signature,
    service: ServiceType,
) -> Result<&'r PublicKey, KeyFailure> {
    let key = record.usable_for(signature.algorithm, service)?;
    if record.is_strict() && signature.identity.domain != signature.domain {
        return Err(KeyFailure::Subdomain);
    }
    Ok(key)
}

/// §6.1.3: both hashes must fit. Which of them does not says what was changed on the way.
fn compare(signature: &Signature, body: Option<&BodyDigest>, header_fits: bool) -> Reason {
    let octets = body.map_or(0, |body| body.canonical_octets);
    if let Some(limit) = signature.body_limit.filter(|limit| *limit > octets) {
        return Reason::BodyShorterThanLimit { limit, octets };
    }
    let body_fits = body.is_some_and(|body| body.digest == signature.body_hash());
    match (header_fits, body_fits) {
        (true, true) => Reason::Verified,
        (true, false) => Reason::BodyChanged,
        (false, true) => Reason::SignatureMismatch,
        (false, false) => Reason::BodyAndSignatureMismatch,
    }
}
