//! `waxseal outbox`: reports on their way, and those that will be made.
//!
//! It reads the store beside the daemon, so it works whether the daemon runs or not; so does `retry`,
//! the only verb that changes something.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use sender_auth::report::{Day, ReportId, write_xml};
use serde_json::{Value, json};
use smtp_types::{DomainName, UnixTime};

use super::wiring;
use crate::config::{self, Config};
use crate::report::{self, ReporterSettings};
use crate::sender::Clock;
use crate::store::{
    LetterRow, OpenDay, OpenTlsDay, ReportView, Requeued, RowSum, StoreError, requeue_letter,
};

/// How many letters are shown if nothing else is wished.
const SHOWN: &str = "50";

/// What stands in front of the second and further lines about a letter.
const INDENT: &str = "        ";

/// The states of a letter.
const STATES: [&str; 6] = ["queued", "sending", "delivered", "failed", "expired", "suppressed"];

/// The verb with its flags.
pub(super) fn command() -> Command {
    let settings = |command: Command| {
        command
            .arg(super::json_arg())
            .arg(config::config_file_arg())
            .args(config::args(&["state_dir"]))
    };
    Command::new("outbox")
        .about("Show reports on their way to others, and those that will be made")
        .long_about(
            "Show the reports that are on their way to the owners of other domains, and what was \
             counted for those that will be made when the day is over. Only `retry` changes \
             something. Exit code: 0 done, 1 there is nothing like that, 64 wrong usage or \
             settings.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(settings(
            Command::new("list")
                .about("List letters, the newest first")
                .arg(
                    Arg::new("state")
                        .long("state")
                        .value_name("STATE")
                        .value_parser(STATES)
                        .help("Only letters in this state."),
                )
                .arg(
                    Arg::new("limit")
                        .long("limit")
                        .value_name("NUMBER")
                        .value_parser(clap::value_parser!(u32))
                        .default_value(SHOWN)
                        .help("How many."),
                ),
        ))
        .subcommand(settings(
            Command::new("show")
                .about("Show one letter")
                .arg(
                    Arg::new("id")
                        .value_name("ID")
                        .required(true)
                        .value_parser(clap::value_parser!(i64))
                        .help("Its number, as `list` shows it."),
                )
                .arg(
                    Arg::new("message")
                        .long("message")
                        .action(ArgAction::SetTrue)
                        .help("Print its message and nothing else, as it is sent."),
                ),
        ))
        .subcommand(settings(
            Command::new("retry")
                .about("Send a letter again that failed, expired or was suppressed")
                .long_about(
                    "Put a letter that failed, expired or was suppressed back among those that \
                     wait, as if it had never been tried, and lift the suppression of its \
                     recipient. A daemon that runs tries it within seconds, with the same octets \
                     as before.",
                )
                .arg(
                    Arg::new("id")
                        .value_name("ID")
                        .required(true)
                        .value_parser(clap::value_parser!(i64))
                        .help("Its number, as `list` shows it."),
                )
                .arg(super::explain::at_arg()),
        ))
        .subcommand(settings(
            Command::new("preview")
                .about("Show what was counted for a day that is not closed")
                .arg(
                    Arg::new("domain")
                        .value_name("DOMAIN")
                        .value_parser(|text: &str| DomainName::parse(text))
                        .help("Print the report about this domain as it would be now."),
                )
                .arg(
                    Arg::new("kind")
                        .long("kind")
                        .value_name("KIND")
                        .value_parser(["dmarc", "tls"])
                        .help("Only reports of this kind."),
                )
                .arg(
                    Arg::new("day")
                        .long("day")
                        .value_name("YYYY-MM-DD")
                        .value_parser(day)
                        .help("The day, in UTC; by default today."),
                )
                .arg(super::explain::at_arg()),
        ))
}

/// A day as `2026-11-21` or `20261121`.
pub(super) fn day(text: &str) -> Result<u32, String> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let wrong = || format!("expected a day such as 2026-11-21, found {text:?}");
    // Days are few, and each knows its own name.
    let is_date = digits.len() == 8 && digits.bytes().all(|octet| octet.is_ascii_digit());
    let year: u32 = is_date.then(|| digits.get(..4)?.parse().ok()).flatten().ok_or_else(wrong)?;
    // A leap day for each four years at most, and the days of the year itself.
    let years = year.checked_sub(1970).ok_or_else(wrong)?;
    let start = years * 365;
    let mut days = start..=start + years / 4 + 366;
    days.find(|number| Day::since_epoch(*number).to_string() == digits).ok_or_else(wrong)
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some((verb, matches)) = matches.subcommand() else {
        return Ok(ExitCode::from(super::USAGE));
    };
    let Some(loaded) = wiring::load(matches) else { return Ok(ExitCode::from(super::USAGE)) };
    let config = &loaded.config;
    let shown = ReportView::open(&config.state_dir).and_then(|view| match (verb, view) {
        ("list", view) => list(matches, view.as_ref()),
        ("retry", _) => retry(matches, config),
        (_, None) => {
            Ok(Shown::Nothing(format!("{}: there are no reports here", config.state_dir.display())))
        }
        ("show", Some(view)) => show(matches, &view),
        (_, Some(view)) => preview(matches, &view, config),
    });
    match shown {
        Ok(Shown::Octets(octets)) => {
            io::stdout().lock().write_all(&octets)?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Shown::Nothing(why)) => told(&why),
        Err(error) => told(&error.to_string()),
    }
}

fn told(why: &str) -> io::Result<ExitCode> {
    anstream::eprintln!("waxseal: {why}");
    Ok(ExitCode::FAILURE)
}

/// What a verb has to say.
enum Shown {
    Octets(Vec<u8>),
    Nothing(String),
}

impl Shown {
    fn json(value: &Value) -> Self {
        Self::Octets(format!("{value:#}\n").into_bytes())
    }
}

fn list(matches: &ArgMatches, view: Option<&ReportView>) -> Result<Shown, StoreError> {
    let state = matches.get_one::<String>("state").map(String::as_str);
    let limit = matches.get_one::<u32>("limit").copied().unwrap_or(50);
    let letters = view.map_or(Ok(Vec::new()), |view| view.letters(state, limit))?;
    if matches.get_flag("json") {
        let letters: Vec<Value> = letters.iter().map(document).collect();
        return Ok(Shown::json(&json!({ "version": 1, "letters": letters })));
    }
    let mut text = Vec::new();
    if letters.is_empty() {
        text.extend_from_slice(b"No letters.\n");
    }
    for letter in &letters {
        let what = match letter.kind.as_str() {
            "dmarc-failure" => "failure in mail of",
            "tls-rpt" => "TLS report about",
            _ => "report about",
        };
        let day = letter.day.map(date).unwrap_or_default();
        let LetterRow { id, state, domain, recipient, .. } = letter;
        let lines = format!(
            "{id:>6}  {state:<10}  {day}\n{INDENT}{what} {domain}\n{INDENT}to {recipient}\n"
        );
        text.extend_from_slice(lines.as_bytes());
        if let Some(next) = next_step(letter) {
            text.extend_from_slice(wrapped(&next).as_bytes());
        }
    }
    Ok(Shown::Octets(text))
}

/// What comes next, or what went wrong.
fn next_step(letter: &LetterRow) -> Option<String> {
    let error = letter.last_error.as_deref().unwrap_or_default();
    match letter.state.as_str() {
        "queued" if letter.tries == 0 => Some(format!("first try at {}", letter.next_try)),
        "queued" => {
            let LetterRow { tries, next_try, .. } = letter;
            Some(format!("{tries} tries, next at {next_try}: {error}"))
        }
        "delivered" | "sending" => None,
        _ if error.is_empty() => Some("the address refused earlier reports".to_owned()),
        _ => Some(error.to_owned()),
    }
}

/// Lines of at most 80 columns below a letter.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= 72 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| format!("{INDENT}{line}\n")).collect()
}

fn document(letter: &LetterRow) -> Value {
    json!({
        "id": letter.id,
        "kind": letter.kind,
        "state": letter.state,
        "report_id": letter.report_id,
        "domain": letter.domain,
        "day": letter.day.map(date),
        "recipient": letter.recipient,
        "tries": letter.tries,
        "created": letter.created.0,
        "first_try": letter.first_try.map(|time| time.0),
        "next_try": letter.ended.is_none().then_some(letter.next_try.0),
        "ended": letter.ended.map(|time| time.0),
        "error": letter.last_error,
    })
}

fn show(matches: &ArgMatches, view: &ReportView) -> Result<Shown, StoreError> {
    let id = matches.get_one::<i64>("id").copied().unwrap_or(0);
    let Some((letter, message)) = view.letter(id)? else {
        return Ok(Shown::Nothing(format!("expected the number of a letter, found {id}")));
    };
    if matches.get_flag("message") {
        return Ok(Shown::Octets(message));
    }
    if matches.get_flag("json") {
        let mut document = document(&letter);
        if let Value::Object(fields) = &mut document {
            fields.insert("version".into(), json!(1));
            fields.insert("octets".into(), json!(message.len()));
        }
        return Ok(Shown::json(&document));
    }
    let time = |time: Option<UnixTime>| time.map_or("-".to_owned(), |time| time.to_string());
    let lines = [
        ("Letter", letter.id.to_string()),
        ("Kind", letter.kind.clone()),
        ("State", letter.state.clone()),
        ("About", letter.domain.clone()),
        ("Day", letter.day.map_or("-".to_owned(), date)),
        ("To", letter.recipient.clone()),
        ("Report id", letter.report_id.clone()),
        ("Made", letter.created.to_string()),
        ("Tries", letter.tries.to_string()),
        ("First try", time(letter.first_try)),
        ("Next try", time(letter.ended.is_none().then_some(letter.next_try))),
        ("Ended", time(letter.ended)),
        ("Last error", letter.last_error.clone().unwrap_or_else(|| "-".to_owned())),
        ("Size", format!("{} octets; --message prints it", message.len())),
    ];
    let lines: String = lines.iter().map(|(name, text)| format!("{name:<11} {text}\n")).collect();
    Ok(Shown::Octets(lines.into_bytes()))
}

/// The time that is to be taken for now.
fn now(matches: &ArgMatches) -> UnixTime {
    let at = matches.get_one::<u64>("at").copied().map(UnixTime);
    at.map_or(Clock::System, Clock::Fixed).now()
}

fn retry(matches: &ArgMatches, config: &Config) -> Result<Shown, StoreError> {
    let id = matches.get_one::<i64>("id").copied().unwrap_or(0);
    let why = match requeue_letter(&config.state_dir, id, now(matches))? {
        Requeued::Yes if matches.get_flag("json") => {
            return Ok(Shown::json(&json!({ "version": 1, "id": id, "state": "queued" })));
        }
        Requeued::Yes => return Ok(Shown::Octets(format!("Letter {id} waits.\n").into_bytes())),
        Requeued::Unknown => format!("expected the number of a letter, found {id}"),
        Requeued::Not { state } => {
            format!(
                "letter {id}: expected one that failed, expired or was suppressed, found {state}"
            )
        }
        Requeued::Empty => format!("letter {id}: its message was not kept"),
    };
    Ok(Shown::Nothing(why))
}

fn preview(matches: &ArgMatches, view: &ReportView, config: &Config) -> Result<Shown, StoreError> {
    let today = || Day::of(now(matches)).number();
    let day = matches.get_one::<u32>("day").copied().unwrap_or_else(today);
    let kind = matches.get_one::<String>("kind").map(String::as_str);
    let open = match kind {
        Some("tls") => Vec::new(),
        _ => view.open_domains(day)?,
    };
    let open_tls = match kind {
        Some("dmarc") => Vec::new(),
        _ => view.open_tls_domains(day)?,
    };
    if let Some(domain) = matches.get_one::<DomainName>("domain") {
        let dmarc = open.iter().find(|open| open.domain == *domain);
        let tls = open_tls.iter().find(|open| open.domain == *domain);
        return match (dmarc, tls) {
            (Some(open), None) => xml(view, open, config),
            (None, Some(open)) => tls_json(view, open, config),
            (Some(_), Some(_)) => Ok(Shown::Nothing(format!(
                "{domain}: there are reports of both kinds; --kind dmarc or --kind tls shows one"
            ))),
            (None, None) => {
                Ok(Shown::Nothing(format!("nothing is open for {domain} on {}", date(day))))
            }
        };
    }
    let mut found = Vec::new();
    for open in &open {
        found.push((open, view.sum(open.day, &open.domain)?));
    }
    if matches.get_flag("json") {
        let domains: Vec<Value> = found
            .iter()
            .map(|(open, sum)| {
                json!({
                    "domain": open.domain.as_str(),
                    "messages": sum.messages,
                    "rows": sum.rows,
                    "reasons": open.triggers,
                    "due": report::is_due(open),
                    "record": open.record,
                })
            })
            .collect();
        let tls: Vec<Value> = open_tls
            .iter()
            .map(|open| {
                json!({
                    "domain": open.domain.as_str(),
                    "sessions": open.sessions,
                    "record": open.record.as_ref().map(|seen| &seen.text),
                })
            })
            .collect();
        let document = json!({ "version": 1, "day": date(day), "domains": domains, "tls": tls });
        return Ok(Shown::json(&document));
    }
    let mut text = format!("Counted on {}, in UTC:\n", date(day));
    if found.is_empty() && open_tls.is_empty() {
        text.push_str("  nothing that could be reported\n");
    }
    for (open, RowSum { rows, messages }) in found {
        let what = match report::is_due(open) {
            true => "a report will be made",
            false => "no report: nothing that came is a reason for one",
        };
        text.push_str(&format!("  {}\n", open.domain));
        text.push_str(&format!("    {messages} messages in {rows} rows; {what}\n"));
    }
    for OpenTlsDay { domain, sessions, record, .. } in &open_tls {
        let what = match record {
            Some(_) => "a TLS report will be made",
            None => "a TLS report will be made if the domain wants one",
        };
        text.push_str(&format!("  {domain}\n    {sessions} TLS sessions; {what}\n"));
    }
    Ok(Shown::Octets(text.into_bytes()))
}

/// The TLS report as it would be now.
fn tls_json(view: &ReportView, open: &OpenTlsDay, config: &Config) -> Result<Shown, StoreError> {
    let Some(settings) = ReporterSettings::of(config) else {
        return Ok(Shown::Nothing("reports.from: expected an address, found none".to_owned()));
    };
    let OpenTlsDay { day, domain, .. } = open;
    let author = &settings.author;
    let rows = view.tls_rows_of(*day, domain)?;
    let id = tlsrpt::ReportId::of_day(
        tlsrpt::Day::since_epoch(*day),
        domain,
        "preview",
        author.from.domain(),
    );
    let report = id.ok().and_then(|id| report::tls_report(*day, domain, rows, author, &id));
    Ok(match report {
        Some(report) => Shown::Octets(format!("{}\n", report.to_json()).into_bytes()),
        None => Shown::Nothing(format!("{domain}: no report can be made")),
    })
}

/// The report as it would be now. The report itself is made in the night, and gets its own name then.
fn xml(view: &ReportView, open: &OpenDay, config: &Config) -> Result<Shown, StoreError> {
    let Some(settings) = ReporterSettings::of(config) else {
        return Ok(Shown::Nothing("reports.from: expected an address, found none".to_owned()));
    };
    let rows = view.rows_of(open.day, &open.domain)?;
    let author = &settings.author;
    let day = Day::since_epoch(open.day);
    let id = ReportId::of_day(day, &open.domain, "preview", author.from.domain());
    let (Some(group), Ok(id)) = (report::group(open, rows), id) else {
        return Ok(Shown::Nothing(format!("{}: no report can be made", open.domain)));
    };
    let report = report::report(&group, author, id);
    Ok(Shown::Octets(write_xml(&report, author.schema).into_bytes()))
}

/// A day as people write it.
fn date(day: u32) -> String {
    let text = Day::since_epoch(day).begin().to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        for text in ["2026-11-21", "20261121", "1970-01-01", "2000-02-29", "2099-12-31"] {
            let number = day(text).unwrap();
            assert_eq!(date(number).replace('-', ""), text.replace('-', ""));
        }
        for text in ["", "2026-02-30", "1969-12-31", "2026-11", "tomorrow", "2026-13-01"] {
            assert!(day(text).is_err(), "{text}");
        }
    }
}
