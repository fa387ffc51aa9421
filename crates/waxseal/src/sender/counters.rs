//! What the role counts. Plain atomics, so that counting costs an answer nothing; names and help
//! texts are given to them in [`metrics`](crate::metrics).

use std::sync::atomic::{AtomicU64, Ordering};

use transport_policy::Answer;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the role `sender` counts.
#[derive(Debug, Default)]
pub struct SenderCounters {
    /// Evaluations: questions that memory could not answer.
    pub evaluations: Counter,
    /// Askers who waited for the evaluation of another.
    pub joined: Counter,
    /// Askers whose deadline passed.
    pub overdue: Counter,
    /// Evaluations that ended without a result: faults of ours.
    pub faults: Counter,
    /// Policies fetched for a question.
    pub fetches: Counter,
    /// Fetches for a question that failed.
    pub failed_fetches: Counter,
    /// Policies refreshed ahead of time.
    pub refreshes: Counter,
    /// Refreshes that failed.
    pub failed_refreshes: Counter,
    /// Mail hosts of domains in mode testing that were looked at.
    pub probes: Counter,
    /// Such hosts that did not answer.
    pub probes_unseen: Counter,
    /// Such hosts that were not looked at because too many were waiting.
    pub probes_dropped: Counter,
    /// Failures in mode testing that would have made mail wait in mode enforce.
    pub testing_failures: Counter,
    /// Decisions by what the mail server is told: none, defer, dane, dane-only, secure, fixed.
    pub decisions: [Counter; 6],
}

impl SenderCounters {
    /// The words for [`decisions`](Self::decisions), in its order.
    pub const ANSWERS: [&str; 6] = ["none", "defer", "dane", "dane-only", "secure", "fixed"];

    /// Counts a decision.
    pub fn count(&self, answer: &Answer) {
        let index = match answer {
            Answer::NoPolicy => 0,
            Answer::Defer => 1,
            Answer::Dane => 2,
            Answer::DaneOnly => 3,
            Answer::Secure(_) => 4,
            Answer::Fixed(_) => 5,
        };
        self.decisions[index].inc();
    }
}
