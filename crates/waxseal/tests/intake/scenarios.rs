//! What reports say, and what is made of it: the scenarios in the folder beside this file, and
//! that each cause of the catalogue has one.
//!
//! A scenario is a text. `tls REPORTER DAYS GOOD` and `dmarc REPORTER DAYS "POLICY"` begin a report
//! for each of these days of November 2026 about example.com; lines below them are its rows:
//!
//! ```text
//! policy sts enforce mx1.example.com
//! fail RESULT SESSIONS mx=HOST from=IP to=IP reason=WORDS_JOINED
//! record IP MESSAGES dkim=DOMAIN:SELECTOR:RESULT spf=DOMAIN:RESULT aligned=dkim,spf …
//! expect CAUSE words that the title has
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use smtp_types::{DomainName, UnixTime};
use tlsrpt::{Policy, PolicyType};
use waxseal::intake::problems::{CATALOGUE, Evidence, find};
use waxseal::store::{
    Aligned, FailureRow, PolicyRow, ReceivedKind, ReceivedTotals, RecordRow, ReportDetails,
    ReportRow,
};

/// 2026-11-01, and a day.
const START: u64 = 1_793_491_200;
const DAY: u64 = 86_400;

struct Scenario {
    evidence: Evidence,
    expected: Vec<(String, String)>,
}

struct Block {
    head: Vec<String>,
    details: ReportDetails,
}

fn read(text: &str) -> Scenario {
    let mut scenario = Scenario { evidence: Evidence::default(), expected: Vec::new() };
    let mut block: Option<Block> = None;
    for line in
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let rest: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        match words[0].as_str() {
            "tls" | "dmarc" => {
                scenario.add(block.take());
                block = Some(Block { head: words, details: ReportDetails::default() });
            }
            "policy" => block.as_mut().unwrap().details.policies.push(policy(&rest)),
            "fail" => block.as_mut().unwrap().details.failures.push(failure(&rest)),
            "record" => block.as_mut().unwrap().details.records.push(record(&rest)),
            "expect" => scenario.expected.push((rest[0].to_owned(), rest[1..].join(" "))),
            other => panic!("{other}"),
        }
    }
    scenario.add(block);
    scenario
}

impl Scenario {
    fn add(&mut self, block: Option<Block>) {
        let Some(Block { head, mut details }) = block else { return };
        let kind = if head[0] == "tls" { ReceivedKind::Tls } else { ReceivedKind::Dmarc };
        let (first, last) = head[2].split_once('-').unwrap_or((&head[2], &head[2]));
        let bad: u64 = details.failures.iter().map(|row| row.sessions).sum();
        let mut totals = ReceivedTotals { bad, ..ReceivedTotals::default() };
        if kind == ReceivedKind::Tls {
            totals.good = head[3].parse().unwrap();
            if details.policies.is_empty() {
                details.policies.push(policy(&[
                    "sts",
                    "enforce",
                    "mx1.example.com",
                    "mx2.example.com",
                ]));
            }
        }
        for row in &details.records {
            let passed = row.aligned.dkim || row.aligned.spf;
            *if passed { &mut totals.good } else { &mut totals.bad } += row.messages;
        }
        let published =
            if kind == ReceivedKind::Dmarc { head[3..].join(" ") } else { String::new() };
        for day in first.parse::<u64>().unwrap()..=last.parse::<u64>().unwrap() {
            let begins = UnixTime(START + (day - 1) * DAY);
            let report = ReportRow {
                id: 1,
                kind,
                state: "counted".into(),
                domain: "example.com".into(),
                organization: head[1].as_str().into(),
                contact: "".into(),
                submitter: "".into(),
                name: String::new(),
                begins,
                ends: UnixTime(begins.0 + DAY - 1),
                received: begins,
                way: "file".into(),
                grade: "unchecked".into(),
                rows: 0,
                totals,
                policy: published.as_str().into(),
                quirks: String::new(),
                overlaps: false,
                duplicates: 0,
            };
            self.evidence.add(&report, &details);
        }
    }
}

fn policy(words: &[&str]) -> PolicyRow {
    let kind = PolicyType::parse(words[0]);
    let strings: Vec<Box<str>> = match kind {
        PolicyType::Sts => vec!["version: STSv1".into(), format!("mode: {}", words[1]).into()],
        _ => words[1..].iter().map(|word| word.replace('_', " ").into()).collect(),
    };
    let mx = match kind {
        PolicyType::Sts => words[2..].iter().map(|word| (*word).into()).collect(),
        _ => Vec::new(),
    };
    let domain = DomainName::parse("example.com").ok();
    let policy = Policy { kind, domain, strings, mx }.canonical();
    PolicyRow { domain: "example.com".into(), policy: policy.to_line().into(), good: 0, bad: 0 }
}

fn value<'w>(words: &[&'w str], name: &str) -> Option<&'w str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn failure(words: &[&str]) -> FailureRow {
    let text = |name| -> Arc<str> { value(words, name).unwrap_or("").replace('_', " ").into() };
    FailureRow {
        policy: 0,
        result: words[0].into(),
        sending_ip: value(words, "from").map(|ip| ip.parse().unwrap()),
        mx: text("mx"),
        receiving_ip: value(words, "to").map(|ip| ip.parse().unwrap()),
        helo: "".into(),
        reason: text("reason"),
        sessions: words[1].parse().unwrap(),
    }
}

fn record(words: &[&str]) -> RecordRow {
    let aligned = value(words, "aligned").unwrap_or("");
    let mut auth = Vec::new();
    for word in words {
        if let Some(dkim) = word.strip_prefix("dkim=") {
            auth.push(format!("dkim:{dkim}"));
        }
        if let Some((domain, result)) =
            word.strip_prefix("spf=").and_then(|spf| spf.split_once(':'))
        {
            auth.push(format!("spf:{domain}:mfrom:{result}"));
        }
    }
    RecordRow {
        source: Some(words[0].parse().unwrap()),
        messages: words[1].parse().unwrap(),
        disposition: if words.contains(&"stopped") { 4 } else { 1 },
        aligned: Aligned { dkim: aligned.contains("dkim"), spf: aligned.contains("spf") },
        header_from: value(words, "header").unwrap_or("example.com").into(),
        envelope_from: "".into(),
        envelope_to: "".into(),
        auth: auth.join(" ").into(),
        reasons: value(words, "reason").unwrap_or("").into(),
    }
}

#[test]
fn each_scenario_has_its_causes_and_each_cause_a_scenario() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intake/scenarios");
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let scenario = read(&fs::read_to_string(&path).unwrap());
        let problems = find(&scenario.evidence);
        let found: Vec<_> = problems.iter().map(|problem| problem.cause.id).collect();
        let expected: Vec<_> = scenario.expected.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(found, expected, "{}\n{problems:#?}", path.display());
        for (problem, (id, words)) in problems.iter().zip(&scenario.expected) {
            let title = problem.title();
            assert!(title.contains(words.as_str()), "{}: {title}", path.display());
            for text in problem.fix().into_iter().chain([title, problem.why()]) {
                assert!(!text.contains(['{', '}']), "{}: {text}", path.display());
            }
            seen.insert(id.clone());
        }
    }
    let known: BTreeSet<_> = CATALOGUE.iter().map(|cause| cause.id.to_owned()).collect();
    assert_eq!(seen, known);
}
