//! Messages, made of parts.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// In lines of 76 letters.
pub(crate) fn base64(octets: &[u8]) -> Vec<u8> {
    let letters = BASE64_STANDARD.encode(octets);
    letters.as_bytes().chunks(76).flat_map(|line| [line, b"\r\n"].concat()).collect()
}

pub(crate) fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in octets.chunks(20) {
        for octet in line {
            match octet {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => lines.push(*octet),
                _ => lines.extend(format!("={octet:02X}").into_bytes()),
            }
        }
        lines.extend(b"=\r\n");
    }
    lines
}

pub(crate) fn uuencode(name: &str, octets: &[u8]) -> Vec<u8> {
    let letter = |bits: u8| if bits & 63 == 0 { b'`' } else { b' ' + (bits & 63) };
    let mut lines = format!("begin 644 {name}\r\n").into_bytes();
    for line in octets.chunks(45) {
        lines.push(letter(u8::try_from(line.len()).unwrap()));
        for group in line.chunks(3) {
            let [a, b, c] = [0, 1, 2].map(|at| group.get(at).copied().unwrap_or(0));
            let group = [a >> 2, (a << 4) | (b >> 4), (b << 2) | (c >> 6), c];
            lines.extend(group.map(letter));
        }
        lines.extend(b"\r\n");
    }
    lines.extend(b"`\r\nend\r\n");
    lines
}

/// A message with a text and a file as a mail program sends it.
pub(crate) fn with_file(name: &str, media_type: &str, file: &[u8]) -> Vec<u8> {
    let part = [
        format!(
            "Content-Type: {media_type}; name=\"{name}\"\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n"
        )
        .into_bytes(),
        base64(file),
    ];
    mixed(&[b"Content-Type: text/plain\r\n\r\nHello,\r\n\r\nsee below.\r\n", &part.concat()])
}

/// A message of these parts.
pub(crate) fn mixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut message = b"From: a@example.org\r\nSubject: a test\r\nMIME-Version: 1.0\r\n".to_vec();
    message.extend(multipart("mixed", "=_outer", parts));
    message
}

/// A multipart with its own field Content-Type.
pub(crate) fn multipart(subtype: &str, boundary: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut lines =
        format!("Content-Type: multipart/{subtype}; boundary=\"{boundary}\"\r\n\r\n").into_bytes();
    for part in parts {
        lines.extend(format!("--{boundary}\r\n").into_bytes());
        lines.extend_from_slice(part);
        lines.extend(b"\r\n");
    }
    lines.extend(format!("--{boundary}--\r\n").into_bytes());
    lines
}
