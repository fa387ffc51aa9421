//! What is wrong, who is to blame, and what to do: from the rows of reports to problems.
//!
//! A report says that 104 sessions to `mx1.example.com` ended with `certificate-expired`. What an
//! operator needs to know is: since yesterday nobody who checks certificates can deliver; renew the
//! certificate of mx1; here is how to see that it worked. That step is made here, and nowhere else:
//!
//! 1. [`Evidence`] takes in reports with their rows, and keeps sums.
//! 2. [`find`] looks at the sums with one function for each family of causes.
//! 3. Each [`Problem`] names a [`Cause`] of the catalogue, whom and what it is about, since when, how
//!    much was lost, and who has seen it.
//!
//! Everybody sees the same certificate, but only some meet an attacker. So who else has seen it
//! decides much: what all see is a mistake of ours; what one reporter sees while others do not is
//! either his, or an attack between him and us.
//!
//! Pure: no store, no clock, no network. What is found is the most likely cause, not a proof.

mod catalogue;
mod dmarc;
mod evidence;
mod silence;
mod tls;

use std::collections::BTreeMap;

pub use catalogue::{Blame, CATALOGUE, Cause};
pub use evidence::Evidence;

use crate::store::ReceivedKind;

/// A problem, or something else worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The most likely cause.
    pub cause: &'static Cause,
    /// The kind of reports that it was found in.
    pub kind: ReceivedKind,
    /// The domain of ours.
    pub domain: String,
    /// What stands for `{name}` in the texts of the cause.
    pub names: BTreeMap<&'static str, String>,
    /// The first day of it, counted from 1970-01-01.
    pub first: u64,
    /// The last day of it.
    pub last: u64,
    /// Sessions that failed, or messages that did not pass DMARC, for this cause.
    pub lost: u64,
    /// How many there were in all on these days.
    pub of: u64,
    /// Who has seen it, and how often; most first.
    pub reporters: Vec<(String, u64)>,
    /// From where it came: networks or addresses; most first.
    pub sources: Vec<(String, u64)>,
    /// What the reporters' software said; most first.
    pub reasons: Vec<(String, u64)>,
}

impl Problem {
    /// The title, with names in it.
    #[must_use]
    pub fn title(&self) -> String {
        self.filled(self.cause.title)
    }

    /// Why it is so.
    #[must_use]
    pub fn why(&self) -> String {
        self.filled(self.cause.why)
    }

    /// What to do, step by step.
    #[must_use]
    pub fn fix(&self) -> Vec<String> {
        self.cause.fix.iter().map(|step| self.filled(step)).collect()
    }

    /// Whether nothing of it was seen on the last two days that there are reports about.
    #[must_use]
    pub const fn is_over(&self, newest: u64) -> bool {
        self.last + 1 < newest
    }

    fn filled(&self, text: &str) -> String {
        let mut filled = text.replace("{domain}", &self.domain);
        for (name, value) in &self.names {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        filled
    }
}

/// All problems, the worst first.
#[must_use]
pub fn find(evidence: &Evidence) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (domain, tls) in evidence.tls() {
        tls::find(domain, tls, &mut problems);
    }
    for (domain, dmarc) in evidence.dmarc() {
        dmarc::find(domain, dmarc, &mut problems);
    }
    silence::find(evidence, &mut problems);
    let newest = evidence.newest();
    problems.sort_by_key(|one| {
        // In the name of a domain anybody can send; to stand between servers takes more.
        let is_common = one.cause.blame == Blame::Attack && one.kind == ReceivedKind::Dmarc;
        let share = u64::MAX - one.lost.saturating_mul(1000) / one.of.max(1);
        let is_over = one.is_over(newest);
        (one.cause.blame, is_over, is_common, share, one.cause.id, one.domain.clone())
    });
    problems
}

/// Counts with the most first; equal ones by name.
fn most_first(counts: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.iter().map(|(name, count)| (name.clone(), *count)).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}
