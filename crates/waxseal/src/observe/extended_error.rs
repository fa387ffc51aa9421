//! What a resolver adds to its code: extended DNS errors (RFC 8914).

use std::fmt;

use bytes::Bytes;
use domain::base::Message;
use domain::base::opt::exterr::ExtendedError;

use super::printable::printable;

/// How many extended errors of one message are read, and how many characters of each.
const MAX_ERRORS: usize = 4;
const MAX_TEXT: usize = 200;

/// The extended errors of a message, as they came.
pub(super) struct ExtendedErrors(Vec<(u16, String)>);

/// What they say about a SERVFAIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Signatures are wrong, missing or out of time: codes 6 to 12, and 25.
    Bogus,
    /// Name servers could not be reached: codes 22 and 23.
    Network,
    /// Nothing that decides.
    Unknown,
}

impl ExtendedErrors {
    /// None if the message has no OPT record or no such option.
    pub(super) fn of(message: &Message<Bytes>) -> Self {
        let Some(opt) = message.opt() else {
            return Self(Vec::new());
        };
        let errors =
            opt.opt().iter::<ExtendedError<Bytes>>().flatten().take(MAX_ERRORS).map(|error| {
                let text = printable(error.text_slice().unwrap_or_default(), MAX_TEXT);
                (error.code().to_int(), text)
            });
        Self(errors.collect())
    }

    /// Bogus before network: a resolver that could not fetch a key may say both, and then the name
    /// must not be taken for unsigned.
    pub(super) fn meaning(&self) -> Meaning {
        let any = |codes: &[u16]| self.0.iter().any(|(code, _)| codes.contains(code));
        if any(&[6, 7, 8, 9, 10, 11, 12, 25]) {
            return Meaning::Bogus;
        }
        if any(&[22, 23]) {
            return Meaning::Network;
        }
        Meaning::Unknown
    }
}

/// Ready to be put behind the response code.
impl fmt::Display for ExtendedErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (code, text) in &self.0 {
            write!(f, ", extended error {code} ({})", name(*code))?;
            if !text.is_empty() {
                write!(f, ": {text:?}")?;
            }
        }
        Ok(())
    }
}

/// The name in the IANA registry, of those that a resolver sends with a failure.
fn name(code: u16) -> &'static str {
    match code {
        0 => "other",
        5 => "DNSSEC indeterminate",
        6 => "DNSSEC bogus",
        7 => "signature expired",
        8 => "signature not yet valid",
        9 => "DNSKEY missing",
        10 => "RRSIGs missing",
        11 => "no zone key bit set",
        12 => "NSEC missing",
        13 => "cached error",
        14 => "not ready",
        15 => "blocked",
        16 => "censored",
        17 => "filtered",
        18 => "prohibited",
        20 => "not authoritative",
        21 => "not supported",
        22 => "no reachable authority",
        23 => "network error",
        24 => "invalid data",
        25 => "signature expired before valid",
        _ => "see the IANA registry",
    }
}
