//! One reply of a server: three digits for machines, text for people (RFC 5321 §4.2).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// How many characters of a reply's text are shown at most.
const SHOWN: usize = 200;

/// The three digits of a reply.
///
/// §4.2 writes them as `%x32-35 %x30-35 %x30-39`. We take any second digit: codes such as 571 have
/// been sent for decades, and only the first digit decides what they mean for us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyCode(u16);

impl ReplyCode {
    /// Reads three digits, the first from 2 to 5. `None` for anything else.
    #[must_use]
    pub fn parse(digits: [u8; 3]) -> Option<Self> {
        let well_formed =
            (b'2'..=b'5').contains(&digits[0]) && digits.iter().all(u8::is_ascii_digit);
        let value = |digit: u8| u16::from(digit - b'0');
        well_formed.then(|| Self(value(digits[0]) * 100 + value(digits[1]) * 10 + value(digits[2])))
    }

    /// The code as a number, 200 to 599.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// What the first digit says. §4.2: clients "MUST determine its actions only by the reply
    /// code, not by the text".
    #[must_use]
    pub const fn class(self) -> ReplyClass {
        match self.0 / 100 {
            2 => ReplyClass::Completed,
            3 => ReplyClass::Intermediate,
            4 => ReplyClass::Temporary,
            _ => ReplyClass::Permanent,
        }
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyCode({})", self.0)
    }
}

/// What the first digit of a code says (RFC 5321 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplyClass {
    /// 2yz: done.
    Completed,
    /// 3yz: go on.
    Intermediate,
    /// 4yz: not now, perhaps later.
    Temporary,
    /// 5yz: not at all.
    Permanent,
}

/// A whole reply: a code, and one or more lines of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: ReplyCode,
    lines: Vec<Box<[u8]>>,
}

impl Reply {
    pub(crate) const fn new(code: ReplyCode, lines: Vec<Box<[u8]>>) -> Self {
        Self { code, lines }
    }

    /// The code, the same in each line.
    #[must_use]
    pub const fn code(&self) -> ReplyCode {
        self.code
    }

    /// The texts behind the code, in their order; at least one, which may be empty. They are as
    /// the server has sent them: never NUL, CR or LF, but any other octet.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(|line| &**line)
    }

    /// The first word of the first line: in the greeting and in the reply to EHLO the name that
    /// the server gives itself (§4.2, §4.1.1.1). `None` unless it is 1 to 255 printable ASCII
    /// characters. Nobody has checked it.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        let first = self.lines.first()?.split(|octet| *octet == b' ').next()?;
        let well_formed =
            (1..=255).contains(&first.len()) && first.iter().all(u8::is_ascii_graphic);
        core::str::from_utf8(first).ok().filter(|_| well_formed)
    }

    /// The reply as a server sends it, with the space before an empty text (§4.2.1: "servers
    /// SHOULD send the `<SP>` if subsequent text is not sent").
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let last = self.lines.len().saturating_sub(1);
        let mut octets = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            let separator = if index == last { b' ' } else { b'-' };
            octets.extend(alloc::format!("{}", self.code).into_bytes());
            octets.push(separator);
            octets.extend_from_slice(line);
            octets.extend_from_slice(b"\r\n");
        }
        octets
    }
}

/// In one line, safe to print whatever the server wrote, and not longer than a log line may be.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        let mut shown = 0;
        for (index, line) in self.lines.iter().enumerate() {
            f.write_str(if index == 0 { " " } else { " / " })?;
            for character in line.escape_ascii().map(char::from) {
                shown += 1;
                if shown > SHOWN {
                    return f.write_str("…");
                }
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn codes() {
        let good = |digits: &[u8; 3], number, class| {
            let code = ReplyCode::parse(*digits).unwrap();
            assert_eq!((code.number(), code.class()), (number, class));
        };
        good(b"220", 220, ReplyClass::Completed);
        good(b"354", 354, ReplyClass::Intermediate);
        good(b"421", 421, ReplyClass::Temporary);
        good(b"571", 571, ReplyClass::Permanent); // not of the grammar, and in use
        for bad in [b"120", b"620", b"2 0", b"22x", b"\xb220"] {
            assert_eq!(ReplyCode::parse(*bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_reply_is_shown_in_one_line() {
        let reply = |lines: &[&[u8]]| {
            let lines = lines.iter().map(|line| (*line).into()).collect();
            Reply::new(ReplyCode::parse(*b"250").unwrap(), lines)
        };
        let two = reply(&[b"mx.example.test at your\tservice", b"STARTTLS"]);
        assert_eq!(two.to_string(), "250 mx.example.test at your\\tservice / STARTTLS");
        assert_eq!(two.server_name(), Some("mx.example.test"));
        assert_eq!(two.to_octets(), b"250-mx.example.test at your\tservice\r\n250 STARTTLS\r\n");
        let hostile = reply(&[b"\x1b[2J\xff"]);
        assert_eq!(hostile.to_string(), "250 \\x1b[2J\\xff");
        assert_eq!(hostile.server_name(), None);
        let long = reply(&[&[b'a'; 300]]).to_string();
        assert_eq!(long.chars().count(), 4 + SHOWN + 1);
    }
}
