//! The one map from failures to what a TLS report calls them (RFC 8460 §4.3).
//!
//! Only what can be known before a session: failures of the policy and of the records. What fails
//! in a session (STARTTLS, certificates) is seen by the mail server and named by it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use mta_sts::{FetchError, NoRecord, RecordFailure};
use smtp_dane::{HostDane, MxLookup};
use smtp_types::DnsFailure;
use tlsrpt::ResultType;

use crate::Facts;

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
