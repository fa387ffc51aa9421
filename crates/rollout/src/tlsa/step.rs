//! One step of the TLSA autopilot.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use smtp_dane::Tlsa;
use smtp_types::{Dnssec, UnixTime};

use super::chain::{Chain, KeyDigest};
use super::facts::{Facts, Goal, Intent, KeyChange, Presented, Renewal, ServerSeen};
use super::reason::Reason;
use super::state::State;
use crate::watched::{extend, watched};

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
    /// The host must have exactly these records.
    Publish(Vec<Tlsa>),
    /// Make keys for the next certificate, and keep them.
    MakeKeys,
    /// Order a certificate for these keys.
    OrderCertificate(BTreeSet<KeyDigest>),
    /// Make the server show this chain, on every address.
    Deploy(Chain),
    /// Delete these keys: nothing is made for them any more.
    ForgetKeys(BTreeSet<KeyDigest>),
}

/// Goes one step: at least every [`LONGEST_GAP`](crate::LONGEST_GAP), with facts that are fresh.
///
/// It never fails: facts that could not be had are facts, too, and whatever is published stays.
#[must_use]
pub fn step(state: &State, intent: &Intent, facts: &Facts, now: UnixTime) -> Step {
    let gap = watched(state.at, now);
    let mut state = state.clone();
    let (mut actions, mut reasons) = (Vec::new(), Vec::new());
    state.at = Some(now);
    if let Some(ttl) = facts.ttl {
        state.ttl.tick(gap, ttl);
    }
    if facts.dnssec != Dnssec::Secure {
        reasons.push(Reason::NotSigned(facts.dnssec));
    }
    note_servers(&mut state, facts, gap);
    note_presented(&mut state, facts, &mut reasons);
    retire(&mut state, intent, facts, gap, &mut actions, &mut reasons);
    if intent.goal == Goal::Withdraw {
        withdraw(&mut state, facts, &mut actions, &mut reasons);
        return Step { state, actions, reasons };
    }
    choose_next(&mut state, intent, facts, &mut actions, &mut reasons);
    take_certificate(&mut state, intent, facts, &mut reasons);
    publish(&state, facts, &mut actions, &mut reasons);
    deploy(&state, &mut actions, &mut reasons);
    order(&state, intent, facts, &mut actions, &mut reasons);
    Step { state, actions, reasons }
}

/// For how long each record has been on all servers, and for how long there has been none at all.
fn note_servers(state: &mut State, facts: &Facts, gap: Duration) {
    let everywhere = |record: &Tlsa| {
        !facts.servers.is_empty() && { facts.servers.iter() }.all(|server| shows(server, record))
    };
    let mut shown = BTreeMap::new();
    for record in state.records().into_iter().filter(everywhere) {
        let mut so_far = state.shown.get(&record).copied();
        extend(&mut so_far, gap);
        shown.insert(record, so_far.unwrap_or_default());
    }
    state.shown = shown;
    let none = ServerSeen::Records(Vec::new());
    if !facts.servers.is_empty() && facts.servers.iter().all(|server| *server == none) {
        extend(&mut state.gone, gap);
    } else {
        state.gone = None;
    }
}

fn shows(server: &ServerSeen, record: &Tlsa) -> bool {
    match server {
        ServerSeen::Records(records) => records.contains(record),
        ServerSeen::Unknown => false,
    }
}

/// What the server shows: the current chain, the one that is being deployed, or something else.
fn note_presented(state: &mut State, facts: &Facts, reasons: &mut Vec<Reason>) {
    let Some(presented) = facts.presented.as_deref().filter(|all| !all.is_empty()) else {
        reasons.push(Reason::ServerNotSeen);
        return;
    };
    let all_of = |chain: &Chain| presented.iter().all(|one| one.is_of(chain));
    if let Some(waiting) = state.waiting.clone().filter(|waiting| *waiting != state.active)
        && all_of(&waiting)
    {
        let before = core::mem::replace(&mut state.active, waiting);
        state.retire(before);
        state.waiting = None;
        state.next.take_if(|next| *next == state.active.keys);
        reasons.push(Reason::Switched);
    }
    let known: BTreeSet<KeyDigest> = known_keys(state);
    let strange: BTreeSet<KeyDigest> =
        presented.iter().map(|one| one.key).filter(|key| !known.contains(key)).collect();
    if strange.is_empty() {
        if !all_of(&state.active) {
            reasons.push(Reason::Mixed);
        }
        return;
    }
    let (own, foreign): (BTreeSet<_>, BTreeSet<_>) =
        strange.into_iter().partition(|key| facts.own_keys.contains(key));
    reasons.extend(foreign.iter().copied().map(Reason::StrangeKey));
    if own.is_empty() {
        return;
    }
    reasons.extend(own.iter().copied().map(Reason::UnannouncedKey));
    if foreign.is_empty() {
        // Somebody has renewed by hand: that is the current chain now.
        let chain = Chain::of_keys(presented.iter().map(|one| one.key));
        let before = core::mem::replace(&mut state.active, chain);
        state.retire(before);
    } else {
        state.retire(Chain::of_keys(own));
    }
}

/// Keys that have a record, now or soon.
fn known_keys(state: &State) -> BTreeSet<KeyDigest> {
    let others = state.retiring.iter().map(|one| &one.chain).chain(&state.waiting);
    let keys = others.chain([&state.active]).flat_map(|chain| &chain.keys);
    keys.chain(state.next.iter().flatten()).copied().collect()
}

/// Lets the records of earlier chains go when the server has been seen without them for two TTLs,
/// in which somebody could still go back; those of a compromised key at once.
fn retire(
    state: &mut State,
    intent: &Intent,
    facts: &Facts,
    gap: Duration,
    actions: &mut Vec<Action>,
    reasons: &mut Vec<Reason>,
) {
    let hold = state.ttl.get().saturating_mul(2);
    let active = &state.active;
    let needs = |one: &Presented, chain: &Chain| {
        let other_key = chain.keys.contains(&one.key) && !active.keys.contains(&one.key);
        other_key || (one.is_of(chain) && !one.is_of(active))
    };
    for old in &mut state.retiring {
        match &facts.presented {
            Some(presented) if presented.iter().any(|one| needs(one, &old.chain)) => {
                old.unused = None;
            }
            Some(presented) if !presented.is_empty() => extend(&mut old.unused, gap),
            Some(_) | None => {}
        }
    }
    let over = |chain: &Chain, unused: Option<Duration>| {
        let compromised = !chain.keys.is_disjoint(&intent.compromised);
        unused.is_some_and(|unused| compromised || unused >= hold)
    };
    let (gone, kept) = state.retiring.drain(..).partition(|old| over(&old.chain, old.unused));
    state.retiring = kept;
    let gone: Vec<_> = gone;
    if gone.is_empty() {
        return;
    }
    reasons.push(Reason::Retired);
    let known = known_keys(state);
    let keys = gone.into_iter().flat_map(|old| old.chain.keys);
    let unused: BTreeSet<_> = keys.filter(|key| !known.contains(key)).collect();
    if !unused.is_empty() {
        actions.push(Action::ForgetKeys(unused));
    }
}

/// No records any more; then any chain may be shown.
fn withdraw(
    state: &mut State,
    facts: &Facts,
    actions: &mut Vec<Action>,
    reasons: &mut Vec<Reason>,
) {
    let is_shown =
        |server: &ServerSeen| matches!(server, ServerSeen::Records(all) if !all.is_empty());
    if facts.servers.iter().any(is_shown) {
        actions.push(Action::Publish(Vec::new()));
    }
    let needed = state.ttl.get().saturating_mul(2);
    let left = needed.saturating_sub(state.gone.unwrap_or_default());
    if state.gone.is_some() && left.is_zero() && !needed.is_zero() {
        reasons.push(Reason::Withdrawn);
        actions.extend(facts.certificate.clone().map(Action::Deploy));
    } else {
        reasons.push(Reason::Withdrawing { left });
    }
}

/// There is always a next key; one that may be in other hands is not.
fn choose_next(
    state: &mut State,
    intent: &Intent,
    facts: &Facts,
    actions: &mut Vec<Action>,
    reasons: &mut Vec<Reason>,
) {
    let compromised = |keys: &BTreeSet<KeyDigest>| !keys.is_disjoint(&intent.compromised);
    reasons.extend(
        state.active.keys.intersection(&intent.compromised).copied().map(Reason::Compromised),
    );
    if let Some(keys) = state.next.take_if(|next| compromised(next)) {
        state.retire(Chain::of_keys(keys));
    }
    if let Some(waiting) = state.waiting.take_if(|waiting| compromised(&waiting.keys)) {
        state.retire(waiting);
    }
    let ordered =
        state.waiting.as_ref().is_some_and(|chain| state.next.as_ref() == Some(&chain.keys));
    if let Some(next) = state.next.take_if(|next| !ordered && facts.prepared.as_ref() != Some(next))
    {
        reasons.push(Reason::NextKeyLost);
        state.retire(Chain::of_keys(next));
    }
    if state.next.is_some() {
        return;
    }
    let known = known_keys(state);
    let fresh = |keys: &&BTreeSet<KeyDigest>| {
        !keys.is_empty() && keys.is_disjoint(&known) && !compromised(keys)
    };
    match facts.prepared.as_ref().filter(fresh) {
        Some(keys) => state.next = Some(keys.clone()),
        None => {
            reasons.push(Reason::NextKeyMissing);
            actions.push(Action::MakeKeys);
        }
    }
}

/// A certificate counts if it is for the current or the next keys.
fn take_certificate(state: &mut State, intent: &Intent, facts: &Facts, reasons: &mut Vec<Reason>) {
    let Some(certificate) = &facts.certificate else {
        // Nothing about the records tells whether a chain with the same ones has been deployed.
        state.waiting.take_if(|waiting| *waiting == state.active);
        return;
    };
    let announced =
        certificate.keys == state.active.keys || state.next.as_ref() == Some(&certificate.keys);
    if !announced || !certificate.keys.is_disjoint(&intent.compromised) {
        reasons.push(Reason::CertificateRefused);
        return;
    }
    if state.waiting.as_ref() == Some(certificate) {
        return;
    }
    // The one before may be half deployed.
    if let Some(before) = state.waiting.replace(certificate.clone()) {
        state.retire(before);
    }
}

/// The records as they must be. What others have put there stays while it is not certain that the
/// server does without.
fn publish(state: &State, facts: &Facts, actions: &mut Vec<Action>, reasons: &mut Vec<Reason>) {
    let mut wanted = state.records();
    let seen = |server: &ServerSeen| match server {
        ServerSeen::Records(records) => records.clone(),
        ServerSeen::Unknown => Vec::new(),
    };
    let present: BTreeSet<Tlsa> = facts.servers.iter().flat_map(seen).collect();
    let known = known_keys(state);
    let fits = facts.presented.as_ref().is_some_and(|presented| {
        !presented.is_empty() && presented.iter().all(|one| known.contains(&one.key))
    });
    if !fits {
        if present.is_empty() {
            reasons.push(Reason::FirstRecordsWait);
            return;
        }
        wanted.extend(present);
    }
    let differs = |server: &&ServerSeen| match server {
        ServerSeen::Records(records) => records.iter().cloned().collect::<BTreeSet<_>>() != wanted,
        ServerSeen::Unknown => true,
    };
    let lacking = facts.servers.iter().filter(differs).count();
    if lacking > 0 || facts.servers.is_empty() {
        reasons.push(Reason::RecordsNotSeen { lacking, servers: facts.servers.len() });
        actions.push(Action::Publish(wanted.into_iter().collect()));
    }
}

/// RFC 7671 §8.1: records for the new chain come "at least two TTLs or longer before".
fn deploy(state: &State, actions: &mut Vec<Action>, reasons: &mut Vec<Reason>) {
    let Some(waiting) = &state.waiting else {
        return;
    };
    match state.unproved_for(waiting) {
        Some(left) if left.is_zero() => actions.push(Action::Deploy(waiting.clone())),
        left => reasons.push(Reason::CertificateWaits { left: left.unwrap_or_default() }),
    }
}

/// Orders a certificate, for keys whose records are proved already.
fn order(
    state: &State,
    intent: &Intent,
    facts: &Facts,
    actions: &mut Vec<Action>,
    reasons: &mut Vec<Reason>,
) {
    let compromised = !state.active.keys.is_disjoint(&intent.compromised);
    let due = facts.renewal != Renewal::NotDue || compromised;
    // A certificate that is refused stands in nobody's way.
    if !due || state.waiting.is_some() {
        return;
    }
    let keep = intent.key_change == KeyChange::Keep && !compromised;
    if keep {
        actions.push(Action::OrderCertificate(state.active.keys.clone()));
        return;
    }
    let left = { state.next.as_ref() }
        .and_then(|next| state.unproved_for(&Chain::of_keys(next.iter().copied())));
    match (&state.next, left) {
        (Some(next), Some(left)) if left.is_zero() => {
            actions.push(Action::OrderCertificate(next.clone()));
        }
        _ if facts.renewal == Renewal::Urgent && !compromised => {
            reasons.push(Reason::KeyKept);
            actions.push(Action::OrderCertificate(state.active.keys.clone()));
        }
        (_, left) => reasons.push(Reason::NextKeyWaits { left: left.unwrap_or_default() }),
    }
}
