//! What is not as it should be in a report, and was understood in spite of that.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;

use super::super::words::words;
use super::value::shown;

words! {
    /// What is not as it should be. The word is a stable name for machines.
    QuirkKind {
        /// An element that must be there is not. Found: nothing.
        Missing = "missing",
        /// An element has no text. It is taken as missing.
        Empty = "empty",
        /// An element that may occur once occurs again. The first counts.
        Repeated = "repeated",
        /// An element that no schema has. It is passed over with all that is in it.
        UnknownElement = "unknown-element",
        /// An element has a name that is not the standard's, and a meaning that is clear.
        OtherName = "other-name",
        /// A value is right but for upper and lower case.
        LetterCase = "letter-case",
        /// A word of a draft or of common use, taken as the standard's word that replaced it.
        OldWord = "old-word",
        /// A word that RFC 9990 has introduced in a report that does not say it is one.
        NewWord = "new-word",
        /// A word that nobody knows. It is taken as missing.
        UnknownWord = "unknown-word",
        /// Something is not a number, or not one in the range. It is taken as missing.
        NotANumber = "not-a-number",
        /// A number with a fraction or a sign, which is dropped.
        NumberForm = "number-form",
        /// Something is no IP address. It is taken as missing.
        NotAnAddress = "not-an-address",
        /// Something is not the name of a domain. It is taken as missing.
        NotADomain = "not-a-domain",
        /// An address of mail stands where a domain should. The domain in it is taken, and no more.
        AddressForDomain = "address-for-domain",
        /// A text that is about messages holds an address. Its `@` is taken out.
        AddressInText = "address-in-text",
        /// Something is not an address of mail. It is taken as missing.
        NotAMailbox = "not-a-mailbox",
        /// The id has not the form of RFC 9990 §3.5.1. It is taken as it is.
        ReportId = "report-id",
        /// The version is not `1.0`.
        Version = "version",
        /// The namespace is none of RFC 7489 or RFC 9990.
        Namespace = "namespace",
        /// The period ends where it begins.
        PeriodEmpty = "period-empty",
        /// The period ends before it begins.
        PeriodReversed = "period-reversed",
        /// The period is longer than a day.
        PeriodLong = "period-long",
        /// The period ends in the future.
        PeriodFuture = "period-future",
        /// Characters that a line of text does not have. They are replaced by spaces.
        ControlCharacters = "control-characters",
        /// A text is longer than is kept.
        TextTooLong = "text-too-long",
        /// There are more results than are kept.
        TooMany = "too-many",
        /// There is text between elements.
        StrayText = "stray-text",
        /// An element ends that did not begin.
        StrayEnd = "stray-end",
        /// An element does not end.
        Unclosed = "unclosed",
        /// A schema stands in the report. It is passed over, and what is in it is read.
        Schema = "schema",
        /// There is something behind the end of the report. It is passed over.
        Trailing = "trailing",
        /// The octets are not in the encoding that the document names.
        Encoding = "encoding",
        /// The markup is broken. What could be read of it was.
        Syntax = "syntax",
        /// The compressed form is broken or cut off. What could be read of it was.
        Compression = "compression",
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quirk {
    /// What it is.
    pub kind: QuirkKind,
    /// The element, from below the root, for example `record/row/count`.
    pub path: &'static str,
    /// In which record it was first, from 1. `None` if it is not in a record.
    pub record: Option<u64>,
    /// What was found there first: one line, at most 80 characters, without the local part of an
    /// address. Empty if nothing was found.
    pub found: String,
    /// How often; at least once. Saturates.
    pub times: u64,
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, path, record, found, times } = self;
        write!(f, "{kind}: {path}")?;
        if let Some(record) = record {
            write!(f, ", record {record}")?;
        }
        if !found.is_empty() {
            write!(f, ": found {found:?}")?;
        }
        match times {
            0 | 1 => Ok(()),
            times => write!(f, " ({times} times)"),
        }
    }
}

/// All that is not as it should be in a report: one [`Quirk`] for each kind and element. There are
/// so many kinds and elements and no more, so this is bounded, however long the report is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks(BTreeMap<(&'static str, QuirkKind), Quirk>);

impl Quirks {
    /// The quirks in the order of their elements.
    pub fn iter(&self) -> impl Iterator<Item = &Quirk> {
        self.0.values()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many different ones there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds one that was met. `found` may be anything of any length.
    pub fn add(&mut self, kind: QuirkKind, path: &'static str, record: Option<u64>, found: &str) {
        self.0
            .entry((path, kind))
            .and_modify(|quirk| quirk.times = quirk.times.saturating_add(1))
            .or_insert_with(|| Quirk { kind, path, record, found: shown(found), times: 1 });
    }
}
