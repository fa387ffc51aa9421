//! `waxseal reports list` and `waxseal reports show ID`: reports of the store.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::ArgMatches;
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use smtp_types::UnixTime;
use tlsrpt::Policy;

use super::text::{BOLD, counted, cut, date, line, number, share};
use super::{Asked, DAY, Failed, told};
use crate::store::{
    AsideRow, Counted, ReceivedKind, ReceivedView, ReportDetails, ReportRow, Selection,
};

pub(super) fn list(matches: &ArgMatches, view: &ReceivedView) -> Result<ExitCode, Failed> {
    let limit = matches.get_one::<u32>("limit").copied().unwrap_or(50);
    if matches.get_flag("aside") {
        return list_aside(matches, view, limit);
    }
    let asked = Asked::of(matches);
    let reports = view.reports(&Selection {
        domain: asked.domain,
        kind: asked.kind,
        since: asked.since.unwrap_or(UnixTime(0)),
        until: asked.until.unwrap_or(UnixTime(u64::MAX)),
        counted: Counted::All,
        limit,
    })?;
    if matches.get_flag("json") {
        let reports: Vec<Value> = reports.iter().map(document).collect();
        let document = json!({ "version": 1, "reports": reports });
        writeln!(io::stdout().lock(), "{document:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = anstream::stdout().lock();
    if reports.is_empty() {
        writeln!(out, "No reports.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = "    id  day         kind   domain              from             failed        of";
    writeln!(out, "{BOLD}{head}{BOLD:#}")?;
    for report in &reports {
        let ReportRow { id, domain, organization, totals, begins, .. } = report;
        let mark = if report.state != "counted" || report.grade == "failed" { "!" } else { " " };
        writeln!(
            out,
            "{id:>6}{mark} {}  {:<5}  {:<18}  {:<14} {:>8} {:>9}",
            date(begins.0 / DAY),
            word(report.kind),
            cut(domain, 18),
            cut(organization, 14),
            number(totals.bad),
            number(totals.good.saturating_add(totals.bad)),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

const fn word(kind: ReceivedKind) -> &'static str {
    match kind {
        ReceivedKind::Tls => "TLS",
        ReceivedKind::Dmarc => "DMARC",
        ReceivedKind::Failure => "fail",
    }
}

fn list_aside(matches: &ArgMatches, view: &ReceivedView, limit: u32) -> Result<ExitCode, Failed> {
    let asides = view.asides(limit)?;
    if matches.get_flag("json") {
        let asides: Vec<Value> = asides.iter().map(aside_document).collect();
        let document = json!({ "version": 1, "aside": asides });
        writeln!(io::stdout().lock(), "{document:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = anstream::stdout().lock();
    if asides.is_empty() {
        writeln!(out, "Nothing was kept aside.")?;
    }
    for aside in &asides {
        let AsideRow { id, received, way, name, problems, size, times } = aside;
        let again = if *times > 1 { format!(", {times} times") } else { String::new() };
        let octets = number(*size);
        writeln!(out, "{BOLD}{id:>6}{BOLD:#}  {received}  by {way}, {octets} octets{again}")?;
        line(&mut out, "name", name)?;
        for problem in problems.lines() {
            line(&mut out, "why", problem)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn aside_document(aside: &AsideRow) -> Value {
    json!({
        "id": aside.id,
        "received": aside.received.0,
        "way": aside.way,
        "name": aside.name,
        "problems": aside.problems.lines().collect::<Vec<_>>(),
        "octets": aside.size,
        "times": aside.times,
    })
}

fn document(report: &ReportRow) -> Value {
    let ReportRow { totals, .. } = report;
    let mut value = json!({
        "id": report.id,
        "kind": report.kind.as_str(),
        "state": report.state,
        "domain": &*report.domain,
        "organisation": &*report.organization,
        "contact": &*report.contact,
        "submitter": &*report.submitter,
        "report_id": report.name,
        "begin": report.begins.0,
        "end": report.ends.0,
        "received": report.received.0,
        "way": report.way,
        "grade": report.grade,
        "rows": report.rows,
        "overlaps": report.overlaps,
        "duplicates": report.duplicates,
        "quirks": report.quirks.lines().collect::<Vec<_>>(),
    });
    let sums = match report.kind {
        ReceivedKind::Tls => json!({ "successes": totals.good, "failures": totals.bad }),
        ReceivedKind::Dmarc => json!({
            "messages": totals.good.saturating_add(totals.bad),
            "dmarc_pass": totals.good,
            "dkim_pass": totals.dkim_pass,
            "spf_pass": totals.spf_pass,
            "quarantine": totals.quarantined,
            "reject": totals.rejected,
            "policy_published": &*report.policy,
        }),
        ReceivedKind::Failure => json!({ "incidents": totals.bad }),
    };
    if let (Value::Object(fields), Value::Object(sums)) = (&mut value, sums) {
        fields.extend(sums);
    }
    value
}

pub(super) fn show(matches: &ArgMatches, view: &ReceivedView) -> Result<ExitCode, Failed> {
    let text = matches.get_one::<String>("file").map(String::as_str).unwrap_or_default();
    let Ok(id) = text.parse::<i64>() else {
        return Ok(told(&format!("expected the number of a report, found {text:?}"))?);
    };
    if matches.get_flag("aside") {
        return show_aside(id, view);
    }
    let Some(report) = view.report(id)? else {
        return Ok(told(&format!("expected the number of a report, found {id}"))?);
    };
    let details = view.details(id)?;
    if matches.get_flag("json") {
        let mut value = document(&report);
        if let (Value::Object(fields), Value::Object(rows)) = (&mut value, rows(&details)) {
            fields.extend(rows);
            fields.insert("version".into(), 1.into());
        }
        writeln!(io::stdout().lock(), "{value:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let limit = matches.get_one::<u32>("limit").copied().unwrap_or(40);
    write(&report, &details, usize::try_from(limit).unwrap_or(usize::MAX))?;
    Ok(ExitCode::SUCCESS)
}

/// The octets of something that was kept aside, as they came.
fn show_aside(id: i64, view: &ReceivedView) -> Result<ExitCode, Failed> {
    let Some(packed) = view.aside_octets(id)? else {
        let why = "expected a number of reports list --aside whose octets are still there";
        return Ok(told(&format!("{why}, found {id}"))?);
    };
    let mut octets = Vec::new();
    MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut octets)?;
    io::stdout().lock().write_all(&octets)?;
    Ok(ExitCode::SUCCESS)
}

fn rows(details: &ReportDetails) -> Value {
    let ReportDetails { policies, failures, records } = details;
    if policies.is_empty() && failures.is_empty() {
        let records: Vec<Value> = records
            .iter()
            .map(|row| {
                json!({
                    "source_ip": row.source,
                    "messages": row.messages,
                    "disposition": super::export::disposition(row.disposition),
                    "dkim_aligned": row.aligned.dkim,
                    "spf_aligned": row.aligned.spf,
                    "header_from": &*row.header_from,
                    "envelope_from": &*row.envelope_from,
                    "envelope_to": &*row.envelope_to,
                    "auth": &*row.auth,
                    "reasons": &*row.reasons,
                })
            })
            .collect();
        return json!({ "records": records });
    }
    let policies: Vec<Value> = policies
        .iter()
        .map(|row| {
            let policy = Policy::from_line(&row.policy).ok();
            json!({
                "policy_type": policy.as_ref().map(|policy| policy.kind.as_str()),
                "policy_domain": &*row.domain,
                "policy_string": policy.as_ref().map(|policy| &policy.strings),
                "mx_host": policy.as_ref().map(|policy| &policy.mx),
                "successes": row.good,
                "failures": row.bad,
            })
        })
        .collect();
    let failures: Vec<Value> = failures
        .iter()
        .map(|row| {
            json!({
                "policy": row.policy,
                "result_type": &*row.result,
                "sending_mta_ip": row.sending_ip,
                "receiving_mx_hostname": &*row.mx,
                "receiving_ip": row.receiving_ip,
                "receiving_mx_helo": &*row.helo,
                "failure_reason_code": &*row.reason,
                "failed_session_count": row.sessions,
            })
        })
        .collect();
    json!({ "by_policy": policies, "failure_details": failures })
}

fn write(report: &ReportRow, details: &ReportDetails, limit: usize) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let title = match report.kind {
        ReceivedKind::Tls => "TLS report",
        ReceivedKind::Dmarc => "DMARC aggregate report",
        ReceivedKind::Failure => "DMARC failure report",
    };
    writeln!(out, "{BOLD}{title} {}{BOLD:#}", report.id)?;
    let or_none =
        |text: &str| if text.is_empty() { "not said".to_owned() } else { text.to_owned() };
    line(&mut out, "domain", &or_none(&report.domain))?;
    line(&mut out, "organization", &or_none(&report.organization))?;
    line(&mut out, "contact", &or_none(&report.contact))?;
    let author = match report.submitter.is_empty() {
        true => report.grade.clone(),
        false => format!("{} ({})", report.grade, report.submitter),
    };
    line(&mut out, "author", &author)?;
    line(&mut out, "report id", &or_none(&report.name))?;
    line(&mut out, "period", &format!("{} to {}", report.begins, report.ends))?;
    line(&mut out, "received", &format!("{} by {}", report.received, report.way))?;
    if report.state != "counted" {
        let why = match report.state.as_str() {
            "replaced" => "replaced: the same report came again and says something else",
            _ => "doubtful: it contradicts the same report of a surer author",
        };
        line(&mut out, "counts not", why)?;
    }
    if report.overlaps {
        line(&mut out, "overlaps", "another report of this reporter covers the same time")?;
    }
    if report.duplicates > 0 {
        line(&mut out, "came again", &counted(report.duplicates, "time"))?;
    }
    for (index, quirk) in report.quirks.lines().enumerate() {
        line(&mut out, if index == 0 { "quirks" } else { "" }, quirk)?;
    }
    let totals = report.totals;
    let all = totals.good.saturating_add(totals.bad);
    match report.kind {
        ReceivedKind::Tls => write_tls(&mut out, report, details, limit),
        ReceivedKind::Dmarc => {
            line(&mut out, "policy", &or_none(&report.policy))?;
            let both = format!("DKIM {}, SPF {}", totals.dkim_pass, totals.spf_pass);
            line(&mut out, "passed", &format!("{} ({both})", share(totals.good, all)))?;
            write_records(&mut out, details, limit)
        }
        ReceivedKind::Failure => line(&mut out, "incidents", &number(totals.bad)),
    }
}

fn write_tls(
    out: &mut impl Write,
    report: &ReportRow,
    details: &ReportDetails,
    limit: usize,
) -> io::Result<()> {
    let totals = report.totals;
    let all = totals.good.saturating_add(totals.bad);
    line(out, "sessions", &format!("{} encrypted as the policy wants", share(totals.good, all)))?;
    for row in &details.policies {
        let policy = Policy::from_line(&row.policy).ok();
        let kind = policy.as_ref().map_or("unknown", |policy| policy.kind.as_str());
        let (good, bad) = (number(row.good), number(row.bad));
        line(out, "policy", &format!("{kind} {}: {good} good, {bad} bad", row.domain))?;
        let strings = policy.iter().flat_map(|policy| &policy.strings);
        for text in strings.take(10) {
            line(out, "", text)?;
        }
    }
    for row in details.failures.iter().take(limit) {
        let mut text = format!("{} × {}", number(row.sessions), row.result);
        let address = row.receiving_ip.map(|ip| format!(" [{ip}]")).unwrap_or_default();
        if !row.mx.is_empty() || !address.is_empty() {
            text.push_str(&format!(" at {}{address}", row.mx));
        }
        if let Some(ip) = row.sending_ip {
            text.push_str(&format!(" from {ip}"));
        }
        if !row.reason.is_empty() {
            text.push_str(&format!(": {}", row.reason));
        }
        line(out, "failure", &text)?;
    }
    more(out, details.failures.len(), limit)
}

fn write_records(out: &mut impl Write, details: &ReportDetails, limit: usize) -> io::Result<()> {
    // What failed is what people look for.
    let mut records: Vec<_> = details.records.iter().collect();
    records.sort_by_key(|row| (row.aligned.dkim || row.aligned.spf, u64::MAX - row.messages));
    for row in records.iter().take(limit) {
        let source = row.source.map_or_else(|| "unknown".to_owned(), |source| source.to_string());
        let passed = match (row.aligned.dkim, row.aligned.spf) {
            (true, true) => "passed",
            (true, false) => "passed by DKIM",
            (false, true) => "passed by SPF",
            (false, false) => "FAILED",
        };
        let done = super::export::disposition(row.disposition);
        let text = format!("{} from {source}, {passed}, {done}", number(row.messages));
        line(out, "messages", &text)?;
        line(out, "", &format!("From {}, return path {}", row.header_from, row.envelope_from))?;
        line(out, "", &row.auth)?;
        if !row.reasons.is_empty() {
            line(out, "", &format!("because: {}", row.reasons))?;
        }
    }
    more(out, details.records.len(), limit)
}

fn more(out: &mut impl Write, rows: usize, limit: usize) -> io::Result<()> {
    match rows.checked_sub(limit) {
        Some(more) if more > 0 => {
            line(out, "", &format!("and {more} more; --limit shows them, --json has all"))
        }
        _ => Ok(()),
    }
}
