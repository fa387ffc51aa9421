//! The role: who has sent this message, and what happens to it.

pub mod decide;
pub mod seal;
pub mod verdict;
