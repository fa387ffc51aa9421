//! The operator's overrides in the words of the decision.

use transport_policy::{Answer, Decision, Level, LocalMatch, LocalPolicy, LocalRule, Reason};

use crate::config::{MatchName, Override, OverrideLevel, OverridePolicy, Overrides, WatchedFile};

/// The overrides in force, and the file that they come from.
pub type OverrideFile = WatchedFile<Overrides>;

/// An entry of the file in the words of the decision.
pub(super) fn local_policy(entry: &Override) -> LocalPolicy {
    let rule = match &entry.policy {
        OverridePolicy::Require => LocalRule::Require,
        OverridePolicy::Off => LocalRule::Off,
        OverridePolicy::Fixed(level) => LocalRule::Fixed(local_match(level)),
    };
    LocalPolicy { rule, comment: entry.comment.clone() }
}

/// The decision that is the same whatever the facts are, if this is one.
pub(super) fn decide_without_facts(local: &LocalPolicy) -> Option<Decision> {
    let answer = match &local.rule {
        LocalRule::Off => Answer::NoPolicy,
        LocalRule::Fixed(fixed) => Answer::Fixed(fixed.clone()),
        LocalRule::Require => return None,
    };
    Some(Decision { answer, reasons: vec![Reason::Local(local.clone())] })
}

fn local_match(level: &OverrideLevel) -> LocalMatch {
    let (level, names) = match level {
        OverrideLevel::May => (Level::May, Vec::new()),
        OverrideLevel::Encrypt => (Level::Encrypt, Vec::new()),
        OverrideLevel::Dane => (Level::Dane, Vec::new()),
        OverrideLevel::DaneOnly => (Level::DaneOnly, Vec::new()),
        OverrideLevel::Secure { matches } => {
            let names = matches.iter().map(|name| match name {
                MatchName::Host(host) => (host.clone(), false),
                MatchName::Below(domain) => (domain.clone(), true),
            });
            (Level::Secure, names.collect())
        }
    };
    LocalMatch { level, names }
}
