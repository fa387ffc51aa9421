//! What was done, step by step, as values: for people who want to know why.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use smtp_types::{DnsAnswer, DnsFailure, DnsName, DnsQuestion, DnsReply, RecordType};

use super::outcome::{Problem, SpfResult};
use super::term::Directive;

/// All steps of an evaluation, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    steps: Vec<Step>,
    omitted: usize,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many `include` and `redirect` lead here; 0 in the record of the domain itself.
    pub depth: usize,
    /// What happened.
    pub event: Event,
}

/// What can happen in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The record of this domain is evaluated from here on.
    Domain {
        /// The domain.
        domain: DnsName,
    },
    /// The DNS was asked.
    Asked {
        /// What.
        question: DnsQuestion,
        /// What it said.
        found: Found,
    },
    /// The DNS could not be asked.
    NotAsked {
        /// What should have become a name.
        text: Box<str>,
        /// Why it did not.
        why: Problem,
    },
    /// The domain's record.
    Record {
        /// The text, printable ASCII; other octets are escaped.
        text: Box<str>,
    },
    /// A directive was looked at.
    Tested {
        /// The directive.
        directive: Directive,
        /// Whether it matched.
        outcome: Outcome,
        /// How many terms have looked something up so far.
        lookups: u8,
        /// How many of them found nothing.
        void_lookups: u8,
    },
    /// No directive matches, and another domain's record counts.
    Redirected {
        /// How many terms have looked something up so far.
        lookups: u8,
    },
    /// The record of a domain is at its end.
    Ended {
        /// Whose.
        domain: DnsName,
        /// What it said.
        result: SpfResult,
    },
    /// There is no explanation although the record has `exp` (§6.2).
    Unexplained {
        /// Why.
        why: Box<str>,
    },
}

/// Whether a directive matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does, and says the result.
    Match,
    /// It does not.
    NoMatch,
}

/// What the DNS said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Addresses.
    Addresses(Vec<IpAddr>),
    /// Names: of mail exchangers or of an address.
    Names(Vec<Box<str>>),
    /// Texts.
    Texts {
        /// How many.
        count: usize,
    },
    /// Nothing.
    Nothing {
        /// Whether the name exists.
        name_exists: bool,
    },
    /// A failure.
    Failed(DnsFailure),
}

impl Trace {
    /// The steps in their order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How many more there were than are kept.
    #[must_use]
    pub const fn omitted(&self) -> usize {
        self.omitted
    }

    pub(super) fn push(&mut self, limit: usize, depth: usize, event: Event) {
        if self.steps.len() < limit {
            self.steps.push(Step { depth, event });
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }
}

impl Found {
    pub(super) fn of(question: &DnsQuestion, reply: &DnsReply) -> Self {
        match reply {
            Err(failure) => Self::Failed(failure.clone()),
            Ok(answer) if answer.records.is_empty() => {
                Self::Nothing { name_exists: answer.name_exists }
            }
            Ok(answer) => Self::records(question.record_type, answer),
        }
    }

    fn records(record_type: RecordType, answer: &DnsAnswer) -> Self {
        match record_type {
            RecordType::A | RecordType::Aaaa => Self::Addresses(answer.addresses().collect()),
            RecordType::Mx => {
                let hosts = answer.mx().map(|mx| mx.exchange.as_ref());
                Self::Names(
                    hosts.map(|host| host.map_or(".", |host| host.as_str()).into()).collect(),
                )
            }
            RecordType::Ptr => Self::Names(answer.ptr().map(|name| name.as_str().into()).collect()),
            RecordType::Txt | RecordType::Cname | RecordType::Tlsa => {
                Self::Texts { count: answer.txt().count() }
            }
        }
    }
}

impl fmt::Display for Trace {
    /// One line for one step, indented by its depth.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{:width$}{step}", "", width = step.depth * 2)?;
        }
        match self.omitted {
            0 => Ok(()),
            more => writeln!(f, "{more} more"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.event {
            Event::Domain { domain } => write!(f, "domain {domain}"),
            Event::Asked { question, found } => write!(f, "asked {question}: {found}"),
            Event::NotAsked { text, why } => write!(f, "not asked {text:?}: {why}"),
            Event::Record { text } => write!(f, "record {text}"),
            Event::Tested { directive, outcome, lookups, void_lookups } => {
                let outcome = match outcome {
                    Outcome::Match => "matches",
                    Outcome::NoMatch => "does not match",
                };
                write!(f, "{directive} {outcome}")?;
                match directive.mechanism.looks_up() {
                    true => write!(f, " (look-ups so far: {lookups}, void: {void_lookups})"),
                    false => Ok(()),
                }
            }
            Event::Redirected { lookups } => {
                write!(f, "no mechanism matches, redirect counts (look-ups so far: {lookups})")
            }
            Event::Ended { domain, result } => write!(f, "{domain} says {result}"),
            Event::Unexplained { why } => write!(f, "no explanation: {why}"),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(addresses) => listed(f, addresses),
            Self::Names(names) => listed(f, names),
            Self::Texts { count: 1 } => write!(f, "1 text"),
            Self::Texts { count } => write!(f, "{count} texts"),
            Self::Nothing { name_exists: true } => write!(f, "no such records"),
            Self::Nothing { name_exists: false } => write!(f, "no such name"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

fn listed(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display]) -> fmt::Result {
    let mut separator = "";
    items.iter().try_for_each(|item| {
        write!(f, "{separator}{item}")?;
        separator = ", ";
        Ok(())
    })
}
