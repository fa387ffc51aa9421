//! The gate of `waxseal serve`: the milter, the keys that it signs with, and what is read again from
//! time to time.

use std::sync::Arc;
use std::time::Duration;

use smtp_types::UnixTime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::wiring;
use crate::config::{Config, WatchedFile};
use crate::crypto::AwsLc;
use crate::gate::milter::{self, MilterCounters, MilterSettings};
use crate::gate::{Gate, GateSettings, Parts, key_file};
use crate::keys::{KeyStore, Reloaded, Rotation, Signers};
use crate::listen::Listener;
use crate::metrics::Watched;
use crate::observe::{Bounds, Observer};
use crate::report::{Reporter, ReporterSettings};
use crate::sender::Clock;
use crate::store::Store;

/// How often keys and local verdicts are looked at again.
const RELOAD_PERIOD: Duration = Duration::from_mins(1);

/// How often the schedule of keys is looked after.
const ROTATION_PERIOD: Duration = Duration::from_hours(1);

/// The role with all that runs for it.
pub(super) struct Gating {
    pub(super) gate: Arc<Gate>,
    pub(super) milter: Arc<MilterCounters>,
    pub(super) signers: Arc<Signers>,
    reporter: Option<Arc<Reporter>>,
    settings: MilterSettings,
    observer: Observer,
    rotation: Option<Rotation>,
    clock: Clock,
}

/// Whether there is a state folder to keep keys in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// There is.
    Kept,
    /// Whoever shows the daemon another Internet does not want it to sign with the keys of this
    /// one.
    None,
}

impl Gating {
    /// Makes the parts.
    ///
    /// # Errors
    /// All that stands in the way.
    pub(super) fn new(
        config: &Config,
        at: Option<UnixTime>,
        memory: Memory,
        observer: &Observer,
        store: Option<Arc<Store>>,
    ) -> Result<Self, Vec<String>> {
        let one = |error: &dyn std::fmt::Display| vec![error.to_string()];
        let clock = at.map_or(Clock::System, Clock::Fixed);
        let observer = Observer { bounds: Bounds::SENDER_AUTH, ..observer.clone() };
        let local = Arc::new(WatchedFile::open(config.verdict.local.as_deref())?);
        let state_dir = &config.state_dir;
        let (signers, seal, rotation) = match memory {
            Memory::Kept => {
                let signers = Signers::open(state_dir, config.dkim.subdomains);
                let seal = key_file::load_or_make(state_dir).map_err(|error| one(&error))?;
                let rules = wiring::key_rules(config);
                let rotation = Rotation::new(KeyStore::new(state_dir), rules);
                (signers.map_err(|error| one(&error))?, seal, Some(rotation))
            }
            Memory::None => {
                let seal = key_file::make().map_err(|error| one(&error))?;
                (Signers::none(config.dkim.subdomains), seal, None)
            }
        };
        let signers = Arc::new(signers);
        let reporter = ReporterSettings::of(config).zip(store).map(|(settings, store)| {
            Reporter::new(settings, store, observer.clone(), Some(Arc::clone(&signers)))
        });
        let settings = GateSettings {
            authserv_id: config.gate.authserv_id.clone(),
            networks: config.gate.networks.clone(),
            deadline: config.gate.deadline,
            on_fault: config.gate.on_fault,
            not_strict: config.gate.not_strict,
            matrix: config.verdict.matrix,
            attachments: config.attachments,
            help: config.gate.help.clone(),
        };
        let parts = Parts {
            // Keys and reports are seldom looked after, and want to know what is true now.
            observer: Observer { memory: Some(Arc::default()), ..observer.clone() },
            crypto: Arc::new(AwsLc::new()),
            signers: Arc::clone(&signers),
            local,
            seal,
            reporter: reporter.clone(),
            clock,
        };
        let milter_settings = MilterSettings {
            max_connections: config.gate.max_connections,
            idle_timeout: config.gate.idle_timeout,
            // The gate has a deadline of its own, and an answer for when it is missed.
            verdict_timeout: config.gate.deadline + Duration::from_secs(10),
            on_fault: config.gate.on_fault,
            ..MilterSettings::default()
        };
        let gate = Arc::new(Gate::new(settings, parts));
        let milter = Arc::default();
        let settings = milter_settings;
        Ok(Self { gate, milter, signers, reporter, settings, observer, rotation, clock })
    }

    /// What of it is shown to those who watch.
    pub(super) fn watched(&self) -> Watched {
        Watched {
            gate: self.gate.counters(),
            recent: self.gate.recent(),
            milter: Arc::clone(&self.milter),
            signers: Arc::clone(&self.signers),
            reporter: self.reporter.clone(),
        }
    }

    /// Who reports to others, if anybody does.
    pub(super) fn reporter(&self) -> Option<Arc<Reporter>> {
        self.reporter.clone()
    }

    /// How to read again what the operator may have changed.
    pub(super) fn rereading(&self) -> Rereading {
        Rereading { gate: Arc::clone(&self.gate), signers: Arc::clone(&self.signers) }
    }

    /// Runs until `stopped`, and finishes what has begun.
    pub(super) async fn run(self, listeners: Vec<Listener>, stopped: watch::Receiver<bool>) {
        let Self { gate, milter, signers, reporter, settings, observer, rotation, clock } = self;
        let mut beside = JoinSet::new();
        beside.spawn(reload(Rereading { gate: Arc::clone(&gate), signers: Arc::clone(&signers) }));
        if let Some(rotation) = rotation {
            beside.spawn(rotate(rotation, signers, observer, clock));
        }
        let reporting = reporter.map(|reporter| {
            // It lives a little longer than the milter, for what is judged last is counted, too.
            tokio::spawn(reporter.run(clock, stopped.clone()))
        });
        milter::serve(listeners, gate, settings, milter, stopped).await;
        if let Some(reporting) = reporting {
            let _ = reporting.await;
        }
    }
}

/// What the operator may change while the daemon runs: keys and local verdicts.
#[derive(Clone)]
pub(super) struct Rereading {
    gate: Arc<Gate>,
    signers: Arc<Signers>,
}

impl Rereading {
    /// Reads it again.
    pub(super) async fn reread(self) {
        let reread = tokio::task::spawn_blocking(move || {
            self.gate.local().reload();
            self.signers.reload()
        });
        match reread.await {
            Ok(Ok(reloaded)) if reloaded == Reloaded::default() => {}
            Ok(Ok(Reloaded { read, gone, failed })) => {
                tracing::info!(read, gone, failed, "DKIM keys were read again");
            }
            Ok(Err(error)) => tracing::error!(%error, "DKIM keys cannot be read again"),
            Err(fault) => tracing::error!(%fault, "reading again failed: a fault of ours"),
        }
    }
}

/// Reads again from time to time.
async fn reload(rereading: Rereading) {
    loop {
        tokio::time::sleep(RELOAD_PERIOD).await;
        rereading.clone().reread().await;
    }
}

/// Looks after the schedule of keys.
async fn rotate(rotation: Rotation, signers: Arc<Signers>, observer: Observer, clock: Clock) {
    loop {
        match rotation.rotate_due(&observer, clock.now()).await {
            Ok(round) if round.steps > 0 => {
                let signers = Arc::clone(&signers);
                let _ = tokio::task::spawn_blocking(move || signers.reload()).await;
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "DKIM keys cannot be looked after"),
        }
        tokio::time::sleep(ROTATION_PERIOD).await;
    }
}
