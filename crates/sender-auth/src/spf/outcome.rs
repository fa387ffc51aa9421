//! What an evaluation ends in (RFC 7208 §2.6), and why.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use smtp_types::{DnsFailure, DnsName, DnsQuestion, DomainName, DomainNameError};

use super::identity::{Identity, NoDomain};
use super::record::RecordError;
use super::term::Directive;
use super::trace::Trace;

/// The result of `check_host()` (RFC 7208 §2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpfResult {
    /// There is no domain to ask about, or it has no record.
    None,
    /// The domain's owner says nothing about this client.
    Neutral,
    /// The client may send for the domain.
    Pass,
    /// The client may not.
    Fail,
    /// The client likely may not.
    Softfail,
    /// The DNS failed; trying again later may help.
    Temperror,
    /// The published records cannot be interpreted; only their owner can help.
    Permerror,
}

impl SpfResult {
    /// `none`, `neutral`, `pass`, `fail`, `softfail`, `temperror` or `permerror`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Softfail => "softfail",
            Self::Temperror => "temperror",
            Self::Permerror => "permerror",
        }
    }
}

impl fmt::Display for SpfResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The result for one identity, with the reason, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Which identity was checked.
    pub identity: Identity,
    /// Its domain, which a `pass` speaks for; `None` if there is none, and then the result is
    /// `none`.
    pub domain: Option<DomainName>,
    /// The result.
    pub result: SpfResult,
    /// The directive that matched and said the result; `None` if none did.
    pub matched: Option<Match>,
    /// Why the result is `none`, `temperror` or `permerror`.
    pub problem: Option<Problem>,
    /// What the domain's owner tells a sender whose result is `fail` (§6.2): printable ASCII of a
    /// third party.
    pub explanation: Option<String>,
    /// How many terms have looked something up (§4.6.4).
    pub lookups: u8,
    /// How many of them found nothing (§4.6.4).
    pub void_lookups: u8,
    /// Every step.
    pub trace: Trace,
}

impl fmt::Display for Evaluation {
    /// One line for people: the result and its reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.matched, &self.problem) {
            (Some(matched), _) => write!(f, "{}: {matched}", self.result),
            (None, Some(problem)) => write!(f, "{}: {problem}", self.result),
            (None, None) => write!(f, "{}: no mechanism matches (RFC 7208 §4.7)", self.result),
        }
    }
}

/// The directive that said the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Whose record it stands in: the domain that was asked about, or one that it redirects to.
    pub domain: DnsName,
    /// The directive.
    pub directive: Directive,
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} matches", self.directive, self.domain)
    }
}

/// Why there is no result of a record. Each variant has one result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// `none`: there is no domain to ask about (§4.3).
    Domain(NoDomain),
    /// `none`: the domain has no record (§4.5), or does not exist (§4.3).
    NoRecord {
        /// The domain.
        domain: DnsName,
        /// Whether it exists.
        name_exists: bool,
    },
    /// `temperror`: the DNS failed (§4.4, §5).
    Dns {
        /// What was asked.
        question: DnsQuestion,
        /// What happened.
        failure: DnsFailure,
    },
    /// `permerror`: more than one record (§4.5).
    SeveralRecords {
        /// The domain.
        domain: DnsName,
        /// How many.
        count: usize,
    },
    /// `permerror`: a record with a fault in its syntax (§4.6).
    Record {
        /// The domain.
        domain: DnsName,
        /// The fault.
        error: RecordError,
    },
    /// `permerror`: too many terms that look up (§4.6.4).
    LookupLimit {
        /// How many there may be.
        limit: u8,
    },
    /// `permerror`: too many look-ups found nothing (§4.6.4).
    VoidLookupLimit {
        /// How many there may be.
        limit: u8,
    },
    /// `permerror`: too many mail exchangers (§4.6.4).
    MxLimit {
        /// Whose they are.
        domain: DnsName,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: u8,
    },
    /// `permerror`: `include` (§5.2) or `redirect` (§6.1) leads to no record.
    NoRecordAtTarget {
        /// Which of the two.
        referral: Referral,
        /// Where it leads.
        target: Box<str>,
        /// Why there is no record.
        why: Box<Problem>,
    },
    /// No name to ask for: text that is none in the DNS (§4.8).
    TargetName(DomainNameError),
    /// No name to ask for: the sender's local part would be in it and is not ASCII
    /// (RFC 8616 §4).
    LocalPartNotAscii,
}

/// What leads to the record of another domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referral {
    /// The mechanism `include`.
    Include,
    /// The modifier `redirect`.
    Redirect,
}

impl Referral {
    /// `include` or `redirect`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Include => "include",
            Self::Redirect => "redirect",
        }
    }
}

impl Problem {
    /// The result that it leads to.
    #[must_use]
    pub const fn result(&self) -> SpfResult {
        match self {
            Self::Domain(_)
            | Self::NoRecord { .. }
            | Self::TargetName(_)
            | Self::LocalPartNotAscii => SpfResult::None,
            Self::Dns { .. } => SpfResult::Temperror,
            Self::SeveralRecords { .. }
            | Self::Record { .. }
            | Self::LookupLimit { .. }
            | Self::VoidLookupLimit { .. }
            | Self::MxLimit { .. }
            | Self::NoRecordAtTarget { .. } => SpfResult::Permerror,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(error) => write!(f, "domain: {error} (RFC 7208 §4.3)"),
            Self::NoRecord { domain, name_exists: true } => {
                write!(f, "{domain} has no SPF record (RFC 7208 §4.5)")
            }
            Self::NoRecord { domain, name_exists: false } => {
                write!(f, "{domain} does not exist (RFC 7208 §4.3)")
            }
            Self::Dns { question, failure } => write!(f, "{question}: {failure} (RFC 7208 §5)"),
            Self::SeveralRecords { domain, count } => {
                write!(f, "{domain}: expected one SPF record, found {count} (RFC 7208 §4.5)")
            }
            Self::Record { domain, error } => write!(f, "record of {domain}: {error}"),
            Self::LookupLimit { limit } => {
                write!(
                    f,
                    "expected at most {limit} terms that look up, found more (RFC 7208 §4.6.4)"
                )
            }
            Self::VoidLookupLimit { limit } => write!(
                f,
                "expected at most {limit} terms that find nothing, found more (RFC 7208 §4.6.4)"
            ),
            Self::MxLimit { domain, count, limit } => write!(
                f,
                "mx of {domain}: expected at most {limit} names, found {count} (RFC 7208 §4.6.4)"
            ),
            Self::NoRecordAtTarget { referral, target, why } => {
                let clause = match referral {
                    Referral::Include => "RFC 7208 §5.2",
                    Referral::Redirect => "RFC 7208 §6.1",
                };
                write!(f, "{} leads to {target:?}: {why} ({clause})", referral.as_str())
            }
            Self::TargetName(error) => error.fmt(f),
            Self::LocalPartNotAscii => {
                write!(f, "local part: expected ASCII to make a name of, found more (RFC 8616 §4)")
            }
        }
    }
}

impl core::error::Error for Problem {}
