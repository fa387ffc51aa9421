//! What OpenDKIM and dkimpy sign and seal is taken by Waxseal, in every canonicalization; and what
//! Waxseal seals is taken by dkimpy.

use crate::case::Check;
use crate::outgoing::passed;
use crate::raw::Try;
use e2e::error::LabError;
use e2e::gate::mailbox::{Letter, Place};
use e2e::gate::peers::{KeyFile, Manner, Peers, RSA_SELECTOR};
use e2e::gate::smtp::Envelope;
use e2e::gate::world::{COLLEAGUE, LISTS, RELAY, SELECTOR, STRICT, letter};
use e2e::gate::{GateLab, Port};

/// Bodies and a header in which canonicalizations differ.
const DIFFICULT: &str = "X-Spaces:  a \t b  \r\nX-Folded: one\r\n two\r\n\tthree\r\n";
const BODY: &[u8] = b" a \t b \t \r\n\t\r\n\r\nGr\xc3\xbc\xc3\x9fe, Gr\xfc\xdfe\r\n\r\n\r\n";

/// All ways in which dkimpy signs.
const MANNERS: [(&str, Manner); 8] = [
    ("dkimpy-rsa-relaxed", Manner { header: "relaxed", body: "relaxed", key: KeyFile::Rsa }),
    ("dkimpy-rsa-simple", Manner { header: "simple", body: "simple", key: KeyFile::Rsa }),
    ("dkimpy-rsa-relaxed-simple", Manner { header: "relaxed", body: "simple", key: KeyFile::Rsa }),
    ("dkimpy-rsa-simple-relaxed", Manner { header: "simple", body: "relaxed", key: KeyFile::Rsa }),
    ("dkimpy-ed-relaxed", Manner { header: "relaxed", body: "relaxed", key: KeyFile::Seed }),
    ("dkimpy-ed-simple", Manner { header: "simple", body: "simple", key: KeyFile::Seed }),
    ("dkimpy-ed-relaxed-simple", Manner { header: "relaxed", body: "simple", key: KeyFile::Seed }),
    ("dkimpy-ed-simple-relaxed", Manner { header: "simple", body: "relaxed", key: KeyFile::Seed }),
];

/// All of them.
pub(crate) fn tries<'t>(lab: &'t GateLab, peers: &'t Peers<'t>) -> Vec<Try<'t>> {
    let mut tries: Vec<Try<'t>> = Vec::new();
    for (name, manner) in MANNERS {
        tries.push((name, Box::new(move || by_dkimpy(peers, name, manner))));
    }
    tries.push((
        "opendkim-rsa-simple",
        Box::new(move || by_opendkim(lab, peers, "opendkim-rsa-simple", Port::OpenDkim)),
    ));
    tries.push((
        "opendkim-ed-relaxed",
        Box::new(move || by_opendkim(lab, peers, "opendkim-ed-relaxed", Port::OtherOpenDkim)),
    ));
    tries.push(("opendkim-sha-1", Box::new(move || sha_1(peers))));
    tries.push(("waxseal-sign", Box::new(move || by_waxseal(peers))));
    tries.push(("arc-by-waxseal", Box::new(move || arc_by_waxseal(peers))));
    tries.push(("arc-by-dkimpy", Box::new(move || arc_by_dkimpy(peers))));
    tries.push(("arc-by-both", Box::new(move || arc_by_both(peers))));
    tries
}

fn difficult(name: &str) -> Vec<u8> {
    [DIFFICULT.as_bytes(), &letter(STRICT, name), BODY].concat()
}

/// The signature passes; and fails when one octet of the body is another.
fn is_taken(peers: &Peers<'_>, signed: &[u8]) -> Result<Check, LabError> {
    let found = peers.waxseal_verify(signed)?;
    if passed(&found, STRICT.name) != 1 {
        return Ok(Err(format!("expected it to pass, found {}", found["dkim"])));
    }
    let changed = crate::incoming::replaced(signed, "Hello", "Hallo");
    let found = peers.waxseal_verify(&changed)?;
    if passed(&found, STRICT.name) != 0 {
        return Ok(Err(format!("expected a changed body to fail, found {}", found["dkim"])));
    }
    Ok(Ok("passes, and fails when changed".to_owned()))
}

fn by_dkimpy(peers: &Peers<'_>, name: &str, manner: Manner) -> Result<Check, LabError> {
    let selector = if manner.key == KeyFile::Rsa { RSA_SELECTOR } else { SELECTOR };
    let signed = peers.dkimpy_sign(selector, STRICT.name, manner, &difficult(name))?;
    is_taken(peers, &signed)
}

/// OpenDKIM signs as a milter of Postfix.
fn by_opendkim(
    lab: &GateLab,
    peers: &Peers<'_>,
    name: &str,
    port: Port,
) -> Result<Check, LabError> {
    let to = format!("{name}@away.test");
    let envelope = Envelope { helo: "desk.ours.test", mail_from: "author@strict.test", to: &to };
    let mut client = lab.connect(COLLEAGUE, port)?;
    let reply = client.letter(&envelope, &difficult(name));
    let reply = reply.map_err(LabError::io("sending a letter"))?;
    let Some(id) = reply.queue_id() else {
        return Ok(Err(format!("expected a letter that is taken, found {reply:?}")));
    };
    let letters = match lab.place(id)? {
        Place::Mailbox => lab.mailbox(&to)?,
        Place::Hold => Vec::new(),
    };
    match letters.as_slice() {
        [letter] if letter.values("DKIM-Signature").len() == 1 => {
            is_taken(peers, &Letter::with_crlf(letter))
        }
        found => Ok(Err(format!("expected one signed letter, found {found:?}"))),
    }
}

/// RFC 8301 §3.1: SHA-1 never passes, however good the signature.
fn sha_1(peers: &Peers<'_>) -> Result<Check, LabError> {
    let signed = peers.opendkim_sign_with_sha1(STRICT.name, &letter(STRICT, "opendkim-sha-1"))?;
    let found = peers.waxseal_verify(&signed)?;
    let signature = &found["dkim"][0];
    Ok(match signature["result"].as_str() {
        Some("pass") | None => Err(format!("expected it not to pass, found {signature}")),
        Some(result) => Ok(format!("{result}: {}", signature["reason"].as_str().unwrap_or("?"))),
    })
}

/// Waxseal's own verb, with each key alone, taken by the others; and not when it was changed.
fn by_waxseal(peers: &Peers<'_>) -> Result<Check, LabError> {
    for key in [(KeyFile::Rsa, RSA_SELECTOR), (KeyFile::Ed25519, SELECTOR)] {
        let signed = peers.waxseal_sign(STRICT.name, &[key], &difficult("waxseal-sign"))?;
        let changed = crate::incoming::replaced(&signed, "Hello", "Hallo");
        for wrong in [peers.dkimpy_verify(0, &signed)?, peers.opendkim_verify(&signed)?] {
            if let Err(wrong) = wrong {
                return Ok(Err(wrong));
            }
        }
        if peers.dkimpy_verify(0, &changed)?.is_ok() || peers.opendkim_verify(&changed)?.is_ok() {
            return Ok(Err(format!("expected that they refuse a changed letter, {key:?}")));
        }
    }
    Ok(Ok("taken by dkimpy and opendkim, refused when changed".to_owned()))
}

fn with_results(domain: &str, name: &str) -> Vec<u8> {
    let results = format!(
        "Authentication-Results: {domain}; spf=pass smtp.mailfrom=strict.test;\r\n \
         dmarc=pass header.from=strict.test\r\n"
    );
    [results.as_bytes(), &difficult(name)].concat()
}

fn chain(document: &serde_json::Value) -> &str {
    document["arc"]["result"].as_str().unwrap_or("?")
}

fn is_pass(said: &str) -> bool {
    said.contains("cv=b'pass'")
}

fn arc_by_waxseal(peers: &Peers<'_>) -> Result<Check, LabError> {
    let sealed = peers.waxseal_seal(LISTS.name, &with_results(LISTS.name, "arc-by-waxseal"))?;
    let (ours, theirs) = (peers.waxseal_verify(&sealed)?, peers.dkimpy_chain(&sealed)?);
    let changed = crate::incoming::replaced(&sealed, "Hello", "Hallo");
    let broken = peers.dkimpy_chain(&changed)?;
    Ok(match chain(&ours) == "pass" && is_pass(&theirs) && !is_pass(&broken) {
        true => Ok(theirs),
        false => Err(format!("expected pass, pass, fail, found {ours}, {theirs}, {broken}")),
    })
}

fn arc_by_dkimpy(peers: &Peers<'_>) -> Result<Check, LabError> {
    let sealed = peers.dkimpy_seal(LISTS.name, &with_results(LISTS.name, "arc-by-dkimpy"))?;
    let found = peers.waxseal_verify(&sealed)?;
    let changed = crate::incoming::replaced(&sealed, "Hello", "Hallo");
    let broken = peers.waxseal_verify(&changed)?;
    Ok(match (chain(&found), chain(&broken)) {
        ("pass", "fail") => Ok("pass, and fail when changed".to_owned()),
        (found, broken) => Err(format!("expected pass and fail, found {found} and {broken}")),
    })
}

/// A chain of three sets, by turns.
fn arc_by_both(peers: &Peers<'_>) -> Result<Check, LabError> {
    let results = |letter: Vec<u8>, domain: &str| {
        let results = format!("Authentication-Results: {domain}; arc=pass\r\n");
        [results.as_bytes(), &letter].concat()
    };
    let one = peers.dkimpy_seal(LISTS.name, &with_results(LISTS.name, "arc-by-both"))?;
    let two = peers.waxseal_seal(RELAY.name, &results(one, RELAY.name))?;
    let three = peers.dkimpy_seal(STRICT.name, &results(two, STRICT.name))?;
    let four = peers.waxseal_seal(LISTS.name, &results(three, LISTS.name))?;
    let (ours, theirs) = (peers.waxseal_verify(&four)?, peers.dkimpy_chain(&four)?);
    let sets = ours["arc"]["sets"].as_array().map_or(0, Vec::len);
    Ok(match chain(&ours) == "pass" && sets == 4 && is_pass(&theirs) {
        true => Ok("four sets, taken by both".to_owned()),
        false => Err(format!("expected pass of four sets twice, found {}, {theirs}", ours["arc"])),
    })
}
