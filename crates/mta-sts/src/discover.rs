//! Finding the policy that applies to a domain (RFC 8461 §3 and §5.1), as need-driven evaluation.

use alloc::string::{String, ToString};
use core::fmt;

use smtp_types::{DnsFailure, DomainName, Known, Need, UnixTime};

use crate::fetch::{FetchError, accept, policy_question};
use crate::record::{NoRecord, Record, record_question, select};
use crate::{CachedPolicy, FailedFetch, Policy, PolicyId};

/// When to fetch although the cached policy has the id of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Only if the id differs from that of the cached policy (§3.3, §5.1).
    IfChanged,
    /// In any case, even if the record is gone: the refresh ahead of time of §10.2.
    Always,
}

/// What was found, and what applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The record, or why there is none.
    pub record: Result<Record, RecordFailure>,
    /// What the policy host gave; `None` if it was not asked.
    pub fetched: Option<Result<Policy, FetchError>>,
    /// Who issued the certificate of the policy host, if it answered.
    pub issuer: Option<String>,
    /// The policy that applies, or `None`: deliver as if the domain had never heard of MTA-STS.
    pub applied: Option<Applied>,
}

/// The policy that applies, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The policy.
    pub policy: Policy,
    /// Its id.
    pub id: PolicyId,
    /// Where it comes from.
    pub source: Source,
}

/// Where an applied policy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Fetched just now.
    Live,
    /// From memory; the record still has its id.
    Cache,
    /// From memory, because the record or the policy could not be had today (§5.1).
    CacheOnly,
}

/// Why there is no record to go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFailure {
    /// The name `_mta-sts.<domain>` would be too long to exist.
    NameTooLong,
    /// The DNS answered, and there is no usable record.
    None(NoRecord),
    /// The DNS failed.
    Dns(DnsFailure),
}

impl fmt::Display for RecordFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTooLong => write!(f, "the name of the record would have over 253 octets"),
            Self::None(reason) => reason.fmt(f),
            Self::Dns(failure) => failure.fmt(f),
        }
    }
}

impl core::error::Error for RecordFailure {}

/// The flow of §5.1: record, then policy unless the id is known, then memory.
///
/// `cached` is the remembered policy of this domain, if any; `failed` its last failed fetch
/// since. Only a policy fetched over HTTPS ever takes the place of an unexpired one.
///
/// # Errors
/// What must be looked up first.
pub fn discover(
    known: &Known,
    domain: &DomainName,
    cached: Option<&CachedPolicy>,
    failed: Option<&FailedFetch>,
    refresh: Refresh,
    now: UnixTime,
) -> Result<Discovery, Need> {
    let cached = cached.filter(|cached| cached.is_unexpired(now));
    let record = look_up_record(known, domain)?;
    let from_memory = |source| cached.map(|cached| Applied::remembered(cached, source));
    let found = |record, applied| Discovery { record, fetched: None, issuer: None, applied };

    let id = match (&record, cached) {
        (Ok(record), Some(cached))
            if *record.id() == cached.id && refresh == Refresh::IfChanged =>
        {
            return Ok(found(Ok(record.clone()), from_memory(Source::Cache)));
        }
        (Ok(record), _) => record.id().clone(),
        (Err(_), Some(cached)) if refresh == Refresh::Always => cached.id.clone(),
        (Err(_), _) => return Ok(found(record, from_memory(Source::CacheOnly))),
    };
    if let Some(failed) = failed.filter(|failed| failed.holds_back(&id, now)) {
        let fetched = Some(Err(failed.error.clone()));
        return Ok(Discovery { fetched, ..found(record, from_memory(Source::CacheOnly)) });
    }
    let Ok(question) = policy_question(domain) else {
        return Ok(found(record, from_memory(Source::CacheOnly)));
    };
    let reply = known.https(&question)?;
    let issuer = reply.as_ref().ok().and_then(|answer| answer.issuer.clone());
    let fetched = accept(reply);
    let applied = match &fetched {
        Ok(policy) => Some(Applied { policy: policy.clone(), id, source: Source::Live }),
        Err(_) => from_memory(Source::CacheOnly),
    };
    Ok(Discovery { record, fetched: Some(fetched), issuer, applied })
}

impl Applied {
    fn remembered(cached: &CachedPolicy, source: Source) -> Self {
        Self { policy: cached.policy.clone(), id: cached.id.clone(), source }
    }
}

/// §3.1: the record of the domain itself; there is no policy of a parent domain (§3.4).
fn look_up_record(
    known: &Known,
    domain: &DomainName,
) -> Result<Result<Record, RecordFailure>, Need> {
    let Ok(question) = record_question(domain) else {
        return Ok(Err(RecordFailure::NameTooLong));
    };
    Ok(match known.dns(&question)? {
        Ok(answer) => select(answer.txt()).map_err(RecordFailure::None),
        Err(failure) => Err(RecordFailure::Dns(failure.clone())),
    })
}

impl Discovery {
    /// What to remember from now on, if a policy was fetched.
    #[must_use]
    pub fn to_cache(&self, now: UnixTime) -> Option<CachedPolicy> {
        let applied = self.applied.as_ref().filter(|applied| applied.source == Source::Live)?;
        Some(CachedPolicy {
            policy: applied.policy.clone(),
            id: applied.id.clone(),
            fetched: now,
            issuer: self.issuer.clone(),
        })
    }

    /// One line for people: what applies and why.
    #[must_use]
    pub fn summary(&self) -> String {
        match (&self.applied, &self.record, &self.fetched) {
            (Some(applied), _, _) => {
                let mode = applied.policy.mode().as_str();
                let source = match applied.source {
                    Source::Live => "fetched now",
                    Source::Cache => "remembered, id unchanged",
                    Source::CacheOnly => "remembered; not to be had today",
                };
                alloc::format!("policy {} in mode {mode} ({source})", applied.id)
            }
            (None, Err(reason), _) => alloc::format!("no policy: {reason}"),
            (None, Ok(_), Some(Err(error))) => alloc::format!("no policy: {error}"),
            (None, Ok(_), _) => "no policy".to_string(),
        }
    }
}
