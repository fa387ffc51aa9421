//! What became of a chain: the result of validation, with reasons as values.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use smtp_types::{DomainName, UnixTime};

use super::ChainStatus;
use super::field_error::ArcFieldError;
use crate::authres::{
    AuthenticationResults, AuthenticationResultsError, Keyword, MethodResult, PropertyName,
};
use crate::dkim::{KeyFailure, Selector};
use crate::header::HeaderField;

/// What became of the chain of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainResult {
    /// Whether it holds.
    pub outcome: Outcome,
    /// The sets from instance 1 up. None if there is no chain, or if its fields are no chain
    /// (a failure in step 1 to 3).
    pub sets: Vec<SetReport>,
}

/// Whether a chain holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is no chain.
    None,
    /// It holds.
    Pass {
        /// The lowest instance from which on up all message signatures still fit: who came before
        /// has seen another message. 0 if all fit (RFC 8617 §5.2 step 5).
        oldest_pass: u8,
    },
    /// It does not hold: to be treated as if there were none.
    Fail(ChainFailure),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "the message has no ARC set"),
            Self::Pass { oldest_pass: 0 } => write!(f, "every seal and every signature holds"),
            Self::Pass { oldest_pass } => {
                write!(f, "every seal holds; the message is as it was since instance {oldest_pass}")
            }
            Self::Fail(failure) => failure.fmt(f),
        }
    }
}

impl ChainResult {
    /// The chain validation status.
    #[must_use]
    pub const fn status(&self) -> ChainStatus {
        match self.outcome {
            Outcome::None => ChainStatus::None,
            Outcome::Pass { .. } => ChainStatus::Pass,
            Outcome::Fail(_) => ChainStatus::Fail,
        }
    }

    /// The statement for `Authentication-Results` (RFC 8617 §6). `client` is the address of the
    /// SMTP client, if it shall be told.
    #[must_use]
    pub fn to_method_result(&self, client: Option<IpAddr>) -> MethodResult {
        let mut result = MethodResult::new(Keyword::ARC, self.status().keyword());
        if let Outcome::Fail(failure) = &self.outcome {
            result = result.with_reason(&failure.to_string());
        }
        if let Some(client) = client {
            result = result.with_property(PropertyName::SMTP_REMOTE_IP, &client.to_string());
        }
        if let Outcome::Pass { oldest_pass } = self.outcome {
            let instance = oldest_pass.to_string();
            result = result.with_property(PropertyName::HEADER_OLDEST_PASS, &instance);
        }
        result
    }
}

/// What is known of one set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetReport {
    /// Its number, from 1.
    pub instance: u8,
    /// `cv=`: what its sealer said of the chain before it.
    pub chain_status: ChainStatus,
    /// Who sealed; `None` if the seal cannot be read.
    pub sealer: Option<Signer>,
    /// When, by the sealer's word (`t=`).
    pub sealed_at: Option<UnixTime>,
    /// Who signed the message; `None` if the signature cannot be read.
    pub message_signer: Option<Signer>,
    /// Whether the message signature still fits.
    pub message_signature: MessageSignatureState,
    /// Whether the message signature covers `From`. If not, another may have been put in.
    pub covers_from: bool,
    /// `l=` of the message signature: anything may have been added behind so many octets.
    pub body_limit: Option<u64>,
    /// What its sealer had found.
    pub authentication_results: Result<AuthenticationResults, AuthenticationResultsError>,
}

/// A domain that signed, and with which of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// `d=`
    pub domain: DomainName,
    /// `s=`
    pub selector: Selector,
}

/// What became of a message signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageSignatureState {
    /// It fits.
    Verified,
    /// It does not.
    Failed(SignatureFailure),
    /// Nobody has looked: the result was clear before, or the limit was reached.
    NotEvaluated,
}

/// Which of the three fields of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldKind {
    /// `ARC-Authentication-Results`
    AuthenticationResults,
    /// `ARC-Message-Signature`
    MessageSignature,
    /// `ARC-Seal`
    Seal,
}

impl FieldKind {
    /// The name of the field.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthenticationResults => "ARC-Authentication-Results",
            Self::MessageSignature => "ARC-Message-Signature",
            Self::Seal => "ARC-Seal",
        }
    }

    /// Which of the three it is, if any.
    #[must_use]
    pub fn of(field: &HeaderField) -> Option<Self> {
        let kinds = [Self::AuthenticationResults, Self::MessageSignature, Self::Seal];
        kinds.into_iter().find(|kind| field.is(kind.as_str()))
    }
}

/// Why a chain does not hold. There is no way back: "All Failures Are Permanent" (RFC 8617 §5.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainFailure {
    /// A field cannot be read, or bears an instance that there is not (step 1).
    Field {
        /// Which field.
        kind: FieldKind,
        /// Why, and where.
        error: ArcFieldError,
    },
    /// The last sealer has said that it does not hold (step 2).
    FailedBefore,
    /// An instance has a field twice (step 3).
    Repeated {
        /// Which field.
        kind: FieldKind,
        /// The instance.
        instance: u8,
    },
    /// An instance lacks a field (step 3).
    Missing {
        /// Which field.
        kind: FieldKind,
        /// The instance.
        instance: u8,
    },
    /// `cv=` is not what it must be: `none` in the first set, `pass` in the others (step 3).
    ChainStatus {
        /// The instance.
        instance: u8,
        /// What it is.
        found: ChainStatus,
    },
    /// The newest message signature does not fit (step 4).
    MessageSignature {
        /// The instance.
        instance: u8,
        /// Why.
        reason: SignatureFailure,
    },
    /// A seal does not fit (step 6).
    Seal {
        /// The instance.
        instance: u8,
        /// Why.
        reason: SignatureFailure,
    },
}

impl ChainFailure {
    /// The step of RFC 8617 §5.2 in which it was found.
    #[must_use]
    pub const fn step(&self) -> u8 {
        match self {
            Self::Field { .. } => 1,
            Self::FailedBefore => 2,
            Self::Repeated { .. } | Self::Missing { .. } | Self::ChainStatus { .. } => 3,
            Self::MessageSignature { .. } => 4,
            Self::Seal { .. } => 6,
        }
    }
}

impl fmt::Display for ChainFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { kind, error } => write!(f, "{}: {error}", kind.as_str()),
            Self::FailedBefore => write!(f, "the last sealer found a chain that does not hold"),
            Self::Repeated { kind, instance } => {
                write!(f, "instance {instance}: expected one {}, found two", kind.as_str())
            }
            Self::Missing { kind, instance } => {
                write!(f, "instance {instance}: expected one {}, found none", kind.as_str())
            }
            Self::ChainStatus { instance, found } => {
                let expected = if *instance == 1 { ChainStatus::None } else { ChainStatus::Pass };
                write!(f, "instance {instance}: expected cv={expected}, found cv={found}")
            }
            Self::MessageSignature { instance, reason } => {
                write!(f, "instance {instance}: message signature: {reason}")
            }
            Self::Seal { instance, reason } => write!(f, "instance {instance}: seal: {reason}"),
        }
    }
}

impl core::error::Error for ChainFailure {}

/// Why a message signature or a seal does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureFailure {
    /// It cannot be read.
    Malformed(ArcFieldError),
    /// It covers more header than the limit allows.
    HeaderTooLong,
    /// It wants the body in a form beyond those that are hashed.
    TooManyBodyForms,
    /// It was made in the future (`t=`).
    FromTheFuture {
        /// When.
        at: UnixTime,
    },
    /// It counts no longer (`x=`).
    Expired {
        /// Since when.
        at: UnixTime,
    },
    /// The body is not the one that was signed.
    BodyChanged,
    /// The body has fewer octets than were signed (`l=`).
    BodyShorterThanLimit {
        /// How many were signed.
        limit: u64,
        /// How many there are.
        octets: u64,
    },
    /// There is no key that could verify it.
    Key(KeyFailure),
    /// The key says that something else was signed: header fields were changed, or it is forged.
    Mismatch,
}

impl fmt::Display for SignatureFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::HeaderTooLong => write!(f, "covers more header than is verified"),
            Self::TooManyBodyForms => write!(f, "wants one form of the body too many"),
            Self::FromTheFuture { at } => write!(f, "t: made in the future, at {}", at.0),
            Self::Expired { at } => write!(f, "x: expired at {}", at.0),
            Self::BodyChanged => write!(f, "the body has changed"),
            Self::BodyShorterThanLimit { limit, octets } => {
                write!(f, "l: expected at least {limit} octets of body, found {octets}")
            }
            Self::Key(failure) => failure.fmt(f),
            Self::Mismatch => write!(f, "header fields have changed, or it is forged"),
        }
    }
}
