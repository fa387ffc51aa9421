//! The program from outside: the real binary as a child process, a real resolver, a real policy
//! host, real signals and real disks. Whatever is found out here, mail servers find out as well.
//!
//! Each test has a [`world::World`] of its own: a folder, a resolver and a policy host on free
//! ports of loopback. Nothing waits for time where an event can be waited for.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod collect;
mod deadline;
mod dkim;
mod dnssec;
mod endpoints;
mod machine_interface;
mod overrides;
mod policies;
mod refresh;
mod signals;
mod survival;
mod verbs;
mod world;
