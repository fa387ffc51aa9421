//! What the TLSA autopilot did or waits for, and why, as values.

use core::fmt;
use core::time::Duration;

use smtp_types::{Dnssec, Severity};

use super::chain::KeyDigest;
use crate::watched::Span;

/// One circumstance of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not every authoritative server shows the records as they must be.
    RecordsNotSeen {
        /// How many do not.
        lacking: usize,
        /// How many there are.
        servers: usize,
    },
    /// The server could not be looked at on every address.
    ServerNotSeen,
    /// The first records are published only when the server shows a key that they fit.
    FirstRecordsWait,
    /// The zone is not signed, or its signatures do not fit.
    NotSigned(Dnssec),
    /// A key of ours that was not announced is in use: its record is published at once, and mail may
    /// wait for up to a TTL.
    UnannouncedKey(KeyDigest),
    /// The server shows a key that nobody here knows. Perhaps somebody is in between; no record is
    /// made for it.
    StrangeKey(KeyDigest),
    /// The server shows something else than the current chain, and it fits.
    Mixed,
    /// The next key has to be made.
    NextKeyMissing,
    /// The next key that was announced is no longer kept.
    NextKeyLost,
    /// The next key is proved when its record has been seen for long enough.
    NextKeyWaits {
        /// For how long.
        left: Duration,
    },
    /// A certificate is deployed when its records have been seen for long enough.
    CertificateWaits {
        /// For how long, if nothing gets in between.
        left: Duration,
    },
    /// A certificate is there for keys that were not announced; it is not used.
    CertificateRefused,
    /// The certificate is renewed with the current key, because the next one is not proved in time.
    KeyKept,
    /// A key in use may be in other hands.
    Compromised(KeyDigest),
    /// The server shows the new chain on every address.
    Switched,
    /// The records of an earlier chain are removed.
    Retired,
    /// The records are being removed.
    Withdrawing {
        /// How long caches may have them.
        left: Duration,
    },
    /// Nobody has records any more.
    Withdrawn,
}

impl Reason {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RecordsNotSeen { .. } => "tlsa-records-not-seen",
            Self::ServerNotSeen => "tlsa-server-not-seen",
            Self::FirstRecordsWait => "tlsa-first-records-wait",
            Self::NotSigned(_) => "tlsa-not-signed",
            Self::UnannouncedKey(_) => "tlsa-unannounced-key",
            Self::StrangeKey(_) => "tlsa-strange-key",
            Self::Mixed => "tlsa-mixed",
            Self::NextKeyMissing => "tlsa-next-key-missing",
            Self::NextKeyLost => "tlsa-next-key-lost",
            Self::NextKeyWaits { .. } => "tlsa-next-key-waits",
            Self::CertificateWaits { .. } => "tlsa-certificate-waits",
            Self::CertificateRefused => "tlsa-certificate-refused",
            Self::KeyKept => "tlsa-key-kept",
            Self::Compromised(_) => "tlsa-compromised",
            Self::Switched => "tlsa-switched",
            Self::Retired => "tlsa-retired",
            Self::Withdrawing { .. } => "tlsa-withdrawing",
            Self::Withdrawn => "tlsa-withdrawn",
        }
    }

    /// How much it matters: an error means that mail waits or protection is void.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::UnannouncedKey(_)
            | Self::StrangeKey(_)
            | Self::Compromised(_)
            | Self::NotSigned(Dnssec::Bogus) => Severity::Error,
            Self::NotSigned(_)
            | Self::FirstRecordsWait
            | Self::NextKeyLost
            | Self::CertificateRefused
            | Self::KeyKept => Severity::Warning,
            _ => Severity::Notice,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordsNotSeen { lacking, servers } => {
                write!(f, "{lacking} of {servers} authoritative servers do not show the records")
            }
            Self::ServerNotSeen => write!(f, "the server could not be seen on every address"),
            Self::FirstRecordsWait => {
                write!(f, "no records yet: the server does not show the key that they are for")
            }
            Self::NotSigned(dnssec) => {
                write!(f, "the zone is {}: TLSA records protect nobody", dnssec.as_str())
            }
            Self::UnannouncedKey(key) => {
                write!(f, "a key that was not announced is in use; its record follows: {key}")
            }
            Self::StrangeKey(key) => write!(f, "the server shows a key that is not ours: {key}"),
            Self::Mixed => write!(f, "not every address shows the current chain; all of them fit"),
            Self::NextKeyMissing => write!(f, "the next key has to be made"),
            Self::NextKeyLost => write!(f, "the next key is no longer kept; another one is made"),
            Self::NextKeyWaits { left } => {
                write!(f, "the next key can be used in {}", Span(*left))
            }
            Self::CertificateWaits { left } => {
                write!(f, "the certificate can be deployed in {}", Span(*left))
            }
            Self::CertificateRefused => {
                write!(f, "a certificate for keys that were not announced is not used")
            }
            Self::KeyKept => write!(f, "renewed with the current key: the next one is not proved"),
            Self::Compromised(key) => write!(f, "a key in use may be in other hands: {key}"),
            Self::Switched => write!(f, "the server shows the new chain on every address"),
            Self::Retired => write!(f, "the records of an earlier chain are removed"),
            Self::Withdrawing { left } => {
                write!(f, "the records are removed; caches may have them for {}", Span(*left))
            }
            Self::Withdrawn => write!(f, "nobody has TLSA records any more"),
        }
    }
}
