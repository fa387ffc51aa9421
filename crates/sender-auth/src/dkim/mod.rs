//! DKIM, DomainKeys Identified Mail (RFC 6376).

mod canonical;

pub use canonical::{BodyDigest, BodyHash, Canonicalization, header_field};
