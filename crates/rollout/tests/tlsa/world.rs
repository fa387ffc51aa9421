//! A world that runs in steps of five minutes: authoritative servers that lag, caches that hold
//! whatever any of them has shown within a TTL, and a host whose addresses change one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rollout::tlsa::{
    Action, Chain, Facts, Goal, Intent, KeyChange, KeyDigest, Presented, Reason, Renewal,
    ServerSeen, State, Step, step,
};
use smtp_dane::{CertUsage, Tlsa};
use smtp_types::{Dnssec, UnixTime};

pub(crate) const MINUTE: u64 = 60;
pub(crate) const HOUR: u64 = 3_600;
pub(crate) const TICK: u64 = 5 * MINUTE;
const BEGIN: u64 = 1_800_000_000;

pub(crate) fn key(number: u8) -> KeyDigest {
    KeyDigest([number; 32])
}

/// An authoritative server, with all that it has shown: the set and from when on.
pub(crate) struct Server {
    history: Vec<(u64, BTreeSet<Tlsa>)>,
    coming: Vec<(u64, BTreeSet<Tlsa>)>,
    pub(crate) lag: u64,
    pub(crate) silent: bool,
}

impl Server {
    pub(crate) fn shown(&self) -> &BTreeSet<Tlsa> {
        &self.history.last().unwrap().1
    }
}

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) intent: Intent,
    pub(crate) now: u64,
    pub(crate) offset: i64,
    ttl: u64,
    /// From when on which TTL was given.
    ttls: Vec<(u64, u64)>,
    pub(crate) servers: Vec<Server>,
    /// The chain that each address shows.
    pub(crate) addresses: Vec<Chain>,
    /// Addresses that the next deployment does not reach.
    pub(crate) stuck: BTreeSet<usize>,
    pub(crate) unseen: bool,
    pub(crate) dns_down: bool,
    pub(crate) ca_down: bool,
    pub(crate) dnssec: Dnssec,
    pub(crate) authority: u8,
    pub(crate) with_anchors: bool,
    prepared: Option<BTreeSet<KeyDigest>>,
    certificate: Option<Chain>,
    pub(crate) own: BTreeSet<KeyDigest>,
    pub(crate) renewal: Renewal,
    made: u8,
    pub(crate) log: Vec<Reason>,
    pub(crate) deployed: BTreeMap<Chain, u64>,
    pub(crate) forgotten: BTreeSet<KeyDigest>,
    pub(crate) faults: Vec<String>,
}

impl World {
    pub(crate) fn new() -> Self {
        let first = Chain::of_keys([key(1)]);
        let server = || Server {
            history: vec![(0, BTreeSet::new())],
            coming: Vec::new(),
            lag: 0,
            silent: false,
        };
        Self {
            state: State::new(first.clone()),
            intent: Intent {
                goal: Goal::Protect,
                key_change: KeyChange::EachRenewal,
                compromised: BTreeSet::new(),
            },
            now: BEGIN,
            offset: 0,
            ttl: HOUR,
            ttls: vec![(0, HOUR)],
            servers: vec![server(), server()],
            addresses: vec![first.clone(), first],
            stuck: BTreeSet::new(),
            unseen: false,
            dns_down: false,
            ca_down: false,
            dnssec: Dnssec::Secure,
            authority: 200,
            with_anchors: false,
            prepared: None,
            certificate: None,
            own: [key(1)].into(),
            renewal: Renewal::NotDue,
            made: 1,
            log: Vec::new(),
            deployed: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            faults: Vec::new(),
        }
    }

    pub(crate) fn set_ttl(&mut self, ttl: u64) {
        self.ttl = ttl;
        self.ttls.push((self.now, ttl));
    }

    fn facts(&self) -> Facts {
        let seen = |server: &Server| match server.silent {
            true => ServerSeen::Unknown,
            false => ServerSeen::Records(server.shown().iter().cloned().collect()),
        };
        Facts {
            servers: self.servers.iter().map(seen).collect(),
            ttl: Some(Duration::from_secs(self.ttl)),
            dnssec: self.dnssec,
            presented: (!self.unseen).then(|| self.addresses.iter().flat_map(presented).collect()),
            own_keys: self.own.clone(),
            prepared: self.prepared.clone(),
            certificate: self.certificate.clone(),
            renewal: self.renewal,
        }
    }

    pub(crate) fn tick(&mut self) -> Step {
        self.now += TICK;
        for server in &mut self.servers {
            while let Some(index) = server.coming.iter().position(|(at, _)| *at <= self.now) {
                server.history.push(server.coming.remove(index));
            }
        }
        let line = self.state.to_string();
        assert_eq!(line.parse::<State>().as_ref(), Ok(&self.state), "{line}");
        let clock = UnixTime(self.now.checked_add_signed(self.offset).unwrap_or_default());
        let step = step(&self.state, &self.intent, &self.facts(), clock);
        self.state = step.state.clone();
        for action in step.actions.clone() {
            self.act(action);
        }
        for reason in &step.reasons {
            assert!(!reason.to_string().is_empty());
        }
        self.log.extend(step.reasons.iter().cloned());
        self.check();
        step
    }

    pub(crate) fn run(&mut self, seconds: u64) {
        for _ in 0..seconds / TICK {
            self.tick();
        }
    }

    /// Until nothing is left to be done but what is done already.
    pub(crate) fn settle(&mut self) {
        self.run(12 * self.ttl.max(HOUR));
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Publish(_) if self.dns_down => {}
            Action::Publish(records) => {
                let records: BTreeSet<Tlsa> = records.into_iter().collect();
                for server in &mut self.servers {
                    let last = server.coming.last().map_or(server.shown(), |(_, set)| set);
                    if *last != records {
                        // A zone never goes back: what is newer takes the place of what is on its way.
                        let at = self.now + server.lag;
                        server.coming.retain(|(coming, _)| *coming <= at);
                        server.coming.push((at, records.clone()));
                    }
                }
            }
            Action::MakeKeys => {
                self.made += 1;
                self.prepared = Some([key(self.made)].into());
            }
            Action::OrderCertificate(_) if self.ca_down => {}
            Action::OrderCertificate(keys) => {
                let anchors = self.with_anchors.then(|| key(self.authority)).into_iter().collect();
                self.own.extend(&keys);
                self.certificate = Some(Chain { keys, anchors });
            }
            Action::Deploy(chain) => {
                for (index, address) in self.addresses.iter_mut().enumerate() {
                    if !self.stuck.contains(&index) {
                        *address = chain.clone();
                    }
                }
                self.deployed.entry(chain.clone()).or_insert(self.now);
                if self.addresses.iter().all(|address| *address == chain) {
                    self.certificate = None;
                    self.renewal = Renewal::NotDue;
                }
            }
            Action::ForgetKeys(keys) => self.forgotten.extend(keys),
        }
    }

    /// What every sender holds against what every address shows: each set that any server has shown
    /// within the last TTL may be in some cache.
    fn check(&mut self) {
        for server in &self.servers {
            let ends = server.history.iter().skip(1).map(|(at, _)| *at).chain([self.now]);
            for ((from, set), end) in server.history.iter().zip(ends) {
                if self.cached_until(*from, end) < self.now {
                    continue;
                }
                for address in self.addresses.iter().filter(|address| !fits(set, address)) {
                    self.faults.push(format!("{}: {address:?} in {set:?}", self.now - BEGIN));
                }
            }
        }
    }

    /// Until when a cache may have what was shown in this time.
    fn cached_until(&self, from: u64, end: u64) -> u64 {
        let ends = self.ttls.iter().skip(1).map(|(at, _)| *at).chain([u64::MAX]);
        let spans = self
            .ttls
            .iter()
            .zip(ends)
            .filter(|((begin, _), until)| *begin <= end && *until >= from);
        spans.map(|((_, ttl), until)| end.min(until) + ttl).max().unwrap()
    }

    pub(crate) fn said(&self, code: &str) -> bool {
        self.log.iter().any(|reason| reason.code() == code)
    }
}

fn presented(chain: &Chain) -> Vec<Presented> {
    let anchors = &chain.anchors;
    chain.keys.iter().map(|key| Presented { key: *key, anchors: anchors.clone() }).collect()
}

/// Each kind of record that is there must fit the chain by itself (RFC 7671 §8).
fn fits(set: &BTreeSet<Tlsa>, chain: &Chain) -> bool {
    let kind = |usage: CertUsage, keys: &BTreeSet<KeyDigest>| {
        let mut records = set.iter().filter(|record| record.usage() == usage).peekable();
        records.peek().is_none()
            || keys.iter().all(|key| {
                set.iter().any(|record| record.usage() == usage && record.data() == key.0)
            })
    };
    // A chain that was deployed before authorities had records is judged by its keys only.
    let anchors = chain.anchors.is_empty() || kind(CertUsage::DaneTa, &chain.anchors);
    kind(CertUsage::DaneEe, &chain.keys) && anchors
}
