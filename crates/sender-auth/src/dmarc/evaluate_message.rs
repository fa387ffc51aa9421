//! The DMARC result for a whole message: what to do when it shows one domain, several, or none
//! that can be told for sure.
//!
//! RFC 9989 §5.3.1: with "zero or more than one domain [...] DMARC validation is not possible", and
//! the standard ends there. An attacker need only add a second author to get there, so §11.5 tells
//! receivers to look after themselves, and recommends what is done here: every domain is evaluated,
//! up to a limit, and the strictest policy among those that fail is the one of the message.

use alloc::vec::Vec;

use smtp_types::{DomainName, Known, Need, all};

use super::author::{Author, AuthorFault};
use super::evaluate::{DmarcResult, Evaluation, Identities, evaluate};
use super::tag_values::Policy;

/// The result for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageEvaluation {
    /// The worst of all: a message passes if each domain that it shows passes, and "permerror" is
    /// the least for a `From` that is at fault.
    pub result: DmarcResult,
    /// What is wrong with the `From`, if anything is.
    pub fault: Option<AuthorFault>,
    /// The evaluations, one for each domain in the order of the message. For a `From` at fault they
    /// are of the domains that can be made out in it.
    pub evaluations: Vec<Evaluation>,
}

impl MessageEvaluation {
    /// What the owners of the domains want to happen: the strictest wish of those that fail.
    #[must_use]
    pub fn disposition(&self) -> Policy {
        self.evaluations.iter().map(Evaluation::disposition).max().unwrap_or(Policy::None)
    }

    /// The evaluation that decides: the first of those with the worst result and the strictest
    /// wish. `None` if there is no domain.
    #[must_use]
    pub fn deciding(&self) -> Option<&Evaluation> {
        let rank = |one: &Evaluation| (one.result, one.disposition());
        self.evaluations.iter().rev().max_by_key(|one| rank(one))
    }
}

/// Evaluates a message. Walks for several domains are made side by side.
///
/// # Errors
/// What must be looked up first.
pub fn evaluate_message(
    known: &Known,
    author: &Author,
    identities: &Identities,
) -> Result<MessageEvaluation, Need> {
    let evaluation = |domain: &DomainName| evaluate(known, domain, identities);
    let evaluations = all(author.domains().iter().map(evaluation))?;
    let fault = author.fault().cloned();
    let least = if fault.is_some() { DmarcResult::Permerror } else { DmarcResult::Pass };
    let result = evaluations.iter().map(|one| one.result).fold(least, Ord::max);
    Ok(MessageEvaluation { result, fault, evaluations })
}
