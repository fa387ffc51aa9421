//! `waxseal reports export`: all rows, for other programs.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::{Map, Value, json};
use smtp_types::UnixTime;
use tlsrpt::Policy;

use super::{Asked, Failed, told};
use crate::store::{Counted, ReceivedKind, ReceivedView, ReportDetails, ReportRow, Selection};

/// The columns of reports about TLS.
const TLS: [&str; 16] = [
    "id",
    "kind",
    "domain",
    "organization",
    "grade",
    "begin",
    "end",
    "policy_type",
    "policy_domain",
    "result",
    "sessions",
    "sending_ip",
    "mx",
    "receiving_ip",
    "helo",
    "reason",
];

/// The columns of aggregate reports.
const DMARC: [&str; 18] = [
    "id",
    "kind",
    "domain",
    "organization",
    "grade",
    "begin",
    "end",
    "policy",
    "source",
    "messages",
    "disposition",
    "dkim_aligned",
    "spf_aligned",
    "header_from",
    "envelope_from",
    "envelope_to",
    "auth",
    "reasons",
];

/// The word for what was done.
pub(super) const fn disposition(number: u8) -> &'static str {
    match number {
        1 => "none",
        2 => "pass",
        3 => "quarantine",
        4 => "reject",
        _ => "unknown",
    }
}

pub(super) fn run(matches: &ArgMatches, view: &ReceivedView) -> Result<ExitCode, Failed> {
    let asked = Asked::of(matches);
    let is_csv = matches.get_one::<String>("format").is_some_and(|format| format == "csv");
    let columns: &[&str] = match asked.kind {
        Some(ReceivedKind::Tls) => &TLS,
        Some(ReceivedKind::Dmarc) => &DMARC,
        _ if is_csv => {
            told("--format csv: expected --kind tls or --kind dmarc, found neither")?;
            return Ok(ExitCode::from(crate::cli::USAGE));
        }
        _ => &[],
    };
    let reports = view.reports(&Selection {
        domain: asked.domain,
        kind: asked.kind,
        since: asked.since.unwrap_or(UnixTime(0)),
        until: asked.until.unwrap_or(UnixTime(u64::MAX)),
        counted: Counted::Only,
        limit: u32::MAX,
    })?;
    let mut out = BufWriter::new(io::stdout().lock());
    if is_csv {
        writeln!(out, "{}\r", columns.join(","))?;
    }
    for report in reports.iter().rev() {
        for row in rows(report, &view.details(report.id)?) {
            if is_csv {
                let fields = columns.iter().map(|column| csv(row.get(*column)));
                writeln!(out, "{}\r", fields.collect::<Vec<_>>().join(","))?;
            } else {
                writeln!(out, "{}", Value::Object(row))?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The rows of a report, each with what it shares with the others.
fn rows(report: &ReportRow, details: &ReportDetails) -> Vec<Map<String, Value>> {
    let shared = json!({
        "id": report.id,
        "kind": report.kind.as_str(),
        "domain": &*report.domain,
        "organization": &*report.organization,
        "grade": report.grade,
        "begin": report.begins.to_string(),
        "end": report.ends.to_string(),
    });
    let row = |own: Value| match (shared.clone(), own) {
        (Value::Object(mut row), Value::Object(own)) => {
            row.extend(own);
            row
        }
        _ => Map::new(),
    };
    let policy_of = |index: usize| {
        let policy = details.policies.get(index);
        let kind = policy.and_then(|row| Policy::from_line(&row.policy).ok());
        let kind = kind.map_or_else(String::new, |policy| policy.kind.as_str().to_owned());
        (kind, policy.map_or("", |row| &*row.domain))
    };
    let mut rows = Vec::new();
    for (index, policy) in details.policies.iter().enumerate() {
        let (kind, domain) = policy_of(index);
        rows.push(row(json!({
            "policy_type": kind,
            "policy_domain": domain,
            "result": "success",
            "sessions": policy.good,
        })));
    }
    for failure in &details.failures {
        let (kind, domain) = policy_of(failure.policy);
        rows.push(row(json!({
            "policy_type": kind,
            "policy_domain": domain,
            "result": &*failure.result,
            "sessions": failure.sessions,
            "sending_ip": failure.sending_ip,
            "mx": &*failure.mx,
            "receiving_ip": failure.receiving_ip,
            "helo": &*failure.helo,
            "reason": &*failure.reason,
        })));
    }
    for record in &details.records {
        rows.push(row(json!({
            "policy": &*report.policy,
            "source": record.source,
            "messages": record.messages,
            "disposition": disposition(record.disposition),
            "dkim_aligned": record.aligned.dkim,
            "spf_aligned": record.aligned.spf,
            "header_from": &*record.header_from,
            "envelope_from": &*record.envelope_from,
            "envelope_to": &*record.envelope_to,
            "auth": &*record.auth,
            "reasons": &*record.reasons,
        })));
    }
    rows
}

/// A field by RFC 4180. What a spreadsheet would take for a formula gets a ' in front (CWE-1236).
fn csv(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return String::new(),
        Some(Value::String(text)) => text,
        Some(other) => return other.to_string(),
    };
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b":._-/@ ".contains(&b));
    match is_plain && !is_formula {
        true => text.clone(),
        false => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_harmless() {
        let table = [
            ("plain.example", "plain.example"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("  +1", "\"'  +1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("a\nb", "\"a\nb\""),
            ("", ""),
        ];
        for (text, field) in table {
            assert_eq!(csv(Some(&Value::from(text))), field, "{text}");
        }
        assert_eq!(csv(Some(&json!(12))), "12");
        assert_eq!(csv(None), "");
    }
}
