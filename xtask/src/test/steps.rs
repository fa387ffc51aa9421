//! The steps, in the order in which they run.

use crate::command::{cargo, run, run_tests};
use crate::counts::Counts;
use crate::error::StepError;
use crate::{core_crates, documents, fuzz, generate, licenses, packages, specs};

/// One step of `cargo xtask test`.
pub(crate) struct Step {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it checks, in a few words.
    pub(crate) purpose: &'static str,
    /// Does it. Test programs add their results to the counts.
    pub(crate) run: fn(&mut Counts) -> Result<(), StepError>,
}

/// All steps.
pub(crate) const STEPS: [Step; 12] = [
    Step {
        name: "packages",
        purpose: "the Debian packages that building needs",
        run: |_| packages::ensure(),
    },
    Step { name: "format", purpose: "the source is formatted", run: |_| format() },
    Step {
        name: "specs",
        purpose: "every clause has its function and its test",
        run: |_| specs::check(),
    },
    Step {
        name: "documents",
        purpose: "paths in the documents exist",
        run: |_| documents::check(),
    },
    Step { name: "licenses", purpose: "dependencies are allowed ones", run: |_| licenses::check() },
    Step {
        name: "core",
        purpose: "core crates do no IO and build alone",
        run: |_| core_crates::check(),
    },
    Step { name: "clippy", purpose: "no lint speaks up", run: |_| clippy() },
    Step { name: "unit", purpose: "all tests that need no network", run: unit },
    Step { name: "docs", purpose: "the source's documentation builds", run: |_| docs() },
    Step {
        name: "generated",
        purpose: "man pages and sample configuration are up to date",
        run: |_| generate::check(),
    },
    Step { name: "fuzz", purpose: "a few seconds for every fuzz target", run: fuzz::smoke },
    Step { name: "e2e", purpose: "real mail servers, under attack", run: e2e },
];

fn format() -> Result<(), StepError> {
    run(cargo(&["fmt", "--all", "--check"]))?;
    fuzz::format()
}

fn clippy() -> Result<(), StepError> {
    run(cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    fuzz::clippy()
}

/// Unit tests, clause tests, properties, and the examples in the documentation.
fn unit(counts: &mut Counts) -> Result<(), StepError> {
    run_tests(cargo(&["test", "--workspace", "--exclude", "e2e", "--no-fail-fast"]), counts)
}

fn docs() -> Result<(), StepError> {
    let mut command = cargo(&["doc", "--quiet", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    run(command)
}

/// The lab installs its own packages, so this needs root.
fn e2e(counts: &mut Counts) -> Result<(), StepError> {
    if !packages::is_root()? {
        return Err(StepError::Missing(
            "the end-to-end lab makes network namespaces: expected to run as root, found another \
             user; become root, or leave it out with: cargo xtask test --skip e2e"
                .to_owned(),
        ));
    }
    run(cargo(&["run", "--quiet", "-p", "e2e", "--", "setup"]))?;
    run(cargo(&["build", "--quiet", "-p", "waxseal"]))?;
    run_tests(cargo(&["test", "-p", "e2e"]), counts)
}
