//! What we say to the mail server, made of checked parts only.
//!
//! Before the end of a message there is one reply, `continue`. At its end, changes come
//! first and then what becomes of the message; while a verdict takes long, `progress`
//! keeps the mail server waiting.

use std::fmt;
use std::num::NonZeroU32;

use super::field::{FieldName, NewField};
use super::negotiate::LeadingSpace;
use super::packet;
use super::refusal::Refusal;

/// The most octets of a reason for quarantine.
pub const MAX_REASON_OCTETS: usize = 400;

/// A change of the message. The mail server makes it only if it accepts the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds a field below all others.
    AddHeader {
        /// The field.
        field: NewField,
    },
    /// Inserts a field. Each field that is inserted moves those below it down, so of several at one
    /// place the last stands on top.
    InsertHeader {
        /// How many fields stand above it: 0 is the top, 1 is below the `Received` field that the
        /// mail server itself has added.
        place: u32,
        /// The field.
        field: NewField,
    },
    /// Gives a field that is in the message another value.
    ReplaceHeader {
        /// The how-manieth of its name it is in the message as it came, from 1, from the top.
        occurrence: NonZeroU32,
        /// The field as it shall be.
        field: NewField,
    },
    /// Removes a field that is in the message.
    RemoveHeader {
        /// The how-manieth of its name it is in the message as it came, from 1, from the top.
        occurrence: NonZeroU32,
        /// Its name; upper and lower case are equal.
        name: FieldName,
    },
    /// Puts the message into quarantine: the hold queue of Postfix, the quarantine of sendmail. Its
    /// sender is told that it was accepted.
    Quarantine {
        /// Why. sendmail shows it to the operator, Postfix to nobody.
        reason: QuarantineReason,
    },
}

impl Change {
    fn write(&self, space: LeadingSpace, output: &mut Vec<u8>) {
        match self {
            Self::AddHeader { field } => {
                let value = value_for(field, space);
                packet::encode(b'h', &[field.name().octets(), b"\0", value, b"\0"], output);
            }
            Self::InsertHeader { place, field } => {
                let (name, value) = (field.name().octets(), value_for(field, space));
                packet::encode(b'i', &[&place.to_be_bytes(), name, b"\0", value, b"\0"], output);
            }
            Self::ReplaceHeader { occurrence, field } => {
                let (name, value) = (field.name().octets(), value_for(field, space));
                let number = occurrence.get().to_be_bytes();
                packet::encode(b'm', &[&number, name, b"\0", value, b"\0"], output);
            }
            Self::RemoveHeader { occurrence, name } => {
                let number = occurrence.get().to_be_bytes();
                packet::encode(b'm', &[&number, name.octets(), b"\0\0"], output);
            }
            Self::Quarantine { reason } => {
                packet::encode(b'q', &[reason.0.as_bytes(), b"\0"], output);
            }
        }
    }

    /// The number of the field that is changed; `None` if that is none of the message.
    const fn occurrence(&self) -> Option<NonZeroU32> {
        match self {
            Self::ReplaceHeader { occurrence, .. } | Self::RemoveHeader { occurrence, .. } => {
                Some(*occurrence)
            }
            Self::AddHeader { .. } | Self::InsertHeader { .. } | Self::Quarantine { .. } => None,
        }
    }
}

/// Where the space is implied, the mail server writes one itself.
fn value_for(field: &NewField, space: LeadingSpace) -> &[u8] {
    match space {
        LeadingSpace::Kept => field.value(),
        LeadingSpace::Implied => field.value().strip_prefix(b" ").unwrap_or(field.value()),
    }
}

/// Writes changes behind what is in `output`: first those of fields of the message, from the last
/// occurrence to the first, then the others as they stand. In Postfix, a field that was removed is
/// no longer counted, in sendmail it is, and in both one that was inserted is; in this order the
/// numbers are those of the message as it came, whoever counts.
pub(super) fn write_changes(changes: &[Change], space: LeadingSpace, output: &mut Vec<u8>) {
    let (mut of_the_message, others): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.occurrence().is_some());
    of_the_message.sort_by_key(|change| std::cmp::Reverse(change.occurrence()));
    for change in of_the_message.into_iter().chain(others) {
        change.write(space, output);
    }
}

/// Why a message is in quarantine: printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineReason(Box<str>);

impl QuarantineReason {
    /// Makes a reason.
    ///
    /// # Errors
    /// If it is empty, has something else than printable ASCII, or more than
    /// [`MAX_REASON_OCTETS`].
    pub fn new(text: &str) -> Result<Self, QuarantineReasonError> {
        let is_printable = text.chars().all(|c| matches!(c, ' '..='~'));
        if is_printable && !text.trim().is_empty() && text.len() <= MAX_REASON_OCTETS {
            Ok(Self(text.into()))
        } else {
            Err(QuarantineReasonError)
        }
    }
}

/// The text is no reason for quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineReasonError;

impl fmt::Display for QuarantineReasonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "reason: expected 1 to {MAX_REASON_OCTETS} octets of printable ASCII, found something \
             else"
        )
    }
}

impl std::error::Error for QuarantineReasonError {}

/// A reply without changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply<'r> {
    /// Go on. The only reply before the end of a message.
    Continue,
    /// The verdict takes a while.
    Progress,
    /// Deliver the message.
    Accept,
    /// Let the sender try again later, in the mail server's own words.
    Tempfail,
    /// Tell the sender that the message was accepted, and throw it away.
    Discard,
    /// Refuse the message, in our words.
    Refuse(&'r Refusal),
}

impl Reply<'_> {
    /// Writes it as a packet behind what is in `output`.
    pub(super) fn write(&self, output: &mut Vec<u8>) {
        let code = match self {
            Self::Continue => b'c',
            Self::Progress => b'p',
            Self::Accept => b'a',
            Self::Tempfail => b't',
            Self::Discard => b'd',
            Self::Refuse(refusal) => {
                return packet::encode(b'y', &[refusal.to_milter().as_bytes(), b"\0"], output);
            }
        };
        packet::encode(code, &[], output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sender_auth::HeaderField;

    fn field(octets: &[u8]) -> NewField {
        NewField::new(&HeaderField::parse(octets).unwrap()).unwrap()
    }

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[track_caller]
    fn sent(changes: &[Change], space: LeadingSpace, expected: &[u8]) {
        let mut output = Vec::new();
        write_changes(changes, space, &mut output);
        assert_eq!(output.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn replies() {
        let refusal = Refusal::new(550, "5.7.1", "50%\nno").unwrap();
        for (reply, expected) in [
            (Reply::Continue, &b"\0\0\0\x01c"[..]),
            (Reply::Progress, b"\0\0\0\x01p"),
            (Reply::Accept, b"\0\0\0\x01a"),
            (Reply::Tempfail, b"\0\0\0\x01t"),
            (Reply::Discard, b"\0\0\0\x01d"),
            (Reply::Refuse(&refusal), b"\0\0\0\x1ey550-5.7.1 50%%\r\n550 5.7.1 no\0"),
        ] {
            let mut output = Vec::new();
            reply.write(&mut output);
            assert_eq!(output.escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
    }

    #[test]
    fn changes() {
        let reason = QuarantineReason::new("DMARC").unwrap();
        let name = FieldName::new(b"A").unwrap();
        let folded = field(b"A: b\r\n\tc");
        for (change, kept, implied) in [
            (
                Change::AddHeader { field: folded.clone() },
                &b"\0\0\0\x09hA\0 b\n\tc\0"[..],
                &b"\0\0\0\x08hA\0b\n\tc\0"[..],
            ),
            (
                Change::InsertHeader { place: 1, field: folded.clone() },
                b"\0\0\0\x0di\0\0\0\x01A\0 b\n\tc\0",
                b"\0\0\0\x0ci\0\0\0\x01A\0b\n\tc\0",
            ),
            (
                Change::ReplaceHeader { occurrence: number(2), field: folded.clone() },
                b"\0\0\0\x0dm\0\0\0\x02A\0 b\n\tc\0",
                b"\0\0\0\x0cm\0\0\0\x02A\0b\n\tc\0",
            ),
            (
                Change::RemoveHeader { occurrence: number(2), name },
                b"\0\0\0\x08m\0\0\0\x02A\0\0",
                b"\0\0\0\x08m\0\0\0\x02A\0\0",
            ),
            (Change::Quarantine { reason }, b"\0\0\0\x07qDMARC\0", b"\0\0\0\x07qDMARC\0"),
        ] {
            sent(std::slice::from_ref(&change), LeadingSpace::Kept, kept);
            sent(&[change], LeadingSpace::Implied, implied);
        }
        // No space was wanted; one that the mail server adds cannot be helped.
        let field = field(b"A:b");
        sent(&[Change::AddHeader { field }], LeadingSpace::Implied, b"\0\0\0\x05hA\0b\0");
    }

    #[test]
    fn numbers_are_those_of_the_message_as_it_came() {
        let remove = |occurrence| Change::RemoveHeader {
            occurrence: number(occurrence),
            name: FieldName::new(b"A").unwrap(),
        };
        let insert = |octets| Change::InsertHeader { place: 0, field: field(octets) };
        sent(
            &[insert(b"A:1"), remove(1), insert(b"A:2"), remove(3), remove(2)],
            LeadingSpace::Kept,
            b"\0\0\0\x08m\0\0\0\x03A\0\0\0\0\0\x08m\0\0\0\x02A\0\0\0\0\0\x08m\0\0\0\x01A\0\0\
              \0\0\0\x09i\0\0\0\0A\x001\0\0\0\0\x09i\0\0\0\0A\x002\0",
        );
    }

    #[test]
    fn reasons() {
        assert!(QuarantineReason::new(&"x".repeat(400)).is_ok());
        for text in ["", " ", "a\r\nb", "a\0", "ä", &"x".repeat(401)] {
            assert_eq!(QuarantineReason::new(text), Err(QuarantineReasonError), "{text:?}");
        }
    }
}
