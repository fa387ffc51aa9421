//! Under which licenses the dependencies may be used, and where they may come from.
//!
//! `cargo deny` knows more (advisories, duplicates) and is run when it is installed; `deny.toml`
//! is for it. What must hold always is checked here, without any tool: every dependency can be had
//! under an allowed license, comes from the registry, and is none of the banned ones.

mod expression;

use crate::command::{cargo, is_installed, output_text, run};
use crate::error::StepError;
use crate::tree;

/// Licenses that ask for no more than a notice. `deny.toml` has the same list.
const ALLOWED: [&str; 6] = ["Apache-2.0", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0", "Zlib"];

/// Crates that we do without. `deny.toml` has the same list.
const BANNED: [&str; 4] = ["native-tls", "openssl", "openssl-sys", "ring"];

/// Checks every dependency of the workspace, build and test ones too.
pub(crate) fn check() -> Result<(), StepError> {
    let tree = output_text(cargo(&[
        "tree",
        "--workspace",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}\t{l}",
    ]))?;
    let mut packages: Vec<&str> = tree.lines().filter(|line| !line.is_empty()).collect();
    packages.sort_unstable();
    packages.dedup();
    let mut faults: Vec<String> = packages.iter().filter_map(|line| license_fault(line)).collect();
    faults.extend(packages.iter().filter_map(|line| ban_fault(line)));
    faults.extend(source_faults(&tree::read(&tree::root().join("Cargo.lock"))?));
    StepError::from_faults("see xtask/src/licenses.rs and deny.toml", faults)?;
    println!("{} packages, all under allowed licenses", packages.len());

    if is_installed("cargo-deny", &["--version"]) {
        return run(cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]));
    }
    println!("cargo-deny is not installed, and not needed: the same lists were checked here");
    Ok(())
}

/// What is wrong with a line `name vVERSION …<TAB>LICENSE`.
fn license_fault(line: &str) -> Option<String> {
    let (package, license) = line.split_once('\t').unwrap_or((line, ""));
    match expression::is_satisfied(license, &ALLOWED) {
        Ok(true) => None,
        Ok(false) => Some(format!("{package}: expected an allowed license, found {license:?}")),
        Err(error) => Some(format!("{package}: license {license:?}: {error}")),
    }
}

/// Whether a line `name vVERSION …` names a banned crate. `Cargo.lock` would tell too much: it also
/// names what only an unused feature would bring.
fn ban_fault(line: &str) -> Option<String> {
    let name = line.split(' ').next().filter(|name| BANNED.contains(name))?;
    Some(format!("{name}: banned, see `cargo tree -i {name}`"))
}

/// The packages in `Cargo.lock` that come from elsewhere than the registry.
fn source_faults(lock: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut name = "";
    for line in lock.lines() {
        let Some((key, value)) = line.split_once(" = ") else {
            continue;
        };
        let value = value.trim_matches('"');
        match key {
            "name" => name = value,
            "source" if !value.starts_with("registry+") => {
                faults.push(format!("{name}: expected the registry as its source, found {value}"));
            }
            _ => {}
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_tree() {
        assert_eq!(license_fault("idna v1.1.0\tMIT OR Apache-2.0"), None);
        assert_eq!(
            license_fault("evil v1.0.0\tAGPL-3.0").unwrap(),
            "evil v1.0.0: expected an allowed license, found \"AGPL-3.0\""
        );
        assert!(license_fault("none v1.0.0\t").is_some());
    }

    #[test]
    fn banned_crates() {
        assert_eq!(ban_fault("rustls v0.23.46\tMIT"), None);
        assert_eq!(
            ban_fault("ring v0.17.0\tISC").unwrap(),
            "ring: banned, see `cargo tree -i ring`"
        );
    }

    #[test]
    fn sources() {
        let lock = "[[package]]\nname = \"waxseal\"\nversion = \"0.1.0\"\n\n[[package]]\n\
                    name = \"idna\"\nsource = \"registry+https://registry.example/index\"\n";
        assert_eq!(source_faults(lock), Vec::<String>::new());
        let lock = "name = \"x\"\nsource = \"git+https://git.example/x\"\n";
        assert_eq!(
            source_faults(lock),
            ["x: expected the registry as its source, found git+https://git.example/x"]
        );
    }

    #[test]
    fn deny_toml_has_the_same_lists() {
        let deny = tree::read(&tree::root().join("deny.toml")).unwrap();
        for word in ALLOWED.iter().chain(&BANNED) {
            assert!(deny.contains(&format!("\"{word}\"")), "deny.toml lacks {word}");
        }
    }
}
