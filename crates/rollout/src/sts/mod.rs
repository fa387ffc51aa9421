//! The MTA-STS autopilot: from nothing to a year of protection, and back, without losing mail.
//!
//! ```text
//!                     all good for 14 or 28 days       7 d, 14 d, 30 d
//!   nothing ─► testing ───────────────────────► enforce ─► longer ─► longer ─► longest
//!      ▲          ▲                                │ every host bad            │
//!      │          └────────────────────────────────┴──────────────────────────┤
//!      └── record and host removed ◄── nobody remembers ◄── mode none ◄────────┘ withdrawn
//! ```
//!
//! Every arrow is a new policy, and every new policy goes the same way, which no state and no fact
//! can turn around (RFC 8461 §8.1): the policy host gives the new body to outside; then the record
//! gets a new id; then all authoritative servers show it; then the TTL of the old one passes. A
//! sender that saw the new id before the new body would keep the old body under the new name.
//!
//! What no fact can bring about:
//!
//! - Enforce without every declared host good, a TLSRPT record, and no decisive failure reported.
//! - Less protection without a [`Reason`] that says so.
//! - A policy that allows a host only because an MX record names it: those can be forged.
//! - A record or a policy host that goes while somebody may remember a policy (§8.3).
//! - An id that goes back.
//!
//! A change of MX hosts needs no commands but the new declaration: the policy allows old and new
//! hosts first; when nobody remembers a policy without the new ones, [`Action::ChangeMx`] comes; and
//! when no cache has the old MX records any more, the policy forgets the old hosts.

mod evidence;
mod facts;
mod reason;
mod state;
mod step;

pub use facts::{
    Facts, Goal, HostFault, Intent, MxSeen, Patience, Probe, RecordSeen, ReportAddress, ReportFact,
    Settings, StepBack, is_decisive,
};
pub use reason::Reason;
pub use state::{Phase, State};
pub use step::{Action, Step, step};
