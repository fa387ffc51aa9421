//! What happens when Waxseal dies: its mail server must put everybody off, lose nothing, and go on
//! when it is back.

use crate::case::Check;
use e2e::error::LabError;
use e2e::gate::mailbox::Place;
use e2e::gate::signature::LabKey;
use e2e::gate::smtp::{Client, Envelope, Reply};
use e2e::gate::world::{STRANGER, STRICT, letter, signed};
use e2e::gate::{GateLab, Port};
use std::thread;

const HELO: &str = "mail.strict.test";

fn sent(client: &mut Client, mail_from: &str, to: &str, octets: &[u8]) -> Result<Reply, LabError> {
    let envelope = Envelope { helo: HELO, mail_from, to };
    client.letter(&envelope, octets).map_err(LabError::io("sending a letter"))
}

/// Killed while it looks something up, for a letter that is already whole.
pub(crate) fn killed_while_judging(lab: &mut GateLab) -> Result<Check, LabError> {
    let letter = letter(STRICT, "killed-while-judging");
    let letter = crate::incoming::replaced(&letter, "@strict.test", "@dark.test");
    let mut client = lab.connect(STRANGER, Port::Smtp)?;
    let waxseal = lab.waxseal.take();
    let reply = thread::scope(|scope| {
        let path = "author@dark.test";
        let sending = scope.spawn(|| sent(&mut client, path, "killed@ours.test", &letter));
        let asked = lab.wait_for_question("dark.test");
        if let Some(mut waxseal) = waxseal {
            waxseal.kill();
        }
        asked?;
        sending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    let check = put_off(lab, &reply, "killed@ours.test");
    lab.start_waxseal()?;
    check
}

/// Killed after the envelope, before the letter; the client tries again when Waxseal is back.
pub(crate) fn killed_mid_message(lab: &mut GateLab, key: &LabKey) -> Result<Check, LabError> {
    let (name, to) = ("killed-mid-message", "killed-mid-message@ours.test");
    let octets = signed(key, STRICT, &letter(STRICT, name));
    let mut client = lab.connect(STRICT.server, Port::Smtp)?;
    let envelope = Envelope { helo: HELO, mail_from: "author@strict.test", to };
    let talking = || LabError::io("sending a letter");
    let refused = client.envelope(&envelope).map_err(talking())?;
    client.send(&octets[..octets.len() / 2]).map_err(talking())?;
    if let Some(mut waxseal) = lab.waxseal.take() {
        waxseal.kill();
    }
    let rest = e2e::gate::smtp::stuffed(&octets[octets.len() / 2..]);
    client.send(&rest).map_err(talking())?;
    let reply = client.ask(".").map_err(talking())?;
    let put_off = put_off(lab, &reply, to)?;

    // Nobody is there at all.
    let mut client = lab.connect(STRICT.server, Port::Smtp);
    let refused_at_once = match &mut client {
        Ok(client) => sent(client, "author@strict.test", to, &octets)?.code,
        Err(_) => 421,
    };
    lab.start_waxseal()?;
    let mut client = lab.connect(STRICT.server, Port::Smtp)?;
    let again = sent(&mut client, "author@strict.test", to, &octets)?;
    let arrived = match again.queue_id() {
        Some(id) => lab.place(id)? == Place::Mailbox && lab.mailbox(to)?.len() == 1,
        None => false,
    };
    Ok(match (put_off, refused, refused_at_once, arrived) {
        (Ok(seen), None, 400..=499, true) => {
            Ok(format!("{seen}; then {refused_at_once}; then delivered once"))
        }
        (Ok(_), refused, at_once, _) => Err(format!(
            "expected 4xx, 4xx, and one letter in the end, found {refused:?}, {at_once}, {again:?}"
        )),
        (wrong, ..) => wrong,
    })
}

/// The client must be told to try again, and nothing may have come out.
fn put_off(lab: &GateLab, reply: &Reply, to: &str) -> Result<Check, LabError> {
    let letters = lab.mailbox(to)?.len();
    Ok(match (reply.code, letters) {
        (400..=499, 0) => Ok(format!("{} {}", reply.code, reply.text)),
        (_, letters) => Err(format!("expected 4xx and no letter, found {reply:?} and {letters}")),
    })
}
