//! All checks of one message together: SPF, the way back of the address, DKIM, ARC and DMARC.
//!
//! Each protocol stands alone in its module. Here they meet: the header is looked at once, the body
//! passes once, all questions to the DNS are asked side by side, and what SPF and DKIM found goes
//! into DMARC. What is done with the message is decided elsewhere.

use alloc::vec::Vec;

use smtp_types::{DnsQuestion, Known, Need, UnixTime, all, both};

use crate::arc::{self, ChainResult, HashedChain};
use crate::crypto::{Crypto, Sha256};
use crate::dkim::{self, DkimResult, Reason, SignatureResult};
use crate::dmarc::{
    self, Author, DkimIdentity, Identities, IdentityResult, MessageEvaluation, SpfIdentity,
};
use crate::header::Header;
use crate::iprev::{Iprev, iprev};
use crate::spf::{self, SpfResult};

/// How much is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// For SPF.
    pub spf: spf::Limits,
    /// For DKIM.
    pub dkim: dkim::VerifyLimits,
    /// For ARC.
    pub arc: arc::ValidateLimits,
}

/// A message whose body is still coming. `S` is the hash of the [`Crypto`].
#[derive(Debug)]
pub struct Incoming<S> {
    author: Author,
    dkim: dkim::Verifier<S>,
    arc: arc::Validator<S>,
}

impl<S: Sha256> Incoming<S> {
    /// A message with this header.
    #[must_use]
    pub fn new<C: Crypto<Sha256 = S>>(header: &Header, crypto: &C, limits: &Limits) -> Self {
        Self {
            author: Author::read(header),
            dkim: dkim::Verifier::new(header, crypto, limits.dkim),
            arc: arc::Validator::new(header, crypto, limits.arc),
        }
    }

    /// What can be looked up while the body comes.
    #[must_use]
    pub fn early(&self) -> Early {
        let keys = self.dkim.questions().cloned().chain(self.arc.questions());
        Early { author: self.author.clone(), keys: keys.collect() }
    }

    /// Takes the next piece of the body, its lines ended by CRLF, cut anywhere.
    pub fn push(&mut self, octets: &[u8]) {
        self.dkim.push(octets);
        self.arc.push(octets);
    }

    /// The body is at its end.
    #[must_use]
    pub fn finish(self) -> Received {
        Received { author: self.author, dkim: self.dkim.finish(), arc: self.arc.finish() }
    }
}

/// What can be looked up before the body is known: all but little of what the whole takes.
#[derive(Clone, Debug)]
pub struct Early {
    author: Author,
    keys: Vec<DnsQuestion>,
}

impl Early {
    /// Evaluates as far as that goes without the body, and forgets the results: whoever calls it is
    /// after the answers in [`Known`].
    ///
    /// # Errors
    /// What must be looked up.
    pub fn evaluate(
        &self,
        known: &Known,
        client: Option<spf::Client<'_>>,
        receiver: &spf::Receiver<'_>,
        limits: &Limits,
    ) -> Result<(), Need> {
        let keys = all(self.keys.iter().map(|question| known.dns(question)));
        let walks = all(self.author.domains().iter().map(|domain| dmarc::walk(known, domain)));
        both(both(connection(known, client, receiver, limits), keys), walks).map(|_| ())
    }
}

/// A message that has been read to its end.
#[derive(Clone, Debug)]
pub struct Received {
    author: Author,
    dkim: dkim::Hashed,
    arc: HashedChain,
}

/// All results for one message.
#[derive(Clone, Debug)]
pub struct Authentication {
    /// Whom people see.
    pub author: Author,
    /// SPF for both identities; `None` if nothing is known of the connection.
    pub spf: Option<spf::Verification>,
    /// Whether the address has a name that leads back to it; `None` without a connection.
    pub iprev: Option<Iprev>,
    /// Every signature, in the order of the header.
    pub dkim: Vec<SignatureResult>,
    /// The chain of those who forwarded it.
    pub arc: ChainResult,
    /// DMARC.
    pub dmarc: MessageEvaluation,
}

impl Received {
    /// Evaluates everything. Without a `client`, as for a message in a file, there is no SPF.
    ///
    /// # Errors
    /// What must be looked up first.
    pub fn evaluate<C: Crypto>(
        &self,
        known: &Known,
        crypto: &C,
        client: Option<spf::Client<'_>>,
        receiver: &spf::Receiver<'_>,
        limits: &Limits,
    ) -> Result<Authentication, Need> {
        let now = receiver.now;
        // The walks of DMARC need nothing of the others, and may be made at the same time.
        let walks = all(self.author.domains().iter().map(|domain| dmarc::walk(known, domain)));
        let connection = connection(known, client, receiver, limits);
        let signatures = both(
            self.dkim.evaluate(known, crypto, dkim::ServiceType::Email, now),
            self.arc.evaluate(known, crypto, now),
        );
        let (((spf, iprev), (dkim, arc)), _) = both(both(connection, signatures), walks)?;
        let identities = identities(spf.as_ref(), &dkim);
        let dmarc = dmarc::evaluate_message(known, &self.author, &identities)?;
        Ok(Authentication { author: self.author.clone(), spf, iprev, dkim, arc, dmarc })
    }

    /// What became of each signature if the message is used for `service`. A key may be bound to
    /// another one (RFC 6376 §3.6.1 `s=`), so [`evaluate`](Self::evaluate), which asks for mail in
    /// general, does not tell that of a report about TLS.
    ///
    /// # Errors
    /// What must be looked up first.
    pub fn signatures_for<C: Crypto>(
        &self,
        service: dkim::ServiceType,
        known: &Known,
        crypto: &C,
        now: UnixTime,
    ) -> Result<Vec<SignatureResult>, Need> {
        self.dkim.evaluate(known, crypto, service, now)
    }
}

/// What the connection shows.
fn connection(
    known: &Known,
    client: Option<spf::Client<'_>>,
    receiver: &spf::Receiver<'_>,
    limits: &Limits,
) -> Result<(Option<spf::Verification>, Option<Iprev>), Need> {
    let Some(client) = client else { return Ok((None, None)) };
    let (spf, iprev) =
        both(spf::verify(known, client, receiver, &limits.spf), iprev(known, client.ip))?;
    Ok((Some(spf), Some(iprev)))
}

/// What SPF and DKIM hand to DMARC. A signature by a key that is only tested counts for nothing
/// (RFC 6376 §3.6.1 `t=y`).
fn identities(spf: Option<&spf::Verification>, dkim: &[SignatureResult]) -> Identities {
    let spf = spf.and_then(|spf| {
        let domain = spf.mail_from.domain.clone()?;
        let result = match spf.mail_from.result {
            SpfResult::Pass => IdentityResult::Pass,
            SpfResult::Temperror => IdentityResult::TemporaryError,
            SpfResult::None
            | SpfResult::Neutral
            | SpfResult::Fail
            | SpfResult::Softfail
            | SpfResult::Permerror => IdentityResult::Fail,
        };
        Some(SpfIdentity { domain, result })
    });
    let dkim = dkim.iter().filter_map(|signature| {
        let result = match (signature.result(), signature.testing) {
            (DkimResult::Pass, false) => IdentityResult::Pass,
            (DkimResult::TempError, _) => IdentityResult::TemporaryError,
            _ => IdentityResult::Fail,
        };
        let selector = signature.selector.as_ref()?.as_str().into();
        Some(DkimIdentity { domain: signature.domain.clone()?, selector, result })
    });
    Identities { spf, dkim: dkim.collect() }
}

impl Authentication {
    /// The signatures that passed.
    pub fn passed_signatures(&self) -> impl Iterator<Item = &SignatureResult> {
        self.dkim.iter().filter(|signature| matches!(signature.reason, Reason::Verified))
    }
}
