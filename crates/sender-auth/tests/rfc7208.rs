//! RFC 7208 for a receiver, clause by clause, and RFC 8616 where it changes it. Each name carries
//! the section; lay the file beside the standard and tick off.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod world_spf;

use sender_auth::spf::{
    Client, Evaluation, Event, Identity, Limits, Problem, Query, Record, SpfResult, check_host,
    verify,
};
use smtp_types::Known;
use world_spf::{RECEIVER, World};

/// A client that no record of the tests names unless it says so.
const IP: &str = "192.0.2.1";
const IP6: &str = "2001:db8::1";

fn mail_from(world: &str, ip: &str, helo: &str, sender: &str) -> Evaluation {
    let query = Query::mail_from(ip.parse().unwrap(), helo, sender);
    World::read(world).evaluate(&query, &Limits::default()).0
}

/// The evaluation of a@example.com, HELO mail.example.com.
fn run(world: &str, ip: &str) -> Evaluation {
    mail_from(world, ip, "mail.example.com", "a@example.com")
}

/// The result for the record of example.com, with what else the DNS says.
fn result(record: &str, world: &str, ip: &str) -> &'static str {
    let world = format!("example.com TXT {record}\n{world}");
    let evaluation = run(&world, ip);
    assert_eq!(
        evaluation.result == SpfResult::None,
        evaluation.matched.is_none() && {
            evaluation.problem.as_ref().is_some_and(|problem| problem.result() == SpfResult::None)
        }
    );
    evaluation.result.as_str()
}

fn explanation(record: &str, world: &str) -> Option<String> {
    let world = format!("example.com TXT {record}\n{world}");
    let evaluation = run(&world, IP);
    assert_eq!(evaluation.result, SpfResult::Fail);
    evaluation.explanation
}

mod s2_identities {
    use super::*;

    #[test]
    fn s2_3_helo_is_checked_as_postmaster_at_the_name() {
        let world = World::read(
            "mail.example.com TXT v=spf1 exists:%{s}.%{l}.%{o}.t.test -all\n\
                                 postmaster@mail.example.com.postmaster.mail.example.com.t.test A 127.0.0.2",
        );
        let query = Query::helo(IP.parse().unwrap(), "mail.example.com");
        let evaluation = world.evaluate(&query, &Limits::default()).0;
        assert_eq!(evaluation.result, SpfResult::Pass);
        assert_eq!(evaluation.identity, Identity::Helo);
        assert_eq!(evaluation.domain.unwrap().as_str(), "mail.example.com");
    }

    #[test]
    fn s2_3_only_a_valid_name_of_several_labels_is_checked() {
        for helo in ["[192.0.2.1]", "[IPv6:2001:db8::1]", "localhost", "", "a b.test", "192.0.2.1"]
        {
            let query = Query::helo(IP.parse().unwrap(), helo);
            let (evaluation, rounds) = World::read("").evaluate(&query, &Limits::default());
            assert_eq!(evaluation.result, SpfResult::None, "{helo}");
            assert_eq!(evaluation.domain, None);
            assert!(rounds.is_empty(), "nothing is asked");
        }
    }

    #[test]
    fn s2_4_a_null_reverse_path_is_postmaster_at_the_helo_name() {
        let world = "mail.example.com TXT v=spf1 exists:%{s}.t.test -all\n\
                     postmaster@mail.example.com.t.test A 127.0.0.2";
        let evaluation = mail_from(world, IP, "mail.example.com", "");
        assert_eq!(evaluation.result, SpfResult::Pass);
        assert_eq!(evaluation.identity, Identity::MailFrom);
        assert_eq!(mail_from(world, IP, "localhost", "").result, SpfResult::None);
    }

    #[test]
    fn s2_4_both_identities_are_checked_side_by_side() {
        let world = World::read(
            "example.com TXT v=spf1 -all\nmail.example.com TXT v=spf1 a -all\nmail.example.com A 192.0.2.1",
        );
        let client = Client {
            ip: IP.parse().unwrap(),
            helo: "mail.example.com",
            mail_from: "a@example.com",
        };
        let mut known = Known::default();
        let mut rounds = Vec::new();
        let verification = loop {
            match verify(&known, client, &RECEIVER, &Limits::default()) {
                Ok(verification) => break verification,
                Err(need) => {
                    rounds.push(need.to_string());
                    for question in need.dns {
                        let reply = world.reply(&question);
                        known.add_dns(question, reply);
                    }
                }
            }
        };
        assert_eq!(verification.helo.result, SpfResult::Pass);
        assert_eq!(verification.mail_from.result, SpfResult::Fail);
        assert_eq!(rounds, ["TXT example.com, TXT mail.example.com", "A mail.example.com"]);
    }

    #[test]
    fn s2_6_seven_results() {
        let all = [
            (SpfResult::None, "none"),
            (SpfResult::Neutral, "neutral"),
            (SpfResult::Pass, "pass"),
            (SpfResult::Fail, "fail"),
            (SpfResult::Softfail, "softfail"),
            (SpfResult::Temperror, "temperror"),
            (SpfResult::Permerror, "permerror"),
        ];
        for (result, word) in all {
            assert_eq!(result.to_string(), word);
        }
    }
}

mod s4_check_host {
    use super::*;

    #[test]
    fn s4_1_sender_and_address_stay_the_same_in_other_records() {
        let world = "b.test TXT v=spf1 exists:%{s}.%{i}.%{d}.t.test -all\n\
                     a@example.com.192.0.2.1.b.test.t.test A 127.0.0.2";
        assert_eq!(result("v=spf1 include:b.test -all", world, IP), "pass");
        assert_eq!(result("v=spf1 redirect=b.test", world, IP), "pass");
    }

    #[test]
    fn s4_3_malformed_domains_are_none() {
        let long = format!("a@{}.example.com", "a".repeat(64));
        for sender in ["a@A...example.com", "a@[192.0.2.1]", "a@localhost", "a@", "@", "a", &long] {
            let evaluation = mail_from("", IP, "mail.example.com", sender);
            assert_eq!(evaluation.result, SpfResult::None, "{sender}");
            assert!(matches!(evaluation.problem, Some(Problem::Domain(_))));
        }
        let longest = format!("a@{}.example.com", "a".repeat(63));
        let world = format!("{}.example.com TXT v=spf1 -all", "a".repeat(63));
        assert_eq!(mail_from(&world, IP, "x.test", &longest).result, SpfResult::Fail);
    }

    #[test]
    fn s4_3_a_domain_that_does_not_exist_is_none() {
        let evaluation = run("", IP);
        assert_eq!(evaluation.result, SpfResult::None);
        assert!(matches!(evaluation.problem, Some(Problem::NoRecord { name_exists: false, .. })));
    }

    #[test]
    fn s4_3_without_local_part_it_is_postmaster() {
        let world = "example.com TXT v=spf1 exists:%{l}.t.test -all\npostmaster.t.test A 127.0.0.2";
        for sender in ["@example.com", "example.com", "\"\"@example.com"] {
            assert_eq!(mail_from(world, IP, "x.test", sender).result, SpfResult::Pass, "{sender}");
        }
        assert_eq!(mail_from(world, IP, "x.test", "a@example.com").result, SpfResult::Fail);
    }

    #[test]
    fn s4_4_only_txt_is_asked_and_its_failures_are_temperror() {
        let query = Query::mail_from(IP.parse().unwrap(), "x.test", "a@example.com");
        for failure in ["temporary", "permanent", "bogus"] {
            let world = World::read(&format!("example.com TXT {failure}"));
            let (evaluation, rounds) = world.evaluate(&query, &Limits::default());
            assert_eq!(evaluation.result, SpfResult::Temperror, "{failure}");
            assert_eq!(rounds, ["TXT example.com"]);
        }
    }

    #[test]
    fn s4_5_the_version_is_exact() {
        for text in
            ["v=spf10", "v=spf1mx", " v=spf1 +all", "v=spf2.0/pra +all", "v=spf1\t+all", "x"]
        {
            assert_eq!(result(text, "", IP), "none", "{text}");
        }
        assert_eq!(result("V=sPf1 ~all", "", IP), "softfail");
        assert_eq!(result("v=spf1", "", IP), "neutral");
    }

    #[test]
    fn s4_5_more_than_one_record_is_permerror() {
        assert_eq!(result("v=spf1 +all", "example.com TXT v=spf1 +all", IP), "permerror");
        assert_eq!(result("v=spf1 +all", "example.com TXT V=SPF1", IP), "permerror");
        assert_eq!(result("v=spf1 +all", "example.com TXT v=spf10 +all", IP), "pass");
        assert_eq!(result("v=spf1 +all", "example.com TXT \u{96}", IP), "pass");
    }

    #[test]
    fn s3_1_records_are_ascii() {
        for record in ["v=spf1 +all \u{e4}", "v=spf1 a:\u{feff}a.test +all", "v=spf1 +all x=\u{e4}"]
        {
            assert_eq!(result(record, "", IP), "permerror", "{record}");
        }
    }

    #[test]
    fn s4_6_a_fault_anywhere_is_permerror_before_anything_is_asked() {
        let query = Query::mail_from(IP.parse().unwrap(), "x.test", "a@example.com");
        let world = World::read("example.com TXT v=spf1 a:b.test ip4:192.0.2.1 -all moo");
        let (evaluation, rounds) = world.evaluate(&query, &Limits::default());
        assert_eq!(evaluation.result, SpfResult::Permerror);
        assert_eq!(rounds, ["TXT example.com"]);
        let Some(Problem::Record { error, .. }) = evaluation.problem else {
            panic!("{:?}", evaluation.problem);
        };
        assert_eq!(error.position.column, 36);
    }

    #[test]
    fn s4_6_1_only_spaces_separate_terms() {
        assert_eq!(result("v=spf1  ip4:192.0.2.1   -all  ", "", IP), "pass");
        for record in ["v=spf1 ip4:192.0.2.1\t-all", "v=spf1 ip4:192.0.2.1\r-all", "v=spf1 a\0"] {
            assert_eq!(result(record, "", IP), "permerror", "{record:?}");
        }
    }

    #[test]
    fn s4_6_1_names_have_no_case() {
        assert_eq!(result("v=spf1 IP4:192.0.2.1 -ALL", "", IP), "pass");
        assert_eq!(result("v=spf1 REDIRECT=b.test", "b.test TXT v=spf1 +all", IP), "pass");
    }

    #[test]
    fn s4_6_1_an_equals_sign_first_makes_a_modifier() {
        assert_eq!(result("v=spf1 moo.cow-far_out=man:dog/cat -all", "", IP), "fail");
        assert_eq!(result("v=spf1 moo.cow/far_out=man:dog -all", "", IP), "permerror");
        assert_eq!(result("v=spf1 moo.cow:far_out=man:dog -all", "", IP), "permerror");
        assert_eq!(result("v=spf1 1up=foo -all", "", IP), "permerror");
        assert_eq!(result("v=spf1 =all -all", "", IP), "permerror");
    }

    #[test]
    fn s4_6_2_the_first_match_says_the_result() {
        for (sign, word) in
            [("", "pass"), ("+", "pass"), ("-", "fail"), ("~", "softfail"), ("?", "neutral")]
        {
            let record = format!("v=spf1 -ip4:192.0.2.2 {sign}ip4:192.0.2.1 -all +all");
            assert_eq!(result(&record, "", IP), word);
        }
    }

    #[test]
    fn s4_7_without_a_match_it_is_neutral() {
        let evaluation = run("example.com TXT v=spf1 ip4:192.0.2.2", IP);
        assert_eq!(evaluation.result, SpfResult::Neutral);
        assert_eq!((evaluation.matched, evaluation.problem), (None, None));
    }

    #[test]
    fn s4_8_without_domain_spec_the_current_domain_is_looked_up() {
        let world = "b.test TXT v=spf1 a -all\nb.test A 192.0.2.1\nexample.com A 192.0.2.9";
        assert_eq!(result("v=spf1 redirect=b.test", world, IP), "pass");
        assert_eq!(result("v=spf1 a include:b.test", world, "192.0.2.9"), "pass");
    }

    #[test]
    fn s4_8_a_target_that_is_no_name_matches_nothing() {
        let long = format!("a:{}.test", "a".repeat(64));
        for term in ["a:a..b.test", "mx:a..b.test", "ptr:a..b.test", "exists:.a.test", &long] {
            let evaluation = run(&format!("example.com TXT v=spf1 {term} -all"), IP);
            assert_eq!(evaluation.result, SpfResult::Fail, "{term}");
            let steps = evaluation.trace.steps();
            assert!(steps.iter().any(|step| matches!(step.event, Event::NotAsked { .. })));
        }
    }
}

mod s4_6_4_limits {
    use super::*;

    #[test]
    fn s4_6_4_ten_terms_look_up() {
        let ten = "v=spf1 a mx a mx a mx a mx a ptr ip4:192.0.2.1 -all";
        let world = "example.com A 192.0.2.9\nexample.com MX example.com\n\
                     1.2.0.192.in-addr.arpa PTR a.test";
        assert_eq!(result(ten, world, IP), "pass");
    }

    #[test]
    fn s4_6_4_eleventh_lookup_is_permerror() {
        let world = "example.com A 192.0.2.9\nexample.com MX example.com";
        let eleven = "v=spf1 a mx a mx a mx a mx a mx a ip4:192.0.2.1 -all";
        assert_eq!(result(eleven, world, IP), "permerror");
        let early = "v=spf1 ip4:192.0.2.1 a mx a mx a mx a mx a mx a -all";
        assert_eq!(result(early, world, IP), "pass", "what is not evaluated is not counted");
    }

    #[test]
    fn s4_6_4_the_limit_is_one_for_all_records_together() {
        let world =
            "example.com A 192.0.2.9\nb.test TXT v=spf1 a a a a a a a a\nb.test A 192.0.2.9";
        assert_eq!(result("v=spf1 a include:b.test ip4:192.0.2.1", world, IP), "pass");
        assert_eq!(result("v=spf1 a include:b.test a ip4:192.0.2.1", world, IP), "permerror");
        assert_eq!(result("v=spf1 a include:b.test redirect=b.test", world, IP), "permerror");
    }

    #[test]
    fn s4_6_4_loops_end_at_the_limit() {
        assert_eq!(result("v=spf1 redirect=example.com", "", IP), "permerror");
        assert_eq!(result("v=spf1 include:example.com", "", IP), "permerror");
        let world = "b.test TXT v=spf1 include:example.com";
        let evaluation = run(&format!("example.com TXT v=spf1 include:b.test\n{world}"), IP);
        assert_eq!(evaluation.problem, Some(Problem::LookupLimit { limit: 10 }));
        assert_eq!(evaluation.lookups, 10);
    }

    #[test]
    fn s4_6_4_exists_and_include_and_redirect_count() {
        let exists = format!("v=spf1 {}ip4:192.0.2.1", "exists:a.test ".repeat(11));
        assert_eq!(result(&exists, "a.test A nothing", IP), "permerror");
        let chain: String =
            (0..12).map(|n| format!("r{n}.test TXT v=spf1 redirect=r{}.test\n", n + 1)).collect();
        assert_eq!(
            result("v=spf1 redirect=r3.test", &format!("{chain}r12.test TXT v=spf1 +all"), IP),
            "pass"
        );
        assert_eq!(
            result("v=spf1 redirect=r2.test", &format!("{chain}r12.test TXT v=spf1 +all"), IP),
            "permerror"
        );
    }

    #[test]
    fn s4_6_4_the_validated_name_counts_as_the_look_up_that_it_is() {
        let world = "1.2.0.192.in-addr.arpa PTR a.test\na.test A 192.0.2.1";
        let term = "exists:%{p}.%{p}.t.test ";
        let five = format!("v=spf1 {}ip4:192.0.2.1", term.repeat(5));
        let limits = Limits { void_lookups: 255, ..Limits::default() };
        let query = Query::mail_from(IP.parse().unwrap(), "x.test", "a@example.com");
        let lookups = |record: &str| {
            let world = World::read(&format!("example.com TXT {record}\n{world}"));
            let evaluation = world.evaluate(&query, &limits).0;
            (evaluation.result, evaluation.lookups)
        };
        assert_eq!(lookups(&five), (SpfResult::Pass, 10));
        let six = format!("v=spf1 {}ip4:192.0.2.1", term.repeat(6));
        assert_eq!(lookups(&six), (SpfResult::Permerror, 10));
    }

    #[test]
    fn s4_6_4_more_than_ten_mail_exchangers_are_permerror() {
        let hosts = |count: usize| -> String {
            (0..count)
                .map(|n| format!("example.com MX m{n}.test\nm{n}.test A 192.0.2.1\n"))
                .collect()
        };
        assert_eq!(result("v=spf1 mx -all", &hosts(10), IP), "pass");
        assert_eq!(result("v=spf1 mx -all", &hosts(11), IP), "permerror");
    }

    #[test]
    fn s4_6_4_all_names_of_the_client_but_the_first_ten_are_ignored() {
        let names = |good: usize| -> String {
            let line = |n: usize| {
                let ip = if n == good { IP } else { "192.0.2.9" };
                format!("1.2.0.192.in-addr.arpa PTR p{n}.example.com\np{n}.example.com A {ip}\n")
            };
            (0..12).map(line).collect()
        };
        assert_eq!(result("v=spf1 ptr -all", &names(9), IP), "pass");
        assert_eq!(result("v=spf1 ptr -all", &names(10), IP), "fail");
    }

    #[test]
    fn s4_6_4_addresses_of_one_name_are_not_limited() {
        let many: String = (1..200).map(|n| format!("example.com A 192.0.2.{n}\n")).collect();
        assert_eq!(result("v=spf1 a -all", &many, "192.0.2.199"), "pass");
    }

    #[test]
    fn s4_6_4_two_void_lookups_are_allowed() {
        assert_eq!(result("v=spf1 a:a.test a:b.test ?all", "b.test A nothing", IP), "neutral");
        assert_eq!(result("v=spf1 a:a.test exists:b.test mx:c.test ?all", "", IP), "permerror");
        let evaluation = run("example.com TXT v=spf1 a mx ptr ip4:192.0.2.1 -all", IP);
        assert_eq!(evaluation.problem, Some(Problem::VoidLookupLimit { limit: 2 }));
    }

    #[test]
    fn s4_6_4_a_term_is_void_once_and_only_if_it_finds_nothing_at_all() {
        // Hosts without IPv6 do no harm to a client that has it.
        let world = "example.com MX a.test\nexample.com MX b.test\nexample.com MX c.test\n\
                     a.test A 192.0.2.1\nb.test A 192.0.2.2\nc.test A 192.0.2.3";
        assert_eq!(result("v=spf1 mx a ip6:2001:db8::1 -all", world, IP6), "pass");
        let with_one = format!("{world}\nc.test AAAA 2001:db8::9");
        let evaluation = run(&format!("example.com TXT v=spf1 mx -all\n{with_one}"), IP6);
        assert_eq!((evaluation.result, evaluation.void_lookups), (SpfResult::Fail, 0));
    }

    #[test]
    fn s4_6_4_explanations_do_not_count() {
        let record = "v=spf1 a:a.test a:b.test exp=c.test -all";
        assert_eq!(explanation(record, ""), None);
        let nine = format!("v=spf1 {}exp=%{{p}}.test -all", "a ".repeat(10));
        let world = "example.com A 192.0.2.9\nunknown.test TXT sorry";
        assert_eq!(explanation(&nine, world).as_deref(), Some("sorry"));
    }
}

mod s5_mechanisms {
    use super::*;

    #[test]
    fn s5_mapped_addresses_are_ipv4() {
        assert_eq!(result("v=spf1 ip4:192.0.2.1 -all", "", "::ffff:192.0.2.1"), "pass");
        assert_eq!(result("v=spf1 ip6:::/0 -all", "", "::ffff:192.0.2.1"), "fail");
        assert_eq!(result("v=spf1 ip6:::ffff:192.0.2.1 ?all", "", "::ffff:192.0.2.1"), "neutral");
        assert_eq!(result("v=spf1 a -all", "example.com A 192.0.2.1", "::ffff:192.0.2.1"), "pass");
    }

    #[test]
    fn s5_the_family_of_the_client_is_asked_for() {
        let query = Query::mail_from(IP6.parse().unwrap(), "x.test", "a@example.com");
        let world = World::read("example.com TXT v=spf1 a -all\nexample.com AAAA 2001:db8::1");
        let (evaluation, rounds) = world.evaluate(&query, &Limits::default());
        assert_eq!(evaluation.result, SpfResult::Pass);
        assert_eq!(rounds, ["TXT example.com", "AAAA example.com"]);
    }

    #[test]
    fn s5_failures_of_the_dns_are_temperror() {
        for (term, world) in [
            ("a:b.test", "b.test A temporary"),
            ("mx:b.test", "b.test MX permanent"),
            ("mx:b.test", "b.test MX c.test\nc.test A temporary"),
            ("exists:b.test", "b.test A bogus"),
            ("include:b.test", "b.test TXT temporary"),
            ("include:b.test", "b.test TXT v=spf1 a:c.test\nc.test A temporary"),
            ("redirect=b.test", "b.test TXT temporary"),
        ] {
            assert_eq!(result(&format!("v=spf1 {term}"), world, IP), "temperror", "{term}");
            assert_eq!(result(&format!("v=spf1 ip4:192.0.2.1 {term}"), world, IP), "pass");
        }
    }

    #[test]
    fn s5_1_all_always_matches_and_ends() {
        assert_eq!(result("v=spf1 ?all -all", "", IP), "neutral");
        assert_eq!(result("v=spf1 -all redirect=b.test", "b.test TXT v=spf1 +all", IP), "fail");
        assert_eq!(result("v=spf1 redirect=b.test -all", "b.test TXT v=spf1 +all", IP), "fail");
        for term in ["-all.", "-all:foobar", "-all/8"] {
            assert_eq!(result(&format!("v=spf1 {term}"), "", IP), "permerror", "{term}");
        }
    }

    #[test]
    fn s5_2_the_table_of_include() {
        for (record, word) in [
            ("TXT v=spf1 +all", "softfail"),
            ("TXT v=spf1 -all", "neutral"),
            ("TXT v=spf1 ~all", "neutral"),
            ("TXT v=spf1 ?all", "neutral"),
            ("TXT v=spf1 moo", "permerror"),
            ("TXT temporary", "temperror"),
            ("TXT v=spf1 +all\nb.test TXT v=spf1 +all", "permerror"),
            ("TXT x", "permerror"),
            ("TXT nothing", "permerror"),
        ] {
            let world = format!("b.test {record}");
            assert_eq!(result("v=spf1 ~include:b.test ?all", &world, IP), word, "{record}");
        }
        assert_eq!(result("v=spf1 include:b.test", "", IP), "permerror", "no such name");
    }

    #[test]
    fn s5_2_a_target_that_is_no_domain_is_permerror() {
        assert_eq!(result("v=spf1 include:a..test ?all", "", IP), "permerror");
        assert_eq!(result("v=spf1 include:%{d1} ?all", "com TXT v=spf1 +all", IP), "permerror");
    }

    #[test]
    fn s5_3_a_matches_any_address() {
        let world = "b.test A 192.0.2.8\nb.test A 192.0.2.1\nb.test AAAA 2001:db8::9";
        assert_eq!(result("v=spf1 a:b.test -all", world, IP), "pass");
        assert_eq!(result("v=spf1 a:b.test/28 -all", world, "192.0.2.14"), "pass");
        assert_eq!(result("v=spf1 a:b.test/28 -all", world, "192.0.2.16"), "fail");
        assert_eq!(result("v=spf1 a:b.test//64 -all", world, IP6), "pass");
        assert_eq!(result("v=spf1 a:b.test/0 -all", world, IP6), "fail", "not for IPv6");
        assert_eq!(result("v=spf1 a:c.test/0 -all", world, IP), "fail", "no address, no match");
    }

    #[test]
    fn s5_4_mx_matches_any_address_of_any_host() {
        let world = "b.test MX m1.test\nb.test MX m2.test\nm1.test A 192.0.2.8\nm2.test A 192.0.2.1\n\
                     m2.test AAAA 2001:db8::9";
        assert_eq!(result("v=spf1 mx:b.test -all", world, IP), "pass");
        assert_eq!(result("v=spf1 mx:b.test/32//64 -all", world, IP6), "pass");
        assert_eq!(result("v=spf1 mx:b.test/0 -all", world, IP6), "fail");
    }

    #[test]
    fn s5_4_there_is_no_implicit_mx() {
        assert_eq!(result("v=spf1 mx ?all", "example.com A 192.0.2.1", IP), "neutral");
    }

    #[test]
    fn s5_4_a_null_mx_matches_nothing_and_is_not_void() {
        let evaluation = run("example.com TXT v=spf1 mx -all\nexample.com MX .", IP);
        assert_eq!((evaluation.result, evaluation.void_lookups), (SpfResult::Fail, 0));
    }

    #[test]
    fn s5_4_hosts_have_no_order_so_a_match_goes_before_a_failure() {
        for hosts in [["m1.test", "m2.test"], ["m2.test", "m1.test"]] {
            let world = format!(
                "example.com MX {}\nexample.com MX {}\nm1.test A temporary\nm2.test A 192.0.2.1",
                hosts[0], hosts[1]
            );
            assert_eq!(result("v=spf1 mx -all", &world, IP), "pass");
            assert_eq!(result("v=spf1 mx -all", &world, "192.0.2.9"), "temperror");
        }
    }

    #[test]
    fn s5_5_ptr_matches_validated_names_at_or_below_the_target() {
        let world = "1.2.0.192.in-addr.arpa PTR Mail.Example.com\nmail.example.com A 192.0.2.1";
        assert_eq!(result("v=spf1 ptr -all", world, IP), "pass");
        assert_eq!(result("v=spf1 ptr:MAIL.example.com -all", world, IP), "pass");
        assert_eq!(result("v=spf1 ptr:ail.example.com -all", world, IP), "fail");
        assert_eq!(result("v=spf1 ptr:a.mail.example.com -all", world, IP), "fail");
        let forged = "1.2.0.192.in-addr.arpa PTR mail.example.com\nmail.example.com A 192.0.2.9";
        assert_eq!(result("v=spf1 ptr -all", forged, IP), "fail");
        let six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR \
                   m.example.com\nm.example.com AAAA 2001:db8::1";
        assert_eq!(result("v=spf1 ptr -all", six, IP6), "pass");
    }

    #[test]
    fn s5_5_failures_only_mean_that_there_is_no_such_name() {
        assert_eq!(result("v=spf1 ptr -all", "1.2.0.192.in-addr.arpa PTR temporary", IP), "fail");
        let world = "1.2.0.192.in-addr.arpa PTR a.example.com\na.example.com A temporary\n\
                     1.2.0.192.in-addr.arpa PTR b.example.com\nb.example.com A 192.0.2.1";
        assert_eq!(result("v=spf1 ptr -all", world, IP), "pass");
    }

    #[test]
    fn s5_6_networks_are_strict() {
        assert_eq!(result("v=spf1 ip4:192.0.2.128/24 -all", "", IP), "pass");
        assert_eq!(result("v=spf1 ip4:1.1.1.1/0 -all", "", IP), "pass");
        assert_eq!(result("v=spf1 ip6:2001:DB8::9/32 -all", "", IP6), "pass");
        assert_eq!(result("v=spf1 ip6:::1.1.1.1/0 ?all", "", IP), "neutral");
        for term in [
            "ip4",
            "ip4:",
            "ip4:192.0.2",
            "ip4:192.0.2.01",
            "ip4:192.0.2.1:25",
            "ip4:192.0.2.1/33",
            "ip4:192.0.2.1/032",
            "ip4:192.0.2.1//32",
            "ip4:2001:db8::1",
            "ip6",
            "ip6:192.0.2.1",
            "ip6:2001:db8::1/129",
            "ip6:::1//33",
            "ip6::CAFE::BABE",
        ] {
            assert_eq!(result(&format!("v=spf1 -all {term}"), "", IP), "permerror", "{term}");
        }
    }

    #[test]
    fn s5_7_exists_asks_for_ipv4_whatever_the_client() {
        assert_eq!(result("v=spf1 exists:b.test -all", "b.test A 127.0.0.2", IP), "pass");
        assert_eq!(result("v=spf1 exists:b.test -all", "b.test A 127.0.0.2", IP6), "pass");
        assert_eq!(result("v=spf1 exists:b.test -all", "b.test AAAA 2001:db8::9", IP6), "fail");
        for term in ["exists", "exists:", "exists:b.test/24"] {
            assert_eq!(result(&format!("v=spf1 {term}"), "", IP), "permerror", "{term}");
        }
    }
}

mod s6_modifiers {
    use super::*;

    #[test]
    fn s6_known_modifiers_stand_once() {
        let redirect = "v=spf1 redirect=b.test redirect=b.test";
        assert_eq!(result(redirect, "b.test TXT v=spf1 +all", IP), "permerror");
        assert_eq!(result("v=spf1 +all exp=b.test exp=b.test", "", IP), "permerror");
    }

    #[test]
    fn s6_unknown_modifiers_are_ignored_but_not_their_syntax() {
        assert_eq!(result("v=spf1 x=y default=pass x= v=spf1 X=%{d} -all", "", IP), "fail");
        assert_eq!(result("v=spf1 -all foo=%abc", "", IP), "permerror");
    }

    #[test]
    fn s6_1_redirect_counts_after_all_mechanisms() {
        let world = "b.test TXT v=spf1 -all";
        assert_eq!(result("v=spf1 redirect=b.test ip4:192.0.2.1", world, IP), "pass");
        assert_eq!(result("v=spf1 redirect=b.test ip4:192.0.2.9", world, IP), "fail");
    }

    #[test]
    fn s6_1_every_result_of_the_other_domain_counts_but_none() {
        for (record, word) in [
            ("TXT v=spf1 +all", "pass"),
            ("TXT v=spf1 -all", "fail"),
            ("TXT v=spf1", "neutral"),
            ("TXT v=spf1 moo", "permerror"),
            ("TXT temporary", "temperror"),
            ("TXT x", "permerror"),
            ("A 192.0.2.1", "permerror"),
        ] {
            let world = format!("b.test {record}");
            assert_eq!(result("v=spf1 redirect=b.test", &world, IP), word, "{record}");
        }
        for target in ["c.test", "a..b.test", "%{d1}"] {
            assert_eq!(result(&format!("v=spf1 redirect={target}"), "", IP), "permerror");
        }
    }

    #[test]
    fn s6_2_the_explanation_is_one_text_expanded() {
        let record = "v=spf1 -all exp=e.%{d}";
        let world = "e.example.com TXT %{i} is not one of %{d}'s, says %{r}.";
        let expected = "192.0.2.1 is not one of example.com's, says mx.receiver.test.";
        assert_eq!(explanation(record, world).as_deref(), Some(expected));
    }

    #[test]
    fn s6_2_whatever_goes_wrong_there_is_none_and_the_result_stays() {
        let record = "v=spf1 -all exp=e.test";
        for world in [
            "",
            "e.test TXT nothing",
            "e.test TXT temporary",
            "e.test TXT one\ne.test TXT two",
            "e.test TXT The %{x}-files.",
            "e.test TXT \u{feff}Explanation",
            "e.test TXT a\tb",
        ] {
            assert_eq!(explanation(record, world), None, "{world}");
        }
        assert_eq!(explanation("v=spf1 -all exp=a..test", ""), None);
        assert_eq!(explanation("v=spf1 -all", ""), None);
        assert_eq!(result("v=spf1 exp= -all", "", IP), "permerror");
        assert_eq!(result("v=spf1 exp=-all", "", IP), "permerror");
    }

    #[test]
    fn s6_2_the_explanation_is_of_the_record_that_redirect_leads_to() {
        let world = "b.test TXT v=spf1 -all exp=e2.test\nc.test TXT v=spf1 -all\n\
                     e1.test TXT one\ne2.test TXT two of %{d}";
        let redirect = |domain: &str| format!("v=spf1 exp=e1.test redirect={domain}");
        assert_eq!(explanation(&redirect("b.test"), world).as_deref(), Some("two of b.test"));
        assert_eq!(explanation(&redirect("c.test"), world), None);
    }

    #[test]
    fn s6_2_the_explanation_of_an_included_record_is_never_used() {
        let world = "b.test TXT v=spf1 +all exp=e2.test\ne1.test TXT one\ne2.test TXT two";
        let included = explanation("v=spf1 -include:b.test exp=e1.test", world);
        assert_eq!(included.as_deref(), Some("one"));
        assert_eq!(explanation("v=spf1 -include:b.test", world), None);
    }

    #[test]
    fn s6_2_explanations_are_bounded_printable_ascii() {
        let world =
            |text: &str| format!("example.com TXT v=spf1 -all exp=e.test\ne.test TXT {text}");
        let long = run(&world(&"x".repeat(600)), IP).explanation.unwrap();
        assert_eq!(long.len(), Limits::default().explanation_octets);
        let injected = |sender| mail_from(&world("%{l}"), IP, "x.test", sender).explanation;
        assert_eq!(injected("a\r\n250 ok@example.com"), None);
        assert_eq!(injected("\u{e4}@example.com"), None);
        assert_eq!(injected("Macro Error@example.com").as_deref(), Some("Macro Error"));
        let helo = mail_from(&world("%{h}"), IP, "\u{1b}[2J", "a@example.com");
        assert_eq!(helo.explanation, None);
    }

    #[test]
    fn s6_2_only_fail_is_explained_and_only_if_wanted() {
        let world = World::read(
            "example.com TXT v=spf1 ~all exp=e.test\nb.test TXT v=spf1 -all exp=e.test",
        );
        let rounds = |sender, limits: &Limits| {
            let query = Query::mail_from(IP.parse().unwrap(), "x.test", sender);
            world.evaluate(&query, limits).1.len()
        };
        assert_eq!(rounds("a@example.com", &Limits::default()), 1);
        assert_eq!(rounds("a@b.test", &Limits::default()), 2);
        let silent = Limits { explanation_octets: 0, ..Limits::default() };
        assert_eq!(rounds("a@b.test", &silent), 1);
    }
}

mod s7_macros {
    use super::*;

    /// What the macro string becomes for `strong-bad@email.example.com`.
    fn expand(text: &str) -> String {
        let world = format!(
            "email.example.com TXT v=spf1 -all exp=e.test\ne.test TXT {text}\n\
             3.2.0.192.in-addr.arpa PTR mx.example.org\nmx.example.org A 192.0.2.3"
        );
        let sender = "strong-bad@email.example.com";
        let evaluation = mail_from(&world, "192.0.2.3", "mx.example.org", sender);
        evaluation.explanation.unwrap()
    }

    #[test]
    fn s7_1_a_domain_ends_in_a_label_or_a_macro() {
        for domain in
            ["museum", "museum.", "111.222.33.44", "abc.123", "a.-com", "a.test:25", "-all"]
        {
            assert_eq!(result(&format!("v=spf1 a:{domain} -all"), "", IP), "permerror", "{domain}");
        }
        let world = "foo:bar/baz.test A 192.0.2.1\nfoo.xn--zckzah A 192.0.2.1";
        assert_eq!(result("v=spf1 a:foo:bar/baz.test -all", world, IP), "pass");
        assert_eq!(result("v=spf1 a:foo.xn--zckzah -all", world, IP), "pass");
    }

    #[test]
    fn s7_1_the_end_of_a_domain_is_looked_at_before_expansion() {
        for helo in ["JUMPIN' JUPITER", "[192.0.2.1]", "%%%", "", "a..b"] {
            let evaluation =
                mail_from("example.com TXT v=spf1 a:%{h} -all", IP, helo, "a@example.com");
            assert_eq!(evaluation.result, SpfResult::Fail, "{helo}");
        }
    }

    #[test]
    fn s7_1_percent_space_and_url_space() {
        let world = "macro%percent\u{2423}\u{2423}space%20url-space.test A 192.0.2.1";
        let record = "v=spf1 a:macro%%percent%_%_space%-url-space.test -all";
        assert_eq!(result(record, world, IP), "pass");
    }

    #[test]
    fn s7_2_letters() {
        assert_eq!(
            expand("%{s} %{l} %{o} %{d} %{i} %{p} %{v} %{h} %{c} %{r} %{t}"),
            "strong-bad@email.example.com strong-bad email.example.com email.example.com \
             192.0.2.3 mx.example.org in-addr mx.example.org 192.0.2.3 mx.receiver.test 1800000000"
        );
    }

    #[test]
    fn s7_2_three_letters_only_in_explanations() {
        for letter in ["c", "r", "t"] {
            for term in ["exists:%{x}.test", "exp=%{x}.test", "redirect=%{x}.test", "x=%{x}"] {
                let term = term.replace("{x}", &format!("{{{letter}}}"));
                assert_eq!(result(&format!("v=spf1 {term}"), "", IP), "permerror", "{term}");
            }
        }
        assert_eq!(result("v=spf1 a:%{a}.test", "", IP), "permerror");
    }

    #[test]
    fn s7_2_an_unnamed_receiver_is_unknown() {
        let world = World::read("example.com TXT v=spf1 -all exp=e.test\ne.test TXT %{r}");
        let query = Query::mail_from(IP.parse().unwrap(), "x.test", "a@example.com");
        let receiver = sender_auth::spf::Receiver { host_name: "", ..RECEIVER };
        let mut known = Known::default();
        let evaluation = loop {
            match check_host(&known, &query, &receiver, &Limits::default()) {
                Ok(evaluation) => break evaluation,
                Err(need) => need.dns.into_iter().for_each(|question| {
                    let reply = world.reply(&question);
                    known.add_dns(question, reply);
                }),
            }
        };
        assert_eq!(evaluation.explanation.as_deref(), Some("unknown"));
    }

    #[test]
    fn s7_3_a_percent_sign_alone_is_a_fault() {
        for term in ["exists:%(ir).a.test", "exists:foo%.a.test", "exists:a.test%", "a:%{d.test"] {
            assert_eq!(result(&format!("v=spf1 -{term} ?all"), "", IP), "permerror", "{term}");
        }
    }

    #[test]
    fn s7_3_a_number_of_parts_is_not_zero() {
        assert_eq!(result("v=spf1 exists:%{d0}.test -all", "", IP), "permerror");
        assert_eq!(expand("%{d127} %{d1000000000000}"), "email.example.com email.example.com");
    }

    #[test]
    fn s7_3_a_final_dot_is_accepted_and_not_part_of_the_name() {
        assert_eq!(result("v=spf1 a:b.test. -all", "b.test A 192.0.2.1", IP), "pass");
        assert_eq!(expand("This is a test."), "This is a test.");
    }

    #[test]
    fn s7_3_the_validated_name_is_the_domain_or_one_below_or_any() {
        let names = |names: &[&str]| -> String {
            let line =
                |name: &&str| format!("1.2.0.192.in-addr.arpa PTR {name}\n{name} A 192.0.2.1\n");
            names.iter().map(line).collect()
        };
        let p = |world: &str| {
            explanation("v=spf1 -all exp=e.test", &format!("{world}e.test TXT %{{p}}"))
        };
        let with = |all: &[&str]| p(&names(all)).unwrap();
        assert_eq!(with(&["a.test", "m.example.com", "example.com"]), "example.com");
        assert_eq!(with(&["a.test", "m.example.com"]), "m.example.com");
        assert_eq!(with(&["b.test", "a.test"]), "b.test");
        assert_eq!(with(&[]), "unknown");
        assert_eq!(p("1.2.0.192.in-addr.arpa PTR temporary\n").unwrap(), "unknown");
        let forged = "1.2.0.192.in-addr.arpa PTR example.com\nexample.com A 192.0.2.9\n";
        assert_eq!(p(forged).unwrap(), "unknown");
    }

    #[test]
    fn s7_3_long_names_lose_labels_on_the_left() {
        let world =
            "b.test A nothing\nexample.com TXT v=spf1 exists:a.%{o}.%{o}.%{o}.%{o}.b.test -all";
        let domain = format!("{}.{}.test", "x".repeat(63), "y".repeat(5));
        let kept = format!("{domain}.{domain}.{domain}.b.test");
        let world = format!(
            "{world}\n{kept} A 127.0.0.2\n{domain} TXT v=spf1 exists:a.%{{o}}.%{{o}}.%{{o}}.%{{o}}.b.test -all"
        );
        let full = kept.len() + domain.len() + 3;
        assert!(full > 253 && kept.len() <= 253, "{full} {}", kept.len());
        let evaluation = mail_from(&world, IP, "x.test", &format!("a@{domain}"));
        let asked = evaluation.trace.to_string();
        assert!(asked.contains(&format!("A {}.test.{kept}", "y".repeat(5))), "{asked}");
    }

    #[test]
    fn s7_3_upper_case_is_url_escaped() {
        let world =
            "example.com TXT v=spf1 -all exp=e.test\ne.test TXT http://a.test/?l=%{L}&s=%{S}";
        let evaluation = mail_from(world, IP, "x.test", "~jack&jill=up-a_b3.c@example.com");
        assert_eq!(
            evaluation.explanation.as_deref(),
            Some(
                "http://a.test/?l=~jack%26jill%3Dup-a_b3.c&s=~jack%26jill%3Dup-a_b3.c%40example.com"
            )
        );
    }

    #[test]
    fn s7_4_the_examples() {
        assert_eq!(
            expand("%{d2}|%{d1}|%{dr}|%{d2r}"),
            "example.com|com|com.example.email|example.email"
        );
        assert_eq!(expand("%{l-}|%{lr}|%{lr-}|%{l1r-}"), "strong.bad|strong-bad|bad.strong|strong");
        assert_eq!(
            expand("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}"),
            "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"
        );
        let world = "email.example.com TXT v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all\n\
                     1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com A 127.0.0.2";
        let sender = "strong-bad@email.example.com";
        assert_eq!(mail_from(world, "2001:db8::cb01", "x.test", sender).result, SpfResult::Pass);
    }
}

mod rfc8616_internationalized_mail {
    use super::*;

    #[test]
    fn s4_u_labels_become_a_labels() {
        let world = "xn--exmple-cua.test TXT v=spf1 exists:%{o}.%{d}.%{h}.t.test -all\n\
                     xn--exmple-cua.test.xn--exmple-cua.test.xn--mx-wia.test.t.test A 127.0.0.2";
        let evaluation = mail_from(world, IP, "mxä.test", "a@exämple.test");
        assert_eq!(evaluation.result, SpfResult::Pass, "{}", evaluation.trace);
        assert_eq!(evaluation.domain.unwrap().as_str(), "xn--exmple-cua.test");
    }

    #[test]
    fn s4_terms_with_a_local_part_that_is_not_ascii_match_nothing() {
        for term in ["exists:%{l}.t.test", "a:%{S}.t.test", "mx:%{l}.t.test", "include:%{L}.t.test"]
        {
            let world = format!("example.com TXT v=spf1 {term} ~all");
            let evaluation = mail_from(&world, IP, "x.test", "jürgen@example.com");
            assert_eq!(evaluation.result, SpfResult::Softfail, "{term}");
        }
        let world = "example.com TXT v=spf1 redirect=%{l}.t.test";
        let evaluation = mail_from(world, IP, "x.test", "jürgen@example.com");
        assert_eq!(evaluation.result, SpfResult::Permerror, "there is no name to redirect to");
        let world =
            "example.com TXT v=spf1 exists:%{o}.t.test -all\nexample.com.t.test A 127.0.0.2";
        assert_eq!(mail_from(world, IP, "x.test", "jürgen@example.com").result, SpfResult::Pass);
    }
}

mod looking_ahead {
    use super::*;

    fn rounds(record: &str, world: &str) -> Vec<String> {
        let world = World::read(&format!("example.com TXT {record}\n{world}"));
        let query = Query::mail_from(IP.parse().unwrap(), "x.test", "a@example.com");
        world.evaluate(&query, &Limits::default()).1
    }

    #[test]
    fn first_questions_go_out_together() {
        let world = "b.test TXT v=spf1 a:d.test a:e.test\nc.test TXT v=spf1 -all\nexample.com MX m.test\n\
                     m.test A 192.0.2.9\nd.test A 192.0.2.9\ne.test A 192.0.2.9";
        assert_eq!(
            rounds("v=spf1 include:b.test mx exists:%{l}.t.test redirect=c.test", world),
            [
                "TXT example.com",
                "A a.t.test, TXT b.test, TXT c.test, MX example.com",
                "A d.test, A e.test",
                "A m.test",
            ]
        );
    }

    #[test]
    fn what_is_never_reached_or_hangs_on_an_answer_is_not_asked() {
        assert_eq!(
            rounds("v=spf1 a -all mx redirect=c.test", "example.com A 192.0.2.9"),
            ["TXT example.com", "A example.com"]
        );
        assert_eq!(
            rounds("v=spf1 a:b.test ip4:192.0.2.1 a:c.test -all", "b.test A 192.0.2.9"),
            ["TXT example.com", "A b.test"]
        );
        let p = rounds("v=spf1 a:b.test exists:%{p}.t.test -all", "b.test A 192.0.2.9");
        assert_eq!(p[1], "A b.test");
    }

    #[test]
    fn no_more_is_asked_than_the_limit_allows() {
        let many: Vec<String> = (0..20).map(|n| format!("a:h{n:02}.test")).collect();
        let rounds = rounds(&format!("v=spf1 {} -all", many.join(" ")), "");
        assert_eq!(rounds[1].split(", ").count(), 10);
        assert_eq!(rounds.len(), 2);
    }
}

mod trace {
    use super::*;

    #[test]
    fn every_step_is_told() {
        let world = "example.com TXT v=spf1 include:b.test a redirect=c.test\n\
                     b.test TXT v=spf1 ip4:192.0.2.9 -all\nexample.com A 192.0.2.7\n\
                     c.test TXT v=spf1 mx -all exp=e.test\nc.test MX m.test";
        let evaluation = run(world, IP);
        assert_eq!(evaluation.to_string(), "fail: -all of c.test matches");
        assert_eq!(
            evaluation.trace.to_string(),
            "domain example.com\n\
             asked TXT example.com: 1 text\n\
             record v=spf1 include:b.test a redirect=c.test\n  \
               domain b.test\n  \
               asked TXT b.test: 1 text\n  \
               record v=spf1 ip4:192.0.2.9 -all\n  \
               ip4:192.0.2.9 does not match\n  \
               -all matches\n  \
               b.test says fail\n\
             include:b.test does not match (look-ups so far: 1, void: 0)\n\
             asked A example.com: 192.0.2.7\n\
             a does not match (look-ups so far: 2, void: 0)\n\
             no mechanism matches, redirect counts (look-ups so far: 3)\n  \
               domain c.test\n  \
               asked TXT c.test: 1 text\n  \
               record v=spf1 mx -all exp=e.test\n  \
               asked MX c.test: m.test\n  \
               asked A m.test: no such name\n  \
               mx does not match (look-ups so far: 4, void: 1)\n  \
               -all matches\n  \
               c.test says fail\n\
             example.com says fail\n\
             asked TXT e.test: no such name\n\
             no explanation: TXT e.test: expected one text, found 0\n"
        );
    }

    #[test]
    fn it_is_bounded() {
        let networks = "ip4:192.0.2.9 ".repeat(2_000);
        let evaluation = run(&format!("example.com TXT v=spf1 {networks}-all"), IP);
        assert_eq!(evaluation.trace.steps().len(), Limits::default().trace_steps);
        assert_eq!(evaluation.trace.omitted(), 2_005 - 500);
        assert_eq!(evaluation.result, SpfResult::Fail);
    }

    #[test]
    fn problems_say_where_and_by_which_clause() {
        let problem = |record: &str, world: &str| {
            run(&format!("example.com TXT {record}\n{world}"), IP).to_string()
        };
        assert_eq!(
            problem("v=spf1 a:1.2.3.4 -all", ""),
            "permerror: record of example.com: line 1, column 10: domain: expected it to end in a \
             macro or a top-level domain, found \"1.2.3.4\" (RFC 7208 §7.1)"
        );
        assert_eq!(
            problem("v=spf1 include:b.test", ""),
            "permerror: include leads to \"b.test\": b.test does not exist (RFC 7208 §4.3) \
             (RFC 7208 §5.2)"
        );
        assert_eq!(
            problem("v=spf1 a", "example.com A temporary"),
            "temperror: A example.com: temporary failure: as the test wants it (RFC 7208 §5)"
        );
        assert_eq!(problem("v=spf1 a", ""), "neutral: no mechanism matches (RFC 7208 §4.7)");
    }
}

#[test]
fn a_record_is_public_to_read() {
    let record = Record::parse(b"v=spf1 a -all redirect=b.test exp=c.test x=y").unwrap();
    assert_eq!(record.directives().len(), 2);
    assert!(record.redirect().is_none() && record.explanation().is_some());
    assert_eq!(record.unknown_modifiers().len(), 1);
}
