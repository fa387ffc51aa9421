//! The Debian packages that the lab stands on, and how to get them.

use crate::command::run;
use crate::error::LabError;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A Debian package, a program in it by which its presence is told, and what it is for.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// The package's name.
    pub name: &'static str,
    /// A program that it brings.
    pub program: &'static str,
    /// What the lab does with it.
    pub purpose: &'static str,
}

/// All packages that the lab needs.
pub const PACKAGES: &[Package] = &[
    Package { name: "knot", program: "knotd", purpose: "authoritative name servers" },
    Package { name: "unbound", program: "unbound", purpose: "the sender's validating resolver" },
    Package { name: "ldnsutils", program: "ldns-signzone", purpose: "signs the zones" },
    Package { name: "nftables", program: "nft", purpose: "the attacker's redirections" },
    Package { name: "iproute2", program: "ip", purpose: "network namespaces and links" },
    Package { name: "procps", program: "sysctl", purpose: "lets the path forward packets" },
    Package {
        name: "util-linux",
        program: "nsenter",
        purpose: "runs Postfix in a world of its own",
    },
    Package { name: "openssl", program: "openssl", purpose: "keys for other signers" },
    Package { name: "python3", program: "python3", purpose: "runs dkimpy and parsedmarc" },
    Package {
        name: "python3-venv",
        program: "../share/doc/python3-venv",
        purpose: "an environment for dkimpy and parsedmarc",
    },
    Package { name: "faketime", program: "faketime", purpose: "a clock that is days slow" },
    Package {
        name: "mmdebstrap",
        program: "mmdebstrap",
        purpose: "makes the tree with Postfix 3.10",
    },
];

/// The packages that are not installed.
pub fn missing() -> Vec<Package> {
    let path = env::var("PATH").unwrap_or_default();
    let folders: Vec<&str> = path.split(':').chain(["/usr/sbin", "/sbin"]).collect();
    let installed = |package: &Package| {
        folders.iter().any(|folder| Path::new(folder).join(package.program).exists())
    };
    PACKAGES.iter().filter(|package| !installed(package)).copied().collect()
}

/// Checks all that the lab needs from the machine, and names what it lacks.
pub fn require() -> Result<(), LabError> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::Prerequisite(
            "the lab makes network namespaces: expected to run as root, found another user"
                .to_owned(),
        ));
    }
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let lines = missing
        .iter()
        .map(|package| format!("  {} ({}): {}", package.name, package.program, package.purpose));
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    Err(LabError::Prerequisite(format!(
        "these Debian packages are missing:\n{}\ninstall them with: apt-get install {}\n\
         or, as root: cargo run -p e2e -- setup",
        lines.collect::<Vec<_>>().join("\n"),
        names.join(" ")
    )))
}

/// Installs what is missing by `apt-get`. The name servers among them are not started.
pub fn install() -> Result<(), LabError> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let _guard = NoStarts::create()?;
    run("apt-get", &["update"])?;
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let options = ["-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends"];
    run("env", &[&["DEBIAN_FRONTEND=noninteractive", "apt-get"], &options[..], &names].concat())?;
    Ok(())
}

/// Debian's way to say that installing a package shall not start its service; undone when dropped.
struct NoStarts {
    made: bool,
}

impl NoStarts {
    const FILE: &str = "/usr/sbin/policy-rc.d";

    fn create() -> Result<Self, LabError> {
        if Path::new(Self::FILE).exists() {
            return Ok(Self { made: false });
        }
        fs::write(Self::FILE, "#!/bin/sh\nexit 101\n").map_err(LabError::io(Self::FILE))?;
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(Self::FILE, executable).map_err(LabError::io(Self::FILE))?;
        Ok(Self { made: true })
    }
}

impl Drop for NoStarts {
    fn drop(&mut self) {
        if self.made {
            // Left in place it only keeps services from starting; nothing better can be done here.
            let _ = fs::remove_file(Self::FILE);
        }
    }
}
