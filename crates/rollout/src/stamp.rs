//! Policy ids that say when, and never go back (ledger S1-37, S1-38).
//!
//! RFC 8461 §3.1 wants nothing of an id but that it differs from the one before. A UTC time stamp
//! as in its Appendix A, `20160831085700Z`, tells people more; and senders that remember may take
//! one that goes back for a replayed old state. So each new stamp is later than the last one, even
//! if the clock is not.

use alloc::string::{String, ToString};

use mta_sts::PolicyId;
use smtp_types::UnixTime;

/// The id for a policy that changes `now`, later than `last`, and later than `seen`, an id that the
/// DNS shows, if that is a stamp.
pub(crate) fn next_stamp(
    last: Option<UnixTime>,
    seen: Option<&PolicyId>,
    now: UnixTime,
) -> UnixTime {
    let seen = seen.and_then(stamp_of);
    let last = last.max(seen).map(|last| UnixTime(last.0.saturating_add(1)));
    last.map_or(now, |least| now.max(least))
}

/// The id that this time gives: `YYYYMMDDhhmmssZ`.
pub(crate) fn policy_id(stamp: UnixTime) -> PolicyId {
    let text: String = stamp.to_string().chars().filter(char::is_ascii_digit).collect();
    PolicyId::parse(&(text + "Z")).unwrap_or_else(|| policy_id(UnixTime(0)))
}

/// The time that an id stands for, with or without the `Z`. Ids that look like a time beyond the
/// year 2999 are not: somebody's clock was wrong, or they are a number.
pub(crate) fn stamp_of(id: &PolicyId) -> Option<UnixTime> {
    let text = id.as_str();
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if digits.len() != 14 || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let real = (1970..3000).contains(&year) && (1..=12).contains(&month);
    if !real || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days are counted from 0000-03-01, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(UnixTime(days * 86_400 + hour * 3_600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> PolicyId {
        PolicyId::parse(text).unwrap()
    }

    #[test]
    fn stamps() {
        for (seconds, text) in [
            (0, "19700101000000Z"),
            (951_782_400, "20000229000000Z"),
            (1_795_289_400, "20261121193000Z"),
        ] {
            assert_eq!(policy_id(UnixTime(seconds)), id(text));
            assert_eq!(stamp_of(&id(text)), Some(UnixTime(seconds)));
        }
        for text in ["1", "abc", "20261321193000Z", "99991121193000Z", "2026112119300Z"] {
            assert_eq!(stamp_of(&id(text)), None, "{text}");
        }
        assert_eq!(policy_id(UnixTime(u64::MAX)).as_str().len(), 23);
    }

    #[test]
    fn a_stamp_is_later_than_every_one_before() {
        let now = UnixTime(1_795_289_400);
        assert_eq!(next_stamp(None, None, now), now);
        assert_eq!(next_stamp(None, Some(&id("7")), now), now);
        assert_eq!(next_stamp(Some(now), None, now), UnixTime(now.0 + 1));
        assert_eq!(next_stamp(Some(now), None, UnixTime(5)), UnixTime(now.0 + 1));
        let future = id("20991231000000Z");
        assert!(next_stamp(Some(now), Some(&future), now) > stamp_of(&future).unwrap());
    }
}
