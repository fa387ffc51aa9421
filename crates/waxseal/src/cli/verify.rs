//! `waxseal verify FILE|-`: who has sent this message, by SPF, DKIM, ARC and DMARC.

use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{Arg, ArgMatches, Command};
use sender_auth::dkim::{DkimResult, SignatureResult};
use sender_auth::dmarc::{AuthorDomain, DmarcResult, Policy};
use sender_auth::{Authentication, Incoming, Limits, spf};
use serde_json::{Value, json};

use super::looking::{self, Looking};
use super::message_file::MessageFile;
use super::{banner, wiring};
use crate::config;
use crate::crypto::AwsLc;

/// The verb with its flags.
pub(super) fn command() -> Command {
    Command::new("verify")
        .about("Check who has sent a message: SPF, DKIM, ARC and DMARC")
        .long_about(
            "Check who has sent a message: DKIM, ARC and DMARC, and SPF if --ip says where it \
             came from. Exit code: 0 DMARC passes, 1 there is no DMARC policy, 2 DMARC fails or the \
             message has no author, 3 the DNS did not answer; with --json 0 whenever the message \
             could be read.",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The message; - is standard input."),
        )
        .arg(
            Arg::new("ip")
                .long("ip")
                .value_name("IP")
                .value_parser(clap::value_parser!(IpAddr))
                .help("The address of the client that brought it, for SPF."),
        )
        .arg(super::spf::helo_arg().requires("ip"))
        .arg(super::spf::mail_from_arg().requires("ip"))
        .arg(super::explain::at_arg())
        .arg(super::json_arg())
        .arg(config::config_file_arg())
        .args(config::args(&["dns.resolver"]))
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some(loaded) = wiring::load(matches) else { return Ok(ExitCode::from(super::USAGE)) };
    let text = |id: &str| matches.get_one::<String>(id).map(String::as_str).unwrap_or_default();
    let looking = match Looking::new(&loaded.config) {
        Ok(looking) => looking,
        Err(error) => {
            anstream::eprintln!("waxseal: {error}");
            return Ok(ExitCode::from(super::USAGE));
        }
    };
    let crypto = AwsLc::new();
    let limits = Limits::default();
    let read = || -> io::Result<_> {
        let mut file = MessageFile::open(text("file"))?;
        let mut incoming = Incoming::new(&file.header()?, &crypto, &limits);
        file.body(|octets| incoming.push(octets))?;
        Ok(incoming.finish())
    };
    let received = match read() {
        Ok(received) => received,
        Err(error) => {
            anstream::eprintln!("waxseal: {}: {error}", text("file"));
            return Ok(ExitCode::from(1));
        }
    };
    let client = matches.get_one::<IpAddr>("ip").map(|ip| spf::Client {
        ip: *ip,
        helo: text("helo"),
        mail_from: super::spf::bare(text("mail-from")),
    });
    let receiver = spf::Receiver { host_name: "", now: looking::now(matches) };
    let evaluated =
        looking.evaluate(|known| received.evaluate(known, &crypto, client, &receiver, &limits));
    let authentication = match evaluated {
        Ok(authentication) => authentication,
        Err(given_up) => {
            anstream::eprintln!("waxseal: {given_up}");
            let code = if matches.get_flag("json") { 1 } else { super::UNKNOWN };
            return Ok(ExitCode::from(code));
        }
    };
    if matches.get_flag("json") {
        writeln!(io::stdout().lock(), "{:#}", document(&authentication))?;
        return Ok(ExitCode::SUCCESS);
    }
    show(&authentication)?;
    Ok(match authentication.dmarc.result {
        DmarcResult::Pass => ExitCode::SUCCESS,
        DmarcResult::None => ExitCode::from(1),
        DmarcResult::Fail | DmarcResult::Permerror => ExitCode::from(2),
        DmarcResult::Temperror => ExitCode::from(super::UNKNOWN),
    })
}

fn document(authentication: &Authentication) -> Value {
    let Authentication { author, spf, iprev, dkim, arc, dmarc } = authentication;
    let spf = spf.as_ref().map(|spf| {
        json!({
            "result": spf.mail_from.result.as_str(),
            "domain": spf.mail_from.domain.as_ref().map(ToString::to_string),
            "reason": spf.mail_from.to_string(),
            "helo": { "result": spf.helo.result.as_str(), "reason": spf.helo.to_string() },
        })
    });
    let deciding = dmarc.deciding();
    let policy = deciding.and_then(|one| one.policy.as_ref());
    let warnings: Vec<_> = author.hints().iter().map(ToString::to_string).collect();
    json!({
        "author": author.domains().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "warnings": warnings,
        "spf": spf,
        "iprev": iprev.as_ref().map(|iprev| json!({
            "result": iprev.as_str(),
            "reason": iprev.to_string(),
        })),
        "dkim": dkim.iter().map(signature_document).collect::<Vec<_>>(),
        "arc": {
            "result": arc.status().as_str(),
            "reason": arc.outcome.to_string(),
            "sets": arc.sets.iter().map(|set| json!({
                "instance": set.instance,
                "sealer": set.sealer.as_ref().map(|sealer| sealer.domain.to_string()),
                "cv": set.chain_status.as_str(),
            })).collect::<Vec<_>>(),
        },
        "dmarc": {
            "result": dmarc.result.as_str(),
            "policy": policy.map(|policy| policy.published.as_str()),
            "requested": dmarc.disposition().as_str(),
            "domain": deciding.map(|one| one.author.to_string()),
            "policy_domain": policy.map(|policy| policy.domain.to_string()),
            "reason": match &dmarc.fault {
                Some(fault) => Some(fault.to_string()),
                None => deciding.map(|one| one.cause.to_string()),
            },
        },
    })
}

fn signature_document(signature: &SignatureResult) -> Value {
    json!({
        "domain": signature.domain.as_ref().map(ToString::to_string),
        "selector": signature.selector.as_ref().map(ToString::to_string),
        "result": signature.result().as_str(),
        "reason": signature.reason.to_string(),
        "algorithm": signature.signature.as_ref().map(|one| one.algorithm.as_str()),
        "key_bits": signature.key_bits,
        "testing": signature.testing,
        "unsigned_body_octets": signature.unsigned_body_octets,
        "unsigned_fields": signature.unsigned_fields,
    })
}

fn show(authentication: &Authentication) -> io::Result<()> {
    let Authentication { author, spf, iprev, dkim, arc, dmarc } = authentication;
    let mut out = anstream::stdout().lock();
    let domains: Vec<_> = author.domains().iter().map(ToString::to_string).collect();
    match author.domain() {
        AuthorDomain::One(domain) => line(&mut out, "author", "", domain.as_str())?,
        AuthorDomain::Several(_) => {
            line(&mut out, "author", "", &format!("several domains: {}", domains.join(", ")))?;
        }
        AuthorDomain::Unclear(fault) => line(&mut out, "author", "", &fault.to_string())?,
    }
    for hint in author.hints() {
        line(&mut out, "", "", &format!("beware: {hint}"))?;
    }
    match spf {
        Some(spf) => {
            told(&mut out, "SPF", &spf.mail_from.to_string())?;
            told(&mut out, "SPF of HELO", &spf.helo.to_string())?;
        }
        None => line(&mut out, "SPF", "", "not checked: --ip says where the message came from")?,
    }
    if let Some(iprev) = iprev {
        told(&mut out, "iprev", &iprev.to_string())?;
    }
    if dkim.is_empty() {
        told(&mut out, "DKIM", "none: the message is not signed")?;
    }
    for signature in dkim {
        told(&mut out, "DKIM", &signature_text(signature))?;
    }
    told(&mut out, "ARC", &format!("{}: {}", arc.status(), arc.outcome))?;
    for one in &dmarc.evaluations {
        let result = one.result.as_str();
        let policy = match &one.policy {
            Some(policy) => {
                format!("; the policy of {} asks for {}", policy.domain, asked(policy.requested))
            }
            None => String::new(),
        };
        told(&mut out, "DMARC", &format!("{result}: {}: {}{policy}", one.author, one.cause))?;
    }
    if let Some(fault) = &dmarc.fault {
        told(&mut out, "DMARC", &format!("{}: {fault}", dmarc.result.as_str()))?;
    }
    Ok(())
}

const fn asked(policy: Policy) -> &'static str {
    match policy {
        Policy::None => "nothing",
        Policy::Quarantine => "quarantine",
        Policy::Reject => "rejection",
    }
}

fn signature_text(signature: &SignatureResult) -> String {
    let domain = signature.domain.as_ref().map_or("(no domain)", |domain| domain.as_str());
    let mut text = format!("{}: {domain}: {}", signature.result().as_str(), signature.reason);
    if let (Some(algorithm), Some(bits)) =
        (signature.signature.as_ref().map(|one| one.algorithm), signature.key_bits)
    {
        text.push_str(&format!(" ({}, {bits} bits)", algorithm.as_str()));
    }
    if signature.testing && signature.result() == DkimResult::Pass {
        text.push_str("; its owner only tests it (t=y), so it does not count");
    }
    if signature.unsigned_body_octets > 0 {
        let octets = signature.unsigned_body_octets;
        text.push_str(&format!("; danger: {octets} octets behind the signed body (l=)"));
    }
    for field in &signature.unsigned_fields {
        text.push_str(&format!("; danger: a second {field} that is not signed"));
    }
    text
}

/// A result, its first word colored.
fn told(out: &mut impl Write, check: &str, text: &str) -> io::Result<()> {
    let (result, reason) = text.split_once(':').unwrap_or((text, ""));
    let style = match result {
        "pass" => AnsiColor::Green.on_default().bold(),
        "fail" | "softfail" | "permerror" | "policy" => AnsiColor::Red.on_default().bold(),
        _ => AnsiColor::Yellow.on_default().bold(),
    };
    line(out, check, &format!("{style}{result}{style:#}"), reason)
}

fn line(out: &mut impl Write, check: &str, result: &str, text: &str) -> io::Result<()> {
    let style = Style::new().dimmed();
    write!(out, "{style}{check:<13}{style:#}")?;
    let colon = if result.is_empty() || text.is_empty() { "" } else { ":" };
    banner::flow(out, 13, format!("{result}{colon} {text}").trim_start())
}
