//! Programs that keep running: name servers, the resolver, Postfix, Waxseal.
//!
//! Each is a child of the lab, told by `setpriv --pdeathsig KILL` to die with it, so that nothing
//! stays behind when a run is killed. What a daemon prints is kept as a [`Log`], and a log is what
//! the lab waits on: the next step starts when the line is there, not after some seconds.

use crate::command::run;
use crate::error::LabError;
use crate::namespace::Namespace;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// A running program in a namespace, killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// What it has printed so far.
    pub log: Log,
}

impl Daemon {
    /// Starts `program` in `namespace`. Call it from the main thread only: the child dies with
    /// the thread that started it.
    pub fn start(
        namespace: &Namespace,
        program: &str,
        arguments: &[&str],
    ) -> Result<Self, LabError> {
        let place = ["netns", "exec", namespace.name(), program];
        Self::start_here("ip", &[&place, arguments].concat())
    }

    /// Starts `program` where the lab itself stands.
    pub fn start_here(program: &str, arguments: &[&str]) -> Result<Self, LabError> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(LabError::io(format!("starting {program}")))?;
        let log = Log::default();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let streams: [Option<Box<dyn Read + Send>>; 2] =
            [stdout.map(|s| Box::new(s) as _), stderr.map(|s| Box::new(s) as _)];
        for stream in streams.into_iter().flatten() {
            let log = log.clone();
            log.lock().sources += 1;
            thread::spawn(move || log.fill(stream));
        }
        Ok(Self { child, log })
    }

    /// The process id: of the program itself, since all that stands before it on the command
    /// line replaces itself by what follows.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits until it has.
    pub fn end(mut self, deadline: Instant) -> Result<(), LabError> {
        run("kill", &["-TERM", &self.pid().to_string()])?;
        self.log.wait_for_end(deadline)?;
        self.child.wait().map(drop).map_err(LabError::io("waiting for the end of a program"))
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        // Both fail only when the process has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Lines that arrive over time, and a way to wait for one of them.
#[derive(Debug, Clone, Default)]
pub struct Log {
    shared: Arc<(Mutex<Lines>, Condvar)>,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    /// Streams that may still bring lines.
    sources: usize,
}

impl Log {
    /// Waits until `find` finds something in the lines, the source ends, or the deadline is over.
    pub fn wait_for<T>(
        &self,
        expected: &str,
        deadline: Instant,
        mut find: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T, LabError> {
        let mut state = self.lock();
        loop {
            if let Some(found) = find(&state.lines) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.sources == 0 {
                let start = state.lines.len().saturating_sub(20);
                let log = state.lines[start..].join("\n");
                return Err(LabError::Deadline { expected: expected.to_owned(), log });
            }
            let waited = self.shared.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until a line has `text` in it.
    pub fn wait_for_text(&self, text: &str, deadline: Instant) -> Result<(), LabError> {
        self.wait_for(&format!("a line with \"{text}\""), deadline, |lines| {
            lines.iter().any(|line| line.contains(text)).then_some(())
        })
    }

    /// Waits until nothing more can come: the program has closed its outputs.
    fn wait_for_end(&self, deadline: Instant) -> Result<(), LabError> {
        let mut state = self.lock();
        while state.sources > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let (expected, log) = ("the end of a program".to_owned(), state.lines.join("\n"));
                return Err(LabError::Deadline { expected, log });
            }
            let waited = self.shared.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// The lines so far that `wanted` picks.
    pub fn lines(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        self.lock().lines.iter().filter(|line| wanted(line)).cloned().collect()
    }

    /// The last lines, at most `count`.
    pub fn last(&self, count: usize) -> Vec<String> {
        let lines = &self.lock().lines;
        lines[lines.len().saturating_sub(count)..].to_vec()
    }

    /// Adds a line.
    pub fn push(&self, line: String) {
        self.lock().lines.push(line);
        self.shared.1.notify_all();
    }

    /// Whether nothing more can come: the program has closed its outputs.
    pub fn has_ended(&self) -> bool {
        self.lock().sources == 0
    }

    fn fill(&self, stream: impl Read) {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            self.push(String::from_utf8_lossy(&line).into_owned());
        }
        self.lock().sources -= 1;
        self.shared.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
