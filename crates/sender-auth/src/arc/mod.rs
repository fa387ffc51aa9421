//! ARC, the Authenticated Received Chain (RFC 8617): what those who forwarded a message had seen
//! before they changed it.
//!
//! A mailing list breaks DKIM when it adds a footer, and SPF when it sends from its own address.
//! But it has seen the message before. With ARC it writes down what it saw and signs that. Each
//! server that takes part adds a *set* of three header fields with the same instance number, from
//! 1 to 50:
//!
//! | field | says | signed |
//! |---|---|---|
//! | `ARC-Authentication-Results` | what this server found, as in [`crate::authres`] | by the seal |
//! | `ARC-Message-Signature` | how the message looked when it left, as a DKIM signature | by itself, and by the seal |
//! | `ARC-Seal` | that the chain held until here (`cv=`) | all sets so far |
//!
//! The sets of a message are its *chain*. [`Validator`] says whether it holds (§5.2), [`Sealer`]
//! adds a set (§5.1).
//!
//! A chain that holds proves who has handled the message and that nobody has changed what they
//! said. It does not prove that they told the truth: believe those whom you trust, and treat a
//! chain that fails as if there were none. Nothing here decides that.

mod chain_result;
mod evaluate;
mod field_error;
mod message_signature;
mod seal;
mod seal_field;
mod set;
mod tag_writer;
mod validate;

use core::fmt;

use crate::authres::{AuthenticationResults, Keyword};

pub use chain_result::{
    ChainFailure, ChainResult, FieldKind, MessageSignatureState, Outcome, SetReport,
    SignatureFailure, Signer,
};
pub use evaluate::HashedChain;
pub use field_error::{ArcFieldError, ArcFieldFault};
pub use seal::{
    FieldNames, FieldNamesError, FieldsToCover, SealError, SealOptions, SealedSet, Sealer,
};
pub use validate::{ValidateLimits, Validator};

/// The greatest instance number, and so how many sets a message may have (RFC 8617 §4.2.1).
pub const MAX_INSTANCE: u8 = 50;

/// Whether a chain holds: the "Chain Validation Status" (RFC 8617 §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainStatus {
    /// There is no chain.
    None,
    /// There is one that does not hold.
    Fail,
    /// There is one that holds.
    Pass,
}

impl ChainStatus {
    /// `none`, `fail` or `pass`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Fail => "fail",
            Self::Pass => "pass",
        }
    }

    /// Reads the word, in lower case as `seal-cv-tag` has it; `None` if it is no status.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Fail, Self::Pass].into_iter().find(|status| status.as_str() == word)
    }

    /// The word as a result of the method `arc` (RFC 8617 §10.1).
    #[must_use]
    pub const fn keyword(self) -> Keyword {
        match self {
            Self::None => Keyword::NONE,
            Self::Fail => Keyword::FAIL,
            Self::Pass => Keyword::PASS,
        }
    }

    /// What a server has reported of the chain when the message came, `None` if it said nothing.
    ///
    /// Whoever seals a message that was changed since it came cannot validate the chain any more,
    /// and seals what was found before (RFC 8617 §5.1, step 4).
    #[must_use]
    pub fn reported_in(results: &AuthenticationResults) -> Option<Self> {
        let arc = results.results.iter().find(|result| result.method == Keyword::ARC)?;
        Self::parse(arc.result.as_str())
    }
}

impl fmt::Display for ChainStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
