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

pub(crate) use canonical::{signature_field, signed_fields};
pub(crate) use key::look_up_key;
pub(crate) use signature::{
    MAX_SIGNED_FIELDS, at as fault_at, check_query_methods, parse_algorithm, parse_base64,
    parse_canonicalization, parse_domain, parse_number, parse_selector, required,
};
