//! Verifying DKIM signatures: waxseal beside its floor, and beside peers in other languages.
//!
//! Everyone verifies the same messages with the same keys, one after the other in each round. What
//! counts is processor time, of the program and of the kernel for it, without the start of the
//! program; nobody waits for a DNS.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::dkim_peers::peers;
use super::figures::{figure, median};
use super::programs::{Core, Programs};
use crate::command::output_text;
use crate::error::StepError;
use crate::tree::root;

/// What to measure.
pub(super) struct Plan {
    /// How often each program verifies each message.
    pub(super) rounds: u32,
    /// For how long a peer does it each time.
    pub(super) milliseconds: u32,
    /// Whether peers take part.
    pub(super) peers: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { rounds: 9, milliseconds: 400, peers: true }
    }
}

/// Who has verified what: the message, by its place, and the program.
type Samples = BTreeMap<(usize, String), Vec<Sample>>;

#[derive(Clone, Copy)]
struct Sample {
    /// Processor time for a message, in microseconds.
    micros: f64,
    /// The rate, divided by that of the floor in the same round.
    ratio: f64,
}

pub(super) fn run(plan: &Plan) -> Result<(), StepError> {
    let folder = root().join("target/bench/dkim");
    fs::create_dir_all(&folder).map_err(StepError::file(&folder))?;
    let programs = Programs::build("dkim")?;
    let messages = folder.display().to_string();
    crate::command::run(programs.ours(Core::Client, &["write", &messages]))?;
    let peers = if plan.peers { peers(&folder) } else { Vec::new() };

    let (mut cases, mut order, mut samples) = (Vec::new(), Vec::new(), Samples::new());
    for round in 1..=plan.rounds {
        println!("round {round} of {}", plan.rounds);
        let mut floors = BTreeMap::new();
        let said = output_text(programs.ours(Core::Server, &["measure", &messages, "1"]))?;
        for line in said.lines() {
            let (case, subject) = (word(line, "case")?, word(line, "subject")?);
            let sample = Sample { micros: figure(line, "us")?, ratio: figure(line, "ratio")? };
            add(&mut cases, &case);
            add(&mut order, &subject);
            let case = place(&cases, &case);
            if subject == "floor" {
                floors.insert(case, sample.micros);
            }
            samples.entry((case, subject)).or_default().push(sample);
        }
        for (case, name) in cases.iter().enumerate() {
            for peer in &peers {
                add(&mut order, peer.name);
                let mut command = (peer.start)(&folder);
                command.arg(folder.join(name).with_extension("eml"));
                command.arg(folder.join("txt.tsv")).arg(plan.milliseconds.to_string());
                let micros = figure(&output_text(command)?, "us")?;
                let floor = floors.get(&case).copied().unwrap_or_default();
                let sample = Sample { micros, ratio: floor / micros };
                samples.entry((case, peer.name.to_owned())).or_default().push(sample);
            }
        }
    }
    println!("\n{}", table(&cases, &order, &samples));
    let file = root().join("target/bench/dkim.json");
    write(&file, &json(&cases, &order, &samples))
}

fn write(file: &Path, text: &str) -> Result<(), StepError> {
    fs::write(file, text).map_err(StepError::file(file))?;
    println!("written to {}", crate::tree::relative(file));
    Ok(())
}

fn add(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

fn place(names: &[String], name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_default()
}

/// The text behind `name=`.
fn word(line: &str, name: &str) -> Result<String, StepError> {
    line.split_whitespace()
        .find_map(|word| Some(word.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
        .ok_or_else(|| StepError::Missing(format!("the benchmark did not say {name}: {line:?}")))
}

/// Each message with each program, as medians.
fn rows<'s>(
    cases: &'s [String],
    order: &'s [String],
    samples: &'s Samples,
) -> impl Iterator<Item = (&'s str, &'s str, Sample)> {
    let all = cases
        .iter()
        .enumerate()
        .flat_map(move |(index, case)| order.iter().map(move |program| (index, case, program)));
    all.filter_map(|(index, case, program)| {
        let samples = samples.get(&(index, program.clone()))?;
        let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
        let sample = Sample { micros: of(|one| one.micros), ratio: of(|one| one.ratio) };
        Some((case.as_str(), program.as_str(), sample))
    })
}

fn table(cases: &[String], order: &[String], samples: &Samples) -> String {
    let mut text =
        String::from("message          program            CPU µs   messages/s  of floor\n");
    let mut last = "";
    for (case, program, Sample { micros, ratio }) in rows(cases, order, samples) {
        let label = if std::mem::replace(&mut last, case) == case { "" } else { case };
        let rate = 1e6 / micros;
        let _ =
            writeln!(text, "{label:<16} {program:<14} {micros:>10.1} {rate:>12.0} {ratio:>9.3}");
    }
    text
}

fn json(cases: &[String], order: &[String], samples: &Samples) -> String {
    let rows = rows(cases, order, samples).map(|(case, program, Sample { micros, ratio })| {
        format!(
            "    {{\"message\": \"{case}\", \"program\": \"{program}\", \"cpu_us\": \
             {micros:.2}, \"ratio\": {ratio:.3}}}"
        )
    });
    format!("{{\n  \"dkim\": [\n{}\n  ]\n}}\n", rows.collect::<Vec<_>>().join(",\n"))
}
