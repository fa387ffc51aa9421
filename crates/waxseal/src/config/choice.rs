//! Settings that are one word out of a few.

use sender_auth::report::Schema;
use transport_policy::{MixedHosts, OnStsError};

use super::settings::{DaneUse, LogFormat, LogLevel, OnDeadline, Profile, Trust};
use crate::gate::NotStrict;
use crate::gate::attachment::rules;
use crate::gate::decide::Action;
use crate::gate::milter::OnFault;
use crate::intake::RequireAuthor;
use crate::keys::Subdomains;
use crate::report::TlsHttps;

/// A type whose values are words in the configuration.
pub trait Words: Copy + PartialEq + 'static {
    /// Each value with its word, in the order in which people are told of them.
    const ALL: &'static [(&'static str, Self)];
}

impl Words for Profile {
    const ALL: &'static [(&'static str, Self)] =
        &[("standard", Self::Standard), ("bsi", Self::Bsi)];
}

impl Words for Trust {
    const ALL: &'static [(&'static str, Self)] =
        &[("loopback", Self::Loopback), ("yes", Self::Yes), ("no", Self::No)];
}

impl Words for OnDeadline {
    const ALL: &'static [(&'static str, Self)] =
        &[("defer", Self::Defer), ("deliver", Self::Deliver)];
}

impl Words for MixedHosts {
    const ALL: &'static [(&'static str, Self)] = &[("sts", Self::Sts), ("dane", Self::Dane)];
}

impl Words for OnStsError {
    const ALL: &'static [(&'static str, Self)] =
        &[("deliver", Self::Deliver), ("defer", Self::Defer)];
}

impl Words for DaneUse {
    const ALL: &'static [(&'static str, Self)] = &[("auto", Self::Auto), ("off", Self::Off)];
}

impl Words for OnFault {
    const ALL: &'static [(&'static str, Self)] =
        &[("defer", Self::Defer), ("accept", Self::Accept)];
}

impl Words for RequireAuthor {
    const ALL: &'static [(&'static str, Self)] =
        &[("no", Self::No), ("warn", Self::Warn), ("yes", Self::Yes)];
}

impl Words for NotStrict {
    const ALL: &'static [(&'static str, Self)] =
        &[("sign", Self::Sign), ("leave", Self::Leave), ("refuse", Self::Refuse)];
}

impl Words for rules::Action {
    const ALL: &'static [(&'static str, Self)] =
        &[("pass", Self::Pass), ("quarantine", Self::Quarantine), ("reject", Self::Reject)];
}

impl Words for Action {
    const ALL: &'static [(&'static str, Self)] = &[
        ("accept", Self::Accept),
        ("quarantine", Self::Quarantine),
        ("defer", Self::Defer),
        ("reject", Self::Reject),
    ];
}

impl Words for Subdomains {
    const ALL: &'static [(&'static str, Self)] = &[("parent", Self::Parent), ("own", Self::Own)];
}

impl Words for TlsHttps {
    const ALL: &'static [(&'static str, Self)] = &[
        ("verified", Self::Verified),
        ("any-certificate", Self::AnyCertificate),
        ("off", Self::Off),
    ];
}

impl Words for Schema {
    const ALL: &'static [(&'static str, Self)] =
        &[("rfc9990", Self::Rfc9990), ("rfc7489", Self::Rfc7489)];
}

impl Words for LogLevel {
    const ALL: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

impl Words for LogFormat {
    const ALL: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

/// The place of a value of any type with [`Words`]: how the table of keys reaches it.
pub trait Choice {
    /// The words that may be chosen.
    fn words(&self) -> Vec<&'static str>;
    /// The word that is chosen.
    fn word(&self) -> &'static str;
    /// Chooses `word`; false, and nothing changed, if it is none of the words.
    fn choose(&mut self, word: &str) -> bool;
}

impl<T: Words> Choice for T {
    fn words(&self) -> Vec<&'static str> {
        T::ALL.iter().map(|(word, _)| *word).collect()
    }

    fn word(&self) -> &'static str {
        { T::ALL.iter().find(|(_, value)| value == self) }.map_or("", |(word, _)| word)
    }

    fn choose(&mut self, word: &str) -> bool {
        let Some((_, value)) = T::ALL.iter().find(|(name, _)| *name == word) else {
            return false;
        };
        *self = *value;
        true
    }
}
