//! For how long an answer is given again without asking the world.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smtp_types::Known;
use transport_policy::Answer;

use crate::answer::Replies;

/// No answer is looked up more often than this, however short the TTLs are.
const LEAST: Duration = Duration::from_secs(60);

/// No answer is kept longer than this, however long the TTLs are: a policy that changes, or a
/// TLSA record that appears, is seen within the hour.
const MOST: Duration = Duration::from_secs(3600);

/// After a failure the next question looks again soon.
const AFTER_FAILURE: Duration = Duration::from_secs(15);

/// An answer in memory. Freshness is measured on the monotonic clock: setting the machine's clock
/// makes no answer younger or older.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) replies: Arc<Replies>,
    fresh_until: Instant,
}

impl Kept {
    pub(super) fn new(replies: Arc<Replies>, fresh_for: Duration) -> Self {
        Self { replies, fresh_until: Instant::now() + fresh_for }
    }

    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }
}

/// For how long an answer is fresh: as long as the shortest-lived of the facts that it rests on,
/// within bounds; shortly if any of them is a failure.
pub(super) fn fresh_for(known: &Known, answer: &Answer) -> Duration {
    let failed = known.all_dns().any(|(_, reply)| reply.is_err());
    if *answer == Answer::Defer || failed {
        return AFTER_FAILURE;
    }
    if known.all_https().any(|(_, reply)| reply.is_err()) {
        return LEAST;
    }
    let ttls =
        known.all_dns().filter_map(|(_, reply)| reply.as_ref().ok()).map(|answer| answer.ttl);
    let least = ttls.min().map_or(LEAST, |seconds| Duration::from_secs(seconds.into()));
    least.clamp(LEAST, MOST)
}
