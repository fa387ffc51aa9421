//! What is declared and what is seen of one domain's MTA-STS.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use mta_sts::{MAX_AGE_LIMIT, MxPattern, Policy, PolicyId};
use smtp_types::{CertificateFault, DomainName, UnixTime};
use tlsrpt::{Report, ResultType, Summary};

/// What the operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    mx: Vec<MxPattern>,
    goal: Goal,
}

impl Intent {
    /// An intent. `None` if there is no host, although there is to be a policy.
    ///
    /// The hosts are the operator's word. Do not fill them from the DNS unless the operator said
    /// so: a policy that follows forged MX records protects nobody.
    #[must_use]
    pub fn new(mut mx: Vec<MxPattern>, goal: Goal) -> Option<Self> {
        mx.sort_unstable();
        mx.dedup();
        (goal == Goal::Withdraw || !mx.is_empty()).then_some(Self { mx, goal })
    }

    /// The hosts that take the domain's mail, sorted, each once.
    #[must_use]
    pub fn mx(&self) -> &[MxPattern] {
        &self.mx
    }

    /// Where the policy is to go.
    #[must_use]
    pub const fn goal(&self) -> Goal {
        self.goal
    }
}

/// Where a policy is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Testing, then enforce, then longer, as far as this `max_age` and as evidence allows.
    Climb {
        /// The greatest `max_age`; a year at most. 180 days is good.
        highest: Duration,
    },
    /// Testing, and no further.
    Testing,
    /// No policy any more: first mode none, then nothing (RFC 8461 §8.3).
    Withdraw,
}

impl Goal {
    /// As far as 180 days, which the founding documents ask for (ledger S1-45).
    pub const FULL: Self = Self::Climb { highest: Duration::from_secs(180 * 86_400) };
}

/// How fast and how carefully.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long all must have been good in testing if senders report. The default is 14 days.
    pub testing_with_reports: Duration,
    /// How long if nobody reports. The default is 28 days.
    pub testing_without_reports: Duration,
    /// How many organizations must have reported for "senders report". The default is 1.
    pub least_reporters: usize,
    /// How many sessions they must have told of. The default is 10.
    pub least_sessions: u64,
    /// What leads back from enforce to testing. The default is own probes.
    pub step_back: StepBack,
    /// How long every host must be seen bad before that. The default is 10 minutes.
    pub confirm: Duration,
    /// Whose caches a change of MX hosts waits for. The default is everybody's.
    pub patience: Patience,
}

impl Default for Settings {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self {
            testing_with_reports: days(14),
            testing_without_reports: days(28),
            least_reporters: 1,
            least_sessions: 10,
            step_back: StepBack::OnOwnProbe,
            confirm: Duration::from_secs(600),
            patience: Patience::EveryCache,
        }
    }
}

/// What leads back from enforce to testing.
///
/// Anyone can send a report, and whoever strips STARTTLS from the senders' connections makes honest
/// ones. If reports alone ended enforcement, they would be the attack. So they stop the climb and
/// raise an alarm; what ends enforcement by default is that our own probes find every host bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepBack {
    /// Nothing: the operator decides.
    Never,
    /// Own probes that find every declared host bad.
    OnOwnProbe,
    /// Also a report of a decisive failure.
    OnReportsToo,
}

/// Whose caches a change waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Patience {
    /// Everybody's: TTL and `max_age`, whether senders look at the record again or not.
    EveryCache,
    /// Those that look at the record at least once a day (RFC 8461 §3.3, §10.2): TTL and two days.
    DailyRefresh,
}

/// What is seen of a domain, all of it from outside and not from our own files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the policy host gives to a fetch by RFC 8461 §3.3; `None` if nothing valid.
    pub served: Option<Policy>,
    /// What each authoritative server shows at `_mta-sts`; empty if they are not known.
    pub records: Vec<RecordSeen>,
    /// How long a cache may keep what it is told there: the greater of the record's TTL and the TTL
    /// of absence (RFC 2308 §5). `None` if no server said.
    pub record_ttl: Option<Duration>,
    /// The MX hosts, in the union of all authoritative servers; `None` if a look-up failed.
    pub mx: Option<MxSeen>,
    /// What others report about the domain: all that is known of the last weeks, in any order.
    pub reports: Vec<ReportFact>,
    /// Whether reports can come at all.
    pub report_address: ReportAddress,
}

/// What one authoritative server shows at `_mta-sts`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RecordSeen {
    /// One valid record.
    Id(PolicyId),
    /// None.
    Absent,
    /// Several, or one that is not valid: for a sender the same as none (RFC 8461 §3.1).
    Unusable,
    /// The server did not answer.
    Unknown,
}

/// The MX hosts in the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxSeen {
    /// Each host, with what the newest probe of all its addresses found.
    pub hosts: BTreeMap<DomainName, Probe>,
    /// The greatest TTL of the MX records.
    pub ttl: Duration,
}

/// What a probe of a host found, held against what a policy in enforce demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Every address offers STARTTLS with TLS 1.2 or later and a certificate that is trusted and
    /// made for the host's name (RFC 8461 §4.2).
    Good,
    /// An address does not.
    Bad(HostFault),
    /// It could not be probed, or not lately.
    Unknown,
}

/// What keeps a sender under enforce from delivering to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFault {
    /// No STARTTLS.
    NoStarttls,
    /// TLS, but older than 1.2, or it breaks off.
    Tls,
    /// The certificate.
    Certificate(CertificateFault),
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStarttls => write!(f, "no STARTTLS"),
            Self::Tls => write!(f, "no TLS 1.2 or later"),
            Self::Certificate(fault) => write!(f, "certificate: {fault}"),
        }
    }
}

/// Whether TLS reports can reach the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportAddress {
    /// There is a valid record at `_smtp._tls`.
    Published,
    /// There is none: failures at senders stay unknown.
    Missing,
    /// The look-up failed.
    Unknown,
}

/// One report of others, as far as it counts as evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFact {
    /// Who reports.
    pub reporter: Box<str>,
    /// The end of the period.
    pub end: UnixTime,
    /// All sessions.
    pub sessions: Summary,
    /// Failures that enforce turns into mail that is not delivered, with the number of sessions.
    pub decisive: Vec<(ResultType, u64)>,
}

impl ReportFact {
    /// What a report says of `domain`.
    #[must_use]
    pub fn of(report: &Report, domain: &DomainName) -> Self {
        let ours =
            || report.policies.iter().filter(|one| one.policy.domain.as_ref() == Some(domain));
        let details = ours().flat_map(|policy| &policy.details);
        let decisive =
            details.filter(|detail| detail.sessions > 0 && is_decisive(&detail.failure.result));
        Self {
            reporter: report.organization.clone().unwrap_or_else(|| "unnamed".into()),
            end: report.period.end,
            sessions: ours().map(|policy| policy.summary).fold(Summary::default(), Summary::plus),
            decisive: decisive.map(|one| (one.failure.result.clone(), one.sessions)).collect(),
        }
    }
}

/// Whether enforce would turn this failure into mail that is not delivered. All of RFC 8460 §4.3
/// but what concerns DANE only; and any type that is not known, for it may be the worst.
#[must_use]
pub const fn is_decisive(result: &ResultType) -> bool {
    !matches!(
        result,
        ResultType::TlsaInvalid | ResultType::DnssecInvalid | ResultType::DaneRequired
    )
}

/// A step of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rung {
    pub(crate) max_age: Duration,
    /// How long all must have been good here before the next one.
    pub(crate) stay: Duration,
}

const fn rung(max_age: u64, stay: u64) -> Rung {
    Rung {
        max_age: Duration::from_secs(max_age * 86_400),
        stay: Duration::from_secs(stay * 86_400),
    }
}

/// `max_age` in enforce: 1, 7, 30, 180 days. Each stay is as long as it takes until a mistake would
/// have shown, and never longer than what the next step risks.
pub(crate) const LADDER: [Rung; 4] = [rung(1, 7), rung(7, 14), rung(30, 30), rung(180, 0)];

/// The life of a policy in testing or none: a day, which RFC 8461 §8.3 gives as an example of small.
pub(crate) const SHORT: Duration = LADDER[0].max_age;

/// The `max_age` behind `current` on the way to `highest`, and how long `current` has to be good.
pub(crate) fn next_rung(current: Duration, highest: Duration) -> Option<Rung> {
    let highest = highest.min(MAX_AGE_LIMIT);
    let here = LADDER.iter().rev().find(|rung| rung.max_age <= current).unwrap_or(&LADDER[0]);
    let next = LADDER.iter().map(|rung| rung.max_age).find(|age| *age > current)?;
    (current < highest).then(|| Rung { max_age: next.min(highest), stay: here.stay })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder() {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let next = |current, highest| {
            next_rung(days(current), days(highest)).map(|rung| rung.max_age.as_secs() / 86_400)
        };
        assert_eq!(next(1, 180), Some(7));
        assert_eq!(next(10, 180), Some(30), "adopted between two rungs");
        assert_eq!(next(30, 90), Some(90));
        assert_eq!(next(90, 90), None);
        assert_eq!(next(180, 365), None);
        assert_eq!(next_rung(Duration::from_secs(60), days(180)).unwrap().max_age, days(1));
    }

    #[test]
    fn unknown_types_are_decisive() {
        let harmless = ResultType::ALL.iter().filter(|result| !is_decisive(result)).count();
        assert_eq!(harmless, 3);
        assert!(is_decisive(&ResultType::Other("new-failure".into())));
    }
}
