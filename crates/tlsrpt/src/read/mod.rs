//! Reading the reports of others: as lenient as can be, and honest about it.
//!
//! RFC 8460 §4.4 has a schema, and nearly nobody keeps to it: numbers come as strings, lists as
//! strings, what is not known as `null`. A strict reader would lose the reports of large senders.
//! This one takes what it can understand and names each liberty as a [`Quirk`]; it refuses only
//! what is no JSON, and a report without a period.
//!
//! A report is written by a stranger. So everything is bounded: its size, its depth (by
//! `serde_json`, 128), numbers, texts, and how many items are kept. Nothing is followed.
//!
//! Reports can be large. [`read_report_with`] hands each failure detail over as it is read, so that
//! no more than one is held; [`read_report`] keeps them.
//!
//! What is not here: gzip, zip and mail around the JSON, and whether the report may be believed.

mod date_time;
mod members;
mod quirk;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use serde_core::de::DeserializeSeed;
use smtp_types::Position;

use crate::json::{Found, Object, decoded};
use crate::{FailureDetail, Report};

use members::ReportMembers;

pub use quirk::{Place, Quirk, QuirkKind};

/// The longest report, in octets, without compression: 64 MiB. RFC 8460 has no limit; a report of
/// 100,000 failure details has about 35 MB.
pub const MAX_REPORT: usize = 64 * 1024 * 1024;

/// How many policies of a report are kept.
pub const MAX_REPORT_POLICIES: usize = 10_000;

/// How many failure details of a report are kept, over all policies.
pub const MAX_REPORT_DETAILS: usize = 200_000;

/// How much of an odd text a quirk keeps, in octets.
const MAX_FOUND: usize = 80;

/// A report, and what was odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadReport {
    /// The report.
    pub report: Report,
    /// Each kind of oddity in each member once, in the order of the report.
    pub quirks: Vec<Quirk>,
}

/// Reads a report with all its failure details.
///
/// # Errors
/// [`ReadError`] says why it cannot be read at all, and where.
pub fn read_report(octets: &[u8]) -> Result<ReadReport, ReadError> {
    let mut details: Vec<Vec<FailureDetail>> = Vec::new();
    let mut read = read_report_with(octets, &mut |policy, detail| {
        if details.len() <= policy {
            details.resize_with(policy + 1, Vec::new);
        }
        details[policy].push(detail);
    })?;
    for (policy, details) in read.report.policies.iter_mut().zip(details) {
        policy.details = details;
    }
    Ok(read)
}

/// Reads a report, and hands over each failure detail with the number of its policy, from 0, in the
/// order of the report. The report that is returned has none.
///
/// A detail may come before its policy is known: JSON has no order.
///
/// # Errors
/// [`ReadError`] says why it cannot be read at all, and where. Details may have been handed over
/// before; they are to be thrown away.
pub fn read_report_with(
    octets: &[u8],
    sink: &mut dyn FnMut(usize, FailureDetail),
) -> Result<ReadReport, ReadError> {
    let at_start = |fault| ReadError { position: Position { line: 1, column: 1 }, fault };
    if octets.len() > MAX_REPORT {
        return Err(at_start(ReadFault::TooLong { octets: octets.len() }));
    }
    let mut reader = Reader::new(sink);
    let decoded = decoded(octets);
    if matches!(decoded, Cow::Owned(_)) {
        reader.quirk(QuirkKind::NotUtf8, REPORT, "");
    }
    let text = decoded.strip_prefix('\u{feff}').unwrap_or(&decoded);
    if text.len() < decoded.len() {
        reader.quirk(QuirkKind::ByteOrderMark, REPORT, "");
    }
    let mut members = ReportMembers::new(&mut reader);
    let mut json = serde_json::Deserializer::from_str(text);
    let found = Object(&mut members).deserialize(&mut json).map_err(|error| ReadError {
        position: Position { line: error.line().max(1), column: error.column().max(1) },
        fault: ReadFault::NotJson {
            message: error.to_string().split(" at line ").next().unwrap_or_default().into(),
        },
    })?;
    let found = match found {
        Found::Expected => members.finish(),
        Found::Null => return Err(at_start(ReadFault::NotAReport { found: "null" })),
        Found::Other(kind) => return Err(at_start(ReadFault::NotAReport { found: kind })),
    };
    let report = found.map_err(at_start)?;
    if json.end().is_err() {
        reader.quirk(QuirkKind::TrailingText, REPORT, "");
    }
    Ok(ReadReport { report, quirks: reader.quirks })
}

/// The name of the whole, where a quirk is in no member.
const REPORT: &str = "report";

/// Why a report cannot be read, and where the fault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The place up to which it was read; the beginning if the fault is in the whole.
    pub position: Position,
    /// The fault.
    pub fault: ReadFault,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.fault)
    }
}

impl core::error::Error for ReadError {}

/// What makes a report unreadable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// It has more than [`MAX_REPORT`] octets.
    TooLong {
        /// How many.
        octets: usize,
    },
    /// It is not JSON, or nests too deeply, or has a number beyond all bounds.
    NotJson {
        /// What the reader of JSON says.
        message: Box<str>,
    },
    /// It is JSON, but not an object.
    NotAReport {
        /// What it is.
        found: &'static str,
    },
    /// The period is missing, or cannot be understood: the numbers mean nothing without it.
    Period {
        /// `start-datetime` or `end-datetime`.
        field: &'static str,
        /// What stood there, at most 80 octets of it; empty if nothing did.
        found: Box<str>,
    },
}

impl ReadFault {
    /// A stable name for counters.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "report-too-long",
            Self::NotJson { .. } => "not-json",
            Self::NotAReport { .. } => "not-a-report",
            Self::Period { .. } => "period",
        }
    }
}

impl fmt::Display for ReadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { octets } => {
                write!(f, "report: expected at most {MAX_REPORT} octets, found {octets}")
            }
            Self::NotJson { message } => write!(f, "report: expected JSON, found {message}"),
            Self::NotAReport { found } => write!(f, "report: expected an object, found {found}"),
            Self::Period { field, found } if found.is_empty() => {
                write!(f, "date-range.{field}: expected a date-time, found none")
            }
            Self::Period { field, found } => {
                write!(f, "date-range.{field}: expected a date-time of RFC 3339, found {found:?}")
            }
        }
    }
}

/// What all parts of a report share while it is read.
struct Reader<'s> {
    quirks: Vec<Quirk>,
    place: Place,
    details: usize,
    sink: &'s mut dyn FnMut(usize, FailureDetail),
}

impl<'s> Reader<'s> {
    fn new(sink: &'s mut dyn FnMut(usize, FailureDetail)) -> Self {
        Self { quirks: Vec::new(), place: Place::default(), details: 0, sink }
    }

    fn quirk(&mut self, kind: QuirkKind, field: &'static str, found: &str) {
        let same = |quirk: &&mut Quirk| quirk.kind == kind && quirk.field == field;
        if let Some(quirk) = self.quirks.iter_mut().find(same) {
            quirk.count = quirk.count.saturating_add(1);
            return;
        }
        let found = cut(found, MAX_FOUND).into();
        self.quirks.push(Quirk { kind, field, first: self.place, found, count: 1 });
    }
}

fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
