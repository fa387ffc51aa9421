//! Log lines about strangers, few enough that strangers cannot fill the disk with them.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lets one line through in each period, and counts the others.
#[derive(Debug)]
pub(crate) struct Complaints {
    period: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the last line was let through.
    last: Option<Instant>,
    held_back: u64,
}

impl Complaints {
    pub(crate) const fn once_in(period: Duration) -> Self {
        Self { period, state: Mutex::new(State { last: None, held_back: 0 }) }
    }

    /// How many lines were held back since the last one, if one may be written now.
    pub(crate) fn may_write(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let too_early =
            state.last.is_some_and(|last| now.saturating_duration_since(last) < self.period);
        if too_early {
            state.held_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_each_period() {
        let complaints = Complaints::once_in(Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| complaints.may_write(start + Duration::from_secs(seconds));
        assert_eq!(at(0), Some(0));
        assert_eq!(at(1), None);
        assert_eq!(at(9), None);
        assert_eq!(at(10), Some(2));
        assert_eq!(at(19), None);
        assert_eq!(at(30), Some(1));
        assert_eq!(at(5), None); // time that runs backward
    }
}
