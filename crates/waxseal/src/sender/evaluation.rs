//! One evaluation of a next hop: memory, facts, decision, and what is remembered of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mta_sts::{
    CachedPolicy, Disagreement, FailedFetch, NoRecord, RecordFailure, Refresh, Source,
    disagreements,
};
use smtp_types::{DnsFailure, DomainName, Known, NextHop, UnixTime};
use transport_policy::{
    Answer, Decision, Facts, Memory, Reason, decide, gather, policy_result_type,
};

use super::freshness::{Kept, fresh_for};
use super::{Observation, ObservedFailure, Sender, refresh};
use crate::answer::Replies;
use crate::observe::Effort;
use crate::store::StoredPolicy;

/// All that one evaluation brought to light.
pub struct Evaluation {
    /// When.
    pub at: UnixTime,
    /// The facts, unless they could not be gathered within bounds.
    pub facts: Option<Facts>,
    /// Every answer that the facts were made of.
    pub known: Known,
    /// What it cost to gather them.
    pub effort: Effort,
    /// The decision.
    pub decision: Decision,
    /// What the mail server is told.
    pub replies: Replies,
    /// For how long the answer is given again.
    pub fresh_for: Duration,
    /// The policy that was remembered beforehand.
    pub remembered: Option<StoredPolicy>,
    /// Where it disagrees with the facts.
    pub disagreements: Vec<Disagreement>,
}

impl Sender {
    /// Evaluates a next hop, remembers what was learned, and keeps the answer.
    pub(super) async fn evaluate(&self, next_hop: &NextHop, refresh: Refresh) -> Evaluation {
        let _turn = self.turns.take(next_hop.policy_domain()).await;
        self.counters.evaluations.inc();
        let at = self.clock.now();
        let forgotten = self.forgotten.load(Ordering::SeqCst);
        let domain = next_hop.policy_domain();
        let remembered = self.remembered.load(domain).await;
        let memory = Memory {
            policy: remembered.as_ref().map(|stored| stored.cached.clone()),
            failed: self.remembered.failed(domain),
        };
        let (mut known, mut effort) = (Known::default(), Effort::default());
        let gathered = self
            .observer
            .evaluate_measured(&mut known, &mut effort, |known| {
                gather(known, next_hop, &memory, refresh, at)
            })
            .await;
        let overrides = self.overrides.current();
        let entry = overrides.find(domain, at);
        let local = entry.map(super::overrides::local_policy);
        let (facts, decision) = match gathered {
            Ok(facts) => {
                let decision = decide(&facts, self.settings.decision, local.as_ref());
                (Some(facts), decision)
            }
            // A domain that leads to more questions than any honest one: nothing is known of it.
            Err(error) => {
                let detail = error.to_string();
                let reason = Reason::MxFailed(DnsFailure::Temporary { detail });
                let waits = Decision { answer: Answer::Defer, reasons: vec![reason] };
                let local = local.as_ref().and_then(super::overrides::decide_without_facts);
                (None, local.unwrap_or(waits))
            }
        };
        let disagreements = match (&remembered, &facts) {
            (Some(stored), Some(facts)) => disagreements(&stored.cached, &facts.sts, at),
            _ => Vec::new(),
        };
        if let Some(facts) = &facts {
            self.sentinel.note(domain, &disagreements, at);
            self.remember(next_hop, &facts.sts, remembered.as_ref(), at).await;
        }
        let replies = Replies::new(next_hop, &decision);
        let ends = [
            facts.as_ref().and_then(|facts| policy_end(&facts.sts, remembered.as_ref(), at)),
            entry.and_then(|entry| entry.until).map(|until| until.plus(Duration::from_secs(1))),
        ];
        let life = ends.into_iter().flatten().min().map_or(Duration::MAX, |end| end.since(at));
        let fresh_for = fresh_for(&known, facts.as_ref(), &decision.answer, life);
        self.keep(next_hop, Kept::new(replies.clone(), fresh_for), forgotten);
        self.counters.count(&decision.answer);
        log(next_hop, &decision);
        Evaluation {
            at,
            facts,
            known,
            effort,
            decision,
            replies,
            fresh_for,
            remembered,
            disagreements,
        }
    }

    /// Writes down what was learned about the policy of a domain, before anybody is answered by
    /// it: a promise that is given is a promise that survives a crash.
    pub(super) async fn remember(
        &self,
        next_hop: &NextHop,
        found: &mta_sts::Discovery,
        remembered: Option<&StoredPolicy>,
        now: UnixTime,
    ) {
        let domain = next_hop.policy_domain();
        if let Some(cached) = found.to_cache(now) {
            self.counters.fetches.inc();
            self.remembered.forgive(domain);
            let refresh_at = cached.refresh_due(self.settings.refresh, refresh::spread());
            self.remembered
                .save(StoredPolicy {
                    domain: domain.clone(),
                    cached,
                    last_used: now,
                    refresh_at,
                    failures: 0,
                    last_error: None,
                })
                .await;
            return;
        }
        if let Err(RecordFailure::None(
            reason @ (NoRecord::Several { .. } | NoRecord::Invalid(_)),
        )) = &found.record
        {
            tracing::warn!(%domain, "MTA-STS record: {reason}");
            self.tell_policy_failure(domain, found, &reason.to_string(), now);
        }
        if let (Some(Err(error)), Ok(record)) = (&found.fetched, &found.record) {
            let before = self.remembered.failed(domain);
            let held_back =
                before.as_ref().is_some_and(|failed| failed.holds_back(record.id(), now));
            if !held_back {
                tracing::warn!(%domain, "MTA-STS policy: {error}");
                self.counters.failed_fetches.inc();
                self.tell_policy_failure(domain, found, &error.to_string(), now);
                let count =
                    before.filter(|failed| failed.id == *record.id()).map_or(0, |f| f.count);
                self.remembered.fail(
                    domain,
                    FailedFetch {
                        id: record.id().clone(),
                        at: now,
                        error: error.clone(),
                        count: count.saturating_add(1),
                    },
                );
            }
        }
        let binds = |cached: &CachedPolicy| cached.is_unexpired(now);
        if remembered.is_some_and(|stored| binds(&stored.cached)) {
            self.remembered.touch(domain);
        }
    }
}

impl Sender {
    /// Tells that the policy of a domain could not be had. Only what has just been looked up is
    /// told: no mail server sees it, and no report would (RFC 8460 §4.3.2.2).
    fn tell_policy_failure(
        &self,
        domain: &DomainName,
        found: &mta_sts::Discovery,
        detail: &str,
        at: UnixTime,
    ) {
        let Some(result_type) = policy_result_type(found) else { return };
        let reason_code = match (&found.record, &found.fetched) {
            (Err(RecordFailure::None(NoRecord::Several { .. })), _) => "several-records",
            (Err(_), _) => "invalid-record",
            (Ok(_), Some(Err(error))) => error.code(),
            (Ok(_), _) => return,
        };
        let failure = ObservedFailure {
            result_type,
            reason_code: reason_code.to_owned(),
            detail: detail.chars().filter(|c| !c.is_control()).take(300).collect(),
        };
        self.observations.tell(Observation {
            at,
            policy_domain: domain.clone(),
            policy: found.applied.as_ref().map(|applied| applied.policy.clone()),
            mx: None,
            failure: Some(failure),
        });
    }
}

/// Until when the policy binds that an answer rests on.
fn policy_end(
    found: &mta_sts::Discovery,
    remembered: Option<&StoredPolicy>,
    now: UnixTime,
) -> Option<UnixTime> {
    match found.applied.as_ref()?.source {
        Source::Live => found.to_cache(now).map(|cached| cached.expires()),
        Source::Cache | Source::CacheOnly => remembered.map(|stored| stored.cached.expires()),
    }
}

/// One line for each decision; louder where mail waits.
fn log(next_hop: &NextHop, decision: &Decision) {
    let answer = decision.answer.as_str();
    let reasons = || {
        let reasons: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
        reasons.join("; ")
    };
    match decision.answer {
        Answer::Defer => tracing::warn!(%next_hop, answer, reasons = reasons(), "mail waits"),
        Answer::NoPolicy => tracing::debug!(%next_hop, answer, reasons = reasons(), "decided"),
        _ => tracing::info!(%next_hop, answer, reasons = reasons(), "decided"),
    }
}
