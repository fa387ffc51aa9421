//! The floor: hash and verify, and nothing else.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ED25519, ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RsaPublicKeyComponents,
};
use sender_auth::crypto::{Crypto, Digest, RsaPublicKey, Sha256};
use waxseal::crypto::{AwsLc, SigningKey};

use crate::message::{Case, World};
use crate::subject::{check, read};

/// The operations of the library that one verification comes down to, with what they work on.
pub(crate) struct Floor {
    /// What is hashed, each in one piece.
    hashed: Vec<Vec<u8>>,
    key: ParsedPublicKey,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Floor {
    /// Verifies the message once and writes down what the library is asked to do.
    pub(crate) fn new(world: &World, case: &Case) -> Self {
        let recorder = Recorder::default();
        check(&read(&case.octets, &recorder), &world.known, &recorder);
        let (key, message, signature) = recorder.verified.take().unwrap();
        let hashed = recorder.hashed.take();
        Self { hashed, key, message, signature }
    }

    pub(crate) fn run(&self) {
        for octets in &self.hashed {
            black_box(digest::digest(&digest::SHA256, black_box(octets)));
        }
        self.key.verify_sig(black_box(&self.message), black_box(&self.signature)).unwrap();
    }
}

/// What was verified: key, message and signature.
type Verified = (ParsedPublicKey, Vec<u8>, Vec<u8>);

/// Does what it is asked to do, and writes it down.
#[derive(Default)]
struct Recorder {
    hashed: Rc<RefCell<Vec<Vec<u8>>>>,
    verified: RefCell<Option<Verified>>,
}

impl Recorder {
    fn verify(&self, key: ParsedPublicKey, message: &[u8], signature: &[u8]) -> bool {
        let is_valid = key.verify_sig(message, signature).is_ok();
        self.verified.replace(Some((key, message.to_vec(), signature.to_vec())));
        is_valid
    }
}

impl Crypto for Recorder {
    type Sha256 = Hasher;
    type SigningKey = SigningKey;

    fn sha256(&self) -> Hasher {
        Hasher { octets: Vec::new(), done: Rc::clone(&self.hashed) }
    }

    fn verify_rsa_sha256(&self, key: RsaPublicKey<'_>, message: &[u8], signature: &[u8]) -> bool {
        let components = RsaPublicKeyComponents { n: key.modulus, e: key.exponent };
        let parameters = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
        self.verify(components.to_parsed_public_key(parameters).unwrap(), message, signature)
    }

    fn verify_ed25519(&self, key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
        self.verify(ParsedPublicKey::new(&ED25519, key).unwrap(), message, signature)
    }
}

struct Hasher {
    octets: Vec<u8>,
    done: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Sha256 for Hasher {
    fn update(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    fn finish(self) -> Digest {
        let mut sha256 = AwsLc::new().sha256();
        sha256.update(&self.octets);
        self.done.borrow_mut().push(self.octets);
        sha256.finish()
    }
}
