//! What must hold for every schedule of events.

use mta_sts::Mode;
use proptest::prelude::*;
use rollout::sts::{Goal, Reason, ReportAddress, State};

use crate::world::{DAY, World, intent, name, probe};

#[derive(Clone, Debug)]
enum Event {
    PolicyHost(bool),
    Dns(bool),
    Lag(usize, u64),
    Silent(usize, bool),
    Jump(i64),
    Report(u8),
    Failure(u8),
    Declare(u8),
    Addresses(bool),
    Mx(bool),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any::<bool>().prop_map(Event::PolicyHost),
        any::<bool>().prop_map(Event::Dns),
        (0..2_usize, 0..100 * 3_600_u64).prop_map(|(server, lag)| Event::Lag(server, lag)),
        (0..2_usize, any::<bool>()).prop_map(|(server, silent)| Event::Silent(server, silent)),
        prop_oneof![Just(0), -400..-1_i64, 1..400_i64].prop_map(|days| Event::Jump(days * 86_400)),
        any::<u8>().prop_map(Event::Report),
        any::<u8>().prop_map(Event::Failure),
        any::<u8>().prop_map(Event::Declare),
        any::<bool>().prop_map(Event::Addresses),
        any::<bool>().prop_map(Event::Mx),
        (1..30_u64).prop_map(Event::Pass),
        (1..30_u64).prop_map(Event::Pass),
    ]
}

fn play(world: &mut World, event: &Event) {
    match event {
        Event::PolicyHost(down) => world.host_down = *down,
        Event::Dns(down) => world.dns_down = *down,
        Event::Lag(server, lag) => world.servers[*server].lag = *lag,
        Event::Silent(server, silent) => world.servers[*server].silent = *silent,
        Event::Jump(offset) => world.offset = *offset,
        Event::Report(who) => world.report(&format!("sender {who}"), &[]),
        Event::Failure(who) => {
            world.report(&format!("sender {who}"), &[("certificate-expired", 1)]);
        }
        Event::Declare(what) => {
            world.intent = match what % 6 {
                0 => intent(&[], Goal::Withdraw),
                1 => intent(&["mx1.example.com"], Goal::Testing),
                2 => intent(&["mx2.example.net"], Goal::FULL),
                3 => intent(&["mx1.example.com", "mx2.example.net"], Goal::FULL),
                _ => intent(&["mx1.example.com"], Goal::FULL),
            }
        }
        Event::Addresses(there) => {
            world.report_address =
                if *there { ReportAddress::Published } else { ReportAddress::Missing };
        }
        Event::Mx(unknown) => world.mx_unknown = *unknown,
        Event::Pass(days) => world.run_days(*days),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Hosts are always good, the zone's keeper changes the MX records only when told to. Whatever
    /// else happens, no letter of any sender is refused: neither one that looks at the record each
    /// time, nor one that relies on its cache. The world itself checks that bodies go before records,
    /// that ids grow, that nothing is removed while somebody remembers, and that states can be kept.
    #[test]
    fn no_letter_is_refused(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World::new(&["mx1.example.com"]);
        world.follow_mx = true;
        for event in &events {
            play(&mut world, event);
            world.hour();
        }
        world.run_days(3);
        prop_assert!(world.refused.is_empty(), "{:?}", world.refused);
    }

    /// From testing to enforce there is no way but proof.
    #[test]
    fn enforce_needs_fourteen_clean_days(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World::new(&["mx1.example.com"]);
        let mut clean_since = world.now;
        for event in &events {
            let before = world.now;
            match event {
                Event::Pass(days) => {
                    for _ in 0..days * 24 {
                        let mode = world.state.policy().map(mta_sts::Policy::mode);
                        world.hour();
                        let after = world.state.policy().map(mta_sts::Policy::mode);
                        if mode != Some(Mode::Enforce) && after == Some(Mode::Enforce) {
                            prop_assert!(world.now - clean_since >= 14 * DAY);
                            prop_assert_eq!(world.report_address, ReportAddress::Published);
                        }
                    }
                }
                // A report from a time that our clock does not know is not evidence of anything.
                Event::Failure(_) if world.offset == 0 => clean_since = before,
                _ => {}
            }
            if !matches!(event, Event::Pass(_)) {
                play(&mut world, event);
            }
        }
    }

    /// Less protection is always said.
    #[test]
    fn nothing_is_lowered_silently(events in prop::collection::vec(event(), 1..40), red in 0..40_usize) {
        let strength = |world: &World| world.state.policy().map_or((0, 0), |policy| {
            let mode = match policy.mode() { Mode::None => 0, Mode::Testing => 1, Mode::Enforce => 2 };
            (mode, policy.max_age().as_secs())
        });
        let mut world = World::new(&["mx1.example.com"]);
        for (index, event) in events.iter().enumerate() {
            if index == red {
                world.mx.insert(name("mx1.example.com"), probe("expired"));
            }
            if let Event::Pass(days) = event {
                for _ in 0..days * 24 {
                    let before = strength(&world);
                    let reasons = world.hour().reasons;
                    let said = reasons.iter().any(|reason| matches!(reason,
                        Reason::SteppedBack { .. } | Reason::SteppedBackOnReport
                        | Reason::LoweredByIntent(_) | Reason::Withdrawing | Reason::Withdrawn));
                    let lower = strength(&world).0 < before.0 || (before.0 == 2 && strength(&world) < before);
                    prop_assert!(said || !lower, "{:?} {:?}", before, strength(&world));
                }
            } else {
                play(&mut world, event);
            }
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in "sts1( (phase|policy|id|ttl|cached|at|since)=[a-z0-9.,*]{0,20}){0,6}|\\PC{0,60}") {
        if let Ok(state) = text.parse::<State>() {
            prop_assert_eq!(state.to_string().parse::<State>(), Ok(state));
        }
    }
}
