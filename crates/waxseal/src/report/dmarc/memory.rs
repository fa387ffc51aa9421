//! What was counted since the last time that it was brought to the disk.
//!
//! Messages that are alike are one row here already, under the line of text that is its key in the
//! store. How many octets the lines take is known at any time, so memory has an end: beyond
//! [`SOFT_LIMIT`] new rows are counted as coarsely as can be, which makes them few, and beyond
//! [`HARD_LIMIT`] only rows that are there go on counting. That happens if the disk takes nothing
//! for long.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sender_auth::report::{
    Coarseness, Day, Observation, PolicyPublished, PolicySeen, Tally, Trigger, Unwanted,
};
use smtp_types::DomainName;

use super::judged::Seen;
use crate::store::{CountedRow, DayCounts};

/// From how many octets on rows are coarse: 16 MiB.
const SOFT_LIMIT: usize = 16 * 1024 * 1024;

/// How many octets there are at most: 32 MiB.
const HARD_LIMIT: usize = 32 * 1024 * 1024;

/// What a row or a group costs besides its text.
const OVERHEAD: usize = 150;

/// How many rows are brought to the disk in one transaction, more or less.
const ROWS_IN_A_CHUNK: usize = 2_000;

/// Counts that no disk has yet.
#[derive(Default)]
pub(super) struct Unflushed {
    groups: HashMap<(Day, DomainName), Group>,
    octets: usize,
}

struct Group {
    policy: PolicySeen,
    record: String,
    beside: Beside,
    rows: HashMap<String, Tally>,
}

/// What is counted of a domain beside its rows.
#[derive(Clone, Copy, Default)]
struct Beside {
    strangers: u64,
    spam: u64,
}

/// Whether a message was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// It was, and is a reason for a report or may become one.
    Yes,
    /// It was, and is told along with others only.
    Along,
    /// It is not told.
    Untold,
    /// There was no room.
    Dropped,
}

impl Unflushed {
    /// Counts a message. Rows are at least as coarse as `coarseness`.
    pub(super) fn count(&mut self, seen: Seen<'_>, coarseness: Coarseness) -> Counted {
        let Seen { observation, policy } = seen;
        let Observation { at, policy: published, row, trigger } = observation;
        let (triggers, strangers, spam) = match trigger {
            Trigger::Counts => (1, 0, 0),
            Trigger::Optional(Unwanted::Stranger) => (0, 1, 0),
            Trigger::Optional(Unwanted::Spam) => (0, 0, 1),
            Trigger::Optional(_) => (0, 0, 0),
            Trigger::Never(_) => return Counted::Untold,
        };
        let coarseness = if self.octets >= SOFT_LIMIT { Coarseness::Total } else { coarseness };
        let row = row.coarsened(coarseness, &published.domain);
        let tally = Tally { messages: 1, triggers };
        let key = (Day::of(at), published.domain.clone());
        let seen = PolicySeen { at, policy: published };
        let record = || policy.record.to_string();
        let beside = Beside { strangers, spam };
        if !self.add(key, seen, record, beside, row.to_line(), tally) {
            return Counted::Dropped;
        }
        if triggers + strangers > 0 { Counted::Yes } else { Counted::Along }
    }

    fn add(
        &mut self,
        key: (Day, DomainName),
        seen: PolicySeen,
        record: impl FnOnce() -> String,
        beside: Beside,
        line: String,
        tally: Tally,
    ) -> bool {
        let is_full = self.octets >= HARD_LIMIT;
        let group = match self.groups.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if is_full => return false,
            Entry::Vacant(entry) => {
                let record = record();
                self.octets += OVERHEAD + entry.key().1.as_str().len() + record.len();
                let rows = HashMap::new();
                let beside = Beside::default();
                entry.insert(Group { policy: seen.clone(), record, beside, rows })
            }
        };
        match group.rows.entry(line) {
            Entry::Occupied(mut entry) => *entry.get_mut() = entry.get().plus(tally),
            Entry::Vacant(_) if is_full => return false,
            Entry::Vacant(entry) => {
                self.octets += OVERHEAD + entry.key().len();
                entry.insert(tally);
            }
        }
        group.beside.strangers = group.beside.strangers.saturating_add(beside.strangers);
        group.beside.spam = group.beside.spam.saturating_add(beside.spam);
        if seen.at > group.policy.at {
            group.policy = seen;
        }
        true
    }

    /// Takes everything out, in pieces for one transaction each.
    pub(super) fn take(&mut self) -> Vec<Vec<DayCounts>> {
        let groups = std::mem::take(self).groups;
        let mut chunks = vec![Vec::new()];
        let mut rows = 0;
        for ((day, domain), group) in groups {
            rows += group.rows.len();
            let counts = DayCounts {
                day: day.number(),
                domain,
                policy: group.policy.policy.to_line(),
                policy_at: group.policy.at,
                record: group.record,
                strangers: group.beside.strangers,
                spam: group.beside.spam,
                rows: group.rows.into_iter().map(counted).collect(),
            };
            if let Some(chunk) = chunks.last_mut() {
                chunk.push(counts);
            }
            if rows >= ROWS_IN_A_CHUNK {
                chunks.push(Vec::new());
                rows = 0;
            }
        }
        chunks.retain(|chunk| !chunk.is_empty());
        chunks
    }

    /// Puts back what the disk did not take. Returns how many messages there is no room for.
    pub(super) fn put_back(&mut self, counts: Vec<DayCounts>) -> u64 {
        let mut dropped: u64 = 0;
        for one in counts {
            let DayCounts { day, domain, policy, policy_at, record, strangers, spam, rows } = one;
            // It was printed by us a moment ago.
            let Ok(policy) = PolicyPublished::from_line(&policy) else { continue };
            let key = (Day::since_epoch(day), domain);
            let seen = PolicySeen { at: policy_at, policy };
            let mut beside = Beside { strangers, spam };
            for row in rows {
                let tally = Tally { messages: row.messages, triggers: row.triggers };
                let record = || record.clone();
                let some = std::mem::take(&mut beside);
                if !self.add(key.clone(), seen.clone(), record, some, row.line, tally) {
                    dropped = dropped.saturating_add(row.messages);
                    beside = some;
                }
            }
        }
        dropped
    }

    /// How many octets it takes, more or less.
    pub(super) const fn octets(&self) -> usize {
        self.octets
    }
}

fn counted((line, tally): (String, Tally)) -> CountedRow {
    CountedRow { line, messages: tally.messages, triggers: tally.triggers }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> PolicySeen {
        let domain = DomainName::parse("a.test").unwrap();
        let policy = PolicyPublished::new(domain, sender_auth::report::Policy::None);
        PolicySeen { at: smtp_types::UnixTime(86_400), policy }
    }

    fn add(memory: &mut Unflushed, day: u32, line: String) -> bool {
        let seen = policy();
        let key = (Day::since_epoch(day), seen.policy.domain.clone());
        let tally = Tally { messages: 1, triggers: 1 };
        memory.add(
            key,
            seen,
            || "v=DMARC1".to_owned(),
            Beside { strangers: 1, spam: 0 },
            line,
            tally,
        )
    }

    #[test]
    fn memory_has_an_end_and_what_is_there_goes_on_counting() {
        let mut memory = Unflushed::default();
        let mut number = 0;
        while add(&mut memory, 1, format!("{number} {}", "x".repeat(10_000))) {
            number += 1;
        }
        assert!(memory.octets() >= HARD_LIMIT && memory.octets() < HARD_LIMIT + 20_000);
        assert!(!add(&mut memory, 2, "new".to_owned()), "no new day");
        assert!(add(&mut memory, 1, format!("0 {}", "x".repeat(10_000))), "an old row");
        let chunks = memory.take();
        assert_eq!(memory.octets(), 0);
        let messages: u64 =
            chunks.iter().flatten().flat_map(|one| &one.rows).map(|row| row.messages).sum();
        assert_eq!(messages, number + 1);
    }

    #[test]
    fn what_is_put_back_is_as_if_it_was_never_taken() {
        let mut memory = Unflushed::default();
        for (day, line) in [(1, "a"), (1, "b"), (2, "a"), (1, "a")] {
            assert!(add(&mut memory, day, line.to_owned()));
        }
        let octets = memory.octets();
        let taken: Vec<_> = memory.take().into_iter().flatten().collect();
        assert!(add(&mut memory, 1, "b".to_owned()));
        assert_eq!(memory.put_back(taken), 0);
        assert_eq!(memory.octets(), octets);
        let mut taken: Vec<_> = memory.take().into_iter().flatten().collect();
        taken.sort_by_key(|one| one.day);
        taken.iter_mut().for_each(|one| one.rows.sort_by(|a, b| a.line.cmp(&b.line)));
        let counts = |one: &DayCounts| -> Vec<_> {
            one.rows.iter().map(|row| (row.line.clone(), row.messages, row.triggers)).collect()
        };
        assert_eq!(counts(&taken[0]), [("a".to_owned(), 2, 2), ("b".to_owned(), 2, 2)]);
        assert_eq!((taken[0].strangers, taken[1].strangers), (4, 1));
    }

    #[test]
    fn many_rows_are_several_transactions() {
        let mut memory = Unflushed::default();
        for day in 0..5 {
            for number in 0..1_000 {
                assert!(add(&mut memory, day, number.to_string()));
            }
        }
        let chunks: Vec<_> = memory.take().iter().map(Vec::len).collect();
        assert_eq!(chunks, [2, 2, 1]);
    }
}
