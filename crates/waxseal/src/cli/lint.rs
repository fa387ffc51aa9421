//! `waxseal lint KIND FILE|-`: all remarks about a record or a policy.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{Arg, ArgMatches, Command};
use serde_json::json;
use smtp_types::{Finding, Severity};

/// The longest text that is read. No record or policy comes near.
const MAX_OCTETS: u64 = 1024 * 1024;

/// The kinds of texts that can be judged, with what judges them.
const KINDS: [(&str, Linter); 7] = [
    ("mta-sts-record", |text| mta_sts::lint_record(without_line_end(text))),
    ("mta-sts-policy", mta_sts::lint_policy),
    ("tlsrpt-record", |text| tlsrpt::lint_record(without_line_end(text))),
    ("spf-record", |text| sender_auth::spf::lint_record(without_line_end(text))),
    ("dkim-record", |text| sender_auth::dkim::lint_key_record(without_line_end(text))),
    ("dmarc-record", |text| sender_auth::dmarc::lint_record(without_line_end(text))),
    ("tlsa-record", |text| smtp_dane::lint_tlsa(&String::from_utf8_lossy(text))),
];

type Linter = fn(&[u8]) -> Vec<Finding>;

/// The verb with its flags.
pub(super) fn command() -> Command {
    Command::new("lint")
        .about("Check a policy or a record, and tell all that is wrong with it")
        .long_about(
            "Check a policy or a record, and tell all that is wrong with it: line, column, field, \
             what was found, what was expected, and the clause of the standard. Exit code: 0 fine, \
             1 warnings, 2 errors; with --json 0 whenever the text could be judged.",
        )
        .arg(
            Arg::new("kind")
                .value_name("KIND")
                .required(true)
                .value_parser(KINDS.map(|(kind, _)| kind))
                .help("What the text is."),
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The text; - is standard input."),
        )
        .arg(super::json_arg())
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let kind = matches.get_one::<String>("kind").map(String::as_str).unwrap_or_default();
    let name = matches.get_one::<String>("file").map(String::as_str).unwrap_or_default();
    let Some((_, linter)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        return Ok(ExitCode::from(super::USAGE));
    };
    let text = match read(name) {
        Ok(text) => text,
        Err(error) => {
            anstream::eprintln!("waxseal: {name}: {error}");
            return Ok(ExitCode::from(1));
        }
    };
    let findings = linter(&text);
    let worst = findings.iter().map(|finding| finding.severity).max();
    if matches.get_flag("json") {
        let document = document(&findings, worst);
        writeln!(io::stdout().lock(), "{document:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    show(name, kind, &findings)?;
    Ok(match worst {
        Some(Severity::Error) => ExitCode::from(2),
        Some(Severity::Warning) => ExitCode::from(1),
        Some(Severity::Notice) | None => ExitCode::SUCCESS,
    })
}

/// A record in a file has a line end that is not the record's.
fn without_line_end(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

fn read(name: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut source: Box<dyn Read> = match name {
        "-" => Box::new(io::stdin().lock()),
        _ => Box::new(File::open(name)?),
    };
    source.by_ref().take(MAX_OCTETS + 1).read_to_end(&mut text)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_OCTETS {
        return Err(io::Error::other(format!("expected at most {MAX_OCTETS} octets, found more")));
    }
    Ok(text)
}

fn document(findings: &[Finding], worst: Option<Severity>) -> serde_json::Value {
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code,
                "severity": finding.severity.as_str(),
                "line": finding.position.line,
                "column": finding.position.column,
                "message": finding.message,
                "clause": finding.clause,
            })
        })
        .collect();
    json!({ "valid": worst != Some(Severity::Error), "findings": findings })
}

fn show(name: &str, kind: &str, findings: &[Finding]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    for finding in findings {
        let style = match finding.severity {
            Severity::Error => AnsiColor::Red.on_default().bold(),
            Severity::Warning => AnsiColor::Yellow.on_default().bold(),
            Severity::Notice => Style::new().dimmed(),
        };
        let (line, column) = (finding.position.line, finding.position.column);
        let word = finding.severity.as_str();
        writeln!(out, "{name}:{line}:{column}: {style}{word}{style:#}: {}", finding.message)?;
        writeln!(out, "    {}, {}", finding.clause, finding.code)?;
    }
    let count = |severity| findings.iter().filter(|one| one.severity == severity).count();
    match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => writeln!(out, "{name}: a valid {kind}"),
        (0, warnings) => writeln!(out, "{name}: a valid {kind}, with warnings: {warnings}"),
        (errors, warnings) => {
            writeln!(out, "{name}: not a valid {kind}: errors: {errors}, warnings: {warnings}")
        }
    }
}
