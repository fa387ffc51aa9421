//! A world that runs hour by hour: a policy host, authoritative servers that lag, mail hosts, and
//! senders that remember policies as RFC 8461 §5.1 has it.

use std::collections::BTreeMap;
use std::time::Duration;

use mta_sts::{CachedPolicy, Mode, MxPattern, Policy, PolicyId};
use rollout::sts::{
    Action, Facts, Goal, HostFault, Intent, MxSeen, Probe, Reason, RecordSeen, ReportAddress,
    ReportFact, Settings, State, Step, step,
};
use smtp_types::{DomainName, UnixTime};
use tlsrpt::{ResultType, Summary};

pub(crate) const HOUR: u64 = 3_600;
pub(crate) const DAY: u64 = 86_400;
pub(crate) const BEGIN: u64 = 1_800_000_000;
pub(crate) const TTL: u64 = 2 * HOUR;

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub(crate) fn intent(hosts: &[&str], goal: Goal) -> Intent {
    let mx = hosts.iter().map(|host| MxPattern::parse(host).unwrap()).collect();
    Intent::new(mx, goal).unwrap()
}

pub(crate) fn policy(text: &str) -> Policy {
    Policy::parse(text.as_bytes()).unwrap()
}

/// Something that was told, until it is told otherwise.
#[derive(Clone)]
struct Told<T> {
    value: T,
    until: u64,
}

/// An authoritative server: what it shows now, and what it will show.
#[derive(Clone, Default)]
pub(crate) struct Server {
    pub(crate) shown: Option<PolicyId>,
    coming: Vec<(u64, Option<PolicyId>)>,
    pub(crate) lag: u64,
    pub(crate) silent: bool,
}

/// A sender. `checks`: whether it looks at the record although it remembers a policy.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) checks: bool,
    server: usize,
    cached: Option<CachedPolicy>,
    record: Option<Told<Option<PolicyId>>>,
    mx: Option<Told<Vec<DomainName>>>,
}

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) intent: Intent,
    pub(crate) settings: Settings,
    pub(crate) now: u64,
    /// What our clock is wrong by.
    pub(crate) offset: i64,
    pub(crate) served: Option<Policy>,
    pub(crate) host_down: bool,
    pub(crate) dns_down: bool,
    pub(crate) servers: Vec<Server>,
    pub(crate) mx: BTreeMap<DomainName, Probe>,
    pub(crate) mx_unknown: bool,
    pub(crate) follow_mx: bool,
    pub(crate) reports: Vec<ReportFact>,
    pub(crate) report_address: ReportAddress,
    pub(crate) senders: Vec<Sender>,
    pub(crate) refused: Vec<String>,
    pub(crate) log: Vec<Reason>,
    pub(crate) actions: Vec<Action>,
    pub(crate) ids: Vec<PolicyId>,
}

impl World {
    pub(crate) fn new(hosts: &[&str]) -> Self {
        let sender = |number| Sender {
            checks: number % 2 == 0,
            server: number,
            cached: None,
            record: None,
            mx: None,
        };
        Self {
            state: State::default(),
            intent: intent(hosts, Goal::FULL),
            settings: Settings::default(),
            now: BEGIN,
            offset: 0,
            served: None,
            host_down: false,
            dns_down: false,
            servers: vec![Server::default(), Server::default()],
            mx: hosts.iter().map(|host| (name(host), Probe::Good)).collect(),
            mx_unknown: false,
            follow_mx: false,
            reports: Vec::new(),
            report_address: ReportAddress::Published,
            senders: (0..6).map(sender).collect(),
            refused: Vec::new(),
            log: Vec::new(),
            actions: Vec::new(),
            ids: Vec::new(),
        }
    }

    pub(crate) fn day(&self) -> u64 {
        (self.now - BEGIN) / DAY
    }

    fn facts(&self) -> Facts {
        let seen = |server: &Server| match (&server.shown, server.silent) {
            (_, true) => RecordSeen::Unknown,
            (Some(id), false) => RecordSeen::Id(id.clone()),
            (None, false) => RecordSeen::Absent,
        };
        let mx = MxSeen { hosts: self.mx.clone(), ttl: Duration::from_secs(TTL) };
        Facts {
            served: self.served.clone().filter(|_| !self.host_down),
            records: self.servers.iter().map(seen).collect(),
            record_ttl: Some(Duration::from_secs(TTL)),
            mx: (!self.mx_unknown).then_some(mx),
            reports: self.reports.clone(),
            report_address: self.report_address,
        }
    }

    /// One hour: a step, its actions, mail from every sender.
    pub(crate) fn hour(&mut self) -> Step {
        self.now += HOUR;
        for server in &mut self.servers {
            let due = server.coming.iter().rposition(|(at, _)| *at <= self.now);
            if let Some(last) = due {
                server.shown = server.coming.drain(..=last).next_back().unwrap().1;
            }
        }
        let clock = UnixTime(self.now.checked_add_signed(self.offset).unwrap_or_default());
        let line = self.state.to_string();
        assert_eq!(line.parse::<State>().as_ref(), Ok(&self.state), "{line}");
        let facts = self.facts();
        let step = step(&self.state, &self.intent, &facts, &self.settings, clock);
        self.state = step.state.clone();
        for action in &step.actions {
            self.act(action, &facts);
        }
        for reason in &step.reasons {
            assert!(!reason.to_string().is_empty());
        }
        self.log.extend(step.reasons.iter().cloned());
        self.actions.extend(step.actions.iter().cloned());
        self.mail();
        step
    }

    pub(crate) fn run_days(&mut self, days: u64) {
        for _ in 0..days * 24 {
            self.hour();
        }
    }

    fn act(&mut self, action: &Action, facts: &Facts) {
        match action {
            Action::Serve(policy) if !self.host_down => self.served = Some(policy.clone()),
            Action::StopServing => {
                assert!(self.nobody_remembers(), "the policy host goes too early");
                self.served = None;
            }
            Action::PublishRecord(id) => {
                assert_eq!(facts.served.as_ref(), self.state.policy(), "the record comes first");
                if self.ids.last() != Some(id) {
                    assert!(self.ids.last().is_none_or(|last| last < id), "{id} goes back");
                    self.ids.push(id.clone());
                }
                self.publish(Some(id));
            }
            Action::RemoveRecord => {
                assert!(self.nobody_remembers(), "the record goes too early");
                self.publish(None);
            }
            Action::ChangeMx { add, remove } if self.follow_mx => {
                self.mx.extend(add.iter().map(|host| (host.clone(), Probe::Good)));
                self.mx.retain(|host, _| !remove.contains(host));
            }
            Action::Serve(_) | Action::ChangeMx { .. } => {}
        }
    }

    fn publish(&mut self, id: Option<&PolicyId>) {
        if self.dns_down {
            return;
        }
        for server in &mut self.servers {
            let last = server.coming.last().map_or(&server.shown, |(_, id)| id);
            if last.as_ref() != id {
                server.coming.push((self.now + server.lag, id.cloned()));
            }
        }
    }

    pub(crate) fn nobody_remembers(&self) -> bool {
        let binds = |cached: &CachedPolicy| {
            cached.is_unexpired(UnixTime(self.now)) && cached.policy.mode() != Mode::None
        };
        !self.senders.iter().filter_map(|sender| sender.cached.as_ref()).any(binds)
    }

    /// Every sender sends a letter, now.
    fn mail(&mut self) {
        let (now, served) = (self.now, self.served.clone().filter(|_| !self.host_down));
        let hosts: Vec<DomainName> = self.mx.keys().cloned().collect();
        for (number, sender) in self.senders.iter_mut().enumerate() {
            let shown = self.servers[sender.server % self.servers.len()].shown.clone();
            let mx = look_up(&mut sender.mx, hosts.clone(), now);
            let valid = sender.cached.as_ref().is_some_and(|one| one.is_unexpired(UnixTime(now)));
            if !valid || sender.checks {
                let id = look_up(&mut sender.record, shown, now);
                let known = sender.cached.as_ref().filter(|_| valid).map(|cached| &cached.id);
                if let (Some(id), Some(policy)) = (id, &served)
                    && known != Some(&id)
                {
                    let (policy, fetched) = (policy.clone(), UnixTime(now));
                    sender.cached = Some(CachedPolicy { policy, id, fetched, issuer: None });
                }
            }
            let policy = sender.cached.as_ref().filter(|one| one.is_unexpired(UnixTime(now)));
            let Some(policy) = policy.map(|cached| &cached.policy) else { continue };
            let takes = |host: &DomainName| {
                policy.allows(host) && !matches!(self.mx.get(host), Some(Probe::Bad(_)))
            };
            if policy.mode() == Mode::Enforce && !mx.iter().any(takes) {
                self.refused.push(format!("day {}: sender {number}, {mx:?}", (now - BEGIN) / DAY));
            }
        }
    }

    pub(crate) fn report(&mut self, reporter: &str, failures: &[(&str, u64)]) {
        let failed = failures.iter().map(|(_, sessions)| sessions).sum();
        self.reports.push(ReportFact {
            reporter: reporter.into(),
            end: UnixTime(self.now),
            sessions: Summary { successes: 100, failures: failed },
            decisive: failures
                .iter()
                .map(|(text, count)| (ResultType::parse(text), *count))
                .collect(),
        });
    }

    pub(crate) fn said(&self, code: &str) -> bool {
        self.log.iter().any(|reason| reason.code() == code)
    }

    pub(crate) fn level(&self) -> String {
        let Some(policy) = self.state.policy() else {
            return "nothing".to_owned();
        };
        let (mode, age) = (policy.mode().as_str(), policy.max_age().as_secs());
        if policy.mode() == Mode::Enforce {
            format!("{mode} {}", age / DAY)
        } else {
            mode.to_owned()
        }
    }
}

/// What a resolver says: what it was told, for as long as the TTL.
fn look_up<T: Clone>(told: &mut Option<Told<T>>, value: T, now: u64) -> T {
    if let Some(told) = told.as_ref().filter(|told| now < told.until) {
        return told.value.clone();
    }
    *told = Some(Told { value: value.clone(), until: now + TTL });
    value
}

#[expect(clippy::panic, reason = "a test may fail loudly")]
pub(crate) fn probe(text: &str) -> Probe {
    match text {
        "good" => Probe::Good,
        "unknown" => Probe::Unknown,
        "no-starttls" => Probe::Bad(HostFault::NoStarttls),
        "old-tls" => Probe::Bad(HostFault::Tls),
        "expired" => Probe::Bad(HostFault::Certificate(smtp_types::CertificateFault::Expired)),
        other => panic!("{other}"),
    }
}
