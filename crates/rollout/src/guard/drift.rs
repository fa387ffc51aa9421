//! One difference between promise and world.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use mta_sts::{FetchError, Mode, MxPattern, NoRecord, Policy, PolicyId};
use smtp_dane::Tlsa;
use smtp_types::{DomainName, Severity};

use crate::sts::HostFault;
use crate::tlsa::KeyDigest;
use crate::watched::Span;

/// One difference, with all that is needed to say it and to repair it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The policy host does not give a policy.
    PolicyUnreachable(FetchError),
    /// The policy changed, and the id did not: senders that remember keep the old one.
    PolicyWithoutId {
        /// What outside sees.
        found: Policy,
        /// The id that stands in the DNS, unchanged.
        id: PolicyId,
    },
    /// The id changed, and the policy did not: senders fetch it for nothing, or somebody is halfway.
    IdWithoutPolicy {
        /// The id that was published.
        expected: PolicyId,
        /// The id that a server shows.
        found: PolicyId,
    },
    /// Policy and id are both others than those that were published.
    OtherPolicy {
        /// What outside sees.
        found: Policy,
        /// The id that a server shows.
        id: PolicyId,
    },
    /// A server has no usable record: new senders see no policy.
    RecordGone {
        /// The authoritative server.
        server: DomainName,
        /// What is there instead.
        why: NoRecord,
    },
    /// Authoritative servers show different ids.
    ServersDisagree {
        /// The ids, each once.
        ids: Vec<PolicyId>,
    },
    /// An MX host that the served policy does not allow.
    HostNotAllowed {
        /// The host.
        host: DomainName,
        /// The policy's mode.
        mode: Mode,
    },
    /// An MX host that nobody declared.
    HostUndeclared(DomainName),
    /// A declared host that no MX record names.
    HostMissing(MxPattern),
    /// An MX host is not what the policy demands.
    HostBad {
        /// The host.
        host: DomainName,
        /// What is wrong.
        fault: HostFault,
        /// The policy's mode; none without a policy.
        mode: Mode,
    },
    /// A certificate ends soon, or has ended.
    CertificateEnds {
        /// The host that shows it.
        host: DomainName,
        /// For how long it is still valid; zero if it has ended.
        left: Duration,
    },
    /// There is no usable TLSRPT record: failures at senders stay unknown.
    NoReportRecord(tlsrpt::NoRecord),
    /// A server lacks a TLSA record that was promised.
    TlsaMissing {
        /// The host.
        host: DomainName,
        /// The record.
        record: Tlsa,
    },
    /// A TLSA record that nobody promised.
    TlsaForeign {
        /// The host.
        host: DomainName,
        /// The record.
        record: Tlsa,
    },
    /// The server shows a key that no record on one of the servers fits: senders with DANE do not
    /// deliver.
    TlsaMismatch {
        /// The host.
        host: DomainName,
        /// The key that it shows.
        key: KeyDigest,
    },
    /// TLSA records in a zone that is not signed any more: they protect nobody.
    SigningLost(DomainName),
    /// The signatures of a zone do not fit: senders that check do not deliver.
    SigningBroken(DomainName),
    /// The delegation names other servers than declared.
    NameServers {
        /// Servers that are there and were not declared.
        unknown: Vec<DomainName>,
        /// Declared servers that are not there.
        missing: Vec<DomainName>,
    },
}

impl Drift {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::PolicyUnreachable(_) => "policy-unreachable",
            Self::PolicyWithoutId { .. } => "policy-changed-without-id",
            Self::IdWithoutPolicy { .. } => "id-changed-without-policy",
            Self::OtherPolicy { .. } => "policy-replaced",
            Self::RecordGone { .. } => "record-gone",
            Self::ServersDisagree { .. } => "servers-disagree",
            Self::HostNotAllowed { .. } => "mx-not-allowed",
            Self::HostUndeclared(_) => "mx-undeclared",
            Self::HostMissing(_) => "mx-missing",
            Self::HostBad { .. } => "mx-bad",
            Self::CertificateEnds { .. } => "certificate-ends",
            Self::NoReportRecord(_) => "tlsrpt-record-gone",
            Self::TlsaMissing { .. } => "tlsa-missing",
            Self::TlsaForeign { .. } => "tlsa-foreign",
            Self::TlsaMismatch { .. } => "tlsa-mismatch",
            Self::SigningLost(_) => "dnssec-lost",
            Self::SigningBroken(_) => "dnssec-bogus",
            Self::NameServers { .. } => "name-servers",
        }
    }

    /// An error: mail or protection is being lost now. A warning: it will be, or is weaker than
    /// promised. A notice: worth knowing.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::HostNotAllowed { mode: Mode::Enforce, .. }
            | Self::HostBad { mode: Mode::Enforce, .. }
            | Self::CertificateEnds { left: Duration::ZERO, .. }
            | Self::PolicyUnreachable(_)
            | Self::RecordGone { .. }
            | Self::OtherPolicy { .. }
            | Self::HostUndeclared(_)
            | Self::TlsaMismatch { .. }
            | Self::SigningLost(_)
            | Self::SigningBroken(_) => Severity::Error,
            Self::PolicyWithoutId { .. }
            | Self::ServersDisagree { .. }
            | Self::HostNotAllowed { .. }
            | Self::HostBad { .. }
            | Self::CertificateEnds { .. }
            | Self::NoReportRecord(_)
            | Self::TlsaMissing { .. }
            | Self::TlsaForeign { .. }
            | Self::NameServers { .. } => Severity::Warning,
            Self::IdWithoutPolicy { .. } | Self::HostMissing(_) => Severity::Notice,
        }
    }

    /// The rule behind it.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::PolicyUnreachable(_) => "RFC 8461 §3.3",
            Self::PolicyWithoutId { .. }
            | Self::IdWithoutPolicy { .. }
            | Self::OtherPolicy { .. } => "RFC 8461 §8.1",
            Self::RecordGone { .. } | Self::ServersDisagree { .. } => "RFC 8461 §3.1",
            Self::HostNotAllowed { .. } | Self::HostUndeclared(_) | Self::HostMissing(_) => {
                "RFC 8461 §4.1"
            }
            Self::HostBad { .. } | Self::CertificateEnds { .. } => "RFC 8461 §4.2",
            Self::NoReportRecord(_) => "RFC 8460 §3",
            Self::TlsaMissing { .. } | Self::TlsaForeign { .. } | Self::TlsaMismatch { .. } => {
                "RFC 7671 §8"
            }
            Self::SigningLost(_) | Self::SigningBroken(_) | Self::NameServers { .. } => {
                "RFC 7672 §2.1.1"
            }
        }
    }

    /// What to do, in one sentence.
    #[must_use]
    pub fn fix(&self) -> String {
        match self {
            Self::PolicyUnreachable(_) => {
                "make the policy host answer; until then do not change the id".into()
            }
            Self::PolicyWithoutId { .. } => {
                "if the change is meant, publish a new id; else serve the promised policy".into()
            }
            Self::IdWithoutPolicy { expected, .. } => {
                format!("publish the promised record: \"v=STSv1; id={expected};\"")
            }
            Self::OtherPolicy { .. } => {
                "find out who changed it; serve the promised policy, then publish a new id".into()
            }
            Self::RecordGone { server, .. } => {
                format!("publish exactly one valid record, and see that {server} has it")
            }
            Self::ServersDisagree { .. } => {
                "see that all authoritative servers have the same zone (serial, transfers)".into()
            }
            Self::HostNotAllowed { host, .. } => format!(
                "add \"mx: {host}\" to the policy, then a new id; or remove the MX record if it is \
                 not yours"
            ),
            Self::HostUndeclared(host) => {
                format!("declare {host} if it takes your mail; else remove its MX record at once")
            }
            Self::HostMissing(pattern) => {
                format!("add an MX record for {pattern}, or do not declare it any more")
            }
            Self::HostBad { host, fault: HostFault::NoStarttls, .. } => {
                format!("switch on STARTTLS on port 25 of {host}, on every address")
            }
            Self::HostBad { host, fault: HostFault::Tls, .. } => {
                format!("let {host} speak TLS 1.2 and 1.3")
            }
            Self::HostBad { host, fault: HostFault::Certificate(_), .. } => format!(
                "give {host} a certificate of a public authority for its name, with the whole \
                 chain, and reload the mail server"
            ),
            Self::CertificateEnds { host, .. } => {
                format!("renew the certificate of {host} and reload what shows it")
            }
            Self::NoReportRecord(_) => "publish \"v=TLSRPTv1; rua=mailto:…\" at _smtp._tls".into(),
            Self::TlsaMissing { host, record } => {
                format!("publish _25._tcp.{host}. IN TLSA {record} on every authoritative server")
            }
            Self::TlsaForeign { host, record } => {
                format!("remove TLSA {record} of {host} if no certificate in use needs it")
            }
            Self::TlsaMismatch { host, key } => format!(
                "if the key is yours, publish _25._tcp.{host}. IN TLSA 3 1 1 {key} at once; else \
                 find out who answers on port 25"
            ),
            Self::SigningLost(zone) => {
                format!("sign {zone} again and see that its parent has the DS record")
            }
            Self::SigningBroken(zone) => {
                format!("repair the signatures of {zone}, or the DS record at its parent")
            }
            Self::NameServers { .. } => {
                "find out who changed the delegation; then correct it, or the declaration".into()
            }
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PolicyUnreachable(error) => write!(f, "the policy cannot be had: {error}"),
            Self::PolicyWithoutId { id, .. } => {
                write!(
                    f,
                    "the policy changed and its id {id} did not: who remembers keeps the old one"
                )
            }
            Self::IdWithoutPolicy { expected, found } => {
                write!(f, "the id is {found}, expected {expected}, and the policy is unchanged")
            }
            Self::OtherPolicy { id, .. } => write!(f, "another policy is published, with id {id}"),
            Self::RecordGone { server, why } => write!(f, "{server}: {why}"),
            Self::ServersDisagree { ids } => {
                write!(f, "authoritative servers show different ids:")?;
                ids.iter().try_for_each(|id| write!(f, " {id}"))
            }
            Self::HostNotAllowed { host, mode } => {
                write!(f, "{host} is not in the policy, mode {}", mode.as_str())
            }
            Self::HostUndeclared(host) => {
                write!(f, "{host} stands in the MX records, and nobody declared it")
            }
            Self::HostMissing(pattern) => write!(f, "no MX record for {pattern}"),
            Self::HostBad { host, fault, .. } => write!(f, "{host}: {fault}"),
            Self::CertificateEnds { host, left: Duration::ZERO } => {
                write!(f, "the certificate of {host} has ended")
            }
            Self::CertificateEnds { host, left } => {
                write!(f, "the certificate of {host} ends in {}", Span(*left))
            }
            Self::NoReportRecord(why) => write!(f, "{why}"),
            Self::TlsaMissing { host, record } => {
                write!(f, "an authoritative server lacks TLSA {record} of {host}")
            }
            Self::TlsaForeign { host, record } => {
                write!(f, "TLSA {record} of {host} was not promised")
            }
            Self::TlsaMismatch { host, key } => {
                write!(f, "{host} shows a key that its TLSA records do not fit: {key}")
            }
            Self::SigningLost(zone) => write!(f, "{zone} is not signed any more"),
            Self::SigningBroken(zone) => write!(f, "the signatures of {zone} do not fit"),
            Self::NameServers { unknown, missing } => {
                write!(f, "name servers:")?;
                unknown.iter().try_for_each(|server| write!(f, " +{server}"))?;
                missing.iter().try_for_each(|server| write!(f, " -{server}"))
            }
        }
    }
}
