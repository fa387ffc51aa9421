//! What the mail server says, one packet each. Pure: a packet in, a command out.
//!
//! Texts are octets: a sender chooses most of them, and signatures are made over them, so nothing
//! is decoded or mended. They end with a zero octet on the wire, so none holds one. The reading is
//! strict: the mail server is a program, and one that frames its texts otherwise than we read them
//! would make us judge another message than the one it delivers.
//!
//! [`Command::write`] is what a mail server does. Tests and benchmarks speak through it.
//!
//! Longer than other files: all commands both ways, with the table that shows each on the wire.

use std::fmt;
use std::net::IpAddr;

use super::envelope::ClientAddress;
use super::negotiate::{Actions, Offer, Steps};
use super::packet::{self, Packet};

/// The most ESMTP parameters of a path. All that are registered are fewer than 30.
pub const MAX_PARAMETERS: usize = 100;

/// How much of an unreadable text an error shows.
const MAX_SHOWN: usize = 60;

/// What a packet of the mail server is, its first octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CommandCode {
    /// The message goes no further.
    Abort = b'A',
    /// A piece of the body.
    Body = b'B',
    /// An SMTP client has connected.
    Connect = b'C',
    /// What the mail server knows besides.
    Macros = b'D',
    /// The message is complete.
    EndOfMessage = b'E',
    /// HELO or EHLO.
    Helo = b'H',
    /// The SMTP client has gone, another one follows.
    QuitNewClient = b'K',
    /// A header field.
    Header = b'L',
    /// MAIL.
    Mail = b'M',
    /// The header is complete.
    EndOfHeader = b'N',
    /// What the mail server can do.
    Negotiate = b'O',
    /// The SMTP client has gone.
    Quit = b'Q',
    /// RCPT.
    Rcpt = b'R',
    /// DATA.
    Data = b'T',
    /// Some other SMTP command.
    Unknown = b'U',
}

impl CommandCode {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Abort,
        Self::Body,
        Self::Connect,
        Self::Macros,
        Self::EndOfMessage,
        Self::Helo,
        Self::QuitNewClient,
        Self::Header,
        Self::Mail,
        Self::EndOfHeader,
        Self::Negotiate,
        Self::Quit,
        Self::Rcpt,
        Self::Data,
        Self::Unknown,
    ];

    /// Reads the octet.
    #[must_use]
    pub fn parse(octet: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.octet() == octet)
    }

    /// The octet.
    #[must_use]
    pub const fn octet(self) -> u8 {
        self as u8
    }

    /// What it is called in log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Body => "body",
            Self::Connect => "connect",
            Self::Macros => "macros",
            Self::EndOfMessage => "end of message",
            Self::Helo => "HELO",
            Self::QuitNewClient => "quit, new client",
            Self::Header => "header field",
            Self::Mail => "MAIL",
            Self::EndOfHeader => "end of header",
            Self::Negotiate => "negotiation",
            Self::Quit => "quit",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Unknown => "unknown SMTP command",
        }
    }
}

/// What the mail server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'p> {
    /// What the mail server can do. The first command of a connection.
    Negotiate(Offer),
    /// What the mail server knows besides, in front of the command that it belongs to.
    Macros {
        /// The command that it belongs to.
        of: CommandCode,
        /// Names and values, each ended by a zero octet; complete pairs only.
        pairs: &'p [u8],
    },
    /// An SMTP client has connected.
    Connect {
        /// Its name as the mail server has verified it, or its address in brackets.
        hostname: &'p [u8],
        /// Its address.
        address: ClientAddress,
    },
    /// HELO or EHLO.
    Helo {
        /// The name that the client gives itself.
        name: &'p [u8],
    },
    /// MAIL.
    Mail {
        /// The reverse-path, in most cases with its angle brackets.
        path: &'p [u8],
        /// The ESMTP parameters.
        parameters: Vec<&'p [u8]>,
    },
    /// RCPT, if the mail server has accepted it.
    Rcpt {
        /// The forward-path, in most cases with its angle brackets.
        path: &'p [u8],
        /// The ESMTP parameters.
        parameters: Vec<&'p [u8]>,
    },
    /// DATA.
    Data,
    /// A header field.
    Header {
        /// Its name.
        name: &'p [u8],
        /// What stands behind the colon; folds are LF or CRLF and white space.
        value: &'p [u8],
    },
    /// The header is complete.
    EndOfHeader,
    /// A piece of the body, its lines ended by CRLF.
    Body(&'p [u8]),
    /// The message is complete.
    EndOfMessage {
        /// The last piece of the body. Empty with Postfix and sendmail.
        body: &'p [u8],
    },
    /// The message goes no further. Also sent when there is none.
    Abort,
    /// The SMTP client has gone, and the mail server goes, too.
    Quit,
    /// The SMTP client has gone, the next one comes over the same connection.
    QuitNewClient,
    /// Some other SMTP command.
    Unknown {
        /// The line.
        line: &'p [u8],
    },
}

impl<'p> Command<'p> {
    /// Reads a packet.
    ///
    /// # Errors
    /// [`CommandError`]: the mail server is at fault. What comes next makes no sense without it.
    pub fn parse(packet: Packet<'p>) -> Result<Self, CommandError> {
        let code = CommandCode::parse(packet.code)
            .ok_or(CommandError { command: None, fault: CommandFault::Code(packet.code) })?;
        let mut payload = Payload { rest: packet.payload };
        let command = payload.command(code).and_then(|command| payload.end(command));
        command.map_err(|fault| CommandError { command: Some(code), fault })
    }

    /// Which command it is.
    #[must_use]
    pub const fn code(&self) -> CommandCode {
        match self {
            Self::Negotiate(_) => CommandCode::Negotiate,
            Self::Macros { .. } => CommandCode::Macros,
            Self::Connect { .. } => CommandCode::Connect,
            Self::Helo { .. } => CommandCode::Helo,
            Self::Mail { .. } => CommandCode::Mail,
            Self::Rcpt { .. } => CommandCode::Rcpt,
            Self::Data => CommandCode::Data,
            Self::Header { .. } => CommandCode::Header,
            Self::EndOfHeader => CommandCode::EndOfHeader,
            Self::Body(_) => CommandCode::Body,
            Self::EndOfMessage { .. } => CommandCode::EndOfMessage,
            Self::Abort => CommandCode::Abort,
            Self::Quit => CommandCode::Quit,
            Self::QuitNewClient => CommandCode::QuitNewClient,
            Self::Unknown { .. } => CommandCode::Unknown,
        }
    }

    /// Writes it as a packet behind what is in `output`, as a mail server does. Texts must be free
    /// of zero octets.
    pub fn write(&self, output: &mut Vec<u8>) {
        let mut write = |parts: &[&[u8]]| packet::encode(self.code().octet(), parts, output);
        match self {
            Self::Negotiate(offer) => write(&[&offer.octets()]),
            Self::Macros { of, pairs } => write(&[&[of.octet()], pairs]),
            Self::Connect { hostname, address } => match address {
                ClientAddress::Ip { address: IpAddr::V4(address), port } => {
                    let text = address.to_string();
                    write(&[hostname, b"\x004", &port.to_be_bytes(), text.as_bytes(), b"\0"]);
                }
                ClientAddress::Ip { address: IpAddr::V6(address), port } => {
                    let text = address.to_string();
                    write(&[hostname, b"\x006", &port.to_be_bytes(), text.as_bytes(), b"\0"]);
                }
                ClientAddress::Unix { path } => write(&[hostname, b"\0L\0\0", path, b"\0"]),
                ClientAddress::Unknown => write(&[hostname, b"\0U"]),
            },
            Self::Helo { name } => write(&[name, b"\0"]),
            Self::Mail { path, parameters } | Self::Rcpt { path, parameters } => {
                let mut parts: Vec<&[u8]> = vec![path, b"\0"];
                for parameter in parameters {
                    parts.extend([parameter, b"\0".as_slice()]);
                }
                write(&parts);
            }
            Self::Header { name, value } => write(&[name, b"\0", value, b"\0"]),
            Self::Body(body) | Self::EndOfMessage { body } => write(&[body]),
            Self::Unknown { line } => write(&[line, b"\0"]),
            Self::Data | Self::EndOfHeader | Self::Abort | Self::Quit | Self::QuitNewClient => {
                write(&[]);
            }
        }
    }
}

/// What has not been read of a packet.
struct Payload<'p> {
    rest: &'p [u8],
}

impl<'p> Payload<'p> {
    fn command(&mut self, code: CommandCode) -> Result<Command<'p>, CommandFault> {
        Ok(match code {
            CommandCode::Negotiate => Command::Negotiate(Offer {
                version: self.number("version")?,
                actions: Actions::new(self.number("actions")?),
                steps: Steps::new(self.number("steps")?),
            }),
            CommandCode::Macros => {
                let of = self.octet("command of the macros")?;
                let of = CommandCode::parse(of).ok_or(CommandFault::Code(of))?;
                Command::Macros { of, pairs: self.macro_pairs()? }
            }
            CommandCode::Connect => {
                Command::Connect { hostname: self.text("host name")?, address: self.address()? }
            }
            CommandCode::Helo => Command::Helo { name: self.text("name")? },
            CommandCode::Mail => {
                Command::Mail { path: self.text("path")?, parameters: self.parameters()? }
            }
            CommandCode::Rcpt => {
                Command::Rcpt { path: self.text("path")?, parameters: self.parameters()? }
            }
            CommandCode::Header => {
                Command::Header { name: self.text("name")?, value: self.text("value")? }
            }
            CommandCode::Body => Command::Body(self.all()),
            CommandCode::EndOfMessage => Command::EndOfMessage { body: self.all() },
            CommandCode::Unknown => Command::Unknown { line: self.text("line")? },
            CommandCode::Data => Command::Data,
            CommandCode::EndOfHeader => Command::EndOfHeader,
            CommandCode::Abort => Command::Abort,
            CommandCode::Quit => Command::Quit,
            CommandCode::QuitNewClient => Command::QuitNewClient,
        })
    }

    /// A complete command takes all of its packet.
    fn end(&self, command: Command<'p>) -> Result<Command<'p>, CommandFault> {
        match self.rest {
            [] => Ok(command),
            rest => Err(CommandFault::Behind { octets: rest.len() }),
        }
    }

    fn all(&mut self) -> &'p [u8] {
        std::mem::take(&mut self.rest)
    }

    fn octet(&mut self, field: &'static str) -> Result<u8, CommandFault> {
        let (octet, rest) = self.rest.split_first().ok_or(CommandFault::Missing { field })?;
        self.rest = rest;
        Ok(*octet)
    }

    fn number(&mut self, field: &'static str) -> Result<u32, CommandFault> {
        let split = self.rest.split_first_chunk().ok_or(CommandFault::Missing { field })?;
        self.rest = split.1;
        Ok(u32::from_be_bytes(*split.0))
    }

    /// Octets up to a zero.
    fn text(&mut self, field: &'static str) -> Result<&'p [u8], CommandFault> {
        let mut parts = self.rest.splitn(2, |octet| *octet == 0);
        match (parts.next(), parts.next()) {
            (Some(text), Some(rest)) => {
                self.rest = rest;
                Ok(text)
            }
            (Some([]) | None, None) => Err(CommandFault::Missing { field }),
            (Some(_), None) | (None, Some(_)) => Err(CommandFault::Unended { field }),
        }
    }

    fn parameters(&mut self) -> Result<Vec<&'p [u8]>, CommandFault> {
        let mut parameters = Vec::new();
        while !self.rest.is_empty() {
            if parameters.len() == MAX_PARAMETERS {
                return Err(CommandFault::TooManyParameters);
            }
            parameters.push(self.text("parameter")?);
        }
        Ok(parameters)
    }

    fn macro_pairs(&mut self) -> Result<&'p [u8], CommandFault> {
        let pairs = self.rest;
        while !self.rest.is_empty() {
            self.text("name of a macro")?;
            self.text("value of a macro")?;
        }
        Ok(pairs)
    }

    fn address(&mut self) -> Result<ClientAddress, CommandFault> {
        let family = self.octet("address family")?;
        if family == b'U' {
            return Ok(ClientAddress::Unknown);
        }
        let port = u16::from_be_bytes([self.octet("port")?, self.octet("port")?]);
        let text = self.text("address")?;
        let address = match family {
            b'4' => str::from_utf8(text).ok().and_then(ipv4_address),
            b'6' => str::from_utf8(text).ok().and_then(ipv6_address),
            b'L' => return Ok(ClientAddress::Unix { path: text.into() }),
            _ => return Err(CommandFault::Family { found: family }),
        };
        let address = address.ok_or_else(|| CommandFault::Address { found: text.into() })?;
        // A client that speaks IPv4 to a socket for both has an IPv4 address.
        Ok(ClientAddress::Ip { address: address.to_canonical(), port })
    }
}

fn ipv4_address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(IpAddr::V4)
}

/// With the prefix `IPv6:` from sendmail, without it from Postfix. A zone (`%eth0`) says over which
/// interface the client is reached, not who it is.
fn ipv6_address(text: &str) -> Option<IpAddr> {
    let text = match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("IPv6:") => text.get(5..)?,
        Some(_) | None => text,
    };
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse().ok().map(IpAddr::V6)
}

/// Why a packet is not a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// The command that it begins as, if it does.
    pub command: Option<CommandCode>,
    /// What is wrong with it.
    pub fault: CommandFault,
}

/// What is wrong with a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandFault {
    /// No command has this code.
    Code(u8),
    /// It ends before this field.
    Missing {
        /// The field.
        field: &'static str,
    },
    /// It ends within this text, which should end with a zero octet.
    Unended {
        /// The field.
        field: &'static str,
    },
    /// Something stands behind its end.
    Behind {
        /// How many octets.
        octets: usize,
    },
    /// More ESMTP parameters than [`MAX_PARAMETERS`].
    TooManyParameters,
    /// An address family other than `4`, `6`, `L` and `U`.
    Family {
        /// What stands in its place.
        found: u8,
    },
    /// A text that is not an address of its family.
    Address {
        /// The text.
        found: Box<[u8]>,
    },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.command {
            Some(command) => write!(f, "{}: {}", command.as_str(), self.fault),
            None => self.fault.fmt(f),
        }
    }
}

impl fmt::Display for CommandFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(found) => {
                let found = [*found];
                write!(
                    f,
                    "command: expected one of ABCDEHKLMNOQRTU, found '{}'",
                    found.escape_ascii()
                )
            }
            Self::Missing { field } => write!(f, "{field}: expected one, found the end"),
            Self::Unended { field } => write!(f, "{field}: expected a zero octet, found the end"),
            Self::Behind { octets } => write!(f, "expected the end, found {octets} octets more"),
            Self::TooManyParameters => {
                write!(f, "parameter: expected at most {MAX_PARAMETERS}, found more")
            }
            Self::Family { found } => {
                let found = [*found];
                write!(f, "address family: expected 4, 6, L or U, found '{}'", found.escape_ascii())
            }
            Self::Address { found } => {
                let start = found.get(..MAX_SHOWN).unwrap_or(found).escape_ascii();
                write!(f, "address: expected one of its family, found '{start}'")
            }
        }
    }
}

impl std::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(octets: &[u8]) -> Packet<'_> {
        Packet { code: octets[0], payload: &octets[1..] }
    }

    /// Both ways: what is read, and what is written.
    fn good(octets: &[u8], command: &Command<'_>) {
        read(octets, command);
        let mut written = Vec::new();
        command.write(&mut written);
        assert_eq!(written[4..].escape_ascii().to_string(), octets.escape_ascii().to_string());
    }

    fn read(octets: &[u8], command: &Command<'_>) {
        assert_eq!(Command::parse(packet(octets)).as_ref(), Ok(command));
    }

    fn bad(octets: &[u8], message: &str) {
        assert_eq!(Command::parse(packet(octets)).unwrap_err().to_string(), message);
    }

    fn client(text: &str, port: u16) -> ClientAddress {
        ClientAddress::Ip { address: text.parse().unwrap(), port }
    }

    #[test]
    fn negotiation() {
        let offer =
            Offer { version: 6, actions: Actions::new(0x1ff), steps: Steps::new(0x001f_ffff) };
        good(b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff", &Command::Negotiate(offer));
        bad(
            b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff",
            "negotiation: steps: expected one, found the end",
        );
        bad(b"O", "negotiation: version: expected one, found the end");
    }

    #[test]
    fn macros() {
        let macros = |of, pairs| Command::Macros { of, pairs };
        good(b"DC", &macros(CommandCode::Connect, b""));
        good(
            b"DMi\0Q1\0{auth_authen}\0\0",
            &macros(CommandCode::Mail, b"i\0Q1\0{auth_authen}\0\0"),
        );
        bad(b"D", "macros: command of the macros: expected one, found the end");
        bad(b"DX", "macros: command: expected one of ABCDEHKLMNOQRTU, found 'X'");
        bad(b"DCj\0", "macros: value of a macro: expected one, found the end");
        bad(b"DCj\0mail", "macros: value of a macro: expected a zero octet, found the end");
        bad(b"DCj", "macros: name of a macro: expected a zero octet, found the end");
    }

    #[test]
    fn connections() {
        let connect = |hostname, address| Command::Connect { hostname, address };
        good(
            b"Cmail.example\x004\x04\xd2192.0.2.1\0",
            &connect(b"mail.example", client("192.0.2.1", 1234)),
        );
        good(b"C[x]\x006\0\x192001:db8::1\0", &connect(b"[x]", client("2001:db8::1", 25)));
        good(b"Cx\0U", &connect(b"x", ClientAddress::Unknown));
        let path = b"/run/x"[..].into();
        good(b"Clocalhost\0L\0\0/run/x\0", &connect(b"localhost", ClientAddress::Unix { path }));
        read(b"Cx\x006\0\x19IPv6:2001:db8::1\0", &connect(b"x", client("2001:db8::1", 25)));
        read(b"Cx\x006\0\x19ipv6:fe80::1%eth0\0", &connect(b"x", client("fe80::1", 25)));
        read(b"Cx\x006\0\x19::ffff:192.0.2.1\0", &connect(b"x", client("192.0.2.1", 25)));
        bad(b"Cx", "connect: host name: expected a zero octet, found the end");
        bad(b"Cx\0", "connect: address family: expected one, found the end");
        bad(b"Cx\x004\0", "connect: port: expected one, found the end");
        bad(b"Cx\x004\0\x19", "connect: address: expected one, found the end");
        bad(b"Cx\x004\0\x19192.0.2.1", "connect: address: expected a zero octet, found the end");
        bad(b"Cx\x004\0\x19192.0.2.1\0x", "connect: expected the end, found 1 octets more");
        bad(b"Cx\0Ux", "connect: expected the end, found 1 octets more");
        bad(b"Cx\0X\0\x19x\0", "connect: address family: expected 4, 6, L or U, found 'X'");
        for (family, address) in
            [("4", "2001:db8::1"), ("4", "192.0.2"), ("6", "192.0.2.1"), ("6", "")]
        {
            let octets = format!("Cx\0{family}\0\x19{address}\0");
            let expected =
                format!("connect: address: expected one of its family, found '{address}'");
            bad(octets.as_bytes(), &expected);
        }
    }

    #[test]
    fn envelopes() {
        good(b"Hmail.example\0", &Command::Helo { name: b"mail.example" });
        good(b"H\0", &Command::Helo { name: b"" });
        bad(b"H", "HELO: name: expected one, found the end");
        bad(b"Hmail.example", "HELO: name: expected a zero octet, found the end");
        bad(b"Ha\0b\0", "HELO: expected the end, found 2 octets more");

        let parameters = vec![&b"SIZE=1"[..], b"BODY=8BITMIME"];
        good(
            b"M<a@\xff>\0SIZE=1\0BODY=8BITMIME\0",
            &Command::Mail { path: b"<a@\xff>", parameters },
        );
        good(b"M<>\0", &Command::Mail { path: b"<>", parameters: vec![] });
        bad(b"M", "MAIL: path: expected one, found the end");
        bad(b"M<>\0SIZE=1", "MAIL: parameter: expected a zero octet, found the end");
        let many = [&b"M<>\0"[..], &[0; MAX_PARAMETERS + 1]].concat();
        bad(&many, "MAIL: parameter: expected at most 100, found more");
        good(b"R<b@c>\0", &Command::Rcpt { path: b"<b@c>", parameters: vec![] });
        good(b"T", &Command::Data);
        bad(b"T\0", "DATA: expected the end, found 1 octets more");
        good(b"Uhelp me\0", &Command::Unknown { line: b"help me" });
    }

    #[test]
    fn messages() {
        let field = |name, value| Command::Header { name, value };
        good(b"LSubject\0 x\0", &field(b"Subject", b" x"));
        good(b"LSubject\0x\n\ty\xe4\0", &field(b"Subject", b"x\n\ty\xe4"));
        good(b"LX\0\0", &field(b"X", b""));
        bad(b"LSubject\0", "header field: value: expected one, found the end");
        bad(b"LSubject\0x", "header field: value: expected a zero octet, found the end");
        bad(b"LSubject\0x\0y\0", "header field: expected the end, found 2 octets more");
        good(b"N", &Command::EndOfHeader);
        good(b"Bx\0\r\n.\xff", &Command::Body(b"x\0\r\n.\xff"));
        good(b"B", &Command::Body(b""));
        good(b"E", &Command::EndOfMessage { body: b"" });
        good(b"Ex\r\n", &Command::EndOfMessage { body: b"x\r\n" });
        good(b"A", &Command::Abort);
        good(b"Q", &Command::Quit);
        good(b"K", &Command::QuitNewClient);
        bad(b"Qx", "quit: expected the end, found 1 octets more");
        bad(b"X", "command: expected one of ABCDEHKLMNOQRTU, found 'X'");
        bad(b"\0", "command: expected one of ABCDEHKLMNOQRTU, found '\\x00'");
    }
}
