//! What the operator wants otherwise for single domains.

use std::fs;

use crate::world::{Daemon, NOW, World, codes, run, secure};

/// A world whose daemon reads `overrides.toml`.
fn world(text: &str) -> World {
    let world = World::new();
    let path = world.path("overrides.toml");
    fs::write(&path, text).unwrap();
    world.settings(&format!("[sender]\noverrides = \"{}\"\n", path.display()));
    world
}

fn entry(domain: &str, policy: &str, more: &str) -> String {
    format!(
        "[[override]]\ndomain = \"{domain}\"\npolicy = \"{policy}\"\ncomment = \"why\"\n{more}\n"
    )
}

#[test]
fn every_kind_of_override() {
    let world = world(
        &[
            entry("require-sts.test", "require", ""),
            entry("require-testing.test", "require", ""),
            entry("require-dane.test", "require", ""),
            entry("require-none.test", "require", ""),
            entry("off.test", "off", ""),
            entry("may.test", "may", ""),
            entry("encrypt.test", "encrypt", ""),
            entry("dane.test", "dane", ""),
            entry("dane-only.test", "dane-only", ""),
            entry("*.secure.test", "secure", "match = [\"mx.x.test\", \".y.test\"]"),
            entry("plain-secure.test", "secure", ""),
        ]
        .concat(),
    );
    world.publish("require-sts.test", "1", "enforce");
    world.publish("require-testing.test", "1", "testing");
    world.publish_dane("require-dane.test");
    world.host("require-none.test");
    world.publish("off.test", "1", "enforce");
    world.publish("may.test", "1", "enforce");
    world.publish("secure.test", "1", "enforce");
    let daemon = world.serve();
    let sts = secure("require-sts.test");
    let testing = secure("require-testing.test");
    let apex = secure("secure.test");
    for (domain, reply) in [
        ("require-sts.test", sts.as_str()),
        ("require-testing.test", &testing),
        ("require-dane.test", "OK dane-only"),
        ("off.test", "NOTFOUND "),
        ("may.test", "OK may"),
        ("encrypt.test", "OK encrypt"),
        ("dane.test", "OK dane"),
        ("dane-only.test", "OK dane-only"),
        ("deep.below.secure.test", "OK secure match=mx.x.test:.y.test"),
        ("secure.test", &apex),
        ("plain-secure.test", "OK secure"),
    ] {
        assert_eq!(daemon.query(domain), reply, "{domain}");
    }
    let reply = daemon.query("require-none.test");
    assert!(reply.starts_with("TEMP ") && reply.contains("required"), "{reply}");
    let decision = daemon.decision("may.test");
    assert_eq!(codes(&decision["reasons"]), ["local-policy"]);
    let text = decision["reasons"][0]["text"].as_str().unwrap();
    assert!(text.ends_with("says may: why"), "{text}");
}

#[test]
fn an_override_ends_with_its_day() {
    // NOW is in the morning of 2026-11-20 or 21 in UTC; the day before has passed for sure.
    let world = world(
        &[
            entry("passed.test", "off", "until = 2026-11-01"),
            entry("holds.test", "off", "until = 2026-12-31"),
        ]
        .concat(),
    );
    world.publish("passed.test", "1", "enforce");
    world.publish("holds.test", "1", "enforce");
    let daemon = world.serve_at(NOW);
    assert_eq!(daemon.query("passed.test"), secure("passed.test"));
    assert_eq!(daemon.query("holds.test"), "NOTFOUND ");
    let (_, word, notes) = daemon.health();
    assert_eq!(word, "ok");
    assert!(notes.contains("passed.test") && !notes.contains("holds.test"), "{notes}");
    // In the last minutes of the last day an answer does not reach into the next.
    let last_second = 1_798_761_599;
    drop(daemon);
    let daemon = world.serve_at(last_second - 100);
    let decision = daemon.decision("holds.test");
    assert_eq!((&decision["decision"], &decision["fresh_for"]), (&"none".into(), &101.into()));
    drop(daemon);
    assert_eq!(world.serve_at(last_second + 1).query("holds.test"), secure("holds.test"));
}

fn edit(world: &World, text: &str) {
    let path = world.path("overrides.toml");
    let draft = world.path("draft.toml");
    fs::write(&draft, text).unwrap();
    fs::rename(draft, path).unwrap();
}

fn reload(daemon: &Daemon, wanted: &str) {
    daemon.signal("HUP");
    daemon.log.wait(wanted);
}

#[test]
fn a_change_is_seen_and_answers_in_memory_are_forgotten() {
    let world = world(&entry("a.test", "off", ""));
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), "NOTFOUND ");
    edit(&world, &entry("a.test", "encrypt", ""));
    daemon.until("a change without a signal", |daemon| daemon.query("a.test") == "OK encrypt");
    edit(&world, "");
    reload(&daemon, "count=0");
    daemon.until("a change by SIGHUP", |daemon| daemon.query("a.test") == secure("a.test"));
}

/// A policy host that never answers holds up its own refresh, and nothing else.
#[test]
fn a_change_is_seen_while_a_refresh_hangs() {
    let world = world("");
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve_at(NOW);
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    assert!(daemon.terminate().success());
    world.host.hold();
    let daemon = world.serve_at(NOW + 2 * 86_400);
    world.host.wait_for(2);
    edit(&world, &entry("b.test", "encrypt", ""));
    let start = std::time::Instant::now();
    daemon.until("a change", |daemon| daemon.query("b.test") == "OK encrypt");
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn a_broken_edit_keeps_the_old_set() {
    let world = world(&entry("a.test", "encrypt", ""));
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), "OK encrypt");
    edit(&world, "[[override]]\ndomain = \"a.test\"\npolicy = \"of\"\ncomment = \"x\"\n");
    reload(&daemon, "the set from before stays in force");
    assert!(daemon.log.text().contains("overrides.toml:3"), "{}", daemon.log.text());
    assert_eq!(daemon.decision("a.test")["decision"], "encrypt");
    let (code, word, notes) = daemon.health();
    assert_eq!((code, word.as_str()), (200, "degraded"));
    assert!(notes.contains("the set from before stays in force"), "{notes}");
    assert_eq!(daemon.metric("waxseal_overrides_broken"), 1.0);
    // So does one that has vanished.
    fs::remove_file(world.path("overrides.toml")).unwrap();
    reload(&daemon, "cannot be read");
    assert_eq!(daemon.decision("a.test")["decision"], "encrypt");
    edit(&world, &entry("a.test", "may", ""));
    reload(&daemon, "new set in force");
    assert_eq!(daemon.decision("a.test")["decision"], "may");
    assert_eq!(
        (daemon.health().1.as_str(), daemon.metric("waxseal_overrides_broken")),
        ("ok", 0.0)
    );
}

#[test]
fn a_broken_file_at_start_is_no_start() {
    let world = world("[[override]]\ndomain = \"a b\"\npolicy = \"off\"\n");
    let said = run(&mut world.command(&[]));
    assert_eq!(said.code, 64);
    assert!(said.err.contains("overrides.toml:2"), "{}", said.err);
    assert!(said.err.contains("comment"), "{}", said.err);
}
