//! Whether the resolver's word on DNSSEC, its AD bit, is believed.
//!
//! Two things must hold. Nobody may be able to change the bit on its way to us: that is a
//! statement of the operator, [`Trust`]. And the resolver must validate: that is found out by
//! asking it for names whose right answer is known ([`super::probe`]), and the outcome is a
//! [`Validation`]. A resolver that is not believed does not stop the mail; it switches DANE off,
//! and says so.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Whether nobody can sit between us and the resolver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// If its address is a loopback address (127.0.0.0/8 or ::1). This is the default.
    #[default]
    Loopback,
    /// Yes: the operator vouches for the network between.
    Yes,
    /// No.
    No,
}

impl Trust {
    /// Whether a resolver at `address` is trusted.
    #[must_use]
    pub fn covers(self, address: IpAddr) -> bool {
        match self {
            Self::Loopback => address.to_canonical().is_loopback(),
            Self::Yes => true,
            Self::No => false,
        }
    }
}

/// What is known about the resolver's validation of DNSSEC.
///
/// Its text has two sentences for people: what was found, and what it means or what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validation {
    /// A signed name came with the AD bit, and a name with false signatures was refused.
    Proved,
    /// A signed name came with the AD bit. None of the names with false signatures could be asked
    /// for (a private network, or all of them are out of order).
    Plausible,
    /// No probe was ever answered, or none was sent yet: offline, or a private network. The AD bit is
    /// still believed, because only a resolver that validates sets it.
    Unproved,
    /// A probe was answered as no validating resolver would.
    Disproved {
        /// What it was.
        why: Disproof,
    },
    /// The address is not a loopback address, and the operator has not declared it trusted (or has
    /// declared it untrusted).
    Untrusted {
        /// The address of the resolver.
        address: SocketAddr,
    },
}

/// How a resolver has shown that it does not validate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disproof {
    /// Records of a signed name came without the AD bit.
    SignedWithoutAd {
        /// The name.
        name: String,
    },
    /// Records came for a name whose signatures are false.
    BogusAnswered {
        /// The name.
        name: String,
    },
}

impl Validation {
    /// Whether the AD bit is believed.
    #[must_use]
    pub const fn is_believed(&self) -> bool {
        match self {
            Self::Proved | Self::Plausible | Self::Unproved => true,
            Self::Disproved { .. } | Self::Untrusted { .. } => false,
        }
    }

    /// A word for machines: `proved`, `plausible`, `unproved`, `disproved` or `untrusted`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Plausible => "plausible",
            Self::Unproved => "unproved",
            Self::Disproved { .. } => "disproved",
            Self::Untrusted { .. } => "untrusted",
        }
    }
}

impl fmt::Display for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proved => write!(
                f,
                "the resolver validates DNSSEC: signed names are confirmed, a bogus one is refused. \
                 DANE is on."
            ),
            Self::Plausible => write!(
                f,
                "the resolver confirms signed names; no bogus name could be asked for, so its \
                 refusal is not shown. DANE is on."
            ),
            Self::Unproved => write!(
                f,
                "no probe for DNSSEC was answered, so validation is not shown. DANE is on for \
                 answers that the resolver confirms; if this stays, check its way to the Internet."
            ),
            Self::Disproved { why } => write!(
                f,
                "the resolver does not validate DNSSEC: {why}. DANE is OFF; install a validating \
                 resolver on this machine (such as unbound) and point the resolver setting to it."
            ),
            Self::Untrusted { address } => write!(
                f,
                "the resolver {address} is not trusted, anyone on the way could forge its word on \
                 DNSSEC. DANE is OFF; use a validating resolver on this machine (such as unbound), \
                 or declare this address trusted if the network to it is safe."
            ),
        }
    }
}

impl fmt::Display for Disproof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignedWithoutAd { name } => {
                write!(f, "it gave the signed name {name} without the AD bit")
            }
            Self::BogusAnswered { name } => {
                write!(f, "it gave the name {name}, whose signatures are false")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_trusted_by_default() {
        let table = [
            ("127.0.0.1", true),
            ("127.0.0.53", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("2001:db8::1", false),
            ("0.0.0.0", false),
        ];
        for (address, expected) in table {
            let address = address.parse().unwrap();
            assert_eq!(Trust::default().covers(address), expected, "{address}");
            assert!(Trust::Yes.covers(address));
            assert!(!Trust::No.covers(address));
        }
    }
}
