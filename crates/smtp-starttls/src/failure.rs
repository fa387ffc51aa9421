//! Why a dialogue ended before its goal.

use alloc::boxed::Box;
use core::fmt;

use crate::{Extension, Reply, ReplyError};

/// Which reply was awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The server's first word.
    Greeting,
    /// To EHLO, without TLS.
    Ehlo,
    /// To HELO, without TLS.
    Helo,
    /// To STARTTLS.
    Starttls,
    /// To EHLO, within TLS.
    EhloInTls,
    /// To HELO, within TLS.
    HeloInTls,
    /// To MAIL.
    Mail,
    /// To RCPT.
    Recipient,
    /// To DATA.
    Data,
    /// To the dot behind the letter.
    Letter,
    /// To QUIT.
    Quit,
}

impl Stage {
    /// What the reply answers, in SMTP's words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Starttls => "STARTTLS",
            Self::EhloInTls => "EHLO within TLS",
            Self::HeloInTls => "HELO within TLS",
            Self::Mail => "MAIL",
            Self::Recipient => "RCPT",
            Self::Data => "DATA",
            Self::Letter => "end of letter",
            Self::Quit => "QUIT",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no TLS session, or no dialogue any more. The connection is of no further use; a
/// polite client says QUIT where [`may_quit`](Self::may_quit) allows it, and closes.
///
/// A failure says nothing about what it is worth: without a policy the letter may go in clear
/// (RFC 3207 §6), with one it must not. That is for `transport-policy` to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What came is not a reply: the other side does not speak SMTP, or somebody meddles.
    Malformed {
        /// Which reply was awaited.
        stage: Stage,
        /// The fault.
        error: ReplyError,
    },
    /// The server has closed the connection.
    Closed {
        /// Which reply was awaited.
        stage: Stage,
        /// How many octets of it had come.
        octets: usize,
    },
    /// The server wants no session, now or at all. Whether it has TLS was not learned.
    Refused {
        /// What it refused.
        stage: Stage,
        /// Its words.
        reply: Reply,
    },
    /// A reply that cannot be an answer to what was said.
    Unexpected {
        /// Which reply was awaited.
        stage: Stage,
        /// What it could have been.
        expected: &'static str,
        /// What it was.
        reply: Reply,
    },
    /// The server speaks SMTP and does not offer STARTTLS; or somebody on the way has taken the
    /// offer out.
    NotOffered {
        /// Its reply to EHLO, or to HELO if it does not know EHLO.
        hello: Reply,
        /// A keyword that looks as if STARTTLS had been overwritten.
        overwritten: Option<Box<str>>,
    },
    /// STARTTLS is offered, and was refused: for now (454), or for good.
    StarttlsRefused {
        /// The server's words.
        reply: Reply,
    },
    /// More octets came with the reply to STARTTLS, before TLS: somebody on the way tries to put
    /// replies in clear into the protected session. Nothing of it was used.
    Injected {
        /// How many.
        octets: usize,
    },
    /// The letter needs what the server does not offer. It was not sent.
    Missing {
        /// What the letter needs.
        extension: Extension,
    },
}

impl Failure {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "smtp-malformed",
            Self::Closed { .. } => "smtp-closed",
            Self::Refused { .. } => "smtp-refused",
            Self::Unexpected { .. } => "smtp-unexpected",
            Self::NotOffered { overwritten: None, .. } => "starttls-not-offered",
            Self::NotOffered { overwritten: Some(_), .. } => "starttls-overwritten",
            Self::StarttlsRefused { .. } => "starttls-refused",
            Self::Injected { .. } => "starttls-injection",
            Self::Missing { .. } => "extension-missing",
        }
    }

    /// Whether the server still listens to a command, so that QUIT is in place (RFC 5321
    /// §4.1.1.10; §3.1 even after a greeting of 554).
    #[must_use]
    pub const fn may_quit(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::NotOffered { .. }
            | Self::StarttlsRefused { .. }
            | Self::Missing { .. } => true,
            Self::Malformed { .. }
            | Self::Closed { .. }
            | Self::Unexpected { .. }
            | Self::Injected { .. } => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { stage, error } => write!(f, "{stage}: {error}"),
            Self::Closed { stage, octets } => {
                write!(f, "{stage}: expected a reply, found the end after {octets} octets of it")
            }
            Self::Refused { stage, reply } => write!(f, "{stage}: expected 2yz, found {reply}"),
            Self::Unexpected { stage, expected, reply } => {
                write!(f, "{stage}: expected {expected}, found {reply}")
            }
            Self::NotOffered { overwritten: Some(found), .. } => {
                write!(f, "EHLO: expected STARTTLS, found {found:?} in its place (RFC 3207 §2)")
            }
            Self::NotOffered { hello, overwritten: None } => {
                write!(f, "EHLO: expected STARTTLS, found {hello} (RFC 3207 §2)")
            }
            Self::StarttlsRefused { reply } => {
                write!(f, "STARTTLS: expected 220, found {reply} (RFC 3207 §4)")
            }
            Self::Injected { octets } => write!(
                f,
                "STARTTLS: expected the handshake next, found {octets} more octets in clear \
                 (RFC 3207 §4)"
            ),
            Self::Missing { extension } => {
                write!(f, "EHLO: expected {}, found no such offer", extension.keyword())
            }
        }
    }
}

impl core::error::Error for Failure {}
