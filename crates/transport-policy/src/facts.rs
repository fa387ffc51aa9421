//! All that was found out about a next hop.

use mta_sts::{CachedPolicy, FailedFetch, Refresh};
use smtp_types::{Known, Need, NextHop, UnixTime, both};

/// What DANE and MTA-STS say about one next hop. Nothing is judged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where the mail goes.
    pub next_hop: NextHop,
    /// The hosts, and what the signed DNS says about each.
    pub dane: smtp_dane::Discovery,
    /// The policy of the domain, live or remembered.
    pub sts: mta_sts::Discovery,
}

/// What is remembered of the policy domain from earlier times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The policy that was last fetched.
    pub policy: Option<CachedPolicy>,
    /// The last failed fetch since.
    pub failed: Option<FailedFetch>,
}

/// Finds out what both protocols say; their look-ups run side by side.
///
/// # Errors
/// What must be looked up first.
pub fn gather(
    known: &Known,
    next_hop: &NextHop,
    memory: &Memory,
    refresh: Refresh,
    now: UnixTime,
) -> Result<Facts, Need> {
    let Memory { policy, failed } = memory;
    let domain = next_hop.policy_domain();
    let (dane, sts) = both(
        smtp_dane::discover(known, next_hop),
        mta_sts::discover(known, domain, policy.as_ref(), failed.as_ref(), refresh, now),
    )?;
    Ok(Facts { next_hop: next_hop.clone(), dane, sts })
}
