//! Where the memory of a policy and today's world part ways.
//!
//! Whoever wants to strip the protection of a domain must make its policy vanish, or put a weaker
//! one in its place. A sender that remembers sees the attempt. It may also be a mistake of the
//! domain's operator, or a change that was meant; either way somebody should know (RFC 8461 §10.2:
//! senders should alert their administrators; ledger S2-52).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::UnixTime;

use crate::discover::{Discovery, RecordFailure};
use crate::{CachedPolicy, FetchError, Mode, PolicyId};

/// One way in which today's findings disagree with an unexpired remembered policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// The record is gone, doubled or malformed, or the DNS fails.
    Record(RecordFailure),
    /// The record has a new id, and the policy that should be there is not.
    Policy(FetchError),
    /// The new id sorts before the old one, although both look like time stamps: perhaps an old
    /// state is being replayed.
    IdOlder {
        /// The id of the remembered policy.
        remembered: PolicyId,
        /// The id of today's record.
        found: PolicyId,
    },
    /// The new policy protects less: from enforce to testing or none, or from testing to none.
    Weaker {
        /// The mode of the remembered policy.
        remembered: Mode,
        /// The mode of the new one.
        found: Mode,
    },
    /// The policy host's certificate comes from another issuer than before.
    Issuer {
        /// The issuer when the policy was remembered.
        remembered: String,
        /// The issuer today.
        found: String,
    },
}

/// All disagreements between a remembered policy and what was found at `now`.
///
/// Empty if the remembered policy has expired, and, as RFC 8461 §3.3 has it, for failures while
/// its mode is none: an operator who withdrew a policy is about to take the host down.
#[must_use]
pub fn disagreements(cached: &CachedPolicy, found: &Discovery, now: UnixTime) -> Vec<Disagreement> {
    if !cached.is_unexpired(now) {
        return Vec::new();
    }
    let mut all = Vec::new();
    match &found.record {
        Err(failure) => all.push(Disagreement::Record(failure.clone())),
        Ok(record) if is_older(record.id(), &cached.id) => all.push(Disagreement::IdOlder {
            remembered: cached.id.clone(),
            found: record.id().clone(),
        }),
        Ok(_) => {}
    }
    match &found.fetched {
        Some(Err(error)) => all.push(Disagreement::Policy(error.clone())),
        Some(Ok(policy)) if strength(policy.mode()) < strength(cached.policy.mode()) => {
            let (remembered, found) = (cached.policy.mode(), policy.mode());
            all.push(Disagreement::Weaker { remembered, found });
        }
        Some(Ok(_)) | None => {}
    }
    if let (Some(remembered), Some(found)) = (&cached.issuer, &found.issuer)
        && remembered != found
    {
        all.push(Disagreement::Issuer { remembered: remembered.clone(), found: found.clone() });
    }
    if cached.policy.mode() == Mode::None {
        all.retain(|one| !matches!(one, Disagreement::Record(_) | Disagreement::Policy(_)));
    }
    all
}

/// Ids have no order (RFC 8461 §3.1), but nearly all are time stamps: digits, perhaps a `T` or
/// `Z`, of one length. Only such are compared.
fn is_older(found: &PolicyId, remembered: &PolicyId) -> bool {
    let (found, remembered) = (found.as_str(), remembered.as_str());
    let looks_like_time = |id: &str| {
        id.len() >= 8 && id.bytes().all(|byte| byte.is_ascii_digit() || b"TZ".contains(&byte))
    };
    found.len() == remembered.len()
        && looks_like_time(found)
        && looks_like_time(remembered)
        && found < remembered
}

const fn strength(mode: Mode) -> u8 {
    match mode {
        Mode::None => 0,
        Mode::Testing => 1,
        Mode::Enforce => 2,
    }
}

impl Disagreement {
    /// A stable name for machines and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Record(_) => "record-gone",
            Self::Policy(_) => "policy-unavailable",
            Self::IdOlder { .. } => "id-older",
            Self::Weaker { .. } => "policy-weaker",
            Self::Issuer { .. } => "issuer-changed",
        }
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(failure) => write!(f, "the record is not to be had: {failure}"),
            Self::Policy(error) => write!(f, "the policy is not to be had: {error}"),
            Self::IdOlder { remembered, found } => {
                write!(f, "the id went back from {remembered} to {found}")
            }
            Self::Weaker { remembered, found } => {
                write!(f, "the mode went down from {} to {}", remembered.as_str(), found.as_str())
            }
            Self::Issuer { remembered, found } => {
                write!(
                    f,
                    "the policy host's certificate was issued by {remembered:?}, now by {found:?}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_stamps_have_an_order() {
        let older = |found, remembered| {
            is_older(&PolicyId::parse(found).unwrap(), &PolicyId::parse(remembered).unwrap())
        };
        assert!(older("20250101000000Z", "20260101000000Z"));
        assert!(!older("20260101000000Z", "20250101000000Z"));
        assert!(!older("2025010100", "20260101000000Z")); // another length
        assert!(!older("3f2a00000001", "9c1b00000001")); // a hash
        assert!(!older("1", "2")); // a counter that starts again
    }
}
