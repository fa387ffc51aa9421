//! Tells the mail server what was decided; decides nothing.
//!
//! A mail server asks "how must I encrypt to this next hop?" in one of several protocols. Whoever
//! asks, the answer is the same [`Replies`], made once for each decision and kept in memory by the
//! role that looked it up, behind the door [`Answers`]. In reading order:
//!
//! - [`reply`]: what is said, to the octet; below it `attribute`, through which alone anything
//!   gets into a reply;
//! - [`netstring`] and `request`: how Postfix and sendmail frame and word a question; pure;
//! - [`socketmap`]: the server for them; below it `session`, [`counters`] and `complaint`;
//! - [`mod@line`]: the same for Exim, one line each way;
//! - [`api`] and [`http`]: health, metrics and decisions over HTTP.
//!
//! None of these protocols has a command that changes anything, so any local process may ask.

use std::future::Future;

use smtp_types::NextHop;

pub mod api;
mod attribute;
pub(crate) mod complaint;
pub mod counters;
pub mod http;
pub mod line;
pub mod netstring;
pub mod reply;
mod request;
mod session;
pub mod socketmap;

pub use counters::SocketmapCounters;
pub use reply::{MapName, Replies, ReplyKind};
pub use socketmap::SocketmapSettings;

/// Where answers come from: the sender role, or a table in tests.
pub trait Answers: Send + Sync + 'static {
    /// The replies for a key in canonical form ([`NextHop`]'s `Display`), if they are fresh in
    /// memory. Must not block. Any text may come, canonical or not; what is not has no replies.
    fn fresh(&self, key: &str) -> Option<Replies>;

    /// The replies, looked up if need be; never longer than the role's deadline.
    fn look_up(&self, next_hop: NextHop) -> impl Future<Output = Replies> + Send;
}
