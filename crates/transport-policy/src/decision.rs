//! What can be decided, and what the operator can say about it.

use alloc::string::String;
use alloc::vec::Vec;

use mta_sts::Policy;
use smtp_types::DomainName;

use crate::Reason;

/// What the mail server is told, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the mail server is told.
    pub answer: Answer,
    /// Every circumstance that led there, in the order in which it was met. Never empty.
    pub reasons: Vec<Reason>,
}

/// What the mail server is told. Ordered by what it does with the mail, not by strength.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is no policy: deliver by the mail server's own default.
    NoPolicy,
    /// Try again later: what must be known could not be found out.
    Defer,
    /// Each host by its own TLSA records; hosts without them by the mail server's default.
    Dane,
    /// Only hosts with usable TLSA records that match.
    DaneOnly,
    /// Only hosts that the policy allows, with a certificate that the web would trust.
    Secure(Policy),
    /// What the operator fixed for this domain.
    Fixed(LocalMatch),
}

impl Answer {
    /// Postfix's word for it; `defer` and `none` where Postfix has no level.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoPolicy => "none",
            Self::Defer => "defer",
            Self::Dane => "dane",
            Self::DaneOnly => "dane-only",
            Self::Secure(_) => "secure",
            Self::Fixed(fixed) => fixed.level.as_str(),
        }
    }

    /// Whether a host that cannot prove its name gets no mail.
    #[must_use]
    pub const fn is_authenticated(&self) -> bool {
        match self {
            Self::DaneOnly | Self::Secure(_) => true,
            Self::Fixed(fixed) => matches!(fixed.level, Level::DaneOnly | Level::Secure),
            Self::NoPolicy | Self::Defer | Self::Dane => false,
        }
    }
}

/// A TLS security level of Postfix (`TLS_README`), as far as an operator may fix one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// TLS if offered.
    May,
    /// TLS, without authentication.
    Encrypt,
    /// Each host by its TLSA records, if it has any.
    Dane,
    /// Only hosts with TLSA records that match.
    DaneOnly,
    /// A trusted certificate for a given name.
    Secure,
}

impl Level {
    /// All levels, weakest first.
    pub const ALL: [Self; 5] = [Self::May, Self::Encrypt, Self::Dane, Self::DaneOnly, Self::Secure];

    /// Postfix's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::May => "may",
            Self::Encrypt => "encrypt",
            Self::Dane => "dane",
            Self::DaneOnly => "dane-only",
            Self::Secure => "secure",
        }
    }
}

/// A level fixed by the operator, with the names that a certificate must have one of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMatch {
    /// The level.
    pub level: Level,
    /// For [`Level::Secure`]: host names, or with `true` all names below a domain. Empty means
    /// that the mail server's own default applies.
    pub names: Vec<(DomainName, bool)>,
}

/// What the operator says about a domain, before anything is asked of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPolicy {
    /// What to do.
    pub rule: LocalRule,
    /// Why, in the operator's words.
    pub comment: String,
}

/// What the operator wants for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalRule {
    /// Deliver only authenticated, by DANE or MTA-STS; a policy in testing counts as enforced.
    Require,
    /// Act as if the domain published nothing.
    Off,
    /// This level, whatever the domain publishes.
    Fixed(LocalMatch),
}

/// What to do with a domain where only some hosts have TLSA records, and whose MTA-STS policy is
/// enforced. Postfix has no level that does right by both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MixedHosts {
    /// Authenticate every host by MTA-STS; the TLSA records are left unused. The default: no host
    /// gets mail unauthenticated.
    #[default]
    Sts,
    /// Authenticate hosts by TLSA where they have it; the others get mail by the mail server's
    /// default, perhaps in the clear.
    Dane,
}

/// What to do when the MTA-STS record or policy cannot be had, and none is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStsError {
    /// As if there were no policy, as RFC 8461 §3.3 has it. The default.
    #[default]
    Deliver,
    /// Try again later: safer at first contact, and a domain with a broken policy host waits.
    Defer,
}

/// The operator's settings for all domains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// For domains of which only some hosts have TLSA records.
    pub mixed: MixedHosts,
    /// For MTA-STS that fails at first contact.
    pub on_sts_error: OnStsError,
}
