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
mod others;
mod outgoing;
mod oversized;
mod raw;
mod reports;

use case::Check;
use e2e::error::LabError;
use e2e::gate::GateLab;
use e2e::gate::peers::{self, KeyFile, OpenDkim, Peers, RSA_SELECTOR, RsaKey};
use e2e::gate::signature::LabKey;
use e2e::gate::world::{self, LISTS, RELAY, SELECTOR, STRICT};
use e2e::gate::zone::txt;
use raw::Try;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// A run takes less than two minutes on two cores; nothing in it waits for this limit.
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
    let wanted = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut score = Score { wanted, passed: 0, failed: 0 };
    let (key, rsa) = (world::key()?, RsaKey::generate()?);
    let mut records = world::records(&key);
    for domain in [STRICT, LISTS, RELAY] {
        records.push(txt(&format!("{RSA_SELECTOR}._domainkey.{}", domain.name), &rsa.record));
    }
    let mut lab = GateLab::build(records, world::LOCAL_VERDICTS, LIMIT)?;
    peers::keep_keys(&lab, &rsa, &key)?;
    lab.start_waxseal()?;
    println!("the lab stands after {:.1} s", elapsed(&lab).as_secs_f32());
    from_outside(&lab, &key, &mut score)?;
    from_inside(&lab, &mut score)?;
    through_rspamd(&lab, &key, &mut score)?;
    if score.wants("killed-while-judging") {
        score.add("killed-while-judging", faults::killed_while_judging(&mut lab)?);
    }
    if score.wants("killed-mid-message") {
        score.add("killed-mid-message", faults::killed_mid_message(&mut lab, &key)?);
    }
    if score.wants("report") {
        score.add("report", reports::from_mail_to_report(&mut lab, &key)?);
    }

    println!("{:.1} s in all", elapsed(&lab).as_secs_f32());
    println!("{} passed, {} failed", score.passed, score.failed);
    if score.failed > 0 {
        println!("last lines of waxseal:\n{}", lab.log().last(60).join("\n"));
    }
    Ok(score.failed)
}

/// How long the lab has been at work, without the time that it waited for another one.
fn elapsed(lab: &GateLab) -> Duration {
    LIMIT.saturating_sub(lab.deadline().saturating_duration_since(Instant::now()))
}

/// Letters of strangers.
fn from_outside(lab: &GateLab, key: &LabKey, score: &mut Score) -> Result<(), LabError> {
    let peers = Peers::new(lab)?;
    let mut cases = incoming::direct(key);
    cases.extend(incoming::signatures(key));
    cases.extend(incoming::authors(key));
    cases.extend(incoming::forged_fields(key));
    cases.extend(incoming::characters(key));
    cases.extend(incoming::forwarded(&peers, key)?);
    cases.extend(attachments::cases(key));
    cases.extend(oversized::cases(key));
    let cases = cases.iter().map(|case| -> Try<'_> { (case.name, Box::new(|| case.run(lab))) });
    score.try_all(cases.collect())?;
    score.try_all(raw::tries(lab, key))?;
    score.try_all(oversized::tries(lab, key))?;
    // One after the other: the last one looks at Waxseal's memory.
    connections::tries(lab, key).into_iter().try_for_each(|one| score.try_all(vec![one]))
}

/// Letters of ours, and the programs of others.
fn from_inside(lab: &GateLab, score: &mut Score) -> Result<(), LabError> {
    let peers = Peers::new(lab)?;
    let opendkim = |port, canonicalization, algorithm, key, selector| {
        OpenDkim { port, canonicalization, algorithm, key, selector }.start(lab)
    };
    let _signers = [
        opendkim(8891, "simple/simple", "rsa-sha256", KeyFile::Rsa, RSA_SELECTOR)?,
        opendkim(8892, "relaxed/relaxed", "ed25519-sha256", KeyFile::Ed25519, SELECTOR)?,
    ];
    score.add("keys", outgoing::make_keys(lab)?);
    score.try_all(outgoing::tries(lab, &peers))?;
    score.try_all(others::tries(lab, &peers))
}

/// Letters that rspamd judges after the gate, or before it.
fn through_rspamd(lab: &GateLab, key: &LabKey, score: &mut Score) -> Result<(), LabError> {
    let tries = filters::tries(lab, key);
    if !tries.iter().any(|(name, _)| score.wants(name)) {
        return Ok(());
    }
    let _rspamd = filters::start_rspamd(lab)?;
    score.try_all(tries)
}

impl Score {
    fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|text| name.contains(text.as_str()))
    }

    /// Tries some at a time, and shows them in their order.
    fn try_all(&mut self, mut tries: Vec<Try<'_>>) -> Result<(), LabError> {
        tries.retain(|(name, _)| self.wants(name));
        let waiting = Mutex::new(tries.iter().enumerate());
        let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
        let work = || -> Vec<(usize, Result<Check, LabError>)> {
            std::iter::from_fn(|| next().map(|(number, (_, run))| (number, run()))).collect()
        };
        let mut results: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|worker| worker.join());
            joined.flat_map(|done| done.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        results.sort_by_key(|(number, _)| *number);
        for ((_, result), (name, _)) in results.into_iter().zip(&tries) {
            self.add(name, result?);
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
