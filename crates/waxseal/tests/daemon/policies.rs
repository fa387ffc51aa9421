//! What is remembered of a policy, and what happens when the world says otherwise.
//!
//! An answer on the socketmap stays the same for at least a minute; the decision API looks at the
//! world anew each time, and what it finds is what the next mail server is told.

use crate::world::{Kind, Page, World, codes, policy, secure};

#[test]
fn a_policy_is_fetched_once_for_many_questions() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    for map in ["QUERY", "QUERYwithTLSRPT", "STS", "QUERY"] {
        assert!(daemon.ask(map, "a.test").starts_with(&secure("a.test")));
    }
    let decision = daemon.decision("a.test");
    assert_eq!((&decision["facts"]["sts"]["source"], world.host.requests()), (&"cache".into(), 1));
    assert_eq!(decision["facts"]["disagreements"], serde_json::json!([]));
}

#[test]
fn a_new_id_brings_the_new_policy() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    world.record("a.test", "2");
    world.host.serve("a.test", &policy("b.test", "enforce", 604_800));
    let decision = daemon.decision("a.test");
    assert_eq!((&decision["facts"]["sts"]["source"], world.host.requests()), (&"live".into(), 2));
    assert_eq!(decision["facts"]["sts"]["id"], "2");
    assert_eq!(daemon.query("a.test"), secure("b.test"));
}

#[test]
fn the_old_policy_binds_while_the_new_one_cannot_be_had() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    world.record("a.test", "2");
    world.host.page("a.test", page(500, "text/plain", ""));
    for _ in 0..3 {
        let decision = daemon.decision("a.test");
        assert_eq!(decision["decision"], "secure");
        assert_eq!(codes(&decision["facts"]["disagreements"]), ["policy-unavailable"]);
        assert!(decision["facts"]["disagreement_since"].is_string());
    }
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    // The id that failed is left alone for five minutes, and the alarm was raised once.
    assert_eq!(world.host.requests(), 2);
    let alarms = daemon.metric("waxseal_sentinel_alarms_total{kind=\"policy-unavailable\"}");
    assert_eq!((alarms, daemon.metric("waxseal_sentinel_open")), (1.0, 1.0));
    assert_eq!(daemon.metric("waxseal_policy_fetch_failures_total"), 1.0);
    assert_eq!(daemon.log.count("policy-unavailable"), 1);
    let (code, word, notes) = daemon.health();
    assert_eq!((code, word.as_str()), (200, "degraded"), "{notes}");
    // Another id is another policy.
    world.record("a.test", "3");
    world.host.serve("a.test", &policy("a.test", "enforce", 604_800));
    assert_eq!(daemon.decision("a.test")["facts"]["sts"]["id"], "3");
    assert_eq!(codes(&daemon.decision("a.test")["facts"]["disagreements"]), [""; 0]);
    daemon.log.wait("agree again");
    assert_eq!(daemon.health().1, "ok");
}

#[test]
fn a_record_that_is_gone_or_cannot_be_looked_up_changes_nothing() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    let stays = || {
        let decision = daemon.decision("a.test");
        assert_eq!(decision["decision"], "secure");
        assert_eq!(decision["facts"]["sts"]["source"], "cache-only");
        assert_eq!(codes(&decision["facts"]["disagreements"]), ["record-gone"]);
        assert_eq!(daemon.query("a.test"), secure("a.test"));
    };
    world.dns.remove("_mta-sts.a.test TXT");
    stays();
    world.dns.fail("_mta-sts.a.test TXT");
    stays();
    world.dns.say(&["_mta-sts.a.test TXT v=STSv1; id=1", "_mta-sts.a.test TXT v=STSv1; id=2"]);
    stays();
    assert_eq!(daemon.log.count("record-gone"), 1);
    assert_eq!(world.host.requests(), 1);
}

#[test]
fn a_weaker_policy_is_taken_with_an_alarm() {
    let world = World::new();
    world.publish("a.test", "20260101000000Z", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    world.publish("a.test", "20250101000000Z", "testing");
    let decision = daemon.decision("a.test");
    assert_eq!(codes(&decision["facts"]["disagreements"]), ["id-older", "policy-weaker"]);
    assert_eq!(daemon.query("a.test"), "NOTFOUND ");
    daemon.log.wait("policy-weaker");
}

#[test]
fn another_issuer_raises_an_alarm() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    world.host.certificate(Kind::OtherIssuer);
    world.record("a.test", "2");
    let decision = daemon.decision("a.test");
    assert_eq!(codes(&decision["facts"]["disagreements"]), ["issuer-changed"]);
    let text = decision["facts"]["disagreements"][0]["text"].as_str().unwrap();
    assert!(text.contains("First Authority") && text.contains("Second Authority"), "{text}");
    assert_eq!(daemon.query("a.test"), secure("a.test"));
}

#[test]
fn a_policy_that_cannot_be_had_at_first_is_no_policy() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    let body = policy("a.test", "enforce", 604_800);
    let cases = [
        (Kind::Expired, 200, "text/plain", "expired", "sts-webpki-invalid"),
        (Kind::OtherName, 200, "text/plain", "other.test", "sts-webpki-invalid"),
        (Kind::Good, 302, "text/plain", "redirects are not followed", "sts-policy-fetch-error"),
        (Kind::Good, 404, "text/plain", "found 404", "sts-policy-fetch-error"),
        (Kind::Good, 200, "text/html", "media type", "sts-policy-fetch-error"),
    ];
    for (id, (certificate, status, content_type, why, result)) in (1..).zip(cases) {
        world.host.certificate(certificate);
        world.host.page("a.test", page(status, content_type, &body));
        world.record("a.test", &id.to_string());
        let decision = daemon.decision("a.test");
        assert_eq!(decision["decision"], "none", "{why}");
        let failure = decision["facts"]["sts"]["fetch_failure"].as_str().unwrap();
        assert!(failure.contains(why), "{failure}");
        assert_eq!(decision["facts"]["result_types"], serde_json::json!([result]), "{failure}");
    }
    assert_eq!(daemon.query("a.test"), "NOTFOUND ");
    world.host.page("a.test", page(200, "TEXT/plain; charset=utf-8", &body));
    world.record("a.test", "good");
    assert_eq!(daemon.decision("a.test")["decision"], "secure");
}

/// "`sender.on_sts_error`": what the mail server is told at first contact.
#[test]
fn mail_waits_for_a_policy_if_the_operator_says_so() {
    let world = World::new();
    world.settings("[sender]\non_sts_error = \"defer\"\n");
    world.publish("a.test", "1", "enforce");
    world.host.go_down();
    let daemon = world.serve();
    let reply = daemon.query("a.test");
    assert!(reply.starts_with("TEMP MTA-STS policy: "), "{reply}");
    world.host.come_up();
    world.record("a.test", "2");
    assert_eq!(daemon.decision("a.test")["decision"], "secure");
    assert_eq!(daemon.query("a.test"), secure("a.test"));
}

/// The policy host is left alone for five minutes, so an answer that rests on its failure must
/// not live much longer.
#[test]
fn an_answer_that_rests_on_a_failed_fetch_is_short_lived() {
    let world = World::new();
    world.dns.ttl(3600);
    world.publish("a.test", "1", "enforce");
    world.host.page("a.test", page(500, "text/plain", ""));
    let daemon = world.serve();
    for _ in 0..2 {
        let decision = daemon.decision("a.test");
        assert_eq!(decision["decision"], "none");
        let fresh_for = decision["fresh_for"].as_u64().unwrap();
        assert!(fresh_for <= 300, "{fresh_for}");
    }
    assert_eq!(world.host.requests(), 1);
}

#[test]
fn an_answer_does_not_outlive_its_policy() {
    let world = World::new();
    world.dns.ttl(3600);
    world.publish_policy("long.test", "1", &policy("long.test", "enforce", 604_800));
    world.publish_policy("short.test", "1", &policy("short.test", "enforce", 600));
    let daemon = world.serve();
    assert_eq!(daemon.decision("long.test")["fresh_for"], 3600);
    let fresh_for = daemon.decision("short.test")["fresh_for"].as_u64().unwrap();
    assert!((590..=600).contains(&fresh_for), "{fresh_for}");
}

#[test]
fn mode_none_is_no_policy_and_a_later_one_is_seen() {
    let world = World::new();
    world.publish("a.test", "1", "none");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), "NOTFOUND ");
    world.dns.remove("_mta-sts.a.test TXT");
    let decision = daemon.decision("a.test");
    // A policy that was withdrawn may vanish.
    assert_eq!(codes(&decision["facts"]["disagreements"]), [""; 0]);
    world.publish("a.test", "2", "enforce");
    assert_eq!(daemon.decision("a.test")["decision"], "secure");
    assert_eq!(daemon.query("a.test"), secure("a.test"));
}

#[test]
fn max_age_zero_binds_for_the_question_that_fetched_it() {
    let world = World::new();
    world.dns.ttl(3600);
    world.publish_policy("a.test", "1", &policy("a.test", "enforce", 0));
    let daemon = world.serve_at(crate::world::NOW);
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    let decision = daemon.decision("a.test");
    assert_eq!((&decision["decision"], world.host.requests()), (&"secure".into(), 2));
    assert_eq!(decision["fresh_for"], 60);
    world.host.page("a.test", page(500, "text/plain", ""));
    assert_eq!(daemon.decision("a.test")["decision"], "none");
}

/// Two next hops with one policy domain share the policy.
#[test]
fn a_port_or_brackets_do_not_fetch_again() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    for next_hop in ["a.test", "a.test:587", "[a.test]", "[a.test]:587"] {
        assert_eq!(daemon.query(next_hop), secure("a.test"), "{next_hop}");
    }
    assert_eq!(world.host.requests(), 1);
}

fn page(status: u16, content_type: &'static str, body: &str) -> Page {
    Page { status, content_type, body: body.to_owned() }
}
