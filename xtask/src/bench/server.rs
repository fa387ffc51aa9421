//! A server under test: a child process that is killed when this is dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::StepError;

/// How long a server may take to be ready: filling a million domains takes seconds.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// In how many parts the kernel counts a second of processor time (`man 7 time`, `USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts a server that prints its address when it is ready.
    pub(super) fn start(name: &'static str, mut command: Command) -> Result<Self, StepError> {
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed(name))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            // It ends with an empty line if the server does.
            let _ = BufReader::new(output).read_line(&mut line);
        }
        match line.trim().parse() {
            Ok(address) => Ok(Self { name, address, child }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(StepError::Missing(format!("{name}: expected its address, found {line:?}")))
            }
        }
    }

    /// Starts a server at a given address, and waits until it accepts.
    pub(super) fn start_at(
        name: &'static str,
        mut command: Command,
        address: SocketAddr,
    ) -> Result<Self, StepError> {
        let child = command.spawn().map_err(failed(name))?;
        let mut server = Self { name, address, child };
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = matches!(server.child.try_wait(), Ok(Some(_)) | Err(_));
            if ended || begin.elapsed() > START_TIMEOUT {
                return Err(StepError::Missing(format!("{name}: does not listen at {address}")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Processor time used so far, in seconds, by the program and by the kernel for it.
    pub(super) fn cpu_seconds(&self) -> Result<f64, StepError> {
        let stat = self.proc("stat")?;
        // The name of the program, in parentheses, may hold spaces; 14th and 15th of all fields.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let ticks: f64 =
            fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS_PER_SECOND)
    }

    /// Resident memory now, in octets.
    pub(super) fn memory(&self) -> Result<u64, StepError> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kilobytes.unwrap_or_default() * 1024)
    }

    fn proc(&self, file: &str) -> Result<String, StepError> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).map_err(StepError::file(Path::new(&path)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it has ended by itself, that is fine too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now.
pub(super) fn free_address() -> Result<SocketAddr, StepError> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(StepError::file(Path::new("127.0.0.1")))
}

fn failed(name: &str) -> impl FnOnce(std::io::Error) -> StepError {
    let command = name.to_owned();
    move |source| StepError::Start { command, source }
}
