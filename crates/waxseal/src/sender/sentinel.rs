//! Tells somebody when the memory of a policy and today's world disagree (ledger S2-52).
//!
//! What a disagreement is, is said in `mta-sts`; here it is logged once, counted, and kept for
//! `explain` and the metrics until it is over.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use mta_sts::Disagreement;
use smtp_types::{DomainName, UnixTime};

/// Of how many domains the present disagreement is kept. Beyond that they are counted only.
const KEPT: usize = 10_000;

/// A disagreement that is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Since when.
    pub since: UnixTime,
    /// In what.
    pub disagreements: Vec<Disagreement>,
}

/// All disagreements that are going on.
#[derive(Default)]
pub struct Sentinel {
    alarms: Mutex<BTreeMap<DomainName, Alarm>>,
    raised: Mutex<BTreeMap<&'static str, u64>>,
}

impl Sentinel {
    /// Takes in what an evaluation found; an empty list ends the alarm of the domain.
    pub fn note(&self, domain: &DomainName, disagreements: &[Disagreement], now: UnixTime) {
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        if disagreements.is_empty() {
            if let Some(alarm) = alarms.remove(domain) {
                tracing::info!(%domain, since = %alarm.since, "sentinel: policy and world agree again");
            }
            return;
        }
        let known = alarms.get(domain);
        let news: Vec<_> = disagreements
            .iter()
            .filter(|one| {
                known.is_none_or(|alarm| {
                    alarm.disagreements.iter().all(|old| old.code() != one.code())
                })
            })
            .collect();
        for disagreement in &news {
            tracing::warn!(%domain, code = disagreement.code(), "sentinel: {disagreement}; the remembered policy stays in force unless a new one was fetched");
            let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
            *raised.entry(disagreement.code()).or_default() += 1;
        }
        let since = known.map_or(now, |alarm| alarm.since);
        if alarms.len() < KEPT || alarms.contains_key(domain) {
            let disagreements = disagreements.to_vec();
            alarms.insert(domain.clone(), Alarm { since, disagreements });
        }
    }

    /// The disagreement of a domain, if it is going on.
    #[must_use]
    pub fn alarm(&self, domain: &DomainName) -> Option<Alarm> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner).get(domain).cloned()
    }

    /// How many domains are in disagreement now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many alarms of each kind were raised since the start.
    #[must_use]
    pub fn raised(&self) -> BTreeMap<&'static str, u64> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
