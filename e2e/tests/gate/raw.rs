//! Octets that no mail program sends: line ends that are none, NUL, several letters in one
//! connection. What Postfix passes on, what Waxseal judges and what lies in the mailbox must be the
//! same letter, and one letter must stay one.
//!
//! How that is seen: the letter is signed as it must arrive, and sent as an attacker would write it.
//! If the signature passes, Waxseal has judged what was signed; then the mailbox is compared with it.

use crate::case::Check;
use crate::incoming::replaced;
use e2e::error::LabError;
use e2e::gate::mailbox::Letter;
use e2e::gate::signature::LabKey;
use e2e::gate::smtp::{Client, Envelope, Reply};
use e2e::gate::world::{STRANGER, STRICT, letter, signed};
use e2e::gate::{GateLab, Port, verdict};
use std::io;
use std::net::Ipv4Addr;

/// A try with its name.
pub(crate) type Try<'t> = (&'static str, Box<dyn Fn() -> Result<Check, LabError> + Sync + 't>);

/// What stands between the letter and the one that is smuggled behind it, and what Postfix makes of
/// that within the letter.
const SMUGGLERS: [(&str, &[u8], &[u8]); 7] = [
    ("smuggled-lf-dot-lf", b"\n.\n", b"\r\n"),
    ("smuggled-lf-dot-crlf", b"\n.\r\n", b"\r\n"),
    ("smuggled-crlf-dot-lf", b"\r\n.\n", b"\r\n"),
    ("smuggled-cr-dot-cr", b"\r.\r", b" . "),
    ("smuggled-crlf-dot-cr", b"\r\n.\r", b"\r\n "),
    ("smuggled-cr-dot-crlf", b"\r.\r\n", b" .\r\n"),
    ("smuggled-nul", b"\r\n\0.\r\n", b"\r\n\0.\r\n"),
];

/// All of them.
pub(crate) fn tries<'t>(lab: &'t GateLab, key: &'t LabKey) -> Vec<Try<'t>> {
    let mut tries: Vec<Try<'t>> = Vec::new();
    for (name, between, becomes) in SMUGGLERS {
        tries.push((name, Box::new(move || smuggle(lab, key, name, between, becomes))));
    }
    let mut arrives = |name: &'static str, sent: fn(&'static str) -> [Vec<u8>; 2]| {
        tries.push((
            name,
            Box::new(move || {
                let [sent, arrives] = sent(name);
                as_signed(lab, key, name, &sent, &arrives)
            }),
        ));
    };
    arrives("bare-lf", |name| body(name, b"a\nb\r\n", b"a\r\nb\r\n"));
    arrives("bare-cr", |name| body(name, b"a\rb\r\n", b"a b\r\n"));
    arrives("bare-cr-in-header", |name| subject(name, "a\rBcc: b", "a Bcc: b"));
    // Postfix cuts such a field there, before it shows it to anybody.
    arrives("nul-in-header", |name| subject(name, "a\0b", "a"));
    arrives("nul-in-body", |name| body(name, b"a\0b\r\n\0\r\n", b"a\0b\r\n\0\r\n"));
    arrives("long-lines", |name| {
        let line = [vec![b'x'; 100_000], b"\r\n".to_vec()].concat();
        body(name, &line, &line)
    });
    arrives("no-end-of-header", |name| {
        let usual = letter(STRICT, name);
        [replaced(&usual, "\r\n\r\nHello", "\r\nHello"), usual]
    });
    tries.push(("two-in-one-session", Box::new(move || two_in_one_session(lab, key))));
    tries.push(("chunks", Box::new(move || chunks(lab, key))));
    tries.push(("left-in-the-middle", Box::new(move || left_in_the_middle(lab, key))));
    tries.push(("bare-lf-allowed", Box::new(move || bare_lf_allowed(lab, key))));
    tries
}

/// A letter with more lines in its body: as sent, as it arrives.
fn body(name: &str, sent: &[u8], arrives: &[u8]) -> [Vec<u8>; 2] {
    let usual = letter(STRICT, name);
    [[&usual, sent].concat(), [&usual, arrives].concat()]
}

/// A letter with another subject: as sent, as it arrives.
fn subject(name: &str, sent: &str, arrives: &str) -> [Vec<u8>; 2] {
    let usual = letter(STRICT, name);
    let subject = format!("About {name}");
    [replaced(&usual, &subject, sent), replaced(&usual, &subject, arrives)]
}

/// The letter as it must arrive is signed; the signature goes on top of the letter as it is sent.
fn with_signature_of(key: &LabKey, sent: &[u8], arrives: &[u8]) -> Vec<u8> {
    let signed = signed(key, STRICT, arrives);
    let field = &signed[..signed.len() - arrives.len()];
    [field, sent].concat()
}

pub(crate) struct Session<'l> {
    lab: &'l GateLab,
    pub(crate) client: Client,
}

impl<'l> Session<'l> {
    pub(crate) fn open(lab: &'l GateLab, from: Ipv4Addr, port: Port) -> Result<Self, LabError> {
        Ok(Self { lab, client: lab.connect(from, port)? })
    }

    /// Begins a letter in the name of strict.test.
    pub(crate) fn begin(&mut self, mailbox: &str) -> Result<(), LabError> {
        let to = format!("{mailbox}@ours.test");
        let (helo, mail_from) = ("mail.strict.test", "author@strict.test");
        match self.client.envelope(&Envelope { helo, mail_from, to: &to }).map_err(talking)? {
            None => Ok(()),
            Some(reply) => Err(LabError::Unsupported(format!("expected 354, found {reply:?}"))),
        }
    }

    /// Sends the rest of a letter as it is, and the end of it.
    pub(crate) fn end(&mut self, octets: &[u8]) -> Result<Reply, LabError> {
        self.client.send(octets).and_then(|()| self.client.ask("\r\n.")).map_err(talking)
    }

    /// Whether the next answer is that to the next question, so that none is left over: only to
    /// this one is it 500.
    fn is_in_step(&mut self) -> Result<bool, LabError> {
        Ok(self.client.ask("STEP").map_err(talking)?.code == 500)
    }

    /// The one letter of a mailbox, when Postfix has done with it.
    pub(crate) fn arrived(
        &self,
        mailbox: &str,
        reply: &Reply,
    ) -> Result<Result<Letter, String>, LabError> {
        let Some(id) = reply.queue_id() else {
            return Ok(Err(format!("expected a letter that is taken, found {reply:?}")));
        };
        self.lab.place(id)?;
        let mut letters = self.lab.mailbox(&format!("{mailbox}@ours.test"))?;
        Ok(match (letters.pop(), letters.len()) {
            (Some(letter), 0) => Ok(letter),
            (_, more) => Err(format!("expected 1 letter in the box, found {more} and one or none")),
        })
    }
}

pub(crate) fn talking(error: io::Error) -> LabError {
    LabError::io("talking to Postfix")(error)
}

/// The letter in the mailbox must be the one that was signed, and the signature must have passed.
pub(crate) fn is_as_signed(letter: &Letter, signed: &[u8]) -> Check {
    let expected: Vec<u8> = signed.iter().copied().filter(|octet| *octet != b'\r').collect();
    let expected = Letter::read(&expected);
    let verdict = letter.values(verdict::FIELD).join(" | ");
    if letter.body != expected.body {
        let show =
            |octets: &[u8]| octets[octets.len().saturating_sub(200)..].escape_ascii().to_string();
        let (found, wanted) = (show(&letter.body), show(&expected.body));
        return Err(format!("expected the body to end with {wanted}, found {found} ({verdict})"));
    }
    if letter.values("Subject") != expected.values("Subject") {
        let (found, wanted) = (letter.values("Subject"), expected.values("Subject"));
        return Err(format!("expected the subject {wanted:?}, found {found:?} ({verdict})"));
    }
    if !verdict.contains("; identified=yes; by=strict.test; ") {
        return Err(format!("expected a signature that passes, found {verdict}"));
    }
    Ok("judged as it arrives".to_owned())
}

fn as_signed(
    lab: &GateLab,
    key: &LabKey,
    name: &str,
    sent: &[u8],
    arrives: &[u8],
) -> Result<Check, LabError> {
    let mut session = Session::open(lab, STRICT.server, Port::Smtp)?;
    session.begin(name)?;
    let octets = e2e::gate::smtp::stuffed(&with_signature_of(key, sent, arrives));
    let octets = octets.strip_suffix(b"\r\n").unwrap_or(&octets);
    let reply = session.end(octets)?;
    Ok(match session.arrived(name, &reply)? {
        Ok(letter) => is_as_signed(&letter, arrives),
        Err(wrong) => Err(wrong),
    })
}

/// A second letter, forged, is hidden in the first. Only one may come out.
fn smuggle(
    lab: &GateLab,
    key: &LabKey,
    name: &str,
    between: &[u8],
    becomes: &[u8],
) -> Result<Check, LabError> {
    let victim = format!("{name}-victim");
    let usual = letter(STRICT, name);
    let usual = usual.strip_suffix(b"\r\n").unwrap_or(&usual);
    let hidden = format!(
        "MAIL FROM:<boss@strict.test>\r\nRCPT TO:<{victim}@ours.test>\r\nDATA\r\n\
         From: boss@strict.test\r\nSubject: forged\r\n\r\nPay at once."
    );
    let hidden = hidden.as_bytes();
    let sent = [usual, between, hidden].concat();
    let arrives = [usual, becomes, hidden, b"\r\n"].concat();
    let mut session = Session::open(lab, STRICT.server, Port::Smtp)?;
    session.begin(name)?;
    let octets = with_signature_of(key, &sent, &arrives);
    // The letter has a line with a single dot of its own.
    let octets = replaced(&octets, "\r\n.\r\nYours", "\r\n..\r\nYours");
    let reply = session.end(&octets)?;
    if !session.is_in_step()? {
        return Ok(Err("expected one answer, found more".to_owned()));
    }
    let letter = match session.arrived(name, &reply)? {
        Ok(letter) => letter,
        Err(wrong) => return Ok(Err(wrong)),
    };
    if !lab.mailbox(&format!("{victim}@ours.test"))?.is_empty() {
        return Ok(Err("a second letter came out".to_owned()));
    }
    Ok(is_as_signed(&letter, &arrives))
}

/// Each letter of a session has a verdict of its own.
fn two_in_one_session(lab: &GateLab, key: &LabKey) -> Result<Check, LabError> {
    let name = "two-in-one-session";
    let good = e2e::gate::smtp::stuffed(&signed(key, STRICT, &letter(STRICT, name)));
    let forged = e2e::gate::smtp::stuffed(&letter(STRICT, name));
    let mut session = Session::open(lab, STRANGER, Port::Smtp)?;
    let mut codes = Vec::new();
    for octets in [&forged, &good, &forged] {
        session.begin(name)?;
        codes.push(session.end(octets)?);
    }
    let found: Vec<u16> = codes.iter().map(|reply| reply.code).collect();
    if found != [550, 250, 550] {
        return Ok(Err(format!("expected 550, 250, 550, found {found:?}")));
    }
    Ok(session.arrived(name, &codes[1])?.map(|_| "550, 250, 550".to_owned()))
}

/// `BDAT` (RFC 3030): the letter in pieces, with no dot at its end.
fn chunks(lab: &GateLab, key: &LabKey) -> Result<Check, LabError> {
    let name = "chunks";
    let octets = signed(key, STRICT, &letter(STRICT, name));
    let mut session = Session::open(lab, STRICT.server, Port::Smtp)?;
    let client = &mut session.client;
    for command in
        ["EHLO mail.strict.test", "MAIL FROM:<author@strict.test>", "RCPT TO:<chunks@ours.test>"]
    {
        client.ask(command).map_err(talking)?;
    }
    let mut reply = None;
    for (number, piece) in octets.chunks(100).enumerate() {
        let last = if (number + 1) * 100 >= octets.len() { " LAST" } else { "" };
        let command = format!("BDAT {}{last}\r\n", piece.len());
        client.send(command.as_bytes()).and_then(|()| client.send(piece)).map_err(talking)?;
        reply = Some(client.reply().map_err(talking)?);
    }
    let Some(reply) = reply else { return Ok(Err("nothing was sent".to_owned())) };
    Ok(match session.arrived(name, &reply)? {
        Ok(found) => is_as_signed(&found, &letter(STRICT, name)),
        Err(wrong) => Err(wrong),
    })
}

/// A client that goes away in the middle leaves nothing behind, and the next one is served.
fn left_in_the_middle(lab: &GateLab, key: &LabKey) -> Result<Check, LabError> {
    let name = "left-in-the-middle";
    let octets = signed(key, STRICT, &letter(STRICT, name));
    let mut first = Session::open(lab, STRICT.server, Port::Smtp)?;
    first.begin(name)?;
    first.client.send(&octets[..octets.len() / 2]).map_err(talking)?;
    drop(first);
    let mut second = Session::open(lab, STRICT.server, Port::Smtp)?;
    second.begin(name)?;
    let octets = e2e::gate::smtp::stuffed(&octets);
    let reply = second.end(octets.strip_suffix(b"\r\n").unwrap_or(&octets))?;
    Ok(match second.arrived(name, &reply)? {
        Ok(found) => is_as_signed(&found, &letter(STRICT, name)),
        Err(wrong) => Err(wrong),
    })
}

/// A Postfix that lets a bare LF end a letter makes two of what another server took for one. Then
/// each is judged for itself: the smuggled one has no signature.
fn bare_lf_allowed(lab: &GateLab, key: &LabKey) -> Result<Check, LabError> {
    let name = "bare-lf-allowed";
    let usual = letter(STRICT, name);
    let octets = replaced(&signed(key, STRICT, &usual), "\r\n.\r\nYours", "\r\n..\r\nYours");
    let mut session = Session::open(lab, STRANGER, Port::BareLf)?;
    session.begin(name)?;
    let forged = letter(STRICT, "forged-by-lf");
    let forged = replaced(&forged, "\r\n.\r\nYours", "\r\nYours");
    let hidden = [
        &octets[..octets.len() - 2],
        b"\n.\nMAIL FROM:<boss@strict.test>\nRCPT TO:<forged-by-lf@ours.test>\nDATA\n",
        &forged,
    ]
    .concat();
    session.client.send(&hidden).map_err(talking)?;
    let mut replies = Vec::new();
    for _ in 0..4 {
        replies.push(session.client.reply().map_err(talking)?);
    }
    replies.push(session.client.ask(".").map_err(talking)?);
    let codes: Vec<u16> = replies.iter().map(|reply| reply.code).collect();
    if codes != [250, 250, 250, 354, 550] {
        return Ok(Err(format!("expected 250, 250, 250, 354, 550, found {replies:?}")));
    }
    Ok(match session.arrived(name, &replies[0])? {
        Ok(found) => is_as_signed(&found, &usual),
        Err(wrong) => Err(wrong),
    })
}
