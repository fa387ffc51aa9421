//! Counting: one message is an [`Observation`], all messages of a domain's day are a [`Group`].
//!
//! Two accumulations can be added up, and it does not matter how: whoever counts (several
//! processes, several nodes, what a store held already), the sums are the same, and every message
//! is in exactly one row. That is so although the rows are bounded, because rows are never dropped
//! but [coarsened](Row::coarsened), and how far depends only on what was counted, not on its order.
//!
//! Messages that pass and messages that fail are bounded apart. Anyone can send failing mail in the
//! name of a domain; it must not blur what the domain's own servers did.
//!
//! How many domains there are is not bounded here. Whoever holds an accumulation in memory looks at
//! [`rows`](Accumulation::rows) and writes it to a store when there are many; the lines of
//! [`Row::to_line`] are the keys, and adding to a [`Tally`] is all that a store must do.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::format;

use smtp_types::{DomainName, UnixTime};

use super::aggregate::{Metadata, PolicyPublished, Reason, Reasons, Record, Report, Row};
use super::coarsen::weight;
use super::{Coarseness, Day, ReasonType, Remark, Trigger};

/// One message that was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When.
    pub at: UnixTime,
    /// The policy that was found.
    pub policy: PolicyPublished,
    /// What came of it.
    pub row: Row,
    /// Whether it may lead to a report.
    pub trigger: Trigger,
}

/// How many messages a row stands for. Both numbers saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tally {
    /// All that are in the report.
    pub messages: u64,
    /// Those among them that are a reason to make a report.
    pub triggers: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            triggers: self.triggers.saturating_add(other.triggers),
        }
    }
}

/// A policy with the moment when it was seen; of two, the later is the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicySeen {
    /// When.
    pub at: UnixTime,
    /// The policy.
    pub policy: PolicyPublished,
}

/// How much a domain's day may hold, for passing and for failing messages each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    rows: usize,
    octets: usize,
}

impl Limits {
    /// At most this many rows of at most this many octets together. At least 256 rows and 256 KiB:
    /// the coarsest rows fit into that, whatever is counted.
    #[must_use]
    pub fn new(rows: usize, octets: usize) -> Self {
        Self { rows: rows.max(256), octets: octets.max(256 * 1024) }
    }

    fn hold(self, rows: &Rows) -> bool {
        rows.tallies.len() <= self.rows && rows.octets <= self.octets
    }
}

impl Default for Limits {
    /// 10,000 rows of 16 MiB: a report of about 10 MB, which gzip makes a few hundred KB.
    fn default() -> Self {
        Self::new(10_000, 16 * 1024 * 1024)
    }
}

/// Messages of any number of domains and days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accumulation {
    limits: Limits,
    groups: BTreeMap<(Day, DomainName), Group>,
}

impl Accumulation {
    /// Nothing was seen yet.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, groups: BTreeMap::new() }
    }

    /// Counts one message, unless it is never to be counted.
    pub fn observe(&mut self, observation: Observation) {
        let triggers = match observation.trigger {
            Trigger::Counts => 1,
            Trigger::Optional(_) => 0,
            Trigger::Never(_) => return,
        };
        let Observation { at, policy, row, .. } = observation;
        let tally = Tally { messages: 1, triggers };
        self.add(Day::of(at), PolicySeen { at, policy }, row, tally);
    }

    /// Adds messages that were counted before, for example by a store.
    pub fn add(&mut self, day: Day, seen: PolicySeen, row: Row, tally: Tally) {
        let key = (day, seen.policy.domain.clone());
        let limits = self.limits;
        let group = self.groups.entry(key).or_insert_with(|| Group::new(day, seen.clone()));
        group.add(seen, row, tally, limits);
    }

    /// Adds all that another accumulation holds. Both must have the same limits; with others, those
    /// of `self` count.
    pub fn merge(&mut self, other: Self) {
        for ((day, _), group) in other.groups {
            let Group { seen, passed, failed, .. } = group;
            for (row, tally) in passed.tallies.into_iter().chain(failed.tallies) {
                self.add(day, seen.clone(), row, tally);
            }
        }
    }

    /// All groups, by day and domain.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// Takes everything out, for example to write it to a store.
    pub fn drain(&mut self) -> impl Iterator<Item = Group> + use<> {
        core::mem::take(&mut self.groups).into_values()
    }

    /// How many rows are held.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.groups.values().map(|group| group.rows().count()).sum()
    }
}

/// Messages of one policy domain on one day: what a report is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    day: Day,
    seen: PolicySeen,
    passed: Rows,
    failed: Rows,
}

impl Group {
    fn new(day: Day, seen: PolicySeen) -> Self {
        let rows = Rows::new(Coarseness::Exact);
        Self { day, seen, passed: rows.clone(), failed: rows }
    }

    /// The day.
    #[must_use]
    pub const fn day(&self) -> Day {
        self.day
    }

    /// The policy domain.
    #[must_use]
    pub const fn domain(&self) -> &DomainName {
        &self.seen.policy.domain
    }

    /// The policy that was seen last. A report "SHOULD note only the final configuration observed"
    /// if there were several (RFC 9990 §3.1).
    #[must_use]
    pub const fn policy(&self) -> &PolicySeen {
        &self.seen
    }

    /// The rows with their tallies: those that pass first, each part in the order of rows.
    pub fn rows(&self) -> impl Iterator<Item = (&Row, Tally)> {
        let all = self.passed.tallies.iter().chain(&self.failed.tallies);
        all.map(|(row, tally)| (row, *tally))
    }

    /// How many messages all rows stand for.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.rows().fold(Tally::default(), |sum, (_, tally)| sum.plus(tally))
    }

    /// Whether a report is to be made: at least one message is a reason to. Messages that are only
    /// [optional](Trigger::Optional) are told along with others, never alone.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.rows().any(|(_, tally)| tally.triggers > 0)
    }

    /// The report about it. What was coarsened is told in its errors; a reason that must not be
    /// missing is added.
    #[must_use]
    pub fn to_report(&self, mut metadata: Metadata) -> Report {
        let notes = [("passing", &self.passed), ("failing", &self.failed)];
        let notes = notes.into_iter().filter_map(|(which, rows)| rows.note(which));
        metadata.errors.extend(notes);
        let policy = self.seen.policy.clone();
        let records = self.rows().map(|(row, tally)| Record {
            row: with_required_reason(row.clone(), &policy),
            count: tally.messages,
        });
        Report { metadata, day: self.day, records: records.collect(), policy }
    }

    fn add(&mut self, seen: PolicySeen, row: Row, tally: Tally, limits: Limits) {
        let rows = if row.passed() { &mut self.passed } else { &mut self.failed };
        rows.add(row, tally, &seen.policy.domain, limits);
        if seen > self.seen {
            self.seen = seen;
        }
    }
}

/// The reason that must not be missing: "If alignment fails and the policy applied does not match
/// the Policy Domain's configured policy" there is one (RFC 9990 §3.1.1.9).
fn with_required_reason(mut row: Row, policy: &PolicyPublished) -> Row {
    let explained = !row.evaluated.reasons.is_empty();
    if !row.passed() && !explained && !policy.may_ask_for(row.evaluated.disposition) {
        row.evaluated.reasons = Reasons::new([Reason { kind: ReasonType::Other, comment: None }]);
    }
    row
}

/// Rows that are all as coarse as was needed to hold the limits, and no coarser.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rows {
    coarseness: Coarseness,
    tallies: BTreeMap<Row, Tally>,
    /// The weight of all rows together.
    octets: usize,
}

impl Rows {
    const fn new(coarseness: Coarseness) -> Self {
        Self { coarseness, tallies: BTreeMap::new(), octets: 0 }
    }

    /// Adds a row, and makes all rows coarser until they hold the limits. The coarsest step holds
    /// them always; see [`Limits::new`].
    fn add(&mut self, row: Row, tally: Tally, policy_domain: &DomainName, limits: Limits) {
        self.coarsen(row.coarseness(), policy_domain);
        self.insert(row.coarsened(self.coarseness, policy_domain), tally);
        while !limits.hold(self)
            && let Some(coarser) = Coarseness::ALL.iter().find(|step| **step > self.coarseness)
        {
            self.coarsen(*coarser, policy_domain);
        }
    }

    fn coarsen(&mut self, to: Coarseness, policy_domain: &DomainName) {
        if to <= self.coarseness {
            return;
        }
        let finer = core::mem::replace(self, Self::new(to));
        for (row, tally) in finer.tallies {
            self.insert(row.coarsened(to, policy_domain), tally);
        }
    }

    fn insert(&mut self, row: Row, tally: Tally) {
        let octets = weight(&row);
        match self.tallies.entry(row) {
            Entry::Occupied(mut held) => *held.get_mut() = held.get().plus(tally),
            Entry::Vacant(free) => {
                free.insert(tally);
                self.octets = self.octets.saturating_add(octets);
            }
        }
    }

    /// What the reader of a report must know of rows that say less than they could.
    fn note(&self, which: &str) -> Option<Remark> {
        let what = match self.coarseness {
            Coarseness::Exact => return None,
            Coarseness::Short => "name one signature at most",
            Coarseness::Network => {
                "name networks (/24, /48) instead of addresses, and no signatures"
            }
            Coarseness::Total => "name neither addresses nor signatures",
        };
        Remark::parse(&format!("too many different {which} messages: their rows {what}")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Disposition, DmarcResult, Policy, Unwanted};
    use alloc::vec::Vec;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn observation(address: u32, passes: DmarcResult, trigger: Trigger) -> Observation {
        let domain = name("example.com");
        let row = Row::new(core::net::Ipv4Addr::from(address).into(), domain.clone());
        Observation {
            at: UnixTime(1_800_000_000),
            policy: PolicyPublished::new(domain, Policy::None),
            row: row.evaluated(passes, DmarcResult::Fail),
            trigger,
        }
    }

    #[test]
    fn what_is_optional_is_counted_and_alone_makes_no_report() {
        let mut seen = Accumulation::new(Limits::default());
        seen.observe(observation(1, DmarcResult::Fail, Trigger::Optional(Unwanted::Spam)));
        let due = |seen: &Accumulation| seen.groups().map(Group::is_due).collect::<Vec<_>>();
        assert_eq!(due(&seen), [false]);
        seen.observe(observation(1, DmarcResult::Pass, Trigger::Counts));
        assert_eq!(due(&seen), [true]);
        let tally = seen.groups().next().unwrap().tally();
        assert_eq!(tally, Tally { messages: 2, triggers: 1 });
    }

    #[test]
    fn failing_mail_does_not_blur_passing_mail() {
        let mut seen = Accumulation::new(Limits::new(0, 0));
        for address in 0..100 {
            seen.observe(observation(address << 8, DmarcResult::Pass, Trigger::Counts));
        }
        for address in 0..5_000 {
            seen.observe(observation(address << 4, DmarcResult::Fail, Trigger::Counts));
        }
        let group = seen.groups().next().unwrap();
        assert_eq!(group.tally().messages, 5_100);
        let coarse = |passed| {
            let rows = group.rows().filter(|(row, _)| row.passed() == passed);
            rows.map(|(row, _)| row.coarseness()).max()
        };
        assert_eq!(coarse(true), Some(Coarseness::Exact));
        assert_eq!(coarse(false), Some(Coarseness::Total));
        assert_eq!(group.passed.note("passing"), None);
        let note = group.failed.note("failing").unwrap();
        assert!(note.as_str().contains("neither addresses"), "{note}");
        for which in ["passing", "failing"] {
            let notes = Coarseness::ALL.iter().filter_map(|step| Rows::new(*step).note(which));
            assert_eq!(notes.count(), 3);
        }
    }

    #[test]
    fn the_policy_that_was_seen_last_counts() {
        let mut seen = Accumulation::new(Limits::default());
        for (at, p) in [(5, Policy::None), (9, Policy::Reject), (7, Policy::Quarantine)] {
            let mut one = observation(1, DmarcResult::Pass, Trigger::Counts);
            (one.at, one.policy.p) = (UnixTime(at), p);
            seen.observe(one);
        }
        let group = seen.groups().next().unwrap();
        assert_eq!((group.policy().at, group.policy().policy.p), (UnixTime(9), Policy::Reject));
        assert_eq!(seen.drain().count(), 1);
        assert_eq!(seen.rows(), 0);
    }

    #[test]
    fn an_override_without_reason_gets_one() {
        let mut policy = PolicyPublished::new(name("example.com"), Policy::Reject);
        let row = Row::new("192.0.2.1".parse().unwrap(), name("example.com"));
        assert_eq!(with_required_reason(row.clone(), &policy).evaluated.reasons.iter().count(), 1);
        let passed = row.clone().evaluated(DmarcResult::Fail, DmarcResult::Pass);
        assert!(with_required_reason(passed, &policy).evaluated.reasons.is_empty());
        let mut refused = row.clone();
        refused.evaluated.disposition = Disposition::Reject;
        assert!(with_required_reason(refused, &policy).evaluated.reasons.is_empty());
        policy.np = Some(Policy::None);
        assert!(with_required_reason(row, &policy).evaluated.reasons.is_empty());
    }
}
