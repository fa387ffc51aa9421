//! From an input to the documents in it: mails, their parts, gzip, zip, and again.
//!
//! Each piece is a stream of which the first octets are looked at. A zip and a mail need all their
//! octets at hand, which the limit of the input bounds; all else streams through.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use sender_auth::report::read_failure;
use smtp_types::UnixTime;
use zip::ZipArchive;
use zip::result::ZipError;

use super::bounded::{Bounds, Meter, Metered, TooMuch, Unpacked};
use super::detect::{Content, PEEK};
use super::fault::{below, quoted};
use super::mime::{self, Part};
use super::{Event, Fault, Found, Limits, Report, transfer, xml};

/// How many octets of a failure report's fields are taken in.
const MAX_FEEDBACK: u64 = 64 * 1024;

/// The walk through one input.
pub(super) struct Unpacking<'t> {
    limits: &'t Limits,
    now: UnixTime,
    take: &'t mut dyn FnMut(Event),
    /// Octets that were unpacked.
    spent: Meter,
    parts: usize,
    has_found: bool,
}

/// Where a piece is, and what is expected of it.
#[derive(Clone, Debug, Default)]
struct Piece {
    place: String,
    /// How many mails and parts are around it.
    parts_depth: usize,
    /// How often it was packed.
    packings: usize,
    /// Whether it is a fault if there is no report in it.
    must_be_report: bool,
}

impl<'t> Unpacking<'t> {
    pub(super) fn new(limits: &'t Limits, now: UnixTime, take: &'t mut dyn FnMut(Event)) -> Self {
        Self { limits, now, take, spent: Meter::default(), parts: 0, has_found: false }
    }

    /// The whole input.
    pub(super) fn input(&mut self, octets: &[u8]) {
        if octets.len() > self.limits.input {
            let limit = self.limits.input;
            return self.fault("", format!("expected at most {limit} octets, found more"));
        }
        let content = Content::of(&octets[..octets.len().min(PEEK)]);
        let is_mail = content == Content::Mail;
        if octets.len() > self.limits.mail && (is_mail || content == Content::Zip) {
            let limit = self.limits.mail;
            return self.fault("", format!("expected at most {limit} octets, found more"));
        }
        let piece = Piece { must_be_report: !is_mail, ..Piece::default() };
        self.octets(&piece, octets);
        if !self.has_found {
            self.fault("", "expected a report, found none");
        }
    }

    fn fault(&mut self, place: &str, problem: impl Into<String>) {
        self.tell(Fault::new(place, problem));
    }

    fn tell(&mut self, fault: Fault) {
        self.has_found = true;
        (self.take)(Event::Fault(fault));
    }

    fn found(&mut self, place: &str, report: Report) {
        self.has_found = true;
        let found = Found { place: place.to_owned(), report };
        (self.take)(Event::Report(Box::new(found)));
    }

    /// A piece of which all octets are there.
    fn octets(&mut self, piece: &Piece, octets: &[u8]) {
        match Content::of(&octets[..octets.len().min(PEEK)]) {
            Content::Zip => self.zip(piece, octets),
            Content::Mail if piece.parts_depth == 0 || piece.packings > 0 => {
                self.mail(piece, octets);
            }
            _ => self.stream(piece, Box::new(octets)),
        }
    }

    /// A piece that comes bit by bit.
    fn stream(&mut self, piece: &Piece, mut octets: Box<dyn BufRead + '_>) {
        let mut start = Vec::with_capacity(PEEK);
        let peek = u64::try_from(PEEK).unwrap_or(u64::MAX);
        if let Err(error) = (&mut octets).take(peek).read_to_end(&mut start) {
            // What came before the fault may say what it is.
            if start.is_empty() || TooMuch::of(&error).is_some() {
                return self.broken(piece, &error);
            }
        }
        let content = Content::of(&start);
        let whole = Cursor::new(start.clone()).chain(octets);
        match content {
            Content::Gzip => self.gzip(piece, whole),
            Content::Xml => self.xml(piece, whole, &start),
            Content::Json => self.json(piece, whole),
            Content::Feedback => self.feedback(piece, whole),
            Content::Zip | Content::Mail if piece.packings > 0 => {
                match self.all(piece, whole, u64::try_from(self.limits.mail).unwrap_or(u64::MAX)) {
                    Some(octets) if content == Content::Zip => self.zip(piece, &octets),
                    Some(octets) => self.mail(piece, &octets),
                    None => {}
                }
            }
            Content::Zip | Content::Mail | Content::Other => {
                if piece.must_be_report {
                    self.fault(
                        &piece.place,
                        "expected XML, JSON, gzip, zip or a mail, found something else",
                    );
                }
            }
        }
    }

    fn broken(&mut self, piece: &Piece, error: &io::Error) {
        match TooMuch::of(error) {
            Some(problem) => self.fault(&piece.place, problem),
            None => self.fault(&piece.place, format!("expected whole packed data: {error}")),
        }
    }

    /// All octets of a stream, if there are not too many.
    fn all(&mut self, piece: &Piece, octets: impl Read, limit: u64) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        if let Err(error) = octets.take(limit.saturating_add(1)).read_to_end(&mut all) {
            self.broken(piece, &error);
            return None;
        }
        if u64::try_from(all.len()).unwrap_or(u64::MAX) > limit {
            self.fault(&piece.place, format!("expected at most {limit} octets, found more"));
            return None;
        }
        Some(all)
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            octets: self.limits.document,
            ratio: self.limits.ratio,
            total: self.limits.total,
            spent: self.spent.clone(),
        }
    }

    /// One step deeper into what is packed.
    fn packed(&mut self, piece: &Piece, step: &str) -> Option<Piece> {
        if piece.packings >= self.limits.packings {
            let limit = self.limits.packings;
            self.fault(&piece.place, format!("expected at most {limit} packings, found more"));
            return None;
        }
        Some(Piece {
            place: below(&piece.place, step),
            packings: piece.packings + 1,
            ..piece.clone()
        })
    }

    /// RFC 1952: one or more members, one after the other.
    fn gzip(&mut self, piece: &Piece, octets: impl BufRead) {
        let Some(inner) = self.packed(piece, "gzip") else { return };
        let inner = Piece { must_be_report: true, ..inner };
        let meter = Meter::default();
        let decoder = MultiGzDecoder::new(Metered::new(octets, meter.clone()));
        let unpacked = BufReader::new(Unpacked::new(decoder, meter, self.bounds()));
        self.stream(&inner, Box::new(unpacked));
    }

    fn zip(&mut self, piece: &Piece, octets: &[u8]) {
        if piece.packings >= self.limits.packings {
            let limit = self.limits.packings;
            return self
                .fault(&piece.place, format!("expected at most {limit} packings, found more"));
        }
        let limit = self.limits.entries;
        if claimed_entries(octets) > u64::try_from(limit).unwrap_or(u64::MAX) {
            return self
                .fault(&piece.place, format!("zip: expected at most {limit} entries, found more"));
        }
        let mut archive = match ZipArchive::new(Cursor::new(octets)) {
            Ok(archive) => archive,
            Err(error) => {
                return self.fault(&piece.place, format!("zip: expected a whole archive: {error}"));
            }
        };
        match archive.has_overlapping_files() {
            Ok(false) => {}
            Ok(true) => {
                return self.fault(
                    &piece.place,
                    "zip: expected entries beside each other, found overlapping ones",
                );
            }
            Err(error) => {
                return self.fault(&piece.place, format!("zip: expected whole entries: {error}"));
            }
        }
        let is_alone = archive.len() == 1;
        for index in 0..archive.len() {
            self.entry(piece, &mut archive, index, is_alone);
        }
    }

    /// One entry of a zip. Nothing is written, so its name is only shown, whatever path it is.
    fn entry(
        &mut self,
        piece: &Piece,
        archive: &mut ZipArchive<Cursor<&[u8]>>,
        index: usize,
        is_alone: bool,
    ) {
        let name = match archive.name_for_index(index) {
            Some(Ok(name)) => name.into_owned(),
            _ => String::new(),
        };
        let step = format!("entry {} {}", index + 1, quoted(&name));
        let Some(inner) = self.packed(piece, &step) else { return };
        let must_be_report = is_alone || mime::claims_a_report(&name);
        let inner = Piece { must_be_report, ..inner };
        let entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
                return self.fault(&inner.place, "expected a plain entry, found an encrypted one");
            }
            Err(error) => {
                return self.fault(&inner.place, format!("expected a whole entry: {error}"));
            }
        };
        if entry.is_dir() {
            return;
        }
        // The size in the directory is what its author claims; the reader counts octets.
        let packed = Meter::default();
        packed.add(usize::try_from(entry.compressed_size()).unwrap_or(usize::MAX));
        let unpacked = BufReader::new(Unpacked::new(entry, packed, self.bounds()));
        self.stream(&inner, Box::new(unpacked));
    }

    fn mail(&mut self, piece: &Piece, octets: &[u8]) {
        let (part, body) = mime::split(octets);
        self.part(piece, &part, body);
    }

    /// A mail or a part of one, with its header read.
    fn part(&mut self, piece: &Piece, part: &Part, body: &[u8]) {
        if piece.parts_depth > self.limits.parts_depth {
            let limit = self.limits.parts_depth;
            return self.fault(
                &piece.place,
                format!("expected at most {limit} parts in each other, found more"),
            );
        }
        let inner = Piece {
            parts_depth: piece.parts_depth + 1,
            must_be_report: part.claims_a_report(),
            ..piece.clone()
        };
        // A mail by its name, whatever its type is.
        let is_mail = part.name.as_deref().is_some_and(|name| name.trim().ends_with(".eml"));
        match (&part.boundary, part.media_type.as_str()) {
            (Some(boundary), kind) if kind.starts_with("multipart/") => {
                self.multipart(&inner, part, boundary, body);
            }
            (_, kind) if is_mail || matches!(kind, "message/rfc822" | "message/global") => {
                let octets = transfer::decoded(body, &part.encoding);
                let (part, body) = mime::split(&octets);
                let inner = Piece { place: below(&inner.place, "mail"), ..inner };
                self.part(&inner, &part, body);
            }
            _ => {
                let octets = transfer::decoded(body, &part.encoding);
                self.octets(&inner, &octets);
            }
        }
    }

    fn multipart(&mut self, piece: &Piece, whole: &Part, boundary: &str, body: &[u8]) {
        let left = self.limits.parts.saturating_sub(self.parts);
        let (parts, is_more) = mime::parts(body, boundary, left);
        self.parts += parts.len();
        if parts.is_empty() {
            // A boundary that never comes: the body is all that there is.
            return self.octets(&Piece { must_be_report: false, ..piece.clone() }, body);
        }
        let is_failure_report = whole.report_type.starts_with("feedback");
        for (number, octets) in parts.iter().enumerate() {
            let place = below(&piece.place, &format!("part {}", number + 1));
            let (part, body) = mime::split(octets);
            // The third part of a failure report is somebody's mail, and nobody's business.
            let is_report = part.media_type == "message/feedback-report";
            if is_failure_report && !is_report {
                continue;
            }
            self.part(&Piece { place, ..piece.clone() }, &part, body);
        }
        if is_more {
            let limit = self.limits.parts;
            self.fault(&piece.place, format!("expected at most {limit} parts, found more"));
        }
    }

    fn xml(&mut self, piece: &Piece, document: impl BufRead, start: &[u8]) {
        let take = &mut *self.take;
        let mut record = |record| take(Event::Record(Box::new(record)));
        match xml::read(document, start, &piece.place, self.limits, self.now, &mut record) {
            Ok(report) => self.found(&piece.place, Report::DmarcAggregate(Box::new(report))),
            Err(fault) => self.tell(fault),
        }
    }

    /// A document in JSON; the crate `tlsrpt` says whether it is a report.
    fn json(&mut self, piece: &Piece, document: impl Read) {
        let Some(octets) = self.all(piece, document, self.limits.json) else { return };
        let take = &mut *self.take;
        let mut detail = |policy, detail| {
            take(Event::Detail { policy, detail: Box::new(detail) });
        };
        match tlsrpt::read_report_with(&octets, &mut detail) {
            Ok(report) => self.found(&piece.place, Report::TlsRpt(report)),
            Err(error) => self.fault(&piece.place, error.to_string()),
        }
    }

    fn feedback(&mut self, piece: &Piece, fields: impl Read) {
        let mut octets = Vec::new();
        if let Err(error) = fields.take(MAX_FEEDBACK).read_to_end(&mut octets) {
            return self.broken(piece, &error);
        }
        match read_failure(&octets) {
            Ok(report) => self.found(&piece.place, Report::DmarcFailure(report)),
            Err(error) => self.fault(&piece.place, error.to_string()),
        }
    }
}

/// How many entries a zip claims to have: the most of all ends of a directory that are in it, so
/// that whichever the library takes is not larger.
fn claimed_entries(octets: &[u8]) -> u64 {
    let ends = memchr::memmem::find_iter(octets, b"PK\x05\x06").filter_map(|at| {
        let count = octets.get(at + 10..at + 12)?;
        Some(u64::from(u16::from_le_bytes(count.try_into().ok()?)))
    });
    let long_ends = memchr::memmem::find_iter(octets, b"PK\x06\x06").filter_map(|at| {
        let count = octets.get(at + 32..at + 40)?;
        Some(u64::from_le_bytes(count.try_into().ok()?))
    });
    // 65535 in the short form says that the long form has it.
    let has_long = memchr::memmem::find(octets, b"PK\x06\x06").is_some();
    let ends = ends.filter(|count| !has_long || *count != u64::from(u16::MAX));
    ends.chain(long_ends).max().unwrap_or_default()
}
