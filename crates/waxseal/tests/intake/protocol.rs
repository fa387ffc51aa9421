//! The dialogue of the mail server for reports: the same however its octets are cut, and an end for
//! everything.

use proptest::prelude::*;
use smtp_types::EmailAddress;
use waxseal::intake::smtp::{
    Dialect, Mail, Recipients, Session, SessionLimits, Step, Terms, Trust,
};

fn session(dialect: Dialect) -> Session {
    let limits = SessionLimits { line: 64, message: 100, recipients: 2, errors: 5, commands: 40 };
    let intakes = vec![EmailAddress::parse("a@b.test").unwrap()];
    let recipients = Recipients::Listed { intakes, reporter: None };
    let (host, trust) = ("mx.test".to_owned(), Trust::Believed);
    Session::new(Terms { dialect, trust, limits, recipients, host })
}

/// What comes out when the octets come in these pieces.
fn steps<'p>(dialect: Dialect, pieces: impl Iterator<Item = &'p [u8]>) -> Vec<Step> {
    let mut session = session(dialect);
    let (mut steps, mut input) = (Vec::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let (used, step) = session.take(&input);
            input.drain(..used);
            let Some(step) = step else { break };
            steps.push(step);
        }
        assert!(input.is_empty(), "without a step, all octets were taken");
    }
    steps
}

fn of(dialect: Dialect, text: &str) -> (Vec<u16>, Vec<Mail>) {
    let (mut codes, mut mails) = (Vec::new(), Vec::new());
    for step in steps(dialect, std::iter::once(text.as_bytes())) {
        match step {
            Step::Say(replies) | Step::Close(replies) => {
                codes.extend(replies.iter().map(waxseal::intake::smtp::Reply::code));
            }
            Step::Store(mail) => mails.push(*mail),
        }
    }
    (codes, mails)
}

const BEGIN: &str =
    "LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<A@b.test>\r\nDATA\r\n";

#[test]
fn one_reply_for_each_recipient() {
    let (codes, mails) = of(Dialect::Lmtp, &format!("{BEGIN}Subject: x\r\n\r\n..x\r\n.\r\n"));
    assert_eq!(codes, [250, 250, 250, 250, 354]);
    assert_eq!(mails[0].octets, b"Subject: x\r\n\r\n.x\r\n");
    assert_eq!(mails[0].envelope.recipients.len(), 2);
    let (codes, mails) = of(Dialect::Lmtp, &format!("{BEGIN}{}\r\n.\r\nNOOP\r\n", "x".repeat(101)));
    assert_eq!(codes, [250, 250, 250, 250, 354, 552, 552, 250]);
    assert_eq!(mails, []);
    let (codes, _) = of(Dialect::Lmtp, &format!("{BEGIN}x\ny\r\n.\r\nNOOP\r\n"));
    assert_eq!(codes, [250, 250, 250, 250, 354, 550, 550]);
}

#[test]
fn everything_has_an_end() {
    let (codes, _) = of(Dialect::Smtp, &"NOOP\r\n".repeat(100));
    assert_eq!(codes.len(), 41);
    assert_eq!(codes.last(), Some(&421));
    let (codes, _) = of(Dialect::Smtp, &"x\r\n".repeat(100));
    assert_eq!(codes, [500, 500, 500, 500, 421]);
    let (codes, _) = of(Dialect::Smtp, &format!("{}\r\nNOOP\r\n", "x".repeat(10_000)));
    assert_eq!(codes, [500, 250]);
    let (codes, _) = of(
        Dialect::Smtp,
        "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<a@b.test>\r\n",
    );
    assert_eq!(codes, [250, 250, 250, 250, 452]);
}

/// Pieces of dialogues, whole and broken.
fn dialogue() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("LHLO x\r\n".to_owned()),
        Just("EHLO x\r\n".to_owned()),
        Just("MAIL FROM:<a@b.test> SIZE=3\r\n".to_owned()),
        Just("RCPT TO:<a@b.test>\r\n".to_owned()),
        Just("RCPT TO:<c@b.test>\r\n".to_owned()),
        Just("DATA\r\n".to_owned()),
        Just("XFORWARD ADDR=192.0.2.1\r\n".to_owned()),
        Just(".\r\n".to_owned()),
        Just("..\r\n".to_owned()),
        Just("\r\n.\r\n".to_owned()),
        Just("QUIT\r\n".to_owned()),
        Just("RSET\r\n".to_owned()),
        "[a-c.\r\n ]{0,20}",
        "[x]{60,110}\r\n",
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn however_it_is_cut(text in dialogue(), cuts in proptest::collection::vec(1usize..40, 1..40)) {
        for dialect in [Dialect::Smtp, Dialect::Lmtp] {
            let whole = steps(dialect, std::iter::once(text.as_bytes()));
            let single = steps(dialect, text.as_bytes().chunks(1));
            prop_assert_eq!(&single, &whole);
            let mut rest = text.as_bytes();
            let mut pieces = Vec::new();
            for cut in &cuts {
                let (piece, behind) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            pieces.push(rest);
            prop_assert_eq!(&steps(dialect, pieces.into_iter()), &whole);
        }
    }
}
