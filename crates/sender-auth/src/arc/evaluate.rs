//! Whether a chain holds, once the body has been hashed and the keys are known (RFC 8617 §5.2
//! steps 4 to 7).

use alloc::vec::Vec;

use smtp_types::{Known, Need, UnixTime, all, both};

use super::chain_result::{
    ChainFailure, ChainResult, MessageSignatureState, Outcome, SetReport, SignatureFailure, Signer,
};
use super::validate::{Chain, Link, ReadySeal, ReadySignature, ValidateLimits};
use crate::crypto::Crypto;
use crate::dkim::{
    Algorithm, BodyDigest, KeyFailure, KeyRecord, ServiceType, key_question, look_up_key,
};

/// The chain of a message that has been read to its end.
#[derive(Clone, Debug)]
pub struct HashedChain {
    limits: ValidateLimits,
    chain: Result<Chain, ChainFailure>,
    digests: Vec<BodyDigest>,
}

/// What the DNS holds for one set.
struct Keys {
    message_signature: Result<KeyRecord, KeyFailure>,
    seal: Result<KeyRecord, KeyFailure>,
}

impl HashedChain {
    pub(super) const fn new(
        limits: ValidateLimits,
        chain: Result<Chain, ChainFailure>,
        digests: Vec<BodyDigest>,
    ) -> Self {
        Self { limits, chain, digests }
    }

    /// Whether the chain holds. `now` is the time when the message came.
    ///
    /// Keys are asked for only if nothing else speaks against the chain. A DNS failure is a failure
    /// of the chain, for good (§5.2.1).
    ///
    /// # Errors
    /// The keys that must be looked up first, all at once.
    pub fn evaluate<C: Crypto>(
        &self,
        known: &Known,
        crypto: &C,
        now: UnixTime,
    ) -> Result<ChainResult, Need> {
        let chain = match &self.chain {
            Ok(chain) => chain,
            Err(failure) => {
                let outcome = Outcome::Fail(failure.clone());
                return Ok(ChainResult { outcome, sets: Vec::new() });
            }
        };
        let mut sets: Vec<_> = chain.links.iter().map(|link| link.report.clone()).collect();
        let Some(newest) = chain.links.last() else {
            return Ok(ChainResult { outcome: Outcome::None, sets });
        };
        let judged = match self.check_without_keys(chain, newest, now) {
            Err(failure) => Err(failure),
            Ok(()) => {
                let keys = all(chain.links.iter().map(|link| link.keys(known)))?;
                self.verify(chain, &keys, crypto, now, &mut sets)
            }
        };
        let outcome = match judged {
            Ok(oldest_pass) => Outcome::Pass { oldest_pass },
            Err(failure) => {
                if let (ChainFailure::MessageSignature { reason, .. }, Some(set)) =
                    (&failure, sets.last_mut())
                {
                    set.message_signature = MessageSignatureState::Failed(reason.clone());
                }
                Outcome::Fail(failure)
            }
        };
        Ok(ChainResult { outcome, sets })
    }

    /// What fails whatever the keys are.
    fn check_without_keys(
        &self,
        chain: &Chain,
        newest: &Link,
        now: UnixTime,
    ) -> Result<(), ChainFailure> {
        if let Some(signature) = &newest.message_signature {
            let checked = self.check_message_signature(signature.as_ref(), now);
            checked.map_err(|reason| newest.message_signature_failure(reason))?;
        }
        for link in chain.links.iter().rev() {
            let checked = self.check_seal(link.seal.as_ref(), now);
            checked.map_err(|reason| link.seal_failure(reason))?;
        }
        Ok(())
    }

    /// Steps 4 to 6. Returns the oldest pass.
    fn verify<C: Crypto>(
        &self,
        chain: &Chain,
        keys: &[Keys],
        crypto: &C,
        now: UnixTime,
        sets: &mut [SetReport],
    ) -> Result<u8, ChainFailure> {
        let mut oldest_pass = 0;
        for ((link, keys), set) in chain.links.iter().zip(keys).zip(sets).rev() {
            let Some(signature) = &link.message_signature else {
                break;
            };
            let verified = self
                .check_message_signature(signature.as_ref(), now)
                .and_then(|ready| ready.verify(keys.message_signature.as_ref(), crypto));
            match verified {
                Ok(()) => {
                    set.message_signature = MessageSignatureState::Verified;
                    oldest_pass = set.instance;
                }
                // The newest decides (step 4), the others do not (step 5).
                Err(reason) if oldest_pass == 0 => {
                    return Err(link.message_signature_failure(reason));
                }
                Err(reason) => {
                    set.message_signature = MessageSignatureState::Failed(reason);
                    break;
                }
            }
        }
        for (link, keys) in chain.links.iter().zip(keys).rev() {
            let verified = self
                .check_seal(link.seal.as_ref(), now)
                .and_then(|ready| ready.verify(&chain.sealed, keys.seal.as_ref(), crypto));
            verified.map_err(|reason| link.seal_failure(reason))?;
        }
        Ok(if oldest_pass == 1 { 0 } else { oldest_pass })
    }

    /// A message signature that may still fit: RFC 6376 §3.5 `t=` and `x=`, and the body.
    fn check_message_signature<'r>(
        &self,
        ready: Result<&'r ReadySignature, &SignatureFailure>,
        now: UnixTime,
    ) -> Result<&'r ReadySignature, SignatureFailure> {
        let ready = ready.map_err(Clone::clone)?;
        let signature = &ready.signature;
        self.check_timestamp(signature.timestamp, now)?;
        if let Some(at) = signature.expiration
            && at < now
        {
            return Err(SignatureFailure::Expired { at });
        }
        let Some(digest) = self.digests.get(ready.body) else {
            return Err(SignatureFailure::BodyChanged);
        };
        if let Some(limit) = signature.body_limit
            && limit > digest.canonical_octets
        {
            let octets = digest.canonical_octets;
            return Err(SignatureFailure::BodyShorterThanLimit { limit, octets });
        }
        if digest.digest != *signature.body_hash {
            return Err(SignatureFailure::BodyChanged);
        }
        Ok(ready)
    }

    fn check_seal<'r>(
        &self,
        ready: Result<&'r ReadySeal, &SignatureFailure>,
        now: UnixTime,
    ) -> Result<&'r ReadySeal, SignatureFailure> {
        let ready = ready.map_err(Clone::clone)?;
        self.check_timestamp(ready.seal.timestamp, now)?;
        Ok(ready)
    }

    fn check_timestamp(&self, at: Option<UnixTime>, now: UnixTime) -> Result<(), SignatureFailure> {
        match at {
            Some(at) if at > now.plus(self.limits.clock_error) => {
                Err(SignatureFailure::FromTheFuture { at })
            }
            _ => Ok(()),
        }
    }
}

impl Link {
    fn keys(&self, known: &Known) -> Result<Keys, Need> {
        let (message_signature, seal) = both(
            look_up(known, self.report.message_signer.as_ref()),
            look_up(known, self.report.sealer.as_ref()),
        )?;
        Ok(Keys { message_signature, seal })
    }

    fn message_signature_failure(&self, reason: SignatureFailure) -> ChainFailure {
        ChainFailure::MessageSignature { instance: self.report.instance, reason }
    }

    fn seal_failure(&self, reason: SignatureFailure) -> ChainFailure {
        ChainFailure::Seal { instance: self.report.instance, reason }
    }
}

fn look_up(known: &Known, signer: Option<&Signer>) -> Result<Result<KeyRecord, KeyFailure>, Need> {
    let question = signer.and_then(|signer| key_question(&signer.domain, &signer.selector).ok());
    match question {
        Some(question) => look_up_key(known, &question),
        None => Ok(Err(KeyFailure::NameTooLong)),
    }
}

impl ReadySignature {
    fn verify<C: Crypto>(
        &self,
        key: Result<&KeyRecord, &KeyFailure>,
        crypto: &C,
    ) -> Result<(), SignatureFailure> {
        verify(key, self.signature.algorithm, &self.signed, &self.signature.octets, crypto)
    }
}

impl ReadySeal {
    fn verify<C: Crypto>(
        &self,
        sealed: &[u8],
        key: Result<&KeyRecord, &KeyFailure>,
        crypto: &C,
    ) -> Result<(), SignatureFailure> {
        let before = sealed.get(..self.before).unwrap_or_default();
        let signed = [before, &*self.itself].concat();
        verify(key, self.seal.algorithm, &signed, &self.seal.octets, crypto)
    }
}

fn verify<C: Crypto>(
    key: Result<&KeyRecord, &KeyFailure>,
    algorithm: Algorithm,
    signed: &[u8],
    signature: &[u8],
    crypto: &C,
) -> Result<(), SignatureFailure> {
    let record = key.map_err(|failure| SignatureFailure::Key(failure.clone()))?;
    let key = record.usable_for(algorithm, ServiceType::Email).map_err(SignatureFailure::Key)?;
    if key.verify(crypto, signed, signature) { Ok(()) } else { Err(SignatureFailure::Mismatch) }
}
