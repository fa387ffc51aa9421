//! What a sender remembers of a policy, and for how long (RFC 8461 §3.3, §5.1, §10.2).

use alloc::string::String;
use core::time::Duration;

use smtp_types::UnixTime;

use crate::{FetchError, Policy, PolicyId};

/// The longest time for which a policy is kept, whatever it says (RFC 8461 §3.2: "maximum value
/// of 31557600", a year).
pub const MAX_AGE_LIMIT: Duration = Duration::from_secs(31_557_600);

/// How long after a failed fetch the same id is fetched again at the earliest. The RFC leaves
/// the number open; five minutes spare a policy host that is down.
pub const RETRY_AFTER: Duration = Duration::from_secs(300);

/// A policy that was fetched, and until when it binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedPolicy {
    /// The policy.
    pub policy: Policy,
    /// The id of the record that led to it.
    pub id: PolicyId,
    /// When it was last fetched.
    pub fetched: UnixTime,
    /// Who issued the policy host's certificate then, as the certificate names it.
    pub issuer: Option<String>,
}

impl CachedPolicy {
    /// Until when the policy binds: `max_age` after it was fetched, at most a year.
    ///
    /// A `max_age` of 0 expires at once: the policy holds for the delivery that fetched it.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.fetched.plus(self.policy.max_age().min(MAX_AGE_LIMIT))
    }

    /// Whether the policy binds at `now`. A clock that was set back does not end it.
    #[must_use]
    pub fn is_unexpired(&self, now: UnixTime) -> bool {
        now < self.expires()
    }

    /// When to fetch it again ahead of time, so that a passing outage cannot let it expire.
    ///
    /// §10.2 and §3.3 suggest once a day. `interval` is that day; a policy with a short life is
    /// refreshed at half of it. `spread`, 0 to 255, moves the time forward by up to a quarter, so
    /// that the policies of one busy hour are not all fetched in the same hour of the next day.
    #[must_use]
    pub fn refresh_due(&self, interval: Duration, spread: u8) -> UnixTime {
        let life = self.policy.max_age().min(MAX_AGE_LIMIT);
        let interval = interval.min(life / 2);
        let earlier = interval / 4 * u32::from(spread) / 255;
        self.fetched.plus(interval - earlier)
    }
}

/// A fetch that failed: what was tried, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedFetch {
    /// The id of the record that led to it.
    pub id: PolicyId,
    /// When.
    pub at: UnixTime,
    /// Why.
    pub error: FetchError,
    /// How many times in a row, at least 1.
    pub count: u32,
}

impl FailedFetch {
    /// Whether to leave the policy host alone at `now`: the same id failed less than
    /// [`RETRY_AFTER`] ago. Another id is another policy and is fetched at once.
    #[must_use]
    pub fn holds_back(&self, id: &PolicyId, now: UnixTime) -> bool {
        self.id == *id && now.since(self.at) < RETRY_AFTER && now >= self.at
    }
}
