//! The milter protocol, version 6, as Postfix and sendmail speak it: our side of it.
//!
//! A mail server that has a milter tells it what an SMTP client does, step by step: who connects,
//! HELO, MAIL, RCPT, each header field, the body in chunks. After the last step, and only there,
//! the milter may change the message and must say what becomes of it. The protocol was never
//! written down as a standard; what stands here was read off sendmail's `mfdef.h`, and off what
//! Postfix and sendmail send and take.
//!
//! We ask for every step and agree, wherever the mail server can, to answer none but the last
//! (the `NR_` flags): a message costs one round trip. Header fields are asked for with the white
//! space behind the colon, because signatures are made over it. In reading order:
//!
//! - [`packet`]: frames; [`command`]: what the mail server says; [`reply`]: what we say, of
//!   checked parts ([`refusal`], [`field`]) only; all pure;
//! - [`negotiate`]: what both can do;
//! - [`session`]: the order of steps, and what is known of a message ([`envelope`], [`macros`]);
//!   a state machine without IO;
//! - [`judge`]: the door to whoever decides;
//! - [`mod@serve`]: sockets, time limits, [`counters`]; below it `conversation`, one connection.
//!
//! What a milter is shown is what is delivered: Postfix and sendmail mend or refuse bare CR, bare
//! LF, zero octets and white space before a colon first. What is not shown is what the mail server
//! itself adds: `Received`, and in sendmail also `Date`, `From` and `Message-Id` where they are
//! missing. Lines too long for SMTP are cut later.

pub mod command;
mod conversation;
pub mod counters;
pub mod envelope;
pub mod field;
pub mod judge;
pub mod macros;
pub mod negotiate;
pub mod packet;
pub mod refusal;
pub mod reply;
pub mod serve;
pub mod session;

pub use counters::{MilterCounters, VerdictKind};
pub use envelope::{Client, ClientAddress, Envelope};
pub use field::{FieldName, NewField};
pub use judge::{Judge, MessageInProgress, Verdict};
pub use refusal::Refusal;
pub use reply::{Change, QuarantineReason};
pub use serve::{MilterSettings, OnFault, serve};
pub use session::{HeaderFault, MilterLimits};
