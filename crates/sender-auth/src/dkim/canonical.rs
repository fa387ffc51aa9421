//! Canonicalization: what of a message is signed, so that small changes on the way do no harm
//! (RFC 6376 §3.4), and which of its header fields (§5.4.2).
//!
//! `simple` takes octets as they are; `relaxed` folds case of names and shrinks white space. In
//! both, empty lines at the end of the body do not count.

use alloc::vec::Vec;
use core::ops::Range;

use crate::header::{Header, HeaderField};

/// How header or body are brought into the form that is signed (RFC 6376 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Canonicalization {
    /// Nothing is changed (§3.4.1, §3.4.3).
    Simple,
    /// Case of names and the amount of white space do not matter (§3.4.2, §3.4.4).
    Relaxed,
}

impl Canonicalization {
    /// The word of the `c=` tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Relaxed => "relaxed",
        }
    }
}

/// Appends a header field in canonical form, CRLF at its end included.
pub fn header_field(how: Canonicalization, field: &HeaderField, out: &mut Vec<u8>) {
    match how {
        Canonicalization::Simple => out.extend_from_slice(field.octets()),
        Canonicalization::Relaxed => relaxed_field(field.name(), field.value(), out),
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the field of the signature itself in canonical form: without the value of its `b=` tag,
/// whose octets `b` names, and without a CRLF at its end (§3.7).
pub(crate) fn signature_field(
    how: Canonicalization,
    field: &HeaderField,
    b: &Range<usize>,
    out: &mut Vec<u8>,
) {
    let octets = field.octets();
    let before = octets.get(..b.start).unwrap_or(octets);
    let behind = octets.get(b.end..).unwrap_or_default();
    match how {
        Canonicalization::Simple => {
            out.extend_from_slice(before);
            out.extend_from_slice(behind);
        }
        Canonicalization::Relaxed => {
            let value_offset = octets.len() - field.value().len();
            let value = before.get(value_offset..).unwrap_or_default();
            relaxed_field(field.name(), &[value, behind].concat(), out);
        }
    }
}

/// §3.4.2: the name in lower case; folds undone; white space shrunk to one space, and to none
/// around the colon and at the end. A bare CR is no fold, it stays.
fn relaxed_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let begin = out.len();
    let mut rest = value;
    let mut space = false;
    while !rest.is_empty() {
        rest = match rest {
            [b' ' | b'\t', behind @ ..] => {
                space = out.len() > begin;
                behind
            }
            [b'\r', b'\n', behind @ ..] => behind,
            _ => {
                if core::mem::take(&mut space) {
                    out.push(b' ');
                }
                let run = unchanged::<true>(rest).max(1);
                let (run, behind) = rest.split_at(run);
                out.extend_from_slice(run);
                behind
            }
        };
    }
}

/// The fields that `names` stands for, in the order of the names (§5.4.2): each name takes the
/// lowest field that no earlier one has taken, and nothing if none is left. `except` is the
/// signature itself, which never signs itself (§3.5 `h=`).
pub(crate) fn signed_fields<'h>(
    header: &'h Header,
    names: impl IntoIterator<Item = &'h str>,
    except: Option<&HeaderField>,
) -> Vec<&'h HeaderField> {
    // What tells most names apart at a glance: the length and the first letter.
    let glance = |name: &[u8]| (name.len(), name.first().map(u8::to_ascii_lowercase));
    let others = header
        .fields()
        .iter()
        .rev()
        .filter(|field| !except.is_some_and(|except| core::ptr::eq(*field, except)));
    let mut left = Vec::with_capacity(header.fields().len());
    left.extend(others.map(|field| (glance(field.name()), field)));
    let mut signed = Vec::with_capacity(left.len());
    for name in names {
        let seen = glance(name.as_bytes());
        let is_it = |(other, field): &(_, &HeaderField)| *other == seen && field.is(name);
        if let Some(index) = left.iter().position(is_it) {
            signed.push(left.remove(index).1);
        }
    }
    signed
}

/// How many octets at the beginning stay as they are in `relaxed`: up to the first white space that
/// is more than a single space inside a line, and with `FOLDS` up to the first CR.
///
/// It may stop early; to go on too far would be wrong. It looks at blocks without a way out of them,
/// so that the compiler can look at many octets at once: at great ones whether they have a stop,
/// then at small ones where.
pub(crate) fn unchanged<const FOLDS: bool>(octets: &[u8]) -> usize {
    let mut at = unchanged_blocks::<FOLDS>(octets);
    while let Some(stop) = first_stop::<32, FOLDS>(octets, at) {
        match stop {
            Some(index) => return at + index,
            None => at += 32,
        }
    }
    while let Some(stop) = first_stop::<8, FOLDS>(octets, at) {
        match stop {
            Some(index) => return at + index,
            None => at += 8,
        }
    }
    let rest = octets.get(at..).unwrap_or_default();
    at + rest.iter().position(|octet| stops::<FOLDS>(*octet, b' ')).unwrap_or(rest.len())
}

/// How many octets are looked at at once.
pub(crate) const BLOCK: usize = 64;

/// The same, as far as whole blocks stay as they are.
pub(crate) fn unchanged_blocks<const FOLDS: bool>(octets: &[u8]) -> usize {
    let mut at = 0;
    while let Some(block) = octets.get(at..at + BLOCK + 1) {
        let pairs = block.iter().zip(&block[1..]);
        if pairs.fold(false, |any, (here, next)| any | stops::<FOLDS>(*here, *next)) {
            break;
        }
        at += BLOCK;
    }
    at
}

/// Where in a block of `N` octets, a multiple of eight, is a stop. `None` if there are not so many
/// octets left, and one behind them.
#[inline]
fn first_stop<const N: usize, const FOLDS: bool>(
    octets: &[u8],
    at: usize,
) -> Option<Option<usize>> {
    let block = octets.get(at..at + N + 1)?;
    let mut found = [0; N];
    for (found, (here, next)) in found.iter_mut().zip(block.iter().zip(&block[1..])) {
        *found = u8::from(stops::<FOLDS>(*here, *next));
    }
    let words = found.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).enumerate();
    let stop = |(index, word): (usize, u64)| {
        (word != 0).then(|| index * 8 + word.trailing_zeros() as usize / 8)
    };
    Some({ words }.find_map(stop))
}

/// Whether this octet, before that one, may not stay as it is.
#[inline]
fn stops<const FOLDS: bool>(here: u8, next: u8) -> bool {
    ((here == b' ') & (next <= b' ')) | (here == b'\t') | (FOLDS & (here == b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(octets: &[u8], relaxed: &[u8]) {
        let field = HeaderField::parse(octets).unwrap();
        let mut out = Vec::new();
        header_field(Canonicalization::Relaxed, &field, &mut out);
        assert_eq!(out, relaxed, "{}", out.escape_ascii());
        out.clear();
        header_field(Canonicalization::Simple, &field, &mut out);
        assert_eq!(out, [field.octets(), b"\r\n"].concat());
    }

    #[test]
    fn fields() {
        // RFC 6376 §3.4.5
        field(b"A: X", b"a:X\r\n");
        field(b"B : Y\t\r\n\tZ  ", b"b:Y Z\r\n");
        field(b"a:", b"a:\r\n");
        field(b"a: \r\n ", b"a:\r\n");
        field(b"A:b\tc\r\n\td \xe4  \x0c", b"a:b c d \xe4 \x0c\r\n");
        field(b"A: b\rc \r d", b"a:b\rc \r d\r\n");
    }

    #[test]
    fn the_value_of_b_is_left_out() {
        let field = HeaderField::parse(b"S: a=1; b= xy\r\n z ; c=2 ").unwrap();
        let b = 10..18;
        assert_eq!(&field.octets()[b.clone()], b" xy\r\n z ");
        let mut out = Vec::new();
        signature_field(Canonicalization::Simple, &field, &b, &mut out);
        assert_eq!(out, b"S: a=1; b=; c=2 ");
        out.clear();
        signature_field(Canonicalization::Relaxed, &field, &b, &mut out);
        assert_eq!(out, b"s:a=1; b=; c=2");
    }

    #[test]
    fn names_take_fields_from_the_bottom() {
        let fields = [&b"A: 1"[..], b"B: 2", b"a: 3", b"A: 4"];
        let header: Header =
            fields.into_iter().map(|octets| HeaderField::parse(octets).unwrap()).collect();
        let signed = |names: &[&'static str], except: Option<usize>| -> Vec<u8> {
            let except = except.and_then(|index| header.fields().get(index));
            let fields = signed_fields(&header, names.iter().copied(), except);
            fields.iter().map(|field| field.value()[1]).collect()
        };
        assert_eq!(signed(&["a", "b", "A", "c", "a", "a", "b"], None), b"4231");
        assert_eq!(signed(&["a", "a", "a"], Some(2)), b"41");
    }
}
