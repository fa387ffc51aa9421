//! Runs every fuzz target for a few seconds, on the stable compiler and without guidance.
//!
//! First each input of the committed corpus, then random mutations of them. The random numbers
//! begin anew for each target, so a run that fails fails again. This finds less than libFuzzer
//! does (`cargo xtask fuzz`), and it runs everywhere.

mod mutate;
mod random;

use std::cell::RefCell;
use std::fs;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use waxseal_fuzz::{TARGETS, Target};

use mutate::Mutator;

/// An input that takes longer than this is a fault, even on a slow machine without optimization.
const SLOW: Duration = Duration::from_secs(5);

const USAGE: &str = "usage: smoke [--list | --seconds N] [TARGET]…";

fn main() -> ExitCode {
    let (mut seconds, mut chosen) = (3, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => {
                TARGETS
                    .iter()
                    .for_each(|target| println!("{:<16} from {}", target.name, target.from));
                return ExitCode::SUCCESS;
            }
            "--seconds" => match arguments.next().and_then(|number| number.parse().ok()) {
                Some(number) => seconds = number,
                None => return usage("--seconds: expected a number"),
            },
            name => match TARGETS.iter().find(|target| target.name == name) {
                Some(target) => chosen.push(*target),
                None => return usage(&format!("expected a target, found {name:?}")),
            },
        }
    }
    let targets = if chosen.is_empty() { TARGETS.to_vec() } else { chosen };
    run_all(&targets, Duration::from_secs(seconds))
}

fn usage(message: &str) -> ExitCode {
    eprintln!("smoke: {message}\n{USAGE}");
    ExitCode::from(64)
}

/// All targets, as many at a time as there are cores, with the results in cargo's form.
fn run_all(targets: &[Target], time: Duration) -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        // Kept for the report; the default hook would print a backtrace for every input.
        FAULT.with_borrow_mut(|fault| *fault = panic.to_string());
    }));
    println!("\nrunning {} fuzz targets, {} s each", targets.len(), time.as_secs());
    let begin = Instant::now();
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            match run(target, time) {
                Ok(count) => println!("test {} ... ok ({count} inputs)", target.name),
                Err(fault) => {
                    failed.fetch_add(1, Ordering::Relaxed);
                    println!("test {} ... FAILED\n{fault}", target.name);
                }
            }
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
    let failed = failed.into_inner();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {} passed; {failed} failed; 0 ignored; finished in {:.2}s\n",
        targets.len() - failed,
        begin.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

thread_local! {
    /// What the last panic of this thread said.
    static FAULT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// How many inputs a target took without fault, or the first fault.
fn run(target: &Target, time: Duration) -> Result<u64, String> {
    let corpus = corpus(target).map_err(|error| format!("corpus of {}: {error}", target.name))?;
    let mut count = 0;
    for input in &corpus {
        check(target, input)?;
        count += 1;
    }
    let mut mutator = Mutator::new(&corpus);
    let begin = Instant::now();
    while begin.elapsed() < time {
        check(target, &mutator.next())?;
        count += 1;
    }
    Ok(count)
}

fn check(target: &Target, input: &[u8]) -> Result<(), String> {
    let begin = Instant::now();
    let done = panic::catch_unwind(|| (target.run)(input));
    let fault = match done {
        Ok(()) if begin.elapsed() < SLOW => return Ok(()),
        Ok(()) => format!("expected an answer within {SLOW:?}, took {:?}", begin.elapsed()),
        Err(_) => FAULT.take(),
    };
    let kept = keep(target, input).map_or_else(
        |error| format!("it cannot be written: {error}"),
        |path| format!("it is kept in {}", path.display()),
    );
    let shown = input.escape_ascii().to_string();
    Err(format!("{fault}\nthe input was \"{shown}\"; {kept}"))
}

/// The committed inputs, in the order of their names.
fn corpus(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    if paths.is_empty() {
        return Err(io::Error::other("expected at least one input, found none"));
    }
    paths.iter().map(fs::read).collect()
}

/// Keeps an input that failed where `cargo fuzz` would.
fn keep(target: &Target, input: &[u8]) -> io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts").join(target.name);
    fs::create_dir_all(&folder)?;
    let path = folder.join("smoke-failure");
    fs::write(&path, input)?;
    Ok(path)
}
