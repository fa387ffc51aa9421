//! A server that says what a test has written down, one reply for one command.

#![allow(dead_code, reason = "each file of tests uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use smtp_starttls::{ClientName, Dialogue, Failure, Handshake, Session, Step};
use smtp_types::DomainName;

/// The client's side of a dialogue, and how it ended.
pub(crate) struct Played {
    pub(crate) sent: Vec<String>,
    pub(crate) end: Result<Step, Failure>,
}

impl Played {
    pub(crate) fn failure(self) -> Failure {
        match self.end {
            Err(failure) => failure,
            Ok(step) => panic!("expected a failure, found {step:?}"),
        }
    }

    pub(crate) fn handshake(self) -> Handshake {
        match self.end {
            Ok(Step::StartTls(handshake)) => handshake,
            end => panic!("expected the handshake, found {end:?}"),
        }
    }

    pub(crate) fn session(self) -> Session {
        match self.end {
            Ok(Step::Ready(session)) => session,
            end => panic!("expected a session, found {end:?}"),
        }
    }
}

/// Plays replies, each as soon as it is read for, from the connection on.
pub(crate) fn play(replies: &[&str]) -> Played {
    play_from(Step::Read(Dialogue::open(name())), replies)
}

/// Plays replies from any step on, until they are used up or the dialogue is at an end.
pub(crate) fn play_from(mut step: Step, replies: &[&str]) -> Played {
    let mut sent = Vec::new();
    let mut replies = replies.iter();
    loop {
        let next = match step {
            Step::Send { octets, then } => {
                sent.push(String::from_utf8(octets).unwrap());
                then.resume()
            }
            Step::Read(dialogue) => match replies.next() {
                Some(reply) => dialogue.receive(reply.as_bytes()),
                None => Err(dialogue.closed()),
            },
            end => return Played { sent, end: Ok(end) },
        };
        step = match next {
            Ok(step) => step,
            failure => return Played { sent, end: failure },
        };
    }
}

pub(crate) fn name() -> ClientName {
    ClientName::Domain(DomainName::parse("mail.example.com").unwrap())
}

pub(crate) const GREETING: &str = "220 mx.example.org ESMTP\r\n";
pub(crate) const EHLO: &str = "250-mx.example.org\r\n250-SIZE 10240000\r\n250 STARTTLS\r\n";
pub(crate) const READY: &str = "220 2.0.0 Ready to start TLS\r\n";

/// A session within TLS whose server offers `keywords`.
pub(crate) fn session(keywords: &[&str]) -> Session {
    let handshake = play(&[GREETING, EHLO, READY]).handshake();
    let lines: String = keywords.iter().map(|keyword| format!("250-{keyword}\r\n")).collect();
    let hello = format!("250-mx.example.org\r\n{lines}250 HELP\r\n");
    play_from(handshake.established(), &[&hello]).session()
}
