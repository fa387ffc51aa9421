//! What an operator runs, as far as the DNS has to know it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;

use mta_sts::PolicyId;
use smtp_dane::Tlsa;
use smtp_types::{DomainName, EmailAddress, Mx};
use tlsrpt::ReportUri;

/// A declared domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The domain.
    pub domain: DomainName,
    /// Its MX records; empty: they are left as they are.
    pub mx: Vec<Mx>,
    /// Where the policy host is; `None`: no MTA-STS.
    pub policy_host: Option<PolicyHost>,
    /// The id of the policy; `None`: there is no policy, and the record must not be there.
    pub policy_id: Option<PolicyId>,
    /// Where TLS reports go; `None`: nowhere.
    pub reports: Option<ReportUris>,
    /// TLSA records of hosts whose zone is the operator's.
    pub tlsa: Vec<HostTlsa>,
    /// Services for mail clients. If there is any, those that are not there are told to be not
    /// offered. Empty: SRV records are left as they are.
    pub services: BTreeMap<Service, Vec<Endpoint>>,
    /// Who may issue the certificate of the policy host; empty: no suggestion.
    pub issuers: Vec<Issuer>,
    /// DKIM records that signers of the operator need, as name and text.
    pub dkim: BTreeMap<DomainName, Box<str>>,
    /// Where DMARC reports go, for the suggestion of a record; `None`: no suggestion.
    pub dmarc_reports: Option<EmailAddress>,
    /// The TTL of new records in seconds. An hour is good.
    pub ttl: u32,
    /// The TTL of new TLSA records in seconds; short, so that an emergency is short (RFC 7671 §13;
    /// TR-03108 05-M gives 600 as an example).
    pub tlsa_ttl: u32,
}

/// Where the policy host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyHost {
    /// At these addresses; at least one.
    Addresses(BTreeSet<IpAddr>),
    /// Where this name leads (RFC 8461 §8.2).
    Alias(DomainName),
}

/// Where reports go; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportUris(Vec<ReportUri>);

impl ReportUris {
    /// `None` if there is none.
    #[must_use]
    pub fn new(uris: Vec<ReportUri>) -> Option<Self> {
        (!uris.is_empty()).then_some(Self(uris))
    }

    /// The addresses, in the order of the record.
    #[must_use]
    pub fn uris(&self) -> &[ReportUri] {
        &self.0
    }
}

/// The TLSA records of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTlsa {
    /// The host.
    pub host: DomainName,
    /// The port; 25 for mail from other servers.
    pub port: u16,
    /// The records, all of them.
    pub records: BTreeSet<Tlsa>,
}

/// A service for mail clients (RFC 6186 §3, RFC 8314 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Submission with implicit TLS, port 465.
    Submissions,
    /// IMAP with implicit TLS, port 993.
    Imaps,
    /// POP3 with implicit TLS, port 995.
    Pop3s,
    /// Submission with STARTTLS, port 587.
    Submission,
    /// IMAP with STARTTLS, port 143.
    Imap,
    /// POP3 with STARTTLS, port 110.
    Pop3,
}

impl Service {
    /// All services, implicit TLS first.
    pub const ALL: [Self; 6] =
        [Self::Submissions, Self::Imaps, Self::Pop3s, Self::Submission, Self::Imap, Self::Pop3];

    /// The labels of the SRV record, for example `_imaps._tcp`.
    #[must_use]
    pub const fn labels(self) -> &'static str {
        match self {
            Self::Submissions => "_submissions._tcp",
            Self::Imaps => "_imaps._tcp",
            Self::Pop3s => "_pop3s._tcp",
            Self::Submission => "_submission._tcp",
            Self::Imap => "_imap._tcp",
            Self::Pop3 => "_pop3._tcp",
        }
    }

    /// The priority: implicit TLS goes first (RFC 8314 §5.1).
    #[must_use]
    pub const fn priority(self) -> u16 {
        match self {
            Self::Submissions | Self::Imaps | Self::Pop3s => 0,
            Self::Submission | Self::Imap | Self::Pop3 => 10,
        }
    }
}

/// Where a service is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The host; no alias.
    pub host: DomainName,
    /// The port.
    pub port: u16,
}

/// An authority that may issue certificates (RFC 8659 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its name in CAA records, for example `letsencrypt.org`.
    pub domain: DomainName,
    /// The account that may ask for it (RFC 8657 §3); printable ASCII without space and `;`.
    pub account_uri: Option<Box<str>>,
}
