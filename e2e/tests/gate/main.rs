//! The end-to-end test of the gate: letters of all kinds through a real Postfix, real DNS, and the
//! programs of others that sign, verify and filter mail.
//!
//! Needs root and what `cargo run -p e2e -- setup` installs; without it, it fails and says what to
//! do. `cargo test -p e2e --test gate -- forged` runs the cases whose names have that text. What
//! the servers wrote lies in `target/e2e/gate` afterwards.

mod attachments;
mod case;
mod connections;
mod faults;
mod filters;
mod incoming;
mod raw;

use case::{Case, Check};
use e2e::error::LabError;
use e2e::gate::peers::{self, RsaKey};
use e2e::gate::world::{self, LISTS, RELAY, STRICT};
use e2e::gate::zone::txt;
use e2e::gate::{GateLab, peers::RSA_SELECTOR};
use raw::Try;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// A run takes about a minute on two cores; nothing in it waits for this limit.
const LIMIT: Duration = Duration::from_secs(300);
/// How many letters are sent at the same time.
const AT_A_TIME: usize = 6;

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the lab could not be run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What has been tried so far.
struct Score {
    wanted: Vec<String>,
    passed: usize,
    failed: usize,
}

fn run() -> Result<usize, LabError> {
    let start = Instant::now();
    let wanted = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut score = Score { wanted, passed: 0, failed: 0 };
    let (key, rsa) = (world::key()?, RsaKey::generate()?);
    let mut records = world::records(&key);
    for domain in [STRICT, LISTS, RELAY] {
        records.push(txt(&format!("{RSA_SELECTOR}._domainkey.{}", domain.name), &rsa.record));
    }
    let mut lab = GateLab::build(records, world::LOCAL_VERDICTS, start + LIMIT)?;
    peers::keep(&lab, &rsa)?;
    lab.start_waxseal()?;
    println!("the lab stands after {:.1} s", start.elapsed().as_secs_f32());

    let mut cases = incoming::direct(&key);
    cases.extend(incoming::signatures(&key));
    cases.extend(incoming::authors(&key));
    cases.extend(incoming::forged_fields(&key));
    cases.extend(incoming::characters(&key));
    cases.extend(incoming::forwarded(&lab, &key)?);
    cases.extend(attachments::cases(&key));
    score.try_all(&lab, cases)?;
    score.try_each(raw::tries(&lab, &key))?;
    score.try_each(connections::tries(&lab, &key))?;
    let rspamd = filters::start_rspamd(&lab)?;
    score.try_each(filters::tries(&lab, &key))?;
    drop(rspamd);
    if score.wants("killed-while-judging") {
        score.add("killed-while-judging", faults::killed_while_judging(&mut lab)?);
    }
    if score.wants("killed-mid-message") {
        score.add("killed-mid-message", faults::killed_mid_message(&mut lab, &key)?);
    }

    println!("{:.1} s in all", start.elapsed().as_secs_f32());
    println!("{} passed, {} failed", score.passed, score.failed);
    if score.failed > 0 {
        println!("last lines of waxseal:\n{}", lab.log().last(60).join("\n"));
    }
    Ok(score.failed)
}

impl Score {
    fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|text| name.contains(text.as_str()))
    }

    /// Tries cases, some at a time.
    fn try_all(&mut self, lab: &GateLab, mut cases: Vec<Case>) -> Result<(), LabError> {
        cases.retain(|case| self.wants(case.name));
        let waiting = Mutex::new(cases.iter().enumerate());
        let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
        let work = || -> Vec<(usize, Result<Check, LabError>)> {
            std::iter::from_fn(|| next().map(|(number, case)| (number, case.run(lab)))).collect()
        };
        let mut results = thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|worker| worker.join());
            joined.flat_map(|done| done.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let results: &mut Vec<_> = &mut results;
        results.sort_by_key(|(number, _)| *number);
        for ((_, result), case) in results.drain(..).zip(&cases) {
            self.add(case.name, result?);
        }
        Ok(())
    }

    /// Tries one after the other.
    fn try_each(&mut self, tries: Vec<Try<'_>>) -> Result<(), LabError> {
        for (name, run) in tries {
            if self.wants(name) {
                self.add(name, run()?);
            }
        }
        Ok(())
    }

    /// Counts and shows a result.
    fn add(&mut self, name: &str, check: Check) {
        match check {
            Ok(seen) => {
                self.passed += 1;
                println!("ok     {name:<24} {seen}");
            }
            Err(wrong) => {
                self.failed += 1;
                println!("FAILED {name:<24} {wrong}");
            }
        }
    }
}
