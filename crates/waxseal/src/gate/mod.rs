//! The role `gate`: what comes in is verified, what goes out is signed.

pub mod attachment;
