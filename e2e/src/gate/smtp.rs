//! A client that speaks SMTP octet by octet, from whatever address it likes.
//!
//! Mail programs repair what they send; a spammer's program does not. So nothing here is repaired:
//! what is given goes onto the wire as it is.

use crate::error::LabError;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Longer than anything that a healthy server does: Waxseal's own deadline is 30 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a mail server.
pub struct Client {
    reader: BufReader<Box<dyn Stream>>,
}

/// A TCP connection, with TLS or without.
trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The text of all lines, without codes, separated by line feeds.
    pub text: String,
}

/// Who brings a letter, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'e> {
    /// What the client says that it is called.
    pub helo: &'e str,
    /// The return path; empty for a bounce.
    pub mail_from: &'e str,
    /// The recipient.
    pub to: &'e str,
}

impl Client {
    /// Connects from `from` to `to`, and takes the greeting. Call it inside the namespace.
    pub fn connect(from: Ipv4Addr, to: SocketAddrV4) -> Result<Self, LabError> {
        let open = || -> io::Result<Self> {
            let stream = tcp(from, to)?;
            let mut client = Self { reader: BufReader::new(Box::new(stream)) };
            client.reply()?;
            Ok(client)
        };
        open().map_err(LabError::io(format!("connecting from {from} to {to}")))
    }

    /// Connects, and goes on in TLS after `STARTTLS`, as a client of `config`.
    pub fn connect_with_tls(
        from: Ipv4Addr,
        to: SocketAddrV4,
        server: &str,
        config: Arc<ClientConfig>,
    ) -> Result<Self, LabError> {
        let name = ServerName::try_from(server.to_owned());
        let name = name.map_err(|error| LabError::Unsupported(error.to_string()))?;
        let connection = ClientConnection::new(config, name).map_err(LabError::Tls)?;
        let open = || -> io::Result<Self> {
            let stream = tcp(from, to)?;
            let mut plain = Self { reader: BufReader::new(Box::new(stream.try_clone()?)) };
            plain.reply()?;
            plain.ask("EHLO client.test")?;
            plain.ask("STARTTLS")?;
            let secure = StreamOwned::new(connection, stream);
            Ok(Self { reader: BufReader::new(Box::new(secure)) })
        };
        open().map_err(LabError::io(format!("connecting from {from} to {to}")))
    }

    /// Sends a command, and takes the answer.
    pub fn ask(&mut self, command: &str) -> io::Result<Reply> {
        self.send(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    /// Sends octets as they are.
    pub fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(octets)?;
        self.reader.get_mut().flush()
    }

    /// Takes one answer.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            let (code, text) = line.split_at_checked(3).unwrap_or((line, ""));
            lines.push(text.get(1..).unwrap_or_default().to_owned());
            if !text.starts_with('-') {
                let code = code.parse().map_err(io::Error::other)?;
                return Ok(Reply { code, text: lines.join("\n") });
            }
        }
    }

    /// Hands over one letter, its dots doubled as RFC 5321 §4.5.2 wants. The answer is the first one
    /// that refuses, or that to the end of the letter.
    pub fn letter(&mut self, envelope: &Envelope<'_>, letter: &[u8]) -> io::Result<Reply> {
        let refused = self.envelope(envelope)?;
        if let Some(refused) = refused {
            return Ok(refused);
        }
        self.send(&stuffed(letter))?;
        self.ask(".")
    }

    /// All commands up to `DATA`; the first answer that refuses, if one does.
    pub fn envelope(&mut self, envelope: &Envelope<'_>) -> io::Result<Option<Reply>> {
        let Envelope { helo, mail_from, to } = envelope;
        let utf8 = if mail_from.is_ascii() && to.is_ascii() { "" } else { " SMTPUTF8" };
        for command in [
            format!("EHLO {helo}"),
            format!("MAIL FROM:<{mail_from}>{utf8}"),
            format!("RCPT TO:<{to}>"),
            "DATA".to_owned(),
        ] {
            let reply = self.ask(&command)?;
            if reply.code >= 400 {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }
}

fn tcp(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddrV4::new(from, 0))?;
    connect(&socket, &to)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Reply {
    /// The name under which Postfix has taken the letter.
    pub fn queue_id(&self) -> Option<&str> {
        self.text.split_once("queued as ").map(|(_, id)| id.trim())
    }
}

/// The letter with every dot at the beginning of a line doubled.
pub fn stuffed(letter: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(letter.len() + 2);
    let mut is_start = true;
    for octet in letter {
        if is_start && *octet == b'.' {
            stuffed.push(b'.');
        }
        stuffed.push(*octet);
        is_start = *octet == b'\n';
    }
    if !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed
}

#[cfg(test)]
mod tests {
    use super::stuffed;

    #[test]
    fn dots_are_doubled_at_the_beginning_of_lines_only() {
        assert_eq!(stuffed(b".a\r\nb.\r\n..\r\n"), b"..a\r\nb.\r\n...\r\n");
        assert_eq!(stuffed(b"a"), b"a\r\n");
    }
}
