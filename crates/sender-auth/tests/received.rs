//! Reports of others, one file for each oddity that is met in the wild: what is read of it, and
//! which quirks are named. All files are our own; `NAME.expected` says what must come out.
//!
//! Also the bounds of the reader, and failure reports.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;
use sender_auth::report::*;
use smtp_types::UnixTime;

/// The day after the one that the files are about.
const NOW: UnixTime = UnixTime(1_795_219_260);

/// Reads a document as a forgiving reader of XML would tell it.
fn read(xml: &str) -> (Result<ReceivedReport, ReadError>, Vec<ReceivedRecord>) {
    let mut events = Reader::from_str(xml);
    events.config_mut().check_end_names = false;
    events.config_mut().allow_unmatched_ends = true;
    let mut reader = AggregateReader::new(ReadLimits::default(), NOW);
    let mut records = Vec::new();
    loop {
        match events.read_event().unwrap() {
            Event::Start(tag) => {
                for attribute in tag.attributes().flatten() {
                    if attribute.key.as_ref().starts_with("xmlns")
                        && tag.name().as_ref().ends_with("feedback")
                    {
                        reader.namespace(&attribute.value);
                    }
                }
                reader.open(tag.name().as_ref()).unwrap();
            }
            Event::Empty(tag) => {
                reader.open(tag.name().as_ref()).unwrap();
                records.extend(reader.close(tag.name().as_ref()));
            }
            Event::End(tag) => records.extend(reader.close(tag.name().as_ref())),
            Event::Text(text) => reader.text(&text.into_inner()),
            Event::CData(text) => reader.text(&text.into_inner()),
            Event::GeneralRef(reference) => {
                let c = match &*reference.clone().into_inner() {
                    "lt" => '<',
                    "gt" => '>',
                    _ => reference.resolve_char_ref().ok().flatten().unwrap_or('\u{1b}'),
                };
                reader.text(c.encode_utf8(&mut [0; 4]));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    records.extend(reader.cut_off());
    (reader.finish(), records)
}

#[test]
fn each_oddity_is_read_and_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = String::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "xml")) {
        let (report, records) = read(&fs::read_to_string(file).unwrap());
        let report = report.unwrap();
        let Totals { records: number, messages, dmarc_pass, .. } = report.totals;
        assert_eq!(number, records.len() as u64);
        let mut found = format!("records messages dmarc_pass: {number} {messages} {dmarc_pass}\n");
        let mut quirks: Vec<_> = report
            .quirks
            .iter()
            .map(|quirk| format!("{} {} {}", quirk.kind, quirk.path, quirk.times))
            .collect();
        quirks.sort();
        quirks.iter().for_each(|quirk| writeln!(found, "{quirk}").unwrap());
        let expected = fs::read_to_string(file.with_extension("expected")).unwrap();
        if found != expected {
            writeln!(wrong, "{}\nexpected {expected}found    {found}", file.display()).unwrap();
        }
    }
    assert!(files.len() > 100, "the files are there");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_bounds_hold() {
    let mut reader = AggregateReader::new(ReadLimits::default(), NOW);
    reader.open("feedback").unwrap();
    let too_deep = (0..1_000_000).find_map(|_| reader.open("x").err());
    assert_eq!(too_deep, Some(ReadError::TooDeep { limit: 16 }));

    let limits = ReadLimits { records: 3, ..ReadLimits::default() };
    let mut reader = AggregateReader::new(limits, NOW);
    reader.open("feedback").unwrap();
    for _ in 0..3 {
        reader.open("record").unwrap();
        assert!(reader.close("record").is_some());
    }
    assert_eq!(reader.open("record"), Err(ReadError::TooManyRecords { limit: 3 }));

    let mut reader = AggregateReader::new(ReadLimits::default(), NOW);
    for name in ["feedback", "record", "auth_results"] {
        reader.open(name).unwrap();
    }
    for _ in 0..500 {
        reader.open("dkim").unwrap();
        reader.open("domain").unwrap();
        reader.text("example.com");
        assert_eq!(reader.close("dkim"), None);
    }
    let record = reader.close("record").unwrap();
    assert_eq!(record.dkim_results.len(), 100);
    let report = reader.finish().unwrap();
    assert!(
        report.quirks.iter().any(|quirk| quirk.kind == QuirkKind::TooMany && quirk.times == 400)
    );

    let mut reader = AggregateReader::new(ReadLimits::default(), NOW);
    for name in ["feedback", "report_metadata", "org_name"] {
        reader.open(name).unwrap();
    }
    for _ in 0..100_000 {
        reader.text("0123456789ä");
    }
    let _ = reader.close("org_name");
    let report = reader.finish().unwrap();
    assert_eq!(report.metadata.org_name.unwrap().as_str().chars().count(), 500);
    assert!(report.quirks.iter().any(|quirk| quirk.kind == QuirkKind::TextTooLong));
}

#[test]
fn what_is_no_report_is_refused() {
    for (xml, error) in [
        ("<html><body/></html>", ReadError::NotAReport { found: "html".into() }),
        ("", ReadError::Nothing),
        ("just text", ReadError::Nothing),
    ] {
        let mut reader = AggregateReader::new(ReadLimits::default(), NOW);
        let first = xml.strip_prefix('<').and_then(|xml| xml.split('>').next());
        let found = match first.map(|name| reader.open(name)) {
            Some(Err(error)) => error,
            _ => reader.finish().unwrap_err(),
        };
        assert_eq!(found, error, "{xml:?}");
    }
}

#[test]
fn a_quirk_says_where_and_what() {
    let xml = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports/same_quirk_often.xml"),
    );
    let (report, _) = read(&xml.unwrap());
    let lines: Vec<_> = report.unwrap().quirks.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["letter-case: record/row/policy_evaluated/dkim, record 1: found \"Pass\" (3 times)"]
    );
}

/// The fields of a failure report with everything that names a person.
const FAILURE: &str = "Feedback-Type: auth-failure\r\nUser-Agent: Maker/1.0\r\nVersion: 1\r\n\
    Original-Mail-From: <jane@example.com>\r\nOriginal-Rcpt-To: <joe@example.net>\r\n\
    Arrival-Date: Sat, 21 Nov 2026 20:30:00 +0100 (CET)\r\nMessage-ID: <private@example.com>\r\n\
    Source-IP: 192.0.2.1\r\nAuth-Failure: dmarc\r\nReported-Domain:\r\n example.com\r\n\
    Delivery-Result: reject\r\nIncidents: 4\r\n\r\n";

#[test]
fn rfc6591_s3_1_a_failure_report_is_counted() {
    let report = read_failure(FAILURE.as_bytes()).unwrap();
    assert_eq!(report.reported_domain.as_ref().unwrap().as_str(), "example.com");
    assert_eq!(report.source_ip, "192.0.2.1".parse().ok());
    assert_eq!(report.arrival, Some(UnixTime(1_795_289_400)));
    assert_eq!(report.failure, Some(AuthFailure::Dmarc));
    assert_eq!(report.delivery, Some(DeliveryResult::Reject));
    assert_eq!(report.incidents, 4);
    assert!(report.quirks.is_empty());
    let all = format!("{report:?}");
    for personal in ["jane", "joe", "private", "example.net"] {
        assert!(!all.contains(personal), "{all}");
    }
}

#[test]
fn failure_reports_are_read_leniently() {
    let report = read_failure(
        b"FEEDBACK-TYPE: Auth-Failure\nReported-Domain: jane@example.com\nSource-IP: [x]\n",
    )
    .unwrap();
    assert_eq!(report.incidents, 1);
    let quirks: Vec<_> = report.quirks.iter().map(|quirk| (quirk.path, quirk.kind)).collect();
    assert_eq!(
        quirks,
        [
            ("Auth-Failure", QuirkKind::Missing),
            ("Reported-Domain", QuirkKind::AddressForDomain),
            ("Source-IP", QuirkKind::NotAnAddress),
        ]
    );
    assert!(!format!("{report:?}").contains("jane"));
    assert_eq!(read_failure(b"Subject: hello\n"), Err(FailureReadError::NotAReport));
    assert_eq!(
        read_failure(b"Feedback-Type: abuse\n"),
        Err(FailureReadError::OtherKind { found: "abuse".into() })
    );
    assert_eq!(read_failure(b"\xFF\xFE\0"), Err(FailureReadError::NotAReport));
    let long = [FAILURE.as_bytes(), &b"X: y\r\n".repeat(1_000_000)].concat();
    assert_eq!(read_failure(&long).unwrap().incidents, 4);
}
