//! Where settings come from: the environment, a file, the command line; the last wins.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Document;
use super::environment::Environment;
use super::error::{ConfigError, Fault, Place};
use super::keys::{KEYS, Key};
use super::kind::Refusal;
use super::nearest::nearest;
use super::origin::Origin;
use super::settings::Config;

/// The file that is read if none is named. It need not be there.
pub const DEFAULT_FILE: &str = "/etc/waxseal/waxseal.toml";

/// Reads the configuration as a verb of the command line needs it: the file named by `--config`
/// or else [`DEFAULT_FILE`], then the flags that the verb has.
///
/// # Errors
/// All that is wrong. Nothing is in force then.
pub fn load(matches: &ArgMatches) -> Result<Loaded, Vec<ConfigError>> {
    let mut loaded = Loaded::new(&Environment::of_process());
    let mut errors = Vec::new();
    let named = { matches.try_get_one::<PathBuf>("config").ok().flatten() };
    let path = named.map_or(Path::new(DEFAULT_FILE), PathBuf::as_path);
    match std::fs::read(path) {
        Ok(bytes) => errors.extend(loaded.read_file(&path.display().to_string(), &bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {}
        Err(error) => errors.push(ConfigError::unreadable(path, &error.to_string())),
    }
    errors.extend(super::apply(matches, &mut loaded));
    errors.extend(loaded.finish());
    if errors.is_empty() { Ok(loaded) } else { Err(errors) }
}

/// A configuration, and where each of its values comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The file that was read.
    pub file: Option<String>,
    pub(super) origins: BTreeMap<&'static str, Origin>,
}

impl Loaded {
    /// The defaults, with the state folder that belongs to the surroundings.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        let mut loaded = Self { config: Config::default(), file: None, origins: BTreeMap::new() };
        if let Some((folder, origin)) = environment.state_dir() {
            loaded.config.state_dir = folder;
            loaded.origins.insert("state_dir", origin);
        }
        loaded
    }

    /// How many keys the file and the command line set.
    #[must_use]
    pub fn count_set(&self) -> usize {
        let is_set = |origin: &&Origin| matches!(origin, Origin::File(_) | Origin::CommandLine(_));
        self.origins.values().filter(is_set).count()
    }

    /// Where the value of `key` comes from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Reads a file of settings over what is there, and tells all that is wrong in it. What is
    /// wrong leaves the earlier value.
    #[must_use = "with errors, the configuration must not be used"]
    pub fn read_file(&mut self, name: &str, bytes: &[u8]) -> Vec<ConfigError> {
        self.file = Some(name.into());
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return vec![ConfigError::not_utf8(name, bytes, error.valid_up_to())],
        };
        let (mut document, table) = Document::parse(name, text);
        self.read_table(&mut document, "", table.get_ref());
        document.finish()
    }

    fn read_table(&mut self, document: &mut Document<'_>, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let full = match above {
                "" => name.get_ref().to_string(),
                _ => format!("{above}.{}", name.get_ref()),
            };
            if let Some(key) = Key::find(&full) {
                self.read_key(document, key, value);
                continue;
            }
            let is_table = KEYS.iter().any(|key| key.table_and_name().0 == full);
            match value.get_ref() {
                DeValue::Table(inner) if is_table => self.read_table(document, &full, inner),
                _ if is_table => {
                    let refusal = Refusal::new(value, format!("a table, [{full}]"));
                    document.refuse(&full, refusal, None);
                }
                _ => {
                    let hint = nearest(&full).map(|name| format!("did you mean {name}?"));
                    document.add(&full, name.span(), Fault::UnknownKey, hint.as_deref());
                }
            }
        }
    }

    fn read_key(
        &mut self,
        document: &mut Document<'_>,
        key: &'static Key,
        value: &Spanned<DeValue<'_>>,
    ) {
        match key.kind.read(&mut self.config, value) {
            Ok(()) => {
                let origin = Origin::File(document.place(value.span()));
                self.origins.insert(key.name, origin);
            }
            Err(refusals) => {
                for refusal in refusals {
                    document.refuse(key.name, refusal, key.hint());
                }
            }
        }
    }

    /// Sets `key` to what was typed behind its flag.
    pub(super) fn set_typed(&mut self, key: &'static Key, typed: &[String]) -> Vec<ConfigError> {
        let Some(flag) = &key.flag else {
            return Vec::new();
        };
        let flag = format!("--{}", flag.name);
        let place = Place::CommandLine { flag: flag.clone() };
        match key.kind.read(&mut self.config, &key.kind.typed(typed)) {
            Ok(()) => {
                self.origins.insert(key.name, Origin::CommandLine(place));
                Vec::new()
            }
            Err(refusals) => { refusals.into_iter() }
                .map(|Refusal { expected, found, .. }| ConfigError {
                    key: flag.clone(),
                    fault: Fault::Value { expected, found },
                    place: place.clone(),
                    hint: key.hint().map(Into::into),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
