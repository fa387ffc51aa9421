//! A letter as SMTP carries it: envelope and content (RFC 5321 §3.3, §4.5.2).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::EmailAddress;

use crate::Extension;

/// The longest line of a letter, with its CR LF (RFC 5321 §4.5.3.1.6).
pub const MAX_TEXT_LINE: usize = 1000;

/// How many recipients one letter may have: as many as every server takes (RFC 5321 §4.5.3.1.8).
pub const MAX_RECIPIENTS: usize = 100;

/// Whether the letter asks for TLS on its whole way (RFC 8689 §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequireTls {
    /// It does not. This is the default.
    #[default]
    No,
    /// It does: MAIL gets the parameter `REQUIRETLS`, and a server that does not offer that gets
    /// no letter. RFC 8689 §4.2.1: only over a session whose certificate was verified by DANE or
    /// MTA-STS, which is for the caller to see to.
    Yes,
}

/// A letter that can be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    sender: Option<EmailAddress>,
    recipients: Vec<EmailAddress>,
    require_tls: RequireTls,
    content: Vec<u8>,
}

impl Letter {
    /// A letter from `sender` (`None` is the null reverse-path, `<>`, RFC 5321 §4.5.5) to at least
    /// one recipient. The content, header and body, has lines that end in CR LF.
    ///
    /// # Errors
    /// [`LetterError`]: such a letter would be read differently by different servers, or refused.
    pub fn new(
        sender: Option<EmailAddress>,
        recipients: Vec<EmailAddress>,
        require_tls: RequireTls,
        content: Vec<u8>,
    ) -> Result<Self, LetterError> {
        if !(1..=MAX_RECIPIENTS).contains(&recipients.len()) {
            return Err(LetterError::Recipients { found: recipients.len() });
        }
        check_lines(&content)?;
        Ok(Self { sender, recipients, require_tls, content })
    }

    /// To whom it goes.
    #[must_use]
    pub fn recipients(&self) -> &[EmailAddress] {
        &self.recipients
    }

    /// What the server must offer to be given this letter.
    pub fn needs(&self) -> impl Iterator<Item = Extension> {
        let is_ascii = |address: &EmailAddress| address.local_part().is_ascii();
        let require_tls = self.require_tls == RequireTls::Yes;
        let utf8 = !self.sender.iter().chain(&self.recipients).all(is_ascii);
        let eight_bit = !self.content.is_ascii();
        [
            require_tls.then_some(Extension::RequireTls),
            utf8.then_some(Extension::SmtpUtf8),
            eight_bit.then_some(Extension::EightBitMime),
        ]
        .into_iter()
        .flatten()
    }

    /// `MAIL FROM:<…>` with its parameters (RFC 5321 §4.1.1.2).
    pub(crate) fn mail(&self) -> Vec<u8> {
        let sender = self.sender.as_ref().map_or_else(String::new, |sender| format!("{sender}"));
        let mut command = format!("MAIL FROM:<{sender}>");
        for extension in self.needs() {
            command.push_str(match extension {
                Extension::RequireTls => " REQUIRETLS",
                Extension::SmtpUtf8 => " SMTPUTF8",
                Extension::EightBitMime => " BODY=8BITMIME",
                Extension::Starttls => "",
            });
        }
        command.push_str("\r\n");
        command.into_bytes()
    }

    /// `RCPT TO:<…>` (RFC 5321 §4.1.1.3). `None` when there are no more.
    pub(crate) fn recipient(&self, index: usize) -> Option<Vec<u8>> {
        let recipient = self.recipients.get(index)?;
        Some(format!("RCPT TO:<{recipient}>\r\n").into_bytes())
    }

    /// The content as it goes over the wire: RFC 5321 §4.5.2, a line that begins with a dot gets
    /// one more; §4.1.1.4, a line with a dot alone is the end.
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.content.len() + 5);
        let mut at_start = true;
        for &octet in &self.content {
            if at_start && octet == b'.' {
                octets.push(b'.');
            }
            octets.push(octet);
            at_start = octet == b'\n';
        }
        // §4.1.1.4: the first CR LF of the end is that of the last line; one is added if that
        // line has none.
        if !at_start {
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(b".\r\n");
        octets
    }
}

/// RFC 5321 §2.3.8: CR and LF only as CR LF. A server that takes one of them alone for the end of
/// a line sees another letter than we do (SMTP smuggling, CVE-2023-51764).
fn check_lines(content: &[u8]) -> Result<(), LetterError> {
    let mut line = 1;
    let mut octets = 0;
    let mut before = 0;
    for &octet in content {
        octets += 1;
        match octet {
            b'\n' if before != b'\r' => return Err(LetterError::BareLineFeed { line }),
            b'\n' if octets > MAX_TEXT_LINE => {
                return Err(LetterError::LineTooLong { line });
            }
            b'\n' => (line, octets) = (line + 1, 0),
            _ if before == b'\r' => return Err(LetterError::BareCarriageReturn { line }),
            0 => return Err(LetterError::Nul { line }),
            _ => {}
        }
        before = octet;
    }
    if before == b'\r' {
        return Err(LetterError::BareCarriageReturn { line });
    }
    if octets > MAX_TEXT_LINE - 2 {
        return Err(LetterError::LineTooLong { line });
    }
    Ok(())
}

/// Why a letter cannot be sent. It must be made anew; sending it later does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterError {
    /// Nobody, or more than [`MAX_RECIPIENTS`].
    Recipients {
        /// How many.
        found: usize,
    },
    /// LF without CR.
    BareLineFeed {
        /// The line, from 1.
        line: usize,
    },
    /// CR without LF.
    BareCarriageReturn {
        /// The line, from 1.
        line: usize,
    },
    /// The octet 0.
    Nul {
        /// The line, from 1.
        line: usize,
    },
    /// Longer than [`MAX_TEXT_LINE`].
    LineTooLong {
        /// The line, from 1.
        line: usize,
    },
}

impl fmt::Display for LetterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recipients { found } => write!(
                f,
                "recipients: expected 1 to {MAX_RECIPIENTS}, found {found} (RFC 5321 §4.5.3.1.8)"
            ),
            Self::BareLineFeed { line } => write!(
                f,
                "line {line}: end of line: expected CR LF, found LF alone (RFC 5321 §2.3.8)"
            ),
            Self::BareCarriageReturn { line } => write!(
                f,
                "line {line}: end of line: expected CR LF, found CR alone (RFC 5321 §2.3.8)"
            ),
            Self::Nul { line } => write!(f, "line {line}: expected text, found NUL"),
            Self::LineTooLong { line } => write!(
                f,
                "line {line}: expected at most {MAX_TEXT_LINE} octets, found more \
                 (RFC 5321 §4.5.3.1.6)"
            ),
        }
    }
}

impl core::error::Error for LetterError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn letter(content: &[u8]) -> Result<Letter, LetterError> {
        let recipients = [address("b@example.org")].into();
        Letter::new(Some(address("a@example.com")), recipients, RequireTls::No, content.into())
    }

    fn good(content: &[u8], wire: &[u8]) {
        let letter = letter(content).unwrap_or_else(|error| panic!("{error}"));
        let found = letter.content();
        assert_eq!(found, wire, "{}", found.escape_ascii());
    }

    fn bad(content: &[u8], error: LetterError) {
        assert_eq!(letter(content), Err(error), "{}", content.escape_ascii());
    }

    #[test]
    fn contents() {
        good(b"S: x\r\n\r\nHello.\r\n", b"S: x\r\n\r\nHello.\r\n.\r\n");
        good(b"a", b"a\r\n.\r\n");
        good(b"", b".\r\n");
        good(b".\r\n..\r\n.a", b"..\r\n...\r\n..a\r\n.\r\n");

        bad(b"a\nb\r\n", LetterError::BareLineFeed { line: 1 });
        bad(b"a\r\n\n.\r\n", LetterError::BareLineFeed { line: 2 });
        bad(b"a\r\n.\r", LetterError::BareCarriageReturn { line: 2 });
        bad(b"a\rb", LetterError::BareCarriageReturn { line: 1 });
        bad(b"a\r\r\n", LetterError::BareCarriageReturn { line: 1 });
        bad(b"a\0", LetterError::Nul { line: 1 });

        let line = |octets: usize| [b"\r\n".to_vec(), alloc::vec![b'a'; octets]].concat();
        assert!(letter(&line(998)).is_ok());
        assert!(letter(&[line(998), b"\r\n".to_vec()].concat()).is_ok());
        bad(&line(999), LetterError::LineTooLong { line: 2 });
        bad(&[line(999), b"\r\n".to_vec()].concat(), LetterError::LineTooLong { line: 2 });
    }

    #[test]
    fn recipients_are_bounded() {
        let many = |count| alloc::vec![address("b@example.org"); count];
        let of = |count| Letter::new(None, many(count), RequireTls::No, Vec::new());
        assert_eq!(of(0), Err(LetterError::Recipients { found: 0 }));
        assert!(of(1).is_ok() && of(100).is_ok());
        assert_eq!(
            of(101).unwrap_err().to_string(),
            "recipients: expected 1 to 100, found 101 (RFC 5321 §4.5.3.1.8)"
        );
    }
}
