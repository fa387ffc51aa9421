//! DANE for SMTP, DNS-Based Authentication of Named Entities (RFC 6698, 7671, 7672), without IO.
//!
//! A host that receives mail says in the DNS which certificate or key it will show: a [`Tlsa`]
//! record at `_25._tcp.<host>`. DNSSEC signs that record, so whoever validates DNSSEC needs no
//! authority of the web, and learns at the same time that the host speaks TLS at all: an attacker
//! who strips STARTTLS is found out. A sender goes three steps:
//!
//! 1. [`discover`] finds the hosts of a domain and their records. It asks for TLSA records only
//!    where the host's zone is signed, and tells "there is no DANE" from "somebody keeps me from
//!    seeing it": the first is delivered as ever, the second waits.
//! 2. [`usable`] sorts out the records that SMTP can use. If none remains, TLS is still
//!    mandatory, only not authenticated (RFC 7672 §2.2).
//! 3. [`verify`] holds the chain that the host presents against the usable records. With usage
//!    DANE-EE(3) the record binds the key, and names and dates do not count; with DANE-TA(2) it
//!    names a trust anchor, and a path, dates and the [`ReferenceIdentifiers`] count.
//!
//! ```
//! use smtp_dane::{CertUsage, Tlsa};
//!
//! let text = "3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
//! let tlsa = Tlsa::parse_presentation(text)?;
//! assert_eq!(tlsa.usage(), CertUsage::DaneEe);
//! assert_eq!(tlsa.to_string(), text);
//!
//! let error = Tlsa::parse_presentation("3 1 1 e3b0c4").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "line 1, column 7: data: expected 32 octets for SHA2-256, found 3 (RFC 6698 §2.1.3)"
//! );
//! # Ok::<(), smtp_dane::PresentationError>(())
//! ```
//!
//! | RFC | here |
//! |---|---|
//! | 6698 §2.1 the record | [`Tlsa::parse`] |
//! | 6698 §2.2 its presentation form | [`Tlsa::parse_presentation`], [`parse_records`] |
//! | 7672 §2.1, §2.2 which records apply | [`discover`] |
//! | 7672 §2.2.3 and 6698 §3 where they stand | [`tlsa_question`] |
//! | 7672 §3.1 which of them SMTP can use | [`usable`] |
//! | 7672 §3.2 names in the certificate | [`ReferenceIdentifiers`] |
//! | 7671 §5.1, §5.2 matching the chain | [`verify`] |
//! | 7671 §9 digest algorithm agility | [`verify`] |
//!
//! What is not here: whether to deliver when a host has no DANE, or when the MX records are not
//! signed, is decided in `transport-policy`, which knows MTA-STS too.
//!
//! One exception to the rule that types of dependencies stay out of the public API: certificates
//! and signature algorithms are those of `rustls-pki-types`. That crate is the vocabulary that
//! the TLS crates of this language share, has no IO, and a copy of it would help nobody.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod base_domain;
mod certificate;
mod discover;
mod host;
mod lint;
mod names;
mod presentation;
mod tlsa;
mod usable;
mod verify;

pub use base_domain::tlsa_question;
pub use discover::{Discovery, HostDiscovery, MAX_HOSTS, MxLookup, discover};
pub use host::{HostDane, NoAddress, NoDane};
pub use lint::lint_tlsa;
pub use names::ReferenceIdentifiers;
pub use presentation::{PresentationError, PresentationFault, parse_records};
pub use tlsa::{CertUsage, MatchingType, Selector, Tlsa, TlsaFault};
pub use usable::{Rejected, Unusable, UsableSet, usable};
pub use verify::{Judgment, MAX_CHAIN, Match, PathOptions, VerifyError, judge, verify};
