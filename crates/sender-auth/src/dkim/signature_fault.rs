//! What can be wrong with a signature.

use alloc::boxed::Box;
use core::fmt;

use smtp_types::{DomainName, DomainNameError, Position};

use crate::dkim::Selector;
use crate::dkim::signature::MAX_SIGNED_FIELDS;
use crate::tag_list::{TagListError, TagListFault};

/// Why a header field is not a signature that can count, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureError {
    /// The place in the header field; a line is a line of the field.
    pub position: Position,
    /// The fault.
    pub fault: SignatureFault,
    /// The domain that it names all the same, if there is one.
    pub domain: Option<DomainName>,
    /// The selector that it names all the same, if there is one.
    pub selector: Option<Selector>,
}

impl SignatureError {
    pub(crate) fn new(position: Position, fault: SignatureFault) -> Self {
        Self { position, fault, domain: None, selector: None }
    }
}

impl From<TagListError> for SignatureError {
    fn from(error: TagListError) -> Self {
        Self::new(error.position, SignatureFault::TagList(error.fault))
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.position, self.fault, self.fault.clause())
    }
}

impl core::error::Error for SignatureError {}

/// What can be wrong with a signature. The consequence is always the same: it proves nothing
/// (RFC 6376 §6.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureFault {
    /// Not the grammar of a list of tags.
    TagList(TagListFault),
    /// A required tag is missing.
    Missing {
        /// The tag.
        tag: &'static str,
    },
    /// `v=` is another version.
    Version {
        /// The value.
        found: Box<str>,
    },
    /// `a=` is `rsa-sha1`, which must not be used (RFC 8301 §3.1).
    Sha1,
    /// `a=` is an algorithm that nobody knows.
    Algorithm {
        /// The value.
        found: Box<str>,
    },
    /// `b=` or `bh=` is empty or not Base64.
    NotBase64 {
        /// The tag.
        tag: Box<str>,
    },
    /// `c=` is not one or two of `simple` and `relaxed`.
    Canonicalization {
        /// The value.
        found: Box<str>,
    },
    /// `d=`, `s=` or the end of `i=` is no name.
    Domain {
        /// The tag.
        tag: &'static str,
        /// Why.
        error: DomainNameError,
    },
    /// `d=` is a top-level domain, or a name that means something on one network only.
    DomainOfOneLabel,
    /// `h=` is not a list of names of header fields with colons between them.
    FieldNames {
        /// The value.
        found: Box<str>,
    },
    /// `h=` has more than 256 names: a bound of ours.
    TooManyFields,
    /// `h=` does not list `From`.
    FromNotSigned,
    /// `i=` has no `@`.
    IdentityWithoutAt,
    /// The domain of `i=` is neither that of `d=` nor below it.
    IdentityElsewhere {
        /// The domain of `i=`.
        found: DomainName,
    },
    /// `q=` lists no method that is known.
    QueryMethod {
        /// The value.
        found: Box<str>,
    },
    /// `l=`, `t=` or `x=` is not a number of so many digits at most.
    Number {
        /// The tag.
        tag: &'static str,
        /// How many digits there may be.
        digits: usize,
        /// The value.
        found: Box<str>,
    },
    /// `x=` is not later than `t=`.
    ExpiresBeforeItBegins,
}

impl SignatureFault {
    /// The rule that is broken.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::TagList(_) => "RFC 6376 §3.2",
            Self::Sha1 => "RFC 8301 §3.1",
            Self::FromNotSigned => "RFC 6376 §5.4",
            _ => "RFC 6376 §3.5",
        }
    }
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TagList(fault) => fault.fmt(f),
            Self::Missing { tag } => write!(f, "{tag}: expected this tag, found none"),
            Self::Version { found } => write!(f, "v: expected \"1\", found {found:?}"),
            Self::Sha1 => write!(f, "a: expected SHA-256, found SHA-1, which proves nothing"),
            Self::Algorithm { found } => {
                write!(f, "a: expected \"rsa-sha256\" or \"ed25519-sha256\", found {found:?}")
            }
            Self::NotBase64 { tag } => write!(f, "{tag}: expected Base64, found something else"),
            Self::Canonicalization { found } => {
                write!(f, "c: expected \"simple\" or \"relaxed\", or two of them, found {found:?}")
            }
            Self::Domain { tag, error } => write!(f, "{tag}: {error}"),
            Self::DomainOfOneLabel => write!(f, "d: expected at least two labels, found one"),
            Self::FieldNames { found } => {
                write!(f, "h: expected names of header fields, found {found:?}")
            }
            Self::TooManyFields => {
                write!(f, "h: expected at most {MAX_SIGNED_FIELDS} names, found more")
            }
            Self::FromNotSigned => write!(f, "h: expected \"From\" among the names, found none"),
            Self::IdentityWithoutAt => write!(f, "i: expected an address, found no @"),
            Self::IdentityElsewhere { found } => {
                write!(f, "i: expected the domain of d= or one below it, found {found}")
            }
            Self::QueryMethod { found } => write!(f, "q: expected \"dns/txt\", found {found:?}"),
            Self::Number { tag, digits, found } => {
                write!(f, "{tag}: expected 1 to {digits} digits, found {found:?}")
            }
            Self::ExpiresBeforeItBegins => {
                write!(f, "x: expected a time after that of t=, found an earlier one")
            }
        }
    }
}
