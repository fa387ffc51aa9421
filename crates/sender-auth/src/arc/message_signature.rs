//! The ARC-Message-Signature header field (RFC 8617 §4.1.2): a DKIM signature without a version,
//! and with the number of its set in the place of an identity.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use smtp_types::{DomainName, UnixTime};

use super::FieldKind;
use super::field_error::{ArcFieldError, ArcFieldFault};
use super::set::parse_instance;
use crate::dkim::{
    Algorithm, Canonicalization, MAX_SIGNED_FIELDS, Selector, SignatureFault, check_query_methods,
    fault_at, parse_algorithm, parse_base64, parse_canonicalization, parse_domain, parse_number,
    parse_selector, required,
};
use crate::header::HeaderField;
use crate::tag_list::{Tag, TagList, parts};

/// A signature that keeps to the grammar and to all rules that need nothing but itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageSignature {
    /// `a=`
    pub(super) algorithm: Algorithm,
    /// `c=`, first half
    pub(super) header_canonicalization: Canonicalization,
    /// `c=`, second half
    pub(super) body_canonicalization: Canonicalization,
    /// `d=`
    pub(super) domain: DomainName,
    /// `s=`
    pub(super) selector: Selector,
    /// `l=`
    pub(super) body_limit: Option<u64>,
    /// `t=`
    pub(super) timestamp: Option<UnixTime>,
    /// `x=`
    pub(super) expiration: Option<UnixTime>,
    /// `h=`, with single colons between the names
    signed_fields: Box<str>,
    /// `bh=`
    pub(super) body_hash: Vec<u8>,
    /// `b=`
    pub(super) octets: Vec<u8>,
    /// Where in the field the value of `b=` stands, which is not signed.
    pub(super) b: Range<usize>,
}

impl MessageSignature {
    /// Reads a header field. Its name is not looked at. A tag `v` is not known here and so ignored
    /// (§4.1.2).
    ///
    /// # Errors
    /// The first fault, with its place in the field.
    pub(super) fn parse(field: &HeaderField) -> Result<Self, ArcFieldError> {
        let start = field.octets().len() - field.value().len();
        let list = TagList::parse(field.octets(), start)?;
        parse_instance(&list)?;
        let algorithm = parse_algorithm(&list, required(&list, "a")?)?;
        let b = required(&list, "b")?;
        let (header_canonicalization, body_canonicalization) = parse_canonicalization(&list)?;
        check_query_methods(&list)?;
        Ok(Self {
            algorithm,
            header_canonicalization,
            body_canonicalization,
            domain: parse_domain(&list, required(&list, "d")?)?,
            selector: parse_selector(&list, required(&list, "s")?)?,
            body_limit: parse_number(&list, "l", 76)?,
            timestamp: parse_number(&list, "t", 12)?.map(UnixTime),
            expiration: parse_number(&list, "x", 12)?.map(UnixTime),
            signed_fields: parse_signed_fields(&list, required(&list, "h")?)?,
            body_hash: parse_base64(&list, required(&list, "bh")?)?,
            octets: parse_base64(&list, b)?,
            b: b.between.clone(),
        })
    }

    /// The names of the signed header fields in their order.
    pub(super) fn signed_fields(&self) -> impl Iterator<Item = &str> + Clone {
        self.signed_fields.split(':')
    }

    /// Whether the field that people see is signed.
    pub(super) fn covers_from(&self) -> bool {
        self.signed_fields().any(|name| name.eq_ignore_ascii_case("from"))
    }
}

/// `h=`. A seal MUST NOT be among the names (§4.1.2): it does not exist yet when the signature is
/// made, so it is one that others could exchange. The other fields of a set MUST NOT either, but
/// early sealers listed them, and as the seal signs them it does no harm.
///
/// Unlike in DKIM `From` need not be listed, nor anything at all: the chain is about who has
/// handled the message. [`SetReport::covers_from`](super::SetReport::covers_from) says so.
fn parse_signed_fields(list: &TagList<'_>, tag: &Tag<'_>) -> Result<Box<str>, ArcFieldError> {
    let mut names = String::with_capacity(tag.value.len());
    for (count, name) in parts(tag.value).enumerate() {
        if count == MAX_SIGNED_FIELDS {
            return Err(fault_at(list, tag, SignatureFault::TooManyFields).into());
        }
        if !name.bytes().all(|octet| octet.is_ascii_graphic()) {
            let found = tag.value.into();
            return Err(fault_at(list, tag, SignatureFault::FieldNames { found }).into());
        }
        if name.eq_ignore_ascii_case(FieldKind::Seal.as_str()) {
            return Err(ArcFieldError::at(list, tag, ArcFieldFault::SealSigned));
        }
        if count > 0 {
            names.push(':');
        }
        names.push_str(name);
    }
    Ok(names.into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn parse(value: &str) -> Result<MessageSignature, ArcFieldError> {
        let field = HeaderField::new(b"ARC-Message-Signature", value.as_bytes()).unwrap();
        MessageSignature::parse(&field)
    }

    fn bad(value: &str, message: &str) {
        assert_eq!(parse(value).expect_err(value).to_string(), message, "{value:?}");
    }

    #[test]
    fn signatures() {
        let all = " i=1; a=rsa-sha256; c=relaxed/simple; d=Example.ORG; s=2026; t=12; x=13; l=5;\r\n \
             h=To :\r\n from::date; bh=AAAA; b=AA\r\n AA; v=7; unknown=1";
        let signature = parse(all).unwrap();
        assert_eq!(signature.domain.as_str(), "example.org");
        assert_eq!(signature.selector.as_str(), "2026");
        assert_eq!(signature.header_canonicalization, Canonicalization::Relaxed);
        assert_eq!(signature.body_canonicalization, Canonicalization::Simple);
        assert_eq!(
            (signature.timestamp, signature.expiration),
            (Some(UnixTime(12)), Some(UnixTime(13)))
        );
        assert_eq!(signature.body_limit, Some(5));
        assert_eq!(signature.signed_fields().collect::<Vec<_>>(), ["To", "from", "", "date"]);
        assert!(signature.covers_from());
        assert!(!parse("a=rsa-sha256;d=a.b;s=s;h=;bh=AAAA;b=AAAA;i=50").unwrap().covers_from());

        let rest = "a=rsa-sha256; d=a.b; s=s; h=from; bh=AAAA; b=AAAA";
        bad(rest, "line 1, column 72: i: expected this tag, found none (RFC 6376 §3.5)");
        for (value, column) in [("0", 26), ("51", 26), ("001", 26), ("", 26), ("x", 26)] {
            bad(
                &alloc::format!(" i={value}; {rest}"),
                &alloc::format!(
                    "line 1, column {column}: i: expected 1 to 50, found {value:?} (RFC 8617 §4.2.1)"
                ),
            );
        }
        bad(
            "i=1; a=rsa-sha256; d=a.b; s=s; h=from:arc-SEAL; bh=AAAA; b=AAAA",
            "line 1, column 56: h: expected no \"ARC-Seal\" among the names, found it (RFC 8617 §4.1.2)",
        );
        bad("i=1; i=1", "line 1, column 28: i: expected once, found again (RFC 6376 §3.2)");
        bad(
            "i=1; a=rsa-sha1; d=a.b; s=s; h=from; bh=AAAA; b=AAAA",
            "line 1, column 30: a: expected SHA-256, found SHA-1, which proves nothing (RFC 8301 §3.1)",
        );
    }
}
