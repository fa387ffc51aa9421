//! The binary: see the library's documentation.

use std::process::ExitCode;

fn main() -> ExitCode {
    waxseal::cli::run(std::env::args_os())
}
