//! Side-by-side runs with peers and with the floor, in one run on one machine, so that what counts
//! is the ratio and not the machine.
//!
//! | module | what it does |
//! |---|---|
//! | [`socketmap`] | warm answers and memory: the plan of the run |
//! | [`dkim`] | verifying signatures: the plan of the run |
//! | [`milter`] | the whole verdict, and memory over many messages: the plan of the run |
//! | [`tlsrpt`] | collecting TLS sessions: datagrams kept and lost |
//! | [`programs`] | builds the programs, and gives each a processor |
//! | [`server`] | starts a server, reads its processor time and memory, ends it |
//! | [`resolver`] | gets `postfix-mta-sts-resolver` from PyPI |
//! | [`dkim_peers`] | gets dkimpy from PyPI, mailauth from npm, libopendkim from Debian |
//! | [`figures`] | medians, and how the results are shown and kept |

mod dkim;
mod dkim_peers;
mod figures;
mod milter;
mod programs;
mod resolver;
mod server;
mod socketmap;
mod tlsrpt;

use std::process::ExitCode;

use crate::EXIT_USAGE;
use crate::error::StepError;

const USAGE: &str = "\
usage: cargo xtask bench socketmap [--rounds N] [--milliseconds N] [--no-resolver] [--no-memory]
       cargo xtask bench dkim [--rounds N] [--milliseconds N] [--no-peers]
       cargo xtask bench milter [--rounds N] [--milliseconds N] [--messages N]
       cargo xtask bench tlsrpt [--rounds N] [--milliseconds N]

socketmap: warm socketmap answers of waxseal, beside a bare server (the floor) and beside
postfix-mta-sts-resolver, and the memory that cached domains take. About four minutes.
dkim: verifying signatures with waxseal, beside bare cryptography (the floor) and beside
dkimpy, mailauth and libopendkim. About three minutes.
milter: messages through the milter of waxseal, beside one that accepts them unseen (the
floor), and memory over --messages messages, a million by default. About ten minutes.
tlsrpt: datagrams about TLS sessions that waxseal counts in a second, and loses in bursts,
beside a bare receiver (the floor) and beside tlsrpt-collectd. About two minutes.
Results are printed and written to target/bench/.";

/// Runs a comparison.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let done = match arguments.split_first() {
        Some((what, flags)) => compare(what, flags),
        None => Err(StepError::Usage("expected the name of a comparison".to_owned())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(StepError::Usage(message)) => {
            eprintln!("xtask: bench: {message}\n\n{USAGE}");
            ExitCode::from(EXIT_USAGE)
        }
        Err(error) => {
            eprintln!("xtask: bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(what: &str, flags: &[String]) -> Result<(), StepError> {
    let mut flags = flags.iter();
    match what {
        "socketmap" => {
            let mut plan = socketmap::Plan::default();
            while let Some(flag) = flags.next() {
                match flag.as_str() {
                    "--rounds" => plan.rounds = number(flag, flags.next())?,
                    "--milliseconds" => plan.milliseconds = number(flag, flags.next())?,
                    "--no-resolver" => plan.resolver = false,
                    "--no-memory" => plan.memory = false,
                    other => return Err(unknown(other)),
                }
            }
            socketmap::run(&plan)
        }
        "dkim" => {
            let mut plan = dkim::Plan::default();
            while let Some(flag) = flags.next() {
                match flag.as_str() {
                    "--rounds" => plan.rounds = number(flag, flags.next())?,
                    "--milliseconds" => plan.milliseconds = number(flag, flags.next())?,
                    "--no-peers" => plan.peers = false,
                    other => return Err(unknown(other)),
                }
            }
            dkim::run(&plan)
        }
        "milter" => {
            let mut plan = milter::Plan::default();
            while let Some(flag) = flags.next() {
                match flag.as_str() {
                    "--rounds" => plan.rounds = number(flag, flags.next())?,
                    "--milliseconds" => plan.milliseconds = number(flag, flags.next())?,
                    "--messages" => plan.messages = number(flag, flags.next())?,
                    other => return Err(unknown(other)),
                }
            }
            milter::run(&plan)
        }
        "tlsrpt" => {
            let mut plan = tlsrpt::Plan::default();
            while let Some(flag) = flags.next() {
                match flag.as_str() {
                    "--rounds" => plan.rounds = number(flag, flags.next())?,
                    "--milliseconds" => plan.milliseconds = number(flag, flags.next())?,
                    other => return Err(unknown(other)),
                }
            }
            tlsrpt::run(&plan)
        }
        other => Err(StepError::Usage(format!("expected a comparison, found {other:?}"))),
    }
}

fn unknown(flag: &str) -> StepError {
    StepError::Usage(format!("expected a flag, found {flag:?}"))
}

fn number(flag: &str, value: Option<&String>) -> Result<u32, StepError> {
    value.and_then(|value| value.parse().ok()).filter(|number| *number > 0).ok_or_else(|| {
        StepError::Usage(format!("{flag}: expected a number above 0, found {value:?}"))
    })
}
