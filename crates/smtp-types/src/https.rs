//! What a web server was asked and what it said.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::{DnsFailure, DomainName};

/// One GET over HTTPS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpsQuestion {
    /// The host: connected to, sent as SNI, and sought in the certificate.
    pub host: DomainName,
    /// The path, from the slash.
    pub path: &'static str,
}

impl fmt::Display for HttpsQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.host, self.path)
    }
}

/// What came of a GET. A failure is an answer too.
pub type HttpsReply = Result<HttpsAnswer, HttpsFailure>;

/// A response over a connection whose certificate is valid for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpsAnswer {
    /// The status code.
    pub status: u16,
    /// The `Content-Type` field as sent, if there was one.
    pub content_type: Option<String>,
    /// The body, whole; nothing was decoded.
    pub body: Vec<u8>,
    /// The organization that issued the certificate, as the certificate names it.
    pub issuer: Option<String>,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpsFailure {
    /// The DNS gave no address because it failed.
    Dns(DnsFailure),
    /// The host has no address.
    NoAddress,
    /// Every address is one that a policy host has no business at (loopback, private, …).
    AddressRefused {
        /// The first of them.
        address: IpAddr,
    },
    /// No connection.
    Unreachable {
        /// What the system says.
        detail: String,
    },
    /// The certificate is not valid for the host.
    Certificate(CertificateFault),
    /// TLS failed for another reason than the certificate.
    Tls {
        /// What went wrong.
        detail: String,
    },
    /// It took longer than the limit.
    Timeout {
        /// The limit, in seconds.
        seconds: u64,
    },
    /// The body is longer than the limit; nothing of it is used.
    TooLarge {
        /// The limit, in octets.
        limit: usize,
    },
    /// The response is not HTTP, or ended early.
    Protocol {
        /// What went wrong.
        detail: String,
    },
}

/// What is wrong with a server's certificate (RFC 5280 §6, RFC 9525).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// Past its end.
    Expired,
    /// Before its beginning.
    NotYetValid,
    /// Made for other names.
    WrongName {
        /// The names that it is made for, at most a few.
        presented: Vec<String>,
    },
    /// No chain leads to a trusted authority (self-signed, unknown, incomplete).
    UnknownIssuer,
    /// It matches only by a wildcard, and the profile does not allow that (TR-03108 08-R).
    Wildcard,
    /// Something else.
    Other {
        /// What the verifier says.
        detail: String,
    },
}

impl fmt::Display for HttpsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(failure) => write!(f, "address look-up: {failure}"),
            Self::NoAddress => write!(f, "the host has no address"),
            Self::AddressRefused { address } => {
                write!(f, "refused to connect to {address}: not a public address")
            }
            Self::Unreachable { detail } => write!(f, "no connection: {detail}"),
            Self::Certificate(fault) => write!(f, "certificate: {fault}"),
            Self::Tls { detail } => write!(f, "TLS: {detail}"),
            Self::Timeout { seconds } => write!(f, "no complete response within {seconds} s"),
            Self::TooLarge { limit } => write!(f, "body longer than {limit} octets"),
            Self::Protocol { detail } => write!(f, "HTTP: {detail}"),
        }
    }
}

impl core::error::Error for HttpsFailure {}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => write!(f, "expired"),
            Self::NotYetValid => write!(f, "not valid yet"),
            Self::WrongName { presented } if presented.is_empty() => {
                write!(f, "made for another name")
            }
            Self::WrongName { presented } => {
                write!(f, "made for another name ({})", presented.join(", "))
            }
            Self::UnknownIssuer => write!(f, "not issued by a trusted authority"),
            Self::Wildcard => write!(f, "matches by a wildcard only, which the profile refuses"),
            Self::Other { detail } => write!(f, "{detail}"),
        }
    }
}
