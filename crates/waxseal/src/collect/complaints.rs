//! What is said about input that cannot be read: enough to find its cause, and never a flood.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many are told in one [`SPAN`].
const TOLD: u32 = 10;

/// After this long, the next ones are told.
const SPAN: Duration = Duration::from_secs(600);

/// Tells the first few of a span, and how many there were beyond.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    span: Mutex<Option<Span>>,
}

#[derive(Debug)]
struct Span {
    since: Instant,
    count: u32,
}

/// What to do with one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Tell it; so many before it were not told.
    Tell {
        untold: u32,
    },
    Silent,
}

impl Complaints {
    /// Tells why something could not be read, or does not. `reason` must name no person.
    pub(super) fn tell(&self, what: &str, reason: &str) {
        match self.turn(Instant::now()) {
            Turn::Silent => {}
            Turn::Tell { untold: 0 } => tracing::warn!("collect: {what} cannot be read: {reason}"),
            Turn::Tell { untold } => {
                tracing::warn!(untold, "collect: {what} cannot be read: {reason}");
            }
        }
    }

    fn turn(&self, now: Instant) -> Turn {
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = match &mut *span {
            Some(span) if now.duration_since(span.since) < SPAN => {
                span.count = span.count.saturating_add(1);
                return if span.count <= TOLD { Turn::Tell { untold: 0 } } else { Turn::Silent };
            }
            Some(span) => span.count.saturating_sub(TOLD),
            None => 0,
        };
        *span = Some(Span { since: now, count: 1 });
        Turn::Tell { untold }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_ten_minutes() {
        let complaints = Complaints::default();
        let start = Instant::now();
        let told = (0..100).filter(|_| complaints.turn(start) != Turn::Silent).count();
        assert_eq!(told, 10);
        assert_eq!(complaints.turn(start + SPAN), Turn::Tell { untold: 90 });
        assert_eq!(complaints.turn(start + SPAN), Turn::Tell { untold: 0 });
        assert_eq!(complaints.turn(start + SPAN * 3), Turn::Tell { untold: 0 });
    }
}
