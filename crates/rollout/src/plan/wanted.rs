//! The records that a declared domain should have, and where to look for those that it has.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use mta_sts::PolicyId;
use smtp_types::{DnsName, DomainName, DomainNameError, Mx};

use super::declared::{Declared, PolicyHost, ReportUris, Service};
use super::rdata::{Kind, Rdata};

/// Why a record is as it must be, or has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Mail goes to these hosts.
    MailHosts,
    /// The policy host must be found (RFC 8461 §3.2).
    PolicyHost,
    /// An alias and other records at one name exclude each other (RFC 1034 §3.6.2).
    BesideAlias,
    /// Says that there is a policy, and which (RFC 8461 §3.1).
    PolicyRecord,
    /// The policy is withdrawn (RFC 8461 §8.3).
    PolicyWithdrawn,
    /// Asks senders for TLS reports (RFC 8460 §3).
    Reports,
    /// The same for DANE, whose policy domain is the host (RFC 8460 §4.4).
    HostReports,
    /// Keys for the certificates in use and the next ones (RFC 7671 §8).
    Tlsa,
    /// Where mail clients find a service (RFC 6186 §3, RFC 8314 §5.1).
    Service,
    /// The service is not offered (RFC 6186 §3.4).
    NoService,
    /// Who may issue the certificate of the policy host (RFC 8659 §4.2).
    Issuer,
    /// Which hosts send for the domain (RFC 7208 §3).
    Spf,
    /// The key of a signer (RFC 6376 §3.6.1).
    Dkim,
    /// What others do with mail that only claims to come from here (RFC 9989 §4.7).
    Dmarc,
}

impl Why {
    /// The reason, for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MailHosts => "mail goes to these hosts",
            Self::PolicyHost => "senders find the policy host by it",
            Self::BesideAlias => "an alias must be alone at its name",
            Self::PolicyRecord => "says that there is a policy, and which",
            Self::PolicyWithdrawn => "the policy is withdrawn",
            Self::Reports => "asks senders for TLS reports",
            Self::HostReports => "asks senders with DANE for TLS reports",
            Self::Tlsa => "the keys that the host shows, and the next ones",
            Self::Service => "mail clients find the service by it",
            Self::NoService => "the service is not offered",
            Self::Issuer => "says who may issue the policy host's certificate",
            Self::Spf => "says which hosts send for the domain",
            Self::Dkim => "the key of a signer",
            Self::Dmarc => "says what to do with mail that only claims to come from here",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much a record matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// What is declared does not work without it.
    Required,
    /// Good to have; never replaces what is there.
    Suggested,
}

/// What must come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// Nothing.
    AtOnce,
    /// The policy host gives the new policy to outside (RFC 8461 §8.1).
    AfterPolicyIsServed,
    /// Nobody can remember a policy any more (RFC 8461 §8.3).
    AfterCachesAreEmpty,
    /// A new MX host is allowed by every policy that is remembered; see the autopilot.
    AfterPoliciesAllowHosts,
}

/// What there should be at one name and type.
pub(crate) struct Wanted {
    pub(crate) name: DnsName,
    pub(crate) kind: Kind,
    pub(crate) records: BTreeSet<Rdata>,
    pub(crate) scope: Scope,
    pub(crate) weight: Weight,
    pub(crate) when: When,
    pub(crate) why: Why,
    pub(crate) ttl: u32,
}

/// Which of the records at a name and type are ours.
pub(crate) enum Scope {
    /// All.
    Whole,
    /// The texts that begin like this; several of them are as good as none.
    Texts(&'static str),
    /// Only those that are wanted.
    Additions,
}

/// All that a domain should have, in the order in which it may be published.
pub(crate) fn wanted(declared: &Declared) -> Result<Vec<Wanted>, DomainNameError> {
    let mut all = Vec::new();
    let mut add = |name: DomainName, why, scope, when, records: Vec<Rdata>, kind| {
        all.push(Wanted {
            name: name.into(),
            kind,
            ttl: if kind == Kind::Tlsa { declared.tlsa_ttl } else { declared.ttl },
            records: records.into_iter().collect(),
            weight: weight(why),
            scope,
            when,
            why,
        });
    };
    let domain = &declared.domain;
    if let Some(host) = &declared.policy_host {
        for (kind, records) in policy_host(host) {
            let why = if records.is_empty() { Why::BesideAlias } else { Why::PolicyHost };
            add(domain.below("mta-sts")?, why, Scope::Whole, When::AtOnce, records, kind);
        }
        if matches!(host, PolicyHost::Addresses(_)) && !declared.issuers.is_empty() {
            let name = domain.below("mta-sts")?;
            let records = declared.issuers.iter().map(issue).collect();
            add(name, Why::Issuer, Scope::Additions, When::AtOnce, records, Kind::Caa);
        }
    }
    if let Some(uris) = &declared.reports {
        let texts = Scope::Texts("v=TLSRPTv1;");
        let record = [Rdata::txt(&report_record(uris))].into();
        add(domain.below("_smtp._tls")?, Why::Reports, texts, When::AtOnce, record, Kind::Txt);
    }
    for host in &declared.tlsa {
        let name = host.host.below(&format!("_{}._tcp", host.port))?;
        let records = host.records.iter().map(|tlsa| Rdata::Tlsa(tlsa.to_rdata())).collect();
        add(name, Why::Tlsa, Scope::Whole, When::AtOnce, records, Kind::Tlsa);
        if let Some(uris) = declared.reports.as_ref().filter(|_| host.host != *domain) {
            let texts = Scope::Texts("v=TLSRPTv1;");
            let record = [Rdata::txt(&report_record(uris))].into();
            let name = host.host.below("_smtp._tls")?;
            add(name, Why::HostReports, texts, When::AtOnce, record, Kind::Txt);
        }
    }
    for service in Service::ALL.into_iter().filter(|_| !declared.services.is_empty()) {
        let records = srv(service, declared);
        let offered = declared.services.get(&service).is_some_and(|all| !all.is_empty());
        let why = if offered { Why::Service } else { Why::NoService };
        let name = domain.below(service.labels())?;
        add(name, why, Scope::Whole, When::AtOnce, records, Kind::Srv);
    }
    for (name, text) in &declared.dkim {
        let record = [Rdata::txt(text)].into();
        add(name.clone(), Why::Dkim, Scope::Whole, When::AtOnce, record, Kind::Txt);
    }
    let spf = [Rdata::txt("v=spf1 mx ~all")].into();
    if !declared.mx.is_empty() {
        let texts = Scope::Texts("v=spf1");
        add(domain.clone(), Why::Spf, texts, When::AtOnce, spf, Kind::Txt);
    }
    if let Some(address) = &declared.dmarc_reports {
        let record = [Rdata::txt(&format!("v=DMARC1; p=none; rua=mailto:{address}"))].into();
        let (name, texts) = (domain.below("_dmarc")?, Scope::Texts("v=DMARC1"));
        add(name, Why::Dmarc, texts, When::AtOnce, record, Kind::Txt);
    }
    if declared.policy_host.is_some() || declared.policy_id.is_some() {
        let id = declared.policy_id.as_ref();
        let (why, when) = match id {
            Some(_) => (Why::PolicyRecord, When::AfterPolicyIsServed),
            None => (Why::PolicyWithdrawn, When::AfterCachesAreEmpty),
        };
        let record = id.map(policy_record).into_iter().collect();
        add(domain.below("_mta-sts")?, why, Scope::Texts("v=STSv1;"), when, record, Kind::Txt);
    }
    if !declared.mx.is_empty() {
        let records = declared.mx.iter().filter_map(mx).collect();
        let when = When::AfterPoliciesAllowHosts;
        add(domain.clone(), Why::MailHosts, Scope::Whole, when, records, Kind::Mx);
    }
    Ok(all)
}

/// The names and types to ask authoritative servers for, themselves and not what aliases lead to.
///
/// # Errors
/// If the domain is so long that a name below it has more than 253 octets.
pub fn questions(declared: &Declared) -> Result<Vec<(DnsName, Kind)>, DomainNameError> {
    let wanted = wanted(declared)?;
    Ok(wanted.into_iter().map(|wanted| (wanted.name, wanted.kind)).collect())
}

const fn weight(why: Why) -> Weight {
    match why {
        Why::Spf | Why::Dmarc | Why::Issuer | Why::HostReports => Weight::Suggested,
        _ => Weight::Required,
    }
}

/// An alias stands alone; addresses stand without an alias.
fn policy_host(host: &PolicyHost) -> [(Kind, Vec<Rdata>); 3] {
    let (mut v4, mut v6, mut alias) = (Vec::new(), Vec::new(), Vec::new());
    match host {
        PolicyHost::Alias(target) => alias.push(Rdata::Cname(target.clone())),
        PolicyHost::Addresses(addresses) => {
            for address in addresses {
                match address {
                    IpAddr::V4(address) => v4.push(Rdata::A(*address)),
                    IpAddr::V6(address) => v6.push(Rdata::Aaaa(*address)),
                }
            }
        }
    }
    [(Kind::A, v4), (Kind::Aaaa, v6), (Kind::Cname, alias)]
}

fn policy_record(id: &PolicyId) -> Rdata {
    Rdata::txt(&format!("v=STSv1; id={id};"))
}

fn report_record(uris: &ReportUris) -> String {
    let uris: Vec<String> = uris.uris().iter().map(ToString::to_string).collect();
    format!("v=TLSRPTv1; rua={}", uris.join(","))
}

fn srv(service: Service, declared: &Declared) -> Vec<Rdata> {
    let endpoints = declared.services.get(&service).map(Vec::as_slice).unwrap_or_default();
    if endpoints.is_empty() {
        return [Rdata::Srv { priority: 0, weight: 0, port: 0, target: None }].into();
    }
    let records = endpoints.iter().map(|endpoint| Rdata::Srv {
        priority: service.priority(),
        weight: 1,
        port: endpoint.port,
        target: Some(endpoint.host.clone()),
    });
    records.collect()
}

fn issue(issuer: &super::declared::Issuer) -> Rdata {
    let account = issuer.account_uri.as_ref().map(|uri| format!("; accounturi={uri}"));
    let value = format!("{}{}", issuer.domain, account.unwrap_or_default());
    Rdata::Caa { flags: 0, tag: Box::from("issue"), value: value.into_bytes().into() }
}

/// A record for a host that is a domain name, or for the root.
fn mx(mx: &Mx) -> Option<Rdata> {
    let exchange = mx.exchange.as_ref().map(DnsName::to_domain_name).transpose().ok()?;
    Some(Rdata::Mx { preference: mx.preference, exchange })
}
