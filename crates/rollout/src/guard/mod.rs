//! The guard: what was promised beside what outside sees, and how to repair what differs.
//!
//! Records and policies are changed by people, panels, certbot and providers, and senders notice
//! first. [`inspect`] is a pure function from the [`Promise`] and what was [`Seen`] to every
//! [`Drift`] between them, each with its weight, its clause and the fix. It judges what is there, never
//! what could not be looked up: unknown is no drift.
//!
//! It needs no autopilot: a promise can also be written down by whoever publishes by other means.

mod drift;
mod inspect;

pub use drift::Drift;
pub use inspect::{
    CertificateSeen, HostSeen, PolicyPromise, Promise, Seen, WARN_BEFORE_END, inspect,
};
