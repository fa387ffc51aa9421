//! One GET to a policy host (RFC 8461 §3.3), from the name to the body.
//!
//! The host belongs to a stranger and may be anything: a neighbor in our own network, a server that
//! never stops talking, one that never starts. So addresses are checked before they are connected
//! to, and the connection goes to the very address that was checked; the certificate must be valid
//! for the host by name; there is one request without redirects, cookies, proxies and compression;
//! and octets, time and addresses are bounded. What the response means is for the `mta-sts` crate
//! to say: any status comes back as an answer.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use smtp_types::{DomainName, HttpsFailure, HttpsQuestion, HttpsReply, UnixTime};
use tokio_rustls::TlsConnector;

use super::addresses::{NoAddresses, look_up};
use super::certificate::{self, client_config, config_for_anyone};
use super::connect::connect;
use super::dns::Resolver;
use super::http_get::http_get;

pub use super::certificate::FetchSettingsError;

/// How policy hosts are reached and verified.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// Who may issue their certificates. The default is [`Authorities::System`].
    pub authorities: Authorities,
    /// The port. The default is 443; another one is for tests.
    pub port: u16,
    /// Whether policy hosts may have private, loopback and other special addresses. The default
    /// is no.
    pub allow_private: bool,
    /// How many octets a body may have. The default is 65536 (RFC 8461 §3.3 suggests 64 KB).
    pub max_body: usize,
    /// How long one GET may take in all, look-ups included. The default is 60 s (RFC 8461 §3.3
    /// suggests one minute).
    pub timeout: Duration,
    /// How long TCP and TLS to one address may take. The default is 10 s.
    pub connect_timeout: Duration,
    /// Whether a certificate that matches only by a wildcard is refused (BSI TR-03108). The
    /// default is no: RFC 8461 §3.3 allows wildcards.
    pub refuse_wildcard: bool,
    /// The time that certificates are judged at. The default is the clock.
    pub at: Option<UnixTime>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            authorities: Authorities::System,
            port: 443,
            allow_private: false,
            max_body: 65_536,
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            refuse_wildcard: false,
            at: None,
        }
    }
}

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorities {
    /// Those that the system's administrator trusts (on Debian: the package `ca-certificates`).
    System,
    /// Only those in this PEM file.
    File(PathBuf),
}

/// Asks policy hosts, and brings reports to those who want them by https.
pub struct PolicyFetcher {
    resolver: Arc<Resolver>,
    pub(super) settings: FetchSettings,
    pub(super) tls: TlsConnector,
    /// Without a look at certificates; never for a GET.
    pub(super) tls_with_anyone: TlsConnector,
}

impl PolicyFetcher {
    /// Reads the certificates of the authorities.
    ///
    /// # Errors
    /// [`FetchSettingsError`] if there are none, or the file cannot be read.
    pub fn new(
        resolver: Arc<Resolver>,
        settings: FetchSettings,
    ) -> Result<Self, FetchSettingsError> {
        let tls = TlsConnector::from(Arc::new(client_config(&settings)?));
        let anyone = TlsConnector::from(Arc::new(config_for_anyone()?));
        Ok(Self { resolver, settings, tls, tls_with_anyone: anyone })
    }

    /// Gets one resource, whatever its status code. Takes at most [`FetchSettings::timeout`].
    ///
    /// # Errors
    /// [`HttpsFailure`], with the one cause that is nearest to the goal if several addresses fail
    /// for different causes.
    pub async fn get(&self, question: &HttpsQuestion) -> HttpsReply {
        match tokio::time::timeout(self.settings.timeout, self.get_untimed(question)).await {
            Ok(reply) => reply,
            Err(_) => Err(HttpsFailure::Timeout { seconds: self.settings.timeout.as_secs() }),
        }
    }

    async fn get_untimed(&self, question: &HttpsQuestion) -> HttpsReply {
        let addresses = self.addresses(&question.host).await?;
        let stream = connect(&self.tls, &question.host, &addresses, &self.settings).await?;
        let issuer = certificate::issuer(stream.get_ref().1.peer_certificates());
        http_get(stream, question, issuer, &self.settings).await
    }

    /// The addresses that may be connected to.
    pub(super) async fn addresses(&self, host: &DomainName) -> Result<Vec<IpAddr>, HttpsFailure> {
        let found = look_up(&self.resolver, host, self.settings.allow_private).await;
        let allowed = found.map_err(|why| match why {
            NoAddresses::Dns(failure) => HttpsFailure::Dns(failure),
            NoAddresses::None => HttpsFailure::NoAddress,
            NoAddresses::Refused { address } => HttpsFailure::AddressRefused { address },
        })?;
        Ok(allowed.into_iter().take(MAX_ADDRESSES).collect())
    }
}

/// How many addresses are tried, at most.
const MAX_ADDRESSES: usize = 8;
