//! Every step as a table, and years of rotation under a DNS, an owner and a clock that do anything.

use super::*;
use crate::crypto::PublicKey;
use crate::keys::SelectorPrefix;
use proptest::prelude::*;
use sender_auth::crypto::KeyType;
use smtp_types::DomainName;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// 2026-11-21.
const NOW: UnixTime = UnixTime(1_795_200_000);

fn ago(days: u64) -> UnixTime {
    UnixTime(NOW.0 - days * DAY)
}

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

/// A generation with the selectors `{name}r` and `{name}e`.
fn generation(name: &str, state: State) -> Generation {
    let domain = DomainName::parse("a.test").unwrap();
    let key = |letter, key_type| {
        let public = PublicKey::new(key_type, name.as_bytes());
        Key::new(&domain, selector(&format!("{name}{letter}")), public).unwrap()
    };
    let keys = vec![key("r", KeyType::Rsa), key("e", KeyType::Ed25519)];
    Generation::new(keys, state).unwrap()
}

fn keys(generations: &[(&str, State)]) -> DomainKeys {
    let generations = generations.iter().map(|(name, state)| generation(name, *state)).collect();
    DomainKeys::new(DomainName::parse("a.test").unwrap(), generations).unwrap()
}

/// `1r+ 1e-`: `+` matches, `-` absent, `~` another key, `0` revoked, `?` unknown.
fn observed(text: &str) -> Observations {
    let one = |word: &str| {
        let (name, sign) = word.split_at(word.len() - 1);
        let observation = match sign {
            "+" => DnsObservation::Matches,
            "-" => DnsObservation::Absent,
            "~" => DnsObservation::Different(Difference::OtherKey),
            "0" => DnsObservation::Revoked,
            _ => DnsObservation::Unknown { detail: "timeout".into() },
        };
        (selector(name), observation)
    };
    text.split_whitespace().map(one).collect()
}

fn step(generations: &[(&str, State)], dns: &str) -> Option<Step> {
    plan(&keys(generations), &observed(dns), NOW, &Schedule::default()).step
}

const fn announced(since: UnixTime, seen: Option<UnixTime>) -> State {
    State::Announced { since, seen }
}

const fn active(since: UnixTime) -> State {
    State::Active { since }
}

#[test]
fn first_keys_are_used_as_soon_as_the_dns_shows_all_of_them() {
    let first = &[("1", announced(NOW, None))];
    let activate = Some(Step::Activate { why: ActivateReason::First });
    assert_eq!(step(first, "1r+ 1e+"), activate);
    for dns in ["", "1r- 1e-", "1r+ 1e-", "1r+ 1e~", "1r+ 1e?", "1r+", "1r0 1e+", "1r? 1e?"] {
        assert_eq!(step(first, dns), None, "{dns}");
    }
    // Also behind keys that are at their end, as after an edit by hand.
    let behind = &[("0", State::Retired { since: ago(1) }), ("1", announced(NOW, None))];
    assert_eq!(step(behind, "1r+ 1e+"), activate);
}

#[test]
fn a_domain_without_living_keys_gets_new_ones() {
    let why = AnnounceReason::NoKeys;
    assert_eq!(step(&[], ""), Some(Step::Announce { why }));
    let old = &[("0", State::Retired { since: ago(1) })];
    assert_eq!(step(old, "0r+ 0e+"), Some(Step::Announce { why }));
}

#[test]
fn next_keys_are_made_ahead_of_time_and_once() {
    let announce = Some(Step::Announce { why: AnnounceReason::Age });
    assert_eq!(step(&[("1", active(ago(167)))], "1r+ 1e+"), None);
    assert_eq!(step(&[("1", active(ago(168)))], "1r+ 1e+"), announce);
    // Nobody has to answer for that.
    assert_eq!(step(&[("1", active(ago(5_000)))], "1r? 1e?"), announce);
    let twice = &[("1", active(ago(5_000))), ("2", announced(ago(300), None))];
    assert_eq!(step(twice, "1r+ 1e+ 2r- 2e-"), None);
    let never = Schedule { lifetime: None, ..Schedule::default() };
    let old = keys(&[("1", active(ago(5_000)))]);
    assert_eq!(plan(&old, &observed("1r+ 1e+"), NOW, &never).step, None);
}

#[test]
fn next_keys_wait_from_the_day_on_which_the_dns_shows_them() {
    let both = |seen| [("1", active(ago(170))), ("2", announced(ago(10), seen))];
    let all = "1r+ 1e+ 2r+ 2e+";
    assert_eq!(step(&both(None), all), Some(Step::Notice));
    assert_eq!(step(&both(None), "1r+ 1e+ 2r+ 2e-"), None);
    assert_eq!(step(&both(Some(ago(1))), all), None);
    let activate = Some(Step::Activate { why: ActivateReason::Waited });
    assert_eq!(step(&both(Some(ago(2))), all), activate);
    // What is gone again starts anew; what nobody knows neither counts nor starts anew.
    for dns in ["1r+ 1e+ 2r+ 2e-", "1r+ 1e+ 2r~ 2e?", "1r+ 1e+ 2r- 2e-"] {
        assert_eq!(step(&both(Some(ago(2))), dns), Some(Step::Lose), "{dns}");
    }
    for dns in ["1r+ 1e+ 2r? 2e?", "1r+ 1e+ 2r+ 2e?", "1r+ 1e+ 2r+", ""] {
        assert_eq!(step(&both(Some(ago(2))), dns), None, "{dns}");
    }
}

#[test]
fn next_keys_wait_for_nothing_if_the_active_ones_are_gone() {
    let both = &[("1", active(ago(170))), ("2", announced(NOW, None))];
    let activate = Some(Step::Activate { why: ActivateReason::OthersGone });
    assert_eq!(step(both, "1r- 1e- 2r+ 2e+"), activate);
    assert_eq!(step(both, "1r~ 1e0 2r+ 2e+"), activate);
    // One of them still works, or may work.
    assert_eq!(step(both, "1r- 1e+ 2r+ 2e+"), Some(Step::Notice));
    assert_eq!(step(both, "1r- 1e? 2r+ 2e+"), Some(Step::Notice));
}

#[test]
fn old_keys_are_deleted_after_a_while_if_the_new_ones_work() {
    let with = |days| [("1", State::Retiring { since: ago(days) }), ("2", active(ago(days)))];
    let retire = Some(Step::Retire { generation: selector("1r") });
    assert_eq!(step(&with(13), "1r+ 1e+ 2r+ 2e+"), None);
    assert_eq!(step(&with(14), "1r+ 1e+ 2r+ 2e+"), retire);
    assert_eq!(step(&with(14), "1r- 1e- 2r+ 2e+"), retire);
    for dns in ["1r+ 1e+ 2r+ 2e-", "1r+ 1e+ 2r+ 2e?", "1r+ 1e+"] {
        assert_eq!(step(&with(14), dns), None, "{dns}");
    }
}

#[test]
fn retired_keys_are_forgotten_when_their_records_are_gone() {
    let with = &[("1", State::Retired { since: ago(0) }), ("2", active(ago(20)))];
    let forget = Some(Step::Forget { generation: selector("1r") });
    assert_eq!(step(with, "1r- 1e- 2r+ 2e+"), forget);
    for dns in ["1r- 1e+", "1r- 1e0", "1r- 1e~", "1r- 1e?", "1r-", ""] {
        assert_eq!(step(with, dns), None, "{dns}");
    }
}

#[test]
fn dates_in_the_future_count_from_now() {
    let ahead = UnixTime(NOW.0 + 2 * DAY);
    let redate = |name| Some(Step::Redate { generation: selector(name) });
    assert_eq!(step(&[("1", active(ahead))], "1r+ 1e+"), redate("1r"));
    let seen = [("1", active(ago(9))), ("2", announced(ago(1), Some(ahead)))];
    assert_eq!(step(&seen, "2r+ 2e+"), redate("2r"));
    let after = after(&keys(&seen), &redate("2r").unwrap(), NOW);
    assert_eq!(after, keys(&[("1", active(ago(9))), ("2", announced(ago(1), Some(NOW)))]));
    // Some hours are no reason for anything.
    assert_eq!(step(&[("1", active(UnixTime(NOW.0 + 9 * HOUR)))], "1r+ 1e+"), None);
}

#[test]
fn steps_change_what_they_say_and_nothing_else() {
    let before = keys(&[
        ("0", State::Retired { since: ago(90) }),
        ("1", State::Retiring { since: ago(30) }),
        ("2", active(ago(30))),
        ("3", announced(ago(9), Some(ago(3)))),
    ]);
    let states = |step: Step| -> Vec<String> {
        let after = after(&before, &step, NOW);
        after.generations().iter().map(|one| format!("{:?}", one.state)).collect()
    };
    let same = states(Step::Announce { why: AnnounceReason::Age });
    assert_eq!(same.len(), 4);
    let activated = states(Step::Activate { why: ActivateReason::Waited });
    assert_eq!(activated[..2], same[..2]);
    assert_eq!(activated[2], format!("{:?}", State::Retiring { since: NOW }));
    assert_eq!(activated[3], format!("{:?}", active(NOW)));
    assert_eq!(states(Step::Retire { generation: selector("2r") }), same, "an active one");
    assert_eq!(states(Step::Forget { generation: selector("1r") }), same, "a retiring one");
    assert_eq!(states(Step::Forget { generation: selector("0e") }), same[1..]);
}

#[test]
fn tasks_of_the_owner() {
    let all = keys(&[
        ("0", State::Retired { since: ago(1) }),
        ("1", State::Retiring { since: ago(3) }),
        ("2", active(ago(3))),
        ("3", announced(ago(1), None)),
    ]);
    let dns = "0r+ 0e- 1r- 1e+ 2r~ 2e+ 3r- 3e0";
    let plan = plan(&all, &observed(dns), NOW, &Schedule::default());
    let tasks: Vec<_> = plan.tasks.iter().map(ToString::to_string).collect();
    assert_eq!(
        tasks,
        [
            "remove 0r._domainkey.a.test (retired): nothing is signed by it",
            "publish 1r._domainkey.a.test (retiring): the DNS does not show it",
            "correct 2r._domainkey.a.test (active): p: expected this key, found another",
            "publish 3r._domainkey.a.test (announced): the DNS does not show it",
            "publish 3e._domainkey.a.test (announced): the DNS does not show it",
        ]
    );
    let urgent: Vec<_> = plan.tasks.iter().map(Task::is_urgent).collect();
    assert_eq!(urgent, [false, false, true, false, false]);
}

#[test]
fn what_comes_next() {
    let schedule = Schedule::default();
    let all = keys(&[
        ("0", State::Retired { since: ago(1) }),
        ("1", State::Retiring { since: ago(0) }),
        ("2", active(ago(0))),
    ]);
    let next_of = |keys: &DomainKeys| -> Vec<Next> {
        keys.generations().iter().map(|one| next(keys, one, &schedule)).collect()
    };
    let (days_14, days_168) = (UnixTime(NOW.0 + 14 * DAY), UnixTime(NOW.0 + 168 * DAY));
    assert_eq!(
        next_of(&all),
        [Next::Remove, Next::Retire { at: days_14 }, Next::MakeNext { at: days_168 }]
    );
    let unseen = keys(&[("2", active(ago(0))), ("3", announced(NOW, None))]);
    assert_eq!(next_of(&unseen), [Next::GiveWay, Next::Publish]);
    let seen = keys(&[("3", announced(NOW, Some(NOW)))]);
    assert_eq!(next_of(&seen), [Next::Sign { at: UnixTime(NOW.0 + 2 * DAY) }]);
}

// ---- years -----------------------------------------------------------------------------------

/// A domain with its owner, its DNS and its clock, simulated in turns of some hours.
struct Life {
    keys: DomainKeys,
    /// What stands in the DNS now.
    published: Observations,
    /// Every selector that the DNS has ever shown.
    ever_shown: Vec<Selector>,
    activations: usize,
    /// Selectors whose private keys exist.
    private: Vec<Selector>,
}

impl Life {
    fn new() -> Self {
        Self {
            keys: keys(&[]),
            published: Observations::new(),
            ever_shown: Vec::new(),
            activations: 0,
            private: Vec::new(),
        }
    }

    /// One evaluation, by what the DNS says this time.
    fn turn(&mut self, observed: &Observations, now: UnixTime, schedule: &Schedule) -> Vec<Task> {
        let Plan { step, tasks } = plan(&self.keys, observed, now, schedule);
        let Some(step) = step else { return tasks };
        let had_active = self.keys.active().cloned();
        match &step {
            Step::Announce { .. } => {
                assert!(self.keys.announced().is_none(), "two at once");
                let taken = |selector: &Selector| self.private.contains(selector);
                let pair = SelectorPrefix::default().fresh_pair(now, taken).unwrap();
                let name = pair.rsa.as_str().strip_suffix('r').unwrap();
                let next = generation(name, announced(now, None));
                self.private.extend(next.keys().iter().map(|key| key.selector.clone()));
                self.keys = self.keys.with(next).unwrap();
            }
            Step::Activate { .. } => {
                let next = self.keys.announced().unwrap();
                for key in next.keys() {
                    assert_eq!(observed.get(&key.selector), Some(&DnsObservation::Matches));
                }
                self.activations += 1;
            }
            Step::Retire { generation } => {
                let is = |one: &&Generation| one.keys()[0].selector == *generation;
                let retired = self.keys.generations().iter().find(is).unwrap();
                assert!(matches!(retired.state, State::Retiring { .. }));
            }
            Step::Notice | Step::Lose | Step::Forget { .. } | Step::Redate { .. } => {}
        }
        self.keys = after(&self.keys, &step, now);
        // The invariants of the module, whatever happened.
        let rebuilt = DomainKeys::new(self.keys.domain().clone(), self.keys.generations().to_vec());
        assert_eq!(rebuilt.as_ref(), Ok(&self.keys));
        assert!(self.keys.active().is_some() || had_active.is_none(), "{step:?}: nobody signs");
        for key in self.keys.active().iter().flat_map(|active| active.keys()) {
            assert!(self.ever_shown.contains(&key.selector), "never shown: {}", key.selector);
        }
        tasks
    }

    /// What the owner does about the tasks.
    fn obey(&mut self, tasks: &[Task]) {
        for task in tasks {
            let observation = match task.wanted {
                Wanted::Publish | Wanted::Correct(_) => DnsObservation::Matches,
                Wanted::Remove => DnsObservation::Absent,
            };
            self.published.insert(task.selector.clone(), observation);
        }
    }

    /// What the DNS shows: what is published, and for the rest nothing.
    fn shown(&mut self) -> Observations {
        let mut observed = self.published.clone();
        for (key, _) in self.keys.keys() {
            observed.entry(key.selector.clone()).or_insert(DnsObservation::Absent);
        }
        for (selector, observation) in &observed {
            if *observation == DnsObservation::Matches {
                self.ever_shown.push(selector.clone());
            }
        }
        self.ever_shown.sort();
        self.ever_shown.dedup();
        observed
    }
}

#[test]
fn ten_years_of_a_diligent_owner() {
    let (mut life, schedule) = (Life::new(), Schedule::default());
    let mut pending = Vec::new();
    for turn in 0..10 * 365 * 4 {
        let now = UnixTime(NOW.0 + turn * 6 * HOUR);
        // The owner looks at the tasks once a week.
        if turn % 28 == 0 {
            life.obey(&pending);
        }
        let observed = life.shown();
        pending = life.turn(&observed, now, &schedule);
        if turn > 100 {
            let active = life.keys.active().unwrap().state.since();
            assert!(now.since(active) <= Duration::from_hours(24 * 190), "day {}", turn / 4);
        }
        assert!(life.keys.generations().len() <= 3);
    }
    assert!((20..=23).contains(&life.activations), "{}", life.activations);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever owner, DNS and clock do, the assertions of [`Life::turn`] hold; and when all three
    /// come to their senses, the keys are renewed.
    #[test]
    fn no_world_breaks_the_rules(
        turns in proptest::collection::vec(
            (0..6_u8, 0..48 * HOUR, proptest::collection::vec(0..6_u8, 8), -40_i64..40), 1..300)
    ) {
        let (mut life, schedule) = (Life::new(), Schedule::default());
        let mut now = NOW;
        for (mood, hours, answers, jump) in turns {
            // One turn of about eight jumps by months or years, in either direction.
            let jump = if mood == 5 { jump * 30 * 86_400 } else { 0 };
            now = UnixTime(now.0.saturating_add(hours).saturating_add_signed(jump));
            let truth = life.shown();
            let mut observed = truth.clone();
            for ((_, observation), answer) in observed.iter_mut().zip(&answers) {
                match answer {
                    0 => *observation = DnsObservation::Unknown { detail: "timeout".into() },
                    1 => *observation = DnsObservation::Absent,
                    2 => *observation = DnsObservation::Different(Difference::OtherKey),
                    _ => {}
                }
            }
            let tasks = life.turn(&observed, now, &schedule);
            match mood {
                0 | 1 => life.obey(&tasks),
                2 => life.published.clear(),
                _ => {}
            }
        }
        let sane_since = now;
        let activations = life.activations;
        for turn in 0..4 * 400 {
            now = UnixTime(sane_since.0 + turn * 6 * HOUR);
            let observed = life.shown();
            let tasks = life.turn(&observed, now, &schedule);
            life.obey(&tasks);
        }
        prop_assert!(life.activations >= activations + 2);
        let old = now.since(life.keys.active().unwrap().state.since());
        prop_assert!(old <= Duration::from_hours(24 * 190), "{:?}", old);
    }
}
