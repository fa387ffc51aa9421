//! A mail host for tests: says what it is told to, and writes down what it hears.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The server's side of the dialogue. An empty reply is silence, and within TLS the end.
#[derive(Clone)]
pub(super) struct Manners {
    pub(super) greeting: &'static str,
    pub(super) ehlo: &'static str,
    pub(super) helo: &'static str,
    pub(super) starttls: &'static str,
    /// To EHLO within TLS.
    pub(super) within: &'static str,
    /// What comes after its reply to STARTTLS.
    pub(super) then: Then,
}

/// What comes after the reply to STARTTLS.
#[derive(Clone, Copy)]
pub(super) enum Then {
    /// The handshake.
    Handshake,
    /// More commands in clear.
    Commands,
    /// Something that is no TLS, once the client has begun its handshake.
    Babble,
    /// The end.
    End,
}

impl Manners {
    pub(super) const GOOD: Self = Self {
        greeting: "220 mx.example.test ESMTP\r\n",
        ehlo: "250-mx.example.test hello\r\n250-SIZE 1000\r\n250 STARTTLS\r\n",
        helo: "250 mx.example.test\r\n",
        starttls: "220 2.0.0 Ready\r\n",
        within: "250-mx.example.test\r\n250 REQUIRETLS\r\n",
        then: Then::Handshake,
    };
}

/// What the server has heard of all its clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) connections: usize,
    /// The commands, those within TLS with a `*` before them.
    pub(super) commands: Vec<String>,
    /// The names that clients asked for (SNI).
    pub(super) names: Vec<String>,
    /// Connections that have come to their end.
    pub(super) ended: usize,
}

/// A mail host that runs until it is dropped.
pub(super) struct SmtpServer {
    pub(super) address: SocketAddr,
    heard: watch::Receiver<Heard>,
    task: JoinHandle<()>,
}

impl SmtpServer {
    pub(super) async fn start(tls: ServerConfig, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let (told, heard) = watch::channel(Heard::default());
        let told = Arc::new(Mutex::new(told));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, manners) = (acceptor.clone(), manners.clone());
                let note = Note(Arc::clone(&told));
                note.add(|heard| heard.connections += 1);
                tokio::spawn(async move {
                    serve(acceptor, stream, manners, &note).await;
                    note.add(|heard| heard.ended += 1);
                });
            }
        });
        Self { address, heard, task }
    }

    /// What was heard once `count` connections have ended.
    pub(super) async fn heard_of(&self, count: usize) -> Heard {
        let mut heard = self.heard.clone();
        heard.wait_for(|heard| heard.ended >= count).await.unwrap().clone()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Note(Arc<Mutex<watch::Sender<Heard>>>);

impl Note {
    fn add(&self, change: impl FnOnce(&mut Heard)) {
        self.0.lock().unwrap().send_modify(change);
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    mut stream: TcpStream,
    manners: Manners,
    note: &Note,
) -> Option<()> {
    say(&mut stream, manners.greeting).await?;
    loop {
        let command = line(&mut stream).await?;
        note.add(|heard| heard.commands.push(command.clone()));
        match command.split(' ').next()? {
            "EHLO" => say(&mut stream, manners.ehlo).await?,
            "HELO" => say(&mut stream, manners.helo).await?,
            "STARTTLS" => {
                say(&mut stream, manners.starttls).await?;
                match manners.then {
                    Then::Handshake => break,
                    Then::Commands => {}
                    Then::Babble => {
                        stream.read_u8().await.ok()?;
                        return say(&mut stream, "250 are you still there?\r\n").await;
                    }
                    Then::End => return Some(()),
                }
            }
            _ => {
                say(&mut stream, "221 Bye\r\n").await?;
                return Some(());
            }
        }
    }
    let mut stream = acceptor.accept(stream).await.ok()?;
    let name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
    note.add(|heard| heard.names.push(name));
    loop {
        let command = line(&mut stream).await?;
        note.add(|heard| heard.commands.push(format!("*{command}")));
        match command.split(' ').next()? {
            "EHLO" if manners.within.is_empty() => return Some(()),
            "EHLO" => say(&mut stream, manners.within).await?,
            _ => {
                say(&mut stream, "221 Bye\r\n").await?;
                return Some(());
            }
        }
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, reply: &str) -> Option<()> {
    stream.write_all(reply.as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

async fn line<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).ok()
}
