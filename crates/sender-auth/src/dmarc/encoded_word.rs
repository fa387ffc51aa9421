//! Encoded words in what people read (RFC 2047): `=?utf-8?q?J=C3=BCrgen?=`.
//!
//! They stand in display names only. What looks like one inside of an address is not one, and is
//! never decoded when a domain is looked for; but mail programs that decode it there deceive the
//! people before them, so whoever looks for deceptions decodes it, too.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Mail programs decode what lacks its padding, too.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How long an encoded word may be. The standard says 75; mail programs take more.
const MAX_OCTETS: usize = 1_000;

/// The text with every encoded word decoded that can be: UTF-8, ASCII and Latin-1. White space
/// between two of them is not part of the text (RFC 2047 §6.2). All others stay as they are.
pub(crate) fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_behind_word = false;
    while let Some((before, candidate)) = rest.split_once("=?") {
        let Some((word, behind)) = encoded_word(candidate) else {
            decoded.push_str(before);
            decoded.push_str("=?");
            rest = candidate;
            is_behind_word = false;
            continue;
        };
        let is_glue = is_behind_word && before.trim().is_empty();
        decoded.push_str(if is_glue { "" } else { before });
        decoded.push_str(&word);
        rest = behind;
        is_behind_word = true;
    }
    decoded.push_str(rest);
    decoded
}

/// `charset "?" encoding "?" encoded-text "?="`, decoded, and what stands behind it.
fn encoded_word(text: &str) -> Option<(String, &str)> {
    let word = text.get(..text.floor_char_boundary(MAX_OCTETS))?;
    let (charset, rest) = word.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (encoded, _) = rest.split_once('?')?;
    let end = charset.len() + encoding.len() + encoded.len() + "??".len();
    let behind = text.get(end..)?.strip_prefix("?=")?;
    let octets = match encoding {
        "q" | "Q" => quoted_printable(encoded),
        "b" | "B" => LENIENT.decode(encoded).ok()?,
        _ => return None,
    };
    // RFC 2231 §5: a language may follow the charset.
    let charset = charset.split('*').next()?.to_ascii_lowercase();
    let word = match charset.as_str() {
        "utf-8" | "us-ascii" => String::from_utf8_lossy(&octets).into_owned(),
        "iso-8859-1" => octets.into_iter().map(char::from).collect(),
        _ => return None,
    };
    Some((word, behind))
}

/// RFC 2047 §4.2: `_` is a space, `=XX` an octet; another `=` stays.
fn quoted_printable(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((octet, behind)) = rest.split_first() {
        let digit = |index: usize| char::from(*behind.get(index)?).to_digit(16);
        let encoded = (*octet == b'=')
            .then(|| digit(0).zip(digit(1)))
            .flatten()
            .and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        octets.push(match (octet, encoded) {
            (b'_', _) => b' ',
            (octet, encoded) => encoded.unwrap_or(*octet),
        });
        rest = encoded.and_then(|_| behind.get(2..)).unwrap_or(behind);
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str, expected: &str) {
        assert_eq!(decode(text), expected, "{text}");
    }

    #[test]
    fn words() {
        good("plain", "plain");
        good("=?utf-8?q?J=C3=BCrgen?=", "Jürgen");
        good("=?UTF-8?B?SsO8cmdlbg==?= X", "Jürgen X");
        good("=?UTF-8?B?SsO8cmdlbg?=", "Jürgen");
        good("=?iso-8859-1?Q?J=FCrgen_M?=", "Jürgen M");
        good("=?utf-8*de?q?a?=", "a");
        good("=?utf-8?q?a?= =?utf-8?q?b?=", "ab");
        good("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c");
        good("x =?utf-8?q?a=40b.test?=", "x a@b.test");
        good("=?utf-8?q?a=00b=zz=?=", "a\0b=zz=");
    }

    #[test]
    fn what_is_no_word_stays() {
        for text in ["=?", "=?=?=?", "=?utf-8?x?a?=", "=?koi8-r?q?a?=", "=?utf-8?b?*?=", "=?a?q?b"]
        {
            good(text, text);
        }
        good("=?=?utf-8?q?a?=", "=?a");
        good("=?utf-8?q?a?b?= =?utf-8?q?c?=", "=?utf-8?q?a?b?= c");
    }
}
