//! The core does no IO, and the build proves it.
//!
//! Every crate below `crates/` but the program itself is `no_std`, forbids unsafe code, builds
//! alone (in the workspace another crate's features could hide that it does not), and has nothing
//! below it that waits, logs, draws random numbers or talks to the network.

use crate::command::{cargo, output_text, run};
use crate::error::StepError;
use crate::tree;

/// Crates that no core crate may stand on. `rustls-webpki` and `rustls-pki-types` are allowed:
/// certificates as data, without a connection.
const BANNED: [&str; 17] = [
    "anyhow",
    "async-std",
    "async-trait",
    "futures",
    "getrandom",
    "hyper",
    "log",
    "mio",
    "native-tls",
    "openssl",
    "rand",
    "reqwest",
    "rustls",
    "socket2",
    "tokio",
    "tracing",
    "tracing-core",
];

/// Checks every core crate.
pub(crate) fn check() -> Result<(), StepError> {
    let mut faults = Vec::new();
    for name in tree::core_crates()? {
        let head = tree::read(&tree::root().join("crates").join(&name).join("src/lib.rs"))?;
        for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
            if !head.lines().any(|line| line == attribute) {
                faults.push(format!("crates/{name}/src/lib.rs: expected {attribute}, found none"));
            }
        }
        let tree = output_text(cargo(&[
            "tree", "-p", &name, "-e", "normal", "--prefix", "none", "--format", "{p}",
        ]))?;
        for banned in banned_in(&tree) {
            faults.push(format!("{name}: expected no IO below it, found {banned}"));
        }
    }
    StepError::from_faults("core crates must stay without IO (ARCHITECTURE.md)", faults)?;
    for name in tree::core_crates()? {
        run(cargo(&["check", "--quiet", "-p", &name]))?;
    }
    Ok(())
}

/// The banned crates in the output of `cargo tree`, which has one `name vVERSION` on each line.
fn banned_in(tree: &str) -> Vec<&str> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut found: Vec<&str> = names.filter(|name| BANNED.contains(name)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_crates_are_found_by_their_whole_name() {
        let tree = "smtp-dane v0.1.0 (/x)\nrustls-pki-types v1.15.0\nrustls-webpki v0.103.8\n";
        assert_eq!(banned_in(tree), Vec::<&str>::new());
        let tree = "x v1\nrustls v0.23.46\ntokio v1.54.0\ntokio v1.54.0 (*)\n";
        assert_eq!(banned_in(tree), ["rustls", "tokio"]);
    }

    #[test]
    fn the_list_of_banned_crates_is_sorted() {
        assert!(BANNED.is_sorted());
    }
}
