//! RFC 8461 for a sender, clause by clause. Each name carries the section; lay the file beside
//! the standard and tick off.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::Duration;

use mta_sts::{
    CachedPolicy, Discovery, FailedFetch, FetchError, Mode, MxPattern, NoRecord, Policy,
    PolicyFault, PolicyId, Refresh, Source, accept, discover, policy_question, record_question,
    select,
};
use smtp_types::{
    CertificateFault, DnsAnswer, DnsFailure, DnsReply, Dnssec, DomainName, HttpsAnswer,
    HttpsFailure, HttpsReply, Known, Need, NextHop, RecordData, UnixTime,
};

const NOW: UnixTime = UnixTime(1_800_000_000);
const ENFORCE: &str = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n";

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn policy(text: &str) -> Policy {
    Policy::parse(text.as_bytes()).unwrap()
}

fn fault(text: &str) -> PolicyFault {
    Policy::parse(text.as_bytes()).unwrap_err().fault
}

fn txt(texts: &[&str]) -> DnsReply {
    Ok(DnsAnswer {
        dnssec: Dnssec::Insecure,
        canonical_name: name("_mta-sts.example.com").into(),
        name_exists: true,
        records: texts.iter().map(|text| RecordData::Txt(text.as_bytes().into())).collect(),
        ttl: 300,
    })
}

fn served(body: &str) -> HttpsReply {
    Ok(HttpsAnswer {
        status: 200,
        content_type: Some("text/plain".into()),
        body: body.into(),
        issuer: Some("Some Authority".into()),
    })
}

fn down() -> HttpsReply {
    Err(HttpsFailure::Unreachable { detail: "connection refused".into() })
}

fn silent() -> DnsReply {
    Err(DnsFailure::Temporary { detail: "timeout".into() })
}

fn remembered(text: &str, id: &str) -> CachedPolicy {
    CachedPolicy {
        policy: policy(text),
        id: PolicyId::parse(id).unwrap(),
        fetched: UnixTime(NOW.0 - 1000),
        issuer: Some("Some Authority".into()),
    }
}

/// Evaluates until all needs are met; answers only what `example.com` publishes.
fn run(
    dns: &DnsReply,
    https: &HttpsReply,
    cached: Option<&CachedPolicy>,
    failed: Option<&FailedFetch>,
    refresh: Refresh,
) -> (Discovery, Vec<String>) {
    let mut known = Known::default();
    let mut rounds = Vec::new();
    loop {
        match discover(&known, &name("example.com"), cached, failed, refresh, NOW) {
            Ok(discovery) => return (discovery, rounds),
            Err(need) => {
                rounds.push(need.to_string());
                let Need { dns: questions, https: pages } = need;
                questions.into_iter().for_each(|question| known.add_dns(question, dns.clone()));
                pages.into_iter().for_each(|question| known.add_https(question, https.clone()));
            }
        }
    }
}

fn applied(discovery: &Discovery) -> Option<(Mode, Source)> {
    discovery.applied.as_ref().map(|applied| (applied.policy.mode(), applied.source))
}

mod s3_1_record {
    use super::*;

    fn one(texts: &[&str]) -> Result<String, NoRecord> {
        select(texts.iter().map(|text| text.as_bytes())).map(|record| record.id().to_string())
    }

    #[test]
    fn s3_1_the_record_stands_at_mta_sts_below_the_policy_domain() {
        assert_eq!(
            record_question(&name("example.com")).unwrap().to_string(),
            "TXT _mta-sts.example.com"
        );
    }

    #[test]
    fn s3_1_records_that_do_not_begin_with_the_version_are_discarded() {
        assert_eq!(one(&["v=spf1 -all", "v=STSv1; id=a", "v=STSv10; id=b"]), Ok("a".into()));
        assert_eq!(one(&["v=STSv1 ; id=a"]), Err(NoRecord::Absent));
        assert_eq!(one(&["v=STSv1"]), Err(NoRecord::Absent));
        assert_eq!(one(&[]), Err(NoRecord::Absent));
    }

    #[test]
    fn s3_1_exactly_one_record_must_remain() {
        assert_eq!(one(&["v=STSv1; id=a", "v=STSv1; id=b"]), Err(NoRecord::Several { count: 2 }));
        assert_eq!(one(&["v=STSv1; id=a", "v=STSv1;"]), Err(NoRecord::Several { count: 2 }));
    }

    #[test]
    fn s3_1_a_malformed_record_is_no_record() {
        assert!(matches!(one(&["v=STSv1; id=20-26"]), Err(NoRecord::Invalid(_))));
        assert!(matches!(one(&["v=STSv1; x=1"]), Err(NoRecord::Invalid(_))));
    }

    #[test]
    fn s3_1_the_order_of_fields_is_not_significant() {
        assert_eq!(one(&["v=STSv1; note=x; id=a"]), Ok("a".into()));
    }

    #[test]
    fn s3_1_no_usable_record_and_no_memory_is_no_policy() {
        for texts in [&["v=spf1 -all"][..], &["v=STSv1; id=a", "v=STSv1; id=b"], &["v=STSv1; id=!"]]
        {
            let (discovery, rounds) =
                run(&txt(texts), &served(ENFORCE), None, None, Refresh::IfChanged);
            assert_eq!(applied(&discovery), None);
            assert_eq!(rounds, ["TXT _mta-sts.example.com"], "the policy host is not asked");
        }
    }
}

mod s3_2_policy {
    use super::*;

    #[test]
    fn s3_2_version_mode_max_age_are_required() {
        assert_eq!(fault("mode: none\nmax_age: 1"), PolicyFault::Missing { field: "version" });
        assert_eq!(fault("version: STSv1\nmax_age: 1"), PolicyFault::Missing { field: "mode" });
        assert_eq!(fault("version: STSv1\nmode: none"), PolicyFault::Missing { field: "max_age" });
    }

    #[test]
    fn s3_2_mx_is_required_except_in_mode_none() {
        for mode in ["enforce", "testing"] {
            let text = format!("version: STSv1\nmode: {mode}\nmax_age: 1");
            assert_eq!(fault(&text), PolicyFault::Missing { field: "mx" });
        }
        assert!(policy("version: STSv1\nmode: none\nmax_age: 1").mx().is_empty());
    }

    #[test]
    fn s3_2_only_stsv1_is_known() {
        let text = ENFORCE.replace("STSv1", "STSv2");
        assert_eq!(fault(&text), PolicyFault::Version { found: "STSv2".into() });
    }

    #[test]
    fn s3_2_names_and_values_are_case_sensitive() {
        assert_eq!(
            fault(&ENFORCE.replace("enforce", "Enforce")),
            PolicyFault::Mode { found: "Enforce".into() }
        );
        assert_eq!(fault(&ENFORCE.replace("mode", "Mode")), PolicyFault::Missing { field: "mode" });
        assert_eq!(
            fault(&ENFORCE.replace("STSv1", "stsv1")),
            PolicyFault::Version { found: "stsv1".into() }
        );
    }

    #[test]
    fn s3_2_repeated_field_keeps_first() {
        let text = format!("{ENFORCE}mode: none\nversion: STSv9\nmax_age: x\n");
        let policy = policy(&text);
        assert_eq!(
            (policy.mode(), policy.max_age()),
            (Mode::Enforce, Duration::from_secs(604_800))
        );
    }

    #[test]
    fn s3_2_every_mx_counts_and_one_bad_mx_spoils_the_policy() {
        let text = format!("{ENFORCE}mx: *.example.net\n");
        assert_eq!(policy(&text).mx().len(), 2);
        for bad in [
            "*",
            "*.*.example.net",
            "192.0.2.1",
            "mx.example.net.",
            "dané.test",
            "mx.example.net tafile=/x",
        ] {
            assert!(
                matches!(fault(&format!("{ENFORCE}mx: {bad}\n")), PolicyFault::Mx { .. }),
                "{bad}"
            );
        }
    }

    #[test]
    fn s3_2_unknown_fields_are_ignored() {
        assert_eq!(policy(&format!("{ENFORCE}mode-of-life: a: b\n")).mode(), Mode::Enforce);
    }

    #[test]
    fn s3_2_max_age_is_one_to_ten_digits() {
        let with = |max_age: &str| ENFORCE.replace("604800", max_age);
        assert_eq!(policy(&with("0")).max_age(), Duration::ZERO);
        assert_eq!(policy(&with("9999999999")).max_age(), Duration::from_secs(9_999_999_999));
        for bad in ["10000000000", "-1", "+5", "1_000", "1e5", "0x10", "604800.0", "1 2"] {
            assert_eq!(fault(&with(bad)), PolicyFault::MaxAge { found: bad.into() });
        }
    }

    #[test]
    fn s3_2_max_age_above_a_year_is_kept_for_a_year() {
        let cached = remembered(&ENFORCE.replace("604800", "9999999999"), "1");
        assert_eq!(cached.expires().since(cached.fetched), Duration::from_secs(31_557_600));
    }
}

mod s3_3_fetching {
    use super::*;

    #[test]
    fn s3_3_the_policy_host_is_mta_sts_below_the_policy_domain() {
        assert_eq!(
            policy_question(&name("example.com")).unwrap().to_string(),
            "https://mta-sts.example.com/.well-known/mta-sts.txt"
        );
    }

    #[test]
    fn s3_3_only_status_200_carries_a_policy() {
        for status in [201, 204, 206, 301, 302, 307, 308, 304, 404, 500] {
            let reply = served(ENFORCE).map(|answer| HttpsAnswer { status, ..answer });
            assert_eq!(accept(&reply), Err(FetchError::Status { found: status }));
        }
    }

    #[test]
    fn s3_2_the_media_type_is_text_plain_with_any_parameter() {
        let with =
            |content_type: Option<&str>| {
                accept(&served(ENFORCE).map(|answer| HttpsAnswer {
                    content_type: content_type.map(Into::into),
                    ..answer
                }))
            };
        for good in [
            "text/plain",
            "text/plain; charset=utf-8",
            "Text/Plain;charset=us-ascii",
            "text/plain ;x",
        ] {
            assert!(with(Some(good)).is_ok(), "{good}");
        }
        for bad in ["text/html", "text/plainer", "application/octet-stream", ""] {
            assert_eq!(with(Some(bad)), Err(FetchError::MediaType { found: Some(bad.into()) }));
        }
        assert_eq!(with(None), Err(FetchError::MediaType { found: None }));
    }

    #[test]
    fn s3_3_a_bad_certificate_is_no_policy() {
        let reply = Err(HttpsFailure::Certificate(CertificateFault::Expired));
        let error = accept(&reply).unwrap_err();
        assert_eq!(error.certificate_fault(), Some(&CertificateFault::Expired));
    }

    #[test]
    fn s3_3_more_than_64_kilobytes_are_refused_not_cut() {
        let body = format!("{ENFORCE}note: {}\n", "x".repeat(64 * 1024));
        assert!(matches!(
            accept(&served(&body)),
            Err(FetchError::Https(HttpsFailure::TooLarge { .. }))
        ));
    }

    #[test]
    fn s3_3_no_policy_without_memory_means_deliver_as_before() {
        let (discovery, _) = run(&txt(&["v=STSv1; id=1"]), &down(), None, None, Refresh::IfChanged);
        assert_eq!(applied(&discovery), None);
        assert!(matches!(discovery.fetched, Some(Err(FetchError::Https(_)))));
    }

    #[test]
    fn s3_3_the_same_id_is_not_fetched_again() {
        let cached = remembered(ENFORCE, "1");
        let (discovery, rounds) =
            run(&txt(&["v=STSv1; id=1"]), &down(), Some(&cached), None, Refresh::IfChanged);
        assert_eq!(applied(&discovery), Some((Mode::Enforce, Source::Cache)));
        assert_eq!(rounds, ["TXT _mta-sts.example.com"]);
    }

    #[test]
    fn s3_3_a_new_id_is_fetched_and_replaces_the_policy() {
        let cached = remembered(ENFORCE, "1");
        let new = ENFORCE.replace("enforce", "testing");
        let (discovery, rounds) =
            run(&txt(&["v=STSv1; id=2"]), &served(&new), Some(&cached), None, Refresh::IfChanged);
        assert_eq!(applied(&discovery), Some((Mode::Testing, Source::Live)));
        assert_eq!(rounds.len(), 2);
        let cache = discovery.to_cache(NOW).unwrap();
        assert_eq!((cache.id.as_str(), cache.fetched), ("2", NOW));
    }
}

mod s3_4_policy_domain {
    use super::*;

    #[test]
    fn s3_4_a_smart_host_is_its_own_policy_domain() {
        let smart_host = NextHop::parse("[relay.example.net]:587").unwrap();
        assert_eq!(smart_host.policy_domain(), &name("relay.example.net"));
    }

    #[test]
    fn s3_4_no_policy_is_inherited_from_a_parent_domain() {
        let known = Known::default();
        let need = discover(&known, &name("sub.example.com"), None, None, Refresh::IfChanged, NOW);
        assert_eq!(need.unwrap_err().to_string(), "TXT _mta-sts.sub.example.com");
    }
}

mod s4_1_mx_host {
    use super::*;

    #[test]
    fn s4_1_wildcard_is_exactly_one_label() {
        let pattern = MxPattern::parse("*.example.com").unwrap();
        assert!(pattern.matches(&name("mail.example.com")));
        assert!(!pattern.matches(&name("example.com")));
        assert!(!pattern.matches(&name("foo.bar.example.com")));
        assert!(!pattern.matches(&name("mailexample.com")));
    }

    #[test]
    fn s4_1_names_are_compared_without_case_and_in_a_labels() {
        let pattern = MxPattern::parse("MX.xn--dan-dma.Test").unwrap();
        assert!(pattern.matches(&name("mx.DANÉ.test.")));
    }
}

mod s5_1_memory_binds {
    use super::*;

    #[test]
    fn s5_1_a_valid_cached_policy_applies_when_no_live_one_is_found() {
        let cached = remembered(ENFORCE, "1");
        let gone = Ok(DnsAnswer { name_exists: false, ..txt(&[]).unwrap() });
        let bogus = Err(DnsFailure::Bogus { detail: "signature expired".into() });
        let redirect = served(ENFORCE).map(|answer| HttpsAnswer { status: 302, ..answer });
        let html = served("<html>");
        let worlds = [
            (gone, served(ENFORCE)),
            (silent(), served(ENFORCE)),
            (bogus, served(ENFORCE)),
            (txt(&["v=STSv1; id=2"]), down()),
            (txt(&["v=STSv1; id=2"]), redirect),
            (txt(&["v=STSv1; id=2"]), html),
            (txt(&["v=STSv1; id=2", "v=STSv1; id=3"]), served(ENFORCE)),
        ];
        for (dns, https) in &worlds {
            let (discovery, _) = run(dns, https, Some(&cached), None, Refresh::IfChanged);
            assert_eq!(applied(&discovery), Some((Mode::Enforce, Source::CacheOnly)), "{dns:?}");
            assert_eq!(discovery.to_cache(NOW), None, "a failure never replaces memory");
            assert!(!mta_sts::disagreements(&cached, &discovery, NOW).is_empty());
        }
    }

    #[test]
    fn s5_1_an_expired_policy_binds_no_longer() {
        let cached =
            CachedPolicy { fetched: UnixTime(NOW.0 - 604_800), ..remembered(ENFORCE, "1") };
        let (discovery, _) = run(&silent(), &down(), Some(&cached), None, Refresh::IfChanged);
        assert_eq!(applied(&discovery), None);
        let one_second_earlier = UnixTime(NOW.0 - 1);
        assert!(cached.is_unexpired(one_second_earlier));
    }

    #[test]
    fn s5_1_a_clock_set_back_does_not_end_a_policy() {
        let cached = CachedPolicy { fetched: UnixTime(NOW.0 + 5000), ..remembered(ENFORCE, "1") };
        let (discovery, _) = run(&silent(), &down(), Some(&cached), None, Refresh::IfChanged);
        assert_eq!(applied(&discovery), Some((Mode::Enforce, Source::CacheOnly)));
    }

    #[test]
    fn s5_1_max_age_zero_holds_for_the_delivery_that_fetched_it() {
        let text = ENFORCE.replace("604800", "0");
        let (discovery, _) =
            run(&txt(&["v=STSv1; id=1"]), &served(&text), None, None, Refresh::IfChanged);
        assert_eq!(applied(&discovery), Some((Mode::Enforce, Source::Live)));
        assert!(!discovery.to_cache(NOW).unwrap().is_unexpired(NOW));
    }
}

mod s8_3_removal {
    use super::*;

    #[test]
    fn s8_3_mode_none_replaces_the_remembered_policy() {
        let cached = remembered(ENFORCE, "1");
        let none = "version: STSv1\nmode: none\nmax_age: 60\n";
        let (discovery, _) =
            run(&txt(&["v=STSv1; id=2"]), &served(none), Some(&cached), None, Refresh::IfChanged);
        assert_eq!(applied(&discovery), Some((Mode::None, Source::Live)));
        let weaker = mta_sts::disagreements(&cached, &discovery, NOW);
        assert_eq!(weaker[0].code(), "policy-weaker");
    }
}

mod s10_2_refresh {
    use super::*;

    #[test]
    fn s10_2_refresh_fetches_although_the_id_is_unchanged_or_the_record_gone() {
        let cached = remembered(ENFORCE, "1");
        for dns in [txt(&["v=STSv1; id=1"]), silent()] {
            let (discovery, _) = run(&dns, &served(ENFORCE), Some(&cached), None, Refresh::Always);
            assert_eq!(applied(&discovery), Some((Mode::Enforce, Source::Live)));
            assert_eq!(discovery.to_cache(NOW).unwrap().id, cached.id);
        }
    }

    #[test]
    fn s10_2_refresh_is_due_within_a_day_spread_over_a_quarter() {
        let cached = remembered(ENFORCE, "1");
        let day = Duration::from_secs(86_400);
        assert_eq!(cached.refresh_due(day, 0), cached.fetched.plus(day));
        assert_eq!(cached.refresh_due(day, 255), cached.fetched.plus(day * 3 / 4));
        let short = remembered(&ENFORCE.replace("604800", "3600"), "1");
        assert_eq!(short.refresh_due(day, 0), short.fetched.plus(Duration::from_secs(1800)));
    }

    #[test]
    fn s10_2_a_failed_id_is_left_alone_for_a_while() {
        let failed = |id: &str, ago: u64| FailedFetch {
            id: PolicyId::parse(id).unwrap(),
            at: UnixTime(NOW.0 - ago),
            error: FetchError::Status { found: 503 },
            count: 1,
        };
        let dns = txt(&["v=STSv1; id=2"]);
        let rounds = |failed: &FailedFetch| {
            run(&dns, &down(), None, Some(failed), Refresh::IfChanged).1.len()
        };
        assert_eq!(rounds(&failed("2", 299)), 1, "held back");
        assert_eq!(rounds(&failed("2", 300)), 2, "long enough ago");
        assert_eq!(rounds(&failed("1", 1)), 2, "another id is another policy");
    }
}

#[test]
fn a_policy_to_publish() {
    let mx = || vec![MxPattern::parse("mx.example.com").unwrap()];
    let year = Duration::from_secs(31_557_600);
    let made = Policy::new(Mode::Enforce, mx(), year).unwrap();
    assert_eq!(policy(&made.to_string()), made);
    assert!(Policy::new(Mode::None, Vec::new(), Duration::ZERO).is_some());
    assert_eq!(Policy::new(Mode::Testing, Vec::new(), year), None);
    assert_eq!(Policy::new(Mode::Enforce, mx(), year + Duration::from_secs(1)), None);
}
