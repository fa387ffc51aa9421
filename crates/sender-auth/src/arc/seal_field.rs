//! The ARC-Seal header field (RFC 8617 §4.1.3): the signature over the sets of a chain.

use alloc::vec::Vec;
use core::ops::Range;

use smtp_types::{DomainName, UnixTime};

use super::ChainStatus;
use super::field_error::{ArcFieldError, ArcFieldFault};
use super::set::parse_instance;
use crate::dkim::{
    Algorithm, Selector, parse_algorithm, parse_base64, parse_domain, parse_number, parse_selector,
    required,
};
use crate::header::HeaderField;
use crate::tag_list::TagList;

/// A seal that keeps to the grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// `a=`
    pub(super) algorithm: Algorithm,
    /// `d=`
    pub(super) domain: DomainName,
    /// `s=`
    pub(super) selector: Selector,
    /// `t=`
    pub(super) timestamp: Option<UnixTime>,
    /// `b=`
    pub(super) octets: Vec<u8>,
    /// Where in the field the value of `b=` stands, which is not signed.
    pub(super) b: Range<usize>,
}

impl Seal {
    /// Reads a header field. Its name is not looked at. Tags that are not known are ignored.
    ///
    /// # Errors
    /// The first fault, with its place in the field. `h=` is one: "if found, MUST result in a cv
    /// status of "fail"" (§4.1.3).
    pub(super) fn parse(field: &HeaderField) -> Result<Self, ArcFieldError> {
        let start = field.octets().len() - field.value().len();
        let list = TagList::parse(field.octets(), start)?;
        parse_instance(&list)?;
        parse_chain_status(&list)?;
        if let Some(tag) = list.get("h") {
            return Err(ArcFieldError::at(&list, tag, ArcFieldFault::SealNamesFields));
        }
        let b = required(&list, "b")?;
        Ok(Self {
            algorithm: parse_algorithm(&list, required(&list, "a")?)?,
            domain: parse_domain(&list, required(&list, "d")?)?,
            selector: parse_selector(&list, required(&list, "s")?)?,
            timestamp: parse_number(&list, "t", 12)?.map(UnixTime),
            octets: parse_base64(&list, b)?,
            b: b.between.clone(),
        })
    }
}

/// `seal-cv-tag = %s"cv" [CFWS] "=" [CFWS] chain-status` (§3.9)
pub(super) fn parse_chain_status(list: &TagList<'_>) -> Result<ChainStatus, ArcFieldError> {
    let tag = required(list, "cv")?;
    ChainStatus::parse(tag.value).ok_or_else(|| {
        ArcFieldError::at(list, tag, ArcFieldFault::ChainStatus { found: tag.value.into() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn parse(value: &str) -> Result<Seal, ArcFieldError> {
        Seal::parse(&HeaderField::new(b"ARC-Seal", value.as_bytes()).unwrap())
    }

    fn bad(value: &str, message: &str) {
        assert_eq!(parse(value).expect_err(value).to_string(), message, "{value:?}");
    }

    #[test]
    fn seals() {
        let seal = parse(" i=1; a=ed25519-sha256; cv=none; d=a.b; s=s; t=1; c=x; b=AA AA").unwrap();
        assert_eq!((seal.algorithm, seal.timestamp), (Algorithm::Ed25519Sha256, Some(UnixTime(1))));
        assert_eq!(seal.octets.len(), 3);
        bad(
            " i=1; a=rsa-sha256; cv=None; d=a.b; s=s; b=AAAA",
            "line 1, column 33: cv: expected \"none\", \"fail\" or \"pass\", found \"None\" (RFC 8617 §4.1.3)",
        );
        bad(
            " i=1; a=rsa-sha256; cv=none; d=a.b; s=s; b=AAAA; h=from",
            "line 1, column 61: h: expected no such tag in a seal, found one (RFC 8617 §4.1.3)",
        );
        bad(
            " i=1; a=rsa-sha256; d=a.b; s=s; b=AAAA",
            "line 1, column 48: cv: expected this tag, found none (RFC 6376 §3.5)",
        );
    }
}
