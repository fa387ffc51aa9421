//! Sockets that systemd has opened for us (sd_listen_fds(3)).

use listenfd::ListenFd;

use super::connection::Listener;
use super::datagrams::DatagramSocket;
use super::{ListenError, ListenFault, Role, TLSRPT};

/// The sockets that were handed over. Empty when nothing was.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(super) sockets: Vec<(Role, Listener)>,
    pub(super) datagrams: Vec<DatagramSocket>,
}

/// Takes the sockets that systemd has handed over; each at most once, so call it once. The role
/// of a socket is its `FileDescriptorName=`; a socket without that name is for socketmap, and one
/// with the name `tlsrpt` takes datagrams. Must be called within a tokio runtime.
///
/// # Errors
/// Every descriptor that has another name, or is not the kind of socket that the name wants.
pub fn inherited() -> Result<Inherited, Vec<ListenError>> {
    // Read before `ListenFd`, which takes the variables out of the environment.
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut descriptors = ListenFd::from_env();
    let (mut inherited, mut errors) = (Inherited::default(), Vec::new());
    for index in 0..descriptors.len() {
        let name = names.next().unwrap_or_default();
        let found = match role(name) {
            Some(role) => take(&mut descriptors, index)
                .map(|listener| inherited.sockets.push((role, listener))),
            None if name == TLSRPT => take_datagrams(&mut descriptors, index)
                .map(|socket| inherited.datagrams.push(socket)),
            None => Err(format!(
                "expected FileDescriptorName= socketmap, http, api, line, milter, tlsrpt, \
                 tlsrpt-lines, lmtp, smtp or https, found {name:?}"
            )),
        };
        match found {
            Ok(()) => {}
            Err(reason) => errors.push(ListenError {
                key: "LISTEN_FDS",
                address: format!("socket {} of systemd", index + 1),
                fault: ListenFault::Inherited { reason },
            }),
        }
    }
    if errors.is_empty() { Ok(inherited) } else { Err(errors) }
}

/// The role of a descriptor of this name. systemd names it after its unit if the unit does not
/// say otherwise.
fn role(name: &str) -> Option<Role> {
    if matches!(name, "" | "unknown") || name.ends_with(".socket") {
        return Some(Role::Socketmap);
    }
    Role::ALL.into_iter().find(|role| role.as_str() == name)
}

fn take(descriptors: &mut ListenFd, index: usize) -> Result<Listener, String> {
    let told = |error: std::io::Error| error.to_string();
    if let Ok(Some(listener)) = descriptors.take_tcp_listener(index) {
        return Listener::from_tcp(listener).map_err(told);
    }
    match descriptors.take_unix_listener(index) {
        Ok(Some(listener)) => Listener::from_unix(listener, None).map_err(told),
        Ok(None) => Err("it was taken before".into()),
        Err(_) => Err("expected a stream socket, of TCP or unix, found something else".into()),
    }
}

fn take_datagrams(descriptors: &mut ListenFd, index: usize) -> Result<DatagramSocket, String> {
    match descriptors.take_unix_datagram(index) {
        Ok(Some(socket)) => Ok(DatagramSocket::inherited(socket)),
        Ok(None) => Err("it was taken before".into()),
        Err(_) => Err("expected a unix datagram socket, found something else".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ListenAddress, open};
    use super::*;
    use crate::config::Config;
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::{UnixDatagram, UnixListener};
    use std::process::Command;

    #[test]
    fn roles() {
        let table = [
            ("socketmap", Some(Role::Socketmap)),
            ("http", Some(Role::Http)),
            ("api", Some(Role::Api)),
            ("line", Some(Role::Line)),
            ("", Some(Role::Socketmap)),
            ("unknown", Some(Role::Socketmap)),
            ("waxseal.socket", Some(Role::Socketmap)),
            ("smtp", Some(Role::Smtp)),
            ("imap", None),
        ];
        for (name, expected) in table {
            assert_eq!(role(name), expected, "{name}");
        }
    }

    /// What this very test program says when it is started as systemd would start it, with its
    /// standard input for the socket.
    fn child(name: &str, socket: impl Into<OwnedFd>) -> String {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "listen::activation::tests::what_the_child_does"])
            .args(["--nocapture", "--test-threads=1"])
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDS_FIRST_FD", "0")
            .env("LISTEN_FDNAMES", name)
            .env(CHILD, "1")
            .stdin(socket.into())
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    }

    const CHILD: &str = "WAXSEAL_TEST_CHILD";

    /// Nothing, unless one of the tests below has started it.
    #[tokio::test]
    async fn what_the_child_does() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let mut config = Config::default();
        config.socketmap.listen = vec![ListenAddress::parse("127.0.0.1:0").unwrap()];
        config.http.listen = vec![ListenAddress::parse("192.0.2.1:1").unwrap()];
        config.http.api.clear();
        match inherited().and_then(|inherited| open(&config, inherited)) {
            Ok(opened) => {
                for (role, listener) in &opened.listeners {
                    let address = listener.local_address().unwrap();
                    eprintln!("{} {address}", role.as_str());
                }
            }
            Err(errors) => errors.iter().for_each(|error| eprintln!("{error}")),
        }
    }

    #[test]
    fn a_socket_of_systemd_replaces_those_of_the_configuration() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        let said = child("http", tcp);
        assert!(said.contains(&format!("http 127.0.0.1:{port}\n")), "{said}");
        assert!(said.contains("socketmap 127.0.0.1:"), "{said}");
    }

    #[test]
    fn a_unix_socket_of_systemd_stays_when_we_go() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("s");
        let said = child("http", UnixListener::bind(&path).unwrap());
        assert!(said.contains(&format!("http unix:{}\n", path.display())), "{said}");
        assert!(path.exists());
    }

    #[test]
    fn a_socket_for_datagrams() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("tlsrpt.sock");
        let said = child("tlsrpt", UnixDatagram::bind(&path).unwrap());
        // It is taken; what cannot be had is something else.
        assert!(said.contains("http.listen: ") && !said.contains("LISTEN_FDS"), "{said}");
        assert!(path.exists());
        let said = child("tlsrpt", UnixListener::bind(scratch.path().join("s")).unwrap());
        let expected = "expected a unix datagram socket, found something else\n";
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn a_socket_without_a_role_is_for_socketmap() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let said = child("waxseal.socket", tcp);
        // And what else cannot be had is told.
        let expected = "http.listen: 192.0.2.1:1: this machine does not have this address\n";
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("socketmap.listen"), "{said}");
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let said = child("imap", TcpListener::bind("127.0.0.1:0").unwrap());
        let expected = "LISTEN_FDS: socket 1 of systemd: expected FileDescriptorName= socketmap, \
                        http, api, line, milter, tlsrpt, tlsrpt-lines, lmtp, smtp or https, \
                        found \"imap\"\n";
        assert!(said.contains(expected), "{said}");
        let said = child("http", tempfile::tempfile().unwrap());
        let expected = "LISTEN_FDS: socket 1 of systemd: expected a stream socket, of TCP or \
                        unix, found something else\n";
        assert!(said.contains(expected), "{said}");
    }
}
