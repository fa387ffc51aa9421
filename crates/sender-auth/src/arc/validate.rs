//! Validating a chain (RFC 8617 §5.2), in three steps:
//!
//! 1. [`Validator::new`] takes the header, collects the sets and knows which keys to ask for
//!    ([`questions`](Validator::questions)), so that the DNS can answer while the body still comes.
//! 2. [`push`](Validator::push) takes the body piece by piece, [`finish`](Validator::finish) its
//!    end. Message signatures that want the same form of the body share one hash.
//! 3. [`HashedChain::evaluate`] says whether the chain holds, once the keys are known.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use smtp_types::{DnsQuestion, DomainName};

use super::chain_result::{
    ChainFailure, MessageSignatureState, SetReport, SignatureFailure, Signer,
};
use super::evaluate::HashedChain;
use super::message_signature::MessageSignature;
use super::seal_field::Seal;
use super::set::{Set, collect};
use crate::crypto::{Crypto, Sha256};
use crate::dkim::{
    BodyHash, Canonicalization, Selector, header_field, key_question, signature_field,
    signed_fields,
};
use crate::header::Header;

/// How many forms of the body are hashed. There are two, but a limit (`l=`) makes one more of each.
const MAX_BODIES: usize = 4;

/// How much is validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidateLimits {
    /// How many message signatures are verified, the newest first. Only the newest decides, the
    /// others say how far back the message is the same. The default is 10; 0 counts as 1.
    pub message_signatures: usize,
    /// How many octets of canonical header one signature or seal may cover. The default is
    /// 256 KiB.
    pub header_octets: usize,
    /// How far in the future a signature may have been made, for clocks that are wrong. The
    /// default is one day.
    pub clock_error: Duration,
}

impl Default for ValidateLimits {
    fn default() -> Self {
        Self {
            message_signatures: 10,
            header_octets: 256 * 1024,
            clock_error: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// The chain of a message whose body is still coming. `S` is the hash of the [`Crypto`].
#[derive(Debug)]
pub struct Validator<S> {
    limits: ValidateLimits,
    chain: Result<Chain, ChainFailure>,
    bodies: Vec<Body<S>>,
}

/// One form of the body.
#[derive(Debug)]
struct Body<S> {
    how: Canonicalization,
    limit: Option<u64>,
    hash: BodyHash<S>,
}

/// A chain that is complete, with all that the message has to say about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub(super) links: Vec<Link>,
    /// All fields of the sets in canonical form, in the order in which they are sealed.
    pub(super) sealed: Vec<u8>,
}

/// One set.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// `None` if it is older than those that are verified.
    pub(super) message_signature: Option<Result<ReadySignature, SignatureFailure>>,
    pub(super) seal: Result<ReadySeal, SignatureFailure>,
    pub(super) report: SetReport,
}

#[derive(Clone, Debug)]
pub(super) struct ReadySignature {
    pub(super) signature: MessageSignature,
    /// The canonical header that was signed.
    pub(super) signed: Box<[u8]>,
    /// Which of the bodies.
    pub(super) body: usize,
}

#[derive(Clone, Debug)]
pub(super) struct ReadySeal {
    pub(super) seal: Seal,
    /// How much of the sealed fields comes before it.
    pub(super) before: usize,
    /// The seal itself without its signature, in canonical form.
    pub(super) itself: Box<[u8]>,
}

impl<S: Sha256> Validator<S> {
    /// Collects the sets of the message.
    #[must_use]
    pub fn new<C: Crypto<Sha256 = S>>(header: &Header, crypto: &C, limits: ValidateLimits) -> Self {
        let mut validator = Self { limits, chain: Ok(Chain::default()), bodies: Vec::new() };
        validator.chain = collect(header).chain.map(|sets| validator.prepare(header, sets, crypto));
        validator
    }

    /// The keys to ask the DNS for, if nothing else is found against the chain. One may come more
    /// than once.
    pub fn questions(&self) -> impl Iterator<Item = DnsQuestion> {
        let links = self.chain.iter().flat_map(|chain| &chain.links);
        let signers = links.flat_map(|link| {
            let report = &link.report;
            [report.message_signer.as_ref(), report.sealer.as_ref()].into_iter().flatten()
        });
        signers.filter_map(|signer| key_question(&signer.domain, &signer.selector).ok())
    }

    /// Takes the next piece of the body, its lines ended by CRLF, cut anywhere.
    pub fn push(&mut self, octets: &[u8]) {
        for body in &mut self.bodies {
            body.hash.push(octets);
        }
    }

    /// The body is at its end.
    #[must_use]
    pub fn finish(self) -> HashedChain {
        let digests = self.bodies.into_iter().map(|body| body.hash.finish()).collect();
        HashedChain::new(self.limits, self.chain, digests)
    }

    fn prepare<C: Crypto<Sha256 = S>>(
        &mut self,
        header: &Header,
        sets: Vec<Set<'_>>,
        crypto: &C,
    ) -> Chain {
        // The newest first, so that no older one takes its place among the bodies.
        let checked = self.limits.message_signatures.max(1);
        let skipped = sets.len().saturating_sub(checked);
        let mut signatures: Vec<_> = sets
            .iter()
            .skip(skipped)
            .rev()
            .map(|set| self.prepare_message_signature(header, set, crypto))
            .collect();
        let mut chain = Chain::default();
        for (index, set) in sets.into_iter().enumerate() {
            let signature = if index < skipped { None } else { signatures.pop() };
            let seal = prepare_seal(&set, &mut chain.sealed, self.limits);
            chain.links.push(Link::new(set, signature, seal));
        }
        chain
    }

    /// RFC 6376 §3.7: the header that was signed, and the hash that its body needs.
    fn prepare_message_signature<C: Crypto<Sha256 = S>>(
        &mut self,
        header: &Header,
        set: &Set<'_>,
        crypto: &C,
    ) -> Result<ReadySignature, SignatureFailure> {
        let field = set.message_signature;
        let signature = MessageSignature::parse(field).map_err(SignatureFailure::Malformed)?;
        let fields = signed_fields(header, signature.signed_fields(), Some(field));
        let octets: usize = fields.iter().map(|field| field.octets().len() + 2).sum();
        if octets + field.octets().len() > self.limits.header_octets {
            return Err(SignatureFailure::HeaderTooLong);
        }
        let how = signature.header_canonicalization;
        let mut signed = Vec::with_capacity(octets + field.octets().len());
        for field in &fields {
            header_field(how, field, &mut signed);
        }
        signature_field(how, field, &signature.b, &mut signed);
        let body = self.body_for(&signature, crypto).ok_or(SignatureFailure::TooManyBodyForms)?;
        Ok(ReadySignature { signature, signed: signed.into_boxed_slice(), body })
    }

    fn body_for<C: Crypto<Sha256 = S>>(
        &mut self,
        signature: &MessageSignature,
        crypto: &C,
    ) -> Option<usize> {
        let (how, limit) = (signature.body_canonicalization, signature.body_limit);
        let same = |body: &Body<S>| body.how == how && body.limit == limit;
        if let Some(index) = self.bodies.iter().position(same) {
            return Some(index);
        }
        if self.bodies.len() == MAX_BODIES {
            return None;
        }
        let hash = BodyHash::new(how, limit, crypto.sha256());
        self.bodies.push(Body { how, limit, hash });
        Some(self.bodies.len() - 1)
    }
}

/// §5.1.1: a seal signs the sets "in increasing instance order, starting at 1", its own included,
/// and in each the results, the message signature and the seal, all in relaxed form. Adds this set
/// to `sealed`.
fn prepare_seal(
    set: &Set<'_>,
    sealed: &mut Vec<u8>,
    limits: ValidateLimits,
) -> Result<ReadySeal, SignatureFailure> {
    header_field(Canonicalization::Relaxed, set.authentication_results, sealed);
    header_field(Canonicalization::Relaxed, set.message_signature, sealed);
    let before = sealed.len();
    header_field(Canonicalization::Relaxed, set.seal, sealed);
    if sealed.len() > limits.header_octets {
        return Err(SignatureFailure::HeaderTooLong);
    }
    let seal = Seal::parse(set.seal).map_err(SignatureFailure::Malformed)?;
    let mut itself = Vec::new();
    signature_field(Canonicalization::Relaxed, set.seal, &seal.b, &mut itself);
    Ok(ReadySeal { seal, before, itself: itself.into_boxed_slice() })
}

impl Link {
    fn new(
        set: Set<'_>,
        message_signature: Option<Result<ReadySignature, SignatureFailure>>,
        seal: Result<ReadySeal, SignatureFailure>,
    ) -> Self {
        let signer = |domain: &DomainName, selector: &Selector| Signer {
            domain: domain.clone(),
            selector: selector.clone(),
        };
        let signature = message_signature.as_ref().and_then(|ready| ready.as_ref().ok());
        let signature = signature.map(|ready| &ready.signature);
        let sealed = seal.as_ref().ok().map(|ready| &ready.seal);
        let report = SetReport {
            instance: set.instance,
            chain_status: set.chain_status,
            sealer: sealed.map(|seal| signer(&seal.domain, &seal.selector)),
            sealed_at: sealed.and_then(|seal| seal.timestamp),
            message_signer: signature.map(|found| signer(&found.domain, &found.selector)),
            message_signature: MessageSignatureState::NotEvaluated,
            covers_from: signature.is_some_and(MessageSignature::covers_from),
            body_limit: signature.and_then(|found| found.body_limit),
            authentication_results: set.payload,
        };
        Self { message_signature, seal, report }
    }
}
