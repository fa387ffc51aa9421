//! Which attachments are seen in which messages.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod files;
mod hostile;
mod kinds;
mod mail;
mod properties;
mod structure;
mod zips;

use sender_auth::{HeaderLimits, MessageReader, Part};
use waxseal::gate::attachment::{Attachments, Limits, Scanner};

/// What is seen in a message that comes in pieces of these sizes, again and again from the first.
fn scan_by(message: &[u8], sizes: &[usize]) -> Attachments {
    scan_within(message, sizes, Limits::default())
}

fn scan_within(message: &[u8], sizes: &[usize], limits: Limits) -> Attachments {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = Vec::new();
    parts.extend(reader.push(message).unwrap());
    parts.extend(reader.finish().unwrap());
    let (mut header, mut body) = (None, Vec::new());
    for part in parts {
        match part {
            Part::Header(read) => header = Some(read),
            Part::Body(octets) => body.extend(octets),
        }
    }
    let mut scanner = Scanner::new(&header.unwrap(), limits);
    let mut rest = body.as_slice();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at((*size).clamp(1, rest.len()));
        scanner.push(piece);
        rest = behind;
    }
    scanner.finish()
}

/// What is seen in a message.
fn scan(message: &[u8]) -> Attachments {
    scan_by(message, &[usize::MAX])
}

/// What is seen, as lines for people.
fn seen(message: &[u8]) -> Vec<String> {
    let attachments = scan(message);
    assert_eq!(attachments.incomplete, None);
    assert_eq!(attachments.further, 0);
    attachments.found.iter().map(ToString::to_string).collect()
}
