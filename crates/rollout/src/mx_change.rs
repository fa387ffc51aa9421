//! The steps of a move to other mail hosts, with the waits between them, for people to read first.
//!
//! The MTA-STS autopilot goes these steps by itself. But whoever plans a move wants to know on which
//! day it will end; and where there is no autopilot, somebody has to go them by hand.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use mta_sts::{MAX_AGE_LIMIT, Mode, MxPattern, Policy};
use smtp_types::DomainName;

use crate::watched::Span;

/// What is known before a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The hosts in the MX records now.
    pub from: BTreeSet<DomainName>,
    /// The hosts that are to be there.
    pub to: BTreeSet<DomainName>,
    /// The policy that is served; `None` if there is none.
    pub policy: Option<Policy>,
    /// How long any policy that was ever served may still be remembered: at least the `max_age` of
    /// the one that is served.
    pub remembered: Duration,
    /// The TTL of the record at `_mta-sts`.
    pub record_ttl: Duration,
    /// The TTL of the MX records.
    pub mx_ttl: Duration,
}

/// One step of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveStep {
    /// See that these hosts take mail for the domain, with what a policy demands.
    CheckHosts(BTreeSet<DomainName>),
    /// Serve this policy, and see it from outside.
    Serve(Policy),
    /// Publish a new id, and see it on every authoritative server.
    PublishNewId,
    /// Wait.
    Wait {
        /// For how long.
        span: Duration,
        /// What for.
        until: Until,
    },
    /// Change the MX records to these hosts, and see them on every authoritative server.
    ChangeMx(BTreeSet<DomainName>),
    /// These hosts need not take mail for the domain any more.
    ReleaseHosts(BTreeSet<DomainName>),
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Until {
    /// Nobody remembers a policy without the new hosts (RFC 8461 §8.1, §5.1).
    PoliciesAllowNewHosts,
    /// No cache leads to the old hosts any more.
    MxForgotten,
}

/// The steps of a move, in their order. Empty if nothing changes.
#[must_use]
pub fn plan_move(change: &Move) -> Vec<MoveStep> {
    let Move { from, to, policy, remembered, record_ttl, mx_ttl } = change;
    if from == to || to.is_empty() {
        return Vec::new();
    }
    let mut steps = Vec::new();
    let new: BTreeSet<_> = to.difference(from).cloned().collect();
    let old: BTreeSet<_> = from.difference(to).cloned().collect();
    if !new.is_empty() {
        steps.push(MoveStep::CheckHosts(new.clone()));
    }
    let policy = policy.as_ref().filter(|policy| policy.mode() != Mode::None);
    let forbidden = |policy: &&Policy| new.iter().any(|host| !policy.allows(host));
    if let Some(wider) = policy.filter(forbidden).and_then(|policy| with_hosts(policy, &new)) {
        steps.extend([MoveStep::Serve(wider), MoveStep::PublishNewId]);
        let span = record_ttl.saturating_add((*remembered).min(MAX_AGE_LIMIT));
        steps.push(MoveStep::Wait { span, until: Until::PoliciesAllowNewHosts });
    }
    steps.push(MoveStep::ChangeMx(to.clone()));
    if old.is_empty() {
        return steps;
    }
    steps.push(MoveStep::Wait { span: *mx_ttl, until: Until::MxForgotten });
    if let Some(narrower) = policy.and_then(|policy| for_hosts(policy, to)) {
        steps.extend([MoveStep::Serve(narrower), MoveStep::PublishNewId]);
    }
    steps.push(MoveStep::ReleaseHosts(old));
    steps
}

/// How long a move takes at least.
#[must_use]
pub fn duration(steps: &[MoveStep]) -> Duration {
    let wait = |step: &MoveStep| match step {
        MoveStep::Wait { span, .. } => *span,
        _ => Duration::ZERO,
    };
    steps.iter().map(wait).fold(Duration::ZERO, Duration::saturating_add)
}

/// The policy, and these hosts too.
fn with_hosts(policy: &Policy, hosts: &BTreeSet<DomainName>) -> Option<Policy> {
    let more = hosts.iter().filter(|host| !policy.allows(host)).filter_map(pattern);
    let mx = policy.mx().iter().cloned().chain(more).collect();
    Policy::new(policy.mode(), mx, policy.max_age().min(MAX_AGE_LIMIT))
}

/// The policy with what it needs for these hosts only; `None` if it is that already.
fn for_hosts(policy: &Policy, hosts: &BTreeSet<DomainName>) -> Option<Policy> {
    let is_needed = |pattern: &&MxPattern| hosts.iter().any(|host| pattern.matches(host));
    let kept: Vec<MxPattern> = policy.mx().iter().filter(is_needed).cloned().collect();
    let uncovered = |host: &&DomainName| !kept.iter().any(|pattern| pattern.matches(host));
    let more: Vec<MxPattern> = hosts.iter().filter(uncovered).filter_map(pattern).collect();
    if more.is_empty() && kept.len() == policy.mx().len() {
        return None;
    }
    let mx = kept.into_iter().chain(more).collect();
    Policy::new(policy.mode(), mx, policy.max_age().min(MAX_AGE_LIMIT))
}

fn pattern(host: &DomainName) -> Option<MxPattern> {
    MxPattern::parse(host.as_str()).ok()
}

impl fmt::Display for MoveStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, hosts: &BTreeSet<DomainName>| {
            hosts.iter().try_for_each(|host| write!(f, " {host}"))
        };
        match self {
            Self::CheckHosts(hosts) => {
                write!(f, "see that these hosts take the domain's mail with TLS:")?;
                list(f, hosts)
            }
            Self::Serve(policy) => {
                write!(f, "serve the policy with these hosts, and see it from outside:")?;
                policy.mx().iter().try_for_each(|pattern| write!(f, " {pattern}"))
            }
            Self::PublishNewId => {
                write!(f, "publish a new id, and see it on every authoritative server")
            }
            Self::Wait { span, until: Until::PoliciesAllowNewHosts } => {
                write!(f, "wait {}: policies without the new hosts are remembered", Span(*span))
            }
            Self::Wait { span, until: Until::MxForgotten } => {
                write!(f, "wait {}: caches lead to the old hosts", Span(*span))
            }
            Self::ChangeMx(hosts) => {
                write!(f, "change the MX records to:")?;
                list(f, hosts)
            }
            Self::ReleaseHosts(hosts) => {
                write!(f, "these hosts need not take the domain's mail any more:")?;
                list(f, hosts)
            }
        }
    }
}
