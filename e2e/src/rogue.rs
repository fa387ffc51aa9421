//! The attacker's mail server: takes every letter that it can get, and writes it down.
//!
//! One thread listens on all addresses of the path. The address that a client connected to says
//! which case it came for, and the case says which [`Disguise`] the rogue wears.

mod dialogue;

use crate::addresses::CaseNumber;
use crate::error::LabError;
use crate::namespace::Namespace;
use dialogue::{Ending, converse};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// How the rogue shows itself to the sender.
#[derive(Debug, Clone)]
pub struct Disguise {
    /// What its EHLO reply says about STARTTLS.
    pub starttls: Starttls,
    /// The certificate that it shows when the sender starts TLS.
    pub tls: Arc<ServerConfig>,
}

/// What an EHLO reply says about STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starttls {
    /// The keyword is there.
    Offered,
    /// The line is missing.
    Stripped,
    /// As many other letters stand in place of the keyword, which leaves all lengths as they were.
    Garbage,
}

/// A letter that fell into the rogue's hands.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The addresses in the envelope.
    pub recipients: Vec<String>,
    /// The bytes between DATA and the final dot.
    pub text: String,
}

/// What happened to the rogue in one case.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    /// The letters that it got.
    pub letters: Vec<Letter>,
    /// What was said, line by line, with the TLS handshake's outcome.
    pub transcript: Vec<String>,
}

/// The server, and what it has written down.
#[derive(Debug)]
pub struct Rogue {
    disguises: HashMap<CaseNumber, Disguise>,
    captures: Mutex<HashMap<CaseNumber, Capture>>,
}

impl Rogue {
    /// Serves on port 25 of all addresses of `namespace`, until the process ends.
    pub fn start(
        namespace: &Namespace,
        disguises: HashMap<CaseNumber, Disguise>,
    ) -> Result<Arc<Self>, LabError> {
        let listener = namespace.within(|| {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, 25)).map_err(LabError::io("binding port 25"))
        })?;
        let rogue = Arc::new(Self { disguises, captures: Mutex::default() });
        let server = Arc::clone(&rogue);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                thread::spawn(move || server.receive(stream));
            }
        });
        Ok(rogue)
    }

    /// What it has written down for a case.
    pub fn capture(&self, number: CaseNumber) -> Capture {
        let captures = self.captures.lock().unwrap_or_else(PoisonError::into_inner);
        captures.get(&number).cloned().unwrap_or_default()
    }

    fn receive(&self, stream: TcpStream) {
        let Some(number) = stream.local_addr().ok().and_then(|a| CaseNumber::of(a.ip())) else {
            return;
        };
        let Some(disguise) = self.disguises.get(&number) else {
            return;
        };
        if let Err(error) = self.talk(number, disguise, stream) {
            self.note(number, format!("* connection ended: {error}"));
        }
    }

    fn talk(
        &self,
        number: CaseNumber,
        disguise: &Disguise,
        mut stream: TcpStream,
    ) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        self.note(number, "* connection".to_owned());
        let note = |line: String| self.note(number, line);
        let keep = |letter: Letter| self.keep(number, letter);
        match converse(&mut stream, Some(disguise.starttls), &note, &keep)? {
            Ending::Quit => return Ok(()),
            Ending::StartTls => {}
        }
        let connection =
            ServerConnection::new(Arc::clone(&disguise.tls)).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(connection, stream);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        note("* TLS handshake done".to_owned());
        converse(&mut tls, None, &note, &keep).map(drop)
    }

    fn note(&self, number: CaseNumber, line: String) {
        let mut captures = self.captures.lock().unwrap_or_else(PoisonError::into_inner);
        captures.entry(number).or_default().transcript.push(line);
    }

    fn keep(&self, number: CaseNumber, letter: Letter) {
        let mut captures = self.captures.lock().unwrap_or_else(PoisonError::into_inner);
        captures.entry(number).or_default().letters.push(letter);
    }
}
