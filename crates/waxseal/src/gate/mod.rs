//! The role `gate`: judges messages while the mail server receives them, and signs those that it
//! sends.
//!
//! The mail server asks before it takes responsibility for a message, so a message can be refused
//! while its sender is still there to be told, and what is accepted carries the verdict with it.
//!
//! | module | what it does | what it must not know |
//! |---|---|---|
//! | [`milter`] | speaks with Postfix and sendmail | why a verdict fell |
//! | [`decide`] | what happens to a message, a pure function | where its facts come from |
//! | [`verdict`] | the verdict as other filters get it | how it was reached |
//! | [`seal`] | the verdict as a header field that cannot be forged | what it says |

pub mod decide;
pub mod milter;
pub mod seal;
pub mod verdict;
