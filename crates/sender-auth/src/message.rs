//! Cutting a message that comes piece by piece into its header and its body.
//!
//! A message in a file ends its lines with LF, one from the network with CRLF, and one that was
//! made to deceive with both. Canonicalization knows only CRLF (RFC 6376 §5.3), so a line ends
//! here at every LF, with or without CR before it, and only there: what a mail server that
//! normalizes line ends hands on is what is read. A bare CR ends nothing.

use alloc::vec::Vec;
use core::fmt;

use memchr::memchr;

use crate::header::{Header, HeaderField, add_with_crlf, check};

/// Reads a message piece by piece. Memory is bounded by the header; the body passes through.
#[derive(Debug)]
pub struct MessageReader {
    limits: HeaderLimits,
    state: State,
    /// The last octet was a CR that nobody has seen yet.
    held_cr: bool,
}

/// How much header is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLimits {
    /// How many octets the header may have. The default is 1 MiB.
    pub octets: usize,
    /// How many fields it may have. The default is 2,000.
    pub fields: usize,
}

impl Default for HeaderLimits {
    fn default() -> Self {
        Self { octets: 1024 * 1024, fields: 2_000 }
    }
}

#[derive(Debug)]
enum State {
    Header(HeaderState),
    Body,
}

#[derive(Debug, Default)]
struct HeaderState {
    header: Header,
    octets: usize,
    /// The field that further lines may belong to, without the line end behind it.
    field: Vec<u8>,
    /// The line that is not at its end.
    line: Vec<u8>,
}

/// What a piece of a message brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The header is complete. It comes once, before all of the body.
    Header(Header),
    /// Octets of the body, every line ended by CRLF.
    Body(Vec<u8>),
}

/// A header that is complete.
struct Ended {
    header: Header,
    /// The line that has ended it, if it belongs to the body.
    start_of_body: Option<Vec<u8>>,
}

impl Ended {
    fn into_parts(self) -> impl Iterator<Item = Part> {
        [Part::Header(self.header)].into_iter().chain(self.start_of_body.map(Part::Body))
    }
}

impl MessageReader {
    /// A reader at the beginning of a message.
    #[must_use]
    pub fn new(limits: HeaderLimits) -> Self {
        Self { limits, state: State::Header(HeaderState::default()), held_cr: false }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`MessageError`] if the header goes beyond the limits. The reader is of no use then.
    pub fn push(&mut self, octets: &[u8]) -> Result<Vec<Part>, MessageError> {
        let mut parts = Vec::new();
        let mut rest = octets;
        while let State::Header(state) = &mut self.state {
            let Some((line, behind)) =
                memchr(b'\n', rest).and_then(|end| rest.split_at_checked(end))
            else {
                state.add_to_line(rest, self.limits)?;
                return Ok(parts);
            };
            rest = behind.get(1..).unwrap_or_default();
            if let Some(ended) = state.end_line(line, self.limits)? {
                parts.extend(ended.into_parts());
                self.state = State::Body;
            }
        }
        let body = self.with_crlf(rest);
        if !body.is_empty() {
            parts.push(Part::Body(body));
        }
        Ok(parts)
    }

    /// The message is at its end.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(mut self) -> Result<Vec<Part>, MessageError> {
        let mut parts = Vec::new();
        match &mut self.state {
            State::Header(state) => {
                let unended = !state.line.is_empty();
                let ended = if unended { state.end_line(b"", self.limits)? } else { None };
                let ended = match ended {
                    Some(ended) => ended,
                    None => state.take_header(self.limits)?,
                };
                parts.extend(ended.into_parts());
            }
            State::Body if self.held_cr => parts.push(Part::Body(b"\r".to_vec())),
            State::Body => {}
        }
        Ok(parts)
    }

    /// Octets of the body with a CR before every LF.
    fn with_crlf(&mut self, octets: &[u8]) -> Vec<u8> {
        // Room for lines that are not very short, if all of them end in LF alone.
        let mut body = Vec::with_capacity(octets.len() + octets.len() / 32 + 2);
        if !octets.is_empty() && core::mem::take(&mut self.held_cr) {
            body.push(b'\r');
        }
        if may_have_bare_line_end(octets) {
            add_with_crlf(octets, &mut body);
        } else {
            body.extend_from_slice(octets);
        }
        self.held_cr |= body.pop_if(|last| *last == b'\r').is_some();
        body
    }
}

/// Whether an LF without a CR before it may be there. In most messages that come over the network
/// there is none, so all octets are looked at without a way out: the compiler can take many at once.
fn may_have_bare_line_end(octets: &[u8]) -> bool {
    let is_bare = |(before, octet): (&u8, &u8)| (*octet == b'\n') & (*before != b'\r');
    let pairs = octets.iter().zip(octets.iter().skip(1));
    octets.starts_with(b"\n") || pairs.fold(false, |any, pair| any | is_bare(pair))
}

impl HeaderState {
    /// A part of a line whose end has not come.
    fn add_to_line(&mut self, octets: &[u8], limits: HeaderLimits) -> Result<(), MessageError> {
        self.count(octets, limits)?;
        self.line.extend_from_slice(octets);
        Ok(())
    }

    fn count(&mut self, octets: &[u8], limits: HeaderLimits) -> Result<(), MessageError> {
        self.octets = self.octets.saturating_add(octets.len());
        if self.octets > limits.octets {
            return Err(MessageError::HeaderTooLong { limit: limits.octets });
        }
        Ok(())
    }

    /// A line is complete with these octets. Returns the header when it is.
    fn end_line(
        &mut self,
        octets: &[u8],
        limits: HeaderLimits,
    ) -> Result<Option<Ended>, MessageError> {
        if self.line.is_empty() {
            self.count(octets, limits)?;
            return self.take_line(octets, limits);
        }
        self.add_to_line(octets, limits)?;
        let line = core::mem::take(&mut self.line);
        self.take_line(&line, limits)
    }

    /// A line that is neither a field nor a continuation ends the header, as in Postfix.
    fn take_line(
        &mut self,
        line: &[u8],
        limits: HeaderLimits,
    ) -> Result<Option<Ended>, MessageError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return self.take_header(limits).map(Some);
        }
        let continues = line.starts_with(b" ") || line.starts_with(b"\t");
        if continues && !self.field.is_empty() {
            self.field.extend_from_slice(b"\r\n");
            self.field.extend_from_slice(line);
            return Ok(None);
        }
        // The separator of mailbox files is not part of the message.
        let at_start = self.field.is_empty() && self.header.fields().is_empty();
        if at_start && line.starts_with(b"From ") {
            return Ok(None);
        }
        if check(line).is_err() {
            let start_of_body = Some([line, b"\r\n"].concat());
            return Ok(Some(Ended { start_of_body, ..self.take_header(limits)? }));
        }
        self.end_field(limits)?;
        self.field.extend_from_slice(line);
        Ok(None)
    }

    fn end_field(&mut self, limits: HeaderLimits) -> Result<(), MessageError> {
        let field = HeaderField::parse(&self.field);
        self.field.clear();
        if let Ok(field) = field {
            if self.header.fields().len() == limits.fields {
                return Err(MessageError::TooManyFields { limit: limits.fields });
            }
            self.header.push(field);
        }
        Ok(())
    }

    fn take_header(&mut self, limits: HeaderLimits) -> Result<Ended, MessageError> {
        self.end_field(limits)?;
        Ok(Ended { header: core::mem::take(&mut self.header), start_of_body: None })
    }
}

/// Why a message is not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// The header has too many octets.
    HeaderTooLong {
        /// How many there may be.
        limit: usize,
    },
    /// The header has too many fields.
    TooManyFields {
        /// How many there may be.
        limit: usize,
    },
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderTooLong { limit } => {
                write!(f, "header: expected at most {limit} octets, found more")
            }
            Self::TooManyFields { limit } => {
                write!(f, "header: expected at most {limit} fields, found more")
            }
        }
    }
}

impl core::error::Error for MessageError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};
    use proptest::prelude::*;

    fn read(message: &[u8], piece: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut reader = MessageReader::new(HeaderLimits::default());
        let mut parts = Vec::new();
        for piece in message.chunks(piece) {
            parts.extend(reader.push(piece).unwrap());
        }
        parts.extend(reader.finish().unwrap());
        let (mut fields, mut body, mut headers) = (Vec::new(), Vec::new(), 0);
        for part in parts {
            match part {
                Part::Header(header) => {
                    headers += 1;
                    fields = header.fields().iter().map(|field| field.octets().to_vec()).collect();
                }
                Part::Body(octets) => body.extend(octets),
            }
        }
        assert_eq!(headers, 1);
        (fields, body)
    }

    fn good(message: &[u8], fields: &[&[u8]], body: &[u8]) {
        for piece in [1, 2, 3, 7, message.len().max(1)] {
            let (read_fields, read_body) = read(message, piece);
            assert_eq!(read_fields, fields, "{} by {piece}", message.escape_ascii());
            assert_eq!(
                read_body.escape_ascii().to_string(),
                body.escape_ascii().to_string(),
                "by {piece}"
            );
        }
    }

    #[test]
    fn messages() {
        good(b"A: 1\r\nB: 2\r\n 3\r\n\r\nx\r\ny", &[b"A: 1", b"B: 2\r\n 3"], b"x\r\ny");
        good(b"A: 1\nB: 2\n\t3\n\nx\ny\n", &[b"A: 1", b"B: 2\r\n\t3"], b"x\r\ny\r\n");
        good(b"A: 1\n\n", &[b"A: 1"], b"");
        good(b"A: 1\n", &[b"A: 1"], b"");
        good(b"A: 1", &[b"A: 1"], b"");
        good(b"", &[], b"");
        good(b"\n", &[], b"");
        good(b"\nx", &[], b"x");
        good(b"\r\n\r\nx\r", &[], b"\r\nx\r");
        good(b"A: 1\n\na\rb\r\r\nc\n\rd", &[b"A: 1"], b"a\rb\r\r\nc\r\n\rd");
    }

    #[test]
    fn what_is_no_field_ends_the_header() {
        good(b"A: 1\nno field\nB: 2\n", &[b"A: 1"], b"no field\r\nB: 2\r\n");
        good(b" A: 1\n\nx", &[], b" A: 1\r\n\r\nx");
        good(b"From a@b.test Sat\nA: 1\n\nx", &[b"A: 1"], b"x");
        good(b"A: 1\nFrom a@b.test Sat\n\nx", &[b"A: 1"], b"From a@b.test Sat\r\n\r\nx");
        good(b"A: 1\n \n\nx", &[b"A: 1\r\n "], b"x");
    }

    proptest! {
        #[test]
        fn a_cr_stands_before_every_lf(octets in "[a\r\n]{0,40}", piece in 1_usize..9) {
            let expected = octets.replace("\r\n", "\n").replace('\n', "\r\n");
            let message = format!("A: 1\n\n{octets}");
            let body = read(message.as_bytes(), piece).1;
            prop_assert_eq!(String::from_utf8(body).unwrap(), expected);
        }
    }

    #[test]
    fn limits() {
        let mut reader = MessageReader::new(HeaderLimits { octets: 10, fields: 2 });
        assert_eq!(reader.push(b"A: 123456789"), Err(MessageError::HeaderTooLong { limit: 10 }));
        let mut reader = MessageReader::new(HeaderLimits { octets: 100, fields: 2 });
        let error = Err(MessageError::TooManyFields { limit: 2 });
        assert_eq!(reader.push(b"A:\nB:\nC:\n\n"), error);
    }
}
