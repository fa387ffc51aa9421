//! RFC 9989 for a receiver, clause by clause, with the check of report addresses of RFC 9990 §4.
//! Each name carries the section. Who the author is stands in `author.rs`.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use sender_auth::dmarc::{
    Alignment, AlignmentMode, Author, Cause, DkimIdentity, DmarcResult, Evaluation, FailureOption,
    Identities, IdentityResult, MAX_ALIGNMENT_WALKS, MAX_QUERIES, MessageEvaluation, Misalignment,
    NoRecord, Policy, PolicyPlace, PolicyTag, Psd, Record, RefusedReportAddress, ReportAddress,
    ReportKind, SpfIdentity, TestMode, evaluate, evaluate_message, record_question, select,
    verify_report_addresses, walk,
};
use sender_auth::{Header, HeaderField};
use smtp_types::{
    DnsAnswer, DnsFailure, DnsName, DnsQuestion, DnsReply, Dnssec, DomainName, Known, Mx, Need,
    RecordData, RecordType,
};

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// A small DNS: texts by name, names that exist, names that fail. Names not mentioned do not exist.
#[derive(Clone, Default)]
struct Zone {
    texts: Vec<(String, String)>,
    existing: Vec<String>,
    aliases: Vec<(String, String)>,
    failing: Vec<(String, DnsFailure)>,
}

impl Zone {
    /// Texts at `_dmarc` of these domains.
    fn of(records: &[(&str, &str)]) -> Self {
        let mut zone = Self::default();
        for (domain, text) in records {
            zone.texts.push((format!("_dmarc.{domain}"), (*text).to_owned()));
        }
        zone
    }

    fn text(mut self, name: &str, text: &str) -> Self {
        self.texts.push((name.to_owned(), text.to_owned()));
        self
    }

    fn existing(mut self, name: &str) -> Self {
        self.existing.push(name.to_owned());
        self
    }

    fn alias(mut self, name: &str, target: &str) -> Self {
        self.aliases.push((name.to_owned(), target.to_owned()));
        self
    }

    fn failing(mut self, name: &str, failure: &DnsFailure) -> Self {
        self.failing.push((name.to_owned(), failure.clone()));
        self
    }

    fn reply(&self, question: &DnsQuestion) -> DnsReply {
        let name = question.name.as_str();
        if let Some((_, failure)) = self.failing.iter().find(|(failing, _)| failing == name) {
            return Err(failure.clone());
        }
        let alias = self.aliases.iter().find(|(alias, _)| alias == name);
        let canonical = alias.map_or(name, |(_, target)| target);
        let texts = self.texts.iter().filter(|(owner, _)| owner == canonical);
        let mut records: Vec<_> =
            texts.map(|(_, text)| RecordData::Txt(text.as_bytes().into())).collect();
        let exists = !records.is_empty() || self.existing.iter().any(|one| one == canonical);
        if question.record_type != RecordType::Txt {
            records.clear();
        }
        if question.record_type == RecordType::Mx && exists {
            let exchange = Some(DnsName::parse("mx.test").unwrap());
            records.push(RecordData::Mx(Mx { preference: 10, exchange }));
        }
        Ok(DnsAnswer {
            dnssec: Dnssec::Insecure,
            canonical_name: DnsName::parse(canonical).unwrap(),
            name_exists: exists,
            records,
            ttl: 300,
        })
    }

    /// Answers until there is a result; the questions of each round.
    fn run<T>(&self, evaluate: impl Fn(&Known) -> Result<T, Need>) -> (T, Vec<Vec<String>>) {
        let mut known = Known::default();
        let mut rounds = Vec::new();
        loop {
            let need = match evaluate(&known) {
                Ok(value) => return (value, rounds),
                Err(need) => need,
            };
            assert!(!need.dns.is_empty() && need.https.is_empty());
            rounds.push(need.dns.iter().map(ToString::to_string).collect());
            for question in need.dns {
                let reply = self.reply(&question);
                known.add_dns(question, reply);
            }
        }
    }

    fn evaluate(&self, author: &str, identities: &Identities) -> Evaluation {
        self.run(|known| evaluate(known, &name(author), identities)).0
    }

    fn organization(&self, domain: &str) -> String {
        let (walk, _) = self.run(|known| walk(known, &name(domain)));
        walk.organizational_domain().unwrap().to_string()
    }
}

fn timeout() -> DnsFailure {
    DnsFailure::Temporary { detail: "timeout".into() }
}

fn refused() -> DnsFailure {
    DnsFailure::Permanent { detail: "REFUSED".into() }
}

fn spf(domain: &str, result: IdentityResult) -> Identities {
    let spf = Some(SpfIdentity { domain: name(domain), result });
    Identities { spf, ..Identities::default() }
}

fn dkim(domains: &[&str]) -> Identities {
    let identity = |domain: &&str| DkimIdentity {
        domain: name(domain),
        selector: "s".into(),
        result: IdentityResult::Pass,
    };
    Identities { dkim: domains.iter().map(identity).collect(), ..Identities::default() }
}

fn both(mail_from: &str, signed: &[&str]) -> Identities {
    Identities { spf: spf(mail_from, IdentityResult::Pass).spf, ..dkim(signed) }
}

fn nothing() -> Identities {
    Identities::default()
}

/// Result, policy domain, tag, what is asked for.
fn told(evaluation: &Evaluation) -> (&'static str, &str, &'static str, &'static str) {
    let policy = evaluation.policy.as_ref();
    (
        evaluation.result.as_str(),
        policy.map_or("", |policy| policy.domain.as_str()),
        policy.map_or("", |policy| policy.tag.as_str()),
        policy.map_or("", |policy| policy.requested.as_str()),
    )
}

fn record(text: &str) -> Record {
    Record::parse(text.as_bytes()).unwrap()
}

mod s3_2_4_spf_domain {
    use super::*;

    #[test]
    fn s3_2_4_only_the_domain_of_mail_from_counts() {
        let zone = Zone::of(&[("good.test", "v=DMARC1; p=reject")]);
        assert_eq!(
            zone.evaluate("good.test", &spf("good.test", IdentityResult::Pass)).result,
            DmarcResult::Pass
        );
        assert_eq!(zone.evaluate("good.test", &nothing()).result, DmarcResult::Fail);
    }
}

mod s3_2_13_non_existent_domains {
    use super::*;

    const NP: &str = "v=DMARC1; p=none; sp=quarantine; np=reject";

    #[test]
    fn s3_2_13_nxdomain_is_what_does_not_exist() {
        let zone = Zone::of(&[("good.test", NP)]);
        let absent = zone.evaluate("no.good.test", &nothing());
        assert_eq!(told(&absent), ("fail", "good.test", "np", "reject"));
        let present = zone.existing("no.good.test").evaluate("no.good.test", &nothing());
        assert_eq!(told(&present), ("fail", "good.test", "sp", "quarantine"));
    }

    #[test]
    fn s3_2_13_an_alias_exists_wherever_it_leads() {
        let zone = Zone::of(&[("good.test", NP)]).alias("a.good.test", "gone.test");
        assert_eq!(told(&zone.evaluate("a.good.test", &nothing())).2, "sp");
    }

    #[test]
    fn s3_2_13_one_type_that_is_known_is_enough() {
        let mut known = Known::default();
        let zone = Zone::of(&[("good.test", NP)]);
        let author = name("a.good.test");
        let present = Zone::default().existing("a.good.test");
        let mx = DnsQuestion::new(&author, RecordType::Mx);
        known.add_dns(mx.clone(), present.reply(&mx));
        let evaluation = loop {
            match evaluate(&known, &author, &nothing()) {
                Ok(evaluation) => break evaluation,
                Err(need) => need.dns.into_iter().for_each(|question| {
                    let reply = zone.reply(&question);
                    known.add_dns(question, reply);
                }),
            }
        };
        assert_eq!(evaluation.policy.unwrap().tag, PolicyTag::Sp);
    }

    #[test]
    fn s3_2_13_it_is_asked_only_if_it_matters() {
        let asked = |text: &str, author: &str| {
            let zone = Zone::of(&[("good.test", text)]);
            let (_, rounds) = zone.run(|known| evaluate(known, &name(author), &nothing()));
            rounds.concat().into_iter().filter(|one| !one.starts_with("TXT")).collect::<Vec<_>>()
        };
        let types = ["A a.good.test", "AAAA a.good.test", "MX a.good.test"];
        assert_eq!(asked(NP, "a.good.test"), types);
        assert_eq!(asked(NP, "good.test"), [""; 0]);
        assert_eq!(asked("v=DMARC1; p=none; sp=reject", "a.good.test"), [""; 0]);
    }
}

mod s4_5_record {
    use super::*;

    #[test]
    fn s4_5_the_record_stands_at_dmarc_below_the_domain() {
        let question = record_question(&name("good.test")).unwrap();
        assert_eq!(question.to_string(), "TXT _dmarc.good.test");
    }
}

mod s4_7_tags {
    use super::*;

    #[test]
    fn s4_7_defaults() {
        let record = record("v=DMARC1; p=quarantine");
        assert_eq!(record.p(), Some(Policy::Quarantine));
        assert_eq!((record.sp(), record.np()), (None, None));
        assert_eq!(record.test_mode(), TestMode::Applied);
        assert_eq!(record.psd(), Psd::Unknown);
        assert_eq!(record.dkim_alignment(), AlignmentMode::Relaxed);
        assert_eq!(record.spf_alignment(), AlignmentMode::Relaxed);
        assert_eq!((record.rua().len(), record.ruf().len()), (0, 0));
    }

    #[test]
    fn s4_7_unknown_tags_are_ignored() {
        assert_eq!(record("v=DMARC1; x=1; p=reject; x=2"), record("v=DMARC1; p=reject"));
    }

    #[test]
    fn s4_7_v_comes_first_and_is_case_sensitive() {
        for text in [
            "v=dmarc1; p=reject",
            "v=DMARC1x; p=reject",
            "v=DMARC2; p=reject",
            "p=reject; v=DMARC1",
            "p=reject",
            "v=DMARC1 p=reject",
            "v=DMARC1,p=reject",
        ] {
            let zone = Zone::of(&[("good.test", text)]);
            assert_eq!(told(&zone.evaluate("good.test", &nothing())).0, "none", "{text}");
        }
    }

    #[test]
    fn s4_7_fo_is_ignored_without_ruf() {
        assert_eq!(record("v=DMARC1; p=none; fo=1").failure_options(), None);
        let with_ruf = record("v=DMARC1; p=none; fo=1:d; ruf=mailto:a@good.test");
        let options = with_ruf.failure_options().unwrap();
        assert!(options.contains(FailureOption::Any) && options.contains(FailureOption::Dkim));
        assert!(!options.contains(FailureOption::All) && !options.contains(FailureOption::Spf));
    }

    #[test]
    fn s4_7_np_falls_back_to_sp_and_sp_to_p() {
        let asked = |text: &str| {
            let zone = Zone::of(&[("good.test", text)]);
            let evaluation = zone.evaluate("no.good.test", &nothing());
            let policy = evaluation.policy.unwrap();
            (policy.tag, policy.requested)
        };
        assert_eq!(asked("v=DMARC1; p=reject"), (PolicyTag::P, Policy::Reject));
        assert_eq!(asked("v=DMARC1; p=reject; sp=none"), (PolicyTag::Sp, Policy::None));
        let all = "v=DMARC1; p=reject; sp=none; np=quarantine";
        assert_eq!(asked(all), (PolicyTag::Np, Policy::Quarantine));
        assert_eq!(asked("v=DMARC1; p=none; np=reject"), (PolicyTag::Np, Policy::Reject));
    }

    #[test]
    fn s4_7_sp_does_not_speak_of_the_domain_itself() {
        let zone = Zone::of(&[("good.test", "v=DMARC1; p=reject; sp=none; np=none")]);
        assert_eq!(
            told(&zone.evaluate("good.test", &nothing())),
            ("fail", "good.test", "p", "reject")
        );
    }

    #[test]
    fn s4_7_t_lowers_the_policy_by_one_level() {
        let asked = |text: &str| {
            let zone = Zone::of(&[("good.test", text)]);
            let evaluation = zone.evaluate("good.test", &nothing());
            let disposition = evaluation.disposition();
            let policy = evaluation.policy.unwrap();
            assert_eq!(disposition, policy.requested);
            (policy.published, policy.requested)
        };
        assert_eq!(asked("v=DMARC1; p=reject; t=y"), (Policy::Reject, Policy::Quarantine));
        assert_eq!(asked("v=DMARC1; p=quarantine; t=Y"), (Policy::Quarantine, Policy::None));
        assert_eq!(asked("v=DMARC1; p=none; t=y"), (Policy::None, Policy::None));
        assert_eq!(asked("v=DMARC1; p=reject; t=n"), (Policy::Reject, Policy::Reject));
        assert_eq!(asked("v=DMARC1; p=reject; t=yes"), (Policy::Reject, Policy::Reject));
    }
}

mod s4_8_grammar {
    use super::*;

    #[test]
    fn s4_8_white_space_around_equals_and_semicolons() {
        assert_eq!(record("v = DMARC1 ;\tp\t= reject ; "), record("v=DMARC1;p=reject"));
    }

    #[test]
    fn s4_8_words_are_compared_without_case() {
        let text = "v=DMARC1; p=Reject; adkim=S; aspf=S; psd=N; t=Y";
        assert_eq!(record(text), record("v=DMARC1; p=reject; adkim=s; aspf=s; psd=n; t=y"));
    }

    #[test]
    fn s4_8_syntax_errors_fall_back_to_defaults() {
        let text = "v=DMARC1; adkim=x; aspf=; fo=9; psd=1; t=2; junk; ;p=reject";
        assert_eq!(record(text), record("v=DMARC1; p=reject"));
    }

    #[test]
    fn s4_8_a_bad_uri_spoils_only_itself() {
        let record = record("v=DMARC1; p=none; rua=x@good.test,mailto:a@good.test!10m");
        assert_eq!(record.rua().len(), 1);
        assert_eq!(record.rua()[0].as_str(), "mailto:a@good.test");
    }

    #[test]
    fn rfc6376_s3_2_a_repeated_tag_spoils_the_record() {
        let text = "v=DMARC1; p=reject; p=none";
        assert!(matches!(select([text.as_bytes()]), Err(NoRecord::Invalid(_))));
        let zone = Zone::of(&[("a.good.test", text), ("good.test", "v=DMARC1; p=quarantine")]);
        let evaluation = zone.evaluate("a.good.test", &nothing());
        assert_eq!(told(&evaluation), ("fail", "good.test", "p", "quarantine"));
    }
}

mod s4_10_tree_walk {
    use super::*;

    fn asked(author: &str) -> Vec<String> {
        let zone = Zone::default();
        let (walk, rounds) = zone.run(|known| walk(known, &name(author)));
        assert_eq!(rounds.len(), 1, "all names of a walk are asked at once");
        assert_eq!(rounds[0].len(), walk.steps().len());
        walk.steps().iter().map(|step| format!("_dmarc.{}", step.domain)).collect()
    }

    #[test]
    fn s4_10_a_long_name_takes_eight_queries() {
        let expected = [
            "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "_dmarc.g.h.i.j.mail.example.com",
            "_dmarc.h.i.j.mail.example.com",
            "_dmarc.i.j.mail.example.com",
            "_dmarc.j.mail.example.com",
            "_dmarc.mail.example.com",
            "_dmarc.example.com",
            "_dmarc.com",
        ];
        assert_eq!(asked("a.b.c.d.e.f.g.h.i.j.mail.example.com"), expected);
        assert_eq!(expected.len(), MAX_QUERIES);
    }

    #[test]
    fn s4_10_seven_eight_and_nine_labels() {
        assert_eq!(asked("b.c.d.e.f.example.com").len(), 7);
        let eight = asked("a.b.c.d.e.f.example.com");
        assert_eq!((eight.len(), eight[1].as_str()), (8, "_dmarc.b.c.d.e.f.example.com"));
        let nine = asked("x.a.b.c.d.e.f.example.com");
        assert_eq!((nine.len(), nine[1].as_str()), (8, "_dmarc.b.c.d.e.f.example.com"));
    }

    #[test]
    fn s4_10_the_walk_goes_up_to_the_last_label() {
        assert_eq!(asked("example.com"), ["_dmarc.example.com", "_dmarc.com"]);
        assert_eq!(asked("com"), ["_dmarc.com"]);
    }

    #[test]
    fn s4_10_several_records_at_one_name_are_discarded() {
        let zone = Zone::of(&[
            ("mail.good.test", "v=DMARC1; p=reject; psd=n"),
            ("mail.good.test", "v=DMARC1; p=none"),
            ("good.test", "v=DMARC1; p=none; sp=quarantine"),
        ]);
        let evaluation = zone.evaluate("mail.good.test", &nothing());
        assert_eq!(told(&evaluation), ("fail", "good.test", "sp", "quarantine"));
        let zone = Zone::of(&[("good.test", "v=DMARC1; p=reject"), ("good.test", "v=DMARC1")]);
        assert_eq!(zone.evaluate("good.test", &nothing()).cause, Cause::NoRecord);
    }

    #[test]
    fn s4_10_other_texts_are_discarded() {
        let zone = Zone::of(&[
            ("good.test", "v=spf1 -all"),
            ("good.test", "v=DMARC1; p=reject"),
            ("good.test", "some text"),
        ]);
        assert_eq!(told(&zone.evaluate("good.test", &nothing())).3, "reject");
    }

    #[test]
    fn s4_10_psd_y_and_n_end_the_walk_and_u_does_not() {
        for (flag, steps) in [("y", 2), ("n", 2), ("u", 4), ("x", 4)] {
            let text = format!("v=DMARC1; p=none; psd={flag}");
            let zone = Zone::of(&[("b.good.test", text.as_str())]);
            let (walk, _) = zone.run(|known| walk(known, &name("a.b.good.test")));
            assert_eq!(walk.steps().len(), steps, "{flag}");
        }
    }

    #[test]
    fn s4_10_a_name_that_would_be_too_long_has_no_record() {
        let long = [&["a".repeat(50).as_str(); 4].join("."), "a".repeat(35).as_str(), "good.test"]
            .join(".");
        assert_eq!(long.len(), 249);
        let zone = Zone::of(&[("good.test", "v=DMARC1; p=reject")]);
        let (evaluation, rounds) = zone.run(|known| evaluate(known, &name(&long), &nothing()));
        assert_eq!(told(&evaluation), ("fail", "good.test", "p", "reject"));
        assert_eq!(rounds[0].len(), 6);
    }
}

mod s4_10_1_policy_discovery {
    use super::*;

    #[test]
    fn s4_10_1_the_author_domain_comes_first() {
        let zone = Zone::of(&[
            ("mail.good.test", "v=DMARC1; p=none"),
            ("good.test", "v=DMARC1; p=reject; sp=reject"),
        ]);
        let evaluation = zone.evaluate("mail.good.test", &nothing());
        assert_eq!(told(&evaluation), ("fail", "mail.good.test", "p", "none"));
        assert_eq!(evaluation.policy.unwrap().place, PolicyPlace::AuthorDomain);
        assert_eq!(evaluation.organizational_domain, Ok(name("good.test")));
    }

    #[test]
    fn s4_10_1_then_the_organizational_domain_and_not_what_lies_between() {
        let zone =
            Zone::of(&[("b.good.test", "v=DMARC1; p=none"), ("good.test", "v=DMARC1; p=reject")]);
        let evaluation = zone.evaluate("a.b.good.test", &nothing());
        assert_eq!(told(&evaluation), ("fail", "good.test", "p", "reject"));
        assert_eq!(evaluation.policy.unwrap().place, PolicyPlace::OrganizationalDomain);
    }

    #[test]
    fn s4_10_1_then_the_public_suffix_domain() {
        let zone = Zone::of(&[("bank.test", "v=DMARC1; p=reject; sp=quarantine; psd=y")]);
        let evaluation = zone.evaluate("mail.giant.bank.test", &dkim(&["giant.bank.test"]));
        assert_eq!(told(&evaluation), ("pass", "bank.test", "sp", "quarantine"));
        assert_eq!(evaluation.organizational_domain, Ok(name("giant.bank.test")));
        assert_eq!(evaluation.policy.unwrap().place, PolicyPlace::PublicSuffixDomain);
    }

    #[test]
    fn s4_10_1_the_public_suffix_is_not_asked_if_the_organization_has_a_record() {
        let zone = Zone::of(&[
            ("giant.bank.test", "v=DMARC1; p=none"),
            ("bank.test", "v=DMARC1; p=reject; psd=y; rua=mailto:a@bank.test"),
        ]);
        let evaluation = zone.evaluate("giant.bank.test", &nothing());
        assert_eq!(told(&evaluation), ("fail", "giant.bank.test", "p", "none"));
        assert_eq!(evaluation.policy.unwrap().record.rua(), []);
    }

    #[test]
    fn s4_10_1_a_record_between_organization_and_author_does_not_count() {
        let zone = Zone::of(&[
            ("b.giant.bank.test", "v=DMARC1; p=reject"),
            ("bank.test", "v=DMARC1; p=none; psd=y"),
        ]);
        let evaluation = zone.evaluate("a.b.giant.bank.test", &nothing());
        assert_eq!(told(&evaluation), ("fail", "bank.test", "p", "none"));
    }

    #[test]
    fn s4_10_1_np_of_a_public_suffix() {
        let text = "v=DMARC1; p=none; sp=none; np=reject; psd=y";
        let zone = Zone::of(&[("gov.test", text)]);
        let evaluation = zone.evaluate("fake.gov.test", &nothing());
        assert_eq!(told(&evaluation), ("fail", "gov.test", "np", "reject"));
    }

    #[test]
    fn s4_10_1_no_valid_p_but_a_place_for_reports_is_none() {
        for tags in [
            "rua=mailto:a@good.test",
            "p=block; rua=mailto:a@good.test",
            "p=reject; sp=block; rua=mailto:a@good.test",
            "p=reject; np=; rua=mailto:a@good.test!10m",
            "p=; rua=https://good.test/",
            "p=block; rua=x, mailto:",
        ] {
            let zone = Zone::of(&[("good.test", &*format!("v=DMARC1; {tags}; adkim=s"))]);
            let evaluation = zone.evaluate("good.test", &dkim(&["a.good.test"]));
            assert_eq!(told(&evaluation), ("fail", "good.test", "p", "none"), "{tags}");
            let below = zone.existing("a.good.test").evaluate("a.good.test", &nothing());
            assert_eq!(told(&below), ("fail", "good.test", "p", "none"), "{tags}");
        }
    }

    #[test]
    fn s4_10_1_neither_means_no_processing() {
        for tags in ["adkim=s", "p=block", "p=reject; sp=block", "p=reject; np=", "rua=a@good.test"]
        {
            let zone = Zone::of(&[
                ("mail.good.test", &*format!("v=DMARC1; {tags}")),
                ("good.test", "v=DMARC1; p=reject"),
            ]);
            let evaluation = zone.evaluate("mail.good.test", &dkim(&["mail.good.test"]));
            assert_eq!(told(&evaluation), ("none", "", "", ""), "{tags}");
            assert_eq!(evaluation.cause, Cause::NoPolicy { domain: name("mail.good.test") });
        }
    }

    #[test]
    fn s4_7_a_missing_p_leaves_sp_in_force() {
        let zone = Zone::of(&[("good.test", "v=DMARC1; sp=reject; rua=mailto:a@good.test")]);
        assert_eq!(told(&zone.evaluate("a.good.test", &nothing())).3, "reject");
        assert_eq!(told(&zone.evaluate("good.test", &nothing())).3, "none");
    }

    #[test]
    fn s4_10_1_no_record_means_that_dmarc_does_not_apply() {
        let evaluation = Zone::default().evaluate("good.test", &dkim(&["good.test"]));
        assert_eq!((evaluation.result, &evaluation.cause), (DmarcResult::None, &Cause::NoRecord));
        assert_eq!(evaluation.disposition(), Policy::None);
        assert_eq!(evaluation.dkim[0].alignment, None);
    }
}

mod s4_10_2_alignment {
    use super::*;

    fn aligned(zone: &Zone, author: &str, domain: &str) -> Option<Alignment> {
        let by_dkim = zone.evaluate(author, &dkim(&[domain])).dkim.remove(0).alignment;
        let by_spf = zone.evaluate(author, &spf(domain, IdentityResult::Pass)).spf.unwrap();
        assert_eq!(by_dkim, by_spf.alignment);
        by_dkim
    }

    fn relaxed(domain: &str) -> Option<Alignment> {
        Some(Alignment::Relaxed { organizational_domain: name(domain) })
    }

    #[test]
    fn s4_4_the_table_of_examples() {
        let zone = Zone::of(&[("example.com", "v=DMARC1; p=reject")]);
        assert_eq!(aligned(&zone, "news.example.com", "foo.example.com"), relaxed("example.com"));
        assert_eq!(aligned(&zone, "news.example.com", "news.example.com"), Some(Alignment::Strict));
        let organizational_domain = name("example.com");
        let elsewhere = Misalignment::Elsewhere { organizational_domain };
        assert_eq!(
            aligned(&zone, "news.example.com", "foo.example.net"),
            Some(Alignment::None(elsewhere.clone()))
        );
        assert_eq!(
            aligned(&zone, "news.example.com", "badexample.com"),
            Some(Alignment::None(elsewhere))
        );
    }

    #[test]
    fn s3_2_10_2_strict_wants_the_same_domain() {
        let zone = Zone::of(&[("good.test", "v=DMARC1; p=reject; adkim=s")]);
        let strict = zone.evaluate("good.test", &dkim(&["a.good.test"]));
        assert_eq!(strict.dkim[0].alignment, Some(Alignment::None(Misalignment::StrictMode)));
        assert_eq!(strict.result, DmarcResult::Fail);
        assert_eq!(zone.evaluate("good.test", &dkim(&["good.test"])).result, DmarcResult::Pass);
        let relaxed = zone.evaluate("good.test", &spf("a.good.test", IdentityResult::Pass));
        assert_eq!(relaxed.result, DmarcResult::Pass, "aspf is its own tag");
    }

    #[test]
    fn s4_10_2_psd_n_is_the_organizational_domain() {
        let zone = Zone::of(&[
            ("mail.good.test", "v=DMARC1; p=reject; psd=n"),
            ("good.test", "v=DMARC1; p=reject"),
        ]);
        assert_eq!(zone.organization("a.mail.good.test"), "mail.good.test");
        assert_eq!(aligned(&zone, "mail.good.test", "a.mail.good.test"), relaxed("mail.good.test"));
        assert!(!aligned(&zone, "mail.good.test", "good.test").unwrap().is_aligned());
        let own = Misalignment::OtherOrganization {
            organizational_domain: name("good.test"),
            own: name("mail.good.test"),
        };
        assert_eq!(aligned(&zone, "good.test", "mail.good.test"), Some(Alignment::None(own)));
    }

    #[test]
    fn s4_10_2_one_label_below_psd_y_is_the_organizational_domain() {
        let zone = Zone::of(&[("com", "v=DMARC1; p=none; psd=y")]);
        assert_eq!(zone.organization("a.mail.example.com"), "example.com");
        let zone = Zone::of(&[("example.com", "v=DMARC1; p=none; psd=y")]);
        assert_eq!(zone.organization("a.mail.example.com"), "mail.example.com");
        assert_eq!(zone.organization("mail.example.com"), "mail.example.com");
    }

    #[test]
    fn s4_10_2_psd_y_where_the_walk_begins_is_passed_over() {
        let zone = Zone::of(&[("bank.test", "v=DMARC1; p=reject; psd=y")]);
        assert_eq!(zone.organization("bank.test"), "bank.test");
        assert!(!aligned(&zone, "bank.test", "mail.bank.test").unwrap().is_aligned());
        assert!(!aligned(&zone, "giant.bank.test", "bank.test").unwrap().is_aligned());
        assert!(!aligned(&zone, "giant.bank.test", "mega.bank.test").unwrap().is_aligned());
    }

    #[test]
    fn s4_10_2_psd_y_above_names_that_the_walk_jumps_over() {
        let zone = Zone::of(&[("3.4.5.6.7.8.test", "v=DMARC1; p=reject; psd=y")]);
        assert_eq!(zone.organization("a.b.c.2.3.4.5.6.7.8.test"), "2.3.4.5.6.7.8.test");
    }

    #[test]
    fn s4_10_2_else_the_record_with_the_fewest_labels() {
        let zone = Zone::of(&[
            ("mail.example.com", "v=DMARC1; p=none"),
            ("example.com", "v=DMARC1; p=none"),
        ]);
        assert_eq!(zone.organization("a.mail.example.com"), "example.com");
    }

    #[test]
    fn s4_10_2_else_the_domain_itself() {
        assert_eq!(Zone::default().organization("a.mail.example.com"), "a.mail.example.com");
        let zone = Zone::of(&[("mail.good.test", "v=DMARC1; p=reject")]);
        assert!(!aligned(&zone, "mail.good.test", "good.test").unwrap().is_aligned());
        assert!(!aligned(&zone, "mail.good.test", "bounce.good.test").unwrap().is_aligned());
    }

    #[test]
    fn s4_10_2_no_walk_where_none_is_needed() {
        let zone = Zone::of(&[("good.test", "v=DMARC1; p=reject")]);
        let rounds = |identities: &Identities| {
            zone.run(|known| evaluate(known, &name("good.test"), identities)).1
        };
        let walk = ["TXT _dmarc.good.test", "TXT _dmarc.test"];
        assert_eq!(rounds(&both("good.test", &["evil.test", "test"])), [walk]);
        let below = rounds(&both("a.good.test", &["b.good.test"]));
        assert_eq!(below[0], walk);
        assert_eq!(below[1], ["TXT _dmarc.a.good.test", "TXT _dmarc.b.good.test"]);
        assert_eq!(below.len(), 2, "all walks are made side by side");
    }

    #[test]
    fn s4_10_2_the_number_of_walks_is_bounded() {
        let zone = Zone::of(&[("good.test", "v=DMARC1; p=reject; psd=n")]);
        let domains: Vec<String> = (0..50).map(|one| format!("d{one}.x.good.test")).collect();
        let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        let none =
            Zone::of(&[("good.test", "v=DMARC1; p=reject"), ("x.good.test", "v=DMARC1; psd=n")]);
        let author = name("good.test");
        let (evaluation, rounds) = none.run(|known| evaluate(known, &author, &dkim(&domains)));
        assert_eq!(evaluation.result, DmarcResult::Fail);
        assert_eq!(rounds[1].len(), MAX_ALIGNMENT_WALKS + 1);
        let limit = MAX_ALIGNMENT_WALKS;
        assert_eq!(
            evaluation.dkim[49].alignment,
            Some(Alignment::None(Misalignment::TooMany { limit }))
        );
        // What needs no walk still counts.
        let last = [&domains[..], &["good.test"]].concat();
        assert_eq!(zone.evaluate("good.test", &dkim(&last)).result, DmarcResult::Pass);
    }
}

mod s5_3_result {
    use super::*;

    const REJECT: &str = "v=DMARC1; p=reject";

    #[test]
    fn s5_3_5_one_aligned_identity_is_enough() {
        let zone = Zone::of(&[("good.test", REJECT)]);
        for identities in [
            both("good.test", &[]),
            both("evil.test", &["evil.test", "good.test"]),
            both("a.good.test", &["evil.test"]),
        ] {
            let evaluation = zone.evaluate("good.test", &identities);
            assert_eq!(evaluation.result, DmarcResult::Pass);
            assert_eq!(evaluation.cause, Cause::Aligned);
            assert_eq!(evaluation.disposition(), Policy::None);
        }
    }

    #[test]
    fn s5_3_5_no_aligned_identity_is_a_failure() {
        let zone = Zone::of(&[("good.test", REJECT)]);
        for identities in
            [nothing(), both("evil.test", &["evil.test"]), spf("good.test", IdentityResult::Fail)]
        {
            let evaluation = zone.evaluate("good.test", &identities);
            assert_eq!(evaluation.cause, Cause::NotAligned);
            assert_eq!(evaluation.disposition(), Policy::Reject);
        }
    }

    #[test]
    fn s5_3_6_dns_errors_before_a_record_is_found() {
        let zone = Zone::of(&[("good.test", REJECT)]);
        let at = |name: &str, failure: &DnsFailure| {
            let zone = zone.clone().failing(name, failure);
            zone.evaluate("mail.good.test", &dkim(&["good.test"])).result
        };
        assert_eq!(at("_dmarc.mail.good.test", &timeout()), DmarcResult::Temperror);
        assert_eq!(at("_dmarc.good.test", &timeout()), DmarcResult::Temperror);
        assert_eq!(at("_dmarc.test", &timeout()), DmarcResult::Temperror);
        assert_eq!(at("_dmarc.good.test", &refused()), DmarcResult::Permerror);
        let bogus = DnsFailure::Bogus { detail: "signature expired".into() };
        assert_eq!(at("_dmarc.good.test", &bogus), DmarcResult::Temperror);
    }

    #[test]
    fn s5_3_6_dns_errors_behind_the_end_of_the_walk_do_no_harm() {
        let zone = Zone::of(&[("good.test", "v=DMARC1; p=reject; psd=n")]);
        let zone = zone.failing("_dmarc.test", &timeout());
        let evaluation = zone.evaluate("mail.good.test", &dkim(&["good.test"]));
        assert_eq!(evaluation.result, DmarcResult::Pass);
    }

    #[test]
    fn s5_3_6_dns_errors_above_the_author_domain() {
        let zone = Zone::of(&[("good.test", REJECT)]).failing("_dmarc.test", &timeout());
        let same = zone.evaluate("good.test", &dkim(&["good.test"]));
        assert_eq!(told(&same), ("pass", "good.test", "p", "reject"));
        let other = zone.evaluate("good.test", &dkim(&["mail.good.test"]));
        assert_eq!(told(&other), ("temperror", "good.test", "p", "reject"));
        assert!(matches!(other.cause, Cause::Alignment(_)));
        assert_eq!(other.disposition(), Policy::None);
        assert_eq!(zone.evaluate("good.test", &nothing()).result, DmarcResult::Fail);
        let strict = Zone::of(&[("good.test", "v=DMARC1; p=reject; adkim=s")]);
        let strict = strict.failing("_dmarc.test", &timeout());
        let evaluation = strict.evaluate("good.test", &dkim(&["mail.good.test"]));
        assert_eq!(evaluation.result, DmarcResult::Fail);
    }

    #[test]
    fn s5_3_6_dns_errors_of_the_walk_of_an_identity() {
        let zone = Zone::of(&[("good.test", REJECT)]).failing("_dmarc.a.good.test", &timeout());
        let alone = zone.evaluate("good.test", &dkim(&["a.good.test"]));
        assert_eq!(alone.result, DmarcResult::Temperror);
        let beside = zone.evaluate("good.test", &both("b.good.test", &["a.good.test"]));
        assert_eq!(beside.result, DmarcResult::Pass);
    }

    #[test]
    fn s5_3_6_temporary_errors_of_spf_and_dkim() {
        let zone = Zone::of(&[("good.test", REJECT)]);
        let unsure = |domain: &str| spf(domain, IdentityResult::TemporaryError);
        let might = zone.evaluate("good.test", &unsure("a.good.test"));
        assert_eq!(might.result, DmarcResult::Temperror);
        assert_eq!(might.cause, Cause::Identity { domain: name("a.good.test") });
        let cannot = zone.evaluate("good.test", &unsure("evil.test"));
        assert_eq!(cannot.result, DmarcResult::Fail);
        let other = Identities { dkim: dkim(&["good.test"]).dkim, ..unsure("good.test") };
        assert_eq!(zone.evaluate("good.test", &other).result, DmarcResult::Pass);
    }

    #[test]
    fn s5_3_6_dns_errors_about_existence_matter_if_the_policy_depends_on_it() {
        let zone = Zone::of(&[("good.test", "v=DMARC1; p=reject; sp=none; np=quarantine")]);
        let zone = zone.failing("a.good.test", &timeout());
        let failed = zone.evaluate("a.good.test", &nothing());
        assert_eq!(failed.cause, Cause::Existence(timeout()));
        assert_eq!(failed.result, DmarcResult::Temperror);
        assert_eq!(zone.evaluate("a.good.test", &dkim(&["good.test"])).result, DmarcResult::Pass);
        let same = Zone::of(&[("good.test", "v=DMARC1; p=none; sp=reject; np=reject")]);
        let same = same.failing("a.good.test", &timeout());
        assert_eq!(told(&same.evaluate("a.good.test", &nothing())).0, "fail");
    }

    #[test]
    fn s5_3_6_what_may_be_known_later_counts_more() {
        let zone = Zone::of(&[("good.test", REJECT)])
            .failing("_dmarc.a.good.test", &refused())
            .failing("_dmarc.b.good.test", &timeout());
        let evaluate = |domains: &[&str]| zone.evaluate("good.test", &dkim(domains)).result;
        assert_eq!(evaluate(&["a.good.test"]), DmarcResult::Permerror);
        assert_eq!(evaluate(&["a.good.test", "b.good.test"]), DmarcResult::Temperror);
    }
}

mod s11_5_several_authors {
    use super::*;

    fn message(zone: &Zone, from: &[&str], identities: &Identities) -> MessageEvaluation {
        let fields = from.iter().map(|from| HeaderField::new(b"From", from.as_bytes()).unwrap());
        let author = Author::read(&fields.collect::<Header>());
        zone.run(|known| evaluate_message(known, &author, identities)).0
    }

    fn zone() -> Zone {
        Zone::of(&[
            ("good.test", "v=DMARC1; p=reject"),
            ("soft.test", "v=DMARC1; p=quarantine"),
            ("evil.test", "v=DMARC1; p=none"),
        ])
    }

    #[test]
    fn s5_3_2_one_author_is_the_usual_case() {
        let evaluation = message(&zone(), &["a@evil.test"], &dkim(&["evil.test"]));
        assert_eq!((evaluation.result, evaluation.fault.clone()), (DmarcResult::Pass, None));
        assert_eq!(evaluation.deciding().unwrap().author, name("evil.test"));
    }

    #[test]
    fn s11_5_the_strictest_policy_of_those_that_fail_applies() {
        let passing = dkim(&["evil.test"]);
        let one = message(&zone(), &["a@evil.test, b@good.test"], &passing);
        assert_eq!((one.result, one.disposition()), (DmarcResult::Fail, Policy::Reject));
        assert_eq!(one.deciding().unwrap().author, name("good.test"));
        let all = message(&zone(), &["a@soft.test, b@evil.test, c@good.test"], &nothing());
        assert_eq!(all.disposition(), Policy::Reject);
        assert_eq!(all.deciding().unwrap().author, name("good.test"));
    }

    #[test]
    fn s11_5_a_message_passes_only_for_all_its_authors() {
        let two = "a@evil.test, b@good.test";
        let both = message(&zone(), &[two], &dkim(&["evil.test", "good.test"]));
        assert_eq!(both.result, DmarcResult::Pass);
        let unknown = message(&zone(), &["a@evil.test, b@other.test"], &dkim(&["evil.test"]));
        assert_eq!(unknown.result, DmarcResult::None);
    }

    #[test]
    fn s11_5_nobody_escapes_a_policy_by_breaking_the_grammar() {
        let passing = dkim(&["evil.test"]);
        for from in [
            &["b@evil.test", "a@good.test"][..],
            &["a@good.test <b@evil.test>"],
            &["<a@good.test><b@evil.test>"],
            &["a@good.test b@evil.test"],
            &["a@good.test\0b@evil.test"],
            &["=?utf-8?q?a@good.test?= <b@evil.test>"],
            &["b@evil.test, \"a@good.test"],
        ] {
            let evaluation = message(&zone(), from, &passing);
            assert_eq!(evaluation.result, DmarcResult::Fail, "{from:?}");
            assert_eq!(evaluation.disposition(), Policy::Reject, "{from:?}");
        }
    }

    #[test]
    fn s4_4_a_field_at_fault_is_never_a_pass() {
        let passing = dkim(&["evil.test"]);
        for from in [&["b@evil.test"; 2][..], &[], &["<>"], &["x:;"], &["<b@evil.test"]] {
            let evaluation = message(&zone(), from, &passing);
            assert_eq!(evaluation.result, DmarcResult::Permerror, "{from:?}");
            assert!(evaluation.fault.is_some());
        }
    }

    #[test]
    fn s11_5_walks_for_several_authors_are_made_side_by_side() {
        let author = HeaderField::new(b"From", b"a@good.test, b@evil.test").unwrap();
        let author = Author::read(&[author].into_iter().collect::<Header>());
        let (_, rounds) = zone().run(|known| evaluate_message(known, &author, &nothing()));
        assert_eq!(rounds, [["TXT _dmarc.evil.test", "TXT _dmarc.good.test", "TXT _dmarc.test"]]);
    }
}

mod b_examples {
    use super::*;

    #[test]
    fn sb_1_1_and_sb_1_2_alignment() {
        for (mode, strict) in [("r", false), ("s", true)] {
            let text = format!("v=DMARC1; p=reject; adkim={mode}; aspf={mode}");
            let zone = Zone::of(&[("example.com", &text), ("example.net", &text)]);
            for (author, domain, related) in [
                ("example.com", "example.com", true),
                ("example.com", "child.example.com", !strict),
                ("child.example.com", "example.com", !strict),
                ("child.example.com", "example.net", false),
            ] {
                let by_spf = zone.evaluate(author, &spf(domain, IdentityResult::Pass));
                let by_dkim = zone.evaluate(author, &dkim(&[domain]));
                let expected = if related { DmarcResult::Pass } else { DmarcResult::Fail };
                assert_eq!(by_spf.result, expected, "{mode} {author} {domain}");
                assert_eq!(by_dkim.result, expected, "{mode} {author} {domain}");
            }
        }
    }

    #[test]
    fn sb_2_the_records_of_the_domain_owner() {
        for text in [
            "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com",
            "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@example.com",
            "v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net; t=y",
        ] {
            let record = record(text);
            assert!(record.p().is_some() && !record.rua().is_empty(), "{text}");
            assert!(record.rua().iter().all(|uri| uri.address().is_some()), "{text}");
        }
    }

    #[test]
    fn sb_4_1_a_simple_organization() {
        let zone = Zone::of(&[
            ("example.com", "v=DMARC1; p=reject"),
            ("signing.example.com", "v=DMARC1; p=reject"),
        ]);
        let evaluation =
            zone.evaluate("example.com", &both("example.com", &["signing.example.com"]));
        assert_eq!(evaluation.organizational_domain, Ok(name("example.com")));
        assert!(evaluation.spf.unwrap().is_aligned_pass());
        assert!(evaluation.dkim[0].is_aligned_pass());
    }

    #[test]
    fn sb_4_2_a_deep_walk() {
        let zone = Zone::of(&[
            ("example.com", "v=DMARC1; p=reject"),
            ("signing.example.com", "v=DMARC1; p=reject"),
        ]);
        let author = "a.b.c.d.e.f.g.h.i.j.k.example.com";
        let evaluation = zone.evaluate(author, &both("example.com", &["signing.example.com"]));
        assert_eq!(told(&evaluation), ("pass", "example.com", "p", "reject"));
        assert!(evaluation.spf.unwrap().is_aligned_pass());
        assert!(evaluation.dkim[0].is_aligned_pass());
        assert_eq!(evaluation.walk.steps().len(), 8);
    }

    #[test]
    fn sb_4_3_a_public_suffix() {
        let zone = Zone::of(&[
            ("giant.bank.example", "v=DMARC1; p=quarantine"),
            ("bank.example", "v=DMARC1; p=reject; psd=y; rua=mailto:a@bank.example"),
        ]);
        let identities = both("mail.giant.bank.example", &["mail.mega.bank.example"]);
        let evaluation = zone.evaluate("giant.bank.example", &identities);
        assert_eq!(told(&evaluation), ("pass", "giant.bank.example", "p", "quarantine"));
        assert_eq!(evaluation.organizational_domain, Ok(name("giant.bank.example")));
        assert!(evaluation.spf.unwrap().is_aligned_pass());
        assert!(!evaluation.dkim[0].is_aligned_pass());
        assert_eq!(zone.organization("mail.mega.bank.example"), "mega.bank.example");
    }
}

mod rfc9990_s4_external_destinations {
    use super::*;

    fn check(zone: &Zone, uris: &str) -> Vec<ReportAddress> {
        let record = record(&format!("v=DMARC1; p=none; rua={uris}"));
        let policy_domain = name("blue.example.com");
        let checked = |known: &Known| {
            verify_report_addresses(known, &policy_domain, record.rua(), ReportKind::Aggregate)
        };
        zone.run(checked).0.into_iter().map(|checked| checked.outcome).collect()
    }

    fn addresses(outcomes: &[ReportAddress]) -> Vec<String> {
        let all = outcomes.iter().flat_map(ReportAddress::addresses);
        all.map(ToString::to_string).collect()
    }

    fn zone() -> Zone {
        Zone::of(&[
            ("blue.example.com", "v=DMARC1; p=none"),
            ("example.com", "v=DMARC1; p=none"),
            ("own.example.com", "v=DMARC1; p=none; psd=n"),
        ])
    }

    const NAME: &str = "blue.example.com._report._dmarc.red.example.net";

    #[test]
    fn s4_destinations_of_the_same_organization_need_no_check() {
        for host in ["blue.example.com", "example.com", "green.example.com"] {
            let outcomes = check(&zone(), &format!("mailto:a@{host}"));
            assert!(matches!(outcomes[..], [ReportAddress::Own(_)]), "{host}");
        }
        let outcomes = check(&zone(), "mailto:a@own.example.com");
        assert_eq!(outcomes, [ReportAddress::Refused(RefusedReportAddress::NotAuthorized)]);
    }

    #[test]
    fn s4_other_destinations_must_say_so() {
        let outcomes = check(&zone(), "mailto:a@red.example.net");
        assert_eq!(outcomes, [ReportAddress::Refused(RefusedReportAddress::NotAuthorized)]);
        for text in ["v=DMARC1", "v=DMARC1;", "v=DMARC1; x=y"] {
            let outcomes = check(&zone().text(NAME, text), "mailto:a@red.example.net");
            assert!(matches!(outcomes[..], [ReportAddress::Authorized(_)]), "{text}");
            assert_eq!(addresses(&outcomes), ["a@red.example.net"]);
        }
        for text in ["", "dmarc", "v=DMARC10", "x; v=DMARC1", "v=dmarc1"] {
            let outcomes = check(&zone().text(NAME, text), "mailto:a@red.example.net");
            assert_eq!(addresses(&outcomes), [""; 0], "{text}");
        }
    }

    #[test]
    fn s4_one_good_text_among_others_is_enough() {
        let zone = zone().text(NAME, "v=spf1 -all").text(NAME, "v=DMARC1").text(NAME, "v=DMARC1;");
        assert_eq!(addresses(&check(&zone, "mailto:a@red.example.net")), ["a@red.example.net"]);
    }

    #[test]
    fn s4_the_destination_may_name_another_mailbox_of_its_own() {
        let text =
            "v=DMARC1; rua=mailto:b@red.example.net,mailto:c@red.example.net; ruf=mailto:d@x.test";
        let outcomes = check(&zone().text(NAME, text), "mailto:a@red.example.net");
        assert_eq!(addresses(&outcomes), ["b@red.example.net", "c@red.example.net"]);
    }

    #[test]
    fn s4_a_mailbox_elsewhere_ends_in_no_report_at_all() {
        for uri in [
            "mailto:b@victim.test",
            "mailto:b@example.net",
            "mailto:b@a.red.example.net",
            "https://red.example.net",
        ] {
            let text = format!("v=DMARC1; rua=mailto:b@red.example.net,{uri}");
            let outcomes = check(&zone().text(NAME, &text), "mailto:a@red.example.net");
            let reason = RefusedReportAddress::ReplacedElsewhere { uri: uri.into() };
            assert_eq!(outcomes, [ReportAddress::Refused(reason)]);
        }
    }

    #[test]
    fn rfc9991_s5_failure_reports_follow_ruf() {
        let text = "v=DMARC1; rua=mailto:b@victim.test; ruf=mailto:d@red.example.net";
        let zone = zone().text(NAME, text);
        let record = record("v=DMARC1; p=none; ruf=mailto:a@red.example.net");
        let policy_domain = name("blue.example.com");
        let (checked, _) = zone.run(|known| {
            verify_report_addresses(known, &policy_domain, record.ruf(), ReportKind::Failure)
        });
        assert_eq!(addresses(&[checked[0].outcome.clone()]), ["d@red.example.net"]);
    }

    #[test]
    fn s4_temporary_errors_are_for_later() {
        let outcomes = check(&zone().failing(NAME, &timeout()), "mailto:a@red.example.net");
        assert_eq!(outcomes, [ReportAddress::Deferred(timeout())]);
        let outcomes = check(&zone().failing(NAME, &refused()), "mailto:a@red.example.net");
        assert_eq!(outcomes, [ReportAddress::Refused(RefusedReportAddress::Dns(refused()))]);
        let zone = zone().failing("_dmarc.com", &timeout());
        assert_eq!(check(&zone, "mailto:a@red.example.net"), [ReportAddress::Deferred(timeout())]);
    }

    #[test]
    fn s4_a_name_that_would_be_too_long_authorizes_nothing() {
        let host = [["a".repeat(60).as_str(); 4].join("."), "net".into()].join(".");
        let outcomes = check(&zone(), &format!("mailto:a@{host}"));
        assert_eq!(outcomes, [ReportAddress::Refused(RefusedReportAddress::NameTooLong)]);
    }

    #[test]
    fn s4_7_other_schemes_and_surplus_uris_get_nothing() {
        let outcomes = check(&zone(), "https://example.com,mailto:");
        assert_eq!(outcomes[0], ReportAddress::Refused(RefusedReportAddress::Scheme));
        assert!(matches!(outcomes[1], ReportAddress::Refused(RefusedReportAddress::NoMailbox(_))));
        let many = ["mailto:a@example.com"; 11].join(",");
        let outcomes = check(&zone(), &many);
        let surplus = RefusedReportAddress::TooMany { limit: 10 };
        assert_eq!(outcomes[10], ReportAddress::Refused(surplus));
    }

    #[test]
    fn s4_all_questions_of_all_uris_are_asked_side_by_side() {
        let record = record("v=DMARC1; p=none; rua=mailto:a@x.test,mailto:a@y.test");
        let policy_domain = name("example.com");
        let (_, rounds) = zone().run(|known| {
            verify_report_addresses(known, &policy_domain, record.rua(), ReportKind::Aggregate)
        });
        assert_eq!(rounds.len(), 2);
        assert_eq!(
            rounds[1],
            ["TXT example.com._report._dmarc.x.test", "TXT example.com._report._dmarc.y.test"]
        );
    }
}
