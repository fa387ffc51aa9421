//! One question to one resolver, and the message that comes back.
//!
//! UDP first, each try from a fresh port with a fresh identifier, EDNS with 1232 octets
//! (RFC 6891; the size that passes everywhere unfragmented); TCP if the response was truncated
//! (RFC 7766 §5). Messages with another identifier or another question are not ours and are
//! ignored until the time is up. What a message means is said in [`dns_answer`](super::dns_answer).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use domain::base::iana::Rtype;
use domain::base::{Message, MessageBuilder, Name};
use domain::net::client::request::{ComposeRequest, Error as RequestError, RequestMessage};
use smtp_types::DnsFailure;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How many octets we ask for over UDP at most.
const UDP_PAYLOAD_SIZE: u16 = 1232;

/// How many we take. Some resolvers send more than was asked for.
const UDP_BUFFER_SIZE: usize = 4096;

/// How many questions may be under way, each with a socket of its own. More wait.
const MAX_PARALLEL: usize = 256;

/// Whether the resolver may refuse what fails its validation (the CD bit, RFC 4035 §3.2.2).
#[derive(Clone, Copy)]
pub(super) enum Checking {
    Enabled,
    Disabled,
}

/// A query to be sent, with a fresh identifier each time.
type Query = RequestMessage<Vec<u8>>;

/// The way to one resolver.
pub(super) struct Transport {
    address: SocketAddr,
    timeout: Duration,
    tries: u8,
    permits: Semaphore,
}

impl Transport {
    /// `timeout` is for one try; zero tries count as one.
    pub(super) fn new(address: SocketAddr, timeout: Duration, tries: u8) -> Self {
        Self { address, timeout, tries: tries.max(1), permits: Semaphore::new(MAX_PARALLEL) }
    }

    /// Asks, and gives back a message with our identifier and our question, complete.
    pub(super) async fn exchange(
        &self,
        name: &Name<Vec<u8>>,
        record_type: Rtype,
        checking: Checking,
    ) -> Result<Message<Bytes>, DnsFailure> {
        let query = query(name, record_type, checking).map_err(|error| self.failure(&error))?;
        // The semaphore is never closed; without it, all that is lost is the bound.
        let _permit = self.permits.acquire().await.ok();
        let message = self.exchange_over_udp(query.clone()).await?;
        if !message.header().tc() {
            return Ok(message);
        }
        match timeout(self.timeout, self.exchange_over_tcp(query)).await {
            Ok(message) => message,
            Err(_) => Err(self.failure(&"truncated response over UDP, silence over TCP")),
        }
    }

    async fn exchange_over_udp(&self, mut query: Query) -> Result<Message<Bytes>, DnsFailure> {
        for _ in 0..self.tries {
            query.header_mut().set_random_id();
            match timeout(self.timeout, datagram_exchange(self.address, &query)).await {
                Ok(Ok(message)) => return Ok(message),
                Ok(Err(error)) => return Err(self.failure(&error)),
                Err(_) => {}
            }
        }
        let (tries, seconds) = (self.tries, self.timeout.as_secs_f32());
        Err(self.failure(&format!("no answer in {tries} tries of {seconds} s")))
    }

    async fn exchange_over_tcp(&self, mut query: Query) -> Result<Message<Bytes>, DnsFailure> {
        query.header_mut().set_random_id();
        let octets = query.to_vec().map_err(|error| self.failure(&error))?;
        let octets = stream_exchange(self.address, &octets)
            .await
            .map_err(|error| self.failure(&format!("TCP after truncation over UDP: {error}")))?;
        let Some(message) = answer_to(&query, &octets) else {
            return Err(self.failure(&"response over TCP to a question that was not asked"));
        };
        if message.header().tc() {
            return Err(self.failure(&"response over TCP is truncated"));
        }
        Ok(message)
    }

    fn failure(&self, detail: &dyn std::fmt::Display) -> DnsFailure {
        DnsFailure::Temporary { detail: format!("resolver {}: {detail}", self.address) }
    }
}

/// A query with RD=1, and AD=1: "I understand the AD bit" (RFC 6840 §5.7).
fn query(
    name: &Name<Vec<u8>>,
    record_type: Rtype,
    checking: Checking,
) -> Result<Query, RequestError> {
    let mut builder = MessageBuilder::new_vec();
    let header = builder.header_mut();
    header.set_rd(true);
    header.set_ad(true);
    header.set_cd(matches!(checking, Checking::Disabled));
    let mut builder = builder.question();
    builder.push((name, record_type)).map_err(|_| RequestError::MessageBuilderPushError)?;
    let mut query = RequestMessage::new(builder.into_message())?;
    query.set_udp_payload_size(UDP_PAYLOAD_SIZE);
    Ok(query)
}

/// The message in `octets`, if it is one and answers `query`.
fn answer_to(query: &Query, octets: &[u8]) -> Option<Message<Bytes>> {
    let message = Message::from_octets(Bytes::copy_from_slice(octets)).ok()?;
    query.is_answer(message.for_slice()).then_some(message)
}

/// One datagram out of a fresh port, and the first one back that answers it. Ends only with an
/// answer or with an error of the system, such as "connection refused" when no resolver is there.
async fn datagram_exchange(address: SocketAddr, query: &Query) -> io::Result<Message<Bytes>> {
    let local = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((local, 0)).await?;
    socket.connect(address).await?;
    socket.send(&query.to_vec().map_err(io::Error::other)?).await?;
    let mut octets = vec![0; UDP_BUFFER_SIZE];
    loop {
        // `recv` would sleep over an error without data.
        let ready = socket.ready(Interest::READABLE | Interest::ERROR).await?;
        if ready.is_error() {
            let error = socket.take_error()?;
            return Err(error.unwrap_or_else(|| io::Error::other("broken socket")));
        }
        match socket.try_recv(&mut octets) {
            Ok(length) => {
                if let Some(message) = answer_to(query, &octets[..length]) {
                    return Ok(message);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// One message each way, with its length in two octets before it (RFC 1035 §4.2.2).
async fn stream_exchange(address: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let mut octets = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut octets).await?;
    Ok(octets)
}
