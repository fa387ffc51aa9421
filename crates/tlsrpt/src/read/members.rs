//! The members of a report, object by object, in the order of RFC 8460 §4.4.
//!
//! First how a value is read whatever its type, then each object with its members. The file is as
//! long as the schema.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;

use serde_core::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess};
use smtp_types::{DomainName, EmailAddress, UnixTime};

use super::date_time::{self, Form};
use super::{MAX_REPORT_DETAILS, MAX_REPORT_POLICIES, QuirkKind, REPORT, ReadFault, Reader, cut};
use crate::datagram::ehlo_name;
use crate::json::{Found, Items, List, Members, Object, Scalar, Texts};
use crate::{
    DateRange, Failure, FailureDetail, Policy, PolicyReport, PolicyType, Report, ResultType,
    Summary,
};

/// How long a text of a report may be, in octets.
const MAX_TEXT: usize = 1024;

/// How long a policy string may be, in octets.
const MAX_POLICY_STRING: usize = 4096;

/// How many strings and mx patterns of a policy are kept, each.
const MAX_STRINGS: usize = 1000;

/// Names that others use instead, mostly those of drafts.
const ALIASES: [(&str, &str); 4] = [
    ("mx-host-pattern", "mx-host"),
    ("additional-info-uri", "additional-information"),
    ("additional-info", "additional-information"),
    ("failure-error-code", "failure-reason-code"),
];

/// Which members of an object came already, one bit for each, and which is likely to come next.
#[derive(Clone, Copy, Default)]
struct Seen {
    bits: u16,
    next: usize,
}

impl Reader<'_> {
    /// Which of `fields` a name means, unless it is unknown or came already.
    ///
    /// Most reports keep the order of the standard, so the search begins behind the last member.
    fn field(
        &mut self,
        name: &str,
        fields: &[&'static str],
        seen: &mut Seen,
    ) -> Option<&'static str> {
        let index = match fields.get(seen.next) {
            Some(field) if *field == name => seen.next,
            _ => fields
                .iter()
                .position(|field| *field == name)
                .or_else(|| self.odd_field(name, fields))?,
        };
        seen.next = index + 1;
        let bit = 1 << index;
        if seen.bits & bit != 0 {
            self.quirk(QuirkKind::RepeatedMember, fields[index], "");
            return None;
        }
        seen.bits |= bit;
        Some(fields[index])
    }

    /// Which of `fields` a name in another spelling means.
    #[cold]
    fn odd_field(&mut self, name: &str, fields: &[&'static str]) -> Option<usize> {
        let plain = name.to_ascii_lowercase().replace('_', "-");
        let alias = ALIASES.iter().find(|(alias, _)| *alias == plain);
        let plain = alias.map_or(&*plain, |(_, field)| *field);
        let index = fields.iter().position(|field| *field == plain);
        match index {
            Some(index) => self.quirk(QuirkKind::MemberName, fields[index], name),
            None => self.quirk(QuirkKind::UnknownMember, REPORT, name),
        }
        index
    }

    fn text<'de, A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        object: &mut A,
    ) -> Result<Option<Cow<'de, str>>, A::Error> {
        let text = match object.next_value()? {
            Scalar::Text(text) => text,
            Scalar::Whole(number) => {
                let text = number.to_string();
                self.quirk(QuirkKind::NumberForText, field, &text);
                Cow::Owned(text)
            }
            Scalar::Null => {
                self.quirk(QuirkKind::Null, field, "");
                return Ok(None);
            }
            other => {
                self.quirk(QuirkKind::WrongType, field, other.kind());
                return Ok(None);
            }
        };
        if text.is_empty() {
            self.quirk(QuirkKind::Empty, field, "");
            return Ok(None);
        }
        if text.len() > MAX_TEXT {
            self.quirk(QuirkKind::TooLong, field, &text);
            return Ok(Some(Cow::Owned(cut(&text, MAX_TEXT).into())));
        }
        Ok(Some(text))
    }

    fn boxed<'de, A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        object: &mut A,
    ) -> Result<Option<Box<str>>, A::Error> {
        Ok(self.text(field, object)?.map(|text| match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into_boxed_str(),
        }))
    }

    fn address<'de, A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        object: &mut A,
    ) -> Result<Option<IpAddr>, A::Error> {
        let Some(text) = self.text(field, object)? else {
            return Ok(None);
        };
        if let Ok(address) = text.parse() {
            return Ok(Some(address));
        }
        self.quirk(QuirkKind::Address, field, &text);
        let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
        let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
        Ok(bare.split('%').next().and_then(|address| address.parse().ok()))
    }

    fn domain<'de, A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        object: &mut A,
    ) -> Result<Option<DomainName>, A::Error> {
        let Some(text) = self.text(field, object)? else {
            return Ok(None);
        };
        let domain = DomainName::parse(text.trim()).ok();
        if domain.is_none() {
            self.quirk(QuirkKind::Domain, field, &text);
        }
        Ok(domain)
    }

    fn count<'de, A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        object: &mut A,
    ) -> Result<Option<u64>, A::Error> {
        Ok(match object.next_value()? {
            Scalar::Whole(number) => Some(number),
            Scalar::Number(number) => {
                self.quirk(QuirkKind::NotACount, field, &number.to_string());
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "such a cast saturates"
                )]
                Some(number as u64)
            }
            Scalar::Text(text) => {
                let digits = text.trim();
                let is_digits = digits.bytes().all(|octet| octet.is_ascii_digit());
                if digits.is_empty() || !is_digits {
                    self.quirk(QuirkKind::WrongType, field, &text);
                    return Ok(None);
                }
                self.quirk(QuirkKind::TextForNumber, field, &text);
                Some(digits.parse().unwrap_or(u64::MAX)) // only digits: too many of them
            }
            Scalar::Null => {
                self.quirk(QuirkKind::Null, field, "");
                None
            }
            other => {
                self.quirk(QuirkKind::WrongType, field, other.kind());
                None
            }
        })
    }

    fn texts<'de, A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        object: &mut A,
    ) -> Result<Vec<Box<str>>, A::Error> {
        let mut texts = object.next_value_seed(Texts::new(MAX_STRINGS))?;
        match texts.found {
            Found::Expected => {}
            Found::Null => self.quirk(QuirkKind::Null, field, ""),
            Found::Other(_) if texts.items.len() == 1 => {
                self.quirk(QuirkKind::TextForList, field, &texts.items[0]);
                texts.items.retain(|text| !text.is_empty());
            }
            Found::Other(kind) => self.quirk(QuirkKind::WrongType, field, kind),
        }
        // A list as text, in a list or alone: what Microsoft sends for TLSA records.
        if let [text] = &texts.items[..]
            && text.starts_with('[')
        {
            let mut json = serde_json::Deserializer::from_str(text);
            let inner = Texts::new(MAX_STRINGS).deserialize(&mut json);
            if let Ok(inner) = inner
                && inner.found == Found::Expected
            {
                self.quirk(QuirkKind::ListInText, field, text);
                let owned = inner.items.iter().map(|text| Cow::Owned(text.to_string())).collect();
                texts.items = owned;
            }
        }
        if let Some(kind) = texts.stranger {
            self.quirk(QuirkKind::WrongType, field, kind);
        }
        if texts.excess > 0 {
            self.quirk(QuirkKind::TooMany, field, "");
        }
        let kept = texts.items.iter().map(|text| {
            if text.len() > MAX_POLICY_STRING {
                self.quirk(QuirkKind::TooLong, field, text);
            }
            cut(text, MAX_POLICY_STRING).into()
        });
        Ok(kept.collect())
    }

    /// A known word in any spelling, or the text as it is.
    fn word<T>(
        &mut self,
        field: &'static str,
        text: &str,
        parse: fn(&str) -> T,
        is_known: fn(&T) -> bool,
    ) -> T {
        let word = parse(text);
        if is_known(&word) {
            return word;
        }
        let plain = parse(&text.trim().to_ascii_lowercase().replace(['_', ' '], "-"));
        if is_known(&plain) {
            self.quirk(QuirkKind::WordForm, field, text);
            return plain;
        }
        self.quirk(QuirkKind::UnknownWord, field, text);
        word
    }

    /// An object that is a member of another; `false` if something else stands there.
    fn object<'de, A: MapAccess<'de>, M: Members<'de>>(
        object: &mut A,
        members: &mut M,
    ) -> Result<Found, A::Error> {
        object.next_value_seed(Object(members))
    }

    fn expected(&mut self, field: &'static str, found: Found) {
        match found {
            Found::Expected => {}
            Found::Null => self.quirk(QuirkKind::Null, field, ""),
            Found::Other(kind) => self.quirk(QuirkKind::WrongType, field, kind),
        }
    }

    fn missing(&mut self, seen: Seen, fields: &[&'static str], required: &[&'static str]) {
        for (index, field) in fields.iter().enumerate() {
            if seen.bits & (1 << index) == 0 && required.contains(field) {
                self.quirk(QuirkKind::Missing, field, "");
            }
        }
    }
}

pub(super) struct ReportMembers<'r, 's> {
    reader: &'r mut Reader<'s>,
    seen: Seen,
    organization: Option<Box<str>>,
    range: RangeTexts,
    contact: Option<Box<str>>,
    id: Option<Box<str>>,
    policies: Vec<PolicyReport>,
}

const REPORT_FIELDS: [&str; 5] =
    ["organization-name", "date-range", "contact-info", "report-id", "policies"];

impl<'r, 's> ReportMembers<'r, 's> {
    pub(super) fn new(reader: &'r mut Reader<'s>) -> Self {
        Self {
            reader,
            seen: Seen::default(),
            organization: None,
            range: RangeTexts::default(),
            contact: None,
            id: None,
            policies: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Result<Report, ReadFault> {
        let Self { reader, seen, organization, range, contact, id, policies } = self;
        reader.missing(seen, &REPORT_FIELDS, &REPORT_FIELDS);
        let period = range.period(reader)?;
        if let Some(contact) = &contact
            && EmailAddress::parse(contact).is_err()
        {
            reader.quirk(QuirkKind::Contact, "contact-info", contact);
        }
        Ok(Report { organization, period, contact, id: id.unwrap_or_default(), policies })
    }
}

impl<'de> Members<'de> for ReportMembers<'_, '_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match self.reader.field(name, &REPORT_FIELDS, &mut self.seen) {
            Some(field @ "organization-name") => {
                self.organization = self.reader.boxed(field, object)?;
            }
            Some(field @ "date-range") => {
                let mut range = RangeMembers {
                    reader: self.reader,
                    seen: Seen::default(),
                    texts: &mut self.range,
                };
                let found = Reader::object(object, &mut range)?;
                self.reader.expected(field, found);
            }
            Some(field @ "contact-info") => self.contact = self.reader.boxed(field, object)?,
            Some(field @ "report-id") => self.id = self.reader.boxed(field, object)?,
            Some(field @ "policies") => {
                let mut policies = Policies { reader: self.reader, policies: &mut self.policies };
                let found = object.next_value_seed(List(&mut policies))?;
                self.reader.place = super::Place::default();
                self.reader.expected(field, found);
            }
            _ => drop(object.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

#[derive(Default)]
struct RangeTexts {
    begin: Option<Box<str>>,
    end: Option<Box<str>>,
}

const BEGIN: &str = "start-datetime";
const END: &str = "end-datetime";

impl RangeTexts {
    fn period(self, reader: &mut Reader<'_>) -> Result<DateRange, ReadFault> {
        let (begin, _) = moment(reader, BEGIN, self.begin)?;
        let (end, form) = moment(reader, END, self.end)?;
        // A date alone, as an end, means that day to its last second.
        let open = if form == Form::DateOnly { 86_399 } else { 0 };
        let period = DateRange { begin, end: UnixTime(end.0 + open) };
        let length = period.end.0.saturating_sub(begin.0);
        let text = period.to_string();
        if length == 0 {
            reader.quirk(QuirkKind::EndBeforeBegin, "date-range", &text);
        } else if length > 86_400 {
            reader.quirk(QuirkKind::LongPeriod, "date-range", &text);
        } else if length == 86_400 {
            reader.quirk(QuirkKind::EndAtMidnight, "date-range", &text);
        }
        Ok(period)
    }
}

fn moment(
    reader: &mut Reader<'_>,
    field: &'static str,
    text: Option<Box<str>>,
) -> Result<(UnixTime, Form), ReadFault> {
    let text = text.unwrap_or_default();
    let Some((time, form)) = date_time::parse(text.trim()) else {
        return Err(ReadFault::Period { field, found: cut(&text, super::MAX_FOUND).into() });
    };
    if form != Form::Standard {
        reader.quirk(QuirkKind::DateForm, field, &text);
    }
    Ok((time, form))
}

struct RangeMembers<'r, 's> {
    reader: &'r mut Reader<'s>,
    seen: Seen,
    texts: &'r mut RangeTexts,
}

impl<'de> Members<'de> for RangeMembers<'_, '_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match self.reader.field(name, &[BEGIN, END], &mut self.seen) {
            Some(BEGIN) => self.texts.begin = self.reader.boxed(BEGIN, object)?,
            Some(_) => self.texts.end = self.reader.boxed(END, object)?,
            None => drop(object.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

struct Policies<'r, 's> {
    reader: &'r mut Reader<'s>,
    policies: &'r mut Vec<PolicyReport>,
}

impl<'de> Items<'de> for Policies<'_, '_> {
    fn item<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let index = self.policies.len();
        if index == MAX_REPORT_POLICIES {
            let more = list.next_element::<IgnoredAny>()?.is_some();
            if more {
                self.reader.quirk(QuirkKind::TooMany, "policies", "");
            }
            return Ok(more);
        }
        self.reader.place = super::Place { policy: Some(index), detail: None };
        let mut members = PolicyReportMembers {
            reader: self.reader,
            index,
            seen: Seen::default(),
            policy: None,
            summary: Summary::default(),
            detail_sessions: 0,
        };
        let Some(found) = list.next_element_seed(Object(&mut members))? else {
            return Ok(false);
        };
        match found {
            Found::Expected => {
                let report = members.finish();
                self.policies.push(report);
            }
            other => self.reader.expected("policies", other),
        }
        Ok(true)
    }
}

struct PolicyReportMembers<'r, 's> {
    reader: &'r mut Reader<'s>,
    index: usize,
    seen: Seen,
    policy: Option<Policy>,
    summary: Summary,
    detail_sessions: u64,
}

const POLICY_REPORT_FIELDS: [&str; 3] = ["policy", "summary", "failure-details"];

impl PolicyReportMembers<'_, '_> {
    fn finish(self) -> PolicyReport {
        let Self { reader, seen, policy, summary, detail_sessions, .. } = self;
        reader.missing(seen, &POLICY_REPORT_FIELDS, &["policy", "summary"]);
        if detail_sessions != summary.failures {
            let found = detail_sessions.to_string();
            reader.quirk(QuirkKind::SumMismatch, "failed-session-count", &found);
        }
        let unknown = || Policy {
            kind: PolicyType::Other("".into()),
            domain: None,
            strings: Vec::new(),
            mx: Vec::new(),
        };
        PolicyReport { policy: policy.unwrap_or_else(unknown), summary, details: Vec::new() }
    }
}

impl<'de> Members<'de> for PolicyReportMembers<'_, '_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match self.reader.field(name, &POLICY_REPORT_FIELDS, &mut self.seen) {
            Some(field @ "policy") => {
                let mut members = PolicyMembers {
                    reader: self.reader,
                    seen: Seen::default(),
                    kind: None,
                    domain: None,
                    strings: Vec::new(),
                    mx: Vec::new(),
                };
                let found = Reader::object(object, &mut members)?;
                match found {
                    Found::Expected => self.policy = Some(members.finish()),
                    other => self.reader.expected(field, other),
                }
            }
            Some(field @ "summary") => {
                let mut members = SummaryMembers {
                    reader: self.reader,
                    seen: Seen::default(),
                    summary: Summary::default(),
                };
                let found = Reader::object(object, &mut members)?;
                let (seen, summary) = (members.seen, members.summary);
                match found {
                    Found::Expected => {
                        self.reader.missing(seen, &SUMMARY_FIELDS, &SUMMARY_FIELDS);
                        self.summary = summary;
                    }
                    other => self.reader.expected(field, other),
                }
            }
            Some(field) => {
                let place = self.reader.place;
                let mut details =
                    Details { reader: self.reader, policy: self.index, count: 0, sessions: 0 };
                let found = object.next_value_seed(List(&mut details))?;
                self.detail_sessions = details.sessions;
                self.reader.place = place;
                self.reader.expected(field, found);
            }
            None => drop(object.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

struct PolicyMembers<'r, 's> {
    reader: &'r mut Reader<'s>,
    seen: Seen,
    kind: Option<PolicyType>,
    domain: Option<DomainName>,
    strings: Vec<Box<str>>,
    mx: Vec<Box<str>>,
}

const POLICY_FIELDS: [&str; 4] = ["policy-type", "policy-string", "policy-domain", "mx-host"];

impl PolicyMembers<'_, '_> {
    fn finish(self) -> Policy {
        let Self { reader, seen, kind, domain, strings, mx } = self;
        reader.missing(seen, &POLICY_FIELDS, &["policy-type", "policy-domain"]);
        Policy { kind: kind.unwrap_or(PolicyType::Other("".into())), domain, strings, mx }
    }
}

impl<'de> Members<'de> for PolicyMembers<'_, '_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match self.reader.field(name, &POLICY_FIELDS, &mut self.seen) {
            Some(field @ "policy-type") => {
                let text = self.reader.text(field, object)?;
                let is_known = |kind: &PolicyType| !matches!(kind, PolicyType::Other(_));
                self.kind =
                    text.map(|text| self.reader.word(field, &text, PolicyType::parse, is_known));
            }
            Some(field @ "policy-string") => self.strings = self.reader.texts(field, object)?,
            Some(field @ "policy-domain") => self.domain = self.reader.domain(field, object)?,
            Some(field) => {
                let mut mx = self.reader.texts(field, object)?;
                for pattern in &mut mx {
                    if let Some(bare) = pattern.strip_prefix("mx:") {
                        self.reader.quirk(QuirkKind::MxPrefix, field, pattern);
                        *pattern = bare.trim().into();
                    }
                }
                self.mx = mx;
            }
            None => drop(object.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

struct SummaryMembers<'r, 's> {
    reader: &'r mut Reader<'s>,
    seen: Seen,
    summary: Summary,
}

const SUMMARY_FIELDS: [&str; 2] = ["total-successful-session-count", "total-failure-session-count"];

impl<'de> Members<'de> for SummaryMembers<'_, '_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        let field = self.reader.field(name, &SUMMARY_FIELDS, &mut self.seen);
        let Some(field) = field else {
            return object.next_value::<IgnoredAny>().map(drop);
        };
        let count = self.reader.count(field, object)?.unwrap_or_default();
        match field == SUMMARY_FIELDS[0] {
            true => self.summary.successes = count,
            false => self.summary.failures = count,
        }
        Ok(())
    }
}

struct Details<'r, 's> {
    reader: &'r mut Reader<'s>,
    policy: usize,
    count: usize,
    sessions: u64,
}

impl<'de> Items<'de> for Details<'_, '_> {
    fn item<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        if self.reader.details == MAX_REPORT_DETAILS {
            let more = list.next_element::<IgnoredAny>()?.is_some();
            if more {
                self.reader.quirk(QuirkKind::TooMany, "failure-details", "");
            }
            return Ok(more);
        }
        self.reader.place.detail = Some(self.count);
        let mut members = DetailMembers {
            reader: self.reader,
            seen: Seen::default(),
            failure: Failure::of(ResultType::Other("".into())),
            sessions: None,
        };
        let Some(found) = list.next_element_seed(Object(&mut members))? else {
            return Ok(false);
        };
        let (seen, failure, sessions) = (members.seen, members.failure, members.sessions);
        self.count += 1;
        if found != Found::Expected {
            self.reader.expected("failure-details", found);
            return Ok(true);
        }
        self.reader.missing(seen, &DETAIL_FIELDS, &["result-type", "failed-session-count"]);
        // Whoever names a failure had it at least once.
        let sessions = sessions.unwrap_or(1);
        self.sessions = self.sessions.saturating_add(sessions);
        self.reader.details += 1;
        (self.reader.sink)(self.policy, FailureDetail { failure, sessions });
        Ok(true)
    }
}

struct DetailMembers<'r, 's> {
    reader: &'r mut Reader<'s>,
    seen: Seen,
    failure: Failure,
    sessions: Option<u64>,
}

const DETAIL_FIELDS: [&str; 8] = [
    "result-type",
    "sending-mta-ip",
    "receiving-mx-hostname",
    "receiving-mx-helo",
    "receiving-ip",
    "failed-session-count",
    "additional-information",
    "failure-reason-code",
];

impl<'de> Members<'de> for DetailMembers<'_, '_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        let (reader, failure) = (&mut *self.reader, &mut self.failure);
        match reader.field(name, &DETAIL_FIELDS, &mut self.seen) {
            Some(field @ "result-type") => {
                let is_known = |result: &ResultType| !matches!(result, ResultType::Other(_));
                if let Some(text) = reader.text(field, object)? {
                    failure.result = reader.word(field, &text, ResultType::parse, is_known);
                }
            }
            Some(field @ "sending-mta-ip") => failure.sending_ip = reader.address(field, object)?,
            Some(field @ "receiving-mx-hostname") => {
                failure.mx_hostname = reader.boxed(field, object)?;
            }
            Some(field @ "receiving-mx-helo") => {
                let text = reader.boxed(field, object)?;
                failure.mx_helo = match text {
                    Some(text) if text.bytes().any(|octet| matches!(octet, b'\r' | b'\n')) => {
                        reader.quirk(QuirkKind::EhloReply, field, &text);
                        ehlo_name(&text)
                    }
                    text => text,
                };
            }
            Some(field @ "receiving-ip") => failure.receiving_ip = reader.address(field, object)?,
            Some(field @ "failed-session-count") => self.sessions = reader.count(field, object)?,
            Some(field @ "additional-information") => {
                failure.additional_information = reader.boxed(field, object)?;
            }
            Some(field) => failure.reason = reader.boxed(field, object)?,
            None => drop(object.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}
