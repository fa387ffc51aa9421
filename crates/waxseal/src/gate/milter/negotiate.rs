//! What both can do: the mail server offers, we take of it what we need and what is useful.
//!
//! Nothing is taken that was not offered: mail servers refuse a milter that does. What is merely
//! useful is left out without a word (then the mail server waits for an answer to each step, and
//! gets it at once); without what we need, we refuse.

use std::fmt;

use super::command::CommandCode;
use super::packet;

/// The version that we speak.
pub const VERSION: u32 = 6;

/// The oldest version that we can do with: that of sendmail 8.12, 2001.
pub const OLDEST_VERSION: u32 = 2;

/// What a milter may do to a message (`SMFIF_`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actions(u32);

impl Actions {
    /// Add and insert header fields.
    pub const ADD_HEADERS: Self = Self(0x01);
    /// Change and remove header fields.
    pub const CHANGE_HEADERS: Self = Self(0x10);
    /// Put a message into quarantine.
    pub const QUARANTINE: Self = Self(0x20);
    /// Say which macros are wanted.
    pub const ASK_FOR_MACROS: Self = Self(0x100);

    /// What a verdict may need.
    const NEEDED: [(Self, &'static str); 3] = [
        (Self::ADD_HEADERS, "add header fields"),
        (Self::CHANGE_HEADERS, "change header fields"),
        (Self::QUARANTINE, "quarantine"),
    ];

    /// Actions as bits.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// Their bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `others` are among them.
    #[must_use]
    pub const fn contain(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

/// Which steps are sent and answered, and how (`SMFIP_`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps(u32);

impl Steps {
    /// Other SMTP commands are not sent.
    pub const NO_UNKNOWN: Self = Self(0x100);
    /// Values of header fields are sent with the white space behind the colon.
    pub const LEADING_SPACE: Self = Self(0x0010_0000);

    /// The flag that says that a command is not answered.
    const fn unanswered(command: CommandCode) -> Option<Self> {
        match command {
            CommandCode::Header => Some(Self(0x80)),
            CommandCode::Connect => Some(Self(0x1000)),
            CommandCode::Helo => Some(Self(0x2000)),
            CommandCode::Mail => Some(Self(0x4000)),
            CommandCode::Rcpt => Some(Self(0x8000)),
            CommandCode::Data => Some(Self(0x0001_0000)),
            CommandCode::Unknown => Some(Self(0x0002_0000)),
            CommandCode::EndOfHeader => Some(Self(0x0004_0000)),
            CommandCode::Body => Some(Self(0x0008_0000)),
            CommandCode::Abort
            | CommandCode::Macros
            | CommandCode::EndOfMessage
            | CommandCode::QuitNewClient
            | CommandCode::Negotiate
            | CommandCode::Quit => None,
        }
    }

    /// What we take if it is offered.
    fn useful() -> Self {
        let unanswered = CommandCode::ALL.into_iter().filter_map(Self::unanswered);
        let flags = [Self::NO_UNKNOWN, Self::LEADING_SPACE].into_iter().chain(unanswered);
        Self(flags.fold(0, |bits, flag| bits | flag.0))
    }

    /// Steps as bits.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// Their bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `others` are among them.
    #[must_use]
    pub const fn contain(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

/// What a mail server can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The version that it speaks.
    pub version: u32,
    /// What it lets a milter do.
    pub actions: Actions,
    /// What it can leave out, and do without an answer to.
    pub steps: Steps,
}

impl Offer {
    /// As it goes over the wire.
    #[must_use]
    pub fn octets(&self) -> [u8; 12] {
        let mut octets = [0; 12];
        let numbers = [self.version, self.actions.0, self.steps.0];
        for (place, number) in octets.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        octets
    }
}

/// What both have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    version: u32,
    actions: Actions,
    steps: Steps,
}

impl Agreement {
    /// Takes of an offer what we need and what is useful.
    ///
    /// # Errors
    /// What is missing. The operator has to do something about the mail server.
    pub fn on(offer: Offer) -> Result<Self, NegotiationError> {
        if offer.version < OLDEST_VERSION {
            return Err(NegotiationError::Version { found: offer.version });
        }
        let mut actions = offer.actions.0 & Actions::ASK_FOR_MACROS.0;
        for (needed, name) in Actions::NEEDED {
            if !offer.actions.contain(needed) {
                return Err(NegotiationError::Action { missing: name });
            }
            actions |= needed.0;
        }
        Ok(Self {
            version: offer.version.min(VERSION),
            actions: Actions(actions),
            steps: Steps(offer.steps.0 & Steps::useful().0),
        })
    }

    /// Whether the mail server waits for an answer to a command before the end of the message.
    pub(super) fn expects_answer_to(self, command: CommandCode) -> bool {
        Steps::unanswered(command).is_some_and(|unanswered| !self.steps.contain(unanswered))
    }

    /// Whether values of header fields come and go with the white space behind the colon. If not,
    /// the mail server takes one space away and adds one.
    pub(super) const fn leading_space(self) -> LeadingSpace {
        if self.steps.contain(Steps::LEADING_SPACE) {
            LeadingSpace::Kept
        } else {
            LeadingSpace::Implied
        }
    }

    /// Writes our side of the negotiation behind what is in `output`.
    pub(super) fn write(self, output: &mut Vec<u8>) {
        let Self { version, actions, steps } = self;
        let agreed = Offer { version, actions, steps }.octets();
        let mut lists = Vec::new();
        if actions.contain(Actions::ASK_FOR_MACROS) {
            for (stage, names) in (0_u32..).zip(WANTED_MACROS) {
                lists.extend_from_slice(&stage.to_be_bytes());
                lists.extend_from_slice(names.as_bytes());
                lists.push(0);
            }
        }
        packet::encode(CommandCode::Negotiate.octet(), &[&agreed, &lists], output);
    }
}

/// What happens to the space behind the colon of a header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadingSpace {
    /// It is part of the value.
    Kept,
    /// It is not, and stands there all the same.
    Implied,
}

/// Which macros we ask for, by stage in the order of their numbers: connect, HELO, MAIL, RCPT,
/// DATA, end of message, end of header (`SMFIM_`). All stages are there, because what is asked for
/// replaces the mail server's own lists, and sendmail confuses the last two if it is given one of
/// them. What a mail server does not know it leaves out.
const WANTED_MACROS: [&str; 7] = [
    "j _ {daemon_name} {daemon_addr} {if_name} {if_addr} v {client_addr} {client_name} \
     {client_port} {client_ptr} {client_resolve}",
    "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer} {verify}",
    // Those of TLS again: a client may go on after STARTTLS without a second EHLO.
    "i {auth_type} {auth_authen} {auth_author} {auth_ssf} {mail_mailer} {mail_host} {mail_addr} \
     {tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer} {verify}",
    "{rcpt_mailer} {rcpt_host} {rcpt_addr}",
    "i",
    "i",
    "i",
];

/// Why a mail server cannot be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegotiationError {
    /// It speaks too old a version.
    Version {
        /// Which.
        found: u32,
    },
    /// It does not let a milter do what a verdict may need.
    Action {
        /// What.
        missing: &'static str,
    },
}

impl fmt::Display for NegotiationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { found } => write!(
                f,
                "negotiation: expected version {OLDEST_VERSION} or later of the milter protocol, \
                 found {found}"
            ),
            Self::Action { missing } => write!(
                f,
                "negotiation: expected a mail server that lets a milter {missing}, found one that \
                 does not"
            ),
        }
    }
}

impl std::error::Error for NegotiationError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(version: u32, actions: u32, steps: u32) -> Agreement {
        let offer = Offer { version, actions: Actions(actions), steps: Steps(steps) };
        Agreement::on(offer).unwrap()
    }

    fn written(agreement: Agreement) -> Vec<u8> {
        let mut output = Vec::new();
        agreement.write(&mut output);
        output
    }

    /// Postfix 3 and sendmail 8.14 and later offer all that there is.
    #[test]
    fn all_is_offered() {
        let agreement = agreed(6, 0x1ff, 0x001f_ffff);
        let octets = written(agreement);
        let start = b"\0\0\x01\xc4O\0\0\0\x06\0\0\x01\x31\0\x1f\xf1\x80\0\0\0\0j _ {daemon_name}";
        assert!(octets.starts_with(start), "{}", octets.escape_ascii());
        let end = b"\0\0\0\0\x04i\0\0\0\0\x05i\0\0\0\0\x06i\0";
        assert!(octets.ends_with(end), "{}", octets.escape_ascii());
        for code in CommandCode::ALL {
            assert!(!agreement.expects_answer_to(code), "{code:?}");
        }
        assert_eq!(agreement.leading_space(), LeadingSpace::Kept);
    }

    /// Flags that nobody knows yet, and those for bigger chunks, are not taken.
    #[test]
    fn more_than_all_is_offered() {
        assert_eq!(agreed(7, 0xffff_ffff, 0xffff_ffff), agreed(6, 0x1ff, 0x001f_ffff));
    }

    /// sendmail 8.13, and Postfix with `milter_protocol = 2`.
    #[test]
    fn little_is_offered() {
        let agreement = agreed(2, 0x3f, 0x7f);
        assert_eq!(written(agreement), b"\0\0\0\x0dO\0\0\0\x02\0\0\0\x31\0\0\0\0");
        let answered: Vec<_> = CommandCode::ALL
            .into_iter()
            .filter(|code| agreement.expects_answer_to(*code))
            .collect();
        use CommandCode::{Body, Connect, Data, EndOfHeader, Header, Helo, Mail, Rcpt, Unknown};
        let expected = [Body, Connect, Helo, Header, Mail, EndOfHeader, Rcpt, Data, Unknown];
        assert_eq!(answered, expected);
        assert_eq!(agreement.leading_space(), LeadingSpace::Implied);
    }

    #[test]
    fn a_part_is_offered() {
        // Header fields without answers, as in version 3; the rest answered.
        let agreement = agreed(3, 0x3f, 0xff);
        assert_eq!(written(agreement), b"\0\0\0\x0dO\0\0\0\x03\0\0\0\x31\0\0\0\x80");
        assert!(!agreement.expects_answer_to(CommandCode::Header));
        assert!(agreement.expects_answer_to(CommandCode::Body));
    }

    #[test]
    fn too_little_is_offered() {
        for (version, actions, message) in [
            (1, 0x1ff, "negotiation: expected version 2 or later of the milter protocol, found 1"),
            (
                6,
                0x1fe,
                "negotiation: expected a mail server that lets a milter add header fields, \
                found one that does not",
            ),
            (
                6,
                0x1ef,
                "negotiation: expected a mail server that lets a milter change header \
                fields, found one that does not",
            ),
            (
                6,
                0x1df,
                "negotiation: expected a mail server that lets a milter quarantine, found \
                one that does not",
            ),
        ] {
            let offer = Offer { version, actions: Actions(actions), steps: Steps(0x001f_ffff) };
            assert_eq!(Agreement::on(offer).unwrap_err().to_string(), message);
        }
    }
}
