//! The Postfix on this machine: what it is, and the lines that `main.cf` needs.
//!
//! `advice` judges plain values; here Postfix is asked for them, by its own `postconf`.

mod advice;

use std::collections::BTreeMap;
use std::process::Command;

pub use advice::{Advice, Found, Version, advise};

/// The parameters that decide whether Postfix does what it is told.
const PARAMETERS: [&str; 9] = [
    "mail_version",
    "queue_directory",
    "smtp_dns_support_level",
    "smtp_tls_CAfile",
    "smtp_tls_CApath",
    "smtp_tls_connection_reuse",
    "smtp_tls_dane_insecure_mx_policy",
    "smtp_tls_policy_maps",
    "smtp_tls_security_level",
];

/// Asks `postconf`. `None` if there is no Postfix here, or it does not answer.
#[must_use]
pub fn find() -> Option<Found> {
    // Of parameters that this release does not know, postconf warns and prints the others.
    let output = Command::new("postconf").args(PARAMETERS).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let parameters: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    Found::new(parameters)
}
