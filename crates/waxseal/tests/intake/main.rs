//! Reading what others report, from octets to reports: every form of mail that is met in the wild,
//! and everything that somebody could send to do harm.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod forms;
mod hostile;
mod import;
mod mails;
mod protocol;
mod scenarios;
mod show;
mod verbs;
