//! What contributors and CI run, so that both run the same: `cargo xtask test`.
//!
//! `cargo xtask` is an ordinary program of the workspace (see `.cargo/config.toml`), so a fresh
//! machine needs nothing but the Rust toolchain to start it. It depends on `std` alone and builds
//! in a second. It holds no knowledge of mail: the rules of the project live here (no IO in the
//! core, every clause has a test, every license is allowed), the rules of the protocols in the
//! crates.
//!
//! | module | what it does |
//! |---|---|
//! | [`mod@test`] | the steps of `cargo xtask test`, in order, and the counts at the end |
//! | [`specs`] | reads `specs/index.tsv` and holds it against the source |
//! | [`generate`] | man pages and sample configuration from the program itself |
//! | [`fuzz`] | the fuzz targets, for seconds or for hours |
//! | [`mod@bench`] | side-by-side runs with peers |
//! | [`documents`], [`licenses`], [`core_crates`], [`packages`] | one check each |
//! | [`command`], [`counts`], [`error`], [`tree`] | running programs, reading what they say |

mod bench;
mod command;
mod core_crates;
mod counts;
mod documents;
mod error;
mod fuzz;
mod generate;
mod licenses;
mod packages;
mod specs;
mod test;
mod tree;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

test [--only STEP]… [--skip STEP]…   does all set-up and passes all tests
test --list                          names the steps
specs [--print]                      checks specs/index.tsv; prints the conformity table
generate                             writes the man pages and the sample configuration
fuzz TARGET [SECONDS]                fuzzes one target with libFuzzer (default 60 s)
fuzz --list                          names the targets
bench …                              compares with peers; see `cargo xtask bench`";

/// The exit status for a wrong command line, as everywhere in this project.
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else {
        return usage("expected a command, found none");
    };
    let done = match command.as_str() {
        "test" => return test::run(rest),
        "bench" => return bench::run(rest),
        "specs" => specs::run(rest),
        "generate" => generate::write(),
        "fuzz" => fuzz::run(rest),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => return usage(&format!("expected a command, found {other:?}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error::StepError::Usage(message)) => usage(&message),
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage(message: &str) -> ExitCode {
    eprintln!("xtask: {message}\n\n{USAGE}");
    ExitCode::from(EXIT_USAGE)
}
