//! One look-up for many who ask the same at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use smtp_types::NextHop;
use tokio::sync::watch;

use crate::answer::Replies;

type Landings = Arc<Mutex<HashMap<NextHop, watch::Receiver<Option<Replies>>>>>;

/// The look-ups that are under way.
#[derive(Default)]
pub(super) struct Flights(Landings);

/// Who asks is either the first, and looks up, or waits for the one who does.
pub(super) enum Boarding {
    /// Nobody looks this up yet: you do, and land the result.
    First(Seat, Waiter),
    /// Somebody does.
    Joined(Waiter),
}

impl Flights {
    pub(super) fn board(&self, next_hop: &NextHop) -> Boarding {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = flights.get(next_hop) {
            return Boarding::Joined(Waiter(landing.clone()));
        }
        let (sender, landing) = watch::channel(None);
        flights.insert(next_hop.clone(), landing.clone());
        let seat = Seat { next_hop: next_hop.clone(), sender, flights: Arc::clone(&self.0) };
        Boarding::First(seat, Waiter(landing))
    }
}

/// The duty to look up. Dropped without a landing (a panic, the end of the program), it wakes all
/// who wait with nothing.
pub(super) struct Seat {
    next_hop: NextHop,
    sender: watch::Sender<Option<Replies>>,
    flights: Landings,
}

impl Seat {
    pub(super) fn land(self, replies: Replies) {
        let _ = self.sender.send(Some(replies));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.next_hop);
    }
}

/// The right to the result.
pub(super) struct Waiter(watch::Receiver<Option<Replies>>);

impl Waiter {
    /// The result, or `None` if whoever looked up is gone without one.
    pub(super) async fn landed(mut self) -> Option<Replies> {
        let replies = self.0.wait_for(Option::is_some).await.ok()?;
        replies.clone()
    }
}
