//! SPF, the Sender Policy Framework (RFC 7208): may this address send mail for this domain?
//!
//! A domain publishes a TXT record at its own name, for example
//! `v=spf1 ip4:192.0.2.0/24 include:_spf.example.net -all`. Its terms are tried from left to
//! right; the first mechanism that matches the address of the client says the result by the sign
//! in front of it. Terms may ask the DNS again, so a record is a small program that a stranger
//! has written, and most of RFC 7208 is about keeping it small: ten terms that look up, two
//! answers without anything in them, ten names for one `mx` or `ptr`.
//!
//! Two identities are checked: the domain of the return path, which DMARC builds on, and the name
//! that the client gave itself with HELO. [`verify`] checks both, [`check_host`] one of them.
//! Either lacks answers at first and returns a [`Need`](smtp_types::Need); look up what is in it,
//! add it to the [`Known`](smtp_types::Known), and call again. The result is an [`Evaluation`]
//! with the reason, what to tell the sender, and every step that led there.
//!
//! ```
//! use sender_auth::spf::{Limits, Query, Receiver, SpfResult, check_host};
//! use smtp_types::{DnsAnswer, Dnssec, Known, RecordData, UnixTime};
//!
//! let query = Query::mail_from("192.0.2.1".parse().unwrap(), "mx.example.com", "a@example.com");
//! let receiver = Receiver { host_name: "mx.example.org", now: UnixTime(1_800_000_000) };
//! let mut known = Known::default();
//! let evaluation = loop {
//!     match check_host(&known, &query, &receiver, &Limits::default()) {
//!         Ok(evaluation) => break evaluation,
//!         Err(need) => need.dns.into_iter().for_each(|question| {
//!             let answer = DnsAnswer { // as the DNS would say
//!                 dnssec: Dnssec::Insecure,
//!                 canonical_name: question.name.clone(),
//!                 name_exists: true,
//!                 records: vec![RecordData::Txt(b"v=spf1 ip4:192.0.2.0/28 -all"[..].into())],
//!                 ttl: 300,
//!             };
//!             known.add_dns(question, Ok(answer));
//!         }),
//!     }
//! };
//! assert_eq!(evaluation.result, SpfResult::Pass);
//! ```
//!
//! What it is not: a decision. `fail` says that the domain's owner denies the client, not that
//! the message must be refused; forwarded mail fails, too. That is for DMARC and for the
//! receiver's own rules. [`lint_record`] looks at a record as its owner wants it looked at.

mod domain_spec;
mod evaluate;
mod expand;
mod explain;
mod identity;
mod lint;
mod look_ahead;
mod macro_string;
mod mechanism;
mod misspelled;
mod network;
mod outcome;
mod record;
mod term;
mod trace;

pub use domain_spec::DomainSpec;
pub use evaluate::{Limits, Receiver, Verification, check_host, verify};
pub use identity::{Client, Identity, NoDomain, Query};
pub use lint::lint_record;
pub use macro_string::{MacroFault, MacroString};
pub use network::{DualPrefix, Ip4Network, Ip6Network};
pub use outcome::{Evaluation, Match, Problem, Referral, SpfResult};
pub use record::{NoRecord, Record, RecordError, RecordFault, select};
pub use term::{Directive, Mechanism, Qualifier, UnknownModifier};
pub use trace::{Event, Found, Outcome, Step, Trace};
