//! A mail server that shows messages to the milter, one at a time.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use waxseal::gate::milter::ClientAddress;
use waxseal::gate::milter::command::Command;
use waxseal::gate::milter::negotiate::{Actions, Offer, Steps};
use waxseal::gate::milter::packet::{self, Decoded};

/// What Postfix 3 and sendmail 8.18 offer.
const OFFER: Offer =
    Offer { version: 6, actions: Actions::new(0x1ff), steps: Steps::new(0x001f_ffff) };

/// A message and who brings it.
pub(crate) struct Mail<'m> {
    pub(crate) client: IpAddr,
    pub(crate) mail_from: &'m str,
    pub(crate) to: &'m str,
    pub(crate) message: &'m [u8],
}

/// What the milter wants done.
pub(crate) struct Wanted {
    /// The names and values of new header fields.
    pub(crate) inserted: Vec<(String, String)>,
    /// The code of the last reply: `a` for accept, `y` for a reply of its own.
    pub(crate) verdict: char,
}

impl Wanted {
    /// How many fields of this name are new.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.inserted.iter().filter(|(inserted, _)| inserted.eq_ignore_ascii_case(name)).count()
    }
}

/// Shows a message, on a connection of its own.
pub(crate) fn show(milter: SocketAddr, mail: &Mail<'_>) -> Wanted {
    let mut stream = TcpStream::connect(milter).unwrap();
    stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
    let address = ClientAddress::Ip { address: mail.client, port: 4_321 };
    let [from, to] = [mail.mail_from, mail.to].map(|address| format!("<{address}>"));
    let text = std::str::from_utf8(mail.message).unwrap();
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    let mut commands = vec![
        Command::Negotiate(OFFER),
        Command::Connect { hostname: b"client.test", address },
        Command::Helo { name: b"client.test" },
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
    let mut octets = Vec::new();
    commands.iter().for_each(|command| command.write(&mut octets));
    stream.write_all(&octets).unwrap();
    wanted(stream)
}

fn wanted(mut stream: TcpStream) -> Wanted {
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
                    return Wanted { inserted, verdict: char::from(code) };
                }
                _ => {}
            }
            read.drain(..octets);
        }
        let mut octets = [0; 4_096];
        let count = stream.read(&mut octets).unwrap();
        assert!(count > 0, "closed without a verdict");
        read.extend_from_slice(&octets[..count]);
    }
}
