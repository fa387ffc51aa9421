//! What the operator wants otherwise for single domains.
//!
//! The file is a list of tables:
//!
//! ```toml
//! [[override]]
//! domain = "partner.example"         # or "*.partner.example": any name below it
//! policy = "require"                 # or off, may, encrypt, dane, dane-only, secure
//! comment = "contract of 2026-03"    # so that the next operator knows why
//! until = 2026-12-31                 # the end of that day in UTC; may be left out
//!
//! [[override]]
//! domain = "bank.example"
//! policy = "secure"
//! match = ["mx.bank.example", ".hosted.example"]
//! comment = "certificates are issued to the host names"
//! ```
//!
//! An exact domain beats a pattern, and a longer pattern beats a shorter one. An override whose
//! day has passed is as if it were not there.

mod read;

use std::fmt;

use smtp_types::{DomainName, UnixTime};

use super::by_domain::{ByDomain, Scope, Scoped};

/// All overrides of a file.
pub type Overrides = ByDomain<Override>;

/// What the operator wants for one domain, or for all below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// For whom.
    pub scope: Scope,
    /// What.
    pub policy: OverridePolicy,
    /// Why. Never empty.
    pub comment: String,
    /// The last second in which it holds; `None` is forever.
    pub until: Option<UnixTime>,
    /// The line of the file in which it begins.
    pub line: usize,
}

impl Scoped for Override {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn until(&self) -> Option<UnixTime> {
        self.until
    }
}

/// What an override wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverridePolicy {
    /// Authenticated by DANE or MTA-STS, or the mail waits.
    Require,
    /// No policy: what the mail server does by itself.
    Off,
    /// This level, whatever the domain publishes.
    Fixed(OverrideLevel),
}

/// A level of Postfix's `smtp_tls_security_level`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverrideLevel {
    /// Encrypted if possible.
    May,
    /// Encrypted, the other side not authenticated.
    Encrypt,
    /// By DANE where there are TLSA records, else as `May`.
    Dane,
    /// By DANE only.
    DaneOnly,
    /// By the web's certificates.
    Secure {
        /// The names that the certificate may have; empty is what the mail server matches by
        /// itself: the next hop, and names below it.
        matches: Vec<MatchName>,
    },
}

/// A name that a certificate may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatchName {
    /// This host.
    Host(DomainName),
    /// Any host below this domain: `.example.com`.
    Below(DomainName),
}

/// As it stands in the file, and as Postfix takes it: `mx.example.com` or `.example.com`.
impl fmt::Display for MatchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Below(domain) => write!(f, ".{domain}"),
        }
    }
}

/// The word in the file.
impl fmt::Display for OverridePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Require => "require",
            Self::Off => "off",
            Self::Fixed(OverrideLevel::May) => "may",
            Self::Fixed(OverrideLevel::Encrypt) => "encrypt",
            Self::Fixed(OverrideLevel::Dane) => "dane",
            Self::Fixed(OverrideLevel::DaneOnly) => "dane-only",
            Self::Fixed(OverrideLevel::Secure { .. }) => "secure",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [[override]]
        domain = "example.com"
        policy = "off"
        comment = "exact"

        [[override]]
        domain = "*.example.com"
        policy = "require"
        comment = "below"

        [[override]]
        domain = "*.Deep.example.com"
        policy = "dane-only"
        comment = "deeper"
        until = 1970-01-02

        [[override]]
        domain = "a.deep.example.com"
        policy = "may"
        comment = "exact until the first day ends"
        until = "1970-01-01"
    "#;

    #[test]
    fn exact_beats_pattern_and_long_beats_short() {
        let overrides = Overrides::parse("overrides.toml", FILE).unwrap();
        let table = [
            ("example.com", 0, Some("exact")),
            ("www.example.com", 0, Some("below")),
            ("deep.example.com", 0, Some("below")),
            ("b.deep.example.com", 0, Some("deeper")),
            ("c.b.deep.example.com", 0, Some("deeper")),
            ("c.b.deep.example.com", 2 * 86_400 - 1, Some("deeper")),
            ("c.b.deep.example.com", 2 * 86_400, Some("below")),
            ("a.deep.example.com", 86_399, Some("exact until the first day ends")),
            ("a.deep.example.com", 86_400, Some("deeper")),
            ("notexample.com", 0, None),
            ("com", 0, None),
        ];
        for (domain, now, comment) in table {
            let domain = DomainName::parse(domain).unwrap();
            let found = overrides.find(&domain, UnixTime(now));
            assert_eq!(found.map(|found| &*found.comment), comment, "{domain} {now}");
        }
    }

    #[test]
    fn what_has_passed_is_told() {
        let overrides = Overrides::parse("overrides.toml", FILE).unwrap();
        let expired = |now| -> Vec<String> {
            let expired = overrides.expired(UnixTime(now));
            expired.map(|found| found.scope.to_string()).collect()
        };
        assert_eq!(expired(0), [""; 0]);
        assert_eq!(expired(86_400), ["a.deep.example.com"]);
        assert_eq!(expired(172_800), ["a.deep.example.com", "*.deep.example.com"]);
    }
}
