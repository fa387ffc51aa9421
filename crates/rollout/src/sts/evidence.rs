//! What speaks for the next step, and what against it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use mta_sts::{MxPattern, Policy};
use smtp_types::{DomainName, UnixTime};

use super::facts::{Facts, HostFault, Intent, Probe, RecordSeen, ReportAddress, ReportFact};
use super::reason::Reason;
use super::state::{Issue, State, is_same};
use crate::watched::extend;

/// A report about a period that ends later than this from now is false, or our clock is wrong.
const AHEAD: Duration = Duration::from_secs(86_400);

/// More circumstances of one kind than this are not listed.
const MAX_LISTED: usize = 20;

/// What is seen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Everything is as enforce demands.
    Good,
    /// Something could not be seen: nothing is proved, and nothing refuted.
    Unknown,
    /// Something is not as enforce demands.
    Bad,
}

/// Takes what the facts say about a settled policy into the state: for how long all has been good,
/// and for how long every host has been bad.
pub(crate) fn note(
    state: &mut State,
    intent: &Intent,
    facts: &Facts,
    gap: Duration,
    reasons: &mut Vec<Reason>,
) {
    let Some(issue) = &state.issue else {
        return;
    };
    let verdict = [
        publication(issue, facts, reasons),
        hosts(&issue.policy, intent, facts, reasons),
        report_address(facts, reasons),
    ];
    match verdict.into_iter().max() {
        Some(Verdict::Good) | None => extend(&mut state.green, gap),
        Some(Verdict::Unknown) => {}
        Some(Verdict::Bad) => state.green = None,
    }
    match every_host_bad(intent, facts) {
        Some(_) => extend(&mut state.red, gap),
        None => state.red = None,
    }
}

/// Whether the world shows the policy and its record.
fn publication(issue: &Issue, facts: &Facts, reasons: &mut Vec<Reason>) -> Verdict {
    let served = match &facts.served {
        Some(policy) if is_same(policy, &issue.policy) => Verdict::Good,
        Some(_) => Verdict::Bad,
        None => Verdict::Unknown,
    };
    if served != Verdict::Good {
        reasons.push(Reason::BodyNotSeen);
    }
    let lacking = lacking(facts, issue);
    if lacking > 0 || facts.records.is_empty() {
        reasons.push(Reason::RecordNotSeen { lacking, servers: facts.records.len() });
    }
    let records = facts.records.iter().map(|record| match record {
        RecordSeen::Id(id) if *id == issue.id => Verdict::Good,
        RecordSeen::Unknown => Verdict::Unknown,
        RecordSeen::Id(_) | RecordSeen::Absent | RecordSeen::Unusable => Verdict::Bad,
    });
    served.max(records.max().unwrap_or(Verdict::Unknown))
}

/// How many authoritative servers do not show the record.
pub(crate) fn lacking(facts: &Facts, issue: &Issue) -> usize {
    let shown = |record: &&RecordSeen| **record == RecordSeen::Id(issue.id.clone());
    facts.records.len() - facts.records.iter().filter(shown).count()
}

/// Every MX host must be allowed and good.
fn hosts(policy: &Policy, intent: &Intent, facts: &Facts, reasons: &mut Vec<Reason>) -> Verdict {
    let Some(mx) = &facts.mx else {
        reasons.push(Reason::MxUnknown);
        return Verdict::Unknown;
    };
    if mx.hosts.is_empty() {
        reasons.push(Reason::NoMx);
        return Verdict::Bad;
    }
    let mut verdict = Verdict::Good;
    let mut listed = Vec::new();
    for (host, probe) in &mx.hosts {
        let known = is_declared(intent, host) || policy.allows(host);
        let (here, reason) = match probe {
            _ if !known => (Verdict::Bad, Some(Reason::HostUndeclared(host.clone()))),
            Probe::Good => (Verdict::Good, None),
            Probe::Unknown => (Verdict::Unknown, Some(Reason::HostUnknown(host.clone()))),
            Probe::Bad(fault) => {
                let (host, fault) = (host.clone(), fault.clone());
                (Verdict::Bad, Some(Reason::HostBad { host, fault }))
            }
        };
        verdict = verdict.max(here);
        listed.extend(reason);
    }
    reasons.extend(listed.into_iter().take(MAX_LISTED));
    verdict
}

fn report_address(facts: &Facts, reasons: &mut Vec<Reason>) -> Verdict {
    match facts.report_address {
        ReportAddress::Published => Verdict::Good,
        ReportAddress::Unknown => Verdict::Unknown,
        ReportAddress::Missing => {
            reasons.push(Reason::NoReportAddress);
            Verdict::Bad
        }
    }
}

pub(crate) fn is_declared(intent: &Intent, host: &DomainName) -> bool {
    intent.mx().iter().any(|pattern: &MxPattern| pattern.matches(host))
}

/// The first declared host in the MX records and its fault, if every such host is bad.
///
/// Hosts that nobody declared do not count: whoever forges MX records must not end enforcement.
pub(crate) fn every_host_bad<'f>(
    intent: &Intent,
    facts: &'f Facts,
) -> Option<(&'f DomainName, &'f HostFault)> {
    let hosts = || facts.mx.iter().flat_map(|mx| &mx.hosts);
    let declared = || hosts().filter(|(host, _)| is_declared(intent, host));
    let fault = |(host, probe): (&'f DomainName, &'f Probe)| match probe {
        Probe::Bad(fault) => Some((host, fault)),
        Probe::Good | Probe::Unknown => None,
    };
    declared().all(|pair| fault(pair).is_some()).then(|| declared().find_map(fault)).flatten()
}

/// Takes reports into the state. A failure that is newer than the last one starts the proof anew.
/// Returns whether there is such a failure.
pub(crate) fn note_reports(
    state: &mut State,
    facts: &Facts,
    now: UnixTime,
    reasons: &mut Vec<Reason>,
) -> Trouble {
    let real = |report: &&ReportFact| report.end <= now.plus(AHEAD);
    let failed = || facts.reports.iter().filter(real).filter(|report| !report.decisive.is_empty());
    let newest = failed().map(|report| report.end).max().unwrap_or_default();
    let trouble = if newest > state.trouble { Trouble::New } else { Trouble::None };
    if trouble == Trouble::New {
        state.trouble = newest;
        state.green = None;
    }
    let told = failed().filter(|report| report.end >= state.trouble).flat_map(|report| {
        report.decisive.iter().map(|(result, sessions)| Reason::ReportedFailure {
            reporter: report.reporter.clone(),
            result: result.clone(),
            sessions: *sessions,
        })
    });
    reasons.extend(told.take(MAX_LISTED));
    trouble
}

/// Whether a report of a failure is about a time that has not come yet. Either it is false, or our
/// clock is: until that is known, nothing goes forward.
pub(crate) fn is_ahead(facts: &Facts, now: UnixTime) -> bool {
    facts.reports.iter().any(|report| !report.decisive.is_empty() && report.end > now.plus(AHEAD))
}

/// Whether reports brought news of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    New,
}

/// Who has reported since the policy is as it is: organizations and sessions.
pub(crate) fn reporters(state: &State, facts: &Facts, now: UnixTime) -> (usize, u64) {
    let counted = || {
        let reports = facts.reports.iter();
        reports.filter(|report| report.end > state.since && report.end <= now.plus(AHEAD))
    };
    let who: BTreeSet<&str> =
        counted().filter(|one| one.sessions.sessions() > 0).map(|one| &*one.reporter).collect();
    let sessions = counted().map(|one| one.sessions.sessions());
    (who.len(), sessions.fold(0, u64::saturating_add))
}
