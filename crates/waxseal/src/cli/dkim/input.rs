//! What `waxseal dkim` is given: domains, lists of domains, keys of other signers.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches};
use sender_auth::crypto::{KeyType, SigningKey as _};
use sender_auth::dkim::Selector;
use smtp_types::DomainName;

use crate::crypto::SigningKey;
use crate::keys::PrivateKey;

/// The longest list of domains, in octets: some hundred thousand of them.
const MAX_LIST: u64 = 16 * 1024 * 1024;

/// The longest key file, in octets.
const MAX_KEY: u64 = 64 * 1024;

/// The longest RSA key that BSI TR-03182 (03-M) has in mind, in bits.
const BSI_BITS: usize = 2_048;

fn domains(name: &'static str) -> Arg {
    Arg::new(name).value_name("DOMAIN").num_args(0..).action(ArgAction::Append)
}

/// `[DOMAIN]...`, all by default.
pub(super) fn some_domains() -> Arg {
    domains("domains").help("The domains. The default is all.")
}

/// `DOMAIN`.
pub(super) fn domain() -> Arg {
    Arg::new("domains").value_name("DOMAIN").required(true).help("The domain.")
}

/// `DOMAIN... | --file FILE`.
pub(super) fn needed_domains() -> [Arg; 2] {
    let file = Arg::new("file")
        .long("file")
        .value_name("FILE")
        .help("A file with one domain on each line; - is standard input.");
    [domains("domains").help("The domains.").required_unless_present("file"), file]
}

/// `--selector S --key PEM`, once or twice.
pub(super) fn keys() -> [Arg; 2] {
    let selector = Arg::new("selector")
        .long("selector")
        .value_name("SELECTOR")
        .required(true)
        .action(ArgAction::Append)
        .help("The name of the key in the DNS. Twice, with --key, for an RSA and an Ed25519 key.");
    let key = Arg::new("key")
        .long("key")
        .value_name("PEM")
        .required(true)
        .action(ArgAction::Append)
        .value_parser(clap::value_parser!(PathBuf))
        .help("The file with its private key, as OpenDKIM, rspamd or OpenSSL have written it.");
    [selector, key]
}

/// The domains that were named, each once, in that order.
///
/// # Errors
/// All that is wrong with them, with its place.
pub(super) fn read_domains(matches: &ArgMatches) -> Result<Vec<DomainName>, Vec<String>> {
    let mut wrong = Vec::new();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut add = |text: &str, place: &str| match DomainName::parse(text) {
        Ok(domain) if seen.insert(domain.clone()) => found.push(domain),
        Ok(_) => {}
        Err(error) => wrong.push(format!("{place}{text:?}: {error}")),
    };
    for text in matches.get_many::<String>("domains").into_iter().flatten() {
        add(text, "");
    }
    if let Ok(Some(name)) = matches.try_get_one::<String>("file") {
        let text = read_list(name).map_err(|error| vec![format!("{name}: {error}")])?;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                add(line, &format!("{name}, line {number}: "));
            }
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

fn read_list(name: &str) -> io::Result<String> {
    let mut text = String::new();
    match name {
        "-" => io::stdin().lock().take(MAX_LIST + 1).read_to_string(&mut text)?,
        _ => File::open(name)?.take(MAX_LIST + 1).read_to_string(&mut text)?,
    };
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_LIST {
        return Err(io::Error::other(format!("expected at most {MAX_LIST} octets, found more")));
    }
    Ok(text)
}

/// The keys that were named.
///
/// # Errors
/// All that is wrong with them. Nothing of a key is shown.
pub(super) fn read_keys(matches: &ArgMatches) -> Result<Vec<PrivateKey>, Vec<String>> {
    let selectors: Vec<_> = matches.get_many::<String>("selector").into_iter().flatten().collect();
    let paths: Vec<_> = matches.get_many::<PathBuf>("key").into_iter().flatten().collect();
    if selectors.len() != paths.len() {
        let (selectors, paths) = (selectors.len(), paths.len());
        return Err(vec![format!(
            "expected one --key for each --selector, found {selectors} and {paths}"
        )]);
    }
    let mut wrong = Vec::new();
    let mut keys = Vec::new();
    for (selector, path) in selectors.into_iter().zip(paths) {
        let key = read_key(path).map_err(|error| format!("{}: {error}", path.display()));
        match (Selector::parse(selector), key) {
            (Ok(selector), Ok(key)) => keys.push(PrivateKey { selector, key }),
            (selector, key) => {
                wrong.extend(selector.err().map(|error| format!("--selector: {error}")));
                wrong.extend(key.err());
            }
        }
    }
    if wrong.is_empty() { Ok(keys) } else { Err(wrong) }
}

fn read_key(path: &PathBuf) -> Result<SigningKey, String> {
    let mut octets = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_KEY).read_to_end(&mut octets));
    read.map_err(|error| error.to_string())?;
    SigningKey::from_file_text(&octets).map_err(|error| error.to_string())
}

/// What is worth knowing about keys of another signer.
pub(super) fn notes(keys: &[PrivateKey]) -> Vec<String> {
    let mut notes = Vec::new();
    for PrivateKey { selector, key } in keys {
        if key.bits() > BSI_BITS {
            notes.push(format!(
                "{selector}: {} bits; BSI TR-03182 (03-M) asks for at most {BSI_BITS}",
                key.bits()
            ));
        }
    }
    for missing in [KeyType::Rsa, KeyType::Ed25519] {
        if keys.iter().all(|one| one.key.key_type() != missing) {
            notes.push(format!(
                "no {} key; BSI TR-03182 asks for both, and the next are both",
                missing.as_str()
            ));
        }
    }
    notes
}
