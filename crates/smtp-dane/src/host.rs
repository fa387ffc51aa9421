//! What one host publishes (RFC 7672 §2.2.2 and §2.2.3), as need-driven evaluation.

use alloc::vec::Vec;
use core::fmt;

use smtp_types::{
    DnsAnswer, DnsFailure, DnsQuestion, DnsReply, Dnssec, DomainName, Known, Need, RecordData,
    RecordType, both,
};

use crate::{ReferenceIdentifiers, Rejected, Tlsa, UsableSet, tlsa_question, usable};

/// Whether and how a host can be authenticated by DANE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostDane {
    /// No mail gets there, so the host is left out of account.
    Unreachable {
        /// Why not.
        why: NoAddress,
    },
    /// A look-up that matters failed. It may be an attack: do not deliver to this host now
    /// (RFC 7672 §2.1.2), and above all do not deliver without protection.
    Failed {
        /// The question without an answer.
        question: DnsQuestion,
        /// What happened.
        failure: DnsFailure,
    },
    /// The host has no DANE: as if the sender had never heard of it.
    NotApplicable(NoDane),
    /// There are secure records, and none is usable: TLS is mandatory, without authentication
    /// (RFC 7672 §2.2).
    Unusable {
        /// The name below which the records stand.
        base_domain: DomainName,
        /// The records, each with the reason.
        rejected: Vec<Rejected>,
    },
    /// There are secure records, and at least one is usable: the host must match one of them.
    Usable {
        /// The name below which the records stand; also the name to send as SNI.
        base_domain: DomainName,
        /// The usable records, in the order of the answer; at least one.
        records: Vec<Tlsa>,
        /// The other records, each with the reason.
        rejected: Vec<Rejected>,
        /// The names that its certificate may bear, where names count.
        names: ReferenceIdentifiers,
    },
}

/// Why a host cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAddress {
    /// Its name does not exist.
    NoSuchName,
    /// It has an address in neither family.
    NoRecords,
}

/// Why a host has no DANE. RFC 7672 §2.1.1 makes no difference between insecure and
/// indeterminate; people want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDane {
    /// Its addresses are not secure, so its zone is not signed, and TLSA was not asked for.
    AddressNotSecure(Dnssec),
    /// It is an alias; neither its addresses nor the alias itself are secure.
    AliasNotSecure(Dnssec),
    /// It is proved that there is no TLSA record.
    TlsaAbsent,
    /// There may be TLSA records, but their zone is not signed.
    TlsaNotSecure(Dnssec),
    /// The name of the TLSA record would be too long to exist.
    NameTooLong,
}

/// Finds the addresses, then the records, of `host`.
pub(crate) fn host_dane(known: &Known, host: &DomainName, port: u16) -> Result<HostDane, Need> {
    let question = |record_type| DnsQuestion::new(host.clone(), record_type);
    let (a, aaaa) = (question(RecordType::A), question(RecordType::Aaaa));
    let (v4, v6) = both(known.dns(&a), known.dns(&aaaa))?;
    let addresses = match addresses((a, v4), (aaaa, v6)) {
        Ok(addresses) => addresses,
        Err(no_addresses) => return Ok(no_addresses),
    };
    let canonical_name = &addresses.canonical_name;
    match addresses.dnssec {
        Dnssec::Secure if *canonical_name == *host => at_base_domain(known, host, port),
        Dnssec::Secure => match canonical_name.to_domain_name() {
            Ok(expanded) => expanded_then_original(known, &expanded, host, port),
            // No certificate names what is no host.
            Err(_) => at_base_domain(known, host, port),
        },
        dnssec if *canonical_name == *host => {
            Ok(HostDane::NotApplicable(NoDane::AddressNotSecure(dnssec)))
        }
        dnssec => original_if_alias_secure(known, host, port, dnssec),
    }
}

/// The answer to go by, out of both families.
///
/// §2.1.2 wants a host skipped when its addresses cannot be had. One family is enough to reach
/// it, so only what fails in both is a failure: servers that answer A and fail for AAAA are many.
fn addresses<'r>(
    a: (DnsQuestion, &'r DnsReply),
    aaaa: (DnsQuestion, &'r DnsReply),
) -> Result<&'r DnsAnswer, HostDane> {
    let answers = [a.1, aaaa.1].into_iter().filter_map(|reply| reply.as_ref().ok());
    let with_address = answers.clone().filter(|answer| answer.addresses().next().is_some());
    // One name has one zone, so both are secure or none; if not, DANE is what was meant.
    if let Some(answer) = with_address.min_by_key(|answer| answer.dnssec != Dnssec::Secure) {
        return Ok(answer);
    }
    if answers.into_iter().any(|answer| !answer.name_exists) {
        let why = NoAddress::NoSuchName;
        return Err(HostDane::Unreachable { why });
    }
    let failed = [a, aaaa].into_iter().filter_map(|(question, reply)| {
        let failure = reply.as_ref().err()?.clone();
        Some((question, failure))
    });
    match failed.min_by_key(|(_, failure)| failure.dnssec() != Dnssec::Bogus) {
        Some((question, failure)) => Err(HostDane::Failed { question, failure }),
        None => Err(HostDane::Unreachable { why: NoAddress::NoRecords }),
    }
}

/// RFC 7671 §7: the name at the end of the aliases first, then the name at their beginning. Every
/// link of the chain is secure here, for the addresses are.
fn expanded_then_original(
    known: &Known,
    expanded: &DomainName,
    original: &DomainName,
    port: u16,
) -> Result<HostDane, Need> {
    match at_base_domain(known, expanded, port)? {
        HostDane::NotApplicable(_) => at_base_domain(known, original, port),
        found @ (HostDane::Unreachable { .. }
        | HostDane::Failed { .. }
        | HostDane::Unusable { .. }
        | HostDane::Usable { .. }) => Ok(found),
    }
}

/// §2.2.2: the addresses are not secure, but that may be the fault of where the alias leads. If
/// the alias itself is secure, the zone of the original name is signed, and may have records.
fn original_if_alias_secure(
    known: &Known,
    host: &DomainName,
    port: u16,
    dnssec: Dnssec,
) -> Result<HostDane, Need> {
    let question = DnsQuestion::new(host.clone(), RecordType::Cname);
    match known.dns(&question)? {
        Ok(alias) if alias.dnssec == Dnssec::Secure && is_alias(alias) => {
            at_base_domain(known, host, port)
        }
        Ok(_) => Ok(HostDane::NotApplicable(NoDane::AliasNotSecure(dnssec))),
        Err(failure) => Ok(HostDane::Failed { question, failure: failure.clone() }),
    }
}

fn is_alias(answer: &DnsAnswer) -> bool {
    let mut records = answer.records.iter();
    records.any(|record| matches!(record, RecordData::Cname(_)))
}

/// The records at one candidate for the TLSA base domain. The name asked for may itself be an
/// alias; the answer counts if it is secure to its end (RFC 7671 §7).
fn at_base_domain(known: &Known, base_domain: &DomainName, port: u16) -> Result<HostDane, Need> {
    let Ok(question) = tlsa_question(port, base_domain) else {
        return Ok(HostDane::NotApplicable(NoDane::NameTooLong));
    };
    let answer = match known.dns(&question)? {
        Ok(answer) => answer,
        Err(failure) => {
            let failure = failure.clone();
            return Ok(HostDane::Failed { question, failure });
        }
    };
    if answer.dnssec != Dnssec::Secure {
        return Ok(HostDane::NotApplicable(NoDane::TlsaNotSecure(answer.dnssec)));
    }
    if answer.tlsa().next().is_none() {
        return Ok(HostDane::NotApplicable(NoDane::TlsaAbsent));
    }
    let UsableSet { records, rejected } = usable(answer.tlsa());
    let base_domain = base_domain.clone();
    if records.is_empty() {
        return Ok(HostDane::Unusable { base_domain, rejected });
    }
    Ok(HostDane::Usable {
        names: ReferenceIdentifiers::new(base_domain.clone()),
        base_domain,
        records,
        rejected,
    })
}

impl HostDane {
    /// Adds further names that the certificate may bear (RFC 7672 §3.2.2).
    pub(crate) fn with_names<'n>(self, further: impl IntoIterator<Item = &'n DomainName>) -> Self {
        match self {
            Self::Usable { base_domain, records, rejected, names } => Self::Usable {
                base_domain,
                records,
                rejected,
                names: further.into_iter().fold(names, |names, name| names.and(name.clone())),
            },
            other @ (Self::Unreachable { .. }
            | Self::Failed { .. }
            | Self::NotApplicable(_)
            | Self::Unusable { .. }) => other,
        }
    }
}

impl NoDane {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AddressNotSecure(_) => "address-not-secure",
            Self::AliasNotSecure(_) => "alias-not-secure",
            Self::TlsaAbsent => "tlsa-absent",
            Self::TlsaNotSecure(_) => "tlsa-not-secure",
            Self::NameTooLong => "tlsa-name-too-long",
        }
    }
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName => write!(f, "the name does not exist"),
            Self::NoRecords => write!(f, "the host has no address"),
        }
    }
}

impl fmt::Display for NoDane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressNotSecure(dnssec) => {
                write!(f, "the addresses are {}", dnssec.as_str())
            }
            Self::AliasNotSecure(dnssec) => {
                write!(
                    f,
                    "the addresses are {}, and so is the alias that leads to them",
                    dnssec.as_str()
                )
            }
            Self::TlsaAbsent => write!(f, "there is no TLSA record"),
            Self::TlsaNotSecure(dnssec) => {
                write!(f, "the answer for TLSA is {}", dnssec.as_str())
            }
            Self::NameTooLong => {
                write!(f, "the name of the TLSA record would have over 253 octets")
            }
        }
    }
}

impl fmt::Display for HostDane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { why } => write!(f, "not reachable: {why}"),
            Self::Failed { question, failure } => write!(f, "{question}: {failure}"),
            Self::NotApplicable(why) => write!(f, "no DANE: {why}"),
            Self::Unusable { base_domain, rejected } => {
                let count = rejected.len();
                write!(f, "{count} TLSA at {base_domain}, none usable")
            }
            Self::Usable { base_domain, records, .. } => {
                write!(f, "{} usable TLSA at {base_domain}", records.len())
            }
        }
    }
}
