//! What is told to the owner of a domain: DMARC reports (RFC 9990, RFC 9991).
//!
//! A domain that publishes a DMARC record can ask those who receive mail in its name to tell it
//! what they saw. There are two kinds of reports. They differ in what they give away:
//!
//! - An **aggregate report** (RFC 9990) is a table of one day: this many messages came from this
//!   address with these results. It names no person.
//! - A **failure report** (RFC 9991) is about one message. It can name persons, so it is redacted
//!   here, off by default, and impossible in the BSI profile.
//!
//! The way of an aggregate report:
//!
//! 1. A message was evaluated. [`forwarding`] says whether it looks forwarded, which explains many
//!    failures. [`guard`] says whether the message may lead to a report at all.
//! 2. [`accumulate`] counts it in a row. Rows of several processes and nodes are added up;
//!    [`line`](Row::to_line) is the form in which a store keeps them.
//! 3. The day is over. [`Report`] is the model ([`aggregate`]), [`xml`] writes it, the caller
//!    compresses it, and [`mail`] wraps it into a message.
//!
//! ```
//! use sender_auth::report::{
//!     Accumulation, DmarcResult, EnvelopeTo, Limits, Metadata, Observation, PolicyPublished,
//!     Policy, ReportId, Row, Schema, Text, Trigger, write_xml,
//! };
//! use smtp_types::{DomainName, EmailAddress, UnixTime};
//!
//! let domain = DomainName::parse("example.com")?;
//! let mut seen = Accumulation::new(Limits::default());
//! seen.observe(Observation {
//!     at: UnixTime(1_800_000_000),
//!     policy: PolicyPublished::new(domain.clone(), Policy::Reject),
//!     row: Row::new("192.0.2.1".parse()?, domain.clone()).evaluated(DmarcResult::Pass, DmarcResult::Fail),
//!     trigger: Trigger::Counts,
//! });
//! let group = seen.groups().next().ok_or("nothing seen")?;
//! let report = group.to_report(Metadata {
//!     org_name: Text::parse("Example Receiver")?,
//!     email: EmailAddress::parse("dmarc@mx.example.net")?,
//!     extra_contact_info: None,
//!     report_id: ReportId::of_day(group.day(), group.domain(), "a", &DomainName::parse("mx.example.net")?)?,
//!     errors: Vec::new(),
//!     generator: None,
//! });
//! assert!(write_xml(&report, Schema::Rfc9990).contains("<count>1</count>"));
//! # let _ = EnvelopeTo::Withheld;
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! The other way round, [`received`] reads what others report about a domain of ours.
//!
//! What is not here: XML as a language, which a reader has to be told; the look-up of where a report goes and whether it
//! may go there (RFC 9990 §4); sending, retrying and storing; the clock.

pub mod accumulate;
pub mod aggregate;
mod coarsen;
mod date;
pub mod failure;
pub mod forwarding;
pub mod guard;
pub mod incidents;
mod line;
pub mod mail;
pub mod received;
pub mod redact;
mod report_id;
mod text;
mod words;
pub mod xml;

pub use accumulate::{Accumulation, Group, Limits, Observation, PolicySeen, Tally};
pub use aggregate::{
    AuthResults, DkimAuth, EnvelopeTo, Identifiers, MAX_SIGNATURES, Metadata, PolicyEvaluated,
    PolicyPublished, Reason, Reasons, Record, Report, Row, Signature, SignatureAlignment,
    Signatures, SpfAuth,
};
pub use date::Day;
pub use failure::{
    FailureReport, NotPermitted, Permit, Profile, Publisher, SpfRecord, wants_failure_report,
};
pub use forwarding::{Evidence, Looks};
pub use guard::{Trigger, Untold, Unwanted};
pub use incidents::{Admission, Budget, Incident, Incidents};
pub use line::LineError;
pub use mail::{
    AggregateMail, DEFAULT_MAIL_OCTETS, Letter, MailTooLarge, MailWithFile, file_name, subject,
};
pub use received::{
    AggregateReader, AuthFailure, FailureReadError, GivenReason, Namespace, Quirk, QuirkKind,
    Quirks, ReadError, ReadLimits, ReceivedDkim, ReceivedFailure, ReceivedMetadata, ReceivedPolicy,
    ReceivedReason, ReceivedRecord, ReceivedReport, ReceivedSpf, SpfScope, Totals, read_failure,
};
pub use redact::{KeyTooShort, RedactionKey};
pub use report_id::{ReportId, ReportIdError};
pub use text::{Remark, Text, TextError};
pub use words::{
    AlignmentMode, Coarseness, DeliveryResult, Discovery, Disposition, DkimResult, DmarcResult,
    FailureOption, Policy, ReasonType, SpfResult, Testing,
};
pub use xml::{Schema, write_xml};
