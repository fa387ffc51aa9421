//! The dialogue as its driver sees it: octets in, the next step out.

use alloc::vec::Vec;

use crate::delivery::Delivery;
use crate::expect::{Expect, ExpectEhlo, ExpectGreeting, ExpectQuit, Phase};
use crate::{Capabilities, ClientName, Failure, Reply, ReplyReader, Stage};

/// The last command of a dialogue (RFC 5321 §4.1.1.10).
pub const QUIT: &[u8] = b"QUIT\r\n";

/// A dialogue that waits for a reply.
#[derive(Clone, Debug)]
pub struct Dialogue {
    expect: Expect,
    reader: ReplyReader,
    /// Octets that came behind the last reply: the beginning of the next one.
    ahead: Vec<u8>,
}

/// What comes next. A step that is dropped ends the dialogue.
#[derive(Clone, Debug)]
#[must_use = "the dialogue goes on with this"]
pub enum Step {
    /// Read from the server, and call [`Dialogue::receive`].
    Read(Dialogue),
    /// Send the octets, and call [`Dialogue::resume`].
    Send {
        /// What to send.
        octets: Vec<u8>,
        /// Who waits for the reply.
        then: Dialogue,
    },
    /// Begin TLS on this connection, and call [`Handshake::established`]. Whatever else the server
    /// has sent in clear belongs to TLS, which will not take it.
    StartTls(Handshake),
    /// There is a session within TLS.
    Ready(Session),
    /// The letter was dealt with.
    Delivered(Delivery),
    /// Both sides have said goodbye: close the connection.
    Closed,
}

impl Dialogue {
    /// The dialogue on a connection that was just made: the server speaks first (RFC 5321 §3.1).
    #[must_use]
    pub fn open(name: ClientName) -> Self {
        Self::expecting(Expect::Greeting(ExpectGreeting { name }), Vec::new())
    }

    pub(crate) fn expecting(expect: Expect, ahead: Vec<u8>) -> Self {
        Self { expect, reader: ReplyReader::new(), ahead }
    }

    /// Which reply is awaited.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.expect.stage()
    }

    /// Takes octets from the server, in pieces of any size.
    ///
    /// # Errors
    /// [`Failure`] ends the dialogue.
    pub fn receive(mut self, octets: &[u8]) -> Result<Step, Failure> {
        self.ahead.extend_from_slice(octets);
        for index in 0..self.ahead.len() {
            let read = self.reader.push(self.ahead[index]);
            let stage = self.expect.stage();
            let reply = read.map_err(|error| Failure::Malformed { stage, error })?;
            if let Some(reply) = reply {
                let ahead = self.ahead.split_off(index + 1);
                return self.expect.receive(reply, ahead);
            }
        }
        self.ahead.clear();
        Ok(Step::Read(self))
    }

    /// Goes on after something was sent. A server that speaks out of turn has said already what it
    /// answers, so that nothing needs to be read.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn resume(self) -> Result<Step, Failure> {
        self.receive(&[])
    }

    /// The server has closed the connection.
    #[must_use]
    pub fn closed(&self) -> Failure {
        Failure::Closed { stage: self.stage(), octets: self.reader.unfinished() }
    }
}

/// What the server said in clear. Anybody on the way may have said it; it is for people who look
/// for a fault, and nothing rests on it (RFC 3207 §4.2, §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InClear {
    /// The greeting.
    pub greeting: Reply,
    /// The reply to EHLO.
    pub hello: Reply,
}

/// The server waits for the handshake. RFC 3207 §4: "After receiving a 220 response to a STARTTLS
/// command, the client MUST start the TLS negotiation before giving any other SMTP commands."
#[derive(Clone, Debug)]
pub struct Handshake {
    pub(crate) name: ClientName,
    pub(crate) in_clear: InClear,
}

impl Handshake {
    /// What was said until now.
    #[must_use]
    pub const fn in_clear(&self) -> &InClear {
        &self.in_clear
    }

    /// Goes on within TLS, from the beginning: "The client MUST discard any knowledge obtained
    /// from the server, such as the list of SMTP service extensions" and "SHOULD send an EHLO
    /// command as the first command" (RFC 3207 §4.2).
    pub fn established(self) -> Step {
        ExpectEhlo::begin(self.name, Phase::Tls, Vec::new())
    }
}

/// A session within TLS in which the server has named its extensions. Whether the server is the
/// right one is for whoever has seen its certificate to say, before any letter.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) capabilities: Capabilities,
    pub(crate) hello: Reply,
    pub(crate) ahead: Vec<u8>,
}

impl Session {
    /// What the server offers within TLS. A STARTTLS among it means nothing: "A client MUST NOT
    /// attempt to start a TLS session if a TLS session is already active" (RFC 3207 §4.2).
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Its reply to EHLO, or to HELO if it does not know EHLO.
    #[must_use]
    pub const fn hello(&self) -> &Reply {
        &self.hello
    }

    /// Says goodbye.
    pub fn quit(self) -> Step {
        quit(self.ahead)
    }
}

/// RFC 5321 §4.1.1.10: the client "MUST NOT intentionally close the transmission channel until it
/// sends a QUIT command, and it SHOULD wait until it receives the reply".
pub(crate) fn quit(ahead: Vec<u8>) -> Step {
    let then = Dialogue::expecting(Expect::Quit(ExpectQuit), ahead);
    Step::Send { octets: QUIT.to_vec(), then }
}
