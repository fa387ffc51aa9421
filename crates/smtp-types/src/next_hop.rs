//! Where a mail server is about to deliver, as it writes that in a table key.

use alloc::boxed::Box;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use crate::{DomainName, DomainNameError};

/// The port of SMTP between servers (RFC 5321 §4.5.4.2).
const SMTP_PORT: u16 = 25;

/// The next hop of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// A mail domain: its hosts come from the MX records.
    Domain {
        /// The domain.
        domain: DomainName,
        /// The port of its hosts. The default is 25.
        port: u16,
    },
    /// A smart host, `[host]`: no MX look-up.
    Host {
        /// The host.
        host: DomainName,
        /// The port. The default is 25.
        port: u16,
    },
}

impl NextHop {
    /// Reads a next hop in Postfix's notation: `domain`, `domain:port`, `[host]`, `[host]:port`.
    /// A port is a number or one of `smtp`, `submission`, `submissions`, `smtps`.
    ///
    /// # Errors
    /// [`NextHopError`]; for most of its variants the right answer is "no policy".
    pub fn parse(text: &str) -> Result<Self, NextHopError> {
        if text.is_empty() {
            return Err(NextHopError::Empty);
        }
        if text.starts_with('.') {
            return Err(NextHopError::ParentDomain);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, behind) = rest.split_once(']').ok_or(NextHopError::Bracket)?;
            let port = match behind {
                "" => SMTP_PORT,
                _ => parse_port(behind.strip_prefix(':').ok_or(NextHopError::Bracket)?)?,
            };
            return Ok(Self::Host { host: parse_name(host)?, port });
        }
        if text.parse::<IpAddr>().is_ok() {
            return Err(NextHopError::AddressLiteral);
        }
        match text.split_once(':') {
            None => Ok(Self::Domain { domain: parse_name(text)?, port: SMTP_PORT }),
            Some((domain, port)) => {
                Ok(Self::Domain { domain: parse_name(domain)?, port: parse_port(port)? })
            }
        }
    }

    /// The domain whose MTA-STS policy applies: the mail domain, or the smart host itself
    /// (RFC 8461 §3.4).
    #[must_use]
    pub fn policy_domain(&self) -> &DomainName {
        match self {
            Self::Domain { domain, .. } => domain,
            Self::Host { host, .. } => host,
        }
    }

    /// The port that the hosts are reached at.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Domain { port, .. } | Self::Host { port, .. } => *port,
        }
    }
}

fn parse_name(text: &str) -> Result<DomainName, NextHopError> {
    let is_literal = text.parse::<IpAddr>().is_ok()
        || text.parse::<Ipv4Addr>().is_ok()
        || text.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("ipv6:"));
    if is_literal {
        return Err(NextHopError::AddressLiteral);
    }
    DomainName::parse(text).map_err(NextHopError::Name)
}

fn parse_port(text: &str) -> Result<u16, NextHopError> {
    match text {
        "smtp" => Ok(SMTP_PORT),
        "submission" => Ok(587),
        "submissions" | "smtps" => Ok(465),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            { text.parse().ok().filter(|port| *port != 0) }
                .ok_or_else(|| NextHopError::Port { found: text.into() })
        }
        _ => Err(NextHopError::Port { found: text.into() }),
    }
}

/// In Postfix's notation, without a port where it is 25.
impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain { domain, .. } => write!(f, "{domain}")?,
            Self::Host { host, .. } => write!(f, "[{host}]")?,
        }
        match self.port() {
            SMTP_PORT => Ok(()),
            port => write!(f, ":{port}"),
        }
    }
}

/// Why a key is not a next hop that can have a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextHopError {
    /// Nothing there.
    Empty,
    /// A leading dot: Postfix asks for the parent domain, and neither MTA-STS (RFC 8461 §3.4)
    /// nor DANE is inherited.
    ParentDomain,
    /// An IP address: there is no domain that could publish anything.
    AddressLiteral,
    /// Brackets that do not fit.
    Bracket,
    /// A port that is none.
    Port {
        /// The text in its place.
        found: Box<str>,
    },
    /// The name is not one.
    Name(DomainNameError),
}

impl fmt::Display for NextHopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "next hop: expected a domain or [host], found nothing"),
            Self::ParentDomain => {
                write!(f, "next hop: policies are not inherited from a parent domain")
            }
            Self::AddressLiteral => write!(f, "next hop: an address literal has no policy"),
            Self::Bracket => {
                write!(f, "next hop: expected [host] or [host]:port, found other brackets")
            }
            Self::Port { found } => {
                write!(f, "next hop: port: expected 1 to 65535 or a mail service, found {found:?}")
            }
            Self::Name(error) => write!(f, "next hop: {error}"),
        }
    }
}

impl core::error::Error for NextHopError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn good(text: &str, printed: &str) {
        let next_hop = NextHop::parse(text).unwrap();
        assert_eq!(next_hop.to_string(), printed, "{text}");
        assert_eq!(NextHop::parse(printed), Ok(next_hop), "{text}");
    }

    fn bad(text: &str, error: NextHopError) {
        assert_eq!(NextHop::parse(text), Err(error), "{text}");
    }

    #[test]
    fn keys() {
        good("example.com", "example.com");
        good("DANE.Test.", "dane.test");
        good("dané.test", "xn--dan-dma.test");
        good("a_b.test", "a_b.test");
        good("example.com:25", "example.com");
        good("example.com:2525", "example.com:2525");
        good("[example.com]", "[example.com]");
        good("[example.com]:submission", "[example.com]:587");
        bad("", NextHopError::Empty);
        bad(".example.com", NextHopError::ParentDomain);
        bad("192.0.2.1", NextHopError::AddressLiteral);
        bad("2001:db8::1", NextHopError::AddressLiteral);
        bad("[192.0.2.1]", NextHopError::AddressLiteral);
        bad("[192.0.2.1]:25", NextHopError::AddressLiteral);
        bad("[IPv6:2001:db8::1]:25", NextHopError::AddressLiteral);
        bad("[example.com", NextHopError::Bracket);
        bad("[example.com]x", NextHopError::Bracket);
        bad("example.com:0", NextHopError::Port { found: "0".into() });
        bad("example.com:65536", NextHopError::Port { found: "65536".into() });
        bad("example.com:+25", NextHopError::Port { found: "+25".into() });
        bad(
            "a b.test",
            NextHopError::Name(DomainNameError::BadCharacter { column: 2, found: ' ' }),
        );
    }
}
