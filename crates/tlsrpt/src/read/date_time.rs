//! Date-times of RFC 3339, and what others write instead.

use smtp_types::UnixTime;

/// How a date-time was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By RFC 3339 §5.6.
    Standard,
    /// Understandable.
    Odd,
    /// Only a date: the time of day is open.
    DateOnly,
}

/// The last second that RFC 3339 can write.
const LAST: UnixTime = UnixTime(253_402_300_799);

/// Reads `2026-11-21T00:00:00Z`, also with a fraction, an offset, no zone (then UTC), a blank for
/// the `T`, or no time at all; or seconds since 1970.
///
/// `None` for anything else, for dates that do not exist, and for years before 1970 or after 9999.
pub(super) fn parse(text: &str) -> Option<(UnixTime, Form)> {
    if !text.is_empty() && text.len() <= 11 && text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Some((UnixTime(text.parse().ok()?), Form::Odd));
    }
    let (date, rest) = text.split_at_checked(10)?;
    let mut numbers = date.split('-');
    let (year, month, day) =
        (number(&mut numbers, 4)?, number(&mut numbers, 2)?, number(&mut numbers, 2)?);
    let days = days_since_epoch(year, month, day)?;
    if rest.is_empty() {
        return Some((UnixTime(days * 86_400), Form::DateOnly));
    }
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, after) = clock.split_at_checked(8)?;
    let mut numbers = clock.split(':');
    let (hour, minute, second) =
        (number(&mut numbers, 2)?, number(&mut numbers, 2)?, number(&mut numbers, 2)?);
    // 24:00:00 is a common way to write the end of a day, and second 60 is a leap second.
    if hour > 24 || minute > 59 || second > 60 || (hour == 24 && (minute, second) != (0, 0)) {
        return None;
    }
    let zone = match after.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => after,
    };
    let (offset, form) = offset(zone)?;
    let form = if rest.starts_with(' ') || hour == 24 { Form::Odd } else { form };
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second.min(59);
    let time = UnixTime(seconds.checked_add_signed(-offset)?);
    (time <= LAST).then_some((time, form))
}

/// Seconds that local time is ahead of UTC.
fn offset(zone: &str) -> Option<(i64, Form)> {
    match zone.trim() {
        "Z" | "z" => return Some((0, Form::Standard)),
        "" | "UTC" | "GMT" => return Some((0, Form::Odd)),
        _ => {}
    }
    let (sign, digits) = zone.split_at_checked(1)?;
    let (hours, minutes, form) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes, Form::Standard),
        None => digits.split_at_checked(2).map(|(h, m)| (h, m, Form::Odd))?,
    };
    let mut numbers = [hours, if minutes.is_empty() { "00" } else { minutes }].into_iter();
    let (hours, minutes) = (number(&mut numbers, 2)?, number(&mut numbers, 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i64::try_from(hours * 3_600 + minutes * 60).ok()?;
    match sign {
        "+" => Some((seconds, form)),
        "-" => Some((-seconds, form)),
        _ => None,
    }
}

fn number<'t>(texts: &mut impl Iterator<Item = &'t str>, digits: usize) -> Option<u64> {
    let text = texts.next()?;
    let is_number = text.len() == digits && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, from 1970 on.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || day == 0 || day > length {
        return None;
    }
    // Years begin in March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    Some(year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn date_times() {
        let good = |text: &str, expected: &str, form| {
            let (time, found) = parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((time.to_string().as_str(), found), (expected, form), "{text}");
        };
        good("2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", Form::Standard);
        good("2026-11-21t23:59:59.999z", "2026-11-21T23:59:59Z", Form::Standard);
        good("2026-11-21T01:00:00+01:00", "2026-11-21T00:00:00Z", Form::Standard);
        good("2026-11-21T00:00:00-0030", "2026-11-21T00:30:00Z", Form::Odd);
        good("2026-11-21T00:00:00", "2026-11-21T00:00:00Z", Form::Odd); // Microsoft
        good("2026-11-21 00:00:00 UTC", "2026-11-21T00:00:00Z", Form::Odd);
        good("2026-11-21T24:00:00Z", "2026-11-22T00:00:00Z", Form::Odd);
        good("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z", Form::Standard);
        good("2028-02-29", "2028-02-29T00:00:00Z", Form::DateOnly);
        good("1795219200", "2026-11-21T00:00:00Z", Form::Odd);
        for year in 1970..2200 {
            for month in 1..=12 {
                let text = alloc::format!("{year}-{month:02}-28T12:34:56Z");
                good(&text, &text, Form::Standard);
            }
        }
        for bad in [
            "",
            "today",
            "2026-11-21T",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21T25:00:00Z",
            "2026-11-21T24:00:01Z",
            "2026-11-21T00:00:00X",
            "2026-11-21T00:00:00+99:00",
            "0001-01-01T00:00:00Z",
            "99999-01-01T00:00:00Z",
            "1970-01-01T00:00:00+01:00",
            "2026-11-2\u{fc}T00:00:00Z",
            "999999999999",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
