//! TLSA records as people and zone files write them (RFC 6698 §2.2, RFC 1035 §5.1).
//!
//! One record is `3 1 1 e3b0…`: three numbers and hex, with white space in the hex if need be. It
//! may stand alone or behind owner, TTL and class as in a zone file; in one line or, between
//! parentheses, in several. A comment begins with a semicolon.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DomainName, DomainNameError, Position, TlsaRdata};

use crate::{Tlsa, TlsaFault};

impl Tlsa {
    /// Reads one record in presentation form, alone or as in a zone file.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse_presentation(text: &str) -> Result<Self, PresentationError> {
        let mut entries = entries(text).into_iter();
        let Some(entry) = entries.next() else {
            let fault = PresentationFault::Missing { field: "record" };
            return Err(PresentationError::at(text, text.len(), fault));
        };
        let tlsa = read(text, &entry?)?.understand(text)?;
        match entries.next() {
            None => Ok(tlsa),
            Some(entry) => {
                let offset = entry?.first().map_or(text.len(), |word| word.offset);
                let fault = PresentationFault::Several;
                Err(PresentationError::at(text, offset, fault))
            }
        }
    }
}

/// Reads any number of records; lines that are empty or comments are skipped.
///
/// Numbers that nobody has defined and digests of the wrong length are no fault here: such
/// records exist in the DNS, and are then [`Unusable`](crate::Unusable).
///
/// # Errors
/// The first fault, with its place.
pub fn parse_records(text: &str) -> Result<Vec<TlsaRdata>, PresentationError> {
    entries(text).into_iter().map(|entry| Ok(read(text, &entry?)?.rdata)).collect()
}

/// What stands between white space; offsets are octets from the beginning of the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word<'t> {
    pub(crate) text: &'t str,
    pub(crate) offset: usize,
}

impl Word<'_> {
    fn end(&self) -> usize {
        self.offset + self.text.len()
    }
}

/// The words of each record, at least one.
///
/// RFC 1035 §5.1: an entry is a line, or several between parentheses; `;` begins a comment.
pub(crate) fn entries(text: &str) -> Vec<Result<Vec<Word<'_>>, PresentationError>> {
    let mut entries = Vec::new();
    let mut words = Vec::new();
    let mut open: Option<usize> = None;
    let mut line_offset = 0;
    for line in text.split_inclusive('\n') {
        let content = line.split(';').next().unwrap_or_default();
        for word in split_words(content, line_offset) {
            match (word.text, open) {
                ("(", None) => open = Some(word.offset),
                (")", Some(_)) => open = None,
                ("(" | ")", _) => {
                    let fault = PresentationFault::Parenthesis;
                    entries.push(Err(PresentationError::at(text, word.offset, fault)));
                    (words, open) = (Vec::new(), None);
                    break;
                }
                _ => words.push(word),
            }
        }
        line_offset += line.len();
        if open.is_none() && !words.is_empty() {
            entries.push(Ok(core::mem::take(&mut words)));
        }
    }
    if let Some(offset) = open {
        let fault = PresentationFault::Parenthesis;
        entries.push(Err(PresentationError::at(text, offset, fault)));
    }
    entries
}

/// Words and parentheses; a parenthesis needs no space around it.
fn split_words(line: &str, line_offset: usize) -> impl Iterator<Item = Word<'_>> {
    let mut rest = line;
    core::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let length = match first {
            '(' | ')' => 1,
            _ => {
                rest.find(|c: char| c.is_whitespace() || c == '(' || c == ')').unwrap_or(rest.len())
            }
        };
        let offset = line_offset + line.len() - rest.len();
        let (text, behind) = rest.split_at(length);
        rest = behind;
        Some(Word { text, offset })
    })
}

/// One record, its numbers and hex read, and where they stand.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) owner: Option<DomainName>,
    pub(crate) rdata: TlsaRdata,
    pub(crate) offset: usize,
    selector_offset: usize,
    matching_type_offset: usize,
    pub(crate) data_offset: usize,
}

impl Located {
    /// What the record means; a fault is where its field is.
    pub(crate) fn understand(&self, text: &str) -> Result<Tlsa, PresentationError> {
        Tlsa::parse(&self.rdata).map_err(|fault| {
            let offset = match fault {
                TlsaFault::Usage { .. } => self.offset,
                TlsaFault::Selector { .. } => self.selector_offset,
                TlsaFault::MatchingType { .. } => self.matching_type_offset,
                TlsaFault::DigestLength { .. }
                | TlsaFault::NotCertificate
                | TlsaFault::NotPublicKey => self.data_offset,
            };
            PresentationError::at(text, offset, PresentationFault::Tlsa(fault))
        })
    }
}

/// `[owner] [TTL] [class] TLSA usage selector matching-type data`, or only the last four.
pub(crate) fn read(text: &str, entry: &[Word<'_>]) -> Result<Located, PresentationError> {
    let record_type = entry.iter().position(|word| word.text.eq_ignore_ascii_case("TLSA"));
    let (owner, fields) = match record_type {
        Some(index) => (read_owner(text, &entry[..index])?, &entry[index + 1..]),
        None => (None, entry),
    };
    let end = entry.last().map_or(text.len(), Word::end);
    let mut fields = fields.iter();
    let mut number = |field| read_number(text, fields.next(), field, end);
    let (usage, offset) = number("certificate usage")?;
    let (selector, selector_offset) = number("selector")?;
    let (matching_type, matching_type_offset) = number("matching type")?;
    let (data, data_offset) = read_hex(text, fields.as_slice(), end)?;
    Ok(Located {
        owner,
        rdata: TlsaRdata { usage, selector, matching_type, data },
        offset,
        selector_offset,
        matching_type_offset,
        data_offset,
    })
}

/// RFC 1035 §5.1: TTL and class in either order, the owner before them or left out.
fn read_owner(text: &str, words: &[Word<'_>]) -> Result<Option<DomainName>, PresentationError> {
    let is_ttl = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(is_ttl_octet)
    };
    let is_setting = |text: &str| text.eq_ignore_ascii_case("IN") || is_ttl(text);
    let (owner, settings) = match words.split_first() {
        Some((first, rest)) if !is_setting(first.text) => (Some(first), rest),
        _ => (None, words),
    };
    if let Some(word) = settings.iter().find(|word| !is_setting(word.text)) {
        let fault = PresentationFault::Setting { found: word.text.into() };
        return Err(PresentationError::at(text, word.offset, fault));
    }
    match owner {
        None => Ok(None),
        Some(word) if word.text == "@" => Ok(None),
        Some(word) => DomainName::parse(word.text).map(Some).map_err(|error| {
            let found = word.text.into();
            let fault = PresentationFault::Owner { found, error };
            PresentationError::at(text, word.offset, fault)
        }),
    }
}

/// Seconds, or numbers with units as in `1h30m`.
fn is_ttl_octet(octet: u8) -> bool {
    octet.is_ascii_digit() || b"smhdw".contains(&octet.to_ascii_lowercase())
}

/// RFC 6698 §2.2: the certificate usage "MUST be represented as an 8-bit unsigned integer", and so
/// the other two.
fn read_number(
    text: &str,
    word: Option<&Word<'_>>,
    field: &'static str,
    end: usize,
) -> Result<(u8, usize), PresentationError> {
    let Some(word) = word else {
        let fault = PresentationFault::Missing { field };
        return Err(PresentationError::at(text, end, fault));
    };
    let digits = word.text;
    let well_formed = digits.bytes().all(|octet| octet.is_ascii_digit());
    match digits.parse().ok().filter(|_| well_formed) {
        Some(number) => Ok((number, word.offset)),
        None => {
            let found = digits.into();
            let fault = PresentationFault::Number { field, found };
            Err(PresentationError::at(text, word.offset, fault))
        }
    }
}

/// RFC 6698 §2.2: "a string of hexadecimal characters. Whitespace is allowed within the string".
fn read_hex(
    text: &str,
    words: &[Word<'_>],
    end: usize,
) -> Result<(Vec<u8>, usize), PresentationError> {
    let Some(first) = words.first() else {
        let fault = PresentationFault::Missing { field: "data" };
        return Err(PresentationError::at(text, end, fault));
    };
    let mut digits = Vec::new();
    for word in words {
        for (index, found) in word.text.char_indices() {
            match found.to_digit(16).and_then(|digit| u8::try_from(digit).ok()) {
                Some(digit) => digits.push(digit),
                None => {
                    let fault = PresentationFault::NotHex { found };
                    return Err(PresentationError::at(text, word.offset + index, fault));
                }
            }
        }
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        let found = digits.len();
        let fault = PresentationFault::OddHex { found };
        return Err(PresentationError::at(text, end, fault));
    }
    let octets = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    Ok((octets, first.offset))
}

/// Why a text is not a record, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentationError {
    /// The place of the fault.
    pub position: Position,
    /// The fault.
    pub fault: PresentationFault,
}

impl PresentationError {
    fn at(text: &str, offset: usize, fault: PresentationFault) -> Self {
        Self { position: Position::of(text, offset), fault }
    }
}

impl fmt::Display for PresentationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, fault } = self;
        write!(f, "{position}: {fault} ({})", fault.clause())
    }
}

impl core::error::Error for PresentationError {}

/// What can be wrong with a record's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresentationFault {
    /// A parenthesis without its other half, or inside another.
    Parenthesis,
    /// More than one record where one is expected.
    Several,
    /// Something between owner and `TLSA` that is neither a TTL nor the class IN.
    Setting {
        /// The word.
        found: Box<str>,
    },
    /// The owner is not a name.
    Owner {
        /// The word.
        found: Box<str>,
        /// What is wrong with it.
        error: DomainNameError,
    },
    /// The text ends before this field.
    Missing {
        /// The field.
        field: &'static str,
    },
    /// Not a number from 0 to 255.
    Number {
        /// The field.
        field: &'static str,
        /// The word in its place.
        found: Box<str>,
    },
    /// A character that no hex has.
    NotHex {
        /// The character.
        found: char,
    },
    /// Half an octet is missing.
    OddHex {
        /// How many hex digits there are.
        found: usize,
    },
    /// The text is well-formed, and what it says is not.
    Tlsa(TlsaFault),
}

impl PresentationFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Parenthesis => "tlsa-parenthesis",
            Self::Several => "tlsa-several",
            Self::Setting { .. } => "tlsa-setting",
            Self::Owner { .. } => "tlsa-owner",
            Self::Missing { .. } => "tlsa-field-missing",
            Self::Number { .. } => "tlsa-number",
            Self::NotHex { .. } => "tlsa-not-hex",
            Self::OddHex { .. } => "tlsa-odd-hex",
            Self::Tlsa(fault) => fault.code(),
        }
    }

    /// The rule that is broken.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::Parenthesis | Self::Setting { .. } | Self::Owner { .. } => "RFC 1035 §5.1",
            Self::Several
            | Self::Missing { .. }
            | Self::Number { .. }
            | Self::NotHex { .. }
            | Self::OddHex { .. } => "RFC 6698 §2.2",
            Self::Tlsa(fault) => fault.clause(),
        }
    }
}

impl fmt::Display for PresentationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parenthesis => write!(f, "expected parentheses in pairs, found a single one"),
            Self::Several => write!(f, "expected one record, found another"),
            Self::Setting { found } => write!(f, "expected a TTL, IN or TLSA, found {found:?}"),
            Self::Owner { found, error } => write!(f, "owner: {found:?}: {error}"),
            Self::Missing { field } => write!(f, "{field}: expected this field, found nothing"),
            Self::Number { field, found } => {
                write!(f, "{field}: expected a number from 0 to 255, found {found:?}")
            }
            Self::NotHex { found } => write!(f, "data: expected hex digits, found {found:?}"),
            Self::OddHex { found } => {
                write!(f, "data: expected an even number of hex digits, found {found}")
            }
            Self::Tlsa(fault) => fault.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn good(text: &str) {
        let tlsa = Tlsa::parse_presentation(text).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert_eq!(tlsa.to_string(), format!("3 1 1 {HEX}"), "{text:?}");
        assert_eq!(Tlsa::parse_presentation(&tlsa.to_string()), Ok(tlsa));
    }

    fn bad(text: &str, line: usize, column: usize, fault: PresentationFault) {
        let error = Tlsa::parse_presentation(text).expect_err(text);
        let position = Position { line, column };
        assert_eq!(error, PresentationError { position, fault }, "{text:?}");
    }

    #[test]
    fn alone_and_as_in_a_zone_file() {
        let (start, end) = HEX.split_at(31);
        good(&format!("3 1 1 {HEX}"));
        good(&format!("  3\t1 1  {}  ; comment\n\n", HEX.to_uppercase()));
        good(&format!("3 1 1 {start} {end}"));
        good(&format!("_25._tcp.mx.example. 3600 IN TLSA 3 1 1 {HEX}"));
        good(&format!("_25._tcp.mx IN 1h30m tlsa 3 1 1 {HEX}\r\n"));
        good(&format!("\tIN TLSA 3 1 1 {HEX}"));
        good(&format!("@ TLSA 3 1 1 {HEX}"));
        good(&format!("; two lines\nx. IN TLSA ( 3 1 1\n {start} ; a\n {end} )"));
        good(&format!("x. IN TLSA (3 1 1 {HEX})"));
    }

    #[test]
    fn faults() {
        use PresentationFault as Fault;
        let missing = |field| Fault::Missing { field };
        bad("", 1, 1, missing("record"));
        bad("; nothing\n", 2, 1, missing("record"));
        bad("3", 1, 2, missing("selector"));
        bad("3 1 1", 1, 6, missing("data"));
        bad("x. IN TLSA", 1, 11, missing("certificate usage"));
        let number = |field, found: &str| Fault::Number { field, found: found.into() };
        bad("256 1 1 00", 1, 1, number("certificate usage", "256"));
        bad("+3 1 1 00", 1, 1, number("certificate usage", "+3"));
        bad("3 SPKI 1 00", 1, 3, number("selector", "SPKI"));
        bad("3 1 -1 00", 1, 5, number("matching type", "-1"));
        bad("3 1 1 00 0g", 1, 11, Fault::NotHex { found: 'g' });
        bad("3 1 1 0x00", 1, 8, Fault::NotHex { found: 'x' });
        bad("3 1 1 00 0", 1, 11, Fault::OddHex { found: 3 });
        bad("\n3 1 1 00\n3 1 1 00", 2, 7, Fault::Tlsa(length(1)));
        bad(&format!("3 1 1 {HEX}\n3 1 1 00"), 2, 1, PresentationFault::Several);
        bad("4 1 1 00", 1, 1, Fault::Tlsa(TlsaFault::Usage { found: 4 }));
        bad("x. TLSA ( 3 1 1 00", 1, 9, Fault::Parenthesis);
        bad("3 1 1 00 )", 1, 10, Fault::Parenthesis);
        bad("((3 1 1 00", 1, 2, Fault::Parenthesis);
        let setting = Fault::Setting { found: "CH".into() };
        bad("x. CH TLSA 3 1 1 00", 1, 4, setting);
        let owner =
            Fault::Owner { found: "a..b".into(), error: DomainNameError::EmptyLabel { column: 3 } };
        bad("a..b TLSA 3 1 1 00", 1, 1, owner);
    }

    fn length(found: usize) -> TlsaFault {
        TlsaFault::DigestLength { matching_type: crate::MatchingType::Sha256, found }
    }

    #[test]
    fn records_keep_what_they_say() {
        let text = "3 1 1 00ff\n\n; x\n255 9 9 00 ; private use\n";
        let numbers = |rdata: &TlsaRdata| (rdata.usage, rdata.data.len());
        let records = parse_records(text).unwrap();
        assert_eq!(records.iter().map(numbers).collect::<Vec<_>>(), [(3, 2), (255, 1)]);
        assert_eq!(parse_records(""), Ok(Vec::new()));
    }
}
