//! The multiparts and messages that are open: which line ends which, and how parts are numbered.

use super::fields::Children;

/// A multipart or an attached message.
#[derive(Debug)]
pub(super) enum Container {
    Multipart(Multipart),
    Message,
}

#[derive(Debug)]
pub(super) struct Multipart {
    pub(super) boundary: Box<[u8]>,
    pub(super) children: Children,
    /// How many parts have begun.
    pub(super) parts: u32,
    pub(super) stage: Stage,
}

/// How far a multipart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No delimiter yet, and only white space.
    Blank,
    /// No delimiter yet, but text.
    Preamble,
    Parts,
    Closed,
}

/// What a line says that begins with `--` and a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiter {
    /// The index of the multipart.
    pub(super) container: usize,
    pub(super) meaning: Meaning,
    pub(super) fit: Fit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    NextPart,
    /// RFC 2046 §5.1.1: with `--` behind the boundary, no further parts follow.
    Close,
}

/// Whether all programs take the line for a delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Exact,
    /// Something else stands behind the boundary, or the line fits twice.
    Doubtful,
}

/// What is open, the outermost first.
#[derive(Debug, Default)]
pub(super) struct Stack(pub(super) Vec<Container>);

impl Stack {
    pub(super) fn has_multipart(&self) -> bool {
        self.boundaries().next().is_some()
    }

    pub(super) fn has_boundary(&self, boundary: &[u8]) -> bool {
        self.boundaries().any(|(_, one)| one == boundary)
    }

    /// Which multipart a line delimits, if it does. RFC 2046 §5.1.1: the boundary is to be
    /// compared "with the beginning of each candidate line". Some programs do so, others want
    /// nothing but white space behind it. A line that fits exactly is no doubt, even where the
    /// boundary of another multipart is the beginning of this one's.
    pub(super) fn find_delimiter(&self, line: &[u8]) -> Option<Delimiter> {
        let text = line.strip_prefix(b"--")?.trim_ascii_end();
        let innermost = |boundary: &[u8]| {
            let same = self.boundaries().rfind(|(_, one)| *one == boundary);
            same.map(|(container, _)| container)
        };
        let opens = innermost(text);
        let closes = text.strip_suffix(b"--").and_then(innermost);
        let (container, meaning, fit) = match (opens, closes) {
            (Some(container), None) => (container, Meaning::NextPart, Fit::Exact),
            (None, Some(container)) => (container, Meaning::Close, Fit::Exact),
            (Some(container), Some(_)) => (container, Meaning::NextPart, Fit::Doubtful),
            (None, None) => {
                let begun = self.boundaries().filter(|(_, one)| text.starts_with(one));
                let (container, boundary) = begun.max_by_key(|(_, one)| one.len())?;
                let closes = text[boundary.len()..].starts_with(b"--");
                let meaning = if closes { Meaning::Close } else { Meaning::NextPart };
                (container, meaning, Fit::Doubtful)
            }
        };
        Some(Delimiter { container, meaning, fit })
    }

    /// The number of a multipart in the first `depth` containers. RFC 9051 §6.4.5 numbers parts
    /// so: a part of a multipart has the number of the multipart, a period, and a count from 1;
    /// the multipart that is the body of a message has the number of the message, which is `base`
    /// here.
    pub(super) fn multipart_number(&self, base: &str, depth: usize) -> String {
        let mut number = base.to_owned();
        for (index, container) in self.0[..depth].iter().enumerate() {
            match container {
                Container::Multipart(multipart) => append(&mut number, multipart.parts),
                Container::Message if self.is_body_of_message(index) => append(&mut number, 1),
                Container::Message => {}
            }
        }
        number
    }

    /// The number of any other part. The body of a message that is no multipart has count 1.
    pub(super) fn part_number(&self, base: &str) -> String {
        let depth = self.0.len();
        let mut number = self.multipart_number(base, depth);
        if self.is_body_of_message(depth) {
            append(&mut number, 1);
        }
        number
    }

    /// Whether what stands in the first `depth` containers is not a part of a multipart.
    fn is_body_of_message(&self, depth: usize) -> bool {
        depth.checked_sub(1).is_none_or(|last| matches!(self.0[last], Container::Message))
    }

    fn boundaries(&self) -> impl DoubleEndedIterator<Item = (usize, &[u8])> {
        self.0.iter().enumerate().filter_map(|(index, container)| match container {
            Container::Multipart(multipart) => Some((index, &*multipart.boundary)),
            Container::Message => None,
        })
    }
}

fn append(number: &mut String, count: u32) {
    if !number.is_empty() {
        number.push('.');
    }
    *number += &count.to_string();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(boundaries: &[&str]) -> Stack {
        let multipart = |boundary: &&str| {
            let (boundary, children) = (boundary.as_bytes().into(), Children::Text);
            Container::Multipart(Multipart { boundary, children, parts: 1, stage: Stage::Parts })
        };
        Stack(boundaries.iter().map(multipart).collect())
    }

    #[test]
    fn delimiters() {
        let stack = stack(&["a", "ab", "c--", "c"]);
        let found = |line: &str| {
            let found = stack.find_delimiter(line.as_bytes());
            found.map(|one| (one.container, one.meaning, one.fit))
        };
        assert_eq!(found("--a"), Some((0, Meaning::NextPart, Fit::Exact)));
        assert_eq!(found("--a \t\r\n"), Some((0, Meaning::NextPart, Fit::Exact)));
        assert_eq!(found("--a--\r\n"), Some((0, Meaning::Close, Fit::Exact)));
        assert_eq!(found("--ab"), Some((1, Meaning::NextPart, Fit::Exact)));
        assert_eq!(found("--ab--"), Some((1, Meaning::Close, Fit::Exact)));
        assert_eq!(found("--ac"), Some((0, Meaning::NextPart, Fit::Doubtful)));
        assert_eq!(found("--abc"), Some((1, Meaning::NextPart, Fit::Doubtful)));
        assert_eq!(found("--a--b"), Some((0, Meaning::Close, Fit::Doubtful)));
        assert_eq!(found("--c--"), Some((2, Meaning::NextPart, Fit::Doubtful)));
        assert_eq!(found("--d"), None);
        assert_eq!(found("--"), None);
        assert_eq!(found("-a"), None);
        assert_eq!(found("a"), None);
    }
}
