//! A mail server never waits longer than the deadline, and never gets less than is known.

use std::cell::Cell;
use std::time::Instant;

use crate::world::{World, secure};

const SHORT: &str = "[sender]\ndeadline = \"300ms\"\n";
const SHORT_AND_DELIVER: &str = "[sender]\ndeadline = \"300ms\"\non_deadline = \"deliver\"\n";

#[test]
fn a_fetch_that_takes_longer_goes_on_and_lands() {
    for (settings, first) in [(SHORT, "TEMP "), (SHORT_AND_DELIVER, "NOTFOUND ")] {
        let world = World::new();
        world.settings(settings);
        world.publish("a.test", "1", "enforce");
        world.host.hold();
        let daemon = world.serve();
        let start = Instant::now();
        let reply = daemon.query("a.test");
        assert!(reply.starts_with(first), "{reply}");
        assert!(start.elapsed().as_millis() >= 300);
        // Whoever asks while the fetch goes on waits for the same one.
        assert!(daemon.query("a.test").starts_with(first));
        world.host.wait_for(1);
        world.host.release();
        daemon.until("the fetch", |daemon| daemon.metric("waxseal_policy_fetches_total") == 1.0);
        // Behind the fetch the policy is written to the disk, and that may take longer than the
        // deadline, too: whoever asks meanwhile is one more who missed it.
        let missed = Cell::new(2_u32);
        daemon.until("the answer", |daemon| {
            let is_there = daemon.query("a.test") == secure("a.test");
            missed.set(missed.get() + u32::from(!is_there));
            is_there
        });
        assert_eq!(world.host.requests(), 1);
        let counted = daemon.metric("waxseal_deadline_missed_total");
        assert_eq!(counted, f64::from(missed.get()));
    }
}

#[test]
fn a_silent_resolver_costs_the_deadline_and_not_more() {
    let world = World::new();
    world.settings(SHORT);
    world.host("a.test");
    let daemon = world.serve();
    world.dns.fall_silent();
    let start = Instant::now();
    let reply = daemon.query("a.test");
    assert!(reply.starts_with("TEMP ") && reply.len() > 10, "{reply}");
    // Far below the four seconds that two tries take.
    assert!(start.elapsed().as_millis() < 3000, "{:?}", start.elapsed());
    world.dns.speak_again();
    assert_eq!(daemon.decision("a.test")["decision"], "none");
    assert_eq!(daemon.query("a.test"), "NOTFOUND ");
}

#[test]
fn many_who_ask_at_once_share_one_look_up() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    world.host.hold();
    let mut connections: Vec<_> = (0..50).map(|_| daemon.connect()).collect();
    connections.iter_mut().for_each(|connection| connection.send("QUERY", "a.test"));
    world.host.wait_for(1);
    daemon.until("all to wait", |daemon| daemon.metric("waxseal_socketmap_lookups_total") == 50.0);
    world.host.release();
    for connection in &mut connections {
        assert_eq!(connection.receive().unwrap(), secure("a.test"));
    }
    assert_eq!(world.host.requests(), 1);
    assert_eq!(daemon.metric("waxseal_evaluations_total"), 1.0);
    assert_eq!(daemon.metric("waxseal_lookups_joined_total"), 49.0);
}

#[test]
fn next_hops_of_one_domain_share_one_fetch() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    world.host.hold();
    let keys = ["a.test", "a.test:587", "[a.test]"];
    let mut connections = keys.map(|_| daemon.connect());
    for (connection, key) in connections.iter_mut().zip(keys) {
        connection.send("QUERY", key);
    }
    world.host.wait_for(1);
    daemon.until("all to wait", |daemon| daemon.metric("waxseal_socketmap_lookups_total") == 3.0);
    world.host.release();
    for connection in &mut connections {
        assert_eq!(connection.receive().unwrap(), secure("a.test"));
    }
    assert_eq!(world.host.requests(), 1);
}

/// `on_deadline = "deliver"` is for domains of which nothing is known. RFC 8461 §5.1: a policy
/// that is remembered binds, and slowness is what an attacker can make.
#[test]
fn a_remembered_policy_is_not_forgotten_when_the_deadline_passes() {
    let world = World::new();
    world.settings(SHORT_AND_DELIVER);
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    daemon.until("the answer", |daemon| daemon.query("a.test") == secure("a.test"));
    daemon.kill();
    let daemon = world.serve();
    world.dns.hold("_mta-sts.a.test");
    let reply = daemon.query("a.test");
    assert!(reply.starts_with("TEMP "), "{reply}");
    world.dns.hold("_mta-sts.b.test");
    assert_eq!(daemon.query("b.test"), "NOTFOUND ");
    world.dns.release("_mta-sts.a.test");
    daemon.until("the answer", |daemon| daemon.query("a.test") == secure("a.test"));
}

/// What the operator has said needs no look-up, so no resolver can stand in its way.
#[test]
fn an_override_holds_when_the_deadline_passes() {
    let world = World::new();
    let overrides = world.path("overrides.toml");
    let one = |domain: &str, policy: &str| {
        format!("[[override]]\ndomain = \"{domain}\"\npolicy = \"{policy}\"\ncomment = \"x\"\n")
    };
    let text =
        [one("require.test", "require"), one("off.test", "off"), one("fixed.test", "encrypt")];
    std::fs::write(&overrides, text.concat()).unwrap();
    let overrides = overrides.display();
    world.settings(&format!("{SHORT_AND_DELIVER}overrides = \"{overrides}\"\n"));
    let daemon = world.serve();
    world.dns.fall_silent();
    assert!(daemon.query("require.test").starts_with("TEMP "));
    assert_eq!(daemon.query("off.test"), "NOTFOUND ");
    assert_eq!(daemon.query("fixed.test"), "OK encrypt");
}

#[test]
fn an_answer_from_before_is_better_than_none() {
    let world = World::new();
    world.settings(SHORT);
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    daemon.until("the answer", |daemon| daemon.query("a.test") == secure("a.test"));
    world.dns.fall_silent();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
}
