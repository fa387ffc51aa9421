//! The header of a message, octet for octet as it was sent.
//!
//! Signatures are made over octets, so nothing is decoded or mended here. A [`HeaderField`] keeps
//! its name as written, every fold and every octet above 127.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use memchr::memchr_iter;

/// One header field: name, colon, value. Folds are CRLF and white space; the CRLF behind the field
/// is not part of it (RFC 5322 §2.2).
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderField {
    octets: Box<[u8]>,
    /// Where the name ends: at the colon, or at white space before it.
    name_end: usize,
    colon: usize,
}

impl HeaderField {
    /// Reads a field as it stands in a message, without the CRLF behind it. Lines inside may end in
    /// LF or CRLF; they are kept as CRLF. White space between name and colon is obsolete syntax
    /// that a reader must accept (RFC 5322 §4.5).
    ///
    /// # Errors
    /// What is no field: no colon, no name, or a name with something else than printable ASCII.
    pub fn parse(octets: &[u8]) -> Result<Self, HeaderFieldError> {
        let (name, value) = octets.split_at(check(octets)?);
        Self::of(name, value.get(1..).unwrap_or_default())
    }

    /// A field made of its parts. `value` is all that stands behind the colon, the space in front
    /// included.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn new(name: &[u8], value: &[u8]) -> Result<Self, HeaderFieldError> {
        if name.contains(&b':') {
            return Err(HeaderFieldError::NameOctet { found: b':' });
        }
        Self::of(name, value)
    }

    fn of(name: &[u8], value: &[u8]) -> Result<Self, HeaderFieldError> {
        let name_end = check_name(name)?;
        let bare = bare_line_ends(value);
        let mut octets = Vec::with_capacity(name.len() + 1 + value.len() + bare);
        octets.extend_from_slice(name);
        octets.push(b':');
        if bare == 0 {
            octets.extend_from_slice(value);
        } else {
            add_with_crlf(value, &mut octets);
        }
        Ok(Self { octets: octets.into_boxed_slice(), name_end, colon: name.len() })
    }

    /// The whole field: name, colon, value, without the CRLF at the end.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The name as written, without white space behind it.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.octets[..self.name_end]
    }

    /// All that stands behind the colon.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.octets[self.colon + 1..]
    }

    /// Whether this is the name; case does not matter (RFC 5322 §1.2.2).
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Without spaces and tabs at the end. A line end is neither: there is no fold before the colon.
fn without_space(name: &[u8]) -> &[u8] {
    let end =
        name.iter().rposition(|octet| !matches!(octet, b' ' | b'\t')).map_or(0, |last| last + 1);
    &name[..end]
}

/// Where the colon of a field is.
pub(crate) fn check(field: &[u8]) -> Result<usize, HeaderFieldError> {
    let colon = field.iter().position(|octet| *octet == b':');
    let colon = colon.ok_or(HeaderFieldError::NoColon)?;
    check_name(field.get(..colon).unwrap_or_default())?;
    Ok(colon)
}

/// Where the name ends.
fn check_name(name: &[u8]) -> Result<usize, HeaderFieldError> {
    let name = without_space(name);
    match name.iter().find(|octet| !octet.is_ascii_graphic()) {
        Some(found) => Err(HeaderFieldError::NameOctet { found: *found }),
        None if name.is_empty() => Err(HeaderFieldError::NoName),
        None => Ok(name.len()),
    }
}

/// How many LF have no CR before them.
fn bare_line_ends(octets: &[u8]) -> usize {
    let before = |end: usize| end.checked_sub(1).and_then(|before| octets.get(before));
    memchr_iter(b'\n', octets).filter(|end| before(*end) != Some(&b'\r')).count()
}

/// Adds octets to `lines`. A bare LF becomes CRLF; the CR before one may be the last octet of
/// `lines`. A bare CR stays what it is.
pub(crate) fn add_with_crlf(octets: &[u8], lines: &mut Vec<u8>) {
    let mut rest = 0;
    for end in memchr_iter(b'\n', octets) {
        let before = end.checked_sub(1).map_or(lines.last(), |before| octets.get(before));
        if before != Some(&b'\r') {
            lines.extend_from_slice(octets.get(rest..end).unwrap_or_default());
            lines.push(b'\r');
            rest = end;
        }
    }
    lines.extend_from_slice(octets.get(rest..).unwrap_or_default());
}

impl fmt::Debug for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeaderField({})", self.octets.escape_ascii())
    }
}

/// Why octets are not a header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFieldError {
    /// There is no colon.
    NoColon,
    /// Nothing stands before the colon.
    NoName,
    /// The name has an octet that is not printable ASCII, or a colon (RFC 5322 §3.6.8).
    NameOctet {
        /// The octet.
        found: u8,
    },
}

impl fmt::Display for HeaderFieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoColon => write!(f, "expected name, colon and value, found no colon"),
            Self::NoName => write!(f, "expected a name before the colon, found none"),
            Self::NameOctet { found } => {
                let found = [*found];
                let found = found.escape_ascii();
                write!(f, "name: expected printable ASCII, found '{found}'")
            }
        }
    }
}

impl core::error::Error for HeaderFieldError {}

/// All header fields of a message, in their order from top to bottom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    fields: Vec<HeaderField>,
}

impl Header {
    /// A header of these fields.
    #[must_use]
    pub const fn new(fields: Vec<HeaderField>) -> Self {
        Self { fields }
    }

    /// Adds a field below the others.
    pub fn push(&mut self, field: HeaderField) {
        self.fields.push(field);
    }

    /// The fields from top to bottom.
    #[must_use]
    pub fn fields(&self) -> &[HeaderField] {
        &self.fields
    }

    /// The fields of this name from top to bottom.
    pub fn named<'h>(
        &'h self,
        name: &'h str,
    ) -> impl DoubleEndedIterator<Item = &'h HeaderField> + Clone {
        self.fields.iter().filter(move |field| field.is(name))
    }
}

impl FromIterator<HeaderField> for Header {
    fn from_iter<I: IntoIterator<Item = HeaderField>>(fields: I) -> Self {
        Self::new(fields.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn good(octets: &[u8], name: &[u8], value: &[u8]) {
        let field = HeaderField::parse(octets).unwrap();
        assert_eq!((field.name(), field.value()), (name, value));
    }

    fn bad(octets: &[u8], message: &str) {
        assert_eq!(HeaderField::parse(octets).unwrap_err().to_string(), message);
    }

    #[test]
    fn fields() {
        good(b"Subject: x", b"Subject", b" x");
        good(b"Subject:x", b"Subject", b"x");
        good(b"SubJect \t:x:y", b"SubJect", b"x:y");
        good(b"A:", b"A", b"");
        good(b"A: b\n c\r\n d\re", b"A", b" b\r\n c\r\n d\re");
        good(b"A: \xe4\xff", b"A", b" \xe4\xff");
        bad(b"Subject", "expected name, colon and value, found no colon");
        bad(b": x", "expected a name before the colon, found none");
        bad(b"A\r\n: x", "name: expected printable ASCII, found '\\r'");
        bad(b"a b: x", "name: expected printable ASCII, found ' '");
        bad(b"\xff: x", "name: expected printable ASCII, found '\\xff'");
        assert_eq!(
            HeaderField::new(b"a:b", b" c"),
            Err(HeaderFieldError::NameOctet { found: b':' })
        );
    }

    #[test]
    fn names_are_compared_without_case() {
        let header: Header = [&b"From: a"[..], b"to: b", b"FROM : c"]
            .into_iter()
            .map(|octets| HeaderField::parse(octets).unwrap())
            .collect();
        let values: Vec<_> = header.named("from").map(HeaderField::value).collect();
        assert_eq!(values, [b" a", b" c"]);
    }
}
