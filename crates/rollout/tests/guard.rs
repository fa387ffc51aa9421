//! The guard: a world that is as promised has no drift, and each change of it has exactly one.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::time::Duration;

use mta_sts::{FetchError, MxPattern, Policy, PolicyId};
use rollout::guard::{
    CertificateSeen, HostSeen, PolicyPromise, Promise, Seen, WARN_BEFORE_END, inspect,
};
use rollout::sts::{HostFault, Probe};
use rollout::tlsa::{Chain, KeyDigest, Presented, ServerSeen};
use smtp_dane::Tlsa;
use smtp_types::{CertificateFault, Dnssec, DomainName, Severity, UnixTime};

const NOW: UnixTime = UnixTime(1_800_000_000);
const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n";

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn policy(text: &str) -> Policy {
    Policy::parse(text.as_bytes()).unwrap()
}

fn text(text: &str) -> Vec<Box<[u8]>> {
    vec![text.as_bytes().into()]
}

fn key(number: u8) -> KeyDigest {
    KeyDigest([number; 32])
}

fn records(numbers: &[u8]) -> Vec<Tlsa> {
    Chain::of_keys(numbers.iter().map(|number| key(*number))).records().collect()
}

fn promise() -> Promise {
    let id = PolicyId::parse("20270115080000Z").unwrap();
    Promise {
        policy: Some(PolicyPromise { policy: policy(POLICY), id }),
        mx: vec![MxPattern::parse("mx.example.com").unwrap()],
        tlsa: [(name("mx.example.com"), records(&[1, 2]).into_iter().collect())].into(),
        name_servers: [name("ns1.example.net"), name("ns2.example.net")].into(),
    }
}

fn seen() -> Seen {
    let record = || text("v=STSv1; id=20270115080000Z;");
    let host = HostSeen {
        dnssec: Dnssec::Secure,
        servers: vec![ServerSeen::Records(records(&[1, 2])), ServerSeen::Unknown],
        presented: vec![Presented { key: key(1), anchors: BTreeSet::new() }],
    };
    Seen {
        policy: Some(Ok(policy(POLICY))),
        records: [(name("ns1.example.net"), record()), (name("ns2.example.net"), record())].into(),
        mx: Some([(name("mx.example.com"), Probe::Good)].into()),
        certificates: vec![CertificateSeen {
            host: name("mx.example.com"),
            ends: NOW.plus(Duration::from_secs(40 * 86_400)),
        }],
        report_texts: Some(text("v=TLSRPTv1; rua=mailto:tls@example.com")),
        hosts: [(name("mx.example.com"), host)].into(),
        name_servers: Some(promise().name_servers),
    }
}

fn codes(promise: &Promise, seen: &Seen) -> Vec<&'static str> {
    let drifts = inspect(promise, seen, NOW);
    for drift in &drifts {
        assert!(!drift.to_string().is_empty() && !drift.fix().is_empty());
        assert!(drift.clause().starts_with("RFC "));
    }
    assert!(drifts.is_sorted_by_key(|drift| core::cmp::Reverse(drift.severity())));
    drifts.iter().map(rollout::guard::Drift::code).collect()
}

fn drift(expected: &[&str], change: impl FnOnce(&mut Seen)) {
    let mut seen = seen();
    change(&mut seen);
    assert_eq!(codes(&promise(), &seen), expected);
}

#[test]
fn a_world_as_promised_has_no_drift() {
    drift(&[], |_| {});
}

#[test]
fn what_is_not_known_is_no_drift() {
    assert_eq!(codes(&promise(), &Seen::default()), [""; 0]);
    assert_eq!(codes(&Promise::default(), &Seen::default()), [""; 0]);
    assert_eq!(codes(&Promise::default(), &seen()), [""; 0]);
}

#[test]
fn s8_1_policy_and_id_change_together() {
    let longer = || policy(&POLICY.replace("604800", "86400"));
    let other = |seen: &mut Seen| {
        for texts in seen.records.values_mut() {
            *texts = text("v=STSv1; id=x;");
        }
    };
    drift(&["policy-changed-without-id"], |seen| seen.policy = Some(Ok(longer())));
    drift(&["id-changed-without-policy"], other);
    drift(&["policy-replaced"], |seen| {
        other(seen);
        seen.policy = Some(Ok(longer()));
    });
}

#[test]
fn s3_1_every_server_has_the_one_record() {
    let ns1 = name("ns1.example.net");
    drift(&["record-gone"], |seen| drop(seen.records.insert(ns1.clone(), Vec::new())));
    drift(&["record-gone"], |seen| {
        seen.records.get_mut(&ns1).unwrap().extend(text("v=STSv1; id=2"));
    });
    drift(&["record-gone"], |seen| drop(seen.records.insert(ns1.clone(), text("v=STSv1; id=a-b"))));
    drift(&["servers-disagree", "id-changed-without-policy"], |seen| {
        drop(seen.records.insert(ns1.clone(), text("v=STSv1; id=old")));
    });
}

#[test]
fn s3_3_the_policy_can_be_had() {
    drift(&["policy-unreachable"], |seen| {
        seen.policy = Some(Err(FetchError::Status { found: 301 }));
    });
}

#[test]
fn s4_1_mx_records_and_policy_name_the_same_hosts() {
    let mx =
        |seen: &mut Seen| seen.mx.as_mut().unwrap().insert(name("mx2.example.com"), Probe::Good);
    drift(&["mx-undeclared", "mx-not-allowed"], |seen| drop(mx(seen)));
    drift(&["mx-missing"], |seen| seen.mx = Some([].into()));
    let mut promise = promise();
    promise.mx.push(MxPattern::parse("mx2.example.com").unwrap());
    let mut seen = seen();
    mx(&mut seen);
    assert_eq!(codes(&promise, &seen), ["mx-not-allowed"], "declared, and forgotten in the policy");
    seen.policy = Some(Ok(policy(&POLICY.replace("enforce", "testing"))));
    let drifts = inspect(&promise, &seen, NOW);
    let forgotten = drifts.iter().find(|drift| drift.code() == "mx-not-allowed").unwrap();
    assert_eq!(forgotten.severity(), Severity::Warning, "in testing mail still comes");
}

#[test]
fn s4_2_mx_hosts_are_as_the_policy_demands() {
    for fault in [
        HostFault::NoStarttls,
        HostFault::Tls,
        HostFault::Certificate(CertificateFault::UnknownIssuer),
    ] {
        drift(&["mx-bad"], |seen| {
            seen.mx.as_mut().unwrap().insert(name("mx.example.com"), Probe::Bad(fault));
        });
    }
}

#[test]
fn certificates_are_told_before_they_end() {
    let ends =
        |left: u64| move |seen: &mut Seen| seen.certificates[0].ends = UnixTime(NOW.0 + left);
    drift(&[], ends(WARN_BEFORE_END.as_secs()));
    drift(&["certificate-ends"], ends(WARN_BEFORE_END.as_secs() - 1));
    drift(&["certificate-ends"], |seen| seen.certificates[0].ends = UnixTime(5));
    let mut seen = seen();
    seen.certificates[0].ends = UnixTime(5);
    assert_eq!(inspect(&promise(), &seen, NOW)[0].severity(), Severity::Error);
}

#[test]
fn reports_can_come() {
    drift(&["tlsrpt-record-gone"], |seen| seen.report_texts = Some(Vec::new()));
    drift(&["tlsrpt-record-gone"], |seen| seen.report_texts = Some(text("v=TLSRPTv1; rua=x")));
}

#[test]
fn s8_tlsa_records_fit_what_is_shown_on_every_server() {
    let change = |change: fn(&mut HostSeen)| {
        move |seen: &mut Seen| change(seen.hosts.get_mut(&name("mx.example.com")).unwrap())
    };
    drift(
        &["tlsa-missing"],
        change(|host| {
            host.servers[1] = ServerSeen::Records(records(&[1]));
        }),
    );
    drift(
        &["tlsa-mismatch", "tlsa-missing"],
        change(|host| {
            host.servers[1] = ServerSeen::Records(records(&[2]));
        }),
    );
    drift(
        &["tlsa-foreign"],
        change(|host| {
            host.servers[1] = ServerSeen::Records(records(&[1, 2, 3]));
        }),
    );
    drift(
        &["tlsa-missing", "tlsa-missing"],
        change(|host| {
            host.servers[0] = ServerSeen::Records(Vec::new());
        }),
    );
    drift(&["tlsa-mismatch"], change(|host| host.presented[0].key = key(9)));
    drift(&["dnssec-lost"], change(|host| host.dnssec = Dnssec::Insecure));
    drift(&["dnssec-bogus"], change(|host| host.dnssec = Dnssec::Bogus));
}

#[test]
fn an_authority_in_the_chain_fits_too_and_unknown_kinds_may() {
    let mut seen = seen();
    let host = seen.hosts.get_mut(&name("mx.example.com")).unwrap();
    let chain = Chain { keys: BTreeSet::new(), anchors: [key(7)].into() };
    host.servers = vec![ServerSeen::Records(chain.records().collect())];
    host.presented = vec![Presented { key: key(9), anchors: [key(7)].into() }];
    assert!(!codes(&promise(), &seen).contains(&"tlsa-mismatch"));
    for record in ["3 0 1", "1 1 1"] {
        let record = format!("{record} {}", key(5));
        let host = seen.hosts.get_mut(&name("mx.example.com")).unwrap();
        host.servers = vec![ServerSeen::Records(vec![Tlsa::parse_presentation(&record).unwrap()])];
        assert!(!codes(&promise(), &seen).contains(&"tlsa-mismatch"), "{record}");
    }
}

#[test]
fn the_delegation_is_watched() {
    drift(&["name-servers"], |seen| {
        seen.name_servers = Some([name("ns1.example.net"), name("ns.attacker.example")].into());
    });
}
