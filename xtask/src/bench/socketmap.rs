//! Warm socketmap answers, and what they take of memory.
//!
//! All servers run at the same time and hold the same 10,000 domains; the client asks them in
//! turn, one load after the other, and all of that again in each round, so that whatever else the
//! machine does hits all of them alike. Where there are two processors, the servers get one and
//! the client another.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use super::figures::{Memory, Row, Sample, figure, json, median, medians, table};
use super::programs::{Core, Programs};
use super::resolver;
use super::server::{Server, free_address};
use crate::command::output_text;
use crate::error::StepError;
use crate::tree::root;

/// What to measure.
pub(super) struct Plan {
    /// How often each server is measured under each load.
    pub(super) rounds: u32,
    /// How long each time.
    pub(super) milliseconds: u32,
    /// Whether the peer in Python takes part.
    pub(super) resolver: bool,
    /// Whether memory is measured.
    pub(super) memory: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { rounds: 7, milliseconds: 1_000, resolver: true, memory: true }
    }
}

/// How many domains are asked for.
const DOMAINS: u32 = 10_000;

/// Connections, and questions that are sent at once on each.
const LOADS: [(u32, u32); 6] = [(1, 1), (16, 1), (200, 1), (1, 16), (16, 16), (200, 16)];

/// Cached domains, and what they publish, by the name that the program has for it.
const MEMORY: [(u32, &str, &str); 7] = [
    (0, "secure", "–"),
    (10_000, "typical", "6 % DANE, 2 % MTA-STS"),
    (100_000, "typical", "6 % DANE, 2 % MTA-STS"),
    (1_000_000, "typical", "6 % DANE, 2 % MTA-STS"),
    (10_000, "secure", "MTA-STS, enforced, 2 hosts"),
    (100_000, "secure", "MTA-STS, enforced, 2 hosts"),
    (1_000_000, "secure", "MTA-STS, enforced, 2 hosts"),
];

pub(super) fn run(plan: &Plan) -> Result<(), StepError> {
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder).map_err(StepError::file(&folder))?;
    let programs = Programs::build("socketmap_peers")?;

    let (rows, mut memory) = warm(plan, &programs, &folder)?;
    if plan.memory {
        memory.extend(memory_of_many(&programs)?);
    }
    println!("\n{}", table(&rows, &memory));

    let file = folder.join("socketmap.json");
    fs::write(&file, json(&rows, &memory)).map_err(StepError::file(&file))?;
    println!("written to {}", crate::tree::relative(&file));
    Ok(())
}

/// All servers under all loads, and their memory at the end.
fn warm(
    plan: &Plan,
    programs: &Programs,
    folder: &Path,
) -> Result<(Vec<Row>, Vec<Memory>), StepError> {
    let domains = DOMAINS.to_string();
    let mut servers = vec![
        Server::start("echo", programs.ours(Core::Server, &["echo", &domains]))?,
        Server::start("answering", programs.ours(Core::Server, &["waxseal", &domains, "secure"]))?,
    ];
    // Answers without asking anybody once it is filled.
    let resolver = Server::start("nothing", programs.ours(Core::Client, &["nothing"]))?;
    servers.push(start_daemon(programs, folder, &domains, resolver.address)?);
    if plan.resolver {
        match start_resolver(programs, folder, &domains) {
            Ok(server) => servers.push(server),
            Err(error) => println!("without postfix-mta-sts-resolver: {error}"),
        }
    }

    let mut samples: BTreeMap<(usize, usize), Vec<Sample>> = BTreeMap::new();
    for round in 1..=plan.rounds {
        println!("round {round} of {}", plan.rounds);
        for (load, (connections, pipelined)) in LOADS.into_iter().enumerate() {
            for (number, server) in servers.iter().enumerate() {
                let sample = measure(plan, programs, server, connections, pipelined)?;
                samples.entry((load, number)).or_default().push(sample);
            }
        }
    }
    let none = Vec::new();
    let mut rows = Vec::new();
    for (load, (connections, pipelined)) in LOADS.into_iter().enumerate() {
        let floor = samples.get(&(load, 0)).unwrap_or(&none);
        for (number, server) in servers.iter().enumerate() {
            let of_server = samples.get(&(load, number)).unwrap_or(&none);
            let ratios = of_server.iter().zip(floor).map(|(one, floor)| one.rate / floor.rate);
            rows.push(Row {
                connections,
                pipelined,
                server: server.name,
                median: medians(of_server),
                ratio: median(ratios.collect()),
            });
        }
    }
    let memory = servers.iter().map(|server| {
        let octets = server.memory()?;
        Ok(Memory { server: server.name, domains: DOMAINS, publishing: "after the run", octets })
    });
    Ok((rows, memory.collect::<Result<_, StepError>>()?))
}

/// The real daemon, with an override for all domains, so that it gives the same kind of answer.
fn start_daemon(
    programs: &Programs,
    folder: &Path,
    domains: &str,
    resolver: SocketAddr,
) -> Result<Server, StepError> {
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).map_err(StepError::file(&file)).map(|()| file)
    };
    let overrides = write(
        "overrides.toml",
        "[[override]]\n\
         domain = \"*.example\"\n\
         policy = \"secure\"\n\
         match = [\"mx.d0000000.example\", \".mail.d0000000.example\"]\n\
         comment = \"benchmark\"\n",
    )?;
    let settings = format!("[sender]\noverrides = \"{}\"\n", overrides.display());
    let settings = write("waxseal.toml", &settings)?;
    let address = free_address()?;
    let mut command = programs.on(Core::Server, &programs.daemon);
    command.args(["serve", "--quiet", "--socketmap", &address.to_string()]);
    command.args(["--resolver", &resolver.to_string()]);
    let log = folder.join("daemon.log");
    let log = fs::File::create(&log).map_err(StepError::file(&log))?;
    command.arg("--config").arg(&settings).stderr(Stdio::from(log));
    let server = Server::start_at("daemon", command, address)?;
    crate::command::run(programs.ours(Core::Client, &["fill", &address.to_string(), domains]))?;
    Ok(server)
}

fn start_resolver(programs: &Programs, folder: &Path, domains: &str) -> Result<Server, StepError> {
    let python = resolver::python(folder)?;
    let address = free_address()?;
    let mut command = programs.on(Core::Server, &python);
    command.arg(root().join("crates/waxseal/benches/socketmap_peers/resolver.py"));
    command.args([&address.port().to_string(), domains]);
    Server::start_at("resolver", command, address)
}

/// One run of the client.
fn measure(
    plan: &Plan,
    programs: &Programs,
    server: &Server,
    connections: u32,
    pipelined: u32,
) -> Result<Sample, StepError> {
    let before = server.cpu_seconds()?;
    let numbers = [connections, pipelined, plan.milliseconds, DOMAINS].map(|n| n.to_string());
    let address = server.address.to_string();
    let mut arguments = vec!["load", &address];
    arguments.extend(numbers.iter().map(String::as_str));
    let said = output_text(programs.ours(Core::Client, &arguments))?;
    let cpu = server.cpu_seconds()? - before;

    let figure = |name| figure(&said, name);
    Ok(Sample {
        rate: figure("answers")? / figure("seconds")?,
        p50: figure("p50_ns")? / 1e3,
        p99: figure("p99_ns")? / 1e3,
        cpu: cpu * 1e6 / figure("total")?,
    })
}

/// What cached domains take in the real server, which is all there is in that process.
fn memory_of_many(programs: &Programs) -> Result<Vec<Memory>, StepError> {
    let mut rows = Vec::new();
    for (domains, mix, publishing) in MEMORY {
        let arguments = ["waxseal", &domains.to_string(), mix];
        let server = Server::start("answering", programs.ours(Core::Server, &arguments))?;
        let octets = server.memory()?;
        rows.push(Memory { server: server.name, domains, publishing, octets });
    }
    Ok(rows)
}
