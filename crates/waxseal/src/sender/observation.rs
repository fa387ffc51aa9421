//! What the role sees itself and no mail server can: policies that cannot be had, and mail hosts
//! that break a policy in mode testing. It goes to whoever makes TLS reports of it (RFC 8460).
//!
//! One value is one event: a fetch that failed is told when it fails, and not again while its
//! failure is remembered. What a mail server sees in its own sessions is not told here, so that
//! nothing is counted twice.

use std::net::IpAddr;
use std::sync::OnceLock;

use mta_sts::Policy;
use smtp_types::{DomainName, UnixTime};
use tlsrpt::ResultType;
use tokio::sync::mpsc;

use super::Counter;

/// How many observations wait for whoever takes them; beyond that they are dropped and counted.
pub const OBSERVATIONS: usize = 4096;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When.
    pub at: UnixTime,
    /// Whose policy it is about.
    pub policy_domain: DomainName,
    /// The MTA-STS policy that applied; `None` if none could be had.
    pub policy: Option<Policy>,
    /// The mail host, if it is about one; else it is about the policy itself.
    pub mx: Option<ObservedMx>,
    /// What failed; `None` is a success.
    pub failure: Option<ObservedFailure>,
}

/// A mail host that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedMx {
    /// Its name, as in the MX record.
    pub host: DomainName,
    /// The name that it gave itself, unchecked: one word of printable ASCII.
    pub helo: Option<String>,
    /// Its address; `None` if nobody connected.
    pub receiving: Option<IpAddr>,
    /// Our address; `None` if nobody connected.
    pub sending: Option<IpAddr>,
}

/// A failure in the words of reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedFailure {
    /// The result type (RFC 8460 §4.3), by the one map in `transport-policy`.
    pub result_type: ResultType,
    /// One word that says more, for example `certificate-unknown-issuer`.
    pub reason_code: String,
    /// A sentence for people, without control characters.
    pub detail: String,
}

/// Where observations go.
#[derive(Default)]
pub(super) struct Observations {
    taker: OnceLock<mpsc::Sender<Observation>>,
    dropped: Counter,
}

impl Observations {
    /// From now on they are kept for the one who called this first; `None` for anyone else.
    pub(super) fn take(&self) -> Option<mpsc::Receiver<Observation>> {
        let (taker, observations) = mpsc::channel(OBSERVATIONS);
        self.taker.set(taker).ok().map(|()| observations)
    }

    /// Tells an event. Never waits; without a taker it is gone.
    pub(super) fn tell(&self, observation: Observation) {
        if let Some(taker) = self.taker.get()
            && taker.try_send(observation).is_err()
        {
            self.dropped.inc();
        }
    }

    /// How many were dropped because nobody took them in time.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.get()
    }
}
