//! What a mail server says to the milter, and what the milter asks it to put into a message.

use sender_auth::{HeaderField, HeaderLimits, MessageReader, Part};
use waxseal::gate::milter::command::Command;
use waxseal::gate::milter::negotiate::{Actions, Offer, Steps};
use waxseal::gate::milter::packet::{Decoded, Packet, decode, encode};
use waxseal::gate::milter::session::{Event, Session};
use waxseal::gate::milter::{MilterLimits, NewField};

/// The limit of the server, and a small one that is met more often.
const LIMITS: [usize; 2] = [1024 * 1024, 40];

/// Packets: what is decoded encodes to the same octets, a beginning of a packet is never taken for
/// an error, and a command that is read, written and read again is the same.
pub fn milter_packet(data: &[u8]) {
    for limit in LIMITS {
        let mut rest = data;
        while let Ok(Decoded::Packet { packet, octets }) = decode(rest, limit) {
            assert!(packet.payload.len() < limit);
            let (frame, after) = rest.split_at(octets);
            assert_eq!(framed(packet), frame);
            for end in [0, 1, octets / 2, octets - 1] {
                assert_eq!(decode(&frame[..end], limit), Ok(Decoded::Partial));
            }
            check_command(packet);
            rest = after;
        }
    }
    if let [code, payload @ ..] = data {
        check_command(Packet { code: *code, payload });
    }
}

fn framed(packet: Packet<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(packet.code, &[packet.payload], &mut frame);
    frame
}

fn check_command(packet: Packet<'_>) {
    let Ok(command) = Command::parse(packet) else {
        return;
    };
    assert_eq!(command.code().octet(), packet.code);
    let mut written = Vec::new();
    command.write(&mut written);
    let Ok(Decoded::Packet { packet: again, octets }) = decode(&written, usize::MAX) else {
        panic!("{command:?} is written as {}", written.escape_ascii());
    };
    assert_eq!(octets, written.len());
    assert_eq!(Command::parse(again), Ok(command));
}

/// A dialogue: packets with a length of one octet, so that a mutation hits a command more often.
/// What is kept is bounded, and header, body and end come once, in order, within a message.
pub fn milter_session(data: &[u8]) {
    let limits = MilterLimits {
        packet_octets: 300,
        command_octets: 100,
        recipients: 3,
        recipient_octets: 60,
        header: HeaderLimits { octets: 120, fields: 4 },
    };
    let offer = Offer { version: 6, actions: Actions::new(0x1ff), steps: Steps::new(0x001f_ffff) };
    let mut session = Session::new(limits);
    let negotiation = offer.octets();
    let negotiated = session.take(Packet { code: b'O', payload: &negotiation });
    assert!(matches!(negotiated.map(|step| step.event), Ok(Event::Agreed(_))));

    let (mut is_begun, mut has_header) = (false, false);
    let mut rest = data;
    while let [code, length, behind @ ..] = rest {
        let (payload, after) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = after;
        let Ok(step) = session.take(Packet { code: *code, payload }) else {
            return;
        };
        match step.event {
            Event::Noted => {}
            Event::Agreed(_) => panic!("agreed twice"),
            Event::Begun => (is_begun, has_header) = (true, false),
            Event::Header(header) => {
                assert!(is_begun && !has_header);
                has_header = true;
                if let Ok(header) = header {
                    assert!(header.fields().len() <= limits.header.fields);
                    let octets = header.fields().iter().map(|field| field.octets().len());
                    // A bare LF is kept as two octets.
                    assert!(octets.sum::<usize>() <= 2 * limits.header.octets);
                }
            }
            Event::Body(octets) => {
                assert!(is_begun && has_header);
                assert_eq!(octets, payload);
            }
            Event::End(octets) => {
                assert!(is_begun && has_header);
                assert_eq!(octets, payload);
                is_begun = false;
            }
            Event::Aborted => is_begun = false,
            Event::Quit => return,
        }
        assert_eq!(session.is_in_message(), is_begun);
        let envelope = session.envelope();
        assert!(envelope.recipients.len() <= limits.recipients);
        let octets = envelope.recipients.iter().map(|path| path.len()).sum::<usize>();
        assert!(octets <= limits.recipient_octets);
        assert!(envelope.recipient_count >= envelope.recipients.len() as u64);
        assert!(envelope.reverse_path.len() < limits.command_octets);
    }
}

/// Fields that may be put into a message: put in front of one, a reader finds one field more, and
/// the same.
pub fn milter_field(data: &[u8]) {
    let Ok(field) = HeaderField::parse(data) else {
        return;
    };
    if NewField::new(&field).is_err() {
        return;
    }
    let message = [field.octets(), b"\r\nX: y\r\n\r\nbody"].concat();
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(&message).expect("the field is short");
    parts.extend(reader.finish().expect("the field is short"));
    let [Part::Header(header), Part::Body(body)] = parts.as_slice() else {
        panic!("{field:?} makes {parts:?}");
    };
    let [first, second] = header.fields() else {
        panic!("{field:?} makes {header:?}");
    };
    assert_eq!((first, second.octets(), body.as_slice()), (&field, &b"X: y"[..], &b"body"[..]));
}
