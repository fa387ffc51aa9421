//! What must hold for every record and every sender: readers never panic, print ∘ parse is the
//! identity, limits hold, and asking ahead changes nothing.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod world_spf;

use std::net::IpAddr;

use proptest::prelude::*;
use sender_auth::spf::{
    Evaluation, Event, Limits, Problem, Query, Record, SpfResult, check_host, lint_record, select,
};
use smtp_types::{DnsQuestion, Known, RecordType, Severity};
use world_spf::{RECEIVER, World};

/// A domain of a small world, so that records lead to each other; sometimes none.
fn domain() -> impl Strategy<Value = String> {
    prop_oneof![
        60 => "[a-e]\\.test",
        20 => "%\\{[SsLlOoDdIiPpVvHh][1-3]?r?[-.+]?\\}(\\.[a-e])?\\.test",
        3 => Just("a..test".to_owned()),
        1 => "\\PC{0,8}",
    ]
}

fn term() -> impl Strategy<Value = String> {
    let network = prop_oneof![
        20 => "192\\.0\\.2\\.[0-3](/3[0-2])?",
        1 => "[0-9.:a-f/]{0,9}",
    ];
    prop_oneof![
        100 => ("[-+~?]?(include|exists|a|mx|ptr):", domain()).prop_map(|(name, at)| name + &at),
        50 => "[-+~?]?(a|mx|ptr)",
        20 => "(a|mx)(/3[01])?(//12[0-8])?",
        40 => ("[-+~?]?ip4:", network).prop_map(|(name, at)| name + &at),
        10 => "[-+~?]?ip6:2001:db8::[0-3](/12[0-8])?",
        10 => ("(x|v)=", domain()).prop_map(|(name, at)| name + &at),
        1 => "\\PC{0,10}",
    ]
}

/// Text that comes close to a record, so that the deeper rules are reached.
fn record_like() -> impl Strategy<Value = String> {
    let modifiers = (prop::option::of(domain()), prop::option::of(domain()));
    let end = prop_oneof![1 => Just(String::new()), 1 => " [-~?+]all"];
    let record = (prop::collection::vec(term(), 0..6), modifiers, end);
    let record = record.prop_map(|(terms, (redirect, exp), end)| {
        let terms: String = terms.iter().map(|term| format!(" {term}")).collect();
        let redirect = redirect.map(|domain| format!(" redirect={domain}")).unwrap_or_default();
        let exp = exp.map(|domain| format!(" exp={domain}")).unwrap_or_default();
        format!("v=spf1{redirect}{terms}{end}{exp}")
    });
    prop_oneof![30 => record, 1 => "\\PC{0,40}"]
}

/// A world of five domains: with a record, addresses, mail exchangers, failures, or nothing.
fn world() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        5 => "A 192\\.0\\.2\\.[0-3]",
        4 => "AAAA 2001:db8::[0-3]",
        4 => "MX [a-e]\\.test",
        1 => "(A|AAAA|TXT|MX) (temporary|permanent|nothing)",
    ];
    let text = prop_oneof![
        12 => record_like().prop_map(|text| text.replace(['\n', '\r'], "")),
        3 => Just("100%% of %{s} as %{p}, from %{c}".to_owned()),
    ];
    let of_name = move |n: char| {
        let lines =
            (prop::option::weighted(0.95, text.clone()), prop::collection::vec(line.clone(), 0..5));
        lines.prop_map(move |(text, lines)| {
            let text = text.map(|text| format!("TXT {text}"));
            let lines = lines.into_iter().chain(text).map(|line| format!("{n}.test {line}\n"));
            lines.collect::<String>()
        })
    };
    let names: Vec<_> = ('a'..='e').map(of_name).collect();
    let reverse =
        prop::collection::vec("[0-3]\\.2\\.0\\.192\\.in-addr\\.arpa PTR [a-e]\\.test\n", 0..9);
    (names, reverse).prop_map(|(names, reverse)| names.concat() + &reverse.concat())
}

fn client() -> impl Strategy<Value = IpAddr> {
    "192\\.0\\.2\\.[0-3]|2001:db8::[0-3]|::ffff:192\\.0\\.2\\.1".prop_map(|ip| ip.parse().unwrap())
}

fn sender() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => "[a-e.+-]{0,5}@[a-e]\\.test",
        2 => "[a-zä.]{0,9}@[a-e]\\.test",
        1 => "\"\\PC{0,9}\"@a\\.test",
        1 => "\\PC{0,20}",
    ]
}

/// Answers one question in each round, the last of those that are needed. Returns how many rounds
/// that takes, too.
fn one_by_one(world: &World, query: &Query) -> (Evaluation, usize) {
    let mut known = Known::default();
    for round in 0.. {
        match check_host(&known, query, &RECEIVER, &Limits::default()) {
            Ok(evaluation) => return (evaluation, round),
            Err(need) => {
                let unknown = need.dns.iter().all(|question| known.dns(question).is_err());
                assert!(unknown, "asked again: {need}");
                let question = need.dns.into_iter().next_back().unwrap();
                let reply = world.reply(&question);
                known.add_dns(question, reply);
            }
        }
    }
    unreachable!()
}

/// With these questions answered beforehand.
fn with_answers(world: &World, query: &Query, asked: &[DnsQuestion]) -> Evaluation {
    let mut known = Known::default();
    for question in asked {
        known.add_dns(question.clone(), world.reply(question));
    }
    check_host(&known, query, &RECEIVER, &Limits::default()).unwrap()
}

fn questions(evaluation: &Evaluation) -> Vec<DnsQuestion> {
    let asked = evaluation.trace.steps().iter().filter_map(|step| match &step.event {
        Event::Asked { question, .. } => Some(question.clone()),
        _ => None,
    });
    asked.collect()
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Record::parse(&octets);
        let _ = select([&octets[..], b"v=spf1 -all"]);
        let _ = lint_record(&octets);
        let with_version = [b"v=spf1 ", &octets[..]].concat();
        let _ = Record::parse(&with_version);
        let _ = lint_record(&with_version);
    }

    #[test]
    fn a_record_printed_and_read_is_the_same(text in record_like()) {
        let parsed = Record::parse(text.as_bytes());
        if let Ok(record) = &parsed {
            let printed = record.to_string();
            prop_assert_eq!(&Record::parse(printed.as_bytes()).unwrap(), record, "{}", printed);
        }
        let findings = lint_record(text.as_bytes());
        let valid = findings.iter().all(|finding| finding.severity < Severity::Error);
        prop_assert_eq!(parsed.is_ok(), valid, "{:?} {:?}", parsed, findings);
        prop_assert!(findings.is_sorted_by_key(|finding| finding.position));
        if let Err(error) = parsed {
            prop_assert!(findings.iter().any(|finding| finding.position == error.position));
        }
    }

    #[test]
    fn asking_ahead_changes_nothing(
        world in world(), ip in client(), helo in "[a-e]\\.test|\\PC{0,9}", sender in sender(),
    ) {
        let world = World::read(&world);
        let query = Query::mail_from(ip, &helo, &sender);
        let (evaluation, rounds) = world.evaluate(&query, &Limits::default());
        let (single, single_rounds) = one_by_one(&world, &query);
        prop_assert_eq!(&single, &evaluation);
        prop_assert!(rounds.len() <= single_rounds);
        // Only what the trace tells was needed; nothing else went into the result.
        let known = with_answers(&world, &query, &questions(&evaluation));
        prop_assert_eq!(&known, &evaluation);
    }

    #[test]
    fn results_keep_their_promises(
        world in world(), ip in client(), helo in "[a-e]\\.test|\\PC{0,9}", sender in sender(),
    ) {
        let limits = Limits::default();
        let world = World::read(&world);
        let query = Query::mail_from(ip, &helo, &sender);
        let (evaluation, rounds) = world.evaluate(&query, &limits);
        prop_assert!(evaluation.lookups <= limits.lookups);
        prop_assert!(evaluation.void_lookups <= limits.void_lookups);
        prop_assert!(rounds.len() <= 50);
        // One question for each term, its hosts, the names of the client, the record, `exp`.
        prop_assert!(questions(&evaluation).len() <= 10 * 11 + 11 + 12 + 12);
        let decided = evaluation.matched.is_some();
        prop_assert_eq!(evaluation.problem.as_ref().map(Problem::result), match evaluation.result {
            SpfResult::None | SpfResult::Temperror | SpfResult::Permerror => Some(evaluation.result),
            _ => None,
        });
        match evaluation.result {
            SpfResult::Pass | SpfResult::Fail | SpfResult::Softfail => prop_assert!(decided),
            SpfResult::Neutral => {}
            _ => prop_assert!(!decided),
        }
        if let Some(text) = &evaluation.explanation {
            prop_assert_eq!(evaluation.result, SpfResult::Fail);
            prop_assert!(text.len() <= limits.explanation_octets);
            prop_assert!(text.bytes().all(|octet| matches!(octet, b' '..=b'~')));
        }
        for question in questions(&evaluation) {
            let family = if ip.to_canonical().is_ipv4() { RecordType::Aaaa } else { RecordType::A };
            let exists = evaluation.trace.to_string().contains("exists");
            prop_assert!(question.record_type != family || exists);
        }
        let text = format!("{evaluation}\n{}", evaluation.trace);
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", text);
    }

    #[test]
    fn a_record_without_macros_says_the_same_to_every_sender(
        terms in prop::collection::vec("[-~?]?(a|mx|ip4:192\\.0\\.2\\.[0-3](/3[01])?|include:[b-e]\\.test)", 1..6),
        world in world(), ip in client(), local in "[a-z]{1,9}",
    ) {
        let world = World::read(&format!("z.test TXT v=spf1 {} -all\n{}", terms.join(" "), world.replace("%{", "")));
        let result = |sender: &str, helo: &str| {
            let query = Query::mail_from(ip, helo, sender);
            world.evaluate(&query, &Limits::default()).0.result
        };
        prop_assert_eq!(result(&format!("{local}@z.test"), "a.test"), result("@z.test", "x"));
    }
}
