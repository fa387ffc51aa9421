//! Days and periods of reports (RFC 8460 §4.1).

use alloc::string::ToString;
use core::fmt;

use smtp_types::UnixTime;

/// Seconds of a day; UTC has no others for us (see [`UnixTime`]).
const SECONDS: u64 = 86_400;

/// One day in UTC, the period of a report.
///
/// RFC 8460 §4.1: "The report SHOULD cover a full day, from 00:00-24:00 UTC." Two reports about one
/// domain then never overlap. Counted from 1970-01-01 and displayed as `20261121`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Day {
    /// The day in which this moment lies. A moment after the last day that can be counted, in the
    /// year 11,761,191, lies in that.
    #[must_use]
    pub fn of(time: UnixTime) -> Self {
        Self(u32::try_from(time.0 / SECONDS).unwrap_or(u32::MAX))
    }

    /// The day that is this many after 1970-01-01.
    #[must_use]
    pub const fn since_epoch(days: u32) -> Self {
        Self(days)
    }

    /// How many days after 1970-01-01 it is.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its first second.
    #[must_use]
    pub const fn begin(self) -> UnixTime {
        UnixTime(self.0 as u64 * SECONDS)
    }

    /// Its last second.
    #[must_use]
    pub const fn end(self) -> UnixTime {
        UnixTime(self.0 as u64 * SECONDS + (SECONDS - 1))
    }

    /// From its first to its last second, as a report says it.
    #[must_use]
    pub const fn range(self) -> DateRange {
        DateRange { begin: self.begin(), end: self.end() }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.begin().to_string();
        text.split('T').next().unwrap_or_default().split('-').try_for_each(|part| f.write_str(part))
    }
}

/// The `date-range` of a report (RFC 8460 §4.4): both ends belong to it.
///
/// What others send may have any ends, even one before the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateRange {
    /// `start-datetime`.
    pub begin: UnixTime,
    /// `end-datetime`.
    pub end: UnixTime,
}

impl DateRange {
    /// Whether both have a moment in common. Reports of one submitter about one domain should not.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.begin < other.end && other.begin < self.end
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.begin, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        let day = Day::of(UnixTime(1_795_289_400)); // 2026-11-21 19:30
        assert_eq!((day.to_string().as_str(), day.number()), ("20261121", 20_778));
        assert_eq!(day.range().to_string(), "2026-11-21T00:00:00Z to 2026-11-21T23:59:59Z");
        assert_eq!(Day::of(day.end()), day);
        assert_eq!(Day::of(UnixTime(day.end().0 + 1)), Day::since_epoch(20_779));
        assert_eq!(Day::of(UnixTime(u64::MAX)).number(), u32::MAX);
    }

    #[test]
    fn overlaps() {
        let range = |begin, end| DateRange { begin: UnixTime(begin), end: UnixTime(end) };
        assert!(range(0, 10).overlaps(range(9, 20)));
        assert!(!range(0, 10).overlaps(range(10, 20))); // midnight as end and as begin
        assert!(!range(0, 10).overlaps(range(30, 20)));
    }
}
