//! How the connection was protected, and what Waxseal costs: a client with TLS, one with a
//! certificate, and a letter of 30 MB.

use crate::case::Check;
use crate::raw::Try;
use e2e::certificates::{Shows, Validity};
use e2e::error::LabError;
use e2e::gate::mailbox::Place;
use e2e::gate::signature::LabKey;
use e2e::gate::smtp::{Client, Envelope};
use e2e::gate::world::{STRICT, letter, signed};
use e2e::gate::{GateLab, Port, verdict};
use std::fs;

/// The size of the big letter.
const BIG: usize = 30 * 1024 * 1024;
/// How much memory it may cost at most, in KiB: a packet of the milter has up to 64 KiB, and buffers
/// and allocators round up.
const MAY_COST: u64 = 2 * 1024;

/// All of them.
pub(crate) fn tries<'t>(lab: &'t GateLab, key: &'t LabKey) -> Vec<Try<'t>> {
    let with_tls =
        |name: &'static str, shows: fn(&GateLab) -> Result<Client, LabError>, tag| -> Try<'t> {
            (
                name,
                Box::new(move || {
                    let mut client = shows(lab)?;
                    let octets = signed(key, STRICT, &letter(STRICT, name));
                    send(lab, &mut client, name, &octets, tag)
                }),
            )
        };
    vec![
        with_tls("tls", |lab| lab.connect_with_tls(STRICT.server, Shows::Nothing), "tls=encrypted"),
        with_tls(
            "tls-with-certificate",
            |lab| {
                let names = ["mail.strict.test".to_owned()];
                let identity = lab.authority.issue(&names, Validity::Always)?;
                lab.connect_with_tls(STRICT.server, Shows::Certificate(&identity))
            },
            "tls=authenticated",
        ),
        ("thirty-megabytes", Box::new(move || thirty_megabytes(lab, key))),
    ]
}

/// Sends the letter, which must arrive with the tag in its verdict.
fn send(
    lab: &GateLab,
    client: &mut Client,
    name: &str,
    octets: &[u8],
    tag: &str,
) -> Result<Check, LabError> {
    let to = format!("{name}@ours.test");
    let envelope = Envelope { helo: "mail.strict.test", mail_from: "author@strict.test", to: &to };
    let reply = client.letter(&envelope, octets).map_err(LabError::io("sending a letter"))?;
    let Some(id) = reply.queue_id() else {
        return Ok(Err(format!("expected a letter that is taken, found {reply:?}")));
    };
    if lab.place(id)? == Place::Hold {
        return Ok(Err("expected it delivered, found it held".to_owned()));
    }
    let letters = lab.mailbox(&to)?;
    let verdicts: Vec<String> =
        letters.iter().flat_map(|letter| letter.values(verdict::FIELD)).collect();
    Ok(match verdicts.as_slice() {
        [found] if found.contains(&format!("; {tag};")) && found.contains("; identified=yes;") => {
            Ok(tag.to_owned())
        }
        found => Err(format!("expected one letter with {tag}, found {found:?}")),
    })
}

fn thirty_megabytes(lab: &GateLab, key: &LabKey) -> Result<Check, LabError> {
    let name = "thirty-megabytes";
    let line = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.  \r\n".as_bytes();
    let letter = [letter(STRICT, name), line.repeat(BIG / line.len())].concat();
    let octets = signed(key, STRICT, &letter);
    let Some(pid) = lab.waxseal.as_ref().map(|waxseal| waxseal.pid()) else {
        return Ok(Err("Waxseal does not run".to_owned()));
    };
    // From now on the peak is counted anew (proc(5), /proc/PID/clear_refs).
    let path = format!("/proc/{pid}/clear_refs");
    fs::write(&path, "5").map_err(LabError::io(path))?;
    let before = memory(pid, "VmRSS")?;
    let mut client = lab.connect(STRICT.server, Port::Smtp)?;
    let sent = send(lab, &mut client, name, &octets, "tls=none")?;
    let cost = memory(pid, "VmHWM")?.saturating_sub(before);
    Ok(sent.and_then(|_| match cost > MAY_COST {
        true => Err(format!("expected at most {MAY_COST} KiB more memory, found {cost}")),
        false => Ok(format!("{cost} KiB more memory")),
    }))
}

/// A line of `/proc/PID/status`, in KiB.
fn memory(pid: u32, name: &str) -> Result<u64, LabError> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(LabError::io(path.clone()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| LabError::Unsupported(format!("{path}: expected {name}, found none")))
}
