//! `waxseal spf`: what SPF says of a client and a return path, step by step.

use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{Arg, ArgMatches, Command};
use sender_auth::spf::{self, Evaluation, Query, SpfResult};
use serde_json::json;

use super::looking::{self, Looking};
use super::{banner, wiring};
use crate::config;

/// The verb with its flags.
pub(super) fn command() -> Command {
    Command::new("spf")
        .about("Check whether an address may send mail for a domain (SPF, RFC 7208)")
        .long_about(
            "Check whether an address may send mail for a domain (SPF, RFC 7208), and show each \
             step. Exit code: 0 pass, 1 neutral or none, 2 fail, softfail or permerror, 3 \
             temperror; with --json 0 whenever there is a result.",
        )
        .arg(
            Arg::new("ip")
                .long("ip")
                .value_name("IP")
                .required(true)
                .value_parser(clap::value_parser!(IpAddr))
                .help("The address of the client."),
        )
        .arg(helo_arg().required(true))
        .arg(mail_from_arg().required(true))
        .arg(super::explain::at_arg())
        .arg(super::json_arg())
        .arg(config::config_file_arg())
        .args(config::args(&["dns.resolver"]))
}

/// `--helo NAME`.
pub(super) fn helo_arg() -> Arg {
    Arg::new("helo")
        .long("helo")
        .value_name("NAME")
        .help("The name that the client gave itself with HELO or EHLO.")
}

/// `--mail-from ADDR`.
pub(super) fn mail_from_arg() -> Arg {
    Arg::new("mail-from")
        .long("mail-from")
        .value_name("ADDR")
        .help("The return path, with or without angle brackets; \"\" or <> is the null path.")
}

/// The address without its angle brackets.
pub(super) fn bare(address: &str) -> &str {
    address.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(address)
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some(loaded) = wiring::load(matches) else { return Ok(ExitCode::from(super::USAGE)) };
    let text = |id: &str| matches.get_one::<String>(id).map(String::as_str).unwrap_or_default();
    let Some(ip) = matches.get_one::<IpAddr>("ip") else {
        return Ok(ExitCode::from(super::USAGE));
    };
    let query = Query::mail_from(*ip, text("helo"), bare(text("mail-from")));
    let now = looking::now(matches);
    let looking = match Looking::new(&loaded.config) {
        Ok(looking) => looking,
        Err(error) => {
            anstream::eprintln!("waxseal: {error}");
            return Ok(ExitCode::from(super::USAGE));
        }
    };
    let receiver = spf::Receiver { host_name: "", now };
    let limits = spf::Limits::default();
    let evaluated = looking.evaluate(|known| spf::check_host(known, &query, &receiver, &limits));
    let evaluation = match evaluated {
        Ok(evaluation) => evaluation,
        Err(given_up) => {
            // §4.6.4: an evaluation that takes too long ends in temperror.
            if matches.get_flag("json") {
                let document = json!({
                    "result": "temperror",
                    "explanation": null,
                    "reason": given_up.to_string(),
                    "trace": [],
                });
                writeln!(io::stdout().lock(), "{document:#}")?;
                return Ok(ExitCode::SUCCESS);
            }
            anstream::println!("temperror: {given_up}");
            return Ok(ExitCode::from(super::UNKNOWN));
        }
    };
    if matches.get_flag("json") {
        writeln!(io::stdout().lock(), "{:#}", document(&evaluation))?;
        return Ok(ExitCode::SUCCESS);
    }
    show(&evaluation)?;
    Ok(match evaluation.result {
        SpfResult::Pass => ExitCode::SUCCESS,
        SpfResult::Neutral | SpfResult::None => ExitCode::from(1),
        SpfResult::Fail | SpfResult::Softfail | SpfResult::Permerror => ExitCode::from(2),
        SpfResult::Temperror => ExitCode::from(super::UNKNOWN),
    })
}

fn document(evaluation: &Evaluation) -> serde_json::Value {
    let trace: Vec<_> = evaluation
        .trace
        .steps()
        .iter()
        .map(|step| json!({ "depth": step.depth, "text": step.to_string() }))
        .collect();
    json!({
        "result": evaluation.result.as_str(),
        "explanation": evaluation.explanation,
        "domain": evaluation.domain.as_ref().map(ToString::to_string),
        "reason": evaluation.to_string(),
        "lookups": evaluation.lookups,
        "void_lookups": evaluation.void_lookups,
        "trace": trace,
    })
}

fn show(evaluation: &Evaluation) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    for step in evaluation.trace.steps() {
        banner::wrapped(&mut out, 2 * step.depth, &step.to_string())?;
    }
    if evaluation.trace.omitted() > 0 {
        writeln!(out, "… and {} steps more", evaluation.trace.omitted())?;
    }
    let style = style(evaluation.result);
    let result = evaluation.result;
    let line = evaluation.to_string();
    let reason = line.strip_prefix(result.as_str()).unwrap_or_default();
    writeln!(out, "{style}{result}{style:#}{reason}")?;
    if let Some(explanation) = &evaluation.explanation {
        writeln!(out, "The domain's owner says: {explanation}")?;
    }
    Ok(())
}

fn style(result: SpfResult) -> Style {
    match result {
        SpfResult::Pass => AnsiColor::Green.on_default().bold(),
        SpfResult::Fail | SpfResult::Softfail | SpfResult::Permerror => {
            AnsiColor::Red.on_default().bold()
        }
        SpfResult::None | SpfResult::Neutral | SpfResult::Temperror => {
            AnsiColor::Yellow.on_default().bold()
        }
    }
}
