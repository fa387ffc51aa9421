//! Causes of failing TLS sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mta_sts::MxPattern;
use smtp_types::DomainName;
use tlsrpt::{Policy, PolicyType};

use super::catalogue::cause;
use super::evidence::{FailureKind, Span, Sum, TlsEvidence};
use super::{Problem, most_first};
use crate::store::ReceivedKind;

/// How many days without a failure make ready for mode `enforce`.
const READY_DAYS: usize = 14;

/// How many others must succeed for a failure to be one reporter's.
const WITNESSES: usize = 2;

/// On how many days a reporter must have succeeded for a failure to be sudden.
const GOOD_DAYS: usize = 3;

/// Failures of one cause at one host.
struct Group {
    span: Span,
    result: Arc<str>,
    reporters: BTreeMap<String, u64>,
    senders: BTreeMap<String, u64>,
    reasons: BTreeMap<String, u64>,
}

pub(super) fn find(domain: &str, tls: &TlsEvidence, problems: &mut Vec<Problem>) {
    let mut groups: BTreeMap<(&'static str, Arc<str>), Group> = BTreeMap::new();
    for (kind, span) in &tls.failures {
        let policy = tls.policies.get(&kind.policy).and_then(|seen| seen.policy.as_ref());
        let id = classify(kind, policy);
        // A policy is that of the domain, whichever host a session went to.
        let mx = if id.starts_with("tls-policy") { "".into() } else { Arc::clone(&kind.mx) };
        let group = groups.entry((id, mx)).or_insert_with(|| Group {
            span: Span { count: 0, ..*span },
            result: Arc::clone(&kind.result),
            reporters: BTreeMap::new(),
            senders: BTreeMap::new(),
            reasons: BTreeMap::new(),
        });
        group.span.merge(*span);
        let count = |counts: &mut BTreeMap<String, u64>, name: String| {
            let count = counts.entry(name).or_default();
            *count = count.saturating_add(span.count);
        };
        count(&mut group.reporters, kind.reporter.to_string());
        if let Some(sender) = kind.sender {
            count(&mut group.senders, sender.to_string());
        }
        if !kind.reason.is_empty() {
            count(&mut group.reasons, kind.reason.to_string());
        }
    }
    let mut everywhere: Option<Problem> = None;
    for ((id, mx), group) in &groups {
        let total = sum_of(tls, group.span.first, group.span.last);
        let id = perspective(id, tls, group).unwrap_or(match *id {
            "tls-starttls-one" if total.good == 0 => "tls-starttls-all",
            id => id,
        });
        let problem = problem(id, domain, mx, group, total);
        match (id, &mut everywhere) {
            ("tls-starttls-all", Some(all)) => join(all, &problem),
            ("tls-starttls-all", none) => *none = Some(problem),
            _ => problems.push(problem),
        }
    }
    problems.extend(everywhere);
    problems.extend(ready(domain, tls));
}

fn problem(id: &'static str, domain: &str, mx: &str, group: &Group, total: Sum) -> Problem {
    let reporters = most_first(&group.reporters);
    let sources = most_first(&group.senders);
    let first = |counts: &[(String, u64)]| counts.first().map(|(name, _)| name.clone());
    let is_policy = group.result.starts_with("sts-");
    let host = match mx {
        "" if is_policy => format!("mta-sts.{domain}"),
        "" => "the mail host".to_owned(),
        mx => mx.to_owned(),
    };
    let names = BTreeMap::from([
        ("mx", host),
        ("reporter", first(&reporters).unwrap_or_default()),
        ("source", first(&sources).unwrap_or_else(|| "the sender".to_owned())),
        ("result", group.result.to_string()),
    ]);
    Problem {
        cause: cause(id),
        kind: ReceivedKind::Tls,
        domain: domain.to_owned(),
        names,
        first: group.span.first,
        last: group.span.last,
        lost: group.span.count,
        of: total.all(),
        reporters,
        sources,
        reasons: most_first(&group.reasons),
    }
}

/// The same everywhere is told once.
fn join(all: &mut Problem, other: &Problem) {
    all.first = all.first.min(other.first);
    all.last = all.last.max(other.last);
    all.lost = all.lost.saturating_add(other.lost);
    all.of = all.of.max(other.of);
    for (theirs, more) in [
        (&mut all.reporters, &other.reporters),
        (&mut all.sources, &other.sources),
        (&mut all.reasons, &other.reasons),
    ] {
        let mut counts: BTreeMap<String, u64> = theirs.drain(..).collect();
        for (name, count) in more {
            let sum = counts.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        *theirs = most_first(&counts);
    }
}

/// Sessions of these days.
fn sum_of(tls: &TlsEvidence, first: u64, last: u64) -> Sum {
    let mut sum = Sum::default();
    for ((_, _), one) in tls.days.iter().filter(|((day, _), _)| (first..=last).contains(day)) {
        sum.good = sum.good.saturating_add(one.good);
        sum.bad = sum.bad.saturating_add(one.bad);
    }
    sum
}

/// What a failure says by itself.
fn classify(kind: &FailureKind, policy: Option<&Policy>) -> &'static str {
    let reason = kind.reason.to_ascii_lowercase().replace(['_', '-'], " ");
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let is_dane = policy.is_some_and(|policy| policy.kind == PolicyType::Tlsa);
    match &*kind.result {
        "starttls-not-supported" => "tls-starttls-one",
        "tlsa-invalid" => "tls-tlsa-mismatch",
        "dnssec-invalid" => "tls-dnssec-broken",
        "dane-required" => "tls-dane-required",
        "sts-policy-invalid" => "tls-policy-invalid",
        "sts-webpki-invalid" => "tls-policy-host-tls",
        "sts-policy-fetch-error" if says(&["cert", "tls", "ssl", "handshake", "webpki"]) => {
            "tls-policy-host-tls"
        }
        "sts-policy-fetch-error"
            if says(&["404", "403", "410", "not found", "redirect", "status", "http"]) =>
        {
            "tls-policy-not-found"
        }
        "sts-policy-fetch-error" => "tls-policy-host-down",
        "certificate-expired" => "tls-certificate-expired",
        _ if says(&["expired"]) => "tls-certificate-expired",
        _ if says(&["mx host", "mx mismatch", "mx not", "mx hosts"]) => "tls-mx-not-in-policy",
        _ if policy.is_some_and(|policy| leaves_out(policy, &kind.mx)) => "tls-mx-not-in-policy",
        "certificate-host-mismatch" | "certificate-not-trusted" if is_dane => "tls-tlsa-mismatch",
        "certificate-host-mismatch" => "tls-host-mismatch",
        "certificate-not-trusted" => "tls-not-trusted",
        _ if says(&["tlsa", "dane"]) => "tls-tlsa-mismatch",
        _ if says(&[
            "self signed",
            "issuer",
            "untrusted",
            "unknown ca",
            "chain",
            "not trusted",
        ]) =>
        {
            if is_dane {
                "tls-tlsa-mismatch"
            } else {
                "tls-not-trusted"
            }
        }
        _ if says(&["hostname mismatch", "host mismatch", "name mismatch", "hostname"]) => {
            if is_dane {
                "tls-tlsa-mismatch"
            } else {
                "tls-host-mismatch"
            }
        }
        _ => "tls-validation",
    }
}

/// Whether a policy of MTA-STS has patterns, and none of them covers the host.
fn leaves_out(policy: &Policy, mx: &str) -> bool {
    let Ok(host) = DomainName::parse(mx) else { return false };
    // Some write `mx: host` where the pattern belongs.
    let patterns = policy.mx.iter().map(|text| text.strip_prefix("mx:").unwrap_or(text).trim());
    let patterns: Vec<_> = patterns.filter_map(|text| MxPattern::parse(text).ok()).collect();
    policy.kind == PolicyType::Sts
        && !patterns.is_empty()
        && !patterns.iter().any(|pattern| pattern.matches(&host))
}

/// What it means that one sees it, and others do not.
fn perspective(id: &str, tls: &TlsEvidence, group: &Group) -> Option<&'static str> {
    let mut reporters = group.reporters.keys();
    let (Some(reporter), None) = (reporters.next(), reporters.next()) else { return None };
    let during = |day: &u64| (group.span.first..=group.span.last).contains(day);
    let witnesses: BTreeSet<&Arc<str>> = tls
        .days
        .iter()
        .filter(|((day, name), sum)| during(day) && **name != **reporter && sum.good > 0)
        .map(|((_, name), _)| name)
        .collect();
    if witnesses.len() < WITNESSES {
        return None;
    }
    let good_days = tls.days.iter().filter(|((day, name), sum)| {
        *day < group.span.first && **name == **reporter && sum.good > 0
    });
    let is_sudden = good_days.count() >= GOOD_DAYS;
    let is_strange = matches!(
        id,
        "tls-starttls-one" | "tls-host-mismatch" | "tls-not-trusted" | "tls-tlsa-mismatch"
    );
    let is_one_network = group.senders.len() == 1;
    Some(match is_sudden && is_strange && is_one_network {
        true => "tls-attack-suspected",
        false => "tls-one-reporter",
    })
}

/// Whether a policy in mode `testing` can be enforced.
fn ready(domain: &str, tls: &TlsEvidence) -> Option<Problem> {
    let newest = tls.policies.values().filter_map(|seen| Some((seen.last, seen.policy.as_ref()?)));
    let newest = newest.filter(|(_, policy)| policy.kind == PolicyType::Sts);
    let (_, policy) = newest.max_by_key(|(last, _)| *last)?;
    let is_testing = policy.strings.iter().any(|line| {
        let (key, value) = line.split_once(':').unwrap_or_default();
        key.trim().eq_ignore_ascii_case("mode") && value.trim().eq_ignore_ascii_case("testing")
    });
    let days: BTreeSet<u64> = tls.days.keys().map(|(day, _)| *day).collect();
    let (first, last) = (*days.first()?, *days.last()?);
    let sum = sum_of(tls, first, last);
    if !is_testing || days.len() < READY_DAYS || sum.bad > 0 || sum.good == 0 {
        return None;
    }
    let mut reporters = BTreeMap::new();
    for ((_, name), sum) in &tls.days {
        *reporters.entry(name.to_string()).or_default() += sum.good;
    }
    let names =
        BTreeMap::from([("days", days.len().to_string()), ("sessions", sum.good.to_string())]);
    Some(Problem {
        cause: cause("tls-ready-for-enforce"),
        kind: ReceivedKind::Tls,
        domain: domain.to_owned(),
        names,
        first,
        last,
        lost: 0,
        of: sum.good,
        reporters: most_first(&reporters),
        sources: Vec::new(),
        reasons: Vec::new(),
    })
}
