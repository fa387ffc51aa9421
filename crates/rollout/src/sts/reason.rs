//! What the MTA-STS autopilot did or waits for, and why, as values.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use mta_sts::Policy;
use smtp_types::{DomainName, Severity};
use tlsrpt::ResultType;

use super::facts::HostFault;
use crate::watched::Span;

/// One circumstance of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The first policy is published, in testing.
    Started,
    /// A policy that was published before is taken over.
    Adopted(Policy),
    /// All was good for long enough: from testing to enforce, or to a longer `max_age`.
    Promoted(Policy),
    /// Every host was found bad: back to testing, so that mail can come.
    SteppedBack {
        /// A host.
        host: DomainName,
        /// What is wrong with it.
        fault: HostFault,
    },
    /// A report told of a failure, and the setting is to step back on reports, too.
    SteppedBackOnReport,
    /// The operator wants less protection than there was.
    LoweredByIntent(Policy),
    /// The allowed hosts change.
    HostsChanged(Policy),
    /// The policy is being withdrawn: mode none from now on (RFC 8461 §8.3).
    Withdrawing,
    /// Mode none stays until nobody can remember another policy.
    WithdrawalWaits {
        /// For how long.
        left: Duration,
    },
    /// Nobody remembers a policy any more: record and policy host go.
    Withdrawn,
    /// The policy host does not give the policy to outside; the record waits for it.
    BodyNotSeen,
    /// Not every authoritative server shows the record.
    RecordNotSeen {
        /// How many do not.
        lacking: usize,
        /// How many there are.
        servers: usize,
    },
    /// Caches may still have the record before.
    Spreading {
        /// For how long.
        left: Duration,
    },
    /// The MX records could not be looked up.
    MxUnknown,
    /// There are no MX records.
    NoMx,
    /// An MX record leads to a host that nobody declared. Perhaps a change that nobody told of,
    /// perhaps an attack: the policy does not follow it.
    HostUndeclared(DomainName),
    /// A host could not be probed lately.
    HostUnknown(DomainName),
    /// A host is not what enforce demands.
    HostBad {
        /// The host.
        host: DomainName,
        /// What is wrong with it.
        fault: HostFault,
    },
    /// Without TLS reports, failures at senders stay unknown.
    NoReportAddress,
    /// Somebody reports a failure that enforce turns into mail that is not delivered.
    ReportedFailure {
        /// Who.
        reporter: Box<str>,
        /// What.
        result: ResultType,
        /// In how many sessions.
        sessions: u64,
    },
    /// A report of a failure is about a time that has not come yet: it is false, or our clock is
    /// wrong. Nothing goes forward until it is gone.
    ReportAhead,
    /// All is good, and has to stay so for a while.
    Proving {
        /// For how long it has been.
        so_far: Duration,
        /// For how long it must be.
        needed: Duration,
        /// How many organizations have reported.
        reporters: usize,
    },
    /// The goal is reached.
    AtGoal,
    /// The MX records may be changed when nobody remembers a policy that forbids the new hosts.
    CachesForbidHost {
        /// For how long somebody may.
        left: Duration,
    },
    /// The MX records may be changed now.
    MxMayChange,
}

impl Reason {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Adopted(_) => "adopted",
            Self::Promoted(_) => "promoted",
            Self::SteppedBack { .. } => "stepped-back",
            Self::SteppedBackOnReport => "stepped-back-on-report",
            Self::LoweredByIntent(_) => "lowered-by-intent",
            Self::HostsChanged(_) => "hosts-changed",
            Self::Withdrawing => "withdrawing",
            Self::WithdrawalWaits { .. } => "withdrawal-waits",
            Self::Withdrawn => "withdrawn",
            Self::BodyNotSeen => "body-not-seen",
            Self::RecordNotSeen { .. } => "record-not-seen",
            Self::Spreading { .. } => "spreading",
            Self::MxUnknown => "mx-unknown",
            Self::NoMx => "no-mx",
            Self::HostUndeclared(_) => "host-undeclared",
            Self::HostUnknown(_) => "host-unknown",
            Self::HostBad { .. } => "host-bad",
            Self::NoReportAddress => "no-report-address",
            Self::ReportedFailure { .. } => "reported-failure",
            Self::ReportAhead => "report-ahead",
            Self::Proving { .. } => "proving",
            Self::AtGoal => "at-goal",
            Self::CachesForbidHost { .. } => "caches-forbid-host",
            Self::MxMayChange => "mx-may-change",
        }
    }

    /// How much it matters: an error means that protection or mail is being lost, a warning that
    /// somebody should look.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::SteppedBack { .. }
            | Self::SteppedBackOnReport
            | Self::HostUndeclared(_)
            | Self::HostBad { .. } => Severity::Error,
            Self::LoweredByIntent(_)
            | Self::Withdrawing
            | Self::BodyNotSeen
            | Self::NoMx
            | Self::NoReportAddress
            | Self::ReportAhead
            | Self::ReportedFailure { .. } => Severity::Warning,
            _ => Severity::Notice,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => write!(f, "the policy begins in testing"),
            Self::Adopted(policy) => write!(f, "taken over as it was: {}", Short(policy)),
            Self::Promoted(policy) => write!(f, "all was good for long enough: {}", Short(policy)),
            Self::SteppedBack { host, fault } => {
                write!(f, "back to testing, because every host is bad; {host}: {fault}")
            }
            Self::SteppedBackOnReport => {
                write!(f, "back to testing, because of a report (setting)")
            }
            Self::LoweredByIntent(policy) => {
                write!(f, "less protection, as declared: {}", Short(policy))
            }
            Self::HostsChanged(policy) => {
                write!(f, "the policy allows other hosts from now on: {}", Hosts(policy))
            }
            Self::Withdrawing => write!(f, "the policy is withdrawn: mode none from now on"),
            Self::WithdrawalWaits { left } => {
                write!(f, "mode none stays: a policy may be remembered for another {}", Span(*left))
            }
            Self::Withdrawn => write!(f, "nobody remembers a policy any more"),
            Self::BodyNotSeen => {
                write!(f, "the policy host does not give the policy to outside; the record waits")
            }
            Self::RecordNotSeen { lacking, servers: 0 } => {
                write!(f, "the authoritative servers are not known ({lacking} seen)")
            }
            Self::RecordNotSeen { lacking, servers } => {
                write!(f, "{lacking} of {servers} authoritative servers do not show the record")
            }
            Self::Spreading { left } => {
                write!(f, "caches may have the record before for another {}", Span(*left))
            }
            Self::MxUnknown => write!(f, "the MX records could not be looked up"),
            Self::NoMx => write!(f, "there are no MX records"),
            Self::HostUndeclared(host) => {
                write!(f, "{host} stands in the MX records, and nobody declared it")
            }
            Self::HostUnknown(host) => write!(f, "{host} could not be probed"),
            Self::HostBad { host, fault } => write!(f, "{host}: {fault}"),
            Self::NoReportAddress => {
                write!(f, "there is no TLSRPT record, so failures at senders stay unknown")
            }
            Self::ReportedFailure { reporter, result, sessions } => {
                write!(
                    f,
                    "{} reports {}: {sessions}",
                    reporter.escape_debug(),
                    result.as_str().escape_debug()
                )
            }
            Self::ReportAhead => {
                write!(f, "a report is about a time to come: it is false, or the clock is wrong")
            }
            Self::Proving { so_far, needed, reporters } => {
                let (so_far, needed) = (Span(*so_far), Span(*needed));
                write!(
                    f,
                    "all is good for {so_far} of {needed} (reporting organizations: {reporters})"
                )
            }
            Self::AtGoal => write!(f, "the goal is reached"),
            Self::CachesForbidHost { left } => {
                let left = Span(*left);
                write!(
                    f,
                    "leave the MX records: a policy without the new hosts may bind for {left}"
                )
            }
            Self::MxMayChange => write!(f, "the MX records may be changed now"),
        }
    }
}

/// `mode enforce, max_age 7 d`
struct Short<'p>(&'p Policy);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mode {}, max_age {}", self.0.mode().as_str(), Span(self.0.max_age()))
    }
}

/// `mx1.example.com, mx2.example.com`
struct Hosts<'p>(&'p Policy);

impl fmt::Display for Hosts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for pattern in self.0.mx() {
            write!(f, "{separator}{pattern}")?;
            separator = ", ";
        }
        Ok(())
    }
}
