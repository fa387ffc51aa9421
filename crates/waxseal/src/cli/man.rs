//! `waxseal man`: the manual pages, made from the same definitions as the program.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use crate::config;

/// The verb with its flags.
pub(super) fn command() -> Command {
    Command::new("man")
        .about("Write the manual pages")
        .long_about(
            "Write the manual pages: waxseal(1) with a page for each verb, and waxseal.toml(5). \
             They are made from the definitions that the program itself reads.",
        )
        .arg(
            Arg::new("folder")
                .value_name("FOLDER")
                .required(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("Where the pages go; made if it is not there."),
        )
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some(folder) = matches.get_one::<PathBuf>("folder") else {
        return Ok(ExitCode::from(super::USAGE));
    };
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(super::command(), folder)?;
    std::fs::write(folder.join("waxseal.toml.5"), config::manual())?;
    writeln!(io::stdout().lock(), "{}", folder.display())?;
    Ok(ExitCode::SUCCESS)
}
