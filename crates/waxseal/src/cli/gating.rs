//! The gate of `waxseal serve`: the milter, and the local verdicts, which are read again from time to
//! time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::signing_keys::Memory;
use crate::config::{Config, WatchedFile};
use crate::crypto::AwsLc;
use crate::gate::milter::{self, MilterCounters, MilterSettings};
use crate::gate::{Gate, GateSettings, Parts, key_file};
use crate::keys::Signers;
use crate::listen::Listener;
use crate::metrics::Watched;
use crate::observe::Observer;
use crate::report::Reporter;
use crate::sender::Clock;

/// How often local verdicts are looked at again.
const RELOAD_PERIOD: Duration = Duration::from_mins(1);

/// The role with all that runs for it.
pub(super) struct Gating {
    pub(super) gate: Arc<Gate>,
    milter: Arc<MilterCounters>,
    settings: MilterSettings,
}

/// Who works with the gate.
pub(super) struct Beside {
    /// Who asks the DNS.
    pub(super) observer: Observer,
    /// Who signs.
    pub(super) signers: Arc<Signers>,
    /// Who is told of each verdict, if anybody is.
    pub(super) reporter: Option<Arc<Reporter>>,
    /// The time of day.
    pub(super) clock: Clock,
}

impl Gating {
    /// Makes the parts.
    ///
    /// # Errors
    /// All that stands in the way.
    pub(super) fn new(
        config: &Config,
        memory: Memory,
        beside: Beside,
    ) -> Result<Self, Vec<String>> {
        let one = |error: &dyn std::fmt::Display| vec![error.to_string()];
        let Beside { observer, signers, reporter, clock } = beside;
        let local = Arc::new(WatchedFile::open(config.verdict.local.as_deref())?);
        let seal = match memory {
            Memory::Kept => key_file::load_or_make(&config.state_dir),
            Memory::None => key_file::make(),
        };
        let seal = seal.map_err(|error| one(&error))?;
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
        // Keys and reports are seldom looked after, and want to know what is true now.
        let observer = Observer { memory: Some(Arc::default()), ..observer };
        let crypto = Arc::new(AwsLc::new());
        let parts = Parts { observer, crypto, signers, local, seal, reporter, clock };
        let milter_settings = MilterSettings {
            max_connections: config.gate.max_connections,
            idle_timeout: config.gate.idle_timeout,
            // The gate has a deadline of its own, and an answer for when it is missed.
            verdict_timeout: config.gate.deadline + Duration::from_secs(10),
            on_fault: config.gate.on_fault,
            ..MilterSettings::default()
        };
        let gate = Arc::new(Gate::new(settings, parts));
        Ok(Self { gate, milter: Arc::default(), settings: milter_settings })
    }

    /// What of it is shown to those who watch.
    pub(super) fn watched(&self) -> Watched {
        Watched {
            gate: self.gate.counters(),
            recent: self.gate.recent(),
            milter: Arc::clone(&self.milter),
        }
    }

    /// Runs until `stopped`, and finishes what has begun.
    pub(super) async fn run(self, listeners: Vec<Listener>, stopped: watch::Receiver<bool>) {
        let Self { gate, milter, settings } = self;
        let mut beside = JoinSet::new();
        beside.spawn(reload(Arc::clone(&gate)));
        milter::serve(listeners, gate, settings, milter, stopped).await;
    }
}

/// Reads local verdicts again.
pub(super) async fn reread(gate: Arc<Gate>) {
    if let Err(fault) = tokio::task::spawn_blocking(move || gate.local().reload()).await {
        tracing::error!(%fault, "reading again failed: a fault of ours");
    }
}

async fn reload(gate: Arc<Gate>) {
    loop {
        tokio::time::sleep(RELOAD_PERIOD).await;
        reread(Arc::clone(&gate)).await;
    }
}
