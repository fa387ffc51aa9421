//! A mailbox that is read: IMAP (RFC 9051, RFC 3501) with IDLE (RFC 2177).
//!
//! For those who cannot route an address here. The mailbox is opened, mails that are new are fetched
//! one by one and stored, and only then marked or moved away; then the server says when there are
//! more. Whatever goes wrong ends the connection and begins another, later and later, for up to ten
//! minutes. A mail is never deleted.
//!
//! The client is our own, because it needs little of IMAP, and what a server sends is bounded: a
//! response is read as a line with literals (`response`), nothing in it is followed into depth, and
//! what is not known is passed over.
//!
//! In reading order: `response` what a server says, `connection` the dialogue, `mailbox` what
//! is done with mails.

mod connection;
mod mailbox;
mod response;

use std::fmt;
use std::path::PathBuf;

pub use mailbox::watch;
pub use response::{Line, Response, Status, TooLong};

/// Where the mailbox is, and what is done with its mails.
#[derive(Clone)]
pub struct ImapSettings {
    /// The server's name or address, which its certificate is for.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
    /// Who we are there.
    pub user: String,
    /// What proves it.
    pub password: Password,
    /// Which folder is read.
    pub folder: String,
    /// What becomes of mails that were stored.
    pub after: After,
    /// How many octets a mail may have that is fetched.
    pub message: usize,
}

/// How a server is spoken to.
#[derive(Clone)]
pub enum Security {
    /// TLS from the first octet (RFC 8314 §3), with a certificate for the server's name.
    Tls(tokio_rustls::TlsConnector),
    /// Nothing, for a server on this machine.
    None,
}

/// What becomes of a mail that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It gets the flag `\Seen`, and only mails without it are fetched.
    Flag,
    /// It is moved to this folder, and every mail is fetched.
    Move(String),
    /// Nothing. Which mails were fetched is in memory: after a restart all are fetched again, and
    /// known again as those that were stored.
    Keep,
}

/// A password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes it.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Reads it from the first line of a file that only its owner may read.
    ///
    /// # Errors
    /// That the file cannot be read, that others may read it, or that there is nothing in it.
    pub fn read(path: &PathBuf) -> Result<Self, PasswordFileError> {
        use std::os::unix::fs::PermissionsExt;
        let fault = |reason: String| PasswordFileError { path: path.clone(), reason };
        let metadata = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(fault(format!("expected permissions 0600 or less, found {mode:04o}")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() || line.len() > 1000 || line.contains('\0') {
            return Err(fault("expected a password in the first line".into()));
        }
        Ok(Self(line.to_owned()))
    }

    fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// Why there is no password.
#[derive(Debug, PartialEq, Eq)]
pub struct PasswordFileError {
    path: PathBuf,
    reason: String,
}

impl fmt::Display for PasswordFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "intake.imap_password_file: {}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for PasswordFileError {}

/// Why a mailbox cannot be read now.
#[derive(Debug)]
pub enum ImapError {
    /// The connection.
    Io(std::io::Error),
    /// It takes too long.
    Slow,
    /// The server has closed.
    Closed,
    /// What it sends is no IMAP, or more than is taken.
    Protocol(&'static str),
    /// It refuses a command.
    Refused {
        /// Which, without its arguments.
        command: &'static str,
        /// In the words of the server: one line.
        said: String,
    },
    /// What was fetched cannot be stored now.
    NotStored(super::desk::Lack),
}

impl From<std::io::Error> for ImapError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for ImapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Slow => f.write_str("no answer in time"),
            Self::Closed => f.write_str("the server has closed the connection"),
            Self::Protocol(what) => f.write_str(what),
            Self::Refused { command, said } => write!(f, "{command}: the server says {said:?}"),
            Self::NotStored(lack) => lack.fmt(f),
        }
    }
}

impl std::error::Error for ImapError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn passwords_are_for_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let write = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        write("secret word\nmore", 0o600);
        let password = Password::read(&path).unwrap();
        assert_eq!(password.text(), "secret word");
        assert_eq!(format!("{password:?}"), "Password");
        write("secret", 0o640);
        let error = Password::read(&path).unwrap_err().to_string();
        assert!(error.ends_with("expected permissions 0600 or less, found 0640"), "{error}");
        write("\n", 0o400);
        assert!(Password::read(&path).is_err());
        assert!(Password::read(&folder.path().join("none")).is_err());
    }
}
