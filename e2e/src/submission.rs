//! Hands letters to the sending Postfix, as a colleague's mail program would.

use crate::error::LabError;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Submits one letter to each recipient over one connection, and hands back their queue ids in
/// the same order. Call it from inside the sender's namespace.
pub fn submit(recipients: &[String]) -> Result<Vec<String>, LabError> {
    let doing = "submitting letters to the sending Postfix";
    let mut session = Session::open().map_err(LabError::io(doing))?;
    let sent = recipients.iter().map(|recipient| session.letter(recipient));
    sent.collect::<io::Result<_>>().map_err(LabError::io(doing))
}

struct Session {
    reader: BufReader<TcpStream>,
}

impl Session {
    fn open() -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 25))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut session = Self { reader: BufReader::new(stream) };
        session.reply()?;
        session.ask("EHLO colleague.lab.test")?;
        Ok(session)
    }

    /// Sends one letter, and hands back its queue id.
    fn letter(&mut self, recipient: &str) -> io::Result<String> {
        self.ask("MAIL FROM:<colleague@sender.lab.test>")?;
        self.ask(&format!("RCPT TO:<{recipient}>"))?;
        self.ask("DATA")?;
        let reply = self.ask(&format!(
            "From: colleague@sender.lab.test\r\nTo: {recipient}\r\nSubject: secret\r\n\r\n\
             Nobody but {recipient} shall read this.\r\n."
        ))?;
        let id = reply.rsplit_once("queued as ").map(|(_, id)| id.to_owned());
        id.ok_or_else(|| io::Error::other(format!("expected \"queued as\", found \"{reply}\"")))
    }

    fn ask(&mut self, command: &str) -> io::Result<String> {
        self.reader.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        let reply = self.reply()?;
        match reply.starts_with(['2', '3']) {
            true => Ok(reply),
            false => Err(io::Error::other(format!("{command}: expected 2xx, found \"{reply}\""))),
        }
    }

    /// The last line of a reply.
    fn reply(&mut self) -> io::Result<String> {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }
}
