//! RFC 8461 for a domain that publishes, clause by clause.

use std::time::Duration;

use mta_sts::{Mode, PolicyId};
use rollout::sts::{Action, Goal, Intent, Patience, Phase, Probe, ReportFact, State, is_decisive};
use smtp_types::{EmailAddress, UnixTime};
use tlsrpt::{DateRange, Failure, FailureDetail, PolicyReport, Report, ResultType, Summary};

use crate::world::{BEGIN, DAY, HOUR, World, intent, name, policy};

const ENFORCED: &str = "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmax_age: 864000\n";

fn published(id: &str) -> World {
    let mut world = World::new(&["mx1.example.com"]);
    world.served = Some(policy(ENFORCED));
    for server in &mut world.servers {
        server.shown = PolicyId::parse(id);
    }
    world
}

#[test]
fn s3_1_a_changed_policy_has_another_id_that_is_later() {
    let mut world = World::new(&["mx1.example.com"]);
    world.report("Google", &[]);
    world.run_days(40);
    assert!(world.ids.len() >= 3);
    assert!(world.ids.is_sorted());
    assert!(world.ids.iter().all(|id| id.as_str().len() == 15 && id.as_str().ends_with('Z')));
}

#[test]
fn s3_1_an_id_goes_on_even_if_the_clock_goes_back() {
    let mut world = World::new(&["mx1.example.com"]);
    world.run_days(1);
    world.offset = -3_000 * DAY as i64;
    world.intent = intent(&["mx1.example.com", "mx2.example.com"], Goal::Testing);
    world.run_days(2);
    assert!(world.ids.len() == 2 && world.ids.is_sorted(), "{:?}", world.ids);
}

#[test]
fn s3_1_the_same_policy_keeps_its_id() {
    let mut world = World::new(&["mx1.example.com"]);
    world.intent = intent(&["mx1.example.com"], Goal::Testing);
    world.run_days(100);
    assert_eq!(world.ids.len(), 1);
}

#[test]
fn s8_1_the_body_is_seen_before_the_record_changes() {
    let mut world = World::new(&["mx1.example.com"]);
    world.host_down = true;
    for _ in 0..10 {
        let actions = world.hour().actions;
        assert!(matches!(*actions, [Action::Serve(_)]), "{actions:?}");
    }
    world.host_down = false;
    assert!(matches!(*world.hour().actions, [Action::Serve(_)]));
    assert!(matches!(*world.hour().actions, [Action::PublishRecord(_)]));
}

#[test]
fn s8_1_nothing_new_before_the_ttl_of_the_record_has_passed() {
    let mut world = World::new(&["mx1.example.com"]);
    while world.state.phase() != Phase::Spreading {
        world.hour();
    }
    let begun = world.now;
    while world.state.phase() == Phase::Spreading {
        world.hour();
    }
    assert_eq!(world.now - begun, 2 * HOUR);
}

#[test]
fn s8_1_old_hosts_stay_allowed_while_mx_records_lead_there() {
    let mut world = published("1");
    world.run_days(1);
    world.intent = intent(&["new.example.net"], Goal::FULL);
    world.run_days(60);
    let policy = world.state.policy().unwrap();
    assert!(policy.allows(&name("mx1.example.com")) && policy.allows(&name("new.example.net")));
    assert!(world.refused.is_empty());
}

#[test]
fn s8_3_mode_none_until_every_served_policy_has_expired() {
    // Ten days were served before: ten days it takes, although the last policy lived shorter.
    let mut world = published("20260101000000Z");
    world.run_days(1);
    world.intent = intent(&["mx1.example.com"], Goal::Climb { highest: Duration::from_secs(DAY) });
    world.run_days(1);
    assert!(world.said("lowered-by-intent"));
    assert_eq!(world.level(), "enforce 1");
    world.intent = intent(&[], Goal::Withdraw);
    world.run_days(8);
    assert_eq!(world.level(), "none");
    assert!(world.state.cached_for() > Duration::ZERO);
    world.run_days(4);
    assert_eq!(world.level(), "nothing");
    assert!(world.servers.iter().all(|server| server.shown.is_none()));
    assert_eq!(world.served, None);
}

#[test]
fn s8_3_a_withdrawn_domain_may_begin_again() {
    let mut world = World::new(&["mx1.example.com"]);
    world.run_days(2);
    world.intent = intent(&[], Goal::Withdraw);
    world.run_days(10);
    assert_eq!(world.level(), "nothing");
    world.intent = intent(&["mx1.example.com"], Goal::FULL);
    world.run_days(2);
    assert_eq!(world.level(), "testing");
    assert!(world.ids.is_sorted());
}

#[test]
fn what_is_published_already_is_taken_over_and_not_lowered() {
    let mut world = published("20260101000000Z");
    world.run_days(2);
    assert!(world.said("adopted"));
    assert_eq!(world.level(), "enforce 10");
    world.run_days(20);
    assert_eq!(world.level(), "enforce 30");
    assert!(world.refused.is_empty());
}

#[test]
fn ids_that_look_like_stamps_of_the_future_are_overtaken() {
    let mut world = published("20990101000000Z");
    world.run_days(30);
    assert_eq!(world.level(), "enforce 30");
    assert_eq!(world.ids[0].as_str(), "20990101000001Z");
}

#[test]
fn time_that_nobody_watched_proves_nothing() {
    let mut world = World::new(&["mx1.example.com"]);
    world.run_days(1);
    world.offset = 400 * DAY as i64; // the clock jumps by more than a year
    world.run_days(5);
    assert_eq!(world.level(), "testing");
    world.offset = 0;
    world.run_days(10);
    assert_eq!(world.level(), "testing");
}

#[test]
fn patience_with_daily_refresh_is_shorter() {
    let days = |patience| {
        let mut world = published("1");
        world.follow_mx = true;
        world.settings.patience = patience;
        world.senders.retain(|sender| sender.checks);
        world.run_days(1);
        world.intent = intent(&["new.example.net"], Goal::FULL);
        while !world.mx.contains_key(&name("new.example.net")) {
            world.hour();
        }
        world.run_days(3);
        assert!(world.refused.is_empty());
        world.day()
    };
    assert_eq!(days(Patience::EveryCache), 14);
    assert_eq!(days(Patience::DailyRefresh), 6);
}

#[test]
fn an_intent_names_hosts_unless_it_withdraws() {
    assert_eq!(Intent::new(Vec::new(), Goal::FULL), None);
    assert!(Intent::new(Vec::new(), Goal::Withdraw).is_some());
}

#[test]
fn a_report_counts_for_its_domain_and_without_what_is_of_dane_only() {
    let details = |result, sessions| FailureDetail { failure: Failure::of(result), sessions };
    let ours = |kind: &str| PolicyReport {
        policy: tlsrpt::Policy {
            kind: tlsrpt::PolicyType::parse(kind),
            ..tlsrpt::Policy::none_of(name("example.com"))
        },
        summary: Summary { successes: 5, failures: 3 },
        details: vec![
            details(ResultType::TlsaInvalid, 1),
            details(ResultType::CertificateExpired, 2),
            details(ResultType::Other("x".into()), 0),
        ],
    };
    let mut other = ours("sts");
    other.policy.domain = Some(name("example.org"));
    let report = Report {
        organization: Some("Sender".into()),
        period: DateRange { begin: UnixTime(BEGIN), end: UnixTime(BEGIN + DAY) },
        contact: Some(EmailAddress::parse("a@b.test").unwrap().to_string().into()),
        id: "1".into(),
        policies: vec![ours("sts"), other],
    };
    let fact = ReportFact::of(&report, &name("example.com"));
    assert_eq!(fact.sessions, Summary { successes: 5, failures: 3 });
    assert_eq!(fact.decisive, [(ResultType::CertificateExpired, 2)]);
    assert!(!is_decisive(&ResultType::DaneRequired));
}

#[test]
fn a_state_of_another_kind_is_refused() {
    for text in [
        "",
        "sts2 phase=settled",
        "sts1 phase=settled",
        "sts1 phase=x spread=0 since=0 trouble=0 ttl=0,0,0 mxttl=0,0,0",
        "sts1 phase=settled policy=enforce,1,a.b spread=0 since=0 trouble=0 ttl=0,0,0 mxttl=0,0,0",
        "sts1 phase=settled spread=0 since=0 trouble=0 ttl=0,0,0 mxttl=0,0,0 more=1",
    ] {
        assert!(text.parse::<State>().is_err(), "{text}");
    }
    let good = "sts1 phase=settled spread=0 since=0 trouble=0 ttl=0,0,0 mxttl=0,0,0";
    assert_eq!(good.parse::<State>().unwrap(), State::default());
}

#[test]
fn unknown_probes_prove_nothing() {
    let mut world = World::new(&["mx1.example.com"]);
    world.mx.insert(name("mx1.example.com"), Probe::Unknown);
    world.run_days(60);
    assert_eq!(world.state.policy().unwrap().mode(), Mode::Testing);
    assert!(world.said("host-unknown"));
}

#[test]
fn a_failure_in_the_future_stops_the_climb_and_one_in_the_past_is_never_overlooked() {
    let mut world = World::new(&["mx1.example.com"]);
    world.run_days(5);
    world.offset = -100 * DAY as i64; // our clock goes back, so the report seems to be early
    world.report("Google", &[("certificate-expired", 1)]);
    world.run_days(40);
    assert_eq!(world.level(), "testing");
    assert!(world.said("report-ahead"));
    world.offset = 0;
    world.run_days(1);
    assert!(world.said("reported-failure"));
    assert_eq!(world.level(), "testing");
}
