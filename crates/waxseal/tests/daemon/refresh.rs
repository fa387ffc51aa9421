//! Policies are fetched again ahead of time, so that a passing outage cannot let one expire. What
//! is due is looked for at start, so a restart at a later time shows it.

use crate::world::{Daemon, NOW, Page, World, policy, secure};

const DAY: u64 = 86_400;

/// A state folder that remembers the policy of `a.test`, fetched at [`NOW`].
fn remembering(world: &World) {
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve_at(NOW);
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    assert!(daemon.terminate().success());
}

#[test]
fn a_policy_of_yesterday_is_fetched_again_even_without_a_record() {
    let world = World::new();
    remembering(&world);
    world.dns.remove("_mta-sts.a.test TXT");
    let daemon = world.serve_at(NOW + DAY);
    world.host.wait_for(2);
    daemon.until("a refresh", |daemon| daemon.metric("waxseal_policy_refreshes_total") == 1.0);
    let remembered = &daemon.decision("a.test")["facts"]["remembered"];
    assert_eq!((&remembered["age"], &remembered["failures"]), (&0.into(), &0.into()));
}

#[test]
fn a_policy_of_an_hour_ago_is_left_alone() {
    let world = World::new();
    remembering(&world);
    let daemon = world.serve_at(NOW + 3600);
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    assert_eq!(world.host.requests(), 1);
}

#[test]
fn a_refresh_that_fails_again_and_again_is_worth_an_alarm() {
    let world = World::new();
    remembering(&world);
    world.host.page("a.test", failure());
    let fails = |now, failures: u64| -> Daemon {
        let daemon = world.serve_at(now);
        daemon.until("a failed refresh", |daemon| {
            daemon.metric("waxseal_policy_refresh_failures_total") == 1.0
        });
        daemon.until("its record", |daemon| {
            daemon.decision("a.test")["facts"]["remembered"]["failures"] == failures
        });
        assert_eq!(daemon.query("a.test"), secure("a.test"));
        daemon
    };
    assert!(fails(NOW + DAY, 1).terminate().success());
    assert!(fails(NOW + 2 * DAY, 2).terminate().success());
    let daemon = fails(NOW + 3 * DAY, 3);
    daemon.log.wait("the remembered policy binds until it expires");
    daemon.until("its row", |daemon| daemon.metric("waxseal_policies_failing") == 1.0);
    let (code, word, notes) = daemon.health();
    assert_eq!((code, word.as_str()), (200, "degraded"));
    assert!(notes.contains("cannot be refreshed"), "{notes}");
    let why = daemon.decision("a.test")["facts"]["remembered"]["last_error"].to_string();
    assert!(why.contains("found 500"), "{why}");
    assert!(daemon.terminate().success());
    // The next one that succeeds ends it.
    world.host.serve("a.test", &policy("a.test", "enforce", 604_800));
    let daemon = world.serve_at(NOW + 4 * DAY);
    daemon.until("a refresh", |daemon| daemon.metric("waxseal_policy_refreshes_total") == 1.0);
    daemon.until("health", |daemon| daemon.health().1 == "ok");
}

/// A question finds a new policy while a refresh of the old one is under way and then fails: the
/// new one is what is remembered.
#[test]
fn a_refresh_that_fails_late_does_not_bring_the_old_policy_back() {
    let world = World::new();
    remembering(&world);
    // The refresh gets what stands there now, late.
    world.host.page("a.test", failure());
    world.host.hold();
    let daemon = world.serve_at(NOW + DAY);
    world.host.wait_for(2);
    world.record("a.test", "2");
    world.host.serve("a.test", &policy("b.test", "enforce", 604_800));
    world.host.hold_no_more();
    assert_eq!(daemon.decision("a.test")["facts"]["sts"]["id"], "2");
    world.host.release();
    daemon.until("a failed refresh", |daemon| {
        daemon.metric("waxseal_policy_refresh_failures_total") == 1.0
    });
    assert!(daemon.terminate().success());
    world.dns.remove("_mta-sts.a.test TXT");
    world.host.go_down();
    let daemon = world.serve_at(NOW + DAY);
    assert_eq!(daemon.query("a.test"), secure("b.test"));
}

fn failure() -> Page {
    Page { status: 500, content_type: "text/plain", body: String::new() }
}
