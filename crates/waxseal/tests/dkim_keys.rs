//! The hourly round over DKIM keys: real files, a real resolver on loopback, and a clock that the
//! tests turn.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "daemon/world/dns.rs"]
#[expect(dead_code, reason = "the resolver of another test, which can do more than is needed here")]
mod dns;

use std::sync::Arc;
use std::time::Duration;

use smtp_types::{DomainName, UnixTime};
use tempfile::TempDir;
use waxseal::keys::{
    FreshKeys, KeyStore, PrivateKey, Rotation, Round, Rules, SelectorPrefix, Signers, Subdomains,
    Target, record_text,
};
use waxseal::observe::{FetchSettings, Observer, PolicyFetcher, Resolver, ResolverSettings};

/// How long the resolver's users wait for an event.
const PATIENCE: Duration = Duration::from_secs(60);

/// 2026-11-20.
const NOW: u64 = 1_795_200_000;
const DAY: u64 = 86_400;

struct World {
    scratch: TempDir,
    dns: dns::Dns,
    observer: Observer,
    rotation: Rotation,
    store: KeyStore,
}

impl World {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let dns = dns::Dns::start();
        let settings = ResolverSettings {
            address: dns.address,
            timeout: Duration::from_millis(500),
            tries: 1,
            ..ResolverSettings::default()
        };
        let resolver = Arc::new(Resolver::new(settings));
        let fetcher = PolicyFetcher::new(Arc::clone(&resolver), FetchSettings::default()).unwrap();
        let observer = Observer::new(resolver, Arc::new(fetcher));
        let store = KeyStore::new(scratch.path());
        let rotation = Rotation::new(store.clone(), Rules::default());
        Self { scratch, dns, observer, rotation, store }
    }

    fn add(&self, domain: &str) {
        let fresh = FreshKeys::generate().unwrap();
        let prefix = SelectorPrefix::default();
        self.store
            .announce(&name(domain), Target::NewDomain, fresh, &prefix, UnixTime(NOW))
            .unwrap();
    }

    async fn round(&self, days: u64) -> Round {
        self.rotation.rotate_due(&self.observer, UnixTime(NOW + days * DAY)).await.unwrap()
    }

    /// Publishes every record of a domain.
    fn publish(&self, domain: &str) {
        for (key, _) in self.store.read(&name(domain)).unwrap().unwrap().keys() {
            self.dns.say(&[&format!("{} TXT {}", key.name, record_text(&key.public))]);
        }
    }

    fn states(&self, domain: &str) -> Vec<&'static str> {
        let keys = self.store.read(&name(domain)).unwrap().unwrap();
        keys.generations().iter().map(|one| one.state.as_str()).collect()
    }
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn quiet(domains: usize) -> Round {
    Round { domains, ..Round::default() }
}

#[tokio::test]
async fn half_a_year() {
    let world = World::new();
    let signers = Signers::open(world.scratch.path(), Subdomains::Parent).unwrap();
    assert_eq!(world.round(0).await, quiet(0));
    world.add("a.test");
    world.add("b.test");
    assert_eq!(world.round(0).await, Round { tasks: 4, ..quiet(2) });
    world.publish("a.test");
    assert_eq!(world.round(0).await, Round { steps: 1, tasks: 2, ..quiet(2) });
    assert_eq!(signers.reload().unwrap().read, 2);
    let signer = |domain: &str| -> Option<Vec<String>> {
        let current = signers.current();
        let keys = &current.signer(&name(domain))?.keys;
        let selector = |one: &PrivateKey| one.selector.to_string();
        Some(keys.iter().map(selector).collect())
    };
    assert_eq!(signer("mail.a.test").unwrap(), ["wx202611r", "wx202611e"]);
    assert_eq!(signer("b.test"), None);

    assert_eq!(world.round(168).await.steps, 1);
    assert_eq!(world.states("a.test"), ["active", "announced"]);
    world.publish("a.test");
    for (day, steps) in [(169, 1), (170, 0), (171, 1), (172, 0)] {
        assert_eq!(world.round(day).await.steps, steps, "day {day}");
    }
    assert_eq!(signer("a.test").unwrap(), ["wx202611r", "wx202611e"]);
    signers.reload().unwrap();
    assert_eq!(signer("a.test").unwrap(), ["wx202705r", "wx202705e"]);

    assert_eq!(world.round(185).await.steps, 1);
    assert_eq!(world.round(186).await, Round { tasks: 4, ..quiet(2) });
    for letter in ["r", "e"] {
        world.dns.remove(&format!("wx202611{letter}._domainkey.a.test TXT"));
        // A record that is gone while mail is signed for it.
        world.dns.remove(&format!("wx202705{letter}._domainkey.a.test TXT"));
    }
    let round = world.round(187).await;
    assert_eq!(round, Round { steps: 1, tasks: 4, urgent: 2, ..quiet(2) });
    assert_eq!(world.states("a.test"), ["active"]);
}

#[tokio::test]
async fn a_silent_resolver_changes_nothing() {
    let world = World::new();
    for domain in ["a.test", "b.test"] {
        world.add(domain);
        world.publish(domain);
    }
    world.dns.fall_silent();
    assert_eq!(world.round(0).await, Round { unknown: 4, ..quiet(2) });
    world.dns.speak_again();
    world.dns.fail("wx202611r._domainkey.b.test TXT");
    assert_eq!(world.round(0).await, Round { steps: 1, unknown: 1, ..quiet(2) });
    assert_eq!(
        (world.states("a.test"), world.states("b.test")),
        (vec!["active"], vec!["announced"])
    );
    world.dns.fall_silent();
    // Next keys need nobody's answer; but nothing is used or deleted.
    assert_eq!(world.round(4_000).await, Round { steps: 1, unknown: 4, ..quiet(2) });
    assert_eq!(world.round(4_100).await, Round { unknown: 6, ..quiet(2) });
    assert_eq!(world.states("a.test"), ["active", "announced"]);
}

/// Two daemons on one folder, as while one takes over from the other.
#[tokio::test]
async fn two_keepers_do_the_work_of_one() {
    let world = World::new();
    let other = Rotation::new(world.store.clone(), Rules::default());
    for domain in ["a.test", "b.test", "c.test"] {
        world.add(domain);
        world.publish(domain);
    }
    for (day, states) in [(0, &["active"][..]), (200, &["active", "announced"])] {
        let now = UnixTime(NOW + day * DAY);
        let (mine, theirs) = tokio::join!(world.round(day), other.rotate_due(&world.observer, now));
        let theirs = theirs.unwrap();
        assert_eq!((mine.steps + theirs.steps, mine.failed + theirs.failed), (3, 0));
        for domain in ["a.test", "b.test", "c.test"] {
            assert_eq!(world.states(domain), states);
        }
    }
}

#[tokio::test]
async fn a_damaged_domain_does_not_keep_the_others() {
    let world = World::new();
    world.add("a.test");
    world.add("b.test");
    world.publish("b.test");
    std::fs::write(world.scratch.path().join("dkim/a.test/keys.toml"), "broken").unwrap();
    assert_eq!(world.round(0).await, Round { steps: 1, failed: 1, ..quiet(2) });
    assert_eq!(world.states("b.test"), ["active"]);
}
