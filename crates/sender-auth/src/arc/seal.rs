//! Sealing: adding a set to the chain of a message that is handed on (RFC 8617 §5.1).
//!
//! Seal last, when all changes to the message are made and its DKIM signatures are there (§5.1
//! step 1): then the set says how the message looked when it left.
//!
//! A chain that does not hold is sealed once more, with `cv=fail`, by a seal over its own set only
//! (§5.1.2); after that nobody seals any more.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smtp_types::UnixTime;

use super::chain_result::{ChainFailure, FieldKind};
use super::set::{Set, Sets, collect};
use super::tag_writer::{TagToWrite, write};
use super::{ChainStatus, MAX_INSTANCE};
use crate::authres::{self, AuthenticationResults};
use crate::crypto::{Crypto, KeyType, Sha256, SigningFailed, SigningKey};
use crate::dkim::{
    Algorithm, BodyHash, Canonicalization, FieldsToSign, MAX_SIGNED_FIELDS, SIGNATURE_FIELD,
    Selector, SignWith, header_field, signature_field, signed_fields,
};
use crate::header::{Header, HeaderField};

/// How to seal. Header and body are signed in relaxed form, always: a sealed message is one that
/// goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealOptions {
    /// Which header fields the message signature covers.
    pub fields: FieldsToCover,
    /// The time of the seal (`t=`).
    pub now: UnixTime,
}

impl SealOptions {
    /// The defaults, at this time.
    #[must_use]
    pub fn new(now: UnixTime) -> Self {
        Self { fields: FieldsToCover::Choice(FieldsToSign::default()), now }
    }
}

/// Which header fields the message signature covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldsToCover {
    /// Those that DKIM would sign, each once more than it is there, and every DKIM signature that
    /// is there (RFC 8617 §4.1.2).
    Choice(FieldsToSign),
    /// These and no others, in this order.
    Exactly(FieldNames),
}

/// Names for `h=`, as they shall stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames(Vec<Box<str>>);

impl FieldNames {
    /// Takes the names; `From` must be one of them. One that stands here more often than the field
    /// in the message keeps others from adding it.
    ///
    /// # Errors
    /// The first name that cannot be signed.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, FieldNamesError> {
        let names: Vec<Box<str>> = names.into_iter().map(Box::from).collect();
        if names.len() > MAX_SIGNED_FIELDS {
            return Err(FieldNamesError::TooMany { count: names.len() });
        }
        if let Some(found) = names.iter().find(|name| !is_field_name(name)) {
            return Err(FieldNamesError::NotAName { found: found.clone() });
        }
        if let Some(found) = names.iter().find(|name| is_excluded(name)) {
            return Err(FieldNamesError::Excluded { found: found.clone() });
        }
        if !names.iter().any(|name| name.eq_ignore_ascii_case("from")) {
            return Err(FieldNamesError::FromMissing);
        }
        Ok(Self(names))
    }
}

fn is_field_name(name: &str) -> bool {
    let is_name = |octet: u8| octet.is_ascii_graphic() && octet != b':' && octet != b';';
    (1..=COLUMNS_OF_NAME).contains(&name.len()) && name.bytes().all(is_name)
}

/// A name that could not be folded into a line of 78 columns is none.
const COLUMNS_OF_NAME: usize = 68;

/// §4.1.2: fields that "MUST NOT be included" in a message signature.
fn is_excluded(name: &str) -> bool {
    let kinds = [FieldKind::AuthenticationResults, FieldKind::MessageSignature, FieldKind::Seal];
    kinds.iter().any(|kind| kind.as_str().eq_ignore_ascii_case(name))
        || authres::FIELD_NAME.eq_ignore_ascii_case(name)
}

/// Why names cannot be those of a message signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldNamesError {
    /// Not the name of a header field, or one of more than 68 octets.
    NotAName {
        /// The name.
        found: Box<str>,
    },
    /// A field of ARC, or `Authentication-Results` (RFC 8617 §4.1.2).
    Excluded {
        /// The name.
        found: Box<str>,
    },
    /// `From` is not among them (RFC 6376 §5.4).
    FromMissing,
    /// More than 256.
    TooMany {
        /// How many.
        count: usize,
    },
}

impl fmt::Display for FieldNamesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAName { found } => {
                write!(f, "expected the name of a header field, found {found:?}")
            }
            Self::Excluded { found } => {
                write!(f, "expected a field that stays, found {found:?} (RFC 8617 §4.1.2)")
            }
            Self::FromMissing => {
                write!(f, "expected \"From\" among the fields, found none (RFC 6376 §5.4)")
            }
            Self::TooMany { count } => {
                write!(f, "expected at most {MAX_SIGNED_FIELDS} fields, found {count}")
            }
        }
    }
}

impl core::error::Error for FieldNamesError {}

/// A set to be put above the header, the seal on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSet {
    /// Its number.
    pub instance: u8,
    /// What the seal says of the chain before it.
    pub chain_status: ChainStatus,
    /// The field `ARC-Seal`.
    pub seal: HeaderField,
    /// The field `ARC-Message-Signature`.
    pub message_signature: HeaderField,
    /// The field `ARC-Authentication-Results`.
    pub authentication_results: HeaderField,
}

/// A message that is being sealed.
pub struct Sealer<'k, C: Crypto> {
    draft: Draft<'k, C>,
    /// The canonical header that the message signature covers.
    signed: Vec<u8>,
    /// The canonical fields of the sets before, if the seal covers them.
    sealed: Vec<u8>,
    body: BodyHash<C::Sha256>,
}

impl<'k, C: Crypto> Sealer<'k, C> {
    /// Takes the header as it will leave. `chain` is the chain validation status of the message
    /// when it came. If the message has no set it does not count; a chain that is there and has not
    /// passed is sealed as failed.
    ///
    /// # Errors
    /// Why there is nothing to seal.
    pub fn new(
        header: &Header,
        chain: ChainStatus,
        crypto: &'k C,
        with: SignWith<'k, C::SigningKey>,
        options: &SealOptions,
    ) -> Result<Self, SealError> {
        let Sets { highest, chain: sets } = collect(header);
        // §5.1 step 2: "there is no need to proceed".
        if matches!(sets, Err(ChainFailure::FailedBefore)) {
            return Err(SealError::FailedBefore);
        }
        // §5.1 step 3: one more than the highest, and at most 50 (§4.2.1).
        if highest >= MAX_INSTANCE {
            return Err(SealError::ChainIsFull);
        }
        let (chain_status, sealed) = match &sets {
            Ok(sets) if sets.is_empty() => (ChainStatus::None, Vec::new()),
            Ok(sets) if chain == ChainStatus::Pass => (ChainStatus::Pass, canonical(sets)),
            // §5.1.2: "as if this newest ARC Set was the only set present".
            _ => (ChainStatus::Fail, Vec::new()),
        };
        let names = names(header, &options.fields);
        if names.len() > MAX_SIGNED_FIELDS {
            return Err(SealError::TooManyFields { count: names.len() });
        }
        let mut signed = Vec::new();
        for field in signed_fields(header, names.iter().copied(), None) {
            header_field(Canonicalization::Relaxed, field, &mut signed);
        }
        let draft = Draft {
            crypto,
            with,
            now: options.now,
            instance: highest + 1,
            chain_status,
            names: names.join(":"),
        };
        let body = BodyHash::new(Canonicalization::Relaxed, None, crypto.sha256());
        Ok(Self { draft, signed, sealed, body })
    }

    /// Takes the next piece of the body, its lines ended by CRLF, cut anywhere.
    pub fn push(&mut self, octets: &[u8]) {
        self.body.push(octets);
    }

    /// The body is at its end. `results` is all that was found out about the message when it came;
    /// see [`AuthenticationResults::collect`].
    ///
    /// # Errors
    /// [`SealError::ResultsTooLong`], and [`SealError::Failed`] if the key makes no signature.
    pub fn finish(self, results: &AuthenticationResults) -> Result<SealedSet, SealError> {
        let Self { draft, signed, mut sealed, body } = self;
        let kind = FieldKind::AuthenticationResults;
        let value = results.write(kind.as_str(), Some(draft.instance));
        if value.len() > authres::MAX_FIELD {
            return Err(SealError::ResultsTooLong { octets: value.len() });
        }
        let authentication_results = draft.field(kind, &value)?;

        let body_hash = STANDARD.encode(body.finish().digest);
        let tags = || draft.message_signature_tags(&body_hash);
        let message_signature = draft.sign(FieldKind::MessageSignature, tags, signed)?;

        header_field(Canonicalization::Relaxed, &authentication_results, &mut sealed);
        header_field(Canonicalization::Relaxed, &message_signature, &mut sealed);
        let seal = draft.sign(FieldKind::Seal, || draft.seal_tags(), sealed)?;

        let Draft { instance, chain_status, .. } = draft;
        Ok(SealedSet { instance, chain_status, seal, message_signature, authentication_results })
    }
}

/// §5.1.1: the fields of a chain in the order in which they are sealed.
fn canonical(sets: &[Set<'_>]) -> Vec<u8> {
    let mut sealed = Vec::new();
    for set in sets {
        for field in [set.authentication_results, set.message_signature, set.seal] {
            header_field(Canonicalization::Relaxed, field, &mut sealed);
        }
    }
    sealed
}

/// §4.1.2: the message signature "SHOULD include any DKIM-Signature header fields already present".
fn names<'n>(header: &Header, fields: &'n FieldsToCover) -> Vec<&'n str> {
    match fields {
        FieldsToCover::Exactly(FieldNames(names)) => names.iter().map(|name| &**name).collect(),
        FieldsToCover::Choice(choice) => {
            let mut names = choice.names(header);
            names.extend(header.named(SIGNATURE_FIELD).map(|_| SIGNATURE_FIELD));
            names
        }
    }
}

/// A set that is being made.
struct Draft<'k, C: Crypto> {
    crypto: &'k C,
    with: SignWith<'k, C::SigningKey>,
    now: UnixTime,
    instance: u8,
    chain_status: ChainStatus,
    /// The value of `h=`.
    names: String,
}

impl<C: Crypto> Draft<'_, C> {
    fn message_signature_tags(&self, body_hash: &str) -> Vec<TagToWrite> {
        let mut tags = self.common_tags();
        tags.push(TagToWrite::new("c", "relaxed/relaxed"));
        tags.push(TagToWrite::new("h", self.names.as_str()));
        tags.push(TagToWrite::new("bh", body_hash));
        tags
    }

    fn seal_tags(&self) -> Vec<TagToWrite> {
        let mut tags = self.common_tags();
        tags.push(TagToWrite::new("cv", self.chain_status.as_str()));
        tags
    }

    /// What both fields have.
    fn common_tags(&self) -> Vec<TagToWrite> {
        let algorithm = Algorithm::of(self.with.key.key_type());
        alloc::vec![
            TagToWrite::new("i", format!("{}", self.instance)),
            TagToWrite::new("a", algorithm.as_str()),
            TagToWrite::new("d", self.with.domain.as_str()),
            TagToWrite::new("s", self.with.selector.as_str()),
            TagToWrite::new("t", format!("{}", self.now.0)),
        ]
    }

    /// RFC 6376 §3.7: the field without the value of `b=` is the last that is signed. As it has none
    /// yet, there is nothing to leave out.
    fn sign(
        &self,
        kind: FieldKind,
        tags: impl Fn() -> Vec<TagToWrite>,
        mut message: Vec<u8>,
    ) -> Result<HeaderField, SealError> {
        let unsigned = self.field(kind, &write(kind.as_str(), tags(), ""))?;
        let end = unsigned.octets().len();
        signature_field(Canonicalization::Relaxed, &unsigned, &(end..end), &mut message);
        let signature = match self.with.key.key_type() {
            KeyType::Rsa => self.with.key.sign(&message),
            // RFC 8463 §3: Ed25519 signs the hash.
            KeyType::Ed25519 => {
                let mut sha256 = self.crypto.sha256();
                sha256.update(&message);
                self.with.key.sign(&sha256.finish())
            }
        };
        let signature = STANDARD.encode(signature.map_err(|SigningFailed| self.failed())?);
        self.field(kind, &write(kind.as_str(), tags(), &signature))
    }

    fn field(&self, kind: FieldKind, value: &str) -> Result<HeaderField, SealError> {
        HeaderField::new(kind.as_str().as_bytes(), value.as_bytes()).map_err(|_| self.failed())
    }

    fn failed(&self) -> SealError {
        SealError::Failed { selector: self.with.selector.clone() }
    }
}

/// Why a message is not sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The last sealer has said that the chain does not hold; nothing is to be added (RFC 8617
    /// §5.1 step 2).
    FailedBefore,
    /// The chain has an instance 50 already (RFC 8617 §4.2.1).
    ChainIsFull,
    /// More than 256 header fields would be signed; other validators have bounds, too.
    TooManyFields {
        /// How many.
        count: usize,
    },
    /// What was found out takes more than 64 KiB: a bound of our own validator.
    ResultsTooLong {
        /// How many octets it takes.
        octets: usize,
    },
    /// The key has made no signature.
    Failed {
        /// The name of the key.
        selector: Selector,
    },
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailedBefore => {
                write!(f, "expected a chain to go on with, found cv=fail (RFC 8617 §5.1)")
            }
            Self::ChainIsFull => {
                write!(f, "expected at most {MAX_INSTANCE} sets, found them (RFC 8617 §4.2.1)")
            }
            Self::TooManyFields { count } => {
                write!(f, "expected at most {MAX_SIGNED_FIELDS} fields to sign, found {count}")
            }
            Self::ResultsTooLong { octets } => {
                let limit = authres::MAX_FIELD;
                write!(f, "results: expected at most {limit} octets, found {octets}")
            }
            Self::Failed { selector } => write!(f, "the key {selector} made no signature"),
        }
    }
}

impl core::error::Error for SealError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_to_cover() {
        let exactly = |names: &[&'static str]| FieldNames::new(names.iter().copied());
        assert!(exactly(&["mime-version", "from", "DKIM-Signature", "X-A"]).is_ok());
        assert_eq!(exactly(&["To"]), Err(FieldNamesError::FromMissing));
        for name in ["arc-seal", "ARC-Message-Signature", "authentication-results"] {
            let error = FieldNamesError::Excluded { found: name.into() };
            assert_eq!(exactly(&["from", name]), Err(error));
        }
        for name in ["", "a:b", "a;b", "a b", "a\r\nb"] {
            let error = FieldNamesError::NotAName { found: name.into() };
            assert_eq!(exactly(&["from", name]), Err(error));
        }
        let many = FieldNames::new(core::iter::repeat_n("from", 257));
        assert_eq!(many, Err(FieldNamesError::TooMany { count: 257 }));
    }
}
