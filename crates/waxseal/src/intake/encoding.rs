//! The text of an XML document as UTF-8, whatever it is written in.
//!
//! The XML reader wants UTF-8. Documents come in UTF-8, in Latin-1 that says so and in Latin-1
//! that says UTF-8, in windows-1252 and now and then in UTF-16. The mark at the beginning counts
//! first, then what the octets look like, then the declaration. Octets that are not in that
//! encoding become U+FFFD, which is noted and no reason to lose a report.

use std::io::{self, BufRead, Read};

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How many octets of UTF-8 are made at once.
const PIECE: usize = 16 * 1024;

/// A document as UTF-8.
pub(super) struct Utf8<R> {
    inner: R,
    decoder: Decoder,
    text: Vec<u8>,
    at: usize,
    end: usize,
    has_ended: bool,
    has_faults: bool,
}

impl<R: BufRead> Utf8<R> {
    /// A document that begins with these octets, which are still in the reader.
    pub(super) fn new(inner: R, start: &[u8]) -> Self {
        let named = declared(start);
        let known = named.and_then(Encoding::for_label);
        let has_faults = named.is_some() && known.is_none();
        let encoding = match (start, known) {
            ([b'<', 0, ..], _) => UTF_16LE,
            ([0, b'<', ..], _) => UTF_16BE,
            // Without a mark and with octets as in ASCII, it cannot be what it says.
            (_, Some(encoding)) if encoding.is_ascii_compatible() => encoding,
            _ => UTF_8,
        };
        let has_faults = has_faults || known.is_some_and(|known| !known.is_ascii_compatible());
        let has_mark = Encoding::for_bom(start).is_some();
        Self {
            inner,
            decoder: encoding.new_decoder(),
            text: vec![0; PIECE],
            at: 0,
            end: 0,
            has_ended: false,
            // A mark is right even where the declaration is not; XML says nothing else of UTF-16.
            has_faults: has_faults && !has_mark && !matches!(start, [b'<', 0, ..] | [0, b'<', ..]),
        }
    }

    /// Whether octets were met that are not in the encoding, or an encoding that nobody knows.
    pub(super) fn has_faults(&self) -> bool {
        self.has_faults
    }
}

impl<R: BufRead> Read for Utf8<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let read = available.len().min(octets.len());
        octets[..read].copy_from_slice(&available[..read]);
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Utf8<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.end && !self.has_ended {
            let octets = self.inner.fill_buf()?;
            let is_last = octets.is_empty();
            let (result, read, written, had_errors) =
                self.decoder.decode_to_utf8(octets, &mut self.text, is_last);
            self.inner.consume(read);
            (self.at, self.end) = (0, written);
            self.has_faults |= had_errors;
            self.has_ended = is_last && result == encoding_rs::CoderResult::InputEmpty;
        }
        Ok(&self.text[self.at..self.end])
    }

    fn consume(&mut self, octets: usize) {
        self.at = self.at.saturating_add(octets).min(self.end);
    }
}

/// The encoding that the XML declaration names.
fn declared(start: &[u8]) -> Option<&[u8]> {
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    let start = start.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = &start[..start.iter().position(|octet| *octet == b'>')?];
    let at = memchr::memmem::find(declaration, b"encoding")?;
    let value = declaration[at + 8..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let quote = *value.first().filter(|octet| matches!(octet, b'"' | b'\''))?;
    let value = &value[1..];
    Some(&value[..value.iter().position(|octet| *octet == quote)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(octets: &[u8]) -> (String, bool) {
        let mut reader = Utf8::new(octets, octets);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        (text, reader.has_faults())
    }

    #[test]
    fn encodings() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>M\xFCller</a>";
        let (text, has_faults) = decoded(latin);
        assert!(text.contains("Müller") && !has_faults);
        let (text, has_faults) = decoded(b"<?xml encoding=\"windows-1252\"?><a>\x80</a>");
        assert!(text.contains('€') && !has_faults);
        let (text, has_faults) = decoded(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>M\xFC</a>");
        assert!(text.contains("M\u{FFFD}") && has_faults);
        let (text, has_faults) = decoded(b"<?xml encoding=\"klingon\"?><a>b</a>");
        assert!(text.contains("<a>b</a>") && has_faults);
        let (text, has_faults) = decoded(b"<?xml encoding=\"UTF-16\"?><a>b</a>");
        assert!(text.contains("<a>b</a>") && has_faults);
        assert_eq!(decoded(b"\xEF\xBB\xBF<a/>"), ("<a/>".to_owned(), false));
        assert_eq!(decoded(b"\xFF\xFE<\0a\0/\0>\0"), ("<a/>".to_owned(), false));
        assert_eq!(decoded(b"\0<\0a\0/\0>"), ("<a/>".to_owned(), false));
        assert_eq!(decoded(b"<a>\xC3").0, "<a>\u{FFFD}");
    }

    #[test]
    fn long_texts_in_pieces() {
        let long = "ä".repeat(100_000);
        assert_eq!(decoded(long.as_bytes()), (long.clone(), false));
    }
}
