//! One connection: drives the dialogue over a socket, and does the handshake in its middle.

use std::sync::Arc;

use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use smtp_starttls::{Capabilities, ClientName, Dialogue, Failure, InClear, QUIT, Stage, Step};
use smtp_types::DomainName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::recorder::Recorder;
use super::{MxProber, NoTls, Possession, TlsObservation, TlsVersion, handshake_detail};

/// How many octets are read at a time; no more than this waits unread.
const READ: usize = 4096;

/// What was seen on one connection.
pub(super) struct Seen {
    pub(super) in_clear: Option<InClear>,
    pub(super) outcome: Result<TlsObservation, NoTls>,
}

/// The time was up before anything was certain.
pub(super) struct Overdue;

/// From the greeting to QUIT.
pub(super) async fn observe(
    prober: &MxProber,
    host: &DomainName,
    name: ClientName,
    mut stream: TcpStream,
) -> Result<Seen, Overdue> {
    let deadline = Instant::now() + prober.settings.timeout;
    let open = drive(&mut stream, Step::Read(Dialogue::open(name)));
    let in_clear = timeout_at(deadline, open).await.map_err(|_| Overdue)?;
    let handshake = match in_clear {
        Ok(Step::StartTls(handshake)) => handshake,
        // Before TLS the dialogue ends in nothing else.
        Ok(_) => return Err(Overdue),
        Err(failure) => {
            if failure.may_quit() {
                quit(prober, &mut stream).await;
            }
            return Ok(Seen { in_clear: None, outcome: Err(NoTls::Dialogue(failure)) });
        }
    };
    let in_clear = Some(handshake.in_clear().clone());
    let shaken = timeout_at(deadline, shake_hands(prober, host, stream)).await;
    let (mut stream, possession) = match shaken.map_err(|_| Overdue)? {
        Ok(shaken) => shaken,
        Err(no_tls) => return Ok(Seen { in_clear, outcome: Err(no_tls) }),
    };
    // The certificate was seen, and is worth telling although the server may say no more.
    let hello = timeout_at(deadline, drive(&mut stream, handshake.established())).await;
    let capabilities = match hello {
        Ok(Ok(Step::Ready(session))) => Ok(session.capabilities().clone()),
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(_)) | Err(_) => Err(Failure::Closed { stage: Stage::EhloInTls, octets: 0 }),
    };
    let outcome = observed(&stream, possession, capabilities);
    quit(prober, &mut stream).await;
    Ok(Seen { in_clear, outcome })
}

/// The handshake, with whatever certificate the server shows.
async fn shake_hands(
    prober: &MxProber,
    host: &DomainName,
    stream: TcpStream,
) -> Result<(TlsStream<TcpStream>, Possession), NoTls> {
    let failed = |detail: String| NoTls::Handshake { detail };
    let recorder = Recorder::new(&prober.provider);
    let config = recorder.config(&prober.provider).map_err(|error| failed(error.to_string()))?;
    // RFC 8461 §7.1, RFC 7672 §8.1: the name of the host as SNI.
    let name = ServerName::try_from(host.to_string()).map_err(|error| failed(error.to_string()))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let stream = connected.map_err(|error| failed(handshake_detail(&error)))?;
    Ok((stream, recorder.possession()))
}

/// What the handshake has shown.
fn observed(
    stream: &TlsStream<TcpStream>,
    possession: Possession,
    capabilities: Result<Capabilities, Failure>,
) -> Result<TlsObservation, NoTls> {
    let session = stream.get_ref().1;
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
        _ => TlsVersion::Tls12,
    };
    let suite = session.negotiated_cipher_suite();
    let cipher = suite.and_then(|suite| suite.suite().as_str()).unwrap_or_default().to_owned();
    let chain = session.peer_certificates().unwrap_or_default().to_vec();
    if chain.is_empty() {
        return Err(NoTls::Handshake { detail: "the server shows no certificate".to_owned() });
    }
    Ok(TlsObservation { version, cipher, chain, possession, capabilities })
}

/// Goes on with the dialogue until it is our turn to do something else than to send or read.
async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    mut step: Step,
) -> Result<Step, Failure> {
    let mut octets = [0; READ];
    loop {
        step = match step {
            Step::Send { octets, then } => {
                let sent = async {
                    stream.write_all(&octets).await?;
                    stream.flush().await
                };
                match sent.await {
                    Ok(()) => then.resume()?,
                    Err(_) => return Err(then.closed()),
                }
            }
            Step::Read(dialogue) => match stream.read(&mut octets).await {
                // A connection that breaks is one that ends.
                Ok(0) | Err(_) => return Err(dialogue.closed()),
                Ok(count) => dialogue.receive(&octets[..count])?,
            },
            end => return Ok(end),
        };
    }
}

/// Says goodbye, and hears it if that does not take long. What comes of it changes nothing.
async fn quit<S: AsyncRead + AsyncWrite + Unpin>(prober: &MxProber, stream: &mut S) {
    let goodbye = async {
        stream.write_all(QUIT).await?;
        stream.flush().await?;
        let _ = stream.read(&mut [0; READ]).await?;
        stream.shutdown().await
    };
    let _ = timeout(prober.settings.quit_timeout, goodbye).await;
}
