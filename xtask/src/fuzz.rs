//! The fuzz targets in `fuzz/`: a smoke run of all on the stable compiler, and long runs of one
//! with libFuzzer.

use std::process::Command;

use crate::command::{self, cargo, is_installed};
use crate::counts::Counts;
use crate::error::StepError;
use crate::tree;

/// A workspace of its own: `cargo fuzz` wants it so.
const MANIFEST: &str = "fuzz/Cargo.toml";
/// How long each target runs in the smoke run.
const SMOKE_SECONDS: &str = "3";
/// How long one target runs when nothing is said.
const DEFAULT_SECONDS: &str = "60";

/// `cargo xtask fuzz TARGET [SECONDS]`: coverage-guided, with AddressSanitizer.
///
/// libFuzzer wants the compiler's unstable flags; `RUSTC_BOOTSTRAP=1` unlocks them on the stable
/// toolchain, for this build only.
pub(crate) fn run(arguments: &[String]) -> Result<(), StepError> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (target, seconds) = match arguments.as_slice() {
        ["--list"] => return command::run(smoke_driver(&["--list"])),
        [target] => (*target, DEFAULT_SECONDS),
        [target, seconds] if seconds.bytes().all(|octet| octet.is_ascii_digit()) => {
            (*target, *seconds)
        }
        _ => return Err(StepError::Usage("fuzz: expected TARGET [SECONDS] or --list".to_owned())),
    };
    if !is_installed("cargo-fuzz", &["fuzz", "--version"]) {
        return Err(StepError::Missing(
            "fuzz: expected cargo-fuzz, found none; install it with: \
             cargo install cargo-fuzz --locked"
                .to_owned(),
        ));
    }
    let limit = format!("-max_total_time={seconds}");
    // The first folder takes what is found, the second is the committed one.
    let found = format!("fuzz/target/found/{target}");
    let folder = tree::root().join(&found);
    std::fs::create_dir_all(&folder).map_err(StepError::file(&folder))?;
    let corpus = format!("fuzz/corpus/{target}");
    let mut fuzz = cargo(&["fuzz", "run", "--features", "libfuzzer", target, &found, &corpus]);
    fuzz.args(["--", &limit, "-timeout=10", "-rss_limit_mb=2048"]).env("RUSTC_BOOTSTRAP", "1");
    command::run(fuzz)
}

/// Every target for a few seconds: its committed corpus, then mutations of it.
pub(crate) fn smoke(counts: &mut Counts) -> Result<(), StepError> {
    command::run_tests(smoke_driver(&["--seconds", SMOKE_SECONDS]), counts)
}

/// The format of the targets, which are no members of the workspace.
pub(crate) fn format() -> Result<(), StepError> {
    command::run(cargo(&["fmt", "--manifest-path", MANIFEST, "--check"]))
}

/// The lints of the targets.
pub(crate) fn clippy() -> Result<(), StepError> {
    let mut clippy = in_fuzz(&["clippy", "--quiet"]);
    clippy.args(["--", "-D", "warnings"]);
    command::run(clippy)
}

fn smoke_driver(arguments: &[&str]) -> Command {
    let mut driver = in_fuzz(&["run", "--quiet", "--bin", "smoke"]);
    driver.arg("--").args(arguments);
    driver
}

/// Cargo in the workspace of the targets. Dependencies that the main workspace has built already
/// are not built again.
fn in_fuzz(arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    command.args(["--manifest-path", MANIFEST, "--target-dir"]).arg(tree::target_folder());
    command
}
