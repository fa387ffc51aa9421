//! Waxseal: transport security for the mail server that you already run.
//!
//! The program in one sentence: *observe → decide → answer.* Look-ups and fetches yield facts, a
//! pure function turns facts into a decision, and the mail server gets it as an answer.
//!
//! | module | what it does | what it must not know |
//! |---|---|---|
//! | [`cli`] | verbs, and what a person sees | how anything is looked up |
//! | [`config`] | keys, the file, the operator's overrides | what the values are used for |
//! | [`observe`] | turns DNS and HTTPS into facts | what the facts mean |
//! | [`sender`] | the role: memory, freshness, one look-up for many askers | any wire format |
//! | [`answer`] | socketmap, Exim's line, the decision API | why a decision fell |
//! | [`gate`] | the role: verifies and judges incoming mail, signs outgoing mail | who looks things up |
//! | [`collect`] | the role: counts the TLS sessions of our own mail servers | how a report looks |
//! | [`report`] | the role: tells the owners of domains what mail came in their name | why a verdict fell |
//! | [`intake`] | reads what others report: mails, packed files, XML | what is kept of it |
//! | [`explain`] | an evaluation as a document, and as text for people | how it is judged |
//! | [`postfix`] | the Postfix on this machine, and the lines it needs | anything about domains |
//! | [`keys`] | DKIM keys: made, announced, used, retired | who has sent a message |
//! | [`crypto`] | the library that hashes, verifies and signs | what is signed, and why |
//! | [`store`] | one SQLite file: what must outlive the process | any rule of a protocol |
//! | [`listen`] | sockets: own ones and those of systemd | what is spoken on them |
//! | [`metrics`] | counters for Prometheus, and health | anything else |
//!
//! The rules of the protocols are not here: see the crates `mta-sts`, `smtp-dane`, `sender-auth` and
//! `transport-policy`, which do no IO. This crate does all of it, and nothing else.

pub mod answer;
pub mod cli;
pub mod collect;
pub mod config;
pub mod crypto;
pub mod explain;
pub mod gate;
pub mod intake;
pub mod keys;
pub mod listen;
pub mod metrics;
pub mod observe;
pub mod postfix;
pub mod report;
pub mod sender;
pub mod store;
