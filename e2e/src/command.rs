//! Commands of the machine that run to their end, such as `ip`, `nft` and `ldns-signzone`.

use crate::error::LabError;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::thread;

/// Runs `program` and hands back what it printed; anything but success is an error.
pub fn run(program: &str, arguments: &[&str]) -> Result<String, LabError> {
    let mut command = Command::new(program);
    command.args(arguments);
    succeed(command)
}

/// Runs a prepared command and hands back what it printed; anything but success is an error.
pub fn succeed(command: Command) -> Result<String, LabError> {
    let line = command_line(&command);
    let output = outcome(command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = [output.stdout, output.stderr].concat();
    Err(LabError::Command {
        command: line,
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&words).into_owned(),
    })
}

/// Runs a prepared command, whatever status it ends with.
pub fn outcome(mut command: Command) -> Result<Output, LabError> {
    let line = command_line(&command);
    command.stdin(Stdio::null()).output().map_err(LabError::io(line))
}

/// Runs a prepared command with `input` on its standard input; anything but success is an error.
pub fn feed(command: Command, input: &str) -> Result<(), LabError> {
    fed(command, input.as_bytes()).map(drop)
}

/// Runs a prepared command with `input` on its standard input, and hands back what it printed;
/// anything but success is an error.
pub fn fed(command: Command, input: &[u8]) -> Result<Vec<u8>, LabError> {
    let line = command_line(&command);
    let output = outcome_of(command, input)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(LabError::Command {
        command: line,
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a prepared command with `input` on its standard input, whatever status it ends with.
pub fn outcome_of(mut command: Command, input: &[u8]) -> Result<Output, LabError> {
    let line = command_line(&command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(LabError::io(line.clone()))?;
    let stdin = child.stdin.take();
    thread::scope(|scope| {
        // Beside reading its output, for both pipes hold a bounded number of octets. A program that
        // does not read to the end says by its status what came of it.
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output().map_err(LabError::io(line))
    })
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
