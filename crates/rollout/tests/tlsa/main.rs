//! The TLSA autopilot in a simulated world: clauses and properties.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod clauses;
mod properties;
mod world;
