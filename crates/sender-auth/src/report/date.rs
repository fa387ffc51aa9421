//! Days of reports, and dates as mail writes them.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use smtp_types::UnixTime;

/// Seconds of a day; UTC has no others for us (see [`UnixTime`]).
const SECONDS: u64 = 86_400;

/// One day in UTC, the period of a report (RFC 9990 §3.1, "daily").
///
/// Two reports of one domain never overlap, because two days do not. Counted from 1970-01-01 and
/// displayed as `20261121`.
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
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.begin().to_string();
        text.split('T').next().unwrap_or_default().split('-').try_for_each(|part| f.write_str(part))
    }
}

/// A moment as header fields write it (RFC 5322 §3.3): `Sat, 21 Nov 2026 19:30:00 +0000`.
pub(super) fn mail_date(time: UnixTime) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // 1970-01-01 was a Thursday.
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let text = time.to_string();
    let (date, clock) = text.split_once('T').unwrap_or_default();
    let mut parts = date.split('-');
    let year = parts.next().unwrap_or_default();
    let month = parts.next().and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    let month = MONTHS.get(month.saturating_sub(1)).copied().unwrap_or_default();
    let day = parts.next().unwrap_or_default();
    let weekday = WEEKDAYS[usize::try_from(time.0 / SECONDS % 7).unwrap_or_default()];
    format!("{weekday}, {day} {month} {year} {} +0000", clock.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        let day = Day::of(UnixTime(1_795_289_400));
        assert_eq!(day.to_string(), "20261121");
        assert_eq!((day.begin(), day.end()), (UnixTime(1_795_219_200), UnixTime(1_795_305_599)));
        assert_eq!(Day::of(day.begin()), day);
        assert_eq!(Day::of(day.end()), day);
        assert_eq!(Day::of(UnixTime(day.end().0 + 1)).number(), day.number() + 1);
        assert_eq!(Day::of(UnixTime(u64::MAX)), Day::since_epoch(u32::MAX));
        assert!(Day::since_epoch(u32::MAX).end() > Day::since_epoch(u32::MAX).begin());
    }

    #[test]
    fn dates() {
        let table = [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_795_289_400, "Sat, 21 Nov 2026 19:30:00 +0000"),
        ];
        for (seconds, text) in table {
            assert_eq!(mail_date(UnixTime(seconds)), text);
        }
        assert!(mail_date(UnixTime(u64::MAX)).ends_with("+0000"));
    }
}
