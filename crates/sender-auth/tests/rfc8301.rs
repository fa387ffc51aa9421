//! RFC 8301, which algorithms and key sizes count, clause by clause. Each name carries the section.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod crypto;
mod world;

use crypto::{AwsLcKey, TestVectors};
use sender_auth::HeaderField;
use sender_auth::dkim::{
    DkimResult, KeyFailure, KeyRecord, PublicKey, Reason, Signature, SignatureFault,
};
use world::{World, above, read};

const MESSAGE: &str = "From: joe@example.com\r\n\r\nHi.\r\n";

/// A signature whose body hash fits; the other hash is for the vectors to say.
fn signed(algorithm: &str) -> Vec<u8> {
    let field = format!(
        "DKIM-Signature: v=1; a={algorithm}; d=example.com; s=s; h=from; \
         bh=UrA8rmgY3eNBotmDWtzAmHyn5RyZv8Gea45sNGsP0zw=; b=AAAA"
    );
    let field = HeaderField::parse(field.as_bytes()).unwrap();
    above(&[field], MESSAGE.as_bytes())
}

/// A crypto that finds every signature good: what it says must not be all that counts.
struct Yes;

impl sender_auth::crypto::Crypto for Yes {
    type Sha256 = crypto::Sha2;
    type SigningKey = AwsLcKey;

    fn sha256(&self) -> crypto::Sha2 {
        TestVectors.sha256()
    }

    fn verify_rsa_sha256(
        &self,
        _: sender_auth::crypto::RsaPublicKey<'_>,
        _: &[u8],
        _: &[u8],
    ) -> bool {
        true
    }

    fn verify_ed25519(&self, _: &[u8; 32], _: &[u8], _: &[u8]) -> bool {
        true
    }
}

/// An RSA key of this size. Nobody has its private half.
fn record(bits: usize) -> String {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] = u8::MAX >> (modulus.len() * 8 - bits);
    let key = PublicKey::Rsa { modulus: modulus.into(), exponent: [1, 0, 1].into() };
    assert_eq!(key.bits(), bits);
    KeyRecord::new(key).to_string()
}

fn reason(algorithm: &str, record: &str) -> Reason {
    let world = World::default().key("s._domainkey.example.com", record);
    let result = world.verify(&Yes, &signed(algorithm)).into_iter().next().unwrap();
    result.reason
}

#[test]
fn s3_1_rsa_sha1_has_permanently_failed() {
    let reason = reason("rsa-sha1", &record(2048));
    assert!(
        matches!(&reason, Reason::Malformed(error) if error.fault == SignatureFault::Sha1),
        "{reason:?}"
    );
    assert_eq!(reason.result(), DkimResult::PermError);
    // Its key is not even asked for.
    let (header, _) = read(&signed("rsa-sha1"));
    assert!(Signature::parse(&header.fields()[0]).is_err());
}

#[test]
fn s3_1_rsa_sha256_is_verified() {
    assert_eq!(reason("rsa-sha256", &record(2048)), Reason::Verified);
}

#[test]
fn s3_2_keys_below_1024_bits_never_verify() {
    for bits in [512, 768, 1016, 1023] {
        let reason = reason("rsa-sha256", &record(bits));
        assert_eq!(reason, Reason::Key(KeyFailure::TooShort { bits }));
        assert_eq!(reason.result(), DkimResult::PermError);
    }
}

#[test]
fn s3_2_keys_from_1024_to_4096_bits_do() {
    for bits in [1024, 2048, 3072, 4096, 8192] {
        assert_eq!(reason("rsa-sha256", &record(bits)), Reason::Verified);
    }
    let bits = 8193;
    assert_eq!(reason("rsa-sha256", &record(bits)), Reason::Key(KeyFailure::TooLong { bits }));
}
