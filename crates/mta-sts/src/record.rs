//! The TXT record at `_mta-sts.<domain>` (RFC 8461 §3.1).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{
    DnsQuestion, DomainName, DomainNameError, Position, RecordField, RecordFieldError,
    RecordFieldFault, RecordType,
};

/// `sts-version = %s"v=STSv1"`
pub(crate) const VERSION: &str = "v=STSv1";

/// The beginning of every record that counts; all other texts are none of ours.
const PREFIX: &str = "v=STSv1;";

/// Where the record of a policy domain stands.
///
/// # Errors
/// If the domain is so long that the name has more than 253 octets.
pub fn record_question(domain: &DomainName) -> Result<DnsQuestion, DomainNameError> {
    Ok(DnsQuestion::new(domain.below("_mta-sts")?, RecordType::Txt))
}

/// The name of one state of a policy: 1 to 32 letters and digits, case-sensitive, without order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId(Box<str>);

impl PolicyId {
    /// `sts-id-value = 1*32(ALPHA / DIGIT)`. `None` if the text is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed =
            (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        well_formed.then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A valid record. It says that there is a policy, and which state of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    id: PolicyId,
    extensions: Vec<(Box<str>, Box<str>)>,
}

impl Record {
    /// Reads one record, its strings joined already.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &[u8]) -> Result<Self, RecordError> {
        let text = RecordField::ascii(text)?;
        let fields = RecordField::all(text, VERSION, None)?.collect::<Result<Vec<_>, _>>()?;
        Self::from_fields(text, &fields)
    }

    /// §3.1: "id" is required. A repeated field counts the first time (§3.2, which speaks of
    /// "TXT records and policy files").
    pub(crate) fn from_fields(text: &str, fields: &[RecordField<'_>]) -> Result<Self, RecordError> {
        let id = fields
            .iter()
            .find(|field| field.name == "id")
            .ok_or_else(|| RecordError::at(text, text.len(), RecordFault::IdMissing))?;
        let id = parse_id(text, id)?;
        let extensions = fields
            .iter()
            .filter(|field| field.name != "id")
            .map(|field| (field.name.into(), field.value.into()))
            .collect();
        Ok(Self { id, extensions })
    }

    /// The id of the policy's present state.
    #[must_use]
    pub const fn id(&self) -> &PolicyId {
        &self.id
    }

    /// Fields that RFC 8461 does not know, in the order of the record.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extensions.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX} id={};", self.id)?;
        self.extensions().try_for_each(|(name, value)| write!(f, " {name}={value};"))
    }
}

/// The one record of a domain, out of all texts found at its name.
///
/// §3.1: "records that do not begin with "v=STSv1;" are discarded. If the number of resulting
/// records is not one, or if the resulting record is syntactically invalid", there is no policy.
///
/// # Errors
/// [`NoRecord`] says why there is none. A cached policy stays in force all the same (§5.1).
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
    /// No text begins with `v=STSv1;`.
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
            Self::Absent => write!(f, "no MTA-STS record"),
            Self::Several { count } => {
                write!(
                    f,
                    "expected one record that begins with \"{PREFIX}\", found {count} (RFC 8461 §3.1)"
                )
            }
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for NoRecord {}

/// `sts-id = %s"id=" 1*32(ALPHA / DIGIT)`
pub(crate) fn parse_id(text: &str, field: &RecordField<'_>) -> Result<PolicyId, RecordError> {
    PolicyId::parse(field.value).ok_or_else(|| {
        let fault = RecordFault::Id { found: field.value.into() };
        RecordError::at(text, field.value_offset, fault)
    })
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
}

impl From<RecordFieldError> for RecordError {
    fn from(error: RecordFieldError) -> Self {
        Self { position: error.position, fault: RecordFault::Field(error.fault) }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (RFC 8461 §3.1)", self.position, self.fault)
    }
}

impl core::error::Error for RecordError {}

/// What can be wrong with a record. The consequence is always the same: the domain publishes no
/// usable record (RFC 8461 §3.1), and an unexpired cached policy stays in force (§5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// Not the grammar of a record: `sts-text-record = sts-version 1*(sts-field-delim sts-field)
    /// [sts-field-delim]`.
    Field(RecordFieldFault),
    /// There is no `id`.
    IdMissing,
    /// The `id` is not 1 to 32 letters and digits.
    Id {
        /// The value.
        found: Box<str>,
    },
}

impl RecordFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Field(fault) => fault.code(),
            Self::IdMissing => "record-id-missing",
            Self::Id { .. } => "record-id",
        }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(fault) => fault.fmt(f),
            Self::IdMissing => write!(f, "id: expected this field, found none"),
            Self::Id { found } => {
                write!(f, "id: expected 1 to 32 letters and digits, found {found:?}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn good(text: &str, id: &str) {
        let record = Record::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert_eq!(record.id().as_str(), id, "{text:?}");
        assert_eq!(Record::parse(record.to_string().as_bytes()), Ok(record), "{text:?}");
    }

    fn bad(text: &str, column: usize, fault: RecordFault) {
        let error = Record::parse(text.as_bytes()).expect_err(text);
        assert_eq!((error.fault, error.position.column), (fault, column), "{text:?}");
    }

    #[test]
    fn records() {
        good("v=STSv1; id=20160831085700Z;", "20160831085700Z"); // RFC 8461 Appendix A
        good("v=STSv1;id=1", "1");
        good("v=STSv1 ; id=1 ; ", "1"); // *WSP ";" *WSP
        good("v=STSv1; x=1; id=a", "a"); // the order of other fields is not significant
        good("v=STSv1; id=1; id=2", "1"); // the first counts
        good(&("v=STSv1; id=".to_string() + &"a".repeat(32)), &"a".repeat(32));

        let version = RecordFieldFault::Version { expected: VERSION, found: "v=STSv10".into() };
        bad("v=STSv10; id=1", 8, RecordFault::Field(version));
        bad("v=STSv1;", 9, RecordFault::Field(RecordFieldFault::Empty));
        bad("v=STSv1; x=1", 13, RecordFault::IdMissing);
        bad("v=STSv1; ID=1", 14, RecordFault::IdMissing); // case-sensitive
        bad("v=STSv1; id=2026-01", 13, RecordFault::Id { found: "2026-01".into() });
        let long = "a".repeat(33);
        bad(&("v=STSv1; id=".to_string() + &long), 13, RecordFault::Id { found: long.into() });
        assert_eq!(
            Record::parse(b"v=STSv1; id=\xff").unwrap_err().to_string(),
            "line 1, column 13: expected ASCII, found the octet 0xff (RFC 8461 §3.1)"
        );
    }
}
