//! `cargo xtask test`: all set-up, all checks, all tests, in order, and the counts at the end.
//!
//! What costs least and fails most stands first. A step that fails ends the run, with its name and
//! what to do. Nothing is left out unless it is asked for by name, and then the last line counts
//! it; in CI (`CI=true`) nothing can be left out at all.

mod options;
mod steps;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::EXIT_USAGE;
use crate::counts::Counts;
use crate::error::StepError;
use options::Options;
use steps::{STEPS, Step};

/// Runs the steps that `arguments` ask for.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let options = match Options::parse(arguments, in_ci) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("xtask: test: {message}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if options.list {
        STEPS.iter().for_each(|step| println!("{:<10} {}", step.name, step.purpose));
        return ExitCode::SUCCESS;
    }

    let begin = Instant::now();
    let mut counts = Counts::default();
    let mut durations = Vec::new();
    let mut result = Ok(());
    for (index, step) in STEPS.iter().enumerate() {
        if options.skip.contains(&step.name) {
            println!("\n== {} == left out by --skip", step.name);
            counts.skipped += 1;
            continue;
        }
        if !options.only.is_empty() && !options.only.contains(&step.name) {
            continue;
        }
        println!("\n== {} ({}/{}): {} ==", step.name, index + 1, STEPS.len(), step.purpose);
        let step_begin = Instant::now();
        result = (step.run)(&mut counts);
        durations.push((step, step_begin.elapsed()));
        if let Err(error) = &result {
            report_failure(step, error);
            break;
        }
        println!("{} passed in {}", step.name, seconds(step_begin.elapsed()));
    }
    if result.is_ok() && in_ci && counts.skipped > 0 {
        println!("\nin CI nothing may be skipped; see the tests marked \"ignored\" above");
        result = Err(StepError::Missing(String::new()));
    }
    finish(&durations, begin.elapsed(), counts, result.is_ok())
}

fn report_failure(step: &Step, error: &StepError) {
    println!("\n{} FAILED: {error}", step.name);
    println!("repeat it alone with: cargo xtask test --only {}", step.name);
}

fn finish(
    durations: &[(&Step, Duration)],
    whole: Duration,
    mut counts: Counts,
    passed: bool,
) -> ExitCode {
    println!();
    for (step, duration) in durations {
        println!("{:<10} {:>8}", step.name, seconds(*duration));
    }
    println!("{:<10} {:>8}\n", "in all", seconds(whole));
    if !passed {
        // A check that is no test program fails, too.
        counts.failed = counts.failed.max(1);
    }
    println!("{counts}");
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
