//! Why a decision fell as it did, as values: the terminal, the log, the API and a page show the
//! same ones.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use mta_sts::{FetchError, Mode, NoRecord, PolicyId, Source};
use smtp_types::{DnsFailure, DnsQuestion, DomainName};

use crate::{LocalPolicy, LocalRule};

/// One circumstance of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The operator's own word.
    Local(LocalPolicy),
    /// The operator requires authentication, and the domain offers none.
    RequirementUnmet,
    /// The domain takes no mail (RFC 7505); the mail server will say so.
    NullMx,
    /// The domain does not exist; the mail server will say so.
    NoSuchDomain,
    /// The MX look-up failed.
    MxFailed(DnsFailure),
    /// The zone of the domain is not signed: its MX records may be forged.
    MxInsecure,
    /// No resolver that can be trusted has checked signatures: DANE is off.
    MxUnchecked,
    /// The host has no address.
    HostUnreachable(DomainName),
    /// A look-up for the host failed.
    HostFailed {
        /// The host.
        host: DomainName,
        /// What was asked.
        question: DnsQuestion,
        /// What came of it.
        failure: DnsFailure,
    },
    /// A host that cannot be looked up does not stop the others.
    OtherHostsSuffice,
    /// More hosts than are looked at.
    HostsLeftOut {
        /// How many were not looked at.
        count: usize,
    },
    /// Every reachable host has usable TLSA records.
    EveryHostHasDane {
        /// How many.
        hosts: usize,
    },
    /// Some hosts have usable TLSA records.
    SomeHostsHaveDane {
        /// How many have.
        with: usize,
        /// How many have not.
        without: usize,
    },
    /// There are TLSA records, and none is usable: TLS is mandatory, without authentication
    /// (RFC 7672 §2.2).
    OnlyUnusableDane {
        /// How many hosts.
        hosts: usize,
    },
    /// Hosts have usable TLSA records, and the MX records that lead to them are not signed.
    DaneBehindInsecureMx {
        /// How many hosts.
        hosts: usize,
    },
    /// No host has TLSA records that count.
    NoDane,
    /// Mixed hosts are authenticated by MTA-STS, by setting.
    MixedHostsBySts,
    /// Mixed hosts are authenticated by DANE where they can be, by setting.
    MixedHostsByDane,
    /// An MTA-STS policy applies.
    Sts {
        /// Its mode.
        mode: Mode,
        /// Where it comes from.
        source: Source,
        /// Its id.
        id: PolicyId,
    },
    /// The domain publishes no usable MTA-STS record.
    StsNoRecord(NoRecord),
    /// The look-up of the MTA-STS record failed, and no policy is remembered.
    StsRecordFailed(DnsFailure),
    /// The MTA-STS policy could not be had, and none is remembered.
    StsPolicyFailed(FetchError),
    /// Mail waits while MTA-STS fails at first contact, by setting.
    StsErrorDefers,
    /// MX hosts that the MTA-STS policy does not allow.
    MxNotAllowed {
        /// The hosts.
        hosts: Vec<DomainName>,
        /// Whether these are all there are.
        all: bool,
    },
}

impl Reason {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Local(_) => "local-policy",
            Self::RequirementUnmet => "requirement-unmet",
            Self::NullMx => "null-mx",
            Self::NoSuchDomain => "no-such-domain",
            Self::MxFailed(_) => "mx-failed",
            Self::MxInsecure => "mx-insecure",
            Self::MxUnchecked => "mx-unchecked",
            Self::HostUnreachable(_) => "host-unreachable",
            Self::HostFailed { .. } => "host-failed",
            Self::OtherHostsSuffice => "other-hosts-suffice",
            Self::HostsLeftOut { .. } => "hosts-left-out",
            Self::EveryHostHasDane { .. } => "dane-every-host",
            Self::SomeHostsHaveDane { .. } => "dane-some-hosts",
            Self::OnlyUnusableDane { .. } => "dane-unusable",
            Self::DaneBehindInsecureMx { .. } => "dane-insecure-mx",
            Self::NoDane => "no-dane",
            Self::MixedHostsBySts => "mixed-by-sts",
            Self::MixedHostsByDane => "mixed-by-dane",
            Self::Sts { mode: Mode::Enforce, .. } => "sts-enforce",
            Self::Sts { mode: Mode::Testing, .. } => "sts-testing",
            Self::Sts { mode: Mode::None, .. } => "sts-none",
            Self::StsNoRecord(_) => "sts-no-record",
            Self::StsRecordFailed(_) => "sts-record-failed",
            Self::StsPolicyFailed(_) => "sts-policy-failed",
            Self::StsErrorDefers => "sts-error-defers",
            Self::MxNotAllowed { .. } => "mx-not-allowed",
        }
    }

    /// Whether this alone makes mail wait: what a log line or a TEMP reply should name.
    #[must_use]
    pub const fn is_obstacle(&self) -> bool {
        matches!(
            self,
            Self::MxFailed(_)
                | Self::HostFailed { .. }
                | Self::StsRecordFailed(_)
                | Self::StsPolicyFailed(_)
                | Self::RequirementUnmet
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(local) => {
                let rule = match &local.rule {
                    LocalRule::Require => "require",
                    LocalRule::Off => "off",
                    LocalRule::Fixed(fixed) => fixed.level.as_str(),
                };
                write!(f, "the operator's override says {rule}: {}", local.comment)
            }
            Self::RequirementUnmet => {
                write!(f, "authentication is required here, and the domain offers none")
            }
            Self::NullMx => write!(f, "the domain takes no mail (null MX)"),
            Self::NoSuchDomain => write!(f, "the domain does not exist"),
            Self::MxFailed(failure) => write!(f, "MX look-up: {failure}"),
            Self::MxInsecure => write!(f, "the MX records are not signed"),
            Self::MxUnchecked => {
                write!(f, "no trusted resolver validates DNSSEC here: DANE is off")
            }
            Self::HostUnreachable(host) => write!(f, "{host} has no address"),
            Self::HostFailed { question, failure, .. } => write!(f, "{question}: {failure}"),
            Self::OtherHostsSuffice => {
                write!(f, "hosts that cannot be looked up are passed over; others remain")
            }
            Self::HostsLeftOut { count } => write!(f, "hosts not looked at: {count}"),
            Self::EveryHostHasDane { hosts: 1 } => {
                write!(f, "the only reachable host has usable TLSA records")
            }
            Self::EveryHostHasDane { hosts } => {
                write!(f, "all {hosts} reachable hosts have usable TLSA records")
            }
            Self::SomeHostsHaveDane { with, without } => {
                write!(f, "{with} of {} hosts have usable TLSA records", with + without)
            }
            Self::OnlyUnusableDane { hosts } => {
                write!(
                    f,
                    "hosts with TLSA records, none usable: {hosts}; TLS without authentication"
                )
            }
            Self::DaneBehindInsecureMx { hosts } => {
                write!(f, "hosts with TLSA records: {hosts}; unsigned MX records lead there")
            }
            Self::NoDane => write!(f, "no host has TLSA records that count"),
            Self::MixedHostsBySts => {
                write!(f, "not every host has DANE: all are authenticated by MTA-STS (setting)")
            }
            Self::MixedHostsByDane => {
                write!(f, "not every host has DANE: only those that do are protected (setting)")
            }
            Self::Sts { mode, source, id } => {
                let source = match source {
                    Source::Live => "fetched now",
                    Source::Cache => "remembered, id unchanged",
                    Source::CacheOnly => "remembered; not to be had today",
                };
                write!(f, "MTA-STS policy {id}, mode {} ({source})", mode.as_str())
            }
            Self::StsNoRecord(NoRecord::Absent) => write!(f, "no MTA-STS record"),
            Self::StsNoRecord(reason) => write!(f, "no usable MTA-STS record: {reason}"),
            Self::StsRecordFailed(failure) => write!(f, "MTA-STS record: {failure}"),
            Self::StsPolicyFailed(error) => write!(f, "MTA-STS policy: {error}"),
            Self::StsErrorDefers => write!(f, "mail waits until MTA-STS can be checked (setting)"),
            Self::MxNotAllowed { hosts, all } => {
                let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
                let none = if *all { "; no host remains" } else { "" };
                write!(f, "the MTA-STS policy does not allow {}{none}", hosts.join(", "))
            }
        }
    }
}
