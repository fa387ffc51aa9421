//! When a letter is tried, and when it is given up: pure.

use std::time::Duration;

use smtp_types::UnixTime;

use crate::store::Suppression;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Over how long the first tries of a night are spread.
pub(super) const SPREAD: Duration = Duration::from_secs(4 * HOUR);

/// The longest time from any moment to the next try: what is further away was reckoned by a clock
/// that was wrong.
pub(super) const LONGEST_WAIT: u64 = 6 * HOUR;

/// How long after its first try a letter is given up.
const PATIENCE: Duration = Duration::from_secs(DAY);

/// So often a letter is tried at least, even if the clock jumps, or the machine was off for days.
const MIN_TRIES: u32 = 8;

/// The first time an address refuses a report, it gets none for 30 days.
const SUPPRESSED: u64 = 30 * DAY;

/// And never longer than this.
const LONGEST_SUPPRESSED: u64 = 2 * 365 * DAY;

/// When to try the first time, for a random number.
pub(super) fn first_try(now: UnixTime, random: u16) -> UnixTime {
    let spread = SPREAD.as_secs().saturating_mul(u64::from(random)) / u64::from(u16::MAX);
    now.plus(Duration::from_secs(spread))
}

/// When to try again after `tries` tries, the first of which was at `first`; `None` if it was tried
/// for long enough: for a day. `random` moves it by up to a fifth.
pub(super) fn next_try(now: UnixTime, first: UnixTime, tries: u32, random: u8) -> Option<UnixTime> {
    let doublings = tries.saturating_sub(1).min(16);
    let pause = ((5 * MINUTE) << doublings).min(4 * HOUR);
    let jitter = pause * 2 * u64::from(random) / 5 / u64::from(u8::MAX);
    let next = now.plus(Duration::from_secs(pause - pause / 5 + jitter));
    (next.since(first) <= PATIENCE || tries < MIN_TRIES).then_some(next)
}

/// As [`next_try`], and not before `pause` has passed, which whoever refuses the letter has asked for;
/// a few hours at most.
pub(super) fn next_try_after(
    now: UnixTime,
    first: UnixTime,
    tries: u32,
    random: u8,
    pause: Duration,
) -> Option<UnixTime> {
    let longest = Duration::from_secs(LONGEST_WAIT - HOUR);
    let asked = now.plus(pause.min(longest));
    next_try(now, first, tries, random).map(|next| next.max(asked))
}

/// For how long an address is suppressed, given the last time that it was: 30 days, then twice as long each time. One that took reports for as long as it
/// would have been suppressed begins again.
pub(super) fn suppress(before: Option<Suppression>, now: UnixTime) -> Suppression {
    let length = |times: u32| {
        let doublings = times.saturating_sub(1).min(16);
        Duration::from_secs((SUPPRESSED << doublings).min(LONGEST_SUPPRESSED))
    };
    let times = match before {
        // Several bounces of letters that were under way are one.
        Some(before) if before.until > now => return before,
        Some(Suppression { times, until }) if now.since(until) < length(times) => {
            times.saturating_add(1)
        }
        Some(_) | None => 1,
    };
    Suppression { times, until: now.plus(length(times)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_tried_for_a_day() {
        for (random, expected) in [(0, 13), (127, 11), (255, 10)] {
            let first = UnixTime(1_800_000_000);
            let (mut now, mut tries) = (first, 1);
            let mut pauses = Vec::new();
            while let Some(next) = next_try(now, first, tries, random) {
                pauses.push(next.since(now).as_secs() / MINUTE);
                assert!(next.since(now).as_secs() < LONGEST_WAIT);
                (now, tries) = (next, tries + 1);
            }
            assert!(now.since(first) <= PATIENCE);
            assert_eq!(tries, expected, "{random}");
            if random == 127 {
                assert_eq!(pauses[..9], [4, 9, 19, 39, 79, 159, 239, 239, 239]);
            }
        }
    }

    #[test]
    fn who_wants_to_be_left_alone_is_for_some_hours() {
        let now = UnixTime(1_800_000_000);
        let wait = |pause| {
            let next = next_try_after(now, now, 1, 127, Duration::from_secs(pause));
            next.unwrap().since(now).as_secs() / MINUTE
        };
        assert_eq!([wait(0), wait(3600), wait(DAY), wait(u64::MAX)], [4, 60, 300, 300]);
    }

    #[test]
    fn a_clock_that_jumps_costs_no_letter() {
        let first = UnixTime(1_800_000_000);
        let years_later = UnixTime(first.0 + 1_000_000_000);
        assert!(next_try(years_later, first, 1, 0).is_some());
        assert!(next_try(years_later, first, MIN_TRIES, 0).is_none());
        assert!(next_try(UnixTime(0), first, 30, 0).is_some());
    }

    #[test]
    fn first_tries_are_spread_over_four_hours() {
        let now = UnixTime(1_800_000_000);
        assert_eq!(first_try(now, 0), now);
        assert_eq!(first_try(now, u16::MAX).since(now), SPREAD);
        assert_eq!(first_try(now, 0x8000).since(now).as_secs() / MINUTE, 120);
    }

    #[test]
    fn suppression_doubles_and_ends() {
        let mut now = UnixTime(1_800_000_000);
        let mut before = None;
        for days in [30, 60, 120, 240, 480, 730, 730] {
            let suppression = suppress(before, now);
            assert_eq!(suppression.until.since(now).as_secs() / DAY, days);
            // Another bounce in the meantime changes nothing.
            assert_eq!(suppress(Some(suppression), now), suppression);
            before = Some(suppression);
            now = suppression.until.plus(Duration::from_secs(DAY));
        }
        let Suppression { times, until } =
            suppress(before, now.plus(Duration::from_secs(800 * DAY)));
        assert_eq!((times, until.since(now).as_secs() / DAY), (1, 830));
    }
}
