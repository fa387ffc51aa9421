//! `waxseal dane verify`: judges a certificate chain against TLSA records.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::AnsiColor;
use clap::{Arg, ArgMatches, Command};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use smtp_dane::{Judgment, PathOptions, ReferenceIdentifiers, judge, parse_records};
use smtp_types::{DomainName, UnixTime};

use crate::sender::Clock;

/// The most certificates that are read from one file.
const MAX_CERTIFICATES: usize = 100;

/// The verb with its flags.
pub(super) fn command() -> Command {
    let file = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help(help)
    };
    Command::new("dane")
        .about("Judge certificates by DANE")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("verify")
                .about("Judge a certificate chain against TLSA records")
                .long_about(
                    "Judge a certificate chain against TLSA records, as a mail server must \
                     (RFC 7671, RFC 7672). Exit code: 0 pass, 2 fail, 1 if there is nothing to \
                     judge; with --json 0 whenever a verdict was reached.",
                )
                .arg(
                    Arg::new("host")
                        .long("host")
                        .value_name("NAME")
                        .required(true)
                        .help("The mail host: the name that a certificate must bear for usage 2."),
                )
                .arg(
                    Arg::new("domain").long("domain").value_name("NAME").help(
                        "The mail domain, whose name is good, too, behind signed MX records.",
                    ),
                )
                .arg(
                    file("tlsa", "The TLSA records, one a line: usage selector matching-type hex.")
                        .required(true),
                )
                .arg(
                    file("chain", "The chain in PEM, the server's certificate first.")
                        .required(true),
                )
                .arg(file("ca", "Certificates in PEM that may complete the chain."))
                .arg(super::explain::at_arg())
                .arg(super::json_arg()),
        )
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some(("verify", matches)) = matches.subcommand() else {
        return Ok(ExitCode::from(super::USAGE));
    };
    let judgment = match judgment(matches) {
        Ok(judgment) => judgment,
        Err(error) => {
            anstream::eprintln!("waxseal: {error}");
            return Ok(ExitCode::from(1));
        }
    };
    if matches.get_flag("json") {
        let document = match &judgment {
            Judgment::Pass { record, depth } => {
                json!({ "result": "pass", "depth": depth, "record": record.to_string() })
            }
            Judgment::Fail { why } => json!({ "result": "fail", "why": why.to_string() }),
            Judgment::Unusable { why } => {
                let why: Vec<_> = why.iter().map(ToString::to_string).collect();
                json!({ "result": "unusable", "why": why.join("; ") })
            }
        };
        writeln!(io::stdout().lock(), "{document:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    show(&judgment)
}

fn show(judgment: &Judgment) -> io::Result<ExitCode> {
    let (good, bad) = (AnsiColor::Green.on_default().bold(), AnsiColor::Red.on_default().bold());
    let mut out = anstream::stdout().lock();
    match judgment {
        Judgment::Pass { record, depth } => {
            let place = match depth {
                0 => "the server's certificate".to_owned(),
                _ => format!("the certificate {depth} above the server's"),
            };
            writeln!(out, "{good}pass{good:#}  {place} matches {record}")?;
            Ok(ExitCode::SUCCESS)
        }
        Judgment::Fail { why } => {
            writeln!(out, "{bad}fail{bad:#}  {why}")?;
            Ok(ExitCode::from(2))
        }
        Judgment::Unusable { why } => {
            writeln!(
                out,
                "{bad}unusable{bad:#}  no record can be used: TLS without authentication (RFC 7672 §2.2)"
            )?;
            why.iter().try_for_each(|why| writeln!(out, "    {why}"))?;
            Ok(ExitCode::from(2))
        }
    }
}

/// Why there is nothing to judge.
struct InputError(String);

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn judgment(matches: &ArgMatches) -> Result<Judgment, InputError> {
    let name = |flag: &str| -> Result<Option<DomainName>, InputError> {
        let Some(text) = matches.get_one::<String>(flag) else { return Ok(None) };
        let parsed = DomainName::parse(text);
        parsed.map(Some).map_err(|error| InputError(format!("--{flag}: {error}")))
    };
    let path = |flag: &str| matches.get_one::<PathBuf>(flag).map(PathBuf::as_path);
    let host = name("host")?.ok_or_else(|| InputError("--host: expected a name".to_owned()))?;
    let tlsa = path("tlsa").unwrap_or(Path::new(""));
    let text = fs::read_to_string(tlsa)
        .map_err(|error| InputError(format!("{}: {error}", tlsa.display())))?;
    let records =
        parse_records(&text).map_err(|error| InputError(format!("{}: {error}", tlsa.display())))?;
    let chain = certificates(path("chain").unwrap_or(Path::new("")))?;
    let additional = path("ca").map(certificates).transpose()?.unwrap_or_default();
    let names = ReferenceIdentifiers::new(host);
    let names = name("domain")?.into_iter().fold(names, ReferenceIdentifiers::and);
    let now = matches.get_one::<u64>("at").map_or_else(|| Clock::System.now(), |at| UnixTime(*at));
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let options = PathOptions { additional: &additional, algorithms, now };
    Ok(judge(&chain, &records, &names, &options))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, InputError> {
    let failed = |detail: String| InputError(format!("{}: {detail}", path.display()));
    let pem = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let found = CertificateDer::pem_slice_iter(&pem).take(MAX_CERTIFICATES);
    let found: Vec<_> =
        found.collect::<Result<_, _>>().map_err(|error| failed(format!("not PEM: {error}")))?;
    if found.is_empty() {
        return Err(failed("expected certificates in PEM, found none".to_owned()));
    }
    Ok(found)
}
