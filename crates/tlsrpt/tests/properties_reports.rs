//! What must hold for all reports, events and sums.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use smtp_types::{DomainName, EmailAddress, UnixTime};
use tlsrpt::{
    Aggregate, Compression, DateRange, Day, Event, Failure, FailureDetail, FileName, Limits,
    Outcome, Policy, PolicyReport, PolicyType, Report, ReportId, ResultType, Session, Subject,
    Submitter, Summary, parse_datagram, parse_postfix_line, personal_data, read_report,
    without_addresses,
};

fn domain() -> impl Strategy<Value = DomainName> {
    "[a-z]{1,3}(-[a-z]{1,2})?\\.test".prop_map(|name| DomainName::parse(&name).unwrap())
}

fn text() -> impl Strategy<Value = Box<str>> {
    "[ -~\u{e4}\u{20ac}]{1,12}".prop_map(Box::from)
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from(bits).into()),
    ]
}

fn result_type() -> impl Strategy<Value = ResultType> {
    prop::sample::select(&ResultType::ALL[..])
}

fn failure() -> impl Strategy<Value = Failure> {
    let hosts = (option::of(address()), option::of(domain()), option::of(domain()));
    (result_type(), hosts, option::of(address()), option::of("[a-z_]{1,9}")).prop_map(
        |(result, (sending_ip, mx, helo), receiving_ip, reason)| Failure {
            sending_ip,
            mx_hostname: mx.map(|name| name.as_str().into()),
            mx_helo: helo.map(|name| name.as_str().into()),
            receiving_ip,
            reason: reason.map(Box::from),
            ..Failure::of(result)
        },
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    let kind = prop::sample::select(&PolicyType::ALL[..]);
    (kind, domain(), vec("[ -Za-z:]{1,9}", 0..3), vec("[a-z*.]{1,5}", 0..3)).prop_map(
        |(kind, domain, strings, mx)| {
            let boxed = |texts: Vec<String>| texts.into_iter().map(Box::from).collect();
            Policy { kind, domain: Some(domain), strings: boxed(strings), mx: boxed(mx) }
                .canonical()
        },
    )
}

fn report() -> impl Strategy<Value = Report> {
    let detail = (failure(), 1..1000_u64)
        .prop_map(|(failure, sessions)| FailureDetail { failure, sessions });
    let policies = vec((policy(), 0..1000_u64, vec(detail, 0..4)), 0..4).prop_map(|policies| {
        let report = |(policy, successes, details): (Policy, u64, Vec<FailureDetail>)| {
            let failures = details.iter().map(|detail| detail.sessions).sum();
            PolicyReport { policy, summary: Summary { successes, failures }, details }
        };
        policies.into_iter().map(report).collect()
    });
    (text(), 0..40_000_u32, domain(), policies).prop_map(|(organization, day, domain, policies)| {
        Report {
            organization: Some(organization),
            period: Day::since_epoch(day).range(),
            contact: Some(format!("tls@{domain}").into()),
            id: format!("{day}.a@{domain}").into(),
            policies,
        }
    })
}

/// Few domains, policies and failures, so that they meet again.
fn event() -> impl Strategy<Value = Event> {
    let session = (0..3_u8, 0..2_u8, any::<bool>(), vec((0..4_u8, 0..3_u8), 0..3)).prop_map(
        |(host, kind, is_success, failures)| {
            let policy = Policy {
                kind: PolicyType::ALL[usize::from(kind)].clone(),
                domain: Some(DomainName::parse(&format!("mx{host}.test")).unwrap()),
                strings: Vec::new(),
                mx: Vec::new(),
            };
            let failures = failures.into_iter().map(|(result, host)| Failure {
                mx_hostname: Some(format!("mx{host}.test").into()),
                ..Failure::of(ResultType::ALL[usize::from(result)].clone())
            });
            let outcome = if is_success { Outcome::Success } else { Outcome::Failure };
            Session { policy, outcome, failures: failures.collect() }
        },
    );
    let record = option::of("v=TLSRPTv1; rua=mailto:[ab]@c.test".prop_map(Box::from));
    (0..4_u8, record, vec(session, 1..3)).prop_map(|(domain, record, sessions)| Event {
        domain: DomainName::parse(&format!("d{domain}.test")).unwrap(),
        record,
        sessions,
    })
}

fn events() -> impl Strategy<Value = Vec<(Event, UnixTime)>> {
    vec((event(), (0..3 * 86_400_u64).prop_map(UnixTime)), 0..24)
}

fn counted(events: &[(Event, UnixTime)], limits: Limits) -> Aggregate {
    let mut aggregate = Aggregate::new(limits);
    for (event, now) in events {
        aggregate.add(event.clone(), *now);
    }
    aggregate
}

/// All that an aggregate says.
fn contents(aggregate: &Aggregate) -> Vec<String> {
    let days = aggregate.days().flat_map(|day| {
        let rows = aggregate.rows(day).map(|row| format!("{row:?}"));
        let records = aggregate
            .summaries(day)
            .map(move |(domain, _)| format!("{day} {domain} {:?}", aggregate.record(day, domain)));
        rows.chain(records).collect::<Vec<_>>()
    });
    days.collect()
}

const SMALL: Limits = Limits { domains: 3, policies: 2, failures: 2, rows: 20 };

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in vec(any::<u8>(), 0..300), text in "\\PC{0,80}") {
        let _ = (parse_datagram(&octets), read_report(&octets));
        let _ = (parse_datagram(text.as_bytes()), read_report(text.as_bytes()));
        let _ = (parse_postfix_line(&text), Subject::parse(&text), FileName::parse(&text));
        let _ = (Policy::from_line(&text), Failure::from_line(&text), ReportId::parse(&text));
    }

    #[test]
    fn a_report_printed_and_read_is_the_same(report in report()) {
        let read = read_report(report.to_json().as_bytes()).unwrap();
        prop_assert_eq!(&read.report, &report);
        prop_assert_eq!(read.quirks, []);
        prop_assert_eq!(read.report.to_json(), report.to_json());
    }

    #[test]
    fn a_line_printed_and_read_is_the_same(policy in policy(), failure in failure(), text in text()) {
        prop_assert_eq!(Policy::from_line(&policy.to_line()), Ok(policy));
        let failure = Failure { reason: Some(text.clone()), mx_helo: Some(text), ..failure };
        let line = failure.to_line();
        prop_assert!(line.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
        prop_assert_eq!(Failure::from_line(&line), Ok(failure));
    }

    #[test]
    fn a_line_that_is_read_prints_as_itself(line in "[pf]1( [a-z0-9.:*%-]{1,9}){4,7}") {
        if let Ok(policy) = Policy::from_line(&line) {
            prop_assert_eq!(policy.to_line(), line.clone());
        }
        if let Ok(failure) = Failure::from_line(&line) {
            prop_assert_eq!(failure.to_line(), line);
        }
    }

    #[test]
    fn an_event_printed_and_read_is_the_same(
        domain in domain(),
        record in option::of(text()),
        sessions in vec((policy(), any::<bool>(), vec(failure(), 0..3)), 1..4),
    ) {
        let sessions = sessions.into_iter().map(|(policy, is_success, failures)| Session {
            policy,
            outcome: if is_success { Outcome::Success } else { Outcome::Failure },
            failures,
        });
        let event = Event { domain, record, sessions: sessions.collect() };
        let read = parse_datagram(event.to_json().as_bytes()).unwrap();
        prop_assert_eq!(read.event, event);
        prop_assert_eq!(read.remarks, []);
    }

    #[test]
    fn a_file_name_and_a_subject_printed_and_read_are_the_same(
        submitter in domain(),
        domain in domain(),
        begin in any::<u64>(),
        end in any::<u64>(),
        unique_id in option::of("[a-zA-Z0-9]{1,8}"),
        compression in prop::sample::select(&[Compression::None, Compression::Gzip][..]),
    ) {
        let period = DateRange { begin: UnixTime(begin), end: UnixTime(end) };
        let unique_id = unique_id.map(Box::from);
        let subject = Subject {
            domain: domain.clone(),
            submitter: submitter.clone(),
            report_id: "1.a@b".into(),
        };
        prop_assert_eq!(Subject::parse(&subject.to_string()), Some(subject));
        let name = FileName { submitter, domain, period, unique_id, compression };
        prop_assert_eq!(FileName::parse(&name.to_string()), Ok(name));
    }
}

proptest! {
    // Each case counts dozens of sessions, some of them several times.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sums_are_exact_whatever_the_limits(events in events()) {
        let aggregate = counted(&events, SMALL);
        let mut expected = BTreeMap::<Day, Summary>::new();
        for (event, now) in &events {
            for session in &event.sessions {
                let sum = expected.entry(Day::of(*now)).or_default();
                *sum = sum.plus(session.outcome.summary());
            }
        }
        for (day, expected) in expected {
            let counted = aggregate.summaries(day).map(|(_, summary)| summary);
            let sum = counted.fold(aggregate.uncounted(day), Summary::plus);
            prop_assert_eq!(sum, expected);
            prop_assert!(aggregate.summaries(day).count() <= SMALL.domains);
        }
    }

    #[test]
    fn each_failed_session_is_in_a_detail(events in events()) {
        let aggregate = counted(&events, SMALL);
        let contact = EmailAddress::parse("tls@s.test").unwrap();
        let submitter = Submitter { organization: "S".into(), contact };
        let id = ReportId::parse("1@s.test").unwrap();
        for day in aggregate.days() {
            for (domain, summary) in aggregate.summaries(day) {
                let report = aggregate.report(day, domain, &submitter, &id).unwrap();
                prop_assert_eq!(report.totals(), summary);
                for policy in report.policies {
                    let in_details: u64 = policy.details.iter().map(|detail| detail.sessions).sum();
                    prop_assert!(in_details >= policy.summary.failures);
                    prop_assert!(in_details <= policy.summary.failures * 2);
                    prop_assert!(policy.details.len() <= SMALL.failures + ResultType::ALL.len());
                }
            }
        }
    }

    #[test]
    fn adding_two_aggregates_is_addition(a in events(), b in events(), c in events()) {
        let limits = Limits::default();
        let (a, b, c) = (counted(&a, limits), counted(&b, limits), counted(&c, limits));
        let sum = |parts: [&Aggregate; 2]| {
            let mut sum = Aggregate::new(limits);
            parts.into_iter().for_each(|part| sum.merge(part));
            sum
        };
        prop_assert_eq!(contents(&sum([&a, &b])), contents(&sum([&b, &a])));
        let left = sum([&sum([&a, &b]), &c]);
        prop_assert_eq!(contents(&left), contents(&sum([&a, &sum([&b, &c])])));
        prop_assert_eq!(contents(&sum([&a, &Aggregate::new(limits)])), contents(&a));
    }

    #[test]
    fn counting_apart_or_together_is_the_same(a in events(), b in events()) {
        let limits = Limits::default();
        let mut apart = counted(&a, limits);
        apart.merge(&counted(&b, limits));
        let together: Vec<_> = a.into_iter().chain(b).collect();
        prop_assert_eq!(contents(&apart), contents(&counted(&together, limits)));
    }

    #[test]
    fn what_was_saved_comes_back(events in events(), cut in 0..24_usize) {
        let mut aggregate = Aggregate::new(SMALL);
        let mut store = Aggregate::new(SMALL);
        let cut = cut.min(events.len());
        for part in [&events[..cut], &events[cut..], &[]] {
            for (event, now) in part {
                aggregate.add(event.clone(), *now);
            }
            let unsaved = aggregate.take_unsaved();
            prop_assert!(!part.is_empty() || unsaved.rows.is_empty() && unsaved.records.is_empty());
            unsaved.rows.iter().for_each(|row| store.apply(row).unwrap());
            unsaved.records.iter().for_each(|seen| store.apply_record(seen));
        }
        prop_assert_eq!(contents(&store), contents(&aggregate));
        prop_assert_eq!(store.take_unsaved(), tlsrpt::Unsaved::default());
    }

    #[test]
    fn nothing_personal_is_left(text in "[a-z @<>.,;=]{0,60}") {
        let reduced = without_addresses(&text);
        prop_assert!(!reduced.contains('@'));
        prop_assert_eq!(personal_data(&reduced, &[], &[]), []);
    }
}
