//! The verdicts of the last messages, for whoever asks by the mail server's name of a message.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::role::lock;
use super::verdict::Verdict;

/// How many are kept. A filter asks within seconds.
const KEPT: usize = 10_000;

/// The last verdicts.
#[derive(Default)]
pub struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_id: HashMap<String, Arc<Verdict>>,
    order: VecDeque<String>,
}

impl Recent {
    /// The verdict on the message of this queue id.
    #[must_use]
    pub fn find(&self, queue_id: &str) -> Option<Arc<Verdict>> {
        lock(&self.0).by_id.get(queue_id).cloned()
    }

    pub(super) fn add(&self, verdict: Verdict) {
        if verdict.queue_id.is_empty() {
            return;
        }
        let mut kept = lock(&self.0);
        let id = verdict.queue_id.clone();
        if kept.by_id.insert(id.clone(), Arc::new(verdict)).is_none() {
            kept.order.push_back(id);
        }
        if kept.order.len() > KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.by_id.remove(&oldest);
        }
    }
}
