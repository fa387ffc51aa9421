//! The TLSA autopilot: records, keys and certificates of one host, kept together.
//!
//! A sender that has TLSA records delivers only to a server whose key fits one of them, and it goes
//! by what its cache holds: records up to a TTL old. So a new key must be in the DNS for two TTLs
//! before the server shows it (RFC 7671 §8.1), and an old record may go when the server shows its key
//! no longer:
//!
//! ```text
//!   current ──────────────────────────────┐ retiring ───────► forgotten
//!   next   made ─ published ─ 2 TTL ─ ordered ─ deployed = current ──────►
//!   next                                          made ─ published ─ …
//! ```
//!
//! The next key is made and published as soon as there is a current one. It is then months old when
//! it is needed, be it for a renewal or because the current key was stolen.
//!
//! What no fact can bring about:
//!
//! - [`Action::Deploy`] for a chain that has a record which was not seen on every authoritative
//!   server, without a break, for two of the longest TTL that a cache may go by. A server that does
//!   not answer counts as one that does not show it.
//! - A set of records without the one that a server shows.
//! - A record for a key that the server shows and nobody here knows: it may be an attacker's.
//!
//! If the next key cannot be proved in time, the certificate is renewed with the current key, which
//! is always safe. Records are `3 1 1`, digests of keys, and if wanted `2 1 1` of the authority (BSI
//! TR-03108 05-M); each kind fits the current chain by itself (RFC 7671 §8).

mod chain;
mod facts;
mod reason;
mod state;
mod step;

pub use chain::{Chain, KeyDigest};
pub use facts::{Facts, Goal, Intent, KeyChange, Presented, Renewal, ServerSeen};
pub use reason::Reason;
pub use state::State;
pub use step::{Action, Step, step};
