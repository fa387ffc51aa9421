//! One letter over one session (RFC 5321 §3.3): MAIL, RCPT, DATA, the dot.
//!
//! After it there is only QUIT. Whoever has more letters opens another connection; so no letter
//! can be hurt by what became of the one before it.

use alloc::vec::Vec;

use smtp_types::EmailAddress;

use crate::dialogue::{Session, Step, quit};
use crate::expect::{Expect, send};
use crate::{Failure, Letter, Reply, ReplyClass, Stage};

impl Session {
    /// Hands over a letter.
    ///
    /// # Errors
    /// [`Failure::Missing`] if the letter needs what the server does not offer. RFC 8689 §4.2.1:
    /// a letter with REQUIRETLS goes to no server that does not offer it; the same holds for
    /// 8BITMIME (RFC 6152 §3) and SMTPUTF8 (RFC 6531 §3.2).
    pub fn deliver(self, letter: Letter) -> Result<Step, Failure> {
        let missing = letter.needs().find(|extension| !self.capabilities.offer(*extension));
        if let Some(extension) = missing {
            return Err(Failure::Missing { extension });
        }
        Ok(send(letter.mail(), Expect::Mail(ExpectMail { letter }), self.ahead))
    }
}

/// What became of a letter.
#[derive(Clone, Debug)]
pub struct Delivery {
    outcome: Outcome,
    refused: Vec<RefusedRecipient>,
    ahead: Vec<u8>,
}

/// Whether the server has taken the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// For every recipient but those in [`Delivery::refused`]; from now on it is the server's
    /// (RFC 5321 §4.2.5).
    Accepted(Reply),
    /// For nobody.
    Refused {
        /// At what.
        stage: Stage,
        /// The server's words; 4yz: try again later.
        reply: Reply,
    },
}

/// A recipient that the server does not take mail for, now or at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecipient {
    /// Who.
    pub recipient: EmailAddress,
    /// The server's words.
    pub reply: Reply,
}

impl Delivery {
    /// Whether the server has taken the letter.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Recipients that were refused one by one.
    #[must_use]
    pub fn refused(&self) -> &[RefusedRecipient] {
        &self.refused
    }

    /// Says goodbye.
    pub fn quit(self) -> Step {
        quit(self.ahead)
    }
}

/// No letter was handed over; `refused` are the recipients that were refused one by one.
fn not_taken(stage: Stage, reply: Reply, refused: Vec<RefusedRecipient>, ahead: Vec<u8>) -> Step {
    Step::Delivered(Delivery { outcome: Outcome::Refused { stage, reply }, refused, ahead })
}

/// The reply to MAIL.
#[derive(Clone, Debug)]
pub(crate) struct ExpectMail {
    letter: Letter,
}

impl ExpectMail {
    pub(crate) fn receive(self, reply: Reply, ahead: Vec<u8>) -> Result<Step, Failure> {
        let (stage, expected) = (Stage::Mail, "250, 4yz or 5yz");
        match reply.code().class() {
            ReplyClass::Completed => {
                let next = ExpectRecipient { letter: self.letter, index: 0, refused: Vec::new() };
                Ok(next.ask(reply, ahead))
            }
            ReplyClass::Temporary | ReplyClass::Permanent => {
                Ok(not_taken(stage, reply, Vec::new(), ahead))
            }
            ReplyClass::Intermediate => Err(Failure::Unexpected { stage, expected, reply }),
        }
    }
}

/// The reply to RCPT, for one recipient after the other.
#[derive(Clone, Debug)]
pub(crate) struct ExpectRecipient {
    letter: Letter,
    index: usize,
    refused: Vec<RefusedRecipient>,
}

impl ExpectRecipient {
    /// Names the next recipient, or, when all were named, begins the letter if it has any left.
    /// `last` is the reply before.
    fn ask(self, last: Reply, ahead: Vec<u8>) -> Step {
        if let Some(command) = self.letter.recipient(self.index) {
            return send(command, Expect::Recipient(self), ahead);
        }
        if self.refused.len() == self.letter.recipients().len() {
            return not_taken(Stage::Recipient, last, self.refused, ahead);
        }
        let Self { letter, refused, .. } = self;
        send(b"DATA\r\n".to_vec(), Expect::Data(ExpectData { letter, refused }), ahead)
    }

    pub(crate) fn receive(mut self, reply: Reply, ahead: Vec<u8>) -> Result<Step, Failure> {
        match reply.code().class() {
            ReplyClass::Completed => {}
            ReplyClass::Temporary | ReplyClass::Permanent => {
                let recipient = self.letter.recipients().get(self.index);
                self.refused.extend(recipient.map(|recipient| RefusedRecipient {
                    recipient: recipient.clone(),
                    reply: reply.clone(),
                }));
            }
            ReplyClass::Intermediate => {
                let (stage, expected) = (Stage::Recipient, "250, 251, 4yz or 5yz");
                return Err(Failure::Unexpected { stage, expected, reply });
            }
        }
        self.index += 1;
        Ok(self.ask(reply, ahead))
    }
}

/// The reply to DATA.
#[derive(Clone, Debug)]
pub(crate) struct ExpectData {
    letter: Letter,
    refused: Vec<RefusedRecipient>,
}

impl ExpectData {
    /// RFC 5321 §3.3: only after 354 the letter goes.
    pub(crate) fn receive(self, reply: Reply, ahead: Vec<u8>) -> Result<Step, Failure> {
        let (stage, expected) = (Stage::Data, "354, 4yz or 5yz");
        match reply.code().class() {
            ReplyClass::Intermediate => {
                let expect = Expect::Letter(ExpectLetter { refused: self.refused });
                Ok(send(self.letter.content(), expect, ahead))
            }
            ReplyClass::Temporary | ReplyClass::Permanent => {
                Ok(not_taken(stage, reply, self.refused, ahead))
            }
            ReplyClass::Completed => Err(Failure::Unexpected { stage, expected, reply }),
        }
    }
}

/// The reply to the dot.
#[derive(Clone, Debug)]
pub(crate) struct ExpectLetter {
    refused: Vec<RefusedRecipient>,
}

impl ExpectLetter {
    pub(crate) fn receive(self, reply: Reply, ahead: Vec<u8>) -> Result<Step, Failure> {
        let (stage, expected) = (Stage::Letter, "250, 4yz or 5yz");
        match reply.code().class() {
            ReplyClass::Completed => {
                let outcome = Outcome::Accepted(reply);
                Ok(Step::Delivered(Delivery { outcome, refused: self.refused, ahead }))
            }
            ReplyClass::Temporary | ReplyClass::Permanent => {
                Ok(not_taken(stage, reply, self.refused, ahead))
            }
            ReplyClass::Intermediate => Err(Failure::Unexpected { stage, expected, reply }),
        }
    }
}
