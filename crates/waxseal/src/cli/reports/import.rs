//! `waxseal reports import`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::text::{BOLD, counted, cut, line, number};
use crate::cli::looking;
use crate::config::Config;
use crate::intake::{self, IntakeSettings, Summary};
use crate::store::{ReceivedImport, ReceivedKind, TakenOutcome};

pub(super) fn run(matches: &ArgMatches, config: &Config) -> io::Result<ExitCode> {
    let paths: Vec<PathBuf> =
        matches.get_many::<PathBuf>("path").unwrap_or_default().cloned().collect();
    let mut store = match ReceivedImport::open(&config.state_dir) {
        Ok(store) => store,
        Err(error) => return super::told(&error.to_string()),
    };
    let bar = ProgressBar::hidden();
    if io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    }
    let style = "  {bar:40.cyan} {percent:>3} %  {msg}  {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    let imported = intake::import(
        &paths,
        &IntakeSettings::of(config),
        looking::now(matches),
        &mut store,
        |octets| bar.set_length(octets),
        |progress| {
            bar.set_position(progress.octets);
            bar.set_message(counted(progress.inputs, "mail"));
        },
    );
    bar.finish_and_clear();
    let summary = match imported {
        Ok(summary) => summary,
        Err(error) => {
            return super::told(&format!(
                "{error}; what was read up to here is stored, and the import can be repeated"
            ));
        }
    };
    for problem in &summary.problems {
        anstream::eprintln!("waxseal: {}", cut(problem, 400));
    }
    for unreadable in &summary.unreadable {
        let path = unreadable.path.display().to_string();
        anstream::eprintln!("waxseal: {}: {}", cut(&path, 300), unreadable.error);
    }
    if matches.get_flag("json") {
        writeln!(io::stdout().lock(), "{:#}", document(&summary))?;
    } else {
        write(&summary)?;
    }
    let is_whole = summary.aside == 0 && summary.unreadable.is_empty();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn document(summary: &Summary) -> Value {
    let count = |outcome| summary.of_outcome(outcome);
    json!({
        "version": 1,
        "inputs": summary.inputs,
        "reports": {
            "new": count(TakenOutcome::New),
            "duplicate": count(TakenOutcome::Duplicate),
            "replaced": count(TakenOutcome::Replaced),
            "doubtful": count(TakenOutcome::Doubtful),
        },
        "kinds": ReceivedKind::ALL.iter()
            .map(|kind| (kind.as_str().to_owned(), summary.of_kind(kind.as_str()).into()))
            .collect::<serde_json::Map<_, _>>(),
        "kept_aside": summary.aside,
        "kept_aside_before": summary.aside_again,
        "problems": summary.problems,
        "unreadable": summary.unreadable.iter().map(|one| json!({
            "path": one.path.display().to_string(),
            "error": one.error.to_string(),
        })).collect::<Vec<_>>(),
    })
}

fn write(summary: &Summary) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(
        out,
        "{BOLD}Read {}{BOLD:#}",
        counted(summary.inputs, "mail or file").replace("mail or files", "mails and files",)
    )?;
    let kinds = [
        (ReceivedKind::Tls, "about TLS"),
        (ReceivedKind::Dmarc, "about DMARC"),
        (ReceivedKind::Failure, "of single failures"),
    ];
    let reports: u64 = kinds.iter().map(|(kind, _)| summary.of_kind(kind.as_str())).sum();
    let kinds = kinds.iter().map(|(kind, text)| (summary.of_kind(kind.as_str()), text));
    let kinds: Vec<String> = kinds
        .filter(|(count, _)| *count > 0)
        .map(|(count, text)| format!("{} {text}", number(count)))
        .collect();
    let gap = if kinds.is_empty() { "" } else { ": " };
    line(&mut out, "reports", &format!("{}{gap}{}", number(reports), kinds.join(", ")))?;
    let outcomes = [
        ("new", TakenOutcome::New, ""),
        ("duplicates", TakenOutcome::Duplicate, ""),
        ("replaced", TakenOutcome::Replaced, "  the same report had said something else before"),
        ("doubtful", TakenOutcome::Doubtful, "  they contradict reports of surer authors"),
    ];
    for (name, outcome, text) in outcomes {
        let count = summary.of_outcome(outcome);
        if count > 0 || outcome == TakenOutcome::New {
            line(&mut out, name, &format!("{}{text}", number(count)))?;
        }
    }
    if summary.aside > 0 {
        let text = format!("{}  see: waxseal reports list --aside", number(summary.aside));
        line(&mut out, "kept aside", &text)?;
    }
    if !summary.unreadable.is_empty() {
        let count = u64::try_from(summary.unreadable.len()).unwrap_or(u64::MAX);
        line(&mut out, "not opened", &number(count))?;
    }
    writeln!(out, "What they say: waxseal reports problems")
}
