//! The command line: flags of settings, made from the table.

use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches};

use super::error::ConfigError;
use super::keys::{KEYS, Key};
use super::kind::Kind;
use super::load::{DEFAULT_FILE, Loaded};

/// The flags of the keys with these dotted names, in that order; names without a flag are left
/// out. The id of an argument is the name of its key.
#[must_use]
pub fn args(names: &[&str]) -> Vec<Arg> {
    names.iter().filter_map(|name| arg(Key::find(name)?)).collect()
}

/// The flags of all keys that have one.
#[must_use]
pub fn all_args() -> Vec<Arg> {
    KEYS.iter().filter_map(arg).collect()
}

/// `--config FILE`.
#[must_use]
pub fn config_file_arg() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help(format!("The file with the settings. The default is {DEFAULT_FILE}, if it is there."))
}

fn arg(key: &Key) -> Option<Arg> {
    let flag = key.flag.as_ref()?;
    let arg = Arg::new(key.name).long(flag.name).help(key.text()).help_heading("Settings");
    let action = match &key.kind {
        Kind::Switch(_) => return Some(arg.action(ArgAction::SetTrue)),
        Kind::Listen(_)
        | Kind::Names(_)
        | Kind::Domains(_)
        | Kind::Networks(_)
        | Kind::Addresses(_) => ArgAction::Append,
        Kind::Path(_)
        | Kind::OptionalPath(_)
        | Kind::Number { .. }
        | Kind::Port(_)
        | Kind::Mode(_)
        | Kind::Duration { .. }
        | Kind::OptionalDuration { .. }
        | Kind::Prefix(_)
        | Kind::Choice(_)
        | Kind::Resolver(_)
        | Kind::OptionalName(_)
        | Kind::Text(_)
        | Kind::OptionalText(_)
        | Kind::OptionalAddress(_)
        | Kind::Server(_)
        | Kind::OptionalHost(_) => ArgAction::Set,
    };
    // What the value means is read by the kind of the key, so that it is told in the same words
    // as in a file.
    Some(arg.action(action).value_name(flag.value).value_parser(ValueParser::string()))
}

/// Sets what was typed over what is there, and tells all that is wrong with it.
#[must_use = "with errors, the configuration must not be used"]
pub fn apply(matches: &ArgMatches, loaded: &mut Loaded) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for key in KEYS {
        if let Some(typed) = typed(key, matches) {
            errors.extend(loaded.set_typed(key, &typed));
        }
    }
    errors
}

/// What was typed for `key`; `None` if nothing was, or if the verb does not have its flag.
fn typed(key: &Key, matches: &ArgMatches) -> Option<Vec<String>> {
    if let Kind::Switch(_) = key.kind {
        let is_set = *matches.try_get_one::<bool>(key.name).ok()??;
        return is_set.then(Vec::new);
    }
    let values = matches.try_get_many::<String>(key.name).ok()??;
    Some(values.cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::super::environment::Environment;
    use super::*;
    use clap::Command;

    fn load(command_line: &str) -> (Loaded, Vec<String>) {
        let command = Command::new("waxseal").args(all_args());
        let words = std::iter::once("waxseal").chain(command_line.split_whitespace());
        let matches = command.try_get_matches_from(words).unwrap();
        let mut loaded = Loaded::new(&Environment::default());
        let mut errors = apply(&matches, &mut loaded);
        errors.extend(loaded.finish());
        (loaded, errors.iter().map(ToString::to_string).collect())
    }

    fn good(command_line: &str, key: &str, value: &str, origin: &str) {
        let (loaded, errors) = load(command_line);
        assert_eq!(errors, [""; 0], "{command_line}");
        let found = Key::find(key).unwrap().value_text(&loaded.config);
        assert_eq!(found, value, "{command_line}");
        assert_eq!(loaded.origin(key).to_string(), origin, "{command_line}");
    }

    fn bad(command_line: &str, error: &str) {
        let expected = format!("{error}\n  --> on the command line");
        assert_eq!(load(command_line).1, [expected], "{command_line}");
    }

    #[test]
    fn flags() {
        let by_default = [
            ("", "dns.resolver", "\"system\""),
            ("", "http.listen", "[\"127.0.0.1:8643\"]"),
            ("--http 127.0.0.1:1", "http.api", "[\"unix:/var/lib/waxseal/api\"]"),
        ];
        for (command_line, key, value) in by_default {
            good(command_line, key, value, "default");
        }
        let given = [
            ("--resolver 192.0.2.1", "dns.resolver", "\"192.0.2.1:53\""),
            ("--resolver ::1", "dns.resolver", "\"[::1]:53\""),
            ("--resolver localhost:5353", "dns.resolver", "\"127.0.0.1:5353\""),
            ("--allow-private", "fetch.allow_private", "true"),
            ("--https-port 8443", "fetch.https_port", "8443"),
            ("--ca /etc/x.pem", "fetch.ca", "\"/etc/x.pem\""),
            ("--log-level trace", "log.level", "\"trace\""),
            ("--state-dir /s", "state_dir", "\"/s\""),
        ];
        for (command_line, key, value) in given {
            let flag = command_line.split(' ').next().unwrap();
            good(command_line, key, value, flag);
        }
    }

    #[test]
    fn a_relative_path_is_that_of_the_shell() {
        let here = std::env::current_dir().unwrap();
        let expected = format!("\"{}\"", here.join("x.pem").display());
        good("--ca x.pem", "fetch.ca", &expected, "--ca");
        let expected = format!("[\"unix:{}\"]", here.join("api").display());
        good("--api unix:api", "http.api", &expected, "--api");
    }

    #[test]
    fn listeners_replace_the_list_and_socketmap_alone_stays_alone() {
        let line = "--socketmap 127.0.0.1:0 --socketmap unix:/run/s --api unix:STATE_DIR/a";
        good(line, "socketmap.listen", "[\"127.0.0.1:0\", \"unix:/run/s\"]", "--socketmap");
        good(line, "http.api", "[\"unix:/var/lib/waxseal/a\"]", "--api");
        good(line, "http.listen", "[]", "--socketmap");
    }

    #[test]
    fn refusals() {
        bad(
            "--resolver dns.example",
            "error: --resolver: expected \"system\" or an IP address with or without a port, \
             found \"dns.example\"",
        );
        bad(
            "--https-port 0",
            "error: --https-port: expected a port from 1 to 65535, found the number 0",
        );
        bad(
            "--https-port https",
            "error: --https-port: expected a port from 1 to 65535, found \"https\"",
        );
        bad(
            "--log-level loud",
            "error: --log-level: expected \"error\", \"warn\", \"info\", \"debug\" or \"trace\", \
             found \"loud\"",
        );
        bad(
            "--socketmap 8642",
            "error: --socketmap: expected an IP address with a port, or \"unix:\" and an absolute \
             path or one below STATE_DIR/, found \"8642\"",
        );
    }
}
