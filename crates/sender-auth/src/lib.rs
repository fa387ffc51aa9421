//! Who has sent a message: SPF, DKIM, ARC and DMARC, without IO.
//!
//! A mail server is told three things about where a message comes from, and anyone can lie in each:
//! the address of the connection with a name (HELO) and a return path (MAIL FROM), the header, and
//! in it the `From` that people see. Four standards bind them to a domain:
//!
//! 1. [`spf`] (RFC 7208): may this address send for the domain of the return path?
//! 2. [`dkim`] (RFC 6376, 8301, 8463, 8616): which domains have signed this message?
//! 3. [`arc`] (RFC 8617): what had those who forwarded it seen, before they changed it?
//! 4. [`dmarc`] (RFC 9989): does either of the first two speak for the domain that people see, and
//!    what does its owner ask for if not?
//!
//! [`authres`] (RFC 8601) hands the verdict on to whoever reads the message next, and [`report`]
//! (RFC 9990, 9991) tells it to the owner of the domain.
//!
//! [`Incoming`] makes all of these checks together, for one message whose body passes once, and
//! [`statement`] puts the results into words.
//!
//! Everything is a pure function or, where the DNS must be asked, need-driven evaluation over
//! `smtp_types::Known`. Time and limits are arguments, cryptography is the trait [`crypto::Crypto`].

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod arc;
mod authentication;
pub mod authres;
pub mod crypto;
pub mod dkim;
pub mod dmarc;
mod header;
pub mod iprev;
mod message;
pub mod report;
pub mod spf;
mod statement;
mod tag_list;

pub use authentication::{Authentication, Early, Incoming, Limits, Received};
pub use header::{Header, HeaderField, HeaderFieldError};
pub use message::{HeaderLimits, MessageError, MessageReader, Part};
pub use statement::statement;
pub use tag_list::{TagListError, TagListFault};
