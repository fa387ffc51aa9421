//! What can be wrong with a key record.

use alloc::boxed::Box;
use core::fmt;

use smtp_types::Position;

use crate::dkim::key::VERSION;
use crate::tag_list::{TagListError, TagListFault};

/// Why a text is not a key record, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecordError {
    /// The place of the fault; records have one line.
    pub position: Position,
    /// The fault.
    pub fault: KeyRecordFault,
}

impl From<TagListError> for KeyRecordError {
    fn from(error: TagListError) -> Self {
        Self { position: error.position, fault: KeyRecordFault::TagList(error.fault) }
    }
}

impl fmt::Display for KeyRecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.position, self.fault, self.fault.clause())
    }
}

impl core::error::Error for KeyRecordError {}

/// What can be wrong with a key record. The consequence is always the same: no signature of this
/// selector verifies (RFC 6376 §6.1.2 step 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRecordFault {
    /// Not the grammar of a list of tags.
    TagList(TagListFault),
    /// `v=` is another version, or the record is no key record at all.
    Version {
        /// The value.
        found: Box<str>,
    },
    /// `v=` stands behind another tag.
    VersionNotFirst,
    /// `k=` is a kind of key that nobody knows.
    KeyType {
        /// The value.
        found: Box<str>,
    },
    /// There is no `p=`.
    KeyMissing,
    /// `p=` is not Base64: quotes, backslashes or a missing string are the usual reasons.
    KeyNotBase64,
    /// `p=` is neither a SubjectPublicKeyInfo of an RSA key nor an RSAPublicKey.
    RsaEncoding,
    /// The exponent of the RSA key is 1 or even.
    RsaExponent,
    /// An Ed25519 key of another length than 32 octets.
    Ed25519Length {
        /// How many there are.
        octets: usize,
    },
    /// An Ed25519 key in a SubjectPublicKeyInfo, as tools print it: 60 characters instead of 44.
    Ed25519Wrapped,
    /// `h=`, `s=` or `t=` is not a list of names with colons between them.
    List {
        /// The tag.
        tag: Box<str>,
        /// The value.
        found: Box<str>,
    },
}

impl KeyRecordFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TagList(TagListFault::Empty) => "dkim-tag-empty",
            Self::TagList(TagListFault::NoEquals) => "dkim-tag-no-equals",
            Self::TagList(TagListFault::Name { .. }) => "dkim-tag-name",
            Self::TagList(TagListFault::Repeated { .. }) => "dkim-tag-repeated",
            Self::TagList(TagListFault::TooMany) => "dkim-tag-too-many",
            Self::TagList(TagListFault::Character { .. }) => "dkim-character",
            Self::TagList(TagListFault::NotUtf8 { .. }) => "dkim-not-utf8",
            Self::Version { .. } => "dkim-version",
            Self::VersionNotFirst => "dkim-version-not-first",
            Self::KeyType { .. } => "dkim-key-type",
            Self::KeyMissing => "dkim-key-missing",
            Self::KeyNotBase64 => "dkim-key-base64",
            Self::RsaEncoding => "dkim-rsa-encoding",
            Self::RsaExponent => "dkim-rsa-exponent",
            Self::Ed25519Length { .. } => "dkim-ed25519-length",
            Self::Ed25519Wrapped => "dkim-ed25519-spki",
            Self::List { .. } => "dkim-list",
        }
    }

    /// The rule that is broken.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::TagList(_) => "RFC 6376 §3.2",
            Self::Ed25519Length { .. } | Self::Ed25519Wrapped => "RFC 8463 §4.2",
            Self::RsaExponent => "RFC 8017 §3.1",
            _ => "RFC 6376 §3.6.1",
        }
    }
}

impl fmt::Display for KeyRecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TagList(fault) => fault.fmt(f),
            Self::Version { found } => write!(f, "v: expected {VERSION:?}, found {found:?}"),
            Self::VersionNotFirst => write!(f, "v: expected as the first tag, found behind others"),
            Self::KeyType { found } => {
                write!(f, "k: expected \"rsa\" or \"ed25519\", found {found:?}")
            }
            Self::KeyMissing => write!(f, "p: expected this tag, found none"),
            Self::KeyNotBase64 => write!(f, "p: expected Base64, found something else"),
            Self::RsaEncoding => write!(f, "p: expected an RSA key in DER, found something else"),
            Self::RsaExponent => write!(f, "p: expected an odd exponent above 1, found another"),
            Self::Ed25519Length { octets } => {
                write!(f, "p: expected 32 octets of Ed25519 (44 characters), found {octets}")
            }
            Self::Ed25519Wrapped => write!(
                f,
                "p: expected 32 octets of Ed25519 (44 characters), found a SubjectPublicKeyInfo \
                 (60 characters); its last 32 octets are the key"
            ),
            Self::List { tag, found } => {
                write!(f, "{tag}: expected names with colons between them, found {found:?}")
            }
        }
    }
}
