//! The states of the dialogue: one for each reply that is awaited (RFC 5321 §4.3.2, RFC 3207 §4).
//!
//! Each says in its `receive` what a reply means there, and what comes next. Only the code counts,
//! and of it the first digit, as RFC 5321 §4.2.1 and §4.3.2 want it of clients; but for STARTTLS,
//! where anything but 220 leaves open whether the server is ready for a handshake.

use alloc::format;
use alloc::vec::Vec;

use crate::delivery::{ExpectData, ExpectLetter, ExpectMail, ExpectRecipient};
use crate::dialogue::{Dialogue, Handshake, InClear, Session, Step};
use crate::{Capabilities, ClientName, Extension, Failure, Reply, ReplyClass, Stage};

/// The reply that is awaited, with all that is known until then.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    Greeting(ExpectGreeting),
    Ehlo(ExpectEhlo),
    Helo(ExpectHelo),
    Starttls(ExpectStarttls),
    Mail(ExpectMail),
    Recipient(ExpectRecipient),
    Data(ExpectData),
    Letter(ExpectLetter),
    Quit(ExpectQuit),
}

impl Expect {
    pub(crate) const fn stage(&self) -> Stage {
        match self {
            Self::Greeting(_) => Stage::Greeting,
            Self::Ehlo(ExpectEhlo { phase: Phase::Clear { .. }, .. }) => Stage::Ehlo,
            Self::Ehlo(ExpectEhlo { phase: Phase::Tls, .. }) => Stage::EhloInTls,
            Self::Helo(ExpectHelo { phase: Phase::Clear { .. } }) => Stage::Helo,
            Self::Helo(ExpectHelo { phase: Phase::Tls }) => Stage::HeloInTls,
            Self::Starttls(_) => Stage::Starttls,
            Self::Mail(_) => Stage::Mail,
            Self::Recipient(_) => Stage::Recipient,
            Self::Data(_) => Stage::Data,
            Self::Letter(_) => Stage::Letter,
            Self::Quit(_) => Stage::Quit,
        }
    }

    pub(crate) fn receive(self, reply: Reply, ahead: Vec<u8>) -> Result<Step, Failure> {
        match self {
            Self::Greeting(state) => state.receive(reply, ahead),
            Self::Ehlo(state) => state.receive(reply, ahead),
            Self::Helo(state) => state.receive(reply, ahead),
            Self::Starttls(state) => state.receive(reply, &ahead),
            Self::Mail(state) => state.receive(reply, ahead),
            Self::Recipient(state) => state.receive(reply, ahead),
            Self::Data(state) => state.receive(reply, ahead),
            Self::Letter(state) => state.receive(reply, ahead),
            Self::Quit(ExpectQuit) => Ok(Step::Closed),
        }
    }
}

/// Sends a command whose reply `expect` waits for.
pub(crate) fn send(octets: Vec<u8>, expect: Expect, ahead: Vec<u8>) -> Step {
    Step::Send { octets, then: Dialogue::expecting(expect, ahead) }
}

/// On which side of the handshake a dialogue is.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// Before it; what was said is worth nothing.
    Clear { greeting: Reply },
    /// Behind it.
    Tls,
}

/// The server's first word.
#[derive(Clone, Debug)]
pub(crate) struct ExpectGreeting {
    pub(crate) name: ClientName,
}

impl ExpectGreeting {
    /// RFC 5321 §3.1: 220, or 554 from a server that wants no session; 421 from one that cannot.
    fn receive(self, reply: Reply, ahead: Vec<u8>) -> Result<Step, Failure> {
        let stage = Stage::Greeting;
        match reply.code().class() {
            ReplyClass::Completed => {
                Ok(ExpectEhlo::begin(self.name, Phase::Clear { greeting: reply }, ahead))
            }
            ReplyClass::Temporary | ReplyClass::Permanent => Err(Failure::Refused { stage, reply }),
            ReplyClass::Intermediate => {
                Err(Failure::Unexpected { stage, expected: "220, 4yz or 5yz", reply })
            }
        }
    }
}

/// The reply to EHLO.
#[derive(Clone, Debug)]
pub(crate) struct ExpectEhlo {
    name: ClientName,
    phase: Phase,
}

impl ExpectEhlo {
    pub(crate) fn begin(name: ClientName, phase: Phase, ahead: Vec<u8>) -> Step {
        let command = format!("EHLO {name}\r\n").into_bytes();
        send(command, Expect::Ehlo(Self { name, phase }), ahead)
    }

    /// RFC 5321 §3.2: a server that does not know EHLO answers 5yz, and the client "SHOULD send
    /// HELO". It cannot offer STARTTLS then; but whether it is a mail server at all, HELO tells.
    fn receive(self, reply: Reply, ahead: Vec<u8>) -> Result<Step, Failure> {
        let Self { name, phase } = self;
        match reply.code().class() {
            ReplyClass::Completed => greeted(name, phase, reply, ahead),
            ReplyClass::Permanent => {
                let command = format!("HELO {name}\r\n").into_bytes();
                Ok(send(command, Expect::Helo(ExpectHelo { phase }), ahead))
            }
            ReplyClass::Temporary => {
                let stage = Expect::Ehlo(Self { name, phase }).stage();
                Err(Failure::Refused { stage, reply })
            }
            ReplyClass::Intermediate => {
                let stage = Expect::Ehlo(Self { name, phase }).stage();
                Err(Failure::Unexpected { stage, expected: "250, 4yz or 5yz", reply })
            }
        }
    }
}

/// The server knows EHLO: towards TLS, or within it at the goal.
fn greeted(name: ClientName, phase: Phase, hello: Reply, ahead: Vec<u8>) -> Result<Step, Failure> {
    let capabilities = Capabilities::from_ehlo(&hello);
    match phase {
        Phase::Tls => Ok(Step::Ready(Session { capabilities, hello, ahead })),
        Phase::Clear { greeting } if capabilities.offer(Extension::Starttls) => {
            let in_clear = InClear { greeting, hello };
            let expect = Expect::Starttls(ExpectStarttls { name, in_clear });
            Ok(send(b"STARTTLS\r\n".to_vec(), expect, ahead))
        }
        Phase::Clear { .. } => {
            let overwritten = capabilities.overwritten().map(Into::into);
            Err(Failure::NotOffered { hello, overwritten })
        }
    }
}

/// The reply to HELO.
#[derive(Clone, Debug)]
pub(crate) struct ExpectHelo {
    phase: Phase,
}

impl ExpectHelo {
    /// A server of before 1995. Within TLS it is good enough for a letter without extensions.
    fn receive(self, reply: Reply, ahead: Vec<u8>) -> Result<Step, Failure> {
        let stage = match self.phase {
            Phase::Clear { .. } => Stage::Helo,
            Phase::Tls => Stage::HeloInTls,
        };
        match (reply.code().class(), self.phase) {
            (ReplyClass::Completed, Phase::Clear { .. }) => {
                Err(Failure::NotOffered { hello: reply, overwritten: None })
            }
            (ReplyClass::Completed, Phase::Tls) => {
                let capabilities = Capabilities::default();
                Ok(Step::Ready(Session { capabilities, hello: reply, ahead }))
            }
            (ReplyClass::Temporary | ReplyClass::Permanent, _) => {
                Err(Failure::Refused { stage, reply })
            }
            (ReplyClass::Intermediate, _) => {
                Err(Failure::Unexpected { stage, expected: "250, 4yz or 5yz", reply })
            }
        }
    }
}

/// The reply to STARTTLS.
#[derive(Clone, Debug)]
pub(crate) struct ExpectStarttls {
    name: ClientName,
    in_clear: InClear,
}

impl ExpectStarttls {
    /// RFC 3207 §4: 220, 501 or 454. What stands behind 220 before the handshake was put there in
    /// clear, and would be taken for a reply within TLS by a client that keeps it: command
    /// injection, CVE-2011-0411 and CVE-2021-38371.
    fn receive(self, reply: Reply, ahead: &[u8]) -> Result<Step, Failure> {
        match (reply.code().number(), reply.code().class()) {
            (220, _) if !ahead.is_empty() => Err(Failure::Injected { octets: ahead.len() }),
            (220, _) => Ok(Step::StartTls(Handshake { name: self.name, in_clear: self.in_clear })),
            (_, ReplyClass::Temporary | ReplyClass::Permanent) => {
                Err(Failure::StarttlsRefused { reply })
            }
            (_, ReplyClass::Completed | ReplyClass::Intermediate) => {
                let (stage, expected) = (Stage::Starttls, "220, 4yz or 5yz");
                Err(Failure::Unexpected { stage, expected, reply })
            }
        }
    }
}

/// The reply to QUIT, whatever it is (RFC 5321 §4.1.1.10).
#[derive(Clone, Debug)]
pub(crate) struct ExpectQuit;
