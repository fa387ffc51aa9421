//! The TXT record at `_smtp._tls.<domain>` (RFC 8460 §3).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DnsQuestion, DomainName, DomainNameError, Position, RecordType};

use crate::{ReportUri, ReportUriError};

/// The beginning of every record that counts; all other texts are none of ours.
const PREFIX: &str = "v=TLSRPTv1;";

/// Where the record of a policy domain stands.
///
/// The policy domain is the mail domain for MTA-STS, and the TLSA base domain, a host, for DANE
/// (RFC 8460 §4.4).
///
/// # Errors
/// If the domain is so long that the name has more than 253 octets.
pub fn record_question(domain: &DomainName) -> Result<DnsQuestion, DomainNameError> {
    Ok(DnsQuestion::new(domain.below("_smtp._tls")?, RecordType::Txt))
}

/// A valid record. It says that the domain wants reports, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    rua: Vec<ReportUri>,
    extensions: Vec<(Box<str>, Box<str>)>,
}

impl Record {
    /// Reads one record, its strings joined already.
    ///
    /// Strict where the grammar of §3 is. Lenient in one thing: a URI with a scheme that RFC 8460
    /// does not support is passed over if there is another that can be used; the rest of the
    /// record is still a request for reports.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &[u8]) -> Result<Self, RecordError> {
        let text = ascii(text)?;
        let fields = fields(text)?.collect::<Result<Vec<_>, _>>()?;
        Self::from_fields(text, &fields)
    }

    /// §3: "rua" is required. The RFC does not say what a repeated field means; as with MTA-STS
    /// (RFC 8461 §3.2), it counts the first time.
    pub(crate) fn from_fields(text: &str, fields: &[Field<'_>]) -> Result<Self, RecordError> {
        let field = fields
            .iter()
            .find(|field| field.name == RUA)
            .ok_or_else(|| RecordError::at(text, text.len(), RecordFault::RuaMissing))?;
        let mut rua = Vec::new();
        let mut unsupported = None;
        for (offset, uri) in uris(field) {
            match parse_uri(text, offset, uri) {
                Ok(uri) => rua.push(uri),
                Err(error) if error.is_unsupported() => unsupported = unsupported.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        if let (true, Some(error)) = (rua.is_empty(), unsupported) {
            return Err(error);
        }
        let extensions = fields
            .iter()
            .filter(|field| field.name != RUA)
            .map(|field| (field.name.into(), field.value.into()))
            .collect();
        Ok(Self { rua, extensions })
    }

    /// Where the reports go, in the order of the record; at least one.
    #[must_use]
    pub fn rua(&self) -> &[ReportUri] {
        &self.rua
    }

    /// Fields that RFC 8460 does not know, in the order of the record.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extensions.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX} rua=")?;
        let mut separator = "";
        for uri in &self.rua {
            write!(f, "{separator}{uri}")?;
            separator = ",";
        }
        write!(f, ";")?;
        self.extensions().try_for_each(|(name, value)| write!(f, " {name}={value};"))
    }
}

/// The one record of a domain, out of all texts found at its name.
///
/// §3: "records that do not begin with "v=TLSRPTv1;" are discarded. If the number of resulting
/// records is not one, senders MUST assume the recipient domain does not implement TLSRPT."
///
/// # Errors
/// [`NoRecord`] says why there is none. Then no report is sent.
pub fn select<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Result<Record, NoRecord> {
    let mut ours = texts.into_iter().filter(|text| text.starts_with(PREFIX.as_bytes()));
    let record = ours.next().ok_or(NoRecord::Absent)?;
    match ours.count() {
        0 => Record::parse(record).map_err(NoRecord::Invalid),
        more => Err(NoRecord::Several { count: more + 1 }),
    }
}

/// Why a domain has no usable record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRecord {
    /// No text begins with `v=TLSRPTv1;`.
    Absent,
    /// More than one does.
    Several {
        /// How many.
        count: usize,
    },
    /// The only one is not well-formed.
    Invalid(RecordError),
}

impl fmt::Display for NoRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "no record begins with \"{PREFIX}\""),
            Self::Several { count } => {
                write!(
                    f,
                    "expected one record that begins with \"{PREFIX}\", found {count} (RFC 8460 §3)"
                )
            }
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for NoRecord {}

/// The one field that §3 defines besides the version; all others are extensions.
pub(crate) const RUA: &str = "rua";

/// One `name=value` of a record; offsets are octets from the beginning of the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'t> {
    pub(crate) name: &'t str,
    pub(crate) value: &'t str,
    pub(crate) name_offset: usize,
    pub(crate) value_offset: usize,
}

pub(crate) fn ascii(text: &[u8]) -> Result<&str, RecordError> {
    let end = text.iter().position(|octet| !octet.is_ascii()).unwrap_or(text.len());
    let valid = core::str::from_utf8(&text[..end]).unwrap_or_default();
    if end == text.len() {
        return Ok(valid);
    }
    let fault = RecordFault::NotAscii { found: text[end] };
    Err(RecordError::at(valid, end, fault))
}

/// `tlsrpt-record = tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]`
pub(crate) fn fields(
    text: &str,
) -> Result<impl Iterator<Item = Result<Field<'_>, RecordError>>, RecordError> {
    let version = |offset| {
        let found = text.split(';').next().unwrap_or_default().into();
        RecordError::at(text, offset, RecordFault::Version { found })
    };
    let rest = text.strip_prefix("v=TLSRPTv1").ok_or_else(|| version(0))?;
    let mut offset = text.len() - rest.len();
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix(';');
    let rest = rest.ok_or_else(|| version(offset))?;
    offset = text.len() - rest.len();
    // The delimiter behind the last field is optional, and white space belongs to it.
    let body = rest.trim_end_matches([' ', '\t']);
    let body = body.strip_suffix(';').unwrap_or(body);
    Ok(body.split(';').map(move |part| {
        let part_offset = offset;
        offset += part.len() + 1;
        parse_field(text, part_offset, part)
    }))
}

/// `tlsrpt-ext-name "=" tlsrpt-ext-value`, or `rua=` and its list, which has characters that
/// other values have not.
fn parse_field<'t>(text: &str, offset: usize, part: &'t str) -> Result<Field<'t>, RecordError> {
    let field = part.trim_matches([' ', '\t']);
    let name_offset = offset + part.len() - part.trim_start_matches([' ', '\t']).len();
    if field.is_empty() {
        return Err(RecordError::at(text, name_offset, RecordFault::EmptyField));
    }
    let Some((name, value)) = field.split_once('=') else {
        let fault = RecordFault::NoEquals { found: field.into() };
        return Err(RecordError::at(text, name_offset, fault));
    };
    if !is_field_name(name) {
        let fault = RecordFault::FieldName { found: name.into() };
        return Err(RecordError::at(text, name_offset, fault));
    }
    let value_offset = name_offset + name.len() + 1;
    if value.is_empty() {
        let fault = RecordFault::NoValue { field: name.into() };
        return Err(RecordError::at(text, value_offset, fault));
    }
    let stranger = value.char_indices().find(|(_, c)| name != RUA && !is_value_character(*c));
    if let Some((index, found)) = stranger {
        let fault = RecordFault::ValueCharacter { field: name.into(), found };
        return Err(RecordError::at(text, value_offset + index, fault));
    }
    Ok(Field { name, value, name_offset, value_offset })
}

/// `tlsrpt-ext-name = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")`
fn is_field_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet))
}

/// `tlsrpt-ext-value = 1*(%x21-3A / %x3C / %x3E-7E)`: printable, without `=`, `;` and space.
fn is_value_character(c: char) -> bool {
    c.is_ascii_graphic() && c != '=' && c != ';'
}

/// `tlsrpt-rua = %s"rua=" tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri)`: each URI and its offset. There
/// is no white space in front of the first.
pub(crate) fn uris<'t>(field: &Field<'t>) -> impl Iterator<Item = (usize, &'t str)> {
    let mut offset = field.value_offset;
    let mut is_first = true;
    field.value.split(',').map(move |part| {
        let part_offset = offset;
        offset += part.len() + 1;
        let uri = part.trim_end_matches([' ', '\t']);
        if core::mem::take(&mut is_first) {
            return (part_offset, uri);
        }
        let trimmed = uri.trim_start_matches([' ', '\t']);
        (part_offset + uri.len() - trimmed.len(), trimmed)
    })
}

pub(crate) fn parse_uri(text: &str, offset: usize, uri: &str) -> Result<ReportUri, RecordError> {
    if uri.is_empty() {
        return Err(RecordError::at(text, offset, RecordFault::EmptyUri));
    }
    ReportUri::parse(uri).map_err(|error| RecordError::at(text, offset, error.with_value(uri)))
}

/// Why a text is not a record, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The place of the fault; records have one line.
    pub position: Position,
    /// The fault.
    pub fault: RecordFault,
}

impl RecordError {
    pub(crate) fn at(text: &str, offset: usize, fault: RecordFault) -> Self {
        Self { position: Position::of(text, offset), fault }
    }

    /// Whether a URI is well-formed but of a scheme that no report goes to.
    fn is_unsupported(&self) -> bool {
        matches!(self.fault, RecordFault::Rua { error: ReportUriError::Scheme { .. }, .. })
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (RFC 8460 §3)", self.position, self.fault)
    }
}

impl core::error::Error for RecordError {}

/// What can be wrong with a record. The consequence is always the same: the domain gets no
/// reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// An octet beyond ASCII.
    NotAscii {
        /// The octet.
        found: u8,
    },
    /// Does not begin with `v=TLSRPTv1` and a semicolon.
    Version {
        /// What stands before the first semicolon.
        found: Box<str>,
    },
    /// Nothing between two semicolons, or behind the version.
    EmptyField,
    /// A field without `=`.
    NoEquals {
        /// The field.
        found: Box<str>,
    },
    /// A field name that is none.
    FieldName {
        /// What stands before the `=`.
        found: Box<str>,
    },
    /// Nothing behind the `=`.
    NoValue {
        /// The field.
        field: Box<str>,
    },
    /// A character that no value has.
    ValueCharacter {
        /// The field.
        field: Box<str>,
        /// The character.
        found: char,
    },
    /// There is no `rua`.
    RuaMissing,
    /// Nothing between two commas of `rua`.
    EmptyUri,
    /// A URI of `rua` that no report can go to.
    Rua {
        /// The URI.
        found: Box<str>,
        /// What is wrong with it.
        error: ReportUriError,
    },
}

impl RecordFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAscii { .. } => "tlsrpt-not-ascii",
            Self::Version { .. } => "tlsrpt-version",
            Self::EmptyField => "tlsrpt-empty-field",
            Self::NoEquals { .. } => "tlsrpt-no-equals",
            Self::FieldName { .. } => "tlsrpt-field-name",
            Self::NoValue { .. } => "tlsrpt-no-value",
            Self::ValueCharacter { .. } => "tlsrpt-value-character",
            Self::RuaMissing => "tlsrpt-rua-missing",
            Self::EmptyUri => "tlsrpt-rua-empty",
            Self::Rua { error: ReportUriError::Scheme { .. }, .. } => "tlsrpt-rua-scheme",
            Self::Rua { error: ReportUriError::ExclamationMark, .. } => "tlsrpt-rua-size",
            Self::Rua { .. } => "tlsrpt-rua",
        }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAscii { found } => write!(f, "expected ASCII, found the octet 0x{found:02x}"),
            Self::Version { found } => write!(f, "v: expected \"{PREFIX}\", found {found:?}"),
            Self::EmptyField => write!(f, "expected \"name=value\", found nothing"),
            Self::NoEquals { found } => write!(f, "expected \"name=value\", found {found:?}"),
            Self::FieldName { found } => {
                write!(f, "expected a field name of 1 to 32 letters and digits, found {found:?}")
            }
            Self::NoValue { field } => write!(f, "{field}: expected a value, found nothing"),
            Self::ValueCharacter { field, found } => {
                write!(
                    f,
                    "{field}: expected printable characters without space, = and ;, found {found:?}"
                )
            }
            Self::RuaMissing => write!(f, "rua: expected this field, found none"),
            Self::EmptyUri => write!(f, "rua: expected mailto: or https:, found nothing"),
            Self::Rua { found, error } => write!(f, "rua: {found:?}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn good(text: &str, rua: &[&str]) {
        let record = Record::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        let found: Vec<_> = record.rua().iter().map(ReportUri::as_str).collect();
        assert_eq!(found, rua, "{text:?}");
        assert_eq!(Record::parse(record.to_string().as_bytes()), Ok(record), "{text:?}");
    }

    fn bad(text: &str, column: usize, fault: RecordFault) {
        let error = Record::parse(text.as_bytes()).expect_err(text);
        assert_eq!((error.fault, error.position.column), (fault, column), "{text:?}");
    }

    #[test]
    fn records() {
        let mail = "mailto:tls@example.com";
        good("v=TLSRPTv1;rua=mailto:tls@example.com", &[mail]);
        good("v=TLSRPTv1 ; rua=mailto:tls@example.com ; ", &[mail]); // *WSP ";" *WSP
        good("v=TLSRPTv1; x=1; rua=mailto:tls@example.com", &[mail]);
        good("v=TLSRPTv1; rua=mailto:tls@example.com; rua=y", &[mail]); // the first counts
        good(
            "v=TLSRPTv1; rua=mailto:tls@example.com \t,https://example.com/?a=b , mailto:x@y.test",
            &[mail, "https://example.com/?a=b", "mailto:x@y.test"],
        );
        good("v=TLSRPTv1; rua=ftp://x.test,mailto:tls@example.com", &[mail]);

        let version = |found: &str| RecordFault::Version { found: found.into() };
        bad("", 1, version(""));
        bad("v=TLSRPTv1", 11, version("v=TLSRPTv1"));
        bad("v=TLSRPTv10; rua=x", 11, version("v=TLSRPTv10"));
        bad("v=tlsrptv1; rua=x", 1, version("v=tlsrptv1"));
        bad("v=TLSRPTv1;", 12, RecordFault::EmptyField);
        bad("v=TLSRPTv1; x=1", 16, RecordFault::RuaMissing);
        bad("v=TLSRPTv1; RUA=mailto:a@b.test", 32, RecordFault::RuaMissing); // %s"rua="
        bad("v=TLSRPTv1; rua", 13, RecordFault::NoEquals { found: "rua".into() });
        bad("v=TLSRPTv1; rua=", 17, RecordFault::NoValue { field: "rua".into() });
        bad("v=TLSRPTv1; rua =x", 13, RecordFault::FieldName { found: "rua ".into() });
        bad("v=TLSRPTv1; rua=mailto:a@b.test,", 33, RecordFault::EmptyUri);
        bad(
            "v=TLSRPTv1; rua=mailto:a@b.test; x=a b",
            37,
            RecordFault::ValueCharacter { field: "x".into(), found: ' ' },
        );
        let rua = |found: &str, error| RecordFault::Rua { found: found.into(), error };
        bad(
            "v=TLSRPTv1; rua= mailto:a@b.test",
            17,
            rua(" mailto:a@b.test", ReportUriError::Character { found: ' ' }),
        );
        bad("v=TLSRPTv1; rua=a@b.test, mailto:a", 17, rua("a@b.test", ReportUriError::NoScheme));
        bad(
            "v=TLSRPTv1; rua=http://a.test, ftp:x",
            17,
            rua("http://a.test", ReportUriError::Scheme { found: "http".into() }),
        );
        assert_eq!(
            Record::parse(b"v=TLSRPTv1; rua=mailto:\xc3\xa4@b.test").unwrap_err().to_string(),
            "line 1, column 24: expected ASCII, found the octet 0xc3 (RFC 8460 §3)"
        );
    }
}
