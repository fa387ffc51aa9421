//! Evaluating once, for verbs that look something up and end.

use std::fmt;
use std::time::Duration;

use clap::ArgMatches;
use smtp_types::{Known, Need, UnixTime};
use tokio::runtime::Runtime;

use super::wiring;
use crate::config::Config;
use crate::observe::{Bounds, ObserveError, Observer};
use crate::sender::Clock;

/// How long an evaluation may take. RFC 7208 §4.6.4 wants at least 20 s for SPF.
const DEADLINE: Duration = Duration::from_secs(25);

/// Whoever looks up for one evaluation.
pub(super) struct Looking {
    observer: Observer,
    runtime: Runtime,
}

/// Why there is no result.
pub(super) enum GivenUp {
    /// The domain's owner wants more look-ups than anybody makes.
    Bounds(ObserveError),
    /// It took too long.
    Deadline,
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bounds(error) => error.fmt(f),
            Self::Deadline => write!(f, "look-ups: no result within {} s", DEADLINE.as_secs()),
        }
    }
}

impl Looking {
    /// By these settings.
    ///
    /// # Errors
    /// What is wrong with them, for people.
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let mut observer = wiring::observer(config, None).map_err(|error| error.to_string())?;
        observer.bounds = Bounds::SENDER_AUTH;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { observer, runtime })
    }

    /// Calls `evaluation` until it has all that it needs.
    pub(super) fn evaluate<T>(
        &self,
        evaluation: impl FnMut(&Known) -> Result<T, Need>,
    ) -> Result<T, GivenUp> {
        let mut known = Known::default();
        let evaluated = async {
            tokio::time::timeout(DEADLINE, self.observer.evaluate(&mut known, evaluation)).await
        };
        match self.runtime.block_on(evaluated) {
            Ok(result) => result.map_err(GivenUp::Bounds),
            Err(_) => Err(GivenUp::Deadline),
        }
    }
}

/// The time of `--at`, else that of the system.
pub(super) fn now(matches: &ArgMatches) -> UnixTime {
    let at = matches.get_one::<u64>("at").copied().map(UnixTime);
    at.map_or(Clock::System, Clock::Fixed).now()
}
