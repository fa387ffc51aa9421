//! A small mail server that takes reports in: SMTP (RFC 5321) and LMTP (RFC 2033), receiving only.
//!
//! Reports come to an address. Whoever runs a mail server already routes that address here with one
//! line (`lmtp:unix:/path`); whoever has a name for reports alone lets its MX point here. The server
//! takes mail for the addresses of the configuration, for nobody else, and sends none.
//!
//! What 250 means: the mail is on the disk. It is said for a mail that nobody can read, too, for its
//! sender can do nothing about it; such mail is kept aside. A fault of ours is a 451, and the mail
//! stays with its sender.
//!
//! In reading order: `command` is what a client says, `envelope` what it has said so far,
//! `reply` what it is told, `content` the mail behind `DATA`, `session` the dialogue: a pure
//! function of the octets that came, however they were cut. `serve` has sockets and clocks.
//!
//! What is not here: TLS and authentication, which the mail server in front has; queues, for what
//! was taken is stored.

mod command;
mod content;
mod counters;
mod envelope;
mod reply;
mod serve;
mod session;

pub use command::{Command, CommandError, Forwarded, Parameters};
pub use content::{Content, Taken};
pub use counters::SmtpCounters;
pub use envelope::{Envelope, Recipients};
pub use reply::Reply;
pub use serve::{SmtpSettings, serve};
pub use session::{Dialect, Mail, MailFault, Session, SessionLimits, Step, Terms, Trust};
