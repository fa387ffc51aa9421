//! What the header of a message or of a part says about its body (RFC 2045, 2183).

use memchr::memchr_iter;
use sender_auth::Header;

use super::super::decode::Encoding;
use super::super::kind::Unreadable;
use super::super::words;
use super::parameters::{ParameterValue, Reading, Structured};

/// The most octets that a field may have which says something about the body. Others may be as
/// long as they like.
const MAX_FIELD: usize = 16 * 1024;

/// The most octets in a boundary. RFC 2046 §5.1.1 allows 70, and mail programs more.
const MAX_BOUNDARY: usize = 250;

/// The fields that matter, each the first of its name.
#[derive(Debug, Default)]
pub(super) struct Fields {
    content_type: Option<Vec<u8>>,
    transfer_encoding: Option<Vec<u8>>,
    disposition: Option<Vec<u8>>,
    doubts: Vec<Unreadable>,
}

/// What a part is, before its body has been seen.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) body: Body,
    pub(super) encoding: Encoding,
    pub(super) role: Role,
    /// The type as declared, fit for people.
    pub(super) declared_type: Option<String>,
    /// The name as declared, fit for people.
    pub(super) declared_name: Option<String>,
    /// Why others may read the header differently.
    pub(super) doubts: Vec<Unreadable>,
}

/// How the body is built.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    Multipart { boundary: Box<[u8]>, children: Children },
    Message,
    Leaf,
}

/// What the parts of a multipart are if they do not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Children {
    Text,
    /// RFC 2046 §5.1.5: in a digest "message/rfc822".
    Messages,
}

/// How a mail program shows a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// As text of the message.
    Text,
    /// As something to open or to save.
    Attachment,
}

impl Fields {
    pub(super) fn of(header: &Header) -> Self {
        let mut fields = Self::default();
        for field in header.fields() {
            if has_hidden_line(field.octets()) {
                fields.add_doubt(Unreadable::HeaderLine);
            }
            fields.add(field.name(), field.value());
        }
        fields
    }

    /// Takes the next field. Two of a name that do not say the same are a doubt: RFC 5322 allows
    /// one, and mail programs take the first or the last.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let place = if is("Content-Type") {
            &mut self.content_type
        } else if is("Content-Transfer-Encoding") {
            &mut self.transfer_encoding
        } else if is("Content-Disposition") {
            &mut self.disposition
        } else {
            return;
        };
        let whole = value.trim_ascii();
        let value = &whole[..whole.len().min(MAX_FIELD)];
        let differs = place.as_ref().is_some_and(|first| first != value);
        place.get_or_insert_with(|| value.to_vec());
        if value.len() < whole.len() {
            self.add_doubt(Unreadable::HeaderTooLong);
        }
        if differs {
            self.add_doubt(Unreadable::RepeatedField);
        }
    }

    fn add_doubt(&mut self, doubt: Unreadable) {
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    /// All fields are known: what do they say?
    pub(super) fn entity(self, default: Children) -> Entity {
        let mut doubts = self.doubts;
        let content_type = self.content_type.as_deref().map(Structured::parse);
        let disposition = self.disposition.as_deref().map(Structured::parse).unwrap_or_default();
        let encoding = encoding(self.transfer_encoding.as_deref(), &mut doubts);
        let Some(content_type) = content_type else {
            let body = match default {
                Children::Text => Body::Leaf,
                Children::Messages => Body::Message,
            };
            let declared_name = file_name(&disposition, &Structured::default());
            let role = role(b"", &disposition, declared_name.as_deref());
            doubts.dedup();
            return Entity { body, encoding, role, declared_type: None, declared_name, doubts };
        };
        let declared_name = file_name(&disposition, &content_type);
        let body = body(&content_type, &mut doubts);
        doubts.dedup();
        Entity {
            body,
            encoding,
            role: role(&content_type.value, &disposition, declared_name.as_deref()),
            declared_type: words::printable(&String::from_utf8_lossy(&content_type.value)),
            declared_name,
            doubts,
        }
    }
}

/// RFC 2045 §6.1. Without the field it is 7bit; an unknown encoding is told, and taken for none.
fn encoding(field: Option<&[u8]>, doubts: &mut Vec<Unreadable>) -> Encoding {
    let mechanism = field.map(|field| Structured::parse(field).value).unwrap_or_default();
    if mechanism.is_empty() {
        return Encoding::Identity;
    }
    Encoding::parse(&mechanism).unwrap_or_else(|| {
        doubts.push(Unreadable::Encoding);
        Encoding::Identity
    })
}

fn body(content_type: &Structured, doubts: &mut Vec<Unreadable>) -> Body {
    let value = &content_type.value;
    if value.starts_with(b"multipart") {
        return multipart(content_type, doubts);
    }
    match value.as_slice() {
        b"message/rfc822" | b"message/global" | b"message/news" => Body::Message,
        // RFC 2046 §5.2.2: the whole is put together by the mail program of the recipient.
        b"message/partial" => {
            doubts.push(Unreadable::PartialMessage);
            Body::Leaf
        }
        _ => Body::Leaf,
    }
}

/// RFC 2046 §5.1.1: a multipart requires one parameter, the boundary.
fn multipart(content_type: &Structured, doubts: &mut Vec<Unreadable>) -> Body {
    let ParameterValue { octets, reading, .. } = match content_type.parameter("boundary") {
        Some(boundary) if !boundary.octets.trim_ascii_end().is_empty() => boundary,
        Some(_) | None => {
            doubts.push(Unreadable::NoBoundary);
            return Body::Leaf;
        }
    };
    // A boundary does not end in a space.
    let boundary = octets.trim_ascii_end();
    if boundary.len() > MAX_BOUNDARY {
        doubts.push(Unreadable::BoundaryTooLong);
        return Body::Leaf;
    }
    if reading == Reading::Doubtful || !content_type.value.starts_with(b"multipart/") {
        doubts.push(Unreadable::Parameters);
    }
    let is_digest = content_type.value == b"multipart/digest";
    let children = if is_digest { Children::Messages } else { Children::Text };
    Body::Multipart { boundary: boundary.into(), children }
}

/// The name that a mail program shows: RFC 2183 §2.3, else the parameter of old.
fn file_name(disposition: &Structured, content_type: &Structured) -> Option<String> {
    let name = disposition.parameter("filename").or_else(|| content_type.parameter("name"))?;
    words::name(&name.octets, &name.charset)
}

fn role(content_type: &[u8], disposition: &Structured, name: Option<&str>) -> Role {
    let is_text = content_type.is_empty() || content_type.starts_with(b"text");
    if is_text && name.is_none() && disposition.value != b"attachment" {
        Role::Text
    } else {
        Role::Attachment
    }
}

/// Reads the header of a part line by line. Memory is bounded by [`MAX_FIELD`].
#[derive(Debug, Default)]
pub(super) struct HeaderReader {
    /// The line that is not at its end.
    line: Vec<u8>,
    /// The field that further lines may belong to.
    field: Vec<u8>,
    fields: Fields,
    seen_field: bool,
}

/// What a line of a header is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderLine {
    /// A field, or a part of one, or to be passed over.
    Field,
    /// The header ends.
    Blank,
    /// It belongs to the body: the part has no header, and no empty line before its body.
    Body(Vec<u8>),
}

/// One line, or one field with its folds, is kept up to here: so much longer than it may be that
/// it is seen to be too long.
const KEPT: usize = MAX_FIELD + 100;

impl HeaderReader {
    /// Adds octets to the line.
    pub(super) fn add(&mut self, octets: &[u8]) {
        let room = KEPT.saturating_sub(self.line.len());
        self.line.extend_from_slice(&octets[..room.min(octets.len())]);
    }

    /// The line so far.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// The line is at its end.
    pub(super) fn end_line(&mut self) -> HeaderLine {
        let mut line = std::mem::take(&mut self.line);
        let text = without_line_end(&line);
        if text.is_empty() {
            return HeaderLine::Blank;
        }
        if has_hidden_line(text) {
            self.fields.add_doubt(Unreadable::HeaderLine);
        }
        if text.starts_with(b" ") || text.starts_with(b"\t") {
            // A line of spaces is a fold (RFC 5322 §2.2.3), or ends the header, as some read it.
            if text.trim_ascii().is_empty() {
                self.fields.add_doubt(Unreadable::HeaderLine);
            }
            let room = KEPT.saturating_sub(self.field.len());
            let fold = [b"\r\n", text].concat();
            self.field.extend_from_slice(&fold[..room.min(fold.len())]);
        } else if has_name(text) {
            self.end_field();
            self.seen_field = true;
            self.field.extend_from_slice(text);
        } else if !text.starts_with(b"From ") && !text.starts_with(b">From ") {
            // Not the separator of mailbox files either, which stands before attached messages.
            self.fields.add_doubt(Unreadable::HeaderLine);
            if !self.seen_field {
                return HeaderLine::Body(line);
            }
        }
        line.clear();
        self.line = line;
        HeaderLine::Field
    }

    /// The header is at its end.
    pub(super) fn finish(mut self) -> Fields {
        self.end_field();
        self.fields
    }

    fn end_field(&mut self) {
        let mut parts = self.field.splitn(2, |octet| *octet == b':');
        if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            self.fields.add(name.trim_ascii_end(), value);
        }
        self.field.clear();
    }
}

/// Whether a bare CR is followed by something that matters to a program which ends lines there: an
/// empty line, or a field that says something about the body.
fn has_hidden_line(octets: &[u8]) -> bool {
    memchr_iter(b'\r', octets).any(|at| {
        let rest = &octets[at + 1..];
        let first = rest.get(..8).unwrap_or_default();
        rest.starts_with(b"\r") || first.eq_ignore_ascii_case(b"content-")
    })
}

/// The line without LF or CRLF behind it.
fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a line begins with a name and a colon (RFC 5322 §2.2, with the white space of §4.5).
fn has_name(line: &[u8]) -> bool {
    let colon = line.iter().position(|octet| *octet == b':');
    let name = colon.map(|colon| line[..colon].trim_ascii_end()).unwrap_or_default();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(header: &str) -> Entity {
        let mut reader = HeaderReader::default();
        for line in header.split_inclusive('\n') {
            reader.add(line.as_bytes());
            assert_eq!(reader.end_line(), HeaderLine::Field, "{line:?}");
        }
        reader.finish().entity(Children::Text)
    }

    fn good(header: &str, body: &Body, encoding: Encoding) {
        let read = entity(header);
        assert_eq!((&read.body, read.encoding), (body, encoding), "{header}");
        assert_eq!(read.doubts, [], "{header}");
    }

    fn doubtful(header: &str, body: &Body, doubt: Unreadable) {
        let read = entity(header);
        assert_eq!((&read.body, read.doubts.as_slice()), (body, &[doubt][..]), "{header}");
    }

    fn multipart(boundary: &str) -> Body {
        Body::Multipart { boundary: boundary.as_bytes().into(), children: Children::Text }
    }

    #[test]
    fn entities() {
        good("", &Body::Leaf, Encoding::Identity);
        good("Content-Type: text/plain\r\n", &Body::Leaf, Encoding::Identity);
        good("Content-Type: message/rfc822\r\n", &Body::Message, Encoding::Identity);
        let header = "content-TYPE : multipart/mixed;\r\n\tboundary=\"x \"\r\n";
        good(header, &multipart("x"), Encoding::Identity);
        let header = "Content-Transfer-Encoding: (a) BASE64 (b)\r\n";
        good(header, &Body::Leaf, Encoding::Base64);
        let header = "Content-Type: a/b\r\nContent-Type: a/b\r\n";
        good(header, &Body::Leaf, Encoding::Identity);
        good(&format!("X: {}\r\n", "y".repeat(100_000)), &Body::Leaf, Encoding::Identity);
        good(">From x@example.org\r\nA: b\r\n", &Body::Leaf, Encoding::Identity);
        let children = Fields::default().entity(Children::Messages).body;
        assert_eq!(children, Body::Message);
    }

    #[test]
    fn doubts() {
        doubtful("Content-Type: multipart/mixed\r\n", &Body::Leaf, Unreadable::NoBoundary);
        let header = "Content-Type: multipart/mixed; boundary=\"\"\r\n";
        doubtful(header, &Body::Leaf, Unreadable::NoBoundary);
        let header = format!("Content-Type: multipart/mixed; boundary={}\r\n", "x".repeat(251));
        doubtful(&header, &Body::Leaf, Unreadable::BoundaryTooLong);
        let header = "Content-Type: multipart/mixed boundary=x\r\n";
        doubtful(header, &multipart("x"), Unreadable::Parameters);
        doubtful(
            "Content-Type: multipart; boundary=x\r\n",
            &multipart("x"),
            Unreadable::Parameters,
        );
        let header = "Content-Type: text/plain\r\nContent-Type: a/b\r\n";
        doubtful(header, &Body::Leaf, Unreadable::RepeatedField);
        let header = format!("Content-Type: a/b; c=\"{}\"\r\n", "x".repeat(MAX_FIELD));
        doubtful(&header, &Body::Leaf, Unreadable::HeaderTooLong);
        let header = format!("Content-Type: a/b;{}\r\n", "\r\n x=y;".repeat(MAX_FIELD));
        doubtful(&header, &Body::Leaf, Unreadable::HeaderTooLong);
        doubtful("Content-Transfer-Encoding: yenc\r\n", &Body::Leaf, Unreadable::Encoding);
        doubtful("Content-Type: message/partial\r\n", &Body::Leaf, Unreadable::PartialMessage);
        doubtful("A: b\r\nno field\r\n", &Body::Leaf, Unreadable::HeaderLine);
        doubtful("A: b\r\n \r\n", &Body::Leaf, Unreadable::HeaderLine);
    }

    #[test]
    fn a_part_without_header_begins_with_its_body() {
        let mut reader = HeaderReader::default();
        reader.add(b"Hello\r\n");
        assert_eq!(reader.end_line(), HeaderLine::Body(b"Hello\r\n".to_vec()));
    }

    #[test]
    fn names_and_roles() {
        let read = |header: &str| {
            let entity = entity(header);
            (entity.declared_name, entity.declared_type, entity.role)
        };
        let (name, of_type) = (|name: &str| Some(name.to_owned()), |t: &str| Some(t.to_owned()));
        assert_eq!(read(""), (None, None, Role::Text));
        assert_eq!(
            read("Content-Type: Text/HTML; charset=utf-8\r\n"),
            (None, of_type("text/html"), Role::Text)
        );
        assert_eq!(
            read("Content-Type: text/plain; name=a.sh\r\n"),
            (name("a.sh"), of_type("text/plain"), Role::Attachment)
        );
        assert_eq!(
            read("Content-Type: a/b; name=c\r\nContent-Disposition: inline; filename*=''d\r\n"),
            (name("d"), of_type("a/b"), Role::Attachment)
        );
        assert_eq!(read("Content-Disposition: Attachment\r\n"), (None, None, Role::Attachment));
    }
}
