//! Network namespaces: machines of our own, with addresses and routes that nobody else sees.
//!
//! All have one prefix in their names, by which a new run finds and removes what a killed one left
//! behind. A thread can step into a namespace; every socket that it opens then belongs there,
//! which is how the lab's own servers stand in several places of the network within one process.

use crate::command::{run, succeed};
use crate::error::LabError;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::thread;

const PREFIX: &str = "waxseal-e2e-";

/// A network namespace, removed when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes the namespace and brings its loopback interface up.
    pub fn create(role: &str) -> Result<Self, LabError> {
        let namespace = Self { name: format!("{PREFIX}{role}") };
        run("ip", &["netns", "add", &namespace.name])?;
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// The name by which `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs `ip` inside.
    pub fn ip(&self, arguments: &[&str]) -> Result<(), LabError> {
        run("ip", &[&["-n", &self.name], arguments].concat()).map(drop)
    }

    /// Sets a kernel parameter inside.
    pub fn sysctl(&self, assignment: &str) -> Result<(), LabError> {
        let mut command = self.command("sysctl");
        command.args(["-q", "-w", assignment]);
        succeed(command).map(drop)
    }

    /// Runs `work` on a thread that stands inside, and waits for it.
    pub fn within<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, LabError> + Send,
    ) -> Result<T, LabError> {
        let inside = self.open()?;
        let stepped = thread::scope(|scope| {
            let worker = scope.spawn(|| {
                enter(&inside)?;
                work()
            });
            worker.join()
        });
        stepped.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn open(&self) -> Result<File, LabError> {
        let path = format!("/run/netns/{}", self.name);
        File::open(&path).map_err(LabError::io(path))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A failure here leaves a name that the next run removes.
        let _ = run("ip", &["netns", "delete", &self.name]);
    }
}

fn enter(inside: &File) -> Result<(), LabError> {
    move_into_link_name_space(inside.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(|error| LabError::io("entering a network namespace")(error.into()))
}

/// Removes what an earlier run left behind: its namespaces, and the processes inside them.
pub fn remove_leftovers() -> Result<(), LabError> {
    let listed = run("ip", &["netns", "list"])?;
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| name.starts_with(PREFIX)) {
        for pid in run("ip", &["netns", "pids", name])?.split_whitespace() {
            let number = pid.parse().ok().and_then(Pid::from_raw);
            // It may have ended since the list was made.
            let _ = number.map(|number| kill_process(number, Signal::KILL));
        }
        run("ip", &["netns", "delete", name])?;
    }
    Ok(())
}
