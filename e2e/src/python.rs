//! A Python environment with the peers that live on PyPI: dkimpy and parsedmarc.
//!
//! Made once (half a minute, 120 MB), beside the Debian tree, and shared by all later runs. Its name
//! has a hash of the list of packages and of the Python that made it.

use crate::command::run;
use crate::error::LabError;
use crate::tree;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;

/// All that is installed, each in one version, as pip reads it.
const PACKAGES: &str = include_str!("../python.txt");

/// The folder of the environment, whether it is there or not.
fn folder() -> Result<PathBuf, LabError> {
    let version = run("python3", &["--version"])?;
    let digest = Sha256::digest(format!("{} {}", version.trim(), PACKAGES));
    let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(tree::cache().join(format!("python-{hash}")))
}

/// The folder of the environment, if it has been made.
pub fn require() -> Result<PathBuf, LabError> {
    let folder = folder()?;
    if folder.join("done").exists() {
        return Ok(folder);
    }
    Err(LabError::Prerequisite(format!(
        "the Python environment with dkimpy and parsedmarc is missing: expected it in {}\n\
         make it with, as root: cargo run -p e2e -- setup",
        folder.display()
    )))
}

/// Makes the environment unless it is there. It knows its own path, so it is made where it stays,
/// and marked when it is whole.
pub fn build() -> Result<PathBuf, LabError> {
    if let Ok(folder) = require() {
        return Ok(folder);
    }
    let folder = folder()?;
    let shown = folder.display().to_string();
    run("python3", &["-m", "venv", "--clear", &shown])?;
    let pip = folder.join("bin/pip").display().to_string();
    let list = folder.join("python.txt").display().to_string();
    fs::write(&list, PACKAGES).map_err(LabError::io(list.clone()))?;
    // The list is whole, so nothing else is to be found out.
    let options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"];
    run(&pip, &[&["install"], &options[..], &["--requirement", &list]].concat())?;
    let done = folder.join("done");
    fs::write(&done, "").map_err(LabError::io(done.display().to_string()))?;
    Ok(folder)
}
