//! Reading what others report: aggregate reports (RFC 9990, RFC 7489) and the counts of failure
//! reports (RFC 6591, RFC 9991).
//!
//! Who writes strictly must read leniently, or learns nothing: most reports that arrive break
//! their schema somewhere. So nothing is refused here that can be understood, and everything that
//! was understood in spite of its form is named: a [`Quirk`] says what was found where, and how
//! often. A value that cannot be understood is `None` and has a quirk, too; nothing is guessed.
//!
//! [`AggregateReader`] is a push reader. It knows the elements of a report and no XML: whoever has
//! an XML library tells it which element begins, which text comes and which element ends, and gets
//! each record when it is complete. So a report of any length is read in the memory of one record.
//!
//! ```
//! use sender_auth::report::{AggregateReader, ReadLimits};
//! use smtp_types::UnixTime;
//!
//! let mut reader = AggregateReader::new(ReadLimits::default(), UnixTime(1_800_000_000));
//! reader.open("feedback")?;
//! reader.open("record")?;
//! reader.open("row")?;
//! reader.open("count")?;
//! reader.text("12");
//! assert_eq!(reader.close("count"), None);
//! assert_eq!(reader.close("row"), None);
//! let record = reader.close("record").ok_or("a record")?;
//! assert_eq!(record.count, 12);
//! reader.close("feedback");
//! let report = reader.finish()?;
//! assert_eq!((report.totals.records, report.totals.messages), (1, 12));
//! assert!(report.quirks.iter().any(|quirk| quirk.path == "policy_published"));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! What comes out is safe to show: texts are one line without control characters and bounded, and
//! no local part of an address is kept. It is not safe as markup; whoever makes HTML or CSV of it
//! escapes it. What is not here: XML, decompression, mail; whether the reporter is who he says.

mod element;
mod failure;
mod model;
mod quirk;
mod reader;
mod value;

pub use failure::{AuthFailure, FailureReadError, ReceivedFailure, read_failure};
pub use model::{
    GivenReason, Namespace, ReceivedDkim, ReceivedMetadata, ReceivedPolicy, ReceivedReason,
    ReceivedRecord, ReceivedReport, ReceivedSpf, SpfScope, Totals,
};
pub use quirk::{Quirk, QuirkKind, Quirks};
pub use reader::{AggregateReader, ReadError, ReadLimits};
