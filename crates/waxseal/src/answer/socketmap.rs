//! The socketmap server: what Postfix and sendmail ask (`socketmap_table(5)`).
//!
//! A mail server keeps a connection open and asks on it, one netstring for each question. Postfix
//! opens one for each `smtp(8)` process, closes it after 100 s at most, and when it finds one
//! closed it asks again on a new one; so an end of ours, at a time when nothing is asked, is not
//! noticed.
//!
//! Here is the listening and the counting of connections; `session` is what happens on one.
//!
//! Run [`serve`] on a thread and a current-thread runtime of its own, so that whatever else the
//! program does (fetching policies, TLS) cannot delay an answer that lies in memory. Answering is a
//! few microseconds of work, most of it in the kernel; one thread is enough for any mail server.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::complaint::Complaints;
use super::session::{End, Session};
use super::{Answers, SocketmapCounters};
use crate::listen::{Connection, Listener, Peer};

/// How long questions that are being looked up are waited for at the end. Look-ups have a deadline
/// of at most 90 s; Postfix asks again if it gets no answer.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// How long nothing is accepted after an error that may last, such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many log lines about clients there may be.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(10);

/// The bounds of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketmapSettings {
    /// How many connections may be open at once, over all listeners. More are closed as soon as
    /// they are accepted. The default is 4096.
    pub max_connections: usize,
    /// How long a connection may be silent between requests. It is closed after that time, or up
    /// to twice that time if it was busy before. The default is 150 s, because Postfix
    /// keeps one for 100 s.
    pub idle_timeout: Duration,
    /// How long a request may take from its first octet to its last. The default is 10 s.
    pub read_timeout: Duration,
    /// How long replies may wait for a client that does not read. The default is 10 s.
    pub write_timeout: Duration,
}

impl Default for SocketmapSettings {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            idle_timeout: Duration::from_secs(150),
            read_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// Answers on `listeners` until `stop` holds true or its sender is gone. Then it accepts nothing
/// more, finishes what was asked, for up to 15 s, and returns.
///
/// The listeners must have been made on the runtime that this runs on. Only log lines come out of
/// it: neither a client nor the system can end it.
pub async fn serve<A: Answers>(
    listeners: Vec<Listener>,
    answers: Arc<A>,
    settings: SocketmapSettings,
    counters: Arc<SocketmapCounters>,
    stop: watch::Receiver<bool>,
) {
    let complaints = Complaints::once_in(COMPLAINT_PERIOD);
    let server = Arc::new(Server { answers, settings, counters, complaints, stop });
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(Arc::clone(&server).accept(listener));
    }
    accepting.join_all().await;
}

struct Server<A> {
    answers: Arc<A>,
    settings: SocketmapSettings,
    counters: Arc<SocketmapCounters>,
    complaints: Complaints,
    stop: watch::Receiver<bool>,
}

impl<A: Answers> Server<A> {
    /// Serves one listener.
    async fn accept(self: Arc<Self>, listener: Listener) {
        let mut stop = pin!(self.stopped());
        let mut sessions = JoinSet::new();
        let mut failed_before = false;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(ended) = sessions.join_next() => {
                    if let Err(fault) = ended {
                        tracing::error!(%fault, "socketmap: a connection ended by a fault of ours");
                    }
                    continue;
                }
                () = &mut stop => break,
            };
            match accepted {
                Ok((connection, peer)) => {
                    failed_before = false;
                    if let Some(place) = Place::take(&self) {
                        sessions.spawn(place.answer(connection, peer));
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
        let finished = async { while sessions.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, finished).await.is_err() {
            tracing::warn!(
                connections = sessions.len(),
                "socketmap: stopped before all was answered"
            );
        }
    }

    /// Is ready when the server is to stop.
    fn stopped(&self) -> impl Future<Output = ()> + use<A> {
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
            Some(Peer::Tcp(peer)) => tracing::warn!(%peer, %reason, held_back, "socketmap"),
            Some(Peer::Unix) => tracing::warn!(peer = "unix", %reason, held_back, "socketmap"),
            None => tracing::warn!(%reason, held_back, "socketmap"),
        }
    }
}

/// One of the connections that may be open at once. It is given back when this is dropped, even if
/// the connection ends by a panic.
struct Place<A: Answers>(Arc<Server<A>>);

impl<A: Answers> Place<A> {
    /// `None` if there is none, which is counted.
    fn take(server: &Arc<Server<A>>) -> Option<Self> {
        if server.counters.open_one(server.settings.max_connections) {
            return Some(Self(Arc::clone(server)));
        }
        let limit = server.settings.max_connections;
        server.complain(&format_args!("more than {limit} connections"), None);
        None
    }

    /// Answers on the connection until it ends, counts and logs how.
    async fn answer(self, connection: Connection, peer: Peer) {
        let server = &*self.0;
        let stop = pin!(server.stopped());
        let session = Session::new(connection, &*server.answers, server.settings, &server.counters);
        let end = session.run(stop).await;
        match &end {
            End::Closed | End::Idle | End::Stopping => {}
            End::Broken(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            End::Broken(_) => tracing::debug!(?peer, %end, "socketmap"),
            End::Malformed(_) => {
                server.counters.add_malformed();
                server.complain(&end, Some(peer));
            }
            End::SlowRequest | End::SlowReader => {
                server.counters.add_timed_out();
                server.complain(&end, Some(peer));
            }
        }
    }
}

impl<A: Answers> Drop for Place<A> {
    fn drop(&mut self) {
        self.0.counters.close_one();
    }
}
