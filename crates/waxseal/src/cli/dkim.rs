//! `waxseal dkim`: makes, shows, checks and changes the keys that sign mail.
//!
//! It works on the files that the daemon reads, whether the daemon runs or not, and prints public
//! halves only. What each output looks like is in `shown`.

mod input;
mod shown;

use std::io::{self, Write};
use std::num::NonZero;
use std::process::ExitCode;
use std::thread;

use clap::{Arg, ArgAction, ArgMatches, Command};
use futures_util::{StreamExt, stream};
use smtp_types::{DomainName, UnixTime};

use self::shown::{Entry, Form, Outcome};
use super::wiring;
use crate::config::{self, Config};
use crate::keys::{
    FreshKeys, KeyStore, KeyStoreError, Observations, Plan, Rules, Target, look_up, plan,
};
use crate::observe::Observer;
use crate::sender::Clock;

/// How many domains `check` looks at side by side.
const SIMULTANEOUS: usize = 16;

/// The verb with its flags.
pub(super) fn command() -> Command {
    let settings = |command: Command| {
        command
            .arg(super::json_arg())
            .arg(config::config_file_arg())
            .args(config::args(&["state_dir"]))
    };
    Command::new("dkim")
        .about("Make and change the keys that sign mail")
        .long_about(
            "Make and change the keys that sign mail, and show what the DNS must have for them. \
             Each domain has keys of its own, RSA and Ed25519; the daemon changes them by the \
             schedule in [dkim], as soon as the DNS shows the next ones. Private keys are never \
             shown. Exit code: 0 fine, 1 warnings (something was done already, or the DNS lacks \
             something), 2 failures, 3 the DNS could not be asked, 64 wrong usage.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(settings(
            Command::new("add")
                .about("Make the first keys of domains, and print their records")
                .args(input::needed_domains())
                .arg(form_arg())
                .arg(super::explain::at_arg()),
        ))
        .subcommand(settings(
            Command::new("list")
                .about("Show the keys of all or some domains, and what comes next")
                .arg(input::some_domains()),
        ))
        .subcommand(settings(
            Command::new("records")
                .about("Show what the DNS must have, as a zone file")
                .arg(input::some_domains())
                .arg(form_arg()),
        ))
        .subcommand(
            settings(
                Command::new("check")
                    .about("Compare the DNS with what it must have")
                    .arg(input::some_domains())
                    .arg(Arg::new("apply").long("apply").action(ArgAction::SetTrue).help(
                        "Take the steps that are due, as the daemon does every hour: sign \
                             with keys that the DNS shows, make the next ones, delete old ones.",
                    ))
                    .arg(
                        Arg::new("problems")
                            .long("problems")
                            .action(ArgAction::SetTrue)
                            .help("Show only domains where something is to be done."),
                    )
                    .arg(super::explain::at_arg()),
            )
            .args(config::args(&["dns.resolver"])),
        )
        .subcommand(settings(
            Command::new("rotate")
                .about("Make the next keys of domains now, and print their records")
                .args(input::needed_domains())
                .arg(form_arg())
                .arg(super::explain::at_arg()),
        ))
        .subcommand(settings(
            Command::new("import")
                .about("Take over keys of another signer, under the names that they have")
                .arg(input::domain())
                .args(input::keys())
                .arg(super::explain::at_arg()),
        ))
        .subcommand(settings(
            Command::new("remove")
                .about("Delete all keys of domains for good")
                .args(input::needed_domains())
                .arg(
                    Arg::new("yes")
                        .long("yes")
                        .action(ArgAction::SetTrue)
                        .help("Really: their mail is not signed any more."),
                ),
        ))
}

fn form_arg() -> Arg {
    Arg::new("form").long("form").action(ArgAction::SetTrue).help(
        "Print name, type and value of each record for the form of a web page, instead of lines \
         for a zone file.",
    )
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some((verb, matches)) = matches.subcommand() else {
        return Ok(ExitCode::from(super::USAGE));
    };
    let Some(loaded) = wiring::load(matches) else { return Ok(ExitCode::from(super::USAGE)) };
    let domains = match input::read_domains(matches) {
        Ok(domains) => domains,
        Err(wrong) => return usage(&wrong),
    };
    let call = Call {
        matches,
        config: &loaded.config,
        store: KeyStore::new(&loaded.config.state_dir),
        rules: wiring::key_rules(&loaded.config),
        domains,
    };
    let outcome = match verb {
        "add" => call.make(Target::NewDomain),
        "rotate" => call.make(Target::KnownDomain),
        "list" | "records" => call.read(),
        "check" => match call.check() {
            Ok(outcome) => outcome,
            Err(wrong) => return usage(&[wrong]),
        },
        "import" => match input::read_keys(matches) {
            Ok(keys) => call.import(&keys),
            Err(wrong) => return usage(&wrong),
        },
        _ if !matches.get_flag("yes") => {
            let names: Vec<_> = call.domains.iter().map(DomainName::as_str).collect();
            let names = names.join(", ");
            return usage(&[format!("{names}: deletes the private keys for good; say --yes")]);
        }
        _ => call.remove(),
    };
    call.show(verb, &outcome)
}

fn usage(wrong: &[String]) -> io::Result<ExitCode> {
    for line in wrong {
        anstream::eprintln!("waxseal: {line}");
    }
    Ok(ExitCode::from(super::USAGE))
}

/// What was asked for.
struct Call<'m> {
    matches: &'m ArgMatches,
    config: &'m Config,
    store: KeyStore,
    rules: Rules,
    domains: Vec<DomainName>,
}

impl Call<'_> {
    fn now(&self) -> UnixTime {
        let at = self.matches.get_one::<u64>("at").copied();
        at.map_or_else(|| Clock::System.now(), UnixTime)
    }

    /// `add` and `rotate`. Making keys is what takes time, so it is done side by side.
    fn make(&self, target: Target) -> Outcome {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let now = self.now();
        let make = |domain: &DomainName| {
            let refused = |error| KeyStoreError::NotMade { domain: domain.clone(), error };
            // Before a tenth of a second of work for nothing.
            let is_there = self.store.read(domain)?.is_some();
            match target {
                Target::NewDomain if is_there => {
                    return Err(KeyStoreError::HasKeys { domain: domain.clone() });
                }
                Target::KnownDomain if !is_there => {
                    return Err(KeyStoreError::NoKeys { domain: domain.clone() });
                }
                Target::NewDomain | Target::KnownDomain => {}
            }
            let fresh = FreshKeys::generate().map_err(refused)?;
            self.store.announce(domain, target, fresh, &self.rules.prefix, now)
        };
        let mut outcome = Outcome::default();
        for some in self.domains.chunks(threads) {
            let made: Vec<_> = thread::scope(|scope| {
                let made: Vec<_> = some.iter().map(|domain| scope.spawn(|| make(domain))).collect();
                made.into_iter().map(thread::ScopedJoinHandle::join).collect()
            });
            for result in made.into_iter().flatten() {
                outcome.add(result.map(Entry::new));
            }
        }
        outcome
    }

    /// `list` and `records`.
    fn read(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for domain in self.wanted(&mut outcome) {
            let read = self.store.read(&domain);
            let keys = read.and_then(|keys| keys.ok_or(KeyStoreError::NoKeys { domain }));
            outcome.add(keys.and_then(|keys| {
                let oddities = self.store.oddities(&keys)?;
                Ok(Entry { oddities, ..Entry::new(keys) })
            }));
        }
        outcome
    }

    fn import(&self, keys: &[crate::keys::PrivateKey]) -> Outcome {
        let mut outcome = Outcome::default();
        for domain in &self.domains {
            outcome.add(self.store.import(domain, keys, self.now()).map(Entry::new));
        }
        outcome.notes = input::notes(keys);
        outcome
    }

    fn remove(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for domain in &self.domains {
            // Also what makes no sense any more can be removed.
            let keys = self.store.read(domain).ok().flatten();
            match (self.store.remove(domain), keys) {
                (Ok(true), Some(keys)) => outcome.add(Ok(Entry::new(keys))),
                (Ok(true), None) => outcome.notes.push(format!("{domain}: removed")),
                (Ok(false), _) => {
                    outcome.add(Err(KeyStoreError::NoKeys { domain: domain.clone() }));
                }
                (Err(error), _) => outcome.add(Err(error)),
            }
        }
        outcome
    }

    fn check(&self) -> Result<Outcome, String> {
        let mut outcome = Outcome::default();
        let domains = self.wanted(&mut outcome);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let observer = wiring::observer(self.config, None).map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let mut entries = stream::iter(domains)
                .map(|domain| self.look(&observer, domain))
                .buffered(SIMULTANEOUS);
            while let Some(entry) = entries.next().await {
                outcome.add(entry);
            }
        });
        if self.matches.get_flag("problems") {
            outcome.entries.retain(Entry::has_problem);
        }
        Ok(outcome)
    }

    async fn look(&self, observer: &Observer, domain: DomainName) -> Result<Entry, KeyStoreError> {
        let read = self.store.read(&domain)?;
        let keys = read.ok_or_else(|| KeyStoreError::NoKeys { domain: domain.clone() })?;
        let observed = look_up(observer, &keys).await;
        let now = self.now();
        let (keys, plan, oddities) = match self.matches.get_flag("apply") {
            true => {
                let visit = self.store.visit(&domain, &observed, now, &self.rules)?;
                let visit = visit.ok_or(KeyStoreError::NoKeys { domain })?;
                (visit.keys, visit.plan, visit.oddities)
            }
            false => {
                let plan = plan(&keys, &observed, now, &self.rules.schedule);
                let oddities = self.store.oddities(&keys)?;
                (keys, plan, oddities)
            }
        };
        Ok(Entry { keys, oddities, seen: Some(Seen { observed, plan }) })
    }

    /// The domains that were named, or all.
    fn wanted(&self, outcome: &mut Outcome) -> Vec<DomainName> {
        if !self.domains.is_empty() {
            return self.domains.clone();
        }
        self.store.domains().unwrap_or_else(|error| {
            outcome.add(Err(error));
            Vec::new()
        })
    }

    fn show(&self, verb: &str, outcome: &Outcome) -> io::Result<ExitCode> {
        let is_json = self.matches.get_flag("json");
        let schedule = &self.rules.schedule;
        let form = match self.matches.try_get_one::<bool>("form") {
            Ok(Some(true)) => Form::WebPage,
            _ => Form::Zone,
        };
        let mut out = anstream::stdout().lock();
        match verb {
            _ if is_json => writeln!(out, "{:#}", shown::json(outcome, schedule))?,
            "list" => shown::list(&mut out, outcome, schedule)?,
            "records" => shown::records(&mut out, outcome, form)?,
            "check" => {
                shown::check(&mut out, outcome, self.matches.get_flag("apply"))?;
            }
            "remove" => shown::removed(&mut out, outcome)?,
            "import" => shown::imported(&mut out, outcome)?,
            _ => shown::made(&mut out, outcome, form)?,
        }
        if !is_json {
            for line in outcome.problems() {
                anstream::eprintln!("waxseal: {line}");
            }
        }
        Ok(match verb {
            "check" if is_json && outcome.errors.is_empty() => ExitCode::SUCCESS,
            _ => ExitCode::from(outcome.code()),
        })
    }
}

/// What the DNS showed, and what follows from it.
struct Seen {
    observed: Observations,
    plan: Plan,
}
