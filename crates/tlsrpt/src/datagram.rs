//! Datagrams of the TLSRPT client library: what Postfix 3.10 and later tell after each handshake.
//!
//! One datagram is one JSON object about one handshake. Its form is that of the library
//! `libtlsrpt`, not of RFC 8460: short names, numbers for words. The same object on a line of its
//! own is what `reports inject` and a stream socket take, and there words may stand for numbers.
//!
//! Who writes to the socket is on this machine, but what it passes on comes from other servers. So
//! everything is bounded, and three things are not taken as they come:
//!
//! - `h` is the whole reply to EHLO, often with the address or a number of the session in it. Only
//!   the name in its first line is kept, else no two failures would be the same.
//! - TLSA records are in the order of the DNS answer; the policy is brought into its
//!   [canonical](Policy::canonical) form.
//! - Reasons are free text: without control characters, and without addresses.
//!
//! What can be understood is taken, with a [`Remark`]; what would be counted wrongly is an error.
//! Both stand beside the members in which they are found, which makes the file long.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use serde_core::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess};
use smtp_types::{DomainName, DomainNameError, Position};

use crate::json::{Found, Items, List, Members, OBJECT, Object, Scalar, Texts, decoded};
use crate::privacy::without_addresses;
use crate::write::failure_code;
use crate::{Event, Failure, Outcome, Policy, PolicyType, ResultType, Session};

/// The longest datagram, in octets: what a sender with Linux's default buffer can send.
pub const MAX_DATAGRAM: usize = 212_960;

/// How many policies one event may have; Postfix sends one.
const MAX_POLICIES: usize = 16;

/// How many strings, mx patterns and failures of a policy are kept, each.
const MAX_ITEMS: usize = 100;

/// How long a policy string may be, in octets: a TLSA record with a whole certificate fits.
const MAX_POLICY_STRING: usize = 4096;

/// How long the text of a TLSRPT record may be, in octets.
const MAX_RECORD: usize = 4096;

/// How long a reason or a URI may be, in octets.
const MAX_REASON: usize = 256;

/// How long a name of a host may be, in octets.
const MAX_HOST: usize = 253;

/// What a datagram says, and what was odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The event.
    pub event: Event,
    /// Each oddity once, in the order of their declaration.
    pub remarks: Vec<Remark>,
}

/// Something odd in a datagram that was counted all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remark {
    /// Octets that are not UTF-8 were replaced by U+FFFD.
    NotUtf8,
    /// `t` is not the number of failures.
    WrongCount,
    /// A code of a failure that this version does not know; it counts as `validation-failure`.
    UnknownFailure,
    /// A text was longer than it may be, and was cut; or a record was, and was left out.
    TooLong,
    /// There were more strings, patterns or failures than are kept.
    TooMany,
    /// An address, a name or a record was none, and was left out.
    NotReadable,
}

impl Remark {
    /// A stable name for counters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not-utf-8",
            Self::WrongCount => "wrong-count",
            Self::UnknownFailure => "unknown-failure",
            Self::TooLong => "too-long",
            Self::TooMany => "too-many",
            Self::NotReadable => "not-readable",
        }
    }
}

/// Reads one datagram, or one line of JSON in the same form.
///
/// `dpv`, the version of the form, may be missing, as before libtlsrpt 0.5.0.
///
/// # Errors
/// [`DatagramError`] says what is wrong, and where. Nothing of such a datagram is counted.
pub fn parse_datagram(octets: &[u8]) -> Result<Datagram, DatagramError> {
    if octets.len() > MAX_DATAGRAM {
        let fault = DatagramFault::TooLong { octets: octets.len() };
        return Err(DatagramError { position: START, fault });
    }
    let text = decoded(octets);
    let mut reader = Reader { index: None, remarks: Vec::new(), fault: None };
    if matches!(text, Cow::Owned(_)) {
        reader.remarks.push(Remark::NotUtf8);
    }
    let mut top = Top { reader: &mut reader, domain: None, record: None, sessions: None };
    let mut json = serde_json::Deserializer::from_str(&text);
    let read = Object(&mut top).deserialize(&mut json).and_then(|found| json.end().map(|()| found));
    let (domain, record, sessions) = (top.domain, top.record, top.sessions);
    let found = read.map_err(|error| reader.located(&error))?;
    let at_start = |fault| DatagramError { position: START, fault };
    if found != Found::Expected {
        return Err(at_start(type_fault("datagram", OBJECT, found)));
    }
    let missing = |name: &str| at_start(DatagramFault::Missing { field: name.into() });
    let domain = domain.ok_or_else(|| missing("d"))?;
    let mut sessions = sessions.ok_or_else(|| missing("policies"))?;
    if sessions.is_empty() {
        return Err(at_start(DatagramFault::NoPolicies));
    }
    for session in &mut sessions {
        // Before September 2025 Postfix sent no policy domain where there is no policy.
        session.policy.domain.get_or_insert_with(|| domain.clone());
    }
    reader.remarks.sort_unstable();
    reader.remarks.dedup();
    Ok(Datagram { event: Event { domain, record, sessions }, remarks: reader.remarks })
}

const START: Position = Position { line: 1, column: 1 };

/// Why a datagram is not counted, and where the fault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatagramError {
    /// The place up to which it was read.
    pub position: Position,
    /// The fault.
    pub fault: DatagramFault,
}

impl fmt::Display for DatagramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.fault)
    }
}

impl core::error::Error for DatagramError {}

/// What can be wrong with a datagram. Fields are named by their path, as `policies[0].t`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatagramFault {
    /// It has more than [`MAX_DATAGRAM`] octets.
    TooLong {
        /// How many.
        octets: usize,
    },
    /// It is not JSON.
    NotJson {
        /// What the reader of JSON says.
        message: Box<str>,
    },
    /// `dpv` is not `"1"`: a form that this version does not know.
    Version {
        /// What it is.
        found: Box<str>,
    },
    /// A field is missing.
    Missing {
        /// Which.
        field: Box<str>,
    },
    /// A field has a value of another type.
    Type {
        /// Which field.
        field: Box<str>,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// The policy domain, or that of a policy, is not one.
    Domain {
        /// Which field.
        field: Box<str>,
        /// What it is.
        found: Box<str>,
        /// What is wrong with it.
        error: DomainNameError,
    },
    /// A number or a word that means nothing here.
    Code {
        /// Which field.
        field: Box<str>,
        /// What may stand there.
        expected: &'static str,
        /// What it is.
        found: Box<str>,
    },
    /// `policies` is empty.
    NoPolicies,
    /// There are more policies than one handshake can have.
    TooManyPolicies,
}

impl DatagramFault {
    /// A stable name for counters.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "datagram-too-long",
            Self::NotJson { .. } => "not-json",
            Self::Version { .. } => "version",
            Self::Missing { .. } => "missing-field",
            Self::Type { .. } => "wrong-type",
            Self::Domain { .. } => "domain",
            Self::Code { .. } => "unknown-code",
            Self::NoPolicies => "no-policies",
            Self::TooManyPolicies => "too-many-policies",
        }
    }
}

impl fmt::Display for DatagramFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { octets } => {
                write!(f, "datagram: expected at most {MAX_DATAGRAM} octets, found {octets}")
            }
            Self::NotJson { message } => write!(f, "datagram: expected JSON, found {message}"),
            Self::Version { found } => write!(f, "dpv: expected \"1\", found {found:?}"),
            Self::Missing { field } => write!(f, "{field}: expected this field, found none"),
            Self::Type { field, expected, found } => {
                write!(f, "{field}: expected {expected}, found {found}")
            }
            Self::Domain { field, found, error } => write!(f, "{field}: {found:?}: {error}"),
            Self::Code { field, expected, found } => {
                write!(f, "{field}: expected {expected}, found {found:?}")
            }
            Self::NoPolicies => write!(f, "policies: expected at least one, found none"),
            Self::TooManyPolicies => {
                write!(f, "policies: expected at most {MAX_POLICIES}, found more")
            }
        }
    }
}

fn type_fault(field: &str, expected: &'static str, found: Found) -> DatagramFault {
    let found = match found {
        Found::Expected => expected,
        Found::Null => "null",
        Found::Other(kind) => kind,
    };
    DatagramFault::Type { field: field.into(), expected, found }
}

/// What all parts of a datagram share while it is read.
struct Reader {
    /// Which policy is read.
    index: Option<usize>,
    remarks: Vec<Remark>,
    /// Why the reading was stopped.
    fault: Option<DatagramFault>,
}

impl Reader {
    fn remark(&mut self, remark: Remark) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// Stops the reading.
    fn stop<E: serde_core::de::Error>(&mut self, fault: DatagramFault) -> E {
        self.fault = Some(fault);
        E::custom("")
    }

    fn located(&mut self, error: &serde_json::Error) -> DatagramError {
        let position = Position { line: error.line().max(1), column: error.column().max(1) };
        let message = || {
            let text = error.to_string();
            // The place is told apart.
            text.split(" at line ").next().unwrap_or_default().into()
        };
        let fault = self.fault.take();
        let fault = fault.unwrap_or_else(|| DatagramFault::NotJson { message: message() });
        DatagramError { position, fault }
    }

    /// `policies[0].t`, or `d`.
    fn path(&self, field: &str) -> Box<str> {
        match self.index {
            Some(index) => format!("policies[{index}].{field}").into(),
            None => field.into(),
        }
    }

    /// A text that may be missing; `null` is the same.
    fn text<'de, A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        object: &mut A,
    ) -> Result<Option<Cow<'de, str>>, A::Error> {
        match object.next_value()? {
            Scalar::Null => Ok(None),
            Scalar::Text(text) => Ok(Some(text)),
            other => {
                let field = self.path(field);
                let (expected, found) = ("a string", other.kind());
                Err(self.stop(DatagramFault::Type { field, expected, found }))
            }
        }
    }

    fn domain<'de, A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        object: &mut A,
    ) -> Result<Option<DomainName>, A::Error> {
        let Some(text) = self.text(field, object)? else {
            return Ok(None);
        };
        DomainName::parse(&text).map(Some).map_err(|error| {
            let found = cut(&text, MAX_HOST).into();
            let fault = DatagramFault::Domain { field: self.path(field), found, error };
            self.stop(fault)
        })
    }

    /// A free text: printable, bounded, without addresses; `None` if nothing is left.
    fn reduced(&mut self, text: Option<Cow<'_, str>>, limit: usize) -> Option<Box<str>> {
        let text: String = text?.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let printable = without_addresses(text.trim());
        if printable.len() > limit {
            self.remark(Remark::TooLong);
        }
        let kept = cut(&printable, limit).trim_end();
        (!kept.is_empty()).then(|| kept.into())
    }

    fn address(&mut self, text: Option<Cow<'_, str>>) -> Option<IpAddr> {
        let text = text.filter(|text| !text.is_empty())?;
        let address = text.split('%').next().and_then(|address| address.parse().ok());
        if address.is_none() {
            self.remark(Remark::NotReadable);
        }
        address
    }

    fn host(&mut self, text: Option<Cow<'_, str>>) -> Option<Box<str>> {
        let text = text.filter(|text| !text.is_empty())?;
        let host = DomainName::parse(&text).ok().map(|host| host.as_str().into());
        if host.is_none() {
            self.remark(Remark::NotReadable);
        }
        host
    }

    fn texts<'de, A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        object: &mut A,
        limit: usize,
    ) -> Result<Vec<Box<str>>, A::Error> {
        let texts = object.next_value_seed(Texts::new(MAX_ITEMS))?;
        let stranger = texts.stranger.map(Found::Other);
        let found = stranger.unwrap_or(texts.found);
        if !matches!(found, Found::Expected | Found::Null) {
            let fault = type_fault(&self.path(field), "a list of strings", found);
            return Err(self.stop(fault));
        }
        if texts.excess > 0 {
            self.remark(Remark::TooMany);
        }
        if texts.items.iter().any(|text| text.len() > limit) {
            self.remark(Remark::TooLong);
        }
        Ok(texts.items.iter().map(|text| cut(text, limit).into()).collect())
    }
}

fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// The name in the first line of a reply to EHLO: `250-mx.example.com\r\n250-PIPELINING` is
/// `mx.example.com`. Anything that is neither a name nor an address literal is left out.
pub(crate) fn ehlo_name(reply: &str) -> Option<Box<str>> {
    let line = reply.lines().next()?;
    let line = match line.as_bytes() {
        [a, b, c, b'-' | b' ', ..] if [a, b, c].iter().all(|octet| octet.is_ascii_digit()) => {
            &line[4..]
        }
        _ => line,
    };
    let name = line.split_whitespace().next()?;
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    if let Some(literal) = literal {
        let address = literal.strip_prefix("IPv6:").unwrap_or(literal).parse::<IpAddr>();
        return address.is_ok().then(|| name.into());
    }
    Some(DomainName::parse(name).ok()?.as_str().into())
}

struct Top<'r> {
    reader: &'r mut Reader,
    domain: Option<DomainName>,
    record: Option<Box<str>>,
    sessions: Option<Vec<Session>>,
}

impl<'de> Members<'de> for Top<'_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "dpv" => match object.next_value()? {
                Scalar::Text(version) if version == "1" => {}
                Scalar::Text(version) => {
                    let found = cut(&version, MAX_HOST).into();
                    return Err(self.reader.stop(DatagramFault::Version { found }));
                }
                Scalar::Null => {}
                Scalar::Whole(version) => {
                    let found = version.to_string().into();
                    return Err(self.reader.stop(DatagramFault::Version { found }));
                }
                other => {
                    let found = Found::Other(other.kind());
                    return Err(self.reader.stop(type_fault("dpv", "\"1\"", found)));
                }
            },
            "d" => self.domain = self.reader.domain("d", object)?,
            "pr" => {
                let record = self.reader.text("pr", object)?;
                let is_long = record.as_ref().is_some_and(|record| record.len() > MAX_RECORD);
                if is_long {
                    self.reader.remark(Remark::TooLong);
                }
                let record = record.filter(|record| !is_long && !record.is_empty());
                self.record = record.map(|record| record.into());
            }
            "policies" => {
                let mut policies = Policies { reader: self.reader, sessions: Vec::new() };
                let found = object.next_value_seed(List(&mut policies))?;
                let sessions = policies.sessions;
                if found != Found::Expected {
                    return Err(self.reader.stop(type_fault("policies", "a list", found)));
                }
                self.sessions = Some(sessions);
            }
            _ => drop(object.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

struct Policies<'r> {
    reader: &'r mut Reader,
    sessions: Vec<Session>,
}

impl<'de> Items<'de> for Policies<'_> {
    fn item<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        self.reader.index = Some(self.sessions.len());
        let mut policy = PolicyMembers {
            reader: self.reader,
            kind: None,
            domain: None,
            strings: Vec::new(),
            mx: Vec::new(),
            failures: Failures::default(),
            count: None,
            outcome: None,
        };
        let Some(found) = list.next_element_seed(Object(&mut policy))? else {
            self.reader.index = None;
            return Ok(false);
        };
        let session = policy.session();
        if found != Found::Expected {
            return Err(self.reader.stop(type_fault("policies", "a list of objects", found)));
        }
        match session {
            _ if self.sessions.len() == MAX_POLICIES => {
                Err(self.reader.stop(DatagramFault::TooManyPolicies))
            }
            Ok(session) => {
                self.sessions.push(session);
                Ok(true)
            }
            Err(field) => {
                let field = self.reader.path(field);
                Err(self.reader.stop(DatagramFault::Missing { field }))
            }
        }
    }
}

struct PolicyMembers<'r> {
    reader: &'r mut Reader,
    kind: Option<PolicyType>,
    domain: Option<DomainName>,
    strings: Vec<Box<str>>,
    mx: Vec<Box<str>>,
    failures: Failures,
    count: Option<u64>,
    outcome: Option<Outcome>,
}

impl PolicyMembers<'_> {
    /// The session, or the name of the field that is missing.
    fn session(self) -> Result<Session, &'static str> {
        let Self { reader, kind, domain, strings, mx, failures, count, outcome } = self;
        let Failures { kept, excess } = failures;
        if excess > 0 {
            reader.remark(Remark::TooMany);
        }
        if count.is_some_and(|count| count != (kept.len() + excess) as u64) {
            reader.remark(Remark::WrongCount);
        }
        let kind = kind.ok_or("policy-type")?;
        let policy = Policy { kind, domain, strings, mx }.canonical();
        Ok(Session { policy, outcome: outcome.ok_or("f")?, failures: kept })
    }

    /// 1 tlsa, 2 sts, 9 no-policy-found; or the word itself.
    fn kind(&mut self, scalar: Scalar<'_>) -> Option<PolicyType> {
        let expected = "1, 2, 9 or a policy type";
        let found = match scalar {
            Scalar::Null => return None,
            Scalar::Whole(1) => return Some(PolicyType::Tlsa),
            Scalar::Whole(2) => return Some(PolicyType::Sts),
            Scalar::Whole(9) => return Some(PolicyType::NoPolicyFound),
            Scalar::Text(text) => match PolicyType::parse(&text) {
                PolicyType::Other(word) => cut(&word, MAX_HOST).into(),
                known => return Some(known),
            },
            Scalar::Whole(code) => code.to_string().into(),
            other => other.kind().into(),
        };
        let field = self.reader.path("policy-type");
        self.reader.fault = Some(DatagramFault::Code { field, expected, found });
        None
    }

    fn outcome(&mut self, scalar: &Scalar<'_>) -> Option<Outcome> {
        let found = match scalar {
            Scalar::Null => return None,
            Scalar::Whole(0) => return Some(Outcome::Success),
            Scalar::Whole(1) => return Some(Outcome::Failure),
            Scalar::Whole(code) => code.to_string().into(),
            other => other.kind().into(),
        };
        let field = self.reader.path("f");
        self.reader.fault = Some(DatagramFault::Code { field, expected: "0 or 1", found });
        None
    }
}

impl<'de> Members<'de> for PolicyMembers<'_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "policy-type" => {
                let scalar = object.next_value()?;
                self.kind = self.kind(scalar);
            }
            "policy-domain" => self.domain = self.reader.domain("policy-domain", object)?,
            "policy-string" => {
                self.strings = self.reader.texts("policy-string", object, MAX_POLICY_STRING)?;
            }
            "mx-host" => self.mx = self.reader.texts("mx-host", object, MAX_HOST)?,
            "failure-details" => {
                self.failures = Failures::default();
                let mut details = Details { reader: self.reader, failures: &mut self.failures };
                let found = object.next_value_seed(List(&mut details))?;
                if let Found::Other(_) = found {
                    let fault = type_fault(&self.reader.path(name), "a list", found);
                    return Err(self.reader.stop(fault));
                }
            }
            "t" => match object.next_value()? {
                Scalar::Whole(count) => self.count = Some(count),
                _ => self.reader.remark(Remark::WrongCount),
            },
            "f" => {
                let scalar = object.next_value()?;
                self.outcome = self.outcome(&scalar);
            }
            _ => drop(object.next_value::<IgnoredAny>()?),
        }
        match &self.reader.fault {
            Some(_) => Err(A::Error::custom("")),
            None => Ok(()),
        }
    }
}

#[derive(Default)]
struct Failures {
    kept: Vec<Failure>,
    excess: usize,
}

struct Details<'r> {
    reader: &'r mut Reader,
    failures: &'r mut Failures,
}

impl<'de> Items<'de> for Details<'_> {
    fn item<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        if self.failures.kept.len() == MAX_ITEMS {
            let more = list.next_element::<IgnoredAny>()?.is_some();
            self.failures.excess += usize::from(more);
            return Ok(more);
        }
        let mut detail = DetailMembers {
            reader: self.reader,
            code: None,
            failure: Failure::of(ResultType::ValidationFailure),
        };
        let Some(found) = list.next_element_seed(Object(&mut detail))? else {
            return Ok(false);
        };
        let (code, failure) = (detail.code, detail.failure);
        if found != Found::Expected {
            let fault =
                type_fault(&self.reader.path("failure-details"), "a list of objects", found);
            return Err(self.reader.stop(fault));
        }
        let Some(result) = code else {
            let field = self.reader.path("failure-details.c");
            return Err(self.reader.stop(DatagramFault::Missing { field }));
        };
        self.failures.kept.push(Failure { result, ..failure });
        Ok(true)
    }
}

struct DetailMembers<'r> {
    reader: &'r mut Reader,
    code: Option<ResultType>,
    failure: Failure,
}

impl DetailMembers<'_> {
    /// The number of the library or the word of §4.3. What neither knows is still a failure, and
    /// §4.3.3 has a result type for "a reason not matching a category above".
    fn result(&mut self, scalar: &Scalar<'_>) -> Option<ResultType> {
        let known = match scalar {
            Scalar::Null => return None,
            Scalar::Whole(code) => {
                ResultType::ALL.into_iter().find(|known| failure_code(known) == *code)
            }
            Scalar::Text(word) => {
                Some(ResultType::parse(word)).filter(|known| !matches!(known, ResultType::Other(_)))
            }
            other => {
                let field = self.reader.path("failure-details.c");
                let found = other.kind();
                let expected = "a number or a result type";
                self.reader.fault = Some(DatagramFault::Type { field, expected, found });
                return None;
            }
        };
        if known.is_none() {
            self.reader.remark(Remark::UnknownFailure);
        }
        Some(known.unwrap_or(ResultType::ValidationFailure))
    }
}

impl<'de> Members<'de> for DetailMembers<'_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        let failure = &mut self.failure;
        match name {
            "c" => {
                let scalar = object.next_value()?;
                self.code = self.result(&scalar);
                if self.reader.fault.is_some() {
                    return Err(A::Error::custom(""));
                }
            }
            "s" => {
                let text = self.reader.text("failure-details.s", object)?;
                failure.sending_ip = self.reader.address(text);
            }
            "n" => {
                let text = self.reader.text("failure-details.n", object)?;
                failure.mx_hostname = self.reader.host(text);
            }
            "h" => {
                let text = self.reader.text("failure-details.h", object)?;
                failure.mx_helo = text.as_deref().and_then(ehlo_name);
            }
            "r" => {
                let text = self.reader.text("failure-details.r", object)?;
                failure.receiving_ip = self.reader.address(text);
            }
            "a" => {
                let text = self.reader.text("failure-details.a", object)?;
                failure.additional_information = self.reader.reduced(text, MAX_REASON);
            }
            "f" => {
                let text = self.reader.text("failure-details.f", object)?;
                failure.reason = self.reader.reduced(text, MAX_REASON);
            }
            _ => drop(object.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str) -> Datagram {
        parse_datagram(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn bad(text: &str, column: usize, expected: &str) {
        let error = parse_datagram(text.as_bytes()).expect_err(text);
        assert_eq!((error.fault.to_string().as_str(), error.position.column), (expected, column));
    }

    fn one(policy: &str) -> String {
        format!("{{\"d\":\"example.com\",\"policies\":[{{{policy}}}]}}")
    }

    #[test]
    fn forms() {
        let none = good(
            "{\"dpv\": \"1\",\"d\": \"example.com\",\"pr\": \"v=TLSRPTv1; rua=mailto:a@b.test\",\
             \"policies\":[{\"policy-type\":9,\"policy-domain\": \"example.com\",\"t\":0,\"f\":0}]}",
        );
        assert_eq!(none.remarks, []);
        assert_eq!(none.event.record.as_deref(), Some("v=TLSRPTv1; rua=mailto:a@b.test"));
        assert_eq!(none.event.sessions[0].outcome, Outcome::Success);
        let words = good(&one(
            "\"policy-type\":\"sts\",\"f\":1,\"failure-details\":[{\"c\":\"certificate-expired\"}]",
        ));
        let numbers = good(&one("\"policy-type\":2,\"f\":1,\"failure-details\":[{\"c\":204}]"));
        assert_eq!(words, numbers);
    }

    #[test]
    fn faults() {
        bad("", 1, "datagram: expected JSON, found EOF while parsing a value");
        bad("5", 1, "datagram: expected an object, found a number");
        bad("[]", 1, "datagram: expected an object, found a list");
        bad("{\"d\":5}", 7, "d: expected a string, found a number");
        bad("{\"dpv\":\"2\"}", 11, "dpv: expected \"1\", found \"2\"");
        bad("{}", 1, "d: expected this field, found none");
        bad("{\"d\":\"a.test\"}", 1, "policies: expected this field, found none");
        bad("{\"d\":\"a.test\",\"policies\":[]}", 1, "policies: expected at least one, found none");
        bad("{\"d\":\"a..test\"}", 15, "d: \"a..test\": column 3: expected a label, found none");
        bad(&one("\"f\":0"), 39, "policies[0].policy-type: expected this field, found none");
        bad(
            &one("\"policy-type\":7"),
            48,
            "policies[0].policy-type: expected 1, 2, 9 or a policy type, found \"7\"",
        );
        bad(&one("\"policy-type\":9"), 49, "policies[0].f: expected this field, found none");
        bad(&one("\"f\":2"), 38, "policies[0].f: expected 0 or 1, found \"2\"");
        bad(
            &one("\"mx-host\":\"a\""),
            46,
            "policies[0].mx-host: expected a list of strings, found a string",
        );
        bad("{\"d\":\"a.test\"} x", 16, "datagram: expected JSON, found trailing characters");
        let long = [b' '; MAX_DATAGRAM + 1];
        let error = parse_datagram(&long).unwrap_err();
        assert_eq!(error.fault, DatagramFault::TooLong { octets: MAX_DATAGRAM + 1 });
    }

    #[test]
    fn names_in_ehlo_replies() {
        let table = [
            ("250-mx1.Example.com\r\n250-PIPELINING\r\n250 SIZE", Some("mx1.example.com")),
            ("250-mx.google.test at your service, [192.0.2.1]", Some("mx.google.test")),
            ("250 mx1.example.com", Some("mx1.example.com")),
            ("mx1.example.com", Some("mx1.example.com")),
            ("250-[192.0.2.7] hello", Some("[192.0.2.7]")),
            ("250-[IPv6:2001:db8::1]", Some("[IPv6:2001:db8::1]")),
            ("250-alice@example.com", None),
            ("2\u{fffd}0-mx.example.com", None),
            ("250 OK, welcome", None),
            ("", None),
            ("250-", None),
        ];
        for (reply, name) in table {
            assert_eq!(ehlo_name(reply).as_deref(), name, "{reply:?}");
        }
    }
}
