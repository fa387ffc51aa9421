//! The operator's two files. They are no attacker's, but a mistake must be told, not crashed on.

use smtp_types::{DomainName, UnixTime};
use waxseal::config::{ConfigError, Environment, Loaded, Overrides};

use crate::text;

const NAME: &str = "waxseal.toml";

/// The configuration: read twice it is the same, and every fault has a place in the file.
pub fn config(data: &[u8]) {
    let mut loaded = Loaded::new(&Environment::default());
    let errors = loaded.read_file(NAME, data);
    check_errors(&errors, data);
    if errors.is_empty() {
        let first = loaded.config.clone();
        assert!(loaded.read_file(NAME, data).is_empty());
        assert_eq!(loaded.config, first);
        assert!(!waxseal::config::show(&loaded).is_empty());
    }
}

/// The overrides: every domain that is written out is found, and every fault has a place.
pub fn overrides(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    match Overrides::parse(NAME, text) {
        Ok(overrides) => {
            let count = overrides.iter().count();
            assert!(overrides.expired(UnixTime(0)).count() <= count);
            if let Ok(domain) = DomainName::parse("mail.example.com") {
                assert!(overrides.find(&domain, UnixTime(0)).is_none() || count > 0);
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            check_errors(&errors, data);
        }
    }
}

fn check_errors(errors: &[ConfigError], data: &[u8]) {
    let lines = data.split(|octet| *octet == b'\n').count();
    for error in errors {
        let shown = error.to_string();
        assert!(shown.contains(NAME), "{shown}");
        let position = error.place.position().expect("a fault of a file has a place in it");
        assert!((1..=lines).contains(&position.line), "{lines} lines: {shown}");
        assert!(position.column >= 1, "{shown}");
    }
}
