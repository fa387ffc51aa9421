//! `waxseal explain NEXT-HOP`: what was found, what was decided, and why.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use smtp_types::{NextHop, UnixTime};

use super::wiring;
use crate::config::{self, Config};
use crate::explain::{Document, render};
use crate::listen::ListenAddress;
use crate::sender::{Clock, OverrideFile, Sender};

/// The flags that decide what the world looks like. With any of them the running daemon, which
/// sees another world, is not asked.
const OWN_WORLD: [&str; 4] =
    ["dns.resolver", "fetch.ca", "fetch.https_port", "fetch.allow_private"];

/// How long the daemon may take.
const DAEMON_TIMEOUT: Duration = Duration::from_secs(100);

/// The longest answer of the daemon that is read.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// The verb with its flags.
pub(super) fn command() -> Command {
    Command::new("explain")
        .about("Show how mail to a domain is protected, and why")
        .long_about(
            "Show how mail to a domain is protected, and why: what DANE and MTA-STS say, what was \
             decided, and what the mail server is told. Asks the running daemon, if there is one, \
             for it remembers policies; else looks everything up itself. Exit code: 0 protected, \
             1 not protected (or no next hop), 3 mail waits because something could not be found out; with --json \
             0 whenever a decision was reached.",
        )
        .arg(
            Arg::new("next-hop")
                .value_name("DOMAIN")
                .required(true)
                .help("A domain, or a next hop as Postfix writes it: [relay.example.net]:587."),
        )
        .arg(
            super::json_arg(),
        )
        .arg(
            Arg::new("look-ups")
                .long("look-ups")
                .action(ArgAction::SetTrue)
                .help("Show every question that was asked, with its answer."),
        )
        .arg(
            Arg::new("no-daemon")
                .long("no-daemon")
                .action(ArgAction::SetTrue)
                .help("Look everything up anew, without the daemon and what it remembers."),
        )
        .arg(at_arg())
        .arg(config::config_file_arg())
        .args(config::args(&["state_dir"]))
        .args(config::args(&OWN_WORLD))
}

/// `--at UNIXTIME`.
pub(super) fn at_arg() -> Arg {
    Arg::new("at")
        .long("at")
        .value_name("UNIXTIME")
        .value_parser(clap::value_parser!(u64))
        .help("Judge as if it were this time, in seconds since 1970-01-01 UTC.")
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some(loaded) = wiring::load(matches) else { return Ok(ExitCode::from(super::USAGE)) };
    let text = matches.get_one::<String>("next-hop").map(String::as_str).unwrap_or_default();
    let next_hop = match NextHop::parse(text) {
        Ok(next_hop) => next_hop,
        Err(error) => {
            anstream::eprintln!("waxseal: {text}: {error}");
            return Ok(ExitCode::from(1));
        }
    };
    let at = matches.get_one::<u64>("at").copied().map(UnixTime);
    let typed = |id: &str| matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
    let own = matches.get_flag("no-daemon") || at.is_some() || OWN_WORLD.into_iter().any(typed);
    let from_daemon = if own { None } else { ask_daemon(&loaded.config, &next_hop) };
    let document = match from_daemon {
        Some(document) => document,
        None => match look_up(&loaded.config, &next_hop, at) {
            Ok(document) => document,
            Err(error) => {
                anstream::eprintln!("waxseal: {error}");
                return Ok(ExitCode::from(super::USAGE));
            }
        },
    };
    if matches.get_flag("json") {
        writeln!(io::stdout().lock(), "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    write!(anstream::stdout().lock(), "{}", render(&document, matches.get_flag("look-ups")))?;
    Ok(match document.decision.as_str() {
        "none" | "may" => ExitCode::from(1),
        "defer" => ExitCode::from(super::UNKNOWN),
        _ => ExitCode::SUCCESS,
    })
}

/// An evaluation of our own, without memory.
fn look_up(config: &Config, next_hop: &NextHop, at: Option<UnixTime>) -> Result<Document, String> {
    let observer = wiring::observer(config, at).map_err(|error| error.to_string())?;
    let overrides = OverrideFile::open(config.sender.overrides.as_deref())
        .map_err(|errors| errors.join("\n"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let clock = at.map_or(Clock::System, Clock::Fixed);
        let settings = wiring::sender_settings(config);
        let handle = tokio::runtime::Handle::current();
        let sender = Sender::new(settings, clock, observer, None, overrides, handle);
        // Side by side, for a silent resolver costs enough once. An answer that was believed until
        // the proof failed is looked up again.
        let resolver = Arc::clone(&sender.observer().resolver);
        let (validation, mut evaluation) =
            tokio::join!(resolver.prove(), sender.explain(next_hop.clone()));
        if !validation.is_believed() {
            evaluation = sender.explain(next_hop.clone()).await;
        }
        let evaluation = evaluation.ok_or("the look-up ended without a result")?;
        Ok(Document::new(next_hop, &evaluation, &resolver, None, "own look-up"))
    })
}

/// What the running daemon says. `None` if none runs, or it cannot be understood.
fn ask_daemon(config: &Config, next_hop: &NextHop) -> Option<Document> {
    let paths = config.http.api.iter().filter_map(|address| match address {
        ListenAddress::Unix(path) => Some(path.as_path()),
        ListenAddress::Tcp(_) => None,
    });
    paths.into_iter().find_map(|path| ask(path, next_hop).ok())
}

/// One request over the daemon's unix socket; the daemon closes the connection behind its answer.
fn ask(path: &Path, next_hop: &NextHop) -> io::Result<Document> {
    let mut connection = UnixStream::connect(path)?;
    connection.set_read_timeout(Some(DAEMON_TIMEOUT))?;
    connection.set_write_timeout(Some(DAEMON_TIMEOUT))?;
    // Of the characters of a next hop only brackets need another form in a URL.
    let query = next_hop.to_string().replace('[', "%5B").replace(']', "%5D");
    write!(
        connection,
        "GET /v1/decision?next_hop={query}&anew=true HTTP/1.0\r\nHost: waxseal\r\nAccept: application/json\r\n\r\n"
    )?;
    let mut answer = String::new();
    connection.take(MAX_ANSWER).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    if !head.starts_with("HTTP/1.0 200") && !head.starts_with("HTTP/1.1 200") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(serde_json::from_str(body)?)
}
