//! Looking after the folder of a domain: what is too much is deleted if nobody can need it, and
//! reported otherwise.

use std::fmt;
use std::path::PathBuf;

use super::{KEYS_FILE, KeyStoreError, failed, pem_name};
use crate::keys::folder::Folder;
use crate::keys::generation::{DomainKeys, State};

/// Something strange in the folder of a domain. Nothing is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// A file that belongs to no key.
    Stranger {
        /// It.
        path: PathBuf,
    },
    /// The private key of an announced or active generation is not there.
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others than the owner may read or write a file.
    Exposed {
        /// It.
        path: PathBuf,
    },
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger { path } => {
                write!(f, "{}: belongs to no key, and is left alone", path.display())
            }
            Self::Missing { path } => {
                write!(f, "{}: the private key is not there", path.display())
            }
            Self::Exposed { path } => write!(
                f,
                "{}: expected the mode 0600, found a file that others may use",
                path.display()
            ),
        }
    }
}

/// Deletes what nobody needs for certain.
pub(super) fn tidy(folder: &Folder, keys: &DomainKeys) -> Result<(), KeyStoreError> {
    let wrong = failed(folder.path());
    let names = folder.names().map_err(&wrong)?;
    folder.delete_drafts().map_err(&wrong)?;
    for (key, state) in keys.keys() {
        let name = pem_name(&key.selector);
        if matches!(state, State::Retired { .. }) && names.contains(&name) {
            folder.delete(&name).map_err(failed(&folder.path().join(&name)))?;
            folder.sync().map_err(&wrong)?;
        }
    }
    Ok(())
}

/// What is strange about a folder.
pub(super) fn oddities(folder: &Folder, keys: &DomainKeys) -> Result<Vec<Oddity>, KeyStoreError> {
    let mut names = folder.names().map_err(failed(folder.path()))?;
    names.retain(|name| name != KEYS_FILE);
    let mut found = Vec::new();
    for (key, state) in keys.keys() {
        let name = pem_name(&key.selector);
        let path = folder.path().join(&name);
        names.retain(|other| *other != name);
        let content = folder.read(&name).map_err(failed(&path))?;
        match (content, state) {
            (Some(content), _) if content.is_exposed => found.push(Oddity::Exposed { path }),
            (None, State::Announced { .. } | State::Active { .. }) => {
                found.push(Oddity::Missing { path });
            }
            (Some(_), _) | (None, State::Retiring { .. } | State::Retired { .. }) => {}
        }
    }
    found.extend(names.iter().map(|name| Oddity::Stranger { path: folder.path().join(name) }));
    Ok(found)
}
