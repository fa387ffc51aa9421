//! The push reader of aggregate reports: elements in, records out.
//!
//! It keeps the stack of the elements that are open, the text of the one that is read, and the
//! record that grows. Order does not matter, neither do prefixes and case of names. Elements that
//! nobody knows are passed over with all that is in them.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use smtp_types::{EmailAddress, UnixTime};

use super::super::{
    AlignmentMode, Discovery, Disposition, DmarcResult, FailureOption, Policy, ReportId, Testing,
};
use super::element::Element;
use super::model::{
    GivenReason, Namespace, ReceivedDkim, ReceivedReason, ReceivedRecord, ReceivedReport,
    ReceivedSpf, SpfScope,
};
use super::quirk::QuirkKind;
use super::value::{self, Value};

/// The namespace of RFC 9990 (§6.1 there).
const DMARC_2: &str = "urn:ietf:params:xml:ns:dmarc-2.0";

/// The namespaces of RFC 7489 (Appendix C) and of the draft before it.
const OLDER: [&str; 3] = [
    "http://dmarc.org/dmarc-xml/0.1",
    "http://dmarc.org/dmarc-xml/0.1/rua.xsd",
    "urn:ietf:params:xml:ns:dmarc-1.0",
];

/// How much of the name of an unknown element is kept, in octets.
const MAX_NAME: usize = 64;

/// How many errors of metadata are kept.
const MAX_ERRORS: usize = 16;

/// How far a period may end after now before that is odd: clocks differ.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The longest period that is one day, whether or not its last second is counted in.
const DAY: Duration = Duration::from_secs(86_400);

/// How much a reader takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// How deep elements may stand in each other. The schemas need 6. Default 16.
    pub depth: usize,
    /// How many octets of the text of one element are kept. Default 8192.
    pub text: usize,
    /// How many records a report may have. Default 200,000.
    pub records: u64,
    /// How many results of DKIM, of SPF, and how many reasons a record may have, each. More are
    /// left out, with a quirk. Default 100, as RFC 9990 §3.1.3 has it for DKIM.
    pub results: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { depth: 16, text: 8192, records: 200_000, results: 100 }
    }
}

/// Reads an aggregate report, element by element.
#[derive(Clone, Debug)]
pub struct AggregateReader {
    limits: ReadLimits,
    now: UnixTime,
    report: ReceivedReport,
    has_begun: bool,
    stack: Vec<Frame>,
    text: String,
    record: ReceivedRecord,
    dkim: ReceivedDkim,
    spf: ReceivedSpf,
    reason: ReceivedReason,
}

/// An element that is open.
#[derive(Clone, Debug)]
struct Frame {
    element: Element,
    /// Its name, as far as it is kept.
    name: Box<str>,
    /// Which elements stand in it so far, as bits.
    seen: u64,
}

impl AggregateReader {
    /// A reader at the beginning of a document. `now` only tells whether a period ends in the
    /// future.
    #[must_use]
    pub fn new(limits: ReadLimits, now: UnixTime) -> Self {
        Self {
            limits,
            now,
            report: ReceivedReport::default(),
            has_begun: false,
            stack: Vec::new(),
            text: String::new(),
            record: ReceivedRecord::default(),
            dkim: ReceivedDkim::default(),
            spf: ReceivedSpf::default(),
            reason: no_reason(),
        }
    }

    /// The namespace of the root element, before it is opened. Only its name matters (RFC 9990
    /// §3.1.1), so it may be called for each declaration of a namespace at the root.
    pub fn namespace(&mut self, uri: &str) {
        match uri.trim() {
            DMARC_2 => self.report.namespace = Namespace::Dmarc2,
            older if OLDER.contains(&older.trim_end_matches('/')) => {}
            other => self.quirk(QuirkKind::Namespace, Element::Feedback, other),
        }
    }

    /// An element begins. The name may have a prefix.
    ///
    /// # Errors
    /// When the document is no aggregate report, or exceeds a limit. Nothing more can be read then.
    pub fn open(&mut self, name: &str) -> Result<(), ReadError> {
        if self.stack.len() >= self.limits.depth {
            return Err(ReadError::TooDeep { limit: self.limits.depth });
        }
        let local = local_name(name);
        let word = lower_case(local);
        let parent = self.stack.last().map_or(Element::Document, |frame| frame.element);
        if word == "schema" && parent.is_parent() {
            // A schema around or in the report: what is in it is read as if it were not there.
            self.quirk(QuirkKind::Schema, parent, name);
            self.push(parent, local);
            return Ok(());
        }
        let element = parent.below(&word);
        match element {
            Element::Unknown if parent == Element::Document => return self.second_root(local),
            Element::Unknown if parent.is_parent() => {
                self.quirk(QuirkKind::UnknownElement, parent, local);
            }
            Element::Record if self.report.totals.records >= self.limits.records => {
                return Err(ReadError::TooManyRecords { limit: self.limits.records });
            }
            Element::Identifiers if word == "identities" => {
                self.quirk(QuirkKind::OtherName, element, local);
            }
            _ if word != local && element != Element::Unknown => {
                self.quirk(QuirkKind::LetterCase, element, local);
            }
            _ => {}
        }
        if self.is_repeated(element) {
            self.quirk(QuirkKind::Repeated, element, "");
            self.push(Element::Unknown, local);
            return Ok(());
        }
        self.begin(element);
        self.push(element, local);
        Ok(())
    }

    /// Text in the element that is open, with references resolved. May come in pieces.
    pub fn text(&mut self, text: &str) {
        let element = self.stack.last().map_or(Element::Document, |frame| frame.element);
        if matches!(element, Element::Unknown | Element::Extension) {
            return;
        }
        if element.is_parent() {
            if !text.trim().is_empty() {
                self.quirk(QuirkKind::StrayText, element, text);
            }
            return;
        }
        let room = self.limits.text.saturating_sub(self.text.len());
        let kept = &text[..text.floor_char_boundary(room)];
        self.text.push_str(kept);
        if kept.len() < text.len() {
            self.quirk(QuirkKind::TextTooLong, element, "");
        }
    }

    /// An element ends. Elements in it that did not end, end now. Gives the record that is
    /// complete with this.
    #[must_use]
    pub fn close(&mut self, name: &str) -> Option<ReceivedRecord> {
        let local = kept_name(local_name(name));
        let Some(at) = self.stack.iter().rposition(|frame| &*frame.name == local) else {
            let element = self.stack.last().map_or(Element::Document, |frame| frame.element);
            self.quirk(QuirkKind::StrayEnd, element, local);
            return None;
        };
        let mut record = None;
        while self.stack.len() > at {
            let frame = self.stack.pop()?;
            if self.stack.len() > at {
                self.quirk(QuirkKind::Unclosed, frame.element, &frame.name);
            }
            record = self.end(&frame).or(record);
        }
        record
    }

    /// The document is cut off here. The text of the element that is open is not used, because
    /// half a number is another number. Gives the record that was being read, if its row was
    /// complete.
    #[must_use]
    pub fn cut_off(&mut self) -> Option<ReceivedRecord> {
        let mut record = None;
        while let Some(frame) = self.stack.pop() {
            self.quirk(QuirkKind::Unclosed, frame.element, &frame.name);
            let is_half = match frame.element {
                Element::Record => frame.seen & Element::Row.bit() == 0,
                Element::Row => {
                    // Its record is dropped with it.
                    if let Some(parent) = self.stack.last_mut() {
                        parent.seen &= !Element::Row.bit();
                    }
                    true
                }
                element => !element.is_parent(),
            };
            if !is_half {
                record = self.end(&frame).or(record);
            }
        }
        record
    }

    /// Something that only whoever reads the markup can see.
    pub fn remark(&mut self, kind: QuirkKind, found: &str) {
        let record = self.record_number();
        self.report.quirks.add(kind, "document", record, found);
    }

    /// The end of the document.
    ///
    /// # Errors
    /// If there was no report in it.
    pub fn finish(mut self) -> Result<ReceivedReport, ReadError> {
        // What is still open was cut off; whoever wants the last record has asked for it.
        let _ = self.cut_off();
        if !self.has_begun {
            return Err(ReadError::Nothing);
        }
        if let (Some(begin), Some(end)) = (self.report.metadata.begin, self.report.metadata.end) {
            let length = end.since(begin);
            let kind = match begin.cmp(&end) {
                core::cmp::Ordering::Equal => Some(QuirkKind::PeriodEmpty),
                core::cmp::Ordering::Greater => Some(QuirkKind::PeriodReversed),
                core::cmp::Ordering::Less => (length > DAY).then_some(QuirkKind::PeriodLong),
            };
            if let Some(kind) = kind {
                let found = alloc::format!("{begin} to {end}");
                self.quirk(kind, Element::DateRange, &found);
            }
            if end > self.now.plus(CLOCK_SKEW) {
                self.quirk(QuirkKind::PeriodFuture, Element::End, &alloc::format!("{end}"));
            }
        }
        Ok(self.report)
    }

    /// A root that is none of ours: at the beginning an error, behind the report only odd.
    fn second_root(&mut self, name: &str) -> Result<(), ReadError> {
        if !self.has_begun {
            return Err(ReadError::NotAReport { found: value::shown(name).into_boxed_str() });
        }
        self.remark(QuirkKind::Trailing, name);
        self.push(Element::Unknown, name);
        Ok(())
    }

    fn is_repeated(&self, element: Element) -> bool {
        if element.may_repeat() {
            return false;
        }
        match self.stack.last() {
            Some(frame) => frame.seen & element.bit() != 0,
            None => self.has_begun,
        }
    }

    fn push(&mut self, element: Element, name: &str) {
        // A schema may stand around the report, or in it: what was seen is common to both.
        let is_schema = self.stack.last().is_some_and(|parent| parent.element == element);
        let mut seen = 0;
        if let Some(parent) = self.stack.last_mut() {
            parent.seen |= element.bit();
            if is_schema {
                seen = parent.seen;
            }
        }
        self.stack.push(Frame { element, name: kept_name(name).into(), seen });
    }

    fn begin(&mut self, element: Element) {
        match element {
            Element::Feedback => self.has_begun = true,
            Element::Record => self.record = ReceivedRecord::default(),
            Element::Dkim => self.dkim = ReceivedDkim::default(),
            Element::Spf => self.spf = ReceivedSpf::default(),
            Element::Reason => self.reason = no_reason(),
            _ => {}
        }
        if !element.is_parent() && element != Element::Unknown {
            self.text.clear();
        }
    }

    /// An element that is no longer on the stack ends.
    fn end(&mut self, frame: &Frame) -> Option<ReceivedRecord> {
        let element = frame.element;
        let is_schema = self.stack.last().is_some_and(|parent| parent.element == element);
        if is_schema && let Some(parent) = self.stack.last_mut() {
            parent.seen |= frame.seen;
            return None;
        }
        if matches!(element, Element::Document | Element::Unknown | Element::Extension) {
            return None;
        }
        if !element.is_parent() {
            self.leaf(element);
            return None;
        }
        // RFC 9990 §3.1.1.11: neither SPF nor DKIM need be there.
        let may_be_bare = matches!(
            (element, self.report.namespace),
            (Element::Feedback, _) | (Element::AuthResults, Namespace::Dmarc2)
        );
        if frame.seen == 0 && !may_be_bare {
            self.quirk(QuirkKind::Empty, element, "");
            return (element == Element::Record).then(|| self.complete());
        }
        for child in required(element, self.report.namespace) {
            if frame.seen & child.bit() == 0 {
                self.quirk(QuirkKind::Missing, *child, "");
            }
        }
        let (results, limit) = (&mut self.record, self.limits.results);
        let is_full = match element {
            Element::Dkim => add(&mut results.dkim_results, self.dkim.clone(), limit),
            Element::Spf => add(&mut results.spf_results, self.spf.clone(), limit),
            Element::Reason => add(&mut results.reasons, self.reason.clone(), limit),
            Element::Record => return Some(self.complete()),
            _ => false,
        };
        if is_full {
            self.quirk(QuirkKind::TooMany, element, "");
        }
        None
    }

    fn complete(&mut self) -> ReceivedRecord {
        let record = core::mem::take(&mut self.record);
        self.report.totals.add(&record);
        record
    }

    /// An element with text ends.
    fn leaf(&mut self, element: Element) {
        let whole = core::mem::take(&mut self.text);
        let text = whole.trim();
        match text.is_empty() {
            true if element.may_be_empty() => {}
            true => self.quirk(QuirkKind::Empty, element, ""),
            false if self.stack.iter().any(|frame| frame.element == Element::Record) => {
                self.record_value(element, text);
            }
            false => self.report_value(element, text),
        }
        // The next text needs no new memory.
        self.text = whole;
        self.text.clear();
    }

    /// RFC 9990 §3.1.1.3 to §3.1.1.6.
    fn report_value(&mut self, element: Element, text: &str) {
        match element {
            Element::Version if text != "1.0" => self.quirk(QuirkKind::Version, element, text),
            Element::OrgName => {
                self.report.metadata.org_name = self.take(element, text, value::text(text));
            }
            Element::Email => self.report.metadata.email = self.mailbox(text),
            Element::Contact => {
                let read = value::text(text);
                self.report.metadata.extra_contact_info = self.take(element, text, read);
            }
            Element::ReportId => {
                let read = value::text(text);
                self.report.metadata.report_id = self.take(element, text, read);
                if ReportId::parse(text).is_err() {
                    self.quirk(QuirkKind::ReportId, element, text);
                }
            }
            Element::Begin => {
                let read = self.take(element, text, value::number(text));
                self.report.metadata.begin = read.map(UnixTime);
            }
            Element::End => {
                let read = self.take(element, text, value::number(text));
                self.report.metadata.end = read.map(UnixTime);
            }
            Element::Error => {
                let read = self.take(element, text, value::text(text));
                let errors = &mut self.report.metadata.errors;
                if read.is_some_and(|error| add(errors, error, MAX_ERRORS)) {
                    self.quirk(QuirkKind::TooMany, element, "");
                }
            }
            Element::Generator => {
                self.report.metadata.generator = self.take(element, text, value::text(text));
            }
            _ => self.policy_value(element, text),
        }
    }

    /// RFC 9990 §3.1.1.5, RFC 7489 Appendix C.
    fn policy_value(&mut self, element: Element, text: &str) {
        match element {
            Element::PolicyDomain => {
                self.report.policy.domain = self.take(element, text, value::domain(text));
            }
            Element::P => self.report.policy.p = self.word(element, text, Policy::parse),
            Element::Sp => self.report.policy.sp = self.word(element, text, Policy::parse),
            Element::Np => self.report.policy.np = self.word(element, text, Policy::parse),
            Element::Adkim => {
                self.report.policy.adkim = self.word(element, text, AlignmentMode::parse);
            }
            Element::Aspf => {
                self.report.policy.aspf = self.word(element, text, AlignmentMode::parse);
            }
            Element::Discovery => {
                self.report.policy.discovery = self.word(element, text, Discovery::parse);
            }
            Element::Testing => {
                self.report.policy.testing = self.word(element, text, Testing::parse);
            }
            Element::Fo => {
                for option in text.split([':', ',', ' ']).filter(|option| !option.is_empty()) {
                    let option = self.word(element, option, FailureOption::parse);
                    self.report.policy.fo.extend(option);
                }
            }
            Element::Pct => {
                let read = self.take(element, text, value::number(text));
                let pct = read.and_then(|pct| u8::try_from(pct).ok()).filter(|pct| *pct <= 100);
                if read.is_some() && pct.is_none() {
                    self.quirk(QuirkKind::NotANumber, element, text);
                }
                self.report.policy.pct = pct;
            }
            _ => {}
        }
    }

    /// RFC 9990 §3.1.1.7 to §3.1.1.14.
    fn record_value(&mut self, element: Element, text: &str) {
        match element {
            Element::SourceIp => {
                self.record.source_ip = self.take(element, text, value::address(text));
            }
            Element::Count => {
                let read = self.take(element, text, value::number(text));
                self.record.count = read.unwrap_or_default();
            }
            Element::Disposition => {
                let read = self.take(element, text, value::disposition(text));
                if read == Some(Disposition::Pass) && self.is_older() {
                    self.quirk(QuirkKind::NewWord, element, text);
                }
                self.record.disposition = read;
            }
            Element::AlignedDkim => self.record.dkim = self.word(element, text, DmarcResult::parse),
            Element::AlignedSpf => self.record.spf = self.word(element, text, DmarcResult::parse),
            Element::ReasonType => {
                let read = self.word(element, text, GivenReason::parse);
                if read == Some(GivenReason::PolicyTestMode) && self.is_older() {
                    self.quirk(QuirkKind::NewWord, element, text);
                }
                self.reason.kind = read.unwrap_or(GivenReason::Other);
            }
            Element::Comment => {
                self.reason.comment = self.take(element, text, value::remark(text));
            }
            Element::HeaderFrom => {
                self.record.header_from = self.take(element, text, value::domain(text));
            }
            // A null return path, as some write it.
            Element::EnvelopeFrom if text == "<>" => {}
            Element::EnvelopeFrom => {
                self.record.envelope_from = self.take(element, text, value::domain(text));
            }
            Element::EnvelopeTo => {
                self.record.envelope_to = self.take(element, text, value::domain(text));
            }
            _ => self.result_value(element, text),
        }
    }

    /// RFC 9990 §3.1.1.12 and §3.1.1.13.
    fn result_value(&mut self, element: Element, text: &str) {
        match element {
            Element::DkimDomain => {
                self.dkim.domain = self.take(element, text, value::dns_name(text));
            }
            Element::Selector => {
                self.dkim.selector = self.take(element, text, value::dns_name(text));
            }
            Element::DkimResult => {
                self.dkim.result = self.take(element, text, value::dkim_result(text));
            }
            Element::DkimHuman => {
                self.dkim.human_result = self.take(element, text, value::remark(text));
            }
            Element::SpfDomain => {
                self.spf.domain = self.take(element, text, value::dns_name(text));
            }
            Element::Scope => self.spf.scope = self.word(element, text, SpfScope::parse),
            Element::SpfResult => {
                self.spf.result = self.take(element, text, value::spf_result(text));
            }
            Element::SpfHuman => {
                self.spf.human_result = self.take(element, text, value::remark(text));
            }
            _ => {}
        }
    }

    /// The value, after what is wrong with it was noted.
    fn take<T>(&mut self, element: Element, text: &str, read: Value<T>) -> Option<T> {
        if let Some(kind) = read.quirk {
            self.quirk(kind, element, text);
        }
        read.value
    }

    fn word<T>(&mut self, element: Element, text: &str, parse: fn(&str) -> Option<T>) -> Option<T> {
        self.take(element, text, value::word(text, parse))
    }

    /// An address of mail, alone or behind a name and between angle brackets.
    fn mailbox(&mut self, text: &str) -> Option<EmailAddress> {
        let bare = match text.rsplit_once('<') {
            Some((_, bracketed)) => bracketed.trim_end_matches('>'),
            None => text.strip_prefix("mailto:").unwrap_or(text),
        };
        let read = EmailAddress::parse(bare.trim()).ok();
        if read.is_none() || bare != text {
            self.quirk(QuirkKind::NotAMailbox, Element::Email, text);
        }
        read
    }

    const fn is_older(&self) -> bool {
        matches!(self.report.namespace, Namespace::Older)
    }

    fn quirk(&mut self, kind: QuirkKind, element: Element, found: &str) {
        let record = self.record_number();
        self.report.quirks.add(kind, element.path(), record, found);
    }

    /// The record that is being read, from 1.
    fn record_number(&self) -> Option<u64> {
        let is_in_record = self.stack.iter().any(|frame| frame.element == Element::Record);
        is_in_record.then(|| self.report.totals.records.saturating_add(1))
    }
}

/// What must stand in an element. A selector is needed since RFC 9990 §3.1.1.12, a result of SPF
/// no longer (§3.1.1.11; RFC 7489 Appendix C: "There will always be at least one SPF result").
const fn required(element: Element, namespace: Namespace) -> &'static [Element] {
    match (element, namespace) {
        (Element::Feedback, _) => &[Element::Metadata, Element::Published, Element::Record],
        (Element::Metadata, _) => {
            &[Element::OrgName, Element::Email, Element::ReportId, Element::DateRange]
        }
        (Element::DateRange, _) => &[Element::Begin, Element::End],
        (Element::Published, _) => &[Element::PolicyDomain, Element::P],
        (Element::Record, _) => &[Element::Row, Element::Identifiers, Element::AuthResults],
        (Element::Row, _) => &[Element::SourceIp, Element::Count, Element::Evaluated],
        (Element::Evaluated, _) => {
            &[Element::Disposition, Element::AlignedDkim, Element::AlignedSpf]
        }
        (Element::Reason, _) => &[Element::ReasonType],
        (Element::Identifiers, _) => &[Element::HeaderFrom],
        (Element::AuthResults, Namespace::Older) => &[Element::Spf],
        (Element::Dkim, Namespace::Older) => &[Element::DkimDomain, Element::DkimResult],
        (Element::Dkim, Namespace::Dmarc2) => {
            &[Element::DkimDomain, Element::Selector, Element::DkimResult]
        }
        (Element::Spf, _) => &[Element::SpfDomain, Element::SpfResult],
        _ => &[],
    }
}

/// Whether a list was full already; if not, the value is in it.
fn add<T>(list: &mut Vec<T>, value: T, limit: usize) -> bool {
    let is_full = list.len() >= limit;
    if !is_full {
        list.push(value);
    }
    is_full
}

const fn no_reason() -> ReceivedReason {
    ReceivedReason { kind: GivenReason::Other, comment: None }
}

/// The name without its prefix.
fn local_name(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn lower_case(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|octet| octet.is_ascii_uppercase()) {
        true => Cow::Owned(kept_name(name).to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}

fn kept_name(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_NAME)]
}

/// Why a document cannot be read as an aggregate report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The root element is not `feedback`.
    NotAReport {
        /// Its name, shortened.
        found: Box<str>,
    },
    /// There is no element at all.
    Nothing,
    /// Elements stand too deep in each other.
    TooDeep {
        /// How deep they may.
        limit: usize,
    },
    /// There are too many records.
    TooManyRecords {
        /// How many there may be.
        limit: u64,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAReport { found } => {
                write!(f, "root element: expected feedback, found {found:?}")
            }
            Self::Nothing => write!(f, "root element: expected feedback, found nothing"),
            Self::TooDeep { limit } => {
                write!(f, "elements: expected at most {limit} in each other, found more")
            }
            Self::TooManyRecords { limit } => {
                write!(f, "records: expected at most {limit}, found more")
            }
        }
    }
}

impl core::error::Error for ReadError {}
