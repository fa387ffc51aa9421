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

    pub(super) fn add_reply(&self, kind: ReplyKind) {
        let place = ReplyKind::ALL.iter().position(|known| *known == kind);
        if let Some(count) = place.and_then(|place| self.replies.get(place)) {
            count.fetch_add(1, Relaxed);
        }
    }
}
