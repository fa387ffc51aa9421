//! Running other programs: shown before they run, and never through a shell.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::counts::Counts;
use crate::error::StepError;

/// A command in the root of the project.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(crate::tree::root());
    command
}

/// The cargo that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    program(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()), arguments)
}

/// Runs a command; what it says is shown as it comes.
pub(crate) fn run(mut command: Command) -> Result<(), StepError> {
    let line = show(&command);
    println!("$ {line}");
    let status = command.status().map_err(|source| start(&line, source))?;
    if status.success() {
        return Ok(());
    }
    Err(StepError::Failed { command: line, status: status.to_string() })
}

/// Runs a test command, shows what it says as it comes, and adds its results to `counts`.
pub(crate) fn run_tests(mut command: Command, counts: &mut Counts) -> Result<(), StepError> {
    let line = show(&command);
    println!("$ {line}");
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|source| start(&line, source))?;
    if let Some(output) = child.stdout.take() {
        // Test output need not be UTF-8.
        for text in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&text);
            println!("{text}");
            counts.add_line(&text);
        }
    }
    let status = child.wait().map_err(|source| start(&line, source))?;
    if status.success() {
        return Ok(());
    }
    Err(StepError::Failed { command: line, status: status.to_string() })
}

/// Runs a command and returns what it wrote to standard output.
pub(crate) fn output(mut command: Command) -> Result<Vec<u8>, StepError> {
    let line = show(&command);
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|source| start(&line, source))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(StepError::Failed { command: line, status: output.status.to_string() })
}

/// Runs a command and returns what it wrote to standard output, as text.
pub(crate) fn output_text(command: Command) -> Result<String, StepError> {
    output(command).map(|octets| String::from_utf8_lossy(&octets).into_owned())
}

/// Whether a program exists and answers `--version`.
pub(crate) fn is_installed(name: &str, arguments: &[&str]) -> bool {
    let mut command = program(name, arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The command as one would type it, with the variables that it sets.
fn show(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={:?} ", name.to_string_lossy(), value?.to_string_lossy()))
    });
    let name = command.get_program().to_string_lossy();
    let name = name.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = command.get_args().map(|argument| format!(" {}", argument.to_string_lossy()));
    variables.chain([name]).chain(arguments).collect()
}

fn start(line: &str, source: std::io::Error) -> StepError {
    StepError::Start { command: line.to_owned(), source }
}
