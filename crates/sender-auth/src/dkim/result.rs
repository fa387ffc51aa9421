//! What became of a signature, with the reason, and the word for it in other people's programs.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DomainName, UnixTime};

use crate::dkim::{KeyFailure, Selector, Signature, SignatureError, SignatureFault};

/// What became of one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureResult {
    /// Why the [`result`](Self::result) is what it is.
    pub reason: Reason,
    /// `d=`: the domain that takes responsibility, if a domain could be read.
    pub domain: Option<DomainName>,
    /// `s=`: which of its keys, if a selector could be read.
    pub selector: Option<Selector>,
    /// All of the signature, if it is well-formed.
    pub signature: Option<Arc<Signature>>,
    /// The size of the key, if there is one.
    pub key_bits: Option<usize>,
    /// Whether the domain only tests DKIM (`t=y`): its mail must not be treated differently from
    /// mail without a signature (RFC 6376 §3.6.1), whatever the result.
    pub testing: bool,
    /// How many octets of the canonical body lie behind the limit `l=`. Anyone may have added
    /// them (§8.2).
    pub unsigned_body_octets: u64,
    /// Fields that may be there once, are there more often, and of which one is signed and another
    /// is not (§8.15).
    pub unsigned_fields: Vec<Box<str>>,
}

impl SignatureResult {
    /// The word for it (RFC 8601 §2.7.1).
    #[must_use]
    pub const fn result(&self) -> DkimResult {
        self.reason.result()
    }

    pub(crate) fn of(signature: Arc<Signature>, reason: Reason) -> Self {
        Self {
            reason,
            domain: Some(signature.domain.clone()),
            selector: Some(signature.selector.clone()),
            signature: Some(signature),
            key_bits: None,
            testing: false,
            unsigned_body_octets: 0,
            unsigned_fields: Vec::new(),
        }
    }

    pub(crate) fn malformed(mut error: SignatureError) -> Self {
        Self {
            domain: error.domain.take(),
            selector: error.selector.take(),
            reason: Reason::Malformed(error),
            signature: None,
            key_bits: None,
            testing: false,
            unsigned_body_octets: 0,
            unsigned_fields: Vec::new(),
        }
    }
}

/// The one word for all signatures of a message: `pass` if one passes, else `temperror` if a later
/// attempt may end otherwise, else what became of the first; `none` if there is none.
#[must_use]
pub fn message_result(results: &[SignatureResult]) -> DkimResult {
    let words = || results.iter().map(SignatureResult::result);
    [DkimResult::Pass, DkimResult::TempError]
        .into_iter()
        .find(|word| words().any(|found| found == *word))
        .or_else(|| words().next())
        .unwrap_or(DkimResult::None)
}

/// The words for a result (RFC 8601 §2.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DkimResult {
    /// The message is not signed.
    None,
    /// The signature fits, and nothing speaks against it.
    Pass,
    /// It does not fit.
    Fail,
    /// It fits, and the receiver does not accept it for a reason of its own. Nothing here is such a
    /// reason.
    Policy,
    /// It could not be read or was not looked at.
    Neutral,
    /// The key could not be had; later it may be.
    TempError,
    /// It cannot be verified, and a later attempt will not help.
    PermError,
}

impl DkimResult {
    /// The word of an Authentication-Results header field.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// Why a signature has its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The header and the body are what was signed.
    Verified,
    /// The signature fits the header; the body is another than the one that was signed: somebody
    /// has changed it on the way, for example a mailing list that adds a footer.
    BodyChanged,
    /// The body is what was signed; the signature does not fit the header: a signed field was
    /// changed, removed or added, or the key in the DNS is another than the one that signed.
    SignatureMismatch,
    /// Neither fits.
    BodyAndSignatureMismatch,
    /// `l=` speaks of more body than there is.
    BodyShorterThanLimit {
        /// The value of `l=`.
        limit: u64,
        /// How many octets the canonical body has.
        octets: u64,
    },
    /// The signature has ended to count.
    Expired {
        /// The value of `x=`.
        at: UnixTime,
    },
    /// The signature was made in the future, by more than clocks are wrong.
    FromTheFuture {
        /// The value of `t=`.
        at: UnixTime,
    },
    /// The header field is no signature that can count.
    Malformed(SignatureError),
    /// There is no key to verify with.
    Key(KeyFailure),
    /// The signature lies beyond the [limits](crate::dkim::VerifyLimits).
    NotEvaluated,
}

impl Reason {
    /// The word for it. RFC 8601 §2.7.1 calls it `neutral` if a signature has syntax errors or
    /// cannot be processed, and `permerror` if something is wrong that will stay so; RFC 8301 §3.1
    /// has signatures with SHA-1 fail permanently.
    #[must_use]
    pub const fn result(&self) -> DkimResult {
        match self {
            Self::Verified => DkimResult::Pass,
            Self::BodyChanged
            | Self::SignatureMismatch
            | Self::BodyAndSignatureMismatch
            | Self::BodyShorterThanLimit { .. }
            | Self::Expired { .. } => DkimResult::Fail,
            Self::Malformed(error) => match error.fault {
                SignatureFault::Sha1
                | SignatureFault::FromNotSigned
                | SignatureFault::IdentityElsewhere { .. } => DkimResult::PermError,
                _ => DkimResult::Neutral,
            },
            Self::FromTheFuture { .. } | Self::NotEvaluated => DkimResult::Neutral,
            Self::Key(KeyFailure::Dns(_)) => DkimResult::TempError,
            Self::Key(_) => DkimResult::PermError,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => write!(f, "the signature fits header and body"),
            Self::BodyChanged => write!(f, "bh: the body was changed after it was signed"),
            Self::SignatureMismatch => {
                write!(f, "b: the signature fits the body, and not the header and the key")
            }
            Self::BodyAndSignatureMismatch => {
                write!(f, "bh, b: the signature fits neither the body nor the header and the key")
            }
            Self::BodyShorterThanLimit { limit, octets } => {
                write!(f, "l: expected a body of at least {limit} octets, found {octets}")
            }
            Self::Expired { at } => write!(f, "x: expected a time to come, found {at}"),
            Self::FromTheFuture { at } => write!(f, "t: expected a time past, found {at}"),
            Self::Malformed(error) => error.fmt(f),
            Self::Key(failure) => failure.fmt(f),
            Self::NotEvaluated => write!(f, "not evaluated: beyond the limits"),
        }
    }
}
