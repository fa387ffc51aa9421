//! Text from strangers, made fit for a log line.

/// `octets` as text without control characters (each becomes U+FFFD), at most `limit` characters.
pub(super) fn printable(octets: &[u8], limit: usize) -> String {
    String::from_utf8_lossy(octets)
        .chars()
        .take(limit)
        .map(|c| match c.is_control() {
            true => char::REPLACEMENT_CHARACTER,
            false => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_length() {
        assert_eq!(printable(b"plain", 10), "plain");
        assert_eq!(printable(b"two\r\nlines\x1b[2J", 100), "two��lines�[2J");
        assert_eq!(printable("ä\u{85}b".as_bytes(), 100), "ä�b");
        assert_eq!(printable(b"\xff", 100), "�");
        assert_eq!(printable(&[b'a'; 1000], 3), "aaa");
    }
}
