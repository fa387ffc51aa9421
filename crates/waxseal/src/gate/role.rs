//! The judge behind the milter: it looks at each message, asks the DNS while it comes, and decides.
//!
//! A message is either of ours, on its way out, and gets signatures (`outgoing`); or it comes from
//! outside, and gets a verdict (`incoming`). Which of the two is said by the client: one that has
//! logged in, or that stands in a network of ours, sends mail of ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use sender_auth::Header;
use sender_auth::authres::AuthservId;
use smtp_types::DomainName;

use super::attachment;
use super::counters::GateCounters;
use super::decide::Matrix;
use super::incoming::Incoming;
use super::milter::{
    Change, Envelope, FieldName, HeaderFault, Judge, MessageInProgress, NewField, OnFault, Refusal,
    Verdict,
};
use super::outgoing::Outgoing;
use super::recent::Recent;
use super::seal::SealKey;
use crate::config::{LocalVerdicts, WatchedFile};
use crate::crypto::AwsLc;
use crate::keys::Signers;
use crate::observe::Observer;
use crate::report::Reporter;
use crate::sender::Clock;

/// What an operator may choose.
#[derive(Clone, Debug)]
pub struct GateSettings {
    /// The name under which verdicts are given; `None` is the mail server's own.
    pub authserv_id: Option<DomainName>,
    /// Clients whose mail is of ours.
    pub networks: Vec<IpNet>,
    /// How long verifying may take after the last octet.
    pub deadline: Duration,
    /// What happens to a message that we fail to judge.
    pub on_fault: OnFault,
    /// What happens to mail of ours that is not strictly RFC 5322.
    pub not_strict: NotStrict,
    /// What happens in each case.
    pub matrix: Matrix,
    /// What happens to kinds of attachments.
    pub attachments: attachment::rules::Rules,
    /// What is added to a refusal.
    pub help: String,
}

/// What becomes of a message of ours that would be signed and is not strictly RFC 5322 (BSI
/// TR-03182-04-M).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStrict {
    /// It is signed, and the log says what is wrong.
    Sign,
    /// It passes unsigned.
    Leave,
    /// Whoever sends it is told what to mend.
    Refuse,
}

/// All that the role needs of others.
pub struct Parts {
    /// Who answers questions to the DNS; bounded for one message.
    pub observer: Observer,
    /// Who hashes and verifies.
    pub crypto: Arc<AwsLc>,
    /// The keys that sign.
    pub signers: Arc<Signers>,
    /// What the operator wants for single domains.
    pub local: Arc<WatchedFile<LocalVerdicts>>,
    /// What seals verdicts.
    pub seal: SealKey,
    /// Who is told of each verdict, for reports; `None` if there are none.
    pub reporter: Option<Arc<Reporter>>,
    /// The time of day.
    pub clock: Clock,
}

/// The role.
pub struct Gate(pub(super) Arc<Shared>);

/// What every message shares.
pub(super) struct Shared {
    pub(super) settings: GateSettings,
    pub(super) parts: Parts,
    pub(super) counters: Arc<GateCounters>,
    pub(super) recent: Arc<Recent>,
}

impl Gate {
    /// A gate by these settings, made of these parts.
    #[must_use]
    pub fn new(settings: GateSettings, parts: Parts) -> Self {
        let (counters, recent) = Default::default();
        Self(Arc::new(Shared { settings, parts, counters, recent }))
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> Arc<GateCounters> {
        Arc::clone(&self.0.counters)
    }

    /// The verdicts that it has given lately.
    #[must_use]
    pub fn recent(&self) -> Arc<Recent> {
        Arc::clone(&self.0.recent)
    }

    /// The operator's file, to be read again from time to time.
    #[must_use]
    pub fn local(&self) -> &WatchedFile<LocalVerdicts> {
        &self.0.parts.local
    }
}

impl Shared {
    /// Whether the client sends mail of ours.
    fn is_ours(&self, envelope: &Envelope) -> bool {
        if envelope.macros.value("auth_authen").is_some() {
            return true;
        }
        envelope.client.address.ip().is_some_and(|address| {
            self.settings.networks.iter().any(|network| network.contains(&address))
        })
    }

    /// The name under which verdicts are given: the setting, else the mail server's own name.
    pub(super) fn authserv_id(&self, envelope: &Envelope) -> Option<AuthservId> {
        if let Some(name) = &self.settings.authserv_id {
            return AuthservId::new(name.as_str()).ok();
        }
        AuthservId::new(str::from_utf8(envelope.macros.value("j")?).ok()?).ok()
    }

    /// The verdict for a message that we fail to judge.
    pub(super) fn fault(&self) -> Verdict {
        self.counters.count_fault();
        match self.settings.on_fault {
            OnFault::Accept => Verdict::Accept { changes: Vec::new() },
            OnFault::Defer => {
                let text =
                    "The origin of this message could not be checked; please try again later";
                match Refusal::new(451, "4.3.0", text) {
                    Ok(refusal) => Verdict::Refuse(refusal),
                    Err(_) => Verdict::Accept { changes: Vec::new() },
                }
            }
        }
    }
}

impl Judge for Gate {
    type Message = Letter;

    fn begin(&self, _envelope: &Envelope) -> Letter {
        Letter { shared: Arc::clone(&self.0), way: Way::Unknown }
    }
}

/// A message on its way through the gate.
pub struct Letter {
    shared: Arc<Shared>,
    way: Way,
}

enum Way {
    /// Its header has not come.
    Unknown,
    /// Its header cannot be kept, for this reason.
    TooMuch(HeaderFault),
    In(Box<Incoming>),
    Out(Box<Outgoing>),
}

impl MessageInProgress for Letter {
    fn header(&mut self, envelope: &Envelope, header: Result<Header, HeaderFault>) {
        let shared = &self.shared;
        self.way = match header {
            Err(fault) => Way::TooMuch(fault),
            Ok(header) if shared.is_ours(envelope) => {
                Way::Out(Box::new(Outgoing::new(shared, header)))
            }
            Ok(header) => Way::In(Box::new(Incoming::new(shared, envelope, header))),
        };
    }

    fn body(&mut self, octets: &[u8]) {
        match &mut self.way {
            Way::In(incoming) => incoming.body(octets),
            Way::Out(outgoing) => outgoing.body(octets),
            Way::Unknown | Way::TooMuch(_) => {}
        }
    }

    async fn verdict(self, envelope: &Envelope) -> Verdict {
        let Self { shared, way } = self;
        match way {
            Way::In(incoming) => incoming.verdict(&shared, envelope).await,
            Way::Out(outgoing) => outgoing.verdict(&shared, envelope),
            Way::TooMuch(fault) => too_much(&fault),
            Way::Unknown => shared.fault(),
        }
    }
}

/// A header that nobody needs is no reason to keep it in memory.
fn too_much(fault: &HeaderFault) -> Verdict {
    let text: String =
        fault.to_string().chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
    match Refusal::new(550, "5.3.4", &text) {
        Ok(refusal) => Verdict::Refuse(refusal),
        Err(_) => Verdict::Accept { changes: Vec::new() },
    }
}

/// Fields of ours that come from outside, removed: nobody but us writes them.
pub(super) fn remove_all(header: &Header, name: &'static str) -> Vec<Change> {
    let Ok(field) = FieldName::new(name.as_bytes()) else { return Vec::new() };
    let count = u32::try_from(header.named(name).count()).unwrap_or(u32::MAX);
    (1..=count)
        .filter_map(std::num::NonZeroU32::new)
        .map(|occurrence| Change::RemoveHeader { occurrence, name: field.clone() })
        .collect()
}

/// A field to be put on top.
pub(super) fn on_top(field: &sender_auth::HeaderField) -> Option<Change> {
    match NewField::new(field) {
        Ok(field) => Some(Change::InsertHeader { place: 0, field }),
        Err(error) => {
            tracing::error!(%error, ?field, "a header field of ours cannot be inserted");
            None
        }
    }
}

/// A lock that outlives a panic elsewhere.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
