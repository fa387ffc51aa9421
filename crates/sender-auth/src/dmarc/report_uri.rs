//! Where reports go: the URIs of `rua` and `ruf` (RFC 9989 §4.6).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{EmailAddress, EmailAddressError};

/// One URI of a record. Any valid URI may be published; reports are sent by mail only, "URIs
/// involving schemes not supported by Mail Receivers MUST be ignored" (RFC 9989 §4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportUri {
    text: Box<str>,
    target: ReportTarget,
}

/// What a [`ReportUri`] leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportTarget {
    /// A mailbox.
    Mailbox(EmailAddress),
    /// A `mailto:` whose address no mail can be sent to.
    NoMailbox(EmailAddressError),
    /// A scheme that is not `mailto`.
    Other,
}

impl ReportUri {
    /// Reads one URI, with the size limit of RFC 7489 §6.2 behind it or not: `!10m` "should be
    /// ignored" (RFC 9989 §4.8), and is not kept.
    ///
    /// Header fields behind a `?` of a `mailto:` (RFC 6068 §2) have no effect, for a record must not
    /// write into our mail.
    ///
    /// # Errors
    /// What is no URI. A URI that no report can go to is one all the same.
    pub fn parse(text: &str) -> Result<Self, ReportUriError> {
        let text = without_size(text);
        if text.is_empty() {
            return Err(ReportUriError::Empty);
        }
        if let Some(found) = text.chars().find(|c| !is_uri_character(*c)) {
            return Err(ReportUriError::Character { found });
        }
        check_percents(text)?;
        let scheme = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
        let (scheme, rest) = scheme.ok_or(ReportUriError::NoScheme)?;
        // RFC 3986 §3.1: "schemes are case-insensitive".
        let target = match scheme.eq_ignore_ascii_case("mailto") {
            true => mailbox(rest).map_or_else(ReportTarget::NoMailbox, ReportTarget::Mailbox),
            false => ReportTarget::Other,
        };
        Ok(Self { text: text.into(), target })
    }

    /// The URI as written, without the obsolete size.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it leads to.
    #[must_use]
    pub const fn target(&self) -> &ReportTarget {
        &self.target
    }

    /// The mailbox, if it leads to one.
    #[must_use]
    pub const fn address(&self) -> Option<&EmailAddress> {
        match &self.target {
            ReportTarget::Mailbox(address) => Some(address),
            ReportTarget::NoMailbox(_) | ReportTarget::Other => None,
        }
    }
}

impl fmt::Display for ReportUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `obs-dmarc-report-size = "!" 1*DIGIT [ "k" / "m" / "g" / "t" ]`: the text before it.
pub(crate) fn without_size(text: &str) -> &str {
    let Some((uri, size)) = text.rsplit_once('!') else {
        return text;
    };
    let digits = size.strip_suffix(['k', 'm', 'g', 't', 'K', 'M', 'G', 'T']).unwrap_or(size);
    let is_size = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    if is_size { uri } else { text }
}

/// RFC 3986 §2: unreserved, reserved and `%`, without `,`, `;` and `!`: in a record these have a
/// meaning of their own, and "MUST be encoded" (RFC 9989 §4.8).
fn is_uri_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@$&'()*+=%".contains(c)
}

/// RFC 3986 §3.1: `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )`
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet))
}

/// RFC 3986 §2.1: a `%` stands before two hex digits.
fn check_percents(text: &str) -> Result<(), ReportUriError> {
    let encoded = |rest: &str| {
        let mut digits = rest.chars();
        let mut is_digit = || digits.next().is_some_and(|c| c.is_ascii_hexdigit());
        is_digit() && is_digit()
    };
    let all = text.split('%').skip(1).all(encoded);
    if all { Ok(()) } else { Err(ReportUriError::PercentEncoding) }
}

/// RFC 6068 §2: one address whose special characters are percent-encoded, then header fields.
fn mailbox(rest: &str) -> Result<EmailAddress, EmailAddressError> {
    let encoded = rest.split(['?', '#']).next().unwrap_or_default();
    EmailAddress::parse(&percent_decoded(encoded))
}

/// Octets that are not UTF-8 become U+FFFD, which no mailbox of ours has to have.
fn percent_decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let decoded = match octet {
            b'%' => digit().zip(digit()).and_then(|(high, low)| u8::try_from(high << 4 | low).ok()),
            octet => Some(octet),
        };
        // `check_percents` has seen to it that there are two digits.
        octets.extend(decoded);
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// Why a text is not a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportUriError {
    /// Nothing there.
    Empty,
    /// A character that no URI has, or `,`, `;`, `!` as they are.
    Character {
        /// The character.
        found: char,
    },
    /// A `%` that is not followed by two hex digits.
    PercentEncoding,
    /// No scheme in front; most often an address without `mailto:`.
    NoScheme,
}

impl fmt::Display for ReportUriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "expected a URI, found nothing"),
            Self::Character { found } => {
                write!(f, "expected the characters of a URI, found {found:?}")
            }
            Self::PercentEncoding => write!(f, "expected %XX, found another %"),
            Self::NoScheme => write!(f, "expected mailto: in front, found no scheme"),
        }
    }
}

impl core::error::Error for ReportUriError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn mail(text: &str, address: &str) {
        let uri = ReportUri::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(uri.address().map(ToString::to_string).as_deref(), Some(address), "{text:?}");
        assert_eq!(ReportUri::parse(uri.as_str()), Ok(uri), "{text:?}");
    }

    fn bad(text: &str, error: ReportUriError) {
        assert_eq!(ReportUri::parse(text), Err(error), "{text:?}");
    }

    #[test]
    fn mailboxes() {
        mail("mailto:dmarc@example.com", "dmarc@example.com");
        mail("MailTo:dmarc@Example.COM", "dmarc@example.com");
        mail("mailto:d%2Bmarc%21@example.com", "d+marc!@example.com");
        mail("mailto:dmarc@example.com!10m", "dmarc@example.com");
        mail("mailto:dmarc@example.com!10", "dmarc@example.com");
        mail("mailto:a@example.com?subject=x%0d%0aBcc:y", "a@example.com");
    }

    #[test]
    fn other_targets_are_uris_too() {
        let target = |text: &str| ReportUri::parse(text).unwrap().target().clone();
        assert_eq!(target("https://example.com/dmarc"), ReportTarget::Other);
        assert_eq!(target("mailto:"), ReportTarget::NoMailbox(EmailAddressError::NoAt));
        for text in ["mailto:a@b.test%2Cc@d.test", "mailto:a%0d%0aBcc:x@b.test", "mailto:a%ff@"] {
            assert!(matches!(target(text), ReportTarget::NoMailbox(_)), "{text}");
        }
    }

    #[test]
    fn faults() {
        use ReportUriError as Error;
        bad("", Error::Empty);
        bad("!10m", Error::Empty);
        bad("dmarc@example.com", Error::NoScheme);
        bad("<mailto:dmarc@example.com>", Error::Character { found: '<' });
        bad("mailto:a b@example.com", Error::Character { found: ' ' });
        bad("mailto:a@example.com!big", Error::Character { found: '!' });
        bad("mailto:a@example.com!5m!5m", Error::Character { found: '!' });
        bad("mailto:a%2@example.com", Error::PercentEncoding);
        bad("mailto:a@example.com%", Error::PercentEncoding);
        bad("mailto:ä@example.com", Error::Character { found: 'ä' });
    }
}
