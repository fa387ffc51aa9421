//! Between the thread that receives and the one that counts: datagrams, one behind the other.
//!
//! The receiving thread must never wait, so the two share two buffers: one is being filled while the
//! other is being read, and they are swapped under a lock that is held for the time of a swap. A
//! datagram costs a copy and no allocation.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many octets may wait: 32 MiB, the load of some seconds.
const MAX_OCTETS: usize = 32 * 1024 * 1024;

/// How many datagrams may wait.
const MAX_DATAGRAMS: usize = 65_536;

/// What a buffer keeps of its memory when it is empty: 1 MiB.
const KEPT: usize = 1024 * 1024;

/// Datagrams, one behind the other.
#[derive(Default)]
pub(super) struct Batch {
    octets: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// The datagrams in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| self.octets.get(begin..*end).unwrap_or_default())
    }

    fn clear(&mut self) {
        self.octets.clear();
        self.octets.shrink_to(KEPT);
        self.ends.clear();
    }
}

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Push {
    Taken,
    Full,
}

/// A bounded place for datagrams.
#[derive(Default)]
pub(super) struct Ring {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    batch: Batch,
    is_closed: bool,
}

impl Ring {
    /// Puts a datagram behind the others. Never waits for longer than a swap of buffers.
    pub(super) fn push(&self, datagram: &[u8]) -> Push {
        let mut state = self.state();
        let batch = &mut state.batch;
        let has_room = batch.ends.len() < MAX_DATAGRAMS
            && batch.octets.len().saturating_add(datagram.len()) <= MAX_OCTETS;
        if !has_room {
            return Push::Full;
        }
        let was_empty = batch.ends.is_empty();
        batch.octets.extend_from_slice(datagram);
        let end = batch.octets.len();
        batch.ends.push(end);
        drop(state);
        if was_empty {
            self.more.notify_one();
        }
        Push::Taken
    }

    /// Waits for datagrams and takes all that are there; `spare` is filled from now on. `None` at
    /// the end, when all have been taken.
    pub(super) fn take(&self, mut spare: Batch) -> Option<Batch> {
        spare.clear();
        let waits = |state: &mut State| state.batch.ends.is_empty() && !state.is_closed;
        let state = self.more.wait_while(self.state(), waits);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let batch = std::mem::replace(&mut state.batch, spare);
        (!batch.ends.is_empty()).then_some(batch)
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.more.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_out_as_they_went_in() {
        let ring = Ring::default();
        for datagram in [&b"one"[..], b"", b"three"] {
            assert_eq!(ring.push(datagram), Push::Taken);
        }
        let batch = ring.take(Batch::default()).unwrap();
        assert_eq!(batch.iter().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert_eq!(ring.push(b"four"), Push::Taken);
        ring.close();
        let batch = ring.take(batch).unwrap();
        assert_eq!(batch.iter().collect::<Vec<_>>(), [b"four"]);
        assert!(ring.take(batch).is_none());
    }

    #[test]
    fn it_has_an_end() {
        let ring = Ring::default();
        let mut count = 0;
        while ring.push(b"x") == Push::Taken {
            count += 1;
        }
        assert_eq!(count, MAX_DATAGRAMS);
        let batch = ring.take(Batch::default()).unwrap();
        assert_eq!(batch.iter().count(), count);
        let (large, mut count) = (vec![0; 200_000], 0);
        while ring.push(&large) == Push::Taken {
            count += 1;
        }
        assert_eq!(count, MAX_OCTETS / large.len());
    }

    #[test]
    fn whoever_waits_is_woken() {
        let ring = std::sync::Arc::new(Ring::default());
        let waiting = std::sync::Arc::clone(&ring);
        let waiting = std::thread::spawn(move || {
            let batch = waiting.take(Batch::default()).unwrap();
            (batch.iter().count(), waiting.take(batch).is_none())
        });
        ring.push(b"x");
        // It may have taken the datagram before or after this.
        ring.close();
        assert_eq!(waiting.join().unwrap(), (1, true));
    }
}
