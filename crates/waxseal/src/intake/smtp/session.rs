//! The dialogue with one client, as a pure function of the octets that it sends: however they are
//! cut into pieces, the same replies and the same mails come out.
//!
//! [`Session::take`] takes octets up to the next thing that somebody else has to do: say a reply,
//! store a mail, or close the connection. Commands that came ahead of a reply (PIPELINING, RFC 2920)
//! wait in the octets that were not taken.

use smtp_types::EmailAddress;

use super::command::{Command, CommandError};
use super::content::{Content, Taken};
use super::envelope::{Envelope, Recipients};
use super::reply::Reply;

/// What the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SMTP: one reply for a message.
    Smtp,
    /// LMTP: one reply for each recipient of a message.
    Lmtp,
}

/// Whether what a client says about its own client is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is on this machine.
    Believed,
    /// It is anybody.
    None,
}

/// How much is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// How many octets a command line may have. RFC 5321 §4.5.3.1.4 wants 512, and extensions more;
    /// the default is 2048.
    pub line: usize,
    /// How many octets a message may have. The default is 25 MiB.
    pub message: usize,
    /// How many recipients a message may have. The default is 100, as RFC 5321 §4.5.3.1.8 wants.
    pub recipients: usize,
    /// After how many errors of the client the connection is closed. The default is 20.
    pub errors: usize,
    /// After how many commands it is closed. The default is 10,000.
    pub commands: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            line: 2048,
            message: 25 * 1024 * 1024,
            recipients: 100,
            errors: 20,
            commands: 10_000,
        }
    }
}

/// What is fixed for all of a connection.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What the client speaks.
    pub dialect: Dialect,
    /// Whether it may tell of its own client.
    pub trust: Trust,
    /// How much is taken.
    pub limits: SessionLimits,
    /// To whom mail is taken.
    pub recipients: Recipients,
    /// The name of this server.
    pub host: String,
}

/// What somebody else has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Say this.
    Say(Vec<Reply>),
    /// Store this mail, and say what came of it: once for SMTP, once for each recipient for LMTP.
    Store(Box<Mail>),
    /// Say this and close the connection.
    Close(Vec<Reply>),
}

/// A mail that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// From whom and to whom.
    pub envelope: Envelope,
    /// Header and body, all lines ended by CRLF.
    pub octets: Vec<u8>,
}

/// Why a mail that has come is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// It has more octets than are taken.
    TooLong,
    /// It has bare CR or LF.
    StrayLineEnd,
    /// There is no room for it now.
    NoRoom,
}

impl MailFault {
    /// What its sender is told.
    #[must_use]
    pub fn reply(self) -> Reply {
        match self {
            Self::TooLong => Reply::new(552, "5.3.4 message: larger than SIZE"),
            Self::StrayLineEnd => Reply::new(550, "5.6.0 message: a CR or LF stands alone"),
            Self::NoRoom => Reply::new(452, "4.3.1 no room now, try again later"),
        }
    }
}

/// A dialogue.
#[derive(Debug)]
pub struct Session {
    terms: Terms,
    phase: Phase,
    line: Vec<u8>,
    envelope: Envelope,
    is_greeted: bool,
    has_sender: bool,
    has_no_room: bool,
    errors: usize,
    commands: usize,
}

#[derive(Debug)]
enum Phase {
    Command,
    /// A command line that is too long is passed over.
    LongLine,
    Content(Content),
    Closed,
}

impl Session {
    /// A dialogue that has not begun.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            phase: Phase::Command,
            line: Vec::new(),
            envelope: Envelope::default(),
            is_greeted: false,
            has_sender: false,
            has_no_room: false,
            errors: 0,
            commands: 0,
        }
    }

    /// What is said first.
    #[must_use]
    pub fn greeting(&self) -> Reply {
        let protocol = match self.terms.dialect {
            Dialect::Smtp => "ESMTP",
            Dialect::Lmtp => "LMTP",
        };
        Reply::new(220, &format!("{} {protocol} waxseal", self.terms.host))
    }

    /// What the client speaks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.terms.dialect
    }

    /// How many octets of a message are held in memory; `None` while no message comes.
    #[must_use]
    pub fn held(&self) -> Option<usize> {
        match &self.phase {
            Phase::Content(content) => Some(content.held()),
            Phase::Command | Phase::LongLine | Phase::Closed => None,
        }
    }

    /// There is no memory for the message that comes: its octets are forgotten, and at its end the
    /// client is told to try again later.
    pub fn has_no_room(&mut self) {
        if let Phase::Content(content) = &mut self.phase {
            content.drop_octets();
            self.has_no_room = true;
        }
    }

    /// Takes octets up to the next [`Step`]. Returns how many, and the step, if they are enough for
    /// one. Without a step, all octets were taken.
    pub fn take(&mut self, input: &[u8]) -> (usize, Option<Step>) {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() {
                return (used, None);
            }
            let (taken, step) = match &mut self.phase {
                Phase::Closed => (rest.len(), None),
                Phase::Content(content) => {
                    let step = content.take(rest);
                    (step.used, step.has_ended.then(|| self.end_of_message()))
                }
                Phase::Command | Phase::LongLine => self.take_line(rest),
            };
            used += taken;
            if step.is_some() {
                return (used, step);
            }
        }
    }

    fn take_line(&mut self, rest: &[u8]) -> (usize, Option<Step>) {
        let end = memchr::memchr(b'\n', rest);
        let length = end.map_or(rest.len(), |end| end + 1);
        let is_long = matches!(self.phase, Phase::LongLine);
        let last = match self.line.last() {
            // Of a line that is too long, only whether a CR was last is kept.
            last if length < 2 => last.copied(),
            _ => rest.get(length - 2).copied(),
        };
        if is_long || self.line.len() + length > self.terms.limits.line {
            self.phase = Phase::LongLine;
            self.line = rest.get(length - 1..length).unwrap_or_default().to_vec();
        } else {
            self.line.extend_from_slice(rest.get(..length).unwrap_or_default());
        }
        if end.is_none() {
            return (length, None);
        }
        let line = std::mem::take(&mut self.line);
        if last != Some(b'\r') {
            // What is a line here may be half a line elsewhere: nothing behind it is believed.
            return (length, Some(self.close(521, "5.5.2 command: a LF stands alone")));
        }
        if matches!(self.phase, Phase::LongLine) {
            self.phase = Phase::Command;
            return (length, Some(self.error(500, "5.5.2 command: too long")));
        }
        let line = line.strip_suffix(b"\r\n").unwrap_or(&line);
        if line.contains(&b'\r') {
            return (length, Some(self.close(521, "5.5.2 command: a CR stands alone")));
        }
        (length, Some(self.command(line)))
    }

    fn command(&mut self, line: &[u8]) -> Step {
        self.commands += 1;
        if self.commands > self.terms.limits.commands {
            return self.close(421, "4.7.0 too many commands");
        }
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(error) => return self.not_a_command(error),
        };
        match command {
            Command::Quit => self.close(221, "2.0.0 bye"),
            Command::Noop => say(250, "2.0.0 ok"),
            Command::Vrfy => say(252, "2.1.5 send some mail, it is taken or refused then"),
            Command::Rset => {
                self.forget();
                say(250, "2.0.0 ok")
            }
            Command::Helo(name) => self.hello(Dialect::Smtp, name, vec![]),
            Command::Ehlo(name) => self.hello(Dialect::Smtp, name, self.extensions()),
            Command::Lhlo(name) => self.hello(Dialect::Lmtp, name, self.extensions()),
            Command::Forward(forwarded) => {
                if self.terms.trust == Trust::None {
                    return self.error(550, "5.7.1 XFORWARD: not for this client");
                }
                if self.has_sender {
                    return self.error(503, "5.5.1 XFORWARD: expected before MAIL");
                }
                self.envelope.forwarded.add(forwarded);
                say(250, "2.0.0 ok")
            }
            Command::Mail { path, parameters } => self.mail(path, parameters.size),
            Command::Rcpt { path } => self.rcpt(&path),
            Command::Data => {
                if self.envelope.recipients.is_empty() {
                    return self.error(503, "5.5.1 DATA: expected a recipient first");
                }
                self.phase = Phase::Content(Content::new(self.terms.limits.message));
                say(354, "end with a dot alone in a line")
            }
        }
    }

    fn not_a_command(&mut self, error: CommandError) -> Step {
        match error {
            CommandError::Unknown => self.error(500, "5.5.1 command: unknown"),
            CommandError::NotText => self.error(500, "5.5.2 command: not a text"),
            CommandError::Arguments => self.error(501, "5.5.4 arguments: not those of the command"),
            CommandError::Parameter => self.error(555, "5.5.4 parameter: not offered"),
        }
    }

    /// RFC 2033 §4.1: LMTP greets with `LHLO` and with nothing else, SMTP never does.
    fn hello(&mut self, dialect: Dialect, name: String, extensions: Vec<String>) -> Step {
        if dialect != self.terms.dialect {
            return self.error(500, "5.5.1 command: unknown");
        }
        self.forget();
        self.is_greeted = true;
        self.envelope.hello = name;
        let lines = [vec![self.terms.host.clone()], extensions].concat();
        Step::Say(vec![Reply::of_lines(250, lines)])
    }

    fn extensions(&self) -> Vec<String> {
        let size = format!("SIZE {}", self.terms.limits.message);
        let fixed = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"];
        let forward = match self.terms.trust {
            Trust::Believed => Some("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE".to_owned()),
            Trust::None => None,
        };
        let fixed = fixed.into_iter().map(str::to_owned);
        std::iter::once(size).chain(fixed).chain(forward).collect()
    }

    fn mail(&mut self, path: String, size: Option<u64>) -> Step {
        if !self.is_greeted {
            return self.error(503, "5.5.1 MAIL: expected a greeting first");
        }
        if self.has_sender {
            return self.error(503, "5.5.1 MAIL: one sender is enough");
        }
        let limit = u64::try_from(self.terms.limits.message).unwrap_or(u64::MAX);
        if size.is_some_and(|size| size > limit) {
            return self.error(552, "5.3.4 message: larger than SIZE");
        }
        self.envelope.sender = path;
        self.has_sender = true;
        say(250, "2.1.0 ok")
    }

    fn rcpt(&mut self, path: &str) -> Step {
        if !self.has_sender {
            return self.error(503, "5.5.1 RCPT: expected MAIL first");
        }
        if self.envelope.recipients.len() >= self.terms.limits.recipients {
            return self.error(452, "4.5.3 recipients: too many");
        }
        let Ok(address) = EmailAddress::parse(path) else {
            return self.error(550, "5.1.3 recipient: not an address that takes reports");
        };
        if !self.terms.recipients.take(&address) {
            return self.error(550, "5.1.1 recipient: no reports are taken for it");
        }
        self.envelope.recipients.push(address);
        say(250, "2.1.5 ok")
    }

    fn end_of_message(&mut self) -> Step {
        let Phase::Content(content) = std::mem::replace(&mut self.phase, Phase::Command) else {
            return self.close(421, "4.3.0 a fault of ours");
        };
        let Taken { octets, has_stray, is_too_long } = content.into_taken();
        let has_no_room = std::mem::take(&mut self.has_no_room);
        let envelope = self.envelope.clone();
        self.forget();
        let fault = match () {
            () if has_stray => MailFault::StrayLineEnd,
            () if has_no_room => MailFault::NoRoom,
            () if is_too_long => MailFault::TooLong,
            () => return Step::Store(Box::new(Mail { envelope, octets })),
        };
        let replies = self.terms.dialect.replies(&fault.reply(), &envelope);
        if fault == MailFault::StrayLineEnd {
            // Where the message has ended is for its sender another question than for us.
            self.phase = Phase::Closed;
            return Step::Close(replies);
        }
        Step::Say(replies)
    }

    /// What was said of a message holds for no other.
    fn forget(&mut self) {
        let hello = std::mem::take(&mut self.envelope.hello);
        self.envelope = Envelope { hello, ..Envelope::default() };
        self.has_sender = false;
    }

    fn error(&mut self, code: u16, text: &str) -> Step {
        self.errors += 1;
        if self.errors >= self.terms.limits.errors {
            return self.close(421, "4.7.0 too many errors");
        }
        say(code, text)
    }

    fn close(&mut self, code: u16, text: &str) -> Step {
        self.phase = Phase::Closed;
        Step::Close(vec![Reply::new(code, text)])
    }
}

impl Dialect {
    /// RFC 2033 §4.2: behind the final dot, LMTP has one reply for each recipient that was taken.
    #[must_use]
    pub fn replies(self, reply: &Reply, envelope: &Envelope) -> Vec<Reply> {
        match self {
            Self::Smtp => vec![reply.clone()],
            Self::Lmtp => vec![reply.clone(); envelope.recipients.len()],
        }
    }
}

fn say(code: u16, text: &str) -> Step {
    Step::Say(vec![Reply::new(code, text)])
}
