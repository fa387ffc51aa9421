//! How a client names itself in EHLO (RFC 5321 §4.1.1.1, §4.1.3, §4.1.4).

use core::fmt;
use core::net::IpAddr;

use smtp_types::DomainName;

/// The argument of EHLO. §4.1.4: "a domain name … or, if the client has no such name, an address
/// literal".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientName {
    /// The client's own name, which should have an address.
    Domain(DomainName),
    /// The client's address.
    Address(IpAddr),
}

/// As EHLO has it; an address in brackets (§4.1.3).
impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(name) => name.fmt(f),
            Self::Address(IpAddr::V4(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[IPv6:{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names() {
        let address = |text: &str| ClientName::Address(text.parse().unwrap()).to_string();
        assert_eq!(address("192.0.2.1"), "[192.0.2.1]");
        assert_eq!(address("2001:db8::1"), "[IPv6:2001:db8::1]");
        let name = DomainName::parse("mail.example.com").unwrap();
        assert_eq!(ClientName::Domain(name).to_string(), "mail.example.com");
    }
}
