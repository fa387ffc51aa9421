//! DKIM, DomainKeys Identified Mail (RFC 6376).

mod canonical;
mod key;
mod lint;
mod sign;
mod signature;
mod strict;
mod verify;

pub use canonical::{BodyDigest, BodyHash, Canonicalization, header_field};
pub use key::{
    KeyFailure, KeyRecord, KeyRecordError, KeyRecordFault, MAX_RSA_BITS, MIN_RSA_BITS, PublicKey,
    Selector, ServiceType, key_question, select_key,
};
pub use lint::lint_key_record;
pub use sign::{FieldsToSign, FieldsToSignError, SignError, SignOptions, SignWith, Signer};
pub use signature::{
    Algorithm, Identity, SIGNATURE_FIELD, Signature, SignatureError, SignatureFault,
};
pub use strict::{Lapse, NotStrict, not_strict};
pub use verify::{
    DkimResult, Hashed, Reason, SignatureResult, Verifier, VerifyLimits, message_result,
};
