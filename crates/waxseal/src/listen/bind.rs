//! Opens a listener at an address.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use super::connection::{Listener, OwnPath};
use super::{ListenAddress, ListenFault};

/// How many connections may wait to be accepted: a busy Postfix opens many at once.
const BACKLOG: i32 = 1024;

/// Listens at `address`. A unix socket gets the permission bits `unix_mode`, its folder is made
/// if it is not there, and a socket that a dead process has left is replaced. Must be called
/// within a tokio runtime.
///
/// # Errors
/// Why the address cannot be had.
pub fn bind(address: &ListenAddress, unix_mode: u32) -> Result<Listener, ListenFault> {
    match address {
        ListenAddress::Tcp(address) => bind_tcp(*address),
        ListenAddress::Unix(path) => bind_unix(path, unix_mode),
    }
}

fn bind_tcp(address: SocketAddr) -> Result<Listener, ListenFault> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Connections of an earlier process that are still closing do not keep us from starting.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(Listener::from_tcp(socket.into())?)
}

fn bind_unix(path: &Path, mode: u32) -> Result<Listener, ListenFault> {
    let (socket, own_path) = bind_path(path, mode, Type::STREAM)?;
    // Nobody can connect before the socket listens, so nobody meets wider permissions.
    socket.listen(BACKLOG)?;
    Ok(Listener::from_unix(socket.into(), Some(own_path))?)
}

/// A socket of this kind at this path, with its permission bits.
pub(super) fn bind_path(
    path: &Path,
    mode: u32,
    kind: Type,
) -> Result<(Socket, OwnPath), ListenFault> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let unusable = |error| ListenFault::Folder { error };
    DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(unusable)?;
    // Two that start at once must not both find the socket stale: the later one would take it
    // from the earlier one without a word. The lock ends with this function.
    let folder = File::open(folder).map_err(unusable)?;
    lock(&folder)?;
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let metadata = fs::symlink_metadata(path)?;
    let own_path = OwnPath::new(path, metadata.dev(), metadata.ino());
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok((socket, own_path))
}

/// Waits for the lock of a folder, but not for long: it is held for milliseconds, by those who
/// mean well.
fn lock(folder: &File) -> Result<(), ListenFault> {
    for _ in 0..50 {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(error)) => return Err(ListenFault::Folder { error }),
        }
    }
    Err(ListenFault::InUse)
}

/// Removes a socket at which nobody answers.
fn remove_stale(path: &Path) -> Result<(), ListenFault> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !metadata.file_type().is_socket() {
        return Err(ListenFault::NotASocket);
    }
    match connect(path) {
        Ok(()) => Err(ListenFault::Answered),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // A full backlog, or no permission: somebody is there.
        Err(_) => Err(ListenFault::Answered),
    }
}

/// Connects to a socket of either kind.
fn connect(path: &Path) -> std::io::Result<()> {
    match UnixStream::connect(path) {
        // There is a socket for datagrams: "Protocol wrong type for socket".
        Err(error) if error.raw_os_error() == Some(Errno::PROTOTYPE.raw_os_error()) => {
            UnixDatagram::unbound()?.connect(path)
        }
        outcome => outcome.map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    fn unix(path: &Path) -> ListenAddress {
        ListenAddress::Unix(path.into())
    }

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn tcp_on_a_free_port_and_not_twice() {
        for text in ["127.0.0.1:0", "[::1]:0"] {
            let address = ListenAddress::parse(text).unwrap();
            let listener = bind(&address, 0).unwrap();
            let real = listener.local_address().unwrap();
            let ListenAddress::Tcp(socket_address) = real else {
                panic!("{real}");
            };
            assert_ne!(socket_address.port(), 0);
            assert!(matches!(bind(&real, 0), Err(ListenFault::InUse)));

            let mut client = TcpStream::connect(socket_address).await.unwrap();
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.write_all(b"hello").await.unwrap();
            drop(connection);
            let mut text = String::new();
            client.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "hello");
        }
    }

    #[tokio::test]
    async fn an_address_of_another_machine() {
        let address = ListenAddress::parse("192.0.2.1:0").unwrap();
        assert!(matches!(bind(&address, 0), Err(ListenFault::NotOurs)));
    }

    #[tokio::test]
    async fn unix_with_its_folder_mode_and_end() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("run/waxseal/socketmap");
        let listener = bind(&unix(&path), 0o622).unwrap();
        assert_eq!(listener.local_address().unwrap(), unix(&path));
        assert_eq!(mode_of(&path), 0o622);
        assert_eq!(mode_of(path.parent().unwrap()), 0o755);
        let _client = UnixStream::connect(&path).unwrap();
        assert!(listener.accept().await.is_ok());
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_is_taken_over_only_from_the_dead() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("socketmap");
        // A process that was killed leaves its socket.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let living = bind(&unix(&path), 0o666).unwrap();
        let fault = bind(&unix(&path), 0o666).unwrap_err();
        assert!(matches!(fault, ListenFault::Answered));
        assert!(UnixStream::connect(&path).is_ok());
        drop(living);

        fs::write(&path, "precious").unwrap();
        let fault = bind(&unix(&path), 0o666).unwrap_err();
        assert!(matches!(fault, ListenFault::NotASocket));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn a_socket_that_another_has_put_in_its_place_is_left_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("socketmap");
        let ours = bind(&unix(&path), 0o666).unwrap();
        fs::remove_file(&path).unwrap();
        let _theirs = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(ours);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn of_many_at_once_one_wins() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("socketmap");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let rivals: Vec<_> = (0..8)
            .map(|_| {
                let address = unix(&path);
                tokio::task::spawn_blocking(move || bind(&address, 0o666))
            })
            .collect();
        let mut listeners = Vec::new();
        for rival in rivals {
            match rival.await.unwrap() {
                Ok(listener) => listeners.push(listener),
                Err(fault) => assert!(matches!(fault, ListenFault::Answered), "{fault:?}"),
            }
        }
        assert_eq!(listeners.len(), 1);
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("file"), "").unwrap();
        let fault = bind(&unix(&scratch.path().join("file/socketmap")), 0).unwrap_err();
        assert!(matches!(fault, ListenFault::Folder { .. }));
    }
}
