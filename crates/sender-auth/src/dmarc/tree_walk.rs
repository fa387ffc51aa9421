//! The DNS Tree Walk: whose domain is it, and where is its record? (RFC 9989 §4.10)
//!
//! `mail.example.com` belongs to whoever has registered `example.com`, and the DNS does not say
//! where the registry ends. RFC 7489 used a list of public suffixes; RFC 9989 asks for a record at
//! the domain and at each parent, at most eight names, and reads the answer off what is there.
//!
//! The questions of one walk do not depend on each other, so all are asked at once. What was
//! answered is then read in the order of the standard, and what stands behind the end of the walk
//! is not looked at: a failure there does no harm.

use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DnsFailure, DnsReply, DomainName, Known, Need, all};

use super::record::{NoRecord, Record, record_question, select};
use super::tag_values::Psd;

/// How many names one walk asks for at most (RFC 9989 §4.10).
pub const MAX_QUERIES: usize = 8;

/// A name with this many labels or more is cut down to one label less at its second step.
const LONG: usize = 8;

/// One walk: what stands at the domain and at its parents, up to where the walk ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeWalk {
    start: DomainName,
    steps: Vec<WalkStep>,
}

/// What one name had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkStep {
    /// The domain; `_dmarc` stands before it in the question.
    pub domain: DomainName,
    /// Its record, or why there is none.
    pub found: Result<Record, StepFailure>,
}

/// Why one name has no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepFailure {
    /// The DNS answered, and there is no usable record.
    None(NoRecord),
    /// The name with `_dmarc` in front would be too long to exist.
    NameTooLong,
    /// The DNS failed: nobody knows. The walk ends here.
    Dns(DnsFailure),
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None(reason) => reason.fmt(f),
            Self::NameTooLong => write!(f, "the name of the record would have over 253 octets"),
            Self::Dns(failure) => failure.fmt(f),
        }
    }
}

/// A failure of the DNS that keeps a walk from its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkFailure {
    /// The domain whose record was asked for.
    pub domain: DomainName,
    /// What happened.
    pub failure: DnsFailure,
}

impl fmt::Display for WalkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "_dmarc.{}: {}", self.domain, self.failure)
    }
}

impl core::error::Error for WalkFailure {}

/// Walks up from a domain.
///
/// # Errors
/// All questions of the walk that have not been answered.
pub fn walk(known: &Known, start: &DomainName) -> Result<TreeWalk, Need> {
    let names = names(start);
    let replies = all(names.iter().map(|name| reply(known, name)))?;
    let mut steps = Vec::with_capacity(names.len());
    for (domain, reply) in names.into_iter().zip(replies) {
        let found = match reply {
            None => Err(StepFailure::NameTooLong),
            Some(Ok(answer)) => select(answer.txt()).map_err(StepFailure::None),
            Some(Err(failure)) => Err(StepFailure::Dns(failure.clone())),
        };
        let ends = match &found {
            Ok(record) => record.psd() != Psd::Unknown,
            Err(StepFailure::Dns(_)) => true,
            Err(StepFailure::None(_) | StepFailure::NameTooLong) => false,
        };
        steps.push(WalkStep { domain, found });
        if ends {
            break;
        }
    }
    Ok(TreeWalk { start: start.clone(), steps })
}

/// `None` for a name that cannot exist.
fn reply<'k>(known: &'k Known, domain: &DomainName) -> Result<Option<&'k DnsReply>, Need> {
    record_question(domain).ok().map(|question| known.dns(&question)).transpose()
}

/// §4.10, steps 3, 4 and 7: the domain; then "if x < 8, remove the left-most label", else "until 7
/// labels remain"; then label by label up to the last.
fn names(start: &DomainName) -> Vec<DomainName> {
    let parents = core::iter::successors(start.parent(), DomainName::parent);
    let short = parents.filter(|name| name.labels().count() < LONG);
    core::iter::once(start.clone()).chain(short).collect()
}

impl TreeWalk {
    /// Where the walk began.
    #[must_use]
    pub const fn start(&self) -> &DomainName {
        &self.start
    }

    /// The names in the order of the walk, at least one and at most [`MAX_QUERIES`].
    #[must_use]
    pub fn steps(&self) -> &[WalkStep] {
        &self.steps
    }

    /// The failure that the walk ended with, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<WalkFailure> {
        let last = self.steps.last()?;
        match &last.found {
            Err(StepFailure::Dns(failure)) => {
                Some(WalkFailure { domain: last.domain.clone(), failure: failure.clone() })
            }
            _ => None,
        }
    }

    /// The record that stands at `domain`, if the walk came by and found one.
    #[must_use]
    pub fn record_at(&self, domain: &DomainName) -> Option<&Record> {
        let step = self.steps.iter().find(|step| step.domain == *domain)?;
        step.found.as_ref().ok()
    }

    /// Where the walk found a Public Suffix Domain above its start, and the record there.
    #[must_use]
    pub fn public_suffix(&self) -> Option<(&DomainName, &Record)> {
        let (domain, record) = self.records().last()?;
        let is_suffix = record.psd() == Psd::Yes && *domain != self.start;
        is_suffix.then_some((domain, record))
    }

    /// The Organizational Domain of the start (RFC 9989 §4.10.2).
    ///
    /// # Errors
    /// The failure that the walk ended with: what stands above could change everything.
    pub fn organizational_domain(&self) -> Result<DomainName, WalkFailure> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        // Only the last record can have "psd=n" or "psd=y", for the walk ends there. With "psd=n"
        // it is at once the one with the fewest labels.
        if let Some((suffix, _)) = self.public_suffix() {
            return Ok(self.below(suffix));
        }
        Ok(self.records().last().map_or(&self.start, |(domain, _)| domain).clone())
    }

    /// The records that were found, from the longest name to the shortest.
    fn records(&self) -> impl Iterator<Item = (&DomainName, &Record)> {
        self.steps.iter().filter_map(|step| Some((&step.domain, step.found.as_ref().ok()?)))
    }

    /// "The domain one label below this one", on the way to the start.
    fn below(&self, suffix: &DomainName) -> DomainName {
        let up = core::iter::successors(Some(self.start.clone()), DomainName::parent);
        let below = up.take_while(|name| name != suffix).last();
        below.unwrap_or_else(|| self.start.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(start: &str) -> Vec<alloc::string::String> {
        let start = DomainName::parse(start).unwrap();
        names(&start).iter().map(|name| name.as_str().into()).collect()
    }

    #[test]
    fn names_of_a_walk() {
        assert_eq!(asked("com"), ["com"]);
        assert_eq!(
            asked("a.mail.example.com"),
            ["a.mail.example.com", "mail.example.com", "example.com", "com"]
        );
        for start in ["b.c.d.e.f.g.example.com", "a.b.c.d.e.f.g.example.com"] {
            assert_eq!(asked(start)[1], "c.d.e.f.g.example.com");
            assert_eq!(asked(start).len(), MAX_QUERIES);
        }
        assert_eq!(asked(&["a"; 100].join(".")).len(), MAX_QUERIES);
    }
}
