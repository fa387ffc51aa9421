//! `waxseal reports list, show, problems, trend, export`: what people and programs see of the store.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::forms::{TLS, xml};
use super::import::run;

/// A store with a report of each kind whose texts are as evil as they can be.
fn state() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let evil =
        "=HYPERLINK(\\u001b[2J<script>\\u202e, \\\"x\\\") and much too long for one line of it";
    let tls = TLS
        .replace("\"organization-name\":\"Receiver\"", &format!("\"organization-name\":\"{evil}\""))
        .replace(
            "\"certificate-expired\",",
            &format!("\"certificate-expired\",\"failure-reason-code\":\"{evil}\","),
        );
    assert_ne!(tls, TLS);
    fs::write(folder.path().join("tls.json"), tls).unwrap();
    let dmarc = xml(60).replace("Receiver", "&#27;[2J=1+1&lt;script&gt;");
    fs::write(folder.path().join("dmarc.xml"), dmarc).unwrap();
    let files = ["tls.json", "dmarc.xml"].map(|name| folder.path().join(name));
    let output = run(
        &folder.path().join("state"),
        &["import", files[0].to_str().unwrap(), files[1].to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    folder
}

fn text(state: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(&state.join("state"), arguments);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(state: &Path, arguments: &[&str]) -> Value {
    let found = text(state, &[arguments, &["--json"]].concat(), 0);
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["version"], 1);
    found
}

#[test]
fn people_see_80_columns_and_nothing_that_moves() {
    let state = state();
    for (arguments, code) in [
        (&["list"][..], 0),
        (&["list", "--aside"], 0),
        (&["show", "1"], 0),
        (&["show", "2"], 0),
        (&["problems"], 2),
        (&["trend"], 0),
        (&["trend", "--domain", "example.com", "--kind", "tls"], 0),
    ] {
        let found = text(state.path(), arguments, code);
        assert!(!found.is_empty());
        for line in found.lines() {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
        assert!(!found.contains(['\u{1b}', '\u{202e}', '\r']), "{found}");
    }
}

#[test]
fn lists_are_chosen() {
    let state = state();
    let count = |arguments: &[&str]| {
        let found = json(state.path(), &[&["list"], arguments].concat());
        found["reports"].as_array().unwrap().len()
    };
    assert_eq!(count(&[]), 2);
    assert_eq!(count(&["--kind", "tls"]), 1);
    assert_eq!(count(&["--kind", "failure"]), 0);
    assert_eq!(count(&["--domain", "example.com"]), 2);
    assert_eq!(count(&["--domain", "example.org"]), 0);
    assert_eq!(count(&["--since", "2026-11-20", "--until", "2026-11-20"]), 2);
    assert_eq!(count(&["--since", "2026-11-21"]), 0);
    assert_eq!(count(&["--until", "2026-11-19"]), 0);
    assert_eq!(count(&["--limit", "1"]), 1);
    let wrong = run(&state.path().join("state"), &["list", "--since", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(64));
}

#[test]
fn a_report_is_shown_with_its_rows() {
    let state = state();
    let tls = json(state.path(), &["show", "1"]);
    assert_eq!((&tls["kind"], &tls["failures"]), (&"tls-rpt".into(), &3.into()));
    assert_eq!(tls["failure_details"].as_array().unwrap().len(), 2);
    assert_eq!(tls["by_policy"][0]["mx_host"][0], "mx.example.com");
    let dmarc = json(state.path(), &["show", "2"]);
    assert_eq!((&dmarc["messages"], &dmarc["policy_published"]), (&120.into(), &"p=reject".into()));
    assert_eq!(dmarc["records"].as_array().unwrap().len(), 60);
    assert_eq!(dmarc["records"][0]["auth"], "dkim:example.com:s0:pass spf:example.net::fail");
    let shown = text(state.path(), &["show", "2", "--limit", "5"], 0);
    assert!(shown.contains("and 55 more"), "{shown}");
    assert_eq!(run(&state.path().join("state"), &["show", "77"]).status.code(), Some(1));
}

#[test]
fn problems_and_trends_for_programs() {
    let state = state();
    let found = json(state.path(), &["problems"]);
    let problem = &found["problems"][0];
    assert_eq!((&problem["blame"], &problem["domain"]), (&"ours".into(), &"example.com".into()));
    assert!(problem["fix"].as_array().unwrap().len() > 1);
    assert_eq!((&found["since"], &found["until"]), (&"2026-10-22".into(), &"2026-11-20".into()));
    let found = json(state.path(), &["trend", "--kind", "dmarc"]);
    assert_eq!(found["trends"][0]["days"][0]["good"], 120);
    assert_eq!(found["trends"][0]["days"][0]["day"], "2026-11-20");
}

#[test]
fn exports_are_whole_and_harmless() {
    let state = state();
    let lines = text(state.path(), &["export"], 0);
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 60 + 1 + 2);
    let csv = text(state.path(), &["export", "--format", "csv", "--kind", "tls"], 0);
    assert_eq!(csv.matches("\r\n").count(), 1 + 1 + 2, "{csv}");
    assert!(csv.contains("\"'=HYPERLINK(") && csv.contains("\"\"x\"\""), "{csv}");
    assert!(!csv.contains('\u{1b}'));
    let wrong = run(&state.path().join("state"), &["export", "--format", "csv"]);
    assert_eq!(wrong.status.code(), Some(64));
}

#[test]
fn without_a_store_there_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&folder.path().join("none"), &["list"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("waxseal reports import"), "{told}");
}
