//! From counts to a letter: the report, compressed, wrapped for the mail, and signed. No IO, but
//! some work.

use std::sync::Arc;

use sender_auth::dkim::{FieldsToSign, SignOptions};
use sender_auth::report::{DEFAULT_MAIL_OCTETS, Letter, MailWithFile, ReportId as MessageId};
use smtp_types::{DomainName, UnixTime};
use tlsrpt::{
    Aggregate, Compression, Day, Increment, Limits, REPORT_CONTENT_TYPE, Report, ReportId,
    ReportMail, Submitter,
};

use super::super::Author;
use super::super::message::{gzip, sign};
use super::destination::Place;
use crate::crypto::AwsLc;
use crate::keys::DomainSigner;
use crate::store::TlsPolicyRow;

/// Who submits, as a report says it.
///
/// RFC 8460 §5.3: the submitter is the domain of `contact-info`, and receivers hold the signature
/// against it. So a contact in another domain than the letters come from is not named.
pub(super) fn submitter(author: &Author) -> Submitter {
    let contact = match author.contact.domain() == author.from.domain() {
        true => &author.contact,
        false => &author.from,
    };
    Submitter { organization: author.organization.as_str().into(), contact: contact.clone() }
}

/// The report about a domain's day: `None` if there was no session, or the store holds something
/// that is not ours.
#[must_use]
pub fn tls_report(
    day: u32,
    domain: &DomainName,
    rows: Vec<TlsPolicyRow>,
    author: &Author,
    id: &ReportId,
) -> Option<Report> {
    let day = Day::since_epoch(day);
    let mut aggregate = Aggregate::new(Limits::default());
    for TlsPolicyRow { policy, successes, failures, details } in rows {
        let row = |failure, successes, failures| Increment {
            day,
            domain: domain.clone(),
            policy: policy.clone().into(),
            failure,
            successes,
            failures,
        };
        aggregate.apply(&row(None, successes, failures)).ok()?;
        for detail in details {
            aggregate.apply(&row(Some(detail.failure.into()), 0, detail.sessions)).ok()?;
        }
    }
    aggregate.report(day, domain, &submitter(author), id)
}

/// The name of a report: `20261121.example.com.tls-NODE@reports.example.net`, and for the second and
/// further mails the name of the message with a number. Reports of DMARC have the same without
/// `tls-`.
pub(super) fn report_id(
    day: u32,
    domain: &DomainName,
    node: &str,
    submitter: &DomainName,
    number: usize,
) -> Option<ReportId> {
    let node = if number == 0 { format!("tls-{node}") } else { format!("tls-{node}-{number}") };
    ReportId::of_day(Day::since_epoch(day), domain, &node, submitter).ok()
}

/// What a day of a domain becomes.
pub(super) struct Work {
    pub(super) author: Author,
    pub(super) day: u32,
    pub(super) domain: DomainName,
    pub(super) rows: Vec<TlsPolicyRow>,
    pub(super) report_id: ReportId,
    /// What makes the name of the file ours.
    pub(super) node: String,
    /// Where it goes, and the names of the messages.
    pub(super) places: Vec<(Place, ReportId)>,
    pub(super) signer: Option<Arc<DomainSigner>>,
    pub(super) now: UnixTime,
}

impl Work {
    /// The octets for each place, in their order: a message for an address, the body of the POST
    /// for a URI.
    ///
    /// # Errors
    /// What kept it from being made, for the log.
    pub(super) fn octets(self, crypto: &AwsLc) -> Result<Vec<Vec<u8>>, String> {
        let report =
            tls_report(self.day, &self.domain, self.rows.clone(), &self.author, &self.report_id)
                .ok_or("the store holds nothing that can be reported")?;
        let gzipped = gzip(report.to_json().as_bytes());
        let places = self.places.iter();
        let octets = places.map(|(place, message_id)| match place {
            Place::Https { .. } => Ok(gzipped.clone()),
            Place::Mail(to) => {
                let message_id =
                    MessageId::parse(message_id.as_str()).map_err(|error| error.to_string())?;
                let letter =
                    Letter { from: &self.author.from, to, date: self.now, message_id: &message_id };
                self.mail(letter, &report, &gzipped, crypto)
            }
        });
        octets.collect()
    }

    /// RFC 8460 §5.3, signed.
    fn mail(
        &self,
        letter: Letter<'_>,
        report: &Report,
        gzipped: &[u8],
        crypto: &AwsLc,
    ) -> Result<Vec<u8>, String> {
        let submitter = submitter(&self.author);
        let about = ReportMail {
            domain: &self.domain,
            submitter: &submitter,
            period: report.period,
            id: &self.report_id,
            compression: Compression::Gzip,
        };
        // Neither domains nor ids hold a blank, so these are the blanks in front of the labels.
        let subject = about.subject().to_string();
        let subject = subject.replace(" Submitter: ", "\r\n Submitter: ");
        let subject = subject.replace(" Report-ID: ", "\r\n Report-ID: ");
        // The other fields are those of every letter.
        let fields = about.fields();
        let fields = fields.iter().filter(|field| SIGNED.contains(&field.name));
        let fields: String = fields.map(|field| format!("{field}\r\n")).collect();
        let mail = MailWithFile {
            letter,
            subject: &subject,
            fields: &fields,
            content_type: REPORT_CONTENT_TYPE,
            text: &about.text(report.totals()),
            media_type: about.compression.media_type(),
            file_name: &about.file_name(&self.node).to_string(),
            file: gzipped,
        };
        let mail = mail.write(DEFAULT_MAIL_OCTETS).map_err(|error| error.to_string())?;
        let Some(signer) = &self.signer else { return Err("there is no key".into()) };
        let fields = FieldsToSign::default().and_always(SIGNED);
        let options = SignOptions {
            fields: fields.map_err(|error| error.to_string())?,
            ..SignOptions::new(self.now)
        };
        sign(mail, Some(&**signer), crypto, options)
    }
}

/// RFC 8460 §5.3: "These fields SHOULD be included in the DKIM signature".
const SIGNED: [&str; 2] = ["TLS-Report-Domain", "TLS-Report-Submitter"];
