//! Reports as others write them: one file for each quirk, named after it, and the shapes of some
//! large senders. What is expected of each stands beside its name.

#![expect(clippy::panic, reason = "a test may fail loudly")]

use tlsrpt::{PolicyType, QuirkKind, ReadFault, ReadReport, ResultType, read_report};

fn read(name: &str) -> ReadReport {
    let path = format!("{}/tests/reports/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let octets = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    read_report(&octets).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn quirks(read: &ReadReport) -> Vec<(&'static str, &'static str)> {
    read.quirks.iter().map(|quirk| (quirk.kind.code(), quirk.field)).collect()
}

/// File, and the quirks in it: kind and member.
const FILES: [(&str, &[(&str, &str)]); 33] = [
    ("standard", &[]),
    ("byte-order-mark", &[("byte-order-mark", "report")]),
    ("not-utf-8", &[("not-utf-8", "report")]),
    ("trailing-text", &[("trailing-text", "report")]),
    ("member-name", &[("member-name", "mx-host"), ("member-name", "additional-information")]),
    ("unknown-member", &[("unknown-member", "report")]),
    ("repeated-member", &[("repeated-member", "failed-session-count")]),
    ("missing", &[("missing", "policy-domain"), ("missing", "total-failure-session-count")]),
    ("null", &[("null", "contact-info"), ("null", "policy-string"), ("null", "failure-details")]),
    (
        "empty",
        &[
            ("empty", "sending-mta-ip"),
            ("empty", "receiving-ip"),
            ("empty", "receiving-mx-hostname"),
        ],
    ),
    ("wrong-type", &[("wrong-type", "organization-name"), ("wrong-type", "failure-reason-code")]),
    (
        "number-for-text",
        &[("number-for-text", "report-id"), ("number-for-text", "failure-reason-code")],
    ),
    (
        "text-for-number",
        &[
            ("text-for-number", "total-successful-session-count"),
            ("text-for-number", "total-failure-session-count"),
            ("text-for-number", "failed-session-count"),
        ],
    ),
    (
        "not-a-count",
        &[
            ("not-a-count", "total-successful-session-count"),
            ("not-a-count", "total-failure-session-count"),
            ("not-a-count", "failed-session-count"),
        ],
    ),
    ("text-for-list", &[("text-for-list", "mx-host"), ("text-for-list", "policy-string")]),
    ("list-in-text", &[("list-in-text", "policy-string")]),
    ("mx-prefix", &[("mx-prefix", "mx-host")]),
    ("address", &[("address", "sending-mta-ip"), ("address", "receiving-ip")]),
    ("domain", &[("domain", "policy-domain")]),
    ("contact", &[("contact", "contact-info")]),
    ("date-form", &[("date-form", "start-datetime"), ("date-form", "end-datetime")]),
    ("end-at-midnight", &[("end-at-midnight", "date-range")]),
    ("end-before-begin", &[("end-before-begin", "date-range")]),
    ("long-period", &[("long-period", "date-range")]),
    ("word-form", &[("word-form", "policy-type"), ("word-form", "result-type")]),
    ("unknown-word", &[("unknown-word", "policy-type"), ("unknown-word", "result-type")]),
    ("ehlo-reply", &[("ehlo-reply", "receiving-mx-helo")]),
    ("sum-mismatch", &[("sum-mismatch", "failed-session-count")]),
    ("too-long", &[("too-long", "failure-reason-code")]),
    ("too-many", &[("too-many", "mx-host")]),
    (
        "shape-search-engine",
        &[("missing", "policy-domain"), ("missing", "total-failure-session-count")],
    ),
    (
        "shape-office-suite",
        &[
            ("list-in-text", "policy-string"),
            ("date-form", "start-datetime"),
            ("date-form", "end-datetime"),
        ],
    ),
    (
        "shape-mailbox",
        &[("sum-mismatch", "failed-session-count"), ("end-at-midnight", "date-range")],
    ),
];

#[test]
fn each_file_has_its_quirks() {
    for (name, expected) in FILES {
        let mut found = quirks(&read(name));
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{name}");
    }
}

/// Sums and names are those that a person would read, whatever the form.
#[test]
fn quirks_do_not_change_what_is_said() {
    let standard = read("standard").report;
    let same = [
        "byte-order-mark",
        "trailing-text",
        "unknown-member",
        "repeated-member",
        "text-for-number",
        "word-form",
        "ehlo-reply",
    ];
    for name in same {
        assert_eq!(read(name).report, standard, "{name}");
    }
    assert_eq!(&*read("text-for-list").report.policies[0].policy.mx[0], "mx1.example.org");
    assert_eq!(&*read("member-name").report.policies[0].policy.mx[0], "mx1.example.org");
    assert_eq!(&*read("mx-prefix").report.policies[0].policy.mx[1], "*.example.net");
    assert_eq!(read("list-in-text").report.policies[0].policy.strings.len(), 2);
    assert_eq!(read("not-a-count").report.policies[0].summary.successes, 0);
    assert_eq!(read("number-for-text").report.id.as_ref(), "20261120001");
    let date = read("date-form").report.period;
    assert_eq!(date, standard.period);
    let words = read("unknown-word").report;
    assert_eq!(words.policies[0].policy.kind, PolicyType::Other("quantum".into()));
    let result = &words.policies[0].details[0].failure.result;
    assert_eq!(result, &ResultType::Other("post-quantum-required".into()));
    let address = &read("address").report.policies[0].details[0].failure;
    assert_eq!((address.sending_ip, address.receiving_ip), ("2001:db8::10".parse().ok(), None));
}

#[test]
fn each_quirk_has_a_file_and_tells_its_place() {
    let empty = read("empty");
    assert_eq!(
        empty.quirks[0].to_string(),
        "policies[0].failure-details[0].sending-mta-ip: expected a text, found an empty one"
    );
    let number = &read("text-for-number").quirks[0];
    assert_eq!(
        number.to_string(),
        "policies[0].total-successful-session-count: expected a number, found \"12\""
    );
    let unknown = read("unknown-member");
    assert_eq!((unknown.quirks[0].kind, unknown.quirks[0].count), (QuirkKind::UnknownMember, 2));
}

/// Hostile input: bounded, never a panic, an error that names place and expectation.
#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let table = [
        ("", "line 1, column 1: report: expected JSON, found EOF while parsing a value"),
        ("[]", "line 1, column 1: report: expected an object, found a list"),
        ("null", "line 1, column 1: report: expected an object, found null"),
        ("{}", "line 1, column 1: date-range.start-datetime: expected a date-time, found none"),
        (
            "{\"date-range\":{\"start-datetime\":\"0001-01-01T00:00:00Z\"}}",
            "line 1, column 1: date-range.start-datetime: expected a date-time of RFC 3339, found \
             \"0001-01-01T00:00:00Z\"",
        ),
        (
            "{\"report-id\":\n1e999}",
            "line 2, column 5: report: expected JSON, found number out of range",
        ),
        ("{\"a\":1,}", "line 1, column 8: report: expected JSON, found trailing comma"),
    ];
    for (text, expected) in table {
        assert_eq!(read_report(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
    }
    let too_long = vec![b' '; tlsrpt::MAX_REPORT + 1];
    let error = read_report(&too_long).unwrap_err();
    assert_eq!(error.fault, ReadFault::TooLong { octets: tlsrpt::MAX_REPORT + 1 });
    for opening in ["[", "{\"policies\":["] {
        let deep = format!("{{\"x\":{}", opening.repeat(200_000));
        assert!(matches!(
            read_report(deep.as_bytes()).unwrap_err().fault,
            ReadFault::NotJson { .. }
        ));
    }
}

#[test]
fn hostile_numbers_and_texts_are_bounded() {
    let text = "{\"organization-name\":\"<script>alert(1)</script>\\u001b[31m\",\
        \"date-range\":{\"start-datetime\":\"2026-11-20T00:00:00Z\",\
        \"end-datetime\":\"2026-11-20T23:59:59Z\"},\"contact-info\":\"a@b.test\",\"report-id\":\"=1+1\",\
        \"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"a.test\"},\
        \"summary\":{\"total-successful-session-count\":18446744073709551616,\
        \"total-failure-session-count\":-9}},\
        {\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"a.test\"},\"summary\":\
        {\"total-successful-session-count\":\"99999999999999999999999\",\
        \"total-failure-session-count\":0}}]}";
    let read = read_report(text.as_bytes()).unwrap();
    assert_eq!(read.report.totals().successes, u64::MAX);
    assert_eq!(read.report.totals().failures, 0);
    // Texts stay as they are: whoever shows them escapes them, as a quirk does.
    assert_eq!(read.report.organization.as_deref(), Some("<script>alert(1)</script>\u{1b}[31m"));
    assert!(read.quirks.iter().all(|quirk| !quirk.to_string().contains(char::is_control)));
}
