//! One evaluation of a policy domain at a time: what the first has fetched, the next remembers.
//!
//! `a.test`, `a.test:587` and `[a.test]` are three next hops with one policy. Refreshes take no
//! turn: nobody should wait for a policy host that only they need to reach.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use smtp_types::DomainName;
use tokio::sync::OwnedMutexGuard;

type Waiting = Arc<Mutex<HashMap<DomainName, Arc<tokio::sync::Mutex<()>>>>>;

/// The policy domains that are being evaluated.
#[derive(Default)]
pub(crate) struct Turns(Waiting);

/// The right to evaluate a policy domain, until dropped.
pub(crate) struct Turn {
    domain: DomainName,
    waiting: Waiting,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits until nobody else evaluates the domain.
    pub(crate) async fn take(&self, domain: &DomainName) -> Turn {
        let place = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(waiting.entry(domain.clone()).or_default())
        };
        let guard = Some(place.lock_owned().await);
        Turn { domain: domain.clone(), waiting: Arc::clone(&self.0), guard }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // One place is in the table and one in the guard; any more are of those who wait.
        if waiting.get(&self.domain).is_some_and(|place| Arc::strong_count(place) <= 2) {
            waiting.remove(&self.domain);
        }
        self.guard.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_are_taken_one_after_the_other_and_leave_nothing_behind() {
        let turns = Turns::default();
        let domain = DomainName::parse("a.test").unwrap();
        let first = turns.take(&domain).await;
        let mut second = Box::pin(turns.take(&domain));
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        let other = turns.take(&DomainName::parse("b.test").unwrap()).await;
        drop(first);
        drop(second.await);
        drop(other);
        assert!(turns.0.lock().unwrap().is_empty());
    }
}
