//! Mail of ours: it gets two signatures, and OpenDKIM, dkimpy and Waxseal itself take them.

use crate::case::Check;
use crate::incoming::replaced;
use crate::raw::Try;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use e2e::command::{fed, run, succeed};
use e2e::error::LabError;
use e2e::gate::mailbox::{Letter, Place};
use e2e::gate::peers::Peers;
use e2e::gate::smtp::{Client, Envelope, stuffed};
use e2e::gate::world::{COLLEAGUE, STRANGER, STRICT, crlf};
use e2e::gate::zone::txt;
use e2e::gate::{GateLab, Port, verdict};
use serde_json::Value;
use std::net::Ipv4Addr;

/// A colleague's password.
const PASSWORD: &str = "correct-horse";

/// Makes the keys of ours.test as an operator would, publishes what Waxseal says, and waits until
/// the running Waxseal has taken them up.
pub(crate) fn make_keys(lab: &GateLab) -> Result<Check, LabError> {
    let (name, letter) = ("before-the-keys", letter("before-the-keys", "\nHello\n"));
    let unsigned = sent(lab, COLLEAGUE, name, &letter)?;
    let unsigned = unsigned.map(|letter| letter.values("DKIM-Signature").len());
    if unsigned != Ok(0) {
        return Ok(Err(format!("expected a letter without signature, found {unsigned:?}")));
    }
    let config = lab.config_file();
    let verb = |verb: &[&str]| {
        let mut command = lab.waxseal_command(&["dkim"]);
        command.args(verb).args(["--config", &config]);
        succeed(command)
    };
    verb(&["add", "ours.test"])?;
    let records = records(&verb(&["records", "--json"])?);
    if records.len() != 2 {
        return Ok(Err(format!("expected two records, found {records:?}")));
    }
    lab.world.publish(records)?;
    verb(&["check", "--apply"])?;
    if let Some(waxseal) = &lab.waxseal {
        run("kill", &["-HUP", &waxseal.pid().to_string()])?;
    }
    lab.log().wait_for_text("DKIM keys were read again", lab.deadline())?;
    Ok(Ok("made, published, in use".to_owned()))
}

/// The records of `waxseal dkim records --json`.
fn records(document: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let domains = document["domains"].as_array().into_iter().flatten();
    let generations = domains.flat_map(|one| one["generations"].as_array()).flatten();
    let keys = generations.flat_map(|one| one["keys"].as_array()).flatten();
    keys.filter_map(|key| Some(txt(key["name"].as_str()?, key["value"].as_str()?))).collect()
}

/// The rest of a header, and a body: each has something that signers and verifiers may see in
/// different ways.
const LETTERS: [(&str, &str); 8] = [
    ("signed-plain", "Subject: plain\n\nHello\n"),
    ("signed-without-body", "Subject: nothing\n\n"),
    ("signed-utf-8", "Subject: Grüße\n\nGrüße, 世界\n"),
    ("signed-white-space", "Subject:   many \t  spaces  \n\n a \t b \t \n\t\n\n  \nend  \n\n\n\n"),
    ("signed-folded", "Subject: one\n two\n\tthree\nX-Empty:\n\nHello\n"),
    ("signed-dots", "Subject: dots\n\n.\n..\n.a\n"),
    (
        "signed-list-fields",
        "Subject: list\nList-Id: <l.ours.test>\nList-Unsubscribe: <mailto:u@ours.test>\n\nHello\n",
    ),
    ("signed-long-lines", "Subject: long\n\n"),
];

/// All of them, when there are keys.
pub(crate) fn tries<'t>(lab: &'t GateLab, peers: &'t Peers<'t>) -> Vec<Try<'t>> {
    let mut tries: Vec<Try<'t>> = Vec::new();
    for (name, rest) in LETTERS {
        tries.push((
            name,
            Box::new(move || {
                let mut letter = letter(name, rest);
                if name == "signed-long-lines" {
                    letter.extend_from_slice(&[&[b'x'; 20_000][..], b"\r\n"].concat());
                }
                let arrived = sent(lab, COLLEAGUE, name, &letter)?;
                arrived.map_or_else(|wrong| Ok(Err(wrong)), |arrived| is_signed(peers, &arrived))
            }),
        ));
    }
    tries.push((
        "signed-latin-1",
        Box::new(move || {
            let letter =
                [&letter("signed-latin-1", "Subject: 8 bit\n\n")[..], b"Gr\xfc\xdfe\r\n"].concat();
            let arrived = sent(lab, COLLEAGUE, "signed-latin-1", &letter)?;
            arrived.map_or_else(|wrong| Ok(Err(wrong)), |arrived| is_signed(peers, &arrived))
        }),
    ));
    tries.push(("signed-after-login", Box::new(move || after_login(lab, peers))));
    tries.push(("signed-sendmail", Box::new(move || by_sendmail(lab, peers))));
    tries.push(("signed-subdomain", Box::new(move || subdomain(lab))));
    tries.push(("signed-once", Box::new(move || once(lab, peers))));
    tries.push(("not-of-ours", Box::new(move || not_of_ours(lab))));
    tries.push(("forged-ours", Box::new(move || forged(lab))));
    tries.push(("signed-strips-verdict", Box::new(move || strips_verdict(lab))));
    tries
}

/// A letter of a colleague; `rest` is the end of its header, an empty line, and its body.
fn letter(name: &str, rest: &str) -> Vec<u8> {
    crlf(&format!(
        "From: Colleague <colleague@ours.test>\nTo: <{name}@away.test>\n\
         Date: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <{name}@ours.test>\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n{rest}"
    ))
}

fn sent(
    lab: &GateLab,
    from: Ipv4Addr,
    name: &str,
    letter: &[u8],
) -> Result<Result<Letter, String>, LabError> {
    let mut client = lab.connect(from, Port::Smtp)?;
    sent_by(lab, &mut client, name, letter)
}

fn sent_by(
    lab: &GateLab,
    client: &mut Client,
    name: &str,
    letter: &[u8],
) -> Result<Result<Letter, String>, LabError> {
    let to = format!("{name}@away.test");
    let envelope = Envelope { helo: "desk.ours.test", mail_from: "colleague@ours.test", to: &to };
    let reply = client.letter(&envelope, letter).map_err(LabError::io("sending a letter"))?;
    let Some(id) = reply.queue_id() else {
        return Ok(Err(format!("expected a letter that is taken, found {reply:?}")));
    };
    arrived(lab, id, name)
}

fn arrived(lab: &GateLab, id: &str, name: &str) -> Result<Result<Letter, String>, LabError> {
    if lab.place(id)? == Place::Hold {
        return Ok(Err("expected it delivered, found it held".to_owned()));
    }
    Ok(match lab.mailbox(&format!("{name}@away.test"))?.pop() {
        Some(letter) => Ok(letter),
        None => Err("expected a letter in the box, found none".to_owned()),
    })
}

/// Two signatures, by RSA and Ed25519, and everybody takes both.
pub(crate) fn is_signed(peers: &Peers<'_>, letter: &Letter) -> Result<Check, LabError> {
    let signatures = letter.values("DKIM-Signature");
    let algorithms = ["a=rsa-sha256", "a=ed25519-sha256"];
    let has = |algorithm: &&str| signatures.iter().any(|one| one.contains(*algorithm));
    if signatures.len() != 2 || !algorithms.iter().all(has) {
        return Ok(Err(format!("expected one signature of each kind, found {signatures:?}")));
    }
    if let Some(trace) = letter.values(verdict::FIELD).first() {
        return Ok(Err(format!("expected no verdict on a letter of ours, found {trace}")));
    }
    let octets = letter.with_crlf();
    let found = peers.waxseal_verify(&octets)?;
    if passed(&found, "ours.test") != 2 {
        return Ok(Err(format!("expected waxseal to take both, found {}", found["dkim"])));
    }
    for verified in [
        peers.dkimpy_verify(0, &octets)?,
        peers.dkimpy_verify(1, &octets)?,
        peers.opendkim_verify(&octets)?,
    ] {
        if let Err(wrong) = verified {
            return Ok(Err(wrong));
        }
    }
    Ok(Ok("rsa and ed25519: taken by waxseal, dkimpy, opendkim".to_owned()))
}

/// How many signatures of a domain pass.
pub(crate) fn passed(document: &Value, domain: &str) -> usize {
    let signatures = document["dkim"].as_array().into_iter().flatten();
    signatures.filter(|one| one["domain"] == domain && one["result"] == "pass").count()
}

/// A colleague on the road: not in our network, but logged in.
fn after_login(lab: &GateLab, peers: &Peers<'_>) -> Result<Check, LabError> {
    let name = "signed-after-login";
    let mut make = lab.postfix.tool("saslpasswd2");
    make.args(["-p", "-c", "-u", "mx.ours.test", "colleague"]);
    fed(make, format!("{PASSWORD}\n").as_bytes())?;
    let mut hand_over = lab.postfix.tool("chgrp");
    hand_over.args(["postfix", "/etc/sasldb2"]);
    succeed(hand_over)?;
    let mut readable = lab.postfix.tool("chmod");
    readable.args(["640", "/etc/sasldb2"]);
    succeed(readable)?;

    let talking = || LabError::io("logging in");
    let mut client = lab.connect(STRANGER, Port::Smtp)?;
    client.ask("EHLO road.test").map_err(talking())?;
    let plain = BASE64_STANDARD.encode(format!("\0colleague@mx.ours.test\0{PASSWORD}"));
    let reply = client.ask(&format!("AUTH PLAIN {plain}")).map_err(talking())?;
    if reply.code != 235 {
        return Ok(Err(format!("expected 235, found {reply:?}")));
    }
    let arrived = sent_by(lab, &mut client, name, &letter(name, "Subject: road\n\nHello\n"))?;
    arrived.map_or_else(|wrong| Ok(Err(wrong)), |arrived| is_signed(peers, &arrived))
}

/// A program on the mail server itself, by sendmail(1).
fn by_sendmail(lab: &GateLab, peers: &Peers<'_>) -> Result<Check, LabError> {
    let name = "signed-sendmail";
    let mut command = lab.postfix.tool("sendmail");
    command.args(["-f", "colleague@ours.test", "signed-sendmail@away.test"]);
    let letter = letter(name, "Subject: local\n\nHello\n");
    let lines: Vec<u8> = letter.iter().copied().filter(|octet| *octet != b'\r').collect();
    fed(command, &lines)?;
    let id = lab.postfix.log().wait_for("the letter of sendmail", lab.deadline(), |lines| {
        let found =
            lines.iter().find(|line| line.contains("message-id=<signed-sendmail@ours.test>"));
        found.and_then(|line| {
            line.split("]: ").nth(1)?.split_once(": ").map(|(id, _)| id.to_owned())
        })
    })?;
    let arrived = arrived(lab, &id, name)?;
    arrived.map_or_else(|wrong| Ok(Err(wrong)), |arrived| is_signed(peers, &arrived))
}

/// The domain above signs for a name that has no keys.
fn subdomain(lab: &GateLab) -> Result<Check, LabError> {
    let name = "signed-subdomain";
    let letter = letter(name, "Subject: below\n\nHello\n");
    let letter = replaced(&letter, "colleague@ours.test", "colleague@shop.ours.test");
    Ok(sent(lab, COLLEAGUE, name, &letter)?.and_then(|letter| {
        let signatures = letter.values("DKIM-Signature");
        match signatures.iter().all(|one| one.contains("d=ours.test;")) && signatures.len() == 2 {
            true => Ok("d=ours.test".to_owned()),
            false => Err(format!("expected two signatures of ours.test, found {signatures:?}")),
        }
    }))
}

/// A letter that comes by a second time, as from a content filter, is signed already.
fn once(lab: &GateLab, peers: &Peers<'_>) -> Result<Check, LabError> {
    let name = "signed-once";
    let first = match sent(lab, COLLEAGUE, name, &letter(name, "Subject: twice\n\nHello\n"))? {
        Ok(letter) => letter.with_crlf(),
        Err(wrong) => return Ok(Err(wrong)),
    };
    let second = replaced(&first, "To: <signed-once@", "To: <signed-once@");
    let second = stuffed(&second);
    let mut client = lab.connect(COLLEAGUE, Port::Smtp)?;
    let arrived = sent_by(lab, &mut client, "signed-once-again", &second)?;
    arrived.map_or_else(|wrong| Ok(Err(wrong)), |arrived| is_signed(peers, &arrived))
}

/// A colleague writes in somebody else's name: that is not ours to sign.
fn not_of_ours(lab: &GateLab) -> Result<Check, LabError> {
    let name = "not-of-ours";
    let letter = letter(name, "Subject: other\n\nHello\n");
    let letter = replaced(&letter, "colleague@ours.test", "author@strict.test");
    Ok(sent(lab, COLLEAGUE, name, &letter)?.and_then(|letter| {
        let signatures = letter.values("DKIM-Signature");
        match signatures.as_slice() {
            [] => Ok("no signature".to_owned()),
            found => Err(format!("expected no signature, found {found:?}")),
        }
    }))
}

/// A stranger writes in our name.
fn forged(lab: &GateLab) -> Result<Check, LabError> {
    let envelope = Envelope {
        helo: "mail.strict.test",
        mail_from: "author@strict.test",
        to: "forged-ours@ours.test",
    };
    let letter = letter("forged-ours", "Subject: forged\n\nHello\n");
    let reply = lab.hand_over(STRICT.server, &envelope, &letter)?;
    Ok(match reply.code == 550 && reply.text.contains("ours.test") {
        true => Ok(format!("550 {}", reply.text.lines().next().unwrap_or_default())),
        false => Err(format!("expected 550, found {reply:?}")),
    })
}

/// Nobody but us writes our field, not even colleagues.
fn strips_verdict(lab: &GateLab) -> Result<Check, LabError> {
    let name = "signed-strips-verdict";
    let forged = "Waxseal-Verdict: v=1; identified=yes; seal=AAAA\nSubject: forged\n\nHello\n";
    Ok(sent(lab, COLLEAGUE, name, &letter(name, forged))?.and_then(|letter| {
        let found = letter.values(verdict::FIELD);
        let signatures = letter.values("DKIM-Signature").len();
        match found.is_empty() && signatures == 2 {
            true => Ok("signed, the field is gone".to_owned()),
            false => Err(format!("expected it signed and without the field, found {found:?}")),
        }
    }))
}
