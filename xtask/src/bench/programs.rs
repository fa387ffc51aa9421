//! The programs of a comparison: built by cargo, and started on a processor of their own where there
//! are two, so that a server and its client do not take time from each other.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{cargo, is_installed, output_text};
use crate::error::StepError;

pub(super) struct Programs {
    /// The benchmark, which holds the servers and the client.
    bench: PathBuf,
    /// The real daemon.
    pub(super) daemon: PathBuf,
    pinned: bool,
}

/// Which processor a program gets.
#[derive(Clone, Copy)]
pub(super) enum Core {
    Server,
    Client,
}

impl Programs {
    /// Builds the daemon and this benchmark.
    pub(super) fn build(bench: &str) -> Result<Self, StepError> {
        let messages = output_text(cargo(&[
            "build",
            "--release",
            "--package",
            "waxseal",
            "--bin",
            "waxseal",
            "--bench",
            bench,
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
        Ok(Self { bench: path(bench)?, daemon: path("waxseal")?, pinned: can_pin() })
    }

    /// The benchmark with these arguments.
    pub(super) fn ours(&self, core: Core, arguments: &[&str]) -> Command {
        let mut command = self.on(core, &self.bench);
        command.args(arguments);
        command
    }

    /// Any program.
    pub(super) fn on(&self, core: Core, path: &Path) -> Command {
        if !self.pinned {
            return Command::new(path);
        }
        let mut command = Command::new("taskset");
        command.args([
            "-c",
            match core {
                Core::Server => "0",
                Core::Client => "1",
            },
        ]);
        command.arg(path);
        command
    }
}

fn can_pin() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
        && is_installed("taskset", &["--version"])
}
