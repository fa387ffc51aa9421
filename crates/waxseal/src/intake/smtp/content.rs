//! The message behind `DATA`, and where it ends (RFC 5321 §4.1.1.4, §4.5.2).
//!
//! It ends at a dot that is alone between two CRLF, and at nothing else. Servers that saw an end at
//! a dot between bare line feeds could be made to take what stands behind it for commands of the
//! mail server in front. So a bare CR or LF is content that makes the whole message refused, never
//! an end of anything.

use memchr::memchr2;

/// A message that is still coming.
#[derive(Debug)]
pub struct Content {
    octets: Vec<u8>,
    limit: usize,
    at: At,
    has_stray: bool,
    is_too_long: bool,
}

/// A message that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its octets, without the dots that the transport had added; empty if it is too long.
    pub octets: Vec<u8>,
    /// Whether it has a CR without LF, or an LF without CR.
    pub has_stray: bool,
    /// Whether it has more octets than are taken.
    pub is_too_long: bool,
}

/// Where in a line the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Dot,
    DotCr,
    Middle,
    Cr,
}

impl Content {
    /// A message of at most `limit` octets.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { octets: Vec::new(), limit, at: At::Start, has_stray: false, is_too_long: false }
    }

    /// How many octets it holds in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        self.octets.len()
    }

    /// Forgets what has come; what comes is passed over.
    pub fn drop_octets(&mut self) {
        self.octets = Vec::new();
        self.is_too_long = true;
    }

    /// Takes octets, up to the end of the message. Returns how many, and whether it has ended.
    pub fn take(&mut self, input: &[u8]) -> ContentStep {
        let mut used = 0;
        while let Some(octet) = input.get(used).copied() {
            match (self.at, octet) {
                (At::Start, b'.') => self.at = At::Dot,
                (At::Dot, b'\r') => self.at = At::DotCr,
                (At::DotCr, b'\n') => return ContentStep { used: used + 1, has_ended: true },
                (At::Cr, b'\n') => {
                    self.add(b"\r\n");
                    self.at = At::Start;
                }
                (At::DotCr | At::Cr, _) => {
                    // A CR that ends no line. The octet is looked at again.
                    self.has_stray = true;
                    self.add(b"\r");
                    self.at = At::Middle;
                    continue;
                }
                (_, b'\r') => self.at = At::Cr,
                (_, b'\n') => {
                    self.has_stray = true;
                    self.add(b"\n");
                    self.at = At::Middle;
                }
                // §4.5.2: the first dot of a line that has more was added on the way.
                (At::Start | At::Dot | At::Middle, _) => {
                    let rest = input.get(used..).unwrap_or_default();
                    let length = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    self.add(rest.get(..length).unwrap_or_default());
                    self.at = At::Middle;
                    used += length;
                    continue;
                }
            }
            used += 1;
        }
        ContentStep { used, has_ended: false }
    }

    /// The message, which has come to its end.
    #[must_use]
    pub fn into_taken(self) -> Taken {
        let Self { octets, has_stray, is_too_long, .. } = self;
        Taken { octets, has_stray, is_too_long }
    }

    fn add(&mut self, octets: &[u8]) {
        if self.is_too_long {
            return;
        }
        if self.octets.len().saturating_add(octets.len()) > self.limit {
            self.drop_octets();
        } else {
            self.octets.extend_from_slice(octets);
        }
    }
}

/// What [`Content::take`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentStep {
    /// How many octets it took.
    pub used: usize,
    /// Whether the message has ended with them.
    pub has_ended: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(input: &[u8]) -> Option<(Taken, usize)> {
        let mut content = Content::new(100);
        let step = content.take(input);
        step.has_ended.then(|| (content.into_taken(), step.used))
    }

    #[test]
    fn ends() {
        for (input, octets, has_stray) in [
            (&b".\r\n"[..], &b""[..], false),
            (b"a\r\n.\r\n", b"a\r\n", false),
            (b"..\r\n.\r\n", b".\r\n", false),
            (b".a\r\n.\r\n", b"a\r\n", false),
            (b"...\r\n.\r\n", b"..\r\n", false),
            (b"a\n.\n\r\n.\r\n", b"a\n.\n\r\n", true),
            (b"a\n.\r\n\r\n.\r\n", b"a\n.\r\n\r\n", true),
            (b"a\r\n.\n\r\n.\r\n", b"a\r\n\n\r\n", true),
            (b"a\r.\r\n\r\n.\r\n", b"a\r.\r\n\r\n", true),
            (b".\r\r\n.\r\n", b"\r\r\n", true),
            (b"a\r\r\n.\r\n", b"a\r\r\n", true),
        ] {
            let (found, used) = taken(input).unwrap();
            assert_eq!(found.octets, octets, "{}", input.escape_ascii());
            assert_eq!((found.has_stray, used), (has_stray, input.len()));
        }
        for input in [&b""[..], b"a\n.\n", b"a\n.\r\n", b"a\r\n.\n", b"a.\r\n", b".\r"] {
            assert_eq!(taken(input), None, "{}", input.escape_ascii());
        }
        assert_eq!(taken(b"a\r\n.\r\nQUIT\r\n").unwrap().1, 6);
    }

    #[test]
    fn too_long_is_passed_over() {
        let input = [&[b'x'; 101][..], b"\r\n.\r\n"].concat();
        let (found, used) = taken(&input).unwrap();
        assert!(found.is_too_long && found.octets.is_empty());
        assert_eq!(used, input.len());
    }
}
