//! TLSRPT, SMTP TLS Reporting (RFC 8460), without IO: who wants reports, what sessions
//! they are made of, what they say, and how others' are read.
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
//! Reports go both ways. What our own sessions met comes as [`Event`]s, for example as the
//! datagrams that Postfix sends; an [`Aggregate`] counts them, and makes a [`Report`] for each
//! domain and day. What others saw of us comes as their JSON, read by [`read_report`] with a list of
//! its oddities.
//!
//! ```
//! use smtp_types::{EmailAddress, UnixTime};
//! use tlsrpt::{Aggregate, Day, Limits, ReportId, Submitter, parse_datagram, read_report};
//!
//! let datagram = br#"{"dpv":"1","d":"example.com","policies":[{"policy-type":9,"f":1,
//!     "failure-details":[{"c":201,"n":"mx.example.com"}],"t":1}]}"#;
//! let event = parse_datagram(datagram)?.event;
//! let domain = event.domain.clone();
//!
//! let now = UnixTime(1_795_289_400);
//! let mut aggregate = Aggregate::new(Limits::default());
//! aggregate.add(event, now);
//!
//! let contact = EmailAddress::parse("tls@sender.test").unwrap();
//! let submitter = Submitter { organization: "Sender".into(), contact };
//! let id = ReportId::of_day(Day::of(now), &domain, "a", submitter.domain()).unwrap();
//! let report = aggregate.report(Day::of(now), &domain, &submitter, &id).unwrap();
//! assert_eq!(report.totals().failures, 1);
//! assert_eq!(read_report(report.to_json().as_bytes()).unwrap().report, report);
//! # Ok::<(), tlsrpt::DatagramError>(())
//! ```
//!
//! | RFC 8460 | here |
//! |---|---|
//! | §3 TXT record, and which of several counts | [`Record::parse`], [`select`] |
//! | §3 where reports go | [`ReportUri`] |
//! | §3 no report of a report's session; floods, spam | [`decide`], [`Quota`] |
//! | §4.1 one day | [`Day`], [`DateRange`] |
//! | §4.2 counting sessions | [`parse_datagram`], [`parse_postfix_line`], [`Aggregate`] |
//! | §4.3 result types | [`ResultType`] |
//! | §4.4 the report, out and in | [`Report::to_json`], [`read_report`] |
//! | §5.1 file name | [`FileName`] |
//! | §5.2 to §5.4 mail and POST | [`ReportMail`], [`Subject`], [`Compression`] |
//! | §8 nothing personal | [`without_addresses`], [`personal_data`] |
//!
//! What is not here: which failure leads to which result type (that map is in `transport-policy`,
//! which knows the failures), gzip, MIME and signatures, and who keeps and sends reports.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod aggregate;
mod datagram;
mod day;
mod event;
mod file_name;
mod guard;
mod json;
mod line;
mod lint;
mod mail;
mod postfix_log;
mod privacy;
mod read;
mod record;
mod report;
mod report_id;
mod report_uri;
mod result_type;
mod subject;
mod write;

pub use aggregate::{Aggregate, Increment, Limits, RecordSeen, Unsaved};
pub use datagram::{Datagram, DatagramError, DatagramFault, MAX_DATAGRAM, Remark, parse_datagram};
pub use day::{DateRange, Day};
pub use event::{Event, Outcome, Session};
pub use file_name::{Compression, FileName, FileNameError};
pub use guard::{NoReport, Quota, REPORTS_PER_HOST, Traffic, decide};
pub use line::LineError;
pub use lint::lint_record;
pub use mail::{HeaderField, REPORT_CONTENT_TYPE, ReportMail, is_report_content_type};
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
pub use subject::Subject;
