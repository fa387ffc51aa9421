//! The DKIM-Signature header field (RFC 6376 §3.5): what was signed, how, and by whom.
//!
//! Reading decides nothing about time, keys or the message. But a signature that could never count
//! is not read: one without `From` among its fields, one whose identity is not of its domain, and
//! one with SHA-1.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use memchr::memchr_iter;
use smtp_types::{DomainName, UnixTime};

use crate::crypto::KeyType;
use crate::dkim::{Canonicalization, Selector, SignatureError, SignatureFault};
use crate::header::HeaderField;
use crate::tag_list::{Tag, TagList, base64, is_white, parts, trim};

/// The name of the header field.
pub const SIGNATURE_FIELD: &str = "DKIM-Signature";

/// How many names `h=` may have: a bound of ours.
pub(crate) const MAX_SIGNED_FIELDS: usize = 256;

/// A signature that keeps to the grammar and to all rules that need nothing but itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `a=`: how it was made.
    pub algorithm: Algorithm,
    /// `c=`, first half: the form of the header. The default is simple.
    pub header_canonicalization: Canonicalization,
    /// `c=`, second half: the form of the body. The default is simple.
    pub body_canonicalization: Canonicalization,
    /// `d=`: the domain that takes responsibility.
    pub domain: DomainName,
    /// `s=`: which of its keys.
    pub selector: Selector,
    /// `i=`: for whom. The default is the domain without a local part.
    pub identity: Identity,
    /// `l=`: how many octets of the canonical body are signed; `None` is all. Anything may have
    /// been added behind them (§8.2).
    pub body_limit: Option<u64>,
    /// `t=`: when it was made.
    pub timestamp: Option<UnixTime>,
    /// `x=`: when it ends to count.
    pub expiration: Option<UnixTime>,
    signed_fields: String,
    body_hash: Vec<u8>,
    octets: Vec<u8>,
    b: Range<usize>,
}

/// The algorithms of signatures that can count (RFC 8301 §3.1, RFC 8463 §4.1). There is none with
/// SHA-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `rsa-sha256`
    RsaSha256,
    /// `ed25519-sha256`
    Ed25519Sha256,
}

impl Algorithm {
    /// The word of the `a=` tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }

    /// The kind of key that makes such signatures.
    #[must_use]
    pub const fn key_type(self) -> KeyType {
        match self {
            Self::RsaSha256 => KeyType::Rsa,
            Self::Ed25519Sha256 => KeyType::Ed25519,
        }
    }

    /// The algorithm for a kind of key.
    #[must_use]
    pub const fn of(key_type: KeyType) -> Self {
        match key_type {
            KeyType::Rsa => Self::RsaSha256,
            KeyType::Ed25519 => Self::Ed25519Sha256,
        }
    }
}

/// On whose behalf a message was signed (§3.5 `i=`): a name that only the signing domain can
/// explain, often not an address that takes mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What stands before the `@`, in its quoted-printable form (§2.11); often empty.
    pub local_part: Box<str>,
    /// The signing domain or one below it.
    pub domain: DomainName,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

impl Signature {
    /// Reads a header field. Its name is not looked at.
    ///
    /// # Errors
    /// The first fault, with its place in the field.
    pub fn parse(field: &HeaderField) -> Result<Self, SignatureError> {
        let start = field.octets().len() - field.value().len();
        let list = TagList::parse(field.octets(), start)?;
        let signature = Self::from_tags(&list).map_err(|error| SignatureError {
            domain: list.get("d").and_then(|tag| DomainName::parse(tag.value).ok()),
            selector: list.get("s").and_then(|tag| Selector::parse(tag.value).ok()),
            ..error
        })?;
        Ok(signature)
    }

    /// §6.1.1, in the order of the tags' table in §3.5.
    fn from_tags(list: &TagList<'_>) -> Result<Self, SignatureError> {
        check_version(list, required(list, "v")?)?;
        let algorithm = parse_algorithm(list, required(list, "a")?)?;
        let b = required(list, "b")?;
        let octets = parse_base64(list, b)?;
        let body_hash = parse_base64(list, required(list, "bh")?)?;
        let (header_canonicalization, body_canonicalization) = parse_canonicalization(list)?;
        let domain = parse_domain(list, required(list, "d")?)?;
        let signed_fields = parse_signed_fields(list, required(list, "h")?)?;
        let identity = parse_identity(list, &domain)?;
        check_query_methods(list)?;
        let selector = parse_selector(list, required(list, "s")?)?;
        let timestamp = parse_number(list, "t", 12)?.map(UnixTime);
        let expiration = parse_number(list, "x", 12)?.map(UnixTime);
        if let (Some(tag), Some(expiration), Some(timestamp)) =
            (list.get("x"), expiration, timestamp)
            && expiration <= timestamp
        {
            return Err(at(list, tag, SignatureFault::ExpiresBeforeItBegins));
        }
        Ok(Self {
            algorithm,
            header_canonicalization,
            body_canonicalization,
            domain,
            selector,
            identity,
            body_limit: parse_number(list, "l", 76)?,
            timestamp,
            expiration,
            signed_fields,
            body_hash,
            octets,
            b: b.between.clone(),
        })
    }

    /// `h=`: the names of the signed header fields in their order. A name may come more often than
    /// the field did; then no further such field could be added (§5.4.2).
    pub fn signed_fields(&self) -> impl Iterator<Item = &str> + Clone {
        let names = self.signed_fields.as_str();
        let ends = memchr_iter(b':', names.as_bytes()).chain([names.len()]);
        ends.scan(0, |begin, end| names.get(core::mem::replace(begin, end + 1)..end))
    }

    /// `bh=`: the digest of the canonical body.
    #[must_use]
    pub fn body_hash(&self) -> &[u8] {
        &self.body_hash
    }

    /// `b=`: the signature itself.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Where in the field the value of `b=` stands, which is not signed.
    pub(crate) fn b(&self) -> &Range<usize> {
        &self.b
    }
}

pub(crate) fn required<'l, 't>(
    list: &'l TagList<'t>,
    name: &'static str,
) -> Result<&'l Tag<'t>, SignatureError> {
    list.get(name)
        .ok_or_else(|| SignatureError::new(list.end(), SignatureFault::Missing { tag: name }))
}

/// `v=`: "MUST have the value "1"", compared as a string.
fn check_version(list: &TagList<'_>, tag: &Tag<'_>) -> Result<(), SignatureError> {
    match tag.value {
        "1" => Ok(()),
        found => Err(at(list, tag, SignatureFault::Version { found: found.into() })),
    }
}

/// `a=`. RFC 8301 §3.1: "rsa-sha1 MUST NOT be used for signing or verifying", so it is not among
/// the [algorithms](Algorithm).
pub(crate) fn parse_algorithm(
    list: &TagList<'_>,
    tag: &Tag<'_>,
) -> Result<Algorithm, SignatureError> {
    match tag.value {
        "rsa-sha256" => Ok(Algorithm::RsaSha256),
        "ed25519-sha256" => Ok(Algorithm::Ed25519Sha256),
        "rsa-sha1" => Err(at(list, tag, SignatureFault::Sha1)),
        found => Err(at(list, tag, SignatureFault::Algorithm { found: found.into() })),
    }
}

pub(crate) fn parse_base64(list: &TagList<'_>, tag: &Tag<'_>) -> Result<Vec<u8>, SignatureError> {
    match base64(tag.value) {
        Some(octets) if !octets.is_empty() => Ok(octets),
        _ => Err(at(list, tag, SignatureFault::NotBase64 { tag: tag.name.into() })),
    }
}

/// `c=`: "If only one algorithm is named, that algorithm is used for the header and "simple" is
/// used for the body."
pub(crate) fn parse_canonicalization(
    list: &TagList<'_>,
) -> Result<(Canonicalization, Canonicalization), SignatureError> {
    let Some(tag) = list.get("c") else {
        return Ok((Canonicalization::Simple, Canonicalization::Simple));
    };
    let (header, body) = tag.value.split_once('/').unwrap_or((tag.value, "simple"));
    let parse = |word| match word {
        "simple" => Ok(Canonicalization::Simple),
        "relaxed" => Ok(Canonicalization::Relaxed),
        _ => Err(at(list, tag, SignatureFault::Canonicalization { found: tag.value.into() })),
    };
    Ok((parse(header)?, parse(body)?))
}

/// `d=`: `domain-name = sub-domain 1*("." sub-domain)`; A-labels or U-labels (RFC 8616 §5).
pub(crate) fn parse_domain(
    list: &TagList<'_>,
    tag: &Tag<'_>,
) -> Result<DomainName, SignatureError> {
    let domain = DomainName::parse(tag.value)
        .map_err(|error| at(list, tag, SignatureFault::Domain { tag: "d", error }))?;
    if domain.parent().is_none() {
        return Err(at(list, tag, SignatureFault::DomainOfOneLabel));
    }
    Ok(domain)
}

/// `s=`: labels; A-labels or U-labels (RFC 8616 §5).
pub(crate) fn parse_selector(
    list: &TagList<'_>,
    tag: &Tag<'_>,
) -> Result<Selector, SignatureError> {
    Selector::parse(tag.value)
        .map_err(|error| at(list, tag, SignatureFault::Domain { tag: "s", error }))
}

/// `h=`: names of header fields with colons between them; "The From header field MUST be signed"
/// (§5.4), and §6.1.1 ignores a signature that does not.
fn parse_signed_fields(list: &TagList<'_>, tag: &Tag<'_>) -> Result<String, SignatureError> {
    let fault = |fault| Err(at(list, tag, fault));
    let not_names = || SignatureFault::FieldNames { found: tag.value.into() };
    let mut names = String::with_capacity(tag.value.len());
    let (mut begin, mut count, mut from) = (0, 0, false);
    for end in memchr_iter(b':', tag.value.as_bytes()).chain([tag.value.len()]) {
        let name = trim(tag.value.get(begin..end).unwrap_or_default());
        if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_graphic()) {
            return fault(not_names());
        }
        if count == MAX_SIGNED_FIELDS {
            return fault(SignatureFault::TooManyFields);
        }
        from |= name.eq_ignore_ascii_case("From");
        if count > 0 {
            names.push(':');
        }
        names.push_str(name);
        (begin, count) = (end + 1, count + 1);
    }
    if !from {
        return fault(SignatureFault::FromNotSigned);
    }
    Ok(names)
}

/// `i=`: "the domain part of the address MUST be the same as, or a subdomain of, the value of the
/// "d=" tag". Without a local part, the default is `@` and the domain.
fn parse_identity(list: &TagList<'_>, domain: &DomainName) -> Result<Identity, SignatureError> {
    let Some(tag) = list.get("i") else {
        return Ok(Identity { local_part: "".into(), domain: domain.clone() });
    };
    let value: String = tag.value.split(is_white).collect();
    let Some((local_part, name)) = value.rsplit_once('@') else {
        return Err(at(list, tag, SignatureFault::IdentityWithoutAt));
    };
    let identity = DomainName::parse(name)
        .map_err(|error| at(list, tag, SignatureFault::Domain { tag: "i", error }))?;
    if !is_at_or_below(&identity, domain) {
        let fault = SignatureFault::IdentityElsewhere { found: identity };
        return Err(at(list, tag, fault));
    }
    Ok(Identity { local_part: local_part.into(), domain: identity })
}

fn is_at_or_below(name: &DomainName, domain: &DomainName) -> bool {
    let above = name.as_str().strip_suffix(domain.as_str());
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// `q=`: how to find the key; unknown methods are skipped, and `dns/txt` is the only known one.
pub(crate) fn check_query_methods(list: &TagList<'_>) -> Result<(), SignatureError> {
    match list.get("q") {
        Some(tag) if !parts(tag.value).any(|method| method == "dns/txt") => {
            Err(at(list, tag, SignatureFault::QueryMethod { found: tag.value.into() }))
        }
        _ => Ok(()),
    }
}

/// `l=`, `t=` and `x=`: digits, so many at most. What is beyond 64 bits counts as the greatest
/// number of that size.
pub(crate) fn parse_number(
    list: &TagList<'_>,
    name: &'static str,
    digits: usize,
) -> Result<Option<u64>, SignatureError> {
    let Some(tag) = list.get(name) else {
        return Ok(None);
    };
    let value = tag.value.as_bytes();
    if value.is_empty() || value.len() > digits || !value.iter().all(u8::is_ascii_digit) {
        let fault = SignatureFault::Number { tag: name, digits, found: tag.value.into() };
        return Err(at(list, tag, fault));
    }
    let add =
        |number: u64, digit: &u8| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Ok(Some(value.iter().fold(0, add)))
}

pub(crate) fn at(list: &TagList<'_>, tag: &Tag<'_>, fault: SignatureFault) -> SignatureError {
    SignatureError::new(list.position(tag.value_offset), fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use smtp_types::Position;

    const REQUIRED: &str = "v=1; a=rsa-sha256; d=example.com; s=s; h=from; bh=AAAA; b=AAAA";

    fn parse(value: &str) -> Result<Signature, SignatureError> {
        Signature::parse(&HeaderField::new(b"DKIM-Signature", value.as_bytes()).unwrap())
    }

    fn good(value: &str) -> Signature {
        parse(value).unwrap_or_else(|error| panic!("{value:?}: {error}"))
    }

    /// Replaces one tag of a good signature, or adds it.
    fn with(tag: &str) -> String {
        let name = tag.split_once('=').unwrap().0;
        let others = REQUIRED.split("; ").filter(|other| other.split_once('=').unwrap().0 != name);
        others.chain([tag]).collect::<Vec<_>>().join("; ")
    }

    fn bad(tag: &str, expected: &str) {
        let error = parse(&with(tag)).expect_err(tag);
        assert_eq!(error.fault.to_string(), expected, "{tag:?}");
    }

    #[test]
    fn defaults() {
        let signature = good(REQUIRED);
        assert_eq!(signature.header_canonicalization, Canonicalization::Simple);
        assert_eq!(signature.body_canonicalization, Canonicalization::Simple);
        assert_eq!(signature.identity.to_string(), "@example.com");
        assert_eq!(
            (signature.body_limit, signature.timestamp, signature.expiration),
            (None, None, None)
        );
        assert_eq!(signature.octets(), [0; 3]);
    }

    #[test]
    fn the_example_of_section_3_5() {
        let signature = good(
            " v=1; a=rsa-sha256; d=example.net; s=brisbane;\r\n    c=simple; q=dns/txt; \
             i=@eng.example.net;\r\n    t=1117574938; x=1118006938;\r\n    \
             h=from:to:subject:date;\r\n    z=From:foo@eng.example.net|To:joe@example.com|\r\n     \
             Subject:demo=20run|Date:July=205,=202005=203:44:08=20PM=20-0700;\r\n    \
             bh=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=;\r\n    \
             b=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZ\r\n     VoG4ZHRNiYzR",
        );
        assert_eq!(signature.domain.as_str(), "example.net");
        assert_eq!(signature.selector.as_str(), "brisbane");
        assert_eq!(signature.identity.domain.as_str(), "eng.example.net");
        assert_eq!(
            signature.signed_fields().collect::<Vec<_>>(),
            ["from", "to", "subject", "date"]
        );
        assert_eq!(signature.body_hash(), b"12345678901234567890123456789012");
        assert_eq!(signature.timestamp, Some(UnixTime(1_117_574_938)));
        assert_eq!(signature.expiration, Some(UnixTime(1_118_006_938)));
    }

    #[test]
    fn values() {
        let relaxed = Canonicalization::Relaxed;
        assert_eq!(good(&with("c=relaxed")).header_canonicalization, relaxed);
        assert_eq!(good(&with("c=relaxed")).body_canonicalization, Canonicalization::Simple);
        assert_eq!(good(&with("c=simple/relaxed")).body_canonicalization, relaxed);
        assert_eq!(good(&with("a=ed25519-sha256")).algorithm, Algorithm::Ed25519Sha256);
        assert_eq!(good(&with("l=0")).body_limit, Some(0));
        assert_eq!(good(&with(&format!("l={}", "9".repeat(76)))).body_limit, Some(u64::MAX));
        assert_eq!(good(&with("q=x/y : dns/txt")).algorithm, Algorithm::RsaSha256);
        assert_eq!(
            good(&with("h= To :\r\n From:to")).signed_fields().collect::<Vec<_>>(),
            ["To", "From", "to"]
        );
        assert_eq!(good(&with("d=Dané.test")).domain.as_str(), "xn--dan-dma.test");
        assert_eq!(good(&with("i=a=20@b@Example.COM")).identity.to_string(), "a=20@b@example.com");
        assert_eq!(good(&with("x=5")).expiration, Some(UnixTime(5)));
        assert_eq!(good(&with("unknown=x")).domain.as_str(), "example.com");
    }

    #[test]
    fn faults() {
        bad("v=1.0", "v: expected \"1\", found \"1.0\"");
        bad("a=rsa-sha1", "a: expected SHA-256, found SHA-1, which proves nothing");
        bad(
            "a=RSA-SHA256",
            "a: expected \"rsa-sha256\" or \"ed25519-sha256\", found \"RSA-SHA256\"",
        );
        bad("b=", "b: expected Base64, found something else");
        bad("bh=*", "bh: expected Base64, found something else");
        bad(
            "c=relaxed/",
            "c: expected \"simple\" or \"relaxed\", or two of them, found \"relaxed/\"",
        );
        bad("c=nowsp", "c: expected \"simple\" or \"relaxed\", or two of them, found \"nowsp\"");
        bad("d=com", "d: expected at least two labels, found one");
        bad("d=", "d: expected a domain name, found nothing");
        bad("d=a..b", "d: column 3: expected a label, found none");
        bad("s=", "s: expected a domain name, found nothing");
        bad("h=to", "h: expected \"From\" among the names, found none");
        bad("h=from:", "h: expected names of header fields, found \"from:\"");
        bad("h=:from", "h: expected names of header fields, found \":from\"");
        bad("h=from:a b", "h: expected names of header fields, found \"from:a b\"");
        bad("h=from:ä", "h: expected names of header fields, found \"from:ä\"");
        bad("i=example.com", "i: expected an address, found no @");
        bad("i=@xexample.com", "i: expected the domain of d= or one below it, found xexample.com");
        bad("i=@com", "i: expected the domain of d= or one below it, found com");
        bad("q=dns/svcb", "q: expected \"dns/txt\", found \"dns/svcb\"");
        bad("l=-1", "l: expected 1 to 76 digits, found \"-1\"");
        bad("t=1234567890123", "t: expected 1 to 12 digits, found \"1234567890123\"");
        bad("x=", "x: expected 1 to 12 digits, found \"\"");
        bad("t=5; x=5", "x: expected a time after that of t=, found an earlier one");
        let names = format!("h=from{}", ":a".repeat(256));
        bad(&names, "h: expected at most 256 names, found more");
        for tag in REQUIRED.split("; ") {
            let name = tag.split_once('=').unwrap().0;
            let without: Vec<_> = REQUIRED.split("; ").filter(|other| *other != tag).collect();
            let error = parse(&without.join("; ")).unwrap_err();
            assert_eq!(error.fault.to_string(), format!("{name}: expected this tag, found none"));
        }
    }

    #[test]
    fn a_fault_keeps_the_names_and_has_a_place() {
        let error =
            parse(" v=1; a=rsa-sha1;\r\n d=Example.com; s=s; h=from; bh=AA==; b=AA==").unwrap_err();
        assert_eq!(error.domain.unwrap().as_str(), "example.com");
        assert_eq!(error.selector.unwrap().as_str(), "s");
        assert_eq!(error.position, Position { line: 1, column: 24 });
    }
}
