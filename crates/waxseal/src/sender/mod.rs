//! The role `sender`: tells mail servers how to encrypt to other domains.
//!
//! A question comes with a next hop. The way to its answer:
//!
//! 1. `freshness`: an answer that is still fresh lies in memory and is given at once.
//! 2. `flight`: of all who ask for the same next hop at the same time, one looks up; the others
//!    wait for the same result. Nobody waits longer than the deadline; the look-up goes on, and
//!    its result is there for the next one who asks.
//!    `turn`: of all next hops with one policy domain, one at a time is looked up.
//! 3. `evaluation`: the facts are gathered, `transport-policy` decides, and what was
//!    learned is remembered in the [`store`](crate::store).
//! 4. `refresh`: policies are fetched again ahead of time, so that a passing outage cannot let
//!    one expire.
//! 5. `sentinel`: where memory and world disagree, somebody is told.
//! 6. `probing`: the mail hosts of domains in mode testing are looked at, beside the mail;
//!    `observation` is what comes of it, and what else only this role sees, for TLS reports.
//!
//! A fault of ours (disk full, file damaged, a panic in a task) makes mail wait or leaves the
//! decision to the facts at hand; it never weakens a policy that is known.

mod clock;
mod counters;
mod evaluation;
mod flight;
mod freshness;
mod memory;
mod observation;
mod overrides;
mod probing;
mod refresh;
mod sentinel;
mod turn;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mta_sts::{CachedPolicy, Mode, Refresh};
use quick_cache::sync::Cache;
use smtp_types::{DomainName, NextHop, UnixTime};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use transport_policy::Settings;

pub use clock::Clock;
pub use counters::{Counter, SenderCounters};
pub use evaluation::Evaluation;
pub use memory::{Remembered, StoreHealth};
pub use observation::{OBSERVATIONS, Observation, ObservedFailure, ObservedMx};
pub use overrides::OverrideFile;
pub use refresh::REFRESH_ALARM_AFTER;
pub use sentinel::{Alarm, Sentinel};
pub(crate) use turn::Turns;

use crate::answer::{Answers, Replies};
use crate::config::OnDeadline;
use crate::observe::{MxProber, Observer};
use crate::store::Store;
use flight::Flights;
use freshness::Kept;
use observation::Observations;
use probing::Probing;

/// How long an asker whose deadline has passed waits for the disk.
const MEMORY_TIMEOUT: Duration = Duration::from_millis(500);

/// What the operator set for the role.
#[derive(Clone, Copy, Debug)]
pub struct SenderSettings {
    /// What the decision rests on besides the facts.
    pub decision: Settings,
    /// When an answer is given at the latest.
    pub deadline: Duration,
    /// What is said when the deadline passes and nothing is known.
    pub on_deadline: OnDeadline,
    /// How often a policy is fetched ahead of time.
    pub refresh: Duration,
    /// How many answers are kept in memory.
    pub cache_entries: usize,
}

/// The role, shared by everyone who asks.
pub struct Sender {
    settings: SenderSettings,
    clock: Clock,
    observer: Observer,
    remembered: Remembered,
    overrides: OverrideFile,
    kept: Cache<Box<str>, Kept>,
    /// How many times all answers were forgotten.
    forgotten: AtomicU64,
    flights: Flights,
    turns: Turns,
    sentinel: Sentinel,
    counters: SenderCounters,
    observations: Observations,
    /// Nothing unless the hosts of domains in mode testing are looked at.
    probing: OnceLock<Probing>,
    runtime: Handle,
}

impl Sender {
    /// The role, ready to answer. Look-ups run on `runtime`, whoever asks from wherever.
    #[must_use]
    pub fn new(
        settings: SenderSettings,
        clock: Clock,
        observer: Observer,
        store: Option<Arc<Store>>,
        overrides: OverrideFile,
        runtime: Handle,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            clock,
            observer,
            remembered: Remembered::new(store),
            overrides,
            kept: Cache::new(settings.cache_entries),
            forgotten: AtomicU64::new(0),
            flights: Flights::default(),
            turns: Turns::default(),
            sentinel: Sentinel::default(),
            counters: SenderCounters::default(),
            observations: Observations::default(),
            probing: OnceLock::new(),
            runtime,
        })
    }

    /// From now on the mail hosts of domains in mode testing are looked at, once
    /// [`work`](Self::work) runs. Of several calls the first counts.
    pub fn probe_with(&self, prober: MxProber) {
        let _ = self.probing.set(Probing::new(prober));
    }

    /// What the role sees itself and no mail server can, from now on, for the one who makes
    /// reports of it. At most [`OBSERVATIONS`] wait; beyond that they are dropped and counted.
    /// `None` if somebody has asked before.
    pub fn observations(&self) -> Option<mpsc::Receiver<Observation>> {
        self.observations.take()
    }

    /// How many observations were dropped because nobody took them in time.
    #[must_use]
    pub fn observations_dropped(&self) -> u64 {
        self.observations.dropped()
    }

    /// Where facts come from.
    #[must_use]
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// The operator's overrides.
    #[must_use]
    pub fn overrides(&self) -> &OverrideFile {
        &self.overrides
    }

    /// What is remembered on disk.
    #[must_use]
    pub fn remembered(&self) -> &Remembered {
        &self.remembered
    }

    /// Where memory and world disagree.
    #[must_use]
    pub fn sentinel(&self) -> &Sentinel {
        &self.sentinel
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &SenderCounters {
        &self.counters
    }

    /// How many answers are in memory.
    #[must_use]
    pub fn answers_in_memory(&self) -> usize {
        self.kept.len()
    }

    /// The time as the role sees it.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// When an answer is given at the latest.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.settings.deadline
    }

    /// A number that grows whenever answers in memory are forgotten.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    /// Looks everything up anew, for `explain`. The result is kept as any other.
    pub async fn explain(self: &Arc<Self>, next_hop: NextHop) -> Option<Evaluation> {
        let sender = Arc::clone(self);
        let evaluation = async move { sender.evaluate(&next_hop, Refresh::IfChanged).await };
        // A panic in there is a fault of ours, and no reason to take others along.
        self.runtime.spawn(evaluation).await.ok()
    }

    /// Forgets all answers in memory, also those of look-ups that are under way; policies stay
    /// remembered. After a change of the overrides, or of what the resolver is worth.
    pub fn forget_answers(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.kept.clear();
    }

    /// Keeps an answer, unless it rests on what was forgotten since the look-up began, when
    /// `forgotten` was read.
    fn keep(&self, next_hop: &NextHop, kept: Kept, forgotten: u64) {
        let key = next_hop.to_string();
        self.kept.insert(key.as_str().into(), kept);
        // Checked after the insertion: whoever forgets in between clears it.
        if self.forgotten.load(Ordering::SeqCst) != forgotten {
            self.kept.remove(key.as_str());
        }
    }

    /// Looks up in a task of its own, which goes on when nobody waits any more.
    fn start(self: &Arc<Self>, next_hop: NextHop) -> flight::Waiter {
        let (seat, waiter) = match self.flights.board(&next_hop) {
            flight::Boarding::First(seat, waiter) => (seat, waiter),
            flight::Boarding::Joined(waiter) => {
                self.counters.joined.inc();
                return waiter;
            }
        };
        let sender = Arc::clone(self);
        self.runtime.spawn(async move {
            let evaluation = sender.evaluate(&next_hop, Refresh::IfChanged).await;
            sender.probe_testing(&next_hop, &evaluation);
            seat.land(evaluation.replies);
        });
        waiter
    }

    /// The deadline has passed: what was known before, if it is not too old, else what needs no
    /// look-up, else what the setting says.
    async fn overdue(&self, next_hop: &NextHop) -> Replies {
        self.counters.overdue.inc();
        let before = self.kept.get(next_hop.to_string().as_str());
        if let Some(kept) = before.filter(Kept::may_bridge) {
            return kept.replies;
        }
        let (domain, now) = (next_hop.policy_domain(), self.clock.now());
        let local = self.overrides.current().find(domain, now).map(overrides::local_policy);
        if let Some(decision) = local.as_ref().and_then(overrides::decide_without_facts) {
            return Replies::new(next_hop, &decision);
        }
        let may_deliver = local.is_none() && self.settings.on_deadline == OnDeadline::Deliver;
        if may_deliver && !self.may_be_bound(domain, now).await {
            return Replies::no_policy();
        }
        let seconds = self.settings.deadline.as_secs_f32();
        let reason = format!("not found out within {seconds} s; the look-up goes on");
        Replies::temporary(&reason)
    }

    /// Whether a remembered policy forbids to deliver as if nothing were known. RFC 8461 §5.1: it
    /// binds although nothing can be looked up; whether DANE takes its place is not known yet, so
    /// it cannot be told to the mail server either.
    async fn may_be_bound(&self, domain: &DomainName, now: UnixTime) -> bool {
        let binds = |cached: &CachedPolicy| {
            cached.policy.mode() == Mode::Enforce && cached.is_unexpired(now)
        };
        match tokio::time::timeout(MEMORY_TIMEOUT, self.remembered.load(domain)).await {
            Ok(remembered) => remembered.is_some_and(|stored| binds(&stored.cached)),
            Err(_) => true,
        }
    }
}

impl Answers for Arc<Sender> {
    fn fresh(&self, key: &str) -> Option<Replies> {
        let kept = self.kept.get(key)?;
        kept.is_fresh().then_some(kept.replies)
    }

    async fn look_up(&self, next_hop: NextHop) -> Replies {
        let landing = self.start(next_hop.clone());
        match tokio::time::timeout(self.settings.deadline, landing.landed()).await {
            Ok(Some(replies)) => replies,
            // The task is gone without a result: a fault of ours. The mail waits.
            Ok(None) => {
                self.counters.faults.inc();
                Replies::temporary("the look-up ended without a result")
            }
            Err(_) => self.overdue(&next_hop).await,
        }
    }
}
