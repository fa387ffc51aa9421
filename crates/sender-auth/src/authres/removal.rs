//! Which fields to remove from a message that comes from outside (RFC 8601 §5).

use alloc::string::String;
use alloc::vec::Vec;

use smtp_types::DomainName;

use super::FIELD_NAME;
use super::cursor::MAX_FIELD;
use super::model::AuthenticationResults;
use super::parse::{AuthenticationResultsFault, length_of_beginning};
use super::words::AuthservId;
use crate::header::Header;

/// How many octets a domain name in U-labels may have, at four octets for a character.
const MAX_NAME: usize = 4 * 253;

/// A field to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Which of the fields named `Authentication-Results`, from 1, counted from the top: what a
    /// milter's "change header" wants.
    pub index: u32,
    /// Why.
    pub reason: RemovalReason,
}

/// Why a field is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemovalReason {
    /// It bears our id, and we have not written it.
    ClaimsOurId,
    /// It cannot be read, but another reader might find our id in its beginning.
    MayClaimOurId,
    /// It has a version that nobody behind us may know; MUST be removed, whoever it names.
    UnknownVersion,
}

/// The `Authentication-Results` fields that a message from outside must lose, the lowest first: so
/// an index still fits when those before it in this list are gone.
///
/// Names are compared as [`AuthservId::is_same`] does. Fields of other servers stay.
#[must_use]
pub fn removals(header: &Header, ours: &AuthservId) -> Vec<Removal> {
    let fields = (1_u32..).zip(header.named(FIELD_NAME));
    let mut removals: Vec<_> = fields
        .filter_map(|(index, field)| {
            reason(field.value(), ours).map(|reason| Removal { index, reason })
        })
        .collect();
    removals.reverse();
    removals
}

fn reason(value: &[u8], ours: &AuthservId) -> Option<RemovalReason> {
    match AuthenticationResults::parse(value) {
        Ok(field) => field.authserv_id.is_same(ours).then_some(RemovalReason::ClaimsOurId),
        Err(_) if may_claim(value, ours) => Some(RemovalReason::MayClaimOurId),
        Err(error) => match error.fault {
            AuthenticationResultsFault::Version { .. } => Some(RemovalReason::UnknownVersion),
            _ => None,
        },
    }
}

/// Whether our id stands anywhere in the beginning, whatever is around it or has been strewn into
/// it: other readers skip quotes, comments and control characters in ways of their own.
fn may_claim(value: &[u8], ours: &AuthservId) -> bool {
    if value.len() > MAX_FIELD {
        return true; // nobody writes such a field in good faith
    }
    let text = String::from_utf8_lossy(value);
    let beginning = text.get(..length_of_beginning(&text)).unwrap_or(&text);
    bare(beginning).contains(&bare(ours.as_str()))
        || DomainName::parse(ours.as_str()).is_ok_and(|ours| names(beginning, &ours))
}

/// Lower case, without all that a reader may skip.
fn bare(text: &str) -> String {
    let skipped = |c: char| c.is_control() || c.is_whitespace() || "\"\\\u{fffd}".contains(c);
    text.chars().filter(|c| !skipped(*c)).flat_map(char::to_lowercase).collect()
}

/// Whether the domain is named, be it in A-labels or in U-labels.
fn names(text: &str, domain: &DomainName) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let mut words = text.split(|c| !is_name(c)).filter(|word| word.len() <= MAX_NAME);
    words.any(|word| DomainName::parse(word).is_ok_and(|name| name == *domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::HeaderField;

    fn of(values: &[&[u8]], ours: &str) -> Vec<(u32, RemovalReason)> {
        let fields = values.iter().map(|value| {
            let name = b"authentication-RESULTS";
            [HeaderField::new(b"X", b" y").unwrap(), HeaderField::new(name, value).unwrap()]
        });
        let header: Header = fields.flatten().collect();
        let removals = removals(&header, &AuthservId::new(ours).unwrap());
        removals.iter().map(|removal| (removal.index, removal.reason)).collect()
    }

    #[test]
    fn ours_go_and_others_stay() {
        use RemovalReason::{ClaimsOurId, MayClaimOurId, UnknownVersion};
        let fields: &[&[u8]] = &[
            b" mx.example.com; none",
            b" mx.example.net; dkim=pass (mx.example.com) header.d=mx.example.com",
            b" (x) \"MX.Example\\.COM\" 1; spf=pass",
            b" mx.example.com. ; spf=pass",
            b" example.com; spf=pass",
            b" mx.example.com 2; spf=pass",
            b" other.example 2; spf=pass",
            b" mx.example.com",
            b" (unclosed mx.example.com; spf=pass",
            b" m\0x.example.com; spf=pass",
            b" \"mx.example.com; spf=pass",
            b" mx.example.com/in; spf=pass",
            b" spf=pass; x=mx.example.com",
            b" mx.\xffexample.com; spf=pass",
            b" (;) mx.example.com; spf=pass [",
            b" (; mx.example.com; spf=pass",
            b" example.org; spf=pass [mx.example.com",
        ];
        let expected = [
            (16, MayClaimOurId),
            (15, MayClaimOurId),
            (14, MayClaimOurId),
            (12, MayClaimOurId),
            (11, MayClaimOurId),
            (10, MayClaimOurId),
            (9, MayClaimOurId),
            (8, MayClaimOurId),
            (7, UnknownVersion),
            (6, MayClaimOurId),
            (4, ClaimsOurId),
            (3, ClaimsOurId),
            (1, ClaimsOurId),
        ];
        assert_eq!(of(fields, "mx.example.com"), expected);
    }

    #[test]
    fn international_names_are_one_in_both_forms() {
        use RemovalReason::{ClaimsOurId, MayClaimOurId};
        let a_label = b" xn--dan-dma.test; none";
        let u_label = " dané.test; none".as_bytes();
        let broken = " DANÉ.test [; none".as_bytes();
        let expected = [(3, MayClaimOurId), (2, ClaimsOurId), (1, ClaimsOurId)];
        assert_eq!(of(&[a_label, u_label, broken], "dané.test"), expected);
        assert_eq!(of(&[a_label, u_label, broken], "XN--dan-dma.test"), expected);
    }
}
