//! The keys that sign, in memory.
//!
//! Whoever signs asks [`Signers::current`] and holds what he gets for one message: no lock, no disk.
//! [`Signers::reload`] looks at the files again; it reads only what has changed, so it may be called
//! every minute with thousands of domains. What cannot be read changes nothing: the keys from before
//! go on signing, and the reason is told once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use smtp_types::DomainName;

use super::folder::Stamp;
use super::store::{KeyStore, KeyStoreError, PrivateKey};

/// Who signs for a domain without keys of its own that lies below one with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subdomains {
    /// The domain above it: relaxed alignment of DMARC is content with that (RFC 9989 §4.4).
    Parent,
    /// Nobody.
    Own,
}

/// The signing keys of all domains, as files say them.
pub struct Signers {
    /// `None` if there is no folder.
    store: Option<KeyStore>,
    current: ArcSwap<SignerSet>,
    /// What has been read, by domain.
    read: Mutex<HashMap<DomainName, Reading>>,
}

/// The last look at the keys of a domain.
#[derive(Default)]
struct Reading {
    /// What was read; `None` after a failure, so that it is tried again.
    stamp: Option<Stamp>,
    failure: Option<String>,
}

/// The signing keys at one moment.
pub struct SignerSet {
    subdomains: Subdomains,
    domains: HashMap<DomainName, Arc<DomainSigner>>,
}

/// The keys that sign for a domain.
#[derive(Debug)]
pub struct DomainSigner {
    /// The domain: `d=`.
    pub domain: DomainName,
    /// The active keys, at least one; every message is signed by each.
    pub keys: Vec<PrivateKey>,
}

/// What a reload came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Domains whose keys were read, for they had changed.
    pub read: usize,
    /// Domains that are gone.
    pub gone: usize,
    /// Domains whose keys cannot be read; those from before sign.
    pub failed: usize,
}

impl Signers {
    /// Reads the keys in this state folder for the first time. A domain whose keys cannot be read is
    /// told in the log, and does not keep the others from signing.
    ///
    /// # Errors
    /// If the folder itself cannot be read.
    pub fn open(state_dir: &Path, subdomains: Subdomains) -> Result<Self, KeyStoreError> {
        let empty = SignerSet { subdomains, domains: HashMap::new() };
        let signers = Self {
            store: Some(KeyStore::new(state_dir)),
            current: ArcSwap::from_pointee(empty),
            read: Mutex::default(),
        };
        signers.reload()?;
        Ok(signers)
    }

    /// No keys, and no folder to read any from.
    #[must_use]
    pub fn none(subdomains: Subdomains) -> Self {
        let empty = SignerSet { subdomains, domains: HashMap::new() };
        Self { store: None, current: ArcSwap::from_pointee(empty), read: Mutex::default() }
    }

    /// The keys in force.
    #[must_use]
    pub fn current(&self) -> Arc<SignerSet> {
        self.current.load_full()
    }

    /// Why the keys of some domains are not those in the files; for health and for people.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut failures: Vec<_> =
            self.read().values().filter_map(|reading| reading.failure.clone()).collect();
        failures.sort();
        failures
    }

    /// Looks at the files again, and reads what has changed. Blocks for the disk.
    ///
    /// # Errors
    /// If the folder itself cannot be read; nothing changes then.
    pub fn reload(&self) -> Result<Reloaded, KeyStoreError> {
        let mut readings = self.read();
        let before = self.current();
        let Some(store) = &self.store else { return Ok(Reloaded::default()) };
        let found = store.domains()?;
        let mut domains = HashMap::with_capacity(found.len());
        let mut seen = HashMap::with_capacity(found.len());
        let mut reloaded = Reloaded::default();
        for domain in found {
            let last = readings.remove(&domain).unwrap_or_default();
            let signer = before.domains.get(&domain).cloned();
            let (reading, signer) = self.look(store, &domain, &last, signer, &mut reloaded);
            domains.extend(signer.map(|signer| (domain.clone(), signer)));
            seen.insert(domain, reading);
        }
        reloaded.gone = readings.len();
        *readings = seen;
        if reloaded != Reloaded::default() {
            let subdomains = before.subdomains;
            self.current.store(Arc::new(SignerSet { subdomains, domains }));
        }
        Ok(reloaded)
    }

    fn look(
        &self,
        store: &KeyStore,
        domain: &DomainName,
        last: &Reading,
        signer: Option<Arc<DomainSigner>>,
        reloaded: &mut Reloaded,
    ) -> (Reading, Option<Arc<DomainSigner>>) {
        // The stamp comes first: what is written while we read is read again the next time.
        let outcome = store.stamp(domain).and_then(|stamp| {
            let unchanged = stamp.is_some() && stamp == last.stamp;
            if unchanged { Ok((stamp, None)) } else { Ok((stamp, Some(load(store, domain)?))) }
        });
        match outcome {
            Ok((stamp, None)) => (Reading { stamp, failure: None }, signer),
            Ok((stamp, Some(loaded))) => {
                reloaded.read += 1;
                (Reading { stamp, failure: None }, loaded)
            }
            Err(error) => {
                reloaded.failed += 1;
                let failure = error.to_string();
                if last.failure.as_ref() != Some(&failure) {
                    tracing::error!(%domain, "DKIM keys: what was read before stays in use: {failure}");
                }
                (Reading { stamp: None, failure: Some(failure) }, signer)
            }
        }
    }

    fn read(&self) -> MutexGuard<'_, HashMap<DomainName, Reading>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(store: &KeyStore, domain: &DomainName) -> Result<Option<Arc<DomainSigner>>, KeyStoreError> {
    let Some(keys) = store.read(domain)? else { return Ok(None) };
    let keys = store.active_keys(&keys)?;
    if keys.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(DomainSigner { domain: domain.clone(), keys })))
}

impl SignerSet {
    /// Who signs for a letter from an address of `from`: the domain itself, or else the nearest one
    /// above it that has active keys. `None` if nobody does.
    #[must_use]
    pub fn signer(&self, from: &DomainName) -> Option<&Arc<DomainSigner>> {
        let mut domain = from.clone();
        loop {
            if let Some(signer) = self.domains.get(&domain) {
                return Some(signer);
            }
            domain = match self.subdomains {
                Subdomains::Parent => domain.parent()?,
                Subdomains::Own => return None,
            };
        }
    }

    /// How many domains have active keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.domains.len()
    }

    /// Whether no domain has active keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::{FreshKeys, Rules, Target};
    use super::*;
    use crate::keys::{DnsObservation, SelectorPrefix};
    use sender_auth::crypto::SigningKey as _;
    use smtp_types::UnixTime;

    const NOW: UnixTime = UnixTime(1_795_200_000);

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn announce(store: &KeyStore, domain: &str) {
        let fresh = FreshKeys::generate().unwrap();
        let prefix = SelectorPrefix::default();
        store.announce(&name(domain), Target::NewDomain, fresh, &prefix, NOW).unwrap();
    }

    /// As if the DNS showed everything.
    fn activate(store: &KeyStore, domain: &str) {
        let keys = store.read(&name(domain)).unwrap().unwrap();
        let all = keys.keys().map(|(key, _)| (key.selector.clone(), DnsObservation::Matches));
        store.visit(&name(domain), &all.collect(), NOW, &Rules::default()).unwrap();
    }

    #[test]
    fn active_keys_sign_for_their_domain_and_below() {
        let scratch = tempfile::tempdir().unwrap();
        let store = KeyStore::new(scratch.path());
        let signers = Signers::open(scratch.path(), Subdomains::Parent).unwrap();
        assert!(signers.current().is_empty());
        announce(&store, "a.test");
        announce(&store, "sub.a.test");
        let nothing_signs = Reloaded { read: 2, ..Reloaded::default() };
        assert_eq!(signers.reload().unwrap(), nothing_signs);
        assert!(signers.current().signer(&name("a.test")).is_none());
        activate(&store, "a.test");
        assert_eq!(signers.reload().unwrap(), Reloaded { read: 1, ..Reloaded::default() });
        assert_eq!(signers.reload().unwrap(), Reloaded::default());

        let signer = |signers: &Signers, from: &str| {
            let current = signers.current();
            current.signer(&name(from)).map(|signer| signer.domain.to_string())
        };
        for (from, expected) in [
            ("a.test", Some("a.test")),
            ("x.y.a.test", Some("a.test")),
            ("sub.a.test", Some("a.test")), // its own are not active yet
            ("ba.test", None),
            ("test", None),
        ] {
            assert_eq!(signer(&signers, from).as_deref(), expected, "{from}");
        }
        let own = Signers::open(scratch.path(), Subdomains::Own).unwrap();
        assert_eq!(signer(&own, "a.test").as_deref(), Some("a.test"));
        assert_eq!(signer(&own, "x.a.test"), None);

        let current = signers.current();
        let keys = &current.signer(&name("a.test")).unwrap().keys;
        let types: Vec<_> = keys.iter().map(|one| one.key.key_type().as_str()).collect();
        assert_eq!(types, ["rsa", "ed25519"]);
        assert!(keys.iter().all(|one| one.key.sign(b"message").is_ok()));

        store.remove(&name("a.test")).unwrap();
        assert_eq!(signers.reload().unwrap(), Reloaded { gone: 1, ..Reloaded::default() });
        assert_eq!(signers.current().len(), 0);
    }

    #[test]
    fn what_cannot_be_read_changes_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let store = KeyStore::new(scratch.path());
        for domain in ["a.test", "b.test"] {
            announce(&store, domain);
            activate(&store, domain);
        }
        let signers = Signers::open(scratch.path(), Subdomains::Own).unwrap();
        let file = scratch.path().join("dkim/a.test/keys.toml");
        let good = std::fs::read(&file).unwrap();
        std::fs::write(&file, "version = 1").unwrap();
        for _ in 0..2 {
            assert_eq!(signers.reload().unwrap(), Reloaded { failed: 1, ..Reloaded::default() });
            assert_eq!(signers.current().len(), 2);
        }
        let failures = signers.failures();
        assert!(failures.len() == 1 && failures[0].contains("a.test/keys.toml"), "{failures:?}");
        std::fs::write(&file, good).unwrap();
        assert_eq!(signers.reload().unwrap().read, 1);
        assert!(signers.failures().is_empty());

        // A key that is gone, or another one than the DNS shows, signs nothing after a start.
        let pem = |domain: &str| scratch.path().join(format!("dkim/{domain}/wx202611r.pem"));
        std::fs::copy(pem("b.test"), pem("a.test")).unwrap();
        std::fs::remove_file(pem("b.test")).unwrap();
        let signers = Signers::open(scratch.path(), Subdomains::Own).unwrap();
        assert!(signers.current().is_empty());
        let failures = signers.failures();
        assert!(failures[0].contains("expected the private half"), "{failures:?}");
        assert!(failures[1].contains("expected a private key, found no file"), "{failures:?}");
    }
}
