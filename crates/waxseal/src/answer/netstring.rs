//! Netstrings, the frames of the socketmap protocol: a length in decimal, a colon, that many
//! octets, a comma. Pure: octets in, frames out.
//!
//! Strict, because a length that two programs read differently is how requests get smuggled: no
//! sign, no space, no leading zero (`0:,` is the empty frame). A length above the limit is refused
//! at the first digit that makes it so, before anything is kept in memory for it.
//!
//! [`decode`] has no state. It looks at everything that has arrived and has not been consumed, and
//! what it says of some octets it also says when more of them have arrived.

use std::fmt;

/// What the octets so far begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'o> {
    /// A whole frame.
    Frame {
        /// What is in it.
        payload: &'o [u8],
        /// How many octets it takes, its length and comma included.
        octets: usize,
    },
    /// A frame that is not whole yet, or nothing at all.
    Partial,
}

/// Reads the frame that `octets` begin with, of at most `limit` octets of payload.
///
/// # Errors
/// [`NetstringError`]: no frame can begin like this. Where the next one would begin is unknown, so
/// nothing more can be read from whoever sent it.
#[inline]
pub fn decode(octets: &[u8], limit: usize) -> Result<Decoded<'_>, NetstringError> {
    let mut length: usize = 0;
    for (index, &octet) in octets.iter().enumerate() {
        match octet {
            b':' if index > 0 => return decode_payload(octets, index + 1, length),
            // Behind a zero only the colon can follow.
            b'0'..=b'9' if index > 0 && length == 0 => return Err(NetstringError::LeadingZero),
            b'0'..=b'9' => {
                length = length.saturating_mul(10).saturating_add(usize::from(octet - b'0'));
            }
            _ => return Err(NetstringError::Length { found: octet }),
        }
        if length > limit {
            return Err(NetstringError::TooLong { limit });
        }
    }
    Ok(Decoded::Partial)
}

fn decode_payload(
    octets: &[u8],
    start: usize,
    length: usize,
) -> Result<Decoded<'_>, NetstringError> {
    let end = start.saturating_add(length);
    match (octets.get(start..end), octets.get(end)) {
        (Some(payload), Some(b',')) => Ok(Decoded::Frame { payload, octets: end + 1 }),
        (Some(_), Some(&found)) => Err(NetstringError::Comma { found }),
        (_, None) | (None, Some(_)) => Ok(Decoded::Partial),
    }
}

/// Writes `payload` as one frame behind what is in `output`.
#[inline]
pub fn encode(payload: &[u8], output: &mut Vec<u8>) {
    let mut digits = [0; 20];
    output.reserve(digits.len() + payload.len() + 2);
    let mut first = digits.len();
    let mut rest = payload.len();
    loop {
        first -= 1;
        // A remainder of 10 fits into an octet.
        #[expect(clippy::cast_possible_truncation, reason = "a digit is less than 10")]
        let digit = (rest % 10) as u8;
        if let Some(place) = digits.get_mut(first) {
            *place = b'0' + digit;
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    output.extend_from_slice(digits.get(first..).unwrap_or_default());
    output.push(b':');
    output.extend_from_slice(payload);
    output.push(b',');
}

/// Why octets are not a netstring. The sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetstringError {
    /// A length that is not a number: a sign, a space, a letter, nothing at all.
    Length {
        /// The first octet that is out of place.
        found: u8,
    },
    /// `00:`, `01:`.
    LeadingZero,
    /// More octets than anyone may ask with.
    TooLong {
        /// How many there may be.
        limit: usize,
    },
    /// The frame does not end where its length says.
    Comma {
        /// What stands in the place of the comma.
        found: u8,
    },
}

impl fmt::Display for NetstringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found } => {
                write!(f, "netstring: expected a length, found \"{}\"", found.escape_ascii())
            }
            Self::LeadingZero => write!(f, "netstring: expected no leading zero, found one"),
            Self::TooLong { limit } => {
                write!(f, "netstring: expected at most {limit} octets, found a greater length")
            }
            Self::Comma { found } => {
                write!(f, "netstring: expected a comma, found \"{}\"", found.escape_ascii())
            }
        }
    }
}

impl std::error::Error for NetstringError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 10_000;

    fn good(text: &str, payload: &str, rest: &str) {
        let expected =
            Decoded::Frame { payload: payload.as_bytes(), octets: text.len() - rest.len() };
        assert_eq!(decode(text.as_bytes(), LIMIT), Ok(expected), "{text}");
    }

    fn bad(text: &str, error: NetstringError) {
        assert_eq!(decode(text.as_bytes(), LIMIT), Err(error), "{text}");
    }

    #[test]
    fn frames() {
        good("17:QUERY example.com,", "QUERY example.com", "");
        good("0:,", "", "");
        good("1:,,2:ab,", ",", "2:ab,");
        for partial in ["", "0", "1", "17", "17:", "17:QUERY example.com", "10000:"] {
            assert_eq!(decode(partial.as_bytes(), LIMIT), Ok(Decoded::Partial), "{partial}");
        }
        bad("00:,", NetstringError::LeadingZero);
        bad("017:QUERY example.com,", NetstringError::LeadingZero);
        bad("+5:", NetstringError::Length { found: b'+' });
        bad("-5:", NetstringError::Length { found: b'-' });
        bad(" 5:", NetstringError::Length { found: b' ' });
        bad("5 :", NetstringError::Length { found: b' ' });
        bad(":,", NetstringError::Length { found: b':' });
        bad("GET / HTTP/1.1", NetstringError::Length { found: b'G' });
        bad("\u{16}\u{3}\u{1}", NetstringError::Length { found: 0x16 }); // TLS
        bad("10001", NetstringError::TooLong { limit: LIMIT });
        bad("99999999999999999999999999", NetstringError::TooLong { limit: LIMIT });
        bad("3:abcd", NetstringError::Comma { found: b'd' });
        bad("3:abc\n", NetstringError::Comma { found: b'\n' });
    }

    /// All frames of `chunks` and how it ended, as a connection would read them.
    fn read(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Option<NetstringError>) {
        let (mut buffer, mut frames) = (Vec::new(), Vec::new());
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            loop {
                match decode(&buffer, LIMIT) {
                    Ok(Decoded::Frame { payload, octets }) => {
                        frames.push(payload.to_vec());
                        buffer.drain(..octets);
                    }
                    Ok(Decoded::Partial) => break,
                    Err(error) => return (frames, Some(error)),
                }
            }
        }
        (frames, None)
    }

    fn split<'o>(octets: &'o [u8], cuts: &[prop::sample::Index]) -> Vec<&'o [u8]> {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(octets.len() + 1)).collect();
        cuts.sort_unstable();
        let mut start = 0;
        let mut chunks: Vec<_> = cuts
            .into_iter()
            .map(|cut| {
                let chunk = &octets[start..cut];
                start = cut;
                chunk
            })
            .collect();
        chunks.push(&octets[start..]);
        chunks
    }

    /// Octets that look like netstrings often enough.
    fn octets() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            prop::collection::vec(prop::sample::select(b"0123:,+ a".to_vec()), 0..64),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let mut encoded = Vec::new();
            for payload in &payloads {
                encode(payload, &mut encoded);
            }
            prop_assert_eq!(read(&split(&encoded, &cuts)), (payloads, None));
        }

        #[test]
        fn chunks_do_not_matter(
            octets in octets(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            prop_assert_eq!(read(&split(&octets, &cuts)), read(&[&octets]));
        }

        #[test]
        fn a_frame_has_one_form(octets in octets()) {
            if let Ok(Decoded::Frame { payload, octets: taken }) = decode(&octets, LIMIT) {
                let mut encoded = Vec::new();
                encode(payload, &mut encoded);
                prop_assert_eq!(&encoded, &octets[..taken]);
            }
        }
    }
}
