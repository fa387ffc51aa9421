//! One step of the MTA-STS autopilot.

use alloc::vec::Vec;
use core::time::Duration;

use mta_sts::{Mode, MxPattern, Policy, PolicyId};
use smtp_types::{DomainName, UnixTime};

use super::evidence::{self, Trouble};
use super::facts::{
    Facts, Goal, Intent, LADDER, Patience, RecordSeen, SHORT, Settings, StepBack, next_rung,
};
use super::reason::Reason;
use super::state::{Issue, Phase, State, is_same};
use crate::stamp;
use crate::watched::{extend, watched};

/// With [`Patience::DailyRefresh`], how long senders may take to see a new id behind the TTL.
const DAILY_REFRESH: Duration = Duration::from_secs(2 * 86_400);

/// What came of one step. Keep the state before you carry out the actions: they are asked for again
/// until the facts show them done, and doing one twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The new state.
    pub state: State,
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// What happened and what is waited for.
    pub reasons: Vec<Reason>,
}

/// Something to be done in the world. Each says how the world must be, not what to add to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The policy host must give this policy.
    Serve(Policy),
    /// `_mta-sts` must be one record with this id.
    PublishRecord(PolicyId),
    /// `_mta-sts` must not be there.
    RemoveRecord,
    /// The policy host may go.
    StopServing,
    /// The MX records may now be changed to the declared hosts; for the operator, or whoever keeps
    /// the zone.
    ChangeMx {
        /// Declared hosts that no MX record names.
        add: Vec<DomainName>,
        /// Hosts in MX records that are not declared.
        remove: Vec<DomainName>,
    },
}

/// Goes one step: at least every [`LONGEST_GAP`](crate::LONGEST_GAP), with facts that are fresh.
///
/// It never fails: facts that could not be had are facts, too, and whatever is published stays.
#[must_use]
pub fn step(
    state: &State,
    intent: &Intent,
    facts: &Facts,
    settings: &Settings,
    now: UnixTime,
) -> Step {
    let gap = watched(state.at, now);
    let mut state = state.clone();
    let mut reasons = Vec::new();
    state.at = Some(now);
    state.since = state.since.min(now);
    state.trouble = state.trouble.min(now);
    if let Some(ttl) = facts.record_ttl {
        state.record_ttl.tick(gap, ttl);
    }
    if let Some(mx) = &facts.mx {
        state.mx_ttl.tick(gap, mx.ttl);
    }
    adopt(&mut state, intent, facts, now, &mut reasons);
    if state.phase >= Phase::Settled {
        state.age_caches(gap);
    }
    if state.phase == Phase::Settled {
        evidence::note(&mut state, intent, facts, gap, &mut reasons);
    }
    let trouble = evidence::note_reports(&mut state, facts, now, &mut reasons);
    note_old_hosts(&mut state, intent, facts, gap);

    let level = level(&state, intent, facts, settings, trouble, now, &mut reasons);
    if let Some((policy, reason)) = level.and_then(|level| wanted(&state, intent, level)) {
        let same_level = state.policy().is_some_and(|before| {
            (before.mode(), before.max_age()) == (policy.mode(), policy.max_age())
        });
        if !same_level {
            state.since = now;
        }
        reasons.push(reason);
        state.begin(policy, newest_id(facts), now);
    }
    let mut actions = Vec::new();
    withdraw(&mut state, intent, facts, gap, &mut actions, &mut reasons);
    publish(&mut state, facts, gap, &mut actions, &mut reasons);
    change_mx(&state, intent, facts, settings, &mut actions, &mut reasons);
    Step { state, actions, reasons }
}

/// Takes over what somebody else has published, so that starting here never lowers it.
fn adopt(
    state: &mut State,
    intent: &Intent,
    facts: &Facts,
    now: UnixTime,
    reasons: &mut Vec<Reason>,
) {
    if state.issue.is_some() {
        return;
    }
    let (Some(policy), Some(id)) = (&facts.served, newest_id(facts)) else {
        return;
    };
    if intent.goal() == Goal::Withdraw && policy.mode() == Mode::None {
        return;
    }
    let adopted = State::adopt(policy, id.clone(), now);
    reasons.extend(adopted.policy().cloned().map(Reason::Adopted));
    state.issue = adopted.issue;
    state.phase = adopted.phase;
    state.stamp = state.stamp.max(adopted.stamp);
    (state.since, state.trouble) = (now, now);
}

/// The id that the DNS shows; of several, the latest stamp.
fn newest_id(facts: &Facts) -> Option<&PolicyId> {
    let ids = facts.records.iter().filter_map(|record| match record {
        RecordSeen::Id(id) => Some(id),
        RecordSeen::Absent | RecordSeen::Unusable | RecordSeen::Unknown => None,
    });
    ids.max_by_key(|id| stamp::stamp_of(id))
}

/// For how long no MX record has led to hosts that the policy allows beyond the declared ones.
fn note_old_hosts(state: &mut State, intent: &Intent, facts: &Facts, gap: Duration) {
    let Some(mx) = &facts.mx else {
        return;
    };
    let extra = extra_hosts(state, intent);
    let in_use = mx.hosts.keys().any(|host| {
        !evidence::is_declared(intent, host) && extra.iter().any(|pattern| pattern.matches(host))
    });
    if extra.is_empty() || in_use {
        state.gone = None;
    } else {
        extend(&mut state.gone, gap);
    }
}

fn extra_hosts(state: &State, intent: &Intent) -> Vec<MxPattern> {
    let allowed = state.policy().map(Policy::mx).unwrap_or_default();
    allowed.iter().filter(|pattern| !intent.mx().contains(pattern)).cloned().collect()
}

/// A mode, a `max_age`, and why, if it is another one than now.
type Level = (Mode, Duration, Option<Reason>);

/// How strong the policy must be from now on. `None`: there is to be no new one.
fn level(
    state: &State,
    intent: &Intent,
    facts: &Facts,
    settings: &Settings,
    trouble: Trouble,
    now: UnixTime,
    reasons: &mut Vec<Reason>,
) -> Option<Level> {
    let highest = match intent.goal() {
        Goal::Withdraw if state.issue.is_none() || state.mode() == Mode::None => return None,
        Goal::Withdraw => return Some((Mode::None, SHORT, Some(Reason::Withdrawing))),
        Goal::Testing => None,
        Goal::Climb { highest } => Some(highest.max(SHORT)),
    };
    let Some(policy) = state.policy().filter(|policy| policy.mode() != Mode::None) else {
        return Some((Mode::Testing, SHORT, Some(Reason::Started)));
    };
    let (mode, max_age) = (policy.mode(), policy.max_age());
    let Some(highest) = highest else {
        if mode == Mode::Enforce {
            let lower = Policy::new(Mode::Testing, policy.mx().to_vec(), SHORT);
            return Some((Mode::Testing, SHORT, lower.map(Reason::LoweredByIntent)));
        }
        reasons.push(Reason::AtGoal);
        return Some((mode, max_age, None));
    };
    if mode == Mode::Enforce {
        if let Some(reason) = step_back(state, intent, facts, settings, trouble) {
            return Some((Mode::Testing, SHORT, Some(reason)));
        }
        if max_age > highest {
            let lower = Policy::new(mode, policy.mx().to_vec(), highest);
            return Some((mode, highest, lower.map(Reason::LoweredByIntent)));
        }
    }
    let (next_age, needed) = match mode {
        Mode::Enforce => match next_rung(max_age, highest) {
            Some(rung) => (rung.max_age, rung.stay),
            None => {
                reasons.push(Reason::AtGoal);
                return Some((mode, max_age, None));
            }
        },
        Mode::Testing | Mode::None => {
            (LADDER[0].max_age, testing_time(state, facts, settings, now))
        }
    };
    if state.phase != Phase::Settled {
        return Some((mode, max_age, None));
    }
    if evidence::is_ahead(facts, now) {
        reasons.push(Reason::ReportAhead);
        return Some((mode, max_age, None));
    }
    match state.green {
        Some(green) if green >= needed => {
            let higher = Policy::new(Mode::Enforce, intent.mx().to_vec(), next_age);
            Some((Mode::Enforce, next_age, higher.map(Reason::Promoted)))
        }
        green => {
            let (reporters, _) = evidence::reporters(state, facts, now);
            let so_far = green.unwrap_or_default();
            reasons.push(Reason::Proving { so_far, needed, reporters });
            Some((mode, max_age, None))
        }
    }
}

fn testing_time(state: &State, facts: &Facts, settings: &Settings, now: UnixTime) -> Duration {
    let (reporters, sessions) = evidence::reporters(state, facts, now);
    if reporters >= settings.least_reporters && sessions >= settings.least_sessions {
        settings.testing_with_reports
    } else {
        settings.testing_without_reports.max(settings.testing_with_reports)
    }
}

/// Why enforcement ends, if it must: refusing mail protects nobody if no host can take it.
fn step_back(
    state: &State,
    intent: &Intent,
    facts: &Facts,
    settings: &Settings,
    trouble: Trouble,
) -> Option<Reason> {
    if settings.step_back == StepBack::Never {
        return None;
    }
    if settings.step_back == StepBack::OnReportsToo && trouble == Trouble::New {
        return Some(Reason::SteppedBackOnReport);
    }
    let (host, fault) = evidence::every_host_bad(intent, facts)?;
    let confirmed = state.red.is_some_and(|red| red >= settings.confirm);
    confirmed.then(|| Reason::SteppedBack { host: host.clone(), fault: fault.clone() })
}

/// The policy to publish, if it is another one than now.
fn wanted(state: &State, intent: &Intent, level: Level) -> Option<(Policy, Reason)> {
    let (mode, max_age, reason) = level;
    let mut mx = Vec::new();
    if mode != Mode::None {
        mx.extend_from_slice(intent.mx());
        // Old hosts stay until no cache has an MX record that leads there.
        let gone = state.gone.is_some_and(|gone| gone >= state.mx_ttl.get());
        if !gone {
            mx.extend(extra_hosts(state, intent));
        }
        mx.sort_unstable();
    }
    let policy = Policy::new(mode, mx, max_age)?;
    if state.policy().is_some_and(|before| is_same(before, &policy)) {
        return None;
    }
    let reason = reason.unwrap_or_else(|| Reason::HostsChanged(policy.clone()));
    Some((policy, reason))
}

/// RFC 8461 §8.1: "update the HTTPS policy body before updating the TXT record", and old policies
/// "continue to work" until the TTL of the record has passed.
fn publish(
    state: &mut State,
    facts: &Facts,
    gap: Duration,
    actions: &mut Vec<Action>,
    reasons: &mut Vec<Reason>,
) {
    let Some(issue) = state.issue.clone() else {
        return;
    };
    if state.phase > Phase::Settled {
        return;
    }
    let begun = state.phase < Phase::Settled;
    if !facts.served.as_ref().is_some_and(|served| is_same(served, &issue.policy)) {
        actions.push(Action::Serve(issue.policy));
        if begun {
            state.phase = Phase::Serving;
            reasons.push(Reason::BodyNotSeen);
        }
        return;
    }
    let lacking = evidence::lacking(facts, &issue);
    if lacking > 0 || facts.records.is_empty() {
        actions.push(Action::PublishRecord(issue.id));
        if begun {
            state.phase = Phase::Recording;
            reasons.push(Reason::RecordNotSeen { lacking, servers: facts.records.len() });
        }
        return;
    }
    match state.phase {
        Phase::Serving | Phase::Recording => {
            state.phase = Phase::Spreading;
            state.spread = Duration::ZERO;
        }
        Phase::Spreading => state.spread = state.spread.saturating_add(gap),
        Phase::Settled | Phase::Unrecording | Phase::Forgetting => return,
    }
    let left = state.record_ttl.get().saturating_sub(state.spread);
    if left.is_zero() && facts.record_ttl.is_some() {
        state.phase = Phase::Settled;
    } else {
        reasons.push(Reason::Spreading { left });
    }
}

/// RFC 8461 §8.3: mode none; when all earlier policies have expired, record and policy host go.
fn withdraw(
    state: &mut State,
    intent: &Intent,
    facts: &Facts,
    gap: Duration,
    actions: &mut Vec<Action>,
    reasons: &mut Vec<Reason>,
) {
    let withdrawn = intent.goal() == Goal::Withdraw && state.mode() == Mode::None;
    if !withdrawn || state.issue.is_none() || state.phase < Phase::Settled {
        return;
    }
    if !state.cached.is_empty() {
        reasons.push(Reason::WithdrawalWaits { left: state.cached_for() });
        return;
    }
    let absent = |record: &RecordSeen| *record == RecordSeen::Absent;
    if facts.records.is_empty() || !facts.records.iter().all(absent) {
        state.phase = Phase::Unrecording;
        actions.push(Action::RemoveRecord);
        return;
    }
    if state.phase == Phase::Forgetting {
        state.spread = state.spread.saturating_add(gap);
    } else {
        state.phase = Phase::Forgetting;
        state.spread = Duration::ZERO;
    }
    let left = state.record_ttl.get().saturating_sub(state.spread);
    if left.is_zero() && facts.record_ttl.is_some() {
        state.issue = None;
        state.phase = Phase::Settled;
        actions.push(Action::StopServing);
        reasons.push(Reason::Withdrawn);
    } else {
        reasons.push(Reason::Spreading { left });
    }
}

/// Whether the MX records may be changed to the declared hosts.
///
/// A sender that remembers a policy in enforce without a new host would refuse to deliver to it. So
/// the policy that allows old and new hosts must be the only one that anybody remembers.
fn change_mx(
    state: &State,
    intent: &Intent,
    facts: &Facts,
    settings: &Settings,
    actions: &mut Vec<Action>,
    reasons: &mut Vec<Reason>,
) {
    let (Some(mx), Goal::Climb { .. } | Goal::Testing) = (&facts.mx, intent.goal()) else {
        return;
    };
    let exact = intent.mx().iter().filter(|pattern| !pattern.is_wildcard());
    let add: Vec<_> =
        exact.map(MxPattern::name).filter(|host| !mx.hosts.contains_key(host)).cloned().collect();
    let undeclared = mx.hosts.keys().filter(|host| !evidence::is_declared(intent, host));
    let remove: Vec<_> = undeclared.cloned().collect();
    if (add.is_empty() && remove.is_empty()) || state.phase != Phase::Settled {
        return;
    }
    let left = forbidden_for(state, intent, settings);
    if !left.is_zero() {
        reasons.push(Reason::CachesForbidHost { left });
        return;
    }
    reasons.push(Reason::MxMayChange);
    actions.push(Action::ChangeMx { add, remove });
}

/// For how long somebody may remember a policy in enforce that forbids a declared host.
fn forbidden_for(state: &State, intent: &Intent, settings: &Settings) -> Duration {
    let forbids = |policy: &Policy| {
        policy.mode() == Mode::Enforce
            && intent.mx().iter().any(|pattern| {
                !policy.mx().contains(pattern)
                    && (pattern.is_wildcard() || !policy.allows(pattern.name()))
            })
    };
    let cached = state.cached.iter().filter(|cached| forbids(&cached.policy));
    let left = cached.map(|cached| match settings.patience {
        Patience::EveryCache => cached.left,
        Patience::DailyRefresh => {
            let passed = cached.policy.max_age().saturating_sub(cached.left);
            cached.left.min(DAILY_REFRESH.saturating_sub(passed))
        }
    });
    let present = state.issue.iter().filter(|Issue { policy, .. }| forbids(policy));
    left.chain(present.map(|issue| issue.policy.max_age())).max().unwrap_or_default()
}
