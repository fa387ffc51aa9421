//! The cryptography that the protocols need, and that somebody else brings.
//!
//! DKIM and ARC hash and verify and sign; how that is done is no matter of theirs. So it is one
//! small trait: the program fills it with a library that a security team looks after, the tests
//! fill it with the test vectors of the standards, and this crate stays free of both.

use alloc::vec::Vec;

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Who hashes, verifies and signs.
///
/// Nothing here decides: which algorithms count, how long a key must be and what a failure means
/// is said in `dkim`. A verification that cannot be done (a key that the library refuses) is one
/// that fails.
pub trait Crypto {
    /// SHA-256 over octets that come piece by piece.
    type Sha256: Sha256;

    /// A private key.
    type SigningKey: SigningKey;

    /// A new, empty hash.
    fn sha256(&self) -> Self::Sha256;

    /// Whether `signature` is the RSASSA-PKCS1-v1_5 signature with SHA-256 of `message`
    /// (RFC 8017 §8.2.2) by `key`.
    fn verify_rsa_sha256(&self, key: RsaPublicKey<'_>, message: &[u8], signature: &[u8]) -> bool;

    /// Whether `signature` is the PureEdDSA signature of `message` by the Ed25519 key `key`
    /// (RFC 8032 §5.1.7).
    fn verify_ed25519(&self, key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool;
}

/// A hash under way.
pub trait Sha256 {
    /// Adds octets.
    fn update(&mut self, octets: &[u8]);

    /// The digest of all octets that were added.
    fn finish(self) -> Digest;
}

/// An RSA public key: both numbers big-endian, without leading zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RsaPublicKey<'k> {
    /// The modulus.
    pub modulus: &'k [u8],
    /// The public exponent.
    pub exponent: &'k [u8],
}

/// A private key that can be asked for signatures and for nothing else.
pub trait SigningKey {
    /// What kind of key it is.
    fn key_type(&self) -> KeyType;

    /// The signature of `message`: RSASSA-PKCS1-v1_5 with SHA-256 for an RSA key, PureEdDSA for an
    /// Ed25519 key.
    ///
    /// # Errors
    /// [`SigningFailed`] if the library refuses.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed>;
}

/// The kinds of keys that a signature may come from (RFC 6376 §3.6.1 `k=`, RFC 8463 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// `rsa`
    Rsa,
    /// `ed25519`
    Ed25519,
}

impl KeyType {
    /// The word of a key record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// The library that signs has refused. There is nothing more to say of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningFailed;

impl core::fmt::Display for SigningFailed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the private key made no signature")
    }
}

impl core::error::Error for SigningFailed {}
