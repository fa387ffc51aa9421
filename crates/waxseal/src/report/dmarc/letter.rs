//! From counts to a letter: the report, compressed, wrapped, and signed. No IO, but some work.

use sender_auth::dkim::SignOptions;
use sender_auth::report::{
    Accumulation, AggregateMail, DEFAULT_MAIL_OCTETS, Day, Group, Letter, Limits, Metadata,
    PolicyPublished, PolicySeen, Remark, Report, ReportId, Row, Tally, Text, write_xml,
};
use smtp_types::{DomainName, EmailAddress, UnixTime};

use super::super::Author;
use super::super::message::{gzip, sign};
use crate::crypto::AwsLc;
use crate::keys::DomainSigner;
use crate::store::{CountedRow, OpenDay};

/// How many rows a report has at most, passing and failing each. More are coarsened.
const MAX_ROWS: usize = 10_000;

/// How much text rows may have, passing and failing each.
const MAX_ROW_OCTETS: usize = 16 * 1024 * 1024;

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
            let options = SignOptions::new(self.now);
            messages.push(sign(mail, self.signer.as_deref(), crypto, options)?);
        }
        Ok(Some(messages))
    }
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
