//! End dates: `2026-12-31`, to the end of that day in UTC.

use smtp_types::UnixTime;
use toml::de::DeValue;
use toml::value::Datetime;

/// The last second of the day that `value` names, as a TOML date or as text; `None` if it names
/// no day since 1970.
pub(super) fn last_second(value: &DeValue<'_>) -> Option<UnixTime> {
    let datetime = match value {
        DeValue::Datetime(datetime) => *datetime,
        DeValue::String(text) => text.parse::<Datetime>().ok()?,
        _ => return None,
    };
    let date = datetime.date.filter(|_| datetime.time.is_none())?;
    // Days are counted from 0000-03-01, so that the leap day is the last of its year.
    let (month, day) = (u64::from(date.month), u64::from(date.day));
    let year = u64::from(date.year).checked_sub(u64::from(month <= 2))?;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year;
    Some(UnixTime(days.checked_sub(719_468)? * 86_400 + 86_399))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        let table = [
            ("1970-01-01", Some("1970-01-01T23:59:59Z")),
            ("2000-02-29", Some("2000-02-29T23:59:59Z")),
            ("2026-12-31", Some("2026-12-31T23:59:59Z")),
            ("2100-03-01", Some("2100-03-01T23:59:59Z")),
            ("9999-12-31", Some("9999-12-31T23:59:59Z")),
            ("1969-12-31", None),
            ("0000-01-01", None),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-12-31T00:00:00Z", None),
            ("12:00:00", None),
            ("31.12.2026", None),
            ("", None),
        ];
        for (text, expected) in table {
            let value = DeValue::String(text.into());
            let found = last_second(&value).map(|time| time.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
