//! What the reporter counts, for the metrics. Only ever read, added to, and never reset.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportCount {
    /// Messages that were counted and may lead to a report.
    Observed,
    /// Messages that were counted and are told along with others only: reports, bounces, spam.
    ObservedAlong,
    /// Messages that were not counted, because there was no room.
    Dropped,
    /// Times that the disk did not take counts.
    StoreFailures,
    /// Reports that were made.
    Made,
    /// Days of domains that ended without a report.
    NotMade,
    /// Times that a report had to wait for the DNS.
    Postponed,
    /// Letters that the mail server has taken.
    Delivered,
    /// Tries after which a letter waits for the next.
    Deferred,
    /// Letters that were refused for good.
    Failed,
    /// Letters that were given up after a day.
    Expired,
    /// Letters that were not sent because their address refuses them.
    Suppressed,
    /// Bounces that came back.
    Bounced,
    /// Failure reports that were held back, because there were enough.
    FailuresHeld,
}

impl ReportCount {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Observed,
        Self::ObservedAlong,
        Self::Dropped,
        Self::StoreFailures,
        Self::Made,
        Self::NotMade,
        Self::Postponed,
        Self::Delivered,
        Self::Deferred,
        Self::Failed,
        Self::Expired,
        Self::Suppressed,
        Self::Bounced,
        Self::FailuresHeld,
    ];

    /// Those that are about reports and letters, of whatever kind.
    pub const OF_LETTERS: [Self; 9] = [
        Self::Made,
        Self::NotMade,
        Self::Postponed,
        Self::Delivered,
        Self::Deferred,
        Self::Failed,
        Self::Expired,
        Self::Suppressed,
        Self::Bounced,
    ];

    /// A stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::ObservedAlong => "observed-along",
            Self::Dropped => "dropped",
            Self::StoreFailures => "store-failures",
            Self::Made => "made",
            Self::NotMade => "not-made",
            Self::Postponed => "postponed",
            Self::Delivered => "delivered",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Suppressed => "suppressed",
            Self::Bounced => "bounced",
            Self::FailuresHeld => "failures-held",
        }
    }
}

/// The counters of the reporter.
#[derive(Debug, Default)]
pub struct ReportCounters {
    counts: [AtomicU64; ReportCount::ALL.len()],
    waiting: AtomicU64,
    suppressed_addresses: AtomicU64,
}

impl ReportCounters {
    /// How many there were since the start.
    #[must_use]
    pub fn get(&self, count: ReportCount) -> u64 {
        self.counts.get(count as usize).map_or(0, |count| count.load(Relaxed))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (ReportCount, u64)> {
        ReportCount::ALL.into_iter().map(|count| (count, self.get(count)))
    }

    /// Those that are about reports and letters, not about what is counted for them.
    pub fn of_letters(&self) -> impl Iterator<Item = (ReportCount, u64)> {
        ReportCount::OF_LETTERS.into_iter().map(|count| (count, self.get(count)))
    }

    /// Letters that wait in the outbox, as of the last look.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    /// Addresses that get nothing now, as of the last look.
    #[must_use]
    pub fn suppressed_addresses(&self) -> u64 {
        self.suppressed_addresses.load(Relaxed)
    }

    pub(super) fn add(&self, count: ReportCount, number: u64) {
        if let Some(count) = self.counts.get(count as usize) {
            count.fetch_add(number, Relaxed);
        }
    }

    pub(super) fn set_size(&self, waiting: u64, suppressed_addresses: u64) {
        self.waiting.store(waiting, Relaxed);
        self.suppressed_addresses.store(suppressed_addresses, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_place() {
        let counters = ReportCounters::default();
        for (number, count) in (1..).zip(ReportCount::ALL) {
            counters.add(count, number);
        }
        let counted: Vec<_> = counters.all().map(|(_, number)| number).collect();
        assert_eq!(counted, (1..=14).collect::<Vec<_>>());
    }
}
