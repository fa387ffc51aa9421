//! Lists of `tag=value`, the one syntax of DKIM signatures, DKIM key records and ARC header fields
//! (RFC 6376 §3.2).
//!
//! ```text
//! v=1; a=rsa-sha256; d=example.com; h=From:To;
//!   b=...
//! ```
//!
//! Tags are separated by semicolons, the last may be followed by one. White space and folds around
//! names and values mean nothing, inside a value they belong to it. No tag comes twice. What the
//! tags mean is said by those who read them; a tag that they do not know is ignored.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use memchr::{memchr, memchr_iter};
use smtp_types::Position;

/// How many tags a list may have. The standards know 13; a longer list is made to cost time.
const MAX_TAGS: usize = 64;

/// A list that keeps to the grammar. Every value is free of white space at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagList<'t> {
    text: &'t str,
    tags: Vec<Tag<'t>>,
}

/// One tag with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag<'t> {
    /// The name; case matters.
    pub(crate) name: &'t str,
    /// The value without the white space around it, folds and white space inside included.
    pub(crate) value: &'t str,
    /// Where the name begins, in octets of the whole text.
    pub(crate) name_offset: usize,
    /// Where the value begins, in octets of the whole text.
    pub(crate) value_offset: usize,
    /// All between `=` and the semicolon, white space included, in octets of the whole text: what
    /// is left out of `b=` before a signature is made over the rest (RFC 6376 §3.7).
    pub(crate) between: Range<usize>,
}

impl<'t> TagList<'t> {
    /// Reads the list that begins at octet `start` of `text` (behind the colon of a header field;
    /// at 0 for a record).
    ///
    /// # Errors
    /// The first fault, with its place in the whole text.
    pub(crate) fn parse(text: &'t [u8], start: usize) -> Result<Self, TagListError> {
        let text = utf8(text)?;
        let list = Self { text, tags: Vec::new() };
        list.check_characters(start)?;
        list.split(start)
    }

    /// Reads a record of the DNS. Where folds may be there may also be bare line ends: they come
    /// from keys that were pasted into a zone with the line ends of their file, and mean nothing.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub(crate) fn parse_record(text: &'t [u8]) -> Result<Self, TagListError> {
        let text = utf8(text)?;
        let list = Self { text, tags: Vec::new() };
        let is_stranger =
            |octet: &u8| octet.is_ascii_control() & !matches!(octet, b'\t' | b'\r' | b'\n');
        match find(text.as_bytes(), is_stranger) {
            Some(offset) => Err(list.character(offset)),
            None => list.split(0),
        }
    }

    /// The tags, behind octet `start`.
    fn split(self, start: usize) -> Result<Self, TagListError> {
        let text = self.text;
        let mut list = Self { text, tags: Vec::with_capacity(16) };
        let mut offset = start;
        let specs = text.get(start..).unwrap_or_default();
        let ends = memchr_iter(b';', specs.as_bytes()).map(|end| start + end);
        for end in ends.chain([text.len()]) {
            let spec = text.get(offset..end).unwrap_or_default();
            let is_last = end == text.len();
            if is_last && !list.tags.is_empty() && trim(spec).is_empty() {
                break;
            }
            let tag = list.parse_tag(spec, offset)?;
            if list.get(tag.name).is_some() {
                let fault = TagListFault::Repeated { name: tag.name.into() };
                return Err(list.error(tag.name_offset, fault));
            }
            if list.tags.len() == MAX_TAGS {
                return Err(list.error(tag.name_offset, TagListFault::TooMany));
            }
            list.tags.push(tag);
            offset = end + 1;
        }
        Ok(list)
    }

    /// The tag of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Tag<'t>> {
        // Names have one or two letters: too few for a call that compares memory.
        self.tags.iter().find(|tag| tag.name.bytes().eq(name.bytes()))
    }

    /// All tags in their order; at least one.
    pub(crate) fn tags(&self) -> &[Tag<'t>] {
        &self.tags
    }

    /// The place of an octet of the whole text.
    pub(crate) fn position(&self, offset: usize) -> Position {
        Position::of(self.text, offset)
    }

    /// The place behind the last octet.
    pub(crate) fn end(&self) -> Position {
        Position::of(self.text, self.text.len())
    }

    /// `tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]`
    fn parse_tag(&self, spec: &'t str, offset: usize) -> Result<Tag<'t>, TagListError> {
        let begin = offset + (spec.len() - spec.trim_start_matches(is_white).len());
        let equals = memchr(b'=', spec.as_bytes()).and_then(|equals| spec.split_at_checked(equals));
        let Some((name, value)) = equals else {
            let is_empty = begin == offset + spec.len();
            let fault = if is_empty { TagListFault::Empty } else { TagListFault::NoEquals };
            return Err(self.error(begin, fault));
        };
        let between = offset + name.len() + 1..offset + spec.len();
        let name = trim(name);
        if !is_tag_name(name) {
            return Err(self.error(begin, TagListFault::Name { found: name.into() }));
        }
        let value = value.get(1..).unwrap_or_default();
        let value_offset = between.end - value.trim_start_matches(is_white).len();
        let value = trim(value);
        Ok(Tag { name, value, name_offset: begin, value_offset, between })
    }

    /// Of the control characters there are only tabs, and CR and LF as `FWS = [*WSP CRLF] 1*WSP`
    /// (RFC 6376 §2.8).
    fn check_characters(&self, start: usize) -> Result<(), TagListError> {
        let is_control = |octet: &u8| octet.is_ascii_control() & (*octet != b'\t');
        let mut offset = start;
        let mut lines = self.text.get(start..).unwrap_or_default().split('\n').peekable();
        while let Some(line) = lines.next() {
            let next = lines.peek();
            let fold = line
                .strip_suffix('\r')
                .filter(|_| next.is_some_and(|next| next.starts_with([' ', '\t'])));
            if let Some(index) = find(fold.unwrap_or(line).as_bytes(), is_control) {
                return Err(self.character(offset + index));
            }
            offset += line.len();
            if next.is_some() && fold.is_none() {
                return Err(self.character(offset));
            }
            offset += 1;
        }
        Ok(())
    }

    fn character(&self, offset: usize) -> TagListError {
        let found = self.text.as_bytes().get(offset).copied().unwrap_or_default();
        self.error(offset, TagListFault::Character { found: char::from(found) })
    }

    fn error(&self, offset: usize, fault: TagListFault) -> TagListError {
        TagListError { position: self.position(offset), fault }
    }
}

/// The first octet that is such a one. In most texts there is none, so all are looked at without a
/// way out first: the compiler can take many at once.
fn find(octets: &[u8], is_it: impl Fn(&u8) -> bool) -> Option<usize> {
    let any = octets.iter().fold(false, |any, octet| any | is_it(octet));
    if any { octets.iter().position(is_it) } else { None }
}

/// Text of internationalized mail is UTF-8 (RFC 8616 §3), all other is ASCII.
fn utf8(text: &[u8]) -> Result<&str, TagListError> {
    core::str::from_utf8(text).map_err(|error| {
        let (valid, rest) = text.split_at_checked(error.valid_up_to()).unwrap_or((text, b""));
        let position = match core::str::from_utf8(valid) {
            Ok(valid) => Position::of(valid, valid.len()),
            Err(_) => Position { line: 1, column: 1 },
        };
        let found = rest.first().copied().unwrap_or_default();
        TagListError { position, fault: TagListFault::NotUtf8 { found } }
    })
}

/// White space of a fold. Whether CR and LF stand where they may was
/// [checked](TagList::check_characters).
pub(crate) fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Without the white space at the ends.
pub(crate) fn trim(text: &str) -> &str {
    let is_text = |octet: &u8| !is_white(char::from(*octet));
    let octets = text.as_bytes();
    let begin = octets.iter().position(is_text).unwrap_or(octets.len());
    let end = octets.iter().rposition(is_text).map_or(begin, |last| last + 1);
    text.get(begin..end).unwrap_or_default()
}

/// The parts of a list such as `h=From : To`, without the white space around them.
pub(crate) fn parts(value: &str) -> impl Iterator<Item = &str> {
    value.split(':').map(trim)
}

/// The octets of a `base64string` (RFC 6376 §2.10): folds anywhere, padding or none.
pub(crate) fn base64(value: &str) -> Option<Vec<u8>> {
    let is_white = |octet: &u8| *octet <= b' ';
    let has_white = |line: &[u8]| line.iter().fold(false, |any, octet| any | is_white(octet));
    if !has_white(value.as_bytes()) {
        return STANDARD_PAD_INDIFFERENT.decode(value).ok();
    }
    let mut text = Vec::with_capacity(value.len());
    let mut begin = 0;
    for end in memchr_iter(b'\n', value.as_bytes()).chain([value.len()]) {
        let line = value.as_bytes().get(begin..end).unwrap_or_default().trim_ascii();
        if has_white(line) {
            line.split(is_white).for_each(|run| text.extend_from_slice(run));
        } else {
            text.extend_from_slice(line);
        }
        begin = end + 1;
    }
    STANDARD_PAD_INDIFFERENT.decode(text).ok()
}

/// `tag-name = ALPHA *ALNUMPUNC`
fn is_tag_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
}

/// Why a text is no list of tags, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagListError {
    /// The place, in the whole header field or record.
    pub position: Position,
    /// The fault.
    pub fault: TagListFault,
}

impl fmt::Display for TagListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (RFC 6376 §3.2)", self.position, self.fault)
    }
}

impl core::error::Error for TagListError {}

/// What keeps a text from being a list of tags. The list as a whole is invalid then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagListFault {
    /// Nothing stands between two semicolons, or in the whole list.
    Empty,
    /// A tag has no `=`.
    NoEquals,
    /// A name is not a letter with letters, digits and underscores behind it.
    Name {
        /// The name.
        found: Box<str>,
    },
    /// A name comes a second time.
    Repeated {
        /// The name.
        name: Box<str>,
    },
    /// More than 64 tags: a bound of ours.
    TooMany,
    /// A control character, or a CR or LF that does not fold.
    Character {
        /// The character.
        found: char,
    },
    /// The text is not UTF-8.
    NotUtf8 {
        /// The first octet that does not fit.
        found: u8,
    },
}

impl fmt::Display for TagListFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "expected tag=value, found nothing"),
            Self::NoEquals => write!(f, "expected tag=value, found no equals sign"),
            Self::Name { found } => {
                write!(f, "expected a tag of letters, digits and underscores, found {found:?}")
            }
            Self::Repeated { name } => write!(f, "{name}: expected once, found again"),
            Self::TooMany => write!(f, "expected at most {MAX_TAGS} tags, found more"),
            Self::Character { found } => {
                write!(f, "expected printable characters and folds, found {found:?}")
            }
            Self::NotUtf8 { found } => write!(f, "expected UTF-8, found the octet {found:#04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    fn good(text: &str, tags: &[(&str, &str)]) {
        let list = TagList::parse(text.as_bytes(), 0).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        let read: Vec<_> = list.tags().iter().map(|tag| (tag.name, tag.value)).collect();
        assert_eq!(read, tags, "{text:?}");
        for tag in list.tags() {
            assert!(text[tag.name_offset..].starts_with(tag.name), "{text:?}");
            assert!(text[tag.value_offset..].starts_with(tag.value), "{text:?}");
            assert_eq!(trim(&text[tag.between.clone()]), tag.value, "{text:?}");
        }
    }

    fn bad(text: &str, column: usize, fault: TagListFault) {
        let error = TagList::parse(text.as_bytes(), 0).expect_err(text);
        assert_eq!((error.fault, error.position.column), (fault, column), "{text:?}");
    }

    #[test]
    fn lists() {
        good("a=b", &[("a", "b")]);
        good("a=b;", &[("a", "b")]);
        good("a=b; \t", &[("a", "b")]);
        good(" a = b ;\r\n\tc=", &[("a", "b"), ("c", "")]);
        good("a==b=; A=x y", &[("a", "=b="), ("A", "x y")]); // case matters, "=" may be in a value
        good("a=b\r\n c;d_1=\r\n e", &[("a", "b\r\n c"), ("d_1", "e")]);
        good("d=dané.test", &[("d", "dané.test")]);

        bad("", 1, TagListFault::Empty);
        bad("  ", 3, TagListFault::Empty);
        bad(";", 1, TagListFault::Empty);
        bad("a=b;;c=d", 5, TagListFault::Empty);
        bad("a=b;;", 5, TagListFault::Empty);
        bad("a=b; c", 6, TagListFault::NoEquals);
        bad("a=b; =c", 6, TagListFault::Name { found: "".into() });
        bad("a b=c", 1, TagListFault::Name { found: "a b".into() });
        bad("1a=c", 1, TagListFault::Name { found: "1a".into() });
        bad("a=b; a=b", 6, TagListFault::Repeated { name: "a".into() });
        bad("a=b\u{0}", 4, TagListFault::Character { found: '\0' });
        bad("a=b\rc", 4, TagListFault::Character { found: '\r' });
        bad("a=b\nc", 4, TagListFault::Character { found: '\n' });
        bad("a=b\r\nc", 4, TagListFault::Character { found: '\r' });
        let many: String = (0..=MAX_TAGS).map(|index| format!("a{index}=;")).collect();
        assert_eq!(TagList::parse(many.as_bytes(), 0).unwrap_err().fault, TagListFault::TooMany);
        let error = TagList::parse(b"a=\xc3\xa4\xff", 0).unwrap_err();
        assert_eq!(
            format!("{error}"),
            "line 1, column 4: expected UTF-8, found the octet 0xff (RFC 6376 §3.2)"
        );
    }

    #[test]
    fn base64_with_folds() {
        assert_eq!(base64("AAEC\r\n\tAw = =").unwrap(), [0, 1, 2, 3]);
        assert_eq!(base64("AAECAw").unwrap(), [0, 1, 2, 3]);
        assert_eq!(base64("").unwrap(), []);
        for text in ["A", "AAECAx==", "AAEC\u{e4}", "AA=EC", "AAEC-_=="] {
            assert_eq!(base64(text), None, "{text}");
        }
    }

    #[test]
    fn places_count_in_the_whole_text() {
        let list = TagList::parse(b"DKIM-Signature: a=b;\r\n c=d", 15).unwrap();
        let c = list.get("c").unwrap();
        assert_eq!(list.position(c.name_offset), Position { line: 2, column: 2 });
        assert_eq!(list.end(), Position { line: 2, column: 5 });
    }
}
