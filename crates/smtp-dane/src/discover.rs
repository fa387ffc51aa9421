//! Finding the hosts of a next hop and their records (RFC 7672 §2.2), as need-driven evaluation.
//!
//! Three rounds as a rule: MX; the addresses of all hosts; the TLSA records of those whose
//! addresses are secure. Aliases may cost one more. A host that fails does not stop the others.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use smtp_types::{
    DnsAnswer, DnsFailure, DnsQuestion, Dnssec, DomainName, Known, Need, NextHop, RecordType, all,
};

use crate::host::{HostDane, host_dane};

/// How many hosts of one domain are looked at, the most preferred first. Nobody has so many; the
/// bound keeps one domain from costing thousands of look-ups.
pub const MAX_HOSTS: usize = 32;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// How the hosts were found.
    pub mx: MxLookup,
    /// The hosts by preference, then by name, each once. Empty if no mail gets there at all.
    pub hosts: Vec<HostDiscovery>,
    /// How many hosts beyond [`MAX_HOSTS`] were not looked at.
    pub hosts_left_out: usize,
}

/// How the hosts of a next hop were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MxLookup {
    /// There are MX records.
    Records {
        /// How far they can be trusted.
        dnssec: Dnssec,
    },
    /// There are none, so the domain itself is the host (RFC 5321 §5.1).
    Implicit {
        /// How far the word that there are none can be trusted.
        dnssec: Dnssec,
    },
    /// The next hop is a host; nobody asked for MX records.
    SmartHost,
    /// The domain says that it takes no mail (RFC 7505).
    NullMx,
    /// The domain does not exist; then it is no host either (RFC 5321 §5.1).
    NoSuchDomain {
        /// How far that word can be trusted.
        dnssec: Dnssec,
    },
    /// The look-up failed: it is not known where the mail goes.
    Failed(DnsFailure),
}

/// One host, and what it publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDiscovery {
    /// The preference of its MX record, lower first; 0 without MX records.
    pub preference: u16,
    /// Its name, as in the MX record.
    pub host: DomainName,
    /// Whether and how DANE can authenticate it.
    pub dane: HostDane,
}

/// Finds hosts, addresses and records.
///
/// MX records that are not secure do not end the search: a host with secure records can still be
/// authenticated, though not that it is the right host. What that is worth is decided by whoever
/// weighs the facts (RFC 7672 §2.2.1).
///
/// # Errors
/// What must be looked up first.
pub fn discover(known: &Known, next_hop: &NextHop) -> Result<Discovery, Need> {
    let domain = match next_hop {
        NextHop::Host { host, .. } => {
            return with_hosts(known, next_hop, MxLookup::SmartHost, &[(0, host)], &[host]);
        }
        NextHop::Domain { domain, .. } => domain,
    };
    let question = DnsQuestion::new(domain.clone(), RecordType::Mx);
    let answer = match known.dns(&question)? {
        Ok(answer) => answer,
        Err(failure) => return Ok(without_hosts(MxLookup::Failed(failure.clone()))),
    };
    let dnssec = answer.dnssec;
    if !answer.name_exists {
        return Ok(without_hosts(MxLookup::NoSuchDomain { dnssec }));
    }
    let Some(hosts) = hosts(answer) else {
        let mx = MxLookup::Implicit { dnssec };
        return with_hosts(known, next_hop, mx, &[(0, domain)], &[domain]);
    };
    if hosts.is_empty() {
        return Ok(without_hosts(MxLookup::NullMx));
    }
    // §3.2.2: behind a secure MX record the next-hop domain, and the name that it is an alias of,
    // may stand in the certificate, too; else the name of the host alone.
    let canonical_name = answer.canonical_name.to_domain_name().ok();
    let further_names = match dnssec {
        Dnssec::Secure => {
            Vec::from_iter([Some(domain), canonical_name.as_ref()].into_iter().flatten())
        }
        Dnssec::Insecure | Dnssec::Indeterminate | Dnssec::Bogus => Vec::new(),
    };
    let mx = MxLookup::Records { dnssec };
    let hosts: Vec<_> = hosts.iter().map(|(preference, host)| (*preference, host)).collect();
    with_hosts(known, next_hop, mx, &hosts, &further_names)
}

/// The hosts by preference, then by name; a host with two records counts with the better one.
/// A root among hosts is skipped: only alone it is a null MX (RFC 7505 §3). A name that is no
/// domain name counts as if its record were not there; `None` if no record is left.
fn hosts(answer: &DnsAnswer) -> Option<Vec<(u16, DomainName)>> {
    let mut preferences = BTreeMap::new();
    let mut found = false;
    for mx in answer.mx() {
        let Some(name) = &mx.exchange else {
            found = true;
            continue;
        };
        let Ok(host) = name.to_domain_name() else { continue };
        found = true;
        let preference = preferences.entry(host).or_insert(mx.preference);
        *preference = mx.preference.min(*preference);
    }
    let mut hosts: Vec<_> =
        preferences.into_iter().map(|(host, preference)| (preference, host)).collect();
    hosts.sort_unstable();
    found.then_some(hosts)
}

fn with_hosts(
    known: &Known,
    next_hop: &NextHop,
    mx: MxLookup,
    hosts: &[(u16, &DomainName)],
    further_names: &[&DomainName],
) -> Result<Discovery, Need> {
    let looked_at = hosts.iter().take(MAX_HOSTS);
    let found = all(looked_at.map(|(preference, host)| {
        let dane = host_dane(known, host, next_hop.port())?;
        Ok(HostDiscovery {
            preference: *preference,
            host: (*host).clone(),
            dane: dane.with_names(further_names.iter().copied()),
        })
    }))?;
    Ok(Discovery { mx, hosts: found, hosts_left_out: hosts.len().saturating_sub(MAX_HOSTS) })
}

const fn without_hosts(mx: MxLookup) -> Discovery {
    Discovery { mx, hosts: Vec::new(), hosts_left_out: 0 }
}
