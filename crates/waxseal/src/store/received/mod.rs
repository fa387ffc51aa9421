//! What others report: the tables `received_*`, as values.
//!
//! - `rows`: what is written;
//! - `take_in`: a report or something unreadable goes in, once;
//! - `forget`: what is too old goes out;
//! - `look`: reports, rows and sums for people and for the search for problems;
//! - `desk`: the connections of other processes than the daemon.
//!
//! What a text means is known to `tlsrpt` and `sender-auth`; here it is a line.
//!
//! # Two processes that write
//!
//! `waxseal reports import` writes into the file beside a running daemon, as a second process of
//! SQLite. It could hand its mails over to the daemon instead. But then an import of 100,000 mails
//! would take the processor and the memory of the process that answers the mail server, and would
//! need a daemon to run. So it reads in its own process, and writes batches in transactions of a
//! fraction of a second. Whoever writes says so when a transaction begins (`BEGIN IMMEDIATE`), so
//! that the other waits and nobody fails halfway.

mod desk;
mod forget;
mod look;
mod rows;
mod take_in;

pub(super) use forget::forget;
pub(super) use take_in::take_in;

pub use desk::{ReceivedImport, ReceivedView};
pub use look::{
    AsideRow, Counted, DaySum, FailureRow, PolicyRow, RecordRow, ReportDetails, ReportRow,
    Selection,
};
pub use rows::{
    Aligned, NewAside, NewFailure, NewPolicy, NewReceived, NewRecord, ReceivedKind, ReceivedTotals,
    Taken, TakenIn, TakenOutcome, TextNumber, Texts,
};
