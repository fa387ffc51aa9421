//! What the mail server for reports counts. Only ever added to, and never reset.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The counters of all listeners together.
#[derive(Debug, Default)]
pub struct SmtpCounters {
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
    errors: AtomicU64,
    /// Octets of messages that are held in memory now.
    held: AtomicUsize,
}

impl SmtpCounters {
    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Connections that were taken.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Connections that were closed at once because too many were open.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Connections that were closed because a command or a message took too long.
    #[must_use]
    pub fn timed_out(&self) -> u64 {
        self.timed_out.load(Relaxed)
    }

    /// Replies that told a client of an error.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
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

    pub(super) fn add_timed_out(&self) {
        self.timed_out.fetch_add(1, Relaxed);
    }

    pub(super) fn add_error(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    /// Takes room for `more` octets out of `limit`, if there is.
    pub(super) fn hold(&self, more: usize, limit: usize) -> bool {
        let room = |held: usize| held.checked_add(more).filter(|held| *held <= limit);
        self.held.try_update(Relaxed, Relaxed, room).is_ok()
    }

    pub(super) fn release(&self, octets: usize) {
        self.held.fetch_sub(octets, Relaxed);
    }
}
