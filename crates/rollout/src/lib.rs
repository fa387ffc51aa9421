//! Publishing transport security for one's own domains, and keeping it right, without IO.
//!
//! *Declare → plan → publish → watch.* A domain that receives mail makes promises to those who send
//! it: an MTA-STS policy, TLSA records. Senders remember them for hours or for months, and refuse
//! mail if they find something else. So nothing here may change at once: each change is a row of
//! steps with waits between them, and the order is what keeps mail coming. This crate knows the
//! rows; it is for whoever runs the steps.
//!
//! - [`sts`] leads an MTA-STS policy from testing to enforce to a long life, on evidence only, and
//!   back; it changes MX hosts, and withdraws a policy (RFC 8461).
//! - [`tlsa`] keeps TLSA records, keys and certificates of a host together through every renewal
//!   (RFC 7671 §8).
//! - [`guard`] compares what was promised with what outside sees, and says how to repair it.
//! - [`plan_move`] lists the steps of a move to other mail hosts, with their waits.
//! - [`plan`] says which records a domain should have beside those that it has, and prints them.
//!
//! The two autopilots are functions from a state, what is wanted, what is seen and the time to the
//! next state, what to do, and why. What they ask to be done, they ask for until they see it done.
//! A state is one line of text, so it can be kept anywhere.
//!
//! What is not here: the looking, the publishing, ACME, and keys. Of a key this crate knows a digest.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod guard;
pub mod plan;
pub mod sts;
pub mod tlsa;

mod mx_change;
mod stamp;
mod state_line;
mod watched;

pub use mx_change::{Move, MoveStep, Until, duration, plan_move};
pub use state_line::StateError;
pub use watched::{LONGEST_GAP, LongestTtl};
