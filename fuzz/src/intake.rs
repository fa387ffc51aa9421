//! What mail servers say to the intake, and what an IMAP server says to it.

use smtp_types::EmailAddress;
use waxseal::intake::imap::Response;
use waxseal::intake::smtp::{Dialect, Recipients, Session, SessionLimits, Step, Terms, Trust};

/// Small ones, so that inputs meet them.
const LIMITS: SessionLimits =
    SessionLimits { line: 80, message: 200, recipients: 3, errors: 5, commands: 50 };

/// A dialogue: every cutting gives the same steps, what is taken is bounded and for somebody whom we
/// know, and nothing but our own words is said.
pub fn intake_session(data: &[u8]) {
    for dialect in [Dialect::Smtp, Dialect::Lmtp] {
        let steps = steps(dialect, data, &[usize::MAX]);
        assert_eq!(self::steps(dialect, data, &[1]), steps);
        let sizes: Vec<usize> = data.iter().take(5).map(|octet| usize::from(*octet) + 1).collect();
        assert_eq!(self::steps(dialect, data, &sizes), steps);
        assert!(steps.len() <= LIMITS.commands * 2 + 1);
        for (index, step) in steps.iter().enumerate() {
            check(step, index + 1 == steps.len());
        }
    }
}

fn steps(dialect: Dialect, data: &[u8], sizes: &[usize]) -> Vec<Step> {
    let intakes = EmailAddress::parse("a@b.test").into_iter().collect();
    let mut session = Session::new(Terms {
        dialect,
        trust: Trust::Believed,
        limits: LIMITS,
        recipients: Recipients::Listed { intakes, reporter: None },
        host: "mx.test".into(),
    });
    let (mut steps, mut rest) = (Vec::new(), data);
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().map_or(1, |size| (*size).min(rest.len()));
        let (mut piece, behind) = rest.split_at(size);
        rest = behind;
        loop {
            let (used, step) = session.take(piece);
            piece = &piece[used..];
            let Some(step) = step else { break };
            steps.push(step);
        }
        assert!(piece.is_empty());
    }
    steps
}

fn check(step: &Step, is_last: bool) {
    match step {
        Step::Store(mail) => {
            assert!(mail.octets.len() <= LIMITS.message);
            let recipients = &mail.envelope.recipients;
            assert!((1..=LIMITS.recipients).contains(&recipients.len()));
            assert!(recipients.iter().all(|one| one.domain().as_str() == "b.test"));
            let lines = mail.octets.split(|octet| *octet == b'\n');
            let before = lines.clone().count() - 1;
            assert!(lines.take(before).all(|line| line.ends_with(b"\r")));
        }
        Step::Say(replies) | Step::Close(replies) => {
            assert!(!replies.is_empty());
            for reply in replies {
                let text = reply.to_string();
                assert!(text.len() < 512 && text.ends_with("\r\n") && text.is_ascii());
                assert!((200..600).contains(&reply.code()));
            }
            assert!(is_last || matches!(step, Step::Say(_)), "nothing behind the end");
        }
    }
}

/// A response of an IMAP server, with the literals that it announces taken out of what follows: a
/// body that is handed on is one of them.
pub fn imap_response(data: &[u8]) {
    let (line, used) = match Response::take_line(data, 1000) {
        Ok(Some(found)) => found,
        Ok(None) | Err(_) => return,
    };
    assert!((1..=data.len()).contains(&used));
    assert!(line.literals.len() < line.texts.len());
    let octets: usize = line.literals.iter().map(Vec::len).sum();
    assert!(octets <= 1000);
    // A response that is not whole is no response yet.
    assert!(!matches!(Response::take_line(&data[..used - 1], 1000), Ok(Some(_))));
    let literals = line.literals.clone();
    if let Some(Response::Fetch { body: Some(body), .. }) = Response::parse(line) {
        assert!(literals.contains(&body));
    }
}
