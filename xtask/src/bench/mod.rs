//! Side-by-side runs with peers and with the floor, in one run on one machine, so that what counts
//! is the ratio and not the machine.
//!
//! | module | what it does |
//! |---|---|
//! | [`socketmap`] | warm answers and memory: the plan of the run |
//! | [`tlsrpt`] | collecting TLS sessions: datagrams kept and lost |
//! | [`server`] | starts a server, reads its processor time and memory, ends it |
//! | [`resolver`] | gets `postfix-mta-sts-resolver` from PyPI |
//! | [`figures`] | medians, and how the results are shown and kept |

mod figures;
mod resolver;
mod server;
mod socketmap;
mod tlsrpt;

use std::process::ExitCode;

use crate::EXIT_USAGE;
use crate::error::StepError;

const USAGE: &str = "\
usage: cargo xtask bench socketmap [--rounds N] [--milliseconds N] [--no-resolver] [--no-memory]
       cargo xtask bench tlsrpt [--rounds N] [--milliseconds N]

Warm socketmap answers of waxseal, beside a bare server (the floor) and beside
postfix-mta-sts-resolver, and the memory that cached domains take. About four
minutes; results are printed and written to target/bench/socketmap.json.

Datagrams about TLS sessions that waxseal counts in a second, and loses in bursts,
beside a bare receiver (the floor) and beside tlsrpt-collectd. About two minutes;
results are printed and written to target/bench/tlsrpt.json.";

/// Runs a comparison.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let done = match arguments.split_first() {
        Some((what, flags)) if what == "socketmap" => {
            plan(flags).and_then(|plan| socketmap::run(&plan))
        }
        Some((what, flags)) if what == "tlsrpt" => {
            tlsrpt_plan(flags).and_then(|plan| tlsrpt::run(&plan))
        }
        _ => Err(StepError::Usage("expected the name of a comparison".to_owned())),
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

fn plan(flags: &[String]) -> Result<socketmap::Plan, StepError> {
    let mut plan = socketmap::Plan::default();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            "--rounds" => plan.rounds = number(flag, flags.next())?,
            "--milliseconds" => plan.milliseconds = number(flag, flags.next())?,
            "--no-resolver" => plan.resolver = false,
            "--no-memory" => plan.memory = false,
            other => return Err(StepError::Usage(format!("expected a flag, found {other:?}"))),
        }
    }
    Ok(plan)
}

fn tlsrpt_plan(flags: &[String]) -> Result<tlsrpt::Plan, StepError> {
    let mut plan = tlsrpt::Plan::default();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            "--rounds" => plan.rounds = number(flag, flags.next())?,
            "--milliseconds" => plan.milliseconds = number(flag, flags.next())?,
            other => return Err(StepError::Usage(format!("expected a flag, found {other:?}"))),
        }
    }
    Ok(plan)
}

fn number(flag: &str, value: Option<&String>) -> Result<u32, StepError> {
    value.and_then(|value| value.parse().ok()).filter(|number| *number > 0).ok_or_else(|| {
        StepError::Usage(format!("{flag}: expected a number above 0, found {value:?}"))
    })
}
