//! The role `reporter`: tells the owners of other domains what mail came in their name.
//!
//! Whoever publishes a DMARC record with `rua` wants to know who sends mail in its name: its own
//! servers, forgotten ones, forgers. Each receiver tells once a day what it saw (RFC 9990). The way
//! of a message from the gate to such a report:
//!
//! 1. [`Reporter::observe`] counts it in memory; `judged` says what is counted. It never waits.
//! 2. Once a second what was counted goes to the [`store`](crate::store). A crash costs what was
//!    counted since then, one or two seconds.
//! 3. When the day is over, [`Reporter::make_due`] closes it, domain by domain: if anything speaks
//!    for a report, the DNS is asked again who wants it, and whether it may go there. Report, letters
//!    and the end of the day are one transaction, so a report is made once, whatever happens.
//! 4. [`Reporter::deliver_due`] hands the letters to the mail server, spread over the night, again
//!    and again for a day if need be; the same octets each time. What is refused for good, or comes
//!    back to the return path of a letter ([`Reporter::bounced`]), keeps others from going there.
//!
//! Reports are mail, mail is reported, and anybody can forge mail: so `sender_auth::report::guard`
//! says which messages are a reason for a report, and most that could be abused are none.
//!
//! Failure reports (RFC 9991) take another way: `failure` makes one at once, if the operator has
//! said on what ground, and then it lies in the same outbox.
//!
//! All functions take the time as an argument; only [`Reporter::run`] has a clock.

pub(crate) mod complaint;
mod counters;
mod daily;
mod failure;
mod judged;
mod letter;
mod memory;
mod outbox;
mod return_path;
mod schedule;
mod submit;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sender_auth::report::guard::ReportAddresses;
use sender_auth::report::{Coarseness, Day, Permit, Profile, Text};
use smtp_types::{DomainName, UnixTime};
use tokio::sync::{Mutex as AsyncMutex, OnceCell, watch};

pub use counters::{ReportCount, ReportCounters};
pub use daily::is_due;
pub use judged::Judged;
pub use letter::{Author, group, report};
pub use outbox::Bounce;
pub use return_path::is_return_path;

use crate::config::{self, Config};
use crate::crypto::AwsLc;
use crate::keys::Signers;
use crate::observe::Observer;
use crate::sender::Clock;
use crate::store::{DayCounts, DomainBounds, OpenDay, Store, StoreError};
use complaint::Complaint;
use failure::Failures;
use memory::{Counted, Unflushed};

/// How often counts are brought to the disk.
const FLUSH: Duration = Duration::from_secs(1);

/// And how often while the disk does not take them.
const FLUSH_AGAIN: Duration = Duration::from_secs(10);

/// How often it is looked for days that are over.
const MAKE: Duration = Duration::from_secs(60);

/// How often it is looked for letters to deliver.
const DELIVER: Duration = Duration::from_secs(5);

/// How often it is looked for what is old.
const TIDY: Duration = Duration::from_secs(3600);

/// How long a letter that is under way may take when the program ends.
const GRACE: Duration = Duration::from_secs(5);

/// For how long it is remembered that a domain has sent something good.
const CONTACT: Duration = Duration::from_secs(90 * 86_400);

/// How many domains a day may have. Names of strangers can be made up without end, so they get half.
const DOMAINS: DomainBounds = DomainBounds { all: 100_000, strangers: 50_000 };

/// From how many rows on a day of one domain is coarsened.
const CROWDED: u64 = 20_000;

/// How many rows a day may have; beyond that new ones are as coarse as can be, a few for a domain.
const DAY_ROWS: u64 = 1_000_000;

/// What the operator set for the role.
#[derive(Clone, Debug)]
pub struct ReporterSettings {
    /// Who reports.
    pub author: Author,
    /// The mail server that delivers.
    pub submit: SocketAddr,
    /// Addresses of this installation that have to do with reports.
    pub addresses: ReportAddresses,
    /// How long ended letters are kept.
    pub retention: Duration,
    /// That failure reports may be sent, if they may.
    pub permit: Option<Permit>,
    /// The name under which results are given in failure reports.
    pub authserv_id: DomainName,
}

impl ReporterSettings {
    /// What the configuration says; `None` if it wants no DMARC reports.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let reports = &config.reports;
        let from = reports.from.clone().filter(|_| reports.dmarc)?;
        let domain = || Text::parse(from.domain().as_str()).ok();
        let profile = match config.profile {
            config::Profile::Bsi => Profile::Bsi,
            config::Profile::Standard => Profile::Own,
        };
        Some(Self {
            author: Author {
                organization: reports.organization.clone().or_else(domain)?,
                contact: reports.contact.clone().unwrap_or_else(|| from.clone()),
                schema: reports.schema,
                from: from.clone(),
            },
            submit: reports.submit,
            addresses: ReportAddresses {
                senders: vec![from.clone()],
                intakes: reports.intakes.clone(),
            },
            retention: reports.retention,
            permit: Permit::grant(profile, reports.failure_notice.as_ref()).ok(),
            authserv_id: config.gate.authserv_id.clone().unwrap_or_else(|| from.domain().clone()),
        })
    }
}

/// The role. Shared by everyone who judges messages.
pub struct Reporter {
    settings: ReporterSettings,
    store: Arc<Store>,
    observer: Observer,
    signers: Option<Arc<Signers>>,
    crypto: Arc<AwsLc>,
    unflushed: Mutex<Unflushed>,
    /// One at a time, so that what is put back is not counted twice.
    flushing: AsyncMutex<()>,
    /// Whether today has so many rows that new ones are coarse.
    is_coarse: AtomicBool,
    counters: ReportCounters,
    disk: Complaint,
    mail_server: Complaint,
    keys: Complaint,
    /// The name of this installation in report ids.
    node: OnceCell<String>,
    failures: Failures,
}

impl Reporter {
    /// The role, ready to count. Without `signers`, or without keys for the domain of the sender,
    /// letters are not signed here; somebody else has to.
    #[must_use]
    pub fn new(
        settings: ReporterSettings,
        store: Arc<Store>,
        observer: Observer,
        signers: Option<Arc<Signers>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            store,
            observer,
            signers,
            crypto: Arc::default(),
            unflushed: Mutex::default(),
            flushing: AsyncMutex::default(),
            is_coarse: AtomicBool::new(false),
            counters: ReportCounters::default(),
            disk: Complaint::default(),
            mail_server: Complaint::default(),
            keys: Complaint::default(),
            node: OnceCell::new(),
            failures: Failures::default(),
        })
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &ReportCounters {
        &self.counters
    }

    /// Whether the disk takes what is counted; if not, memory holds it as long as there is room.
    #[must_use]
    pub fn disk_is_fine(&self) -> bool {
        !self.disk.is_raised()
    }

    /// Octets of counts that no disk has yet.
    #[must_use]
    pub fn unflushed_octets(&self) -> usize {
        self.unflushed().octets()
    }

    /// Counts a message. Cheap: some tens of microseconds at most, no look-up, no disk; it cannot
    /// fail. For every message that was judged, once, when it is known what becomes of it.
    pub fn observe(&self, judged: &Judged<'_>) {
        let coarseness = match self.is_coarse.load(Ordering::Relaxed) {
            true => Coarseness::Total,
            false => Coarseness::Exact,
        };
        for seen in judged.seen(&self.settings.addresses) {
            if self.settings.permit.is_some() {
                self.failures.consider(judged, &seen);
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
        self.unflushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings to the disk what was counted. What it does not take stays in memory. Returns whether
    /// it took everything.
    pub async fn flush(&self) -> bool {
        let _one_at_a_time = self.flushing.lock().await;
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
                self.is_coarse.store(added.day_rows >= DAY_ROWS, Ordering::Relaxed);
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

    fn complain(&self, error: &StoreError) {
        self.counters.add(ReportCount::StoreFailures, 1);
        self.disk.raise(&format!("reports: the disk does not take what is counted: {error}"));
    }

    /// Works until `stop` says true, and then brings to the disk what was counted. Run it once, as a
    /// task.
    pub async fn run(self: Arc<Self>, clock: Clock, stop: watch::Receiver<bool>) {
        let stopped = || stop.clone();
        let mut asked_to_stop = stop.clone();
        let work = async {
            tokio::join!(
                self.keep_counting(stopped()),
                self.keep_making(clock, stopped()),
                self.keep_delivering(clock, stopped()),
                self.keep_tidy(clock, stopped()),
                self.tell_failures(clock, stopped()),
            );
        };
        tokio::pin!(work);
        tokio::select! {
            () = &mut work => {}
            () = ended(&mut asked_to_stop) => {
                let _ = tokio::time::timeout(GRACE, work).await;
            }
        }
        self.flush().await;
    }

    async fn keep_counting(&self, mut stop: watch::Receiver<bool>) {
        let mut wait = FLUSH;
        while goes_on(&mut stop, wait).await {
            wait = if self.flush().await { FLUSH } else { FLUSH_AGAIN };
        }
    }

    async fn keep_making(&self, clock: Clock, mut stop: watch::Receiver<bool>) {
        self.advise().await;
        loop {
            if let Err(error) = self.make_due(clock.now()).await {
                self.complain(&error);
            }
            if !goes_on(&mut stop, MAKE).await {
                return;
            }
        }
    }

    async fn keep_delivering(&self, clock: Clock, mut stop: watch::Receiver<bool>) {
        while goes_on(&mut stop, DELIVER).await {
            if let Err(error) = self.deliver_due(clock.now()).await {
                self.complain(&error);
            }
        }
    }

    /// Nothing is deleted in the first hour: at boot the machine's clock may be years ahead, until
    /// somebody sets it right.
    async fn keep_tidy(&self, clock: Clock, mut stop: watch::Receiver<bool>) {
        let start = Instant::now();
        while goes_on(&mut stop, TIDY).await {
            if start.elapsed() >= TIDY
                && let Err(error) = self.tidy(clock.now()).await
            {
                self.complain(&error);
            }
        }
    }

    /// Forgets what is old.
    ///
    /// # Errors
    /// If SQLite cannot write.
    pub async fn tidy(&self, now: UnixTime) -> Result<(), StoreError> {
        let before = |span: Duration| UnixTime(now.0.saturating_sub(span.as_secs()));
        let ended = before(self.settings.retention);
        self.store.delete_old_reports(Day::of(ended).number(), ended, before(CONTACT)).await
    }
}

/// Waits; false if the program is to end.
async fn goes_on(stop: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    tokio::time::timeout(pause, ended(stop)).await.is_err()
}

/// Is ready when the program is to end, also if whoever could say so is gone.
async fn ended(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
