//! A mail server with the gate in front of it, and a small world that sends mail to it.
//!
//! ```text
//!   strangers 10.8.0.0/16 ──┐                      ┌── Waxseal: milter, API
//!                           ├── SMTP ── Postfix ───┤        │ DNS
//!  colleagues 10.7.1.0/24 ──┘  10.7.0.25   │       └── Unbound ── Knot: one signed zone
//!                                          │
//!                                     mailboxes
//! ```
//!
//! All of it stands in one network namespace in which every address below 10.0.0.0/8 is local, so a
//! letter can come from wherever its case wants it to. Reading order: [`world`] (who
//! is who), [`smtp`] (how letters are sent), [`signature`] (how they are signed), this file (the
//! servers), then `tests/gate` (the run).

pub mod mailbox;
pub mod peers;
pub mod signature;
pub mod smtp;
pub mod verdict;
pub mod world;
pub mod zone;

use crate::certificates::{Authority, Shows, Validity};
use crate::command::run;
use crate::daemon::{Daemon, Log};
use crate::error::LabError;
use crate::lab::{empty_folder, lock, write};
use crate::name_servers::resolver;
use crate::namespace::{Namespace, remove_leftovers};
use crate::postfix::{Instance, Postfix};
use crate::{packages, tree, waxseal};
use smtp::{Client, Envelope, Reply};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use zone::{SILENT, World};

/// Where Postfix listens.
pub const MAIL_SERVER: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 25);

/// How long an event may take that comes at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two attempts to connect to a program that starts.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// Its ports: what differs is said in `postfix/gate.master.cf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// The usual one: the milter by TCP.
    Smtp = 25,
    /// The milter by a unix socket.
    UnixMilter = 26,
    /// The milter, and rspamd behind it.
    RspamdBehind = 30,
    /// The milter behind rspamd: the wrong order.
    RspamdBefore = 31,
    /// Postfix as it was before 3.9: a bare LF ends a line.
    BareLf = 27,
    /// OpenDKIM in place of Waxseal, on port 8891.
    OpenDkim = 28,
    /// Another one, on port 8892.
    OtherOpenDkim = 29,
}

/// The servers, running. They end in the order of the fields.
pub struct GateLab {
    /// The program under test.
    pub waxseal: Option<Daemon>,
    /// The mail server.
    pub postfix: Postfix,
    _resolver: Daemon,
    /// The DNS.
    pub world: World,
    /// Get the questions to the silent name servers.
    silent: Vec<UdpSocket>,
    /// Whoever Postfix believes about the names of clients.
    pub authority: Authority,
    /// The machine.
    pub namespace: Namespace,
    /// Where the files of this run are.
    pub folder: PathBuf,
    binary: PathBuf,
    deadline: Instant,
    _lock: File,
}

const MAIN_CF: &str = include_str!("../postfix/gate.main.cf");
const MASTER_CF: &str = include_str!("../postfix/gate.master.cf");
const SASL: &str = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN\n";

impl GateLab {
    /// Builds everything but Waxseal: a DNS with these records, and a waxseal.toml that knows these
    /// local verdicts. All of the run must be over within `limit`, to which waiting for another lab
    /// does not count.
    pub fn build(
        records: Vec<String>,
        local_verdicts: &str,
        limit: Duration,
    ) -> Result<Self, LabError> {
        packages::require()?;
        let tree = tree::require()?;
        let lock = lock()?;
        let deadline = Instant::now() + limit;
        remove_leftovers()?;
        let folder = empty_folder("gate")?;
        let namespace = Namespace::create("gate")?;
        namespace.ip(&["route", "add", "local", "10.0.0.0/8", "dev", "lo"])?;

        let world = World::start(&namespace, &folder.join("dns"), records, deadline)?;
        let silent = namespace.within(|| {
            let sockets = SILENT.iter().map(|(_, address)| UdpSocket::bind((*address, 53)));
            sockets.collect::<Result<_, _>>().map_err(LabError::io("a silent name server"))
        })?;
        let resolver_folder = folder.join("resolver");
        let resolver = resolver(&namespace, &resolver_folder, &world.trust_anchor, deadline)?;

        let authority = Authority::create()?;
        let identity = authority.issue(&["mx.ours.test".to_owned()], Validity::Always)?;
        let (chain, ca) = (identity.key_and_chain_pem(), authority.pem());
        let files = [("mx.pem", &*chain), ("ca.pem", &ca), ("sasl/smtpd.conf", SASL)];
        let instance = Instance { main_cf: MAIN_CF, master_cf: MASTER_CF, files: &files };
        let place = folder.join("postfix");
        let postfix = Postfix::start(&namespace, &tree, &place, &instance, deadline)?;
        write(&folder.join("local.toml"), local_verdicts)?;
        write(&folder.join("waxseal.toml"), &config(&folder))?;
        let binary = waxseal::binary()?;
        Ok(Self {
            waxseal: None,
            postfix,
            _resolver: resolver,
            world,
            silent,
            authority,
            namespace,
            folder,
            binary,
            deadline,
            _lock: lock,
        })
    }

    /// Starts Waxseal, and waits until it takes connections; its state lies in the same folder each
    /// time.
    pub fn start_waxseal(&mut self) -> Result<(), LabError> {
        let (program, config) = (self.binary.display().to_string(), self.config_file());
        let arguments = ["serve", "--config", &config];
        let daemon = Daemon::start(&self.namespace, &program, &arguments)?;
        self.take_over(daemon)
    }

    /// The same, with a wall clock that is so many days slow.
    pub fn start_waxseal_days_ago(&mut self, days: u32) -> Result<(), LabError> {
        // libfaketime lies where only its own program knows. That program would stay between us and
        // Waxseal, so it is only asked.
        let library = run("faketime", &["-f", "+0d", "printenv", "LD_PRELOAD"])?;
        let library = format!("LD_PRELOAD={}", library.trim());
        let clock = format!("FAKETIME=-{days}d");
        let (program, config) = (self.binary.display().to_string(), self.config_file());
        // The clock that timers go by stays right: its setting has two names, an old and a new one.
        let monotonic = ["DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"];
        let arguments =
            [&[&*library, &clock], &monotonic[..], &[&program, "serve", "--config", &config]];
        let daemon = Daemon::start(&self.namespace, "env", &arguments.concat())?;
        self.take_over(daemon)
    }

    fn take_over(&mut self, daemon: Daemon) -> Result<(), LabError> {
        daemon.log.wait_for_text("127.0.0.1:8644", self.deadline)?;
        self.waxseal = Some(daemon);
        Ok(())
    }

    /// Ends Waxseal in good order.
    pub fn end_waxseal(&mut self) -> Result<(), LabError> {
        self.waxseal.take().map_or(Ok(()), |waxseal| waxseal.end(self.deadline))
    }

    /// Waits until `find` finds something, which no log tells.
    pub fn wait_until<T>(
        &self,
        expected: &str,
        mut find: impl FnMut() -> Result<Option<T>, LabError>,
    ) -> Result<T, LabError> {
        loop {
            if let Some(found) = find()? {
                return Ok(found);
            }
            if Instant::now() >= self.deadline {
                let log = self.log().last(20).join("\n");
                return Err(LabError::Deadline { expected: expected.to_owned(), log });
            }
            thread::sleep(BETWEEN_ATTEMPTS);
        }
    }

    /// Waits until a program takes connections on a port of 127.0.0.1.
    pub fn wait_for_port(&self, port: u16, program: &Daemon) -> Result<(), LabError> {
        self.namespace.within(|| {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                if Instant::now() >= self.deadline || program.log.has_ended() {
                    let log = program.log.last(20).join("\n");
                    return Err(LabError::Deadline { expected: format!("port {port}"), log });
                }
                thread::sleep(BETWEEN_ATTEMPTS);
            }
            Ok(())
        })
    }

    /// What Waxseal has printed.
    pub fn log(&self) -> Log {
        self.waxseal.as_ref().map(|daemon| daemon.log.clone()).unwrap_or_default()
    }

    /// A verb of Waxseal, run inside.
    pub fn waxseal_command(&self, verb: &[&str]) -> Command {
        let mut command = self.command(&self.binary.display().to_string());
        command.args(verb);
        command
    }

    /// A program that is run inside, and ended after half a minute.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.namespace.command("timeout");
        command.args(["30s", program]);
        command
    }

    /// The file with the settings.
    pub fn config_file(&self) -> String {
        self.folder.join("waxseal.toml").display().to_string()
    }

    /// The folder with keys and other things that outlive the program.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Until when the run must be over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Waits until somebody asks the name server of this silent domain.
    pub fn wait_for_question(&self, domain: &str) -> Result<(), LabError> {
        let place = SILENT.iter().position(|(silent, _)| *silent == domain);
        let Some(socket) = place.and_then(|place| self.silent.get(place)) else {
            return Err(LabError::Unsupported(format!("waiting for a question about {domain}")));
        };
        let asked = socket.set_read_timeout(Some(PATIENCE)).and_then(|()| socket.recv(&mut [0]));
        asked.map(drop).map_err(LabError::io(format!("waiting for a question about {domain}")))
    }

    /// Connects as a client at `from` that speaks TLS.
    pub fn connect_with_tls(&self, from: Ipv4Addr, shows: Shows<'_>) -> Result<Client, LabError> {
        let config = self.authority.client_config(shows)?;
        let to = SocketAddrV4::new(MAIL_SERVER, Port::Smtp as u16);
        self.namespace.within(|| Client::connect_with_tls(from, to, "mx.ours.test", config))
    }

    /// Connects as a client at `from`.
    pub fn connect(&self, from: Ipv4Addr, port: Port) -> Result<Client, LabError> {
        let to = SocketAddrV4::new(MAIL_SERVER, port as u16);
        self.namespace.within(|| Client::connect(from, to))
    }

    /// Hands over one letter.
    pub fn hand_over(
        &self,
        from: Ipv4Addr,
        envelope: &Envelope<'_>,
        letter: &[u8],
    ) -> Result<Reply, LabError> {
        let mut client = self.connect(from, Port::Smtp)?;
        client.letter(envelope, letter).map_err(LabError::io("handing over a letter"))
    }
}

/// What an operator would write.
fn config(folder: &Path) -> String {
    let place = |name: &str| folder.join(name).display().to_string();
    let (state, local, milter, api) =
        (place("state"), place("local.toml"), place("postfix/shared/milter"), place("api"));
    format!(
        r#"state_dir = "{state}"
[dns]
resolver = "127.0.0.1:53"
[socketmap]
listen = []
[http]
api = ["unix:{api}", "127.0.0.1:8645"]
[gate]
listen = ["127.0.0.1:8644", "unix:{milter}"]
unix_mode = "0666"
networks = ["127.0.0.0/8", "10.7.1.0/24"]
help = "see https://ours.test/mail"
[verdict]
local = "{local}"
[reports]
from = "reports@ours.test"
dmarc = true
submit = "127.0.0.1:25"
[log]
level = "info"
"#
    )
}

/// Reads a file that must be there.
pub fn read(path: &Path) -> Result<Vec<u8>, LabError> {
    fs::read(path).map_err(LabError::io(path.display().to_string()))
}
