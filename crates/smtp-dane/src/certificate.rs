//! The few parts of a certificate that DANE compares, read without judging the rest.
//!
//! A DANE-EE(3) record binds a key, whatever else stands in the certificate (RFC 7671 §5.1): mail
//! servers show certificates of version 1, with RSA keys of 1024 bits, with extensions that no
//! verifier knows, and DANE still authenticates them. So this reader goes only where it must,
//! `Certificate → TBSCertificate → SubjectPublicKeyInfo` (RFC 5280 §4.1), accepts every version,
//! and never copies or recurses. It decides nothing: paths are built and signatures checked by
//! webpki.

/// The parts of a certificate; each is a whole DER element, as in the certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Certificate<'a> {
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) public_key: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// `None` if the octets are not a certificate, or something follows it.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let certificate = only(der, SEQUENCE)?;
        let (tbs, rest) = expect(certificate.content, SEQUENCE)?;
        let (_algorithm, rest) = expect(rest, SEQUENCE)?;
        only(rest, BIT_STRING)?;

        // Version 1 is the default and then left out.
        let rest = match expect(tbs.content, VERSION) {
            Some((_version, rest)) => rest,
            None => tbs.content,
        };
        let (_serial, rest) = expect(rest, INTEGER)?;
        let (_algorithm, rest) = expect(rest, SEQUENCE)?;
        let (issuer, rest) = expect(rest, SEQUENCE)?;
        let (_validity, rest) = expect(rest, SEQUENCE)?;
        let (subject, rest) = expect(rest, SEQUENCE)?;
        let (public_key, rest) = expect(rest, SEQUENCE)?;
        if !is_public_key(public_key.whole) {
            return None;
        }
        let extensions = elements(rest)
            .find(|element| element.tag == EXTENSIONS)
            .and_then(|element| only(element.content, SEQUENCE));
        Some(Self {
            issuer: issuer.whole,
            subject: subject.whole,
            public_key: public_key.whole,
            extensions: extensions.map_or(&[], |extensions| extensions.content),
        })
    }

    /// The value of the extension with this object identifier.
    fn extension(&self, id: &[u8]) -> Option<&'a [u8]> {
        elements(self.extensions).find_map(|extension| {
            let (found, rest) = expect(extension.content, OBJECT_IDENTIFIER)?;
            let value = elements(rest).find(|element| element.tag == OCTET_STRING)?;
            (found.content == id).then_some(value.content)
        })
    }

    /// Whether the certificate restricts the names below it (RFC 5280 §4.2.1.10).
    pub(crate) fn has_name_constraints(&self) -> bool {
        self.extension(NAME_CONSTRAINTS).is_some()
    }

    /// The DNS-IDs: every `dNSName` of the subject's alternative names (RFC 5280 §4.2.1.6).
    pub(crate) fn dns_ids(&self) -> impl Iterator<Item = &'a str> {
        let names = self
            .extension(SUBJECT_ALTERNATIVE_NAME)
            .and_then(|value| only(value, SEQUENCE))
            .map_or(&[][..], |names| names.content);
        elements(names)
            .filter(|name| name.tag == DNS_NAME)
            .map(|name| core::str::from_utf8(name.content).unwrap_or_default())
    }

    /// The CN-ID: the last, most specific common name of the subject.
    pub(crate) fn common_name(&self) -> Option<&'a str> {
        let subject = only(self.subject, SEQUENCE)?;
        elements(subject.content)
            .flat_map(|relative_name| elements(relative_name.content))
            .filter_map(|attribute| {
                let (id, rest) = expect(attribute.content, OBJECT_IDENTIFIER)?;
                let value = elements(rest).next()?;
                (id.content == COMMON_NAME).then_some(value)
            })
            .filter(|value| matches!(value.tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING))
            .filter_map(|value| core::str::from_utf8(value.content).ok())
            .last()
    }
}

/// Whether the octets are a `SubjectPublicKeyInfo`: an algorithm and a bit string.
pub(crate) fn is_public_key(der: &[u8]) -> bool {
    let parts = only(der, SEQUENCE).and_then(|info| expect(info.content, SEQUENCE));
    parts.is_some_and(|(_algorithm, rest)| only(rest, BIT_STRING).is_some())
}

/// What stands inside a DER `SEQUENCE`: webpki's trust anchors leave tag and length out.
pub(crate) fn sequence_content(der: &[u8]) -> &[u8] {
    only(der, SEQUENCE).map_or(&[], |element| element.content)
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const SEQUENCE: u8 = 0x30;
const DNS_NAME: u8 = 0x82;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 2.5.29.30
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];

/// One element of DER: tag, length, content.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

/// The first element and what follows it. Tags of one octet and lengths of up to four, which is
/// all that certificates have.
fn element(input: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&[tag, first], body) = input.split_first_chunk()?;
    let (length, content) = if first < 0x80 {
        (usize::from(first), body)
    } else {
        let count = usize::from(first & 0x7f);
        if !(1..=4).contains(&count) {
            return None;
        }
        let (octets, content) = body.split_at_checked(count)?;
        let fold = |length: usize, octet: &u8| length << 8 | usize::from(*octet);
        (octets.iter().fold(0, fold), content)
    };
    let (content, rest) = content.split_at_checked(length)?;
    let whole = &input[..input.len() - rest.len()];
    Some((Element { tag, content, whole }, rest))
}

fn expect(input: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    element(input).filter(|(element, _)| element.tag == tag)
}

/// The one element that there is.
fn only(input: &[u8], tag: u8) -> Option<Element<'_>> {
    let (element, rest) = expect(input, tag)?;
    rest.is_empty().then_some(element)
}

/// The elements one after the other, up to the first that is none.
fn elements(input: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = input;
    core::iter::from_fn(move || {
        let (element, behind) = element(rest)?;
        rest = behind;
        Some(element)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_bounded_by_their_input() {
        assert!(element(&[]).is_none());
        assert!(element(&[0x30]).is_none());
        assert!(element(&[0x30, 0x01]).is_none()); // too short
        assert!(element(&[0x30, 0x80, 0x00, 0x00]).is_none()); // indefinite length
        assert!(element(&[0x30, 0x85, 0, 0, 0, 0, 0]).is_none()); // length of five octets
        assert!(element(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_none());
        let (found, rest) = element(&[0x30, 0x81, 0x01, 0x07, 0x09]).unwrap();
        assert_eq!((found.content, rest), (&[0x07][..], &[0x09][..]));
        assert_eq!(found.whole.len(), 4);
    }

    #[test]
    fn a_public_key_is_an_algorithm_and_a_bit_string() {
        assert!(is_public_key(&[0x30, 0x05, 0x30, 0x00, 0x03, 0x01, 0x00]));
        assert!(!is_public_key(&[0x30, 0x02, 0x30, 0x00]));
        assert!(!is_public_key(&[0x30, 0x05, 0x30, 0x00, 0x03, 0x01, 0x00, 0x00])); // trailing
        assert!(!is_public_key(b""));
    }
}
