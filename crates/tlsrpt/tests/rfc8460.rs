//! RFC 8460 §3 and §4.3 for a sender, clause by clause. Each name carries the section; lay the
//! file beside the standard and tick off.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use smtp_types::DomainName;
use tlsrpt::{
    NoRecord, Record, RecordFault, ReportUri, ReportUriError, ResultType, record_question, select,
};

const MAIL: &str = "v=TLSRPTv1; rua=mailto:tls@example.com";

/// The record that counts among these texts, printed again.
fn one(texts: &[&str]) -> Result<String, NoRecord> {
    select(texts.iter().map(|text| text.as_bytes())).map(|record| record.to_string())
}

fn rua(text: &str) -> Vec<ReportUri> {
    Record::parse(text.as_bytes()).unwrap().rua().to_vec()
}

fn fault(text: &str) -> RecordFault {
    Record::parse(text.as_bytes()).unwrap_err().fault
}

fn uri_error(uri: &str) -> ReportUriError {
    ReportUri::parse(uri).unwrap_err()
}

mod s3_record {
    use super::*;

    #[test]
    fn s3_the_record_stands_at_smtp_tls_below_the_policy_domain() {
        let domain = DomainName::parse("example.com").unwrap();
        assert_eq!(record_question(&domain).unwrap().to_string(), "TXT _smtp._tls.example.com");
    }

    #[test]
    fn s3_records_that_do_not_begin_with_the_version_are_discarded() {
        let texts = ["v=spf1 -all", MAIL, "v=TLSRPTv10; rua=x", "v=STSv1; id=1"];
        assert_eq!(one(&texts), Ok(format!("{MAIL};")));
        for text in [" v=TLSRPTv1; rua=x", "v=TLSRPTv1 ; rua=x", "V=TLSRPTv1; rua=x", "v=TLSRPTv1"]
        {
            assert_eq!(one(&[text]), Err(NoRecord::Absent), "{text}");
        }
        assert_eq!(one(&[]), Err(NoRecord::Absent));
    }

    #[test]
    fn s3_exactly_one_record_must_remain() {
        assert_eq!(one(&[MAIL, MAIL]), Err(NoRecord::Several { count: 2 }));
        assert_eq!(one(&[MAIL, "v=TLSRPTv1;"]), Err(NoRecord::Several { count: 2 }));
    }

    #[test]
    fn s3_a_malformed_record_is_no_record() {
        for text in ["v=TLSRPTv1;", "v=TLSRPTv1; x=1", "v=TLSRPTv1; rua=tls@example.com"] {
            assert!(matches!(one(&[text]), Err(NoRecord::Invalid(_))), "{text}");
        }
    }

    #[test]
    fn s3_rua_is_required_and_case_sensitive() {
        assert_eq!(fault("v=TLSRPTv1; x=1"), RecordFault::RuaMissing);
        assert_eq!(fault("v=TLSRPTv1; Rua=mailto:a@b.test"), RecordFault::RuaMissing);
    }

    #[test]
    fn s3_the_examples_of_the_standard_are_read() {
        let mail = "v=TLSRPTv1;rua=mailto:reports@example.com";
        let https = "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt";
        assert!(matches!(rua(mail)[..], [ReportUri::Mailto(_)]));
        assert!(matches!(rua(https)[..], [ReportUri::Https(_)]));
    }

    #[test]
    fn s3_unknown_fields_are_ignored() {
        let record = Record::parse(format!("{MAIL}; note=hello").as_bytes()).unwrap();
        assert_eq!(record.rua().len(), 1);
        assert_eq!(record.extensions().collect::<Vec<_>>(), [("note", "hello")]);
    }

    #[test]
    fn s3_a_repeated_rua_keeps_the_first() {
        assert_eq!(rua(&format!("{MAIL}; rua=mailto:other@example.com")), rua(MAIL));
    }
}

mod s3_report_uris {
    use super::*;

    #[test]
    fn s3_rua_is_a_list_between_commas() {
        let several = rua("v=TLSRPTv1; rua=mailto:a@b.test , https://c.test/x,mailto:d@e.test");
        let texts: Vec<_> = several.iter().map(ReportUri::as_str).collect();
        assert_eq!(texts, ["mailto:a@b.test", "https://c.test/x", "mailto:d@e.test"]);
        assert_eq!(fault("v=TLSRPTv1; rua=mailto:a@b.test,"), RecordFault::EmptyUri);
    }

    #[test]
    fn s3_two_schemes_are_supported_and_others_passed_over() {
        assert_eq!(rua("v=TLSRPTv1; rua=http://x.test/,mailto:tls@example.com"), rua(MAIL));
        assert!(matches!(
            fault("v=TLSRPTv1; rua=http://x.test/,gopher:y"),
            RecordFault::Rua { error: ReportUriError::Scheme { .. }, .. }
        ));
    }

    #[test]
    fn s3_commas_exclamation_points_and_semicolons_are_encoded() {
        let encoded = rua("v=TLSRPTv1; rua=https://example.com/?a%2Cb%21c%3Bd");
        assert_eq!(encoded[0].as_str(), "https://example.com/?a%2Cb%21c%3Bd");
        assert_eq!(address("mailto:tls%21@example.com"), "tls!@example.com");
        assert_eq!(uri_error("mailto:tls@example.com!10m"), ReportUriError::ExclamationMark);
        assert_eq!(uri_error("https://a.test/;x"), ReportUriError::Character { found: ';' });
        assert_eq!(uri_error("https://a.test/,x"), ReportUriError::Character { found: ',' });
    }

    #[test]
    fn s3_mailto_is_one_address_and_nothing_of_ours() {
        assert_eq!(address("mailto:t%6Cs@example.com?cc=x@y.test"), "tls@example.com");
        for hostile in ["mailto:a%0d%0aBcc:b@c.test", "mailto:a@b.test%2Cc@d.test", "mailto:%22"] {
            assert!(matches!(uri_error(hostile), ReportUriError::Address(_)), "{hostile}");
        }
    }

    fn address(uri: &str) -> String {
        let ReportUri::Mailto(mailto) = ReportUri::parse(uri).unwrap() else { panic!("{uri}") };
        mailto.address().to_string()
    }

    #[test]
    fn s3_https_names_a_host_and_no_user() {
        assert_eq!(uri_error("https:///tls"), ReportUriError::NoHost);
        assert_eq!(uri_error("https://user:secret@example.com/"), ReportUriError::UserName);
    }
}

mod s4_3_result_types {
    use super::*;

    #[test]
    fn s4_3_every_result_type_has_its_word() {
        let words = ResultType::ALL.map(|known| known.as_str().to_owned());
        assert_eq!(
            words,
            [
                "starttls-not-supported",
                "certificate-host-mismatch",
                "certificate-expired",
                "certificate-not-trusted",
                "tlsa-invalid",
                "dnssec-invalid",
                "dane-required",
                "sts-policy-fetch-error",
                "sts-policy-invalid",
                "sts-webpki-invalid",
                "validation-failure",
            ]
        );
    }

    #[test]
    fn s4_3_unknown_result_types_are_kept() {
        assert_eq!(ResultType::parse("new-failure").to_string(), "new-failure");
        assert_eq!(ResultType::parse("tlsa-invalid"), ResultType::TlsaInvalid);
    }
}

/// §4 and §5: reports in both directions.
mod s4_reports {
    use super::*;
    use smtp_types::{EmailAddress, UnixTime};
    use tlsrpt::{
        Aggregate, Compression, Day, Event, Failure, Limits, Outcome, Policy, PolicyType, Report,
        ReportId, ReportMail, Session, Subject, Submitter, Summary, parse_datagram, read_report,
    };

    /// 2026-11-21 19:30 UTC.
    const NOW: UnixTime = UnixTime(1_795_289_400);

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn submitter() -> Submitter {
        let contact = EmailAddress::parse("tls@reports.sender.example").unwrap();
        Submitter { organization: "Sender".into(), contact }
    }

    fn id() -> ReportId {
        ReportId::of_day(Day::of(NOW), &name("example.com"), "a", submitter().domain()).unwrap()
    }

    fn sts() -> Policy {
        Policy {
            kind: PolicyType::Sts,
            domain: Some(name("example.com")),
            strings: vec!["version: STSv1".into(), "mode: enforce".into()],
            mx: vec!["*.example.net".into(), "mail.example.com".into()],
        }
    }

    fn event(outcome: Outcome, failures: &[Failure]) -> Event {
        let session = Session { policy: sts(), outcome, failures: failures.to_vec() };
        Event { domain: name("example.com"), record: None, sessions: vec![session] }
    }

    fn report(events: &[Event]) -> Report {
        let mut aggregate = Aggregate::new(Limits::default());
        events.iter().for_each(|event| aggregate.add(event.clone(), NOW));
        aggregate.report(Day::of(NOW), &name("example.com"), &submitter(), &id()).unwrap()
    }

    fn expired() -> Failure {
        Failure {
            sending_ip: "192.0.2.1".parse().ok(),
            mx_hostname: Some("mail.example.com".into()),
            mx_helo: Some("mail.example.com".into()),
            receiving_ip: "2001:db8:0:0:0:0:0:1".parse().ok(),
            additional_information: Some("https://sender.example/why?a=1".into()),
            reason: Some("certificate_has_expired".into()),
            ..Failure::of(ResultType::CertificateExpired)
        }
    }

    #[test]
    fn s4_1_a_report_covers_one_utc_day() {
        let period = report(&[event(Outcome::Success, &[])]).period;
        assert_eq!(period.to_string(), "2026-11-21T00:00:00Z to 2026-11-21T23:59:59Z");
    }

    #[test]
    fn s4_2_successes_and_failures_are_counted_in_sessions() {
        let dnssec = Failure::of(ResultType::DnssecInvalid);
        let report = report(&[
            event(Outcome::Success, &[]),
            event(Outcome::Success, &[expired()]), // recovered: not a failure
            event(Outcome::Failure, &[expired(), dnssec, expired()]),
        ]);
        assert_eq!(report.totals(), Summary { successes: 2, failures: 1 });
        let sessions: Vec<_> =
            report.policies[0].details.iter().map(|detail| detail.sessions).collect();
        assert_eq!(sessions, [1, 1]);
    }

    #[test]
    fn s4_3_3_a_failure_without_a_reason_is_a_general_one() {
        let details = report(&[event(Outcome::Failure, &[])]).policies[0].details.clone();
        assert_eq!(details[0].failure, Failure::of(ResultType::ValidationFailure));
        let unknown = "{\"d\":\"a.test\",\"policies\":[{\"policy-type\":9,\"f\":1,\
                       \"failure-details\":[{\"c\":999}]}]}";
        let event = parse_datagram(unknown.as_bytes()).unwrap().event;
        assert_eq!(event.sessions[0].failures[0].result, ResultType::ValidationFailure);
    }

    #[test]
    fn s4_4_the_report_is_the_json_of_the_schema() {
        let json = report(&[event(Outcome::Success, &[]), event(Outcome::Failure, &[expired()])])
            .to_json();
        let expected = concat!(
            "{\"organization-name\":\"Sender\",",
            "\"date-range\":{\"start-datetime\":\"2026-11-21T00:00:00Z\",",
            "\"end-datetime\":\"2026-11-21T23:59:59Z\"},",
            "\"contact-info\":\"tls@reports.sender.example\",",
            "\"report-id\":\"20261121.example.com.a@reports.sender.example\",",
            "\"policies\":[{\"policy\":{\"policy-type\":\"sts\",",
            "\"policy-string\":[\"version: STSv1\",\"mode: enforce\"],",
            "\"policy-domain\":\"example.com\",",
            "\"mx-host\":[\"*.example.net\",\"mail.example.com\"]},",
            "\"summary\":{\"total-successful-session-count\":1,",
            "\"total-failure-session-count\":1},",
            "\"failure-details\":[{\"result-type\":\"certificate-expired\",",
            "\"sending-mta-ip\":\"192.0.2.1\",",
            "\"receiving-mx-hostname\":\"mail.example.com\",",
            "\"receiving-mx-helo\":\"mail.example.com\",",
            "\"receiving-ip\":\"2001:db8::1\",",
            "\"failed-session-count\":1,",
            "\"additional-information\":\"https://sender.example/why?a=1\",",
            "\"failure-reason-code\":\"certificate_has_expired\"}]}]}",
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn s4_4_what_is_optional_is_left_out() {
        let json = report(&[event(Outcome::Success, &[])]).to_json();
        assert!(!json.contains("failure-details") && !json.contains("null"), "{json}");
        let json = report(&[event(Outcome::Failure, &[])]).to_json();
        assert!(!json.contains("sending-mta-ip") && !json.contains("helo"), "{json}");
    }

    #[test]
    fn s4_4_the_policy_domain_is_never_missing() {
        let none = "{\"d\":\"example.com\",\"policies\":[{\"policy-type\":9,\"f\":0}]}";
        let report = report(&[parse_datagram(none.as_bytes()).unwrap().event]);
        assert_eq!(report.policies[0].policy, Policy::none_of(name("example.com")));
    }

    /// The set of TLSA records is the policy, not the order in which the DNS gave it.
    #[test]
    fn s4_4_the_same_tlsa_records_are_one_policy() {
        let event = |records: &str| {
            let text = format!(
                "{{\"d\":\"example.com\",\"policies\":[{{\"policy-type\":1,\
                 \"policy-domain\":\"mx.example.com\",\"policy-string\":[{records}],\"f\":0}}]}}"
            );
            parse_datagram(text.as_bytes()).unwrap().event
        };
        let report = report(&[
            event("\"3 1 1 AA\",\"2 1 1 BB\""),
            event("\"2 1 1 bb\",\"3 1 1 aa\",\"3 1 1 AA\""),
        ]);
        assert_eq!(report.policies.len(), 1);
        assert_eq!(report.policies[0].policy.strings, ["2 1 1 BB".into(), "3 1 1 AA".into()]);
    }

    #[test]
    fn s4_4_receiving_mx_helo_is_the_name_and_not_the_reply() {
        let event = |reply: &str| {
            let text = format!(
                "{{\"d\":\"example.com\",\"policies\":[{{\"policy-type\":9,\"f\":1,\
                 \"failure-details\":[{{\"c\":203,\"h\":\"{reply}\"}}]}}]}}"
            );
            parse_datagram(text.as_bytes()).unwrap().event
        };
        let report = report(&[
            event("250-mx.example.com at your service, [192.0.2.1]\\r\\n250-SIZE 1\\r\\n250 HELP"),
            event("250-mx.example.com at your service, [192.0.2.99]\\r\\n250 HELP"),
        ]);
        let details = &report.policies[0].details;
        assert_eq!((details.len(), details[0].sessions), (1, 2));
        assert_eq!(details[0].failure.mx_helo.as_deref(), Some("mx.example.com"));
    }

    /// §4.4 calls `mx-host` a string, its example has one; erratum 6241 makes it a list. We write
    /// lists and read both.
    #[test]
    fn s4_4_mx_host_is_written_as_a_list_and_read_in_both_forms() {
        let json = report(&[event(Outcome::Success, &[])]).to_json();
        let list = "[\"*.example.net\",\"mail.example.com\"]";
        assert!(json.contains(list));
        let read = read_report(json.replace(list, "\"mail.example.com\"").as_bytes()).unwrap();
        assert_eq!(read.report.policies[0].policy.mx, ["mail.example.com".into()]);
        assert_eq!(read.quirks.len(), 1);
    }

    #[test]
    fn s4_reports_are_i_json() {
        let failure = Failure {
            reason: Some("a\u{0}\u{ffff}\"\\\u{e4}".into()),
            ..Failure::of(ResultType::ValidationFailure)
        };
        let mut report = report(&[event(Outcome::Failure, &[failure])]);
        report.policies[0].summary.successes = u64::MAX;
        let json = report.to_json();
        assert!(json.contains("\"a\\u0000\u{fffd}\\\"\\\\\u{e4}\""), "{json}");
        assert!(json.contains(":9007199254740991,"), "{json}");
    }

    fn mail<R>(then: impl FnOnce(&ReportMail<'_>) -> R) -> R {
        let (domain, submitter, id) = (name("example.com"), submitter(), id());
        then(&ReportMail {
            domain: &domain,
            submitter: &submitter,
            period: Day::of(NOW).range(),
            id: &id,
            compression: Compression::Gzip,
        })
    }

    #[test]
    fn s5_1_the_file_name_tells_submitter_domain_and_period() {
        let prefix = "reports.sender.example!example.com!1795219200!1795305599";
        mail(|mail| {
            assert_eq!(mail.file_name("").to_string(), format!("{prefix}.json.gz"));
            assert_eq!(mail.file_name("a-1!").to_string(), format!("{prefix}!a1.json.gz"));
        });
    }

    #[test]
    fn s5_3_subject_and_fields_tell_domain_submitter_and_id() {
        mail(|mail| {
            let fields = mail.fields().map(|field| field.to_string());
            assert_eq!(
                fields,
                [
                    "Subject: Report Domain: example.com Submitter: reports.sender.example \
                     Report-ID: <20261121.example.com.a@reports.sender.example>",
                    "TLS-Report-Domain: example.com",
                    "TLS-Report-Submitter: reports.sender.example",
                    "TLS-Required: No",
                    "Auto-Submitted: auto-generated",
                ]
            );
            assert_eq!(Subject::parse(&fields[0]["Subject: ".len()..]), Some(mail.subject()));
        });
    }

    #[test]
    fn s5_3_the_id_in_the_subject_is_that_of_the_report() {
        let report = report(&[event(Outcome::Success, &[])]);
        mail(|mail| assert_eq!(mail.subject().report_id, report.id));
    }

    #[test]
    fn s5_3_and_s5_4_media_types() {
        assert_eq!(Compression::Gzip.media_type(), "application/tlsrpt+gzip");
        assert_eq!(Compression::None.media_type(), "application/tlsrpt+json");
        assert!(tlsrpt::is_report_content_type(tlsrpt::REPORT_CONTENT_TYPE));
    }

    /// The text for people says what it is for, and has no line that must be folded.
    #[test]
    fn s8_the_text_states_the_purpose() {
        let text = mail(|mail| mail.text(Summary { successes: 12, failures: 3 }));
        assert!(text.contains("It serves one purpose"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
    }
}
