//! The program under test, started as an operator would beside the sending Postfix.

use crate::daemon::{Daemon, Log};
use crate::error::LabError;
use crate::namespace::Namespace;
use std::env;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The port of its socketmap server.
pub const PORT: u16 = 8642;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// Finds the binary: `WAXSEAL_BIN`, else `waxseal` beside the lab's own build, debug or release.
pub fn binary() -> Result<PathBuf, LabError> {
    if let Some(named) = env::var_os("WAXSEAL_BIN").map(PathBuf::from) {
        if named.exists() {
            return Ok(named);
        }
        let found = named.display();
        let what = format!("WAXSEAL_BIN: expected a program, found nothing at {found}");
        return Err(LabError::Prerequisite(what));
    }
    let target = target_folder()?;
    let built = ["debug", "release"].map(|profile| target.join(profile).join("waxseal"));
    built.into_iter().find(|path| path.exists()).ok_or_else(|| {
        let target = target.display();
        LabError::Prerequisite(format!(
            "expected {target}/debug/waxseal or {target}/release/waxseal, found neither; \
             build it with: cargo build -p waxseal"
        ))
    })
}

/// Cargo's target folder, found from where the running program lies in it.
pub fn target_folder() -> Result<PathBuf, LabError> {
    let program = env::current_exe().map_err(LabError::io("asking for the own program file"))?;
    let tagged = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    tagged.map(Path::to_owned).ok_or_else(|| {
        let program = program.display();
        LabError::Prerequisite(format!("expected {program} inside cargo's target folder"))
    })
}

/// A running `waxseal serve`.
#[derive(Debug)]
pub struct Waxseal {
    daemon: Daemon,
}

impl Waxseal {
    /// The arguments of an operator who needs nothing more, with the state in `state`.
    pub fn arguments(state: &Path, ca: &Path) -> Vec<String> {
        let [state, ca] = [state, ca].map(|path| path.display().to_string());
        let socketmap = format!("127.0.0.1:{PORT}");
        let arguments = [
            &["serve", "--state-dir", &state, "--socketmap", &socketmap],
            &["--resolver", "127.0.0.1:53", "--ca", &ca][..],
            &["--https-port", "443", "--allow-private"],
        ];
        arguments.concat().into_iter().map(str::to_owned).collect()
    }

    /// Starts it, and waits until it takes connections.
    pub fn start(
        namespace: &Namespace,
        binary: &Path,
        arguments: &[String],
        deadline: Instant,
    ) -> Result<Self, LabError> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let program = binary.display().to_string();
        let waxseal = Self { daemon: Daemon::start(namespace, &program, &arguments)? };
        namespace.within(|| waxseal.wait_for_connection(deadline))?;
        Ok(waxseal)
    }

    /// What it has printed.
    pub fn log(&self) -> &Log {
        &self.daemon.log
    }

    /// Ends it in good order: what it has counted is on the disk.
    pub fn end(self, deadline: Instant) -> Result<(), LabError> {
        self.daemon.end(deadline)
    }

    /// Ends it by SIGKILL: it gets no time to save anything.
    pub fn kill(mut self) {
        self.daemon.kill();
    }

    /// Other socketmap servers may stand in for Waxseal here, so no line of a log says that it is
    /// ready; that a connection succeeds does.
    fn wait_for_connection(&self, deadline: Instant) -> Result<(), LabError> {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).is_err() {
            if Instant::now() >= deadline || self.daemon.log.has_ended() {
                let log = self.daemon.log.lines(|_| true).join("\n");
                let expected = format!("a listener on port {PORT}");
                return Err(LabError::Deadline { expected, log });
            }
            thread::sleep(BETWEEN_ATTEMPTS);
        }
        Ok(())
    }
}
