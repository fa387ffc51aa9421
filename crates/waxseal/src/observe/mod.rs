//! Turns the world into facts: what the DNS says, and what a policy host says. It decides nothing.
//!
//! The core crates are pure: a function that lacks an answer leaves with a [`Need`]. This module
//! is where needs are met. [`Observer::evaluate`] calls the function, asks everything that it
//! lacks **side by side**, adds the answers to [`Known`] and calls again, until the function is
//! content. A failure is an answer too, so an evaluation always comes to an end: the core, and not
//! the network, decides what a silent resolver or a broken certificate means for the mail.
//!
//! In reading order:
//! - [`dns`]: questions to one recursive resolver, and what its answers are worth;
//!   below it `dns_transport` (sockets), `dns_answer` (messages), `extended_error` (RFC 8914);
//! - [`validation`] and [`probe`]: whether the resolver's word on DNSSEC is believed;
//! - [`resolv_conf`]: which resolver the system uses;
//! - [`https`]: one GET to a policy host; below it `connect` (addresses), `certificate` (who the
//!   server is), `http_get` (bytes), [`address_filter`] (where we do not go);
//! - [`https_post`]: one POST to whoever wants reports, by the same rules;
//! - [`starttls`]: how a mail host looks from outside. No decision needs it; it is for reports.
//!
//! - [`dns_memory`]: answers that many evaluations want, for those who judge one message after the
//!   other.
//!
//! Nothing else here caches, retries later or raises an alarm. Everything is bounded, in time and in
//! memory, whatever resolvers, domain owners and web servers send.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use smtp_types::{DnsQuestion, DnsReply, HttpsQuestion, HttpsReply, Known, Need};

pub mod address_filter;
mod addresses;
mod certificate;
mod connect;
pub mod dns;
mod dns_answer;
pub mod dns_memory;
mod dns_transport;
mod extended_error;
mod http_get;
pub mod https;
pub mod https_post;
mod printable;
pub mod probe;
pub mod resolv_conf;
pub mod starttls;
#[cfg(test)]
mod tests;
pub mod validation;

pub use dns::{NotedReply, Resolver, ResolverSettings};
pub use dns_memory::DnsMemory;
pub use https::{Authorities, FetchSettings, FetchSettingsError, PolicyFetcher};
pub use https_post::{HttpsPost, PostAnswer, Recipient};
pub use probe::{Probes, Zone};
pub use resolv_conf::{ResolvConfError, system_resolver};
pub use starttls::{MxObservation, MxProbeSettings, MxProber, Unseen};
pub use validation::{Disproof, Trust, Validation};

/// Meets the needs of the core.
#[derive(Clone)]
pub struct Observer {
    /// Who answers questions to the DNS.
    pub resolver: Arc<Resolver>,
    /// Who answers questions to policy hosts.
    pub fetcher: Arc<PolicyFetcher>,
    /// How much one evaluation may ask.
    pub bounds: Bounds,
    /// Answers that hold still, if they may be used instead of asking again.
    pub memory: Option<Arc<DnsMemory>>,
}

/// How much one evaluation may ask. A domain's owner chooses how many hosts and aliases it has;
/// here is the end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many times needs are met before the evaluation must be content. The default is 16.
    pub rounds: usize,
    /// How many questions, of both kinds together. The default is 200.
    pub questions: usize,
    /// How many questions may be under way at the same time. The default is 50.
    pub simultaneous: usize,
}

impl Bounds {
    /// For one message. SPF allows ten terms one inside the other, each with ten names of hosts
    /// (RFC 7208 §4.6.4), and its macros may ask for more.
    pub const SENDER_AUTH: Self = Self { rounds: 64, questions: 600, simultaneous: 50 };
}

impl Default for Bounds {
    fn default() -> Self {
        Self { rounds: 16, questions: 200, simultaneous: 50 }
    }
}

/// What an evaluation has cost: each question with its round and its time.
#[derive(Clone, Debug, Default)]
pub struct Effort {
    /// How many rounds of questions there were: the number of round trips that cannot be avoided.
    pub rounds: usize,
    /// Every question that was asked, in the order of the answers.
    pub asked: Vec<Asked>,
}

/// A question that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// The round that it was asked in, from 1.
    pub round: usize,
    /// How long the answer took.
    pub duration: Duration,
    /// What was left out of the answer, and why; for people.
    pub notes: Vec<String>,
}

/// A question of either kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// To the resolver.
    Dns(DnsQuestion),
    /// To a policy host.
    Https(HttpsQuestion),
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(question) => question.fmt(f),
            Self::Https(question) => question.fmt(f),
        }
    }
}

impl Observer {
    /// An observer with the default bounds.
    #[must_use]
    pub fn new(resolver: Arc<Resolver>, fetcher: Arc<PolicyFetcher>) -> Self {
        Self { resolver, fetcher, bounds: Bounds::default(), memory: None }
    }

    /// Calls `evaluation` until it has all that it needs, and returns what it comes to. `known`
    /// may hold answers from before; the new ones are added to it, also if this fails.
    ///
    /// # Errors
    /// [`ObserveError`] if a bound is hit. What fails on the network is no error here but an
    /// answer.
    pub async fn evaluate<T>(
        &self,
        known: &mut Known,
        evaluation: impl FnMut(&Known) -> Result<T, Need>,
    ) -> Result<T, ObserveError> {
        let mut effort = Effort::default();
        self.evaluate_measured(known, &mut effort, evaluation).await
    }

    /// As [`evaluate`](Self::evaluate), and adds to `effort` what it has cost.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); `effort` then holds what was asked until then.
    pub async fn evaluate_measured<T>(
        &self,
        known: &mut Known,
        effort: &mut Effort,
        mut evaluation: impl FnMut(&Known) -> Result<T, Need>,
    ) -> Result<T, ObserveError> {
        let mut round = 0;
        let mut questions = 0;
        loop {
            let need = match evaluation(known) {
                Ok(value) => return Ok(value),
                Err(need) => need,
            };
            let missing = missing(&need, known);
            if missing.is_empty() {
                return Err(ObserveError::NoProgress { need });
            }
            round += 1;
            if round > self.bounds.rounds {
                let limit = self.bounds.rounds;
                return Err(ObserveError::TooManyRounds { limit, need });
            }
            questions += missing.len();
            if questions > self.bounds.questions {
                let limit = self.bounds.questions;
                return Err(ObserveError::TooManyQuestions { limit, need });
            }
            effort.rounds += 1;
            let mut answers = stream::iter(missing)
                .map(|question| self.ask(question))
                .buffer_unordered(self.bounds.simultaneous.max(1));
            while let Some((asked, answer)) = answers.next().await {
                effort.asked.push(Asked { round, ..asked });
                match answer {
                    Answer::Dns(question, reply) => known.add_dns(question, reply),
                    Answer::Https(question, reply) => known.add_https(question, reply),
                }
            }
        }
    }

    /// Asks one question. The round is filled in by the caller.
    async fn ask(&self, question: Question) -> (Asked, Answer) {
        let start = Instant::now();
        let (answer, notes) = match question.clone() {
            Question::Dns(question) => {
                let NotedReply { reply, notes } = self.ask_dns(&question, start).await;
                (Answer::Dns(question, reply), notes)
            }
            Question::Https(question) => {
                let reply = self.fetcher.get(&question).await;
                (Answer::Https(question, reply), Vec::new())
            }
        };
        let asked = Asked { question, round: 0, duration: start.elapsed(), notes };
        (asked, answer)
    }

    async fn ask_dns(&self, question: &DnsQuestion, now: Instant) -> NotedReply {
        let Some(memory) = &self.memory else { return self.resolver.ask_noting(question).await };
        if let Some(answer) = memory.recall(question, now) {
            return NotedReply { reply: Ok(answer), notes: Vec::new() };
        }
        let noted = self.resolver.ask_noting(question).await;
        if let Ok(answer) = &noted.reply {
            memory.keep(question, answer, now);
        }
        noted
    }
}

/// A question of either kind with what came of it.
enum Answer {
    Dns(DnsQuestion, DnsReply),
    Https(HttpsQuestion, HttpsReply),
}

fn missing(need: &Need, known: &Known) -> BTreeSet<Question> {
    let dns = need
        .dns
        .iter()
        .filter(|question| known.dns(question).is_err())
        .map(|question| Question::Dns(question.clone()));
    let https = need
        .https
        .iter()
        .filter(|question| known.https(question).is_err())
        .map(|question| Question::Https(question.clone()));
    dns.chain(https).collect()
}

/// Why an evaluation was given up. All of it is the work of the domain's owner, or of a defect in
/// ours; nothing of it heals by trying again at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObserveError {
    /// The bound on rounds was hit.
    TooManyRounds {
        /// The bound.
        limit: usize,
        /// What was still missing.
        need: Need,
    },
    /// The bound on questions was hit.
    TooManyQuestions {
        /// The bound.
        limit: usize,
        /// What was still missing.
        need: Need,
    },
    /// The evaluation asks for what it has been given.
    NoProgress {
        /// What it asks for.
        need: Need,
    },
}

impl fmt::Display for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRounds { limit, need } => write!(
                f,
                "look-ups: expected at most {limit} one after the other, found more: {need}"
            ),
            Self::TooManyQuestions { limit, need } => {
                write!(f, "look-ups: expected at most {limit}, found more: {need}")
            }
            Self::NoProgress { need } => {
                write!(f, "look-ups: asked again for what is known: {need}")
            }
        }
    }
}

impl std::error::Error for ObserveError {}
