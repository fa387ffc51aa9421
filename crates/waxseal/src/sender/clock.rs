//! The time of day, or a fixed one for tests and demonstrations.

use std::time::{SystemTime, UNIX_EPOCH};

use smtp_types::UnixTime;

/// Where the time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Always this (`--at`).
    Fixed(UnixTime),
}

impl Clock {
    /// The time now. A clock before 1970 counts as 1970.
    #[must_use]
    pub fn now(self) -> UnixTime {
        match self {
            Self::Fixed(time) => time,
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                UnixTime(since.as_secs())
            }
        }
    }
}
