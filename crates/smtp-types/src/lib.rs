//! The words that every part of secure mail transport needs.
//!
//! Mail servers find each other by names ([`DomainName`], [`NextHop`], [`Mx`]), learn about each
//! other from the DNS ([`DnsAnswer`]) and from web servers ([`HttpsAnswer`]), and must know how
//! far each answer can be trusted ([`Dnssec`]). This crate gives those words one type each, and
//! nothing more: it knows no protocol. What an `_mta-sts` record means is said in `mta-sts`, what
//! a TLSA record means in `smtp-dane`.
//!
//! It also holds the one way in which the core asks for what it does not know yet, instead of
//! looking it up itself: a function that lacks an answer leaves by `?` with a [`Need`]; whoever
//! does the IO satisfies all of it at once, adds the answers to [`Known`], and calls again.
//!
//! ```
//! use smtp_types::{DnsQuestion, DomainName, Known, Need, RecordType};
//!
//! fn count_of_mail_servers(known: &Known, domain: &DomainName) -> Result<usize, Need> {
//!     let reply = known.dns(&DnsQuestion::new(domain.clone(), RecordType::Mx))?;
//!     Ok(reply.as_ref().map_or(0, |answer| answer.mx().count()))
//! }
//!
//! let domain = DomainName::parse("example.com").unwrap();
//! let need = count_of_mail_servers(&Known::default(), &domain).unwrap_err();
//! assert_eq!(need.to_string(), "MX example.com");
//! ```
//!
//! There is no clock here, no socket and no log: time is an argument ([`UnixTime`]), and the
//! compiler holds the crate to it (`no_std`).

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod dns;
mod dns_name;
mod domain_name;
mod email_address;
mod finding;
mod https;
mod need;
mod next_hop;
mod record_field;
mod time;

pub use dns::{
    DnsAnswer, DnsFailure, DnsQuestion, DnsReply, Dnssec, Mx, RecordData, RecordType, TlsaRdata,
};
pub use dns_name::DnsName;
pub use domain_name::{DomainName, DomainNameError};
pub use email_address::{EmailAddress, EmailAddressError};
pub use finding::{Finding, Position, Severity};
pub use https::{CertificateFault, HttpsAnswer, HttpsFailure, HttpsQuestion, HttpsReply};
pub use need::{Known, Need, all, both};
pub use next_hop::{NextHop, NextHopError};
pub use record_field::{RecordField, RecordFieldError, RecordFieldFault};
pub use time::UnixTime;
