//! MTA-STS, SMTP MTA Strict Transport Security (RFC 8461), without IO.
//!
//! A domain that receives mail tells the world, authenticated by the certificates of the web,
//! which hosts are its mail servers and that they speak TLS. It does so in two places:
//!
//! 1. A TXT [`Record`] at `_mta-sts.<domain>` says "there is a policy", and carries an
//!    [`PolicyId`] that changes whenever the policy does. It is cheap to look up and worth
//!    nothing by itself: the DNS can be forged.
//! 2. A [`Policy`] at `https://mta-sts.<domain>/.well-known/mta-sts.txt` names the hosts
//!    ([`MxPattern`]) and a [`Mode`]: enforce, testing, or none. Its protection is the certificate
//!    of the web server.
//!
//! A sender keeps the policy for its `max_age` ([`CachedPolicy`]). From then on an attacker gains
//! nothing by hiding the record or the web server: an unexpired policy binds. That memory is what
//! MTA-STS rests on, so [`discover`] never lets anything but a newer authenticated policy take
//! its place, and [`disagreements`] says when the world and the memory part ways.
//!
//! ```
//! use mta_sts::{Mode, Policy};
//! use smtp_types::DomainName;
//!
//! let policy = Policy::parse(b"version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 604800\n")?;
//! assert_eq!(policy.mode(), Mode::Enforce);
//! assert!(policy.allows(&DomainName::parse("mail.example.com").unwrap()));
//! assert!(!policy.allows(&DomainName::parse("mail.attacker.example").unwrap()));
//!
//! let error = Policy::parse(b"version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 1d\n");
//! assert_eq!(
//!     error.unwrap_err().to_string(),
//!     "line 4, column 10: max_age: expected 1 to 10 digits, found \"1d\" (RFC 8461 §3.2)"
//! );
//! # Ok::<(), mta_sts::PolicyError>(())
//! ```
//!
//! | RFC 8461 | here |
//! |---|---|
//! | §3.1 TXT record, and which of several counts | [`Record::parse`], [`select`] |
//! | §3.2 policy and its grammar | [`Policy::parse`] |
//! | §3.3 fetching by HTTPS | [`policy_question`], [`accept`] |
//! | §3.4 smart hosts and subdomains | `smtp_types::NextHop::policy_domain` |
//! | §4.1 validating the MX host | [`MxPattern::matches`] |
//! | §5 and §5.1 applying a policy | [`discover`], [`CachedPolicy`] |
//! | §10.2 refreshing ahead of time, backing off | [`CachedPolicy::refresh_due`], [`FailedFetch`] |
//!
//! What is not here: the certificate of the *mail* server (§4.2) is checked by the mail server
//! that sends; whether DANE goes first is decided in `transport-policy`, which knows both.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod cache;
mod discover;
mod fetch;
mod lint;
mod mx_pattern;
mod policy;
mod record;
mod sentinel;

pub use cache::{CachedPolicy, FailedFetch, MAX_AGE_LIMIT, RETRY_AFTER};
pub use discover::{Applied, Discovery, RecordFailure, Refresh, Source, discover};
pub use fetch::{FETCH_TIMEOUT, FetchError, MAX_POLICY_OCTETS, accept, policy_question};
pub use lint::{lint_policy, lint_record};
pub use mx_pattern::{MxPattern, MxPatternError};
pub use policy::{Mode, Policy, PolicyError, PolicyFault};
pub use record::{NoRecord, PolicyId, Record, RecordError, RecordFault, record_question, select};
pub use sentinel::{Disagreement, disagreements};
