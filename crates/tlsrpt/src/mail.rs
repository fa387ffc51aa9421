//! The mail and the POST around a report (RFC 8460 §5.3, §5.4).
//!
//! A report travels as the second part of a `multipart/report`, under a subject and header fields
//! that tell it without being opened. Everything that those say is made here; folding, encoding,
//! the signature and the sending are left to whoever writes mail.
//!
//! ```text
//! Subject: Report Domain: example.net Submitter: example.com Report-ID: <20261121.example.net.a@example.com>
//! TLS-Report-Domain: example.net
//! TLS-Report-Submitter: example.com
//! TLS-Required: No
//! Auto-Submitted: auto-generated
//! Content-Type: multipart/report; report-type="tlsrpt"; boundary=...
//! ```

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use smtp_types::DomainName;

use crate::{Compression, DateRange, FileName, ReportId, Subject, Submitter, Summary};

/// The media type of the whole mail (§5.3), without a boundary.
pub const REPORT_CONTENT_TYPE: &str = "multipart/report; report-type=\"tlsrpt\"";

/// One report on its way: what its mail says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportMail<'r> {
    /// The policy domain that the report is about.
    pub domain: &'r DomainName,
    /// Who sends it.
    pub submitter: &'r Submitter,
    /// Its period.
    pub period: DateRange,
    /// Its id.
    pub id: &'r ReportId,
    /// How it is packed.
    pub compression: Compression,
}

impl ReportMail<'_> {
    /// §5.3: the subject tells domain, submitter and id.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject {
            domain: self.domain.clone(),
            submitter: self.submitter.domain().clone(),
            report_id: self.id.as_str().into(),
        }
    }

    /// §5.1: the name of the attachment. `unique_id` tells apart several reports of one day; all
    /// but its letters and digits are left out.
    #[must_use]
    pub fn file_name(&self, unique_id: &str) -> FileName {
        let unique_id: String = unique_id.chars().filter(char::is_ascii_alphanumeric).collect();
        FileName {
            submitter: self.submitter.domain().clone(),
            domain: self.domain.clone(),
            period: self.period,
            unique_id: (!unique_id.is_empty()).then(|| unique_id.into()),
            compression: self.compression,
        }
    }

    /// The fields beside `From`, `To`, `Date` and `Message-ID`, in order; they should be signed.
    ///
    /// §5.3: `TLS-Report-Submitter` is the domain of `contact-info`. §3: a report must arrive
    /// although TLS fails, which `TLS-Required: No` (RFC 8689 §3) asks of all on its way.
    #[must_use]
    pub fn fields(&self) -> [HeaderField; 5] {
        let field = |name, value: String| HeaderField { name, value: value.into() };
        [
            field("Subject", self.subject().to_string()),
            field("TLS-Report-Domain", self.domain.to_string()),
            field("TLS-Report-Submitter", self.submitter.domain().to_string()),
            field("TLS-Required", "No".into()),
            field("Auto-Submitted", "auto-generated".into()),
        ]
    }

    /// The first part, for people: what this is, what it is for, and whom to ask. Lines end with
    /// LF and have at most 78 characters, names and addresses apart.
    #[must_use]
    pub fn text(&self, totals: Summary) -> String {
        let Self { domain, submitter, period, id, .. } = self;
        format!(
            "This is a report about TLS in SMTP (RFC 8460), made by a program.\n\
             \n\
             Domain:     {domain}\n\
             From:       {}\n\
             To:         {}\n\
             Succeeded:  {} sessions\n\
             Failed:     {} sessions\n\
             Sender:     {}\n\
             Report-ID:  {id}\n\
             \n\
             You get it because a TXT record at _smtp._tls.{domain}\n\
             asks for it. It serves one purpose: to show you whether mail to you is\n\
             encrypted in transit, and what to mend if not. It has counts of sessions\n\
             and the addresses of mail servers, and nothing about persons or messages.\n\
             \n\
             Questions: {}\n",
            period.begin,
            period.end,
            totals.successes,
            totals.failures,
            submitter.organization,
            submitter.contact,
        )
    }
}

/// A header field, not folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// The name.
    pub name: &'static str,
    /// The value: printable ASCII.
    pub value: Box<str>,
}

impl fmt::Display for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

/// Whether a `Content-Type` says that the mail is a TLS report, in any spelling.
///
/// Such a mail's own session is neither enforced nor reported (RFC 8460 §3).
#[must_use]
pub fn is_report_content_type(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let is_report =
        parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("multipart/report"));
    is_report
        && parts.filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("report-type")
                && value.trim().trim_matches('"').eq_ignore_ascii_case("tlsrpt")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for yes in [
            REPORT_CONTENT_TYPE,
            "Multipart/Report;\r\n\tboundary=\"x\"; Report-Type = TLSRPT",
            "multipart/report; report-type=tlsrpt",
        ] {
            assert!(is_report_content_type(yes), "{yes}");
        }
        for no in [
            "",
            "multipart/report",
            "multipart/report; report-type=delivery-status",
            "multipart/mixed; report-type=tlsrpt",
            "text/plain",
        ] {
            assert!(!is_report_content_type(no), "{no}");
        }
    }
}
