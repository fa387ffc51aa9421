//! Where others reach us: listeners on TCP and unix sockets, made here or handed over by systemd.
//!
//! [`ListenAddress`] is what stands in the configuration, [`Listener`] is the open socket,
//! [`open`] makes all of a configuration: all of them or, with every reason told, none.
//! [`Connection`] is what is accepted, so that a protocol does not care which of the two it is.
//!
//! No protocol is spoken here.

mod activation;
mod address;
mod bind;
mod connection;
mod datagrams;

use std::fmt;
use std::io;

pub use activation::{Inherited, inherited};
pub use address::{ListenAddress, MAX_UNIX_PATH};
pub use bind::bind;
pub use connection::{Connection, Listener, Peer};
pub use datagrams::{DatagramSocket, bind_datagrams};

use crate::config::Config;

/// The permission bits of the unix sockets of [`Role::Http`] and [`Role::Api`]: for operators,
/// not for mail servers.
const OPERATOR_MODE: u32 = 0o660;

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The mail server's question.
    Socketmap,
    /// Metrics and health.
    Http,
    /// The decision API.
    Api,
    /// The one-line protocol for Exim.
    Line,
    /// Messages on their way in and out.
    Milter,
    /// TLS sessions to be counted, as lines of JSON.
    TlsLines,
    /// Reports of others, from our mail server.
    Lmtp,
    /// Reports of others, from any mail server.
    Smtp,
    /// Reports of others, from a web server.
    Https,
}

/// The name of a descriptor of the socket for datagrams in a systemd unit.
pub(crate) const TLSRPT: &str = "tlsrpt";

/// The key that holds the addresses of sockets for datagrams.
pub(crate) const TLSRPT_KEY: &str = "collect.socket";

impl Role {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Socketmap,
        Self::Http,
        Self::Api,
        Self::Line,
        Self::Milter,
        Self::TlsLines,
        Self::Lmtp,
        Self::Smtp,
        Self::Https,
    ];

    /// The name of a descriptor of this role in a systemd unit (`FileDescriptorName=`).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Socketmap => "socketmap",
            Self::Http => "http",
            Self::Api => "api",
            Self::Line => "line",
            Self::Milter => "milter",
            Self::TlsLines => "tlsrpt-lines",
            Self::Lmtp => "lmtp",
            Self::Smtp => "smtp",
            Self::Https => "https",
        }
    }

    /// The key that holds its addresses.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Socketmap => "socketmap.listen",
            Self::Http => "http.listen",
            Self::Api => "http.api",
            Self::Line => "line.listen",
            Self::Milter => "gate.listen",
            Self::TlsLines => "collect.stream",
            Self::Lmtp => "intake.lmtp",
            Self::Smtp => "intake.smtp",
            Self::Https => "intake.https",
        }
    }

    /// Its addresses in `config`.
    #[must_use]
    pub fn addresses(self, config: &Config) -> &[ListenAddress] {
        match self {
            Self::Socketmap => &config.socketmap.listen,
            Self::Http => &config.http.listen,
            Self::Api => &config.http.api,
            Self::Line => &config.line.listen,
            Self::Milter => &config.gate.listen,
            Self::TlsLines => &config.collect.stream,
            Self::Lmtp => &config.intake.lmtp,
            Self::Smtp => &config.intake.smtp,
            Self::Https => &config.intake.https,
        }
    }
}

/// Every open socket.
#[derive(Debug)]
pub struct Opened {
    /// Where others connect.
    pub listeners: Vec<(Role, Listener)>,
    /// Where mail servers send datagrams about TLS sessions.
    pub datagrams: Vec<DatagramSocket>,
}

/// Opens every socket of `config`. Those that systemd has handed over for a role take the place of
/// the addresses of that role.
///
/// # Errors
/// Every address that cannot be had. None is open then.
pub fn open(config: &Config, inherited: Inherited) -> Result<Opened, Vec<ListenError>> {
    let Inherited { sockets: mut listeners, mut datagrams } = inherited;
    let mut errors = Vec::new();
    let taken: Vec<Role> = listeners.iter().map(|(role, _)| *role).collect();
    for role in Role::ALL.into_iter().filter(|role| !taken.contains(role)) {
        let mode = match role {
            Role::Socketmap | Role::Line => config.socketmap.unix_mode,
            Role::Http | Role::Api => OPERATOR_MODE,
            Role::Milter => config.gate.unix_mode,
            Role::TlsLines => config.collect.unix_mode,
            Role::Lmtp | Role::Smtp | Role::Https => config.intake.unix_mode,
        };
        for address in role.addresses(config) {
            match bind(address, mode) {
                Ok(listener) => listeners.push((role, listener)),
                Err(fault) => errors.push(ListenError {
                    key: role.key(),
                    address: address.to_string(),
                    fault,
                }),
            }
        }
    }
    if datagrams.is_empty() {
        for address in &config.collect.socket {
            match bind_datagrams(address, config.collect.unix_mode) {
                Ok(socket) => datagrams.push(socket),
                Err(fault) => errors.push(ListenError {
                    key: TLSRPT_KEY,
                    address: address.to_string(),
                    fault,
                }),
            }
        }
    }
    if errors.is_empty() { Ok(Opened { listeners, datagrams }) } else { Err(errors) }
}

/// An address that cannot be had.
#[derive(Debug)]
pub struct ListenError {
    /// The key that names the address.
    pub key: &'static str,
    /// The address.
    pub address: String,
    /// Why.
    pub fault: ListenFault,
}

/// Why an address cannot be had.
#[derive(Debug)]
pub enum ListenFault {
    /// Somebody listens there.
    InUse,
    /// Somebody answers at the unix socket: most likely another waxseal.
    Answered,
    /// There is a file that is no socket; it is not ours to remove.
    NotASocket,
    /// We may not.
    Forbidden,
    /// The address is not one of this machine.
    NotOurs,
    /// The folder of the unix socket cannot be made or opened.
    Folder {
        /// What the system says.
        error: io::Error,
    },
    /// A descriptor that systemd has handed over cannot be used.
    Inherited {
        /// Why not.
        reason: String,
    },
    /// Anything else.
    Other {
        /// What the system says.
        error: io::Error,
    },
}

impl From<io::Error> for ListenFault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            io::ErrorKind::AddrNotAvailable => Self::NotOurs,
            _ => Self::Other { error },
        }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.key, self.address)?;
        match &self.fault {
            ListenFault::InUse => write!(f, "already in use by another process"),
            ListenFault::Answered => write!(
                f,
                "already in use by a running process, which answers there; is waxseal running?"
            ),
            ListenFault::NotASocket => {
                write!(f, "there is a file that is not a socket; it was left alone")
            }
            ListenFault::Forbidden => write!(f, "the system does not permit it"),
            ListenFault::NotOurs => write!(f, "this machine does not have this address"),
            ListenFault::Folder { error } => write!(f, "the folder cannot be used: {error}"),
            ListenFault::Inherited { reason } => f.write_str(reason),
            ListenFault::Other { error } => error.fmt(f),
        }
    }
}

impl std::error::Error for ListenError {}
