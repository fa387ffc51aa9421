//! A mail server for tests: SMTP on loopback, with the replies that a test wants.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    replies: HashMap<String, Reply>,
    taken: Vec<Taken>,
    tries: usize,
}

/// What the server says about a recipient.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    /// This line at RCPT.
    Rcpt(&'static str),
    /// This line behind the dot.
    End(&'static str),
    /// It takes the message, and the connection breaks before it can say so.
    BreakAfterEnd,
    /// It says this to the return path.
    Mail(&'static str),
}

/// A message that the server has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) message: Vec<u8>,
}

impl MailServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), Arc::clone(&shared));
                thread::spawn(move || {
                    let _ = serve(&stream, &state);
                });
            }
        });
        Self { address, state }
    }

    /// From now on; `*` is for all others.
    pub(crate) fn say(&self, recipient: &str, reply: Reply) {
        self.state.lock().unwrap().replies.insert(recipient.to_owned(), reply);
    }

    pub(crate) fn take_again(&self, recipient: &str) {
        self.state.lock().unwrap().replies.remove(recipient);
    }

    /// All that was taken since the last call.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        std::mem::take(&mut self.state.lock().unwrap().taken)
    }

    /// How many sessions there were.
    pub(crate) fn tries(&self) -> usize {
        self.state.lock().unwrap().tries
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    state.lock().unwrap().tries += 1;
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    stream.write_all(b"220 mx.test ESMTP\r\n")?;
    let (mut from, mut to) = (String::new(), String::new());
    let reply_to = |to: &str| {
        let replies = &state.lock().unwrap().replies;
        replies.get(to).or_else(|| replies.get("*")).copied()
    };
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let reply = match line.get(..4) {
            Some("EHLO") => "250-mx.test\r\n250-PIPELINING\r\n250 8BITMIME",
            Some("MAIL") => {
                from = path();
                match reply_to("*") {
                    Some(Reply::Mail(said)) => said,
                    _ => "250 ok",
                }
            }
            Some("RCPT") => {
                to = path();
                match reply_to(&to) {
                    Some(Reply::Rcpt(said)) => said,
                    _ => "250 ok",
                }
            }
            Some("DATA") => {
                stream.write_all(b"354 go on\r\n")?;
                let message = read_message(&mut lines)?;
                match reply_to(&to) {
                    Some(Reply::End(said)) => said,
                    reply => {
                        let (from, to) = (from.clone(), to.clone());
                        state.lock().unwrap().taken.push(Taken { from, to, message });
                        if matches!(reply, Some(Reply::BreakAfterEnd)) {
                            return Ok(());
                        }
                        "250 taken"
                    }
                }
            }
            Some("QUIT") => "221 bye",
            _ => "500 what?",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes())?;
    }
}

/// The octets up to the dot, dots at line starts taken away.
fn read_message(lines: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line)?;
        assert!(line.ends_with(b"\r\n"), "a bare LF");
        if line == b".\r\n" {
            return Ok(message);
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
