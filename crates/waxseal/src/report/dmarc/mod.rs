//! DMARC reports: what mail came in the name of others (RFC 9990, RFC 9991).
//!
//! Whoever publishes a DMARC record with `rua` wants to know who sends mail in its name: its own
//! servers, forgotten ones, forgers. The way of a message from the gate to such a report:
//!
//! 1. [`Reporter::observe`] counts it in memory; `judged` says what is counted. It never waits.
//! 2. Once a second what was counted goes to the [`store`](crate::store). A crash costs what was
//!    counted since then, one or two seconds.
//! 3. When the day is over, `daily` closes it, domain by domain: if anything speaks for a report, the
//!    DNS is asked again who wants it, and whether it may go there. Report, letters and the end of
//!    the day are one transaction, so a report is made once, whatever happens.
//!
//! Reports are mail, mail is reported, and anybody can forge mail: so `sender_auth::report::guard`
//! says which messages are a reason for a report, and most that could be abused are none.
//!
//! Failure reports take another way: `failure` makes one at once, if the operator has said on what
//! ground, and then it lies in the same outbox.

mod daily;
mod failure;
mod judged;
mod letter;
mod memory;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sender_auth::report::Coarseness;
use tokio::sync::Mutex as AsyncMutex;

pub use daily::is_due;
pub use judged::Judged;
pub use letter::{group, report};

use super::{ReportCount, Reporter};
use crate::store::{DayCounts, DomainBounds, OpenDay, StoreError};
use failure::Failures;
use memory::{Counted, Unflushed};

/// How many domains a day may have. Names of strangers can be made up without end, so they get half.
const DOMAINS: DomainBounds = DomainBounds { all: 100_000, strangers: 50_000 };

/// From how many rows on a day of one domain is coarsened.
const CROWDED: u64 = 20_000;

/// How many rows a day may have; beyond that new ones are as coarse as can be, a few for a domain.
const DAY_ROWS: u64 = 1_000_000;

/// What the gate has told and the disk does not have.
#[derive(Default)]
pub(super) struct Heard {
    unflushed: Mutex<Unflushed>,
    /// One at a time, so that what is put back is not counted twice.
    flushing: AsyncMutex<()>,
    /// Whether today has so many rows that new ones are coarse.
    is_coarse: AtomicBool,
    failures: Failures,
}

impl Reporter {
    /// Octets of counts that no disk has yet.
    #[must_use]
    pub fn unflushed_octets(&self) -> usize {
        self.unflushed().octets()
    }

    /// Counts a message. Cheap: some tens of microseconds at most, no look-up, no disk; it cannot
    /// fail. For every message that was judged, once, when it is known what becomes of it.
    pub fn observe(&self, judged: &Judged<'_>) {
        if !self.settings.dmarc {
            return;
        }
        let coarseness = match self.dmarc.is_coarse.load(Ordering::Relaxed) {
            true => Coarseness::Total,
            false => Coarseness::Exact,
        };
        for seen in judged.seen(&self.settings.addresses) {
            if self.settings.permit.is_some() {
                self.dmarc.failures.consider(judged, &seen);
            }
            let counted = self.unflushed().count(seen, coarseness);
            match counted {
                Counted::Yes => self.counters.add(ReportCount::Observed, 1),
                Counted::Along => self.counters.add(ReportCount::ObservedAlong, 1),
                Counted::Dropped => self.counters.add(ReportCount::Dropped, 1),
                Counted::Untold => {}
            }
        }
    }

    fn unflushed(&self) -> MutexGuard<'_, Unflushed> {
        self.dmarc.unflushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings to the disk what was counted. What it does not take stays in memory. Returns whether
    /// it took everything.
    pub async fn flush(&self) -> bool {
        let _one_at_a_time = self.dmarc.flushing.lock().await;
        let chunks = self.unflushed().take();
        let mut is_fine = true;
        for chunk in chunks {
            match is_fine {
                true => is_fine = self.flush_chunk(chunk).await,
                false => self.put_back(chunk),
            }
        }
        is_fine
    }

    async fn flush_chunk(&self, chunk: Vec<DayCounts>) -> bool {
        match self.store.add_counts(chunk.clone(), DOMAINS, CROWDED).await {
            Ok(added) => {
                self.disk.clear("reports: the disk takes counts again");
                self.counters.add(ReportCount::Dropped, added.dropped);
                self.dmarc.is_coarse.store(added.day_rows >= DAY_ROWS, Ordering::Relaxed);
                for (day, domain) in added.crowded {
                    let open = chunk.iter().find(|one| one.domain == domain);
                    if let Some(open) = open
                        && let Err(error) = self.coarsen(day, open).await
                    {
                        self.complain(&error);
                    }
                }
                true
            }
            Err(error) => {
                self.put_back(chunk);
                self.complain(&error);
                false
            }
        }
    }

    /// Makes fewer rows out of too many.
    async fn coarsen(&self, day: u32, counts: &DayCounts) -> Result<(), StoreError> {
        let rows = self.store.rows_of(day, counts.domain.clone()).await?;
        let open = OpenDay {
            day,
            domain: counts.domain.clone(),
            policy: counts.policy.clone(),
            policy_at: counts.policy_at,
            record: String::new(),
            triggers: 0,
            strangers: 0,
            changes: 0,
            last_good: None,
        };
        match letter::fewer_rows(&open, rows) {
            Some(fewer) => self.store.replace_rows(day, open.domain, fewer).await,
            None => Ok(()),
        }
    }

    fn put_back(&self, chunk: Vec<DayCounts>) {
        let dropped = self.unflushed().put_back(chunk);
        self.counters.add(ReportCount::Dropped, dropped);
    }
}
