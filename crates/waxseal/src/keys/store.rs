//! The folder of keys on the disk, and everything that changes it.
//!
//! ```text
//! STATE_DIR/dkim/                      0700
//!   .lock                              who changes something holds it
//!   example.com/                       0700
//!     keys.toml                        0600  states and public keys
//!     wx202611r.pem  wx202611e.pem     0600  private keys, PKCS#8
//! ```
//!
//! The files are the truth, and not the store of the daemon: the command line changes keys while the
//! daemon runs, and the other way round. Whoever writes holds the lock, reads the state anew, and
//! lets [`plan`] decide about what he has read; so two daemons and a person make one new pair of
//! keys and not three. Readers need no lock, for each file is replaced in one step.
//!
//! The order of writing is what makes a crash harmless. Private keys are on the disk before
//! `keys.toml` names them; `keys.toml` calls them retired before they are deleted; a domain's folder
//! gets another name before its files go. So what a crash leaves is a file too many. It is deleted
//! when it is certain that nobody needs it (a draft; the key of a retired generation), and only
//! reported otherwise ([`Oddity`]): a key that nobody knows may be one whose `keys.toml` came from an
//! old backup.

mod care;
mod error;

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sender_auth::crypto::KeyType;
use sender_auth::dkim::Selector;
use smtp_types::{DomainName, UnixTime};

use super::file;
use super::folder::{Folder, Stamp};
use super::generation::{DomainKeys, Generation, Key, State};
use super::rotation::{Observations, Plan, Schedule, Step, after, plan};
use super::selector::SelectorPrefix;
use crate::crypto::{SigningKey, SigningKeyError};

use care::{oddities, tidy};

pub use care::Oddity;
pub use error::KeyStoreError;

/// The folder of keys in the state folder.
const FOLDER: &str = "dkim";

/// The file in a domain's folder that holds the states.
const KEYS_FILE: &str = "keys.toml";

/// The file that whoever writes holds locked. No domain's name begins with a dot.
const LOCK: &str = ".lock";

/// What the name of a folder begins with whose domain was removed.
const GONE: &str = ".gone-";

/// How long somebody else may hold the lock. Nobody needs a second.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is looked whether the lock is free.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// The folder of keys. Nothing is opened until it is needed, and nothing is kept.
#[derive(Clone, Debug)]
pub struct KeyStore {
    state_dir: PathBuf,
}

/// A private key with its selector.
#[derive(Debug)]
pub struct PrivateKey {
    /// Its selector.
    pub selector: Selector,
    /// It.
    pub key: SigningKey,
}

/// Two new private keys that have no name yet.
#[derive(Debug)]
pub struct FreshKeys {
    rsa: SigningKey,
    ed25519: SigningKey,
}

impl FreshKeys {
    /// Makes an RSA key with 2048 bits and an Ed25519 key; takes 20 to 200 ms.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn generate() -> Result<Self, SigningKeyError> {
        let rsa = SigningKey::generate(KeyType::Rsa)?;
        Ok(Self { rsa, ed25519: SigningKey::generate(KeyType::Ed25519)? })
    }
}

/// For which domains new keys are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One that has none.
    NewDomain,
    /// One that has some.
    KnownDomain,
}

/// What a visit to a domain came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The keys as they are now.
    pub keys: DomainKeys,
    /// The step that was taken, if one was due, and what the domain's owner has to do.
    pub plan: Plan,
    /// What is strange about its folder.
    pub oddities: Vec<Oddity>,
}

impl KeyStore {
    /// The folder of keys in this state folder.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.state_dir.join(FOLDER)
    }

    /// The domains that have keys, sorted.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn domains(&self) -> Result<Vec<DomainName>, KeyStoreError> {
        let Some(folder) = self.open()? else { return Ok(Vec::new()) };
        let names = folder.names().map_err(failed(folder.path()))?;
        let domains = names.iter().filter_map(|name| {
            let domain = DomainName::parse(name).ok().filter(|domain| domain.as_str() == name)?;
            let inner = folder.folder(name).ok()??;
            // Keys that somebody was making when the power went.
            (!matches!(inner.stamp(KEYS_FILE), Ok(None))).then_some(domain)
        });
        Ok(domains.collect())
    }

    /// The keys of a domain; `None` if it has none.
    ///
    /// # Errors
    /// If the files cannot be read, or make no sense.
    pub fn read(&self, domain: &DomainName) -> Result<Option<DomainKeys>, KeyStoreError> {
        match self.open_domain(domain)? {
            Some(folder) => read_keys(&folder, domain),
            None => Ok(None),
        }
    }

    /// The private keys of the active generation; none if no generation is active.
    ///
    /// # Errors
    /// If one is not there, cannot be read, or is not the one whose public half is published.
    pub fn active_keys(&self, keys: &DomainKeys) -> Result<Vec<PrivateKey>, KeyStoreError> {
        let Some(active) = keys.active() else { return Ok(Vec::new()) };
        let folder = self.open_domain(keys.domain())?;
        let folder =
            folder.ok_or_else(|| KeyStoreError::NoKeys { domain: keys.domain().clone() })?;
        active.keys().iter().map(|key| read_private(&folder, key)).collect()
    }

    /// What changes whenever the keys of a domain change; `None` if it has none.
    pub(super) fn stamp(&self, domain: &DomainName) -> Result<Option<Stamp>, KeyStoreError> {
        match self.open_domain(domain)? {
            Some(folder) => folder.stamp(KEYS_FILE).map_err(failed(folder.path())),
            None => Ok(None),
        }
    }

    /// Adds new keys to a domain, announced.
    ///
    /// # Errors
    /// If the domain is not of the kind that is meant, has announced keys already, or its name is
    /// too long for a record; or if the files cannot be read or written. Nothing is changed then.
    pub fn announce(
        &self,
        domain: &DomainName,
        target: Target,
        fresh: FreshKeys,
        prefix: &SelectorPrefix,
        now: UnixTime,
    ) -> Result<DomainKeys, KeyStoreError> {
        let locked = self.lock()?;
        let known = self.read(domain)?;
        match (&known, target) {
            (Some(_), Target::NewDomain) => {
                return Err(KeyStoreError::HasKeys { domain: domain.clone() });
            }
            (None, Target::KnownDomain) => {
                return Err(KeyStoreError::NoKeys { domain: domain.clone() });
            }
            (Some(_), Target::KnownDomain) | (None, Target::NewDomain) => {}
        }
        let keys = known.map_or_else(|| DomainKeys::new(domain.clone(), Vec::new()), Ok);
        locked.announce(&keys.map_err(KeyStoreError::keys(domain))?, fresh, prefix, now)
    }

    /// Adds keys of another signer to a domain, announced under the names that they have.
    ///
    /// # Errors
    /// As [`announce`](Self::announce), and if the keys do not make a generation or a name is taken.
    pub fn import(
        &self,
        domain: &DomainName,
        private: &[PrivateKey],
        now: UnixTime,
    ) -> Result<DomainKeys, KeyStoreError> {
        let locked = self.lock()?;
        let known = self.read(domain)?;
        let keys = known.map_or_else(|| DomainKeys::new(domain.clone(), Vec::new()), Ok);
        locked.add(&keys.map_err(KeyStoreError::keys(domain))?, private, now)
    }

    /// Does for a domain what is due by what the DNS shows, and tidies its folder. `None` if it has
    /// no keys.
    ///
    /// # Errors
    /// If the files cannot be read or written. What was on the disk stays.
    pub fn visit(
        &self,
        domain: &DomainName,
        observed: &Observations,
        now: UnixTime,
        rules: &Rules,
    ) -> Result<Option<Visit>, KeyStoreError> {
        // Making keys takes time, in which nobody should wait for the lock.
        let Some(keys) = self.read(domain)? else { return Ok(None) };
        let fresh = match plan(&keys, observed, now, &rules.schedule).step {
            Some(Step::Announce { .. }) => Some(FreshKeys::generate()),
            _ => None,
        };
        let locked = self.lock()?;
        let Some(folder) = self.open_domain(domain)? else { return Ok(None) };
        let Some(keys) = read_keys(&folder, domain)? else { return Ok(None) };
        let mut plan = plan(&keys, observed, now, &rules.schedule);
        let keys = match (&plan.step, fresh) {
            (None, _) => keys,
            (Some(Step::Announce { .. }), Some(fresh)) => {
                let refused = |error| KeyStoreError::NotMade { domain: domain.clone(), error };
                locked.announce(&keys, fresh.map_err(refused)?, &rules.prefix, now)?
            }
            // Somebody has changed the keys meanwhile; the next visit makes new ones.
            (Some(Step::Announce { .. }), None) => {
                plan.step = None;
                keys
            }
            (Some(step), _) => {
                let keys = after(&keys, step, now);
                write_keys(&folder, &keys)?;
                keys
            }
        };
        tidy(&folder, &keys)?;
        let oddities = oddities(&folder, &keys)?;
        Ok(Some(Visit { keys, plan, oddities }))
    }

    /// What is strange about a domain's folder.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn oddities(&self, keys: &DomainKeys) -> Result<Vec<Oddity>, KeyStoreError> {
        match self.open_domain(keys.domain())? {
            Some(folder) => oddities(&folder, keys),
            None => Ok(Vec::new()),
        }
    }

    /// Deletes all keys of a domain, the private ones for good. Returns whether it had any.
    ///
    /// # Errors
    /// If the files cannot be deleted. What is left then is deleted the next time.
    pub fn remove(&self, domain: &DomainName) -> Result<bool, KeyStoreError> {
        let locked = self.lock()?;
        let folder = &locked.folder;
        let wrong = failed(folder.path());
        if folder.folder(domain.as_str()).map_err(&wrong)?.is_none() {
            return Ok(false);
        }
        let taken = folder.names().map_err(&wrong)?;
        let free = (1_u64..).map(|number| format!("{GONE}{number}"));
        let free = { free.into_iter() }.find(|name| !taken.contains(name)).unwrap_or_default();
        folder.rename_folder(domain.as_str(), &free).map_err(&wrong)?;
        folder.sync().map_err(&wrong)?;
        folder.delete_folder(&free).map_err(&wrong)?;
        Ok(true)
    }

    /// Deletes what a crash has left of domains that were removed.
    ///
    /// # Errors
    /// If the folder cannot be read or written.
    pub fn tidy(&self) -> Result<(), KeyStoreError> {
        let Some(folder) = self.open()? else { return Ok(()) };
        let wrong = failed(folder.path());
        let is_gone = |name: &String| name.starts_with(GONE);
        if !folder.names().map_err(&wrong)?.iter().any(is_gone) {
            return Ok(());
        }
        let locked = self.lock()?;
        let names = locked.folder.names().map_err(&wrong)?;
        let mut gone = names.iter().filter(|name| is_gone(name));
        gone.try_for_each(|name| locked.folder.delete_folder(name)).map_err(&wrong)
    }

    fn open(&self) -> Result<Option<Folder>, KeyStoreError> {
        match Folder::open(&self.state_dir) {
            Ok(top) => top.folder(FOLDER).map_err(failed(&self.path())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&self.state_dir)(error)),
        }
    }

    fn open_domain(&self, domain: &DomainName) -> Result<Option<Folder>, KeyStoreError> {
        let Some(folder) = self.open()? else { return Ok(None) };
        let path = folder.path().join(domain.as_str());
        folder.folder(domain.as_str()).map_err(failed(&path))
    }

    /// Makes the folder, if it is not there, and waits until nobody else is changing it.
    fn lock(&self) -> Result<Locked, KeyStoreError> {
        let wrong = failed(&self.state_dir);
        if !self.state_dir.is_dir() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o755).create(&self.state_dir).map_err(&wrong)?;
        }
        let top = Folder::open(&self.state_dir).map_err(&wrong)?;
        let wrong = failed(&self.path());
        let folder = top.make_folder(FOLDER).map_err(&wrong)?;
        let lock = folder.open_lock(LOCK).map_err(&wrong)?;
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Locked { folder, _lock: lock }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(LOCK_INTERVAL);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(KeyStoreError::Busy { path: self.path().join(LOCK) });
                }
                Err(TryLockError::Error(error)) => return Err(wrong(error)),
            }
        }
    }
}

/// By what rules keys are changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// When.
    pub schedule: Schedule,
    /// What the selectors of new keys begin with.
    pub prefix: SelectorPrefix,
}

/// The folder while nobody else changes it.
struct Locked {
    folder: Folder,
    /// Unlocked when it is closed, also by a crash.
    _lock: File,
}

impl Locked {
    fn announce(
        &self,
        keys: &DomainKeys,
        fresh: FreshKeys,
        prefix: &SelectorPrefix,
        now: UnixTime,
    ) -> Result<DomainKeys, KeyStoreError> {
        let wrong = failed(&self.folder.path().join(keys.domain().as_str()));
        let folder = self.folder.folder(keys.domain().as_str()).map_err(&wrong)?;
        let files = folder.map_or(Ok(Vec::new()), |folder| folder.names()).map_err(&wrong)?;
        let pair = prefix.fresh_pair(now, |selector| {
            files.contains(&pem_name(selector))
                || keys.keys().any(|(key, _)| key.selector == *selector)
        });
        let no_name = |error| KeyStoreError::Name { domain: keys.domain().clone(), error };
        let pair = pair.map_err(no_name)?;
        let rsa = PrivateKey { selector: pair.rsa, key: fresh.rsa };
        let ed25519 = PrivateKey { selector: pair.ed25519, key: fresh.ed25519 };
        self.add(keys, &[rsa, ed25519], now)
    }

    fn add(
        &self,
        keys: &DomainKeys,
        private: &[PrivateKey],
        now: UnixTime,
    ) -> Result<DomainKeys, KeyStoreError> {
        let domain = keys.domain();
        if let Some(announced) = keys.announced() {
            let names = announced.names();
            return Err(KeyStoreError::HasAnnounced { domain: domain.clone(), names });
        }
        let mut public = Vec::new();
        for PrivateKey { selector, key } in private {
            let refused = |error| KeyStoreError::NotMade { domain: domain.clone(), error };
            let too_long = |error| KeyStoreError::Name { domain: domain.clone(), error };
            let half = key.public_key().map_err(refused)?;
            public.push(Key::new(domain, selector.clone(), half).map_err(too_long)?);
        }
        let generation = Generation::new(public, State::Announced { since: now, seen: None });
        let keys = generation.and_then(|generation| keys.with(generation));
        let keys = keys.map_err(KeyStoreError::keys(domain))?;

        let wrong = failed(&self.folder.path().join(domain.as_str()));
        let folder = self.folder.make_folder(domain.as_str()).map_err(&wrong)?;
        folder.delete_drafts().map_err(&wrong)?;
        for PrivateKey { selector, key } in private {
            let name = pem_name(selector);
            let path = folder.path().join(&name);
            let refused = |error| KeyStoreError::NotMade { domain: domain.clone(), error };
            let pem = key.to_pem().map_err(refused)?;
            let there = folder.read(&name).map_err(failed(&path))?;
            // The same key is there if an import was cut off before this point.
            if there.is_some_and(|there| there.octets != pem.as_bytes()) {
                return Err(KeyStoreError::FileThere { path });
            }
            folder.write(&name, pem.as_bytes()).map_err(failed(&path))?;
        }
        folder.sync().map_err(&wrong)?;
        write_keys(&folder, &keys)?;
        Ok(keys)
    }
}

fn pem_name(selector: &Selector) -> String {
    format!("{selector}.pem")
}

fn read_keys(folder: &Folder, domain: &DomainName) -> Result<Option<DomainKeys>, KeyStoreError> {
    let path = folder.path().join(KEYS_FILE);
    let Some(content) = folder.read(KEYS_FILE).map_err(failed(&path))? else { return Ok(None) };
    let keys = file::parse(domain, &content.octets);
    keys.map(Some).map_err(|error| KeyStoreError::Damaged { path, error })
}

fn write_keys(folder: &Folder, keys: &DomainKeys) -> Result<(), KeyStoreError> {
    let path = folder.path().join(KEYS_FILE);
    folder.write(KEYS_FILE, file::print(keys).as_bytes()).map_err(failed(&path))?;
    folder.sync().map_err(failed(folder.path()))
}

fn read_private(folder: &Folder, key: &Key) -> Result<PrivateKey, KeyStoreError> {
    let name = pem_name(&key.selector);
    let path = folder.path().join(&name);
    let Some(content) = folder.read(&name).map_err(failed(&path))? else {
        return Err(KeyStoreError::Missing { path });
    };
    let unusable = |error| KeyStoreError::PrivateKey { path: path.clone(), error };
    let private = SigningKey::from_file_text(&content.octets).map_err(unusable)?;
    if private.public_key().map_err(unusable)? != key.public {
        return Err(KeyStoreError::OtherKey { path });
    }
    Ok(PrivateKey { selector: key.selector.clone(), key: private })
}

fn failed(path: &Path) -> impl Fn(io::Error) -> KeyStoreError + use<> {
    let path = path.to_owned();
    move |error| KeyStoreError::Io { path: path.clone(), error }
}

#[cfg(test)]
mod tests;
