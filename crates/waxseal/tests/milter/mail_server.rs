//! A mail server of our own, and the milter that it speaks with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use waxseal::gate::milter::command::{Command, CommandCode};
use waxseal::gate::milter::negotiate::{Actions, Offer, Steps};
use waxseal::gate::milter::packet::{self, Decoded};
use waxseal::gate::milter::{ClientAddress, MilterCounters, MilterSettings, VerdictKind, serve};
use waxseal::listen::{ListenAddress, bind};

use crate::judge::Court;

/// What Postfix 3 and sendmail 8.18 offer.
pub(crate) const MODERN: Offer =
    Offer { version: 6, actions: Actions::new(0x1ff), steps: Steps::new(0x001f_ffff) };

/// What `milter_protocol = 2` makes Postfix offer.
pub(crate) const OLD: Offer =
    Offer { version: 2, actions: Actions::new(0x3f), steps: Steps::new(0x7f) };

/// A milter whose verdicts come out of a table.
pub(crate) struct Milter {
    pub(crate) address: ListenAddress,
    pub(crate) court: Arc<Court>,
    pub(crate) counters: Arc<MilterCounters>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) running: JoinHandle<()>,
}

impl Milter {
    pub(crate) fn start(settings: MilterSettings) -> Self {
        Self::start_at(&ListenAddress::Tcp("127.0.0.1:0".parse().unwrap()), settings)
    }

    pub(crate) fn start_at(address: &ListenAddress, settings: MilterSettings) -> Self {
        let listener = bind(address, 0o660).unwrap_or_else(|fault| panic!("{fault:?}"));
        let address = listener.local_address().unwrap();
        let (court, counters) = (Arc::new(Court::default()), Arc::new(MilterCounters::default()));
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(serve(
            vec![listener],
            Arc::clone(&court),
            settings,
            Arc::clone(&counters),
            stopped,
        ));
        Self { address, court, counters, stop, running }
    }

    /// A connection on which nothing was said.
    pub(crate) async fn connect(&self) -> MailServer<TcpStream> {
        match &self.address {
            ListenAddress::Tcp(address) => {
                MailServer::new(TcpStream::connect(address).await.unwrap())
            }
            ListenAddress::Unix(path) => panic!("{path:?} is not TCP"),
        }
    }

    /// A connection of a modern mail server that has an SMTP client.
    pub(crate) async fn session(&self) -> MailServer<TcpStream> {
        let mut mail_server = self.connect().await;
        mail_server.negotiate(MODERN).await;
        mail_server.client().await;
        mail_server
    }

    pub(crate) fn verdicts(&self, kind: VerdictKind) -> u64 {
        self.counters.verdicts().find(|(known, _)| *known == kind).unwrap().1
    }
}

pub(crate) async fn connect_unix(path: &Path) -> MailServer<UnixStream> {
    MailServer::new(UnixStream::connect(path).await.unwrap())
}

/// The mail server's end of a connection.
pub(crate) struct MailServer<S> {
    pub(crate) stream: S,
    read: Vec<u8>,
    /// Whether the milter answers each step.
    answers: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> MailServer<S> {
    fn new(stream: S) -> Self {
        Self { stream, read: Vec::new(), answers: false }
    }

    pub(crate) async fn send_octets(&mut self, octets: &[u8]) {
        in_time(self.stream.write_all(octets)).await.unwrap();
    }

    /// Sends a command, and takes the answer if there must be one.
    pub(crate) async fn send(&mut self, command: Command<'_>) {
        self.send_octets(&written(&command)).await;
        let is_answered = !matches!(
            command.code(),
            CommandCode::Negotiate
                | CommandCode::Macros
                | CommandCode::EndOfMessage
                | CommandCode::Abort
                | CommandCode::Quit
                | CommandCode::QuitNewClient
        );
        if self.answers && is_answered {
            assert_eq!(self.reply().await, "c", "{command:?}");
        }
    }

    /// The next packet: its code, and its payload with all but printable ASCII escaped.
    pub(crate) async fn reply(&mut self) -> String {
        loop {
            if let Decoded::Packet { packet, octets } = packet::decode(&self.read, 100_000).unwrap()
            {
                let code = char::from(packet.code);
                let reply = format!("{code}{}", packet.payload.escape_ascii());
                self.read.drain(..octets);
                return reply;
            }
            let mut octets = [0; 4_096];
            let count = in_time(self.stream.read(&mut octets)).await.unwrap();
            assert!(count > 0, "closed, with {} left", self.read.escape_ascii());
            self.read.extend_from_slice(&octets[..count]);
        }
    }

    /// What comes until the milter closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut octets = std::mem::take(&mut self.read);
        // A reset counts: whoever has sent more than was read gets one.
        let _ = in_time(self.stream.read_to_end(&mut octets)).await;
        octets.escape_ascii().to_string()
    }

    pub(crate) async fn negotiate(&mut self, offer: Offer) -> String {
        self.send(Command::Negotiate(offer)).await;
        self.answers = offer.version < 6;
        self.reply().await
    }

    /// What comes before the first message.
    pub(crate) async fn client(&mut self) {
        self.macros(CommandCode::Connect, b"j\0mail.example\0{daemon_name}\0smtpd\0").await;
        let address = ClientAddress::Ip { address: "192.0.2.1".parse().unwrap(), port: 1234 };
        self.send(Command::Connect { hostname: b"client.example", address }).await;
        self.macros(CommandCode::Helo, b"{tls_version}\0TLSv1.3\0").await;
        self.send(Command::Helo { name: b"helo.example" }).await;
    }

    pub(crate) async fn macros(&mut self, of: CommandCode, pairs: &[u8]) {
        self.send(Command::Macros { of, pairs }).await;
    }

    pub(crate) async fn mail(&mut self, path: &str) {
        self.macros(CommandCode::Mail, b"{auth_authen}\0alice\0").await;
        let parameters = vec![&b"SIZE=10"[..]];
        self.send(Command::Mail { path: path.as_bytes(), parameters }).await;
    }

    pub(crate) async fn rcpt(&mut self, path: &str) {
        self.send(Command::Rcpt { path: path.as_bytes(), parameters: vec![] }).await;
    }

    /// MAIL, RCPT and a header.
    pub(crate) async fn begin(&mut self, sender: &str) {
        self.mail(&format!("<{sender}>")).await;
        self.rcpt("<bob@example.org>").await;
        self.macros(CommandCode::Data, b"i\0Q1\0").await;
        if !self.answers {
            self.send(Command::Data).await;
        }
        self.field(b"From", b" alice@example.com").await;
        self.field(b"Subject", b"no space\n\tfolded \xe4").await;
    }

    pub(crate) async fn field(&mut self, name: &[u8], value: &[u8]) {
        self.macros(CommandCode::Header, b"i\0Q1\0").await;
        // One that answers is old, and takes a space away.
        let value = value.strip_prefix(b" ").filter(|_| self.answers).unwrap_or(value);
        self.send(Command::Header { name, value }).await;
    }

    /// The end of the header, a body in two pieces, and the end.
    pub(crate) async fn finish(&mut self) {
        self.macros(CommandCode::EndOfHeader, b"i\0Q1\0").await;
        self.send(Command::EndOfHeader).await;
        self.send(Command::Body(b"one\r")).await;
        self.send(Command::Body(b"\ntwo\0\xff\r\n")).await;
        self.macros(CommandCode::EndOfMessage, b"i\0Q1\0").await;
        self.send(Command::EndOfMessage { body: b"" }).await;
    }

    /// A whole message up to its verdict.
    pub(crate) async fn message(&mut self, sender: &str) -> String {
        self.begin(sender).await;
        self.finish().await;
        self.reply().await
    }
}

pub(crate) fn written(command: &Command<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    command.write(&mut octets);
    octets
}

/// Only so that a fault ends the test.
pub(crate) async fn in_time<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), step).await.unwrap()
}

/// Until the counters say so, which happens right after what a mail server can see.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    in_time(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
