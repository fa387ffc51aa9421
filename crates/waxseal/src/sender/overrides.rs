//! The operator's override file, reloaded when it changes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use smtp_types::UnixTime;
use transport_policy::{Answer, Decision, Level, LocalMatch, LocalPolicy, LocalRule, Reason};

use crate::config::{ConfigError, MatchName, Override, OverrideLevel, OverridePolicy, Overrides};

/// The set in force, and the file that it comes from.
pub struct OverrideFile {
    path: Option<PathBuf>,
    current: ArcSwap<Overrides>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the file was last changed, as far as we have read it.
    seen: Option<SystemTime>,
    health: OverridesHealth,
}

/// Whether the file that stands there is the set in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OverridesHealth {
    /// It is, or there is none.
    #[default]
    InForce,
    /// The file was broken by an edit; the set from before stays in force.
    KeptOld {
        /// What is wrong, first error first.
        errors: Vec<String>,
    },
}

impl OverrideFile {
    /// No overrides.
    #[must_use]
    pub fn none() -> Self {
        Self { path: None, current: ArcSwap::default(), state: Mutex::default() }
    }

    /// Reads the file for the first time.
    ///
    /// # Errors
    /// Everything that is wrong with it: the program does not start with half of its overrides.
    pub fn open(path: &Path) -> Result<Self, Vec<String>> {
        let seen = changed_at(path);
        let told = |errors: Vec<ConfigError>| -> Vec<String> {
            errors.iter().map(ToString::to_string).collect()
        };
        let overrides = Overrides::read(path).map_err(told)?;
        let file = Self {
            path: Some(path.to_owned()),
            current: ArcSwap::from_pointee(overrides),
            state: Mutex::new(State { seen, health: OverridesHealth::InForce }),
        };
        Ok(file)
    }

    /// The set in force.
    #[must_use]
    pub fn current(&self) -> Arc<Overrides> {
        self.current.load_full()
    }

    /// Whether the file that stands there is the set in force.
    #[must_use]
    pub fn health(&self) -> OverridesHealth {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).health.clone()
    }

    /// Reads the file again if it has changed since. A broken file changes nothing. Returns
    /// whether another set is in force now.
    pub fn reload(&self) -> bool {
        let Some(path) = &self.path else { return false };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = changed_at(path);
        if seen == state.seen {
            return false;
        }
        state.seen = seen;
        match Overrides::read(path) {
            Ok(overrides) => {
                tracing::info!(path = %path.display(), count = overrides.iter().count(), "overrides: new set in force");
                self.current.store(Arc::new(overrides));
                state.health = OverridesHealth::InForce;
                true
            }
            Err(errors) => {
                let errors: Vec<_> = errors.iter().map(ConfigError::line).collect();
                for error in &errors {
                    tracing::error!("overrides: the set from before stays in force: {error}");
                }
                state.health = OverridesHealth::KeptOld { errors };
                false
            }
        }
    }

    /// Overrides whose last day has passed.
    #[must_use]
    pub fn expired(&self, now: UnixTime) -> Vec<Override> {
        self.current().expired(now).cloned().collect()
    }
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// An entry of the file in the words of the decision.
pub(super) fn local_policy(entry: &Override) -> LocalPolicy {
    let rule = match &entry.policy {
        OverridePolicy::Require => LocalRule::Require,
        OverridePolicy::Off => LocalRule::Off,
        OverridePolicy::Fixed(level) => LocalRule::Fixed(local_match(level)),
    };
    LocalPolicy { rule, comment: entry.comment.clone() }
}

/// The decision that is the same whatever the facts are, if this is one.
pub(super) fn decide_without_facts(local: &LocalPolicy) -> Option<Decision> {
    let answer = match &local.rule {
        LocalRule::Off => Answer::NoPolicy,
        LocalRule::Fixed(fixed) => Answer::Fixed(fixed.clone()),
        LocalRule::Require => return None,
    };
    Some(Decision { answer, reasons: vec![Reason::Local(local.clone())] })
}

fn local_match(level: &OverrideLevel) -> LocalMatch {
    let (level, names) = match level {
        OverrideLevel::May => (Level::May, Vec::new()),
        OverrideLevel::Encrypt => (Level::Encrypt, Vec::new()),
        OverrideLevel::Dane => (Level::Dane, Vec::new()),
        OverrideLevel::DaneOnly => (Level::DaneOnly, Vec::new()),
        OverrideLevel::Secure { matches } => {
            let names = matches.iter().map(|name| match name {
                MatchName::Host(host) => (host.clone(), false),
                MatchName::Below(domain) => (domain.clone(), true),
            });
            (Level::Secure, names.collect())
        }
    };
    LocalMatch { level, names }
}
