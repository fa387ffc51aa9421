//! Two fillings of [`Crypto`]: a real library, and the test vectors of the standards.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sender_auth::crypto::{
    Crypto, Digest, KeyType, RsaPublicKey, Sha256, SigningFailed, SigningKey,
};
use sender_auth::dkim::KeyRecord;
use sha2::Digest as _;

/// A library that is looked after.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl Crypto for AwsLc {
    type Sha256 = AwsLcSha256;
    type SigningKey = AwsLcKey;

    fn sha256(&self) -> AwsLcSha256 {
        AwsLcSha256(digest::Context::new(&digest::SHA256))
    }

    fn verify_rsa_sha256(&self, key: RsaPublicKey<'_>, message: &[u8], signature: &[u8]) -> bool {
        let parameters = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
        let key = RsaPublicKeyComponents { n: key.modulus, e: key.exponent };
        key.verify(parameters, message, signature).is_ok()
    }

    fn verify_ed25519(&self, key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
    }
}

pub struct AwsLcSha256(digest::Context);

impl Sha256 for AwsLcSha256 {
    fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn finish(self) -> Digest {
        self.0.finish().as_ref().try_into().unwrap()
    }
}

/// A private key of either kind.
pub enum AwsLcKey {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl AwsLcKey {
    /// A new RSA key of 2048 bits.
    pub fn new_rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    /// The Ed25519 key of this seed.
    pub fn ed25519(seed: &[u8; 32]) -> Self {
        Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(seed).unwrap())
    }

    /// The record that publishes it.
    pub fn record(&self) -> KeyRecord {
        let (word, octets) = match self {
            Self::Rsa(pair) => ("rsa", pair.public_key().as_ref()),
            Self::Ed25519(pair) => ("ed25519", pair.public_key().as_ref()),
        };
        let text = format!("k={word}; p={}", STANDARD.encode(octets));
        KeyRecord::parse(text.as_bytes()).unwrap()
    }
}

impl SigningKey for AwsLcKey {
    fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa(_) => KeyType::Rsa,
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| SigningFailed)?;
                Ok(signature)
            }
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// What the standards have printed: hashes are computed, and a signature is good if it is one of
/// theirs over the octets that they signed.
#[derive(Clone, Copy, Debug)]
pub struct TestVectors;

/// SHA-256 of the octets that were signed, and the signature, both as Base64.
const VECTORS: [(&str, &str); 3] = [
    // RFC 6376 Appendix A.2
    (
        "WbRrn0X3Yqs7trHBUtQpjtV9J8HnCsaIGw7G0BL/DCI=",
        "AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+\
         NahM6L/LbvaHutKVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV4bmp/YzhwvcubU4=",
    ),
    // RFC 8463 Appendix A.3, Ed25519 and RSA
    (
        "yqVpPHolubBQrb9w4NN3gP0jZ9VAO09HlEyK1ZBBgY0=",
        "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==",
    ),
    (
        "/tcebXD7Eju1w1OtxCghswS2udVPyGfzBPfGHaqqERE=",
        "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOe\
         S9mPYQTnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=",
    ),
];

impl TestVectors {
    fn is_known(&self, message: &[u8], signature: &[u8]) -> bool {
        let digest = STANDARD.encode(sha2::Sha256::digest(message));
        let signature = STANDARD.encode(signature);
        VECTORS.iter().any(|(known, by)| *known == digest && *by == signature)
    }
}

impl Crypto for TestVectors {
    type Sha256 = Sha2;
    type SigningKey = AwsLcKey;

    fn sha256(&self) -> Sha2 {
        Sha2(sha2::Sha256::new())
    }

    fn verify_rsa_sha256(&self, _: RsaPublicKey<'_>, message: &[u8], signature: &[u8]) -> bool {
        self.is_known(message, signature)
    }

    fn verify_ed25519(&self, _: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
        self.is_known(message, signature)
    }
}

pub struct Sha2(sha2::Sha256);

impl Sha256 for Sha2 {
    fn update(&mut self, octets: &[u8]) {
        sha2::Digest::update(&mut self.0, octets);
    }

    fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}
