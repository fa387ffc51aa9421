//! Causes of mail that does not pass DMARC.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::catalogue::cause;
use super::evidence::{DmarcEvidence, Network, RecordKind, RecordSum, Span};
use super::{Problem, most_first};
use crate::store::ReceivedKind;

/// Below this many messages, nothing is said.
const FEW: u64 = 10;

/// How many days of reports make ready for a stronger policy.
const READY_DAYS: usize = 14;

/// How many of a thousand own messages may fail then.
const READY_FAILURES: u64 = 5;

/// One result of DKIM or SPF, as rows keep it.
struct Auth<'a> {
    is_dkim: bool,
    domain: &'a str,
    /// The selector, or the identity.
    by: &'a str,
    result: &'a str,
}

fn auths(line: &str) -> impl Iterator<Item = Auth<'_>> {
    line.split(' ').filter_map(|one| {
        let mut words = one.split(':');
        let is_dkim = words.next()? == "dkim";
        Some(Auth { is_dkim, domain: words.next()?, by: words.next()?, result: words.next()? })
    })
}

/// Whether a domain is ours: the policy domain, or below it.
fn is_ours(domain: &str, ours: &str) -> bool {
    domain.strip_suffix(ours).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// What was seen of something.
#[derive(Default)]
struct Seen {
    span: Option<Span>,
    days: BTreeSet<u64>,
    reporters: BTreeMap<String, u64>,
    sources: BTreeMap<String, u64>,
    stopped: u64,
    address: String,
}

impl Seen {
    fn add(&mut self, kind: &RecordKind, sum: &RecordSum) {
        match &mut self.span {
            Some(span) => span.merge(sum.span),
            None => self.span = Some(sum.span),
        }
        self.days.extend(&sum.days);
        for (name, count) in &sum.reporters {
            let seen = self.reporters.entry(name.to_string()).or_default();
            *seen = seen.saturating_add(*count);
        }
        let source = kind.source.map_or_else(|| "unknown".to_owned(), |source| source.to_string());
        let seen = self.sources.entry(source).or_default();
        *seen = seen.saturating_add(sum.span.count);
        self.stopped = self.stopped.saturating_add(sum.stopped);
        if let Some(address) = sum.address {
            self.address = address.to_string();
        }
    }

    fn count(&self) -> u64 {
        self.span.map_or(0, |span| span.count)
    }
}

/// What a source has sent.
#[derive(Default)]
struct Source {
    passed: Seen,
    with_dkim: Seen,
    with_spf: Seen,
    failed: Seen,
    /// Whom the failing mail authenticates as.
    services: BTreeMap<String, u64>,
}

pub(super) fn find(domain: &str, dmarc: &DmarcEvidence, problems: &mut Vec<Problem>) {
    let policy = dmarc.policy.as_ref().map_or("", |(_, policy)| policy);
    let mut search = Search { domain, dmarc, policy, own_failures: 0, problems };
    let broken = search.selectors();
    let mut sources: BTreeMap<Option<Network>, Source> = BTreeMap::new();
    let (mut forwarded, mut subdomains) = (Seen::default(), BTreeMap::<Arc<str>, Seen>::new());
    for (kind, sum) in &dmarc.records {
        let source = sources.entry(kind.source).or_default();
        if kind.dkim || kind.spf {
            source.passed.add(kind, sum);
        }
        if kind.dkim {
            source.with_dkim.add(kind, sum);
        }
        if kind.spf {
            source.with_spf.add(kind, sum);
        }
        if is_forwarded(kind, domain) && !uses(kind, &broken) {
            forwarded.add(kind, sum);
            continue;
        }
        if kind.dkim || kind.spf || uses(kind, &broken) {
            continue;
        }
        if search.leaves_open(&kind.header_from) {
            subdomains.entry(Arc::clone(&kind.header_from)).or_default().add(kind, sum);
            continue;
        }
        source.failed.add(kind, sum);
        for auth in auths(&kind.auth) {
            if auth.result == "pass" && !is_ours(auth.domain, domain) {
                let seen = source.services.entry(auth.domain.to_owned()).or_default();
                *seen = seen.saturating_add(sum.span.count);
            }
        }
    }
    search.sources(&sources);
    search.unsigned(&sources, &broken);
    for (subdomain, seen) in &subdomains {
        let names = [("subdomain", subdomain.to_string())];
        search.tell("dmarc-subdomain", &names, seen, seen.count());
    }
    search.tell("dmarc-forwarder", &[], &forwarded, 0);
    search.ready();
}

/// Whether a row looks forwarded: SPF fails for our domain and our DKIM signature is there, or the
/// reporter says so.
fn is_forwarded(kind: &RecordKind, domain: &str) -> bool {
    let is_said = ["forwarded", "trusted_forwarder", "mailing_list", "arc=pass"];
    if !kind.spf && is_said.iter().any(|word| kind.reasons.contains(word)) {
        return true;
    }
    let ours = |auth: &Auth<'_>| is_ours(auth.domain, domain);
    let is_signed = auths(&kind.auth).any(|auth| auth.is_dkim && ours(&auth));
    let spf: Vec<Auth<'_>> = auths(&kind.auth).filter(|auth| !auth.is_dkim).collect();
    let spf_passes = spf.iter().any(|auth| auth.result == "pass");
    let is_broken_envelope = spf.iter().any(ours) && !spf_passes;
    // A list that sends in its own name and has changed the message.
    let is_list = !kind.dkim && spf_passes && !spf.iter().any(ours);
    !kind.spf && is_signed && ((kind.dkim && is_broken_envelope) || is_list)
}

/// Whether a row has a signature of a selector that is broken.
fn uses(kind: &RecordKind, broken: &BTreeSet<(String, String)>) -> bool {
    !broken.is_empty()
        && auths(&kind.auth).filter(|auth| auth.is_dkim).any(|auth| {
            broken.iter().any(|(domain, selector)| auth.domain == domain && auth.by == selector)
        })
}

/// The search in what is known of one domain.
struct Search<'s> {
    domain: &'s str,
    dmarc: &'s DmarcEvidence,
    policy: &'s str,
    /// Messages of ours that failed.
    own_failures: u64,
    problems: &'s mut Vec<Problem>,
}

impl Search<'_> {
    /// Adds a problem if there is enough of it.
    fn tell(&mut self, id: &str, names: &[(&'static str, String)], seen: &Seen, lost: u64) {
        let Some(span) = seen.span else { return };
        if span.count < FEW {
            return;
        }
        let sources = most_first(&seen.sources);
        let mut names: BTreeMap<&'static str, String> = names.iter().cloned().collect();
        let source = match sources.as_slice() {
            [] => "an unknown source".to_owned(),
            [(one, _)] => one.clone(),
            [(one, _), rest @ ..] => format!("{one} and {} more", rest.len()),
        };
        names.entry("source").or_insert(source);
        names.insert("address", seen.address.clone());
        let (mut of, days) = (0_u64, span.first..=span.last);
        for (_, sum) in self.dmarc.days.iter().filter(|((day, _), _)| days.contains(day)) {
            of = of.saturating_add(sum.all());
        }
        self.problems.push(Problem {
            cause: cause(id),
            kind: ReceivedKind::Dmarc,
            domain: self.domain.to_owned(),
            names,
            first: span.first,
            last: span.last,
            lost,
            of,
            reporters: most_first(&seen.reporters),
            sources,
            reasons: Vec::new(),
        });
    }

    /// Selectors of ours whose signatures fail: always, or from one day on.
    fn selectors(&mut self) -> BTreeSet<(String, String)> {
        let mut selectors: BTreeMap<(String, String), [Seen; 2]> = BTreeMap::new();
        for (kind, sum) in &self.dmarc.records {
            let mut known = BTreeSet::new();
            for auth in auths(&kind.auth).filter(|auth| auth.is_dkim && !auth.by.is_empty()) {
                let passes = match auth.result {
                    "pass" => 0,
                    "fail" | "permerror" | "neutral" => 1,
                    _ => continue,
                };
                if is_ours(auth.domain, self.domain) && known.insert((auth.domain, auth.by)) {
                    let key = (auth.domain.to_owned(), auth.by.to_owned());
                    selectors.entry(key).or_default()[passes].add(kind, sum);
                }
            }
        }
        let mut broken = BTreeSet::new();
        for (key, [passed, failed]) in selectors {
            let Some(span) = failed.span else { continue };
            let ended = passed.span.is_none_or(|passed| passed.last < span.first);
            let rare = passed.count().saturating_mul(20) < span.count;
            let by_many = failed.reporters.len() > 1 || failed.days.len() > 1;
            if span.count < FEW || !by_many || !(ended || rare) {
                continue;
            }
            let names = [("signer", key.0.clone()), ("selector", key.1.clone())];
            self.own_failures = self.own_failures.saturating_add(span.count);
            self.tell("dmarc-selector-broken", &names, &failed, span.count);
            broken.insert(key);
        }
        broken
    }

    /// What fails, by who sends it: a source of ours that broke, a service, or a stranger.
    fn sources(&mut self, sources: &BTreeMap<Option<Network>, Source>) {
        let mut services: BTreeMap<&str, Seen> = BTreeMap::new();
        let mut strangers = Seen::default();
        let merge = |into: &mut Seen, from: &Seen| {
            match (&mut into.span, from.span) {
                (Some(span), Some(other)) => span.merge(other),
                (none, other) => *none = other,
            }
            into.days.extend(&from.days);
            for (theirs, more) in
                [(&mut into.reporters, &from.reporters), (&mut into.sources, &from.sources)]
            {
                for (name, count) in more {
                    let sum = theirs.entry(name.clone()).or_default();
                    *sum = sum.saturating_add(*count);
                }
            }
            into.stopped = into.stopped.saturating_add(from.stopped);
            into.address.clone_from(&from.address);
        };
        for source in sources.values() {
            let Some(failed) = source.failed.span else { continue };
            let service = source.services.iter().max_by_key(|(_, count)| **count);
            match (source.passed.span, service) {
                // A few failures among much that passes are forwarded mail or accidents.
                (Some(passed), _) if passed.last >= failed.first => {
                    self.own_failures = self.own_failures.saturating_add(failed.count);
                }
                (Some(_), _) => {
                    self.own_failures = self.own_failures.saturating_add(failed.count);
                    let names = [("since", date(failed.first))];
                    self.tell("dmarc-source-broken", &names, &source.failed, failed.count);
                }
                (None, Some((service, _))) => {
                    merge(services.entry(service.as_str()).or_default(), &source.failed);
                }
                (None, None) => merge(&mut strangers, &source.failed),
            }
        }
        for (service, seen) in &services {
            // Somebody's own domain proves little when it was seen once.
            if seen.days.len() < 3 && seen.reporters.len() < 2 {
                merge(&mut strangers, seen);
                continue;
            }
            self.own_failures = self.own_failures.saturating_add(seen.count());
            let names = [("service", (*service).to_owned())];
            self.tell("dmarc-dkim-alignment", &names, seen, seen.count());
        }
        let policy = if self.policy.is_empty() { "unknown" } else { self.policy };
        let names = [("policy", policy.to_owned()), ("stopped", strangers.stopped.to_string())];
        self.tell("dmarc-spoofing", &names, &strangers, strangers.count());
    }

    /// Sources that pass by SPF alone. Where a selector is broken, that is said already.
    fn unsigned(
        &mut self,
        sources: &BTreeMap<Option<Network>, Source>,
        broken: &BTreeSet<(String, String)>,
    ) {
        let mut all = Seen::default();
        for (kind, sum) in &self.dmarc.records {
            let is_unsigned = sources
                .get(&kind.source)
                .is_some_and(|source| source.with_dkim.span.is_none() && kind.spf);
            if is_unsigned && !uses(kind, broken) {
                all.add(kind, sum);
            }
        }
        self.tell("dmarc-spf-only", &[], &all, 0);
    }

    /// Whether mail of this name is exempt from the policy by `sp=none`.
    fn leaves_open(&self, header_from: &str) -> bool {
        let says = |tag: &str| self.policy.split(' ').any(|word| word == tag);
        header_from != self.domain
            && is_ours(header_from, self.domain)
            && says("sp=none")
            && !says("p=none")
    }

    /// Whether a stronger policy would stop nothing of ours.
    fn ready(&mut self) {
        let says = |tag: &str| self.policy.split(' ').any(|word| word == tag);
        let next = match (says("p=none"), says("p=quarantine")) {
            (true, _) => "quarantine",
            (_, true) => "reject",
            _ => return,
        };
        let days: BTreeSet<u64> = self.dmarc.days.keys().map(|(day, _)| *day).collect();
        let passed = self.dmarc.days.values().fold(0_u64, |sum, one| sum.saturating_add(one.good));
        let bound = passed / 1000 * READY_FAILURES;
        if days.len() < READY_DAYS || passed < 10 * FEW || self.own_failures > bound {
            return;
        }
        let mut seen = Seen::default();
        for (kind, sum) in self.dmarc.records.iter().filter(|(kind, _)| kind.dkim || kind.spf) {
            seen.add(kind, sum);
        }
        let names = [
            ("next", next.to_owned()),
            ("days", days.len().to_string()),
            ("passed", passed.to_string()),
        ];
        self.tell("dmarc-ready-reject", &names, &seen, 0);
    }
}

/// A day as people write it.
fn date(day: u64) -> String {
    let text = smtp_types::UnixTime(day.saturating_mul(86_400)).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}
