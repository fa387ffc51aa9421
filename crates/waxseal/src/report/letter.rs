//! From counts to a letter: the report, compressed, wrapped, and signed. No IO, but some work.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sender_auth::dkim::{SignOptions, SignWith, Signer};
use sender_auth::report::{
    Accumulation, AggregateMail, DEFAULT_MAIL_OCTETS, Day, Group, Letter, Limits, Metadata,
    PolicyPublished, PolicySeen, Remark, Report, ReportId, Row, Schema, Tally, Text, write_xml,
};
use sender_auth::{HeaderLimits, MessageReader, Part};
use smtp_types::{DomainName, EmailAddress, UnixTime};

use crate::crypto::AwsLc;
use crate::keys::DomainSigner;
use crate::store::{CountedRow, OpenDay};

/// How many rows a report has at most, passing and failing each. More are coarsened.
const MAX_ROWS: usize = 10_000;

/// How much text rows may have, passing and failing each.
const MAX_ROW_OCTETS: usize = 16 * 1024 * 1024;

/// Who reports, as reports and letters say it.
#[derive(Clone, Debug)]
pub struct Author {
    /// From whom letters go.
    pub from: EmailAddress,
    /// The name of the organization.
    pub organization: Text,
    /// Where people ask.
    pub contact: EmailAddress,
    /// How reports are written.
    pub schema: Schema,
}

/// All that was counted for a domain on a day. `None` if the store holds something that is not ours.
pub fn group(open: &OpenDay, rows: Vec<CountedRow>) -> Option<Group> {
    accumulate(open, rows, MAX_ROWS, MAX_ROW_OCTETS)
}

/// The same within these limits.
fn accumulate(open: &OpenDay, rows: Vec<CountedRow>, limit: usize, octets: usize) -> Option<Group> {
    let policy = PolicyPublished::from_line(&open.policy).ok()?;
    let seen = PolicySeen { at: open.policy_at, policy };
    let mut all = Accumulation::new(Limits::new(limit, octets));
    for CountedRow { line, messages, triggers } in rows {
        let Ok(row) = Row::from_line(&line) else { continue };
        all.add(Day::since_epoch(open.day), seen.clone(), row, Tally { messages, triggers });
    }
    all.drain().next()
}

/// The same rows, so coarse that there are few enough of them.
pub(super) fn fewer_rows(open: &OpenDay, rows: Vec<CountedRow>) -> Option<Vec<CountedRow>> {
    let group = accumulate(open, rows, MAX_ROWS / 2, MAX_ROW_OCTETS / 2)?;
    let rows = group.rows().map(|(row, tally)| CountedRow {
        line: row.to_line(),
        messages: tally.messages,
        triggers: tally.triggers,
    });
    Some(rows.collect())
}

/// The report of a day.
pub fn report(group: &Group, author: &Author, report_id: ReportId) -> Report {
    let generator = Text::parse(concat!("waxseal ", env!("CARGO_PKG_VERSION"))).ok();
    group.to_report(Metadata {
        org_name: author.organization.clone(),
        email: author.contact.clone(),
        extra_contact_info: None,
        report_id,
        errors: Vec::new(),
        generator,
    })
}

/// One address and the name of the message to it.
#[derive(Clone, Debug)]
pub(super) struct Addressee {
    pub(super) to: EmailAddress,
    pub(super) message_id: ReportId,
}

/// What a day of a domain becomes.
pub(super) struct Work {
    pub(super) author: Author,
    pub(super) open: OpenDay,
    pub(super) rows: Vec<CountedRow>,
    pub(super) report_id: ReportId,
    pub(super) addressees: Vec<Addressee>,
    pub(super) signer: Option<std::sync::Arc<DomainSigner>>,
    pub(super) now: UnixTime,
}

impl Work {
    /// The messages, in the order of the addressees. If they are too large, the rows are coarsened
    /// until they are not; a report of 256 rows always fits.
    ///
    /// # Errors
    /// What kept it from being made, for the log.
    pub(super) fn messages(self, crypto: &AwsLc) -> Result<Vec<Vec<u8>>, String> {
        let (mut rows, mut octets) = (MAX_ROWS, MAX_ROW_OCTETS);
        loop {
            let group = accumulate(&self.open, self.rows.clone(), rows, octets)
                .ok_or("the store holds nothing that can be reported")?;
            let report = report(&group, &self.author, self.report_id.clone());
            match self.write(&report, crypto)? {
                Some(messages) => return Ok(messages),
                None if rows <= 256 => return Err("the report is too large".into()),
                None => (rows, octets) = (rows / 2, octets / 2),
            }
        }
    }

    /// `None` if they are too large.
    fn write(&self, report: &Report, crypto: &AwsLc) -> Result<Option<Vec<Vec<u8>>>, String> {
        let gzipped = gzip(write_xml(report, self.author.schema).as_bytes());
        let mut messages = Vec::new();
        for Addressee { to, message_id } in &self.addressees {
            let letter = Letter { from: &self.author.from, to, date: self.now, message_id };
            let mail = AggregateMail {
                letter,
                submitter: self.author.from.domain(),
                report,
                gzipped: &gzipped,
                notice: None,
            };
            let Ok(mail) = mail.write(DEFAULT_MAIL_OCTETS) else { return Ok(None) };
            messages.push(sign(mail, self.signer.as_deref(), crypto, self.now)?);
        }
        Ok(Some(messages))
    }
}

/// gzip, with nothing in its header that is not the same for the same octets.
fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(octets);
    encoder.finish().unwrap_or_default()
}

/// The message with a signature of each key in front of it; without keys, as it is.
///
/// # Errors
/// Why it cannot be signed.
pub(super) fn sign(
    message: Vec<u8>,
    signer: Option<&DomainSigner>,
    crypto: &AwsLc,
    now: UnixTime,
) -> Result<Vec<u8>, String> {
    let Some(DomainSigner { domain, keys }) = signer else { return Ok(message) };
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(&message).map_err(|error| error.to_string())?;
    parts.extend(reader.finish().map_err(|error| error.to_string())?);
    let mut parts = parts.into_iter();
    let Some(Part::Header(header)) = parts.next() else { return Ok(message) };
    let with = keys.iter().map(|one| {
        let selector = one.selector.clone();
        SignWith { domain: domain.clone(), selector, key: &one.key }
    });
    let with = with.collect();
    let mut signer = Signer::new(&header, crypto, with, SignOptions::new(now))
        .map_err(|error| error.to_string())?;
    for part in parts {
        if let Part::Body(octets) = part {
            signer.push(&octets);
        }
    }
    let mut signed = Vec::with_capacity(message.len() + 2048);
    for field in signer.finish().map_err(|error| error.to_string())? {
        signed.extend_from_slice(field.octets());
        signed.extend_from_slice(b"\r\n");
    }
    signed.extend_from_slice(&message);
    Ok(signed)
}

/// The name of a report: `20261121.example.com.NODE@reports.example.net`, and for the second and
/// further addresses the name of the message with a number.
pub(super) fn report_id(
    open: &OpenDay,
    node: &str,
    submitter: &DomainName,
    number: usize,
) -> Option<ReportId> {
    let node = if number == 0 { node.to_owned() } else { format!("{node}-{number}") };
    ReportId::of_day(Day::since_epoch(open.day), &open.domain, &node, submitter).ok()
}

/// The name under which failure reports are made.
pub(super) fn user_agent() -> Option<Remark> {
    Remark::parse(concat!("waxseal/", env!("CARGO_PKG_VERSION"))).ok()
}
