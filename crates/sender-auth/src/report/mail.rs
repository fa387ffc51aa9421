//! The message in which a report travels.
//!
//! A report of a day is a gzip file attached to a short text (RFC 9990 §3.5.2). Machines take the
//! file, known by its name and type; the text is for the person who finds the message in a mailbox
//! and asks what it is: who sends it, what it is for, on what ground, and what it holds.
//!
//! Compression, the clock and random numbers are the caller's: the octets that are attached, the
//! date and the Message-ID are arguments. What comes out is a message as RFC 5322 wants it, with
//! CRLF line ends, ready to be signed: a report that does not pass DMARC itself will be ignored.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smtp_types::{DomainName, EmailAddress, UnixTime};

use super::aggregate::{EnvelopeTo, Report};
use super::date::mail_date;
use super::{ReportId, Text};

/// What divides the parts. It cannot occur in them: no line of a part begins with two hyphens.
const BOUNDARY: &str = "=_report";

/// How large a message may be by default: 10 MiB, which most receivers take.
pub const DEFAULT_MAIL_OCTETS: usize = 10 * 1024 * 1024;

/// How a report travels.
///
/// If one of the addresses has a local part beyond ASCII, the message needs SMTPUTF8 (RFC 6532).
#[derive(Clone, Copy, Debug)]
pub struct Letter<'l> {
    /// From whom. Its domain must be one that signs with DKIM, so that the report passes DMARC.
    pub from: &'l EmailAddress,
    /// To whom: one address out of `rua` or `ruf`.
    pub to: &'l EmailAddress,
    /// When.
    pub date: UnixTime,
    /// The Message-ID, without angle brackets. May be the id of the report (RFC 9990 §3.5.2). One
    /// without a right half gets the domain of `from`.
    pub message_id: &'l ReportId,
}

impl Letter<'_> {
    /// The header fields up to the content type.
    ///
    /// `TLS-Required: No` (RFC 8689 §3): a report about broken protection must arrive although the
    /// protection is broken. `Auto-Submitted` (RFC 3834 §5): nobody should answer it.
    pub(super) fn header(&self, subject: &str) -> String {
        let Self { from, to, date, message_id } = self;
        let domain = match message_id.has_domain() {
            true => String::new(),
            false => format!("@{}", from.domain()),
        };
        format!(
            "From: <{from}>\r\nTo: <{to}>\r\nDate: {}\r\nMessage-ID:\r\n <{message_id}{domain}>\r\n\
             Subject: {subject}\r\nAuto-Submitted: auto-generated\r\nTLS-Required: No\r\n\
             MIME-Version: 1.0\r\n",
            mail_date(*date),
        )
    }
}

/// The message with the report of a day.
#[derive(Clone, Copy, Debug)]
pub struct AggregateMail<'m> {
    /// How it travels.
    pub letter: Letter<'m>,
    /// The domain in whose name the report is made: the "Submitter".
    pub submitter: &'m DomainName,
    /// The report.
    pub report: &'m Report,
    /// The XML of the report, compressed with gzip.
    pub gzipped: &'m [u8],
    /// What the operator adds about data protection, for example where his statement is.
    pub notice: Option<&'m Text>,
}

impl AggregateMail<'_> {
    /// The message.
    ///
    /// # Errors
    /// [`MailTooLarge`] if it would have more octets than `limit`; see [`DEFAULT_MAIL_OCTETS`].
    pub fn write(&self, limit: usize) -> Result<Vec<u8>, MailTooLarge> {
        let mail = MailWithFile {
            letter: self.letter,
            subject: &subject(self.report, self.submitter),
            fields: "",
            content_type: "multipart/mixed",
            text: &self.text(),
            media_type: "application/gzip",
            file_name: &file_name(self.report, self.submitter),
            file: self.gzipped,
        };
        mail.write(limit)
    }

    /// What a person reads. Purpose and ground are said in each report, because the data travel
    /// without the context in which they were collected.
    fn text(&self) -> String {
        let Report { metadata, day, policy, .. } = self.report;
        let named = |row: &super::Row| row.identifiers.envelope_to != EnvelopeTo::Withheld;
        let recipients = match self.report.records.iter().any(|record| named(&record.row)) {
            true => "It names the domains of recipients.",
            false => "It names no recipients, not even their domains.",
        };
        let mut text = format!(
            "This is a DMARC aggregate report (RFC 9990) from\n  {org}\n\
             about mail that claimed to come from\n  {domain}\n\n\
             Period: {begin} to {end}\nMessages: {messages}\nReport-ID: {id}\n\n\
             Purpose: to let the owner of the domain see which servers send mail in its\n\
             name, and correct its SPF, DKIM and DMARC records. The data were collected for\n\
             this purpose, and may be used for no other.\n\n\
             Content: numbers of messages for each sending server, with its IP address, the\n\
             domains that the messages name, and the results of SPF, DKIM and DMARC. There\n\
             are no addresses of persons, no subjects and no texts in it.\n{recipients}\n\n\
             Ground: the domain asks for reports in its DMARC record (rua). An IP address\n\
             may be personal data; it is told because both sides have a legitimate interest\n\
             in preventing forged mail (GDPR Article 6(1)(f), recital 49). Delete the report\n\
             when the purpose is served.\n\n\
             Contact: {email}\n",
            org = metadata.org_name,
            domain = policy.domain,
            begin = day.begin(),
            end = day.end(),
            messages = self.report.messages(),
            id = metadata.report_id,
            email = metadata.email,
        );
        for more in [metadata.extra_contact_info.as_ref(), self.notice].into_iter().flatten() {
            text.push_str(&format!("  {more}\n"));
        }
        text
    }
}

/// A text for people with a file for machines: the form of the reports of a day, those of DMARC
/// (RFC 9990 §3.5.2) and those of TLS (RFC 8460 §5.3).
///
/// All its texts go into the message as they are: they must have no line end but those named here,
/// and nothing that a quoted string does not take.
#[derive(Clone, Copy, Debug)]
pub struct MailWithFile<'m> {
    /// How it travels.
    pub letter: Letter<'m>,
    /// The value of the Subject, folded.
    pub subject: &'m str,
    /// Further fields of the header, each with CRLF behind it.
    pub fields: &'m str,
    /// The kind of multipart, with its parameters, but without a boundary.
    pub content_type: &'m str,
    /// The text, with LF line ends.
    pub text: &'m str,
    /// The media type of the file.
    pub media_type: &'m str,
    /// The name of the file.
    pub file_name: &'m str,
    /// The octets of the file.
    pub file: &'m [u8],
}

impl MailWithFile<'_> {
    /// The message.
    ///
    /// # Errors
    /// [`MailTooLarge`] if it would have more octets than `limit`; see [`DEFAULT_MAIL_OCTETS`].
    pub fn write(&self, limit: usize) -> Result<Vec<u8>, MailTooLarge> {
        let Self { fields, content_type, media_type, file_name, .. } = self;
        let text = text_part(self.text);
        let head = self.letter.header(self.subject);
        let head = format!(
            "{head}{fields}Content-Type: {content_type}; boundary=\"{BOUNDARY}\"\r\n\r\n\
             --{BOUNDARY}\r\n{text}--{BOUNDARY}\r\n\
             Content-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment;\r\n filename=\"{file_name}\"\r\n\r\n"
        );
        let tail = format!("--{BOUNDARY}--\r\n");
        // Three octets make four, and a line of 76 of them gets two more.
        let encoded = self.file.len().div_ceil(3).saturating_mul(4);
        let attached = encoded.saturating_add(encoded.div_ceil(76).saturating_mul(2));
        let octets = attached.saturating_add(head.len() + tail.len());
        if octets > limit {
            return Err(MailTooLarge { octets, limit });
        }
        let mut mail = Vec::with_capacity(octets);
        mail.extend_from_slice(head.as_bytes());
        push_base64(self.file, &mut mail);
        mail.extend_from_slice(tail.as_bytes());
        Ok(mail)
    }
}

/// The name of the attached file (RFC 9990 §3.5.2):
/// `receiver "!" policy-domain "!" begin "!" end ["!" unique-id] ".xml.gz"`.
///
/// The unique id "MUST be identical" to the id of the report (§3.1.4) and has only letters and
/// digits. So it is there if the id of the report has no others.
#[must_use]
pub fn file_name(report: &Report, receiver: &DomainName) -> String {
    let Report { metadata, day, policy, .. } = report;
    let (domain, begin, end) = (&policy.domain, day.begin().0, day.end().0);
    let unique = match metadata.report_id.is_alphanumeric() {
        true => format!("!{}", metadata.report_id),
        false => String::new(),
    };
    format!("{receiver}!{domain}!{begin}!{end}{unique}.xml.gz")
}

/// The value of the Subject, folded (RFC 9990 §3.5.2, `dmarc-subject`).
#[must_use]
pub fn subject(report: &Report, submitter: &DomainName) -> String {
    let (domain, id) = (&report.policy.domain, &report.metadata.report_id);
    format!("Report Domain: {domain}\r\n Submitter: {submitter}\r\n Report-ID: <{id}>")
}

/// A part for people. Lines must be short already.
pub(super) fn text_part(text: &str) -> String {
    let mut part = String::from("Content-Type: text/plain; charset=utf-8\r\n");
    if text.is_ascii() && text.lines().all(|line| line.len() <= 998) {
        part.push_str("Content-Transfer-Encoding: 7bit\r\n\r\n");
        text.lines().for_each(|line| part.extend([line, "\r\n"]));
        return part;
    }
    part.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
    let mut encoded = Vec::new();
    push_base64(text.replace('\n', "\r\n").as_bytes(), &mut encoded);
    part.push_str(&String::from_utf8_lossy(&encoded));
    part
}

/// Base64 in lines of 76 (RFC 2045 §6.8).
fn push_base64(octets: &[u8], mail: &mut Vec<u8>) {
    for line in octets.chunks(57) {
        mail.extend_from_slice(STANDARD.encode(line).as_bytes());
        mail.extend_from_slice(b"\r\n");
    }
}

/// The message would be larger than allowed. Fewer rows make it smaller; see
/// [`Limits`](super::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailTooLarge {
    /// How many octets it would have.
    pub octets: usize,
    /// How many it may have.
    pub limit: usize,
}

impl fmt::Display for MailTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { octets, limit } = self;
        write!(f, "report mail: expected at most {limit} octets, found {octets}")
    }
}

impl core::error::Error for MailTooLarge {}
