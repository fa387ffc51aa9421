//! The header field `TLS-Required: No` (RFC 8689 §3): for this letter arriving matters more than
//! secrecy.
//!
//! It asks the client to leave the recipient's MTA-STS and DANE aside. It is what a report about
//! broken TLS carries, so that it arrives although TLS is broken.

/// Whether a letter asks for the recipient's policies to be left aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsRequired {
    /// It says nothing, or nothing that counts.
    AsPolicy,
    /// `TLS-Required: No`. A letter that is sent with REQUIRETLS says both, and then this one is
    /// left aside (RFC 8689 §4.1).
    No,
}

impl TlsRequired {
    /// Reads the header of a letter, or the whole letter.
    ///
    /// §3: "More than one instance of the TLS-Required header field MUST NOT appear", so more than
    /// one counts as none: in doubt the recipient's policy holds.
    #[must_use]
    pub fn of_letter(letter: &[u8]) -> Self {
        let mut fields = fields(letter);
        let value = fields.find_map(|field| value(field));
        match value {
            Some(value) if is_no(value) && !fields.any(|field| self::value(field).is_some()) => {
                Self::No
            }
            _ => Self::AsPolicy,
        }
    }
}

/// The fields of the header, each with its folded lines.
fn fields(letter: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = letter;
    core::iter::from_fn(move || {
        if rest.is_empty() || rest.starts_with(b"\r\n") || rest.starts_with(b"\n") {
            return None;
        }
        let ends = rest.iter().enumerate().filter(|(_, octet)| **octet == b'\n');
        let mut ends = ends.map(|(index, _)| index + 1);
        let end = ends.find(|end| !matches!(rest.get(*end), Some(b' ' | b'\t')));
        let (field, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(field)
    })
}

/// The value of a field, if it is `TLS-Required`.
fn value(field: &[u8]) -> Option<&[u8]> {
    let colon = field.iter().position(|octet| *octet == b':')?;
    let (name, value) = field.split_at(colon);
    name.trim_ascii_end().eq_ignore_ascii_case(b"TLS-Required").then(|| &value[1..])
}

/// `[CFWS] "No"`, in any case; comments may stand before it and behind it.
fn is_no(value: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut octets = value.iter();
    let mut word = [0; 2];
    let mut length = 0;
    while let Some(&octet) = octets.next() {
        match (octet, depth) {
            (b'(', _) => depth += 1,
            (b')', 0) => return false,
            (b')', _) => depth -= 1,
            (b'\\', 1..) => {
                octets.next();
            }
            (b' ' | b'\t' | b'\r' | b'\n', 0) | (_, 1..) => {}
            (letter, 0) => {
                let Some(place) = word.get_mut(length) else { return false };
                *place = letter;
                length += 1;
            }
        }
    }
    depth == 0 && length == 2 && word.eq_ignore_ascii_case(b"no")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let no = |letter: &str| TlsRequired::of_letter(letter.as_bytes()) == TlsRequired::No;
        assert!(no("From: a@example.com\r\nTLS-Required: No\r\n\r\nHello\r\n"));
        assert!(no("tls-required:no\r\n"));
        assert!(no("TLS-Required: (no (really) \\) matter)\r\n\tNO (x)\r\n\r\n"));
        assert!(no("TLS-Required : No\n\n"));

        assert!(!no("TLS-Required: Yes\r\n"));
        assert!(!no("TLS-Required:\r\n"));
        assert!(!no("TLS-Required: Nope\r\n"));
        assert!(!no("TLS-Required: N\r\n"));
        assert!(!no("TLS-Required: (No)\r\n"));
        assert!(!no("TLS-Required: No (\r\n"));
        assert!(!no("TLS-Required: No\r\nTLS-Required: No\r\n")); // twice
        assert!(!no("TLS-Required: Yes\r\nTLS-Required: No\r\n"));
        assert!(!no("From: a@example.com\r\n\r\nTLS-Required: No\r\n")); // in the body
        assert!(!no("X: a\r\n TLS-Required: No\r\n")); // folded
        assert!(!no(""));
    }
}
