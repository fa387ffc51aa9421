//! What is remembered of policies: the store, and what the store could not take yet.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mta_sts::FailedFetch;
use quick_cache::sync::Cache;
use smtp_types::{DomainName, UnixTime};

use crate::store::{Store, StoreError, StoredPolicy};

/// Of how many domains the last failed fetch is remembered. A forgotten one costs a fetch more.
const FAILED_FETCHES: usize = 10_000;

/// How many policies wait for a store that does not take them (disk full); beyond that the newest
/// is lost at the next restart, which the health endpoint says.
const UNSAVED: usize = 100_000;

/// The memory of policies. Without a store (a single `explain`) it lasts as long as the process.
pub struct Remembered {
    store: Option<Arc<Store>>,
    /// Policies that the store has not taken yet. They bind all the same.
    unsaved: Mutex<HashMap<DomainName, StoredPolicy>>,
    /// Policies that answers rested on since the last flush.
    touched: Mutex<HashSet<DomainName>>,
    failed: Cache<DomainName, FailedFetch>,
    errors: AtomicU64,
}

/// How the store is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreHealth {
    /// Policies that are only in memory because the disk does not take them.
    pub unsaved: usize,
    /// How often the store has failed since the start.
    pub errors: u64,
}

impl Remembered {
    pub(super) fn new(store: Option<Arc<Store>>) -> Self {
        Self {
            store,
            unsaved: Mutex::default(),
            touched: Mutex::default(),
            failed: Cache::new(FAILED_FETCHES),
            errors: AtomicU64::new(0),
        }
    }

    /// The store, if there is one.
    #[must_use]
    pub fn store(&self) -> Option<&Store> {
        self.store.as_deref()
    }

    /// The store, if there is one, for another role that keeps something in it.
    #[must_use]
    pub fn shared_store(&self) -> Option<Arc<Store>> {
        self.store.clone()
    }

    /// How the store is doing.
    #[must_use]
    pub fn health(&self) -> StoreHealth {
        StoreHealth {
            unsaved: lock(&self.unsaved).len(),
            errors: self.errors.load(Ordering::Relaxed),
        }
    }

    /// The policy of a domain, expired or not.
    pub async fn load(&self, domain: &DomainName) -> Option<StoredPolicy> {
        if let Some(policy) = lock(&self.unsaved).get(domain) {
            return Some(policy.clone());
        }
        let store = self.store.as_ref()?;
        match store.load(domain.clone()).await {
            Ok(loaded) => loaded,
            // The file was damaged while we run. What its copy knows binds, and is saved again.
            Err(error) => {
                self.complain(&error);
                let copied = store.load_from_copy(domain.clone()).await.ok()??;
                self.keep_unsaved(copied.clone());
                Some(copied)
            }
        }
    }

    /// Saves a policy; returns when it is on the disk. One that the disk does not take stays in
    /// memory, binds from there, and is tried again by [`flush`](Self::flush).
    pub(super) async fn save(&self, policy: StoredPolicy) {
        let domain = policy.domain.clone();
        // In memory first: whoever asks while the disk is busy is told the new policy.
        self.keep_unsaved(policy.clone());
        let Some(store) = &self.store else { return };
        match store.save(policy.clone()).await {
            Ok(()) => {
                let mut unsaved = lock(&self.unsaved);
                // Unless a newer one has come in the meantime.
                if unsaved.get(&domain).is_some_and(|waiting| *waiting == policy) {
                    unsaved.remove(&domain);
                }
            }
            Err(error) => self.complain(&error),
        }
    }

    fn keep_unsaved(&self, policy: StoredPolicy) {
        let mut unsaved = lock(&self.unsaved);
        if unsaved.len() < UNSAVED || unsaved.contains_key(&policy.domain) {
            unsaved.insert(policy.domain.clone(), policy);
        }
    }

    /// Notes that an answer rested on a policy.
    pub(super) fn touch(&self, domain: &DomainName) {
        lock(&self.touched).insert(domain.clone());
    }

    /// Brings to the disk what waits for it.
    pub(super) async fn flush(&self, now: UnixTime) {
        let Some(store) = &self.store else { return };
        let touched: Vec<_> = lock(&self.touched).drain().collect();
        if !touched.is_empty()
            && let Err(error) = store.touch(touched, now).await
        {
            self.complain(&error);
        }
        let waiting: Vec<_> = lock(&self.unsaved).values().cloned().collect();
        for policy in waiting {
            let before = self.errors.load(Ordering::Relaxed);
            self.save(policy).await;
            if self.errors.load(Ordering::Relaxed) > before {
                // The disk is still full: no use in trying a hundred thousand times.
                break;
            }
        }
    }

    /// The last failed fetch of a domain's policy, if none has succeeded since.
    pub(super) fn failed(&self, domain: &DomainName) -> Option<FailedFetch> {
        self.failed.get(domain)
    }

    pub(super) fn fail(&self, domain: &DomainName, failed: FailedFetch) {
        self.failed.insert(domain.clone(), failed);
    }

    pub(super) fn forgive(&self, domain: &DomainName) {
        self.failed.remove(domain);
    }

    pub(super) fn complain(&self, error: &StoreError) {
        // The first of a row is worth a line; a full disk would write thousands.
        let count = self.errors.fetch_add(1, Ordering::Relaxed);
        if count.is_power_of_two() || count == 0 {
            tracing::error!(%error, count = count + 1, "store: policies stay in memory until it works again");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
