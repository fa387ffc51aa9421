//! What a milter server counts, for the metrics. Only ever read, added to, and never reset.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::judge::Verdict;
use super::reply::Change;

/// What became of a message, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VerdictKind {
    /// Accepted.
    Accepted,
    /// Accepted, and put into quarantine.
    Quarantined,
    /// Refused for now.
    Deferred,
    /// Refused for good.
    Rejected,
    /// Thrown away.
    Discarded,
    /// No verdict, because of a fault of ours.
    Fault,
}

impl VerdictKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Accepted,
        Self::Quarantined,
        Self::Deferred,
        Self::Rejected,
        Self::Discarded,
        Self::Fault,
    ];

    /// The kind of a verdict.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Accept { changes } => {
                let is_quarantine = |change: &Change| matches!(change, Change::Quarantine { .. });
                if changes.iter().any(is_quarantine) { Self::Quarantined } else { Self::Accepted }
            }
            Verdict::Refuse(refusal) if refusal.is_permanent() => Self::Rejected,
            Verdict::Refuse(_) => Self::Deferred,
            Verdict::Discard => Self::Discarded,
        }
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Quarantined => "quarantined",
            Self::Deferred => "deferred",
            Self::Rejected => "rejected",
            Self::Discarded => "discarded",
            Self::Fault => "fault",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// The counters of one milter server, all its listeners together.
#[derive(Debug, Default)]
pub struct MilterCounters {
    /// Connections open now.
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
    timed_out: AtomicU64,
    aborted: AtomicU64,
    verdicts: [AtomicU64; VerdictKind::ALL.len()],
}

impl MilterCounters {
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

    /// Connections that were closed because of something that the protocol does not allow, or of a
    /// mail server that can do too little.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed.load(Relaxed)
    }

    /// Connections that were closed because half a packet came, or an answer was not taken, for too
    /// long. A connection that is merely idle does not count.
    #[must_use]
    pub fn timed_out(&self) -> u64 {
        self.timed_out.load(Relaxed)
    }

    /// Messages that began and went no further, whoever did not want them.
    #[must_use]
    pub fn aborted(&self) -> u64 {
        self.aborted.load(Relaxed)
    }

    /// Messages by what became of them.
    pub fn verdicts(&self) -> impl Iterator<Item = (VerdictKind, u64)> {
        let counts = self.verdicts.iter().map(|count| count.load(Relaxed));
        VerdictKind::ALL.into_iter().zip(counts)
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

    pub(super) fn add_aborted(&self) {
        self.aborted.fetch_add(1, Relaxed);
    }

    pub(super) fn add_verdict(&self, kind: VerdictKind) {
        if let Some(count) = self.verdicts.get(kind.index()) {
            count.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place() {
        let counters = MilterCounters::default();
        for (number, kind) in VerdictKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), number);
            (0..=number).for_each(|_| counters.add_verdict(kind));
        }
        let counted: Vec<_> = counters.verdicts().map(|(_, count)| count).collect();
        assert_eq!(counted, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn places() {
        let counters = MilterCounters::default();
        assert!(counters.open_one(1));
        assert!(!counters.open_one(1));
        counters.close_one();
        assert!(counters.open_one(1));
        assert_eq!((counters.open(), counters.accepted(), counters.refused()), (1, 2, 1));
    }
}
