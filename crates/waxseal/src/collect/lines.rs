//! Lines out of pieces of any size, each with a bound.

/// Puts lines together. A line that is too long is told once, and skipped up to its end.
#[derive(Debug)]
pub(super) struct Lines {
    begun: Vec<u8>,
    longest: usize,
    is_skipping: bool,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'l> {
    /// A line without its end.
    Whole(&'l [u8]),
    /// A line with more octets than there may be.
    TooLong,
}

impl Lines {
    /// Lines of at most `longest` octets.
    pub(super) fn new(longest: usize) -> Self {
        Self { begun: Vec::new(), longest, is_skipping: false }
    }

    /// Hands on every line that ends in this piece.
    pub(super) fn push(&mut self, mut piece: &[u8], take: &mut dyn FnMut(Line<'_>)) {
        while let Some(at) = memchr::memchr(b'\n', piece) {
            let (end, rest) = piece.split_at(at);
            piece = rest.get(1..).unwrap_or_default();
            if self.begun.is_empty() && !self.is_skipping && end.len() <= self.longest {
                take(Line::Whole(end));
                continue;
            }
            self.begin(end, take);
            self.finish(take);
        }
        self.begin(piece, take);
    }

    /// Hands on the last line, if it has no end, and is as new.
    pub(super) fn finish(&mut self, take: &mut dyn FnMut(Line<'_>)) {
        if !self.is_skipping && !self.begun.is_empty() {
            take(Line::Whole(&self.begun));
        }
        self.clear();
    }

    /// Forgets what has begun.
    pub(super) fn clear(&mut self) {
        self.begun.clear();
        self.is_skipping = false;
    }

    fn begin(&mut self, octets: &[u8], take: &mut dyn FnMut(Line<'_>)) {
        if self.is_skipping {
            return;
        }
        if self.begun.len() + octets.len() > self.longest {
            self.is_skipping = true;
            self.begun = Vec::new();
            take(Line::TooLong);
            return;
        }
        self.begun.extend_from_slice(octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], piece: usize) -> Vec<String> {
        let (mut lines, mut found) = (Lines::new(5), Vec::new());
        let mut take = |line: Line<'_>| match line {
            Line::Whole(line) => found.push(String::from_utf8(line.to_vec()).unwrap()),
            Line::TooLong => found.push("too long".to_owned()),
        };
        text.chunks(piece).for_each(|piece| lines.push(piece, &mut take));
        lines.finish(&mut take);
        found
    }

    #[test]
    fn lines_are_the_same_in_pieces_of_any_size() {
        let text = b"one\n12345\n123456\n\nlonger than long\ntwo\n12345";
        for piece in 1..=text.len() {
            let found: Vec<_> =
                read(text, piece).into_iter().filter(|line| !line.is_empty()).collect();
            let expected = ["one", "12345", "too long", "too long", "two", "12345"];
            assert_eq!(found, expected, "{piece}");
        }
        assert_eq!(read(b"endless line", 3), ["too long"]);
        assert!(read(b"", 1).is_empty());
    }
}
