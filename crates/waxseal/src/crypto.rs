//! The library that hashes, verifies and signs: aws-lc-rs behind the trait of `sender-auth`.
//!
//! The protocols say what is hashed and which keys count; here is only how. [`AwsLc`] verifies, a
//! [`SigningKey`] signs, and both are thin: what is slow is the library's own arithmetic.
//!
//! Verification remembers public keys. An RSA key that is used for the first time costs about a
//! seventh of a verification before the verification begins (reading, and preparing the modulus
//! for Montgomery multiplication); most mail of a day is signed by a few hundred keys, so the ones
//! in use stay prepared. Measured with 2048 bits: 17.7 µs for an unknown key, 15.7 µs for a known
//! one, of which the library itself needs 15.6 µs. The three ways into the library (both numbers,
//! `RSAPublicKey`, `SubjectPublicKeyInfo`) cost the same; Ed25519 needs no preparation.
//!
//! Private keys come from the operating system's random numbers, or from a file in one of the forms
//! that other signers write. They leave this module as PKCS#8 in PEM, for the file with the mode
//! 0600 and for nothing else: neither `Debug` nor an error text shows any of it.

mod short_rsa;
mod signing_key;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ED25519, ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_cache::sync::Cache;
use sender_auth::crypto::{Crypto, Digest, KeyType, RsaPublicKey, Sha256};

pub use signing_key::{SigningKey, SigningKeyError};

/// How many RSA public keys stay prepared; about 2 kB each.
const PREPARED_KEYS: usize = 1_000;

/// What one signature algorithm of DKIM needs of RSA: PKCS #1 v1.5 with SHA-256. How long a key
/// must be is decided in `dkim`; the library itself refuses less than 1024 bits.
static RSA_SHA256: &RsaParameters = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;

/// The longest modulus that is kept prepared: 4096 bits, the most that verifiers must support
/// (RFC 8301 §3.2). Longer ones are prepared each time.
const LONGEST_PREPARED: usize = 512;

/// AWS-LC, with the public keys that it was given lately. Share it: one for the process.
pub struct AwsLc {
    prepared: Cache<Vec<u8>, Arc<ParsedPublicKey>>,
}

impl AwsLc {
    /// Without any key yet.
    #[must_use]
    pub fn new() -> Self {
        Self { prepared: Cache::new(PREPARED_KEYS) }
    }

    fn prepared(&self, key: RsaPublicKey<'_>) -> Option<Arc<ParsedPublicKey>> {
        let RsaPublicKey { modulus, exponent } = key;
        let prepare = || {
            let components = RsaPublicKeyComponents { n: modulus, e: exponent };
            components.to_parsed_public_key(RSA_SHA256).ok().map(Arc::new)
        };
        if modulus.len() > LONGEST_PREPARED || exponent.len() > LONGEST_PREPARED {
            return prepare();
        }
        // With the length in front, so that no other key can have the same octets.
        let length = u16::try_from(modulus.len()).ok()?.to_be_bytes();
        let octets = [&length, modulus, exponent].concat();
        if let Some(known) = self.prepared.get(&octets) {
            return Some(known);
        }
        let new = prepare()?;
        self.prepared.insert(octets, Arc::clone(&new));
        Some(new)
    }
}

impl Default for AwsLc {
    fn default() -> Self {
        Self::new()
    }
}

impl Crypto for AwsLc {
    type Sha256 = Hasher;
    type SigningKey = SigningKey;

    fn sha256(&self) -> Hasher {
        Hasher(digest::Context::new(&digest::SHA256))
    }

    fn verify_rsa_sha256(&self, key: RsaPublicKey<'_>, message: &[u8], signature: &[u8]) -> bool {
        self.prepared(key).is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }

    fn verify_ed25519(&self, key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
    }
}

/// A SHA-256 under way.
pub struct Hasher(digest::Context);

impl Sha256 for Hasher {
    fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn finish(self) -> Digest {
        let mut digest = Digest::default();
        digest.copy_from_slice(self.0.finish().as_ref());
        digest
    }
}

/// A public key as a key record carries it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    key_type: KeyType,
    octets: Box<[u8]>,
}

impl PublicKey {
    /// A key whose octets come from a file of ours. Whether they fit a private key is seen where
    /// both are at hand.
    #[must_use]
    pub fn new(key_type: KeyType, octets: &[u8]) -> Self {
        Self { key_type, octets: octets.into() }
    }

    /// What kind of key it is.
    #[must_use]
    pub const fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The octets that `p=` carries in base64: a `SubjectPublicKeyInfo` for RSA (RFC 6376 §3.6.1
    /// with erratum 3017, and what everybody does), the 32 octets of the key for Ed25519
    /// (RFC 8463 §4.2).
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The value of `p=`.
    #[must_use]
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.octets)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.key_type.as_str(), self.base64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sender_auth::crypto::SigningKey as _;

    #[test]
    fn what_is_signed_is_verified_and_nothing_else() {
        let library = AwsLc::new();
        let rsa = SigningKey::generate(KeyType::Rsa).unwrap();
        let other = SigningKey::generate(KeyType::Rsa).unwrap();
        let mut signature = rsa.sign(b"message").unwrap();
        let (key, stranger) = (rsa_numbers(&rsa), rsa_numbers(&other));
        let key = RsaPublicKey { modulus: &key, exponent: &[1, 0, 1] };
        let stranger = RsaPublicKey { modulus: &stranger, exponent: &[1, 0, 1] };
        // Twice: the second time with a key that is prepared.
        for _ in 0..2 {
            assert!(library.verify_rsa_sha256(key, b"message", &signature));
            assert!(!library.verify_rsa_sha256(key, b"massage", &signature));
            assert!(!library.verify_rsa_sha256(stranger, b"message", &signature));
        }
        signature[9] ^= 1;
        assert!(!library.verify_rsa_sha256(key, b"message", &signature));

        let ed25519 = SigningKey::generate(KeyType::Ed25519).unwrap();
        let public: [u8; 32] = ed25519.public_key().unwrap().octets().try_into().unwrap();
        let mut signature = ed25519.sign(b"message").unwrap();
        assert!(library.verify_ed25519(&public, b"message", &signature));
        assert!(!library.verify_ed25519(&public, b"massage", &signature));
        signature[63] ^= 1;
        assert!(!library.verify_ed25519(&public, b"message", &signature));
    }

    /// The modulus of a key with 2048 bits and the exponent 65537: at the end of its octets.
    fn rsa_numbers(key: &SigningKey) -> Vec<u8> {
        let public = key.public_key().unwrap();
        let octets = public.octets();
        assert_eq!((octets.len(), &octets[289..]), (294, &[2, 3, 1, 0, 1][..]));
        octets[33..289].to_vec()
    }

    #[test]
    fn keys_that_make_no_sense_verify_nothing() {
        let library = AwsLc::new();
        let huge = vec![0xff; 100_000];
        for (modulus, exponent) in [
            (&[][..], &[][..]),
            (&[0], &[1]),
            (&[0xff; 256], &[]),
            (&[0xff; 256], &[0]),
            (&[0xff; 256], &[0xff; 256]),
            (&[0xff; 64], &[1, 0, 1]),
            (&huge, &[3]),
            (&[3], &huge),
        ] {
            let key = RsaPublicKey { modulus, exponent };
            for signature in [&[][..], &[0; 256], &[0xff; 256], &huge] {
                assert!(!library.verify_rsa_sha256(key, b"message", signature));
            }
        }
        for signature in [&[][..], &[0; 64], &huge] {
            assert!(!library.verify_ed25519(&[0xff; 32], b"message", signature));
        }
    }

    #[test]
    fn hashes() {
        let mut hash = AwsLc::new().sha256();
        hash.update(b"a");
        hash.update(b"");
        hash.update(b"bc");
        let digest = hash.finish();
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]); // FIPS 180-2, B.1
    }
}
