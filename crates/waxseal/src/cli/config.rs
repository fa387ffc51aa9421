//! `waxseal config check|show|sample`: the settings, seen from the operator's side.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use crate::config::{self, ConfigError, FileContent, Loaded, Overrides};

/// The exit status for a wrong setting or a wrong command line.
const USAGE: u8 = 64;

/// The verb with its flags.
#[must_use]
pub(super) fn command() -> Command {
    let settings = |command: Command| {
        command.arg(config::config_file_arg()).arg(super::json_arg()).args(config::all_args())
    };
    Command::new("config")
        .about("Check and show the settings")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(settings(
            Command::new("check").about("Tell all that is wrong with the settings"),
        ))
        .subcommand(settings(
            Command::new("show").about("Show every setting in force, and where it comes from"),
        ))
        .subcommand(Command::new("sample").about("Print a file with every key at its default"))
}

/// Runs the verb. 0 is fine, 1 is fine with warnings, 64 is wrong settings.
///
/// # Errors
/// Output that cannot be written.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let outcome = match matches.subcommand() {
        Some(("check", matches)) => check(matches),
        Some(("show", matches)) => show(matches),
        _ => Outcome { output: config::sample(), errors: String::new(), status: 0 },
    };
    anstream::stderr().lock().write_all(outcome.errors.as_bytes())?;
    match anstream::stdout().lock().write_all(outcome.output.as_bytes()) {
        // `waxseal config sample | head` has all that it wants.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(ExitCode::from(outcome.status)),
    }
}

/// What a verb has to say.
struct Outcome {
    /// For standard output.
    output: String,
    /// For standard error.
    errors: String,
    status: u8,
}

impl Outcome {
    fn wrong(errors: &[ConfigError], matches: &ArgMatches) -> Self {
        if matches.get_flag("json") {
            let output = format!("{:#}\n", check_json(errors, &[]));
            return Self { output, errors: String::new(), status: USAGE };
        }
        Self { output: String::new(), errors: report(errors), status: USAGE }
    }
}

/// All that is wrong, in color, for standard error: how every verb that reads settings ends if
/// they are wrong, with the exit status 64.
#[must_use]
pub(super) fn report(errors: &[ConfigError]) -> String {
    let mut text: String = errors.iter().map(|error| format!("{}\n\n", error.styled())).collect();
    text += &match errors.len() {
        1 => "1 error in the settings\n".to_owned(),
        count => format!("{count} errors in the settings\n"),
    };
    text
}

fn check(matches: &ArgMatches) -> Outcome {
    let loaded = match config::load(matches) {
        Ok(loaded) => loaded,
        Err(errors) => return Outcome::wrong(&errors, matches),
    };
    let errors = errors_in_named_files(&loaded);
    if !errors.is_empty() {
        return Outcome::wrong(&errors, matches);
    }
    let warnings = loaded.warnings();
    let output = if matches.get_flag("json") {
        format!("{:#}\n", check_json(&[], &warnings))
    } else {
        let lines: String = { warnings.iter() }.map(|text| format!("warning: {text}\n")).collect();
        let file = loaded.file.as_deref().unwrap_or("no file");
        format!("{lines}ok: {file}, keys set: {}\n", loaded.count_set())
    };
    Outcome { output, errors: String::new(), status: u8::from(!warnings.is_empty()) }
}

fn show(matches: &ArgMatches) -> Outcome {
    let loaded = match config::load(matches) {
        Ok(loaded) => loaded,
        Err(errors) => return Outcome::wrong(&errors, matches),
    };
    let output = if matches.get_flag("json") {
        format!("{:#}\n", config::show_json(&loaded))
    } else {
        config::show(&loaded)
    };
    Outcome { output, errors: String::new(), status: 0 }
}

/// The files that the settings name: whether they can be read, and the overrides in full.
fn errors_in_named_files(loaded: &Loaded) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if let Some(path) = &loaded.config.fetch.ca
        && let Err(error) = std::fs::read(path)
    {
        let key = "fetch.ca".into();
        errors.push(ConfigError { key, ..ConfigError::unreadable(path, &error.to_string()) });
    }
    if let Some(path) = &loaded.config.sender.overrides {
        errors.extend(Overrides::read(path).err().unwrap_or_default());
    }
    errors
}

/// `{"version": 1, "errors": […], "warnings": […]}`.
fn check_json(errors: &[ConfigError], warnings: &[String]) -> serde_json::Value {
    let errors: Vec<_> = errors
        .iter()
        .map(|error| {
            let position = error.place.position();
            serde_json::json!({
                "key": error.key,
                "message": error.fault.to_string(),
                "place": error.place.to_string(),
                "line": position.map(|at| at.line),
                "column": position.map(|at| at.column),
                "hint": error.hint,
            })
        })
        .collect();
    serde_json::json!({ "version": 1, "errors": errors, "warnings": warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the verb says on both outputs, without color.
    fn said(line: &str, status: u8) -> String {
        let words = std::iter::once("config").chain(line.split_whitespace());
        let matches = command().try_get_matches_from(words).unwrap();
        let outcome = match matches.subcommand() {
            Some(("check", matches)) => check(matches),
            Some((_, matches)) => show(matches),
            None => panic!("{line}"),
        };
        assert_eq!(outcome.status, status, "{line}: {}{}", outcome.output, outcome.errors);
        let said = format!("{}{}", outcome.output, outcome.errors);
        anstream::adapter::strip_str(&said).to_string()
    }

    #[test]
    fn the_flags_fit_together() {
        command().debug_assert();
    }

    #[test]
    fn right_doubtful_and_wrong() {
        let scratch = tempfile::tempdir().unwrap();
        let overrides = scratch.path().join("overrides.toml");
        let file = scratch.path().join("waxseal.toml");
        let config = file.display();
        let text = format!("[sender]\noverrides = \"{}\"\n", overrides.display());
        std::fs::write(&file, text).unwrap();

        assert_eq!(
            said(&format!("check --config {config}"), 64),
            format!(
                "error: sender.overrides: the file cannot be read: No such file or directory (os \
                 error 2)\n  --> {}\n\n1 error in the settings\n",
                overrides.display()
            )
        );
        std::fs::write(&overrides, "[[override]]\n").unwrap();
        let text = said(&format!("check --json --config {config}"), 64);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["errors"].as_array().unwrap().len(), 3);
        assert_eq!(json["errors"][0]["line"], 1);
        assert_eq!(json["errors"][0]["key"], "override.domain");

        std::fs::write(&overrides, "").unwrap();
        assert_eq!(
            said(&format!("check --config {config}"), 0),
            format!("ok: {config}, keys set: 1\n")
        );
        assert_eq!(
            said(&format!("check --config {config} --allow-private"), 1),
            format!(
                "warning: fetch.allow_private: policy hosts may have private addresses; this is \
                 for tests\nok: {config}, keys set: 2\n"
            )
        );
        let text = said(&format!("show --config {config} --https-port 8443 --json"), 0);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["settings"]["fetch.https_port"]["value"], 8443);
        assert_eq!(json["settings"]["fetch.https_port"]["origin"], "--https-port");
        assert_eq!(
            said(&format!("show --config {config}.not"), 64),
            format!(
                "error: the file cannot be read: No such file or directory (os error 2)\n  \
                 --> {config}.not\n\n1 error in the settings\n"
            )
        );
    }
}
