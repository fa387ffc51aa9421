//! The milter under load: the whole verdict (SPF, DKIM, ARC, DMARC and the header fields that say
//! so), from a mail server's first packet of a message to the last word.
//!
//! The daemon is the real one and has one processor; the mail server and the DNS, which answers out
//! of memory, share the other. The floor is a milter that reads the same packets and accepts
//! everything unseen.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::figures::{figure, median};
use super::programs::{Core, Programs};
use super::server::{Server, free_address};
use crate::command::output_text;
use crate::error::StepError;
use crate::tree::root;

/// What to measure.
pub(super) struct Plan {
    /// How often each milter is measured with each number of connections.
    pub(super) rounds: u32,
    /// How long each time.
    pub(super) milliseconds: u32,
    /// How many messages memory is watched for, above 0.
    pub(super) messages: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self { rounds: 7, milliseconds: 2_000, messages: 1_000_000 }
    }
}

/// SMTP sessions at once, each with a connection of its own.
const CONNECTIONS: [u32; 3] = [1, 50, 500];

/// After how many messages memory is looked at, and over how many connections they come.
const WATCHED: [u32; 5] = [1_000, 10_000, 100_000, 500_000, 1_000_000];
const WATCHED_CONNECTIONS: u32 = 50;

/// One run, or the medians of several. Times are in microseconds.
#[derive(Clone, Copy)]
struct Sample {
    /// Messages in a second.
    rate: f64,
    /// From the end of the message to the verdict.
    verdict_p50: f64,
    verdict_p99: f64,
    /// From the first packet of the message to the verdict.
    whole_p50: f64,
    whole_p99: f64,
    /// Processor time of the milter for a message.
    cpu: f64,
}

pub(super) fn run(plan: &Plan) -> Result<(), StepError> {
    let folder = root().join("target/bench/milter");
    fs::create_dir_all(&folder).map_err(StepError::file(&folder))?;
    let messages = folder.display().to_string();
    let dkim = Programs::build("dkim")?;
    crate::command::run(dkim.ours(Core::Client, &["write", &messages]))?;
    let programs = Programs::build("milter")?;

    let dns = Server::start("dns", programs.ours(Core::Client, &["dns", &messages]))?;
    let servers = [
        Server::start("accept", programs.ours(Core::Server, &["accept"]))?,
        start_daemon(&programs, &folder, &dns)?,
    ];
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        println!("{connections} connections");
        let mut samples = [Vec::new(), Vec::new()];
        for _ in 0..plan.rounds {
            for (server, samples) in servers.iter().zip(&mut samples) {
                let amount = ["load", &plan.milliseconds.to_string()].map(str::to_owned);
                samples.push(measure(&programs, server, &messages, connections, &amount)?);
            }
        }
        for (server, samples) in servers.iter().zip(&samples) {
            rows.push((connections, server.name, medians(samples)));
        }
    }
    drop(servers);
    let daemon = start_daemon(&programs, &folder, &dns)?;
    let memory = watch_memory(plan, &programs, &daemon, &messages)?;
    println!("\n{}", table(&rows, &memory));
    let file = root().join("target/bench/milter.json");
    fs::write(&file, json(&rows, &memory)).map_err(StepError::file(&file))?;
    println!("written to {}", crate::tree::relative(&file));
    Ok(())
}

/// With its settings as they come, but for the folder that it keeps its state in; so it logs a line
/// for each message.
fn start_daemon(programs: &Programs, folder: &Path, dns: &Server) -> Result<Server, StepError> {
    let address = free_address()?;
    let settings = folder.join("waxseal.toml");
    let text = format!("state_dir = \"{}\"\n", folder.join("state").display());
    fs::write(&settings, text).map_err(StepError::file(&settings))?;
    let mut command = programs.on(Core::Server, &programs.daemon);
    command.args(["serve", "--quiet", "--milter", &address.to_string()]);
    command.args(["--resolver", &dns.address.to_string()]);
    let log = folder.join("daemon.log");
    let log = fs::File::create(&log).map_err(StepError::file(&log))?;
    command.arg("--config").arg(&settings).stderr(Stdio::from(log));
    Server::start_at("waxseal", command, address)
}

/// One run of the mail server.
fn measure(
    programs: &Programs,
    server: &Server,
    messages: &str,
    connections: u32,
    [how, amount]: &[String; 2],
) -> Result<Sample, StepError> {
    let before = server.cpu_seconds()?;
    let (address, connections) = (server.address.to_string(), connections.to_string());
    let arguments = [how, &address, messages, &connections, amount];
    let said = output_text(programs.ours(Core::Client, &arguments))?;
    let cpu = server.cpu_seconds()? - before;
    Ok(Sample {
        rate: figure(&said, "messages")? / figure(&said, "seconds")?,
        verdict_p50: figure(&said, "verdict_p50_us")?,
        verdict_p99: figure(&said, "verdict_p99_us")?,
        whole_p50: figure(&said, "whole_p50_us")?,
        whole_p99: figure(&said, "whole_p99_us")?,
        cpu: cpu * 1e6 / figure(&said, "total")?,
    })
}

fn medians(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
    Sample {
        rate: of(|one| one.rate),
        verdict_p50: of(|one| one.verdict_p50),
        verdict_p99: of(|one| one.verdict_p99),
        whole_p50: of(|one| one.whole_p50),
        whole_p99: of(|one| one.whole_p99),
        cpu: of(|one| one.cpu),
    }
}

/// Resident memory of a new daemon after so many messages.
struct Memory {
    messages: u32,
    octets: u64,
}

fn watch_memory(
    plan: &Plan,
    programs: &Programs,
    daemon: &Server,
    messages: &str,
) -> Result<Vec<Memory>, StepError> {
    let mut memory = vec![Memory { messages: 0, octets: daemon.memory()? }];
    let mut sent = 0;
    let stops = WATCHED.into_iter().filter(|stop| *stop < plan.messages);
    for stop in stops.chain([plan.messages]) {
        let amount = ["send", &(stop - sent).to_string()].map(str::to_owned);
        measure(programs, daemon, messages, WATCHED_CONNECTIONS, &amount)?;
        sent = stop;
        let octets = daemon.memory()?;
        println!("{sent} messages, {octets} octets");
        memory.push(Memory { messages: sent, octets });
    }
    Ok(memory)
}

fn table(rows: &[(u32, &str, Sample)], memory: &[Memory]) -> String {
    let mut text = String::from(
        "connections milter    messages/s   verdict ms        message ms       CPU µs\n\
         \x20                                p50      p99      p50      p99\n",
    );
    for (connections, name, sample) in rows {
        let Sample { rate, verdict_p50, verdict_p99, whole_p50, whole_p99, cpu } = sample;
        let times = [verdict_p50, verdict_p99, whole_p50, whole_p99];
        let times: String = times.iter().map(|time| format!(" {:>8.2}", **time / 1e3)).collect();
        let _ = writeln!(text, "{connections:<11} {name:<9} {rate:>9.0} {times} {cpu:>8.1}");
    }
    text.push_str("\nmessages      resident\n");
    for Memory { messages, octets } in memory {
        let _ = writeln!(text, "{messages:>8} {:>10.1} MB", *octets as f64 / 1e6);
    }
    text
}

fn json(rows: &[(u32, &str, Sample)], memory: &[Memory]) -> String {
    let rows = rows.iter().map(|(connections, name, sample)| {
        let Sample { rate, verdict_p50, verdict_p99, whole_p50, whole_p99, cpu } = sample;
        format!(
            "    {{\"connections\": {connections}, \"milter\": \"{name}\", \
             \"messages_per_second\": {rate:.0}, \"verdict_p50_us\": {verdict_p50:.0}, \
             \"verdict_p99_us\": {verdict_p99:.0}, \"message_p50_us\": {whole_p50:.0}, \
             \"message_p99_us\": {whole_p99:.0}, \"cpu_us_per_message\": {cpu:.1}}}"
        )
    });
    let memory = memory.iter().map(|Memory { messages, octets }| {
        format!("    {{\"messages\": {messages}, \"resident_octets\": {octets}}}")
    });
    format!(
        "{{\n  \"milter\": [\n{}\n  ],\n  \"memory\": [\n{}\n  ]\n}}\n",
        rows.collect::<Vec<_>>().join(",\n"),
        memory.collect::<Vec<_>>().join(",\n"),
    )
}
