//! Where reports go: `mailto:` and `https:` (RFC 8460 §3).

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use smtp_types::{DomainName, EmailAddress, EmailAddressError};

/// One place that wants reports. "Two URI schemes are supported: "mailto" and "https"."
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportUri {
    /// By mail.
    Mailto(MailtoUri),
    /// By HTTP POST.
    Https(HttpsUri),
}

/// `mailto:local-part@domain` (RFC 6068), as written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailtoUri {
    text: Box<str>,
    address: EmailAddress,
}

/// `https://host…`, as written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpsUri {
    text: Box<str>,
}

impl ReportUri {
    /// Reads one URI of a record.
    ///
    /// Strict where it protects whoever sends the report: one address, percent-decoded, and no
    /// user name in front of a host. Header fields behind a `?` of a `mailto:` (RFC 6068 §2) are
    /// no fault and have no effect, for a record must not write into our mail.
    ///
    /// # Errors
    /// The first fault. [`ReportUriError::Scheme`] alone is no fault of the record's syntax.
    pub fn parse(text: &str) -> Result<Self, ReportUriError> {
        if let Some(found) = text.chars().find(|c| !is_uri_character(*c)) {
            return Err(match found {
                '!' => ReportUriError::ExclamationMark,
                found => ReportUriError::Character { found },
            });
        }
        let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme))
        else {
            return Err(ReportUriError::NoScheme);
        };
        // RFC 3986 §3.1: "schemes are case-insensitive".
        if scheme.eq_ignore_ascii_case("mailto") {
            let address = parse_mailbox(rest)?;
            return Ok(Self::Mailto(MailtoUri { text: text.into(), address }));
        }
        if scheme.eq_ignore_ascii_case("https") {
            check_host(rest)?;
            return Ok(Self::Https(HttpsUri { text: text.into() }));
        }
        Err(ReportUriError::Scheme { found: scheme.into() })
    }

    /// The URI as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Mailto(mailto) => &mailto.text,
            Self::Https(https) => &https.text,
        }
    }
}

impl MailtoUri {
    /// The address, percent-decoded.
    #[must_use]
    pub const fn address(&self) -> &EmailAddress {
        &self.address
    }

    /// What stands behind the `?`; it has no effect.
    #[must_use]
    pub fn header_fields(&self) -> Option<&str> {
        self.text.split_once('?').map(|(_, fields)| fields)
    }
}

impl HttpsUri {
    /// The URI as written.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ReportUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// RFC 3986 §2: unreserved, reserved and `%`, without `,`, `!` and `;`, which "MUST be encoded"
/// (RFC 8460 §3).
fn is_uri_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@$&'()*+=%".contains(c)
}

/// RFC 3986 §3.1: `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )`
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet))
}

/// RFC 6068 §2: an address whose special characters are percent-encoded, then header fields.
fn parse_mailbox(rest: &str) -> Result<EmailAddress, ReportUriError> {
    let encoded = rest.split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_decode(encoded).ok_or(ReportUriError::PercentEncoding)?;
    EmailAddress::parse(&decoded).map_err(ReportUriError::Address)
}

/// RFC 3986 §2.1: `%` and two hex digits; the octets must be UTF-8 (RFC 6068 §2).
fn percent_decode(text: &str) -> Option<String> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        octets.push(u8::try_from(high << 4 | low).ok()?);
    }
    String::from_utf8(octets).ok()
}

/// RFC 3986 §3.2: `"//" host [ ":" port ]`, then path and query. A host is a name or an address.
fn check_host(rest: &str) -> Result<(), ReportUriError> {
    let authority = rest.strip_prefix("//").ok_or(ReportUriError::NoHost)?;
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(ReportUriError::UserName);
    }
    let bad = || ReportUriError::Host { found: authority.into() };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(bad());
    }
    let is_address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<Ipv4Addr>().is_ok(),
    };
    match is_address || DomainName::parse(host).is_ok() {
        true => Ok(()),
        false if host.is_empty() => Err(ReportUriError::NoHost),
        false => Err(bad()),
    }
}

/// Why a text is not a place for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportUriError {
    /// An exclamation mark. In DMARC it brings a size limit (RFC 7489 §6.2); here it has no
    /// meaning and "MUST be encoded".
    ExclamationMark,
    /// A character that no URI has.
    Character {
        /// The character.
        found: char,
    },
    /// No scheme in front; most often an address without `mailto:`.
    NoScheme,
    /// A URI with another scheme: no report goes there, but the other URIs count.
    Scheme {
        /// The scheme.
        found: Box<str>,
    },
    /// A `%` that is not followed by two hex digits, or octets that are not UTF-8.
    PercentEncoding,
    /// What a `mailto:` names is not one address.
    Address(EmailAddressError),
    /// An `https:` without a host.
    NoHost,
    /// A user name in front of the host.
    UserName,
    /// A host that is none.
    Host {
        /// What stands in its place.
        found: Box<str>,
    },
}

impl ReportUriError {
    pub(crate) fn with_value(self, found: &str) -> crate::RecordFault {
        crate::RecordFault::Rua { found: found.to_owned().into(), error: self }
    }
}

impl fmt::Display for ReportUriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExclamationMark => {
                write!(f, "expected no \"!\", found one; a size limit as in DMARC is not defined")
            }
            Self::Character { found } => {
                write!(f, "expected the characters of a URI, found {found:?}")
            }
            Self::NoScheme => write!(f, "expected mailto: or https:, found neither"),
            Self::Scheme { found } => write!(f, "expected mailto: or https:, found {found}:"),
            Self::PercentEncoding => write!(f, "expected %XX of UTF-8, found another %"),
            Self::Address(error) => error.fmt(f),
            Self::NoHost => write!(f, "expected https:// and a host, found no host"),
            Self::UserName => write!(f, "expected no user name before the host, found one"),
            Self::Host { found } => write!(f, "expected a host, found {found:?}"),
        }
    }
}

impl core::error::Error for ReportUriError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use smtp_types::DomainNameError;

    fn mailto(text: &str, address: &str) {
        let uri = ReportUri::parse(text).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        let ReportUri::Mailto(mailto) = &uri else { panic!("{text:?}") };
        assert_eq!(mailto.address().to_string(), address, "{text:?}");
        assert_eq!(uri.to_string(), text);
    }

    fn bad(text: &str, error: ReportUriError) {
        assert_eq!(ReportUri::parse(text), Err(error), "{text:?}");
    }

    #[test]
    fn by_mail() {
        use ReportUriError as Error;
        mailto("mailto:tls@example.com", "tls@example.com");
        mailto("MailTo:tls@Example.COM", "tls@example.com");
        mailto("mailto:tls%2Breports%21@example.com", "tls+reports!@example.com");
        mailto("mailto:a@example.com?subject=x%0d%0aBcc:y", "a@example.com");
        mailto("mailto:postm%C3%A4stare@example.com", "postmästare@example.com");
        bad("mailto:", Error::Address(EmailAddressError::NoAt));
        bad("mailto:a@", Error::Address(EmailAddressError::Domain(DomainNameError::Empty)));
        bad("mailto:a%2@example.com", Error::PercentEncoding);
        bad("mailto:a%ff@example.com", Error::PercentEncoding);
        bad("mailto:a@example.com!10m", Error::ExclamationMark);
        bad("mailto: a@example.com", Error::Character { found: ' ' });
        bad("mailto:<a@example.com>", Error::Character { found: '<' });
        bad("tls@example.com", Error::NoScheme);
        let crlf = EmailAddressError::LocalPartCharacter { found: '\r' };
        bad("mailto:a%0d%0aBcc:x@example.com", Error::Address(crlf));
        let two = EmailAddressError::LocalPartCharacter { found: '@' };
        bad("mailto:a@example.com%2Cb@example.com", Error::Address(two));
    }

    #[test]
    fn by_https() {
        use ReportUriError as Error;
        for good in [
            "https://example.com",
            "https://example.com/tls?to=a%2Cb=c",
            "HTTPS://example.com:8443/",
            "https://192.0.2.1/",
            "https://[2001:db8::1]:443/x",
            "https://[2001:db8::1]",
        ] {
            let uri = ReportUri::parse(good).unwrap_or_else(|e| panic!("{good:?}: {e}"));
            assert!(matches!(uri, ReportUri::Https(_)));
            assert_eq!(uri.as_str(), good);
        }
        let host = |found: &str| Error::Host { found: found.into() };
        bad("https:", Error::NoHost);
        bad("https:/example.com", Error::NoHost);
        bad("https:///path", Error::NoHost);
        bad("https://user@example.com/", Error::UserName);
        bad("https://example.com:99999/", host("example.com:99999"));
        bad("https://a..b/", host("a..b"));
        bad("https://[::x]/", host("[::x]"));
        bad("http://example.com/", Error::Scheme { found: "http".into() });
        bad("ftp:x", Error::Scheme { found: "ftp".into() });
    }
}
