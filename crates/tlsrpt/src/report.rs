//! The model of a report (RFC 8460 §4.4).
//!
//! One report tells one domain of one day: under which policies sessions were made, how many
//! succeeded, and what made the others fail. Its parts that RFC 8460 demands but others omit are
//! `Option` here, because this is also the model of what others send; `None` is never written as
//! `null`, but left out. What we send ourselves always has them: it is built by
//! [`Aggregate::report`](crate::Aggregate::report) from a [`Submitter`].
//!
//! What is not here: JSON (`write`, `read`), and how sessions become counts (`aggregate`).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use smtp_types::{DomainName, EmailAddress};

use crate::{DateRange, ResultType};

/// Who sends our reports: `organization-name` and `contact-info` (RFC 8460 §4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitter {
    /// The name of the organization, for people.
    pub organization: Box<str>,
    /// Where people ask back.
    pub contact: EmailAddress,
}

impl Submitter {
    /// The domain that stands in file name, subject and `TLS-Report-Submitter` (RFC 8460 §5.1,
    /// §5.3): that of the contact.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        self.contact.domain()
    }
}

/// What one organization saw of one domain in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// `organization-name`.
    pub organization: Option<Box<str>>,
    /// `date-range`.
    pub period: DateRange,
    /// `contact-info`, by RFC 8460 an e-mail address. Others write other things, so it is a text.
    pub contact: Option<Box<str>>,
    /// `report-id`; empty if there is none.
    pub id: Box<str>,
    /// `policies`, in the order of the report.
    pub policies: Vec<PolicyReport>,
}

impl Report {
    /// The sums over all policies.
    #[must_use]
    pub fn totals(&self) -> Summary {
        self.policies.iter().map(|policy| policy.summary).fold(Summary::default(), Summary::plus)
    }
}

/// One policy, and what came of the sessions under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyReport {
    /// `policy`.
    pub policy: Policy,
    /// `summary`.
    pub summary: Summary,
    /// `failure-details`.
    pub details: Vec<FailureDetail>,
}

/// How many sessions (RFC 8460 §4.2). Sums saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Summary {
    /// `total-successful-session-count` (§4.2.1).
    pub successes: u64,
    /// `total-failure-session-count` (§4.2.2).
    pub failures: u64,
}

impl Summary {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            successes: self.successes.saturating_add(other.successes),
            failures: self.failures.saturating_add(other.failures),
        }
    }

    /// All sessions.
    #[must_use]
    pub const fn sessions(self) -> u64 {
        self.successes.saturating_add(self.failures)
    }
}

/// The policy that a session was made under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Policy {
    /// `policy-type`.
    pub kind: PolicyType,
    /// `policy-domain`: the mail domain for MTA-STS and without policy, the TLSA base domain for
    /// DANE. Only others' reports are without.
    pub domain: Option<DomainName>,
    /// `policy-string`: the lines of an MTA-STS policy, or the TLSA records in the form `3 1 1 HEX`.
    pub strings: Vec<Box<str>>,
    /// `mx-host`: the mx patterns of an MTA-STS policy.
    pub mx: Vec<Box<str>>,
}

impl Policy {
    /// No policy was found for this domain.
    #[must_use]
    pub fn none_of(domain: DomainName) -> Self {
        Self {
            kind: PolicyType::NoPolicyFound,
            domain: Some(domain),
            strings: Vec::new(),
            mx: Vec::new(),
        }
    }

    /// The same policy in the one form that counts as its key: TLSA records are upper case and in
    /// order, mx patterns are lower case and in order, and nothing is there twice.
    ///
    /// The DNS gives the records of a set in any order, so the same policy would be another one
    /// each time. The lines of an MTA-STS policy keep their order: it is that of the document.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        if self.kind == PolicyType::Tlsa {
            self.strings.iter_mut().for_each(|record| record.make_ascii_uppercase());
            self.strings.sort_unstable();
            self.strings.dedup();
        }
        self.mx.iter_mut().for_each(|pattern| pattern.make_ascii_lowercase());
        self.mx.sort_unstable();
        self.mx.dedup();
        self
    }
}

/// What a policy comes from (RFC 8460 §4.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyType {
    /// DANE: TLSA records.
    Tlsa,
    /// MTA-STS.
    Sts,
    /// Neither.
    NoPolicyFound,
    /// A type that RFC 8460 does not know, as written. Only others' reports have such.
    Other(Box<str>),
}

impl PolicyType {
    /// All types of RFC 8460.
    pub const ALL: [Self; 3] = [Self::Tlsa, Self::Sts, Self::NoPolicyFound];

    /// Reads a type; one that is unknown is kept.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "tlsa" => Self::Tlsa,
            "sts" => Self::Sts,
            "no-policy-found" => Self::NoPolicyFound,
            other => Self::Other(other.into()),
        }
    }

    /// The type as reports write it.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::NoPolicyFound => "no-policy-found",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One kind of failure, and how many sessions had it: an item of `failure-details`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureDetail {
    /// What failed, where.
    pub failure: Failure,
    /// `failed-session-count`.
    pub sessions: u64,
}

/// What failed, between which hosts. Two sessions with an equal failure are one row of a report.
///
/// Names of hosts and reasons are texts, as whoever reports wrote them. They come from the network:
/// show them escaped, never follow them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Failure {
    /// `result-type`.
    pub result: ResultType,
    /// `sending-mta-ip`.
    pub sending_ip: Option<IpAddr>,
    /// `receiving-mx-hostname`.
    pub mx_hostname: Option<Box<str>>,
    /// `receiving-mx-helo`: the name that the host gave itself in its reply to EHLO.
    pub mx_helo: Option<Box<str>>,
    /// `receiving-ip`.
    pub receiving_ip: Option<IpAddr>,
    /// `additional-information`: a URI. It may lead anywhere.
    pub additional_information: Option<Box<str>>,
    /// `failure-reason-code`: a code or a message of whatever TLS library met it.
    pub reason: Option<Box<str>>,
}

impl Failure {
    /// A failure of which nothing else is known.
    #[must_use]
    pub const fn of(result: ResultType) -> Self {
        Self {
            result,
            sending_ip: None,
            mx_hostname: None,
            mx_helo: None,
            receiving_ip: None,
            additional_information: None,
            reason: None,
        }
    }
}
