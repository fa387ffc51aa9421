//! `waxseal reports show FILE`: what is in a file or in standard input. It needs no settings and no
//! store.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use anstyle::Style;
use clap::ArgMatches;
use sender_auth::report::{ReceivedFailure, ReceivedReport, Totals};
use serde_json::{Value, json};
use smtp_types::UnixTime;
use tlsrpt::ReadReport;

use super::super::looking;
use super::text::{line, share};
use crate::intake::{self, Event, Fault, Limits, Report};

/// How many quirks people are shown.
const MAX_QUIRKS: usize = 20;

/// A report with what its pieces add up to.
struct Shown {
    place: String,
    report: Report,
    details: Details,
}

/// The failure details of a report about TLS.
#[derive(Clone, Copy, Default)]
struct Details {
    number: u64,
    sessions: u64,
}

/// Shows what is in this file.
pub(super) fn show(matches: &ArgMatches, name: &str) -> io::Result<ExitCode> {
    let limits = Limits::default();
    let octets = match input(name, &limits) {
        Ok(octets) => octets,
        Err(error) => {
            anstream::eprintln!("waxseal: {name}: {error}");
            return Ok(ExitCode::from(1));
        }
    };
    let (mut reports, mut faults) = (Vec::new(), Vec::new());
    let mut details = Details::default();
    intake::read(&octets, &limits, looking::now(matches), &mut |event| match event {
        Event::Record(_) => {}
        Event::Detail { detail, .. } => {
            details.number += 1;
            details.sessions = details.sessions.saturating_add(detail.sessions);
        }
        Event::Report(found) => {
            let details = std::mem::take(&mut details);
            reports.push(Shown { place: found.place, report: found.report, details });
        }
        Event::Fault(fault) => {
            details = Details::default();
            faults.push(fault);
        }
    });
    if matches.get_flag("json") {
        writeln!(io::stdout().lock(), "{:#}", document(&reports, &faults))?;
        return Ok(if reports.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS });
    }
    let mut out = anstream::stdout().lock();
    for shown in &reports {
        write(&mut out, shown)?;
    }
    out.flush()?;
    for fault in &faults {
        anstream::eprintln!("waxseal: {name}: {fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The octets of the file; no more than one above the limit, which then is a fault.
fn input(name: &str, limits: &Limits) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = match name {
        "-" => Box::new(io::stdin().lock()),
        _ => Box::new(File::open(name)?),
    };
    let limit = u64::try_from(limits.input).unwrap_or(u64::MAX);
    let mut octets = Vec::new();
    source.take(limit.saturating_add(1)).read_to_end(&mut octets)?;
    Ok(octets)
}

fn document(reports: &[Shown], faults: &[Fault]) -> Value {
    let faults: Vec<Value> = faults
        .iter()
        .map(|Fault { place, offset, problem }| {
            json!({ "place": place, "offset": offset, "message": problem })
        })
        .collect();
    json!({
        "kind": reports.first().map(|shown| shown.report.kind()),
        "reports": reports.iter().map(one).collect::<Vec<_>>(),
        "faults": faults,
    })
}

fn one(shown: &Shown) -> Value {
    let mut value = match &shown.report {
        Report::DmarcAggregate(report) => aggregate(report),
        Report::TlsRpt(read) => tls(read, shown.details),
        Report::DmarcFailure(report) => failure(report),
    };
    value["kind"] = shown.report.kind().into();
    value["place"] = shown.place.as_str().into();
    value
}

fn aggregate(report: &ReceivedReport) -> Value {
    let ReceivedReport { metadata, policy, totals, quirks, .. } = report;
    let time = |time: Option<UnixTime>| time.map(|time| time.0);
    let domain = policy.domain.as_ref().map(ToString::to_string);
    json!({
        "organisation": metadata.org_name.as_ref().map(ToString::to_string),
        "email": metadata.email.as_ref().map(ToString::to_string),
        "id": metadata.report_id.as_ref().map(ToString::to_string),
        "domain": domain,
        "begin": time(metadata.begin),
        "end": time(metadata.end),
        "errors": metadata.errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "policy_published": {
            "domain": domain,
            "p": policy.p.map(|word| word.as_str()),
            "sp": policy.sp.map(|word| word.as_str()),
            "np": policy.np.map(|word| word.as_str()),
            "adkim": policy.adkim.map(|word| word.as_str()),
            "aspf": policy.aspf.map(|word| word.as_str()),
            "discovery_method": policy.discovery.map(|word| word.as_str()),
            "fo": policy.fo.iter().map(|word| word.as_str()).collect::<Vec<_>>(),
            "testing": policy.testing.map(|word| word.as_str()),
            "pct": policy.pct,
        },
        "records": totals.records,
        "messages": totals.messages,
        "disposition": {
            "none": totals.none,
            "pass": totals.pass,
            "quarantine": totals.quarantine,
            "reject": totals.reject,
            "unknown": totals.unknown,
        },
        "dkim_pass": totals.dkim_pass,
        "spf_pass": totals.spf_pass,
        "dmarc_pass": totals.dmarc_pass,
        "quirks": quirks.iter().map(|quirk| json!({
            "code": quirk.kind.as_str(),
            "path": quirk.path,
            "record": quirk.record,
            "found": quirk.found,
            "times": quirk.times,
        })).collect::<Vec<_>>(),
    })
}

fn tls(read: &ReadReport, details: Details) -> Value {
    let ReadReport { report, quirks } = read;
    let totals = report.totals();
    let domain = report.policies.iter().find_map(|one| one.policy.domain.as_ref());
    let policies = report.policies.iter().map(|one| {
        json!({
            "policy_type": one.policy.kind.as_str(),
            "policy_domain": one.policy.domain.as_ref().map(ToString::to_string),
            "policy_string": one.policy.strings,
            "mx_host": one.policy.mx,
            "successes": one.summary.successes,
            "failures": one.summary.failures,
        })
    });
    json!({
        "organisation": report.organization,
        "email": report.contact,
        "id": report.id,
        "domain": domain.map(ToString::to_string),
        "begin": report.period.begin.0,
        "end": report.period.end.0,
        "policies": report.policies.len(),
        "successes": totals.successes,
        "failures": totals.failures,
        "failure_details": details.number,
        "failure_detail_sessions": details.sessions,
        "by_policy": policies.collect::<Vec<_>>(),
        "quirks": quirks.iter().map(|quirk| json!({
            "code": quirk.kind.code(),
            "path": format!("{}{}", quirk.first, quirk.field),
            "found": quirk.found,
            "times": quirk.count,
        })).collect::<Vec<_>>(),
    })
}

fn failure(report: &ReceivedFailure) -> Value {
    json!({
        "organisation": null,
        "id": null,
        "domain": report.reported_domain.as_ref().map(ToString::to_string),
        "begin": report.arrival.map(|time| time.0),
        "end": report.arrival.map(|time| time.0),
        "source_ip": report.source_ip,
        "auth_failure": report.failure.map(|word| word.as_str()),
        "delivery_result": report.delivery.map(|word| word.as_str()),
        "incidents": report.incidents,
        "quirks": report.quirks.iter().map(|quirk| json!({
            "code": quirk.kind.as_str(),
            "path": quirk.path,
            "found": quirk.found,
            "times": quirk.times,
        })).collect::<Vec<_>>(),
    })
}

/// A report for people.
fn write(out: &mut impl Write, shown: &Shown) -> io::Result<()> {
    let title = match shown.report {
        Report::DmarcAggregate(_) => "DMARC aggregate report",
        Report::TlsRpt(_) => "TLS report",
        Report::DmarcFailure(_) => "DMARC failure report",
    };
    let bold = Style::new().bold();
    writeln!(out, "{bold}{title}{bold:#}")?;
    if !shown.place.is_empty() {
        line(out, "found in", &shown.place)?;
    }
    let quirks: Vec<String> = match &shown.report {
        Report::DmarcAggregate(report) => {
            write_aggregate(out, report)?;
            report.quirks.iter().map(ToString::to_string).collect()
        }
        Report::TlsRpt(read) => {
            write_tls(out, read, shown.details)?;
            read.quirks.iter().map(ToString::to_string).collect()
        }
        Report::DmarcFailure(report) => {
            write_failure(out, report)?;
            report.quirks.iter().map(ToString::to_string).collect()
        }
    };
    for (index, quirk) in quirks.iter().take(MAX_QUIRKS).enumerate() {
        line(out, if index == 0 { "quirks" } else { "" }, quirk)?;
    }
    if quirks.len() > MAX_QUIRKS {
        line(out, "", &format!("and {} more; --json lists all", quirks.len() - MAX_QUIRKS))?;
    }
    writeln!(out)
}

fn write_aggregate(out: &mut impl Write, report: &ReceivedReport) -> io::Result<()> {
    let ReceivedReport { metadata, policy, totals, .. } = report;
    line(out, "organization", &or_unknown(metadata.org_name.as_ref()))?;
    line(out, "contact", &or_unknown(metadata.email.as_ref()))?;
    line(out, "report id", &or_unknown(metadata.report_id.as_ref()))?;
    let (begin, end) = (or_unknown(metadata.begin.as_ref()), or_unknown(metadata.end.as_ref()));
    line(out, "period", &format!("{begin} to {end}"))?;
    line(out, "domain", &or_unknown(policy.domain.as_ref()))?;
    let tags = [("p", policy.p), ("sp", policy.sp), ("np", policy.np)];
    let tags = tags.iter().filter_map(|(tag, value)| Some(format!("{tag}={}", (*value)?)));
    let tags = tags.collect::<Vec<_>>().join(" ");
    line(out, "policy", if tags.is_empty() { "not said" } else { &tags })?;
    for error in &metadata.errors {
        line(out, "error", error.as_str())?;
    }
    let Totals { records, messages, dkim_pass, spf_pass, dmarc_pass, .. } = *totals;
    line(out, "messages", &format!("{messages}, records: {records}"))?;
    let passed = format!("{}: DKIM {dkim_pass}, SPF {spf_pass}", share(dmarc_pass, messages));
    line(out, "passed", &passed)?;
    let dispositions = [
        ("none", totals.none),
        ("pass", totals.pass),
        ("quarantine", totals.quarantine),
        ("reject", totals.reject),
        ("unknown", totals.unknown),
    ];
    let dispositions = dispositions.iter().filter(|(_, messages)| *messages > 0);
    let dispositions = dispositions.map(|(word, messages)| format!("{word} {messages}"));
    line(out, "disposition", &dispositions.collect::<Vec<_>>().join(", "))
}

fn write_tls(out: &mut impl Write, read: &ReadReport, details: Details) -> io::Result<()> {
    let report = &read.report;
    line(out, "organization", &or_unknown(report.organization.as_ref()))?;
    line(out, "contact", &or_unknown(report.contact.as_ref()))?;
    line(out, "report id", &report.id)?;
    line(out, "period", &format!("{} to {}", report.period.begin, report.period.end))?;
    let totals = report.totals();
    line(
        out,
        "sessions",
        &format!("{} encrypted as the policy wants", share(totals.successes, totals.sessions())),
    )?;
    let Details { number, sessions } = details;
    let failures = format!("{}; details: {number}, of {sessions} sessions", totals.failures);
    line(out, "failures", &failures)?;
    for one in &report.policies {
        let domain = or_unknown(one.policy.domain.as_ref());
        let (successes, failures) = (one.summary.successes, one.summary.failures);
        let text =
            format!("{} {domain}: {successes} good, {failures} bad", one.policy.kind.as_str());
        line(out, "policy", &text)?;
    }
    Ok(())
}

fn write_failure(out: &mut impl Write, report: &ReceivedFailure) -> io::Result<()> {
    line(out, "domain", &or_unknown(report.reported_domain.as_ref()))?;
    line(out, "source", &or_unknown(report.source_ip.as_ref()))?;
    line(out, "arrived", &or_unknown(report.arrival.as_ref()))?;
    line(out, "failed", &or_unknown(report.failure.as_ref()))?;
    line(out, "outcome", &or_unknown(report.delivery.as_ref()))?;
    line(out, "incidents", &report.incidents.to_string())
}

fn or_unknown(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "not said".to_owned(), ToString::to_string)
}
