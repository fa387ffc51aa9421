//! `waxseal sign` and `waxseal seal`: header fields for a message, made with keys from files.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use sender_auth::HeaderField;
use sender_auth::arc::{
    ChainStatus, FieldNames, FieldsToCover, SealOptions, SealedSet, Sealer, ValidateLimits,
    Validator,
};
use sender_auth::authres::{AuthenticationResults, AuthservId};
use sender_auth::dkim::{Selector, SignOptions, SignWith, Signer};
use smtp_types::{DomainName, UnixTime};

use super::looking::{self, Looking};
use super::message_file::MessageFile;
use super::wiring;
use crate::config;
use crate::crypto::{AwsLc, SigningKey};

/// The verb `sign` with its flags.
pub(super) fn sign_command() -> Command {
    Command::new("sign")
        .about("Sign a message with DKIM: print the header fields to put above it")
        .long_about(
            "Sign a message with DKIM (RFC 6376): print one DKIM-Signature field for each key, to \
             be put above the message. Give --key and --selector once for each key. The milter \
             does this by itself; this verb is for scripts and tests. Exit code: 0 signed, 1 the \
             message cannot be signed, 64 wrong usage.",
        )
        .arg(file_arg())
        .arg(key_arg().action(ArgAction::Append))
        .arg(selector_arg().action(ArgAction::Append))
        .arg(domain_arg())
        .arg(super::explain::at_arg())
}

/// The verb `seal` with its flags.
pub(super) fn seal_command() -> Command {
    Command::new("seal")
        .about("Seal a message with ARC: print the header fields to put above it")
        .long_about(
            "Seal a message with ARC (RFC 8617): print the three fields of the next set, to be put \
             above the message. What was found when it came is read from its \
             Authentication-Results fields with the id of --authserv-id. If they do not say \
             whether the chain held, it is checked now. Exit code: 0 sealed, 1 the message cannot be sealed, 64 wrong usage.",
        )
        .arg(file_arg())
        .arg(key_arg())
        .arg(selector_arg())
        .arg(domain_arg())
        .arg(
            Arg::new("authserv-id")
                .long("authserv-id")
                .value_name("NAME")
                .required(true)
                .help("Whose results are sealed: the name of the server that checked the message."),
        )
        .arg(
            Arg::new("headers")
                .long("headers")
                .value_name("NAME:NAME")
                .help("The header fields to cover, in this order; by default a good choice."),
        )
        .arg(super::explain::at_arg())
        .arg(config::config_file_arg())
        .args(config::args(&["dns.resolver"]))
}

fn file_arg() -> Arg {
    Arg::new("file").value_name("FILE").required(true).help("The message; - is standard input.")
}

fn key_arg() -> Arg {
    Arg::new("key")
        .long("key")
        .value_name("PEM")
        .required(true)
        .help("The file with the private key, RSA or Ed25519.")
}

fn selector_arg() -> Arg {
    Arg::new("selector")
        .long("selector")
        .value_name("NAME")
        .required(true)
        .help("The selector that the key stands at in the DNS.")
}

fn domain_arg() -> Arg {
    Arg::new("domain")
        .long("domain")
        .value_name("DOMAIN")
        .required(true)
        .value_parser(|text: &str| DomainName::parse(text))
        .help("The domain that signs.")
}

/// Runs the verb `sign`.
pub(super) fn run_sign(matches: &ArgMatches) -> io::Result<ExitCode> {
    let files = || matches.get_many::<String>("key").unwrap_or_default();
    let selectors = || matches.get_many::<String>("selector").unwrap_or_default();
    if files().len() != selectors().len() {
        let (keys, selectors) = (files().len(), selectors().len());
        let found = format!("found {keys} and {selectors}");
        anstream::eprintln!("waxseal: --key and --selector: expected as many of both, {found}");
        return Ok(ExitCode::from(super::USAGE));
    }
    let mut keys = Vec::new();
    for (file, selector) in files().zip(selectors()) {
        match read_key(file, selector) {
            Ok(key) => keys.push(key),
            Err(error) => return usage(&error),
        }
    }
    let Some(domain) = matches.get_one::<DomainName>("domain") else {
        return Ok(ExitCode::from(super::USAGE));
    };
    let crypto = AwsLc::new();
    let name = text(matches, "file");
    let result = sign(name, &crypto, domain, &keys, looking::now(matches));
    print(name, result)
}

type Key = (Selector, SigningKey);

fn read_key(file: &str, selector: &str) -> Result<Key, String> {
    let found = Selector::parse(selector);
    let selector = found.map_err(|error| format!("--selector {selector}: {error}"))?;
    let octets = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let key = SigningKey::from_file_text(&octets).map_err(|error| format!("{file}: {error}"))?;
    Ok((selector, key))
}

fn sign(
    name: &str,
    crypto: &AwsLc,
    domain: &DomainName,
    keys: &[Key],
    now: UnixTime,
) -> Result<Vec<HeaderField>, String> {
    let mut file = MessageFile::open(name).map_err(|error| error.to_string())?;
    let header = file.header().map_err(|error| error.to_string())?;
    let with = keys
        .iter()
        .map(|(selector, key)| SignWith { domain: domain.clone(), selector: selector.clone(), key })
        .collect();
    let mut signer = Signer::new(&header, crypto, with, SignOptions::new(now))
        .map_err(|error| error.to_string())?;
    file.body(|octets| signer.push(octets)).map_err(|error| error.to_string())?;
    signer.finish().map_err(|error| error.to_string())
}

/// Runs the verb `seal`.
pub(super) fn run_seal(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some(loaded) = wiring::load(matches) else { return Ok(ExitCode::from(super::USAGE)) };
    let parts = || -> Result<_, String> {
        let key = read_key(text(matches, "key"), text(matches, "selector"))?;
        let id = AuthservId::new(text(matches, "authserv-id"))
            .map_err(|error| format!("--authserv-id: {error}"))?;
        let now = looking::now(matches);
        let mut options = SealOptions::new(now);
        if let Some(names) = matches.get_one::<String>("headers") {
            let names = names.split(':').map(str::trim);
            let names = FieldNames::new(names).map_err(|error| format!("--headers: {error}"))?;
            options.fields = FieldsToCover::Exactly(names);
        }
        let looking = Looking::new(&loaded.config)?;
        Ok((key, id, options, looking))
    };
    let (key, id, options, looking) = match parts() {
        Ok(parts) => parts,
        Err(error) => return usage(&error),
    };
    let Some(domain) = matches.get_one::<DomainName>("domain") else {
        return Ok(ExitCode::from(super::USAGE));
    };
    let name = text(matches, "file");
    let sealing = Sealing { domain, key: &key, id: &id, options: &options, looking: &looking };
    let fields = sealing.seal(name).map(|set| {
        let SealedSet { seal, message_signature, authentication_results, .. } = set;
        vec![seal, message_signature, authentication_results]
    });
    print(name, fields)
}

struct Sealing<'s> {
    domain: &'s DomainName,
    key: &'s Key,
    id: &'s AuthservId,
    options: &'s SealOptions,
    looking: &'s Looking,
}

impl Sealing<'_> {
    /// §5.1 step 4: whether the chain holds is what was found when the message came, for it may have
    /// been changed since. Only if nobody has said it, it is checked now; so the body is kept.
    fn seal(&self, name: &str) -> Result<SealedSet, String> {
        let told = |error: io::Error| error.to_string();
        let crypto = AwsLc::new();
        let mut file = MessageFile::open(name).map_err(told)?;
        let header = file.header().map_err(told)?;
        let mut body = Vec::new();
        let mut validator = Validator::new(&header, &crypto, ValidateLimits::default());
        file.body(|octets| {
            validator.push(octets);
            body.extend_from_slice(octets);
        })
        .map_err(told)?;
        let chain = validator.finish();
        let results = AuthenticationResults::collect(&header, self.id);
        let status = match ChainStatus::reported_in(&results) {
            Some(status) => status,
            None => self
                .looking
                .evaluate(|known| chain.evaluate(known, &crypto, self.options.now))
                .map_err(|given_up| given_up.to_string())?
                .status(),
        };
        let (selector, key) = self.key;
        let with = SignWith { domain: self.domain.clone(), selector: selector.clone(), key };
        let mut sealer = Sealer::new(&header, status, &crypto, with, self.options)
            .map_err(|error| error.to_string())?;
        sealer.push(&body);
        sealer.finish(&results).map_err(|error| error.to_string())
    }
}

fn text<'m>(matches: &'m ArgMatches, id: &str) -> &'m str {
    matches.get_one::<String>(id).map(String::as_str).unwrap_or_default()
}

fn usage(error: &str) -> io::Result<ExitCode> {
    anstream::eprintln!("waxseal: {error}");
    Ok(ExitCode::from(super::USAGE))
}

/// The fields as they go above the message, each ended by CRLF.
fn print(name: &str, fields: Result<Vec<HeaderField>, String>) -> io::Result<ExitCode> {
    match fields {
        Ok(fields) => {
            let mut out = io::stdout().lock();
            for field in fields {
                out.write_all(field.octets())?;
                out.write_all(b"\r\n")?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            anstream::eprintln!("waxseal: {name}: {error}");
            Ok(ExitCode::from(1))
        }
    }
}
