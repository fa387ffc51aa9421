//! A file of the operator's that is read again when it changes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::error::ConfigError;
use arc_swap::ArcSwap;

/// What a watched file holds.
pub trait FileContent: Default {
    /// What it is called in the log.
    const NAME: &'static str;

    /// Reads the file.
    ///
    /// # Errors
    /// That it cannot be read, or all that is wrong in it.
    fn read(path: &Path) -> Result<Self, Vec<ConfigError>>;

    /// How many entries there are.
    fn count(&self) -> usize;
}

/// The entries in force, and the file that they come from.
pub struct WatchedFile<T> {
    path: Option<PathBuf>,
    current: ArcSwap<T>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the file was last changed, as far as we have read it.
    seen: Option<SystemTime>,
    health: FileHealth,
}

/// Whether the file that stands there is the set in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FileHealth {
    /// It is, or there is none.
    #[default]
    InForce,
    /// The file was broken by an edit; the set from before stays in force.
    KeptOld {
        /// What is wrong, first error first.
        errors: Vec<String>,
    },
}

impl<T: FileContent> WatchedFile<T> {
    /// Reads the file for the first time; without a path there is none, and no entry.
    ///
    /// # Errors
    /// Everything that is wrong with it: the program does not start with half of its entries.
    pub fn open(path: Option<&Path>) -> Result<Self, Vec<String>> {
        let told = |errors: Vec<ConfigError>| -> Vec<String> {
            errors.iter().map(ToString::to_string).collect()
        };
        let seen = path.and_then(changed_at);
        let entries = path.map_or_else(|| Ok(T::default()), T::read).map_err(told)?;
        Ok(Self {
            path: path.map(Path::to_owned),
            current: ArcSwap::from_pointee(entries),
            state: Mutex::new(State { seen, health: FileHealth::InForce }),
        })
    }

    /// No file, and no entry.
    #[must_use]
    pub fn none() -> Self {
        Self { path: None, current: ArcSwap::from_pointee(T::default()), state: Mutex::default() }
    }

    /// The entries in force.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Whether the file that stands there is the set in force.
    #[must_use]
    pub fn health(&self) -> FileHealth {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).health.clone()
    }

    /// Reads the file again if it has changed since. A broken file changes nothing. Returns
    /// whether another set is in force now.
    pub fn reload(&self) -> bool {
        let Some(path) = &self.path else { return false };
        let name = T::NAME;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = changed_at(path);
        if seen == state.seen {
            return false;
        }
        state.seen = seen;
        match T::read(path) {
            Ok(entries) => {
                let count = entries.count();
                tracing::info!(path = %path.display(), count, "{name}: new set in force");
                self.current.store(Arc::new(entries));
                state.health = FileHealth::InForce;
                true
            }
            Err(errors) => {
                let errors: Vec<_> = errors.iter().map(ConfigError::line).collect();
                for error in &errors {
                    tracing::error!("{name}: the set from before stays in force: {error}");
                }
                state.health = FileHealth::KeptOld { errors };
                false
            }
        }
    }
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
