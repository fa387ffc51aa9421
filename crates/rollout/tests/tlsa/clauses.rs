//! RFC 7671 §8 for whoever publishes TLSA records, clause by clause.

use rollout::tlsa::{Chain, Goal, KeyChange, KeyDigest, Renewal, State};
use smtp_types::{Dnssec, Severity};

use crate::world::{HOUR, TICK, World, key};

fn settled() -> World {
    let mut world = World::new();
    world.settle();
    world
}

fn records(world: &World) -> Vec<String> {
    let shown = world.servers[0].shown().iter().map(ToString::to_string);
    shown.map(|text| text[..8].to_owned()).collect()
}

#[test]
fn s8_1_current_and_next_key_are_published() {
    let world = settled();
    assert_eq!(records(&world), ["3 1 1 01", "3 1 1 02"]);
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn s8_1_a_new_key_is_deployed_two_ttls_after_all_servers_show_it() {
    let mut world = World::new();
    world.servers[1].lag = 3 * HOUR;
    world.renewal = Renewal::Due;
    world.run(30 * HOUR);
    let begun = world.now - 30 * HOUR;
    let deployed = world.deployed[&Chain::of_keys([key(2)])];
    let seen = begun + TICK + 3 * HOUR;
    assert!(deployed >= seen + 2 * HOUR, "{} h", (deployed - begun) / HOUR);
    assert!(deployed <= seen + 3 * HOUR);
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn s8_1_obsolete_records_go_when_the_server_shows_the_new_key() {
    let mut world = settled();
    world.renewal = Renewal::Due;
    world.settle();
    assert_eq!(records(&world), ["3 1 1 02", "3 1 1 03"]);
    assert!(world.said("tlsa-switched") && world.said("tlsa-retired"));
    assert_eq!(world.forgotten, [key(1)].into());
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn s8_1_old_records_stay_while_one_address_shows_the_old_key() {
    let mut world = settled();
    world.stuck.insert(1);
    world.renewal = Renewal::Due;
    world.settle();
    assert_eq!(records(&world), ["3 1 1 01", "3 1 1 02"]);
    assert!(world.said("tlsa-mixed"));
    world.stuck.clear();
    world.settle();
    assert_eq!(records(&world), ["3 1 1 02", "3 1 1 03"]);
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn s8_1_a_server_that_does_not_answer_counts_as_one_that_lags() {
    let mut world = World::new();
    world.servers[1].silent = true;
    world.renewal = Renewal::Due;
    world.run(30 * HOUR);
    assert!(world.deployed.is_empty());
    world.servers[1].silent = false;
    world.run(HOUR);
    assert!(world.deployed.is_empty());
    world.run(2 * HOUR);
    assert_eq!(world.deployed.len(), 1);
}

#[test]
fn s8_each_kind_of_record_fits_the_current_chain() {
    let mut world = World::new();
    world.with_anchors = true;
    world.run(HOUR);
    for authority in [200, 201, 200] {
        world.authority = authority;
        world.renewal = Renewal::Due;
        world.settle();
        world.settle();
        let anchors = [key(authority)].into();
        assert_eq!(world.state.active().anchors, anchors);
    }
    assert_eq!(records(&world).iter().filter(|record| record.starts_with("2 1 1")).count(), 1);
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn s13_a_lower_ttl_counts_when_the_higher_one_has_run_out() {
    let mut world = World::new();
    world.set_ttl(24 * HOUR);
    world.run(100 * HOUR);
    let mut quick = settled();
    for (world, expected) in [(&mut world, 24), (&mut quick, 2)] {
        // The next key is lost, and the TTL is lowered at the same moment.
        world.intent.compromised = [key(2)].into();
        world.set_ttl(HOUR);
        world.renewal = Renewal::Due;
        let begun = world.now;
        world.run(60 * HOUR);
        let deployed = *world.deployed.values().max().unwrap();
        assert!(deployed - begun >= expected * HOUR, "{}", (deployed - begun) / HOUR);
    }
}

#[test]
fn a_renewal_may_keep_the_key() {
    let mut world = settled();
    world.intent.key_change = KeyChange::Keep;
    world.renewal = Renewal::Due;
    world.run(HOUR);
    assert_eq!(world.deployed.keys().next(), Some(&Chain::of_keys([key(1)])));
    world.settle();
    assert_eq!(records(&world), ["3 1 1 01", "3 1 1 02"]);
}

#[test]
fn an_urgent_renewal_keeps_the_key_if_the_next_one_is_not_proved() {
    let mut world = World::new();
    world.servers[1].silent = true;
    world.renewal = Renewal::Urgent;
    world.run(4 * HOUR);
    assert!(world.said("tlsa-key-kept"));
    assert!(world.deployed.is_empty(), "nobody has seen all servers show the record of this key");
    world.servers[1].silent = false;
    world.run(4 * HOUR);
    assert_eq!(world.deployed.keys().next(), Some(&Chain::of_keys([key(1)])));
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn a_compromised_key_is_replaced_at_once_by_the_proved_next_one() {
    let mut world = settled();
    world.intent.compromised = [key(1)].into();
    world.run(HOUR);
    assert_eq!(world.addresses, [Chain::of_keys([key(2)]), Chain::of_keys([key(2)])]);
    assert!(!records(&world).contains(&"3 1 1 01".to_owned()), "its record goes without delay");
    assert!(world.said("tlsa-compromised"));
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn a_compromised_next_key_is_never_used() {
    let mut world = settled();
    world.intent.compromised = [key(2)].into();
    world.renewal = Renewal::Due;
    world.settle();
    assert!(world.deployed.keys().all(|chain| !chain.keys.contains(&key(2))));
    assert_eq!(records(&world), ["3 1 1 03", "3 1 1 04"]);
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn a_certificate_for_a_key_that_was_stolen_meanwhile_is_replaced() {
    let mut world = World::new();
    world.renewal = Renewal::Urgent;
    world.run(HOUR);
    world.intent.compromised = [key(1)].into();
    world.settle();
    assert!(world.said("tlsa-certificate-refused"));
    assert!(!world.deployed.contains_key(&Chain::of_keys([key(1)])));
    assert_eq!(world.renewal, Renewal::NotDue);
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn no_record_for_a_key_that_is_not_ours() {
    let mut world = settled();
    world.addresses[1] = Chain::of_keys([key(99)]);
    world.run(HOUR);
    assert!(world.said("tlsa-strange-key"));
    assert_eq!(records(&world), ["3 1 1 01", "3 1 1 02"]);
}

#[test]
fn a_renewal_by_hand_is_followed_at_once_and_told() {
    let mut world = settled();
    world.own.insert(key(99));
    world.addresses = vec![Chain::of_keys([key(99)]); 2];
    world.run(HOUR);
    assert!(world.said("tlsa-unannounced-key"));
    let reason = world.log.iter().find(|reason| reason.code() == "tlsa-unannounced-key").unwrap();
    assert_eq!(reason.severity(), Severity::Error);
    assert!(records(&world).contains(&"3 1 1 63".to_owned()));
    assert_eq!(world.state.active(), &Chain::of_keys([key(99)]));
}

#[test]
fn the_first_records_wait_until_the_server_shows_their_key() {
    let mut world = World::new();
    world.unseen = true;
    world.run(5 * HOUR);
    assert!(records(&world).is_empty());
    assert!(world.said("tlsa-first-records-wait"));
    world.unseen = false;
    world.run(HOUR);
    assert_eq!(records(&world).len(), 2);
}

#[test]
fn records_in_an_unsigned_zone_are_told() {
    let mut world = World::new();
    world.dnssec = Dnssec::Bogus;
    let reasons = world.tick().reasons;
    assert!(
        reasons
            .iter()
            .any(|one| one.code() == "tlsa-not-signed" && one.severity() == Severity::Error)
    );
}

#[test]
fn withdrawn_records_bind_for_their_ttl() {
    let mut world = settled();
    world.intent.goal = Goal::Withdraw;
    world.run(HOUR);
    assert!(world.said("tlsa-withdrawing") && !world.said("tlsa-withdrawn"));
    world.run(2 * HOUR);
    assert!(records(&world).is_empty() && world.said("tlsa-withdrawn"));
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn five_renewals_in_a_row() {
    let mut world = settled();
    for _ in 0..5 {
        world.renewal = Renewal::Due;
        world.settle();
    }
    assert_eq!(world.deployed.len(), 5);
    assert_eq!(world.forgotten, (1..6).map(key).collect());
    assert_eq!(world.faults, [""; 0]);
}

#[test]
fn a_state_of_another_kind_is_refused() {
    let digest = key(1).to_string();
    for text in [
        String::new(),
        "tlsa1".into(),
        "tlsa1 active=+1 ttl=0,0,0".into(),
        format!("tlsa1 active=+{digest} next=^{digest} ttl=0,0,0"),
        format!("tlsa1 active=+{digest} ttl=0,0,0 shown=1,3-1-1-00"),
        format!("tlsa1 active=+{digest} ttl=0,0,0 retiring=x,+{digest}"),
    ] {
        assert!(text.parse::<State>().is_err(), "{text}");
    }
    let good = format!("tlsa1 active=+{digest} ttl=0,0,0");
    assert_eq!(good.parse::<State>().unwrap(), State::new(Chain::of_keys([KeyDigest([1; 32])])));
}
