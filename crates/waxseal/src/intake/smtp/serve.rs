//! The sockets and the clocks around a [`Session`].
//!
//! Every wait has an end: a command, a message, what is said, the whole connection. Every memory
//! has a bound: connections, octets of messages of all connections together. When the program is
//! to end, messages that have come are stored and answered; others stay with their senders.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::counters::SmtpCounters;
use super::envelope::Recipients;
use super::reply::Reply;
use super::session::{Dialect, Mail, Session, SessionLimits, Step, Terms, Trust};
use crate::answer::complaint::Complaints;
use crate::listen::{Connection, Listener, Peer};

/// How many octets are read at once.
const READ: usize = 64 * 1024;

/// How long nothing is accepted after an error that may last, such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often there may be a log line about clients.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(10);

/// The bounds of the server.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// How many connections may be open at once, over all listeners. The default is 200.
    pub max_connections: usize,
    /// How long a command may take, from the reply before it to its last octet, and how long a
    /// client may take to read what it is told. The default is 5 min (RFC 5321 §4.5.3.2.7).
    pub command_timeout: Duration,
    /// How long a message may take, from DATA to its end. The default is 10 min.
    pub message_timeout: Duration,
    /// How long a connection may last. The default is 1 h.
    pub connection_timeout: Duration,
    /// How long messages that have come are waited for at the end. The default is 15 s.
    pub stop_timeout: Duration,
    /// How many octets the messages of all connections may have together while they come. The
    /// default is 256 MiB.
    pub held_octets: usize,
    /// How much one session takes.
    pub limits: SessionLimits,
    /// To whom mail is taken.
    pub recipients: Recipients,
    /// The name of this server.
    pub host: String,
}

impl Default for SmtpSettings {
    fn default() -> Self {
        Self {
            max_connections: 200,
            command_timeout: Duration::from_mins(5),
            message_timeout: Duration::from_mins(10),
            connection_timeout: Duration::from_hours(1),
            stop_timeout: Duration::from_secs(15),
            held_octets: 256 * 1024 * 1024,
            limits: SessionLimits::default(),
            recipients: Recipients::All,
            host: "localhost".to_owned(),
        }
    }
}

/// Serves `listeners` until `stop` holds true or its sender is gone. `store` stores a mail that came
/// from an address, `None` for somebody on this machine, and says what its sender is told.
pub async fn serve<F>(
    listeners: Vec<(Dialect, Listener)>,
    settings: SmtpSettings,
    counters: Arc<SmtpCounters>,
    stop: watch::Receiver<bool>,
    store: impl Fn(Dialect, Option<IpAddr>, Mail) -> F + Clone + Send + Sync + 'static,
) where
    F: Future<Output = Reply> + Send + 'static,
{
    let complaints = Complaints::once_in(COMPLAINT_PERIOD);
    let server = Arc::new(Server { settings, counters, complaints, stop });
    let mut accepting = JoinSet::new();
    for (dialect, listener) in listeners {
        accepting.spawn(accept(Arc::clone(&server), dialect, listener, store.clone()));
    }
    while let Some(ended) = accepting.join_next().await {
        if let Err(fault) = ended {
            tracing::error!(%fault, "intake: a listener has ended: a fault of ours");
        }
    }
}

struct Server {
    settings: SmtpSettings,
    counters: Arc<SmtpCounters>,
    complaints: Complaints,
    stop: watch::Receiver<bool>,
}

impl Server {
    /// Is ready when the server is to stop.
    fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut stop = self.stop.clone();
        async move {
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }

    fn complain(&self, peer: Option<Peer>, reason: &dyn std::fmt::Display) {
        let Some(held_back) = self.complaints.may_write(Instant::now()) else { return };
        match peer {
            Some(Peer::Tcp(peer)) => tracing::warn!(%peer, %reason, held_back, "intake"),
            Some(Peer::Unix) => tracing::warn!(peer = "unix", %reason, held_back, "intake"),
            None => tracing::warn!(%reason, held_back, "intake"),
        }
    }

    fn terms(&self, dialect: Dialect, peer: Peer) -> Terms {
        let trust = match address_of(peer) {
            None => Trust::Believed,
            Some(_) => Trust::None,
        };
        Terms {
            dialect,
            trust,
            limits: self.settings.limits,
            recipients: self.settings.recipients.clone(),
            host: self.settings.host.clone(),
        }
    }
}

/// The address of a client that is not on this machine.
fn address_of(peer: Peer) -> Option<IpAddr> {
    match peer {
        Peer::Tcp(peer) if !peer.ip().to_canonical().is_loopback() => {
            Some(peer.ip().to_canonical())
        }
        Peer::Tcp(_) | Peer::Unix => None,
    }
}

async fn accept<F>(
    server: Arc<Server>,
    dialect: Dialect,
    listener: Listener,
    store: impl Fn(Dialect, Option<IpAddr>, Mail) -> F + Clone + Send + Sync + 'static,
) where
    F: Future<Output = Reply> + Send + 'static,
{
    let mut stop = std::pin::pin!(server.stopped());
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = clients.join_next() => {
                if let Err(fault) = ended {
                    tracing::error!(%fault, "intake: a connection ended by a fault of ours");
                }
                continue;
            }
            () = &mut stop => break,
        };
        match accepted {
            Ok((connection, peer)) => match Place::take(&server) {
                Some(place) => {
                    let session = Session::new(server.terms(dialect, peer));
                    let client = Client { place, connection, peer, session, held: 0 };
                    clients.spawn(client.run(store.clone()));
                }
                None => {
                    let limit = server.settings.max_connections;
                    server.complain(Some(peer), &format_args!("more than {limit} connections"));
                    turn_away(&connection);
                }
            },
            Err(error) => {
                server.complain(None, &format_args!("accept: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let finished = async { while clients.join_next().await.is_some() {} };
    if tokio::time::timeout(server.settings.stop_timeout, finished).await.is_err() {
        tracing::warn!(connections = clients.len(), "intake: stopped before all mails were stored");
    }
}

/// Says why, if that needs no waiting: a new connection has room for it.
fn turn_away(connection: &Connection) {
    let reply = Reply::new(421, "4.3.2 too many connections, try again later").to_string();
    let _ = match connection {
        Connection::Tcp(stream) => stream.try_write(reply.as_bytes()),
        Connection::Unix(stream) => stream.try_write(reply.as_bytes()),
    };
}

/// One of the connections that may be open at once.
struct Place(Arc<Server>);

impl Place {
    fn take(server: &Arc<Server>) -> Option<Self> {
        let is_free = server.counters.open_one(server.settings.max_connections);
        is_free.then(|| Self(Arc::clone(server)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.counters.close_one();
    }
}

/// One client.
struct Client {
    place: Place,
    connection: Connection,
    peer: Peer,
    session: Session,
    /// Octets of messages for which room was taken.
    held: usize,
}

/// Why a connection is over.
enum End {
    /// As it should be.
    Said,
    /// The client, or the system.
    Broken,
    /// Something took too long.
    Slow,
    /// The program ends.
    Stopping,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

impl From<tokio::time::error::Elapsed> for End {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::Slow
    }
}

impl Client {
    async fn run<F>(mut self, store: impl Fn(Dialect, Option<IpAddr>, Mail) -> F)
    where
        F: Future<Output = Reply>,
    {
        let server = Arc::clone(&self.place.0);
        let end = match self.converse(&server, store).await {
            Ok(()) => End::Said,
            Err(end) => end,
        };
        let last = match end {
            End::Said | End::Broken => return,
            End::Slow => {
                server.counters.add_timed_out();
                server.complain(Some(self.peer), &"a command or a message took too long");
                Reply::new(421, "4.4.2 too slow")
            }
            End::Stopping => Reply::new(421, "4.3.2 closing, try again later"),
        };
        let patience = Duration::from_secs(1);
        let last = last.to_string();
        let said = self.connection.write_all(last.as_bytes());
        let _ = tokio::time::timeout(patience, said).await;
    }

    async fn converse<F>(
        &mut self,
        server: &Arc<Server>,
        store: impl Fn(Dialect, Option<IpAddr>, Mail) -> F,
    ) -> Result<(), End>
    where
        F: Future<Output = Reply>,
    {
        let settings = &server.settings;
        let over = tokio::time::Instant::now() + settings.connection_timeout;
        let until = |span| (tokio::time::Instant::now() + span).min(over);
        let mut stop = std::pin::pin!(server.stopped());
        let mut out = self.session.greeting().to_string();
        let mut input = Vec::new();
        let mut chunk = vec![0; READ];
        let mut deadline = until(settings.command_timeout);
        loop {
            let mut used = 0;
            let mut is_over = false;
            while !is_over {
                let rest = input.get(used..).unwrap_or_default();
                let (taken, step) = self.session.take(rest);
                used += taken;
                let replies = match step {
                    None => break,
                    Some(Step::Say(replies)) => replies,
                    Some(Step::Close(replies)) => {
                        is_over = true;
                        replies
                    }
                    Some(Step::Store(mail)) => {
                        let (dialect, envelope) = (self.session.dialect(), mail.envelope.clone());
                        let stored = store(dialect, address_of(self.peer), *mail).await;
                        dialect.replies(&stored, &envelope)
                    }
                };
                for reply in replies {
                    if reply.is_error() {
                        server.counters.add_error();
                    }
                    out.push_str(&reply.to_string());
                }
                self.hold(server);
                let is_message = self.session.held().is_some();
                deadline = until(if is_message {
                    settings.message_timeout
                } else {
                    settings.command_timeout
                });
            }
            input.drain(..used);
            self.hold(server);
            if !out.is_empty() {
                let said = self.connection.write_all(out.as_bytes());
                timeout_at(until(settings.command_timeout), said).await??;
                out.clear();
            }
            if is_over {
                return Ok(());
            }
            let read = tokio::select! {
                read = timeout_at(deadline, self.connection.read(&mut chunk)) => read??,
                () = &mut stop, if self.session.held().is_none() => return Err(End::Stopping),
            };
            if read == 0 {
                return Err(End::Broken);
            }
            input.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
    }

    /// Takes room for what the session holds, or has it forget that.
    fn hold(&mut self, server: &Server) {
        let wanted = self.session.held().unwrap_or(0);
        if wanted > self.held {
            let more = wanted - self.held;
            if server.counters.hold(more, server.settings.held_octets) {
                self.held = wanted;
            } else {
                self.session.has_no_room();
                self.release(0);
            }
        } else {
            self.release(wanted);
        }
    }

    fn release(&mut self, kept: usize) {
        self.place.0.counters.release(self.held - kept);
        self.held = kept;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.release(0);
    }
}
