//! `waxseal reports`: what others report to us, and what we count for reports to others.

use std::io;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::inject;

/// The verb with its verbs.
pub(super) fn command() -> Command {
    Command::new("reports")
        .about("Work with reports and what they are made of")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(inject::command())
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    match matches.subcommand() {
        Some(("inject", matches)) => inject::run(matches),
        _ => Ok(ExitCode::from(super::USAGE)),
    }
}
