//! One TLS handshake, as whoever made it tells of it.
//!
//! An [`Event`] is what a mail server hands over after each attempt to start TLS: for which domain,
//! under which policy, with what end. Postfix sends it as a datagram
//! ([`parse_datagram`](crate::parse_datagram)), writes it to its log
//! ([`parse_postfix_line`](crate::parse_postfix_line)), and our own observations (a policy that
//! could not be fetched) have the same form. [`Aggregate`](crate::Aggregate) counts them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use smtp_types::DomainName;

use crate::{Failure, Policy};

/// One attempt to start TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The domain that gets the report: the next hop.
    pub domain: DomainName,
    /// The text of its TLSRPT record, not checked; `None` if the source does not know it.
    pub record: Option<Box<str>>,
    /// What came of it under each policy. Postfix gives exactly one.
    pub sessions: Vec<Session>,
}

/// What came of a session under one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The policy, in its canonical form.
    pub policy: Policy,
    /// Whether it succeeded in the end.
    pub outcome: Outcome,
    /// What failed on the way.
    pub failures: Vec<Failure>,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// With TLS as the policy wants it (RFC 8460 §4.2.1).
    Success,
    /// Without (RFC 8460 §4.2.2).
    Failure,
}
