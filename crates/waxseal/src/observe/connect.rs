//! From addresses to a TLS session with the right host.
//!
//! The addresses are tried in their order, each a moment after the one before it, or at once when
//! that has failed (RFC 8305 §5, without its sorting: our caller alternates the families). An
//! attempt is TCP and TLS together, so that an address that accepts and then keeps silent, or that
//! shows a wrong certificate, does not stand in the way of a good one. A session is good only with
//! a certificate for the host's name, so trying further never makes anything weaker.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::ServerName;
use smtp_types::{CertificateFault, DomainName, HttpsFailure};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::fault;
use super::https::FetchSettings;

/// After what time the next address is tried beside the ones before it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// A session with the first of `addresses` that can show a certificate for `host`.
pub(super) async fn connect(
    tls: &TlsConnector,
    host: &DomainName,
    addresses: &[IpAddr],
    settings: &FetchSettings,
) -> Result<TlsStream<TcpStream>, HttpsFailure> {
    let mut untried = addresses.iter();
    let mut attempts = FuturesUnordered::new();
    let mut nearest: Option<HttpsFailure> = None;
    loop {
        match untried.next() {
            Some(address) => attempts.push(attempt(tls, host, *address, settings)),
            None if attempts.is_empty() => return Err(nearest.unwrap_or(HttpsFailure::NoAddress)),
            None => {}
        }
        // Until it is the next one's turn, or for as long as it takes when there is no next one.
        let turn = async {
            match untried.len() {
                0 => std::future::pending().await,
                _ => sleep(STAGGER).await,
            }
        };
        let ended = tokio::select! {
            ended = attempts.next() => ended,
            () = turn => None,
        };
        match ended {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(failure)) => {
                nearest = match nearest {
                    Some(nearest) if progress(&nearest) >= progress(&failure) => Some(nearest),
                    Some(_) | None => Some(failure),
                };
            }
            None => {}
        }
    }
}

async fn attempt(
    tls: &TlsConnector,
    host: &DomainName,
    address: IpAddr,
    settings: &FetchSettings,
) -> Result<TlsStream<TcpStream>, HttpsFailure> {
    let server_name = ServerName::try_from(host.to_string()).map_err(|error| {
        HttpsFailure::Tls { detail: format!("{host} cannot be named to a server: {error}") }
    })?;
    let session = async {
        let stream = TcpStream::connect((address, settings.port))
            .await
            .map_err(|error| HttpsFailure::Unreachable { detail: format!("{address}: {error}") })?;
        // The request follows the end of the handshake at once, and must not wait for the server
        // to acknowledge that.
        let _ = stream.set_nodelay(true);
        let session = tls.connect(server_name, stream).await;
        session.map_err(|error| tls_failure(address, &error))
    };
    match timeout(settings.connect_timeout, session).await {
        Ok(session) => session,
        Err(_) => Err(HttpsFailure::Unreachable {
            detail: format!(
                "{address}: no TLS session within {} s",
                settings.connect_timeout.as_secs_f32()
            ),
        }),
    }
}

fn tls_failure(address: IpAddr, error: &io::Error) -> HttpsFailure {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(error)) => HttpsFailure::Certificate(fault(error)),
        Some(rustls::Error::NoCertificatesPresented) => {
            HttpsFailure::Certificate(CertificateFault::Other {
                detail: "the server shows none".into(),
            })
        }
        Some(error) => HttpsFailure::Tls { detail: format!("{address}: {error}") },
        None => HttpsFailure::Tls { detail: format!("{address}: the connection broke: {error}") },
    }
}

/// How near to a session a failure has come. The nearest is the one to report.
fn progress(failure: &HttpsFailure) -> u8 {
    match failure {
        HttpsFailure::Certificate(_) => 2,
        HttpsFailure::Tls { .. } => 1,
        HttpsFailure::Dns(_)
        | HttpsFailure::NoAddress
        | HttpsFailure::AddressRefused { .. }
        | HttpsFailure::Unreachable { .. }
        | HttpsFailure::Timeout { .. }
        | HttpsFailure::TooLarge { .. }
        | HttpsFailure::Protocol { .. } => 0,
    }
}
