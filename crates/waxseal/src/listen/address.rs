//! A listen address as it stands in the configuration.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// How many octets the path of a unix socket may have (unix(7): 108 with the closing zero).
pub const MAX_UNIX_PATH: usize = 107;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenAddress {
    /// An IP address and a port; port 0 is any free one. An IPv6 address is that alone: `[::]`
    /// does not stand for `0.0.0.0`, too.
    Tcp(SocketAddr),
    /// A unix socket at an absolute path.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Reads `ADDR:PORT`, `[ADDR]:PORT`, `localhost:PORT` (that is 127.0.0.1) or `unix:PATH`; the
    /// path is absolute or begins with `STATE_DIR/`. `None` if it is none of these.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            let is_placed = path.starts_with('/') || path.starts_with("STATE_DIR/");
            let names_a_file = !path.ends_with('/') && !path.contains(|c: char| c.is_control());
            return (is_placed && names_a_file).then(|| Self::Unix(path.into()));
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            return Self::parse(&format!("{}:{port}", Ipv4Addr::LOCALHOST));
        }
        text.parse().ok().map(Self::Tcp)
    }

    /// Whether both cannot be listened on at once. Port 0 is a new one each time.
    #[must_use]
    pub fn collides_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(a), Self::Tcp(b)) => {
                let overlap = a.ip() == b.ip()
                    || a.is_ipv4() == b.is_ipv4()
                        && (a.ip().is_unspecified() || b.ip().is_unspecified());
                overlap && a.port() == b.port() && a.port() != 0
            }
            (Self::Unix(a), Self::Unix(b)) => a == b,
            (Self::Tcp(_), Self::Unix(_)) | (Self::Unix(_), Self::Tcp(_)) => false,
        }
    }

    /// Whether other machines can reach it.
    #[must_use]
    pub fn is_open_to_others(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => false,
        }
    }

    /// Whether the path is longer than the system takes.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Unix(path) => path.as_os_str().as_bytes().len() > MAX_UNIX_PATH,
        }
    }
}

/// As it is read.
impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good() {
        let table = [
            ("127.0.0.1:8642", "127.0.0.1:8642"),
            ("localhost:0", "127.0.0.1:0"),
            ("[::1]:8642", "[::1]:8642"),
            ("[0:0::1]:8642", "[::1]:8642"),
            ("0.0.0.0:1", "0.0.0.0:1"),
            ("unix:/run/waxseal/socketmap", "unix:/run/waxseal/socketmap"),
            ("unix:STATE_DIR/socketmap", "unix:STATE_DIR/socketmap"),
        ];
        for (text, printed) in table {
            let address = ListenAddress::parse(text).unwrap();
            assert_eq!(address.to_string(), printed, "{text}");
            assert_eq!(ListenAddress::parse(printed), Some(address), "{text}");
        }
    }

    #[test]
    fn bad() {
        for text in [
            "",
            "8642",
            ":8642",
            "127.0.0.1",
            "127.0.0.1:65536",
            "::1:8642",
            "*:8642",
            "example.com:25",
            "inet:127.0.0.1:1",
            "unix:",
            "unix:relative",
            "unix:/run/",
            "unix:STATE_DIR",
            "unix:/a\0b",
            "/run/waxseal/socketmap",
        ] {
            assert_eq!(ListenAddress::parse(text), None, "{text}");
        }
    }

    #[test]
    fn collisions() {
        let table = [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("[::]:1", "0.0.0.0:1", false),
            ("unix:/a", "unix:/a", true),
            ("unix:/a", "unix:/b", false),
            ("unix:/a", "0.0.0.0:1", false),
        ];
        for (a, b, expected) in table {
            let [first, second] = [a, b].map(|text| ListenAddress::parse(text).unwrap());
            assert_eq!(first.collides_with(&second), expected, "{a} {b}");
            assert_eq!(second.collides_with(&first), expected, "{b} {a}");
        }
    }

    #[test]
    fn who_can_reach_it() {
        let open = |text| ListenAddress::parse(text).unwrap().is_open_to_others();
        assert!(!open("127.0.0.2:1") && !open("[::1]:1") && !open("[::ffff:127.0.0.1]:1"));
        assert!(!open("unix:/a"));
        assert!(open("0.0.0.0:1") && open("[::]:1") && open("192.0.2.1:1"));
    }
}
