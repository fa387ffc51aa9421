//! Base64 (RFC 2045 §6.8), as lenient as a mail program and as fast as memory allows.

/// How many decoded octets are gathered before they are handed on; a multiple of three.
const ROOM: usize = 6 * 1024;

/// No letter of the alphabet. Its high bits show through when four values are joined by "or".
const NONE: u8 = 0xff;

/// The value of each octet, or [`NONE`].
const VALUES: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        values[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// A decoder. Octets outside of the alphabet are skipped, as RFC 2045 §6.8 asks.
#[derive(Debug)]
pub(in super::super) struct Base64 {
    decoded: [u8; ROOM],
    filled: usize,
    /// Up to three letters that wait for the fourth, six bits each.
    bits: u32,
    letters: u8,
    padding: Padding,
}

/// RFC 2045 §6.8: `=` may be taken as evidence that the data end. There are decoders that stop
/// there, some that begin anew, and some that skip it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Padding {
    NotYet,
    Seen,
    /// Letters came behind it.
    Passed,
}

impl Default for Base64 {
    fn default() -> Self {
        Self { decoded: [0; ROOM], filled: 0, bits: 0, letters: 0, padding: Padding::NotYet }
    }
}

impl Base64 {
    pub(super) fn push(&mut self, encoded: &[u8], sink: &mut impl FnMut(&[u8])) {
        let mut rest = encoded;
        while let Some((first, behind)) = rest.split_first() {
            if self.filled + 3 > ROOM {
                self.flush(sink);
            }
            let quanta = if self.letters == 0 && self.padding != Padding::Seen {
                self.whole_quanta(rest)
            } else {
                0
            };
            if quanta > 0 {
                rest = &rest[quanta * 4..];
                continue;
            }
            self.octet(*first);
            rest = behind;
        }
    }

    pub(super) fn finish(&mut self, sink: &mut impl FnMut(&[u8])) {
        self.end_quantum();
        self.flush(sink);
    }

    pub(super) fn went_on_after_padding(&self) -> bool {
        self.padding == Padding::Passed
    }

    fn flush(&mut self, sink: &mut impl FnMut(&[u8])) {
        if self.filled > 0 {
            sink(&self.decoded[..self.filled]);
        }
        self.filled = 0;
    }

    /// Decodes groups of four letters as long as there are no other octets among them. Returns how
    /// many groups.
    fn whole_quanta(&mut self, encoded: &[u8]) -> usize {
        let mut quanta = 0;
        let room = &mut self.decoded[self.filled..];
        let (groups, _) = encoded.as_chunks::<4>();
        let (places, _) = room.as_chunks_mut::<3>();
        for (group, place) in groups.iter().zip(places) {
            let [a, b, c, d] = group.map(|octet| VALUES[usize::from(octet)]);
            if (a | b | c | d) & 0xc0 != 0 {
                break;
            }
            *place = [(a << 2) | (b >> 4), (b << 4) | (c >> 2), (c << 6) | d];
            quanta += 1;
        }
        self.filled += quanta * 3;
        quanta
    }

    fn octet(&mut self, octet: u8) {
        if octet == b'=' {
            self.end_quantum();
            if self.padding == Padding::NotYet {
                self.padding = Padding::Seen;
            }
            return;
        }
        let value = VALUES[usize::from(octet)];
        if value == NONE {
            return;
        }
        if self.padding == Padding::Seen {
            self.padding = Padding::Passed;
        }
        self.bits = (self.bits << 6) | u32::from(value);
        self.letters += 1;
        if self.letters == 4 {
            let [_, octets @ ..] = self.bits.to_be_bytes();
            self.keep(&octets);
            (self.bits, self.letters) = (0, 0);
        }
    }

    /// Two or three letters that end early still hold one or two octets.
    fn end_quantum(&mut self) {
        let missing = u32::from(4 - self.letters.min(4)) * 6;
        let [_, first, second, _] = (self.bits << missing).to_be_bytes();
        match self.letters {
            2 => self.keep(&[first]),
            3 => self.keep(&[first, second]),
            _ => {}
        }
        (self.bits, self.letters) = (0, 0);
    }

    fn keep(&mut self, octets: &[u8]) {
        let end = self.filled + octets.len();
        self.decoded[self.filled..end].copy_from_slice(octets);
        self.filled = end;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::decode;
    use super::super::{Decoder, Encoding};

    fn good(encoded: &[u8], expected: &[u8]) {
        let decoded = decode(Encoding::Base64, encoded);
        assert_eq!(decoded.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn base64() {
        good(b"", b"");
        good(b"Zm9v", b"foo");
        good(b"Zm9vYg==", b"foob");
        good(b"Zm9vYmE=", b"fooba");
        good(b"Zm9vYmFy", b"foobar"); // RFC 4648 §10
        good(b"Zm9v\r\nYmFy\r\n", b"foobar");
        good(b"Z\r\nm9-v_Y*mFy", b"foobar"); // what is not in the alphabet is skipped
        good(b"Zm9vYg", b"foob"); // without padding
        good(b"Zm9vYmE", b"fooba");
        good(b"Zm9vY", b"foo"); // one letter holds no octet
        good(b"Zg==Zg==", b"ff"); // joined
        good(b"====Zm9v", b"foo");
        good(b"Z===Zm9v", b"foo");
        good(b"/+8=", b"\xff\xef");
        good("Zm9v".repeat(5000).as_bytes(), "foo".repeat(5000).as_bytes());
        good("Zm\n9v".repeat(5000).as_bytes(), "foo".repeat(5000).as_bytes());
        good("Zg==".repeat(9000).as_bytes(), "f".repeat(9000).as_bytes());
    }

    #[test]
    fn letters_behind_padding_are_told() {
        let told = |encoded: &[u8]| {
            let mut decoder = Decoder::new(Encoding::Base64);
            decoder.push(encoded, &mut |_| {});
            decoder.went_on_after_padding()
        };
        assert!(!told(b"Zm9vYg==\r\n \r\n"));
        assert!(!told(b"Zm9v"));
        assert!(told(b"Zg==Zg=="));
        assert!(told(b"=Zg"));
    }
}
