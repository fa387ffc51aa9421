//! The one decision function.
//!
//! It reads from top to bottom in the order of precedence; each step leaves a [`Reason`]. The
//! table of all combinations is `tests/matrix.ref`.

use alloc::vec::Vec;

use mta_sts::{Mode, Policy};
use smtp_dane::{HostDane, MxLookup};
use smtp_types::{DnsFailure, Dnssec, RecordType};

use crate::{
    Answer, Decision, Facts, LocalPolicy, LocalRule, MixedHosts, OnStsError, Reason, Settings,
};

/// Decides how mail to a next hop must be encrypted.
#[must_use]
pub fn decide(facts: &Facts, settings: Settings, local: Option<&LocalPolicy>) -> Decision {
    let mut reasons = Vec::new();
    if let Some(local) = local {
        reasons.push(Reason::Local(local.clone()));
    }
    let answer = match local.map(|local| &local.rule) {
        Some(LocalRule::Off) => Answer::NoPolicy,
        Some(LocalRule::Fixed(fixed)) => Answer::Fixed(fixed.clone()),
        Some(LocalRule::Require) => required(facts, &mut reasons),
        None => published(facts, settings, &mut reasons),
    };
    Decision { answer, reasons }
}

/// What the domain itself publishes: DANE first, then MTA-STS.
fn published(facts: &Facts, settings: Settings, reasons: &mut Vec<Reason>) -> Answer {
    let dane = dane_binding(facts, reasons);
    match dane {
        DaneBinding::Unknown => return Answer::Defer,
        DaneBinding::EveryHost => return Answer::DaneOnly,
        DaneBinding::SomeHosts | DaneBinding::Weak | DaneBinding::Absent => {}
    }
    let sts = sts_binding(facts, reasons);
    match (dane, sts) {
        (_, StsBinding::Failed) if settings.on_sts_error == OnStsError::Defer => {
            reasons.push(Reason::StsErrorDefers);
            Answer::Defer
        }
        (DaneBinding::SomeHosts, StsBinding::Enforce(_)) if settings.mixed == MixedHosts::Dane => {
            reasons.push(Reason::MixedHostsByDane);
            Answer::Dane
        }
        (DaneBinding::SomeHosts, StsBinding::Enforce(policy)) => {
            reasons.push(Reason::MixedHostsBySts);
            Answer::Secure(policy.clone())
        }
        (_, StsBinding::Enforce(policy)) => Answer::Secure(policy.clone()),
        (DaneBinding::SomeHosts | DaneBinding::Weak, _) => Answer::Dane,
        (_, _) => Answer::NoPolicy,
    }
}

/// The operator requires authentication: whatever of DANE and MTA-STS can give it, and if neither
/// can, the mail waits. A policy in testing names the hosts just as well as an enforced one.
fn required(facts: &Facts, reasons: &mut Vec<Reason>) -> Answer {
    let dane = dane_binding(facts, reasons);
    match dane {
        DaneBinding::Unknown => return Answer::Defer,
        DaneBinding::EveryHost => return Answer::DaneOnly,
        DaneBinding::SomeHosts | DaneBinding::Weak | DaneBinding::Absent => {}
    }
    match (sts_binding(facts, reasons), dane) {
        (StsBinding::Enforce(policy) | StsBinding::Testing(policy), _) => {
            Answer::Secure(policy.clone())
        }
        (_, DaneBinding::SomeHosts) => Answer::DaneOnly,
        (_, _) => {
            reasons.push(Reason::RequirementUnmet);
            Answer::Defer
        }
    }
}

/// How far DANE binds a sender.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DaneBinding {
    /// It cannot be found out whether it binds.
    Unknown,
    /// Every host that mail can reach has usable records, and the MX records are signed.
    EveryHost,
    /// The MX records are signed, and at least one host has records.
    SomeHosts,
    /// There are records, and DANE alone cannot keep an attacker out: the MX records are not
    /// signed, or no record is usable. Better than nothing; MTA-STS is better than this.
    Weak,
    /// No host has records, or nobody who can be trusted has checked.
    Absent,
}

fn dane_binding(facts: &Facts, reasons: &mut Vec<Reason>) -> DaneBinding {
    let mx_secure = match &facts.dane.mx {
        // RFC 7672 §2.1.1: an error is not "insecure"; RFC 5321 §5.1: nor is it "no such domain".
        MxLookup::Failed(failure) => {
            reasons.push(Reason::MxFailed(failure.clone()));
            return DaneBinding::Unknown;
        }
        MxLookup::NullMx => {
            reasons.push(Reason::NullMx);
            return DaneBinding::Absent;
        }
        MxLookup::NoSuchDomain { .. } => {
            reasons.push(Reason::NoSuchDomain);
            return DaneBinding::Absent;
        }
        // A smart host's name comes from the operator, not from the DNS.
        MxLookup::SmartHost => true,
        MxLookup::Records { dnssec } | MxLookup::Implicit { dnssec } => {
            match dnssec {
                Dnssec::Secure => {}
                Dnssec::Indeterminate | Dnssec::Bogus => reasons.push(Reason::MxUnchecked),
                Dnssec::Insecure => reasons.push(Reason::MxInsecure),
            }
            *dnssec == Dnssec::Secure
        }
    };

    let mut hosts = HostCount::default();
    for host in &facts.dane.hosts {
        hosts.add(&host.dane);
        match &host.dane {
            HostDane::Unreachable { .. } => {
                reasons.push(Reason::HostUnreachable(host.host.clone()));
            }
            HostDane::Failed { question, failure } => {
                reasons.push(Reason::HostFailed {
                    host: host.host.clone(),
                    question: question.clone(),
                    failure: failure.clone(),
                });
            }
            HostDane::NotApplicable(_) | HostDane::Unusable { .. } | HostDane::Usable { .. } => {}
        }
    }
    // A host beyond the bound was not looked at: not every host is known to have records.
    let unseen = facts.dane.hosts_left_out;
    if unseen > 0 {
        reasons.push(Reason::HostsLeftOut { count: unseen });
    }
    hosts.without += unseen;

    if hosts.usable > 0 && mx_secure && hosts.unusable + hosts.without == 0 {
        // A host whose TLSA look-up fails is left to the mail server, which at this level passes
        // it over.
        reasons.push(Reason::EveryHostHasDane { hosts: hosts.usable });
        return DaneBinding::EveryHost;
    }
    // RFC 7672 §2.2: where TLSA records should be and cannot be had, delivery waits.
    if hosts.tlsa_failed > 0 && mx_secure || hosts.tlsa_bogus > 0 {
        return DaneBinding::Unknown;
    }
    // No host is reachable, and at least one might be later.
    if hosts.reachable() == 0 && hosts.address_failed > 0 {
        return DaneBinding::Unknown;
    }
    if facts.dane.hosts.iter().any(|host| matches!(host.dane, HostDane::Failed { .. })) {
        reasons.push(Reason::OtherHostsSuffice);
    }
    match (hosts.usable, hosts.unusable) {
        (0, 0) => {
            reasons.push(Reason::NoDane);
            DaneBinding::Absent
        }
        (0, unusable) => {
            reasons.push(Reason::OnlyUnusableDane { hosts: unusable });
            DaneBinding::Weak
        }
        (usable, _) if !mx_secure => {
            reasons.push(Reason::DaneBehindInsecureMx { hosts: usable });
            DaneBinding::Weak
        }
        (usable, unusable) => {
            let without = unusable + hosts.without;
            reasons.push(Reason::SomeHostsHaveDane { with: usable, without });
            DaneBinding::SomeHosts
        }
    }
}

/// How many hosts there are of each kind.
#[derive(Default)]
struct HostCount {
    usable: usize,
    unusable: usize,
    without: usize,
    tlsa_failed: usize,
    tlsa_bogus: usize,
    address_failed: usize,
}

impl HostCount {
    fn add(&mut self, dane: &HostDane) {
        match dane {
            HostDane::Usable { .. } => self.usable += 1,
            HostDane::Unusable { .. } => self.unusable += 1,
            HostDane::NotApplicable(_) => self.without += 1,
            HostDane::Failed { question, failure } if question.record_type == RecordType::Tlsa => {
                self.tlsa_failed += 1;
                if matches!(failure, DnsFailure::Bogus { .. }) {
                    self.tlsa_bogus += 1;
                }
            }
            // The mail server cannot resolve it either: a dead host does not stop a domain.
            HostDane::Failed { .. } => self.address_failed += 1,
            HostDane::Unreachable { .. } => {}
        }
    }

    const fn reachable(&self) -> usize {
        self.usable + self.unusable + self.without
    }
}

/// How far MTA-STS binds a sender (RFC 8461 §5).
#[derive(Clone, Copy)]
enum StsBinding<'f> {
    Enforce(&'f Policy),
    Testing(&'f Policy),
    Absent,
    /// There may be a policy, and it cannot be had.
    Failed,
}

fn sts_binding<'f>(facts: &'f Facts, reasons: &mut Vec<Reason>) -> StsBinding<'f> {
    if let Some(applied) = &facts.sts.applied {
        let mode = applied.policy.mode();
        reasons.push(Reason::Sts { mode, source: applied.source, id: applied.id.clone() });
        return match mode {
            Mode::Enforce => {
                reasons.extend(hosts_not_allowed(facts, &applied.policy));
                StsBinding::Enforce(&applied.policy)
            }
            Mode::Testing => StsBinding::Testing(&applied.policy),
            Mode::None => StsBinding::Absent,
        };
    }
    if let Some(Err(error)) = &facts.sts.fetched {
        reasons.push(Reason::StsPolicyFailed(error.clone()));
        return StsBinding::Failed;
    }
    match &facts.sts.record {
        Err(mta_sts::RecordFailure::Dns(failure)) => {
            reasons.push(Reason::StsRecordFailed(failure.clone()));
            StsBinding::Failed
        }
        Err(mta_sts::RecordFailure::None(reason)) => {
            reasons.push(Reason::StsNoRecord(reason.clone()));
            StsBinding::Absent
        }
        Err(mta_sts::RecordFailure::NameTooLong) | Ok(_) => StsBinding::Absent,
    }
}

/// RFC 8461 §4.1, §8.4: hosts that the policy does not allow are passed over like dead ones. The
/// mail server does that; here it is only said.
fn hosts_not_allowed(facts: &Facts, policy: &Policy) -> Option<Reason> {
    let hosts: Vec<_> = facts
        .dane
        .hosts
        .iter()
        .map(|host| &host.host)
        .filter(|host| !policy.allows(host))
        .cloned()
        .collect();
    let all = hosts.len() == facts.dane.hosts.len();
    (!hosts.is_empty()).then_some(Reason::MxNotAllowed { hosts, all })
}
