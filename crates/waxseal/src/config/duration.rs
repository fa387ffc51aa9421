//! Durations as people write them: a whole number and one unit, `500ms`, `10s`, `5m`, `24h`, `7d`.

use std::time::Duration;

/// The units, longest first, in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration; `None` if the text is none, or longer than any clock runs.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let unit_start = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_start);
    let (_, milliseconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let number: u64 = number.parse().ok()?;
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

/// Prints a duration in the longest unit that needs no fraction. What is finer than a
/// millisecond is cut off.
pub(super) fn print(duration: Duration) -> String {
    let total = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, milliseconds) = UNITS
        .into_iter()
        .find(|(_, milliseconds)| total != 0 && total.is_multiple_of(*milliseconds))
        .unwrap_or(("s", 1_000));
    format!("{}{unit}", total / milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good() {
        let table = [
            ("0s", 0, "0s"),
            ("500ms", 500, "500ms"),
            ("1000ms", 1_000, "1s"),
            ("90s", 90_000, "90s"),
            ("10m", 600_000, "10m"),
            ("24h", 86_400_000, "1d"),
            ("7d", 604_800_000, "7d"),
        ];
        for (text, milliseconds, printed) in table {
            let duration = parse(text).unwrap();
            assert_eq!(duration, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(print(duration), printed, "{text}");
        }
    }

    #[test]
    fn bad() {
        let too_long = "99999999999999d";
        for text in
            ["", "10", "s", "1.5s", "-1s", "+1s", "1 s", "1h30m", "10S", "10sec", "١s", too_long]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parse_after_print_is_identity(milliseconds in any::<u64>()) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&print(duration)), Some(duration));
        }
    }
}
