//! What a server says it can do: the reply to EHLO (RFC 5321 §4.1.1.1).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::str;

use crate::Reply;

/// An extension that this crate makes use of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extension {
    /// TLS on this connection (RFC 3207).
    Starttls,
    /// TLS on the whole way (RFC 8689).
    RequireTls,
    /// Octets above 127 in letters (RFC 6152).
    EightBitMime,
    /// Characters beyond ASCII in addresses and header fields (RFC 6531).
    SmtpUtf8,
}

impl Extension {
    /// Its EHLO keyword.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Starttls => "STARTTLS",
            Self::RequireTls => "REQUIRETLS",
            Self::EightBitMime => "8BITMIME",
            Self::SmtpUtf8 => "SMTPUTF8",
        }
    }
}

/// The extensions that a server offers, on the channel on which it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Vec<Line>,
}

/// One `ehlo-line`: keyword and parameters, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    keyword: Box<str>,
    parameters: Box<str>,
}

impl Capabilities {
    /// Reads the reply to EHLO. Its first line is name and greeting of the server, whatever they
    /// say; a line that is no `ehlo-line` is left out.
    #[must_use]
    pub fn from_ehlo(reply: &Reply) -> Self {
        Self { lines: reply.lines().skip(1).filter_map(Line::parse).collect() }
    }

    /// Whether an extension is offered. §4.1.1.1: keywords "MUST always be recognized and
    /// processed in a case-insensitive manner". Parameters that the extension does not know do not
    /// make the offer void.
    #[must_use]
    pub fn offer(&self, extension: Extension) -> bool {
        self.keywords().any(|keyword| keyword.eq_ignore_ascii_case(extension.keyword()))
    }

    /// The parameters of a keyword, as written; `None` if it is not offered.
    #[must_use]
    pub fn parameters(&self, keyword: &str) -> Option<&str> {
        let line = self.lines.iter().find(|line| line.keyword.eq_ignore_ascii_case(keyword))?;
        Some(&line.parameters)
    }

    /// All keywords, as written and in their order.
    pub fn keywords(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| &*line.keyword)
    }

    /// A keyword that looks as if something on the way had overwritten `STARTTLS` with as many
    /// letters X, as some firewalls do: the server offers TLS, and somebody keeps it from us.
    #[must_use]
    pub fn overwritten(&self) -> Option<&str> {
        let masked = |keyword: &&str| {
            // Some of those firewalls leave the last letter to a letter of their own.
            keyword.len() == Extension::Starttls.keyword().len()
                && keyword.bytes().take(7).all(|octet| octet == b'X')
        };
        self.keywords().find(masked)
    }
}

impl Line {
    /// `ehlo-line = ehlo-keyword *( SP ehlo-param )`,
    /// `ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok().filter(|text| text.is_ascii())?.trim_ascii_end();
        let (keyword, parameters) = text.split_once(' ').unwrap_or((text, ""));
        let first = keyword.bytes().next()?;
        let well_formed = first.is_ascii_alphanumeric()
            && keyword.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
        well_formed.then(|| Self { keyword: keyword.into(), parameters: parameters.trim().into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReplyReader;

    fn read(text: &str) -> Capabilities {
        let mut reader = ReplyReader::new();
        let mut replies = text.bytes().filter_map(|octet| reader.push(octet).unwrap());
        Capabilities::from_ehlo(&replies.next().unwrap())
    }

    #[test]
    fn lines() {
        let offered = |line: &str| {
            read(&alloc::format!("250-mx.test\r\n250 {line}\r\n")).offer(Extension::Starttls)
        };
        assert!(offered("STARTTLS"));
        assert!(offered("starttls"));
        assert!(offered("StartTLS "));
        assert!(offered("STARTTLS required")); // the keyword counts
        assert!(!offered("XSTARTTLS"));
        assert!(!offered("STARTTLS="));
        assert!(!offered("START TLS"));
        assert!(!offered(" STARTTLS"));
        assert!(!offered("AUTH STARTTLS"));
        assert!(!offered("\u{17f}TARTTLS")); // ſ, which is S in another case
    }

    #[test]
    fn the_first_line_offers_nothing() {
        assert!(!read("250 STARTTLS\r\n").offer(Extension::Starttls));
        assert!(!read("250-STARTTLS at your service\r\n250 SIZE\r\n").offer(Extension::Starttls));
    }

    #[test]
    fn keywords_and_parameters() {
        let found = read("250-mx.test\r\n250-size 10240000\r\n250-AUTH=X\r\n250 RequireTLS\r\n");
        assert!(found.keywords().eq(["size", "RequireTLS"]));
        assert_eq!(found.parameters("SIZE"), Some("10240000"));
        assert_eq!(found.parameters("AUTH"), None);
        assert!(found.offer(Extension::RequireTls));
        assert_eq!(found.overwritten(), None);
    }

    #[test]
    fn an_overwritten_keyword_is_told() {
        assert_eq!(read("250-a\r\n250 XXXXXXXX\r\n").overwritten(), Some("XXXXXXXX"));
        assert_eq!(read("250-a\r\n250 XXXXXXXA\r\n").overwritten(), Some("XXXXXXXA"));
        assert_eq!(read("250-a\r\n250 XCLIENT\r\n").overwritten(), None);
    }
}
