//! The DKIM keys of `waxseal serve`: who signs for which domain, read again from time to time, and
//! changed as their schedule says. The gate signs mail with them, the reporter its reports.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::wiring;
use crate::config::Config;
use crate::keys::{KeyStore, KeyStoreError, Reloaded, Rotation, Signers};
use crate::observe::Observer;
use crate::sender::Clock;

/// How often keys are looked at again.
const RELOAD_PERIOD: Duration = Duration::from_mins(1);

/// How often the schedule of keys is looked after.
const ROTATION_PERIOD: Duration = Duration::from_hours(1);

/// Whether there is a state folder to keep keys in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// There is.
    Kept,
    /// Whoever shows the daemon another Internet does not want it to sign with the keys of this
    /// one.
    None,
}

/// The keys, and what keeps them in order.
pub(super) struct SigningKeys {
    pub(super) signers: Arc<Signers>,
    rotation: Option<Rotation>,
}

impl SigningKeys {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// If their folder cannot be read.
    pub(super) fn open(config: &Config, memory: Memory) -> Result<Self, KeyStoreError> {
        let subdomains = config.dkim.subdomains;
        let (signers, rotation) = match memory {
            Memory::Kept => {
                let rotation =
                    Rotation::new(KeyStore::new(&config.state_dir), wiring::key_rules(config));
                (Signers::open(&config.state_dir, subdomains)?, Some(rotation))
            }
            Memory::None => (Signers::none(subdomains), None),
        };
        Ok(Self { signers: Arc::new(signers), rotation })
    }

    /// Keeps them in order until dropped.
    pub(super) async fn run(self, observer: Observer, clock: Clock) {
        let Self { signers, rotation } = self;
        let mut beside = JoinSet::new();
        beside.spawn(reload(Arc::clone(&signers)));
        if let Some(rotation) = rotation {
            beside.spawn(rotate(rotation, signers, observer, clock));
        }
        while beside.join_next().await.is_some() {}
    }
}

/// Reads keys again.
pub(super) async fn reread(signers: Arc<Signers>) {
    match tokio::task::spawn_blocking(move || signers.reload()).await {
        Ok(Ok(reloaded)) if reloaded == Reloaded::default() => {}
        Ok(Ok(Reloaded { read, gone, failed })) => {
            tracing::info!(read, gone, failed, "DKIM keys were read again");
        }
        Ok(Err(error)) => tracing::error!(%error, "DKIM keys cannot be read again"),
        Err(fault) => tracing::error!(%fault, "reading again failed: a fault of ours"),
    }
}

async fn reload(signers: Arc<Signers>) {
    loop {
        tokio::time::sleep(RELOAD_PERIOD).await;
        reread(Arc::clone(&signers)).await;
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
