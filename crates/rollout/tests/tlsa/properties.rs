//! What must hold for every schedule of events.

use proptest::prelude::*;
use rollout::tlsa::{Goal, KeyChange, Renewal, State};

use crate::world::{HOUR, MINUTE, World, key};

#[derive(Clone, Debug)]
enum Event {
    Lag(usize, u64),
    Silent(usize, bool),
    Dns(bool),
    Authority(bool),
    Issuer(u8),
    Stuck(usize, bool),
    Unseen(bool),
    Jump(i64),
    Renew(Renewal),
    Keep(bool),
    Compromise(u8),
    Lower(u64),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let renewal = prop_oneof![Just(Renewal::Due), Just(Renewal::Urgent)];
    prop_oneof![
        (0..2_usize, 0..10 * HOUR).prop_map(|(server, lag)| Event::Lag(server, lag)),
        (0..2_usize, any::<bool>()).prop_map(|(server, silent)| Event::Silent(server, silent)),
        any::<bool>().prop_map(Event::Dns),
        any::<bool>().prop_map(Event::Authority),
        (200..203_u8).prop_map(Event::Issuer),
        (0..2_usize, any::<bool>()).prop_map(|(address, stuck)| Event::Stuck(address, stuck)),
        any::<bool>().prop_map(Event::Unseen),
        // Clocks that jump within two hours cannot be told from time that passes.
        prop_oneof![Just(0), 3..1_000_i64, -1_000..-3_i64]
            .prop_map(|hours| Event::Jump(hours * 3_600)),
        renewal.clone().prop_map(Event::Renew),
        renewal.prop_map(Event::Renew),
        any::<bool>().prop_map(Event::Keep),
        (1..9_u8).prop_map(Event::Compromise),
        (1..10_u64).prop_map(Event::Lower),
        (5 * MINUTE..20 * HOUR).prop_map(Event::Pass),
        (5 * MINUTE..20 * HOUR).prop_map(Event::Pass),
        (5 * MINUTE..20 * HOUR).prop_map(Event::Pass),
    ]
}

fn play(world: &mut World, event: &Event) {
    match event {
        Event::Lag(server, lag) => world.servers[*server].lag = *lag,
        Event::Silent(server, silent) => world.servers[*server].silent = *silent,
        Event::Dns(down) => world.dns_down = *down,
        Event::Authority(down) => world.ca_down = *down,
        Event::Issuer(authority) => world.authority = *authority,
        Event::Stuck(address, true) => drop(world.stuck.insert(*address)),
        Event::Stuck(address, false) => drop(world.stuck.remove(address)),
        Event::Unseen(unseen) => world.unseen = *unseen,
        Event::Jump(offset) => world.offset = *offset,
        Event::Renew(renewal) => world.renewal = *renewal,
        Event::Keep(true) => world.intent.key_change = KeyChange::Keep,
        Event::Keep(false) => world.intent.key_change = KeyChange::EachRenewal,
        Event::Compromise(number) => drop(world.intent.compromised.insert(key(*number))),
        Event::Lower(part) => world.set_ttl((6 * HOUR / part).max(HOUR)),
        Event::Pass(seconds) => world.run(*seconds),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// There is never a moment in which an address shows a chain that some cache forbids: not with
    /// slow or silent servers, failed publications, half deployments, clocks that jump, new
    /// authorities, or stolen keys.
    #[test]
    fn what_is_served_always_fits(
        anchors in any::<bool>(),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut world = World::new();
        world.with_anchors = anchors;
        for event in &events {
            play(&mut world, event);
            world.tick();
        }
        prop_assert!(world.faults.is_empty(), "{:?}", world.faults.first());
    }

    /// When everything works again, a renewal gets through.
    #[test]
    fn a_renewal_gets_through(events in prop::collection::vec(event(), 1..20)) {
        let mut world = World::new();
        for event in &events {
            play(&mut world, event);
            world.tick();
        }
        world.servers.iter_mut().for_each(|server| (server.lag, server.silent) = (0, false));
        (world.dns_down, world.ca_down, world.unseen) = (false, false, false);
        world.stuck.clear();
        world.intent.goal = Goal::Protect;
        world.renewal = Renewal::Due;
        world.run(60 * HOUR);
        prop_assert_eq!(world.renewal, Renewal::NotDue);
        prop_assert!(world.faults.is_empty(), "{:?}", world.faults.first());
    }

    #[test]
    fn any_text_is_read_without_panic(text in "tlsa1( (active|next|waiting|ttl|at|retiring|shown)=[+^0-9a-f,-]{0,70}){0,5}|\\PC{0,60}") {
        if let Ok(state) = text.parse::<State>() {
            prop_assert_eq!(state.to_string().parse::<State>(), Ok(state));
        }
    }
}
