//! The peers in verifying DKIM, fetched to a folder below `target/bench/` and nowhere else.
//!
//! Each has a small driver in its own language beside the benchmark, which verifies one message
//! again and again with the key record at hand, and says what it takes of processor time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{program, run};
use crate::error::StepError;
use crate::tree::root;

/// The newest releases when this was written. `PyNaCl` is what dkimpy verifies Ed25519 with.
const DKIMPY: [&str; 2] = ["dkimpy==1.1.8", "pynacl==1.6.2"];
const MAILAUTH: &str = "mailauth@7.1.0";

/// Debian's packages of the library: the last one that there is, a beta of 2018.
const OPENDKIM: [&str; 2] = ["libopendkim11", "libopendkim-dev"];

/// Another program that verifies.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// Without its arguments: the message, the records, milliseconds.
    pub(super) start: fn(&Path) -> Command,
}

/// Those that can be had; about the others a line is printed.
pub(super) fn peers(folder: &Path) -> Vec<Peer> {
    let found = [
        (dkimpy(folder), Peer { name: "dkimpy", start: start_dkimpy }),
        (mailauth(folder), Peer { name: "mailauth", start: start_mailauth }),
        (opendkim(folder), Peer { name: "libopendkim", start: start_opendkim }),
    ];
    let there = found.into_iter().filter_map(|(fetched, peer)| match fetched {
        Ok(()) => Some(peer),
        Err(error) => {
            println!("without {}: {error}", peer.name);
            None
        }
    });
    there.collect()
}

fn driver(name: &str) -> PathBuf {
    root().join("crates/waxseal/benches/dkim/peers").join(name)
}

/// In a virtual environment.
fn dkimpy(folder: &Path) -> Result<(), StepError> {
    let environment = folder.join("dkimpy");
    let python = environment.join("bin/python");
    let is_there = Command::new(&python).args(["-c", "import dkim, nacl"]).output();
    if is_there.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    run(program("python3", &["-m", "venv", &environment.display().to_string()]))?;
    let mut install = program(&python.display().to_string(), &["-m", "pip", "install", "--quiet"]);
    install.arg("--disable-pip-version-check").args(DKIMPY);
    run(install)
}

fn start_dkimpy(folder: &Path) -> Command {
    let mut command = Command::new(folder.join("dkimpy/bin/python"));
    command.arg(driver("dkimpy.py"));
    command
}

fn mailauth(folder: &Path) -> Result<(), StepError> {
    if folder.join("mailauth/node_modules/mailauth").is_dir() {
        return Ok(());
    }
    let prefix = folder.join("mailauth");
    fs::create_dir_all(&prefix).map_err(StepError::file(&prefix))?;
    let flags = ["install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"];
    let mut install = program("npm", &flags);
    install.arg(&prefix).arg(MAILAUTH);
    run(install)
}

fn start_mailauth(folder: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(driver("mailauth.js")).env("NODE_PATH", folder.join("mailauth/node_modules"));
    command
}

/// The packages are unpacked, not installed.
fn opendkim(folder: &Path) -> Result<(), StepError> {
    let packages = folder.join("opendkim");
    let built = folder.join("opendkim/driver");
    if built.exists() {
        return Ok(());
    }
    fs::create_dir_all(&packages).map_err(StepError::file(&packages))?;
    let mut download = program("apt-get", &["download", "--quiet"]);
    download.args(OPENDKIM).current_dir(&packages);
    run(download)?;
    for file in crate::tree::files(&packages, "deb")? {
        let mut unpack = program("dpkg", &["--extract"]);
        unpack.arg(&file).arg(&packages);
        run(unpack)?;
    }
    let mut compile = program("cc", &["-O2", "-Wall", "-Wextra", "-o"]);
    compile.arg(&built).arg(driver("opendkim.c")).arg("-I").arg(packages.join("usr/include"));
    compile.arg(library(folder)?);
    run(compile)
}

fn library(folder: &Path) -> Result<PathBuf, StepError> {
    let libraries = crate::tree::files(&folder.join("opendkim/usr/lib"), "11")?;
    libraries.into_iter().next().ok_or_else(|| StepError::Missing("libopendkim.so.11".to_owned()))
}

fn start_opendkim(folder: &Path) -> Command {
    let mut command = Command::new(folder.join("opendkim/driver"));
    // Beside the library are no others.
    let library = library(folder).ok();
    if let Some(libraries) = library.as_deref().and_then(Path::parent) {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    command
}
