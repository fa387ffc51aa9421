//! The hash of a body that comes in pieces of any size and is never stored (RFC 6376 §3.4.3,
//! §3.4.4 and §3.7).
//!
//! The two forms differ in what they do inside of content; what stands between content (line ends,
//! and in `relaxed` white space) waits until more content comes, for at the end of the body it does
//! not count.

use crate::crypto::{Digest, Sha256};
use crate::dkim::Canonicalization;
use crate::dkim::gathered::Gathered;

/// The hash of a canonical body under way (§3.7): of all of it, or of the first octets only.
#[derive(Debug)]
pub struct BodyHash<S> {
    how: Canonicalization,
    canonical: Gathered<S>,
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
        let canonical = Gathered::new(sha256, limit);
        Self { how, canonical, line_ends: 0, space: false, cr: false }
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
        let rest = self.wait(rest);
        if !rest.is_empty() {
            let (content, behind) = rest.split_at(self.content_end(rest));
            self.add(content);
            self.wait(behind);
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
        let is_empty = self.canonical.octets() == 0;
        if !is_empty || self.how == Canonicalization::Simple {
            self.canonical.add(b"\r\n");
        }
        self.canonical.finish()
    }

    /// Takes what counts only if content comes behind it, and returns the rest.
    fn wait<'o>(&mut self, octets: &'o [u8]) -> &'o [u8] {
        let mut rest = octets;
        loop {
            rest = match rest {
                [b'\r', b'\n', behind @ ..] => {
                    self.end_line();
                    behind
                }
                [b' ' | b'\t', behind @ ..] if self.how == Canonicalization::Relaxed => {
                    self.space = true;
                    behind
                }
                _ => return rest,
            };
        }
    }

    /// Where the part ends behind which all must wait.
    fn content_end(&self, octets: &[u8]) -> usize {
        let mut content = octets;
        loop {
            content = match content {
                [before @ .., b'\r', b'\n'] => before,
                [before @ .., b' ' | b'\t'] if self.how == Canonicalization::Relaxed => before,
                _ => return content.len(),
            };
        }
    }

    /// A line is at its end; white space before the end does not count (§3.4.4).
    fn end_line(&mut self) {
        self.space = false;
        self.line_ends = self.line_ends.saturating_add(1);
    }

    /// Adds content, and with it all that has waited.
    fn add(&mut self, content: &[u8]) {
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
        match self.how {
            Canonicalization::Simple => self.canonical.add(content),
            Canonicalization::Relaxed => self.canonical.add_relaxed(content),
        }
    }
}

/// Line ends that have waited.
const LINE_ENDS: &[u8] = b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

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
}
