//! What only all settings together show: the paths below the state folder, listeners that get in
//! each other's way, and what is allowed but likely not meant.

use std::time::Duration;

use super::error::{ConfigError, Fault};
use super::keys::KEYS;
use super::kind::{Kind, quote};
use super::load::Loaded;
use super::origin::Origin;
use super::settings::{Config, Profile, STATE_DIR};
use crate::gate::NotStrict;
use crate::listen::{ListenAddress, MAX_UNIX_PATH, TLSRPT_KEY};
use crate::report::TlsHttps;

impl Loaded {
    /// Puts the state folder into the paths that stand below it, and checks what one value alone
    /// cannot show. To be called once, after all that sets values.
    #[must_use = "with errors, the configuration must not be used"]
    pub fn finish(&mut self) -> Vec<ConfigError> {
        self.silence_unnamed_listeners();
        let state_dir = self.config.state_dir.clone();
        for (_, place) in listeners() {
            for address in place(&mut self.config) {
                if let ListenAddress::Unix(path) = address
                    && let Ok(rest) = path.strip_prefix(STATE_DIR)
                {
                    *path = state_dir.join(rest);
                }
            }
        }
        self.check_listeners()
    }

    /// `--socketmap` asks for a server that does that and nothing else, as tests want it.
    fn silence_unnamed_listeners(&mut self) {
        let origin = self.origin("socketmap.listen");
        if !matches!(origin, Origin::CommandLine(_)) {
            return;
        }
        for (key, place) in listeners() {
            if self.origin(key) == Origin::Default {
                place(&mut self.config).clear();
                self.origins.insert(key, origin.clone());
            }
        }
    }

    fn check_listeners(&mut self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let mut seen: Vec<(&'static str, ListenAddress)> = Vec::new();
        for (key, place) in listeners() {
            for address in place(&mut self.config).clone() {
                if key == TLSRPT_KEY && matches!(address, ListenAddress::Tcp(_)) {
                    let expected = "a unix socket, unix:PATH".to_owned();
                    errors.push(self.refusal(key, expected, &address));
                }
                if address.is_too_long() {
                    let expected = format!("a socket path of at most {MAX_UNIX_PATH} octets");
                    errors.push(self.refusal(key, expected, &address));
                }
                seen.push((key, address));
            }
        }
        for (index, (key, address)) in seen.iter().enumerate() {
            let earlier = seen.iter().take(index);
            for (other_key, other) in earlier.filter(|(_, other)| other.collides_with(address)) {
                // To blame is who was said last, and the default is to blame for nothing.
                let (guilty, found, first_key, first) =
                    if self.origin(other_key).rank() > self.origin(key).rank() {
                        (other_key, other, key, address)
                    } else {
                        (key, address, other_key, other)
                    };
                let expected = format!("an address that {first_key} does not use ({first})");
                errors.push(self.refusal(guilty, expected, found));
            }
        }
        errors
    }

    fn refusal(&self, key: &str, expected: String, found: &ListenAddress) -> ConfigError {
        ConfigError {
            key: key.into(),
            fault: Fault::Value { expected, found: quote(&found.to_string()) },
            place: self.origin(key).place(),
            hint: None,
        }
    }

    /// What is allowed and likely not meant, in one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut config = self.config.clone();
        let mut warnings: Vec<String> = listeners()
            .flat_map(|(key, place)| {
                place(&mut config).clone().into_iter().map(move |address| (key, address))
            })
            .filter(|(_, address)| address.is_open_to_others())
            .map(|(key, address)| {
                format!(
                    "{key}: {address} can be reached from other machines, and nobody who asks \
                     there has to say who they are; use loopback, or a network of its own"
                )
            })
            .collect();
        if config.fetch.allow_private {
            warnings.push(
                "fetch.allow_private: policy hosts may have private addresses; this is for tests"
                    .into(),
            );
        }
        let six_months = Duration::from_hours(24 * 184);
        let is_too_long = config.dkim.lifetime.is_none_or(|lifetime| lifetime > six_months);
        if config.profile == Profile::Bsi && is_too_long {
            warnings.push(
                "dkim.lifetime: BSI TR-03182 (03-M) asks for new keys every six months, or for a \
                 written reason"
                    .into(),
            );
        }
        let signs_all = config.gate.not_strict == NotStrict::Sign;
        if config.profile == Profile::Bsi && !config.gate.listen.is_empty() && signs_all {
            warnings.push(
                "gate.not_strict: BSI TR-03182 (04-M) wants only mail that is strictly RFC 5322 to \
                 be signed; \"refuse\" tells its sender what to mend"
                    .into(),
            );
        }
        let collect = &config.collect;
        if !collect.socket.is_empty() && collect.postfix_log.is_some() {
            warnings.push(
                "collect.postfix_log: sessions of a Postfix that writes there and to \
                 collect.socket are counted twice"
                    .into(),
            );
        }
        warnings.extend(report_warnings(&config));
        warnings
    }
}

fn report_warnings(config: &Config) -> Vec<String> {
    let reports = &config.reports;
    let mut warnings = Vec::new();
    let makes_none = reports.from.is_none() || !reports.dmarc;
    if config.profile == Profile::Bsi && !config.gate.listen.is_empty() && makes_none {
        warnings.push(
            "reports.from: BSI TR-03182 (08-M) wants the owners of domains to get DMARC reports if they \
             ask for them; without an address and reports.dmarc there are none"
                .into(),
        );
    }
    if config.profile == Profile::Bsi && reports.failure_notice.is_some() {
        warnings.push(
            "reports.failure_notice: BSI TR-03182 (08-M) forbids failure reports, so with profile \
             \"bsi\" there are none"
                .into(),
        );
    }
    if config.profile == Profile::Bsi && reports.tls_https == TlsHttps::AnyCertificate {
        warnings.push(
            "reports.tls_https: BSI TR-03108 (09-M) wants certificates to be checked, so with \
             profile \"bsi\" it is \"verified\""
                .into(),
        );
    }
    let makes_no_tls = reports.from.is_none() || !reports.tls;
    if config.profile == Profile::Bsi && config.collect.has_way_in() && makes_no_tls {
        warnings.push(
            "reports.from: BSI TR-03108 (09-M) wants the owners of domains to get TLS reports if they \
             ask for them; without an address and reports.tls there are none"
                .into(),
        );
    }
    if !reports.submit.ip().is_loopback() && reports.from.is_some() {
        warnings.push(format!(
            "reports.submit: {} is on another machine, and reports go there unencrypted",
            reports.submit
        ));
    }
    warnings
}

/// The keys that hold listen addresses, and their places.
fn listeners() -> impl Iterator<Item = (&'static str, fn(&mut Config) -> &mut Vec<ListenAddress>)> {
    KEYS.iter().filter_map(|key| match key.kind {
        Kind::Listen(place) => Some((key.name, place)),
        _ => None,
    })
}
