//! What the role does by itself: refreshing policies ahead of time (RFC 8461 §3.3, §10.2), and
//! bringing to the disk what waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use mta_sts::{Mode, Refresh, discover};
use smtp_types::{Known, NextHop, UnixTime};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Sender;
use crate::store::StoredPolicy;

/// How often due refreshes are looked for.
const TICK: Duration = Duration::from_secs(30);

/// How often what waits in memory is brought to the disk, and so how soon a disk that was full is
/// found to have room again.
const FLUSH_TICK: Duration = Duration::from_secs(10);

/// How often the override file is looked at.
const OVERRIDES_TICK: Duration = Duration::from_secs(2);

/// How often the copy of the store is renewed, if anything changed.
const COPY_TICK: Duration = Duration::from_secs(300);

/// Policies that nobody asked for in this time are left to expire.
const USED_WITHIN: Duration = Duration::from_secs(30 * 86_400);

/// An expired policy is kept for a while, for people who want to know what was.
const KEEP_EXPIRED: Duration = Duration::from_secs(7 * 86_400);

/// Nothing is deleted until the program has run for this long: at boot the machine's clock may be
/// years ahead, until somebody sets it right.
const DELETE_AFTER: Duration = Duration::from_secs(3600);

/// How many policies are taken up in one tick, and how many are fetched at the same time.
const BATCH: u32 = 1000;
const SIMULTANEOUS: usize = 16;

/// After the first failed refresh the next try comes after this; it doubles up to
/// [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(900);
const LONGEST_RETRY: Duration = Duration::from_secs(6 * 3600);

/// From this many failures in a row on, a refresh is worth an alarm.
pub const REFRESH_ALARM_AFTER: u32 = 3;

/// A number from 0 to 255 to spread refreshes by. Without randomness they are not spread.
pub(super) fn spread() -> u8 {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

/// The first one comes at once.
fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl Sender {
    /// Works until the program ends. Run it once, as a task.
    pub async fn work(self: Arc<Self>) {
        // Side by side: a refresh may hang for minutes on hosts that do not answer.
        tokio::join!(self.keep_fresh(), self.keep_house(), self.probe());
    }

    async fn keep_fresh(&self) {
        let mut refresh = ticks(TICK);
        loop {
            refresh.tick().await;
            self.refresh_due().await;
        }
    }

    async fn keep_house(&self) {
        let (mut flush, mut overrides, mut copy) =
            (ticks(FLUSH_TICK), ticks(OVERRIDES_TICK), ticks(COPY_TICK));
        let start = Instant::now();
        loop {
            tokio::select! {
                _ = flush.tick() => self.remembered.flush(self.clock.now()).await,
                _ = overrides.tick() => {
                    if self.overrides.reload() {
                        self.forget_answers();
                    }
                }
                _ = copy.tick() => {
                    if start.elapsed() >= DELETE_AFTER {
                        self.delete_expired().await;
                    }
                    self.copy().await;
                }
            }
        }
    }

    /// Brings everything to the disk; for the end of the program.
    pub async fn finish(&self) {
        self.remembered.flush(self.clock.now()).await;
        self.copy().await;
    }

    async fn delete_expired(&self) {
        let Some(store) = self.remembered.store() else { return };
        let before = UnixTime(self.clock.now().0.saturating_sub(KEEP_EXPIRED.as_secs()));
        if let Err(error) = store.delete_expired(before).await {
            self.remembered.complain(&error);
        }
    }

    async fn copy(&self) {
        let Some(store) = self.remembered.store() else { return };
        if let Err(error) = store.copy().await {
            self.remembered.complain(&error);
        }
    }

    /// Refreshes what is due.
    pub(super) async fn refresh_due(&self) {
        let Some(store) = self.remembered.store() else { return };
        let now = self.clock.now();
        let used_since = UnixTime(now.0.saturating_sub(USED_WITHIN.as_secs()));
        let due = match store.due(now, used_since, BATCH).await {
            Ok(due) => due,
            Err(error) => return self.remembered.complain(&error),
        };
        stream::iter(due)
            .for_each_concurrent(SIMULTANEOUS, |policy| self.refresh(policy, now))
            .await;
    }

    async fn refresh(&self, stored: StoredPolicy, now: UnixTime) {
        let domain = stored.domain.clone();
        let mut known = Known::default();
        let found = self
            .observer
            .evaluate(&mut known, |known| {
                discover(known, &domain, Some(&stored.cached), None, Refresh::Always, now)
            })
            .await;
        let next_hop = NextHop::Domain { domain: domain.clone(), port: 25 };
        let error = match found {
            Ok(found) => {
                let disagreements = mta_sts::disagreements(&stored.cached, &found, now);
                self.sentinel.note(&domain, &disagreements, now);
                if let Some(cached) = found.to_cache(now) {
                    self.counters.refreshes.inc();
                    let Some(stored) = self.still_remembered(stored).await else { return };
                    let changed = cached.policy != stored.cached.policy;
                    let refresh_at = cached.refresh_due(self.settings.refresh, spread());
                    let renewed = StoredPolicy {
                        cached,
                        refresh_at,
                        failures: 0,
                        last_error: None,
                        ..stored
                    };
                    self.remembered.save(renewed).await;
                    if changed {
                        self.kept.remove(next_hop.to_string().as_str());
                    }
                    return;
                }
                match found.fetched {
                    Some(Err(error)) => error.to_string(),
                    _ => "the policy host was not asked".to_owned(),
                }
            }
            Err(error) => error.to_string(),
        };
        self.refresh_failed(stored, error, now).await;
    }

    /// The old policy stays; the next try comes later and later. §3.3: "MTAs SHOULD alert
    /// administrators … when such attempts fail, unless the cached policy mode is "none"."
    async fn refresh_failed(&self, stored: StoredPolicy, error: String, now: UnixTime) {
        self.counters.failed_refreshes.inc();
        let failures = stored.failures.saturating_add(1);
        let wait =
            FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(LONGEST_RETRY);
        if failures == REFRESH_ALARM_AFTER && stored.cached.policy.mode() != Mode::None {
            let (domain, expires) = (&stored.domain, stored.cached.expires());
            tracing::error!(%domain, %expires, failures, "refresh: {error}; the remembered policy binds until it expires");
        }
        let refresh_at = now.plus(wait);
        let Some(stored) = self.still_remembered(stored).await else { return };
        self.remembered
            .save(StoredPolicy { refresh_at, failures, last_error: Some(error), ..stored })
            .await;
    }

    /// The row as it is now, unless a question has brought another policy in the meantime: then
    /// what a refresh of the old one has shown counts for nothing.
    async fn still_remembered(&self, stored: StoredPolicy) -> Option<StoredPolicy> {
        let now = self.remembered.load(&stored.domain).await?;
        (now.cached == stored.cached).then_some(now)
    }
}
