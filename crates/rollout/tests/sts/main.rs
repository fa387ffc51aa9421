//! The MTA-STS autopilot in a simulated world: clauses, timelines, properties.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod clauses;
mod properties;
mod timeline;
mod world;
