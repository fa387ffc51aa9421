//! A mail server that shows messages to the milter, one at a time.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use waxseal::gate::milter::ClientAddress;
use waxseal::gate::milter::command::{Command, CommandCode};
use waxseal::gate::milter::negotiate::{Actions, Offer, Steps};
use waxseal::gate::milter::packet::{self, Decoded};

/// What Postfix 3 and sendmail 8.18 offer.
const OFFER: Offer =
    Offer { version: 6, actions: Actions::new(0x1ff), steps: Steps::new(0x001f_ffff) };

/// What Postfix says of itself.
pub(crate) const POSTFIX: &str = "Postfix 3.10.13";

/// A message and who brings it.
#[derive(Clone, Copy)]
pub(crate) struct Mail<'m> {
    /// The mail server's version.
    pub(crate) software: &'m str,
    pub(crate) client: IpAddr,
    pub(crate) mail_from: &'m str,
    pub(crate) to: &'m str,
    pub(crate) message: &'m [u8],
}

/// What the milter wants done.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The names and values of new header fields.
    pub(crate) inserted: Vec<(String, String)>,
    /// The code of the last reply: `a` for accept, `y` for a reply of its own.
    pub(crate) verdict: char,
    /// That reply.
    pub(crate) reply: String,
}

impl Wanted {
    /// How many fields of this name are new.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.inserted.iter().filter(|(inserted, _)| inserted.eq_ignore_ascii_case(name)).count()
    }
}

/// Shows a message, on a connection of its own.
pub(crate) fn show(milter: SocketAddr, mail: &Mail<'_>) -> Wanted {
    let mut octets = begin(mail.software, mail.client);
    octets.extend(message(mail));
    speak(TcpStream::connect(milter).unwrap(), &octets).expect("a verdict")
}

/// Up to the first message.
pub(crate) fn begin(software: &str, client: IpAddr) -> Vec<u8> {
    let address = ClientAddress::Ip { address: client, port: 4_321 };
    let pairs = format!("v\0{software}\0j\0mx.us.test\0");
    written(&[
        Command::Negotiate(OFFER),
        Command::Macros { of: CommandCode::Connect, pairs: pairs.as_bytes() },
        Command::Connect { hostname: b"client.test", address },
        Command::Helo { name: b"client.test" },
    ])
}

/// One message.
pub(crate) fn message(mail: &Mail<'_>) -> Vec<u8> {
    let [from, to] = [mail.mail_from, mail.to].map(|address| format!("<{address}>"));
    let text = std::str::from_utf8(mail.message).unwrap();
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    let mut commands = vec![
        Command::Mail { path: from.as_bytes(), parameters: vec![] },
        Command::Rcpt { path: to.as_bytes(), parameters: vec![] },
        Command::Data,
    ];
    let unfolded = header.replace("\r\n ", "\n ").replace("\r\n\t", "\n\t");
    for line in unfolded.split("\r\n") {
        let (name, value) = line.split_once(':').unwrap();
        commands.push(Command::Header { name: name.as_bytes(), value: value.as_bytes() });
    }
    commands.push(Command::EndOfHeader);
    commands.extend(body.as_bytes().chunks(60_000).map(Command::Body));
    commands.push(Command::EndOfMessage { body: b"" });
    written(&commands)
}

pub(crate) fn written(commands: &[Command<'_>]) -> Vec<u8> {
    let mut octets = Vec::new();
    commands.iter().for_each(|command| command.write(&mut octets));
    octets
}

/// Sends all of it, and takes what is wanted in the end; `None` if the milter closes instead.
pub(crate) fn speak(mut stream: impl Read + Write, octets: &[u8]) -> Option<Wanted> {
    stream.write_all(octets).ok()?;
    let (mut read, mut inserted) = (Vec::new(), Vec::new());
    loop {
        while let Decoded::Packet { packet, octets } = packet::decode(&read, 1_000_000).unwrap() {
            match packet.code {
                b'i' => {
                    let mut texts = packet.payload[4..].split(|octet| *octet == 0);
                    let mut text = || String::from_utf8_lossy(texts.next().unwrap()).into_owned();
                    inserted.push((text(), text()));
                }
                code @ (b'a' | b'r' | b't' | b'd' | b'y') => {
                    let reply = String::from_utf8_lossy(packet.payload).into_owned();
                    return Some(Wanted { inserted, verdict: char::from(code), reply });
                }
                _ => {}
            }
            read.drain(..octets);
        }
        let mut octets = [0; 4_096];
        let count = stream.read(&mut octets).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&octets[..count]);
    }
}
