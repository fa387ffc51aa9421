//! Every reply is read again by rules written after Postfix's own, and must say exactly what it is
//! meant to say: no attribute less, and none more, whatever a policy host has put into a policy.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod postfix;

use mta_sts::{Mode, Policy};
use proptest::prelude::*;
use smtp_types::{DomainName, NextHop};
use transport_policy::{Answer, Decision, Level, LocalMatch, Reason};
use waxseal::answer::reply::MAX_REPLY_OCTETS;
use waxseal::answer::{MapName, Replies, ReplyKind};

use postfix::{TlsPolicy, Understood, understand};

// ---- what is meant ---------------------------------------------------------------------------

fn example() -> NextHop {
    NextHop::parse("example.com").unwrap()
}

fn decided(answer: Answer) -> Replies {
    Replies::new(&example(), &Decision { answer, reasons: vec![Reason::NoDane] })
}

fn parse(body: &str) -> Policy {
    Policy::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn understood(replies: &Replies, map: MapName) -> Understood {
    let reply = replies.reply(map);
    let understood = understand(reply).unwrap_or_else(|error| panic!("{error}\n{reply}"));
    let kind = match &understood {
        Understood::Policy(policy) => policy.level.clone(),
        Understood::NotFound => "notfound".to_owned(),
        Understood::Temporary(_) => "temp".to_owned(),
    };
    assert_eq!(replies.kind(map).as_str(), kind);
    understood
}

/// The lines that may be shown, by the rule of the module documentation of `attribute`.
fn safe_lines(policy: &Policy) -> Vec<String> {
    policy
        .lines()
        .filter(|line| line.chars().all(|c| matches!(c, ' '..='~') && c != '{' && c != '}'))
        .collect()
}

fn patterns(policy: &Policy) -> Vec<String> {
    let mut patterns = Vec::new();
    for pattern in policy.mx().iter().map(ToString::to_string) {
        if !["hostname", "nexthop", "dot-nexthop"].contains(&&*pattern)
            && !patterns.contains(&pattern)
        {
            patterns.push(pattern);
        }
    }
    patterns
}

/// Compares all three replies with what the policy says.
fn check_policy(policy: &Policy) {
    let patterns = patterns(policy);
    let matches = patterns.iter().map(|p| p.strip_prefix('*').unwrap_or(p).to_owned()).collect();
    let replies = decided(Answer::Secure(policy.clone()));
    let plain = TlsPolicy {
        level: "secure".to_owned(),
        matches,
        servername: Some("hostname".to_owned()),
        ..TlsPolicy::default()
    };
    let Understood::Policy(extended) = understood(&replies, MapName::QueryWithTlsrpt) else {
        panic!("expected a policy");
    };
    assert_eq!(
        extended,
        TlsPolicy {
            level: plain.level.clone(),
            matches: plain.matches.clone(),
            servername: plain.servername.clone(),
            policy_type: Some("sts".to_owned()),
            policy_domain: Some("example.com".to_owned()),
            policy_strings: safe_lines(policy),
            mx_host_patterns: patterns,
        }
    );
    let plain = Understood::Policy(plain);
    assert_eq!(understood(&replies, MapName::Query), plain);
    assert_eq!(understood(&replies, MapName::Sts), plain);
    assert_eq!(replies.sts_mode(), Some(policy.mode()));
}

// ---- the canonical replies, to the octet -----------------------------------------------------

const POLICY: &str =
    "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.mx.example.net\nmax_age: 604800\n";

#[test]
fn canonical_replies() {
    let plain = "OK secure match=mail.example.com:.mx.example.net servername=hostname";
    let extended = format!(
        "{plain} policy_type=sts policy_domain=example.com mx_host_pattern=mail.example.com \
         mx_host_pattern=*.mx.example.net {{ policy_string = version: STSv1 }} \
         {{ policy_string = mode: enforce }} {{ policy_string = mx: mail.example.com }} \
         {{ policy_string = mx: *.mx.example.net }} {{ policy_string = max_age: 604800 }}"
    );
    let fixed = |level, names| Answer::Fixed(LocalMatch { level, names });
    let names = vec![
        (DomainName::parse("mail.example.com").unwrap(), false),
        (DomainName::parse("example.net").unwrap(), true),
    ];
    let by_operator = "OK secure match=mail.example.com:.example.net";
    let cases = [
        (Answer::Secure(parse(POLICY)), [plain, &extended, plain]),
        (Answer::DaneOnly, ["OK dane-only", "OK dane-only", "NOTFOUND "]),
        (Answer::Dane, ["OK dane", "OK dane", "NOTFOUND "]),
        (Answer::NoPolicy, ["NOTFOUND "; 3]),
        (Answer::Defer, ["TEMP what must be known could not be found out"; 3]),
        (fixed(Level::May, vec![]), ["OK may", "OK may", "NOTFOUND "]),
        (fixed(Level::Encrypt, vec![]), ["OK encrypt", "OK encrypt", "NOTFOUND "]),
        (fixed(Level::Dane, vec![]), ["OK dane", "OK dane", "NOTFOUND "]),
        (fixed(Level::DaneOnly, names.clone()), ["OK dane-only", "OK dane-only", "NOTFOUND "]),
        (fixed(Level::Secure, vec![]), ["OK secure"; 3]),
        (fixed(Level::Secure, names), [by_operator; 3]),
    ];
    for (answer, expected) in cases {
        let replies = decided(answer.clone());
        for (map, expected) in MapName::ALL.into_iter().zip(expected) {
            assert_eq!(replies.reply(map), expected, "{answer:?}");
            understood(&replies, map);
        }
    }
}

#[test]
fn temp_names_the_obstacles() {
    let reasons = vec![Reason::MxInsecure, Reason::RequirementUnmet];
    let replies = Replies::new(&example(), &Decision { answer: Answer::Defer, reasons });
    for map in MapName::ALL {
        assert_eq!(
            replies.reply(map),
            "TEMP authentication is required here, and the domain offers none"
        );
        assert_eq!(replies.kind(map), ReplyKind::Temporary);
    }
}

/// A smart host is its own policy domain (RFC 8461 §3.4); an underscore is fine with Postfix.
#[test]
fn policy_domains() {
    for (key, domain) in [
        ("[smart.example.com]:587", "smart.example.com"),
        ("example.com:2525", "example.com"),
        ("a_b.test", "a_b.test"),
        ("dané.test", "xn--dan-dma.test"),
    ] {
        let answer = Answer::Secure(parse(POLICY));
        let decision = Decision { answer, reasons: vec![Reason::NoDane] };
        let replies = Replies::new(&NextHop::parse(key).unwrap(), &decision);
        let Understood::Policy(policy) = understood(&replies, MapName::QueryWithTlsrpt) else {
            panic!("expected a policy");
        };
        assert_eq!(policy.policy_domain.as_deref(), Some(domain));
    }
}

/// Under the operator's `require`, a policy in testing counts as enforced; it is shown as it is.
#[test]
fn policy_in_testing() {
    let policy = parse(&POLICY.replace("enforce", "testing"));
    assert_eq!(policy.mode(), Mode::Testing);
    check_policy(&policy);
}

#[test]
fn small_in_memory() {
    assert!(size_of::<Replies>() <= 24, "{}", size_of::<Replies>());
    assert_eq!(decided(Answer::DaneOnly).octets(), size_of::<Replies>());
    let replies = decided(Answer::Secure(parse(POLICY)));
    let extended = replies.reply(MapName::QueryWithTlsrpt).len();
    assert_eq!(replies.octets(), size_of::<Replies>() + extended);
}

// ---- hostile policies ------------------------------------------------------------------------

/// Seen to work against postfix-mta-sts-resolver 1.5.1, and some more.
#[test]
fn injections() {
    for line in [
        "note: a } exclude=aNULL { x = y",
        "note: } tafile=/etc/passwd {",
        "note: {",
        "note: }",
        "note: {{{{}",
        "note: a, protocols=TLSv1",
        "note: = policy_ttl=1",
        "note: x=y policy_failure=validation-failure",
        "note: \"{\" 'a'",
        "note: \\} \\{",
        "note: a\u{a0}}",
        "note: a\u{2028}ciphers=export",
        "note: \u{ff5d} exclude=aNULL \u{ff5b}",
        "policy_string: x",
        "tafile: /etc/passwd",
    ] {
        check_policy(&parse(&format!("{POLICY}{line}\n")));
    }
    for mx in [
        "mail.example.com protocols=TLSv1 ciphers=export",
        "mail.example.com,tafile=/etc/passwd",
        "mail.example.com:hostname",
        "{mail.example.com}",
        "mail.example.com\u{a0}x",
        "*",
        "*.*.example.com",
        ".example.com",
    ] {
        let body = POLICY.replace("mail.example.com", mx);
        assert!(Policy::parse(body.as_bytes()).is_err(), "{mx}");
    }
}

/// `match=hostname` means "whatever the MX host is called" to Postfix.
#[test]
fn words_for_names() {
    check_policy(&parse(&POLICY.replace("mx: mail.example.com", "mx: hostname\nmx: NextHop")));
    let body = "version: STSv1\nmode: enforce\nmx: hostname\nmx: dot-nexthop\nmax_age: 604800\n";
    let replies = decided(Answer::Secure(parse(body)));
    for map in MapName::ALL {
        assert_eq!(
            understood(&replies, map),
            Understood::Temporary(
                "the MTA-STS policy names no host that a certificate can name".to_owned()
            )
        );
    }
}

#[test]
fn same_host_many_times() {
    let mail = "mx: mail.example.com\n";
    check_policy(&parse(&POLICY.replace(mail, &mail.repeat(100))));
}

fn with_hosts(count: usize, name: impl Fn(usize) -> String) -> Policy {
    let hosts: String = (0..count).map(|index| format!("mx: {}\n", name(index))).collect();
    parse(&format!("version: STSv1\nmode: enforce\n{hosts}max_age: 604800\n"))
}

/// Too long for all policy_strings: the last lines are left out, extensions first.
#[test]
fn long_policies_lose_lines() {
    let note = format!("note: {}\n", "x".repeat(98_000));
    let replies = decided(Answer::Secure(parse(&format!("{POLICY}{note}"))));
    let Understood::Policy(all) = understood(&replies, MapName::QueryWithTlsrpt) else {
        panic!("expected a policy");
    };
    assert_eq!(all.policy_strings.len(), 6);

    let policy = parse(&format!("{POLICY}{}{note}", note.replace("note", "n")));
    let replies = decided(Answer::Secure(policy.clone()));
    let Understood::Policy(some) = understood(&replies, MapName::QueryWithTlsrpt) else {
        panic!("expected a policy");
    };
    assert_eq!(some.policy_strings, safe_lines(&policy)[..6]);

    let policy = with_hosts(1_500, |index| format!("mx{index:04}.example.com"));
    let replies = decided(Answer::Secure(policy.clone()));
    let Understood::Policy(some) = understood(&replies, MapName::QueryWithTlsrpt) else {
        panic!("expected a policy");
    };
    assert_eq!(some.mx_host_patterns, patterns(&policy));
    let lines = some.policy_strings.len();
    assert!((2..1_500).contains(&lines), "{lines}");
    assert_eq!(some.policy_strings, safe_lines(&policy)[..lines]);
}

/// Too long for all mx_host_patterns: the plain reply, as for an older Postfix.
#[test]
fn longer_policies_lose_patterns() {
    let policy = with_hosts(4_000, |index| format!("mx{index:04}.test"));
    assert!(policy.to_string().len() < 65_536);
    let replies = decided(Answer::Secure(policy.clone()));
    let plain = replies.reply(MapName::Query);
    assert_eq!(replies.reply(MapName::QueryWithTlsrpt), plain);
    let Understood::Policy(understood) = understood(&replies, MapName::Query) else {
        panic!("expected a policy");
    };
    assert_eq!(understood.matches, patterns(&policy));
}

/// No policy of 64 KiB is too long for the plain reply; one that is cannot be said.
#[test]
fn longest_policies_wait() {
    let shortest =
        with_hosts(9_000, |index| format!("{}.{}", letters(index / 94), letters(index % 94)));
    assert!(shortest.to_string().len() > 65_536);
    let replies = decided(Answer::Secure(shortest));
    assert_eq!(replies.kind(MapName::Query), ReplyKind::Level(Level::Secure));

    let replies = decided(Answer::Secure(with_hosts(9_000, |i| format!("mx{i}.example.com"))));
    for map in MapName::ALL {
        assert_eq!(
            understood(&replies, map),
            Understood::Temporary(
                "the MTA-STS policy names too many hosts for one reply".to_owned()
            )
        );
    }
    assert!(replies.octets() < 200);
}

fn letters(number: usize) -> String {
    let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
    String::from_iter([letter(number / 26), letter(number)])
}

/// Host names and wildcards, and what passes for them.
fn mx() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => r"(\*\.)?[a-z0-9]{1,10}(\.[a-z][a-z0-9-]{0,8}[a-z0-9]){0,3}",
        1 => prop::sample::select(vec![
            "hostname", "nexthop", "dot-nexthop", "*.hostname", "HOSTNAME", "A.B.C", "xn--dan-dma.test",
        ]).prop_map(str::to_owned),
    ]
}

/// Fields that RFC 8461 does not know: what would do harm if it got out of its braces.
fn extension() -> impl Strategy<Value = String> {
    let hostile = prop::collection::vec(
        prop_oneof![
            prop::sample::select(vec![
                "{",
                "}",
                "{ ",
                " }",
                "=",
                " = ",
                ",",
                ":",
                " ",
                "tafile=/x",
                "exclude=aNULL",
                "policy_type=sts",
                "match=evil.test",
                "\u{2028}",
                "\u{feff}",
                "\\",
                "\"",
                "'",
            ])
            .prop_map(str::to_owned),
            "\\PC{1,8}",
        ],
        1..8,
    );
    ("[a-zA-Z0-9][a-zA-Z0-9_.-]{0,8}", hostile)
        .prop_map(|(name, value)| format!("{name}: {}", value.concat()))
}

proptest! {
    #[test]
    fn every_policy_is_understood_as_meant(
        mx in prop::collection::vec(mx(), 1..12),
        extensions in prop::collection::vec(extension(), 0..6),
        testing in any::<bool>(),
        max_age in 0_u64..=9_999_999_999,
    ) {
        let mode = if testing { "testing" } else { "enforce" };
        let mx: String = mx.iter().map(|mx| format!("mx: {mx}\n")).collect();
        let extensions: String = extensions.iter().map(|line| format!("{line}\n")).collect();
        let body = format!("version: STSv1\nmode: {mode}\n{mx}max_age: {max_age}\n{extensions}");
        // A third of them or so is not a policy.
        if let Ok(policy) = Policy::parse(body.as_bytes()) {
            if patterns(&policy).is_empty() {
                let replies = decided(Answer::Secure(policy));
                prop_assert_eq!(replies.kind(MapName::Query), ReplyKind::Temporary);
            } else {
                check_policy(&policy);
            }
        }
    }

    #[test]
    fn every_override_is_understood_as_meant(
        level in prop::sample::select(Level::ALL.to_vec()),
        names in prop::collection::vec(("[a-z0-9_]{1,10}(\\.[a-z][a-z0-9]{0,8}){0,3}", any::<bool>()), 0..6),
    ) {
        let names: Vec<_> = names
            .into_iter()
            .filter_map(|(name, below)| Some((DomainName::parse(&name).ok()?, below)))
            .collect();
        let matches = match level {
            Level::Secure => names
                .iter()
                .map(|(name, below)| format!("{}{name}", if *below { "." } else { "" }))
                .collect(),
            _ => Vec::new(),
        };
        let replies = decided(Answer::Fixed(LocalMatch { level, names }));
        let expected =
            TlsPolicy { level: level.as_str().to_owned(), matches, ..TlsPolicy::default() };
        prop_assert_eq!(understood(&replies, MapName::Query), Understood::Policy(expected));
        let extended = replies.reply(MapName::QueryWithTlsrpt);
        prop_assert_eq!(extended, replies.reply(MapName::Query));
    }

    #[test]
    fn every_reason_is_one_short_line(reason in "(\\PC|\\s|\\x00|\u{85}){0,300}") {
        let replies = Replies::temporary(&reason);
        let reply = replies.reply(MapName::Query);
        prop_assert!(reply.starts_with("TEMP "));
        prop_assert!(reply.len() <= 205);
        prop_assert!(reply.bytes().all(|octet| matches!(octet, b' '..=b'~')));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_reply_is_too_long(hosts in 0_usize..12_000, width in 1_usize..20) {
        let policy = with_hosts(hosts.max(1), |index| format!("h{index:0width$}.test"));
        let replies = decided(Answer::Secure(policy));
        for map in MapName::ALL {
            prop_assert!(replies.reply(map).len() <= MAX_REPLY_OCTETS);
            understood(&replies, map);
        }
    }
}
