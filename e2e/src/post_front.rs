//! The web server in front of the Waxseal that takes reports in: it speaks TLS, hands on what is
//! posted, and writes it down.

use crate::error::LabError;
use crate::namespace::Namespace;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const LARGEST_REQUEST: usize = 1024 * 1024;

/// What was posted.
#[derive(Debug, Clone)]
pub struct Post {
    /// The lines before the body.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
    /// The first line of the answer.
    pub answer: String,
}

/// The server.
#[derive(Debug)]
pub struct PostFront {
    config: Arc<ServerConfig>,
    behind: SocketAddr,
    posts: Mutex<Vec<Post>>,
}

impl PostFront {
    /// Serves at `address` until the process ends, and hands all on to `behind`.
    pub fn start(
        namespace: &Namespace,
        address: SocketAddr,
        config: Arc<ServerConfig>,
        behind: SocketAddr,
    ) -> Result<Arc<Self>, LabError> {
        let front = Arc::new(Self { config, behind, posts: Mutex::default() });
        let server = Arc::clone(&front);
        namespace.within(move || {
            let doing = format!("binding {address}");
            let listener = TcpListener::bind(address).map_err(LabError::io(doing))?;
            // Threads stand where the one stands that starts them.
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let server = Arc::clone(&server);
                    // A client that breaks off is no concern of the server's.
                    thread::spawn(move || drop(server.hand_on(stream)));
                }
            });
            Ok(())
        })?;
        Ok(front)
    }

    /// What has come so far.
    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hand_on(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let connection =
            ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(connection, stream);
        let (head, body) = request(&mut tls)?;
        let mut behind = TcpStream::connect(self.behind)?;
        behind.set_read_timeout(Some(PATIENCE))?;
        behind.write_all(head.as_bytes())?;
        behind.write_all(&body)?;
        let mut answer = Vec::new();
        behind.read_to_end(&mut answer)?;
        let text = String::from_utf8_lossy(&answer);
        let post = Post { head, body, answer: text.lines().next().unwrap_or_default().to_owned() };
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).push(post);
        tls.write_all(&answer)?;
        tls.conn.send_close_notify();
        tls.flush()
    }
}

/// Reads a request whose length is told, and asks in it for one answer only.
fn request(stream: &mut impl Read) -> io::Result<(String, Vec<u8>)> {
    let mut octets = Vec::new();
    let mut part = [0; 4096];
    let wrong = |what: &str| io::Error::other(format!("expected {what}"));
    loop {
        if let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&octets[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_it = name.eq_ignore_ascii_case("content-length");
                is_it.then(|| value.trim().parse::<usize>().ok()).flatten()
            });
            let length = length.ok_or_else(|| wrong("Content-Length"))?;
            let begin = end + 4;
            if octets.len() >= begin + length {
                let body = octets[begin..begin + length].to_vec();
                let lines =
                    head.lines().filter(|l| !l.to_ascii_lowercase().starts_with("connection:"));
                let head: String = lines.map(|line| format!("{line}\r\n")).collect();
                return Ok((format!("{head}Connection: close\r\n\r\n"), body));
            }
        }
        let read = stream.read(&mut part)?;
        if read == 0 || octets.len() > LARGEST_REQUEST {
            return Err(wrong("a whole request"));
        }
        octets.extend_from_slice(&part[..read]);
    }
}
