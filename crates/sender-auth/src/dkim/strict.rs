//! Whether the header of a message keeps to RFC 5322 strictly, before it is signed.
//!
//! DKIM is made for valid messages, and signers should make sure that they have one (RFC 6376 §3.8;
//! BSI TR-03182-04-M asks for it, too): what two readers understand in two ways should not carry a
//! signature. This says what is not strict. Whether such a message is signed, mended or refused is
//! for its owner to decide.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::dkim::verify::SINGLE_FIELDS;
use crate::header::{Header, HeaderField};

/// The most octets of a line, without its CRLF (RFC 5322 §2.1.1).
const MAX_LINE: usize = 998;

/// Everything in a header that is not strict, from top to bottom; fields that are missing come
/// last. Empty for a header that two readers cannot understand in two ways.
#[must_use]
pub fn not_strict(header: &Header) -> Vec<NotStrict> {
    let mut found = Vec::new();
    for (index, field) in header.fields().iter().enumerate() {
        check_octets(field, &mut found);
        let repeats = |name: &&str| field.is(name);
        if let Some(name) = SINGLE_FIELDS.into_iter().find(repeats)
            && header.fields().iter().take(index).any(|above| above.is(name))
        {
            found.push(NotStrict { field: name.into(), lapse: Lapse::Repeated });
        }
    }
    for name in ["From", "Date"] {
        if header.named(name).next().is_none() {
            found.push(NotStrict { field: name.into(), lapse: Lapse::Missing });
        }
    }
    found
}

fn check_octets(field: &HeaderField, found: &mut Vec<NotStrict>) {
    let mut lapse = |lapse| found.push(NotStrict { field: name_of(field), lapse });
    let octets = field.octets();
    if octets.get(field.name().len()) != Some(&b':') {
        lapse(Lapse::SpaceBeforeColon);
    }
    if octets.contains(&0) {
        lapse(Lapse::Nul);
    }
    let mut lines = octets.split(|octet| *octet == b'\n').peekable();
    let (mut bare_cr, mut longest, mut blank) = (false, 0, false);
    while let Some(line) = lines.next() {
        // Every LF has a CR before it; any other CR is bare.
        let line =
            if lines.peek().is_some() { line.split_last().map_or(line, |(_, l)| l) } else { line };
        bare_cr |= line.contains(&b'\r');
        longest = longest.max(line.len());
        blank |= line.trim_ascii().is_empty();
    }
    if bare_cr {
        lapse(Lapse::BareCr);
    }
    if longest > MAX_LINE {
        lapse(Lapse::LineTooLong { octets: longest });
    }
    if blank {
        lapse(Lapse::BlankLine);
    }
    if core::str::from_utf8(octets).is_err() {
        lapse(Lapse::NotUtf8);
    }
}

fn name_of(field: &HeaderField) -> Box<str> {
    String::from_utf8_lossy(field.name()).into()
}

/// One thing that is not strict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotStrict {
    /// The name of the header field.
    pub field: Box<str>,
    /// What is wrong with it.
    pub lapse: Lapse,
}

/// What can be wrong with a header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// A required field is not there (RFC 5322 §3.6).
    Missing,
    /// A field that may be there once comes again (RFC 5322 §3.6).
    Repeated,
    /// White space stands between name and colon, which is obsolete (RFC 5322 §4.5).
    SpaceBeforeColon,
    /// A NUL (RFC 5322 §4).
    Nul,
    /// A CR without LF (RFC 5322 §2.2).
    BareCr,
    /// A line of more than 998 octets (RFC 5322 §2.1.1).
    LineTooLong {
        /// How many it has.
        octets: usize,
    },
    /// A fold of nothing but white space, which is obsolete (RFC 5322 §4.2).
    BlankLine,
    /// Octets above 127 that are not UTF-8 (RFC 6532 §3.2).
    NotUtf8,
}

impl Lapse {
    /// The rule that is broken.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Missing | Self::Repeated => "RFC 5322 §3.6",
            Self::SpaceBeforeColon => "RFC 5322 §4.5",
            Self::Nul => "RFC 5322 §4",
            Self::BareCr => "RFC 5322 §2.2",
            Self::LineTooLong { .. } => "RFC 5322 §2.1.1",
            Self::BlankLine => "RFC 5322 §4.2",
            Self::NotUtf8 => "RFC 6532 §3.2",
        }
    }
}

impl fmt::Display for NotStrict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match self.lapse {
            Lapse::Missing => write!(f, "{field}: expected this field, found none"),
            Lapse::Repeated => write!(f, "{field}: expected once, found again"),
            Lapse::SpaceBeforeColon => {
                write!(f, "{field}: expected a colon behind the name, found white space")
            }
            Lapse::Nul => write!(f, "{field}: expected text, found a NUL"),
            Lapse::BareCr => write!(f, "{field}: expected CRLF, found CR alone"),
            Lapse::LineTooLong { octets } => {
                write!(f, "{field}: expected lines of at most {MAX_LINE} octets, found {octets}")
            }
            Lapse::BlankLine => {
                write!(f, "{field}: expected text on each line, found white space alone")
            }
            Lapse::NotUtf8 => write!(f, "{field}: expected UTF-8, found other octets"),
        }?;
        write!(f, " ({})", self.lapse.clause())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lapses(fields: &[&[u8]]) -> Vec<(Box<str>, Lapse)> {
        let parse = |octets: &&[u8]| HeaderField::parse(octets).unwrap();
        let header: Header = fields.iter().map(parse).collect();
        not_strict(&header).into_iter().map(|found| (found.field, found.lapse)).collect()
    }

    #[test]
    fn headers() {
        let good =
            [&b"From: a@b.test"[..], b"Date: x", b"Received: x", b"Received: \xc3\xa4\r\n y"];
        assert_eq!(lapses(&good), []);
        assert_eq!(
            lapses(&[b"Subject :a\0", b"X: a\rb\r\n \r\n c\r", b"subject: \xff"]),
            [
                ("Subject".into(), Lapse::SpaceBeforeColon),
                ("Subject".into(), Lapse::Nul),
                ("X".into(), Lapse::BareCr),
                ("X".into(), Lapse::BlankLine),
                ("subject".into(), Lapse::NotUtf8),
                ("Subject".into(), Lapse::Repeated),
                ("From".into(), Lapse::Missing),
                ("Date".into(), Lapse::Missing),
            ]
        );
        let long = [&b"X:"[..], &[b'a'; 997], b"\r\n ", &[b'a'; 997]].concat();
        assert_eq!(
            lapses(&[b"From: x", b"Date: x", &long]),
            [("X".into(), Lapse::LineTooLong { octets: 999 })]
        );
    }
}
