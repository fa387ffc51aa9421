//! DKIM, DomainKeys Identified Mail (RFC 6376, 8301, 8463, 8616): a domain takes responsibility for
//! a message by signing it.
//!
//! The signature is a header field of its own. It names the domain (`d=`), the key (`s=`), the
//! header fields that were signed (`h=`), the digest of the body (`bh=`) and the signature over
//! all that (`b=`). The public key stands in the DNS. So whoever has the message and the DNS can
//! check whether header and body are still what that domain has sent, however many servers it has
//! passed.
//!
//! ```text
//! DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=2026;
//!  h=from:to:subject:date:from; bh=...; b=...
//!
//! 2026._domainkey.example.com.  TXT  "v=DKIM1; k=rsa; p=..."
//! ```
//!
//! [`Verifier`] verifies, [`Signer`] signs; both take the body piece by piece and store none of it.
//! [`Signature`] and [`KeyRecord`] are the two texts, [`lint_key_record`] knows what else may be
//! unwise about the second, and [`not_strict`] what had better not be signed.
//!
//! What a signature does not say: that the domain is that of `From` (see [`dmarc`](crate::dmarc)),
//! that the message is wanted, or who else has seen it.

mod body;
mod canonical;
mod gathered;

mod key;
mod key_fault;
mod lint;
mod public_key;
mod result;
mod selector;
mod sign;
mod signature;
mod signature_fault;
mod strict;
mod verify;

pub use body::{BodyDigest, BodyHash};
pub use canonical::{Canonicalization, header_field};
pub use key::{KeyFailure, KeyRecord, ServiceType, select_key};
pub use key_fault::{KeyRecordError, KeyRecordFault};
pub use lint::lint_key_record;
pub use public_key::{MAX_RSA_BITS, MIN_RSA_BITS, PublicKey};
pub use result::{DkimResult, Reason, SignatureResult, message_result};
pub use selector::{Selector, key_question};
pub use sign::{FieldsToSign, FieldsToSignError, SignError, SignOptions, SignWith, Signer};
pub use signature::{Algorithm, Identity, SIGNATURE_FIELD, Signature};
pub use signature_fault::{SignatureError, SignatureFault};
pub use strict::{Lapse, NotStrict, not_strict};
pub use verify::{Hashed, Verifier, VerifyLimits};

pub(crate) use canonical::{signature_field, signed_fields};
pub(crate) use key::look_up_key;
pub(crate) use signature::{
    MAX_SIGNED_FIELDS, at as fault_at, check_query_methods, parse_algorithm, parse_base64,
    parse_canonicalization, parse_domain, parse_number, parse_selector, required,
};
