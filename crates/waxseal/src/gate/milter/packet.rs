//! Packets, the frames of the milter protocol: a length in four octets, big end first, then that
//! many octets, of which the first says what it is. Pure: octets in, packets out.
//!
//! [`decode`] has no state and copies nothing. It looks at everything that has arrived and has not
//! been consumed, and what it says of some octets it also says when more of them have arrived.

use std::fmt;

/// How many octets the length takes.
const LENGTH_OCTETS: usize = 4;

/// What is in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'o> {
    /// The command of the mail server, or the reply of the milter.
    pub code: u8,
    /// What belongs to it.
    pub payload: &'o [u8],
}

/// What the octets so far begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'o> {
    /// A whole packet.
    Packet {
        /// The packet.
        packet: Packet<'o>,
        /// How many octets it takes, its length included.
        octets: usize,
    },
    /// A packet that is not whole yet, or nothing at all.
    Partial,
}

/// Reads the packet that `octets` begin with, of at most `limit` octets of code and payload.
///
/// # Errors
/// [`PacketError`]: no packet can begin like this. Where the next one would begin is unknown, so
/// nothing more can be read from whoever sent it.
pub fn decode(octets: &[u8], limit: usize) -> Result<Decoded<'_>, PacketError> {
    let Some((length, rest)) = octets.split_first_chunk::<LENGTH_OCTETS>() else {
        return Ok(Decoded::Partial);
    };
    let found = u32::from_be_bytes(*length);
    let length = usize::try_from(found).unwrap_or(usize::MAX);
    if length == 0 {
        return Err(PacketError::Empty);
    }
    if length > limit {
        return Err(PacketError::TooLong { found, limit });
    }
    match rest.get(..length) {
        Some([code, payload @ ..]) => {
            let packet = Packet { code: *code, payload };
            Ok(Decoded::Packet { packet, octets: LENGTH_OCTETS + length })
        }
        Some([]) | None => Ok(Decoded::Partial),
    }
}

/// Writes a packet behind what is in `output`. Its payload is the `parts`, one after the other;
/// together they are far below the 4 GiB that a length can say.
pub fn encode(code: u8, parts: &[&[u8]], output: &mut Vec<u8>) {
    let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    output.reserve(LENGTH_OCTETS + length);
    output.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    output.push(code);
    for part in parts {
        output.extend_from_slice(part);
    }
}

/// Why octets are not a packet. The mail server is at fault, or something else than one is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// A length of 0: there is not even a command.
    Empty,
    /// More octets than a packet may have.
    TooLong {
        /// How many were announced.
        found: u32,
        /// How many there may be.
        limit: usize,
    },
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "packet: expected a command, found a length of 0"),
            Self::TooLong { found, limit } => {
                write!(f, "packet: expected at most {limit} octets, found a length of {found}")
            }
        }
    }
}

impl std::error::Error for PacketError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 1_000;

    fn good(octets: &[u8], code: u8, payload: &[u8], rest: &[u8]) {
        let packet = Packet { code, payload };
        let expected = Decoded::Packet { packet, octets: octets.len() - rest.len() };
        assert_eq!(decode(octets, LIMIT), Ok(expected), "{}", octets.escape_ascii());
    }

    fn bad(octets: &[u8], message: &str) {
        assert_eq!(decode(octets, LIMIT).unwrap_err().to_string(), message);
    }

    #[test]
    fn packets() {
        good(b"\0\0\0\x01Q", b'Q', b"", b"");
        good(b"\0\0\0\x05Hab\xff\0", b'H', b"ab\xff\0", b"");
        good(b"\0\0\0\x01A\0\0\0\x01Q", b'A', b"", b"\0\0\0\x01Q");
        for partial in [&b""[..], b"\0", b"\0\0\0", b"\0\0\0\x01", b"\0\0\x03\xe8Bx"] {
            assert_eq!(decode(partial, LIMIT), Ok(Decoded::Partial));
        }
        bad(b"\0\0\0\0", "packet: expected a command, found a length of 0");
        bad(b"\0\0\x03\xe9", "packet: expected at most 1000 octets, found a length of 1001");
        bad(
            b"GET / HTTP/1.1",
            "packet: expected at most 1000 octets, found a length of 1195725856",
        );
        bad(
            b"\xff\xff\xff\xff",
            "packet: expected at most 1000 octets, found a length of 4294967295",
        );
    }

    #[test]
    fn parts() {
        let mut output = b"before".to_vec();
        encode(b'm', &[b"\0\0\0\x01", b"Name\0", b"", b" value\0"], &mut output);
        assert_eq!(output, b"before\0\0\0\x11m\0\0\0\x01Name\0 value\0");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            code: u8,
            payload in prop::collection::vec(any::<u8>(), 0..300),
            behind in prop::collection::vec(any::<u8>(), 0..10),
        ) {
            let mut octets = Vec::new();
            encode(code, &[&payload], &mut octets);
            let end = octets.len();
            for cut in 0..end {
                prop_assert_eq!(decode(&octets[..cut], LIMIT), Ok(Decoded::Partial));
            }
            octets.extend(behind);
            let packet = Packet { code, payload: &payload };
            prop_assert_eq!(decode(&octets, LIMIT), Ok(Decoded::Packet { packet, octets: end }));
        }
    }
}
