//! What a mail server tells a milter of one SMTP session, written down as packets.

use std::error::Error;
use std::net::Ipv4Addr;
use std::path::Path;

use sender_auth::{HeaderLimits, MessageReader, Part};
use waxseal::gate::milter::ClientAddress;
use waxseal::gate::milter::command::{Command, CommandCode};
use waxseal::gate::milter::negotiate::{Actions, Offer, Steps};

/// How many messages come in one session. Most sessions have one; those of big senders have more.
pub(crate) const MESSAGES_PER_SESSION: u64 = 10;

/// How many domains return paths have.
const DOMAINS: u64 = 10_000;

/// The packets of a message, from its first header field to the last of its body.
pub(crate) struct Message {
    packets: Vec<u8>,
}

/// Two messages of 10 KB, one signed with RSA and one with Ed25519.
pub(crate) fn messages(folder: &str) -> Result<Vec<Message>, Box<dyn Error>> {
    ["rsa-10k.eml", "ed25519-10k.eml"]
        .map(|name| message(&Path::new(folder).join(name)))
        .into_iter()
        .collect()
}

fn message(file: &Path) -> Result<Message, Box<dyn Error>> {
    let octets = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(&octets)?;
    parts.extend(reader.finish()?);
    let mut packets = Vec::new();
    for part in parts {
        match part {
            Part::Header(header) => {
                for field in header.fields() {
                    // Postfix sends folds as LF.
                    let value = field.value();
                    let value: Vec<u8> =
                        value.iter().copied().filter(|octet| *octet != b'\r').collect();
                    Command::Header { name: field.name(), value: &value }.write(&mut packets);
                }
                Command::EndOfHeader.write(&mut packets);
            }
            Part::Body(body) => {
                for piece in body.chunks(65_535) {
                    Command::Body(piece).write(&mut packets);
                }
            }
        }
    }
    Ok(Message { packets })
}

/// What Postfix 3.10 offers: all actions, all steps, and no answer but the last.
pub(crate) fn negotiation() -> Vec<u8> {
    let offer = Offer { version: 6, actions: Actions::new(0x1ff), steps: Steps::new(0x1f_ffff) };
    let mut packets = Vec::new();
    Command::Negotiate(offer).write(&mut packets);
    packets
}

/// The client of a session.
pub(crate) fn client(session: u64, output: &mut Vec<u8>) {
    let name = b"mx.example.net";
    macros(CommandCode::Connect, &[("j", "mail.example.org"), ("{daemon_name}", "smtpd")], output);
    let [.., first, second, third] = session.to_be_bytes();
    let address = Ipv4Addr::new(10, first, second, third);
    let address = ClientAddress::Ip { address: address.into(), port: 40_000 };
    Command::Connect { hostname: name, address }.write(output);
    let tls = [("{tls_version}", "TLSv1.3"), ("{cipher}", "TLS_AES_256_GCM_SHA384")];
    macros(CommandCode::Helo, &tls, output);
    Command::Helo { name }.write(output);
}

/// Everything of a message but its end.
pub(crate) fn all_but_end(number: u64, message: &Message, output: &mut Vec<u8>) {
    let queue_id = format!("{number:012X}");
    let mail_from = format!("<bounce-{number}@d{}.bounces.example>", number % DOMAINS);
    macros(CommandCode::Mail, &[("i", &queue_id), ("{mail_addr}", &mail_from)], output);
    Command::Mail { path: mail_from.as_bytes(), parameters: vec![b"SIZE=10000"] }.write(output);
    Command::Rcpt { path: b"<recipient@example.org>", parameters: vec![] }.write(output);
    macros(CommandCode::Data, &[("i", &queue_id)], output);
    Command::Data.write(output);
    output.extend_from_slice(&message.packets);
    macros(CommandCode::EndOfMessage, &[("i", &queue_id)], output);
}

pub(crate) fn end() -> Vec<u8> {
    let mut output = Vec::new();
    Command::EndOfMessage { body: b"" }.write(&mut output);
    output
}

/// Postfix says `abort` when a session goes on, and `quit` at its end.
pub(crate) fn quit(output: &mut Vec<u8>) {
    Command::Abort.write(output);
    Command::Quit.write(output);
}

fn macros(of: CommandCode, pairs: &[(&str, &str)], output: &mut Vec<u8>) {
    let pairs: String = pairs.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
    Command::Macros { of, pairs: pairs.as_bytes() }.write(output);
}
