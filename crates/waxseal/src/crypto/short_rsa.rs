//! RSA keys of 1024 to 2047 bits, which AWS-LC does not sign with.
//!
//! RFC 8301 §3.2 lets signers use them, and some DNS providers cannot publish longer ones. They are
//! only taken over from files, never made. Signing is blinded, for this library's arithmetic does
//! not take constant time (RUSTSEC-2023-0071); nothing is ever decrypted.

use ::rsa::pkcs1::DecodeRsaPrivateKey;
use ::rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use ::rsa::rand_core::OsRng;
use ::rsa::traits::PublicKeyParts;
use ::rsa::{Pkcs1v15Sign, RsaPrivateKey};
use aws_lc_rs::digest;
use sender_auth::crypto::SigningFailed;

use super::SigningKeyError;

/// The least that a signer may use, in bits (RFC 8301 §3.2).
const SHORTEST: usize = 1024;

/// `DigestInfo` of SHA-256 up to the digest (RFC 8017 §9.2, note 1).
const SHA256_PREFIX: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// A key that is shorter than it should be.
pub(super) struct ShortRsaKey(RsaPrivateKey);

impl ShortRsaKey {
    /// `None` if it is no RSA key, or has less than 1024 bits.
    pub(super) fn from_pkcs1(der: &[u8]) -> Option<Self> {
        RsaPrivateKey::from_pkcs1_der(der).ok().and_then(Self::new)
    }

    /// As [`from_pkcs1`](Self::from_pkcs1).
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        RsaPrivateKey::from_pkcs8_der(der).ok().and_then(Self::new)
    }

    fn new(key: RsaPrivateKey) -> Option<Self> {
        (key.n().bits() >= SHORTEST && key.validate().is_ok()).then_some(Self(key))
    }

    pub(super) fn bits(&self) -> usize {
        self.0.n().bits()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let digest = digest::digest(&digest::SHA256, message);
        let padding =
            Pkcs1v15Sign { hash_len: Some(digest.as_ref().len()), prefix: SHA256_PREFIX.into() };
        self.0.sign_with_rng(&mut OsRng, padding, digest.as_ref()).map_err(|_| SigningFailed)
    }

    pub(super) fn to_pem(&self) -> Result<String, SigningKeyError> {
        let refused = |_| SigningKeyError::Refused { detail: "no PKCS#8".into() };
        Ok(self.0.to_pkcs8_pem(LineEnding::LF).map_err(refused)?.as_str().to_owned())
    }

    /// `SubjectPublicKeyInfo`.
    pub(super) fn public_key(&self) -> Result<Vec<u8>, SigningKeyError> {
        let refused = |_| SigningKeyError::Refused { detail: "no public key".into() };
        Ok(self.0.to_public_key().to_public_key_der().map_err(refused)?.into_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{AwsLc, SigningKey};
    use sender_auth::crypto::{Crypto, RsaPublicKey, SigningKey as _};

    #[test]
    fn a_short_key_of_somebody_else_signs() {
        let made = RsaPrivateKey::new(&mut OsRng, 1024).unwrap();
        let pem = made.to_pkcs8_pem(LineEnding::LF).unwrap();
        let key = SigningKey::from_file_text(pem.as_bytes()).unwrap();
        assert_eq!(key.bits(), 1024);
        assert_eq!(key.to_pem().unwrap(), *pem);
        let signature = key.sign(b"message").unwrap();
        let (modulus, exponent) = (made.n().to_bytes_be(), made.e().to_bytes_be());
        let public = RsaPublicKey { modulus: &modulus, exponent: &exponent };
        assert!(AwsLc::new().verify_rsa_sha256(public, b"message", &signature));
        assert!(!AwsLc::new().verify_rsa_sha256(public, b"massage", &signature));
        assert!(key.public_key().unwrap().octets().windows(128).any(|window| window == modulus));
    }

    #[test]
    fn a_key_that_is_too_short_is_refused() {
        let made = RsaPrivateKey::new(&mut OsRng, 1016).unwrap();
        let pem = made.to_pkcs8_pem(LineEnding::LF).unwrap();
        let error = SigningKey::from_file_text(pem.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("1024 to 4096 bits"), "{error}");
    }
}
