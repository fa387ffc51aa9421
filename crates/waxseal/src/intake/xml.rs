//! An aggregate report out of a stream of octets: the XML library's only user.
//!
//! The library says what begins, comes and ends; the reader of `sender-auth` says what it means.
//! Markup that is broken ends the reading, and what was read up to there counts. A document type
//! declaration is refused: it can make a document of any size out of a small one, and no report
//! needs it.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::errors::Error;
use quick_xml::events::{BytesRef, BytesStart, Event};
use sender_auth::report::{AggregateReader, QuirkKind, ReceivedRecord, ReceivedReport};
use smtp_types::UnixTime;

use super::bounded::{EventBound, TooMuch};
use super::encoding::Utf8;
use super::{Fault, Limits};

/// How many attributes of the root are looked at for a namespace.
const MAX_ATTRIBUTES: usize = 32;

/// Reads a report that begins with `start`, which is still in the reader.
pub(super) fn read(
    document: impl BufRead,
    start: &[u8],
    place: &str,
    limits: &Limits,
    now: UnixTime,
    take: &mut dyn FnMut(ReceivedRecord),
) -> Result<ReceivedReport, Fault> {
    let text = EventBound::new(Utf8::new(document, start), limits.markup);
    let mut xml = Reader::from_reader(text);
    let config = xml.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut reader = AggregateReader::new(limits.report, now);
    let mut event = Vec::new();
    let mut depth = 0_usize;
    loop {
        event.clear();
        xml.get_mut().reset();
        match xml.read_event_into(&mut event) {
            Ok(Event::Eof) => break,
            Ok(Event::DocType(_)) => {
                let problem = "expected no document type declaration, found one";
                return Err(Fault::at(place, xml.buffer_position(), problem));
            }
            Ok(Event::Start(tag)) => {
                open(&mut reader, &tag, depth)
                    .map_err(|problem| Fault::at(place, xml.buffer_position(), problem))?;
                depth += 1;
            }
            Ok(Event::Empty(tag)) => {
                open(&mut reader, &tag, depth)
                    .map_err(|problem| Fault::at(place, xml.buffer_position(), problem))?;
                if let Some(record) = reader.close(tag.name().as_ref()) {
                    take(record);
                }
            }
            Ok(Event::End(tag)) => {
                depth = depth.saturating_sub(1);
                if let Some(record) = reader.close(tag.name().as_ref()) {
                    take(record);
                }
            }
            Ok(Event::Text(text)) => reader.text(&text.into_inner()),
            Ok(Event::CData(text)) => reader.text(&text.into_inner()),
            Ok(Event::GeneralRef(reference)) => match resolved(&reference) {
                Some(c) => reader.text(c.encode_utf8(&mut [0; 4])),
                None => {
                    let found = format!("&{};", &*reference.into_inner());
                    reader.remark(QuirkKind::Syntax, &found);
                }
            },
            Ok(Event::Comment(_) | Event::PI(_) | Event::Decl(_)) => {}
            Err(Error::Io(error)) => match TooMuch::of(&error) {
                Some(problem) => return Err(Fault::at(place, xml.buffer_position(), problem)),
                None => {
                    reader.remark(QuirkKind::Compression, &error.to_string());
                    break;
                }
            },
            Err(error) => {
                reader.remark(QuirkKind::Syntax, &error.to_string());
                break;
            }
        }
    }
    if let Some(record) = reader.cut_off() {
        take(record);
    }
    if xml.get_ref().inner().has_faults() {
        reader.remark(QuirkKind::Encoding, "");
    }
    let end = xml.buffer_position();
    reader.finish().map_err(|error| Fault::at(place, end, error.to_string()))
}

/// A tag begins an element. The root names the namespace, before it is opened.
fn open(reader: &mut AggregateReader, tag: &BytesStart<'_>, depth: usize) -> Result<(), String> {
    if depth == 0 {
        let mut attributes = tag.attributes();
        let attributes = attributes.with_checks(false).take(MAX_ATTRIBUTES).flatten();
        let name = tag.name();
        let prefix = name.as_ref().rsplit_once(':').map(|(prefix, _)| prefix.to_owned());
        let declaration = prefix.map_or("xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
        for attribute in attributes.filter(|one| *one.key.as_ref() == *declaration) {
            reader.namespace(&attribute.value);
        }
    }
    reader.open(tag.name().as_ref()).map_err(|error| error.to_string())
}

/// A reference to a character, or one of the five that XML itself has (XML 1.0 §4.6).
fn resolved(reference: &BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok().flatten();
    }
    match &*reference.xml10_content() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}
