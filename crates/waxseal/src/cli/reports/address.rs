//! `waxseal reports address`: where reports about TLS are posted to.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use smtp_types::DomainName;

use crate::config::{self, Config};
use crate::intake::https::Words;

/// The verb with its flags.
pub(super) fn command() -> Command {
    Command::new("address")
        .about("Show where others may post reports about TLS with a domain of yours")
        .long_about(
            "Show the path for reports by HTTPS POST about the TLS of a domain of yours (RFC 8460), \
             and the record that tells of it. The path has a word in it that only your DNS tells; \
             the key that it is made from is in the state folder, and is made if there is none. \
             Exit code: 0 shown, 1 there is no key, 64 wrong usage or settings.",
        )
        .arg(
            Arg::new("domain")
                .value_name("DOMAIN")
                .required(true)
                .value_parser(DomainName::parse)
                .help("The domain that the reports are about."),
        )
        .arg(
            Arg::new("host")
                .long("host")
                .value_name("NAME")
                .value_parser(DomainName::parse)
                .help("The web server that hands on what is posted; mta-sts.DOMAIN if not given."),
        )
        .arg(config::config_file_arg())
        .args(config::args(&["state_dir"]))
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches, config: &Config) -> io::Result<ExitCode> {
    let Some(domain) = matches.get_one::<DomainName>("domain") else {
        return Ok(ExitCode::from(super::super::USAGE));
    };
    let words = match Words::open(&config.state_dir) {
        Ok(words) => words,
        Err(error) => {
            anstream::eprintln!("waxseal: {error}");
            return Ok(ExitCode::from(1));
        }
    };
    let host = matches.get_one::<DomainName>("host").map(DomainName::to_string);
    let host = host.unwrap_or_else(|| format!("mta-sts.{domain}"));
    let path = words.path(domain);
    let mut out = anstream::stdout().lock();
    writeln!(out, "{path}")?;
    writeln!(out)?;
    writeln!(out, "_smtp._tls.{domain}. TXT \"v=TLSRPTv1; rua=https://{host}{path}\"")?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
