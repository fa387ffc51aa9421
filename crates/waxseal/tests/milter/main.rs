//! The milter, as a mail server meets it: on real sockets, and its state machine as a table.
//!
//! Where a bound in time is tested it is set short, and the test waits for the end that it brings.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod dialogue;
mod end;
mod faults;
mod hostile;
mod judge;
mod mail_server;
mod packets;
mod session;
