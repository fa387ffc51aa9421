//! When no report is sent: loops, floods and spam.
//!
//! A report is mail, and its session could be reported in turn. Two reporters that answer each
//! other never stop. And because a TXT record can name any address, reports can be made a weapon:
//! against a third party that gets them all, or against the sender, who is listed for mailing the
//! domains that send spam. So before a report is made, [`decide`] looks at what led to it, and
//! [`Quota`] at where it goes.
//!
//! What is not here: who knows these numbers, and bounces, which the outbox remembers.

use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;

use smtp_types::DomainName;

use crate::{Day, Summary};

/// What happened between us and a domain on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Our sessions with its mail servers.
    pub sessions: Summary,
    /// How many report mails of ours went to its mail servers, those that failed included.
    pub report_mails: u64,
    /// How many messages of the domain we took.
    pub accepted: u64,
    /// How many messages of the domain we refused as spam or forged.
    pub refused: u64,
}

/// Whether a domain gets a report about a day.
///
/// - No session, no report.
/// - RFC 8460 §3: "the sending MTA SHOULD NOT include this TLS failure" of a report's own session.
///   A mail server does not say which session was for a report. So where there were not more
///   sessions than report mails, there is nothing else to report.
/// - A domain that we only know by mail that we refused gets none: our sessions with it are
///   bounces and reports, and an answer to spam is spam.
///
/// # Errors
/// [`NoReport`] is the reason why none is sent.
pub const fn decide(traffic: &Traffic) -> Result<(), NoReport> {
    let sessions = traffic.sessions.sessions();
    if sessions == 0 {
        return Err(NoReport::NoSession);
    }
    if sessions <= traffic.report_mails {
        return Err(NoReport::OwnReportsOnly);
    }
    if traffic.refused > 0 && traffic.accepted == 0 {
        return Err(NoReport::RefusedSender);
    }
    Ok(())
}

/// Why no report is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoReport {
    /// There was no session.
    NoSession,
    /// All sessions can have been those of our reports: reports about reports would never end.
    OwnReportsOnly,
    /// All that the domain sends is refused: it would be mail to a spammer.
    RefusedSender,
    /// The host got as many reports today as it may.
    HostQuota {
        /// How many.
        limit: u32,
    },
    /// This destination got a report about this domain and day already.
    Repeated,
}

impl NoReport {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoSession => "no-session",
            Self::OwnReportsOnly => "own-reports-only",
            Self::RefusedSender => "refused-sender",
            Self::HostQuota { .. } => "host-quota",
            Self::Repeated => "repeated",
        }
    }
}

impl fmt::Display for NoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSession => write!(f, "there was no session"),
            Self::OwnReportsOnly => write!(f, "all sessions can have been those of our reports"),
            Self::RefusedSender => write!(f, "all mail of the domain is refused"),
            Self::HostQuota { limit } => write!(f, "the host got its {limit} reports of the day"),
            Self::Repeated => write!(f, "the destination got this report already"),
        }
    }
}

impl core::error::Error for NoReport {}

/// How many reports a host may get on a day, if the operator does not say otherwise.
pub const REPORTS_PER_HOST: u32 = 500;

/// What the hosts that take reports got about one day.
///
/// A record can name any host, and nobody asks that host (RFC 8460 has no check like that of
/// DMARC, RFC 9990 §4). A bound for each host keeps a million records from becoming a flood.
#[derive(Clone, Debug)]
pub struct Quota {
    day: Day,
    limit: u32,
    hosts: BTreeMap<DomainName, Host>,
}

#[derive(Clone, Debug, Default)]
struct Host {
    reports: u32,
    domains: BTreeSet<DomainName>,
}

impl Quota {
    /// Nothing was sent yet. `limit` is for each host, usually [`REPORTS_PER_HOST`]; 0 forbids all.
    #[must_use]
    pub const fn new(day: Day, limit: u32) -> Self {
        Self { day, limit, hosts: BTreeMap::new() }
    }

    /// The day that the reports are about.
    #[must_use]
    pub const fn day(&self) -> Day {
        self.day
    }

    /// Counts a report about `domain` to `host`: that of the https URI, or the domain of the
    /// address.
    ///
    /// # Errors
    /// If it may not be sent. Then it is not counted.
    pub fn admit(&mut self, host: &DomainName, domain: &DomainName) -> Result<(), NoReport> {
        let host = self.hosts.entry(host.clone()).or_default();
        if host.domains.contains(domain) {
            return Err(NoReport::Repeated);
        }
        if host.reports >= self.limit {
            return Err(NoReport::HostQuota { limit: self.limit });
        }
        host.reports += 1;
        host.domains.insert(domain.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn decisions() {
        let sessions = |successes| Traffic {
            sessions: Summary { successes, failures: 0 },
            ..Traffic::default()
        };
        let table = [
            (sessions(0), Err(NoReport::NoSession)),
            (sessions(1), Ok(())),
            (Traffic { report_mails: 1, ..sessions(1) }, Err(NoReport::OwnReportsOnly)),
            (Traffic { report_mails: 1, ..sessions(2) }, Ok(())),
            (Traffic { refused: 9, ..sessions(2) }, Err(NoReport::RefusedSender)),
            (Traffic { refused: 9, accepted: 1, ..sessions(2) }, Ok(())),
        ];
        for (traffic, expected) in table {
            assert_eq!(decide(&traffic), expected, "{traffic:?}");
        }
    }

    #[test]
    fn hosts_have_a_quota() {
        let name = |text: &str| DomainName::parse(text).unwrap();
        let mut quota = Quota::new(Day::since_epoch(0), 2);
        let host = name("rua.test");
        assert_eq!(quota.admit(&host, &name("a.test")), Ok(()));
        assert_eq!(quota.admit(&host, &name("a.test")), Err(NoReport::Repeated));
        assert_eq!(quota.admit(&host, &name("b.test")), Ok(()));
        assert_eq!(quota.admit(&host, &name("c.test")), Err(NoReport::HostQuota { limit: 2 }));
        for number in 0..9 {
            assert_eq!(quota.admit(&name(&format!("h{number}.test")), &name("c.test")), Ok(()));
        }
    }
}
