//! What the role does by itself: refreshing policies ahead of time (RFC 8461 §3.3, §10.2), and
//! bringing to the disk what waits for it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use mta_sts::{Mode, Refresh, discover};
use smtp_types::{Known, NextHop, UnixTime};
use tokio::time::{MissedTickBehavior, interval};

use super::Sender;
use crate::store::StoredPolicy;

/// How often due refreshes are looked for.
const TICK: Duration = Duration::from_secs(30);

/// How often the override file is looked at.
const OVERRIDES_TICK: Duration = Duration::from_secs(2);

/// How often the copy of the store is renewed, if anything changed.
const COPY_TICK: Duration = Duration::from_secs(300);

/// Policies that nobody asked for in this time are left to expire.
const USED_WITHIN: Duration = Duration::from_secs(30 * 86_400);

/// An expired policy is kept for a while, for people who want to know what was.
const KEEP_EXPIRED: Duration = Duration::from_secs(7 * 86_400);

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

impl Sender {
    /// Works until the program ends. Run it once, as a task.
    pub async fn work(self: Arc<Self>) {
        let tick = |period| {
            let mut tick = interval(period);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            tick
        };
        let (mut refresh, mut overrides, mut copy) =
            (tick(TICK), tick(OVERRIDES_TICK), tick(COPY_TICK));
        loop {
            tokio::select! {
                _ = refresh.tick() => {
                    self.remembered.flush(self.clock.now()).await;
                    self.refresh_due().await;
                }
                _ = overrides.tick() => {
                    if self.overrides.reload() {
                        self.forget_answers();
                    }
                }
                _ = copy.tick() => self.tidy().await,
            }
        }
    }

    /// Brings everything to the disk; for the end of the program.
    pub async fn finish(&self) {
        self.remembered.flush(self.clock.now()).await;
        self.tidy().await;
    }

    async fn tidy(&self) {
        let Some(store) = self.remembered.store() else { return };
        let before = UnixTime(self.clock.now().0.saturating_sub(KEEP_EXPIRED.as_secs()));
        if let Err(error) = store.delete_expired(before).await {
            self.remembered.complain(&error);
        }
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
        self.remembered
            .save(StoredPolicy { refresh_at, failures, last_error: Some(error), ..stored })
            .await;
    }
}
