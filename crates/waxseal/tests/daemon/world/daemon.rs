//! The program as a child process, and how others talk to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::PATIENCE;

/// A running `waxseal serve`. Killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) banner: Output,
    pub(crate) log: Output,
    pub(crate) socketmap: Option<SocketAddr>,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) milter: Option<SocketAddr>,
    pub(crate) api: PathBuf,
}

impl Daemon {
    /// Starts the command, and waits until it says where it can be reached.
    pub(crate) fn start(command: &mut Command, state_folder: &Path) -> Self {
        Self::start_with_input(command.stdin(Stdio::null()), state_folder)
    }

    /// As [`start`](Self::start), with standard input as the command has it.
    pub(crate) fn start_with_input(command: &mut Command, state_folder: &Path) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let banner = Output::read(child.stdout.take().unwrap());
        let log = Output::read(child.stderr.take().unwrap());
        Self::announced(child, banner, log, state_folder)
    }

    /// As [`start`](Self::start), with standard input and output as the command has them; the
    /// banner is expected among the log lines.
    pub(crate) fn start_as_is(command: &mut Command, state_folder: &Path) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Output::read(child.stderr.take().unwrap());
        Self::announced(child, log.clone(), log, state_folder)
    }

    fn announced(child: Child, banner: Output, log: Output, state_folder: &Path) -> Self {
        let api = state_folder.join("api");
        let (socketmap, http, milter) = (None, None, None);
        let mut daemon = Self { child, banner, log, socketmap, http, milter, api };
        daemon.banner.wait("main.cf");
        daemon.socketmap = daemon.address("socketmap");
        daemon.http = daemon.address("metrics");
        daemon.milter = daemon.address("milter");
        daemon
    }

    /// The first TCP address that the banner gives for a purpose.
    pub(crate) fn address(&self, purpose: &str) -> Option<SocketAddr> {
        let banner = self.banner.text();
        let mut lines = banner.lines().map(str::split_whitespace);
        lines
            .find_map(|mut words| (words.next()? == purpose).then(|| words.next()?.parse().ok())?)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// One question on a connection of its own.
    pub(crate) fn ask(&self, map: &str, key: &str) -> String {
        let mut connection = self.connect();
        connection.send(map, key);
        connection.receive().unwrap()
    }

    /// The reply for the map `QUERY`.
    pub(crate) fn query(&self, key: &str) -> String {
        self.ask("QUERY", key)
    }

    pub(crate) fn connect(&self) -> Socketmap {
        let stream = TcpStream::connect(self.socketmap.unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Socketmap(BufReader::new(stream))
    }

    /// `GET` on the listener for metrics.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        get(TcpStream::connect(self.http.unwrap()).unwrap(), path)
    }

    /// What the decision API says when it looks at the world anew.
    pub(crate) fn decision(&self, next_hop: &str) -> Value {
        let (status, body) = self.ask_api(&format!("/v1/decision?next_hop={next_hop}&anew=true"));
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// `GET` on the socket of the decision API.
    pub(crate) fn ask_api(&self, path: &str) -> (u16, String) {
        get(UnixStream::connect(&self.api).unwrap(), path)
    }

    /// The word of the health endpoint, its status code and its notes.
    pub(crate) fn health(&self) -> (u16, String, String) {
        let (code, body) = self.get("/healthz");
        let body: Value = serde_json::from_str(&body).unwrap();
        (code, body["status"].as_str().unwrap().to_owned(), body["notes"].to_string())
    }

    /// A sample of the metrics by its full name, labels included.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics");
        let samples = super::openmetrics::parse(&text);
        *samples.get(name).unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ends.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = std::time::Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "does not end: {}", self.log.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks until `holds` does; for what the daemon does by its own clock.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let start = std::time::Instant::now();
        while !holds(self) {
            assert!(!self.log.has_ended(), "ended without: {what}; log: {}", self.log.text());
            assert!(start.elapsed() < PATIENCE, "never: {what}; log: {}", self.log.text());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection as Postfix has one.
pub(crate) struct Socketmap(BufReader<TcpStream>);

impl Socketmap {
    pub(crate) fn send(&mut self, map: &str, key: &str) {
        let request = format!("{map} {key}");
        write!(self.0.get_mut(), "{}:{request},", request.len()).unwrap();
    }

    /// The next reply, or `None` at the end of the connection.
    pub(crate) fn receive(&mut self) -> Option<String> {
        let mut length = Vec::new();
        self.0.read_until(b':', &mut length).ok()?;
        length.pop()?;
        let length: usize = std::str::from_utf8(&length).ok()?.parse().ok()?;
        let mut reply = vec![0; length + 1];
        self.0.read_exact(&mut reply).ok()?;
        assert_eq!(reply.pop(), Some(b','));
        Some(String::from_utf8(reply).unwrap())
    }
}

/// One request; the server closes the connection behind its answer.
pub(crate) fn get(mut connection: impl Read + Write, path: &str) -> (u16, String) {
    write!(connection, "GET {path} HTTP/1.1\r\nHost: waxseal\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// What a child writes, as it comes.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
struct Written {
    text: String,
    has_ended: bool,
}

impl Output {
    fn read(pipe: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        let shared = output.clone();
        thread::spawn(move || {
            let (written, more) = &*shared.0;
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let text = &mut written.lock().unwrap().text;
                text.push_str(&line);
                text.push('\n');
                more.notify_all();
            }
            written.lock().unwrap().has_ended = true;
            more.notify_all();
        });
        output
    }

    pub(crate) fn text(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    fn has_ended(&self) -> bool {
        self.0.0.lock().unwrap().has_ended
    }

    /// Waits until a text has come.
    pub(crate) fn wait(&self, wanted: &str) {
        let (written, more) = &*self.0;
        let written = written.lock().unwrap();
        let missing = |now: &mut Written| !now.text.contains(wanted) && !now.has_ended;
        let (now, _) = more.wait_timeout_while(written, PATIENCE, missing).unwrap();
        let why = if now.has_ended { "until the program ended" } else { "in time" };
        assert!(now.text.contains(wanted), "no {wanted:?} {why}: {}", now.text);
    }

    pub(crate) fn count(&self, wanted: &str) -> usize {
        self.text().matches(wanted).count()
    }
}
