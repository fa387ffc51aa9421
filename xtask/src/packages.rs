//! The Debian packages that building and testing need.
//!
//! What the end-to-end lab needs beyond them it knows itself (`cargo run -p e2e -- packages`).

use std::path::Path;

use crate::command::{output_text, program, run};
use crate::error::StepError;

/// A Debian package, a file by which its presence is told, and what it is for.
struct Package {
    name: &'static str,
    file: &'static str,
    purpose: &'static str,
}

const PACKAGES: [Package; 3] = [
    Package { name: "gcc", file: "/usr/bin/cc", purpose: "builds SQLite and aws-lc" },
    Package {
        name: "libc6-dev",
        file: "/usr/include/stdio.h",
        purpose: "builds SQLite and aws-lc",
    },
    Package {
        name: "ca-certificates",
        file: "/etc/ssl/certs/ca-certificates.crt",
        purpose: "the roots that certificates are checked against",
    },
];

/// Installs what is missing when we are root; else names it.
pub(crate) fn ensure() -> Result<(), StepError> {
    let missing: Vec<&Package> =
        PACKAGES.iter().filter(|package| !Path::new(package.file).exists()).collect();
    if missing.is_empty() {
        println!("all {} packages are there", PACKAGES.len());
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if !is_root()? {
        let lines = missing.iter().map(|one| format!("  {}: {}\n", one.name, one.purpose));
        return Err(StepError::Missing(format!(
            "these Debian packages are missing:\n{}install them with: sudo apt-get install {}",
            lines.collect::<String>(),
            names.join(" ")
        )));
    }
    run(program("apt-get", &["update"]))?;
    let options = ["-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends"];
    let mut install = program("apt-get", &options);
    install.args(names).env("DEBIAN_FRONTEND", "noninteractive");
    run(install)
}

/// Whether we run as root.
pub(crate) fn is_root() -> Result<bool, StepError> {
    Ok(output_text(program("id", &["-u"]))?.trim() == "0")
}
