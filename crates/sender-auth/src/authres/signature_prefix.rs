//! Which signature a statement is about, when a message has several (RFC 6008).

use alloc::string::String;
use alloc::vec::Vec;

/// How much of a signature is shown at least.
const LEAST: usize = 8;

/// For each signature, what goes into `header.b` (RFC 6008 §4): its first eight characters, and as
/// many more as it takes to tell it from the others. Of signatures that are the same nothing can
/// be told; they are shown whole.
///
/// Takes the values of the `b=` tags of all signatures of a message, in base64; white space in
/// them is left out.
#[must_use]
pub fn signature_prefixes<'s>(signatures: impl IntoIterator<Item = &'s str>) -> Vec<String> {
    let bare = |text: &str| text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let signatures: Vec<String> = signatures.into_iter().map(bare).collect();
    let of = |index: usize, signature: &String| {
        let others = signatures.iter().enumerate().filter(|(other, _)| *other != index);
        let shared = others.map(|(_, other)| shared_characters(signature, other)).max();
        signature.chars().take(LEAST.max(shared.unwrap_or(0) + 1)).collect()
    };
    signatures.iter().enumerate().map(|(index, signature)| of(index, signature)).collect()
}

/// How many characters at the beginning are the same.
fn shared_characters(one: &str, two: &str) -> usize {
    one.chars().zip(two.chars()).take_while(|(one, two)| one == two).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        for (signatures, expected) in [
            (&["ABCDEFGHIJ"][..], &["ABCDEFGH"][..]),
            (&["ABCD\r\n EFGHIJ", "KLMNOPQRST"], &["ABCDEFGH", "KLMNOPQR"]),
            (&["ABCDEFGHIJKL", "ABCDEFGHIJXY"], &["ABCDEFGHIJK", "ABCDEFGHIJX"]),
            (&["ABCDEFGHIJ", "ABCDEFGHIJ"], &["ABCDEFGHIJ", "ABCDEFGHIJ"]),
            (&["ABC", ""], &["ABC", ""]),
            (&[], &[]),
        ] {
            assert_eq!(signature_prefixes(signatures.iter().copied()), expected);
        }
    }
}
