//! A Debian 13 tree with Postfix 3.10 and its TLSRPT library, and with the programs that check what
//! the gate does: OpenDKIM, rspamd, Amavis.
//!
//! Debian 12 has Postfix 3.7, which knows nothing of TLSRPT. So the lab runs Postfix from a tree
//! that `mmdebstrap` makes once (one to three minutes, 350 MB) and that all later runs share.
//! Nothing in it is started by being installed. The folder's name has a hash of the list of
//! packages: another list, another tree. It gets that name as the last step, so a tree that was left
//! half-made is not taken for a whole one.

use crate::command::run;
use crate::error::LabError;
use sha2::{Digest, Sha256};
use std::env;
use std::fs;
use std::path::PathBuf;

const SUITE: &str = "trixie";
const PACKAGES: &str = "postfix,libtlsrpt0,ca-certificates,openssl,iproute2,\
                        libsasl2-modules,sasl2-bin,opendkim,opendkim-tools,rspamd,amavisd-new";
const CACHE: &str = "/var/cache/waxseal-e2e";

/// The folder of the tree, whether it is there or not.
///
/// The environment variable `WAXSEAL_E2E_CACHE` says in which folder trees are kept. The default
/// is `/var/cache/waxseal-e2e`.
pub fn folder() -> PathBuf {
    let digest = Sha256::digest(format!("{SUITE} {PACKAGES}"));
    let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    cache().join(format!("{SUITE}-{hash}"))
}

/// Where trees and other things are kept that are made once.
pub fn cache() -> PathBuf {
    env::var_os("WAXSEAL_E2E_CACHE").map_or_else(|| CACHE.into(), PathBuf::from)
}

/// The folder of the tree, if it has been made.
pub fn require() -> Result<PathBuf, LabError> {
    let tree = folder();
    if tree.join("usr/sbin/postfix").exists() {
        return Ok(tree);
    }
    Err(LabError::Prerequisite(format!(
        "the tree with Postfix 3.10 is missing: expected it in {}\n\
         make it with, as root: cargo run -p e2e -- setup",
        tree.display()
    )))
}

/// Makes the tree unless it is there.
pub fn build() -> Result<PathBuf, LabError> {
    if let Ok(tree) = require() {
        return Ok(tree);
    }
    let tree = folder();
    let partial = tree.with_extension("partial");
    let shown = partial.display().to_string();
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(LabError::io(shown.clone()))?;
    }
    if let Some(cache) = partial.parent() {
        fs::create_dir_all(cache).map_err(LabError::io(shown.clone()))?;
    }
    let include = format!("--include={PACKAGES}");
    run("mmdebstrap", &["--quiet", "--variant=minbase", &include, SUITE, &shown, &mirror()?])?;
    fs::rename(&partial, &tree).map_err(LabError::io(tree.display().to_string()))?;
    Ok(tree)
}

/// The mirror that this machine's `apt` uses for Debian itself.
fn mirror() -> Result<String, LabError> {
    let format = "$(LABEL) $(REPO_URI)";
    let listed = run("apt-get", &["indextargets", "--format", format, "Created-By: Packages"])?;
    let mirror = listed.lines().find_map(|line| line.strip_prefix("Debian "));
    mirror.map(str::to_owned).ok_or_else(|| {
        LabError::Prerequisite(format!(
            "expected a repository with the label \"Debian\" in the sources of apt, found:\n{listed}"
        ))
    })
}
