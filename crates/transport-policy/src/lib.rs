//! How must mail to this domain be encrypted? Facts in, one decision with its reasons out.
//!
//! Two protocols answer the question, and neither knows the other. DANE ([`smtp_dane`]) speaks
//! through signed DNS, for each mail host; MTA-STS ([`mta_sts`]) speaks through the web, for the
//! whole domain. This crate is the place where they meet:
//!
//! 1. [`gather`] finds out what both say, side by side, and keeps it as [`Facts`].
//! 2. [`decide`] turns the facts, the operator's [`Settings`] and [`LocalPolicy`] into one
//!    [`Decision`]: what the mail server is told, and why, as values ([`Reason`]).
//! 3. [`result_types`] says what a TLS report (RFC 8460) calls the failures among the facts, and
//!    [`session_result_type`] what it calls those of a session ([`SessionFailure`]).
//!
//! What decides, in this order:
//!
//! - The operator's own word for this domain.
//! - DANE before MTA-STS: "senders who implement MTA-STS validation MUST NOT allow MTA-STS Policy
//!   validation to override a failing DANE validation" (RFC 8461 §2).
//! - What cannot be known is not taken for absent: a bogus answer, or a TLSA look-up that fails in
//!   a signed zone, defers the mail (RFC 7672 §2.1.1, §2.2).
//! - Where nobody asks for protection, mail goes as it always did.
//!
//! No clock, no IO: whoever calls brings the answers and the time.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod decide;
mod decision;
mod facts;
mod reason;
mod report;
mod session;

pub use decide::decide;
pub use decision::{
    Answer, Decision, Level, LocalMatch, LocalPolicy, LocalRule, MixedHosts, OnStsError, Settings,
};
pub use facts::{Facts, Memory, gather};
pub use reason::Reason;
pub use report::{policy_result_type, result_types, session_result_type};
pub use session::SessionFailure;
