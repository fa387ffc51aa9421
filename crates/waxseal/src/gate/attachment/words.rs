//! Names of files, made fit for people: decoded as far as possible, and harmless in a log line.

use super::decode::{Decoder, Encoding};

/// The most characters of a name that are kept.
const MAX_CHARACTERS: usize = 100;

/// The most octets of a name that are read, encoded as they are.
const MAX_OCTETS: usize = 1_000;

/// A name as it stands in a parameter, with RFC 2231's charset (empty if there was none). Encoded
/// words are wrong there (RFC 2047 §5) and so common that everyone reads them.
pub(super) fn name(octets: &[u8], charset: &[u8]) -> Option<String> {
    let octets = &octets[..octets.len().min(MAX_OCTETS)];
    let name = match charset {
        [] => encoded_words(octets),
        charset => text(octets, charset),
    };
    printable(&name)
}

/// `name` on one line, bounded, without characters that are invisible or turn the direction of
/// writing; each becomes `?`. `None` if nothing is left.
pub(super) fn printable(name: &str) -> Option<String> {
    let visible = |c: char| match c {
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => '?',
        '\u{61c}' | '\u{ad}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => '?',
        c if c.is_control() => '?',
        c => c,
    };
    let name: String = name.trim().chars().take(MAX_CHARACTERS).map(visible).collect();
    (!name.is_empty()).then_some(name)
}

/// Octets as text: ISO 8859-1 if the charset says so, else UTF-8. Of other charsets only ASCII is
/// read.
fn text(octets: &[u8], charset: &[u8]) -> String {
    let is = |name: &str| charset.eq_ignore_ascii_case(name.as_bytes());
    if is("iso-8859-1") || is("iso-8859-15") || is("windows-1252") {
        return octets.iter().copied().map(char::from).collect();
    }
    String::from_utf8_lossy(octets).into_owned()
}

/// Text with encoded words in it, `=?charset?B?…?=` (RFC 2047 §2). White space between two of them
/// does not count (§6.2).
fn encoded_words(octets: &[u8]) -> String {
    let mut decoded = String::new();
    let mut rest = octets;
    let mut behind_word = false;
    while let Some(start) = rest.windows(2).position(|pair| pair == b"=?") {
        let (before, from) = rest.split_at(start);
        let Some((word, behind)) = encoded_word(from) else {
            decoded += &String::from_utf8_lossy(&rest[..start + 2]);
            (rest, behind_word) = (&from[2..], false);
            continue;
        };
        if !(behind_word && before.trim_ascii().is_empty()) {
            decoded += &String::from_utf8_lossy(before);
        }
        decoded += &word;
        (rest, behind_word) = (behind, true);
    }
    decoded + &String::from_utf8_lossy(rest)
}

/// One encoded word at the beginning, and what stands behind it.
fn encoded_word(octets: &[u8]) -> Option<(String, &[u8])> {
    let mut parts = octets.strip_prefix(b"=?")?.splitn(3, |octet| *octet == b'?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let end = rest.windows(2).position(|pair| pair == b"?=")?;
    let (encoded, behind) = (&rest[..end], &rest[end + 2..]);
    let (encoding, encoded) = match encoding {
        b"B" | b"b" => (Encoding::Base64, encoded.to_vec()),
        // The "Q" encoding has an underscore for a space (RFC 2047 §4.2).
        b"Q" | b"q" => {
            let spaces = encoded.iter().map(|octet| if *octet == b'_' { b' ' } else { *octet });
            (Encoding::QuotedPrintable, spaces.collect())
        }
        _ => return None,
    };
    let (mut decoder, mut decoded) = (Decoder::new(encoding), Vec::new());
    decoder.push(&encoded, &mut |octets| decoded.extend_from_slice(octets));
    decoder.finish(&mut |octets| decoded.extend_from_slice(octets));
    // RFC 2231 §5: a language may stand behind the charset.
    let charset = charset.split(|octet| *octet == b'*').next().unwrap_or_default();
    Some((text(&decoded, charset), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(octets: &[u8], charset: &str, expected: &str) {
        assert_eq!(name(octets, charset.as_bytes()).as_deref(), Some(expected));
    }

    #[test]
    fn names() {
        good(b"invoice.pdf", "", "invoice.pdf");
        good("Größe.pdf".as_bytes(), "", "Größe.pdf");
        good(b"Gr\xf6\xdfe.pdf", "ISO-8859-1", "Größe.pdf");
        good(b"=?iso-8859-1?Q?Gr=F6=DFe_1?= =?utf-8*de?B?w7w=?= x", "", "Größe 1ü x");
        good(b"a =?utf-8?B?w7w=?= =?x", "", "a ü =?x");
        good(b"=?utf-8?X?w7w=?=", "", "=?utf-8?X?w7w=?=");
        good("a\u{202e}fdp.exe\r\n\0".as_bytes(), "", "a?fdp.exe???");
        good(&[b'a'; 1000], "", &"a".repeat(100));
        assert_eq!(name(b" \r\n ", b""), None);
    }
}
