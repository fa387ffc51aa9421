//! Transfer encodings of parts: base64 and quoted-printable, also with text in between that does
//! not belong there.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mail_parser::decoders::quoted_printable::quoted_printable_decode;

/// Reads what is cut off, too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The octets of a part with this `Content-Transfer-Encoding`; as they are for one that nobody
/// knows.
pub(super) fn decoded(body: &[u8], encoding: &str) -> Vec<u8> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => base64_lines(body),
        "quoted-printable" => quoted_printable_decode(body).unwrap_or_else(|| body.to_vec()),
        _ => body.to_vec(),
    }
}

/// RFC 2045 §6.8: lines of base64. Lines that have anything else in them are passed over before
/// it, and are its end behind it: mailing lists and scanners add text.
fn base64_lines(body: &[u8]) -> Vec<u8> {
    let mut digits = Vec::with_capacity(body.len());
    for line in body.split(|octet| *octet == b'\n') {
        let line = line.trim_ascii();
        let is_base64 = line.iter().all(|octet| {
            octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=' | b' ' | b'\t')
        });
        match is_base64 {
            true => digits.extend(line.iter().filter(|octet| !octet.is_ascii_whitespace())),
            false if digits.is_empty() => {}
            false => break,
        }
        if line.last() == Some(&b'=') {
            break;
        }
    }
    // One digit alone is no octet.
    let is_digit = |octet: &u8| *octet != b'=';
    let whole = digits.iter().filter(|octet| is_digit(octet)).count();
    digits.retain(is_digit);
    if whole % 4 == 1 {
        digits.pop();
    }
    BASE64.decode(&digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_with_stray_text() {
        for body in [
            "aGVsbG8gd29ybGQ=",
            "aGVs\r\nbG8gd29ybGQ=\r\n",
            "aGVsbG8gd29ybGQ",
            "Scanned: yes!\r\n\r\naGVsbG8gd29ybGQ=\r\n\r\n-- \r\nA mailing list\r\n",
            "aGVs bG8g\td29y bGQ=",
        ] {
            assert_eq!(decoded(body.as_bytes(), " Base64 "), b"hello world", "{body:?}");
        }
        assert_eq!(decoded(b"aGVsbG8gd", "base64"), b"hello ");
        assert_eq!(decoded(b"", "base64"), b"");
        assert_eq!(decoded(b"!!!", "base64"), b"");
    }

    #[test]
    fn others() {
        assert_eq!(decoded(b"a=3Db=\r\nc", "Quoted-Printable"), b"a=bc");
        assert_eq!(decoded(b"a=3Db", "8bit"), b"a=3Db");
        assert_eq!(decoded(b"a=3Db", "x-new"), b"a=3Db");
    }
}
