//! What can be wrong with a single field of a set.

use alloc::boxed::Box;
use core::fmt;

use smtp_types::Position;

use super::MAX_INSTANCE;
use crate::authres::AuthenticationResultsError;
use crate::dkim::{SignatureError, SignatureFault};
use crate::tag_list::{Tag, TagList, TagListError};

/// Why a field cannot be part of a chain, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArcFieldError {
    /// The place in the header field; a line is a line of the field.
    pub position: Position,
    /// The fault.
    pub fault: ArcFieldFault,
}

impl ArcFieldError {
    pub(super) fn at(list: &TagList<'_>, tag: &Tag<'_>, fault: ArcFieldFault) -> Self {
        Self { position: list.position(tag.value_offset), fault }
    }
}

impl From<SignatureError> for ArcFieldError {
    fn from(error: SignatureError) -> Self {
        Self { position: error.position, fault: ArcFieldFault::Tag(error.fault) }
    }
}

impl From<TagListError> for ArcFieldError {
    fn from(error: TagListError) -> Self {
        SignatureError::from(error).into()
    }
}

impl From<AuthenticationResultsError> for ArcFieldError {
    fn from(error: AuthenticationResultsError) -> Self {
        Self { position: error.position, fault: ArcFieldFault::AuthenticationResults(error) }
    }
}

impl fmt::Display for ArcFieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            ArcFieldFault::AuthenticationResults(error) => error.fmt(f),
            fault => write!(f, "{}: {fault} ({})", self.position, fault.clause()),
        }
    }
}

impl core::error::Error for ArcFieldError {}

/// What keeps a field from being part of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArcFieldFault {
    /// A fault that a DKIM signature may have, too.
    Tag(SignatureFault),
    /// The beginning of an `ARC-Authentication-Results` field is not `i=`, a number and `;`.
    AuthenticationResults(AuthenticationResultsError),
    /// `i=` is not 1 to 50.
    Instance {
        /// The value.
        found: Box<str>,
    },
    /// `cv=` is not `none`, `fail` or `pass`.
    ChainStatus {
        /// The value.
        found: Box<str>,
    },
    /// A seal has `h=`: which fields it signs is fixed.
    SealNamesFields,
    /// `h=` of a message signature lists a seal.
    SealSigned,
}

impl ArcFieldFault {
    /// The rule that is broken.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::Tag(fault) => fault.clause(),
            Self::AuthenticationResults(_) => "RFC 8617 §4.1.1",
            Self::Instance { .. } => "RFC 8617 §4.2.1",
            Self::SealSigned => "RFC 8617 §4.1.2",
            Self::ChainStatus { .. } | Self::SealNamesFields => "RFC 8617 §4.1.3",
        }
    }
}

impl fmt::Display for ArcFieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(fault) => fault.fmt(f),
            Self::AuthenticationResults(error) => error.fault.fmt(f),
            Self::Instance { found } => {
                write!(f, "i: expected 1 to {MAX_INSTANCE}, found {found:?}")
            }
            Self::ChainStatus { found } => {
                write!(f, "cv: expected \"none\", \"fail\" or \"pass\", found {found:?}")
            }
            Self::SealNamesFields => write!(f, "h: expected no such tag in a seal, found one"),
            Self::SealSigned => write!(f, "h: expected no \"ARC-Seal\" among the names, found it"),
        }
    }
}
