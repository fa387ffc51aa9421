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
mod gate;
mod machine_interface;
#[path = "../reports/mail_server.rs"]
#[expect(dead_code, reason = "it can do more than these tests need")]
mod mail_server;
mod overrides;
mod policies;
mod refresh;
mod reports;
mod signals;
mod survival;
mod tls_reports;
mod verbs;
mod world;
