//! What the socketmap server counts, for the metrics. Only ever read, added to, and never reset.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::ReplyKind;

/// The counters of one socketmap server, all its listeners together.
#[derive(Debug, Default)]
pub struct SocketmapCounters {
    /// Connections open now.
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
    timed_out: AtomicU64,
    looked_up: AtomicU64,
    replies: [AtomicU64; ReplyKind::ALL.len()],
}

impl SocketmapCounters {
    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Connections that were taken, since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Connections that were closed at once because too many were open.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Connections that were closed because of a malformed netstring.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed.load(Relaxed)
    }

    /// Connections that were closed because half a request came, or an answer was not taken, for
    /// too long. A connection that is merely idle does not count.
    #[must_use]
    pub fn timed_out(&self) -> u64 {
        self.timed_out.load(Relaxed)
    }

    /// Requests whose replies were not fresh in memory.
    #[must_use]
    pub fn looked_up(&self) -> u64 {
        self.looked_up.load(Relaxed)
    }

    /// Replies of each kind.
    pub fn replies(&self) -> impl Iterator<Item = (ReplyKind, u64)> {
        ReplyKind::ALL
            .into_iter()
            .zip(&self.replies)
            .map(|(kind, count)| (kind, count.load(Relaxed)))
    }

    /// Takes a place among at most `limit` open connections, or counts a refusal.
    pub(super) fn open_one(&self, limit: usize) -> bool {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let room =
            self.open.try_update(Relaxed, Relaxed, |open| (open < limit).then_some(open + 1));
        let counter = if room.is_ok() { &self.accepted } else { &self.refused };
        counter.fetch_add(1, Relaxed);
        room.is_ok()
    }

    pub(super) fn close_one(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    pub(super) fn add_malformed(&self) {
        self.malformed.fetch_add(1, Relaxed);
    }

    pub(super) fn add_timed_out(&self) {
        self.timed_out.fetch_add(1, Relaxed);
    }

    pub(super) fn add_looked_up(&self) {
        self.looked_up.fetch_add(1, Relaxed);
    }

    /// Adds what was counted, and begins to count anew.
    pub(super) fn add_replies(&self, counted: &mut ReplyCount) {
        for (sum, count) in self.replies.iter().zip(&mut counted.0) {
            if *count > 0 {
                sum.fetch_add(std::mem::take(count), Relaxed);
            }
        }
    }
}

/// Replies of each kind that are about to be sent together: one addition for all of them.
#[derive(Debug, Default)]
pub(super) struct ReplyCount([u64; ReplyKind::ALL.len()]);

impl ReplyCount {
    pub(super) fn add(&mut self, kind: ReplyKind) {
        if let Some(count) = self.0.get_mut(kind.index()) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place() {
        let counters = SocketmapCounters::default();
        let mut counted = ReplyCount::default();
        for (number, kind) in ReplyKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), number);
            (0..=number).for_each(|_| counted.add(kind));
        }
        counters.add_replies(&mut counted);
        counters.add_replies(&mut counted);
        let sums: Vec<_> = counters.replies().map(|(_, sum)| sum).collect();
        assert_eq!(sums, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn places() {
        let counters = SocketmapCounters::default();
        assert!(counters.open_one(1));
        assert!(!counters.open_one(1));
        counters.close_one();
        assert!(counters.open_one(1));
        assert_eq!((counters.open(), counters.accepted(), counters.refused()), (1, 2, 1));
    }
}
