//! What others report: elements as they come, fields of failure reports, and whole mails and files.

use sender_auth::report::{AggregateReader, ReadLimits, read_failure};
use smtp_types::UnixTime;
use waxseal::intake::{Event, Limits, Report, read};

/// How many characters of something odd are shown, with the marks that it was cut.
const MAX_SHOWN: usize = 82;

/// Elements by hand: each line opens (`<name`), closes (`>name`), or is text. The sums are those of
/// the records that came out, the bounds hold, and all that is told is one short line.
pub fn received_aggregate(data: &[u8]) {
    let limits = ReadLimits { depth: 10, text: 64, records: 20, results: 3 };
    let mut reader = AggregateReader::new(limits, UnixTime(1_800_000_000));
    let mut records = Vec::new();
    for line in String::from_utf8_lossy(data).lines() {
        match (line.strip_prefix('<'), line.strip_prefix('>')) {
            (Some(name), _) if reader.open(name).is_err() => return,
            (Some(_), _) => {}
            (None, Some(name)) => records.extend(reader.close(name)),
            (None, None) => reader.text(line),
        }
    }
    records.extend(reader.cut_off());
    assert!(records.len() <= 20);
    let Ok(report) = reader.finish() else {
        return;
    };
    let messages = records.iter().fold(0_u64, |sum, record| sum.saturating_add(record.count));
    assert_eq!(report.totals.messages, messages);
    assert_eq!(report.totals.records, records.len() as u64);
    assert!(report.totals.dmarc_pass <= messages);
    assert!(
        records.iter().all(|record| record.dkim_results.len() <= 3 && record.reasons.len() <= 3)
    );
    for quirk in report.quirks.iter() {
        assert!(quirk.times > 0 && quirk.found.chars().count() <= MAX_SHOWN);
        assert!(!quirk.to_string().contains(char::is_control));
    }
}

/// The fields of a failure report: nothing that could name a person comes out.
pub fn received_failure(data: &[u8]) {
    let Ok(report) = read_failure(data) else {
        return;
    };
    assert!(report.incidents > 0);
    for quirk in report.quirks.iter() {
        let local = quirk.found.split('@').next().unwrap_or_default();
        assert!(!quirk.found.contains('@') || local == "…", "{quirk}");
    }
}

/// A mail or a file: something always comes out, each fault is one line, and the records are those
/// of the reports.
pub fn received_mail(data: &[u8]) {
    let limits = Limits { document: 1 << 20, total: 4 << 20, ..Limits::default() };
    let (mut records, mut events) = (0_u64, 0_u64);
    read(data, &limits, UnixTime(1_800_000_000), &mut |event| match event {
        Event::Record(_) => records += 1,
        Event::Detail { .. } => {}
        Event::Report(found) => {
            events += 1;
            if let Report::DmarcAggregate(report) = &found.report {
                assert_eq!(report.totals.records, records);
            }
            records = 0;
            assert!(!found.place.contains(char::is_control));
        }
        Event::Fault(fault) => {
            events += 1;
            records = 0;
            assert!(!fault.to_string().contains(char::is_control), "{fault:?}");
        }
    });
    assert!(events > 0);
}
