//! Commands of the machine that run to their end, such as `ip`, `nft` and `ldns-signzone`.

use crate::error::LabError;
use std::io::Write;
use std::process::{Command, Output, Stdio};

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

/// Runs a prepared command with `input` on its standard input.
pub fn feed(mut command: Command, input: &str) -> Result<(), LabError> {
    let line = command_line(&command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(LabError::io(line.clone()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(LabError::io(line.clone()))?;
    }
    let output = child.wait_with_output().map_err(LabError::io(line.clone()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(LabError::Command {
        command: line,
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
