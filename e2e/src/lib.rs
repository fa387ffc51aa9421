//! The end-to-end lab: a private Internet in network namespaces, with an attacker on the path.
//!
//! A real Postfix 3.10 sends letters, asks Waxseal how to encrypt, and meets real name servers
//! below a signed root, policy hosts, a receiving Postfix, and a rogue that wants to read. Each
//! case ([`case::Case`], one text file in `cases/`) says what a domain publishes, what the
//! attacker does, and how many letters arrive where. The rogue must get none from a protected
//! domain, and must get one from an unprotected domain: so the test can fail.
//!
//! Reading order: [`case`] (what is tested), [`network`] and [`addresses`] (where), [`zones`],
//! [`attack`] and [`rogue`] (what the attacker does), [`lab`] (how it is put together), then
//! `tests/network.rs` (the run). This crate holds no knowledge of MTA-STS or DANE: what is right
//! stands in the case files.

pub mod addresses;
pub mod attack;
pub mod case;
pub mod certificates;
pub mod command;
pub mod daemon;
pub mod dns_tree;
pub mod error;
pub mod gate;
pub mod lab;
pub mod load;
pub mod maillog;
pub mod name_servers;
pub mod namespace;
pub mod network;
pub mod outcome;
pub mod packages;
pub mod policy_host;
pub mod post_front;
pub mod postfix;
pub mod python;
pub mod report_socket;
pub mod reporting;
pub mod rogue;
pub mod signer;
pub mod submission;
pub mod tree;
pub mod trial;
pub mod waxseal;
pub mod zones;
