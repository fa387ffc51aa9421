//! The answering thread of `waxseal serve`: everything that listens, and a sign of life.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::answer::{SocketmapCounters, SocketmapSettings, api, http, line, socketmap};
use crate::collect::Collector;
use crate::config::Config;
use crate::keys::Signers;
use crate::listen::{Listener, Role};
use crate::metrics::{Metrics, Watched};
use crate::report::Reporter;
use crate::sender::Sender;

/// The sign of life of the answering thread: a number that grows as long as the thread goes
/// through its tasks. If it hangs, the watchdog of systemd gets to know.
#[derive(Default)]
pub(super) struct Pulse(AtomicU64);

/// How often the number grows: more than once for each beat of any sensible watchdog.
const PULSE_PERIOD: Duration = Duration::from_millis(100);

impl Pulse {
    async fn beat(self: Arc<Self>) {
        loop {
            tokio::time::sleep(PULSE_PERIOD).await;
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number now.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the answering thread needs.
pub(super) struct Answering {
    pub(super) config: Config,
    pub(super) sender: Arc<Sender>,
    /// The gate, if there is one.
    pub(super) gate: Option<Watched>,
    /// The keys that sign, if anybody signs.
    pub(super) signers: Option<Arc<Signers>>,
    /// The reporter, if there is one.
    pub(super) reporter: Option<Arc<Reporter>>,
    /// The collector, if there is one.
    pub(super) collector: Option<Arc<Collector>>,
    pub(super) socketmap: Arc<SocketmapCounters>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Answering {
    /// Answers on all listeners until stopped.
    pub(super) async fn run(self, listeners: Vec<(Role, Listener)>) {
        let Self { config, sender, gate, signers, reporter, collector, pulse, stopped, .. } = self;
        let counters = self.socketmap;
        let pulse = tokio::spawn(pulse.beat());
        let answers = Arc::new(Arc::clone(&sender));
        let recent = gate.as_ref().map(|gate| Arc::clone(&gate.recent));
        let (watched, socketmap) = (Arc::clone(&sender), Arc::clone(&counters));
        let metrics =
            Arc::new(Metrics { sender: watched, gate, signers, reporter, collector, socketmap });
        let mut servers = JoinSet::new();
        let mut maps = Vec::new();
        for (role, listener) in listeners {
            let stopped = stopped.clone();
            match role {
                Role::Socketmap => maps.push(listener),
                Role::Http => {
                    servers.spawn(http::serve(
                        listener,
                        api::watch_routes(Arc::clone(&metrics)),
                        stopped,
                    ));
                }
                Role::Api => {
                    servers.spawn(http::serve(
                        listener,
                        api::decision_routes(Arc::clone(&sender))
                            .merge(api::verdict_routes(recent.clone())),
                        stopped,
                    ));
                }
                // Served where there is time for that, by `serve`.
                Role::Milter | Role::TlsLines => {}
                Role::Line => {
                    let settings = line::LineSettings::default();
                    servers.spawn(line::serve(listener, Arc::clone(&answers), settings, stopped));
                }
            }
        }
        let settings = SocketmapSettings {
            max_connections: config.socketmap.max_connections,
            idle_timeout: config.socketmap.idle_timeout,
            read_timeout: config.socketmap.read_timeout,
            ..SocketmapSettings::default()
        };
        servers.spawn(socketmap::serve(maps, answers, settings, counters, stopped));
        while let Some(ended) = servers.join_next().await {
            if let Err(fault) = ended {
                tracing::error!(%fault, "a server has ended: a fault of ours");
            }
        }
        pulse.abort();
    }
}
