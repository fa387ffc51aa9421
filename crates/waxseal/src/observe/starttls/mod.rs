//! Looks at a mail host as a sending mail server would see it: EHLO, STARTTLS, certificate. It
//! never names a sender or a recipient, and leaves with QUIT.
//!
//! The way of a probe:
//!
//! 1. `addresses`, with the same filter as for policy hosts: whoever owns a domain decides where
//!    its mail hosts lead.
//! 2. `session`: connects to the first address that answers, drives the dialogue of the crate
//!    `smtp-starttls`, and does the handshake, TLS 1.2 or 1.3.
//! 3. `recorder`: takes any certificate, for here it is to be seen and not to be trusted; whether
//!    the server has the key to it is checked and noted.
//! 4. `verify`: judges what was seen, without network: by WebPKI (RFC 8461 §4.2) or by TLSA records
//!    (RFC 7672).
//!
//! A probe is no judgment on mail: nothing that it finds changes an answer to a mail server.

mod recorder;
mod session;
mod verify;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use smtp_starttls::{Capabilities, ClientName, Failure, InClear};
use smtp_types::{DnsFailure, DomainName};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::addresses::{NoAddresses, look_up};
use super::certificate::web_verifier;
use super::dns::Resolver;
use super::https::{Authorities, FetchSettingsError};

/// How mail hosts are looked at.
#[derive(Clone, Debug)]
pub struct MxProbeSettings {
    /// Whose certificates count for WebPKI. The default is [`Authorities::System`].
    pub authorities: Authorities,
    /// The port. The default is 25; another one is for tests.
    pub port: u16,
    /// Whether mail hosts may have private, loopback and other special addresses. The default is
    /// no.
    pub allow_private: bool,
    /// The name to give in EHLO. The default is none: then it is the address that the connection
    /// comes from.
    pub name: Option<DomainName>,
    /// How long TCP to one address may take. The default is 10 s.
    pub connect_timeout: Duration,
    /// How long the dialogue and the handshake may take in all. The default is 90 s: many servers
    /// let strangers wait for their greeting.
    pub timeout: Duration,
    /// How long the server may take to answer QUIT. The default is 5 s.
    pub quit_timeout: Duration,
}

impl Default for MxProbeSettings {
    fn default() -> Self {
        Self {
            authorities: Authorities::System,
            port: 25,
            allow_private: false,
            name: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(90),
            quit_timeout: Duration::from_secs(5),
        }
    }
}

/// Looks at mail hosts.
pub struct MxProber {
    resolver: Arc<Resolver>,
    settings: MxProbeSettings,
    provider: Arc<CryptoProvider>,
    webpki: Arc<WebPkiServerVerifier>,
}

/// What was seen of a mail host at one address.
#[derive(Clone, Debug)]
pub struct MxObservation {
    /// The host.
    pub host: DomainName,
    /// The address that was connected to.
    pub address: IpAddr,
    /// The address that the connection came from, if the system says.
    pub local_address: Option<IpAddr>,
    /// What the server said before TLS, if it came that far. Nobody has checked it.
    pub in_clear: Option<InClear>,
    /// The session within TLS, or why there is none.
    pub outcome: Result<TlsObservation, NoTls>,
}

/// A session within TLS.
#[derive(Clone, Debug)]
pub struct TlsObservation {
    /// The version of TLS.
    pub version: TlsVersion,
    /// The cipher suite, in IANA's words.
    pub cipher: String,
    /// What the server showed, its own certificate first; at least one.
    pub chain: Vec<CertificateDer<'static>>,
    /// Whether the server has the key to its certificate.
    pub possession: Possession,
    /// What the server offers within TLS, or why it did not say.
    pub capabilities: Result<Capabilities, Failure>,
}

/// A version of TLS that we speak. Older ones are no failure of ours to find: BSI TR-03116-4 and
/// RFC 8996 forbid them, and a server that has nothing else ends in [`NoTls::Handshake`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl TlsVersion {
    /// `TLSv1.2` or `TLSv1.3`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

/// Whether a server has proved to have the key to the certificate that it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Possession {
    /// Its signature fits.
    Proved,
    /// It does not, or could not be checked; then the certificate proves nothing.
    Unproved {
        /// Why.
        detail: String,
    },
}

/// Why there is no session within TLS although somebody has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTls {
    /// The dialogue ended before the handshake.
    Dialogue(Failure),
    /// The handshake failed.
    Handshake {
        /// What went wrong.
        detail: String,
    },
}

/// Why nothing was seen. It says nothing about TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// The DNS gave no address because it failed.
    Dns(DnsFailure),
    /// The host has no address.
    NoAddress,
    /// Every address is one that a mail host of strangers has no business at.
    AddressRefused {
        /// The first of them.
        address: IpAddr,
    },
    /// No connection to any address.
    Unreachable {
        /// What the system says of the last one.
        detail: String,
    },
    /// It took longer than the limit.
    Timeout {
        /// The limit, in seconds.
        seconds: u64,
    },
}

/// How many addresses of a host are tried, at most.
const MAX_ADDRESSES: usize = 4;

impl MxProber {
    /// Reads the certificates of the authorities.
    ///
    /// # Errors
    /// [`FetchSettingsError`] if there are none, or the file cannot be read.
    pub fn new(
        resolver: Arc<Resolver>,
        settings: MxProbeSettings,
    ) -> Result<Self, FetchSettingsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let webpki = web_verifier(&settings.authorities, &provider)?;
        Ok(Self { resolver, settings, provider, webpki })
    }

    /// Looks at one host: one connection to the first of its addresses that takes one.
    ///
    /// # Errors
    /// [`Unseen`] if nobody answered.
    pub async fn probe(&self, host: &DomainName) -> Result<MxObservation, Unseen> {
        let found = look_up(&self.resolver, host, self.settings.allow_private).await;
        let addresses = found.map_err(|why| match why {
            NoAddresses::Dns(failure) => Unseen::Dns(failure),
            NoAddresses::None => Unseen::NoAddress,
            NoAddresses::Refused { address } => Unseen::AddressRefused { address },
        })?;
        let mut last = Unseen::NoAddress;
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            let connect = TcpStream::connect((address, self.settings.port));
            let detail = match timeout(self.settings.connect_timeout, connect).await {
                Ok(Ok(stream)) => return self.observe(host, address, stream).await,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no connection in time".to_owned(),
            };
            last = Unseen::Unreachable { detail: format!("{address}: {detail}") };
        }
        Err(last)
    }

    /// Looks at the host at the end of a connection.
    async fn observe(
        &self,
        host: &DomainName,
        address: IpAddr,
        stream: TcpStream,
    ) -> Result<MxObservation, Unseen> {
        let local_address = stream.local_addr().ok().map(|address| address.ip().to_canonical());
        let name = match (&self.settings.name, local_address) {
            (Some(name), _) => ClientName::Domain(name.clone()),
            (None, Some(address)) => ClientName::Address(address),
            (None, None) => {
                return Err(unreachable(address, "the connection has no local address"));
            }
        };
        let seconds = self.settings.timeout.as_secs();
        let seen = session::observe(self, host, name, stream).await;
        let seen = seen.map_err(|session::Overdue| Unseen::Timeout { seconds })?;
        Ok(MxObservation {
            host: host.clone(),
            address,
            local_address,
            in_clear: seen.in_clear,
            outcome: seen.outcome,
        })
    }
}

fn unreachable(address: IpAddr, detail: &str) -> Unseen {
    Unseen::Unreachable { detail: format!("{address}: {detail}") }
}

/// What a failed handshake comes to, in words.
fn handshake_detail(error: &io::Error) -> String {
    let text = match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        Some(error) => error.to_string(),
        None => format!("the connection broke: {error}"),
    };
    super::printable::printable(text.as_bytes(), 200)
}

impl fmt::Display for NoTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialogue(failure) => failure.fmt(f),
            Self::Handshake { detail } => write!(f, "handshake: {detail}"),
        }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(failure) => write!(f, "address look-up: {failure}"),
            Self::NoAddress => write!(f, "the host has no address"),
            Self::AddressRefused { address } => {
                write!(f, "refused to connect to {address}: not a public address")
            }
            Self::Unreachable { detail } => write!(f, "no connection: {detail}"),
            Self::Timeout { seconds } => write!(f, "no end of the dialogue within {seconds} s"),
        }
    }
}

impl std::error::Error for Unseen {}
