//! The key that seals verdicts, in a file: 32 random octets in base64.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::seal::SealKey;

/// The file in the state folder.
const FILE: &str = "verdict.key";

/// Why there is no key.
#[derive(Debug)]
pub struct KeyFileError {
    path: PathBuf,
    error: io::Error,
}

impl std::fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for KeyFileError {}

/// Reads the key of this state folder. If there is none, makes one: readable by its owner only, and
/// complete before it has its name, so that two who start at once end up with the same.
///
/// # Errors
/// If the file cannot be read or written, or holds something else.
pub fn load_or_make(state_dir: &Path) -> Result<SealKey, KeyFileError> {
    Ok(SealKey::new(&octets(state_dir, FILE)?))
}

/// The same for another key, in the file `name`: its octets.
///
/// # Errors
/// As [`load_or_make`].
pub fn octets(state_dir: &Path, name: &str) -> Result<[u8; 32], KeyFileError> {
    let path = state_dir.join(name);
    match read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read.map_err(|error| KeyFileError { path, error }),
    }
    write_new(state_dir, &path)
        .and_then(|()| read(&path))
        .map_err(|error| KeyFileError { path, error })
}

/// A key that no file holds.
///
/// # Errors
/// If the system has no random octets.
pub fn make() -> Result<SealKey, KeyFileError> {
    let fresh = fresh().map_err(|error| KeyFileError { path: FILE.into(), error })?;
    Ok(SealKey::new(&fresh))
}

fn read(path: &Path) -> io::Result<[u8; 32]> {
    let text = fs::read_to_string(path)?;
    let octets = BASE64_STANDARD.decode(text.trim()).ok();
    let octets = octets.and_then(|octets| <[u8; 32]>::try_from(octets).ok());
    octets.ok_or_else(|| {
        io::Error::other("expected 32 octets in base64, found something else; without the file, a new key is made")
    })
}

fn write_new(state_dir: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(state_dir)?;
    let unfinished = format!("{}.{}", path.display(), std::process::id());
    let mut file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    writeln!(file, "{}", BASE64_STANDARD.encode(fresh()?))?;
    file.sync_all()?;
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished)?;
    match linked {
        // Somebody was faster, and his key is as good.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

fn fresh() -> io::Result<[u8; 32]> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        load_or_make(folder.path()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        load_or_make(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_key_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "AAAA\n").unwrap();
        let told = load_or_make(folder.path()).err().unwrap().to_string();
        assert!(told.contains("verdict.key: expected 32 octets in base64"), "{told}");
    }
}
