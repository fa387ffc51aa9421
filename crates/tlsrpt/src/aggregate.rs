//! Counting: sessions of a day become rows, and rows become a report (RFC 8460 §4.2, §4.4).
//!
//! Two aggregates can be added up, and it does not matter how: whoever counts (several processes,
//! several nodes, what a store held already), the sums are the same. Every session is in exactly
//! one summary, and every failed session in at least one detail.
//!
//! A store keeps it safe: [`take_unsaved`](Aggregate::take_unsaved) gives what was counted since
//! the last call, as rows to be added to those that are there; called once a second, a crash costs
//! one second. [`apply`](Aggregate::apply) reads them back.
//!
//! Anyone can make us talk to a server that calls itself something else each time. So the rows of a
//! day are bounded, and what does not fit is counted where it loses only detail: a policy too many
//! without its text, a failure too many with nothing but its result type. Sums stay exact.
//!
//! The file is long because what a caller sees and what it counts with are explained by each other.
//!
//! What is not here: whether a report should be sent at all (`guard`), and where the events come
//! from.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use smtp_types::{DomainName, UnixTime};

use crate::{
    Day, Event, Failure, FailureDetail, LineError, Outcome, Policy, PolicyReport, Report, ReportId,
    ResultType, Session, Submitter, Summary,
};

/// How much an aggregate may hold of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Domains. Sessions of further ones are only in [`uncounted`](Aggregate::uncounted).
    pub domains: usize,
    /// Policies of one domain; one more for each policy type is kept without its text.
    pub policies: usize,
    /// Failures of one policy; one more for each result type is kept without its hosts.
    pub failures: usize,
    /// Policies and failures of all domains together. Beyond that, those of the two limits above
    /// hold as if they were zero.
    pub rows: usize,
}

impl Default for Limits {
    /// 1,000,000 domains, 100 policies of one, 500 failures of one policy, 2,000,000 rows: some
    /// hundred MB at worst. A domain with one policy and no failure takes about 700 octets.
    fn default() -> Self {
        Self { domains: 1_000_000, policies: 100, failures: 500, rows: 2_000_000 }
    }
}

/// What was counted for one policy or one failure since it was last saved: a row of a store.
///
/// Its key is day, domain, policy and failure; its numbers are to be added to those of that row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Increment {
    /// The day.
    pub day: Day,
    /// The domain that gets the report.
    pub domain: DomainName,
    /// [`Policy::to_line`].
    pub policy: Box<str>,
    /// [`Failure::to_line`]; `None` in the row that is the summary of the policy.
    pub failure: Option<Box<str>>,
    /// Successful sessions; zero in the row of a failure.
    pub successes: u64,
    /// Failed sessions; in the row of a failure those that had it.
    pub failures: u64,
}

/// The TLSRPT record of a domain as it was last seen. Of two, the later counts, and of two at the
/// same time the greater text; so the order in which they come does not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordSeen {
    /// The day.
    pub day: Day,
    /// The domain.
    pub domain: DomainName,
    /// When it was seen.
    pub at: UnixTime,
    /// The text of the record.
    pub record: Box<str>,
}

/// What a store does not have yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsaved {
    /// Rows to add to.
    pub rows: Vec<Increment>,
    /// Records to replace.
    pub records: Vec<RecordSeen>,
}

/// Sessions of any number of days and domains.
#[derive(Clone, Debug)]
pub struct Aggregate {
    limits: Limits,
    days: BTreeMap<Day, DayCounts>,
}

impl Aggregate {
    /// Nothing was counted yet.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, days: BTreeMap::new() }
    }

    /// Counts the sessions of one event, made at `now`.
    ///
    /// §4.2: a session is a success or a failure, whatever number of failures it met. A failed
    /// session without any named failure gets the general one (§4.3.3), so that each failure is
    /// explained by a row; the failures that a successful session met on its way are not counted.
    pub fn add(&mut self, event: Event, now: UnixTime) {
        let limits = self.limits;
        let day = self.days.entry(Day::of(now)).or_default();
        let Event { domain, record, sessions } = event;
        let is_full = day.domains.len() >= limits.domains;
        let counts = match day.domains.entry(domain.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if is_full => {
                let one = |session: &Session| session.outcome.summary();
                let sum = sessions.iter().map(one).fold(day.uncounted, Summary::plus);
                day.uncounted = sum;
                return;
            }
            Entry::Vacant(entry) => entry.insert(DomainCounts::default()),
        };
        if !mem::replace(&mut counts.is_unsaved, true) {
            day.unsaved.push(domain.clone());
        }
        if let Some(text) = record {
            counts.see(now, &text, IsSaved::No);
        }
        for session in sessions {
            counts.add(&domain, session, limits, &mut day.rows);
        }
    }

    /// Adds a row that a store held. It counts as saved. Limits do not apply.
    ///
    /// # Errors
    /// If its key is none of ours. Then nothing was added.
    pub fn apply(&mut self, row: &Increment) -> Result<(), LineError> {
        Policy::from_line(&row.policy)?;
        row.failure.as_deref().map(Failure::from_line).transpose()?;
        let count = |sum| Count { saved: sum, unsaved: 0 };
        let day = self.days.entry(row.day).or_default();
        let counts = day.domains.entry(row.domain.clone()).or_default();
        let policy = counts.policy(&row.policy, &mut day.rows);
        match &row.failure {
            None => {
                policy.successes.plus(count(row.successes));
                policy.failures.plus(count(row.failures));
            }
            Some(failure) => policy.failure(failure, &mut day.rows).plus(count(row.failures)),
        }
        Ok(())
    }

    /// Takes over a record that a store held. It counts as saved.
    pub fn apply_record(&mut self, seen: &RecordSeen) {
        let day = self.days.entry(seen.day).or_default();
        let counts = day.domains.entry(seen.domain.clone()).or_default();
        counts.see(seen.at, &seen.record, IsSaved::Yes);
    }

    /// Adds all that another aggregate holds. Limits do not apply, so that the order does not
    /// matter; a [`report`](Self::report) has bounds of its own.
    pub fn merge(&mut self, other: &Self) {
        for (&number, theirs) in &other.days {
            let day = self.days.entry(number).or_default();
            day.uncounted = day.uncounted.plus(theirs.uncounted);
            for (domain, their_counts) in &theirs.domains {
                let counts = day.domains.entry(domain.clone()).or_default();
                if their_counts.is_unsaved && !mem::replace(&mut counts.is_unsaved, true) {
                    day.unsaved.push(domain.clone());
                }
                if let Some(seen) = &their_counts.record {
                    counts.see(seen.at, &seen.text, seen.is_saved);
                }
                for theirs in &their_counts.policies {
                    let policy = counts.policy(&theirs.key, &mut day.rows);
                    policy.successes.plus(theirs.successes);
                    policy.failures.plus(theirs.failures);
                    for (key, count) in &theirs.details {
                        policy.failure(key, &mut day.rows).plus(*count);
                    }
                }
            }
        }
    }

    /// What was counted since the last call, by day and domain. It is in the hands of the caller
    /// then: if it cannot be saved, keep it and try again.
    pub fn take_unsaved(&mut self) -> Unsaved {
        let mut unsaved = Unsaved::default();
        for (&number, day) in &mut self.days {
            let mut names = mem::take(&mut day.unsaved);
            names.sort_unstable();
            for domain in names {
                if let Some(counts) = day.domains.get_mut(&domain) {
                    counts.is_unsaved = false;
                    counts.take(number, &domain, Count::take, &mut unsaved.rows);
                    unsaved.records.extend(counts.take_record(number, &domain));
                }
            }
        }
        unsaved
    }

    /// All rows of a day as they stand, saved or not.
    pub fn rows(&self, day: Day) -> impl Iterator<Item = Increment> {
        self.domains(day).flat_map(move |(domain, counts)| {
            let mut rows = Vec::new();
            counts.clone().take(day, domain, |count| count.sum(), &mut rows);
            rows
        })
    }

    /// The days of which anything was counted.
    pub fn days(&self) -> impl Iterator<Item = Day> {
        self.days.keys().copied()
    }

    /// The domains of a day with what came of their sessions.
    pub fn summaries(&self, day: Day) -> impl Iterator<Item = (&DomainName, Summary)> {
        self.domains(day).map(|(domain, counts)| (domain, counts.summary()))
    }

    /// The sessions of a domain on a day.
    #[must_use]
    pub fn summary(&self, day: Day, domain: &DomainName) -> Summary {
        self.counts(day, domain).map(DomainCounts::summary).unwrap_or_default()
    }

    /// The record of a domain as it was last seen on a day.
    #[must_use]
    pub fn record(&self, day: Day, domain: &DomainName) -> Option<&str> {
        Some(&self.counts(day, domain)?.record.as_ref()?.text)
    }

    /// Sessions of domains beyond [`Limits::domains`]. They are in no row and in no report.
    #[must_use]
    pub fn uncounted(&self, day: Day) -> Summary {
        self.days.get(&day).map(|counts| counts.uncounted).unwrap_or_default()
    }

    /// The report about a domain's day, or `None` if there was no session.
    ///
    /// Policies are in the order of their keys. Of more than [`Limits::failures`] failures of a
    /// policy those of most sessions are named.
    #[must_use]
    pub fn report(
        &self,
        day: Day,
        domain: &DomainName,
        submitter: &Submitter,
        id: &ReportId,
    ) -> Option<Report> {
        let counts = self.counts(day, domain)?;
        let policies: Vec<_> =
            counts.policies.iter().filter_map(|policy| policy.report(self.limits)).collect();
        if policies.is_empty() {
            return None;
        }
        Some(Report {
            organization: Some(submitter.organization.clone()),
            period: day.range(),
            contact: Some(alloc::string::ToString::to_string(&submitter.contact).into()),
            id: id.as_str().into(),
            policies,
        })
    }

    /// Forgets a day, for example when its reports are made.
    pub fn remove(&mut self, day: Day) {
        self.days.remove(&day);
    }

    fn counts(&self, day: Day, domain: &DomainName) -> Option<&DomainCounts> {
        self.days.get(&day)?.domains.get(domain)
    }

    fn domains(&self, day: Day) -> impl Iterator<Item = (&DomainName, &DomainCounts)> {
        self.days.get(&day).into_iter().flat_map(|day| &day.domains)
    }
}

impl Outcome {
    /// One session of this outcome.
    #[must_use]
    pub const fn summary(self) -> Summary {
        match self {
            Self::Success => Summary { successes: 1, failures: 0 },
            Self::Failure => Summary { successes: 0, failures: 1 },
        }
    }
}

#[derive(Clone, Debug, Default)]
struct DayCounts {
    domains: BTreeMap<DomainName, DomainCounts>,
    /// Those with something unsaved, each once.
    unsaved: Vec<DomainName>,
    /// How many policies and failures all of them have.
    rows: usize,
    uncounted: Summary,
}

#[derive(Clone, Debug, Default)]
struct DomainCounts {
    record: Option<Seen>,
    /// Sorted by key. There are few: a sorted list is a tenth of a tree with one entry.
    policies: Vec<PolicyCounts>,
    is_unsaved: bool,
}

#[derive(Clone, Debug)]
struct Seen {
    at: UnixTime,
    text: Box<str>,
    is_saved: IsSaved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IsSaved {
    Yes,
    No,
}

impl DomainCounts {
    /// A record that says the same again is not saved again, though it is newer then: else each
    /// session would write it.
    fn see(&mut self, at: UnixTime, text: &str, is_saved: IsSaved) {
        match &mut self.record {
            Some(seen) if *seen.text == *text => seen.at = seen.at.max(at),
            Some(seen) if (seen.at, &*seen.text) > (at, text) => {}
            _ => self.record = Some(Seen { at, text: text.into(), is_saved }),
        }
    }

    fn add(&mut self, domain: &DomainName, session: Session, limits: Limits, rows: &mut usize) {
        let Session { policy, outcome, failures } = session;
        let mut policy = policy.canonical();
        policy.domain.get_or_insert_with(|| domain.clone());
        let key = policy.to_line();
        let fits = |held: usize, limit: usize, rows: usize| held < limit && rows < limits.rows;
        let counts = match self.find(&key) {
            Ok(index) => &mut self.policies[index],
            Err(_) if fits(self.policies.len(), limits.policies, *rows) => self.policy(&key, rows),
            Err(_) => {
                let bare = Policy { kind: policy.kind, ..Policy::none_of(domain.clone()) };
                self.policy(&bare.to_line(), rows)
            }
        };
        if outcome == Outcome::Success {
            return counts.successes.plus(Count::ONE);
        }
        counts.failures.plus(Count::ONE);
        let mut keys: Vec<String> = failures
            .iter()
            .map(|failure| {
                let key = failure.to_line();
                let is_known = counts.find(&key).is_ok();
                match is_known || fits(counts.details.len(), limits.failures, *rows) {
                    true => key,
                    false => Failure::of(failure.result.clone()).to_line(),
                }
            })
            .collect();
        if keys.is_empty() {
            keys.push(Failure::of(ResultType::ValidationFailure).to_line());
        }
        // A session counts once in a row, even if it met the same failure twice.
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            counts.failure(&key, rows).plus(Count::ONE);
        }
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.policies.binary_search_by(|policy| (*policy.key).cmp(key))
    }

    fn policy(&mut self, key: &str, rows: &mut usize) -> &mut PolicyCounts {
        let index = self.find(key).unwrap_or_else(|index| {
            self.policies.insert(index, PolicyCounts::new(key));
            *rows += 1;
            index
        });
        &mut self.policies[index]
    }

    fn summary(&self) -> Summary {
        self.policies.iter().map(PolicyCounts::summary).fold(Summary::default(), Summary::plus)
    }

    /// The rows with what `take` takes of each count; those without anything are left out.
    fn take(
        &mut self,
        day: Day,
        domain: &DomainName,
        take: fn(&mut Count) -> u64,
        rows: &mut Vec<Increment>,
    ) {
        for policy in &mut self.policies {
            let row = |failure: Option<&Box<str>>, successes, failures| Increment {
                day,
                domain: domain.clone(),
                policy: policy.key.clone(),
                failure: failure.cloned(),
                successes,
                failures,
            };
            let (successes, failures) = (take(&mut policy.successes), take(&mut policy.failures));
            if successes > 0 || failures > 0 {
                rows.push(row(None, successes, failures));
            }
            for (key, count) in &mut policy.details {
                let failures = take(count);
                if failures > 0 {
                    rows.push(row(Some(key), 0, failures));
                }
            }
        }
    }

    fn take_record(&mut self, day: Day, domain: &DomainName) -> Option<RecordSeen> {
        let seen = self.record.as_mut().filter(|seen| seen.is_saved == IsSaved::No)?;
        seen.is_saved = IsSaved::Yes;
        let domain = domain.clone();
        Some(RecordSeen { day, domain, at: seen.at, record: seen.text.clone() })
    }
}

#[derive(Clone, Debug)]
struct PolicyCounts {
    key: Box<str>,
    successes: Count,
    failures: Count,
    /// Sorted by key.
    details: Vec<(Box<str>, Count)>,
}

impl PolicyCounts {
    fn new(key: &str) -> Self {
        Self {
            key: key.into(),
            successes: Count::default(),
            failures: Count::default(),
            details: Vec::new(),
        }
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.details.binary_search_by(|(held, _)| (**held).cmp(key))
    }

    fn failure(&mut self, key: &str, rows: &mut usize) -> &mut Count {
        let index = self.find(key).unwrap_or_else(|index| {
            self.details.insert(index, (key.into(), Count::default()));
            *rows += 1;
            index
        });
        &mut self.details[index].1
    }

    fn summary(&self) -> Summary {
        Summary { successes: self.successes.sum(), failures: self.failures.sum() }
    }

    /// `None` if there was no session; keys are ours, so they can be read.
    fn report(&self, limits: Limits) -> Option<PolicyReport> {
        let summary = self.summary();
        if summary == Summary::default() && self.details.is_empty() {
            return None;
        }
        let policy = Policy::from_line(&self.key).ok()?;
        let mut held: Vec<_> =
            self.details.iter().map(|(key, count)| (count.sum(), &**key)).collect();
        held.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let mut rest = BTreeMap::<ResultType, u64>::new();
        let mut details = Vec::with_capacity(held.len().min(limits.failures));
        for (index, (sessions, key)) in held.into_iter().enumerate() {
            let failure = Failure::from_line(key).ok()?;
            let is_bare = failure == Failure::of(failure.result.clone());
            if index >= limits.failures || is_bare {
                let sum = rest.entry(failure.result).or_default();
                *sum = sum.saturating_add(sessions);
            } else {
                details.push(FailureDetail { failure, sessions });
            }
        }
        let rest = rest.into_iter();
        details.extend(
            rest.map(|(result, sessions)| FailureDetail { failure: Failure::of(result), sessions }),
        );
        Some(PolicyReport { policy, summary, details })
    }
}

/// A number, and how much of it a store does not have yet. Both saturate.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    saved: u64,
    unsaved: u64,
}

impl Count {
    const ONE: Self = Self { saved: 0, unsaved: 1 };

    fn plus(&mut self, other: Self) {
        self.saved = self.saved.saturating_add(other.saved);
        self.unsaved = self.unsaved.saturating_add(other.unsaved);
    }

    const fn sum(self) -> u64 {
        self.saved.saturating_add(self.unsaved)
    }

    fn take(&mut self) -> u64 {
        let unsaved = mem::take(&mut self.unsaved);
        self.saved = self.saved.saturating_add(unsaved);
        unsaved
    }
}
