//! Failure reports: what is told of one message that failed (RFC 9991, RFC 6591, RFC 5965).
//!
//! A failure report helps the owner of a domain to find out why a message failed. It is also a copy
//! of somebody's mail sent to a third party, often enough to one who had nothing to do with it,
//! because the address was forged. BSI TR-03182-08-M says that they must not be sent. So:
//!
//! - Nothing can be written without a [`Permit`]; there is none in the BSI profile, and none
//!   without the text that says on what ground they are sent.
//! - The body is never told. Of the header only what [`redact`](super::redact) keeps is told.
//! - The recipient is never told, and the subject of the report is not that of the message.
//!
//! How many are sent, and how like failures become one report, is in [`incidents`](super::incidents).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DnsName, DomainName, EmailAddress, UnixTime};

use super::aggregate::{DkimAuth, PolicyPublished, Row};
use super::date::mail_date;
use super::mail::{Letter, text_part};
use super::redact::{Redaction, RedactionKey, is_at_or_below};
use super::{DeliveryResult, DkimResult, DmarcResult, FailureOption, Remark, SpfResult, Text};
use crate::Header;
use crate::crypto::Crypto;

/// What divides the parts. It cannot occur in them: no line of a part begins with two hyphens.
const BOUNDARY: &str = "=_failure";

/// How many SPF records a report quotes: SPF itself looks up ten more than the first.
const MAX_SPF_RECORDS: usize = 11;

/// How many signatures a report names.
const MAX_SIGNATURES: usize = 10;

/// Under which rules the installation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// BSI TR-03182 is kept: failure reports must not be sent (08-M).
    Bsi,
    /// The operator answers for it.
    Own,
}

/// That failure reports may be sent. It cannot be made in any other way than by
/// [`grant`](Self::grant).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    notice: Text,
}

impl Permit {
    /// A permit on the ground that this notice states, for example a contract with the owners of
    /// the domains. The notice is part of each report.
    ///
    /// # Errors
    /// [`NotPermitted`] in the BSI profile, or without a notice.
    pub fn grant(profile: Profile, notice: Option<&Text>) -> Result<Self, NotPermitted> {
        match (profile, notice) {
            (Profile::Bsi, _) => Err(NotPermitted::BsiProfile),
            (Profile::Own, None) => Err(NotPermitted::NoNotice),
            (Profile::Own, Some(notice)) => Ok(Self { notice: notice.clone() }),
        }
    }
}

/// Why failure reports may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPermitted {
    /// The BSI profile forbids them.
    BsiProfile,
    /// There is no text that says on what ground they are sent.
    NoNotice,
}

impl fmt::Display for NotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BsiProfile => {
                write!(
                    f,
                    "failure reports: expected them off in the BSI profile, found them on (TR-03182-08-M)"
                )
            }
            Self::NoNotice => {
                write!(
                    f,
                    "failure reports: expected a legal notice that says on what ground, found none"
                )
            }
        }
    }
}

impl core::error::Error for NotPermitted {}

/// Who has published the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Publisher {
    /// The domain or its organization.
    Organization,
    /// A public suffix (`psd=y`): its `ruf` must not be considered (RFC 9991 §2).
    PublicSuffix,
}

/// Whether the domain wants a failure report about such a message (the tag `fo`, RFC 9989 §4.7).
#[must_use]
pub fn wants_failure_report(policy: &PolicyPublished, publisher: Publisher, row: &Row) -> bool {
    if publisher == Publisher::PublicSuffix {
        return false;
    }
    let (dkim, spf) = (row.evaluated.dkim, row.evaluated.spf);
    let signatures = row.auth_results.dkim.as_slice();
    let spf_result = row.auth_results.spf.as_ref().map(|auth| auth.result);
    let wants = |option: &FailureOption| match option {
        FailureOption::All => dkim == DmarcResult::Fail && spf == DmarcResult::Fail,
        FailureOption::Any => dkim == DmarcResult::Fail || spf == DmarcResult::Fail,
        FailureOption::Dkim => signatures.iter().any(is_failure),
        FailureOption::Spf => matches!(spf_result, Some(SpfResult::Fail | SpfResult::SoftFail)),
    };
    if policy.fo.is_empty() { wants(&FailureOption::All) } else { policy.fo.iter().any(wants) }
}

/// A failure report about one message, or about several that failed in the same way.
#[derive(Clone, Copy, Debug)]
pub struct FailureReport<'f> {
    /// That it may be sent.
    pub permit: &'f Permit,
    /// How it travels.
    pub letter: Letter<'f>,
    /// Name and version of the program that makes it.
    pub user_agent: &'f Remark,
    /// The name under which results are given (RFC 8601 §2.5).
    pub authserv_id: &'f DomainName,
    /// The DMARC policy domain.
    pub policy_domain: &'f DomainName,
    /// What was found out about the message.
    pub row: &'f Row,
    /// When it came.
    pub arrival: UnixTime,
    /// Its return path, of which the local part becomes a pseudonym. `None` if it is null.
    pub mail_from: Option<&'f EmailAddress>,
    /// What became of it.
    pub delivery: DeliveryResult,
    /// How many messages the report stands for, at least one.
    pub incidents: u64,
    /// The SPF records that were used.
    pub spf_records: &'f [SpfRecord<'f>],
    /// The header, as it came.
    pub header: &'f Header,
    /// The key of the pseudonyms.
    pub key: &'f RedactionKey,
}

/// An SPF record that was used.
#[derive(Clone, Copy, Debug)]
pub struct SpfRecord<'r> {
    /// Where it stands.
    pub domain: &'r DnsName,
    /// The record.
    pub text: &'r str,
}

impl FailureReport<'_> {
    /// The message: `multipart/report` with a text, the fields of the report, and what may be told
    /// of the header (RFC 5965 §2). All of it is 7bit.
    #[must_use]
    pub fn write<C: Crypto>(&self, crypto: &C) -> Vec<u8> {
        let redaction = Redaction { crypto, key: self.key, domain: self.policy_domain };
        let subject = format!("DMARC failure report\r\n for {}", self.policy_domain);
        let mail = format!(
            "{head}Content-Type: multipart/report; report-type=feedback-report;\r\n \
             boundary=\"{BOUNDARY}\"\r\n\r\n--{BOUNDARY}\r\n{text}\r\n--{BOUNDARY}\r\n\
             Content-Type: message/feedback-report\r\n\r\n{fields}\r\n--{BOUNDARY}\r\n\
             Content-Type: text/rfc822-headers\r\n\r\n{header}\r\n--{BOUNDARY}--\r\n",
            head = self.letter.header(&subject),
            text = text_part(&self.text()),
            fields = self.fields(&redaction),
            header = redaction.header(self.header),
        );
        mail.into_bytes()
    }

    fn text(&self) -> String {
        format!(
            "This is a DMARC failure report (RFC 9991) about mail that claimed to come from\n  \
             {domain}\n\n\
             Purpose: to let the owner of the domain find out why the mail failed. It may be\n\
             used for no other, and must be deleted when that is done.\n\n\
             Names of mailboxes are replaced by pseudonyms. Subject, text and recipient of\n\
             the mail are not told.\n\n\
             Ground:\n  {notice}\n",
            domain = self.policy_domain,
            notice = self.permit.notice,
        )
    }

    /// The machine-readable part.
    fn fields<C: Crypto>(&self, redaction: &Redaction<'_, C>) -> String {
        let row = self.row;
        let mut fields = format!(
            "Feedback-Type: auth-failure\r\nVersion: 1\r\nUser-Agent: {}\r\nAuth-Failure: dmarc\r\n\
             {}Identity-Alignment: {}\r\nDelivery-Result: {}\r\nArrival-Date: {}\r\n\
             Source-IP: {}\r\nReported-Domain: {}\r\nIncidents: {}\r\n",
            printable(self.user_agent.as_str()),
            self.authentication_results(),
            self.identity_alignment(),
            self.delivery,
            mail_date(self.arrival),
            row.source_ip(),
            row.identifiers.header_from,
            self.incidents.max(1),
        );
        if let Some(from) = self.mail_from {
            let (local, domain) = (from.local_part().as_bytes(), from.domain());
            let pseudonym = redaction.pseudonym(local, domain.as_str());
            fields.push_str(&format!("Original-Mail-From: <{pseudonym}@{domain}>\r\n"));
        }
        if let Some(auth) = self.failed_signature() {
            let (domain, selector) =
                (printable(auth.domain.as_str()), printable(auth.selector.as_str()));
            fields.push_str(&format!(
                "DKIM-Domain: {domain}\r\nDKIM-Identity: @{domain}\r\nDKIM-Selector: {selector}\r\n"
            ));
        }
        if row.evaluated.spf == DmarcResult::Fail {
            for SpfRecord { domain, text } in self.spf_records.iter().take(MAX_SPF_RECORDS) {
                let place = format!("SPF-DNS: txt : {} :", printable(domain.as_str()));
                fields.push_str(&folded(&[place, quoted(text)]));
            }
        }
        fields
    }

    /// The results as domains only; `smtp.mailfrom` and `header.i` would name persons.
    fn authentication_results(&self) -> String {
        let Row { identifiers, auth_results, .. } = self.row;
        let mut results =
            Vec::from([format!("dmarc=fail header.from={}", identifiers.header_from)]);
        if let Some(auth) = &auth_results.spf {
            let domain = printable(auth.domain.as_str());
            results.push(format!("spf={} smtp.mailfrom={domain}", auth.result));
        }
        for auth in auth_results.dkim.as_slice().iter().take(MAX_SIGNATURES) {
            let (domain, selector) =
                (printable(auth.domain.as_str()), printable(auth.selector.as_str()));
            results.push(format!("dkim={} header.d={domain} header.s={selector}", auth.result));
        }
        let last = results.len();
        let results = results.into_iter().zip(1..);
        let results = results.map(|(text, n)| if n == last { text } else { text + ";" });
        let name = format!("Authentication-Results: {};", self.authserv_id);
        folded(&core::iter::once(name).chain(results).collect::<Vec<_>>())
    }

    /// "names that failed to authenticate an aligned identity, or the keyword "none" if none did"
    /// (RFC 9991 §4).
    fn identity_alignment(&self) -> &'static str {
        match (self.row.evaluated.dkim, self.row.evaluated.spf) {
            (DmarcResult::Fail, DmarcResult::Fail) => "dkim, spf",
            (DmarcResult::Fail, DmarcResult::Pass) => "dkim",
            (DmarcResult::Pass, DmarcResult::Fail) => "spf",
            (DmarcResult::Pass, DmarcResult::Pass) => "none",
        }
    }

    /// A signature of the reported domain that does not hold, if DKIM failed (RFC 9991 §4).
    fn failed_signature(&self) -> Option<&DkimAuth> {
        if self.row.evaluated.dkim == DmarcResult::Pass {
            return None;
        }
        let aligned = |auth: &&DkimAuth| {
            let domain = auth.domain.to_domain_name();
            is_failure(auth)
                && domain.is_ok_and(|domain| is_at_or_below(&domain, self.policy_domain))
        };
        self.row.auth_results.dkim.as_slice().iter().find(aligned)
    }
}

fn is_failure(auth: &DkimAuth) -> bool {
    !matches!(auth.result, DkimResult::Pass | DkimResult::None)
}

/// A field of these parts with CRLF, folded only where it would become longer than a line may be
/// (RFC 5322 §2.1.1): known readers of failure reports take the first line of a field for all of it.
fn folded(parts: &[String]) -> String {
    const MAX_LINE: usize = 900;
    let (mut field, mut line) = (String::new(), 0);
    for part in parts {
        let separator = match line {
            0 => "",
            _ if line + part.len() > MAX_LINE => "\r\n ",
            _ => " ",
        };
        line = if separator.len() > 1 { part.len() } else { line + part.len() + 1 };
        field.extend([separator, part]);
    }
    field + "\r\n"
}

/// Text for a field: what is not plain ASCII, or could end a value, becomes `?`.
fn printable(text: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | ';' | '(' | ')' | '@');
    text.chars().map(|c| if plain(c) || c == ' ' { c } else { '?' }).collect()
}

/// `quoted-string` (RFC 5322 §3.2.4) of at most 400 characters.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars().take(400) {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('?'),
        }
    }
    quoted + "\""
}
