//! Whom SPF asks about (RFC 7208 §2.3, §2.4 and §4.3): the two identities of an SMTP session.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

use smtp_types::{DomainName, DomainNameError};

/// A client in an SMTP session: all that SPF knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Client<'c> {
    /// Its address.
    pub ip: IpAddr,
    /// What it said with HELO or EHLO, the last time it did.
    pub helo: &'c str,
    /// What it said with MAIL FROM, without angle brackets; nothing is the null reverse-path.
    pub mail_from: &'c str,
}

/// Which of the two identities is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// The name that the client gave itself (§2.3).
    Helo,
    /// The return path (§2.4).
    MailFrom,
}

impl Identity {
    /// `helo` or `mfrom`, as DMARC reports say it (RFC 9990).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Helo => "helo",
            Self::MailFrom => "mfrom",
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One question to SPF: the arguments of `check_host()` (§4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub(super) ip: IpAddr,
    pub(super) identity: Identity,
    pub(super) helo: String,
    pub(super) local_part: String,
    pub(super) domain: Result<DomainName, NoDomain>,
}

impl Query {
    /// The identity of the return path. `mail_from` has no angle brackets; it may be anything that
    /// a client can send.
    ///
    /// §2.4: with a null reverse-path it is `postmaster` at the name of the client.
    #[must_use]
    pub fn mail_from(ip: IpAddr, helo: &str, mail_from: &str) -> Self {
        if mail_from.is_empty() {
            return Self { identity: Identity::MailFrom, ..Self::helo(ip, helo) };
        }
        let (local_part, domain) = mail_from.rsplit_once('@').unwrap_or(("", mail_from));
        Self::new(ip, Identity::MailFrom, helo, local_part, domain)
    }

    /// The identity of the name that the client gave itself (§2.3).
    #[must_use]
    pub fn helo(ip: IpAddr, helo: &str) -> Self {
        Self::new(ip, Identity::Helo, helo, "", helo)
    }

    /// §4.3: "If the <sender> has no local-part, substitute the string "postmaster"". §5: an IPv4
    /// address mapped to IPv6 is an IPv4 address.
    fn new(ip: IpAddr, identity: Identity, helo: &str, local_part: &str, domain: &str) -> Self {
        let local_part = match &*unquoted(local_part) {
            "" => String::from("postmaster"),
            local_part => local_part.into(),
        };
        let helo = match DomainName::parse(helo) {
            Ok(name) if !helo.is_ascii() => name.as_str().into(),
            _ => helo.into(),
        };
        Self { ip: ip.to_canonical(), identity, helo, local_part, domain: multi_label(domain) }
    }

    /// The address of the client; never one that is mapped to IPv6.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Which identity is asked about.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// The domain that is asked about.
    ///
    /// # Errors
    /// Why there is nothing to ask about, which is the result `none`.
    pub const fn domain(&self) -> Result<&DomainName, &NoDomain> {
        self.domain.as_ref()
    }
}

/// §4.3: the domain must be well-formed, in A-labels, and have more than one label.
fn multi_label(domain: &str) -> Result<DomainName, NoDomain> {
    let name = DomainName::parse(domain).map_err(NoDomain::Malformed)?;
    match name.parent() {
        Some(_) => Ok(name),
        None => Err(NoDomain::SingleLabel { found: name.as_str().into() }),
    }
}

/// The value of a quoted local part: quotes and backslashes only protect what they enclose
/// (RFC 5321 §4.1.2).
fn unquoted(local_part: &str) -> Cow<'_, str> {
    let inner = local_part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return Cow::Borrowed(local_part);
    };
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    Cow::Owned(value)
}

/// Why there is no domain to ask about. The result is `none` (RFC 7208 §4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoDomain {
    /// It is not a domain name, for example an address literal.
    Malformed(DomainNameError),
    /// It has only one label.
    SingleLabel {
        /// The label.
        found: String,
    },
}

impl fmt::Display for NoDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::SingleLabel { found } => {
                write!(f, "expected a name of more than one label, found {found:?}")
            }
        }
    }
}

impl core::error::Error for NoDomain {}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: &str = "192.0.2.1";

    fn mail_from(text: &str) -> (String, Result<String, NoDomain>) {
        let query = Query::mail_from(IP.parse().unwrap(), "mx.example.com", text);
        (query.local_part, query.domain.map(|name| name.as_str().into()))
    }

    #[test]
    fn senders() {
        let good = |text, local: &str, domain: &str| {
            assert_eq!(mail_from(text), (local.into(), Ok(domain.into())), "{text}");
        };
        good("a@Example.COM", "a", "example.com");
        good("@example.com", "postmaster", "example.com");
        good("", "postmaster", "mx.example.com");
        good("example.com", "postmaster", "example.com");
        good("a@b@example.com", "a@b", "example.com");
        good("\"a b\"@example.com", "a b", "example.com");
        good("\"a\\\"\\\\@b\"@example.com", "a\"\\@b", "example.com");
        good("\"\"@example.com", "postmaster", "example.com");
        good("\"@example.com", "\"", "example.com");
        good("\"a\\\"@example.com", "a", "example.com");
        good("Macro Error@example.com", "Macro Error", "example.com");
        good("jürgen@exämple.com", "jürgen", "xn--exmple-cua.com");
        let none = |text| assert!(mail_from(text).1.is_err(), "{text}");
        none("a");
        none("a@");
        none("@");
        none("a@localhost");
        none("a@localhost.");
        none("a@[192.0.2.1]");
        none("a@192.0.2.1");
        none("a@a...example.com");
        none("a@a b.example.com");
        none("\0@\0");
    }

    #[test]
    fn clients() {
        let query = Query::helo("::ffff:192.0.2.1".parse().unwrap(), "mx.exämple.com");
        assert_eq!(query.ip().to_string(), IP);
        assert_eq!(query.helo, "mx.xn--exmple-cua.com");
        assert_eq!(query.domain().unwrap().as_str(), "mx.xn--exmple-cua.com");
        let query = Query::helo(IP.parse().unwrap(), "[192.0.2.1]");
        assert_eq!(query.helo, "[192.0.2.1]");
        assert!(query.domain().is_err());
    }

    use alloc::string::ToString;
}
