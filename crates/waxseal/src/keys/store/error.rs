//! Why keys cannot be read or changed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use smtp_types::{DomainName, DomainNameError};

use crate::crypto::SigningKeyError;
use crate::keys::file::KeysFileError;
use crate::keys::generation::KeysError;

/// Why keys cannot be read or changed. Whatever it is, what is on the disk is as it was.
#[derive(Debug)]
pub enum KeyStoreError {
    /// The system says no: disk full, no permission.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// Another program holds the lock and does not let go.
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// `keys.toml` makes no sense.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: KeysFileError,
    },
    /// A private key is not there.
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A private key cannot be used.
    PrivateKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: SigningKeyError,
    },
    /// A private key is not the other half of the public one in `keys.toml`.
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// A file of that name is there, and belongs to no key.
    FileThere {
        /// The file.
        path: PathBuf,
    },
    /// The library makes no key.
    NotMade {
        /// For whom.
        domain: DomainName,
        /// What it says.
        error: SigningKeyError,
    },
    /// The domain has keys already.
    HasKeys {
        /// The domain.
        domain: DomainName,
    },
    /// The domain has no keys.
    NoKeys {
        /// The domain.
        domain: DomainName,
    },
    /// The domain's next keys are made already.
    HasAnnounced {
        /// The domain.
        domain: DomainName,
        /// Their selectors.
        names: String,
    },
    /// The domain's name is so long that no record can stand below it.
    Name {
        /// The domain.
        domain: DomainName,
        /// What is too long.
        error: DomainNameError,
    },
    /// The keys do not fit together.
    Keys {
        /// The domain.
        domain: DomainName,
        /// Why.
        error: KeysError,
    },
}

impl KeyStoreError {
    pub(super) fn keys(domain: &DomainName) -> impl Fn(KeysError) -> Self + '_ {
        |error| Self::Keys { domain: domain.clone(), error }
    }
}

impl fmt::Display for KeyStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Busy { path } => {
                write!(f, "{}: another waxseal holds the lock", path.display())
            }
            Self::Damaged { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Missing { path } => {
                write!(f, "{}: expected a private key, found no file", path.display())
            }
            Self::PrivateKey { path, error } => write!(f, "{}: {error}", path.display()),
            Self::OtherKey { path } => write!(
                f,
                "{}: expected the private half of the key in keys.toml, found another key",
                path.display()
            ),
            Self::FileThere { path } => {
                write!(f, "{}: expected no file, found one that belongs to no key", path.display())
            }
            Self::NotMade { domain, error } => write!(f, "{domain}: {error}"),
            Self::HasKeys { domain } => write!(f, "{domain}: has keys already"),
            Self::NoKeys { domain } => write!(f, "{domain}: has no keys"),
            Self::HasAnnounced { domain, names } => {
                write!(f, "{domain}: the next keys are made already: {names}")
            }
            Self::Name { domain, error } => write!(f, "{domain}: no record fits: {error}"),
            Self::Keys { domain, error } => write!(f, "{domain}: {error}"),
        }
    }
}

impl std::error::Error for KeyStoreError {}
