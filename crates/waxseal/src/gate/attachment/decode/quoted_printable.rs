//! Quoted-printable (RFC 2045 §6.7).

use memchr::memchr;

/// A decoder. An `=` that begins nothing stands for itself, as RFC 2045 §6.7 suggests.
#[derive(Debug, Default)]
pub(in super::super) enum QuotedPrintable {
    #[default]
    Text,
    /// Behind `=`.
    Equals,
    /// Behind `=` and white space, which must be the end of a line.
    SoftBreak,
    /// Behind `=` and this digit.
    Digit(u8),
}

impl QuotedPrintable {
    pub(super) fn push(&mut self, encoded: &[u8], sink: &mut impl FnMut(&[u8])) {
        let mut rest = encoded;
        while let Some((first, behind)) = rest.split_first() {
            match *self {
                Self::Text => {
                    let text = memchr(b'=', rest).unwrap_or(rest.len());
                    if text > 0 {
                        sink(&rest[..text]);
                    }
                    rest = rest.get(text + 1..).map_or(&[][..], |rest| {
                        *self = Self::Equals;
                        rest
                    });
                    continue;
                }
                Self::Equals => match first {
                    b'\n' => *self = Self::Text,
                    b'\r' | b' ' | b'\t' => *self = Self::SoftBreak,
                    digit if digit.is_ascii_hexdigit() => *self = Self::Digit(*digit),
                    _ => {
                        sink(b"=");
                        *self = Self::Text;
                        continue;
                    }
                },
                Self::SoftBreak => match first {
                    b'\n' => *self = Self::Text,
                    b'\r' | b' ' | b'\t' => {}
                    _ => {
                        *self = Self::Text;
                        continue;
                    }
                },
                Self::Digit(digit) => {
                    *self = Self::Text;
                    let (Some(high), Some(low)) = (value(digit), value(*first)) else {
                        sink(&[b'=', digit]);
                        continue;
                    };
                    sink(&[high * 16 + low]);
                }
            }
            rest = behind;
        }
    }

    pub(super) fn finish(&mut self, sink: &mut impl FnMut(&[u8])) {
        match std::mem::take(self) {
            Self::Equals => sink(b"="),
            Self::Digit(digit) => sink(&[b'=', digit]),
            Self::Text | Self::SoftBreak => {}
        }
    }
}

/// The value of a hexadecimal digit; lower case is wrong and read (RFC 2045 §6.7).
fn value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::super::Encoding;
    use super::super::tests::decode;

    fn good(encoded: &[u8], expected: &[u8]) {
        let decoded = decode(Encoding::QuotedPrintable, encoded);
        assert_eq!(decoded.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn quoted_printable() {
        good(b"", b"");
        good(b"a=3Db=00=fF", b"a=b\0\xff");
        good(b"a=\r\nb=\nc= \t\r\nd", b"abcd");
        good(b"a\r\nb", b"a\r\nb");
        good(b"a=xb==3D=", b"a=xb===");
        good(b"=4x=4", b"=4x=4");
        good(b"= x", b"x");
        good(b"=M=5A", b"=MZ");
    }
}
