//! The one map from failures to what a TLS report calls them (RFC 8460 §4.3).
//!
//! Two kinds of failures: those that are known before a session, of the policy and of the records;
//! and those of a session that we have had ourselves. What fails in the sessions of the mail server
//! is seen by it and named by it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use mta_sts::{FetchError, NoRecord, RecordFailure};
use smtp_dane::{HostDane, MxLookup, VerifyError};
use smtp_starttls::{Failure, Stage};
use smtp_types::{CertificateFault, DnsFailure};
use tlsrpt::ResultType;

use crate::{Facts, SessionFailure};

/// The result types of everything that failed while the facts were gathered, each once.
#[must_use]
pub fn result_types(facts: &Facts) -> Vec<ResultType> {
    let mut types = BTreeSet::new();
    if let MxLookup::Failed(failure) = &facts.dane.mx {
        types.extend(dns_failure(failure));
    }
    for host in &facts.dane.hosts {
        match &host.dane {
            HostDane::Failed { failure, .. } => types.extend(dns_failure(failure)),
            // §4.3.2.1: "no TLSA record … is usable".
            HostDane::Unusable { .. } => {
                types.insert(ResultType::TlsaInvalid);
            }
            HostDane::Unreachable { .. } | HostDane::NotApplicable(_) | HostDane::Usable { .. } => {
            }
        }
    }
    if let Err(failure) = &facts.sts.record {
        types.extend(record_failure(failure));
    }
    if let Some(Err(error)) = &facts.sts.fetched {
        types.insert(fetch_error(error));
    }
    types.into_iter().collect()
}

/// What kept the policy of a domain from being had: first the record, then the fetch. `None` if
/// nothing did.
#[must_use]
pub fn policy_result_type(found: &mta_sts::Discovery) -> Option<ResultType> {
    if let Err(failure) = &found.record {
        return record_failure(failure);
    }
    let error = found.fetched.as_ref()?.as_ref().err()?;
    Some(fetch_error(error))
}

/// What failed in a session. `None` for what says nothing about TLS: a server that wants no
/// session, or is no mail server.
#[must_use]
pub fn session_result_type(failure: &SessionFailure) -> Option<ResultType> {
    match failure {
        SessionFailure::Dialogue(failure) => dialogue_failure(failure),
        SessionFailure::Certificate(fault) => Some(certificate_fault(fault)),
        SessionFailure::Dane(VerifyError::Path(fault)) => Some(certificate_fault(fault)),
        // The chain is not the one that the records speak of: what Postfix calls it, too.
        SessionFailure::Dane(VerifyError::NoMatch) => Some(ResultType::CertificateNotTrusted),
        SessionFailure::Dane(VerifyError::NoCertificate)
        | SessionFailure::Handshake { .. }
        // §4.3 has no word for a host that a policy does not name; the reason code says it.
        | SessionFailure::MxNotAllowed => Some(ResultType::ValidationFailure),
    }
}

/// §4.3.1 for what was refused or never offered; §4.3.3 for what broke between STARTTLS and the
/// handshake.
fn dialogue_failure(failure: &Failure) -> Option<ResultType> {
    match failure {
        Failure::NotOffered { .. } | Failure::StarttlsRefused { .. } => {
            Some(ResultType::StarttlsNotSupported)
        }
        Failure::Injected { .. }
        | Failure::Malformed { stage: Stage::Starttls, .. }
        | Failure::Closed { stage: Stage::Starttls, .. }
        | Failure::Unexpected { stage: Stage::Starttls, .. } => Some(ResultType::ValidationFailure),
        Failure::Malformed { .. }
        | Failure::Closed { .. }
        | Failure::Unexpected { .. }
        | Failure::Refused { .. }
        | Failure::Missing { .. } => None,
    }
}

/// §4.3.1.
fn certificate_fault(fault: &CertificateFault) -> ResultType {
    match fault {
        CertificateFault::Expired => ResultType::CertificateExpired,
        CertificateFault::WrongName { .. } | CertificateFault::Wildcard => {
            ResultType::CertificateHostMismatch
        }
        CertificateFault::NotYetValid
        | CertificateFault::UnknownIssuer
        | CertificateFault::Other { .. } => ResultType::CertificateNotTrusted,
    }
}

/// §4.3.2.1: `dnssec-invalid` is for records that do not validate; a resolver that does not
/// answer has no name in a report.
fn dns_failure(failure: &DnsFailure) -> Option<ResultType> {
    match failure {
        DnsFailure::Bogus { .. } => Some(ResultType::DnssecInvalid),
        DnsFailure::Temporary { .. } | DnsFailure::Permanent { .. } => None,
    }
}

/// A record that is there and cannot be used is an invalid policy; one that is not there is no
/// failure.
fn record_failure(failure: &RecordFailure) -> Option<ResultType> {
    match failure {
        RecordFailure::None(NoRecord::Several { .. } | NoRecord::Invalid(_)) => {
            Some(ResultType::StsPolicyInvalid)
        }
        RecordFailure::Dns(DnsFailure::Bogus { .. }) => Some(ResultType::DnssecInvalid),
        RecordFailure::Dns(_) => Some(ResultType::StsPolicyFetchError),
        RecordFailure::None(NoRecord::Absent) | RecordFailure::NameTooLong => None,
    }
}

/// §4.3.2.2.
fn fetch_error(error: &FetchError) -> ResultType {
    match error {
        FetchError::Policy(_) => ResultType::StsPolicyInvalid,
        FetchError::Https(_) if error.certificate_fault().is_some() => ResultType::StsWebpkiInvalid,
        FetchError::Https(_) | FetchError::Status { .. } | FetchError::MediaType { .. } => {
            ResultType::StsPolicyFetchError
        }
    }
}
