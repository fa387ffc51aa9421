//! The comparison, one function for each part of a promise.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use mta_sts::{FetchError, Mode, MxPattern, Policy, PolicyId, select};
use smtp_dane::{CertUsage, MatchingType, Selector, Tlsa};
use smtp_types::{Dnssec, DomainName, UnixTime};

use super::drift::Drift;
use crate::sts::Probe;
use crate::tlsa::{KeyDigest, Presented, ServerSeen};

/// A certificate that ends sooner is told: 14 days. Renewal at two thirds of a life of 45 days
/// leaves 15.
pub const WARN_BEFORE_END: Duration = Duration::from_secs(14 * 86_400);

/// What a domain has promised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// The policy that is published; `None` if there is to be none.
    pub policy: Option<PolicyPromise>,
    /// The declared hosts; empty if the MX records are not watched.
    pub mx: Vec<MxPattern>,
    /// The TLSA records of each host; only hosts with records.
    pub tlsa: BTreeMap<DomainName, BTreeSet<Tlsa>>,
    /// The name servers of the zone; empty if they are not watched.
    pub name_servers: BTreeSet<DomainName>,
}

/// A published policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPromise {
    /// The policy.
    pub policy: Policy,
    /// Its id.
    pub id: PolicyId,
}

/// What outside sees of a domain. Whatever could not be looked up is `None` or not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What a fetch by RFC 8461 §3.3 gives.
    pub policy: Option<Result<Policy, FetchError>>,
    /// The texts at `_mta-sts`, for each authoritative server that answered.
    pub records: BTreeMap<DomainName, Vec<Box<[u8]>>>,
    /// The MX hosts and what a probe of each found.
    pub mx: Option<BTreeMap<DomainName, Probe>>,
    /// Certificates of policy host and MX hosts.
    pub certificates: Vec<CertificateSeen>,
    /// The texts at `_smtp._tls`.
    pub report_texts: Option<Vec<Box<[u8]>>>,
    /// Hosts with TLSA records, promised or not.
    pub hosts: BTreeMap<DomainName, HostSeen>,
    /// The name servers, as the parent names them.
    pub name_servers: Option<BTreeSet<DomainName>>,
}

/// A certificate that a host shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSeen {
    /// The host.
    pub host: DomainName,
    /// Its end of validity.
    pub ends: UnixTime,
}

/// What is seen of a host with TLSA records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSeen {
    /// How far the answers can be trusted.
    pub dnssec: Dnssec,
    /// What each authoritative server shows.
    pub servers: Vec<ServerSeen>,
    /// What the server shows on each address; empty if it could not be seen.
    pub presented: Vec<Presented>,
}

/// Every difference, errors first.
#[must_use]
pub fn inspect(promise: &Promise, seen: &Seen, now: UnixTime) -> Vec<Drift> {
    let mut drifts = Vec::new();
    if let Some(published) = &promise.policy {
        policy(published, seen, &mut drifts);
        if published.policy.mode() != Mode::None {
            report_record(seen, &mut drifts);
        }
    }
    mx(promise, seen, &mut drifts);
    certificates(seen, now, &mut drifts);
    for (host, records) in &promise.tlsa {
        if let Some(host_seen) = seen.hosts.get(host) {
            tlsa(host, records, host_seen, &mut drifts);
        }
    }
    name_servers(promise, seen, &mut drifts);
    drifts.sort_by_key(|drift| core::cmp::Reverse(drift.severity()));
    drifts
}

/// RFC 8461 §8.1: a policy is changed in two places, and senders see both or neither.
fn policy(promise: &PolicyPromise, seen: &Seen, drifts: &mut Vec<Drift>) {
    let mut ids = BTreeSet::new();
    for (server, texts) in &seen.records {
        match select(texts.iter().map(|text| &**text)) {
            Ok(record) => drop(ids.insert(record.id().clone())),
            Err(why) => drifts.push(Drift::RecordGone { server: server.clone(), why }),
        }
    }
    if ids.len() > 1 {
        drifts.push(Drift::ServersDisagree { ids: ids.iter().cloned().collect() });
    }
    let other = ids.iter().find(|id| **id != promise.id);
    match &seen.policy {
        None => {}
        Some(Err(error)) => drifts.push(Drift::PolicyUnreachable(error.clone())),
        Some(Ok(found)) if *found == promise.policy => {
            let expected = &promise.id;
            drifts.extend(other.map(|found| Drift::IdWithoutPolicy {
                expected: expected.clone(),
                found: found.clone(),
            }));
        }
        Some(Ok(found)) => drifts.push(match other {
            Some(id) => Drift::OtherPolicy { found: found.clone(), id: id.clone() },
            None => Drift::PolicyWithoutId { found: found.clone(), id: promise.id.clone() },
        }),
    }
}

fn report_record(seen: &Seen, drifts: &mut Vec<Drift>) {
    let Some(texts) = &seen.report_texts else {
        return;
    };
    if let Err(why) = tlsrpt::select(texts.iter().map(|text| &**text)) {
        drifts.push(Drift::NoReportRecord(why));
    }
}

/// RFC 8461 §4.1, §4.2: what each MX host must be, by what is served, for that is what senders see.
fn mx(promise: &Promise, seen: &Seen, drifts: &mut Vec<Drift>) {
    let Some(hosts) = &seen.mx else {
        return;
    };
    let served = seen.policy.as_ref().and_then(|found| found.as_ref().ok());
    let policy = served.or(promise.policy.as_ref().map(|promise| &promise.policy));
    let mode = policy.map_or(Mode::None, Policy::mode);
    for (host, probe) in hosts {
        if !promise.mx.is_empty() && !promise.mx.iter().any(|pattern| pattern.matches(host)) {
            drifts.push(Drift::HostUndeclared(host.clone()));
        }
        if mode != Mode::None && !policy.is_some_and(|policy| policy.allows(host)) {
            drifts.push(Drift::HostNotAllowed { host: host.clone(), mode });
        }
        if let Probe::Bad(fault) = probe {
            let (host, fault) = (host.clone(), fault.clone());
            drifts.push(Drift::HostBad { host, fault, mode });
        }
    }
    let unused = |pattern: &&MxPattern| !hosts.keys().any(|host| pattern.matches(host));
    drifts.extend(promise.mx.iter().filter(unused).cloned().map(Drift::HostMissing));
}

fn certificates(seen: &Seen, now: UnixTime, drifts: &mut Vec<Drift>) {
    for CertificateSeen { host, ends } in &seen.certificates {
        let left = ends.since(now);
        if left < WARN_BEFORE_END {
            drifts.push(Drift::CertificateEnds { host: host.clone(), left });
        }
    }
}

/// RFC 7671 §8: the records of a host, the same on every server, fit what it shows.
fn tlsa(host: &DomainName, promised: &BTreeSet<Tlsa>, seen: &HostSeen, drifts: &mut Vec<Drift>) {
    match seen.dnssec {
        Dnssec::Secure | Dnssec::Indeterminate => {}
        Dnssec::Insecure => drifts.push(Drift::SigningLost(host.clone())),
        Dnssec::Bogus => drifts.push(Drift::SigningBroken(host.clone())),
    }
    let answers = || {
        seen.servers.iter().filter_map(|server| match server {
            ServerSeen::Records(records) => Some(records),
            ServerSeen::Unknown => None,
        })
    };
    let missing = promised.iter().filter(|record| !answers().all(|all| all.contains(record)));
    drifts.extend(
        missing.map(|record| Drift::TlsaMissing { host: host.clone(), record: record.clone() }),
    );
    let found: BTreeSet<&Tlsa> = answers().flatten().collect();
    let foreign = found.into_iter().filter(|record| !promised.contains(record));
    drifts.extend(
        foreign.map(|record| Drift::TlsaForeign { host: host.clone(), record: record.clone() }),
    );
    let unfit = |one: &&Presented| answers().any(|records| is_unfit(records, one));
    let keys: BTreeSet<KeyDigest> =
        seen.presented.iter().filter(unfit).map(|one| one.key).collect();
    drifts.extend(keys.into_iter().map(|key| Drift::TlsaMismatch { host: host.clone(), key }));
}

/// Whether senders that have these records refuse this chain. Records of another kind than digests
/// of keys could fit, too: then it is not certain. Where no record is usable, none forbids (RFC 7672
/// §2.2).
fn is_unfit(records: &[Tlsa], one: &Presented) -> bool {
    let fits = |record: &Tlsa| {
        let kind = (record.usage(), record.selector(), record.matching_type());
        match kind {
            (CertUsage::DaneEe, Selector::Spki, MatchingType::Sha256) => record.data() == one.key.0,
            (CertUsage::DaneTa, Selector::Spki, MatchingType::Sha256) => {
                one.anchors.iter().any(|anchor| record.data() == anchor.0)
            }
            _ => true,
        }
    };
    let mut usable = records
        .iter()
        .filter(|record| !matches!(record.usage(), CertUsage::PkixTa | CertUsage::PkixEe));
    usable.clone().next().is_some() && !usable.any(fits)
}

fn name_servers(promise: &Promise, seen: &Seen, drifts: &mut Vec<Drift>) {
    let Some(found) = &seen.name_servers else {
        return;
    };
    let declared = &promise.name_servers;
    if !declared.is_empty() && declared != found {
        let unknown = found.difference(declared).cloned().collect();
        let missing = declared.difference(found).cloned().collect();
        drifts.push(Drift::NameServers { unknown, missing });
    }
}
