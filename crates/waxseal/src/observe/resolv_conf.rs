//! The resolver that the system uses, from `/etc/resolv.conf` (resolv.conf(5)).
//!
//! Only the first `nameserver` counts: all of an answer's security rests on one resolver, and a
//! second one with other habits would make it a matter of luck.

use std::fmt;
use std::io;
use std::net::{AddrParseError, IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

const PATH: &str = "/etc/resolv.conf";

/// The port of DNS (RFC 1035 §4.2).
pub const DNS_PORT: u16 = 53;

/// The first name server of `/etc/resolv.conf`, at port 53.
///
/// # Errors
/// [`ResolvConfError`] if the file is there and cannot be read or understood. As resolv.conf(5)
/// says, no file and no `nameserver` line both mean a resolver on this machine.
pub fn system_resolver() -> Result<SocketAddr, ResolvConfError> {
    match std::fs::read_to_string(Path::new(PATH)) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => parse(""),
        Err(error) => Err(ResolvConfError::Read(error)),
    }
}

/// The first name server of a text in the format of resolv.conf(5), at port 53; 127.0.0.1 if there
/// is none.
///
/// # Errors
/// [`ResolvConfError::Address`] if the first `nameserver` line has no IP address.
pub fn parse(text: &str) -> Result<SocketAddr, ResolvConfError> {
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        let found = words.next().unwrap_or_default();
        return match parse_address(found) {
            Ok(address) => Ok(address),
            Err(_) => Err(ResolvConfError::Address { line: index + 1, found: found.into() }),
        };
    }
    Ok((Ipv4Addr::LOCALHOST, DNS_PORT).into())
}

/// Also an IPv6 address with a numeric zone, `fe80::1%2`.
fn parse_address(text: &str) -> Result<SocketAddr, AddrParseError> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok((address, DNS_PORT).into()),
        Err(_) if text.contains('%') => format!("[{text}]:{DNS_PORT}").parse(),
        Err(error) => Err(error),
    }
}

/// Why the system's resolver is not known.
#[derive(Debug)]
pub enum ResolvConfError {
    /// The file is there, but cannot be read.
    Read(io::Error),
    /// The first `nameserver` line has no IP address.
    Address {
        /// The line, from 1.
        line: usize,
        /// The text in its place.
        found: Box<str>,
    },
}

impl fmt::Display for ResolvConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "{PATH}: {error}"),
            Self::Address { line, found } => write!(
                f,
                "{PATH}: line {line}: nameserver: expected an IP address, found {found:?}"
            ),
        }
    }
}

impl std::error::Error for ResolvConfError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Address { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap(), expected.parse().unwrap(), "{text}");
    }

    fn bad(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
    }

    #[test]
    fn first_name_server() {
        good("nameserver 192.0.2.53\n", "192.0.2.53:53");
        good("nameserver ::1", "[::1]:53");
        good("nameserver\tfe80::1%2\n", "[fe80::1%2]:53");
        good(
            "# nameserver 192.0.2.1\n;nameserver 192.0.2.2\nsearch example.com\noptions edns0\n\
             nameserver 192.0.2.53 # ours\nnameserver 192.0.2.54\n",
            "192.0.2.53:53",
        );
        good("nameserver 192.0.2.53\r\n", "192.0.2.53:53");
        good("", "127.0.0.1:53");
        good("search example.com\nnameservers 192.0.2.1\n", "127.0.0.1:53");
    }

    #[test]
    fn no_address() {
        bad(
            "\nnameserver dns.example\nnameserver 192.0.2.1\n",
            "/etc/resolv.conf: line 2: nameserver: expected an IP address, found \"dns.example\"",
        );
        bad(
            "nameserver",
            "/etc/resolv.conf: line 1: nameserver: expected an IP address, found \"\"",
        );
        bad(
            "nameserver fe80::1%eth0",
            "/etc/resolv.conf: line 1: nameserver: expected an IP address, found \"fe80::1%eth0\"",
        );
    }
}
