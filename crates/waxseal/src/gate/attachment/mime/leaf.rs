//! A part without parts: its transfer encoding is undone, and its octets are looked at.

use memchr::memchr;

use super::super::decode::{Decoder, Encoding};
use super::super::kind::Unreadable;
use super::super::search::{Doubts, Place, Search};
use super::super::sniff::{Sniffer, Source};
use super::Walker;
use super::fields::Role;

/// So many octets tell whether a file is a message.
const PEEK: usize = 64;

/// A part without parts.
#[derive(Debug)]
pub(super) struct Leaf {
    decoder: Decoder,
    contents: Contents,
    place: Place,
    source: Source,
}

/// What looks at the decoded octets.
#[derive(Debug)]
struct Contents {
    sniffer: Sniffer,
    message: Message,
}

/// Whether the octets are a message, which is walked through when it is decoded.
#[derive(Debug)]
enum Message {
    No,
    /// The part says so.
    Declared(Box<Walker>),
    /// These first octets will tell. What may be attached in the file is then to be found by
    /// this walker.
    Perhaps(Vec<u8>, Box<Walker>),
    /// The octets say so. It is a saved message, or something else that begins like one, and so
    /// nothing in its structure is a doubt.
    Guessed(Box<Walker>),
}

impl Leaf {
    /// A part of text, or a file. In a file, `within` looks for what a message may have attached.
    pub(super) fn new(
        encoding: Encoding,
        role: Role,
        place: Place,
        within: Option<Walker>,
    ) -> Box<Self> {
        let source = match (encoding, role) {
            (Encoding::Uuencode, _) => Source::Uuencode,
            (_, Role::Text) => Source::Text,
            (_, Role::Attachment) => Source::Attachment,
        };
        let message = match (source, within) {
            (Source::Attachment, Some(walker)) => Message::Perhaps(Vec::new(), Box::new(walker)),
            _ => Message::No,
        };
        let contents = Contents { sniffer: Sniffer::new(source), message };
        Box::new(Self { decoder: Decoder::new(encoding), contents, place, source })
    }

    /// An attached message that is encoded.
    pub(super) fn message(encoding: Encoding, place: Place, walker: Walker) -> Box<Self> {
        let source = Source::Attachment;
        let message = Message::Declared(Box::new(walker));
        let contents = Contents { sniffer: Sniffer::new(source), message };
        Box::new(Self { decoder: Decoder::new(encoding), contents, place, source })
    }

    /// Takes the next octets, encoded.
    pub(super) fn push(&mut self, octets: &[u8], search: &mut Search) {
        let contents = &mut self.contents;
        self.decoder.push(octets, &mut |decoded| contents.push(decoded, search));
    }

    /// The part is at its end.
    pub(super) fn finish(mut self: Box<Self>, search: &mut Search) {
        let contents = &mut self.contents;
        self.decoder.finish(&mut |decoded| contents.push(decoded, search));
        // Lists append their footer to texts without asking how these are encoded; with files,
        // nothing explains it.
        if self.decoder.went_on_after_padding() && self.source == Source::Attachment {
            search.doubt(Unreadable::Base64, &self.place);
        }
        let Contents { sniffer, message } = self.contents;
        for sighting in sniffer.finish(search) {
            search.add(sighting, &self.place);
        }
        match message {
            Message::Declared(walker) => walker.finish(search),
            Message::Guessed(walker) => {
                let doubts = std::mem::replace(&mut search.doubts, Doubts::PassedOver);
                walker.finish(search);
                search.doubts = doubts;
            }
            // So short a file has nothing attached.
            Message::Perhaps(..) | Message::No => {}
        }
    }
}

impl Contents {
    fn push(&mut self, decoded: &[u8], search: &mut Search) {
        self.sniffer.push(decoded, search);
        match &mut self.message {
            Message::No => {}
            Message::Declared(walker) => walker.push(decoded, search),
            Message::Guessed(walker) => push_guessed(walker, decoded, search),
            Message::Perhaps(first, _) => {
                let peeked = decoded.len().min(PEEK - first.len());
                first.extend_from_slice(&decoded[..peeked]);
                if first.len() == PEEK {
                    self.decide(&decoded[peeked..], search);
                }
            }
        }
    }

    /// The first octets are known, and more of them.
    fn decide(&mut self, behind: &[u8], search: &mut Search) {
        let message = std::mem::replace(&mut self.message, Message::No);
        if let Message::Perhaps(first, mut walker) = message
            && begins_as_message(&first)
        {
            push_guessed(&mut walker, &first, search);
            push_guessed(&mut walker, behind, search);
            self.message = Message::Guessed(walker);
        }
    }
}

fn push_guessed(walker: &mut Walker, octets: &[u8], search: &mut Search) {
    let doubts = std::mem::replace(&mut search.doubts, Doubts::PassedOver);
    walker.push(octets, search);
    search.doubts = doubts;
}

/// Whether a file begins with a field that often stands first in a message.
fn begins_as_message(octets: &[u8]) -> bool {
    const NAMES: [&str; 18] = [
        "arc-seal",
        "authentication-results",
        "bcc",
        "cc",
        "content-transfer-encoding",
        "content-type",
        "date",
        "delivered-to",
        "dkim-signature",
        "from",
        "message-id",
        "mime-version",
        "received",
        "reply-to",
        "return-path",
        "sender",
        "subject",
        "to",
    ];
    let Some(colon) = memchr(b':', octets) else {
        return octets.starts_with(b"From ");
    };
    let name = octets[..colon].trim_ascii();
    let is_known = NAMES.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes()));
    is_known || name.starts_with(b"X-") || name.starts_with(b"From ")
}
