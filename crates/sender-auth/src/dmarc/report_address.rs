//! Which addresses of a record may get reports: the check of destinations elsewhere (RFC 9990 §4,
//! and RFC 9991 §5 for failure reports).
//!
//! Anyone can publish a record that sends the reports of the world to a victim. So a destination
//! outside of the organization must say that it wants them, in a TXT record at
//! `<policy domain>._report._dmarc.<destination>`, where it can also name another mailbox of its own.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{
    DnsFailure, DnsQuestion, DomainName, EmailAddress, EmailAddressError, Known, Need, RecordType,
    all,
};

use super::align::is_below;
use super::record::Record;
use super::report_uri::{ReportTarget, ReportUri};
use super::tree_walk::walk;

/// How many URIs of one record are looked at; each may cost a walk and a question.
pub const MAX_REPORT_URIS: usize = 10;

/// Which reports are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportKind {
    /// `rua`
    Aggregate,
    /// `ruf`
    Failure,
}

/// One URI of a record, and whether reports go there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedReportAddress {
    /// The URI as published.
    pub uri: ReportUri,
    /// What the check has found.
    pub outcome: ReportAddress,
}

/// What the check of one URI has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportAddress {
    /// The mailbox is of the same organization as the policy: no check is needed.
    Own(EmailAddress),
    /// The destination wants the reports at the address that was published.
    Authorized(EmailAddress),
    /// The destination wants the reports at other addresses of the same host; at least one.
    Replaced(Vec<EmailAddress>),
    /// The DNS failed: try again later, and send nothing until then.
    Deferred(DnsFailure),
    /// No report goes there.
    Refused(RefusedReportAddress),
}

impl ReportAddress {
    /// Where the reports go.
    #[must_use]
    pub fn addresses(&self) -> &[EmailAddress] {
        match self {
            Self::Own(address) | Self::Authorized(address) => core::slice::from_ref(address),
            Self::Replaced(addresses) => addresses,
            Self::Deferred(_) | Self::Refused(_) => &[],
        }
    }
}

/// Why no report goes to a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusedReportAddress {
    /// The scheme is not `mailto`.
    Scheme,
    /// The `mailto:` names no mailbox.
    NoMailbox(EmailAddressError),
    /// The name of the record that should authorize it would be too long.
    NameTooLong,
    /// The destination does not say that it wants the reports.
    NotAuthorized,
    /// The DNS cannot be asked whether it does.
    Dns(DnsFailure),
    /// The destination wants the reports elsewhere: then "the Mail Receiver generating the report
    /// MUST NOT generate a report to either" (RFC 9990 §4).
    ReplacedElsewhere {
        /// What it names.
        uri: Box<str>,
    },
    /// There are more URIs in front of it than are looked at.
    TooMany {
        /// How many are.
        limit: usize,
    },
}

impl fmt::Display for RefusedReportAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => write!(f, "expected mailto:, found another scheme"),
            Self::NoMailbox(error) => error.fmt(f),
            Self::NameTooLong => {
                write!(f, "the name of the record that should authorize it has over 253 octets")
            }
            Self::NotAuthorized => write!(f, "the destination has not authorized the reports"),
            Self::Dns(failure) => failure.fmt(f),
            Self::ReplacedElsewhere { uri } => {
                write!(f, "the destination names another host: {}", uri.escape_debug())
            }
            Self::TooMany { limit } => write!(f, "expected at most {limit} URIs, found more"),
        }
    }
}

/// Checks all URIs of `rua` or `ruf`, side by side. `policy_domain` is where the record was found.
///
/// # Errors
/// What must be looked up first.
pub fn verify_report_addresses(
    known: &Known,
    policy_domain: &DomainName,
    uris: &[ReportUri],
    kind: ReportKind,
) -> Result<Vec<CheckedReportAddress>, Need> {
    all(uris.iter().enumerate().map(|(index, uri)| {
        let outcome = if index < MAX_REPORT_URIS {
            check(known, policy_domain, uri, kind)?
        } else {
            ReportAddress::Refused(RefusedReportAddress::TooMany { limit: MAX_REPORT_URIS })
        };
        Ok(CheckedReportAddress { uri: uri.clone(), outcome })
    }))
}

fn check(
    known: &Known,
    policy_domain: &DomainName,
    uri: &ReportUri,
    kind: ReportKind,
) -> Result<ReportAddress, Need> {
    let address = match uri.target() {
        ReportTarget::Mailbox(address) => address,
        ReportTarget::NoMailbox(error) => {
            let reason = RefusedReportAddress::NoMailbox(error.clone());
            return Ok(ReportAddress::Refused(reason));
        }
        ReportTarget::Other => {
            return Ok(ReportAddress::Refused(RefusedReportAddress::Scheme));
        }
    };
    if address.domain() == policy_domain {
        return Ok(ReportAddress::Own(address.clone()));
    }
    match is_own(known, policy_domain, address.domain())? {
        Ok(Ownership::Own) => Ok(ReportAddress::Own(address.clone())),
        Ok(Ownership::External) => authorize(known, policy_domain, address, kind),
        Err(failure) => Ok(deferred_or_refused(failure)),
    }
}

enum Ownership {
    Own,
    External,
}

/// "The Organizational Domain at which that record was discovered is not identical to the
/// Organizational Domain of the host part": then the destination is external.
fn is_own(
    known: &Known,
    policy_domain: &DomainName,
    host: &DomainName,
) -> Result<Result<Ownership, DnsFailure>, Need> {
    let organization = match walk(known, policy_domain)?.organizational_domain() {
        Ok(organization) => organization,
        Err(failure) => return Ok(Err(failure.failure)),
    };
    if *host == organization {
        return Ok(Ok(Ownership::Own));
    }
    if !is_below(host, &organization) {
        return Ok(Ok(Ownership::External));
    }
    Ok(match walk(known, host)?.organizational_domain() {
        Ok(own) if own == organization => Ok(Ownership::Own),
        Ok(_) => Ok(Ownership::External),
        Err(failure) => Err(failure.failure),
    })
}

/// Steps 2 to 9 of RFC 9990 §4.
fn authorize(
    known: &Known,
    policy_domain: &DomainName,
    address: &EmailAddress,
    kind: ReportKind,
) -> Result<ReportAddress, Need> {
    let host = address.domain();
    let refused = |reason| Ok(ReportAddress::Refused(reason));
    let Ok(name) = host.below(&alloc::format!("{policy_domain}._report._dmarc")) else {
        return refused(RefusedReportAddress::NameTooLong);
    };
    let answer = match known.dns(&DnsQuestion::new(&name, RecordType::Txt))? {
        Ok(answer) => answer,
        Err(failure) => return Ok(deferred_or_refused(failure.clone())),
    };
    let records: Vec<Record> = answer.txt().filter_map(|text| Record::parse(text).ok()).collect();
    if records.is_empty() {
        return refused(RefusedReportAddress::NotAuthorized);
    }
    let replacements = || {
        records.iter().flat_map(|record| match kind {
            ReportKind::Aggregate => record.rua(),
            ReportKind::Failure => record.ruf(),
        })
    };
    let elsewhere =
        replacements().find(|uri| uri.address().is_none_or(|address| address.domain() != host));
    if let Some(uri) = elsewhere {
        return refused(RefusedReportAddress::ReplacedElsewhere { uri: uri.as_str().into() });
    }
    let mut addresses: Vec<EmailAddress> = Vec::new();
    for address in replacements().filter_map(ReportUri::address).take(MAX_REPORT_URIS) {
        if !addresses.contains(address) {
            addresses.push(address.clone());
        }
    }
    Ok(if addresses.is_empty() {
        ReportAddress::Authorized(address.clone())
    } else {
        ReportAddress::Replaced(addresses)
    })
}

/// Step 5: after "a temporary DNS error of some kind", the check "can be repeated later".
const fn deferred_or_refused(failure: DnsFailure) -> ReportAddress {
    match failure {
        DnsFailure::Permanent { .. } => ReportAddress::Refused(RefusedReportAddress::Dns(failure)),
        DnsFailure::Temporary { .. } | DnsFailure::Bogus { .. } => ReportAddress::Deferred(failure),
    }
}
