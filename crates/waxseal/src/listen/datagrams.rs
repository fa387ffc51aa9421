//! Sockets that take datagrams: the one that mail servers tell of TLS sessions at.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use socket2::Type;

use super::bind::bind_path;
use super::connection::OwnPath;
use super::{ListenAddress, ListenFault};

/// An open socket for datagrams. When it is dropped, its file goes with it if we have made it.
#[derive(Debug)]
pub struct DatagramSocket {
    socket: UnixDatagram,
    own_path: Option<OwnPath>,
}

impl DatagramSocket {
    /// A socket that systemd has opened; its file stays.
    pub(super) fn inherited(socket: UnixDatagram) -> Self {
        Self { socket, own_path: None }
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &UnixDatagram {
        &self.socket
    }

    /// Its file, if we have made it.
    #[must_use]
    pub fn own_path(&self) -> Option<&Path> {
        self.own_path.as_ref().map(OwnPath::path)
    }

    /// Where it is.
    ///
    /// # Errors
    /// The system's, or that it has no path.
    pub fn local_address(&self) -> io::Result<ListenAddress> {
        let address = self.socket.local_addr()?;
        let path = address.as_pathname().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(ListenAddress::Unix(path.into()))
    }
}

/// Takes datagrams at `address`, which the configuration holds to be a path. The socket gets the
/// permission bits `mode`, its folder is made if it is not there, and a socket that a dead process
/// has left is replaced.
///
/// # Errors
/// Why the address cannot be had.
pub fn bind_datagrams(address: &ListenAddress, mode: u32) -> Result<DatagramSocket, ListenFault> {
    let ListenAddress::Unix(path) = address else { return Err(ListenFault::NotASocket) };
    let (socket, own_path) = bind_path(path, mode, Type::DGRAM)?;
    Ok(DatagramSocket { socket: socket.into(), own_path: Some(own_path) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_socket_is_taken_over_only_from_the_dead() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("run/tlsrpt/tlsrpt.sock");
        let address = ListenAddress::Unix(path.clone());
        let living = bind_datagrams(&address, 0o620).unwrap();
        assert_eq!(living.local_address().unwrap(), address);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o620);
        assert!(matches!(bind_datagrams(&address, 0o666), Err(ListenFault::Answered)));
        drop(living);
        assert!(!path.exists());
        // A process that was killed leaves its socket, of whatever kind.
        drop(UnixDatagram::bind(&path).unwrap());
        drop(bind_datagrams(&address, 0o666).unwrap());
        drop(UnixListener::bind(&path).unwrap());
        drop(bind_datagrams(&address, 0o666).unwrap());
        fs::write(&path, "precious").unwrap();
        assert!(matches!(bind_datagrams(&address, 0o666), Err(ListenFault::NotASocket)));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
