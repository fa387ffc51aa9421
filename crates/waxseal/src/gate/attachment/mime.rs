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
mod parameters;

use memchr::{memchr, memmem};
use sender_auth::Header;

use super::decode::{Decoder, Encoding};
use super::kind::{Incomplete, Kind, Unreadable};
use super::search::{Place, Search};
use super::sniff::{Sniffer, Source};
use fields::{Body, Children, Entity, Fields, HeaderLine, HeaderReader, Role};

/// The most octets of a line that may be a delimiter: the longest boundary, and much padding
/// (RFC 2046 §5.1.1, transport-padding).
const MAX_DELIMITER: usize = 1_000;

/// How often a message may be attached in base64 within one that was.
const MAX_ENCODED_MESSAGES: u8 = 3;

/// Walks through the body of a message.
#[derive(Debug)]
pub(super) struct Walker {
    /// The number of the part that this message is; empty for the message itself.
    base: String,
    /// How many more messages may be attached in an encoding.
    encoded_messages: u8,
    /// The containers that are open, the outermost first.
    stack: Vec<Container>,
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

#[derive(Debug)]
enum Container {
    Multipart(Multipart),
    Message,
}

#[derive(Debug)]
struct Multipart {
    boundary: Box<[u8]>,
    children: Children,
    /// How many parts have begun.
    parts: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No delimiter yet, and only white space.
    Blank,
    /// No delimiter yet, but text.
    Preamble,
    Parts,
    Closed,
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
    Inside,
    /// In the rest of a delimiter that is too long.
    Delimiter,
}

/// A part without parts.
#[derive(Debug)]
struct Leaf {
    decoder: Decoder,
    sink: Sink,
    place: Place,
    source: Source,
}

#[derive(Debug)]
enum Sink {
    Sniffer(Sniffer),
    /// An attached message that is encoded: its lines are seen when it is decoded.
    Message(Box<Walker>),
}

/// What a line says that begins with `--` and a boundary.
struct Delimiter {
    /// The index of the container.
    container: usize,
    /// RFC 2046 §5.1.1: with `--` behind the boundary, no further parts follow.
    closes: bool,
    /// Something else stands behind the boundary.
    is_doubtful: bool,
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
            stack: Vec::new(),
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
                (At::Header(..), _) => self.push_header(rest, search),
                (_, Line::Start) => self.push_line_start(rest, search),
                (_, Line::Inside) => self.push_inside(rest, search),
                (_, Line::Delimiter) => self.push_delimiter(rest),
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
        self.close_above(0, search);
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
        if let Some(delimiter) = find_delimiter(&self.stack, reader.line()) {
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
        if !candidate || !self.stack.iter().any(|one| matches!(one, Container::Multipart(_))) {
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
        if let Some(mut delimiter) = find_delimiter(&self.stack, &held) {
            self.line = if is_whole { Line::Start } else { Line::Delimiter };
            delimiter.is_doubtful |= held.len() == MAX_DELIMITER;
            self.delimit(&delimiter, search);
        } else {
            self.line = if is_whole { Line::Start } else { Line::Inside };
            self.content(&held, search);
        }
        held.clear();
        self.held = held;
    }

    /// Octets inside of a line of a body, up to the next line that may be a delimiter.
    fn push_inside(&mut self, octets: &[u8], search: &mut Search) -> usize {
        let taken = match memmem::find(octets, b"\n--") {
            Some(end) => {
                self.line = Line::Start;
                end + 1
            }
            None if octets.ends_with(b"\n") => {
                self.line = Line::Start;
                octets.len()
            }
            None if octets.ends_with(b"\n-") => {
                self.line = Line::Start;
                octets.len() - 1
            }
            None => octets.len(),
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
                if let Some(Container::Multipart(multipart)) = self.stack.last_mut()
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
            Body::Multipart { .. } => self.multipart_number(self.stack.len()),
            Body::Message | Body::Leaf => self.part_number(),
        };
        let place = Place { part, declared_name, declared_type };
        for doubt in doubts {
            search.see(Kind::Unreadable(doubt), &place);
        }
        self.line = Line::Start;
        let is_leaf = body == Body::Leaf;
        if !is_leaf && self.stack.len() == search.limits.depth {
            search.stop(Incomplete::Depth);
            self.at = At::Leaf(Leaf::new(encoding, role, place));
            return;
        }
        self.at = match (body, encoding) {
            (Body::Leaf, _) => At::Leaf(Leaf::new(encoding, role, place)),
            (Body::Multipart { boundary, children }, _) => {
                if self.stack.iter().any(|one| one.boundary() == Some(&boundary)) {
                    search.see(Kind::Unreadable(Unreadable::AmbiguousDelimiter), &place);
                }
                let multipart = Multipart { boundary, children, parts: 0, stage: Stage::Blank };
                self.stack.push(Container::Multipart(multipart));
                At::Between
            }
            (Body::Message, Encoding::Identity) => {
                self.stack.push(Container::Message);
                self.new_part(Children::Text, search)
            }
            (Body::Message, _) => self.open_encoded_message(encoding, place, search),
        };
    }

    /// RFC 2046 §5.2.1 allows no encoding of an attached message. Gateways use base64 all the
    /// same, and mail programs show the message; with others it is anyone's guess.
    fn open_encoded_message(&self, encoding: Encoding, place: Place, search: &mut Search) -> At {
        if encoding != Encoding::Base64 {
            search.see(Kind::Unreadable(Unreadable::EncodedMessage), &place);
        }
        if encoding == Encoding::Uuencode || !search.take_part() {
            return At::Leaf(Leaf::new(encoding, Role::Attachment, place));
        }
        let Some(encoded_messages) = self.encoded_messages.checked_sub(1) else {
            search.stop(Incomplete::Depth);
            return At::Leaf(Leaf::new(encoding, Role::Attachment, place));
        };
        let walker = Walker::below(place.part.clone(), encoded_messages);
        let sink = Sink::Message(Box::new(walker));
        let source = Source::Attachment;
        At::Leaf(Box::new(Leaf { decoder: Decoder::new(encoding), sink, place, source }))
    }

    /// Where to go for the header of a further part.
    fn new_part(&self, default: Children, search: &mut Search) -> At {
        match search.take_part() {
            true => At::Header(HeaderReader::default(), default),
            false => At::Beyond,
        }
    }

    /// A delimiter ends all that is open inside of its multipart, closed or not.
    fn delimit(&mut self, delimiter: &Delimiter, search: &mut Search) {
        self.end_part(LineEnd::OfDelimiter, search);
        self.close_above(delimiter.container + 1, search);
        let place = Place::of(self.multipart_number(delimiter.container));
        let Some(Container::Multipart(multipart)) = self.stack.last_mut() else {
            return;
        };
        if delimiter.is_doubtful {
            search.see(Kind::Unreadable(Unreadable::AmbiguousDelimiter), &place);
        }
        if delimiter.closes {
            multipart.stage = Stage::Closed;
            return;
        }
        // RFC 2046 §5.1.1: what follows the closing delimiter is to be ignored. Some go on.
        if multipart.stage == Stage::Closed {
            search.see(Kind::Unreadable(Unreadable::PartAfterClose), &place);
        }
        multipart.stage = Stage::Parts;
        multipart.parts = multipart.parts.saturating_add(1);
        let children = multipart.children;
        self.at = self.new_part(children, search);
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
    fn close_above(&mut self, container: usize, search: &mut Search) {
        while self.stack.len() > container {
            let closed = self.stack.pop();
            if let Some(Container::Multipart(Multipart { stage: Stage::Preamble, .. })) = closed {
                let place = Place::of(self.multipart_number(self.stack.len()));
                search.see(Kind::Unreadable(Unreadable::NoDelimiter), &place);
            }
        }
    }

    /// The number of a multipart in the first `depth` containers. RFC 9051 §6.4.5 numbers parts
    /// so: a part of a multipart has the number of the multipart, a period, and a count from 1;
    /// the multipart that is the body of a message has the number of the message.
    fn multipart_number(&self, depth: usize) -> String {
        let mut number = self.base.clone();
        for (index, container) in self.stack[..depth].iter().enumerate() {
            match container {
                Container::Multipart(multipart) => append(&mut number, multipart.parts),
                Container::Message if self.is_body_of_message(index) => append(&mut number, 1),
                Container::Message => {}
            }
        }
        number
    }

    /// The number of any other part. The body of a message that is no multipart has count 1.
    fn part_number(&self) -> String {
        let depth = self.stack.len();
        let mut number = self.multipart_number(depth);
        if self.is_body_of_message(depth) {
            append(&mut number, 1);
        }
        number
    }

    /// Whether what stands in the first `depth` containers is not a part of a multipart.
    fn is_body_of_message(&self, depth: usize) -> bool {
        depth.checked_sub(1).is_none_or(|last| matches!(self.stack[last], Container::Message))
    }
}

fn append(number: &mut String, count: u32) {
    if !number.is_empty() {
        number.push('.');
    }
    *number += &count.to_string();
}

impl Container {
    fn boundary(&self) -> Option<&[u8]> {
        match self {
            Self::Multipart(multipart) => Some(&multipart.boundary),
            Self::Message => None,
        }
    }
}

/// Which multipart a line delimits, if it does. RFC 2046 §5.1.1: the boundary "must be compared
/// with the beginning of each candidate line"; so do some, and others want nothing but white space
/// behind it. A line that fits exactly is no doubt even where the boundary of another multipart is
/// the beginning of this one.
fn find_delimiter(stack: &[Container], line: &[u8]) -> Option<Delimiter> {
    let text = line.strip_prefix(b"--")?.trim_ascii_end();
    let innermost =
        |boundary: &[u8]| stack.iter().rposition(|one| one.boundary() == Some(boundary));
    let opens = innermost(text);
    let closes = text.strip_suffix(b"--").and_then(innermost);
    match (opens, closes) {
        (Some(container), None) => {
            return Some(Delimiter { container, closes: false, is_doubtful: false });
        }
        (None, Some(container)) => {
            return Some(Delimiter { container, closes: true, is_doubtful: false });
        }
        (Some(container), Some(_)) => {
            return Some(Delimiter { container, closes: false, is_doubtful: true });
        }
        (None, None) => {}
    }
    let boundaries = stack.iter().map(|one| one.boundary().unwrap_or_default()).enumerate();
    let begun =
        boundaries.filter(|(_, boundary)| !boundary.is_empty() && text.starts_with(boundary));
    let (container, boundary) = begun.max_by_key(|(_, boundary)| boundary.len())?;
    let closes = text[boundary.len()..].starts_with(b"--");
    Some(Delimiter { container, closes, is_doubtful: true })
}

impl Leaf {
    fn new(encoding: Encoding, role: Role, place: Place) -> Box<Self> {
        let source = match (encoding, role) {
            (Encoding::Uuencode, _) => Source::Uuencode,
            (_, Role::Text) => Source::Text,
            (_, Role::Attachment) => Source::Attachment,
        };
        let sink = Sink::Sniffer(Sniffer::new(source));
        Box::new(Self { decoder: Decoder::new(encoding), sink, place, source })
    }

    fn push(&mut self, octets: &[u8], search: &mut Search) {
        let sink = &mut self.sink;
        self.decoder.push(octets, &mut |decoded| sink.push(decoded, search));
    }

    fn finish(mut self: Box<Self>, search: &mut Search) {
        let sink = &mut self.sink;
        self.decoder.finish(&mut |decoded| sink.push(decoded, search));
        // Lists append their footer to texts without asking how these are encoded; with files,
        // nothing explains it.
        if self.decoder.went_on_after_padding() && self.source == Source::Attachment {
            search.see(Kind::Unreadable(Unreadable::Base64), &self.place);
        }
        match self.sink {
            Sink::Sniffer(sniffer) => {
                for sighting in sniffer.finish(search) {
                    search.add(sighting, &self.place);
                }
            }
            Sink::Message(walker) => walker.finish(search),
        }
    }
}

impl Sink {
    fn push(&mut self, decoded: &[u8], search: &mut Search) {
        match self {
            Self::Sniffer(sniffer) => sniffer.push(decoded, search),
            Self::Message(walker) => walker.push(decoded, search),
        }
    }
}
