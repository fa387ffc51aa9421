//! A Postfix 3.10 in the lab: an instance of its own above the shared Debian tree.
//!
//! Its log comes out of `postfix start-fg` as lines, and those lines are the events that the lab
//! waits for. Its tools (`postmap`, `postqueue`) run where it runs.

use crate::command::{outcome, succeed};
use crate::daemon::{Daemon, Log};
use crate::error::LabError;
use crate::namespace::Namespace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// How long a tool may take, as `timeout` reads it: longer than Waxseal's own limit for an answer.
const PATIENCE: &str = "30s";
/// The status with which `timeout` says that it had to end a program.
const TIMED_OUT: i32 = 124;
const START: &str = include_str!("../postfix/start.sh");

/// What distinguishes one instance from another.
#[derive(Debug)]
pub struct Instance<'a> {
    /// `/etc/postfix/main.cf`.
    pub main_cf: &'a str,
    /// `/etc/postfix/master.cf`.
    pub master_cf: &'a str,
    /// Other files in `/etc/postfix`, by name and content: certificates and maps.
    pub files: &'a [(&'a str, &'a str)],
}

/// The sending side's configuration; it wants the trusted certificate in `ca.pem`.
pub const SENDER: (&str, &str) =
    (include_str!("../postfix/sender.main.cf"), include_str!("../postfix/sender.master.cf"));
/// The receiving side's configuration; it wants key and chain in `receiver.pem`.
pub const RECEIVER: (&str, &str) =
    (include_str!("../postfix/receiver.main.cf"), include_str!("../postfix/receiver.master.cf"));

/// A running Postfix, gone when dropped, with all its processes.
#[derive(Debug)]
pub struct Postfix {
    daemon: Daemon,
    /// The first process inside, by the numbers of the machine outside.
    inside: u32,
    /// Its root folder, as seen from there.
    root: PathBuf,
}

/// What `postmap -q` said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapAnswer {
    /// A value was found.
    Found(String),
    /// The map answered that there is none.
    NotFound,
    /// The map could not answer; the text is Postfix's.
    Failed(String),
}

impl Postfix {
    /// Starts an instance in `namespace`, and waits until its master process runs.
    pub fn start(
        namespace: &Namespace,
        tree: &Path,
        folder: &Path,
        instance: &Instance<'_>,
        deadline: Instant,
    ) -> Result<Self, LabError> {
        let files = folder.join("files");
        write(&files.join("etc/postfix/main.cf"), instance.main_cf)?;
        write(&files.join("etc/postfix/master.cf"), instance.master_cf)?;
        for (name, content) in instance.files {
            write(&files.join("etc/postfix").join(name), content)?;
        }
        write(&files.join("etc/resolv.conf"), "nameserver 127.0.0.1\noptions edns0 trust-ad\n")?;
        let (scratch, shared) = (folder.join("scratch"), folder.join("shared"));
        for folder in [&scratch, &shared] {
            fs::create_dir_all(folder).map_err(LabError::io(folder.display().to_string()))?;
        }
        let places = [tree, &files, &scratch, &shared].map(|path| path.display().to_string());
        let isolated =
            ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", START, "start.sh"];
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        let arguments = [&isolated[..], &places].concat();
        let daemon = Daemon::start(namespace, "unshare", &arguments)?;
        daemon.log.wait_for_text("daemon started", deadline)?;
        let inside = only_child(daemon.pid())?;
        Ok(Self { daemon, inside, root: scratch.join("root") })
    }

    /// The mail log.
    pub fn log(&self) -> &Log {
        &self.daemon.log
    }

    /// Asks a map as the delivery agents do.
    pub fn postmap_query(&self, map: &str, key: &str) -> Result<MapAnswer, LabError> {
        let mut command = self.tool("postmap");
        command.args(["-q", key, map]);
        let output = outcome(command)?;
        let value = String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Ok(match output.status.code() {
            Some(0) => MapAnswer::Found(value),
            Some(TIMED_OUT) => MapAnswer::Failed(format!("no answer within {PATIENCE}")),
            _ if complaint.is_empty() => MapAnswer::NotFound,
            _ => MapAnswer::Failed(complaint),
        })
    }

    /// The queue, one JSON object for each letter.
    pub fn queue(&self) -> Result<Vec<String>, LabError> {
        let mut command = self.tool("postqueue");
        command.arg("-j");
        Ok(succeed(command)?.lines().map(str::to_owned).collect())
    }

    /// A path below the queue folder, as seen from outside.
    pub fn queue_folder(&self, name: &str) -> PathBuf {
        self.file("var/spool/postfix").join(name)
    }

    /// A path in the place of the instance, given without its first `/`, as seen from outside.
    pub fn file(&self, path: &str) -> PathBuf {
        let root = self.root.strip_prefix("/").unwrap_or(&self.root);
        let outside = Path::new("/proc").join(self.inside.to_string()).join("root");
        outside.join(root).join(path)
    }

    /// Starts another program in the place of the instance. It ends with the instance, too.
    pub fn daemon(&self, program: &str, arguments: &[&str]) -> Result<Daemon, LabError> {
        let (target, root) = (self.inside.to_string(), self.root.display().to_string());
        let place = ["--target", &target, "--mount", "--net", "chroot", &root, program];
        Daemon::start_here("nsenter", &[&place, arguments].concat())
    }

    /// What a person types for a shell in the place of the instance.
    pub fn shell_command(&self) -> String {
        let target = self.inside;
        format!("nsenter --target {target} --mount --net --pid chroot {} sh", self.root.display())
    }

    /// A command that runs in the place of the instance, with the same files, network and resolver.
    /// It is ended after half a minute.
    pub fn tool(&self, program: &str) -> Command {
        let mut command = Command::new("timeout");
        let target = self.inside.to_string();
        command.args([
            PATIENCE, "nsenter", "--target", &target, "--mount", "--net", "--pid", "chroot",
        ]);
        command.arg(&self.root).arg(program);
        command
    }
}

fn write(path: &Path, content: &str) -> Result<(), LabError> {
    let doing = path.display().to_string();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(LabError::io(doing.clone()))?;
    }
    fs::write(path, content).map_err(LabError::io(doing))
}

/// The process that `unshare --fork` started: the first one in the new process namespace.
fn only_child(pid: u32) -> Result<u32, LabError> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(&path).map_err(LabError::io(path.clone()))?;
    children.trim().parse().map_err(|_| {
        LabError::Unsupported(format!("{path}: expected one process, found \"{children}\""))
    })
}
