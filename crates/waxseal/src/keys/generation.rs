//! What is known of a domain's keys: public halves, names, and how far each has come in its life.
//!
//! Keys live in generations. A generation is made, announced, used and retired together: one RSA key
//! and one Ed25519 key (BSI TR-03182, 03-M asks for both), or one of them alone if it came from
//! another signer. No private key is in here, so all of it may be shown.

use std::collections::BTreeSet;
use std::fmt;

use sender_auth::crypto::KeyType;
use sender_auth::dkim::{Selector, key_question};
use smtp_types::{DnsName, DomainName, DomainNameError, UnixTime};

use crate::crypto::PublicKey;

/// The keys of a domain.
///
/// At most one generation is announced and at most one is active, and no two keys have the same
/// selector: [`DomainKeys::new`] lets nothing else in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainKeys {
    domain: DomainName,
    generations: Vec<Generation>,
}

/// Keys that are announced, used and retired together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// One or two, of different types.
    keys: Vec<Key>,
    /// How far they have come.
    pub state: State,
}

/// One key, without its private half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its selector.
    pub selector: Selector,
    /// Where its record stands in the DNS.
    pub name: DnsName,
    /// What its record must show.
    pub public: PublicKey,
}

/// How far a generation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Made, and to be published; not used yet.
    Announced {
        /// When it was made.
        since: UnixTime,
        /// Since when the DNS shows all of its records; `None` while it does not.
        seen: Option<UnixTime>,
    },
    /// It signs.
    Active {
        /// Since when.
        since: UnixTime,
    },
    /// It signs no more; its records stay for mail that is still on its way.
    Retiring {
        /// Since when.
        since: UnixTime,
    },
    /// Its private keys are gone; its records are to be removed.
    Retired {
        /// Since when.
        since: UnixTime,
    },
}

impl Key {
    /// A key of a domain.
    ///
    /// # Errors
    /// [`DomainNameError::TooLong`] if no record can stand there.
    pub fn new(
        domain: &DomainName,
        selector: Selector,
        public: PublicKey,
    ) -> Result<Self, DomainNameError> {
        let name = key_question(domain, &selector)?.name;
        Ok(Self { selector, name, public })
    }
}

impl State {
    /// `announced`, `active`, `retiring` or `retired`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announced { .. } => "announced",
            Self::Active { .. } => "active",
            Self::Retiring { .. } => "retiring",
            Self::Retired { .. } => "retired",
        }
    }

    /// When it began.
    #[must_use]
    pub const fn since(self) -> UnixTime {
        match self {
            Self::Announced { since, .. }
            | Self::Active { since }
            | Self::Retiring { since }
            | Self::Retired { since } => since,
        }
    }
}

impl Generation {
    /// Keys that live together.
    ///
    /// # Errors
    /// [`KeysError`] unless there is exactly one RSA key, or one Ed25519 key, or one of each.
    pub fn new(keys: Vec<Key>, state: State) -> Result<Self, KeysError> {
        let types: BTreeSet<_> = keys.iter().map(|key| key.public.key_type()).collect();
        if keys.is_empty() || types.len() != keys.len() {
            return Err(KeysError::NotOneOfEach);
        }
        Ok(Self { keys, state })
    }

    /// One or two keys, of different types.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Whether it has a key of this type.
    #[must_use]
    pub fn has(&self, key_type: KeyType) -> bool {
        self.keys.iter().any(|key| key.public.key_type() == key_type)
    }

    /// Its selectors, with "and" between them.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<_> = self.keys.iter().map(|key| key.selector.as_str()).collect();
        names.join(" and ")
    }
}

impl DomainKeys {
    /// The keys of a domain, oldest generation first.
    ///
    /// # Errors
    /// [`KeysError`] says which rule is broken.
    pub fn new(domain: DomainName, generations: Vec<Generation>) -> Result<Self, KeysError> {
        let mut seen = BTreeSet::new();
        for key in generations.iter().flat_map(Generation::keys) {
            if !seen.insert(&key.selector) {
                return Err(KeysError::SelectorTwice { selector: key.selector.clone() });
            }
        }
        let count = |state| generations.iter().filter(|one| one.state.as_str() == state).count();
        for state in ["announced", "active"] {
            if count(state) > 1 {
                return Err(KeysError::StateTwice { state });
            }
        }
        Ok(Self { domain, generations })
    }

    /// The domain.
    #[must_use]
    pub const fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// Its generations, oldest first.
    #[must_use]
    pub fn generations(&self) -> &[Generation] {
        &self.generations
    }

    /// All of its keys, with the state of each.
    pub fn keys(&self) -> impl Iterator<Item = (&Key, State)> {
        self.generations.iter().flat_map(|one| one.keys.iter().map(|key| (key, one.state)))
    }

    /// The generation that signs.
    #[must_use]
    pub fn active(&self) -> Option<&Generation> {
        self.generations.iter().find(|one| matches!(one.state, State::Active { .. }))
    }

    /// The generation that will sign next.
    #[must_use]
    pub fn announced(&self) -> Option<&Generation> {
        self.generations.iter().find(|one| matches!(one.state, State::Announced { .. }))
    }

    /// With another generation behind the others.
    ///
    /// # Errors
    /// [`KeysError`] if it does not fit to them; they are as they were.
    pub fn with(&self, generation: Generation) -> Result<Self, KeysError> {
        let generations = { self.generations.iter().cloned() }.chain([generation]).collect();
        Self::new(self.domain.clone(), generations)
    }

    /// With other states; a generation without one is left out.
    pub(super) fn restated(&self, state: impl Fn(&Generation) -> Option<State>) -> Self {
        let restated = |one: &Generation| {
            let state = state(one)?;
            Some(Generation { state, ..one.clone() })
        };
        Self {
            domain: self.domain.clone(),
            generations: self.generations.iter().filter_map(restated).collect(),
        }
    }
}

/// Why generations or keys do not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysError {
    /// A generation has no key, or two of one type.
    NotOneOfEach,
    /// Two keys have the same name in the DNS.
    SelectorTwice {
        /// The name.
        selector: Selector,
    },
    /// Two generations are announced, or two active.
    StateTwice {
        /// Which state.
        state: &'static str,
    },
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOneOfEach => {
                f.write_str("key: expected at most one rsa and one ed25519 key, and one of them")
            }
            Self::SelectorTwice { selector } => {
                write!(f, "selector: expected each once, found {selector} twice")
            }
            Self::StateTwice { state } => {
                write!(f, "state: expected one {state} generation, found two")
            }
        }
    }
}

impl std::error::Error for KeysError {}
