//! Header fields that the mail server is asked to put into a message: checked, so that none can
//! become two, or end the header.

use std::fmt;

use sender_auth::HeaderField;

/// The most octets of a field, name and folds included. sendmail takes 65,535 with what stands
/// around them.
pub const MAX_FIELD_OCTETS: usize = 60_000;

/// The most octets of a line, without its CRLF (RFC 5322 §2.1.1).
pub const MAX_LINE_OCTETS: usize = 998;

/// The name of a header field: printable ASCII without a colon (RFC 5322 §2.2).
#[derive(Clone, PartialEq, Eq)]
pub struct FieldName(Box<[u8]>);

impl FieldName {
    /// Reads a name.
    ///
    /// # Errors
    /// What is none: nothing, or an octet that no name has.
    pub fn new(name: &[u8]) -> Result<Self, NewFieldError> {
        if name.is_empty() {
            return Err(NewFieldError::NoName);
        }
        if name.len() > MAX_LINE_OCTETS {
            return Err(NewFieldError::LineTooLong);
        }
        match name.iter().find(|octet| !octet.is_ascii_graphic() || **octet == b':') {
            Some(found) => Err(NewFieldError::NameOctet { found: *found }),
            None => Ok(Self(name.into())),
        }
    }

    /// Its octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldName({})", self.0.escape_ascii())
    }
}

/// A header field that can stand in any message.
#[derive(Clone, PartialEq, Eq)]
pub struct NewField {
    name: FieldName,
    /// All behind the colon; folds are LF and white space, as milters send them.
    value: Box<[u8]>,
}

impl NewField {
    /// Checks a field: folds are CRLF and white space (RFC 5322 §2.2.3), no line has nothing but
    /// white space, and there is no control character besides. Octets above 127 may be there.
    ///
    /// # Errors
    /// What of it is not so.
    pub fn new(field: &HeaderField) -> Result<Self, NewFieldError> {
        if field.octets().len() > MAX_FIELD_OCTETS {
            return Err(NewFieldError::TooLong);
        }
        let name = FieldName::new(field.name())?;
        if name.0.len() + ":".len() + field.value().len() != field.octets().len() {
            return Err(NewFieldError::SpaceBehindName);
        }
        let value = with_lf(field.value());
        if value.trim_ascii().is_empty() {
            return Err(NewFieldError::NoValue);
        }
        for (number, line) in value.split(|octet| *octet == b'\n').enumerate() {
            check_line(line, if number == 0 { Line::First { name: &name } } else { Line::Fold })?;
        }
        Ok(Self { name, value: value.into() })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &FieldName {
        &self.name
    }

    /// What stands behind the colon as a milter sends it: folds are LF and white space.
    pub(super) fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Debug for NewField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewField({}:{})", self.name.0.escape_ascii(), self.value.escape_ascii())
    }
}

/// LF in the place of CRLF. A CR that belongs to no line end stays.
fn with_lf(octets: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(octets.len());
    for octet in octets {
        if *octet == b'\n' && lines.last() == Some(&b'\r') {
            lines.pop();
        }
        lines.push(*octet);
    }
    lines
}

/// Which line of a field it is.
#[derive(Clone, Copy)]
enum Line<'n> {
    /// The one with the name.
    First { name: &'n FieldName },
    /// One behind a fold.
    Fold,
}

fn check_line(line: &[u8], which: Line<'_>) -> Result<(), NewFieldError> {
    let octets = match which {
        Line::First { name } => name.0.len() + 1 + line.len(),
        Line::Fold if !line.starts_with(b" ") && !line.starts_with(b"\t") => {
            return Err(NewFieldError::Fold);
        }
        // Where white space at the end of lines gets lost, the header would end here.
        Line::Fold if line.trim_ascii().is_empty() => return Err(NewFieldError::EmptyLine),
        Line::Fold => line.len(),
    };
    if let Some(found) = line.iter().find(|octet| octet.is_ascii_control() && **octet != b'\t') {
        return Err(NewFieldError::Control { found: *found });
    }
    if octets > MAX_LINE_OCTETS {
        return Err(NewFieldError::LineTooLong);
    }
    Ok(())
}

/// Why a field cannot be put into a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewFieldError {
    /// It has no name.
    NoName,
    /// The name has an octet that is not printable ASCII, or a colon.
    NameOctet {
        /// The octet.
        found: u8,
    },
    /// White space stands between the name and the colon. A milter cannot say so, and a signature
    /// over it would not hold.
    SpaceBehindName,
    /// Nothing but white space stands behind the colon. A milter says with such a value that a
    /// field is to be removed.
    NoValue,
    /// A line end is not followed by white space: what stands behind it would be a field of its
    /// own.
    Fold,
    /// A line has nothing but white space.
    EmptyLine,
    /// There is a control character.
    Control {
        /// The octet.
        found: u8,
    },
    /// A line has more than [`MAX_LINE_OCTETS`].
    LineTooLong,
    /// It has more than [`MAX_FIELD_OCTETS`].
    TooLong,
}

impl fmt::Display for NewFieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => write!(f, "name: expected one, found nothing"),
            Self::NameOctet { found } => {
                let found = [*found];
                write!(f, "name: expected printable ASCII, found '{}'", found.escape_ascii())
            }
            Self::SpaceBehindName => write!(f, "name: expected a colon behind it, found a space"),
            Self::NoValue => write!(f, "value: expected one, found nothing"),
            Self::Fold => write!(f, "value: expected white space behind a line end, found none"),
            Self::EmptyLine => write!(f, "value: expected words on every line, found none"),
            Self::Control { found } => {
                let found = [*found];
                write!(f, "value: expected no control character, found '{}'", found.escape_ascii())
            }
            Self::LineTooLong => {
                write!(f, "expected lines of at most {MAX_LINE_OCTETS} octets, found more")
            }
            Self::TooLong => write!(f, "expected at most {MAX_FIELD_OCTETS} octets, found more"),
        }
    }
}

impl std::error::Error for NewFieldError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(field: &[u8], name: &[u8], value: &[u8]) {
        let field = NewField::new(&HeaderField::parse(field).unwrap()).unwrap();
        assert_eq!((field.name().octets(), field.value()), (name, value));
    }

    fn bad(field: &[u8], message: &str) {
        let error = NewField::new(&HeaderField::parse(field).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), message, "{}", field.escape_ascii());
    }

    #[test]
    fn fields() {
        good(b"A: b", b"A", b" b");
        good(b"A:b", b"A", b"b");
        good(b"A: b\r\n\tc\n d\xc3\xa4", b"A", b" b\n\tc\n d\xc3\xa4");
        good(b"A:\r\n b", b"A", b"\n b");
        let long = [&b"A:"[..], &[b'x'; 996], b"\r\n ", &[b'y'; 997]].concat();
        good(&long, b"A", &[&[b'x'; 996][..], b"\n ", &[b'y'; 997]].concat());

        bad(b"A : b", "name: expected a colon behind it, found a space");
        bad(b"A: b\r\nEvil: x", "value: expected white space behind a line end, found none");
        bad(b"A: b\r\n\r\nbody", "value: expected white space behind a line end, found none");
        bad(b"A: b\r\n", "value: expected white space behind a line end, found none");
        bad(b"A: b\r\n \r\n c", "value: expected words on every line, found none");
        bad(b"A: b\r\n\t ", "value: expected words on every line, found none");
        bad(b"A: \r\n ", "value: expected one, found nothing");
        bad(b"A:", "value: expected one, found nothing");
        bad(b"A: b\rc", "value: expected no control character, found '\\r'");
        bad(b"A: b\r", "value: expected no control character, found '\\r'");
        bad(b"A: b\r\r\n c", "value: expected no control character, found '\\r'");
        bad(b"A: b\0", "value: expected no control character, found '\\x00'");
        bad(b"A: b\x7f", "value: expected no control character, found '\\x7f'");
        let long = [&b"A:"[..], &[b'x'; 997]].concat();
        bad(&long, "expected lines of at most 998 octets, found more");
        let long = [&b"A:"[..], &b" x\r\n".repeat(20_000)].concat();
        bad(&long, "expected at most 60000 octets, found more");
    }

    #[test]
    fn names() {
        assert_eq!(FieldName::new(b"X-A").unwrap().octets(), b"X-A");
        for (name, message) in [
            (&b""[..], "name: expected one, found nothing"),
            (b"a b", "name: expected printable ASCII, found ' '"),
            (b"a:", "name: expected printable ASCII, found ':'"),
            (b"a\0", "name: expected printable ASCII, found '\\x00'"),
            (&[b'a'; 999], "expected lines of at most 998 octets, found more"),
        ] {
            assert_eq!(FieldName::new(name).unwrap_err().to_string(), message);
        }
    }
}
