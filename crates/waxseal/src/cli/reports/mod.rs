//! `waxseal reports`: what others report about domains of ours, and what we count for reports to
//! others.
//!
//! `inject` hands sessions to the running daemon. `show FILE` needs no settings and no store. All other verbs work on the store, beside a daemon or
//! without one; only `import` writes.

mod address;
mod export;
mod file;
mod import;
mod problems;
mod stored;
mod text;
mod trend;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use smtp_types::{DomainName, UnixTime};

use super::{inject, looking, outbox, wiring};
use crate::config;
use crate::store::{ReceivedKind, ReceivedView, StoreError};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The verb with its flags.
pub(super) fn command() -> Command {
    let settings = |command: Command| {
        command
            .arg(super::json_arg())
            .arg(super::explain::at_arg())
            .arg(config::config_file_arg())
            .args(config::args(&["state_dir"]))
    };
    let chosen = |command: Command| {
        command
            .arg(
                Arg::new("domain")
                    .long("domain")
                    .value_name("DOMAIN")
                    .value_parser(|text: &str| DomainName::parse(text))
                    .help("Only reports about this domain."),
            )
            .arg(
                Arg::new("since")
                    .long("since")
                    .value_name("DAY")
                    .value_parser(outbox::day)
                    .help("The first day, as 2026-11-21, in UTC."),
            )
            .arg(
                Arg::new("until")
                    .long("until")
                    .value_name("DAY")
                    .value_parser(outbox::day)
                    .help("The last day, as 2026-11-21, in UTC."),
            )
    };
    let kind = || {
        Arg::new("kind")
            .long("kind")
            .value_name("KIND")
            .value_parser(["tls", "dmarc", "failure"])
            .help("Only reports of this kind.")
    };
    let limit = |default| {
        Arg::new("limit")
            .long("limit")
            .value_name("NUMBER")
            .value_parser(clap::value_parser!(u32))
            .default_value(default)
            .help("How many at most.")
    };
    Command::new("reports")
        .about("Read what others report, and count sessions for reports to others")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(settings(
            Command::new("import")
                .about("Take reports out of files, folders, Maildirs and mboxes into the store")
                .long_about(
                    "Take reports out of files into the store: mails, XML, JSON, gzip and zip, \
                     whatever their names are; folders with all that is in them, Maildirs, mboxes, \
                     and standard input. Nothing is changed there. What was imported before is \
                     counted as a duplicate, so an import can be repeated. What cannot be read is \
                     kept aside with its reason, and the rest goes on. A daemon may run meanwhile. \
                     Exit code: 0 all was read, 1 the store cannot be written, 2 something could \
                     not be read, 64 wrong usage or settings.",
                )
                .arg(
                    Arg::new("path")
                        .value_name("PATH")
                        .required(true)
                        .action(ArgAction::Append)
                        .value_parser(clap::value_parser!(PathBuf))
                        .help("A file or a folder; - is standard input."),
                ),
        ))
        .subcommand(settings(chosen(
            Command::new("problems").about("Say what is wrong, why, and what to do").long_about(
                "Look for problems in the reports of the latest 30 days, or in those of \
                     --since and --until: what was lost and since when, who has seen it, the most \
                     likely cause, and what to do. What has to be fixed by you comes first, then \
                     what may be an attack. Exit code: 0 nothing is wrong, 1 something is not as \
                     it should be, 2 something has to be fixed by you; with --json 0.",
            ),
        )))
        .subcommand(settings(chosen(
            Command::new("list")
                .about("List reports, the latest first")
                .arg(kind())
                .arg(limit("50"))
                .arg(
                    Arg::new("aside")
                        .long("aside")
                        .action(ArgAction::SetTrue)
                        .conflicts_with_all(["domain", "since", "until", "kind"])
                        .help("List what could not be read and was kept aside."),
                ),
        )))
        .subcommand(settings(
            Command::new("show")
                .about("Show the reports in a mail or a file, or one of the store")
                .long_about(
                    "Show the reports in a mail or a file: TLS reports (RFC 8460), DMARC \
                     aggregate reports (RFC 9990, RFC 7489), and the counts of DMARC failure \
                     reports (RFC 9991). The file may be XML, JSON, gzip, zip or a mail, whatever \
                     its name is. Nothing is stored. What is wrong with the form of a report that \
                     can be read is listed as its quirks. Exit code: 0 all was read, 1 the file \
                     cannot be read, 2 a part is no report that can be read; with --json 0 if \
                     there is a report, 1 if there is none. With the number of a report, as list \
                     shows it, that report of the store is shown with its rows.",
                )
                .arg(
                    Arg::new("file")
                        .value_name("FILE|ID")
                        .required(true)
                        .help("The mail or the file, - for standard input, or a number."),
                )
                .arg(limit("40").help("How many rows of a report of the store."))
                .arg(
                    Arg::new("aside")
                        .long("aside")
                        .action(ArgAction::SetTrue)
                        .help("The number is one of list --aside: print its octets."),
                ),
        ))
        .subcommand(settings(chosen(
            Command::new("trend").about("Show each day's numbers as a chart").arg(kind()),
        )))
        .subcommand(settings(chosen(
            Command::new("export")
                .about("Write all rows as CSV or JSON Lines")
                .long_about(
                    "Write the rows of all reports that count to standard output: a line for each \
                     failure or policy of a TLS report, and for each record of a DMARC report. In \
                     CSV, what a spreadsheet would take for a formula gets a ' in front.",
                )
                .arg(kind())
                .arg(
                    Arg::new("format")
                        .long("format")
                        .value_name("FORMAT")
                        .value_parser(["jsonl", "csv"])
                        .default_value("jsonl")
                        .help("csv needs --kind tls or --kind dmarc, for their columns differ."),
                ),
        )))
        .subcommand(address::command())
        .subcommand(inject::command())
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some((verb, matches)) = matches.subcommand() else {
        return Ok(ExitCode::from(super::USAGE));
    };
    if verb == "inject" {
        return inject::run(matches);
    }
    let name = (verb == "show").then(|| matches.get_one::<String>("file")).flatten();
    if let Some(name) = name
        && (name.parse::<i64>().is_err() || Path::new(name).exists())
        && !matches.get_flag("aside")
    {
        return file::show(matches, name);
    }
    let Some(loaded) = wiring::load(matches) else { return Ok(ExitCode::from(super::USAGE)) };
    let config = &loaded.config;
    match verb {
        "import" => return import::run(matches, config),
        "address" => return address::run(matches, config),
        _ => {}
    }
    let view = match ReceivedView::open(&config.state_dir) {
        Ok(Some(view)) => view,
        Ok(None) => {
            let folder = config.state_dir.display();
            return told(&format!(
                "{folder}: no reports here; waxseal reports import takes them in"
            ));
        }
        Err(error) => return told(&error.to_string()),
    };
    let shown = match verb {
        "problems" => problems::run(matches, &view),
        "list" => stored::list(matches, &view),
        "show" => stored::show(matches, &view),
        "trend" => trend::run(matches, &view),
        "export" => export::run(matches, &view),
        _ => return Ok(ExitCode::from(super::USAGE)),
    };
    match shown {
        Ok(code) => Ok(code),
        Err(Failed::Output(error)) => Err(error),
        Err(Failed::Store(error)) => told(&error.to_string()),
    }
}

/// Why nothing was shown.
enum Failed {
    Output(io::Error),
    Store(StoreError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn told(why: &str) -> io::Result<ExitCode> {
    anstream::eprintln!("waxseal: {why}");
    Ok(ExitCode::FAILURE)
}

/// What of the store was asked for.
struct Asked {
    domain: Option<String>,
    kind: Option<ReceivedKind>,
    since: Option<UnixTime>,
    until: Option<UnixTime>,
    now: UnixTime,
}

impl Asked {
    fn of(matches: &ArgMatches) -> Self {
        let day = |name| matches.get_one::<u32>(name).map(|day| u64::from(*day));
        // Not every verb asks for a kind.
        let kind = matches.try_get_one::<String>("kind").ok().flatten();
        Self {
            domain: matches.get_one::<DomainName>("domain").map(ToString::to_string),
            kind: kind.and_then(|word| match word.as_str() {
                "tls" => Some(ReceivedKind::Tls),
                "dmarc" => Some(ReceivedKind::Dmarc),
                "failure" => Some(ReceivedKind::Failure),
                _ => None,
            }),
            since: day("since").map(|day| UnixTime(day.saturating_mul(DAY))),
            until: day("until").map(|day| UnixTime(day.saturating_add(1).saturating_mul(DAY))),
            now: looking::now(matches),
        }
    }
}
