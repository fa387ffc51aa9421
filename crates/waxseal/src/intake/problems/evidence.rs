//! The sums that problems are looked for in. A year of reports has millions of rows and a few
//! thousand kinds of rows; what is alike is counted together, and what would be too much of one kind
//! loses its addresses, so that memory is bounded and sums stay exact.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use smtp_types::UnixTime;
use tlsrpt::Policy;

use crate::store::{FailureRow, ReceivedKind, RecordRow, ReportDetails, ReportRow};

/// How many kinds of failures or records a domain may have before addresses are dropped.
const MAX_KINDS: usize = 50_000;

/// What reports say about all domains.
#[derive(Debug, Default)]
pub struct Evidence {
    tls: BTreeMap<Arc<str>, TlsEvidence>,
    dmarc: BTreeMap<Arc<str>, DmarcEvidence>,
    reports: u64,
}

/// What reports about TLS say about one domain.
#[derive(Debug, Default)]
pub(super) struct TlsEvidence {
    /// Sessions of each reporter on each day.
    pub(super) days: BTreeMap<(u64, Arc<str>), Sum>,
    /// The policies that were found, by their line.
    pub(super) policies: BTreeMap<Arc<str>, PolicySeen>,
    /// What failed.
    pub(super) failures: BTreeMap<FailureKind, Span>,
}

/// Sessions, or messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) good: u64,
    pub(super) bad: u64,
}

impl Sum {
    fn add(&mut self, good: u64, bad: u64) {
        self.good = self.good.saturating_add(good);
        self.bad = self.bad.saturating_add(bad);
    }

    pub(super) const fn all(self) -> u64 {
        self.good.saturating_add(self.bad)
    }
}

/// A policy, and when it was seen last.
#[derive(Debug)]
pub(super) struct PolicySeen {
    pub(super) policy: Option<Policy>,
    pub(super) last: u64,
}

/// Failures that are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FailureKind {
    pub(super) result: Arc<str>,
    pub(super) mx: Arc<str>,
    pub(super) reason: Arc<str>,
    pub(super) reporter: Arc<str>,
    pub(super) policy: Arc<str>,
    pub(super) sender: Option<Network>,
    pub(super) receiving_ip: Option<IpAddr>,
}

/// How much, and from which day to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) count: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    const fn of(day: u64) -> Self {
        Self { count: 0, first: day, last: day }
    }

    pub(super) fn add(&mut self, count: u64, day: u64) {
        self.merge(Self { count, first: day, last: day });
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// The network around an address: /24 or /48, about what one operator has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Network(IpAddr);

impl Network {
    pub(super) fn of(ip: IpAddr) -> Self {
        Self(match ip {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                IpAddr::from([a, b, c, 0])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, ..] = ip.segments();
                IpAddr::from([a, b, c, 0, 0, 0, 0, 0])
            }
        })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.0, if self.0.is_ipv4() { 24 } else { 48 })
    }
}

/// What aggregate reports say about one domain.
#[derive(Debug, Default)]
pub(super) struct DmarcEvidence {
    /// Messages of each reporter on each day.
    pub(super) days: BTreeMap<(u64, Arc<str>), Sum>,
    /// The policy that was found last, and when.
    pub(super) policy: Option<(UnixTime, Arc<str>)>,
    /// Messages that are alike.
    pub(super) records: BTreeMap<RecordKind, RecordSum>,
}

/// Messages that are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordKind {
    pub(super) source: Option<Network>,
    pub(super) header_from: Arc<str>,
    pub(super) auth: Arc<str>,
    pub(super) reasons: Arc<str>,
    pub(super) dkim: bool,
    pub(super) spf: bool,
}

/// How many there are, and who has seen them.
#[derive(Debug)]
pub(super) struct RecordSum {
    pub(super) span: Span,
    pub(super) days: BTreeSet<u64>,
    pub(super) reporters: BTreeMap<Arc<str>, u64>,
    /// Refused or put into quarantine.
    pub(super) stopped: u64,
    /// One of the addresses.
    pub(super) address: Option<IpAddr>,
}

impl Evidence {
    /// Takes in a report. One that does not count, or whose author has failed to prove himself,
    /// explains nothing: anybody can send that.
    pub fn add(&mut self, report: &ReportRow, details: &ReportDetails) {
        if report.state != "counted" || report.grade == "failed" {
            return;
        }
        self.reports += 1;
        // The day of its middle: periods begin a second early or late.
        let middle = report.begins.0 / 2 + report.ends.0.max(report.begins.0) / 2;
        let day = middle / 86_400;
        let totals = report.totals;
        match report.kind {
            ReceivedKind::Tls => {
                let tls = self.tls.entry(Arc::clone(&report.domain)).or_default();
                let days = tls.days.entry((day, Arc::clone(&report.organization))).or_default();
                days.add(totals.good, totals.bad);
                for policy in &details.policies {
                    let seen = tls.policies.entry(Arc::clone(&policy.policy));
                    let seen = seen.or_insert_with(|| PolicySeen {
                        policy: Policy::from_line(&policy.policy).ok(),
                        last: day,
                    });
                    seen.last = seen.last.max(day);
                }
                for failure in &details.failures {
                    let policy = details.policies.get(failure.policy);
                    let policy = policy.map_or_else(|| "".into(), |row| Arc::clone(&row.policy));
                    tls.failure(report, failure, policy, day);
                }
            }
            ReceivedKind::Dmarc => {
                let dmarc = self.dmarc.entry(Arc::clone(&report.domain)).or_default();
                let days = dmarc.days.entry((day, Arc::clone(&report.organization))).or_default();
                days.add(totals.good, totals.bad);
                if dmarc.policy.as_ref().is_none_or(|(at, _)| *at <= report.begins) {
                    dmarc.policy = Some((report.begins, Arc::clone(&report.policy)));
                }
                for record in &details.records {
                    dmarc.record(report, record, day);
                }
            }
            ReceivedKind::Failure => {}
        }
    }

    /// How many reports explain something.
    #[must_use]
    pub const fn reports(&self) -> u64 {
        self.reports
    }

    /// How many domains they are about.
    #[must_use]
    pub fn domains(&self) -> usize {
        self.tls.keys().chain(self.dmarc.keys()).collect::<BTreeSet<_>>().len()
    }

    /// The last day that there are reports about, counted from 1970-01-01.
    #[must_use]
    pub fn newest(&self) -> u64 {
        let tls = self.tls.values().filter_map(|tls| tls.days.last_key_value());
        let dmarc = self.dmarc.values().filter_map(|dmarc| dmarc.days.last_key_value());
        tls.chain(dmarc).map(|((day, _), _)| *day).max().unwrap_or_default()
    }

    pub(super) const fn tls(&self) -> &BTreeMap<Arc<str>, TlsEvidence> {
        &self.tls
    }

    pub(super) const fn dmarc(&self) -> &BTreeMap<Arc<str>, DmarcEvidence> {
        &self.dmarc
    }
}

impl TlsEvidence {
    fn failure(&mut self, report: &ReportRow, row: &FailureRow, policy: Arc<str>, day: u64) {
        let is_full = self.failures.len() >= MAX_KINDS;
        let kind = FailureKind {
            result: Arc::clone(&row.result),
            mx: row.mx.to_ascii_lowercase().into(),
            reason: if is_full { "".into() } else { Arc::clone(&row.reason) },
            reporter: Arc::clone(&report.organization),
            policy,
            sender: row.sending_ip.filter(|_| !is_full).map(Network::of),
            receiving_ip: row.receiving_ip.filter(|_| !is_full),
        };
        self.failures.entry(kind).or_insert_with(|| Span::of(day)).add(row.sessions, day);
    }
}

impl DmarcEvidence {
    fn record(&mut self, report: &ReportRow, row: &RecordRow, day: u64) {
        let is_full = self.records.len() >= MAX_KINDS;
        let kind = RecordKind {
            source: row.source.filter(|_| !is_full).map(Network::of),
            header_from: Arc::clone(&row.header_from),
            auth: Arc::clone(&row.auth),
            reasons: Arc::clone(&row.reasons),
            dkim: row.aligned.dkim,
            spf: row.aligned.spf,
        };
        let sum = self.records.entry(kind).or_insert_with(|| RecordSum {
            span: Span::of(day),
            days: BTreeSet::new(),
            reporters: BTreeMap::new(),
            stopped: 0,
            address: row.source,
        });
        sum.span.add(row.messages, day);
        sum.days.insert(day);
        let seen = sum.reporters.entry(Arc::clone(&report.organization)).or_default();
        *seen = seen.saturating_add(row.messages);
        if matches!(row.disposition, 3 | 4) {
            sum.stopped = sum.stopped.saturating_add(row.messages);
        }
    }
}
