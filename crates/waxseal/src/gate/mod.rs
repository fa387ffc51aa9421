//! The role `gate`: judges messages while the mail server receives them, and signs those that it
//! sends.
//!
//! The mail server asks before it takes responsibility for a message, so a message can be refused
//! while its sender is still there to be told, and what is accepted carries the verdict with it.
//!
//! | module | what it does | what it must not know |
//! |---|---|---|
//! | [`milter`] | speaks with Postfix and sendmail | why a verdict fell |
//! | [`role`] | the judge behind it; below it `incoming` and `outgoing` | the protocol |
//! | [`facts`] | the results of the protocols, reduced to what counts | what follows |
//! | [`decide`] | what happens to a message, a pure function | where its facts come from |
//! | [`attachment`] | what kinds of attachments a message has, by content | who has sent it |
//! | [`answer`] | what the client is told | how it was decided |
//! | [`verdict`] | the verdict as other filters get it | how it was reached |
//! | [`seal`], [`key_file`] | the verdict as a header field that cannot be forged | what it says |
//! | [`recent`], [`counters`] | what was said lately, and how often | anything else |
//!
//! Who has sent a message is found out by `sender-auth`, which does no IO; here are the sockets, the
//! keys and the operator's wishes.

pub mod answer;
pub mod attachment;
pub mod counters;
pub mod decide;
pub mod facts;
mod incoming;
pub mod key_file;
pub mod milter;
mod outgoing;
pub mod recent;
pub mod role;
pub mod seal;
pub mod verdict;

pub use role::{Gate, GateSettings, NotStrict, Parts};
