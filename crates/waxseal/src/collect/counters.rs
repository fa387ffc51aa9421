//! What is counted on the way of sessions to the store, for the metrics. Only ever read, added to,
//! and never reset.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CollectCount {
    /// Datagrams that came.
    Datagrams,
    /// Lines of JSON that came.
    Lines,
    /// Lines of Postfix's log that tell of a session.
    LogLines,
    /// Observations of our own.
    Own,
    /// Sessions that were counted.
    Counted,
    /// Sessions of them that are on the disk.
    Saved,
    /// Datagrams and lines that were counted, and had something odd about them.
    Odd,
    /// Lost: the datagram or line has more octets than any honest one.
    TooLarge,
    /// Lost: it is not JSON.
    NotJson,
    /// Lost: it is JSON, and a part of it is missing or not what it must be.
    WrongType,
    /// Lost: it is written in a version that is unknown.
    WrongVersion,
    /// Lost: datagrams came faster than they could be counted, for too long.
    RingFull,
    /// Lost: the disk took nothing for so long that memory is full.
    MemoryFull,
    /// Lost: the day has too many domains.
    DomainLimit,
    /// Lost: a line of the log could not be read.
    LogLineBroken,
    /// Times that the system refused to hand over a datagram.
    ReceiveFailures,
    /// Connections that were refused, because too many were open.
    Refused,
    /// Times that the disk did not take counts.
    StoreFailures,
}

impl CollectCount {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Datagrams,
        Self::Lines,
        Self::LogLines,
        Self::Own,
        Self::Counted,
        Self::Saved,
        Self::Odd,
        Self::TooLarge,
        Self::NotJson,
        Self::WrongType,
        Self::WrongVersion,
        Self::RingFull,
        Self::MemoryFull,
        Self::DomainLimit,
        Self::LogLineBroken,
        Self::ReceiveFailures,
        Self::Refused,
        Self::StoreFailures,
    ];

    /// A stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Datagrams => "datagrams",
            Self::Lines => "lines",
            Self::LogLines => "log-lines",
            Self::Own => "own",
            Self::Counted => "counted",
            Self::Saved => "saved",
            Self::Odd => "odd",
            Self::TooLarge => "lost-too-large",
            Self::NotJson => "lost-not-json",
            Self::WrongType => "lost-wrong-type",
            Self::WrongVersion => "lost-wrong-version",
            Self::RingFull => "lost-ring-full",
            Self::MemoryFull => "lost-memory-full",
            Self::DomainLimit => "lost-domain-limit",
            Self::LogLineBroken => "lost-log-line",
            Self::ReceiveFailures => "receive-failures",
            Self::Refused => "connections-refused",
            Self::StoreFailures => "store-failures",
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub struct CollectCounters {
    counts: [AtomicU64; CollectCount::ALL.len()],
}

impl CollectCounters {
    /// How many there were since the start.
    #[must_use]
    pub fn get(&self, count: CollectCount) -> u64 {
        self.counts.get(count as usize).map_or(0, |count| count.load(Relaxed))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (CollectCount, u64)> {
        CollectCount::ALL.into_iter().map(|count| (count, self.get(count)))
    }

    pub(super) fn add(&self, count: CollectCount, number: u64) {
        if let Some(count) = self.counts.get(count as usize) {
            count.fetch_add(number, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_place() {
        let counters = CollectCounters::default();
        for (number, count) in (1..).zip(CollectCount::ALL) {
            counters.add(count, number);
        }
        let counted: Vec<_> = counters.all().map(|(_, number)| number).collect();
        assert_eq!(counted, (1..=18).collect::<Vec<_>>());
    }
}
