//! The state machine without a socket: which command may come where, and what it means.

use waxseal::gate::milter::MilterLimits;
use waxseal::gate::milter::command::CommandCode;
use waxseal::gate::milter::packet::Packet;
use waxseal::gate::milter::session::{Answer, Event, Session};

use crate::mail_server::{MODERN, OLD};

/// A packet with the least that belongs to a command.
fn payload(code: CommandCode, old: bool) -> Vec<u8> {
    let offer = if old { OLD } else { MODERN };
    match code {
        CommandCode::Negotiate => offer.octets().to_vec(),
        CommandCode::Macros => b"M".to_vec(),
        CommandCode::Connect => b"x\0U".to_vec(),
        CommandCode::Helo | CommandCode::Unknown => b"x\0".to_vec(),
        CommandCode::Mail | CommandCode::Rcpt => b"<>\0".to_vec(),
        CommandCode::Header => b"A\0 b\0".to_vec(),
        CommandCode::Abort
        | CommandCode::Body
        | CommandCode::EndOfMessage
        | CommandCode::QuitNewClient
        | CommandCode::EndOfHeader
        | CommandCode::Quit
        | CommandCode::Data => vec![],
    }
}

/// A letter for each event, and `!` for the end.
fn letter(event: &Event<'_>) -> char {
    match event {
        Event::Noted => '.',
        Event::Agreed(_) => 'o',
        Event::Begun => 'm',
        Event::Header(_) => 'h',
        Event::Body(_) => 'b',
        Event::End(_) => 'e',
        Event::Aborted => 'x',
        Event::Quit => 'q',
    }
}

struct Played {
    events: String,
    answers: String,
}

/// Plays commands, each by its code, and says what came of them.
fn play(codes: &str, old: bool) -> Played {
    let mut session = Session::new(MilterLimits::default());
    let mut played = Played { events: String::new(), answers: String::new() };
    for octet in codes.bytes() {
        let payload = payload(CommandCode::parse(octet).unwrap(), old);
        match session.take(Packet { code: octet, payload: &payload }) {
            Ok(step) => {
                played.events.push(letter(&step.event));
                played.answers.push(if step.answer == Answer::Continue { 'c' } else { '-' });
            }
            Err(_) => {
                played.events.push('!');
                return played;
            }
        }
    }
    played
}

#[test]
fn dialogues() {
    let table = [
        ("OCHMRTLNBEQ", "o.xm...hbeq"),
        // With macros, twice, and with everything that may be left out.
        ("ODCDHDMDRDTDLLDNBBBDE", "o...x.m........hbbb.e"),
        ("OCMNEMNE", "o.mhemhe"),
        ("OCHMRRRRTLLNBEMRTLNBE", "o.xm.......hbem...hbe"),
        // Broken off.
        ("OCHMAMRALAM", "o.xmxm.x!"),
        ("OCHMRTLNBAMNE", "o.xm...hbxmhe"),
        ("OCHMHAMNE", "o.xmxxmhe"),
        ("OCMMMNE", "o.mmmhe"),
        ("OCMRLHMRLNE", "o.m..xm..he"),
        ("OCHMRKCHMNEQ", "o.xm.x.xmheq"),
        ("OAKAQ", "oxxxq"),
        ("Q", "q"),
        // SMTP commands that nobody knows.
        ("OCUHUMUNUE", "o..x.m.h.e"),
        // No second time.
        ("OO", "o!"),
        ("OCC", "o.!"),
        ("OCMTT", "o.m.!"),
        ("OCMNN", "o.mh!"),
        ("OCMNEE", "o.mhe!"),
    ];
    for (codes, events) in table {
        assert_eq!(play(codes, false).events, events, "{codes}");
    }
}

/// Every command behind every way to every phase.
#[test]
fn which_command_may_come_where() {
    let phases = ["", "O", "OC", "OCM", "OCMT", "OCML", "OCMN", "OCMNB", "OCMNE"];
    let table = [
        //      start, negotiated, connected, MAIL, DATA, field, end of header, body, end
        ('O', "o!!!!!!!!"),
        ('D', "!........"),
        ('C', "!.!!!!!!!"),
        ('H', "!!xxxxxxx"),
        ('M', "!!mmmmmmm"),
        ('R', "!!!.!!!!!"),
        ('T', "!!!.!!!!!"),
        ('L', "!!!...!!!"),
        ('N', "!!!hhh!!!"),
        ('B', "!!!!!!bb!"),
        ('E', "!!!!!!ee!"),
        ('U', "!!......."),
        ('A', "!xxxxxxxx"),
        ('K', "!xxxxxxxx"),
        ('Q', "qqqqqqqqq"),
    ];
    for (code, expected) in table {
        let found: String = phases
            .iter()
            .map(|phase| play(&format!("{phase}{code}"), false).events.pop().unwrap())
            .collect();
        assert_eq!(found, expected, "{code}");
    }
    assert_eq!(table.len(), CommandCode::ALL.len());
}

#[test]
fn answers() {
    assert_eq!(play("OCHMRTLNUBEAKQ", false).answers, "--------------");
    assert_eq!(play("ODCHUMRTLNBEAKQ", true).answers, "--ccccccccc----");
}

/// What stands in the header, if the mail server takes a space away and if it does not.
#[test]
fn the_space_behind_the_colon() {
    for (sent_by_old, sent_by_modern, expected) in [
        ("x", " x", "A: x"),
        (" x", "  x", "A:  x"),
        ("\tx", "\tx", "A:\tx"),
        ("\n x", "\n x", "A:\r\n x"),
        ("x\r\n\ty", " x\r\n\ty", "A: x\r\n\ty"),
        ("", " ", "A: "),
    ] {
        for (offer, value) in [(OLD, sent_by_old), (MODERN, sent_by_modern)] {
            let mut session = Session::new(MilterLimits::default());
            let field = [b"A\0", value.as_bytes(), b"\0"].concat();
            let packets =
                [(b'O', &offer.octets()[..]), (b'C', b"x\0U"), (b'M', b"<>\0"), (b'L', &field)];
            for (code, payload) in packets {
                session.take(Packet { code, payload }).unwrap();
            }
            let step = session.take(Packet { code: b'N', payload: b"" }).unwrap();
            let Event::Header(Ok(header)) = step.event else { panic!("{step:?}") };
            assert_eq!(header.fields()[0].octets(), expected.as_bytes(), "{value:?}");
        }
    }
}
