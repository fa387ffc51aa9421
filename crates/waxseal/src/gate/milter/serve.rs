//! The milter server: what Postfix and sendmail connect to.
//!
//! A mail server opens a connection for each of its SMTP sessions and keeps it as long as that
//! lasts. If it finds the connection closed, it does with the message what its own setting says
//! (`milter_default_action`, `F=`); so a connection is closed at a fault of the mail server, and
//! between messages when we stop, never within a message.
//!
//! Here is the listening and the counting of connections; `conversation` is what happens on one.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::conversation::{Conversation, End};
use super::counters::MilterCounters;
use super::judge::Judge;
use super::session::{MilterLimits, SessionError};
use crate::answer::complaint::Complaints;
use crate::listen::{Connection, Listener, Peer};

/// How long nothing is accepted after an error that may last, such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many log lines about mail servers there may be.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(10);

/// The bounds of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MilterSettings {
    /// How many connections may be open at once, over all listeners. More are closed as soon as
    /// they are accepted. The default is 4096.
    pub max_connections: usize,
    /// How long a mail server may be silent between packets: as long as an SMTP client may be
    /// silent, or may take for its message, which Postfix shows to the milter when all of it is
    /// there. The default is 7,210 s, libmilter's and so that of nearly all milters: a bit more than
    /// twice what sendmail grants a client (`Timeout.command` and `Timeout.datablock`, 1 h each). A
    /// dead peer costs a socket and a few kilobytes as long as that, and the number of connections
    /// has a limit; a shorter time would cost mail.
    pub idle_timeout: Duration,
    /// How long a packet may take from its first octet to its last. The default is 30 s.
    pub read_timeout: Duration,
    /// How long replies may wait for a mail server that does not read. The default is 30 s.
    pub write_timeout: Duration,
    /// How often a mail server that waits for a verdict is told so. The default is 5 s; sendmail
    /// gives up after 10 s without a word (`R:10s`).
    pub progress_period: Duration,
    /// How long a verdict may take. The default is 120 s; the mail servers wait for 300 s
    /// (`milter_content_timeout`, `E:5m`).
    pub verdict_timeout: Duration,
    /// How long messages that have begun are waited for at the end. The default is 30 s.
    pub stop_timeout: Duration,
    /// What becomes of a message after a fault of ours. The default is
    /// [`Defer`](OnFault::Defer).
    pub on_fault: OnFault,
    /// How much is read and kept.
    pub limits: MilterLimits,
}

impl Default for MilterSettings {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            idle_timeout: Duration::from_secs(7_210),
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            progress_period: Duration::from_secs(5),
            verdict_timeout: Duration::from_secs(120),
            stop_timeout: Duration::from_secs(30),
            on_fault: OnFault::Defer,
            limits: MilterLimits::default(),
        }
    }
}

/// What becomes of a message that we have failed to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFault {
    /// Its sender is told to try again later.
    Defer,
    /// It is accepted as it came.
    Accept,
}

/// Judges messages that come over `listeners` until `stop` holds true or its sender is gone. Then
/// it accepts nothing more, finishes the messages that have begun, for up to
/// [`MilterSettings::stop_timeout`], and returns.
///
/// The listeners must have been made on the runtime that this runs on. Only log lines come out of
/// it: neither a mail server nor the system can end it.
pub async fn serve<J: Judge>(
    listeners: Vec<Listener>,
    judge: Arc<J>,
    settings: MilterSettings,
    counters: Arc<MilterCounters>,
    stop: watch::Receiver<bool>,
) {
    let complaints = Complaints::once_in(COMPLAINT_PERIOD);
    let server = Arc::new(Server { judge, settings, counters, complaints, stop });
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(Arc::clone(&server).accept(listener));
    }
    accepting.join_all().await;
}

struct Server<J> {
    judge: Arc<J>,
    settings: MilterSettings,
    counters: Arc<MilterCounters>,
    complaints: Complaints,
    stop: watch::Receiver<bool>,
}

impl<J: Judge> Server<J> {
    /// Serves one listener.
    async fn accept(self: Arc<Self>, listener: Listener) {
        let mut stop = pin!(self.stopped());
        let mut conversations = JoinSet::new();
        let mut failed_before = false;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(ended) = conversations.join_next() => {
                    if let Err(fault) = ended {
                        tracing::error!(%fault, "milter: a connection ended by a fault of ours");
                    }
                    continue;
                }
                () = &mut stop => break,
            };
            match accepted {
                Ok((connection, peer)) => {
                    failed_before = false;
                    if let Some(place) = Place::take(&self) {
                        conversations.spawn(place.converse(connection, peer));
                    }
                }
                Err(error) => {
                    self.complain(&format_args!("accept: {error}"), None);
                    // The first may be of the one client that has gone; what stays is not.
                    if failed_before {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    failed_before = true;
                }
            }
        }
        drop(listener);
        let finished = async { while conversations.join_next().await.is_some() {} };
        if tokio::time::timeout(self.settings.stop_timeout, finished).await.is_err() {
            tracing::warn!(
                connections = conversations.len(),
                "milter: stopped before all messages were judged"
            );
        }
    }

    /// Is ready when the server is to stop.
    fn stopped(&self) -> impl Future<Output = ()> + use<J> {
        let mut stop = self.stop.clone();
        async move {
            // An error means that nobody is left who could say so.
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }

    fn complain(&self, reason: &dyn std::fmt::Display, peer: Option<Peer>) {
        let Some(held_back) = self.complaints.may_write(Instant::now()) else {
            return;
        };
        match peer {
            Some(Peer::Tcp(peer)) => tracing::warn!(%peer, %reason, held_back, "milter"),
            Some(Peer::Unix) => tracing::warn!(peer = "unix", %reason, held_back, "milter"),
            None => tracing::warn!(%reason, held_back, "milter"),
        }
    }
}

/// One of the connections that may be open at once. It is given back when this is dropped, even if
/// the connection ends by a panic.
struct Place<J: Judge>(Arc<Server<J>>);

impl<J: Judge> Place<J> {
    /// `None` if there is none, which is counted.
    fn take(server: &Arc<Server<J>>) -> Option<Self> {
        if server.counters.open_one(server.settings.max_connections) {
            return Some(Self(Arc::clone(server)));
        }
        let limit = server.settings.max_connections;
        server.complain(&format_args!("more than {limit} connections"), None);
        None
    }

    /// Speaks with the mail server until the connection ends, counts and logs how.
    async fn converse(self, connection: Connection, peer: Peer) {
        let server = &*self.0;
        let stop = pin!(server.stopped());
        let conversation =
            Conversation::new(connection, &*server.judge, &server.settings, &server.counters);
        let end = conversation.run(stop).await;
        match &end {
            End::Closed | End::Idle | End::Stopping => {}
            End::Broken(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            End::Broken(_) => tracing::debug!(?peer, %end, "milter"),
            End::Session(SessionError::Negotiation(error)) => {
                server.counters.add_malformed();
                // Without this line, an operator would look for the reason in vain.
                tracing::error!(?peer, %error, "milter: cannot work with this mail server");
            }
            End::Packet(_) | End::Session(_) => {
                server.counters.add_malformed();
                server.complain(&end, Some(peer));
            }
            End::SlowPacket | End::SlowReader => {
                server.counters.add_timed_out();
                server.complain(&end, Some(peer));
            }
        }
    }
}

impl<J: Judge> Drop for Place<J> {
    fn drop(&mut self) {
        self.0.counters.close_one();
    }
}
