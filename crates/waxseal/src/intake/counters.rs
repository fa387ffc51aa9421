//! What the intake counts, whichever way a mail came. Only ever added to, and never reset.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What became of a mail, or of something in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntakeCount {
    /// A mail was stored.
    Stored,
    /// A mail, or a part of one, was kept aside: it cannot be read, or does not count.
    Aside,
    /// A report was new.
    Report,
    /// A mail was the notice that a letter of ours did not arrive.
    Bounce,
    /// A mail has proved its author by RFC 8460 §3 or by DMARC.
    Authenticated,
    /// A mail has not proved its author.
    Unauthenticated,
    /// A mail claims an author that is disproved.
    Failed,
    /// Told to come again: too much is waiting.
    Busy,
    /// Told to come again: its sender has brought enough for today.
    Quota,
    /// Told to come again: the disk does not take it.
    Disk,
    /// Told to come again: the DNS does not say who its author is.
    Dns,
    /// An HTTPS request was refused.
    HttpRefused,
    /// A mail was fetched from the mailbox.
    Fetched,
    /// The mailbox could not be read.
    MailboxFailure,
}

impl IntakeCount {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Stored,
        Self::Aside,
        Self::Report,
        Self::Bounce,
        Self::Authenticated,
        Self::Unauthenticated,
        Self::Failed,
        Self::Busy,
        Self::Quota,
        Self::Disk,
        Self::Dns,
        Self::HttpRefused,
        Self::Fetched,
        Self::MailboxFailure,
    ];

    /// The word for it in the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Aside => "aside",
            Self::Report => "report",
            Self::Bounce => "bounce",
            Self::Authenticated => "authenticated",
            Self::Unauthenticated => "unauthenticated",
            Self::Failed => "failed",
            Self::Busy => "busy",
            Self::Quota => "quota",
            Self::Disk => "disk",
            Self::Dns => "dns",
            Self::HttpRefused => "http_refused",
            Self::Fetched => "fetched",
            Self::MailboxFailure => "mailbox_failure",
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub struct IntakeCounters {
    counts: [AtomicU64; IntakeCount::ALL.len()],
    has_mailbox: AtomicBool,
}

impl IntakeCounters {
    /// All counts.
    pub fn all(&self) -> impl Iterator<Item = (IntakeCount, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Relaxed));
        IntakeCount::ALL.into_iter().zip(counts)
    }

    /// Whether the mailbox is open now.
    #[must_use]
    pub fn has_mailbox(&self) -> bool {
        self.has_mailbox.load(Relaxed)
    }

    pub(super) fn add(&self, count: IntakeCount, more: u64) {
        if let Some(counter) = self.counts.get(count as usize) {
            counter.fetch_add(more, Relaxed);
        }
    }

    pub(super) fn set_mailbox(&self, is_open: bool) {
        self.has_mailbox.store(is_open, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_place() {
        let counters = IntakeCounters::default();
        for (number, count) in (1..).zip(IntakeCount::ALL) {
            counters.add(count, number);
        }
        assert!((1..).zip(counters.all()).all(|(number, (_, value))| value == number));
    }
}
