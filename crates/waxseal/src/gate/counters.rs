//! What the gate counts, for the metrics. Only ever read, added to, and never reset.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::decide::Action;
use super::verdict::{Identified, Verdict};

/// The counters.
#[derive(Default)]
pub struct GateCounters {
    actions: [AtomicU64; 4],
    dmarc: [AtomicU64; 5],
    identified: AtomicU64,
    forwarded: AtomicU64,
    refused_attachments: AtomicU64,
    signed: AtomicU64,
    unsigned: AtomicU64,
    faults: AtomicU64,
}

/// The actions in the order of their counters.
const ACTIONS: [Action; 4] = [Action::Accept, Action::Quarantine, Action::Defer, Action::Reject];

/// The results of DMARC in the order of their counters.
const RESULTS: [&str; 5] = ["pass", "none", "permerror", "temperror", "fail"];

impl GateCounters {
    /// Incoming messages by what was done with them.
    pub fn actions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ACTIONS
            .iter()
            .zip(&self.actions)
            .map(|(action, count)| (action.as_str(), count.load(Relaxed)))
    }

    /// Incoming messages by the result of DMARC.
    pub fn dmarc(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RESULTS.iter().zip(&self.dmarc).map(|(result, count)| (*result, count.load(Relaxed)))
    }

    /// Incoming messages whose author is identified beyond doubt.
    pub fn identified(&self) -> u64 {
        self.identified.load(Relaxed)
    }

    /// Incoming messages that look forwarded.
    pub fn forwarded(&self) -> u64 {
        self.forwarded.load(Relaxed)
    }

    /// Incoming messages refused for an attachment.
    pub fn refused_attachments(&self) -> u64 {
        self.refused_attachments.load(Relaxed)
    }

    /// Outgoing messages that were signed.
    pub fn signed(&self) -> u64 {
        self.signed.load(Relaxed)
    }

    /// Outgoing messages that nobody signs.
    pub fn unsigned(&self) -> u64 {
        self.unsigned.load(Relaxed)
    }

    /// Messages that we have failed to judge or to sign.
    pub fn faults(&self) -> u64 {
        self.faults.load(Relaxed)
    }

    pub(super) fn count(&self, verdict: &Verdict) {
        if let Some(index) = ACTIONS.iter().position(|action| *action == verdict.action) {
            self.actions[index].fetch_add(1, Relaxed);
        }
        if let Some(index) = RESULTS.iter().position(|result| *result == verdict.dmarc) {
            self.dmarc[index].fetch_add(1, Relaxed);
        }
        if let Identified::Yes { .. } = verdict.identified {
            self.identified.fetch_add(1, Relaxed);
        }
        if !verdict.forwarded.is_empty() {
            self.forwarded.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn count_refused_attachment(&self) {
        self.refused_attachments.fetch_add(1, Relaxed);
    }

    pub(super) fn count_signed(&self) {
        self.signed.fetch_add(1, Relaxed);
    }

    pub(super) fn count_unsigned(&self) {
        self.unsigned.fetch_add(1, Relaxed);
    }

    pub(super) fn count_fault(&self) {
        self.faults.fetch_add(1, Relaxed);
    }
}
