//! TLS sessions of our own, as the collector leaves them in the store, and reports as others read
//! them.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use smtp_types::UnixTime;
use tlsrpt::{Day, Failure, Policy, Report, ResultType, read_report};
use waxseal::store::{TlsBounds, TlsCounts, TlsFailureCounts, TlsPolicyCounts, TlsRecordSeen};

use crate::dns::Dns;
use crate::node::{DAY, Node, cut, morning_after, name};

/// All that is counted of a domain at once.
#[derive(Clone, Default)]
pub(crate) struct Sessions {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    /// The record that the mail server has seen.
    pub(crate) record: Option<String>,
    /// What failed.
    pub(crate) reason: Option<&'static str>,
}

pub(crate) fn good(successes: u64) -> Sessions {
    Sessions { successes, ..Sessions::default() }
}

/// Counts sessions with a domain under a policy of MTA-STS.
pub(crate) async fn count(node: &Node, at: UnixTime, domain: &str, sessions: Sessions) {
    let Sessions { successes, failures, record, reason } = sessions;
    let domain = name(domain);
    let policy = Policy {
        kind: tlsrpt::PolicyType::Sts,
        domain: Some(domain.clone()),
        strings: ["version: STSv1", "mode: enforce", "max_age: 86400"].map(Box::from).into(),
        mx: vec!["mx.a.test".into()],
    };
    let failure = Failure {
        sending_ip: Some("192.0.2.10".parse().unwrap()),
        mx_hostname: Some("mx.a.test".into()),
        receiving_ip: Some("198.51.100.25".parse().unwrap()),
        reason: reason.map(Box::from),
        ..Failure::of(ResultType::CertificateExpired)
    };
    let details = TlsFailureCounts {
        failure: failure.to_line(),
        coarse: Failure::of(failure.result).to_line(),
        sessions: failures,
    };
    let counts = TlsCounts {
        day: Day::of(at).number(),
        domain,
        record: record.map(|text| TlsRecordSeen { text, at }),
        policies: vec![TlsPolicyCounts {
            policy: policy.to_line(),
            coarse: policy.to_line(),
            successes,
            failures,
            details: if failures > 0 { vec![details] } else { Vec::new() },
        }],
    };
    let bounds = TlsBounds { domains: 1000, policies: 100, details: 100, rows: 10_000 };
    assert_eq!(node.store.add_tls_counts(vec![counts], bounds).await.unwrap(), 0);
}

/// A domain asks for reports at these places.
pub(crate) fn ask(dns: &Dns, domain: &str, rua: &str) {
    dns.say(&[&format!("_smtp._tls.{domain} TXT v=TLSRPTv1; rua={rua}")]);
}

/// The reports of the day of `at` are made: how many.
pub(crate) async fn end_day(node: &Node, at: UnixTime) -> usize {
    node.reporter.make_due(morning_after(at)).await.unwrap()
}

/// When all letters of the day of `at` are due.
pub(crate) fn night_after(at: UnixTime) -> UnixTime {
    UnixTime((at.0 / DAY + 1) * DAY + 6 * 3600)
}

/// The JSON in a body.
pub(crate) fn unzip(gzipped: &[u8]) -> String {
    let mut json = String::new();
    GzDecoder::new(gzipped).read_to_string(&mut json).unwrap();
    json
}

/// The JSON in a report mail.
pub(crate) fn json_of(mail: &[u8]) -> String {
    let (_, body) = cut(mail);
    let body = String::from_utf8(body).unwrap();
    let (_, attached) = body.split_once("filename=").unwrap();
    let (_, base64) = attached.split_once("\r\n\r\n").unwrap();
    let base64: String = base64.lines().take_while(|line| !line.starts_with("--")).collect();
    unzip(&STANDARD.decode(base64).unwrap())
}

/// The report, which must be as the standard wants it.
pub(crate) fn read(json: &str) -> Report {
    let read = read_report(json.as_bytes()).unwrap();
    assert!(read.quirks.is_empty(), "{:?}", read.quirks);
    read.report
}

/// What became of a domain's day.
pub(crate) fn outcome(node: &Node, at: UnixTime, domain: &str) -> Option<String> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let path = node.folder.path().join("waxseal.db");
    let db = rusqlite::Connection::open_with_flags(path, flags).unwrap();
    let sql = "SELECT outcome FROM tls_day WHERE day = ?1 AND domain = ?2";
    db.query_row(sql, rusqlite::params![Day::of(at).number(), domain], |row| row.get(0)).unwrap()
}
