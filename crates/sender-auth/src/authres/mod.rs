//! The header field `Authentication-Results` (RFC 8601): how a mail server tells whoever reads the
//! message next what it has found out about the sender.
//!
//! ```text
//! Authentication-Results: mx.example.com;
//!     spf=pass smtp.mailfrom=example.org;
//!     dkim=pass (2048-bit key) header.d=example.org header.s=2026 header.b=AbCdEfGh
//! ```
//!
//! First comes who speaks ([`AuthservId`]), then one statement for each check
//! ([`MethodResult`]): the method, its result, perhaps a reason in words, and which properties of
//! the message were looked at. `none` instead of statements says that nothing was checked.
//!
//! - Reading: [`AuthenticationResults::parse`] takes the whole grammar, comments and folds and
//!   quoted strings included.
//! - Writing: [`AuthenticationResults::to_value`] folds to 78 columns. Its words ([`Keyword`],
//!   [`Value`], [`Comment`]) hold no control character, whatever a sender has put into domains and
//!   local parts; so nobody can write a header field of their own through ours.
//! - Removing: whoever reads the field believes the server named in it, so a server removes those
//!   that it has not written itself ([`removals`], §5).
//!
//! The field has no protection of its own. What it says is worth as much as the way from the
//! server that wrote it to the reader. ARC (`crate::arc`) signs it.

mod cursor;
mod model;
mod parse;
mod removal;
mod signature_prefix;
mod words;
mod write;

pub use model::{AuthenticationResults, MethodResult, Property, PropertyName};
pub use parse::{AuthenticationResultsError, AuthenticationResultsFault};
pub use removal::{Removal, RemovalReason, removals};
pub use signature_prefix::signature_prefixes;
pub use words::{AuthservId, AuthservIdError, Comment, Keyword, Value};

pub(crate) use cursor::MAX_FIELD;
pub(crate) use parse::parse_instance;

/// The name of the header field.
pub const FIELD_NAME: &str = "Authentication-Results";
