//! The TXT record at `_smtp._tls.<domain>` (RFC 8460 §3).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{
    DnsQuestion, DomainName, DomainNameError, Position, RecordField, RecordFieldError,
    RecordFieldFault, RecordType,
};

use crate::{ReportUri, ReportUriError};

/// `tlsrpt-version = %s"v=TLSRPTv1"`
pub(crate) const VERSION: &str = "v=TLSRPTv1";

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
        let text = RecordField::ascii(text)?;
        let fields = RecordField::all(text, VERSION, Some(RUA))?.collect::<Result<Vec<_>, _>>()?;
        Self::from_fields(text, &fields)
    }

    /// §3: "rua" is required. The RFC does not say what a repeated field means; as with MTA-STS
    /// (RFC 8461 §3.2), it counts the first time.
    pub(crate) fn from_fields(text: &str, fields: &[RecordField<'_>]) -> Result<Self, RecordError> {
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

/// `tlsrpt-rua = %s"rua=" tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri)`: each URI and its offset. There
/// is no white space in front of the first.
pub(crate) fn uris<'t>(field: &RecordField<'t>) -> impl Iterator<Item = (usize, &'t str)> {
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

impl From<RecordFieldError> for RecordError {
    fn from(error: RecordFieldError) -> Self {
        Self { position: error.position, fault: RecordFault::Field(error.fault) }
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
    /// Not the grammar of a record: `tlsrpt-record = tlsrpt-version 1*(field-delim tlsrpt-field)
    /// [field-delim]`.
    Field(RecordFieldFault),
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
            Self::Field(fault) => fault.code(),
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
            Self::Field(fault) => fault.fmt(f),
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

        let version = |found: &str| {
            RecordFault::Field(RecordFieldFault::Version { expected: VERSION, found: found.into() })
        };
        bad("", 1, version(""));
        bad("v=TLSRPTv1", 11, version("v=TLSRPTv1"));
        bad("v=TLSRPTv10; rua=x", 11, version("v=TLSRPTv10"));
        bad("v=tlsrptv1; rua=x", 1, version("v=tlsrptv1"));
        bad("v=TLSRPTv1;", 12, RecordFault::Field(RecordFieldFault::Empty));
        bad("v=TLSRPTv1; x=1", 16, RecordFault::RuaMissing);
        bad("v=TLSRPTv1; RUA=mailto:a@b.test", 32, RecordFault::RuaMissing); // %s"rua="
        bad(
            "v=TLSRPTv1; rua",
            13,
            RecordFault::Field(RecordFieldFault::NoEquals { found: "rua".into() }),
        );
        bad(
            "v=TLSRPTv1; rua=",
            17,
            RecordFault::Field(RecordFieldFault::NoValue { field: "rua".into() }),
        );
        bad(
            "v=TLSRPTv1; rua =x",
            13,
            RecordFault::Field(RecordFieldFault::Name { found: "rua ".into() }),
        );
        bad("v=TLSRPTv1; rua=mailto:a@b.test,", 33, RecordFault::EmptyUri);
        bad(
            "v=TLSRPTv1; rua=mailto:a@b.test; x=a b",
            37,
            RecordFault::Field(RecordFieldFault::ValueCharacter { field: "x".into(), found: ' ' }),
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
