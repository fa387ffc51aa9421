//! TLSRPT, SMTP TLS Reporting (RFC 8460), without IO: where reports go, and what they can say.
//!
//! A domain that protects its mail by MTA-STS or DANE cannot see when that protection makes others
//! fail: they simply do not deliver. With a TXT [`Record`] at `_smtp._tls.<domain>` it asks those
//! who send to it for a report a day: how many sessions were protected, how many failed, and why.
//! The why is one of a few words, the [`ResultType`].
//!
//! ```
//! use tlsrpt::{Record, ReportUri};
//!
//! let record = Record::parse(b"v=TLSRPTv1; rua=mailto:tls@example.com,https://example.com/tls")?;
//! let ReportUri::Mailto(mailto) = &record.rua()[0] else { panic!() };
//! assert_eq!(mailto.address().to_string(), "tls@example.com");
//!
//! let error = Record::parse(b"v=TLSRPTv1; rua=tls@example.com").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "line 1, column 17: rua: \"tls@example.com\": expected mailto: or https:, found neither \
//!      (RFC 8460 §3)"
//! );
//! # Ok::<(), tlsrpt::RecordError>(())
//! ```
//!
//! | RFC 8460 | here |
//! |---|---|
//! | §3 TXT record, and which of several counts | [`Record::parse`], [`select`] |
//! | §3 where reports go | [`ReportUri`] |
//! | §4.3 result types | [`ResultType`] |
//!
//! What is not here: the reports themselves, and which failure leads to which result type; that
//! map is in `transport-policy`, which knows the failures.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod aggregate;
mod datagram;
mod day;
mod event;
mod json;
mod line;
mod lint;
mod postfix_log;
mod privacy;
mod read;
mod record;
mod report;
mod report_id;
mod report_uri;
mod result_type;
mod write;

pub use aggregate::{Aggregate, Increment, Limits, RecordSeen, Unsaved};
pub use datagram::{Datagram, DatagramError, DatagramFault, MAX_DATAGRAM, Remark, parse_datagram};
pub use day::{DateRange, Day};
pub use event::{Event, Outcome, Session};
pub use line::LineError;
pub use lint::lint_record;
pub use postfix_log::{LogLineError, LoggedSession, parse_postfix_line};
pub use privacy::{PersonalData, PersonalDataKind, personal_data, without_addresses};
pub use read::{
    MAX_REPORT, MAX_REPORT_DETAILS, MAX_REPORT_POLICIES, Place, Quirk, QuirkKind, ReadError,
    ReadFault, ReadReport, read_report, read_report_with,
};
pub use record::{NoRecord, Record, RecordError, RecordFault, record_question, select};
pub use report::{
    Failure, FailureDetail, Policy, PolicyReport, PolicyType, Report, Submitter, Summary,
};
pub use report_id::{ReportId, ReportIdError};
pub use report_uri::{HttpsUri, MailtoUri, ReportUri, ReportUriError};
pub use result_type::ResultType;
