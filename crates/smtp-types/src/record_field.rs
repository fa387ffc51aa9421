//! The grammar that text records of mail transport share.
//!
//! RFC 8461 §3.1 and RFC 8460 §3 write it twice, with other names: a version, then fields
//! `name=value`, semicolons between them and perhaps at the end, white space around semicolons.
//! What the fields mean is said by the crates of those protocols.

use alloc::boxed::Box;
use core::fmt;

use crate::Position;

/// One `name=value`; offsets are octets from the beginning of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordField<'t> {
    /// What stands before the `=`: 1 to 32 letters, digits, and behind the first `_`, `-`, `.`.
    pub name: &'t str,
    /// What stands behind it, at least one character.
    pub value: &'t str,
    /// Where the name begins.
    pub name_offset: usize,
    /// Where the value begins.
    pub value_offset: usize,
}

impl<'t> RecordField<'t> {
    /// The text of a record: records are ASCII.
    ///
    /// # Errors
    /// The first octet that is not.
    pub fn ascii(record: &'t [u8]) -> Result<&'t str, RecordFieldError> {
        let end = record.iter().position(|octet| !octet.is_ascii()).unwrap_or(record.len());
        let text = core::str::from_utf8(&record[..end]).unwrap_or_default();
        match record.get(end) {
            None => Ok(text),
            Some(found) => {
                Err(RecordFieldError::at(text, end, RecordFieldFault::NotAscii { found: *found }))
            }
        }
    }

    /// The fields behind the version (`v=STSv1`), one after the other, each or what is wrong with
    /// it. The value of the field `free`, if there is one, is not held to the characters of
    /// extensions: its own grammar decides.
    ///
    /// # Errors
    /// The record does not begin with the version and a semicolon.
    pub fn all(
        text: &'t str,
        version: &'static str,
        free: Option<&'static str>,
    ) -> Result<impl Iterator<Item = Result<Self, RecordFieldError>>, RecordFieldError> {
        let other_version = |offset| {
            let found = text.split(';').next().unwrap_or_default().into();
            let fault = RecordFieldFault::Version { expected: version, found };
            RecordFieldError::at(text, offset, fault)
        };
        let rest = text.strip_prefix(version).ok_or_else(|| other_version(0))?;
        let rest = rest.trim_start_matches([' ', '\t']).strip_prefix(';');
        let rest = rest.ok_or_else(|| other_version(version.len()))?;
        let mut offset = text.len() - rest.len();
        // The delimiter behind the last field is optional, and white space belongs to it.
        let body = rest.trim_end_matches([' ', '\t']);
        let body = body.strip_suffix(';').unwrap_or(body);
        Ok(body.split(';').map(move |part| {
            let part_offset = offset;
            offset += part.len() + 1;
            parse_field(text, part_offset, part, free)
        }))
    }
}

fn parse_field<'t>(
    text: &str,
    offset: usize,
    part: &'t str,
    free: Option<&'static str>,
) -> Result<RecordField<'t>, RecordFieldError> {
    let field = part.trim_matches([' ', '\t']);
    let name_offset = offset + part.len() - part.trim_start_matches([' ', '\t']).len();
    if field.is_empty() {
        return Err(RecordFieldError::at(text, name_offset, RecordFieldFault::Empty));
    }
    let Some((name, value)) = field.split_once('=') else {
        let fault = RecordFieldFault::NoEquals { found: field.into() };
        return Err(RecordFieldError::at(text, name_offset, fault));
    };
    if !is_field_name(name) {
        let fault = RecordFieldFault::Name { found: name.into() };
        return Err(RecordFieldError::at(text, name_offset, fault));
    }
    let value_offset = name_offset + name.len() + 1;
    if value.is_empty() {
        let fault = RecordFieldFault::NoValue { field: name.into() };
        return Err(RecordFieldError::at(text, value_offset, fault));
    }
    let stranger = value.char_indices().find(|(_, c)| !is_extension_value(*c));
    if let (Some((index, found)), true) = (stranger, free != Some(name)) {
        let fault = RecordFieldFault::ValueCharacter { field: name.into(), found };
        return Err(RecordFieldError::at(text, value_offset + index, fault));
    }
    Ok(RecordField { name, value, name_offset, value_offset })
}

/// `(ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")`
fn is_field_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet))
}

/// `%x21-3A / %x3C / %x3E-7E`: printable, without `=`, `;` and space.
fn is_extension_value(c: char) -> bool {
    c.is_ascii_graphic() && c != '=' && c != ';'
}

/// What is wrong with the grammar of a record, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFieldError {
    /// The place of the fault; records have one line.
    pub position: Position,
    /// The fault.
    pub fault: RecordFieldFault,
}

impl RecordFieldError {
    fn at(text: &str, offset: usize, fault: RecordFieldFault) -> Self {
        Self { position: Position::of(text, offset), fault }
    }
}

/// What can be wrong with the grammar of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFieldFault {
    /// An octet beyond ASCII.
    NotAscii {
        /// The octet.
        found: u8,
    },
    /// Does not begin with the version and a semicolon.
    Version {
        /// The version.
        expected: &'static str,
        /// What stands before the first semicolon.
        found: Box<str>,
    },
    /// Nothing between two semicolons, or behind the version.
    Empty,
    /// A field without `=`.
    NoEquals {
        /// The field.
        found: Box<str>,
    },
    /// A field name that is none.
    Name {
        /// What stands before the `=`.
        found: Box<str>,
    },
    /// Nothing behind the `=`.
    NoValue {
        /// The field.
        field: Box<str>,
    },
    /// A character that no extension's value has.
    ValueCharacter {
        /// The field.
        field: Box<str>,
        /// The character.
        found: char,
    },
}

impl RecordFieldFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAscii { .. } => "record-not-ascii",
            Self::Version { .. } => "record-version",
            Self::Empty => "record-empty-field",
            Self::NoEquals { .. } => "record-no-equals",
            Self::Name { .. } => "record-field-name",
            Self::NoValue { .. } => "record-no-value",
            Self::ValueCharacter { .. } => "record-value-character",
        }
    }
}

impl fmt::Display for RecordFieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAscii { found } => write!(f, "expected ASCII, found the octet 0x{found:02x}"),
            Self::Version { expected, found } => {
                write!(f, "v: expected \"{expected};\", found {found:?}")
            }
            Self::Empty => write!(f, "expected \"name=value\", found nothing"),
            Self::NoEquals { found } => write!(f, "expected \"name=value\", found {found:?}"),
            Self::Name { found } => {
                write!(f, "expected a field name of 1 to 32 letters and digits, found {found:?}")
            }
            Self::NoValue { field } => write!(f, "{field}: expected a value, found nothing"),
            Self::ValueCharacter { field, found } => write!(
                f,
                "{field}: expected printable characters without space, = and ;, found {found:?}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn read(text: &str) -> Result<Vec<(&str, &str)>, (usize, RecordFieldFault)> {
        let told = |error: RecordFieldError| (error.position.column, error.fault);
        RecordField::all(text, "v=X1", Some("free"))
            .map_err(told)?
            .map(|field| field.map(|field| (field.name, field.value)).map_err(told))
            .collect()
    }

    fn bad(text: &str, column: usize, fault: RecordFieldFault) {
        assert_eq!(read(text), Err((column, fault)), "{text:?}");
    }

    #[test]
    fn records() {
        assert_eq!(read("v=X1; a=1"), Ok([("a", "1")].into()));
        assert_eq!(read("v=X1 ;a=1 ; b.c-d_e=2; "), Ok([("a", "1"), ("b.c-d_e", "2")].into()));
        assert_eq!(read("v=X1;free=a b=c"), Ok([("free", "a b=c")].into()));
        let version =
            |found: &str| RecordFieldFault::Version { expected: "v=X1", found: found.into() };
        bad("", 1, version(""));
        bad("v=X1", 5, version("v=X1"));
        bad("v=X10; a=1", 5, version("v=X10"));
        bad(" v=X1; a=1", 1, version(" v=X1"));
        bad("v=X1;", 6, RecordFieldFault::Empty);
        bad("v=X1; a=1;;", 11, RecordFieldFault::Empty);
        bad("v=X1; a", 7, RecordFieldFault::NoEquals { found: "a".into() });
        bad("v=X1; _a=1", 7, RecordFieldFault::Name { found: "_a".into() });
        bad("v=X1; a=", 9, RecordFieldFault::NoValue { field: "a".into() });
        let space = RecordFieldFault::ValueCharacter { field: "a".into(), found: ' ' };
        bad("v=X1; a=1 2", 10, space);
        let error = RecordField::ascii(b"v=X1; a=\xff").unwrap_err();
        assert_eq!(error.fault, RecordFieldFault::NotAscii { found: 0xff });
        assert_eq!(error.position.column, 9);
    }
}
