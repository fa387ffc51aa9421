//! What a piece is, by its first octets. Names and media types only say whether to complain.

/// How many octets are looked at.
pub(super) const PEEK: usize = 1024;

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Gzip,
    Zip,
    Xml,
    Json,
    /// The machine-readable part of a failure report.
    Feedback,
    /// A mail.
    Mail,
    /// Something else, for people.
    Other,
}

impl Content {
    /// What begins like this.
    pub(super) fn of(octets: &[u8]) -> Self {
        match octets {
            [0x1F, 0x8B, ..] => return Self::Gzip,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => {
                return Self::Zip;
            }
            // UTF-16, with a mark or without.
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'<', 0, ..] | [0, b'<', ..] => {
                return Self::Xml;
            }
            _ => {}
        }
        let octets = octets.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(octets).trim_ascii_start();
        match octets.first() {
            Some(b'<') if is_for_people(octets) => Self::Other,
            Some(b'<') => Self::Xml,
            Some(b'{') => Self::Json,
            _ if begins_with(octets, b"feedback-type:") => Self::Feedback,
            _ if is_mail(octets) => Self::Mail,
            _ => Self::Other,
        }
    }
}

/// HTML, which is XML almost.
fn is_for_people(octets: &[u8]) -> bool {
    let words: [&[u8]; 7] =
        [b"<html", b"<!doctype html", b"<head", b"<body", b"<div", b"<p", b"<meta"];
    words.iter().any(|word| begins_with(octets, word)) && !begins_with(octets, b"<policy")
}

/// Whether the first line is that of a header, or the one that an mbox has before it.
fn is_mail(octets: &[u8]) -> bool {
    if octets.starts_with(b"From ") || octets.starts_with(b">From ") {
        return true;
    }
    let Some(colon) = octets.iter().position(|octet| *octet == b':') else { return false };
    // RFC 5322 §2.2: printable, no space.
    colon > 0 && octets[..colon].iter().all(|octet| matches!(octet, b'!'..=b'~'))
}

fn begins_with(octets: &[u8], word: &[u8]) -> bool {
    octets.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_content() {
        let table: [(&[u8], Content); 16] = [
            (b"\x1f\x8b\x08", Content::Gzip),
            (b"PK\x03\x04", Content::Zip),
            (b"<?xml version", Content::Xml),
            (b"\xef\xbb\xbf<feedback>", Content::Xml),
            (b"\n  <ns:feedback>", Content::Xml),
            (b"\xff\xfe<\0f\0", Content::Xml),
            (b"<!DOCTYPE feedback>", Content::Xml),
            (b"<!DOCTYPE html>", Content::Other),
            (b"<HTML>", Content::Other),
            (b"{\"organization-name\"", Content::Json),
            (b"Feedback-Type: auth-failure", Content::Feedback),
            (b"Received: from a", Content::Mail),
            (b"From a@b Sat Nov 21", Content::Mail),
            (b"This is a report: see below", Content::Other),
            (b"unused", Content::Other),
            (b"", Content::Other),
        ];
        for (octets, content) in table {
            assert_eq!(Content::of(octets), content, "{:?}", String::from_utf8_lossy(octets));
        }
    }
}
