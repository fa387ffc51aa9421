//! The thread that writes. Writes that wait together share one transaction, and so one sync of
//! the disk: under load a save costs far less than a sync.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use smtp_types::{DomainName, UnixTime};
use tokio::sync::oneshot;

use super::reader::Thread;
use super::{StoreError, StoredPolicy, copy, policies};

/// How many writes at most share a transaction.
const BATCH: usize = 1000;

enum Job {
    Save(Box<StoredPolicy>),
    Touch(Vec<DomainName>, UnixTime),
    DeleteExpired(UnixTime),
    /// What has to do with reports. May be run twice, the first time for nothing.
    Reports(ReportsJob),
    Copy,
}

type ReportsJob = Box<dyn Fn(&Connection) -> rusqlite::Result<()> + Send>;

impl Job {
    /// Whether it changes what the copy holds.
    const fn is_about_policies(&self) -> bool {
        match self {
            Self::Save(_) | Self::Touch(..) | Self::DeleteExpired(_) => true,
            Self::Reports(_) | Self::Copy => false,
        }
    }
}

struct Order {
    job: Job,
    /// How many rows came or went, once it is on the disk; for a copy, whether it was written.
    done: oneshot::Sender<Result<usize, StoreError>>,
}

/// Takes orders, and says when they are on the disk. Ends when dropped, after the last order.
pub(super) struct Writer {
    orders: mpsc::Sender<Order>,
    _thread: Thread,
}

impl Writer {
    pub(super) fn start(db: Connection, path: PathBuf) -> Self {
        let (orders, queue) = mpsc::channel();
        // How many rows there must be: what was there, and what we do from now on.
        let rows = policies::rows(&db).ok();
        let thread = Thread::start(move || work(&db, &path, rows, &queue));
        Self { orders, _thread: thread }
    }

    pub(super) async fn save(&self, policy: StoredPolicy) -> Result<(), StoreError> {
        self.order(Job::Save(Box::new(policy))).await.map(|_| ())
    }

    pub(super) async fn touch(
        &self,
        domains: Vec<DomainName>,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        self.order(Job::Touch(domains, now)).await.map(|_| ())
    }

    pub(super) async fn delete_expired(&self, before: UnixTime) -> Result<usize, StoreError> {
        self.order(Job::DeleteExpired(before)).await
    }

    pub(super) async fn copy(&self) -> Result<bool, StoreError> {
        self.order(Job::Copy).await.map(|copied| copied > 0)
    }

    /// Runs `job` in a transaction. It may be run twice: what it did the first time was undone then.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let result = Arc::new(Mutex::new(None));
        let place = Arc::clone(&result);
        let job = Box::new(move |db: &Connection| {
            let value = job(db)?;
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        });
        self.order(Job::Reports(job)).await?;
        let value = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or(StoreError::Closed)
    }

    async fn order(&self, job: Job) -> Result<usize, StoreError> {
        let (done, result) = oneshot::channel();
        self.orders.send(Order { job, done }).map_err(|_| StoreError::Closed)?;
        result.await.map_err(|_| StoreError::Closed)?
    }
}

fn work(db: &Connection, path: &Path, mut rows: Option<usize>, queue: &mpsc::Receiver<Order>) {
    // The copy of an earlier run may be older than the file.
    let mut changed = true;
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(BATCH - 1));
        let (copies, writes): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|order| matches!(order.job, Job::Copy));
        if !writes.is_empty() {
            changed |= writes.iter().any(|order| order.job.is_about_policies());
            let Effect { more, fewer } = commit(db, path, writes);
            rows = rows.map(|rows| (rows + more).saturating_sub(fewer));
        }
        for order in copies {
            let result = if changed { copy::write(db, path, rows).map(|()| 1) } else { Ok(0) };
            changed = changed && result.is_err();
            let _ = order.done.send(result);
        }
    }
}

/// How many rows came and went.
#[derive(Clone, Copy, Default)]
struct Effect {
    more: usize,
    fewer: usize,
}

impl Effect {
    fn and(self, other: Self) -> Self {
        Self { more: self.more + other.more, fewer: self.fewer + other.fewer }
    }
}

/// Runs all orders in one transaction. If that fails, each is tried alone, so that one bad order
/// does not spoil the others.
fn commit(db: &Connection, path: &Path, orders: Vec<Order>) -> Effect {
    let together = transaction(db, |db| {
        orders.iter().map(|order| run(db, &order.job)).collect::<rusqlite::Result<Vec<_>>>()
    });
    let mut total = Effect::default();
    let effects = together.unwrap_or_default();
    let mut effects = effects.into_iter();
    for order in orders {
        let effect = match effects.next() {
            Some(effect) => Ok(effect),
            None => transaction(db, |db| run(db, &order.job)),
        };
        total = total.and(effect.as_ref().copied().unwrap_or_default());
        let done =
            effect.map(|effect| effect.more + effect.fewer).map_err(StoreError::sqlite(path));
        let _ = order.done.send(done);
    }
    total
}

fn transaction<T>(
    db: &Connection,
    body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // Said at once that it writes, so that it waits for another process that does (an import of
    // reports) and does not fail halfway.
    let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    let value = body(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn run(db: &Connection, job: &Job) -> rusqlite::Result<Effect> {
    match job {
        Job::Save(policy) => Ok(Effect { more: policies::save(db, policy)?, fewer: 0 }),
        Job::Touch(domains, now) => {
            domains.iter().try_for_each(|domain| policies::touch(db, domain, *now))?;
            Ok(Effect::default())
        }
        Job::DeleteExpired(before) => {
            Ok(Effect { more: 0, fewer: policies::delete_expired(db, *before)? })
        }
        Job::Reports(job) => job(db).map(|()| Effect::default()),
        Job::Copy => Ok(Effect::default()),
    }
}
