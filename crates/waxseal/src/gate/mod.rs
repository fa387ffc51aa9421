<<<<<<< HEAD
//! The role: who has sent this message, and what happens to it.

pub mod decide;
pub mod seal;
pub mod verdict;
=======
//! The role `gate`: judges messages while the mail server receives them.
//!
//! The mail server asks before it takes responsibility for a message, so a message can be refused
//! while its sender is still there to be told, and what is accepted carries the verdict with it.
//!
//! | module | what it does | what it must not know |
//! |---|---|---|
//! | [`milter`] | speaks with Postfix and sendmail | why a verdict fell |

pub mod milter;
>>>>>>> wt-milter
