//! A small Internet on loopback for one test, with a folder of its own: a resolver, a policy host
//! for all domains, and the program.

mod daemon;
mod dns;
mod https;
pub(crate) mod milter;
pub(crate) mod openmetrics;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

pub(crate) use daemon::{Daemon, get};
pub(crate) use dns::Dns;
pub(crate) use https::{Kind, Page, PolicyHost};

/// How long a test waits for what must come, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// 2026-11-21, for tests that fix the clock.
pub(crate) const NOW: u64 = 1_795_200_000;

pub(crate) struct World {
    pub(crate) dns: Dns,
    pub(crate) host: PolicyHost,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = PolicyHost::start(&folder.path().join("ca.pem"));
        let world = Self { dns: Dns::start(), host, folder };
        world.settings("");
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes `waxseal.toml`.
    pub(crate) fn settings(&self, text: &str) {
        std::fs::write(self.path("waxseal.toml"), text).unwrap();
    }

    /// A domain with one host at a private address and an MTA-STS policy for it.
    pub(crate) fn publish(&self, domain: &str, id: &str, mode: &str) {
        self.publish_policy(domain, id, &policy(domain, mode, 604_800));
    }

    pub(crate) fn publish_policy(&self, domain: &str, id: &str, policy: &str) {
        self.host(domain);
        self.record(domain, id);
        self.dns.say(&[&format!("mta-sts.{domain} A 127.0.0.1")]);
        self.host.serve(domain, policy);
    }

    /// A domain with one host.
    pub(crate) fn host(&self, domain: &str) {
        self.dns
            .say(&[&format!("{domain} MX 10 mx.{domain}"), &format!("mx.{domain} A 192.0.2.1")]);
    }

    /// The record of a domain, with another id.
    pub(crate) fn record(&self, domain: &str, id: &str) {
        self.dns.say(&[&format!("_mta-sts.{domain} TXT v=STSv1; id={id}")]);
    }

    /// A signed domain whose only host has a usable TLSA record.
    pub(crate) fn publish_dane(&self, domain: &str) {
        self.host(domain);
        self.dns.sign(domain);
        self.dns.say(&[&format!("_25._tcp.mx.{domain} TLSA 3 1 1 {}", "ab".repeat(32))]);
    }

    /// The program, knowing nothing of the machine that the test runs on.
    pub(crate) fn waxseal(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM", "STATE_DIRECTORY"] {
            command.env_remove(name);
        }
        command.env("HOME", self.folder.path()).env_remove("XDG_STATE_HOME");
        command.env("NO_COLOR", "1").current_dir(self.folder.path()).args(arguments);
        command
    }

    /// The flags of the machine interface, and no others.
    pub(crate) fn machine(&self) -> Vec<String> {
        let flags = ["--resolver", &self.dns.address.to_string(), "--ca"].map(str::to_owned);
        let ca = self.path("ca.pem").display().to_string();
        let port = self.host.port.to_string();
        let rest = ["--https-port", &port, "--allow-private"].map(str::to_owned);
        [flags.to_vec(), vec![ca], rest.to_vec()].concat()
    }

    /// `waxseal serve` in this world, with memory and all listeners.
    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let mut command = self.waxseal(&["serve", "--socketmap", "127.0.0.1:0"]);
        command.args(["--http", "127.0.0.1:0", "--api", "unix:STATE_DIR/api"]);
        command.arg("--state-dir").arg(self.state());
        command.arg("--config").arg(self.path("waxseal.toml"));
        command.args(self.machine()).args(more);
        command
    }

    pub(crate) fn serve(&self) -> Daemon {
        self.serve_with(&[])
    }

    pub(crate) fn serve_at(&self, now: u64) -> Daemon {
        self.serve_with(&["--at", &now.to_string()])
    }

    pub(crate) fn serve_with(&self, more: &[&str]) -> Daemon {
        Daemon::start(&mut self.command(more), &self.state())
    }
}

/// A policy for `mx.DOMAIN`.
pub(crate) fn policy(domain: &str, mode: &str, max_age: u64) -> String {
    format!("version: STSv1\nmode: {mode}\nmx: mx.{domain}\nmax_age: {max_age}\n")
}

/// The reply to Postfix for [`policy`] in the mode enforce.
pub(crate) fn secure(domain: &str) -> String {
    format!("OK secure match=mx.{domain} servername=hostname")
}

/// What a command said, and its exit code.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// The codes of a list of `{"code", …}`.
pub(crate) fn codes(list: &serde_json::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect()
}
