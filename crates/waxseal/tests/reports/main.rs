//! Reports about incoming mail, from the message that is counted to the letter that is read: with a
//! real store, a real resolver and a mail server on real sockets. Only the time is made up.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod abuse;
mod clock;
mod delivery;
#[path = "../daemon/world/dns.rs"]
#[expect(dead_code, reason = "it can do more than these tests need")]
mod dns;
mod failures;
mod mail_server;
mod making;
mod node;
mod verbs;

/// How long a test waits for something that must happen.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
