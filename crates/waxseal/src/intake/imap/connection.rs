//! One connection to a server: commands go out, responses come in, all with an end.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::response::{Line, capabilities};
use super::{ImapError, ImapSettings, Response, Security, Status};

/// How long connecting may take, TLS included.
const CONNECT: Duration = Duration::from_secs(30);

/// How long a server may be silent while something is expected of it.
const SILENCE: Duration = Duration::from_secs(60);

/// How many responses may come to one command.
const MAX_RESPONSES: usize = 100_000;

const READ: usize = 64 * 1024;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    tag: u32,
    capabilities: Vec<String>,
    /// How many octets of literals a response may have.
    literals: usize,
    /// Whether more mails were announced since somebody asked.
    pub(super) has_more: bool,
}

impl Connection {
    /// Connects and logs in.
    pub(super) async fn open(settings: &ImapSettings) -> Result<Self, ImapError> {
        let connected = timeout(CONNECT, stream(settings)).await.map_err(|_| ImapError::Slow)??;
        let mut connection = Self {
            stream: connected,
            input: Vec::new(),
            tag: 0,
            capabilities: Vec::new(),
            literals: settings.message.saturating_add(1024),
            has_more: false,
        };
        let is_known = match connection.response(SILENCE).await? {
            Response::State { status: Status::Ok, .. } => false,
            Response::State { status: Status::Preauth, .. } => true,
            Response::State { text, .. } => {
                return Err(ImapError::Refused { command: "greeting", said: printable(&text) });
            }
            _ => return Err(ImapError::Protocol("expected a greeting, found something else")),
        };
        if !is_known {
            connection.learn().await?;
            connection.log_in(settings).await?;
        }
        connection.learn().await?;
        Ok(connection)
    }

    /// Whether the server can do this.
    pub(super) fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|one| one == capability)
    }

    async fn learn(&mut self) -> Result<(), ImapError> {
        for response in self.command("CAPABILITY", "").await? {
            if let Response::Capability(found) = response {
                self.capabilities = found;
            }
        }
        Ok(())
    }

    async fn log_in(&mut self, settings: &ImapSettings) -> Result<(), ImapError> {
        let (user, password) = (&settings.user, settings.password.text());
        if self.can("AUTH=PLAIN") {
            // RFC 4616, without an initial response, which not every server takes.
            let proof = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
            let tag = self.send("AUTHENTICATE", "PLAIN").await?;
            while !matches!(self.response(SILENCE).await?, Response::Continue) {}
            self.write(format!("{proof}\r\n").as_bytes()).await?;
            return self.collect("AUTHENTICATE", &tag).await.map(|_| ());
        }
        let (user, password) = (quoted(user), quoted(password));
        let (Some(user), Some(password)) = (user, password) else {
            return Err(ImapError::Protocol(
                "user or password: expected ASCII, for the server has no AUTH=PLAIN",
            ));
        };
        self.command("LOGIN", &format!("{user} {password}")).await.map(|_| ())
    }

    /// Sends a command and waits for its end. Returns what came before that.
    pub(super) async fn command(
        &mut self,
        name: &'static str,
        arguments: &str,
    ) -> Result<Vec<Response>, ImapError> {
        let tag = self.send(name, arguments).await?;
        self.collect(name, &tag).await
    }

    async fn send(&mut self, name: &'static str, arguments: &str) -> Result<String, ImapError> {
        self.tag = self.tag.wrapping_add(1);
        let tag = format!("w{}", self.tag);
        let space = if arguments.is_empty() { "" } else { " " };
        self.write(format!("{tag} {name}{space}{arguments}\r\n").as_bytes()).await?;
        Ok(tag)
    }

    async fn collect(
        &mut self,
        command: &'static str,
        sent: &str,
    ) -> Result<Vec<Response>, ImapError> {
        let mut responses = Vec::new();
        let mut octets = 0_usize;
        loop {
            match self.response(SILENCE).await? {
                Response::Done { tag, status: Status::Ok, .. } if tag == sent => {
                    return Ok(responses);
                }
                Response::Done { tag, text, .. } if tag == sent => {
                    return Err(ImapError::Refused { command, said: printable(&text) });
                }
                Response::State { status: Status::Bye, .. } => return Err(ImapError::Closed),
                Response::Exists(_) => self.has_more = true,
                Response::Other | Response::Done { .. } | Response::Continue => {}
                response => {
                    if let Response::Fetch { body: Some(body), .. } = &response {
                        octets = octets.saturating_add(body.len());
                    }
                    if responses.len() >= MAX_RESPONSES || octets > self.literals {
                        return Err(ImapError::Protocol(
                            "expected a short answer, found a long one",
                        ));
                    }
                    responses.push(response);
                }
            }
        }
    }

    /// RFC 2177: waits until the server has news, at most as long as `patience`.
    pub(super) async fn idle(&mut self, patience: Duration) -> Result<(), ImapError> {
        let tag = self.send("IDLE", "").await?;
        loop {
            match self.response(SILENCE).await? {
                Response::Continue => break,
                Response::Exists(_) => self.has_more = true,
                Response::Done { text, .. } => {
                    return Err(ImapError::Refused { command: "IDLE", said: printable(&text) });
                }
                _ => {}
            }
        }
        while !self.has_more {
            match self.response(patience).await {
                Ok(Response::Exists(_)) => self.has_more = true,
                Ok(Response::State { status: Status::Bye, .. }) => return Err(ImapError::Closed),
                Ok(_) => {}
                Err(ImapError::Slow) => break,
                Err(error) => return Err(error),
            }
        }
        self.write(b"DONE\r\n").await?;
        self.collect("IDLE", &tag).await.map(|_| ())
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), ImapError> {
        let written = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        Ok(timeout(SILENCE, written).await.map_err(|_| ImapError::Slow)??)
    }

    /// The next response. Nothing is lost if it takes longer than `patience`.
    async fn response(&mut self, patience: Duration) -> Result<Response, ImapError> {
        loop {
            if let Some(line) = self.take_line()? {
                let response = Response::parse(line);
                return response.ok_or(ImapError::Protocol("expected IMAP, found something else"));
            }
            let mut chunk = vec![0; READ];
            let read = timeout(patience, self.stream.read(&mut chunk)).await;
            let read = read.map_err(|_| ImapError::Slow)??;
            if read == 0 {
                return Err(ImapError::Closed);
            }
            self.input.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
    }

    /// Takes a whole response out of what has come, if it is there.
    fn take_line(&mut self) -> Result<Option<Line>, ImapError> {
        let found = Response::take_line(&self.input, self.literals);
        let found = found.map_err(|_| {
            ImapError::Protocol("expected a short response, found one that is too long")
        })?;
        Ok(found.map(|(line, used)| {
            self.input.drain(..used);
            line
        }))
    }
}

async fn stream(settings: &ImapSettings) -> Result<Box<dyn Stream>, ImapError> {
    let tcp = TcpStream::connect((settings.host.as_str(), settings.port)).await?;
    tcp.set_nodelay(true)?;
    match &settings.security {
        Security::None => Ok(Box::new(tcp)),
        Security::Tls(tls) => {
            let name = ServerName::try_from(settings.host.clone())
                .map_err(|_| ImapError::Protocol("intake.imap: expected the name of a server"))?;
            Ok(Box::new(tls.connect(name, tcp).await?))
        }
    }
}

/// RFC 3501 §9 `quoted`; `None` for what cannot be one.
pub(super) fn quoted(text: &str) -> Option<String> {
    let is_plain = text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    is_plain.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// What a server says, for a log line.
fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

/// The code of a state, such as `CAPABILITY IMAP4rev1 IDLE`, as a list of words.
pub(super) fn words(code: &str) -> Vec<String> {
    capabilities(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        assert_eq!(quoted("a\"b\\c").as_deref(), Some("\"a\\\"b\\\\c\""));
        assert_eq!(quoted("a\r\nb"), None);
        assert_eq!(quoted("ü"), None);
    }
}
