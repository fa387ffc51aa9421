//! For how long an answer is given again without asking the world.

use std::time::{Duration, Instant};

use smtp_types::Known;
use transport_policy::{Answer, Facts};

use crate::answer::Replies;

/// No answer is looked up more often than this, however short the TTLs are.
const LEAST: Duration = Duration::from_secs(60);

/// No answer is kept longer than this, however long the TTLs are: a policy that changes, or a
/// TLSA record that appears, is seen within the hour.
const MOST: Duration = Duration::from_secs(3600);

/// Mail that waits is looked at again soon.
const WHILE_WAITING: Duration = Duration::from_secs(15);

/// For how long an answer that is no longer fresh may stand in for one that does not come in time.
const BRIDGE: Duration = Duration::from_secs(86_400);

/// An answer in memory. Freshness is measured on the monotonic clock: setting the machine's clock
/// makes no answer younger or older.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) replies: Replies,
    fresh_until: Instant,
}

impl Kept {
    pub(super) fn new(replies: Replies, fresh_for: Duration) -> Self {
        Self { replies, fresh_until: Instant::now() + fresh_for }
    }

    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }

    /// Whether the answer is young enough to be given while the world does not answer.
    pub(super) fn may_bridge(&self) -> bool {
        self.fresh_until.elapsed() < BRIDGE
    }
}

/// For how long an answer is fresh: as long as the shortest-lived of the facts that it rests on,
/// within bounds. A failure among them is looked at again after the least time, also one of
/// earlier, because of which the policy host is left alone. `life` is for how long the policy and
/// the override behind the answer still hold.
pub(super) fn fresh_for(
    known: &Known,
    facts: Option<&Facts>,
    answer: &Answer,
    life: Duration,
) -> Duration {
    if *answer == Answer::Defer {
        return WHILE_WAITING;
    }
    let dns = known.all_dns().map(|(_, reply)| reply.as_ref().map_or(0, |answer| answer.ttl));
    let fetched = facts.and_then(|facts| facts.sts.fetched.as_ref());
    let failed_fetch = fetched.filter(|fetched| fetched.is_err()).map(|_| 0);
    let least = dns.chain(failed_fetch).min();
    let least = least.map_or(LEAST, |seconds| Duration::from_secs(seconds.into()));
    least.min(life).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp_types::{DnsAnswer, DnsFailure, DnsQuestion, Dnssec, DomainName, RecordType};

    fn known(ttls: &[Option<u32>]) -> Known {
        let mut known = Known::default();
        for (index, ttl) in ttls.iter().enumerate() {
            let name = DomainName::parse(&format!("host{index}.test")).unwrap();
            let question = DnsQuestion::new(name.clone(), RecordType::A);
            let reply = match ttl {
                Some(ttl) => Ok(DnsAnswer {
                    dnssec: Dnssec::Insecure,
                    canonical_name: name.into(),
                    name_exists: true,
                    records: Vec::new(),
                    ttl: *ttl,
                }),
                None => Err(DnsFailure::Temporary { detail: "timeout".into() }),
            };
            known.add_dns(question, reply);
        }
        known
    }

    #[test]
    fn the_shortest_lived_fact_decides_within_bounds() {
        let within = |ttls: &[Option<u32>], answer, life| {
            fresh_for(&known(ttls), None, &answer, Duration::from_secs(life)).as_secs()
        };
        let fresh = |ttls: &[Option<u32>], answer| within(ttls, answer, u64::MAX);
        assert_eq!(fresh(&[Some(300), Some(900)], Answer::NoPolicy), 300);
        assert_eq!(fresh(&[Some(1), Some(900)], Answer::NoPolicy), 60);
        assert_eq!(fresh(&[Some(u32::MAX)], Answer::DaneOnly), 3600);
        assert_eq!(fresh(&[Some(900), None], Answer::DaneOnly), 60);
        assert_eq!(fresh(&[Some(900)], Answer::Defer), 15);
        assert_eq!(fresh(&[], Answer::NoPolicy), 60);
        assert_eq!(within(&[Some(900)], Answer::NoPolicy, 600), 600);
        assert_eq!(within(&[Some(900)], Answer::NoPolicy, 0), 60);
    }
}
