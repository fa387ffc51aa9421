//! What is wanted and what is seen of one host's TLSA records.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use smtp_dane::Tlsa;
use smtp_types::Dnssec;

use super::chain::{Chain, KeyDigest};

/// What the operator wants for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Whether there are to be records.
    pub goal: Goal,
    /// Whether a renewal brings a new key.
    pub key_change: KeyChange,
    /// Keys that somebody else may have. They are replaced as fast as mail allows.
    pub compromised: BTreeSet<KeyDigest>,
}

/// Whether there are to be records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Records that fit, always.
    Protect,
    /// No records any more.
    Withdraw,
}

/// Whether a renewal of the certificate brings a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyChange {
    /// The key stays; a next one is published all the same, for the day on which it is needed.
    Keep,
    /// Each renewal takes the next key if that has been proved.
    EachRenewal,
}

/// What is seen of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What each authoritative server of the records' zone shows; empty if they are not known.
    pub servers: Vec<ServerSeen>,
    /// How long a cache may keep what it is told at the name: the greater of the records' TTL and the
    /// TTL of absence (RFC 2308 §5). `None` if no server said.
    pub ttl: Option<Duration>,
    /// How far the zone's answers can be trusted: records in an unsigned zone protect nobody.
    pub dnssec: Dnssec,
    /// What the server shows: one item for each address and each kind of certificate. `None` if not
    /// all of it could be seen.
    pub presented: Option<Vec<Presented>>,
    /// The keys of the certificates in our own files.
    pub own_keys: BTreeSet<KeyDigest>,
    /// The keys that were made for the next certificate, if they are kept.
    pub prepared: Option<BTreeSet<KeyDigest>>,
    /// A certificate that is there and waits for being deployed, with the authorities that are to
    /// have records; `None` if none waits.
    pub certificate: Option<Chain>,
    /// Whether the certificate in use has to be renewed.
    pub renewal: Renewal,
}

/// What one authoritative server shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerSeen {
    /// These records, perhaps none.
    Records(Vec<Tlsa>),
    /// It did not answer.
    Unknown,
}

/// What a server showed on one address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Presented {
    /// The key of its certificate.
    pub key: KeyDigest,
    /// The keys of the authorities that it sent along.
    pub anchors: BTreeSet<KeyDigest>,
}

impl Presented {
    /// Whether this is the chain, by each kind of record that the chain has.
    #[must_use]
    pub fn is_of(&self, chain: &Chain) -> bool {
        chain.keys.contains(&self.key)
            && (chain.anchors.is_empty() || !chain.anchors.is_disjoint(&self.anchors))
    }
}

/// Whether a certificate has to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Renewal {
    /// Not yet.
    NotDue,
    /// It is time; there is time to wait for a key to be proved.
    Due,
    /// It ends soon: with whatever key can be used now.
    Urgent,
}
