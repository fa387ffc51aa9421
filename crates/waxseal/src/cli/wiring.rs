//! Makes the parts of the program out of the settings. Used by every verb that looks things up.

use std::fmt;
use std::sync::Arc;

use smtp_types::{DomainName, UnixTime};
use transport_policy::Settings;

use crate::config::{self, Config, Loaded};
use crate::keys::{Rules, Schedule};
use crate::observe::{
    Authorities, FetchSettings, MxProbeSettings, MxProber, Observer, PolicyFetcher, Probes,
    Resolver, ResolverSettings, Trust, Zone, system_resolver,
};
use crate::sender::SenderSettings;

/// Reads the settings and shows all that is wrong with them.
pub(super) fn load(matches: &clap::ArgMatches) -> Option<Loaded> {
    match config::load(matches) {
        Ok(loaded) => Some(loaded),
        Err(errors) => {
            anstream::eprint!("{}", super::config::report(&errors));
            None
        }
    }
}

/// Why the parts cannot be made although each setting is fine by itself.
pub(super) struct WiringError {
    key: &'static str,
    detail: String,
}

impl fmt::Display for WiringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.detail)
    }
}

/// Who answers questions to the DNS and to policy hosts. Nothing is asked yet.
pub(super) fn observer(config: &Config, at: Option<UnixTime>) -> Result<Observer, WiringError> {
    let address = match config.dns.resolver {
        config::Resolver::Address(address) => address,
        config::Resolver::System => system_resolver()
            .map_err(|error| WiringError { key: "dns.resolver", detail: error.to_string() })?,
    };
    let zone = |name: &config::ProbeName| match name {
        config::ProbeName::Root => Zone::Root,
        config::ProbeName::Domain(name) => Zone::Named(name.clone()),
    };
    let named = |name: &config::ProbeName| match name {
        config::ProbeName::Root => None,
        config::ProbeName::Domain(name) => Some(name.clone()),
    };
    let trust = match (config.sender.dane, config.dns.trust) {
        (config::DaneUse::Off, _) | (_, config::Trust::No) => Trust::No,
        (config::DaneUse::Auto, config::Trust::Loopback) => Trust::Loopback,
        (config::DaneUse::Auto, config::Trust::Yes) => Trust::Yes,
    };
    let resolver = Arc::new(Resolver::new(ResolverSettings {
        address,
        timeout: config.dns.timeout,
        tries: u8::try_from(config.dns.tries).unwrap_or(u8::MAX),
        trust,
        probes: Probes {
            signed: config.dns.probe_signed.iter().map(zone).collect(),
            bogus: config.dns.probe_bogus.iter().filter_map(named).collect(),
        },
    }));
    let settings = FetchSettings {
        authorities: authorities(config),
        port: config.fetch.https_port,
        allow_private: config.fetch.allow_private,
        max_body: config.fetch.max_body,
        timeout: config.fetch.timeout,
        refuse_wildcard: config.profile == config::Profile::Bsi,
        at,
        ..FetchSettings::default()
    };
    let fetcher = PolicyFetcher::new(Arc::clone(&resolver), settings)
        .map_err(|error| WiringError { key: "fetch.ca", detail: error.to_string() })?;
    Ok(Observer::new(resolver, Arc::new(fetcher)))
}

fn authorities(config: &Config) -> Authorities {
    match &config.fetch.ca {
        Some(path) => Authorities::File(path.clone()),
        None => Authorities::System,
    }
}

/// Who looks at mail hosts. Nothing is connected to yet.
pub(super) fn mx_prober(
    config: &Config,
    resolver: &Arc<Resolver>,
) -> Result<MxProber, WiringError> {
    let settings = MxProbeSettings {
        authorities: authorities(config),
        allow_private: config.fetch.allow_private,
        name: machine_name(),
        ..MxProbeSettings::default()
    };
    MxProber::new(Arc::clone(resolver), settings)
        .map_err(|error| WiringError { key: "fetch.ca", detail: error.to_string() })
}

/// The name of this machine, if it is one that others could look up.
fn machine_name() -> Option<DomainName> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = DomainName::parse(name.trim()).ok()?;
    name.as_str().contains('.').then_some(name)
}

/// The settings of the role.
pub(super) fn sender_settings(config: &Config) -> SenderSettings {
    SenderSettings {
        decision: Settings { mixed: config.sender.mixed, on_sts_error: config.sender.on_sts_error },
        deadline: config.sender.deadline,
        on_deadline: config.sender.on_deadline,
        refresh: config.sender.refresh,
        cache_entries: config.sender.cache_entries,
    }
}

/// The rules by which DKIM keys change.
pub(super) fn key_rules(config: &Config) -> Rules {
    let dkim = &config.dkim;
    let schedule = Schedule {
        lifetime: dkim.lifetime,
        announce_before: dkim.announce_before,
        publish_wait: dkim.publish_wait,
        retire_after: dkim.retire_after,
    };
    Rules { schedule, prefix: dkim.prefix.clone() }
}
