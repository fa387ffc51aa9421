//! A public key, as the DNS holds it and as a signature needs it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use spki::der::Encode as _;
use spki::der::asn1::{AnyRef, BitStringRef, UintRef};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::crypto::{Crypto, KeyType, RsaPublicKey, Sha256};
use crate::dkim::KeyRecordFault;

/// The least size of an RSA key that counts (RFC 8301 §3.2).
pub const MIN_RSA_BITS: usize = 1024;

/// The greatest size of an RSA key that is used: twice what verifiers must know (RFC 8301 §3.2).
/// Greater ones would only cost time.
pub const MAX_RSA_BITS: usize = 8192;

/// A public key as a record holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// `k=rsa`: both numbers big-endian, without leading zeros.
    Rsa {
        /// The modulus.
        modulus: Box<[u8]>,
        /// The public exponent.
        exponent: Box<[u8]>,
    },
    /// `k=ed25519` (RFC 8463 §4.2)
    Ed25519(Box<[u8; 32]>),
}

impl PublicKey {
    /// What kind of key it is.
    #[must_use]
    pub const fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa { .. } => KeyType::Rsa,
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// How many bits the modulus has; 256 for Ed25519.
    #[must_use]
    pub fn bits(&self) -> usize {
        match self {
            Self::Rsa { modulus, .. } => {
                let zeros = modulus.first().map_or(0, |octet| octet.leading_zeros() as usize);
                (modulus.len() * 8).saturating_sub(zeros)
            }
            Self::Ed25519(_) => 256,
        }
    }

    /// Whether `signature` is one of `message` by this key: RSASSA-PKCS1-v1_5 with SHA-256, or
    /// Ed25519 over the SHA-256 of the message (RFC 8463 §3).
    pub(crate) fn verify<C: Crypto>(&self, crypto: &C, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { modulus, exponent } => {
                let key = RsaPublicKey { modulus, exponent };
                crypto.verify_rsa_sha256(key, message, signature)
            }
            Self::Ed25519(key) => {
                let mut sha256 = crypto.sha256();
                sha256.update(message);
                crypto.verify_ed25519(key, &sha256.finish(), signature)
            }
        }
    }
}

/// The value of `p=`: a SubjectPublicKeyInfo for RSA, the bare key for Ed25519.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = match self {
            Self::Rsa { modulus, exponent } => {
                subject_public_key_info(modulus, exponent).map_err(|_| fmt::Error)?
            }
            Self::Ed25519(key) => key.to_vec(),
        };
        write!(f, "{}", Base64Display::new(&octets, &STANDARD))
    }
}

fn subject_public_key_info(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, spki::der::Error> {
    let key = pkcs1::RsaPublicKey {
        modulus: UintRef::new(modulus)?,
        public_exponent: UintRef::new(exponent)?,
    };
    let key = key.to_der()?;
    SubjectPublicKeyInfoRef { algorithm: RSA, subject_public_key: BitStringRef::from_bytes(&key)? }
        .to_der()
}

/// `rsaEncryption` (RFC 8017 Appendix A.1).
const RSA: AlgorithmIdentifierRef<'_> = AlgorithmIdentifierRef {
    oid: ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
    parameters: Some(AnyRef::NULL),
};

/// RFC 6376 §3.6.1 `p=` speaks of an RSAPublicKey, its examples hold a SubjectPublicKeyInfo, and
/// both are published.
pub(crate) fn parse_rsa(der: &[u8]) -> Result<PublicKey, KeyRecordFault> {
    let der = match SubjectPublicKeyInfoRef::try_from(der) {
        Ok(info) if info.algorithm.oid == RSA.oid => {
            info.subject_public_key.as_bytes().ok_or(KeyRecordFault::RsaEncoding)?
        }
        Ok(_) => return Err(KeyRecordFault::RsaEncoding),
        Err(_) => der,
    };
    let key = pkcs1::RsaPublicKey::try_from(der).map_err(|_| KeyRecordFault::RsaEncoding)?;
    let exponent = key.public_exponent.as_bytes();
    // An even exponent or 1 is no key: with 1, everyone could sign.
    if exponent == [1] || exponent.last().is_none_or(|octet| octet % 2 == 0) {
        return Err(KeyRecordFault::RsaExponent);
    }
    Ok(PublicKey::Rsa { modulus: key.modulus.as_bytes().into(), exponent: exponent.into() })
}

/// RFC 8463 §4.2: the 32 octets of the key and nothing around them.
pub(crate) fn parse_ed25519(octets: &[u8]) -> Result<PublicKey, KeyRecordFault> {
    if let Ok(key) = <[u8; 32]>::try_from(octets) {
        return Ok(PublicKey::Ed25519(Box::new(key)));
    }
    match SubjectPublicKeyInfoRef::try_from(octets) {
        Ok(_) => Err(KeyRecordFault::Ed25519Wrapped),
        Err(_) => Err(KeyRecordFault::Ed25519Length { octets: octets.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_that_let_everyone_sign() {
        for exponent in [&[1][..], &[2], &[1, 0, 0]] {
            let der = subject_public_key_info(&[0x80; 128], exponent).unwrap();
            assert_eq!(parse_rsa(&der), Err(KeyRecordFault::RsaExponent));
        }
        let der = subject_public_key_info(&[0x3f; 128], &[3]).unwrap();
        assert_eq!(parse_rsa(&der).unwrap().bits(), 1022);
    }
}
