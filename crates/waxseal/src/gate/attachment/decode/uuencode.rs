//! Uuencode: how files went by mail before MIME.
//!
//! A line `begin 644 name`, lines whose first octet is the number of octets that the line holds,
//! and a line `end`. It is no part of MIME, and yet several mail programs show a file where such
//! lines stand in a plain text.

/// The longest line that is read: 63 octets encoded are 84 letters, some encoders add a checksum.
pub(in super::super) const MAX_LINE: usize = 128;

/// The name in a line that begins a file: `begin`, three or four octal digits, a name.
pub(in super::super) fn begin(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"begin ")?;
    let digits = rest.iter().take_while(|octet| matches!(octet, b'0'..=b'7')).count();
    let name = rest[digits..].strip_prefix(b" ")?.trim_ascii();
    ((3..=4).contains(&digits) && !name.is_empty()).then_some(name)
}

/// What a line behind `begin` is, its line end cut off.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Line {
    /// It holds these octets.
    Octets(Vec<u8>),
    /// The file ends, with this line or before it.
    End,
}

impl Line {
    /// Lenient as decoders are: letters that are missing at the end of a line are zeros, because
    /// mail servers cut off spaces.
    pub(in super::super) fn parse(line: &[u8]) -> Self {
        let Some((count, letters)) = line.split_first() else {
            return Self::End;
        };
        let (Some(count), true) = (value(*count), line.len() <= MAX_LINE) else {
            return Self::End;
        };
        if count == 0 || line == b"end" {
            return Self::End;
        }
        let mut octets = Vec::with_capacity(66);
        let mut letters = letters.iter().map_while(|letter| value(*letter)).chain([0; 84]);
        while octets.len() < usize::from(count) {
            let mut next = || letters.next().unwrap_or(0);
            let [a, b, c, d] = [next(), next(), next(), next()];
            octets.extend([(a << 2) | (b >> 4), (b << 4) | (c >> 2), (c << 6) | d]);
        }
        octets.truncate(usize::from(count));
        Self::Octets(octets)
    }
}

/// Six bits, with space and back quote for zero.
fn value(letter: u8) -> Option<u8> {
    matches!(letter, b' '..=b'`').then(|| (letter - b' ') & 0x3f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins() {
        assert_eq!(begin(b"begin 644 cat.txt\r"), Some(&b"cat.txt"[..]));
        assert_eq!(begin(b"begin 0755 a b"), Some(&b"a b"[..]));
        assert_eq!(begin(b"begin with an open mind"), None);
        assert_eq!(begin(b"begin 644 "), None);
        assert_eq!(begin(b"begin 999 x"), None);
        assert_eq!(begin(b"beginning"), None);
    }

    #[test]
    fn lines() {
        let octets = |line: &[u8]| Line::parse(line);
        assert_eq!(octets(b"#0V%T"), Line::Octets(b"Cat".to_vec()));
        assert_eq!(octets(b"#0V%T*"), Line::Octets(b"Cat".to_vec())); // a checksum
        assert_eq!(octets(b"$35J0"), Line::Octets(b"MZ\x90\0".to_vec())); // zeros cut off
        assert_eq!(octets(b"`"), Line::End);
        assert_eq!(octets(b"end"), Line::End);
        assert_eq!(octets(b""), Line::End);
        assert_eq!(octets(b"\xff"), Line::End);
        assert_eq!(octets(&[b'_'; 200]), Line::End);
    }
}
