//! A point in time, given from outside.

use core::fmt;
use core::time::Duration;

/// Whole seconds since 1970-01-01 00:00:00 UTC, leap seconds not counted.
///
/// Arithmetic saturates: a hostile `max_age` or a clock that jumps never panics and never wraps.
/// Displayed as RFC 3339, for example `2026-11-21T19:30:00Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// The time `span` later, at most the end of time.
    #[must_use]
    pub const fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_secs()))
    }

    /// How long after `earlier` this is; zero if it is not after it (the clock was set back).
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// Year, month (1 to 12) and day (1 to 31) of the proleptic Gregorian calendar.
    const fn civil_date(self) -> (u64, u64, u64) {
        // Days are counted from 0000-03-01, so that the leap day is the last of its year.
        let days = self.0 / 86_400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month, day)
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil_date();
        let (hour, minute, second) = (self.0 / 3_600 % 24, self.0 / 60 % 60, self.0 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn dates() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"), // 2100 has no leap day
            (1_795_289_400, "2026-11-21T19:30:00Z"),
        ];
        for (seconds, text) in table {
            assert_eq!(UnixTime(seconds).to_string(), text);
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let end = UnixTime(u64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(UnixTime(5).since(UnixTime(9)), Duration::ZERO);
        assert!(!end.to_string().is_empty());
    }
}
