//! The order of steps, and what is known of a message: a state machine without IO.
//!
//! [`Session::take`] gets each packet of the mail server and says what it means ([`Event`]) and
//! whether it is to be answered. It keeps the envelope and the header, within bounds; the body
//! passes through.
//!
//! ```text
//! negotiate   connect   HELO*   (MAIL  RCPT*  DATA?  header field*  end of header  body*  end)*
//! ```
//!
//! Abort, HELO and MAIL end a message at any place: sendmail sends no abort for a message whose
//! MAIL it did not wait for an answer to, and Postfix sends HELO before the abort. Whatever else
//! comes out of order ends the connection: two that disagree on where a message begins must not go
//! on.

use std::fmt;

use sender_auth::{Header, HeaderField, HeaderFieldError, HeaderLimits};

use super::command::{Command, CommandCode, CommandError};
use super::envelope::{Client, Envelope};
use super::macros::MacroStage;
use super::negotiate::{Agreement, LeadingSpace, NegotiationError, Offer};
use super::packet::Packet;

/// How much of a message and of what the mail server says is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MilterLimits {
    /// The most octets of a packet, its length apart. The default is 1 MiB: pieces of the body have
    /// at most 64 KiB, header fields as many as the mail server lets through (Postfix:
    /// `header_size_limit`, 100 KiB; sendmail itself defers a message with one above 64 KiB).
    pub packet_octets: usize,
    /// The most octets of a packet that is neither of the header nor of the body. The default is
    /// 64 KiB, which is all that libmilter takes.
    pub command_octets: usize,
    /// How many recipients are kept; all are counted. The default is 1,000, as many as Postfix
    /// takes for a message (`smtpd_recipient_limit`).
    pub recipients: usize,
    /// How many octets of recipients are kept. The default is 256 KiB.
    pub recipient_octets: usize,
    /// How much of a header is kept. A message with more has a [`HeaderFault`].
    pub header: HeaderLimits,
}

impl Default for MilterLimits {
    fn default() -> Self {
        Self {
            packet_octets: 1024 * 1024,
            command_octets: 64 * 1024,
            recipients: 1_000,
            recipient_octets: 256 * 1024,
            header: HeaderLimits::default(),
        }
    }
}

/// What a command means.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'p> {
    /// Nothing that anybody waits for.
    Noted,
    /// Both have agreed. Our side of it is to be sent.
    Agreed(Agreement),
    /// A message begins. One that had begun goes no further.
    Begun,
    /// The header is complete. It comes once, before all of the body.
    Header(Result<Header, HeaderFault>),
    /// A piece of the body.
    Body(&'p [u8]),
    /// The message is complete, with this piece of the body. The verdict is to be sent.
    End(&'p [u8]),
    /// The message, if there is one, goes no further.
    Aborted,
    /// The mail server goes.
    Quit,
}

/// What a command means, and whether to answer it.
#[derive(Debug, PartialEq, Eq)]
pub struct Step<'p> {
    /// What it means.
    pub event: Event<'p>,
    /// Whether the mail server waits for an answer.
    pub answer: Answer,
}

/// Whether the mail server waits for an answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It does not, or the event says what to send.
    None,
    /// It waits to be told that it may go on.
    Continue,
}

/// One connection of a mail server.
#[derive(Debug)]
pub struct Session {
    limits: MilterLimits,
    phase: Phase,
    agreement: Option<Agreement>,
    envelope: Envelope,
    /// How many octets of recipients are kept.
    recipient_octets: usize,
    header: HeaderSoFar,
}

/// How far the mail server has come, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Nothing was said.
    Start,
    /// Behind the negotiation; no SMTP client is known.
    Agreed,
    /// An SMTP client is known, and there is no message.
    Connected,
    /// Behind MAIL or RCPT.
    Envelope,
    /// Behind DATA or a header field.
    Header,
    /// Behind the end of the header.
    Body,
}

/// Where a command may come, from the first phase to the second.
const fn place_of(command: CommandCode) -> [Phase; 2] {
    match command {
        CommandCode::Negotiate => [Phase::Start, Phase::Start],
        CommandCode::Quit => [Phase::Start, Phase::Body],
        CommandCode::Macros | CommandCode::Abort | CommandCode::QuitNewClient => {
            [Phase::Agreed, Phase::Body]
        }
        CommandCode::Connect => [Phase::Agreed, Phase::Agreed],
        CommandCode::Helo | CommandCode::Mail | CommandCode::Unknown => {
            [Phase::Connected, Phase::Body]
        }
        CommandCode::Rcpt | CommandCode::Data => [Phase::Envelope, Phase::Envelope],
        CommandCode::Header | CommandCode::EndOfHeader => [Phase::Envelope, Phase::Header],
        CommandCode::Body | CommandCode::EndOfMessage => [Phase::Body, Phase::Body],
    }
}

impl Session {
    /// A connection at its beginning.
    #[must_use]
    pub fn new(limits: MilterLimits) -> Self {
        Self {
            limits,
            phase: Phase::Start,
            agreement: None,
            envelope: Envelope::default(),
            recipient_octets: 0,
            header: HeaderSoFar::default(),
        }
    }

    /// What is known of the message: of the last one, until the next one begins.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Whether a message has begun and has not come to its end.
    #[must_use]
    pub fn is_in_message(&self) -> bool {
        self.phase > Phase::Connected
    }

    /// What becomes of the space behind the colon of header fields.
    #[must_use]
    pub fn leading_space(&self) -> LeadingSpace {
        self.agreement.map_or(LeadingSpace::Implied, Agreement::leading_space)
    }

    /// Takes the next packet.
    ///
    /// # Errors
    /// [`SessionError`]: the connection cannot go on. The session is of no use then.
    pub fn take<'p>(&mut self, packet: Packet<'p>) -> Result<Step<'p>, SessionError> {
        let is_of_content = matches!(packet.code, b'L' | b'B' | b'E');
        if !is_of_content && packet.payload.len() >= self.limits.command_octets {
            let limit = self.limits.command_octets;
            return Err(SessionError::TooLong { code: packet.code, limit });
        }
        let command = Command::parse(packet).map_err(SessionError::Command)?;
        let code = command.code();
        let [first, last] = place_of(code);
        if !(first..=last).contains(&self.phase) {
            return Err(SessionError::OutOfOrder { command: code, behind: self.phase.as_str() });
        }
        let event = self.event(command)?;
        let expects = |agreement: Agreement| agreement.expects_answer_to(code);
        let answer =
            if self.agreement.is_some_and(expects) { Answer::Continue } else { Answer::None };
        Ok(Step { event, answer })
    }

    /// What a command means that has come in its place.
    fn event<'p>(&mut self, command: Command<'p>) -> Result<Event<'p>, SessionError> {
        match command {
            Command::Negotiate(offer) => return self.negotiate(offer),
            Command::Macros { of, pairs } => {
                if let Some(stage) = MacroStage::of(of) {
                    self.envelope.macros.set(stage, pairs);
                }
            }
            Command::Connect { hostname, address } => {
                self.envelope.client = Client { hostname: hostname.into(), address, helo: None };
                self.envelope.macros.clear_behind(MacroStage::Connect);
                self.phase = Phase::Connected;
            }
            Command::Helo { name } => {
                self.envelope.client.helo = Some(name.into());
                return Ok(self.abort());
            }
            Command::Mail { path, parameters } => {
                self.abort_message();
                self.envelope.begin(path, &parameters);
                self.envelope.macros.clear_behind(MacroStage::Mail);
                self.phase = Phase::Envelope;
                return Ok(Event::Begun);
            }
            Command::Rcpt { path, .. } => self.add_recipient(path),
            Command::Data => self.phase = Phase::Header,
            Command::Header { name, value } => {
                self.header.add(name, value, self.leading_space(), self.limits.header);
                self.phase = Phase::Header;
            }
            Command::EndOfHeader => {
                self.phase = Phase::Body;
                return Ok(Event::Header(std::mem::take(&mut self.header).end()));
            }
            Command::Body(octets) => return Ok(Event::Body(octets)),
            Command::EndOfMessage { body } => {
                self.phase = Phase::Connected;
                return Ok(Event::End(body));
            }
            Command::Abort => return Ok(self.abort()),
            Command::QuitNewClient => {
                self.abort_message();
                self.envelope = Envelope::default();
                self.phase = Phase::Agreed;
                return Ok(Event::Aborted);
            }
            Command::Quit => return Ok(Event::Quit),
            Command::Unknown { .. } => {}
        }
        Ok(Event::Noted)
    }

    fn negotiate<'p>(&mut self, offer: Offer) -> Result<Event<'p>, SessionError> {
        let agreement = Agreement::on(offer).map_err(SessionError::Negotiation)?;
        self.agreement = Some(agreement);
        self.phase = Phase::Agreed;
        Ok(Event::Agreed(agreement))
    }

    fn add_recipient(&mut self, path: &[u8]) {
        let Envelope { recipients, recipient_count, macros, .. } = &mut self.envelope;
        let octets = self.recipient_octets + path.len();
        if recipients.len() < self.limits.recipients && octets <= self.limits.recipient_octets {
            recipients.push(path.into());
            self.recipient_octets = octets;
        }
        *recipient_count = recipient_count.saturating_add(1);
        macros.clear_behind(MacroStage::Rcpt);
    }

    /// What was said of a message holds for no other.
    fn abort<'p>(&mut self) -> Event<'p> {
        self.abort_message();
        self.envelope.macros.clear_behind(MacroStage::Helo);
        Event::Aborted
    }

    fn abort_message(&mut self) {
        self.header = HeaderSoFar::default();
        self.recipient_octets = 0;
        self.phase = self.phase.min(Phase::Connected);
    }
}

impl Phase {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "the beginning",
            Self::Agreed => "the negotiation",
            Self::Connected => "connect, HELO, or the end of a message",
            Self::Envelope => "MAIL or RCPT",
            Self::Header => "DATA or a header field",
            Self::Body => "the end of the header",
        }
    }
}

/// The header as far as it has come.
#[derive(Debug, Default)]
struct HeaderSoFar {
    header: Header,
    octets: usize,
    fault: Option<HeaderFault>,
}

impl HeaderSoFar {
    fn add(&mut self, name: &[u8], value: &[u8], space: LeadingSpace, limits: HeaderLimits) {
        if self.fault.is_some() {
            return;
        }
        let implied: &[u8] = match space {
            // A tab or a line end stood behind the colon itself: only a space is taken away.
            LeadingSpace::Implied if !matches!(value.first(), Some(b'\t' | b'\r' | b'\n')) => b" ",
            LeadingSpace::Kept | LeadingSpace::Implied => b"",
        };
        self.octets = self.octets.saturating_add(name.len() + value.len() + ":\r\n".len());
        if self.octets > limits.octets {
            self.fault = Some(HeaderFault::TooLong { limit: limits.octets });
        } else if self.header.fields().len() >= limits.fields {
            self.fault = Some(HeaderFault::TooManyFields { limit: limits.fields });
        } else {
            match HeaderField::new(name, &[implied, value].concat()) {
                Ok(field) => self.header.push(field),
                Err(error) => self.fault = Some(HeaderFault::Field(error)),
            }
        }
    }

    fn end(self) -> Result<Header, HeaderFault> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(self.header),
        }
    }
}

/// Why a header cannot be judged. The sender of the message is at fault; what is missing may be
/// what a verdict would hang on, so there is no header at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// It has more octets than are kept.
    TooLong {
        /// How many are.
        limit: usize,
    },
    /// It has more fields than are kept.
    TooManyFields {
        /// How many are.
        limit: usize,
    },
    /// The mail server takes for a field what is none.
    Field(HeaderFieldError),
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { limit } => {
                write!(f, "header: expected at most {limit} octets, found more")
            }
            Self::TooManyFields { limit } => {
                write!(f, "header: expected at most {limit} fields, found more")
            }
            Self::Field(error) => write!(f, "header field: {error}"),
        }
    }
}

impl std::error::Error for HeaderFault {}

/// Why a connection cannot go on. The mail server is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// A packet is not a command.
    Command(CommandError),
    /// A packet that is neither of the header nor of the body is too long.
    TooLong {
        /// Its code.
        code: u8,
        /// How many octets it may have.
        limit: usize,
    },
    /// A command has come where it has no meaning.
    OutOfOrder {
        /// The command.
        command: CommandCode,
        /// What the mail server had said before.
        behind: &'static str,
    },
    /// The mail server can do too little.
    Negotiation(NegotiationError),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(error) => error.fmt(f),
            Self::TooLong { code, limit } => {
                let code = [*code];
                let code = code.escape_ascii();
                write!(f, "command '{code}': expected at most {limit} octets, found more")
            }
            Self::OutOfOrder { command, behind } => {
                write!(f, "{}: expected another command behind {behind}", command.as_str())
            }
            Self::Negotiation(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionError {}
