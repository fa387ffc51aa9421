//! DKIM, DomainKeys Identified Mail (RFC 6376).

mod canonical;
mod key;
mod signature;

pub use canonical::{BodyDigest, BodyHash, Canonicalization, header_field};
pub use key::{
    KeyFailure, KeyRecord, KeyRecordError, KeyRecordFault, MAX_RSA_BITS, MIN_RSA_BITS, PublicKey,
    Selector, ServiceType, key_question, select_key,
};
pub use signature::{
    Algorithm, Identity, SIGNATURE_FIELD, Signature, SignatureError, SignatureFault,
};
