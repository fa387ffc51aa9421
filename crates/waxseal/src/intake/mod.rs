//! Reading what others report: from the octets of a mail or a file to the reports in it.
//!
//! Reports come as mail. In theory a report is one attachment of a known type; in practice it is
//! gzip that calls itself zip, a text part, the only body of a mail without parts, or a zip in a
//! mail in a mail. So nothing here trusts a name or a media type. What a piece is, its first octets
//! say, and what is packed is unpacked until there is a document:
//!
//! 1. [`read`] walks through the mail, its parts, and what is packed in them.
//! 2. An XML document goes through a decompressor, a decoder of its encoding and an XML reader into
//!    [`AggregateReader`](sender_auth::report::AggregateReader), piece by piece: a report of 50,000
//!    records is never in memory. A failure report and a JSON document are short, and read at once.
//! 3. Whoever called gets an [`Event`] for each record, each report, and each fault.
//!
//! What is wrong with the form of a report that can be read is a quirk of the report. What cannot
//! be read at all is a [`Fault`], which says where it is and what was expected. A fault of one
//! piece never stops the others.
//!
//! All of it comes from strangers, and anyone can send it. Everything is bounded: size before and
//! after decompression, ratio, depth, the number of parts ([`Limits`]). A document type declaration
//! is refused, so there are no entities but the five of XML. No link is followed, nothing is
//! written, and nothing runs but this.
//!
//! What is read goes on:
//!
//! - Mails come by [`smtp`], [`imap`] and [`https`] to the [`desk`], where their [`authenticity`] is
//!   judged.
//! - [`Intake::accept`] takes in what listeners receive, [`import`] what lies in files; both write
//!   the same rows by the same rules, and what cannot be read is kept aside.
//! - [`problems`] looks for causes in the rows.

mod accept;
pub mod authenticity;
mod bounce;
mod bounded;
pub mod counters;
pub mod desk;
mod detect;
mod draft;
mod encoding;
mod fault;
pub mod file;
pub mod https;
pub mod imap;
mod import;
mod mime;
pub mod problems;
mod quota;
pub mod smtp;
mod transfer;
mod unpack;
mod xml;

use sender_auth::report::{ReadLimits, ReceivedFailure, ReceivedRecord, ReceivedReport};
use smtp_types::UnixTime;
use tlsrpt::{FailureDetail, ReadReport};

pub use accept::{
    Accepted, Arrival, Authenticity, Grade, Intake, IntakeSettings, RequireAuthor, Way,
};
pub use fault::Fault;
pub use import::{Progress, Summary, import};

/// How much is taken in of one mail or file. What exceeds a limit is a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many octets a file may have. Default 64 MiB, for a document that is not packed.
    pub input: usize,
    /// How many octets a mail or a zip may have. Default 25 MiB, as large mail providers take in.
    pub mail: usize,
    /// How many octets a document may have when it is unpacked. Default 64 MiB; a report of 100,000
    /// records has about 54 MB.
    pub document: u64,
    /// How many octets all documents of one input may have. Default 256 MiB.
    pub total: u64,
    /// How many times its packed size a document may have, once it has more than 1 MiB. Default
    /// 200; reports have 20 to 60.
    pub ratio: u64,
    /// How many octets a document in JSON may have; it is read at once. Default 16 MiB.
    pub json: u64,
    /// How deep mails and parts may stand in each other. Default 10.
    pub parts_depth: usize,
    /// How many parts all mails of one input may have together. Default 100.
    pub parts: usize,
    /// How often something may be packed: gzip in zip is 2. Default 2.
    pub packings: usize,
    /// How many entries a zip may have. Default 100.
    pub entries: usize,
    /// What one tag, text or comment of an XML document may have, in octets. Default 128 KiB.
    pub markup: u64,
    /// What one report may have.
    pub report: ReadLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input: 64 * 1024 * 1024,
            mail: 25 * 1024 * 1024,
            document: 64 * 1024 * 1024,
            total: 256 * 1024 * 1024,
            ratio: 200,
            json: 16 * 1024 * 1024,
            parts_depth: 10,
            parts: 100,
            packings: 2,
            entries: 100,
            markup: 128 * 1024,
            report: ReadLimits::default(),
        }
    }
}

/// What was met while reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A record of an aggregate report. The report follows when all of its records were handed
    /// out; if a [`Fault`] follows in its place, the records are of a report that is broken.
    Record(Box<ReceivedRecord>),
    /// A report.
    Report(Box<Found>),
    /// A failure of a report about TLS. Its report follows, in the same way.
    Detail {
        /// Of which policy of the report, from 0.
        policy: usize,
        /// What failed, and how often.
        detail: Box<FailureDetail>,
    },
    /// A piece that cannot be read.
    Fault(Fault),
}

/// A report with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it was, for example `part 2, gzip`. Empty if the input itself is the report.
    pub place: String,
    /// The report.
    pub report: Report,
}

/// A report of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// An aggregate report of DMARC (RFC 9990, RFC 7489).
    DmarcAggregate(Box<ReceivedReport>),
    /// A report about TLS (RFC 8460), without its details: those were handed out before.
    TlsRpt(ReadReport),
    /// A failure report of DMARC (RFC 9991, RFC 6591), of which only the counts are taken.
    DmarcFailure(ReceivedFailure),
}

impl Report {
    /// `dmarc-aggregate`, `tls-rpt` or `dmarc-failure`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::DmarcAggregate(_) => "dmarc-aggregate",
            Self::TlsRpt(_) => "tls-rpt",
            Self::DmarcFailure(_) => "dmarc-failure",
        }
    }
}

/// Reads all reports in a mail or a file: XML, JSON, gzip, zip, a mail, or one entry of an mbox.
/// `now` only tells whether a report is about the future. There is always at least one event that
/// is a report or a fault.
pub fn read(octets: &[u8], limits: &Limits, now: UnixTime, take: &mut dyn FnMut(Event)) {
    unpack::Unpacking::new(limits, now, take).input(octets);
}
