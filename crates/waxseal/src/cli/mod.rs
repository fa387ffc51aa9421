//! The verbs of the command line.
//!
//! Each verb has a file: its flags, and what a person or a machine sees of it. Exit codes are the
//! same for all: 0 fine (or, with `--json`, a verdict was reached), 1 warnings (or the input could
//! not be judged), 2 failures, 3 unknown, 64 wrong usage or settings.

mod answering;
mod banner;
mod config;
mod dane;
mod dkim;
mod explain;
mod gating;
mod inject;
mod lint;
mod looking;
mod man;
mod message_file;
mod outbox;
mod reports;
mod serve;
mod signing;
mod signing_keys;
mod spf;
mod verify;
mod wiring;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};

/// The exit code for wrong usage and wrong settings (`EX_USAGE` of sysexits(3)).
const USAGE: u8 = 64;

/// The exit code for what could not be found out.
const UNKNOWN: u8 = 3;

/// The whole command line.
#[must_use]
pub fn command() -> Command {
    Command::new("waxseal")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Transport security for the mail server that you already run")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(80)
        .subcommand(serve::command())
        .subcommand(explain::command())
        .subcommand(lint::command())
        .subcommand(dane::command())
        .subcommand(spf::command())
        .subcommand(verify::command())
        .subcommand(signing::sign_command())
        .subcommand(signing::seal_command())
        .subcommand(dkim::command())
        .subcommand(outbox::command())
        .subcommand(reports::command())
        .subcommand(config::command())
        .subcommand(man::command())
}

/// `--json`, which most verbs have.
fn json_arg() -> Arg {
    Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Write one JSON document instead of text.")
}

/// Runs the program with these arguments, the first being its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let result = match matches.subcommand() {
        Some(("serve", matches)) => serve::run(matches),
        Some(("explain", matches)) => explain::run(matches),
        Some(("lint", matches)) => lint::run(matches),
        Some(("dane", matches)) => dane::run(matches),
        Some(("spf", matches)) => spf::run(matches),
        Some(("verify", matches)) => verify::run(matches),
        Some(("sign", matches)) => signing::run_sign(matches),
        Some(("seal", matches)) => signing::run_seal(matches),
        Some(("dkim", matches)) => dkim::run(matches),
        Some(("outbox", matches)) => outbox::run(matches),
        Some(("reports", matches)) => reports::run(matches),
        Some(("config", matches)) => config::run(matches),
        Some(("man", matches)) => man::run(matches),
        _ => Ok(ExitCode::from(USAGE)),
    };
    match result {
        Ok(code) => code,
        // Whoever read our output has seen enough, as in `waxseal explain … | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("waxseal: {error}");
            ExitCode::FAILURE
        }
    }
}
