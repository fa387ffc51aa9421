//! Looks at the mail hosts of domains whose MTA-STS policy is in mode testing.
//!
//! Such a policy asks senders to deliver as ever, and to report what would have failed (RFC 8461
//! §5). Mail servers are told nothing of it, so they cannot: to Postfix such a domain has no
//! policy. So the role looks itself, beside the mail: after a question for such a domain it
//! connects to its mail hosts, up to QUIT, and tells what enforcing would have found.
//!
//! Everything is bounded: one connection to a host in an hour, whoever shares it; one observation
//! of a host for a domain in an hour; a few connections side by side; a queue that drops. An
//! answer to a mail server never waits for any of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use mta_sts::{Mode, Policy};
use smtp_dane::HostDane;
use smtp_starttls::Failure;
use smtp_types::{DomainName, NextHop, UnixTime};
use tokio::sync::mpsc;
use transport_policy::{Answer, SessionFailure, session_result_type};

use super::{Evaluation, Observation, ObservedFailure, ObservedMx, Sender};
use crate::observe::starttls::NoTls;
use crate::observe::{MxObservation, MxProber};

/// How long what was found of a host counts, and nobody connects to it again.
const EVERY: Duration = Duration::from_secs(3600);

/// How many hosts are looked at side by side.
const SIMULTANEOUS: usize = 8;

/// How many hosts of one domain are looked at, the most preferred first.
const HOSTS_OF_A_DOMAIN: usize = 8;

/// How many wait for their turn.
const QUEUE: usize = 1000;

/// How many hosts, and how many pairs of domain and host, are remembered. While there is no room
/// nothing is looked at.
const HOSTS: usize = 10_000;
const PAIRS: usize = 100_000;

/// The port of mail servers among each other (RFC 5321 §4.5.4.2).
const SMTP: u16 = 25;

/// The part of the role that looks at hosts.
pub(super) struct Probing {
    prober: MxProber,
    queue: mpsc::Sender<Job>,
    /// Until somebody works on it.
    queued: Mutex<Option<mpsc::Receiver<Job>>>,
    memory: Mutex<Memory>,
}

/// A host to look at, for a domain.
struct Job {
    domain: DomainName,
    policy: Policy,
    host: DomainName,
}

/// What was seen of a host, and what enforcing would have made of it.
struct Found {
    mx: ObservedMx,
    verdict: Result<(), SessionFailure>,
}

/// What is remembered for an hour.
#[derive(Default)]
struct Memory {
    /// When a host was taken up, and what was found; `None` while nothing is.
    hosts: HashMap<DomainName, (Instant, Option<Arc<Found>>)>,
    /// When a host was told about to a domain.
    told: HashMap<(DomainName, DomainName), Instant>,
}

/// What to do about a host.
enum Turn {
    /// Look at it.
    Look,
    /// It was looked at for another domain within the hour.
    Known(Arc<Found>),
    /// Nothing: it was told, or somebody is at it, or it did not answer, or there is no room.
    Pass,
}

impl Memory {
    fn turn(&mut self, domain: &DomainName, host: &DomainName, now: Instant) -> Turn {
        let fresh = |at: &Instant| now.duration_since(*at) < EVERY;
        let pair = (domain.clone(), host.clone());
        if self.told.get(&pair).is_some_and(fresh) || !has_room(&mut self.told, PAIRS, fresh) {
            return Turn::Pass;
        }
        if let Some((at, found)) = self.hosts.get(host)
            && fresh(at)
        {
            let Some(found) = found else { return Turn::Pass };
            self.told.insert(pair, now);
            return Turn::Known(Arc::clone(found));
        }
        if !has_room(&mut self.hosts, HOSTS, |(at, _)| fresh(at)) {
            return Turn::Pass;
        }
        self.hosts.insert(host.clone(), (now, None));
        Turn::Look
    }

    /// Notes that a domain is told about a host without looking.
    fn note(&mut self, domain: &DomainName, host: &DomainName, now: Instant) -> Told {
        let fresh = |at: &Instant| now.duration_since(*at) < EVERY;
        let pair = (domain.clone(), host.clone());
        if self.told.get(&pair).is_some_and(fresh) || !has_room(&mut self.told, PAIRS, fresh) {
            return Told::Before;
        }
        self.told.insert(pair, now);
        Told::Now
    }
}

/// Whether something is to be told.
#[derive(PartialEq, Eq)]
enum Told {
    Now,
    Before,
}

/// Whether one more fits, after what is stale was thrown out.
fn has_room<K: Eq + Hash, V>(
    map: &mut HashMap<K, V>,
    most: usize,
    fresh: impl Fn(&V) -> bool,
) -> bool {
    if map.len() >= most {
        map.retain(|_, value| fresh(value));
    }
    map.len() < most
}

impl Probing {
    pub(super) fn new(prober: MxProber) -> Self {
        let (queue, queued) = mpsc::channel(QUEUE);
        Self { prober, queue, queued: Mutex::new(Some(queued)), memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    /// After a question was answered: has the hosts looked at if the domain is in mode testing,
    /// and if nothing else has decided.
    pub(super) fn probe_testing(&self, next_hop: &NextHop, evaluation: &Evaluation) {
        let (Some(probing), Some(facts)) = (self.probing.get(), &evaluation.facts) else { return };
        let NextHop::Domain { domain, port: SMTP } = next_hop else { return };
        let Some(applied) = &facts.sts.applied else { return };
        if applied.policy.mode() != Mode::Testing
            || evaluation.decision.answer != Answer::NoPolicy
            || self.overrides.current().find(domain, evaluation.at).is_some()
        {
            return;
        }
        let now = Instant::now();
        for host in facts.dane.hosts.iter().take(HOSTS_OF_A_DOMAIN) {
            if matches!(host.dane, HostDane::Unreachable { .. }) {
                continue;
            }
            let (domain, policy, host) =
                (domain.clone(), applied.policy.clone(), host.host.clone());
            if !policy.allows(&host) {
                if probing.memory().note(&domain, &host, now) == Told::Now {
                    let mx = ObservedMx { host, helo: None, receiving: None, sending: None };
                    let found = Found { mx, verdict: Err(SessionFailure::MxNotAllowed) };
                    self.tell_session(domain, policy, &found, evaluation.at);
                }
                continue;
            }
            let turn = probing.memory().turn(&domain, &host, now);
            match turn {
                Turn::Pass => {}
                Turn::Known(found) => self.tell_session(domain, policy, &found, evaluation.at),
                Turn::Look => {
                    let job = Job { domain, policy, host };
                    if let Err(refused) = probing.queue.try_send(job) {
                        let job = refused.into_inner();
                        probing.memory().hosts.remove(&job.host);
                        self.counters.probes_dropped.inc();
                    }
                }
            }
        }
    }

    /// Looks at hosts until the program ends. Ends at once if nothing is to be looked at.
    pub(super) async fn probe(&self) {
        let Some(probing) = self.probing.get() else { return };
        let queued = probing.queued.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(queued) = queued else { return };
        stream::unfold(queued, |mut queued| async { Some((queued.recv().await?, queued)) })
            .for_each_concurrent(SIMULTANEOUS, |job| self.look(probing, job))
            .await;
    }

    async fn look(&self, probing: &Probing, job: Job) {
        let Job { domain, policy, host } = job;
        let seen = match probing.prober.probe(&host).await {
            Ok(seen) => seen,
            // Nobody there: mail does not get there either, and that is no failure of TLS.
            Err(unseen) => {
                self.counters.probes_unseen.inc();
                tracing::debug!(%domain, %host, "probe: {unseen}");
                return;
            }
        };
        self.counters.probes.inc();
        let now = self.clock.now();
        let verdict = probing.prober.verify_webpki(&seen, now);
        let found = Arc::new(Found { mx: observed(&seen), verdict });
        {
            let mut memory = probing.memory();
            if let Some((_, kept)) = memory.hosts.get_mut(&host) {
                *kept = Some(Arc::clone(&found));
            }
            memory.told.insert((domain.clone(), host), Instant::now());
        }
        self.tell_session(domain, policy, &found, now);
    }

    /// Tells what enforcing would have made of a session, unless it says nothing about TLS.
    fn tell_session(&self, domain: DomainName, policy: Policy, found: &Found, at: UnixTime) {
        let failure = match &found.verdict {
            Ok(()) => None,
            Err(failure) => {
                let Some(result_type) = session_result_type(failure) else { return };
                let (host, detail) = (&found.mx.host, failure.to_string());
                self.counters.testing_failures.inc();
                tracing::info!(%domain, %host, result = %result_type, "mode testing: {detail}; mode enforce would make mail wait");
                let reason_code = failure.reason_code().to_owned();
                Some(ObservedFailure { result_type, reason_code, detail })
            }
        };
        let (mx, policy) = (Some(found.mx.clone()), Some(policy));
        self.observations.tell(Observation { at, policy_domain: domain, policy, mx, failure });
    }
}

fn observed(seen: &MxObservation) -> ObservedMx {
    let hello = match (&seen.in_clear, &seen.outcome) {
        (Some(in_clear), _) => Some(&in_clear.hello),
        (None, Err(NoTls::Dialogue(Failure::NotOffered { hello, .. }))) => Some(hello),
        (None, _) => None,
    };
    ObservedMx {
        host: seen.host.clone(),
        helo: hello.and_then(|hello| hello.server_name()).map(str::to_owned),
        receiving: Some(seen.address),
        sending: seen.local_address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn found(host: &str) -> Arc<Found> {
        let mx = ObservedMx { host: name(host), helo: None, receiving: None, sending: None };
        Arc::new(Found { mx, verdict: Ok(()) })
    }

    #[test]
    fn a_host_is_looked_at_once_in_an_hour_whoever_shares_it() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        let (a, b, mx) = (name("a.test"), name("b.test"), name("mx.test"));
        assert!(matches!(memory.turn(&a, &mx, start), Turn::Look));
        // Somebody is at it.
        assert!(matches!(memory.turn(&a, &mx, start), Turn::Pass));
        assert!(matches!(memory.turn(&b, &mx, start), Turn::Pass));
        memory.hosts.insert(mx.clone(), (start, Some(found("mx.test"))));
        memory.told.insert((a.clone(), mx.clone()), start);
        // Each domain is told once.
        assert!(matches!(memory.turn(&a, &mx, start), Turn::Pass));
        assert!(matches!(memory.turn(&b, &mx, start), Turn::Known(_)));
        assert!(matches!(memory.turn(&b, &mx, start), Turn::Pass));
        let later = start + EVERY;
        assert!(matches!(memory.turn(&b, &mx, later), Turn::Look));
    }

    #[test]
    fn a_host_that_is_not_in_the_policy_is_told_once_in_an_hour() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        let (a, mx) = (name("a.test"), name("mx.test"));
        assert!(memory.note(&a, &mx, start) == Told::Now);
        assert!(memory.note(&a, &mx, start) == Told::Before);
        assert!(memory.note(&a, &mx, start + EVERY) == Told::Now);
        // It keeps nobody from looking at the host for a domain whose policy names it.
        assert!(matches!(memory.turn(&name("b.test"), &mx, start), Turn::Look));
    }

    #[test]
    fn memory_is_bounded() {
        let start = Instant::now();
        let mut map: HashMap<usize, Instant> = (0..3).map(|key| (key, start)).collect();
        assert!(!has_room(&mut map, 3, |at| *at == start));
        assert!(has_room(&mut map, 3, |at| *at != start));
        assert!(map.is_empty());
    }
}
