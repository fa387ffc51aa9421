//! Canonicalization: what of a message is signed, so that small changes on the way do no harm
//! (RFC 6376 §3.4), and which of its header fields (§5.4.2).
//!
//! `simple` takes octets as they are; `relaxed` folds case of names and shrinks white space. In
//! both, empty lines at the end of the body do not count.
//!
//! The body comes in pieces of any size and is never stored. It is hashed where it lies: only
//! where canonicalization changes something, a few octets go through a small buffer.

use alloc::vec::Vec;
use core::ops::Range;

use crate::crypto::{Digest, Sha256};
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
    let mut left: Vec<_> = header
        .fields()
        .iter()
        .rev()
        .filter(|field| !except.is_some_and(|except| core::ptr::eq(*field, except)))
        .map(|field| (glance(field.name()), field))
        .collect();
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

/// The hash of a canonical body under way (§3.7): of all of it, or of the first octets only.
#[derive(Debug)]
pub struct BodyHash<S> {
    how: Canonicalization,
    limit: u64,
    canonical: Canonical<S>,
    /// Line ends that count only if something comes behind them.
    line_ends: u64,
    /// White space that counts only if something comes behind it on its line.
    space: bool,
    /// The last octet was a CR, and what comes next says whether it ends the line.
    cr: bool,
}

/// What came of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    /// The digest of the octets up to the limit.
    pub digest: Digest,
    /// How many octets the canonical body has.
    pub canonical_octets: u64,
    /// How many of them lie behind the limit, so that anyone may have added them.
    pub unsigned_octets: u64,
}

impl<S: Sha256> BodyHash<S> {
    /// A hash at the beginning of a body. `limit` is the value of the `l=` tag: how many octets of
    /// the canonical body count; `None` is all. `sha256` is a new hash.
    #[must_use]
    pub fn new(how: Canonicalization, limit: Option<u64>, sha256: S) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        let canonical =
            Canonical { sha256, left: limit, octets: 0, buffer: Vec::with_capacity(BUFFER) };
        Self { how, limit, canonical, line_ends: 0, space: false, cr: false }
    }

    /// Takes the next piece of the body, whose lines end in CRLF. A CR or LF alone is an octet as
    /// any other.
    pub fn push(&mut self, octets: &[u8]) {
        let mut rest = octets;
        if self.cr
            && let [octet, behind @ ..] = rest
        {
            self.cr = false;
            if *octet == b'\n' {
                self.end_line();
                rest = behind;
            } else {
                self.add(b"\r");
            }
        }
        if let [before @ .., b'\r'] = rest {
            self.cr = true;
            rest = before;
        }
        match self.how {
            Canonicalization::Simple => self.add_lines(rest),
            Canonicalization::Relaxed => self.push_relaxed(rest),
        }
    }

    /// The body is at its end.
    #[must_use]
    pub fn finish(mut self) -> BodyDigest {
        if self.cr {
            self.add(b"\r");
        }
        // §3.4.3: a body without octets is one CRLF. §3.4.4: it stays empty. In both, a last line
        // without CRLF gets one, and one with many keeps one.
        let is_empty = self.canonical.octets == 0;
        if !is_empty || self.how == Canonicalization::Simple {
            self.canonical.add(b"\r\n");
        }
        self.canonical.finish(self.limit)
    }

    /// §3.4.4: white space at the end of a line does not count, elsewhere it is one space.
    fn push_relaxed(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() {
            let is_text = |octet: &u8| !matches!(octet, b' ' | b'\t');
            let white = rest.iter().position(is_text).unwrap_or(rest.len());
            let (space, text) = rest.split_at(white);
            self.space |= !space.is_empty();
            if let [b'\r', b'\n', behind @ ..] = text {
                self.end_line();
                rest = behind;
                continue;
            }
            let run = unchanged::<false>(text);
            // The space that is to stand before the text may already do so.
            let begin = match space {
                [.., b' '] if run > 0 => {
                    self.space = false;
                    white - 1
                }
                _ => white,
            };
            self.add_lines(rest.get(begin..white + run).unwrap_or_default());
            rest = text.get(run..).unwrap_or_default();
        }
    }

    /// A line is at its end; white space before the end does not count.
    fn end_line(&mut self) {
        self.space = false;
        self.line_ends = self.line_ends.saturating_add(1);
    }

    /// Adds octets that stay as they are, but for the line ends behind them.
    fn add_lines(&mut self, octets: &[u8]) {
        let mut content = octets;
        let mut line_ends = 0;
        while let [before @ .., b'\r', b'\n'] = content {
            content = before;
            line_ends += 1;
        }
        if !content.is_empty() {
            self.add(content);
        }
        self.line_ends = self.line_ends.saturating_add(line_ends);
    }

    /// Adds octets that count, and with them all that has waited.
    fn add(&mut self, octets: &[u8]) {
        let mut line_ends = core::mem::take(&mut self.line_ends);
        while line_ends > 0 {
            let some = line_ends.min(LINE_ENDS.len() as u64 / 2);
            let octets = usize::try_from(some * 2).unwrap_or_default();
            self.canonical.add(LINE_ENDS.get(..octets).unwrap_or_default());
            line_ends -= some;
        }
        if core::mem::take(&mut self.space) {
            self.canonical.add(b" ");
        }
        self.canonical.add(octets);
    }
}

/// Line ends that have waited.
const LINE_ENDS: &[u8] = b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";

/// How many octets at the beginning stay as they are in `relaxed`: up to the first white space that
/// is more than a single space inside a line, and with `FOLDS` up to the first CR.
///
/// It may stop early; to go on too far would be wrong. It looks at blocks without a way out of them,
/// so that the compiler can look at many octets at once: at great ones whether they have a stop,
/// then at small ones where.
fn unchanged<const FOLDS: bool>(octets: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let mut at = 0;
    while let Some(block) = octets.get(at..at + BLOCK + 1) {
        let pairs = block.iter().zip(&block[1..]);
        if pairs.fold(false, |any, (here, next)| any | stops::<FOLDS>(*here, *next)) {
            break;
        }
        at += BLOCK;
    }
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

/// How many octets of canonical body are gathered before they are hashed.
const BUFFER: usize = 4096;

/// Canonical octets on their way into the hash.
#[derive(Debug)]
struct Canonical<S> {
    sha256: S,
    /// How many octets still count.
    left: u64,
    octets: u64,
    buffer: Vec<u8>,
}

impl<S: Sha256> Canonical<S> {
    fn add(&mut self, octets: &[u8]) {
        self.octets = self.octets.saturating_add(octets.len() as u64);
        let counts = usize::try_from(self.left).unwrap_or(usize::MAX);
        let octets = octets.get(..counts).unwrap_or(octets);
        self.left -= octets.len() as u64;
        self.gather(octets);
    }

    /// Fills the buffer to its last octet before it is hashed, which suits the hash. Behind an empty
    /// one, octets that would soon fill it need not go through it.
    fn gather(&mut self, octets: &[u8]) {
        let room = BUFFER - self.buffer.len();
        if octets.len() < room && (octets.len() < BUFFER / 4 || !self.buffer.is_empty()) {
            self.buffer.extend_from_slice(octets);
        } else if self.buffer.is_empty() {
            self.sha256.update(octets);
        } else {
            let (fits, behind) = octets.split_at(room);
            self.buffer.extend_from_slice(fits);
            self.sha256.update(&self.buffer);
            self.buffer.clear();
            self.gather(behind);
        }
    }

    fn finish(mut self, limit: u64) -> BodyDigest {
        self.sha256.update(&self.buffer);
        BodyDigest {
            digest: self.sha256.finish(),
            canonical_octets: self.octets,
            unsigned_octets: self.octets.saturating_sub(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    fn canonical(how: Canonicalization, body: &[u8], piece: usize) -> (String, u64) {
        let mut seen = Vec::new();
        let mut hash = BodyHash::new(how, None, Recorder(&mut seen));
        body.chunks(piece).for_each(|piece| hash.push(piece));
        let digest = hash.finish();
        (seen.escape_ascii().to_string(), digest.canonical_octets)
    }

    /// A hash that writes down what it gets.
    struct Recorder<'s>(&'s mut Vec<u8>);

    impl Sha256 for Recorder<'_> {
        fn update(&mut self, octets: &[u8]) {
            self.0.extend_from_slice(octets);
        }

        fn finish(self) -> Digest {
            [0; 32]
        }
    }

    fn body(body: &[u8], simple: &[u8], relaxed: &[u8]) {
        for piece in [1, 2, 3, 5, 1000] {
            for (how, expected) in
                [(Canonicalization::Simple, simple), (Canonicalization::Relaxed, relaxed)]
            {
                let (octets, count) = canonical(how, body, piece);
                assert_eq!(octets, expected.escape_ascii().to_string(), "{how:?} by {piece}");
                assert_eq!(count, expected.len() as u64);
            }
        }
    }

    #[test]
    fn bodies() {
        body(b"", b"\r\n", b"");
        body(b"\r\n", b"\r\n", b"");
        body(b"\r\n\r\n", b"\r\n", b"");
        body(b"a", b"a\r\n", b"a\r\n");
        body(b"a\r\n", b"a\r\n", b"a\r\n");
        body(b"a\r\n\r\n\r\n", b"a\r\n", b"a\r\n");
        body(b"\r\n\r\na", b"\r\n\r\na\r\n", b"\r\n\r\na\r\n");
        // RFC 6376 §3.4.5
        body(b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n", b" C\r\nD E\r\n");
        // White space alone is an empty line for relaxed only.
        body(b" \t\r\n", b" \t\r\n", b"");
        body(b"a\r\n \r\n\t\r\n", b"a\r\n \r\n\t\r\n", b"a\r\n");
        body(b"a\r\n \r\n b", b"a\r\n \r\n b\r\n", b"a\r\n\r\n b\r\n");
        body(b" ", b" \r\n", b"");
        // A CR or LF alone is no line end.
        body(b"a \rb\r", b"a \rb\r\r\n", b"a \rb\r\r\n");
        body(b"a\r\r\n\nb", b"a\r\r\n\nb\r\n", b"a\r\r\n\nb\r\n");
        body(b"a \r", b"a \r\r\n", b"a \r\r\n");
    }

    #[test]
    fn bodies_of_many_blocks() {
        for space in 0..200 {
            let mut text = alloc::vec![b'a'; 200];
            text.insert(space, b' ');
            let same = [&text[..], b"\r\n"].concat();
            body(&text, &same, &same);
            text.insert(space, b'\t');
            body(&text, &[&text[..], b"\r\n"].concat(), &same);
        }
        let ends = [&b"\r\n".repeat(5000)[..], b"a\r\n"].concat();
        body(&ends, &ends, &ends);
    }

    fn limited(limit: u64) -> BodyDigest {
        let mut seen = Vec::new();
        let mut hash = BodyHash::new(Canonicalization::Simple, Some(limit), Recorder(&mut seen));
        hash.push(b"abc\r\n");
        hash.push(b"def\r\n\r\n");
        hash.finish()
    }

    #[test]
    fn a_limit_leaves_octets_unsigned() {
        for (limit, unsigned) in [(0, 10), (3, 7), (10, 0), (11, 0), (u64::MAX, 0)] {
            let digest = limited(limit);
            assert_eq!((digest.canonical_octets, digest.unsigned_octets), (10, unsigned));
        }
        let mut seen = Vec::new();
        let mut hash = BodyHash::new(Canonicalization::Simple, Some(6), Recorder(&mut seen));
        hash.push(b"abc\r\ndef\r\n");
        let _ = hash.finish();
        assert_eq!(seen, b"abc\r\nd");
    }

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
