//! Whether the resolver validates is proved, and said everywhere.

use crate::world::{World, run};

fn off_everywhere(world: &World, word: &str) {
    let daemon = world.serve();
    let banner = daemon.banner.text();
    assert!(banner.contains("DANE IS OFF"), "{banner}");
    daemon.log.wait("DANE is OFF");
    let (code, status, notes) = daemon.health();
    assert_eq!((code, status.as_str()), (503, "unprotected"));
    assert!(notes.contains("DANE is OFF"), "{notes}");
    assert_eq!(daemon.metric("waxseal_dnssec_believed"), 0.0);
    assert_eq!(daemon.metric("waxseal_dnssec_proved"), 0.0);
    let decision = daemon.decision("dane.test");
    assert_eq!(decision["resolver"]["validation"], word);
    assert_eq!(decision["resolver"]["believed"], false);
    assert_eq!(decision["decision"], "none");
    let codes = crate::world::codes(&decision["reasons"]).join(" ");
    assert!(codes.contains("mx-unchecked"), "{codes}");
    assert_eq!(daemon.query("dane.test"), "NOTFOUND ");
    let mut explain = world.waxseal(&["explain", "dane.test"]);
    let text = run(explain.arg("--config").arg(world.path("waxseal.toml")).args(world.machine()));
    assert!(text.out.contains("DANE is OFF"), "{}", text.out);
    assert_eq!(text.code, 1);
}

#[test]
fn a_resolver_that_does_not_validate_switches_dane_off_aloud() {
    let world = World::new();
    world.publish_dane("dane.test");
    world.dns.stop_validating();
    off_everywhere(&world, "disproved");
}

#[test]
fn so_does_one_that_is_not_trusted() {
    let world = World::new();
    world.publish_dane("dane.test");
    world.settings("[dns]\ntrust = \"no\"\n");
    off_everywhere(&world, "untrusted");
}

#[test]
fn a_proof_is_shown_everywhere() {
    let world = World::new();
    world.publish_dane("dane.test");
    let daemon = world.serve();
    assert!(daemon.banner.text().contains("validates DNSSEC"), "{}", daemon.banner.text());
    assert_eq!(daemon.health(), (200, "ok".to_owned(), "[]".to_owned()));
    assert_eq!(daemon.metric("waxseal_dnssec_proved"), 1.0);
    let decision = daemon.decision("dane.test");
    assert_eq!(decision["resolver"]["validation"], "proved");
    assert_eq!(decision["facts"]["mx"]["dnssec"], "secure");
    assert_eq!(decision["facts"]["mx"]["hosts"][0]["dane"], "usable");
}

/// The proof is made again and again, and answers from another state are forgotten.
#[test]
fn a_resolver_that_stops_validating_is_noticed() {
    let world = World::new();
    world.publish_dane("dane.test");
    world.settings("[dns]\nprobe_interval = \"10s\"\n");
    let daemon = world.serve();
    assert_eq!(daemon.query("dane.test"), "OK dane-only");
    world.dns.stop_validating();
    daemon.log.wait("DANE is OFF");
    daemon.until("the answer", |daemon| daemon.query("dane.test") == "NOTFOUND ");
    assert_eq!(daemon.health().0, 503);
}

#[test]
fn a_resolver_that_starts_to_validate_is_noticed() {
    let world = World::new();
    world.publish_dane("dane.test");
    world.publish_dane("late.test");
    world.dns.stop_validating();
    world.settings(
        "[dns]\nprobe_interval = \"10s\"\ntimeout = \"30s\"\n[sender]\ndeadline = \"1s\"\n",
    );
    let daemon = world.serve();
    daemon.until("an answer", |daemon| daemon.query("dane.test") == "NOTFOUND ");
    // This look-up begins before, and ends after.
    world.dns.hold("mx.late.test");
    assert!(daemon.query("late.test").starts_with("TEMP "));
    world.dns.validate();
    daemon.log.wait("the resolver validates DNSSEC");
    daemon.until("the answer", |daemon| daemon.query("dane.test") == "OK dane-only");
    world.dns.release("mx.late.test");
    let start = std::time::Instant::now();
    daemon.until("the late answer", |daemon| daemon.query("late.test") == "OK dane-only");
    assert!(start.elapsed().as_secs() < 30, "an answer from before the change was kept");
    assert_eq!(daemon.health().0, 200);
}

#[test]
fn bogus_and_failing_look_ups_make_mail_wait() {
    let world = World::new();
    world.publish_dane("tlsa.test");
    world.publish_dane("mx.test");
    world.publish_dane("aaaa.test");
    world.dns.fail("_25._tcp.mx.tlsa.test TLSA");
    world.dns.fail("mx.test MX");
    world.dns.fail("mx.aaaa.test AAAA");
    let daemon = world.serve();
    for domain in ["tlsa.test", "mx.test"] {
        let reply = daemon.query(domain);
        assert!(reply.starts_with("TEMP ") && reply.contains("SERVFAIL"), "{reply}");
    }
    // One family of addresses does not stop a domain.
    assert_eq!(daemon.query("aaaa.test"), "OK dane-only");
    assert_eq!(daemon.decision("tlsa.test")["fresh_for"], 15);
}

#[test]
fn a_truncated_answer_is_asked_for_over_tcp() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    world.publish_dane("dane.test");
    world.dns.truncate();
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), crate::world::secure("a.test"));
    assert_eq!(daemon.query("dane.test"), "OK dane-only");
    let asked = world.dns.asked();
    let tlsa: Vec<_> = asked.iter().filter(|asked| asked.record_type == "TLSA").collect();
    assert!(tlsa.iter().any(|asked| asked.tcp), "{tlsa:?}");
}
