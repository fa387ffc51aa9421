//! The policy that a domain serves by HTTPS (RFC 8461 §3.2).

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use smtp_types::{DomainName, Position};

use crate::{MAX_AGE_LIMIT, MxPattern, MxPatternError};

/// What a sender does when a host is not what the policy says (RFC 8461 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Do not deliver to it.
    Enforce,
    /// Deliver as if there were no policy, and report.
    Testing,
    /// There is no policy (any more): the way to withdraw one (§8.3).
    None,
}

impl Mode {
    /// `enforce`, `testing` or `none`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// A valid policy.
///
/// Printed, it is a policy file with one field for each line; parsed again, it is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    mode: Mode,
    max_age: u64,
    mx: Vec<MxPattern>,
    extensions: Vec<(Box<str>, Box<str>)>,
}

impl Policy {
    /// A policy to publish.
    ///
    /// `None` if it names no host although its mode is not none, or if `max_age` is more than the
    /// maximum of 31,557,600 s (RFC 8461 §3.2).
    #[must_use]
    pub fn new(mode: Mode, mx: Vec<MxPattern>, max_age: Duration) -> Option<Self> {
        let complete = mode == Mode::None || !mx.is_empty();
        let valid = complete && max_age <= MAX_AGE_LIMIT;
        valid.then(|| Self { mode, max_age: max_age.as_secs(), mx, extensions: Vec::new() })
    }

    /// Reads a policy file.
    ///
    /// Strict where the grammar of §3.2 is: field names and values are case-sensitive, there is
    /// no empty line, no tab inside a value. Lines end in LF or CRLF. Unknown fields are kept as
    /// extensions, and of a repeated field other than `mx` the first counts.
    ///
    /// Lenient in one thing: a `max_age` above the maximum of 31,557,600 s is accepted, and kept
    /// for no longer than that ([`MAX_AGE_LIMIT`](crate::MAX_AGE_LIMIT)); refusing the policy
    /// would leave its domain without protection for asking for too much of it.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(body: &[u8]) -> Result<Self, PolicyError> {
        let text = utf8(body)?;
        let fields = fields(text).collect::<Result<Vec<_>, _>>()?;
        Self::from_fields(text, &fields)
    }

    /// §3.2: "version", "mode" and "max_age" are required once, "mx" at least once except when
    /// the mode is none.
    pub(crate) fn from_fields(text: &str, fields: &[Field<'_>]) -> Result<Self, PolicyError> {
        check_version(text, required(text, fields, "version")?)?;
        let mode = parse_mode(text, required(text, fields, "mode")?)?;
        let max_age = parse_max_age(text, required(text, fields, "max_age")?)?;
        let mx = fields
            .iter()
            .filter(|field| field.name == "mx")
            .map(|field| parse_mx(text, field))
            .collect::<Result<Vec<_>, _>>()?;
        if mx.is_empty() && mode != Mode::None {
            return Err(PolicyError::at(text, text.len(), PolicyFault::Missing { field: "mx" }));
        }
        let extensions = fields
            .iter()
            .filter(|field| !KNOWN_FIELDS.contains(&field.name))
            .map(|field| (field.name.into(), field.value.into()))
            .collect();
        Ok(Self { mode, max_age, mx, extensions })
    }

    /// What to do with a host that is not what the policy says.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// For how long the policy may be kept, as written: 0 to 9,999,999,999 s.
    #[must_use]
    pub const fn max_age(&self) -> Duration {
        Duration::from_secs(self.max_age)
    }

    /// The allowed hosts, in the order of the file. Empty only if the mode is none.
    #[must_use]
    pub fn mx(&self) -> &[MxPattern] {
        &self.mx
    }

    /// Fields that RFC 8461 does not know, in the order of the file.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extensions.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether an MX host is valid by §4.1: "the MX record name matches one or more of the "mx"
    /// fields in the applied policy".
    #[must_use]
    pub fn allows(&self, mx_host: &DomainName) -> bool {
        self.mx.iter().any(|pattern| pattern.matches(mx_host))
    }

    /// The lines of the policy without their ends: the four fields, then the extensions.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let mx = self.mx.iter().map(|pattern| alloc::format!("mx: {pattern}"));
        ["version: STSv1".to_owned(), alloc::format!("mode: {}", self.mode.as_str())]
            .into_iter()
            .chain(mx)
            .chain([alloc::format!("max_age: {}", self.max_age)])
            .chain(self.extensions().map(|(name, value)| alloc::format!("{name}: {value}")))
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The fields that §3.2 defines; all others are extensions.
pub(crate) const KNOWN_FIELDS: [&str; 4] = ["version", "mode", "mx", "max_age"];

/// One line of a policy, split at its colon; offsets are octets from the beginning of the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'t> {
    pub(crate) name: &'t str,
    pub(crate) value: &'t str,
    pub(crate) name_offset: usize,
    pub(crate) value_offset: usize,
}

/// Values are UTF-8 (`sts-policy-ext-value`), all else ASCII.
pub(crate) fn utf8(body: &[u8]) -> Result<&str, PolicyError> {
    core::str::from_utf8(body).map_err(|error| {
        let valid = body.get(..error.valid_up_to()).unwrap_or_default();
        let text = core::str::from_utf8(valid).unwrap_or_default();
        PolicyError::at(text, text.len(), PolicyFault::NotUtf8)
    })
}

/// `sts-policy-record`: fields, each but the last followed by LF or CRLF; the last may be, too.
pub(crate) fn fields(text: &str) -> impl Iterator<Item = Result<Field<'_>, PolicyError>> {
    let mut offset = 0;
    text.strip_suffix('\n').unwrap_or(text).split('\n').map(move |line| {
        let line_offset = offset;
        offset += line.len() + 1;
        parse_field(text, line_offset, line.strip_suffix('\r').unwrap_or(line))
    })
}

/// `sts-policy-field *WSP`, where a field is a name, a colon, white space, a value.
fn parse_field<'t>(text: &str, offset: usize, line: &'t str) -> Result<Field<'t>, PolicyError> {
    let line = line.trim_end_matches([' ', '\t']);
    if line.is_empty() {
        return Err(PolicyError::at(text, offset, PolicyFault::EmptyLine));
    }
    let Some((name, rest)) = line.split_once(':') else {
        return Err(PolicyError::at(text, offset, PolicyFault::NoColon { found: line.into() }));
    };
    if !is_field_name(name) {
        return Err(PolicyError::at(text, offset, PolicyFault::FieldName { found: name.into() }));
    }
    let value = rest.trim_start_matches([' ', '\t']);
    let value_offset = offset + line.len() - value.len();
    if value.is_empty() {
        return Err(PolicyError::at(
            text,
            value_offset,
            PolicyFault::NoValue { field: name.into() },
        ));
    }
    if let Some((index, found)) = value.char_indices().find(|(_, c)| c.is_control()) {
        let fault = PolicyFault::ControlCharacter { field: name.into(), found };
        return Err(PolicyError::at(text, value_offset + index, fault));
    }
    Ok(Field { name, value, name_offset: offset, value_offset })
}

/// `sts-policy-ext-name`, which the four known names fit too: 1 to 32 letters, digits, and
/// behind the first also `_`, `-`, `.`.
fn is_field_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// §3.2: "If any non-repeated field -- i.e., all fields excepting "mx" -- is duplicated, all
/// entries except for the first SHALL be ignored."
fn required<'f, 't>(
    text: &str,
    fields: &'f [Field<'t>],
    name: &'static str,
) -> Result<&'f Field<'t>, PolicyError> {
    fields
        .iter()
        .find(|field| field.name == name)
        .ok_or_else(|| PolicyError::at(text, text.len(), PolicyFault::Missing { field: name }))
}

/// `sts-policy-version-value = %s"STSv1"`
pub(crate) fn check_version(text: &str, field: &Field<'_>) -> Result<(), PolicyError> {
    if field.value == "STSv1" {
        return Ok(());
    }
    let fault = PolicyFault::Version { found: field.value.into() };
    Err(PolicyError::at(text, field.value_offset, fault))
}

/// `sts-policy-model-value = %s"testing" / %s"enforce" / %s"none"`
pub(crate) fn parse_mode(text: &str, field: &Field<'_>) -> Result<Mode, PolicyError> {
    match field.value {
        "enforce" => Ok(Mode::Enforce),
        "testing" => Ok(Mode::Testing),
        "none" => Ok(Mode::None),
        found => {
            let fault = PolicyFault::Mode { found: found.into() };
            Err(PolicyError::at(text, field.value_offset, fault))
        }
    }
}

/// `sts-policy-max-age-value = 1*10(DIGIT)`
pub(crate) fn parse_max_age(text: &str, field: &Field<'_>) -> Result<u64, PolicyError> {
    let digits = field.value;
    let well_formed = digits.len() <= 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| well_formed).ok_or_else(|| {
        let fault = PolicyFault::MaxAge { found: digits.into() };
        PolicyError::at(text, field.value_offset, fault)
    })
}

/// `sts-policy-mx-value = ["*."] Domain`
pub(crate) fn parse_mx(text: &str, field: &Field<'_>) -> Result<MxPattern, PolicyError> {
    MxPattern::parse(field.value)
        .map_err(|error| PolicyError::at(text, field.value_offset, error.with_value(field.value)))
}

/// Why a text is not a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The place of the fault.
    pub position: Position,
    /// The fault.
    pub fault: PolicyFault,
}

impl PolicyError {
    pub(crate) fn at(text: &str, offset: usize, fault: PolicyFault) -> Self {
        Self { position: Position::of(text, offset), fault }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (RFC 8461 §3.2)", self.position, self.fault)
    }
}

impl core::error::Error for PolicyError {}

/// What can be wrong with a policy. The consequence is always the same: the domain has no
/// (new) policy, and an unexpired cached one stays in force (RFC 8461 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyFault {
    /// An octet that is not UTF-8.
    NotUtf8,
    /// A line with nothing in it; also a second line end at the end.
    EmptyLine,
    /// A line without a colon.
    NoColon {
        /// The line.
        found: Box<str>,
    },
    /// A field name that is none; a byte order mark or a space in front lead to this.
    FieldName {
        /// What stands before the colon.
        found: Box<str>,
    },
    /// Nothing behind the colon.
    NoValue {
        /// The field.
        field: Box<str>,
    },
    /// A control character in a value: a tab, a lone CR, a NUL.
    ControlCharacter {
        /// The field.
        field: Box<str>,
        /// The character.
        found: char,
    },
    /// A required field is not there.
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A version other than `STSv1`.
    Version {
        /// The value.
        found: Box<str>,
    },
    /// A mode other than the three.
    Mode {
        /// The value.
        found: Box<str>,
    },
    /// Not 1 to 10 digits.
    MaxAge {
        /// The value.
        found: Box<str>,
    },
    /// Not a host name or wildcard.
    Mx {
        /// The value.
        found: Box<str>,
        /// What is wrong with it.
        error: MxPatternError,
    },
}

impl PolicyFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotUtf8 => "policy-not-utf8",
            Self::EmptyLine => "policy-empty-line",
            Self::NoColon { .. } => "policy-no-colon",
            Self::FieldName { .. } => "policy-field-name",
            Self::NoValue { .. } => "policy-no-value",
            Self::ControlCharacter { .. } => "policy-control-character",
            Self::Missing { .. } => "policy-field-missing",
            Self::Version { .. } => "policy-version",
            Self::Mode { .. } => "policy-mode",
            Self::MaxAge { .. } => "policy-max-age",
            Self::Mx { .. } => "policy-mx",
        }
    }
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => write!(f, "expected UTF-8, found another octet"),
            Self::EmptyLine => write!(f, "expected \"field: value\", found an empty line"),
            Self::NoColon { found } => {
                write!(f, "expected \"field: value\", found {found:?} without a colon")
            }
            Self::FieldName { found } => {
                write!(f, "expected a field name of 1 to 32 letters and digits, found {found:?}")
            }
            Self::NoValue { field } => write!(f, "{field}: expected a value, found nothing"),
            Self::ControlCharacter { field, found } => {
                write!(f, "{field}: expected printable characters, found {found:?}")
            }
            Self::Missing { field } => write!(f, "{field}: expected this field, found none"),
            Self::Version { found } => write!(f, "version: expected \"STSv1\", found {found:?}"),
            Self::Mode { found } => {
                write!(f, "mode: expected \"enforce\", \"testing\" or \"none\", found {found:?}")
            }
            Self::MaxAge { found } => {
                write!(f, "max_age: expected 1 to 10 digits, found {found:?}")
            }
            Self::Mx { found, error } => write!(f, "mx: {found:?}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const GOOD: &str = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 86400\n";

    fn good(text: &str) -> Policy {
        let policy = Policy::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert_eq!(Policy::parse(policy.to_string().as_bytes()), Ok(policy.clone()), "{text:?}");
        policy
    }

    fn bad(text: &str, line: usize, column: usize, fault: &PolicyFault) {
        let error = Policy::parse(text.as_bytes()).expect_err(text);
        assert_eq!((&error.fault, error.position), (fault, Position { line, column }), "{text:?}");
    }

    #[test]
    fn line_ends_and_white_space() {
        good(GOOD);
        good(GOOD.trim_end()); // no final line end
        good(&GOOD.replace('\n', "\r\n"));
        good(&GOOD.replace(": ", ":")); // *WSP
        good(&GOOD.replace(": ", ": \t "));
        good(&GOOD.replace('\n', " \t\r\n")); // *WSP before the line end
        bad(&GOOD.replace('\n', "\r"), 1, 15, &control("version", '\r'));
        bad(&(GOOD.to_owned() + "\n"), 5, 1, &PolicyFault::EmptyLine);
        bad("", 1, 1, &PolicyFault::EmptyLine);
        bad(&GOOD.replace("\nmode", "\n\nmode"), 2, 1, &PolicyFault::EmptyLine);
        bad(&GOOD.replace("\nmode", "\n mode"), 2, 1, &name(" mode"));
        bad(&GOOD.replace("mode:", "mode :"), 2, 1, &name("mode "));
    }

    #[test]
    fn octets() {
        bad(&("\u{feff}".to_owned() + GOOD), 1, 1, &name("\u{feff}version"));
        bad(&GOOD.replace("mail", "ma\u{0}il"), 3, 7, &control("mx", '\0'));
        let mut body = GOOD.as_bytes().to_vec();
        body[20] = 0xff;
        let error = Policy::parse(&body).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2, column 6: expected UTF-8, found another octet (RFC 8461 §3.2)"
        );
        let html = "<!DOCTYPE html>\n<title>Not found</title>\n";
        bad(html, 1, 1, &PolicyFault::NoColon { found: "<!DOCTYPE html>".into() });
    }

    #[test]
    fn extensions() {
        let policy =
            good(&(GOOD.to_owned() + "note: grüße = { x }\nsee.also: https://example.com\n"));
        assert_eq!(
            policy.extensions().collect::<Vec<_>>(),
            [("note", "grüße = { x }"), ("see.also", "https://example.com")]
        );
        bad(&(GOOD.to_owned() + "note:\n"), 5, 6, &PolicyFault::NoValue { field: "note".into() });
        bad(&(GOOD.to_owned() + "_x: 1\n"), 5, 1, &name("_x"));
        bad(&(GOOD.to_owned() + "note: a\tb\n"), 5, 8, &control("note", '\t'));
        let long = "a".repeat(33);
        bad(&(GOOD.to_owned() + &long + ": 1\n"), 5, 1, &name(&long));
    }

    fn name(found: &str) -> PolicyFault {
        PolicyFault::FieldName { found: found.into() }
    }

    fn control(field: &str, found: char) -> PolicyFault {
        PolicyFault::ControlCharacter { field: field.into(), found }
    }
}
