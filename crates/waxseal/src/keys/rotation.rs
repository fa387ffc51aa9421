//! When keys change, as a pure state machine: what is known goes in, one step comes out.
//!
//! ```text
//!             made            the DNS shows it, and       the next one       mail on its way
//!               │             has shown it a while        is active          has arrived
//!               ▼                       │                     │                   │
//!   (nothing) ──── announced ───────────┴──── active ─────────┴─── retiring ──────┴── retired
//!                  published, not used        signs                published          to be removed
//! ```
//!
//! Rules that no schedule, no DNS answer and no clock can break:
//!
//! - Keys sign only after the DNS has shown every record of theirs as it must be, just then.
//! - A domain that signs goes on signing: the old keys stop when the new ones start, in one step.
//! - One generation is announced at a time, and only keys that no longer sign are deleted.
//! - One step at a time. A clock that jumps by years makes a pair of keys too many, or delays a
//!   step until the clock is right again (a date in the future counts as now).
//!
//! The private keys of a retiring generation sign nothing; its records stay because a letter that
//! waits in some queue is verified when it arrives. Renewal every six months is what BSI TR-03182
//! (03-M) asks for.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sender_auth::dkim::Selector;
use smtp_types::{DnsName, UnixTime};

use super::generation::{DomainKeys, Generation, Key, State};
use super::record::{Difference, DnsObservation};

/// Dates further ahead than this come from a clock that was wrong.
const SLACK: Duration = Duration::from_hours(24);

/// How long each part of a key's life takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How old active keys get; 30 to 1100 days, or `None` to change them by hand only. The default
    /// is 182 days.
    pub lifetime: Option<Duration>,
    /// How long before that the next keys are made; 1 to 28 days. The default is 14 days.
    pub announce_before: Duration,
    /// How long the DNS must have shown the next keys before they are used: as long as a resolver
    /// may remember that there was no such record; 1 hour to 14 days. The default is 2 days.
    pub publish_wait: Duration,
    /// How long the records of old keys stay for mail that is on its way; 1 to 90 days. The default
    /// is 14 days.
    pub retire_after: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(24 * days);
        Self {
            lifetime: Some(days(182)),
            announce_before: days(14),
            publish_wait: days(2),
            retire_after: days(14),
        }
    }
}

/// What the DNS shows at the selectors of a domain. One that is not in it is unknown.
pub type Observations = BTreeMap<Selector, DnsObservation>;

/// What is to be done for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Our next step, if one is due.
    pub step: Option<Step>,
    /// What the domain's owner has to do in the DNS.
    pub tasks: Vec<Task>,
}

/// A step from one state to the next. A generation is named by its first selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the next keys.
    Announce {
        /// Why now.
        why: AnnounceReason,
    },
    /// Note that the DNS shows the announced keys from now on.
    Notice,
    /// Note that it does not show them any longer.
    Lose,
    /// Sign with the announced keys from now on, and not with the active ones.
    Activate {
        /// Why now.
        why: ActivateReason,
    },
    /// Delete the private keys.
    Retire {
        /// The generation.
        generation: Selector,
    },
    /// Forget the generation: the DNS has nothing of it any longer.
    Forget {
        /// The generation.
        generation: Selector,
    },
    /// Count from now on what counted from a date in the future.
    Redate {
        /// The generation.
        generation: Selector,
    },
}

/// Why the next keys are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnounceReason {
    /// The domain has none that sign or will sign.
    NoKeys,
    /// The active ones near the end of their life.
    Age,
}

/// Why the announced keys are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivateReason {
    /// There are no others: nobody can remember anything else.
    First,
    /// The DNS has shown them long enough.
    Waited,
    /// The records of the active ones are gone, so every signature fails.
    OthersGone,
}

/// What a domain's owner has to do at one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Whose key.
    pub selector: Selector,
    /// Where.
    pub name: DnsName,
    /// How far the key has come.
    pub state: State,
    /// What is to be done.
    pub wanted: Wanted,
}

/// What is to be done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// Publish it: it is not there.
    Publish,
    /// Correct it: something else is there.
    Correct(Difference),
    /// Remove it: nothing is signed by this key any more.
    Remove,
}

impl Task {
    /// Whether mail that is signed now fails without it.
    #[must_use]
    pub const fn is_urgent(&self) -> bool {
        matches!(self.state, State::Active { .. })
    }
}

/// What a domain's keys need at `now`, by what the DNS shows of them.
#[must_use]
pub fn plan(
    keys: &DomainKeys,
    observed: &Observations,
    now: UnixTime,
    schedule: &Schedule,
) -> Plan {
    let tasks = { keys.keys() }.filter_map(|(key, state)| task(key, state, observed)).collect();
    Plan { step: due(keys, observed, now, schedule), tasks }
}

/// The keys after a step. [`Step::Announce`] changes nothing here: its keys have to be made first,
/// and come in by [`DomainKeys::with`].
#[must_use]
pub fn after(keys: &DomainKeys, step: &Step, now: UnixTime) -> DomainKeys {
    keys.restated(|one| {
        let is = |name: &Selector| one.keys().iter().any(|key| key.selector == *name);
        match (step, one.state) {
            (Step::Notice, State::Announced { since, .. }) => {
                Some(State::Announced { since, seen: Some(now) })
            }
            (Step::Lose, State::Announced { since, .. }) => {
                Some(State::Announced { since, seen: None })
            }
            (Step::Activate { .. }, State::Announced { .. }) => Some(State::Active { since: now }),
            (Step::Activate { .. }, State::Active { .. }) => Some(State::Retiring { since: now }),
            (Step::Retire { generation }, State::Retiring { .. }) if is(generation) => {
                Some(State::Retired { since: now })
            }
            (Step::Forget { generation }, State::Retired { .. }) if is(generation) => None,
            (Step::Redate { generation }, state) if is(generation) => Some(redated(state, now)),
            (_, state) => Some(state),
        }
    })
}

/// At most one step, the most pressing first.
fn due(
    keys: &DomainKeys,
    observed: &Observations,
    now: UnixTime,
    schedule: &Schedule,
) -> Option<Step> {
    let name = |one: &Generation| one.keys().first().map(|key| key.selector.clone());
    let ahead = keys.generations().iter().find(|one| is_ahead(one.state, now));
    if let Some(generation) = ahead.and_then(name) {
        return Some(Step::Redate { generation });
    }
    if let Some(why) = activation(keys, observed, now, schedule) {
        return Some(Step::Activate { why });
    }
    // Old keys stay until the DNS shows that new ones do their work.
    let works = keys.active().is_some_and(|active| shown(active, observed) == Shown::Fully);
    let outlived = |one: &&Generation| match one.state {
        State::Retiring { since } => now.since(since) >= schedule.retire_after,
        State::Announced { .. } | State::Active { .. } | State::Retired { .. } => false,
    };
    let outlived = keys.generations().iter().find(outlived).filter(|_| works);
    if let Some(generation) = outlived.and_then(name) {
        return Some(Step::Retire { generation });
    }
    match keys.announced().map(|next| (next.state, shown(next, observed))) {
        Some((State::Announced { seen: None, .. }, Shown::Fully)) => return Some(Step::Notice),
        Some((State::Announced { seen: Some(_), .. }, Shown::Partly | Shown::Gone)) => {
            return Some(Step::Lose);
        }
        _ => {}
    }
    if let Some(why) = announcement(keys, now, schedule) {
        return Some(Step::Announce { why });
    }
    let is_forgotten = |one: &&Generation| {
        let absent = |key: &Key| observed.get(&key.selector) == Some(&DnsObservation::Absent);
        matches!(one.state, State::Retired { .. }) && one.keys().iter().all(absent)
    };
    let forgotten = keys.generations().iter().find(is_forgotten).and_then(name);
    forgotten.map(|generation| Step::Forget { generation })
}

fn activation(
    keys: &DomainKeys,
    observed: &Observations,
    now: UnixTime,
    schedule: &Schedule,
) -> Option<ActivateReason> {
    let next = keys.announced()?;
    if shown(next, observed) != Shown::Fully {
        return None;
    }
    let Some(active) = keys.active() else { return Some(ActivateReason::First) };
    if shown(active, observed) == Shown::Gone {
        return Some(ActivateReason::OthersGone);
    }
    match next.state {
        State::Announced { seen: Some(seen), .. } if now.since(seen) >= schedule.publish_wait => {
            Some(ActivateReason::Waited)
        }
        _ => None,
    }
}

fn announcement(keys: &DomainKeys, now: UnixTime, schedule: &Schedule) -> Option<AnnounceReason> {
    if keys.announced().is_some() {
        return None;
    }
    match keys.active() {
        None => Some(AnnounceReason::NoKeys),
        Some(active) => {
            (next_made(active.state.since(), schedule)? <= now).then_some(AnnounceReason::Age)
        }
    }
}

/// When the keys that follow these are made.
fn next_made(active_since: UnixTime, schedule: &Schedule) -> Option<UnixTime> {
    let lifetime = schedule.lifetime?;
    Some(active_since.plus(lifetime.saturating_sub(schedule.announce_before)))
}

fn is_ahead(state: State, now: UnixTime) -> bool {
    let latest = match state {
        State::Announced { since, seen } => seen.map_or(since, |seen| seen.max(since)),
        State::Active { since } | State::Retiring { since } | State::Retired { since } => since,
    };
    latest > now.plus(SLACK)
}

fn redated(state: State, now: UnixTime) -> State {
    match state {
        State::Announced { since, seen } => {
            State::Announced { since: since.min(now), seen: seen.map(|seen| seen.min(now)) }
        }
        State::Active { since } => State::Active { since: since.min(now) },
        State::Retiring { since } => State::Retiring { since: since.min(now) },
        State::Retired { since } => State::Retired { since: since.min(now) },
    }
}

/// How much the DNS shows of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Every record, as it must be.
    Fully,
    /// For certain not every record.
    Partly,
    /// For certain no record.
    Gone,
    /// Nobody knows.
    Unknown,
}

fn shown(generation: &Generation, observed: &Observations) -> Shown {
    let is = |key: &Key, test: fn(&DnsObservation) -> bool| {
        observed.get(&key.selector).is_some_and(test)
    };
    let mut keys = generation.keys().iter();
    if keys.clone().all(|key| is(key, |one| *one == DnsObservation::Matches)) {
        return Shown::Fully;
    }
    if keys.clone().all(|key| is(key, DnsObservation::is_certainly_unusable)) {
        return Shown::Gone;
    }
    match keys.any(|key| is(key, DnsObservation::is_certainly_unusable)) {
        true => Shown::Partly,
        false => Shown::Unknown,
    }
}

fn task(key: &Key, state: State, observed: &Observations) -> Option<Task> {
    let is_retired = matches!(state, State::Retired { .. });
    let wanted = match observed.get(&key.selector)? {
        DnsObservation::Matches if is_retired => Wanted::Remove,
        DnsObservation::Absent | DnsObservation::Revoked if !is_retired => Wanted::Publish,
        DnsObservation::Different(difference) if !is_retired => Wanted::Correct(*difference),
        DnsObservation::Matches
        | DnsObservation::Absent
        | DnsObservation::Revoked
        | DnsObservation::Different(_)
        | DnsObservation::Unknown { .. } => return None,
    };
    Some(Task { selector: key.selector.clone(), name: key.name.clone(), state, wanted })
}

/// What comes next for a generation if all goes well; for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It signs as soon as the DNS shows its records.
    Publish,
    /// It signs from then on, if the DNS goes on showing its records.
    Sign {
        /// When.
        at: UnixTime,
    },
    /// Its successor is made.
    MakeNext {
        /// When.
        at: UnixTime,
    },
    /// Its successor signs as soon as the DNS has shown that one long enough.
    GiveWay,
    /// Nothing, until somebody asks for new keys.
    Stay,
    /// Its private keys are deleted, and its records can be removed.
    Retire {
        /// When.
        at: UnixTime,
    },
    /// Its records can be removed.
    Remove,
}

/// What comes next for `generation` of `keys`.
#[must_use]
pub fn next(keys: &DomainKeys, generation: &Generation, schedule: &Schedule) -> Next {
    match generation.state {
        State::Announced { seen: Some(seen), .. } => {
            Next::Sign { at: seen.plus(schedule.publish_wait) }
        }
        State::Announced { seen: None, .. } => Next::Publish,
        State::Active { .. } if keys.announced().is_some() => Next::GiveWay,
        State::Active { since } => match next_made(since, schedule) {
            Some(at) => Next::MakeNext { at },
            None => Next::Stay,
        },
        State::Retiring { since } => Next::Retire { at: since.plus(schedule.retire_after) },
        State::Retired { .. } => Next::Remove,
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announce { why: AnnounceReason::NoKeys } => {
                f.write_str("new keys are made, for there are none that sign")
            }
            Self::Announce { why: AnnounceReason::Age } => {
                f.write_str("the next keys are made, for the active ones near their end")
            }
            Self::Notice => f.write_str("the DNS shows the next keys"),
            Self::Lose => f.write_str("the DNS no longer shows the next keys"),
            Self::Activate { why: ActivateReason::First } => {
                f.write_str("mail is signed from now on, for the DNS shows the keys")
            }
            Self::Activate { why: ActivateReason::Waited } => {
                f.write_str("the next keys sign from now on")
            }
            Self::Activate { why: ActivateReason::OthersGone } => f.write_str(
                "the next keys sign from now on, for the records of the active ones are gone",
            ),
            Self::Retire { generation } => {
                write!(f, "the private keys of {generation} and its like are deleted")
            }
            Self::Forget { generation } => {
                write!(f, "{generation} is forgotten, for its records are gone")
            }
            Self::Redate { generation } => write!(
                f,
                "the time of {generation} lay in the future; it counts from now (was the clock \
                 wrong?)"
            ),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, state, .. } = self;
        let state = state.as_str();
        match self.wanted {
            Wanted::Publish => write!(f, "publish {name} ({state}): the DNS does not show it"),
            Wanted::Correct(difference) => write!(f, "correct {name} ({state}): {difference}"),
            Wanted::Remove => write!(f, "remove {name} ({state}): nothing is signed by it"),
        }
    }
}

#[cfg(test)]
mod tests;
