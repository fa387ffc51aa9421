//! The end-to-end test: every case file against a real Postfix, real DNS and a real attacker.
//!
//! Needs root and the packages that `cargo run -p e2e -- packages` lists; without them it fails
//! and says what to do. `cargo test -p e2e --test network -- enforce/` runs the cases whose names
//! have that text. What the servers wrote lies in `target/e2e/run` afterwards.

use e2e::case::{Attack, Protection};
use e2e::error::LabError;
use e2e::lab::Lab;
use e2e::outcome::Outcome;
use e2e::zones::Numbered;
use e2e::{load, trial, waxseal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A run takes less than a minute on two cores; nothing in it waits for this limit.
const LIMIT: Duration = Duration::from_secs(300);

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

/// Runs the lab once, and hands back how many cases failed.
fn run() -> Result<usize, LabError> {
    let start = Instant::now();
    let binary = waxseal::binary()?;
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let mut cases = load::all()?;
    cases.retain(|numbered| {
        wanted.is_empty() || wanted.iter().any(|text| numbered.case.name().contains(text))
    });
    if cases.is_empty() {
        println!("no case has a name with {}\n0 passed, 0 failed", wanted.join(" or "));
        return Ok(0);
    }
    println!("{} cases against {}", cases.len(), binary.display());
    let mut lab = Lab::build(cases, LIMIT)?;
    lab.keep_sessions()?;
    println!("the lab stands after {:.1} s", start.elapsed().as_secs_f32());
    let outcomes = trial::run(&mut lab, &binary)?;

    let results: Vec<(&Numbered, &Outcome)> = lab.cases.iter().zip(&outcomes).collect();
    let failed = results.iter().filter(|(numbered, outcome)| !show(numbered, outcome)).count();
    matrix(&results);
    println!("{:.1} s in all", start.elapsed().as_secs_f32());
    println!("{} passed, {failed} failed", results.len() - failed);
    if failed > 0
        && let Some(waxseal) = &lab.waxseal
    {
        println!("last lines of waxseal:\n{}", waxseal.log().last(40).join("\n"));
    }
    Ok(failed)
}

/// Prints a case, and what is wrong with it; hands back whether it passed.
fn show(numbered: &Numbered, outcome: &Outcome) -> bool {
    let differences = outcome.differences(&numbered.case.expect);
    let verdict = if differences.is_empty() { "ok    " } else { "FAILED" };
    let reason = outcome.delivery.as_ref().map_or("no end was seen", |delivery| &delivery.reason);
    println!("{verdict} {:<38} {:<8} {reason}", numbered.case.name(), fate(outcome));
    for difference in &differences {
        println!("         {difference}");
    }
    if !differences.is_empty() {
        outcome.evidence().iter().for_each(|line| println!("         {line}"));
    }
    differences.is_empty()
}

/// What became of the letter, in one word.
fn fate(outcome: &Outcome) -> &'static str {
    match (outcome.rogue.letters.len(), outcome.receiver, outcome.queue) {
        (0, 1, 0) => "arrives",
        (0, 0, 1) => "waits",
        (1.., _, _) => "LOST",
        _ => "?",
    }
}

/// One row for each attack, one column for each protection; `!` marks what was not expected.
fn matrix(results: &[(&Numbered, &Outcome)]) {
    print!("\n{:<31}", "");
    Protection::ALL.iter().for_each(|protection| print!("{protection:<10}"));
    for attack in Attack::ALL {
        print!("\n{attack:<31}");
        for protection in Protection::ALL {
            let cell = results.iter().find(|(numbered, _)| {
                (numbered.case.protection, numbered.case.attack) == (protection, attack)
            });
            let word = cell.map_or("", |(_, outcome)| fate(outcome));
            let mark = cell.is_some_and(|(numbered, outcome)| {
                !outcome.differences(&numbered.case.expect).is_empty()
            });
            print!("{:<10}", format!("{word}{}", if mark { "!" } else { "" }));
        }
    }
    println!("\n");
}
