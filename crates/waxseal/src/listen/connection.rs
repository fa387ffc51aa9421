//! An open listener, and what it accepts.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::ListenAddress;

/// An open listener. When it is dropped, the file of a unix socket that we have made goes with it.
#[derive(Debug)]
pub enum Listener {
    /// On TCP.
    Tcp(TcpListener),
    /// On a unix socket.
    Unix {
        /// The socket.
        listener: UnixListener,
        /// Its file, if it is ours and not systemd's.
        own_path: Option<OwnPath>,
    },
}

impl Listener {
    pub(super) fn from_tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from_std(listener)?))
    }

    pub(super) fn from_unix(
        listener: std::os::unix::net::UnixListener,
        own_path: Option<OwnPath>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(Self::Unix { listener, own_path })
    }

    /// The same listener as a part of the runtime that this is called in.
    ///
    /// # Errors
    /// The system's.
    pub fn rehomed(self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => Ok(Self::Tcp(TcpListener::from_std(listener.into_std()?)?)),
            Self::Unix { listener, own_path } => {
                let listener = UnixListener::from_std(listener.into_std()?)?;
                Ok(Self::Unix { listener, own_path })
            }
        }
    }

    /// Where it listens; a port 0 of the configuration is the real one here.
    ///
    /// # Errors
    /// The system's, or that a unix socket has no path.
    pub fn local_address(&self) -> io::Result<ListenAddress> {
        match self {
            Self::Tcp(listener) => Ok(ListenAddress::Tcp(listener.local_addr()?)),
            Self::Unix { listener, .. } => {
                let address = listener.local_addr()?;
                let path = address.as_pathname().ok_or(io::ErrorKind::AddrNotAvailable)?;
                Ok(ListenAddress::Unix(path.into()))
            }
        }
    }

    /// Waits for a connection. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// The system's. Out of descriptors is one of them, and passes: wait a little and call again.
    pub async fn accept(&self) -> io::Result<(Connection, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are small, and the other side waits for each.
                stream.set_nodelay(true)?;
                Ok((Connection::Tcp(stream), Peer::Tcp(peer)))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Connection::Unix(stream), Peer::Unix))
            }
        }
    }
}

/// Who has connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// This address.
    Tcp(SocketAddr),
    /// Somebody on this machine.
    Unix,
}

/// The file of a unix socket, removed at the end if it is still that file.
#[derive(Debug)]
pub struct OwnPath {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl OwnPath {
    pub(super) fn new(path: &Path, device: u64, inode: u64) -> Self {
        Self { path: path.into(), device, inode }
    }

    /// The path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OwnPath {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|now| (now.dev(), now.ino()) == (self.device, self.inode));
        if is_ours {
            // If it stays, the next start finds it stale.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// An accepted connection.
#[derive(Debug)]
pub enum Connection {
    /// On TCP.
    Tcp(TcpStream),
    /// On a unix socket.
    Unix(UnixStream),
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
