//! What a resolver was asked and what it said, with how far that can be trusted.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::{DnsName, DomainName};

/// The security state of an answer (RFC 4033 §5). Never a bool: "not secure" is three things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dnssec {
    /// A chain of signatures leads from a trust anchor to the whole answer, aliases included.
    Secure,
    /// A chain proves that the zone is not signed: anyone on the way may have forged the answer.
    Insecure,
    /// There should be a chain and there is none: treat the name as under attack.
    Bogus,
    /// Nobody who can be trusted has checked.
    Indeterminate,
}

impl Dnssec {
    /// `secure`, `insecure`, `bogus` or `indeterminate`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
            Self::Bogus => "bogus",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// The record types that mail transport security asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// The alias itself, not what it leads to.
    Cname,
    /// Mail exchanger.
    Mx,
    /// The name of an address (RFC 1035 §3.5).
    Ptr,
    /// Certificate association (RFC 6698).
    Tlsa,
    /// Text.
    Txt,
}

impl RecordType {
    /// The name as in a zone file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ptr => "PTR",
            Self::Tlsa => "TLSA",
            Self::Txt => "TXT",
        }
    }
}

/// One question to the DNS, class IN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsQuestion {
    /// The name that is asked for.
    pub name: DnsName,
    /// The type that is asked for.
    pub record_type: RecordType,
}

impl DnsQuestion {
    /// A question for `record_type` at `name`.
    #[must_use]
    pub fn new(name: impl Into<DnsName>, record_type: RecordType) -> Self {
        Self { name: name.into(), record_type }
    }
}

impl fmt::Display for DnsQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.record_type.as_str(), self.name)
    }
}

/// What a resolver said to one question. A failure is an answer too.
pub type DnsReply = Result<DnsAnswer, DnsFailure>;

/// An answer that a resolver stands for: records, or the word that there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsAnswer {
    /// How far it can be trusted: the weakest link of the alias chain. Never
    /// [`Dnssec::Bogus`], for bogus data is a [`DnsFailure`] and does not get this far.
    pub dnssec: Dnssec,
    /// The name at the end of the alias chain; the name asked for if it is no alias.
    pub canonical_name: DnsName,
    /// Whether that name exists (false is NXDOMAIN).
    pub name_exists: bool,
    /// The records of the type asked for, in the order of the answer.
    pub records: Vec<RecordData>,
    /// For how many seconds the answer may be kept: the least TTL of the records and aliases,
    /// or what the SOA record says for absence (RFC 2308 §5).
    pub ttl: u32,
}

impl DnsAnswer {
    /// The mail exchangers, in the order of the answer.
    pub fn mx(&self) -> impl Iterator<Item = &Mx> {
        self.records.iter().filter_map(|record| match record {
            RecordData::Mx(mx) => Some(mx),
            _ => None,
        })
    }

    /// The addresses, of whichever family was asked for.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.records.iter().filter_map(|record| match record {
            RecordData::Address(address) => Some(*address),
            _ => None,
        })
    }

    /// The names of an address.
    pub fn ptr(&self) -> impl Iterator<Item = &DomainName> {
        self.records.iter().filter_map(|record| match record {
            RecordData::Ptr(name) => Some(name),
            _ => None,
        })
    }

    /// The certificate associations.
    pub fn tlsa(&self) -> impl Iterator<Item = &TlsaRdata> {
        self.records.iter().filter_map(|record| match record {
            RecordData::Tlsa(tlsa) => Some(tlsa),
            _ => None,
        })
    }

    /// The texts: each record's strings joined without a space between them.
    pub fn txt(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().filter_map(|record| match record {
            RecordData::Txt(text) => Some(&**text),
            _ => None,
        })
    }
}

/// The data of one record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordData {
    /// A or AAAA.
    Address(IpAddr),
    /// CNAME: where the alias leads.
    Cname(DomainName),
    /// MX.
    Mx(Mx),
    /// PTR: the name of an address.
    Ptr(DomainName),
    /// TLSA.
    Tlsa(TlsaRdata),
    /// TXT, its strings joined without a space, as RFC 8461 §3.1 and RFC 7208 §3.3 want it.
    Txt(Box<[u8]>),
}

/// One mail exchanger (RFC 5321 §5.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// The host, or what stands in its place: no mail goes to a name that is no domain name, but SPF
    /// may look at it. `None` is the root, which with preference 0 and alone says "this domain takes no
    /// mail" (RFC 7505).
    pub exchange: Option<DnsName>,
}

/// A TLSA record as it stands in the DNS, nothing judged yet (RFC 6698 §2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsaRdata {
    /// Certificate usage.
    pub usage: u8,
    /// Selector.
    pub selector: u8,
    /// Matching type.
    pub matching_type: u8,
    /// Certificate association data.
    pub data: Vec<u8>,
}

/// Why there is no answer. Each says what a sender must do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsFailure {
    /// The signatures do not fit. It may be an attack: never treat the name as unsigned
    /// (RFC 7672 §2.1.1).
    Bogus {
        /// What the resolver says of it, for example an extended error (RFC 8914).
        detail: String,
    },
    /// SERVFAIL without a sign of bogus data, timeout, lame servers: try again later.
    Temporary {
        /// What happened.
        detail: String,
    },
    /// The resolver refuses or cannot understand: trying again will not help.
    Permanent {
        /// What happened.
        detail: String,
    },
}

impl DnsFailure {
    /// The security state: bogus if signatures do not fit, else nobody knows.
    #[must_use]
    pub const fn dnssec(&self) -> Dnssec {
        match self {
            Self::Bogus { .. } => Dnssec::Bogus,
            Self::Temporary { .. } | Self::Permanent { .. } => Dnssec::Indeterminate,
        }
    }
}

impl fmt::Display for DnsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bogus { detail } => write!(f, "bogus signatures: {detail}"),
            Self::Temporary { detail } => write!(f, "temporary failure: {detail}"),
            Self::Permanent { detail } => write!(f, "permanent failure: {detail}"),
        }
    }
}

impl core::error::Error for DnsFailure {}
