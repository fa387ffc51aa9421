//! The structure of a message: which parts there are, found while the message streams by.
//!
//! A message is a header and a body. The body is a *leaf* (text, a file), or a *multipart*: parts
//! between lines that begin with `--` and a boundary which the header named, each with a header of
//! its own; or a whole message once more. A [`Walker`] keeps the containers that are open as a
//! stack, looks at each line that begins with `--` for a boundary of one of them, and hands all
//! else to the leaf that it is in.
//!
//! Two programs that read a damaged structure read two different messages. So whatever has more
//! than one likely reading is walked in one of them and reported as
//! [`Unreadable`](super::Unreadable). Tolerated without a word is what all programs read alike: a
//! closing line that is missing, text before the first part and behind the last one.

mod fields;
mod leaf;
mod parameters;
mod stack;

use memchr::{memchr, memmem};
use sender_auth::Header;

use super::decode::Encoding;
use super::kind::{Incomplete, Unreadable};
use super::search::{Place, Search};
use fields::{Body, Children, Entity, Fields, HeaderLine, HeaderReader, Role};
use leaf::Leaf;
use stack::{Container, Delimiter, Fit, Meaning, Multipart, Stack, Stage};

/// The most octets of a line that may be a delimiter: the longest boundary, and much padding
/// (RFC 2046 §5.1.1, transport-padding).
const MAX_DELIMITER: usize = 1_000;

/// How often a message may stand in an encoding, or in a file, within one that does.
const MAX_ENCODED_MESSAGES: u8 = 3;

/// Walks through the body of a message.
#[derive(Debug)]
pub(super) struct Walker {
    /// The number of the part that this message is; empty for the message itself.
    base: String,
    /// How many more messages may be attached in an encoding.
    encoded_messages: u8,
    stack: Stack,
    at: At,
    line: Line,
    /// The line so far, if it may be a delimiter.
    held: Vec<u8>,
    /// The end of the line before, which belongs to the delimiter if one follows.
    line_end: &'static [u8],
}

/// Whose line end stands before the end of a part (RFC 2046 §5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    OfPart,
    OfDelimiter,
}

/// What the next octets belong to.
#[derive(Debug)]
enum At {
    Header(HeaderReader, Children),
    Leaf(Box<Leaf>),
    /// What stands before the first part of a multipart or behind its last.
    Between,
    /// Beyond a limit: nothing more is looked at.
    Beyond,
}

/// Where in a line of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Start,
    /// Behind a CR that no LF follows. Some programs end a line there.
    AfterBareCr,
    Inside,
    /// In the rest of a delimiter that is too long.
    Delimiter,
}

impl Walker {
    /// At the beginning of the body of a message with this header.
    pub(super) fn new(header: &Header, search: &mut Search) -> Self {
        let mut walker = Self::below(String::new(), MAX_ENCODED_MESSAGES);
        walker.open(Fields::of(header).entity(Children::Text), search);
        walker
    }

    /// At the beginning of a message that is the part `base`.
    fn below(base: String, encoded_messages: u8) -> Self {
        Self {
            base,
            encoded_messages,
            stack: Stack::default(),
            at: At::Header(HeaderReader::default(), Children::Text),
            line: Line::Start,
            held: Vec::new(),
            line_end: b"",
        }
    }

    /// Takes the next piece, cut anywhere.
    pub(super) fn push(&mut self, octets: &[u8], search: &mut Search) {
        let mut rest = octets;
        while !rest.is_empty() {
            let taken = match (&mut self.at, self.line) {
                (At::Beyond, _) => return,
                (_, Line::Delimiter) => self.push_delimiter(rest),
                (At::Header(..), _) => self.push_header(rest, search),
                (_, Line::Start | Line::AfterBareCr) => self.push_line_start(rest, search),
                (_, Line::Inside) => self.push_inside(rest, search),
            };
            rest = &rest[taken..];
        }
    }

    /// The message is at its end.
    pub(super) fn finish(mut self, search: &mut Search) {
        match &mut self.at {
            // A line without line end counts as a line. A header without body has no parts, but
            // may have doubts.
            At::Header(reader, _) if !reader.line().is_empty() => self.end_header_line(search),
            _ => self.end_held_line(search),
        }
        if matches!(self.at, At::Header(..)) {
            self.end_header(search);
        }
        self.end_part(LineEnd::OfPart, search);
        self.close_from(0, search);
    }

    /// Octets of the header of a part, up to the end of a line. Returns how many.
    fn push_header(&mut self, octets: &[u8], search: &mut Search) -> usize {
        let At::Header(reader, _) = &mut self.at else {
            return octets.len();
        };
        let Some(end) = memchr(b'\n', octets) else {
            reader.add(octets);
            return octets.len();
        };
        reader.add(&octets[..=end]);
        self.end_header_line(search);
        end + 1
    }

    fn end_header_line(&mut self, search: &mut Search) {
        let At::Header(reader, _) = &mut self.at else {
            return;
        };
        // A delimiter ends a part even where it has no body (RFC 2046 §5.1.1, NO-BODY parts).
        if let Some(delimiter) = self.stack.find_delimiter(reader.line()) {
            return self.delimit(&delimiter, search);
        }
        match reader.end_line() {
            HeaderLine::Field => {}
            HeaderLine::Blank => self.end_header(search),
            HeaderLine::Body(line) => {
                self.end_header(search);
                self.push(&line, search);
            }
        }
    }

    fn end_header(&mut self, search: &mut Search) {
        if let At::Header(reader, default) = std::mem::replace(&mut self.at, At::Between) {
            self.open(reader.finish().entity(default), search);
        }
    }

    /// Octets at the start of a line of a body: is it a delimiter?
    fn push_line_start(&mut self, octets: &[u8], search: &mut Search) -> usize {
        let candidate = self.held.iter().chain(octets).take(2).all(|octet| *octet == b'-');
        if !candidate || !self.stack.has_multipart() {
            self.line = Line::Inside;
            let held = std::mem::take(&mut self.held);
            self.content(&held, search);
            return 0;
        }
        let end = memchr(b'\n', octets).map_or(octets.len(), |end| end + 1);
        let taken = end.min(MAX_DELIMITER - self.held.len());
        self.held.extend_from_slice(&octets[..taken]);
        if self.held.ends_with(b"\n") || self.held.len() == MAX_DELIMITER {
            self.end_held_line(search);
        }
        taken
    }

    fn end_held_line(&mut self, search: &mut Search) {
        let mut held = std::mem::take(&mut self.held);
        let is_whole = held.ends_with(b"\n");
        let is_proper = self.line == Line::Start;
        self.line = if is_whole { Line::Start } else { Line::Inside };
        let delimiter = self.stack.find_delimiter(&held).filter(|_| is_proper);
        if let Some(delimiter) = delimiter {
            if !is_whole {
                self.line = Line::Delimiter;
            }
            let is_cut = held.len() == MAX_DELIMITER;
            let fit = if is_cut { Fit::Doubtful } else { delimiter.fit };
            self.delimit(&Delimiter { fit, ..delimiter }, search);
        } else {
            let mut lines = held.split(|octet| *octet == b'\r');
            if let Some(delimiter) = lines.find_map(|line| self.stack.find_delimiter(line)) {
                let number = self.stack.multipart_number(&self.base, delimiter.container);
                search.doubt(Unreadable::AmbiguousDelimiter, &Place::of(number));
            }
            self.content(&held, search);
        }
        held.clear();
        self.held = held;
    }

    /// Octets inside of a line of a body, up to the next line that may be a delimiter.
    fn push_inside(&mut self, octets: &[u8], search: &mut Search) -> usize {
        let starts_line = |at: &usize| *at > 0 && matches!(octets[*at - 1], b'\r' | b'\n');
        let hyphens = memmem::find_iter(octets, b"--").find(starts_line);
        // A hyphen at the very end may be the first of two.
        let last = octets.len() - usize::from(octets.ends_with(b"-"));
        let taken = hyphens.or(Some(last).filter(starts_line)).unwrap_or(octets.len());
        self.line = match octets[taken - 1] {
            b'\n' => Line::Start,
            b'\r' => Line::AfterBareCr,
            _ => Line::Inside,
        };
        self.content(&octets[..taken], search);
        taken
    }

    fn push_delimiter(&mut self, octets: &[u8]) -> usize {
        let Some(end) = memchr(b'\n', octets) else {
            return octets.len();
        };
        self.line = Line::Start;
        end + 1
    }

    /// Octets that are no delimiter.
    fn content(&mut self, octets: &[u8], search: &mut Search) {
        match &mut self.at {
            At::Leaf(leaf) => {
                let line_end = match (self.line_end, octets) {
                    (b"\r", b"\n") | (_, [.., b'\r', b'\n']) => b"\r\n".as_slice(),
                    (_, [.., b'\r']) => b"\r",
                    (_, [.., b'\n']) => b"\n",
                    (before, []) => before,
                    _ => b"",
                };
                if (self.line_end, octets) != (b"\r", b"\n") && !octets.is_empty() {
                    leaf.push(self.line_end, search);
                    leaf.push(&octets[..octets.len() - line_end.len()], search);
                }
                self.line_end = line_end;
            }
            At::Between => {
                if let Some(Container::Multipart(multipart)) = self.stack.0.last_mut()
                    && multipart.stage == Stage::Blank
                    && !octets.trim_ascii().is_empty()
                {
                    multipart.stage = Stage::Preamble;
                }
            }
            At::Header(..) | At::Beyond => {}
        }
    }

    /// A header is complete, and the body begins.
    fn open(&mut self, entity: Entity, search: &mut Search) {
        let Entity { body, encoding, role, declared_type, declared_name, doubts } = entity;
        let part = match body {
            Body::Multipart { .. } => self.stack.multipart_number(&self.base, self.stack.0.len()),
            Body::Message | Body::Leaf => self.stack.part_number(&self.base),
        };
        let place = Place { part, declared_name, declared_type };
        for doubt in doubts {
            search.doubt(doubt, &place);
        }
        self.line = Line::Start;
        let body = if body != Body::Leaf && self.stack.0.len() >= search.limits.depth {
            search.stop(Incomplete::Depth);
            Body::Leaf
        } else {
            body
        };
        self.at = match (body, encoding) {
            (Body::Leaf, _) => {
                let within = self.within(&place);
                At::Leaf(Leaf::new(encoding, role, place, within))
            }
            (Body::Multipart { boundary, children }, _) => {
                if self.stack.has_boundary(&boundary) {
                    search.doubt(Unreadable::AmbiguousDelimiter, &place);
                }
                let multipart = Multipart { boundary, children, parts: 0, stage: Stage::Blank };
                self.stack.0.push(Container::Multipart(multipart));
                At::Between
            }
            (Body::Message, Encoding::Identity) => {
                self.stack.0.push(Container::Message);
                new_part(Children::Text, search)
            }
            (Body::Message, _) => self.open_encoded_message(encoding, place, search),
        };
    }

    /// RFC 2046 §5.2.1 allows no encoding of an attached message. Gateways use base64 all the
    /// same, and mail programs show the message; with others it is anyone's guess.
    fn open_encoded_message(&self, encoding: Encoding, place: Place, search: &mut Search) -> At {
        if encoding != Encoding::Base64 {
            search.doubt(Unreadable::EncodedMessage, &place);
        }
        let Some(walker) = self.within(&place) else {
            search.stop(Incomplete::Depth);
            return At::Leaf(Leaf::new(encoding, Role::Attachment, place, None));
        };
        if encoding == Encoding::Uuencode || !search.take_part() {
            return At::Leaf(Leaf::new(encoding, Role::Attachment, place, None));
        }
        At::Leaf(Leaf::message(encoding, place, walker))
    }

    /// A walker for the message in a part, if it may have one.
    fn within(&self, place: &Place) -> Option<Self> {
        let encoded_messages = self.encoded_messages.checked_sub(1)?;
        Some(Self::below(place.part.clone(), encoded_messages))
    }

    /// A delimiter ends all that is open inside of its multipart, closed or not.
    fn delimit(&mut self, delimiter: &Delimiter, search: &mut Search) {
        self.end_part(LineEnd::OfDelimiter, search);
        self.close_from(delimiter.container + 1, search);
        let number = self.stack.multipart_number(&self.base, delimiter.container);
        let place = Place::of(number);
        let Some(Container::Multipart(multipart)) = self.stack.0.last_mut() else {
            return;
        };
        if delimiter.fit == Fit::Doubtful {
            search.doubt(Unreadable::AmbiguousDelimiter, &place);
        }
        if delimiter.meaning == Meaning::Close {
            multipart.stage = Stage::Closed;
            return;
        }
        // RFC 2046 §5.1.1: what follows the closing delimiter is to be ignored. Some go on.
        if multipart.stage == Stage::Closed {
            search.doubt(Unreadable::PartAfterClose, &place);
        }
        multipart.stage = Stage::Parts;
        multipart.parts = multipart.parts.saturating_add(1);
        self.at = new_part(multipart.children, search);
    }

    /// The part is at its end.
    fn end_part(&mut self, line_end: LineEnd, search: &mut Search) {
        let octets = std::mem::take(&mut self.line_end);
        if let At::Leaf(mut leaf) = std::mem::replace(&mut self.at, At::Between) {
            if line_end == LineEnd::OfPart {
                leaf.push(octets, search);
            }
            leaf.finish(search);
        }
    }

    /// Forgets the containers from this one on.
    fn close_from(&mut self, container: usize, search: &mut Search) {
        while self.stack.0.len() > container {
            let closed = self.stack.0.pop();
            if let Some(Container::Multipart(Multipart { stage: Stage::Preamble, .. })) = closed {
                let number = self.stack.multipart_number(&self.base, self.stack.0.len());
                search.doubt(Unreadable::NoDelimiter, &Place::of(number));
            }
        }
    }
}

/// Where to go for the header of a further part.
fn new_part(default: Children, search: &mut Search) -> At {
    if search.take_part() { At::Header(HeaderReader::default(), default) } else { At::Beyond }
}
