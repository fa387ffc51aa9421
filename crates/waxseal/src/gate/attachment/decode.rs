//! The transfer encoding of a part, undone while it streams by (RFC 2045 §6).
//!
//! Lenient where mail programs are: what does not belong is skipped, as RFC 2045 §6.8 asks for
//! base64, and everything that any of them would decode is decoded. Where decoders part ways the
//! [`Decoder`] says so, and goes on.

pub(super) mod uuencode;

mod base64;
mod quoted_printable;

use base64::Base64;
use quoted_printable::QuotedPrintable;

/// How a part is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 7bit, 8bit and binary: not at all.
    Identity,
    Base64,
    QuotedPrintable,
    /// An encoding of old that never was registered. Its lines are found by whoever reads the
    /// text, because they stand in texts without any encoding, too.
    Uuencode,
}

impl Encoding {
    /// `encoding := "Content-Transfer-Encoding" ":" mechanism` (RFC 2045 §6.1), and the names in
    /// use for uuencode. `None` is an encoding that we do not know.
    pub(super) fn parse(mechanism: &[u8]) -> Option<Self> {
        let known = [
            ("7bit", Self::Identity),
            ("8bit", Self::Identity),
            ("binary", Self::Identity),
            // Wrong, frequent, and meant like the ones without a hyphen.
            ("7-bit", Self::Identity),
            ("8-bit", Self::Identity),
            ("base64", Self::Base64),
            ("quoted-printable", Self::QuotedPrintable),
            ("x-uuencode", Self::Uuencode),
            ("x-uue", Self::Uuencode),
            ("uuencode", Self::Uuencode),
            ("uue", Self::Uuencode),
        ];
        let mut known = known.into_iter();
        let same = |(name, _): &(&str, Self)| name.as_bytes().eq_ignore_ascii_case(mechanism);
        known.find(same).map(|(_, encoding)| encoding)
    }
}

/// Undoes an [`Encoding`], piece by piece. How the input is cut makes no difference.
#[derive(Debug)]
pub(super) enum Decoder {
    Identity,
    Base64(Box<Base64>),
    QuotedPrintable(QuotedPrintable),
}

impl Decoder {
    pub(super) fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Identity | Encoding::Uuencode => Self::Identity,
            Encoding::Base64 => Self::Base64(Box::default()),
            Encoding::QuotedPrintable => Self::QuotedPrintable(QuotedPrintable::default()),
        }
    }

    /// Decodes the next piece and gives the octets to `sink`.
    pub(super) fn push(&mut self, encoded: &[u8], sink: &mut impl FnMut(&[u8])) {
        match self {
            Self::Identity => sink(encoded),
            Self::Base64(base64) => base64.push(encoded, sink),
            Self::QuotedPrintable(quoted_printable) => quoted_printable.push(encoded, sink),
        }
    }

    /// The part is at its end: gives what was held back.
    pub(super) fn finish(&mut self, sink: &mut impl FnMut(&[u8])) {
        match self {
            Self::Identity => {}
            Self::Base64(base64) => base64.finish(sink),
            Self::QuotedPrintable(quoted_printable) => quoted_printable.finish(sink),
        }
    }

    /// Whether there were encoded octets behind what some decoders take for the end.
    pub(super) fn went_on_after_padding(&self) -> bool {
        matches!(self, Self::Base64(base64) if base64.went_on_after_padding())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `encoded` decodes to, which is the same for pieces of any size.
    pub(super) fn decode(encoding: Encoding, encoded: &[u8]) -> Vec<u8> {
        let by = |size: usize| {
            let mut decoder = Decoder::new(encoding);
            let mut decoded = Vec::new();
            for piece in encoded.chunks(size) {
                decoder.push(piece, &mut |octets| decoded.extend_from_slice(octets));
            }
            decoder.finish(&mut |octets| decoded.extend_from_slice(octets));
            decoded
        };
        let whole = by(encoded.len().max(1));
        for size in 1..=9 {
            assert_eq!(by(size), whole, "{} by {size}", encoded.escape_ascii());
        }
        whole
    }

    #[test]
    fn encodings() {
        assert_eq!(Encoding::parse(b"BASE64"), Some(Encoding::Base64));
        assert_eq!(Encoding::parse(b"8bit"), Some(Encoding::Identity));
        assert_eq!(Encoding::parse(b"X-UUEncode"), Some(Encoding::Uuencode));
        assert_eq!(Encoding::parse(b"base-64"), None);
        assert_eq!(Encoding::parse(b""), None);
        assert_eq!(decode(Encoding::Identity, b"a=3D"), b"a=3D");
    }
}
