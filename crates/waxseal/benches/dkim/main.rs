//! What verifying a DKIM signature costs: `cargo bench -p waxseal --bench dkim`, and beside peers
//! `cargo xtask bench dkim`, which runs this program and theirs in turn.
//!
//! The floor is what nobody can do without: SHA-256 of the canonical body, and the operation with
//! the public key over the canonical header, by the same library, from octets that lie ready, with
//! a key that was prepared before. Ours begins with the octets of the message and ends with a
//! result for each signature; the key record is the text from the DNS, read anew for each message.
//!
//! What is counted is processor time, not time: a busy machine does not change it much. Every
//! subject gets a slice of it in turn, and the ratio is that of two neighbors, so that what changes
//! hits both.

#![expect(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

mod floor;
mod message;
mod subject;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use floor::Floor;
use message::{Case, World};
use subject::SUBJECTS;

const USAGE: &str = "\
usage: dkim write FOLDER          the messages, and the key records
       dkim measure FOLDER ROUNDS one line for each round, message and subject
       dkim                       a table";

/// How much processor time a subject gets for one message in one round.
const SLICE: Duration = Duration::from_millis(60);

/// How many rounds the table takes.
const ROUNDS: usize = 15;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", folder] => World::new().write(Path::new(folder)),
        ["measure", folder, rounds] => {
            let world = World::read(Path::new(folder));
            for round in measured(&world, SLICE, rounds.parse().unwrap()).iter().flatten() {
                println!("{round}");
            }
        }
        // `cargo test` runs benchmarks, too, to see that they work; then a short turn is enough.
        [] => table(Duration::from_micros(1), 1),
        ["--bench", ..] => table(SLICE, ROUNDS),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(64);
        }
    }
    ExitCode::SUCCESS
}

/// One subject with one message in one round.
struct Sample {
    case: &'static str,
    subject: &'static str,
    /// Processor time for a message, in microseconds.
    micros: f64,
    /// Its rate, divided by that of the floor beside it.
    ratio: f64,
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { case, subject, micros, ratio } = self;
        write!(f, "case={case} subject={subject} us={micros:.3} ratio={ratio:.4}")
    }
}

fn measured(world: &World, slice: Duration, rounds: usize) -> Vec<Vec<Sample>> {
    let turn = |case: &Case| {
        let floor = Floor::new(world, case);
        let mut samples = Vec::new();
        let mut floors = Vec::new();
        for subject in SUBJECTS {
            // The floor on both sides, so that a machine that gets slower or faster harms nobody.
            let before = micros(slice, || floor.run());
            let ours = micros(slice, || subject.run(world, case));
            let behind = micros(slice, || floor.run());
            let floor = f64::midpoint(before, behind);
            floors.push(floor);
            let (subject, ratio) = (subject.name(), floor / ours);
            samples.push(Sample { case: case.name, subject, micros: ours, ratio });
        }
        let micros = median(floors.into_iter());
        samples.insert(0, Sample { case: case.name, subject: "floor", micros, ratio: 1.0 });
        samples
    };
    (0..rounds).map(|_| world.cases.iter().flat_map(turn).collect()).collect()
}

/// Processor time that one run takes, in microseconds, the mean over a slice.
fn micros(slice: Duration, mut run: impl FnMut()) -> f64 {
    let begin = processor_time();
    let (mut runs, mut batch) = (0_u32, 1_u32);
    loop {
        for _ in 0..batch {
            run();
        }
        runs += batch;
        let used = processor_time() - begin;
        if used >= slice {
            return used.as_secs_f64() * 1e6 / f64::from(runs);
        }
        batch = (batch * 2).min(64);
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// The median of each.
fn table(slice: Duration, rounds: usize) {
    let world = World::new();
    let rounds = measured(&world, slice, rounds);
    println!("{:<16}{:<12}{:>12}{:>14}{:>10}", "message", "", "CPU µs", "messages/s", "of floor");
    for index in 0..rounds[0].len() {
        let samples = || rounds.iter().map(|round| &round[index]);
        let micros = median(samples().map(|sample| sample.micros));
        let ratio = median(samples().map(|sample| sample.ratio));
        let Sample { case, subject, .. } = rounds[0][index];
        let rate = 1e6 / micros;
        println!("{case:<16}{subject:<12}{micros:>12.1}{rate:>14.0}{ratio:>10.3}");
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
