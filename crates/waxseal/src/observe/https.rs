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

use futures_util::future::join;
use smtp_types::{
    DnsFailure, DnsQuestion, DnsReply, DomainName, HttpsFailure, HttpsQuestion, HttpsReply,
    RecordType, UnixTime,
};
use tokio_rustls::TlsConnector;

use super::address_filter::is_public;
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

    /// The addresses that may be connected to, IPv6 and IPv4 by turns. One family's failure does
    /// not matter while the other one has addresses.
    pub(super) async fn addresses(&self, host: &DomainName) -> Result<Vec<IpAddr>, HttpsFailure> {
        let ask = |record_type| {
            let question = DnsQuestion::new(host.clone(), record_type);
            async move { self.resolver.ask(&question).await }
        };
        let (v6, v4) = join(ask(RecordType::Aaaa), ask(RecordType::A)).await;
        let found = by_turns(&of(&v6), &of(&v4));
        let Some(first) = found.first().copied() else {
            return Err(no_address(v6, v4));
        };
        let allowed: Vec<IpAddr> = found
            .into_iter()
            .filter(|address| self.settings.allow_private || is_public(*address))
            .take(MAX_ADDRESSES)
            .collect();
        if allowed.is_empty() {
            return Err(HttpsFailure::AddressRefused { address: first });
        }
        Ok(allowed)
    }
}

/// How many addresses are tried, at most.
const MAX_ADDRESSES: usize = 8;

fn of(reply: &DnsReply) -> Vec<IpAddr> {
    reply.iter().flat_map(|answer| answer.addresses()).collect()
}

fn by_turns(first: &[IpAddr], second: &[IpAddr]) -> Vec<IpAddr> {
    let turns = first.len().max(second.len());
    (0..turns).flat_map(|turn| [first.get(turn), second.get(turn)]).flatten().copied().collect()
}

/// Why there is none: bogus before any other failure, and a failure before absence, for the family
/// that failed might have had one.
fn no_address(v6: DnsReply, v4: DnsReply) -> HttpsFailure {
    match (v6, v4) {
        (Err(bogus @ DnsFailure::Bogus { .. }), _) | (_, Err(bogus @ DnsFailure::Bogus { .. })) => {
            HttpsFailure::Dns(bogus)
        }
        (Err(failure), _) | (_, Err(failure)) => HttpsFailure::Dns(failure),
        (Ok(_), Ok(_)) => HttpsFailure::NoAddress,
    }
}
