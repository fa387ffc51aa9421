//! From octets to replies (RFC 5321 §4.2), octet by octet, so that it does not matter how the
//! network has cut them.
//!
//! Everything is bounded, and a fault is the end: after it nobody knows where the next reply
//! begins.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::mem;

use smtp_types::Position;

use crate::{Reply, ReplyCode};

/// The longest line that is read, with its CR LF. RFC 5321 §4.5.3.1.5 asks servers for at most
/// 512; mail servers in use read up to 2048, and some send more than 512.
pub const MAX_LINE: usize = 2048;

/// How many lines one reply may have. Replies to EHLO have 10 to 20.
pub const MAX_LINES: usize = 128;

/// How many octets one reply may have, all lines together.
pub const MAX_REPLY: usize = 32 * 1024;

/// Puts a reply together.
#[derive(Clone, Debug, Default)]
pub struct ReplyReader {
    code: Option<ReplyCode>,
    lines: Vec<Box<[u8]>>,
    line: Vec<u8>,
    octets: usize,
}

impl ReplyReader {
    /// A reader before the first octet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one octet. `Some` when a reply is complete with it; the reader then stands before the
    /// next one.
    ///
    /// # Errors
    /// The first fault, with its place. Nothing more may be read then.
    pub fn push(&mut self, octet: u8) -> Result<Option<Reply>, ReplyError> {
        self.octets += 1;
        if self.octets > MAX_REPLY {
            return Err(self.error(ReplyFault::ReplyTooLong));
        }
        let after_return = self.line.last() == Some(&b'\r');
        // §2.3.8: implementations "MUST NOT recognize or generate any other character or character
        // sequence as a line terminator" than CR LF.
        match octet {
            b'\n' if after_return => return self.end_line(),
            b'\n' => return Err(self.error(ReplyFault::BareLineFeed)),
            _ if after_return => return Err(self.error(ReplyFault::BareCarriageReturn)),
            0 => return Err(self.error(ReplyFault::Nul)),
            _ => {}
        }
        if self.line.len() + 1 >= MAX_LINE {
            return Err(self.error(ReplyFault::LineTooLong));
        }
        self.line.push(octet);
        Ok(None)
    }

    /// How many octets of an unfinished reply have come.
    #[must_use]
    pub const fn unfinished(&self) -> usize {
        self.octets
    }

    /// §4.2.1: code, hyphen, text, but for the last line: code, space, text. "Clients MUST be
    /// prepared for it to be omitted", the space before an empty text.
    fn end_line(&mut self) -> Result<Option<Reply>, ReplyError> {
        let mut line = mem::take(&mut self.line);
        line.pop();
        let code = line.first_chunk::<3>().and_then(|digits| ReplyCode::parse(*digits));
        let Some(code) = code else {
            let found = line.get(..3).unwrap_or(&line).into();
            return Err(self.error(ReplyFault::Code { found }));
        };
        // §4.2.1: "the reply code on each of the lines MUST be the same".
        let first = *self.code.get_or_insert(code);
        if first != code {
            return Err(self.error(ReplyFault::MixedCodes { first, found: code }));
        }
        let (is_last, text) = match line.get(3..) {
            None | Some([]) => (true, &[][..]),
            Some([b' ', text @ ..]) => (true, text),
            Some([b'-', text @ ..]) => (false, text),
            Some([found, ..]) => {
                let fault = ReplyFault::Separator { found: *found };
                return Err(self.at(4, fault));
            }
        };
        if self.lines.len() == MAX_LINES {
            return Err(self.error(ReplyFault::TooManyLines));
        }
        self.lines.push(text.into());
        if !is_last {
            return Ok(None);
        }
        let done = mem::take(self);
        Ok(Some(Reply::new(code, done.lines)))
    }

    fn error(&self, fault: ReplyFault) -> ReplyError {
        self.at(self.line.len() + 1, fault)
    }

    fn at(&self, column: usize, fault: ReplyFault) -> ReplyError {
        ReplyError { position: Position { line: self.lines.len() + 1, column }, fault }
    }
}

/// Why octets are not a reply, and where; columns count octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyError {
    /// The place of the fault in the reply.
    pub position: Position,
    /// The fault.
    pub fault: ReplyFault,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.fault)
    }
}

impl core::error::Error for ReplyError {}

/// What can be wrong with a reply. The consequence is always the same: whoever is there does not
/// speak SMTP, and the connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyFault {
    /// A line that does not begin with a code.
    Code {
        /// Its first three octets, or fewer if it is shorter.
        found: Box<[u8]>,
    },
    /// Something else than a space or a hyphen behind the code.
    Separator {
        /// The octet.
        found: u8,
    },
    /// Lines of one reply with different codes.
    MixedCodes {
        /// The code of the first line.
        first: ReplyCode,
        /// The other one.
        found: ReplyCode,
    },
    /// LF without CR.
    BareLineFeed,
    /// CR without LF.
    BareCarriageReturn,
    /// The octet 0.
    Nul,
    /// A line longer than [`MAX_LINE`].
    LineTooLong,
    /// More than [`MAX_LINES`].
    TooManyLines,
    /// More than [`MAX_REPLY`] octets.
    ReplyTooLong,
}

impl ReplyFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Code { .. } => "reply-code",
            Self::Separator { .. } => "reply-separator",
            Self::MixedCodes { .. } => "reply-mixed-codes",
            Self::BareLineFeed => "reply-bare-lf",
            Self::BareCarriageReturn => "reply-bare-cr",
            Self::Nul => "reply-nul",
            Self::LineTooLong => "reply-line-too-long",
            Self::TooManyLines => "reply-too-many-lines",
            Self::ReplyTooLong => "reply-too-long",
        }
    }
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code { found } => {
                let found = found.escape_ascii();
                write!(
                    f,
                    "code: expected 3 digits from 200 to 599, found \"{found}\" (RFC 5321 §4.2)"
                )
            }
            Self::Separator { found } => {
                let found = found.escape_ascii();
                write!(
                    f,
                    "code: expected a space or \"-\" behind it, found \"{found}\" (RFC 5321 §4.2)"
                )
            }
            Self::MixedCodes { first, found } => write!(
                f,
                "code: expected {first} as in the first line, found {found} (RFC 5321 §4.2.1)"
            ),
            Self::BareLineFeed => {
                write!(f, "end of line: expected CR LF, found LF alone (RFC 5321 §2.3.8)")
            }
            Self::BareCarriageReturn => {
                write!(f, "end of line: expected CR LF, found CR alone (RFC 5321 §2.3.8)")
            }
            Self::Nul => {
                write!(f, "text: expected printable characters, found NUL (RFC 5321 §4.2)")
            }
            Self::LineTooLong => {
                write!(f, "line: expected at most {MAX_LINE} octets, found more")
            }
            Self::TooManyLines => {
                write!(f, "reply: expected at most {MAX_LINES} lines, found more")
            }
            Self::ReplyTooLong => {
                write!(f, "reply: expected at most {MAX_REPLY} octets, found more")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// Reads one reply that ends with the last octet.
    fn read(octets: &[u8]) -> Result<Option<Reply>, ReplyError> {
        let mut reader = ReplyReader::new();
        let (last, before) = octets.split_last().expect("not empty");
        for octet in before {
            assert_eq!(reader.push(*octet)?, None, "{}", octets.escape_ascii());
        }
        reader.push(*last)
    }

    fn good(octets: &[u8], code: u16, lines: &[&[u8]]) {
        let reply = read(octets).unwrap_or_else(|error| panic!("{error}")).expect("complete");
        assert_eq!(reply.code().number(), code);
        assert!(reply.lines().eq(lines.iter().copied()), "{reply:?}");
        assert_eq!(read(&reply.to_octets()), Ok(Some(reply)));
    }

    fn bad(octets: &[u8], place: (usize, usize), code: &str) {
        let error = read(octets).expect_err(code);
        let Position { line, column } = error.position;
        assert_eq!((error.fault.code(), (line, column)), (code, place), "{error}");
    }

    #[test]
    fn replies() {
        good(b"220 mx.example.test ESMTP\r\n", 220, &[b"mx.example.test ESMTP"]);
        good(b"250\r\n", 250, &[b""]); // the space may be omitted
        good(b"250 \r\n", 250, &[b""]);
        good(b"250-a\r\n250-\r\n250 c\r\n", 250, &[b"a", b"", b"c"]);
        good(b"250-a\r\n250\r\n", 250, &[b"a", b""]);
        good(b"554 5.7.1 \xc3\xbc\x07\r\n", 554, &[b"5.7.1 \xc3\xbc\x07"]); // kept, shown escaped

        bad(b"\r\n", (1, 1), "reply-code");
        bad(b"22\r\n", (1, 1), "reply-code");
        bad(b"SSH-2.0-x\r\n", (1, 1), "reply-code");
        bad(b"199 a\r\n", (1, 1), "reply-code");
        bad(b"250_a\r\n", (1, 4), "reply-separator");
        bad(b"250-a\r\n251 b\r\n", (2, 1), "reply-mixed-codes");
        bad(b"250-a\r\n220 ready\r\n", (2, 1), "reply-mixed-codes");
        bad(b"250 a\n", (1, 6), "reply-bare-lf");
        bad(b"250 a\rb", (1, 7), "reply-bare-cr");
        bad(b"250 a\r\r", (1, 7), "reply-bare-cr");
        bad(b"250 \0", (1, 5), "reply-nul");
    }

    #[test]
    fn bounds() {
        let line = |octets: usize| [b"250 ", &vec_of(octets - 6)[..], b"\r\n"].concat();
        assert!(read(&line(MAX_LINE)).is_ok_and(|reply| reply.is_some()));
        let too_long = &line(MAX_LINE + 1)[..MAX_LINE];
        assert_eq!(read(too_long).unwrap_err().fault, ReplyFault::LineTooLong);

        let lines = |count: usize| [b"250-a\r\n".repeat(count - 1), b"250 a\r\n".to_vec()].concat();
        assert!(read(&lines(MAX_LINES)).is_ok_and(|reply| reply.is_some()));
        assert_eq!(read(&lines(MAX_LINES + 1)).unwrap_err().fault, ReplyFault::TooManyLines);

        let much = [b"250-", &vec_of(1018)[..], b"\r\n"].concat().repeat(MAX_REPLY / 1024);
        let error = read(&[&much[..], b"2"].concat()).unwrap_err();
        assert_eq!(error.fault, ReplyFault::ReplyTooLong);
    }

    fn vec_of(octets: usize) -> Vec<u8> {
        alloc::vec![b'a'; octets]
    }

    #[test]
    fn errors_name_place_and_clause() {
        assert_eq!(
            read(b"250-a\r\nHTTP/1.1 400\r\n").unwrap_err().to_string(),
            "line 2, column 1: code: expected 3 digits from 200 to 599, found \"HTT\" \
             (RFC 5321 §4.2)"
        );
    }
}
