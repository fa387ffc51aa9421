//! The hourly round: what the DNS shows, which steps are due, and who has to do what.
//!
//! For each domain the records of all its keys are looked up, the planner decides, the store takes
//! the step, and the log tells. What a domain's owner has to do is told when it comes up and then
//! once a day, not every hour.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use smtp_types::{DomainName, Known, UnixTime};

use super::generation::DomainKeys;
use super::record::{DnsObservation, observe};
use super::rotation::Observations;
use super::store::{KeyStore, KeyStoreError, Rules, Visit};
use crate::observe::Observer;

/// How many domains are looked at side by side.
const SIMULTANEOUS: usize = 16;

/// How long what has been told is not told again.
const TELL_AGAIN: Duration = Duration::from_hours(24);

/// What the DNS shows of all keys of a domain. What cannot be looked up is unknown.
pub async fn look_up(observer: &Observer, keys: &DomainKeys) -> Observations {
    let mut known = Known::default();
    match observer.evaluate(&mut known, |known| observe(known, keys)).await {
        Ok(observed) => observed,
        Err(error) => {
            let unknown = DnsObservation::Unknown { detail: error.to_string() };
            keys.keys().map(|(key, _)| (key.selector.clone(), unknown.clone())).collect()
        }
    }
}

/// The keeper of the schedule. One for the process, for it remembers what it has told.
pub struct Rotation {
    store: KeyStore,
    rules: Rules,
    told: Mutex<HashMap<String, UnixTime>>,
}

/// What a round came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Domains with keys.
    pub domains: usize,
    /// Steps that were taken. If there are any, [`Signers`](super::Signers) have something to read.
    pub steps: usize,
    /// What domains' owners have to do.
    pub tasks: usize,
    /// Of these, what makes signatures fail until it is done.
    pub urgent: usize,
    /// Records of which nobody knows whether they are there.
    pub unknown: usize,
    /// Domains whose keys could not be read or written.
    pub failed: usize,
}

impl Rotation {
    /// A keeper of the keys in `store`.
    #[must_use]
    pub fn new(store: KeyStore, rules: Rules) -> Self {
        Self { store, rules, told: Mutex::default() }
    }

    /// Looks after all domains: to be called every hour. Takes at most one step for each, and tells
    /// in the log what was done and what is to be done.
    ///
    /// # Errors
    /// If the folder of keys cannot be read. What concerns one domain only is told and counted.
    pub async fn rotate_due(
        &self,
        observer: &Observer,
        now: UnixTime,
    ) -> Result<Round, KeyStoreError> {
        let store = self.store.clone();
        let listed = tokio::task::spawn_blocking(move || {
            store.tidy()?;
            store.domains()
        });
        // A task that is not awaited for its result only fails if the program ends.
        let Ok(domains) = listed.await else { return Ok(Round::default()) };
        let domains = domains?;
        let mut round = Round { domains: domains.len(), ..Round::default() };
        let mut said = HashSet::new();
        let mut visits = stream::iter(domains)
            .map(|domain| async move { (self.visit(observer, &domain, now).await, domain) })
            .buffer_unordered(SIMULTANEOUS);
        while let Some((visit, domain)) = visits.next().await {
            match visit {
                Ok(Some(looked)) => self.tell(&domain, &looked, now, &mut round, &mut said),
                Ok(None) => {}
                Err(error) => {
                    round.failed += 1;
                    if self.is_news(&error.to_string(), now, &mut said) {
                        tracing::error!(%domain, "DKIM keys: {error}");
                    }
                }
            }
        }
        // What is no longer so is news when it comes again.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|text, _| said.contains(text));
        Ok(round)
    }

    async fn visit(
        &self,
        observer: &Observer,
        domain: &DomainName,
        now: UnixTime,
    ) -> Result<Option<Looked>, KeyStoreError> {
        let (store, asked) = (self.store.clone(), domain.clone());
        let read = tokio::task::spawn_blocking(move || store.read(&asked)).await;
        let Ok(keys) = read else { return Ok(None) };
        let Some(keys) = keys? else { return Ok(None) };
        let observed = look_up(observer, &keys).await;
        let unknown = |one: &&DnsObservation| matches!(one, DnsObservation::Unknown { .. });
        let unknown = observed.values().filter(unknown).count();
        let (store, domain, rules) = (self.store.clone(), domain.clone(), self.rules.clone());
        let visit =
            tokio::task::spawn_blocking(move || store.visit(&domain, &observed, now, &rules));
        let Ok(visit) = visit.await else { return Ok(None) };
        Ok(visit?.map(|visit| Looked { visit, unknown }))
    }

    fn tell(
        &self,
        domain: &DomainName,
        looked: &Looked,
        now: UnixTime,
        round: &mut Round,
        said: &mut HashSet<String>,
    ) {
        let Visit { keys, plan, oddities } = &looked.visit;
        round.unknown += looked.unknown;
        round.tasks += plan.tasks.len();
        round.urgent += plan.tasks.iter().filter(|task| task.is_urgent()).count();
        if let Some(step) = &plan.step {
            round.steps += 1;
            let active = keys.active().map(|active| active.names()).unwrap_or_default();
            let next = keys.announced().map(|next| next.names()).unwrap_or_default();
            tracing::info!(%domain, active, next, "DKIM keys: {step}");
        }
        for task in &plan.tasks {
            let text = task.to_string();
            if !self.is_news(&text, now, said) {
                continue;
            }
            let hint = "`waxseal dkim records` shows what the DNS must have";
            if task.is_urgent() {
                tracing::error!(%domain, "DKIM keys: signatures fail: {text}; {hint}");
            } else {
                tracing::warn!(%domain, "DKIM keys: {text}; {hint}");
            }
        }
        for oddity in oddities {
            let text = oddity.to_string();
            if self.is_news(&text, now, said) {
                tracing::warn!(%domain, "DKIM keys: {text}");
            }
        }
    }

    /// Whether this has not been told in the last day.
    fn is_news(&self, text: &str, now: UnixTime, said: &mut HashSet<String>) -> bool {
        said.insert(text.to_owned());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.get(text).copied();
        let is_news = last.is_none_or(|last| now.since(last) >= TELL_AGAIN || last > now);
        if is_news {
            told.insert(text.to_owned(), now);
        }
        is_news
    }
}

struct Looked {
    visit: Visit,
    unknown: usize,
}
