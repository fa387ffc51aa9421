//! Time that was watched, and how long others may remember what they were told.
//!
//! A wait such as "two TTLs" or "14 days without a failure" must hold in the world, not on a clock
//! that may jump. So time is not computed from two dates: it is added up, step by step, and only
//! if the step before is close enough that somebody can speak for the time in between.

use core::fmt;
use core::time::Duration;

use smtp_types::UnixTime;

use crate::state_line::{self, StateError};

/// The longest time between two steps that counts as watched: 2 hours. A longer one, be it an
/// outage of ours or a clock that was set forward, counts as nothing. So a machine must be stepped
/// at least that often; every few minutes is good.
pub const LONGEST_GAP: Duration = Duration::from_secs(2 * 3_600);

/// How much of the time since the last step was watched. A clock set back gives nothing either.
pub(crate) fn watched(last: Option<UnixTime>, now: UnixTime) -> Duration {
    let gap = last.map_or(Duration::ZERO, |last| now.since(last));
    if gap > LONGEST_GAP { Duration::ZERO } else { gap }
}

/// How long something has been so, counted from the first step that saw it.
pub(crate) fn extend(so_far: &mut Option<Duration>, gap: Duration) {
    *so_far = Some(so_far.map_or(Duration::ZERO, |so_far| so_far.saturating_add(gap)));
}

/// The longest TTL that a cache may still go by.
///
/// Whoever lowers a TTL from a day to a minute has to wait for a day until that is so everywhere
/// (RFC 2181 §8 lets a cache keep a record for its TTL). So a greater TTL is believed at once, and a
/// smaller one after the greater one has run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongestTtl {
    longest: Duration,
    left: Duration,
    recent: Duration,
}

impl LongestTtl {
    pub(crate) const ZERO: Self =
        Self { longest: Duration::ZERO, left: Duration::ZERO, recent: Duration::ZERO };

    /// How long a cache may still show what it was told before now.
    #[must_use]
    pub const fn get(&self) -> Duration {
        self.longest
    }

    pub(crate) fn tick(&mut self, gap: Duration, seen: Duration) {
        if seen >= self.longest {
            *self = Self { longest: seen, left: seen, recent: Duration::ZERO };
            return;
        }
        self.recent = self.recent.max(seen);
        self.left = self.left.saturating_sub(gap);
        if self.left.is_zero() {
            *self = Self { longest: self.recent, left: self.recent, recent: Duration::ZERO };
        }
    }

    pub(crate) fn parse(field: &'static str, text: &str) -> Result<Self, StateError> {
        let fault = || StateError::value(field, "three counts of seconds", text);
        let mut parts = text.split(',').map(|part| state_line::seconds(field, part));
        let mut next = || parts.next().ok_or_else(fault)?;
        let read = Self { longest: next()?, left: next()?, recent: next()? };
        match parts.next() {
            None => Ok(read),
            Some(_) => Err(fault()),
        }
    }
}

/// As in a line of state: three counts of seconds.
impl fmt::Display for LongestTtl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { longest, left, recent } = self;
        write!(f, "{},{},{}", longest.as_secs(), left.as_secs(), recent.as_secs())
    }
}

/// A span for people: the two largest units of days, hours, minutes and seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.as_secs();
        let (days, hours, minutes, seconds) =
            (all / 86_400, all / 3_600 % 24, all / 60 % 60, all % 60);
        match (days, hours, minutes, seconds) {
            (0, 0, 0, _) => write!(f, "{seconds} s"),
            (0, 0, _, 0) => write!(f, "{minutes} min"),
            (0, 0, _, _) => write!(f, "{minutes} min {seconds} s"),
            (0, _, 0, _) => write!(f, "{hours} h"),
            (0, _, _, _) => write!(f, "{hours} h {minutes} min"),
            (_, 0, _, _) => write!(f, "{days} d"),
            _ => write!(f, "{days} d {hours} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn jumps_and_outages_are_not_watched() {
        let at = |seconds| Some(UnixTime(seconds));
        assert_eq!(watched(None, UnixTime(9)), Duration::ZERO);
        assert_eq!(watched(at(1_000), UnixTime(1_300)), Duration::from_secs(300));
        assert_eq!(watched(at(1_000), UnixTime(900)), Duration::ZERO);
        assert_eq!(watched(at(0), UnixTime(7_200)), LONGEST_GAP);
        assert_eq!(watched(at(0), UnixTime(7_201)), Duration::ZERO);
    }

    #[test]
    fn a_smaller_ttl_counts_when_the_greater_one_has_run_out() {
        let mut ttl = LongestTtl::default();
        ttl.tick(Duration::ZERO, 24 * HOUR);
        for _ in 0..23 {
            ttl.tick(HOUR, HOUR);
            assert_eq!(ttl.get(), 24 * HOUR);
        }
        assert_eq!(LongestTtl::parse("ttl", &ttl.to_string()), Ok(ttl));
        ttl.tick(HOUR, Duration::from_secs(60));
        assert_eq!(ttl.get(), HOUR, "the greatest of what was seen meanwhile");
        ttl.tick(HOUR, Duration::from_secs(60));
        assert_eq!(ttl.get(), Duration::from_secs(60));
        for text in ["", "1", "1,2", "1,2,3,4", "1,2,x"] {
            assert!(LongestTtl::parse("ttl", text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (3_600, "1 h"),
            (5_400, "1 h 30 min"),
            (86_400, "1 d"),
            (90_061, "1 d 1 h"),
            (61, "1 min 1 s"),
            (600, "10 min"),
        ];
        for (seconds, text) in table {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), text);
        }
    }
}
