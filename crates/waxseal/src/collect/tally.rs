//! What was counted since the last time that it was brought to the disk.
//!
//! The rules of counting are those of `tlsrpt::Aggregate`; here is what makes it a buffer. Each time
//! that the disk is due, all of it is taken out, and put back if the disk says no. Then it grows,
//! and once it has more than [`FULL`] octets, new rows are as coarse as can be, so that it has an
//! end: a few rows for each of [`DOMAINS`] domains. What finds no room beyond that is told.

use smtp_types::UnixTime;
use tlsrpt::{Aggregate, Event, Failure, Increment, Limits, Policy, RecordSeen, Unsaved};

use crate::store::{TlsCounts, TlsFailureCounts, TlsPolicyCounts, TlsRecordSeen};

/// How many domains there may be that the disk does not have.
const DOMAINS: usize = 50_000;

/// From how many octets on new rows are coarse: 16 MiB.
const FULL: usize = 16 * 1024 * 1024;

/// What a row costs besides its text.
const OVERHEAD: usize = 150;

/// As long as there is room.
const ROOMY: Limits = Limits { domains: DOMAINS, policies: 100, failures: 500, rows: 100_000 };

/// When there is none.
const TIGHT: Limits = Limits { rows: 0, ..ROOMY };

/// Counts that no disk has yet.
#[derive(Debug)]
pub(super) struct Tally(Aggregate);

/// Counts on their way to the disk.
#[derive(Debug)]
pub(super) struct Taken {
    aggregate: Aggregate,
    /// Sessions that found no room.
    pub(super) dropped: u64,
    /// Sessions that did.
    pub(super) sessions: u64,
    octets: usize,
    /// The same as rows.
    pub(super) counts: Vec<TlsCounts>,
}

impl Default for Tally {
    fn default() -> Self {
        Self(Aggregate::new(ROOMY))
    }
}

impl Tally {
    /// Counts the sessions of an event.
    pub(super) fn add(&mut self, event: Event, now: UnixTime) {
        self.0.add(event, now);
    }

    /// Takes everything out; `None` if there is nothing.
    pub(super) fn take(&mut self) -> Option<Taken> {
        let aggregate = std::mem::take(self).0;
        let dropped = aggregate.days().map(|day| aggregate.uncounted(day).sessions()).sum();
        let unsaved = aggregate.clone().take_unsaved();
        if unsaved.rows.is_empty() && dropped == 0 {
            return None;
        }
        let text = |row: &Increment| row.policy.len() + row.failure.as_deref().map_or(0, str::len);
        let octets = unsaved.rows.iter().map(|row| text(row) + OVERHEAD).sum();
        let summaries = unsaved.rows.iter().filter(|row| row.failure.is_none());
        let sessions = summaries.map(|row| row.successes.saturating_add(row.failures)).sum();
        Some(Taken { aggregate, dropped, sessions, octets, counts: rows(unsaved) })
    }

    /// Puts back what the disk did not take.
    pub(super) fn put_back(&mut self, taken: &Taken) {
        let limits = if taken.octets >= FULL { TIGHT } else { ROOMY };
        let since = std::mem::replace(&mut self.0, Aggregate::new(limits));
        self.0.merge(&taken.aggregate);
        self.0.merge(&since);
    }
}

/// As the store wants them. All rows of a domain's day stand together, and of them all of a policy.
fn rows(unsaved: Unsaved) -> Vec<TlsCounts> {
    let Unsaved { rows, records } = unsaved;
    let mut counts: Vec<TlsCounts> = Vec::new();
    for row in rows {
        let day = row.day.number();
        let is_same = |last: &&mut TlsCounts| last.day == day && last.domain == row.domain;
        match counts.last_mut().filter(is_same) {
            Some(last) => add_row(last, row),
            None => {
                let domain = row.domain.clone();
                let mut first = TlsCounts { day, domain, record: None, policies: Vec::new() };
                add_row(&mut first, row);
                counts.push(first);
            }
        }
    }
    for seen in records {
        let RecordSeen { day, domain, at, record } = seen;
        let key = (day.number(), &domain);
        if let Ok(index) = counts.binary_search_by(|one| (one.day, &one.domain).cmp(&key))
            && let Some(one) = counts.get_mut(index)
        {
            one.record = Some(TlsRecordSeen { text: record.into(), at });
        }
    }
    counts
}

fn add_row(counts: &mut TlsCounts, row: Increment) {
    let Increment { domain, policy, failure, successes, failures, .. } = row;
    let is_same = |last: &&mut TlsPolicyCounts| *last.policy == *policy;
    if counts.policies.last_mut().filter(is_same).is_none() {
        // Lines are printed by the same crate, so they can be read.
        let kind = Policy::from_line(&policy).map(|policy| policy.kind);
        let coarse = kind.map(|kind| Policy { kind, ..Policy::none_of(domain) }.to_line());
        let coarse = coarse.unwrap_or_else(|_| policy.to_string());
        let policy = policy.into();
        let details = Vec::new();
        counts.policies.push(TlsPolicyCounts {
            policy,
            coarse,
            successes: 0,
            failures: 0,
            details,
        });
    }
    let Some(last) = counts.policies.last_mut() else { return };
    match failure {
        None => {
            last.successes = last.successes.saturating_add(successes);
            last.failures = last.failures.saturating_add(failures);
        }
        Some(line) => {
            let coarse = Failure::from_line(&line).map(|one| Failure::of(one.result).to_line());
            let coarse = coarse.unwrap_or_else(|_| line.to_string());
            last.details.push(TlsFailureCounts {
                failure: line.into(),
                coarse,
                sessions: failures,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp_types::DomainName;
    use tlsrpt::{Outcome, ResultType, Session};

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn event(domain: &str, reason: Option<&str>) -> Event {
        let domain = DomainName::parse(domain).unwrap();
        let failure = reason.map(|reason| Failure {
            reason: Some(reason.into()),
            ..Failure::of(ResultType::ValidationFailure)
        });
        let outcome = if reason.is_some() { Outcome::Failure } else { Outcome::Success };
        let policy = Policy::none_of(domain.clone());
        let session = Session { policy, outcome, failures: failure.into_iter().collect() };
        Event {
            domain,
            record: Some("v=TLSRPTv1; rua=mailto:a@b.test".into()),
            sessions: vec![session],
        }
    }

    #[test]
    fn rows_of_a_domain_stand_together() {
        let mut tally = Tally::default();
        assert!(tally.take().is_none());
        for (domain, reason) in
            [("b.test", None), ("a.test", Some("x")), ("a.test", None), ("a.test", Some("x"))]
        {
            tally.add(event(domain, reason), NOW);
        }
        let taken = tally.take().unwrap();
        assert_eq!((taken.sessions, taken.dropped), (4, 0));
        let [a, b] = &*taken.counts else { panic!("{:?}", taken.counts) };
        assert_eq!((a.domain.as_str(), b.domain.as_str()), ("a.test", "b.test"));
        let [policy] = &*a.policies else { panic!("{a:?}") };
        assert_eq!((policy.successes, policy.failures), (1, 2));
        assert_eq!((policy.details[0].sessions, policy.details.len()), (2, 1));
        assert_eq!(policy.details[0].coarse, "f1 validation-failure - - - - - -");
        assert_eq!(a.record.as_ref().map(|seen| seen.at), Some(NOW));
        assert!(tally.take().is_none());
    }

    #[test]
    fn what_is_put_back_is_as_if_it_was_never_taken() {
        let mut tally = Tally::default();
        tally.add(event("a.test", Some("x")), NOW);
        let taken = tally.take().unwrap();
        tally.add(event("a.test", Some("x")), NOW);
        tally.put_back(&taken);
        let taken = tally.take().unwrap();
        assert_eq!(taken.sessions, 2);
        assert_eq!(taken.counts[0].policies[0].details[0].sessions, 2);
    }

    #[test]
    fn memory_has_an_end_and_sums_stay_exact() {
        let mut tally = Tally::default();
        let mut sent = 0;
        let mut octets = 0;
        while octets < FULL {
            for _ in 0..5_000 {
                let (domain, reason) = (format!("d{}.test", sent / 300), "y".repeat(200));
                tally.add(event(&domain, Some(&format!("{sent}{reason}"))), NOW);
                sent += 1;
            }
            let taken = tally.take().unwrap();
            octets = taken.octets;
            tally.put_back(&taken);
        }
        for _ in 0..20_000 {
            tally.add(event(&format!("d{}.test", sent % 100), Some(&sent.to_string())), NOW);
            sent += 1;
        }
        let taken = tally.take().unwrap();
        assert_eq!((taken.sessions, taken.dropped), (sent, 0));
        assert!(taken.octets < FULL + 4 * 1024 * 1024, "{}", taken.octets);
        let details = taken.counts.iter().flat_map(|one| &one.policies);
        let details = details.flat_map(|policy| &policy.details).map(|detail| detail.sessions);
        assert_eq!(details.sum::<u64>(), sent);
    }
}
