//! The first half of the role `reporter` for TLS: counts the TLS sessions of our own mail servers.
//!
//! A domain that publishes a TLSRPT record wants to know once a day how many sessions to its mail
//! servers were protected, how many failed, and why (RFC 8460). Whoever makes the sessions knows,
//! and tells it here. The way of a session from there to the store:
//!
//! 1. **In.** Four ways, all with the same words (`tlsrpt::Event`):
//!
//!    | way | who | module |
//!    |---|---|---|
//!    | a datagram for each session | Postfix 3.10 with libtlsrpt | `socket`, `ring` |
//!    | a line of JSON for each | anybody else; `waxseal reports inject` | `stream`, `lines` |
//!    | the log of Postfix | older ones, and builds without the library | `postfix_log` |
//!    | what the role `sender` found out | no mail server can see it | `own` |
//!
//! 2. **Counted** in memory, under canonical keys (`tally`). Nothing here waits for a disk.
//! 3. Once a second [`Collector::flush`] brings what was counted to the [`store`](crate::store), in
//!    one transaction. A crash costs what was counted since then, at most about a second. If the
//!    disk takes nothing, memory holds it, within bounds.
//!
//! What is lost is counted, by kind, in [`CollectCounters`]: all but datagrams that find the kernel's
//! queue full. Of those only the sender knows; Postfix logs them.
//!
//! What is not here: reports ([`report`](crate::report)), and what a session means (`tlsrpt`).

mod complaints;
mod counters;
mod group;
mod lines;
mod own;
mod postfix_log;
mod ring;
mod socket;
mod stream;
mod tally;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use smtp_types::UnixTime;
use tlsrpt::{
    DatagramError, DatagramFault, Day, Event, LogLineError, Policy, parse_datagram,
    parse_postfix_line,
};
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tokio::task::JoinSet;

pub use counters::{CollectCount, CollectCounters};
pub use own::event;
pub(crate) use stream::MAX_LINE;

use crate::config::Config;
use crate::listen::{DatagramSocket, ListenAddress, Listener};
use crate::report::complaint::Complaint;
use crate::sender::{Clock, Observation};
use crate::store::{Store, StoreError, TlsBounds};
use complaints::Complaints;
use postfix_log::Follower;
use ring::{Batch, Ring};
use socket::Receiving;
use tally::{Taken, Tally};

/// How often counts are brought to the disk.
const FLUSH: Duration = Duration::from_secs(1);

/// And how often while the disk does not take them.
const FLUSH_AGAIN: Duration = Duration::from_secs(10);

/// How often the log is looked at.
const FOLLOW: Duration = Duration::from_secs(1);

/// How long datagrams may gather while the ones before them are counted: one wake-up for many.
const GATHER: Duration = Duration::from_millis(5);

/// How often it is looked for days that nobody has reported.
const TIDY: Duration = Duration::from_secs(3600);

/// How much a day may have. Beyond that rows become coarser; sums stay exact.
const BOUNDS: TlsBounds =
    TlsBounds { domains: 1_000_000, policies: 100, details: 500, rows: 2_000_000 };

/// Where sessions are told.
#[derive(Debug, Default)]
pub struct WaysIn {
    /// Datagrams.
    pub datagrams: Vec<DatagramSocket>,
    /// Lines of JSON.
    pub streams: Vec<Listener>,
    /// The log of Postfix.
    pub postfix_log: Option<PathBuf>,
    /// What the role `sender` observes.
    pub own: Option<mpsc::Receiver<Observation>>,
}

impl WaysIn {
    /// Gives the sockets for datagrams to the group that the configuration names, and tells what the
    /// operator should know about them.
    #[must_use]
    pub fn prepare(&self, config: &Config) -> Vec<String> {
        let mut warnings = Vec::new();
        let group = &config.collect.group;
        for socket in self.datagrams.iter().filter(|_| !group.is_empty()) {
            let Some(path) = socket.own_path() else { continue };
            if let Err(fault) = group::give(path, group) {
                warnings.push(format!(
                    "collect.group: {} cannot be given to the group {group:?}: {fault}; if Postfix \
                     runs as another user, it cannot write there",
                    ListenAddress::Unix(path.into())
                ));
            }
        }
        if !self.datagrams.is_empty() {
            warnings.extend(socket::queue_warning());
        }
        warnings
    }
}

/// The collector. Shared by all ways in.
pub struct Collector {
    store: Arc<Store>,
    clock: Clock,
    retention: Duration,
    tally: Mutex<Tally>,
    /// One at a time, so that what is put back is not counted twice.
    flushing: AsyncMutex<()>,
    counters: Arc<CollectCounters>,
    disk: Complaint,
    log: Complaint,
    unreadable: Complaints,
}

impl Collector {
    /// A collector that has counted nothing. Days that are older than `retention` are deleted, told
    /// or not.
    #[must_use]
    pub fn new(store: Arc<Store>, clock: Clock, retention: Duration) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            retention,
            tally: Mutex::default(),
            flushing: AsyncMutex::default(),
            counters: Arc::default(),
            disk: Complaint::default(),
            log: Complaint::default(),
            unreadable: Complaints::default(),
        })
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &CollectCounters {
        &self.counters
    }

    /// Whether the disk takes what is counted; if not, memory holds it as long as there is room.
    #[must_use]
    pub fn disk_is_fine(&self) -> bool {
        !self.disk.is_raised()
    }

    /// Counts what the role `sender` has observed. Cheap, and it cannot fail.
    pub fn observe(&self, observation: &Observation) {
        self.counters.add(CollectCount::Own, 1);
        self.count(event(observation), observation.at);
    }

    fn count(&self, event: Event, at: UnixTime) {
        let sessions = u64::try_from(event.sessions.len()).unwrap_or(u64::MAX);
        self.tally().add(event, at);
        self.counters.add(CollectCount::Counted, sessions);
    }

    /// Counts what was told in a datagram or line. Returns whether it could be read.
    fn take(&self, what: &str, octets: &[u8]) -> bool {
        match parse_datagram(octets) {
            Ok(datagram) => {
                if !datagram.remarks.is_empty() {
                    self.counters.add(CollectCount::Odd, 1);
                }
                self.count(datagram.event, self.clock.now());
                true
            }
            Err(error) => {
                self.counters.add(lost(&error.fault), 1);
                self.unreadable.tell(what, &told(&error));
                false
            }
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings to the disk what was counted. What it does not take stays in memory. Returns whether
    /// it took everything.
    pub async fn flush(&self) -> bool {
        let _one_at_a_time = self.flushing.lock().await;
        let Some(mut taken) = self.tally().take() else { return true };
        let counts = std::mem::take(&mut taken.counts);
        match self.store.add_tls_counts(counts, BOUNDS).await {
            Ok(without_room) => {
                let Taken { sessions, dropped, .. } = taken;
                self.disk.clear("collect: the disk takes counts again");
                self.counters.add(CollectCount::Saved, sessions.saturating_sub(without_room));
                self.counters.add(CollectCount::DomainLimit, without_room);
                self.counters.add(CollectCount::MemoryFull, dropped);
                true
            }
            Err(error) => {
                self.tally().put_back(&taken);
                self.complain(&error);
                false
            }
        }
    }

    fn complain(&self, error: &StoreError) {
        self.counters.add(CollectCount::StoreFailures, 1);
        self.disk.raise(&format!("collect: the disk does not take what is counted: {error}"));
    }

    /// Works until `stop` says true; then takes what was sent before that, and brings it to the
    /// disk. Run it once, as a task of the runtime that is to do the work.
    ///
    /// # Errors
    /// If the system does not give a thread or a socket. What was counted until then is in memory.
    pub async fn run(
        self: Arc<Self>,
        ways: WaysIn,
        stop: watch::Receiver<bool>,
    ) -> std::io::Result<()> {
        let ring = Arc::new(Ring::default());
        let (from, collector) = (Arc::clone(&ring), Arc::clone(&self));
        let counting = thread::Builder::new()
            .name("tlsrpt-count".to_owned())
            .spawn(move || collector.count_all(&from))?;
        let mut receiving = Vec::new();
        for socket in ways.datagrams {
            let counters = Arc::clone(&self.counters);
            receiving.push(Receiving::start(socket, Arc::clone(&ring), counters)?);
        }
        let mut tasks = JoinSet::new();
        for listener in ways.streams {
            let listener = listener.rehomed()?;
            tasks.spawn(stream::serve(listener, Arc::clone(&self), stop.clone()));
        }
        if let Some(path) = ways.postfix_log {
            tasks.spawn(Arc::clone(&self).follow(path, stop.clone()));
        }
        if let Some(observations) = ways.own {
            tasks.spawn(Arc::clone(&self).take_own(observations, stop.clone()));
        }
        tasks.spawn(Arc::clone(&self).keep_flushing(stop.clone()));
        tasks.spawn(Arc::clone(&self).keep_tidy(stop));
        while let Some(ended) = tasks.join_next().await {
            if let Err(fault) = ended {
                tracing::error!(%fault, "collect: a task has ended: a fault of ours");
            }
        }
        let drained = tokio::task::spawn_blocking(move || {
            receiving.into_iter().for_each(Receiving::finish);
            ring.close();
            counting.join()
        });
        let _ = drained.await;
        self.flush().await;
        Ok(())
    }

    fn count_all(&self, ring: &Ring) {
        let mut spare = Batch::default();
        while let Some(batch) = ring.take(spare) {
            for datagram in batch.iter() {
                self.take("a datagram", datagram);
            }
            spare = batch;
            thread::sleep(GATHER);
        }
    }

    async fn keep_flushing(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut wait = FLUSH;
        while goes_on(&mut stop, wait).await {
            wait = if self.flush().await { FLUSH } else { FLUSH_AGAIN };
        }
    }

    async fn take_own(
        self: Arc<Self>,
        mut observations: mpsc::Receiver<Observation>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            tokio::select! {
                biased;
                observation = observations.recv() => match observation {
                    Some(observation) => self.observe(&observation),
                    None => return,
                },
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn follow(self: Arc<Self>, path: PathBuf, mut stop: watch::Receiver<bool>) {
        let mut follower = Follower::new(path.clone());
        loop {
            let collector = Arc::clone(&self);
            let step = tokio::task::spawn_blocking(move || {
                let outcome = follower.step(&mut |line| collector.take_log_line(line));
                (follower, outcome)
            });
            let Ok((back, outcome)) = step.await else { return };
            follower = back;
            let path = path.display();
            match outcome {
                Ok(()) => self.log.clear("collect: the log of Postfix can be read again"),
                Err(error) => self.log.raise(&format!("collect.postfix_log: {path}: {error}")),
            }
            if !goes_on(&mut stop, FOLLOW).await {
                return;
            }
        }
    }

    fn take_log_line(&self, line: &str) {
        match parse_postfix_line(line) {
            None => {}
            Some(Ok(session)) => {
                self.counters.add(CollectCount::LogLines, 1);
                // The log does not say under which policy.
                let policy = Policy::none_of(session.domain.clone());
                self.count(session.into_event(policy, None), self.clock.now());
            }
            Some(Err(error)) => {
                self.counters.add(CollectCount::LogLineBroken, 1);
                self.unreadable.tell("a line of Postfix's log", told_of_log(&error));
            }
        }
    }

    /// Nothing is deleted in the first hour: at boot the machine's clock may be years ahead, until
    /// somebody sets it right.
    async fn keep_tidy(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let start = Instant::now();
        while goes_on(&mut stop, TIDY).await {
            if start.elapsed() >= TIDY
                && let Err(error) = self.tidy(self.clock.now()).await
            {
                self.complain(&error);
            }
        }
    }

    /// Forgets days that are older than the retention, whether anybody was told of them or not.
    ///
    /// # Errors
    /// If SQLite cannot write.
    pub async fn tidy(&self, now: UnixTime) -> Result<(), StoreError> {
        let oldest = UnixTime(now.0.saturating_sub(self.retention.as_secs()));
        self.store.delete_old_tls_days(Day::of(oldest).number()).await
    }
}

/// What kind of loss it is that something cannot be read.
const fn lost(fault: &DatagramFault) -> CollectCount {
    match fault {
        DatagramFault::TooLong { .. } | DatagramFault::TooManyPolicies => CollectCount::TooLarge,
        DatagramFault::NotJson { .. } => CollectCount::NotJson,
        DatagramFault::Version { .. } => CollectCount::WrongVersion,
        DatagramFault::Missing { .. }
        | DatagramFault::Type { .. }
        | DatagramFault::Domain { .. }
        | DatagramFault::Code { .. }
        | DatagramFault::NoPolicies => CollectCount::WrongType,
    }
}

/// Why something could not be read, without what stood there: that may be anybody's data.
fn told(error: &DatagramError) -> String {
    let place = error.position;
    match &error.fault {
        DatagramFault::Version { .. } => format!("{place}: dpv: expected \"1\""),
        DatagramFault::Domain { field, .. } => format!("{place}: {field}: expected a domain name"),
        DatagramFault::Code { field, expected, .. } => {
            format!("{place}: {field}: expected {expected}")
        }
        fault => format!("{place}: {fault}"),
    }
}

/// The same for a line of a log.
const fn told_of_log(error: &LogLineError) -> &'static str {
    match error {
        LogLineError::Missing(field) => field,
        LogLineError::Status(_) => "status: expected success or failure",
        LogLineError::Domain(_) => "domain: expected a domain name",
        LogLineError::FailureType(_) => "failure_type: expected a result type of RFC 8460",
    }
}

/// Waits; false if the program is to end.
async fn goes_on(stop: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    // Whoever could say so may be gone; that is the end, too.
    let ended = async { drop(stop.wait_for(|stop| *stop).await) };
    tokio::time::timeout(pause, ended).await.is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sender::ObservedFailure;
    use smtp_types::DomainName;
    use tlsrpt::ResultType;

    /// What was observed before the end is on the disk when it has ended, on the day of the
    /// observation.
    #[tokio::test]
    async fn own_observations_are_counted_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap().0);
        let clock = Clock::Fixed(UnixTime(10 * 86_400));
        let collector = Collector::new(Arc::clone(&store), clock, Duration::from_hours(24));
        let (tell, observations) = mpsc::channel(10);
        let (stop, stopped) = watch::channel(false);
        let ways = WaysIn { own: Some(observations), ..WaysIn::default() };
        let failure = ObservedFailure {
            result_type: ResultType::StsPolicyFetchError,
            reason_code: "timeout".to_owned(),
            detail: String::new(),
        };
        let domain = DomainName::parse("a.test").unwrap();
        for at in [86_399, 86_400, 86_401] {
            let observation = Observation {
                at: UnixTime(at),
                policy_domain: domain.clone(),
                policy: None,
                mx: None,
                failure: Some(failure.clone()),
            };
            tell.send(observation).await.unwrap();
        }
        stop.send(true).unwrap();
        Arc::clone(&collector).run(ways, stopped).await.unwrap();
        assert_eq!(collector.counters().get(CollectCount::Own), 3);
        for (day, sessions) in [(0, 1), (1, 2)] {
            let rows = store.tls_rows_of(day, domain.clone()).await.unwrap();
            let [row] = &*rows else { panic!("{rows:?}") };
            let found = (&*row.policy, row.failures, row.details[0].sessions);
            assert_eq!(found, ("p1 sts a.test - -", sessions, sessions));
        }
    }
}
