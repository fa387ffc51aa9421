//! Collecting TLS sessions: how many datagrams are kept in a second, and how many are lost in bursts.
//!
//! Three receivers get the same load in turn, round after round: a bare one that only counts (the
//! floor), `waxseal serve`, and `tlsrpt-collectd` of tlsrpt-reporter (PyPI). What a receiver has
//! counted is read out of it afterwards, and must be what was sent. The kernel's queue is as long as
//! `net.unix.max_dgram_qlen` says when the run begins.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::figures::median;
use crate::command::{cargo, output_text, program, run as run_command};
use crate::error::StepError;
use crate::tree::root;

/// What to measure.
pub(super) struct Plan {
    /// How often each receiver gets each load.
    pub(super) rounds: u32,
    /// How long senders send that wait for the receiver.
    pub(super) milliseconds: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self { rounds: 3, milliseconds: 3_000 }
    }
}

/// The peer. Its newest release when this was written.
const PACKAGE: &str = "tlsrpt-reporter==0.6.0";

/// Sizes of bursts, and how many there are of each.
const BURSTS: [(u32, u32); 5] = [(10, 100), (50, 40), (200, 15), (512, 8), (1_000, 5)];

/// How long a receiver may take to start, and to count what it has.
const PATIENCE: Duration = Duration::from_secs(60);

const QUEUE: &str = "/proc/sys/net/unix/max_dgram_qlen";

/// What one load brought.
#[derive(Clone, Copy, Default)]
struct Sample {
    /// Counted in a second.
    rate: f64,
    /// The part that was lost.
    lost: f64,
    /// Processor time of the receiver for a datagram, in microseconds.
    cpu: f64,
}

pub(super) fn run(plan: &Plan) -> Result<(), StepError> {
    let folder = root().join("target/bench/tlsrpt");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(StepError::file(&folder))?;
    let (peers, daemon) = build()?;
    let queue = fs::read_to_string(QUEUE).unwrap_or_default().trim().to_owned();
    let mut receivers = vec![floor(&peers, &folder)?, waxseal(&daemon, &folder)?];
    match collectd(&folder) {
        Ok(receiver) => receivers.push(receiver),
        Err(error) => println!("without tlsrpt-collectd: {error}"),
    }
    let mut loads =
        vec![("waiting".to_owned(), vec!["waiting".to_owned(), plan.milliseconds.to_string()])];
    loads.extend(BURSTS.map(|(size, count)| {
        (format!("bursts {size}"), vec!["bursts".to_owned(), size.to_string(), count.to_string()])
    }));
    let mut samples: BTreeMap<(usize, usize), Vec<Sample>> = BTreeMap::new();
    for round in 1..=plan.rounds {
        println!("round {round} of {}", plan.rounds);
        for (load, (_, arguments)) in loads.iter().enumerate() {
            for (number, receiver) in receivers.iter_mut().enumerate() {
                let sample = receiver.measure(&peers, arguments)?;
                samples.entry((load, number)).or_default().push(sample);
            }
        }
    }
    let mut text = format!(
        "net.unix.max_dgram_qlen = {queue}\n\n\
         load         receiver         kept/s  of floor    lost %   CPU \u{b5}s each\n"
    );
    let mut rows = Vec::new();
    for (load, (label, _)) in loads.iter().enumerate() {
        let of = |number: usize| samples.get(&(load, number)).cloned().unwrap_or_default();
        let floor = of(0);
        for (number, receiver) in receivers.iter().enumerate() {
            let own = of(number);
            let ratios = own.iter().zip(&floor).map(|(one, floor)| one.rate / floor.rate);
            let ratio = median(ratios.collect());
            let figure = |figure: fn(&Sample) -> f64| median(own.iter().map(figure).collect());
            let (rate, cpu) = (figure(|one| one.rate), figure(|one| one.cpu));
            let lost = figure(|one| one.lost) * 100.0;
            let name = receiver.name;
            let _ = writeln!(
                text,
                "{label:<12} {name:<15} {rate:>7.0}  {ratio:>8.2}  {lost:>8.1}  {cpu:>12.2}"
            );
            rows.push(format!(
                "    {{\"load\": \"{label}\", \"receiver\": \"{name}\", \
                 \"kept_per_second\": {rate:.0}, \"ratio\": {ratio:.3}, \
                 \"lost_percent\": {lost:.2}, \"cpu_us_each\": {cpu:.3}}}"
            ));
        }
    }
    println!("\n{text}");
    let file = root().join("target/bench/tlsrpt.json");
    let queue = if queue.is_empty() { "null" } else { &queue };
    let document = format!(
        "{{\n  \"max_dgram_qlen\": {queue},\n  \"rows\": [\n{}\n  ]\n}}\n",
        rows.join(",\n")
    );
    fs::write(&file, document).map_err(StepError::file(&file))?;
    println!("written to {}", crate::tree::relative(&file));
    Ok(())
}

/// Builds the loader and the daemon.
fn build() -> Result<(PathBuf, PathBuf), StepError> {
    let messages = output_text(cargo(&[
        "build",
        "--release",
        "--package",
        "waxseal",
        "--bin",
        "waxseal",
        "--bench",
        "tlsrpt_peers",
        "--message-format",
        "json-render-diagnostics",
    ]))?;
    let path = |name: &str| {
        let target = format!("\"name\":\"{name}\"");
        let mut ours = messages.lines().filter(|line| line.contains(&target));
        ours.find_map(|line| {
            let (_, path) = line.split_once("\"executable\":\"")?;
            path.split_once('"').map(|(path, _)| PathBuf::from(path))
        })
        .ok_or_else(|| StepError::Missing(format!("cargo did not say where {name} is")))
    };
    Ok((path("tlsrpt_peers")?, path("waxseal")?))
}

/// A receiver under test; killed when dropped.
struct Receiver {
    name: &'static str,
    socket: PathBuf,
    child: Child,
    count: Count,
}

/// How to read what a receiver has counted.
enum Count {
    /// It says so when it gets an empty datagram.
    Said(BufReader<ChildStdout>),
    /// It has metrics there.
    Metrics(SocketAddr),
    /// It writes to this SQLite file, which this Python reads.
    Sqlite { python: PathBuf, file: PathBuf },
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(name: &'static str, command: &mut Command) -> Result<Child, StepError> {
    let failed = |source| StepError::Start { command: name.to_owned(), source };
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)
}

fn floor(peers: &Path, folder: &Path) -> Result<Receiver, StepError> {
    let socket = folder.join("floor.sock");
    let mut child = start("floor", Command::new(peers).arg("receive").arg(&socket))?;
    let said = child.stdout.take().map(BufReader::new);
    let said = said.ok_or_else(|| StepError::Missing("floor: no output".to_owned()))?;
    Receiver { name: "floor", socket, child, count: Count::Said(said) }.ready()
}

fn waxseal(daemon: &Path, folder: &Path) -> Result<Receiver, StepError> {
    let socket = folder.join("waxseal.sock");
    let settings = folder.join("waxseal.toml");
    let text = format!("[collect]\nsocket = [\"unix:{}\"]\ngroup = \"\"\n", socket.display());
    fs::write(&settings, text).map_err(StepError::file(&settings))?;
    let metrics = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let metrics = metrics.map_err(StepError::file(Path::new("127.0.0.1")))?;
    let mut command = Command::new(daemon);
    command.args(["serve", "--quiet", "--socketmap", "127.0.0.1:0"]);
    command.args(["--http", &metrics.to_string(), "--resolver", "127.0.0.1:9"]);
    command.arg("--state-dir").arg(folder.join("state")).arg("--config").arg(&settings);
    let child = start("waxseal", &mut command)?;
    Receiver { name: "waxseal", socket, child, count: Count::Metrics(metrics) }.ready()
}

fn collectd(folder: &Path) -> Result<Receiver, StepError> {
    let environment = root().join("target/bench/tlsrpt-reporter");
    let python = environment.join("bin/python");
    if !environment.join("bin/tlsrpt-collectd").exists() {
        run_command(program("python3", &["-m", "venv", &environment.display().to_string()]))?;
        let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
        run_command(program(&python.display().to_string(), &arguments))?;
    }
    let (socket, file) = (folder.join("collectd.sock"), folder.join("collectd.sqlite"));
    let mut command = Command::new(environment.join("bin/tlsrpt-collectd"));
    command.arg("--storage").arg(format!("sqlite://{}", file.display()));
    command.arg("--socketname").arg(&socket);
    command.arg("--pidfilename").arg(folder.join("collectd.pid"));
    command.arg("--logfilename").arg(folder.join("collectd.log"));
    let child = start("tlsrpt-collectd", &mut command)?;
    Receiver { name: "tlsrpt-collectd", socket, child, count: Count::Sqlite { python, file } }
        .ready()
}

impl Receiver {
    fn ready(mut self) -> Result<Self, StepError> {
        let begin = Instant::now();
        let is_there = |one: &Self| match &one.count {
            Count::Metrics(address) => one.socket.exists() && TcpStream::connect(address).is_ok(),
            Count::Said(_) | Count::Sqlite { .. } => one.socket.exists(),
        };
        while !is_there(&self) {
            let ended = matches!(self.child.try_wait(), Ok(Some(_)) | Err(_));
            if ended || begin.elapsed() > PATIENCE {
                return Err(StepError::Missing(format!("{}: does not start", self.name)));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(self)
    }

    fn measure(&mut self, peers: &Path, arguments: &[String]) -> Result<Sample, StepError> {
        let (before, cpu_before) = (self.counted()?, self.cpu_seconds()?);
        let mut command = Command::new(peers);
        command.arg("send").arg(&self.socket).args(arguments);
        let said = output_text(command)?;
        let figure = |name: &str| {
            said.split_whitespace()
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse::<f64>().ok())
                .ok_or_else(|| {
                    StepError::Missing(format!("the loader did not say {name}: {said:?}"))
                })
        };
        let (sent, lost, seconds) = (figure("sent")?, figure("lost")?, figure("seconds")?);
        let begin = Instant::now();
        let mut counted = self.counted()? - before;
        while counted < sent && begin.elapsed() < PATIENCE {
            sleep(Duration::from_millis(200));
            counted = self.counted()? - before;
        }
        // What it took longer than the sender counts as well.
        let longer = if counted < sent { PATIENCE } else { begin.elapsed() };
        let behind = longer.as_secs_f64().max(0.5) - 0.5;
        let cpu = self.cpu_seconds()? - cpu_before;
        Ok(Sample {
            rate: counted / (seconds + behind),
            lost: (sent + lost - counted) / (sent + lost),
            cpu: cpu * 1e6 / counted.max(1.0),
        })
    }

    /// How many datagrams it has counted since it started.
    fn counted(&mut self) -> Result<f64, StepError> {
        let name = self.name;
        let unknown = |said: &str| StepError::Missing(format!("{name}: no count in {said:?}"));
        let text = match &mut self.count {
            Count::Said(output) => {
                let ask = UnixDatagram::unbound().and_then(|ask| ask.send_to(&[], &self.socket));
                ask.map_err(StepError::file(&self.socket))?;
                let mut line = String::new();
                output.read_line(&mut line).map_err(StepError::file(&self.socket))?;
                line
            }
            Count::Metrics(address) => {
                let text = get_metrics(*address).map_err(StepError::file(Path::new("/metrics")))?;
                let wanted = "waxseal_tls_sessions_total{event=\"counted\"} ";
                let line = text.lines().find_map(|line| line.strip_prefix(wanted));
                line.ok_or_else(|| unknown(&text))?.to_owned()
            }
            Count::Sqlite { python, file } => {
                // It commits every 1,000 datagrams, and after some seconds of silence.
                let script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(\
                              'SELECT COALESCE(SUM(cntrtotal), 0) FROM finalresults').fetchone()[0])";
                let mut command = Command::new(python);
                output_text({
                    command.args(["-c", script]).arg(file);
                    command
                })?
            }
        };
        text.trim().parse().map_err(|_| unknown(&text))
    }

    /// Processor time used so far, in seconds.
    fn cpu_seconds(&self) -> Result<f64, StepError> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = fs::read_to_string(&path).map_err(StepError::file(Path::new(&path)))?;
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let ticks =
            fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
        Ok(ticks.sum::<f64>() / 100.0)
    }
}

fn get_metrics(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: waxseal\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
