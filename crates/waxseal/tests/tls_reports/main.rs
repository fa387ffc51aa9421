//! TLS reports to others, from the sessions that were counted to the report that is read: with a
//! real store, a real resolver, and a mail server and a web server on real sockets. Only the time is
//! made up.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod abuse;
mod asked;
#[path = "../daemon/world/dns.rs"]
#[expect(dead_code, reason = "it can do more than these tests need")]
mod dns;
mod https;
mod mail;
#[path = "../reports/mail_server.rs"]
#[expect(dead_code, reason = "it can do more than these tests need")]
mod mail_server;
#[path = "../reports/node.rs"]
#[expect(dead_code, reason = "it can do more than these tests need")]
mod node;
mod sessions;
mod survival;
mod verbs;
mod web_server;

/// How long a test waits for something that must happen.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
