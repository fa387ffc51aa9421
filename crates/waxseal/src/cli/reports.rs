//! `waxseal reports`: what others report about domains of ours.
//!
//! `show` reads a file or standard input and tells what is in it. It needs no settings and no
//! store.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{Arg, ArgMatches, Command};
use sender_auth::report::{ReceivedFailure, ReceivedReport, Totals};
use serde_json::{Value, json};
use smtp_types::UnixTime;
use tlsrpt::ReadReport;

use super::looking;
use crate::intake::{self, Event, Fault, Limits, Report};

/// How wide a line for people is.
const WIDTH: usize = 80;

/// How wide the names in front of values are.
const NAMES: usize = 14;

/// How many quirks people are shown.
const MAX_QUIRKS: usize = 20;

/// The verb with its flags.
pub(super) fn command() -> Command {
    Command::new("reports")
        .about("Read what others report: TLS reports and DMARC reports")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("show")
                .about("Show the reports in a mail or a file")
                .long_about(
                    "Show the reports in a mail or a file: TLS reports (RFC 8460), DMARC \
                     aggregate reports (RFC 9990, RFC 7489), and the counts of DMARC failure \
                     reports (RFC 9991). The file may be XML, JSON, gzip, zip or a mail, whatever \
                     its name is. Nothing is stored. What is wrong with the form of a report that \
                     can be read is listed as its quirks. Exit code: 0 all was read, 1 the file \
                     cannot be read, 2 a part is no report that can be read; with --json 0 if \
                     there is a report, 1 if there is none.",
                )
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .required(true)
                        .help("The mail or the file; - is standard input."),
                )
                .arg(super::explain::at_arg())
                .arg(super::json_arg()),
        )
        .subcommand(super::taking_in::address_command())
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    match matches.subcommand() {
        Some(("show", matches)) => show(matches),
        Some(("address", matches)) => super::taking_in::address(matches),
        _ => Ok(ExitCode::from(super::USAGE)),
    }
}

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

fn show(matches: &ArgMatches) -> io::Result<ExitCode> {
    let name = matches.get_one::<String>("file").map(String::as_str).unwrap_or_default();
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
    line(out, "policy", &tags.collect::<Vec<_>>().join(" "))?;
    for error in &metadata.errors {
        line(out, "error", error.as_str())?;
    }
    let Totals { records, messages, dkim_pass, spf_pass, dmarc_pass, .. } = *totals;
    line(out, "messages", &format!("{messages} in {records} records"))?;
    let passed = format!("{} (DKIM {dkim_pass}, SPF {spf_pass})", share(dmarc_pass, messages));
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
        &format!("{} under TLS as wanted", share(totals.successes, totals.sessions())),
    )?;
    let failures = format!(
        "{}, explained in {} details: {}",
        totals.failures, details.number, details.sessions
    );
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

/// `118 of 120 (98.3 %)`; rounded down, so that only all is 100 %.
fn share(part: u64, whole: u64) -> String {
    let per_mille = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{part} of {whole} ({}.{} %)", per_mille / 10, per_mille % 10)
}

/// A name and a value in lines of at most 80 characters. The value is of strangers: what moves a
/// cursor or changes a direction is not written.
fn line(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    let plain = |c: char| match c {
        '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let value: Vec<char> = value.chars().map(plain).collect();
    let dim = AnsiColor::Cyan.on_default();
    let mut rest = value.as_slice();
    let mut name = name;
    loop {
        let room = WIDTH - NAMES - 2;
        let cut = match rest.len() > room {
            // At the last space, or in a word that is too long for a line.
            true => rest[..room].iter().rposition(|c| *c == ' ').filter(|at| *at > 0),
            false => Some(rest.len()),
        };
        let (now, later) = rest.split_at(cut.unwrap_or(room));
        let now: String = now.iter().collect();
        writeln!(out, "  {dim}{name:<NAMES$}{dim:#}{}", now.trim_end())?;
        rest = later.strip_prefix(&[' ']).unwrap_or(later);
        name = "";
        if rest.is_empty() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, value: &str) -> String {
        let mut out = Vec::new();
        line(&mut anstream::StripStream::new(&mut out), name, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_short_and_plain() {
        assert_eq!(written("domain", "a.test"), "  domain        a.test\n");
        let long = written("quirks", &"word ".repeat(50));
        assert!(long.lines().all(|line| line.chars().count() <= WIDTH), "{long}");
        assert_eq!(long.matches("word").count(), 50);
        let unbroken = written("id", &"x".repeat(300));
        assert!(unbroken.lines().all(|line| line.chars().count() <= WIDTH), "{unbroken}");
        assert_eq!(unbroken.matches('x').count(), 300);
        assert_eq!(written("id", "a\u{1b}[31m\r\nb\u{202e}"), "  id            a [31m  b\n");
    }

    #[test]
    fn shares() {
        assert_eq!(share(118, 120), "118 of 120 (98.3 %)");
        assert_eq!(share(0, 0), "0 of 0 (0.0 %)");
        assert_eq!(share(u64::MAX, u64::MAX), format!("{0} of {0} (100.0 %)", u64::MAX));
    }
}
