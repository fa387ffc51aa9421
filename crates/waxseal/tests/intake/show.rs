//! `waxseal reports show`: what people and programs see.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::forms::{FEEDBACK, TLS, gzip, mail, part, xml};

fn show(octets: &[u8], flags: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_waxseal"))
        .args(["reports", "show", "-", "--at", "1795219260"])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(octets).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}

fn json(octets: &[u8], code: i32) -> Value {
    let output = show(octets, &["--json"]);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stderr.is_empty());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_aggregate_report_as_json() {
    let found = json(&gzip(xml(3).as_bytes()), 0);
    assert_eq!(found["kind"], "dmarc-aggregate");
    assert_eq!(found["faults"], Value::Array(Vec::new()));
    let report = &found["reports"][0];
    for (key, value) in [
        ("organisation", Value::from("Receiver")),
        ("id", "1".into()),
        ("domain", "example.com".into()),
        ("begin", 1_795_132_800.into()),
        ("end", 1_795_219_199.into()),
        ("records", 3.into()),
        ("messages", 6.into()),
        ("dkim_pass", 6.into()),
        ("spf_pass", 0.into()),
        ("dmarc_pass", 6.into()),
    ] {
        assert_eq!(report[key], value, "{key}");
    }
    assert_eq!(report["disposition"]["none"], 6);
    assert_eq!(report["disposition"]["reject"], 0);
    assert_eq!(report["quirks"], Value::Array(Vec::new()));
}

#[test]
fn a_report_about_tls_as_json() {
    let found = json(TLS.as_bytes(), 0);
    assert_eq!(found["kind"], "tls-rpt");
    let report = &found["reports"][0];
    for (key, value) in [
        ("organisation", Value::from("Receiver")),
        ("id", "1@receiver.example".into()),
        ("domain", "example.com".into()),
        ("begin", 1_795_132_800.into()),
        ("end", 1_795_219_199.into()),
        ("policies", 1.into()),
        ("successes", 10.into()),
        ("failures", 3.into()),
        ("failure_details", 2.into()),
        ("failure_detail_sessions", 3.into()),
    ] {
        assert_eq!(report[key], value, "{key}");
    }
}

#[test]
fn faults_beside_reports() {
    let octets = mail(&[
        part("Content-Type: application/gzip", b"\x1f\x8bx"),
        part("Content-Type: application/gzip", &gzip(xml(1).as_bytes())),
        format!("Content-Type: message/feedback-report\r\n\r\n{FEEDBACK}"),
    ]);
    let found = json(octets.as_bytes(), 0);
    assert_eq!(found["reports"].as_array().unwrap().len(), 2);
    assert_eq!(found["reports"][1]["kind"], "dmarc-failure");
    assert_eq!(found["faults"].as_array().unwrap().len(), 1);

    let output = show(octets.as_bytes(), &[]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.starts_with("waxseal: -: part 1") && errors.lines().count() == 1, "{errors}");
}

#[test]
fn what_cannot_be_judged() {
    let found = json(b"hello", 1);
    assert_eq!((&found["kind"], found["reports"].as_array().unwrap().len()), (&Value::Null, 0));
    assert_eq!(found["faults"].as_array().unwrap().len(), 1);
    assert_eq!(show(b"hello", &[]).status.code(), Some(2));
    assert_eq!(show(b"", &["--wrong"]).status.code(), Some(64));
}

#[test]
fn people_see_short_plain_lines() {
    let evil = xml(1)
        .replace(
            "Receiver",
            "&#27;[2J&lt;script&gt;\u{202e}evil and much too long for one line of a terminal, too",
        )
        .replace("<p>reject</p>", "<p>REJECT</p>");
    for octets in [evil.as_bytes(), TLS.as_bytes(), FEEDBACK.as_bytes()] {
        let output = show(octets, &[]);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\r']), "{text}");
    }
    let text = String::from_utf8(show(evil.as_bytes(), &[]).stdout).unwrap();
    assert!(text.contains("2 of 2 (100.0 %)") && text.contains("letter-case"), "{text}");
}
