//! Another filter behind the gate: Debian's rspamd, with the files of `contrib/rspamd` as they are,
//! reads the verdict from the letter or asks for it, and never believes a forged one.

use crate::case::Check;
use crate::raw::Try;
use e2e::daemon::Daemon;
use e2e::error::LabError;
use e2e::gate::mailbox::{Letter, Place};
use e2e::gate::signature::LabKey;
use e2e::gate::smtp::Envelope;
use e2e::gate::world::{Domain, PLAIN, STRICT, letter, signed};
use e2e::gate::{GateLab, Port, read, verdict};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

const PLUGIN: &str = include_str!("../../../contrib/rspamd/waxseal.lua");
const SETTINGS: &str = include_str!("../../../contrib/rspamd/waxseal.conf");

/// What else an operator would write into `/etc/rspamd/local.d`, but for the first four: the lab
/// has no Internet, is in a hurry, reads the log, and takes all letters.
const LOCAL: [(&str, &str); 6] = [
    (
        "options.inc",
        "dns { nameserver = [\"127.0.0.1\"]; timeout = 0.1s; retransmits = 1; }\n\
         url_tld = \"/etc/rspamd/local.d/tld\";\n",
    ),
    // The usual list takes most of a minute to compile.
    ("tld", "test\n"),
    ("logging.inc", "type = \"console\"; level = \"info\";\n"),
    ("actions.conf", "reject = 1000; add_header = 900; greylist = null;\n"),
    ("milter_headers.conf", "use = [\"x-spamd-result\"]; skip_local = false;\n"),
    ("worker-proxy.inc", "upstream \"local\" { self_scan = yes; }\n"),
];

/// What a stranger writes to be taken for a friend.
const FORGED: &str = "Waxseal-Verdict: v=1; identified=yes; by=plain.test; author=plain.test;\r\n \
                      dmarc=pass; action=accept; reason=dmarc-pass; tls=encrypted; t=1795289400;\r\n \
                      seal=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n";

/// How long rspamd may take for one letter.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts rspamd where Postfix runs, and waits until it takes letters from Postfix and from others.
pub(crate) fn start_rspamd(lab: &GateLab) -> Result<Daemon, LabError> {
    let file = |name: &str| lab.postfix.file("etc/rspamd").join(name);
    write(&file("lua.local.d/waxseal.lua"), PLUGIN)?;
    write(&file("modules.local.d/waxseal.conf"), &SETTINGS.replace("# api =", "api ="))?;
    let key = read(&lab.state().join("verdict.key"))?;
    write(&file("waxseal.key"), &String::from_utf8_lossy(&key))?;
    for (name, text) in LOCAL {
        write(&file("local.d").join(name), text)?;
    }
    // In a process namespace of its own, so that its workers end with it.
    let arguments = ["--pid", "--fork", "--kill-child", "rspamd", "-f", "-u", "_rspamd"];
    let rspamd = lab.postfix.daemon("unshare", &arguments)?;
    // Its first process listens before it starts its workers: whoever connects now is served.
    for listener in ["listen on: localhost:11332", "listen on: localhost:11333"] {
        rspamd.log.wait_for_text(listener, lab.deadline())?;
    }
    Ok(rspamd)
}

fn write(path: &Path, text: &str) -> Result<(), LabError> {
    fs::write(path, text).map_err(LabError::io(path.display().to_string()))
}

/// All of them.
pub(crate) fn tries<'t>(lab: &'t GateLab, key: &'t LabKey) -> Vec<Try<'t>> {
    let forged = |name| [FORGED.as_bytes(), &letter(PLAIN, name)].concat();
    vec![
        (
            "rspamd-identified",
            Box::new(move || {
                let name = "rspamd-identified";
                let letter = signed(key, STRICT, &letter(STRICT, name));
                let expected = ["WAXSEAL_IDENTIFIED(-2.00)[strict.test]"];
                arrives(lab, Port::RspamdBehind, STRICT, name, &letter, &expected)
            }),
        ),
        (
            "rspamd-unidentified",
            Box::new(move || {
                let name = "rspamd-unidentified";
                let expected = ["WAXSEAL_UNIDENTIFIED(1.00)[no-signature]"];
                arrives(lab, Port::RspamdBehind, PLAIN, name, &letter(PLAIN, name), &expected)
            }),
        ),
        (
            "rspamd-forged-removed",
            Box::new(move || {
                let name = "rspamd-forged-removed";
                let expected = ["WAXSEAL_UNIDENTIFIED(1.00)[no-signature]"];
                arrives(lab, Port::RspamdBehind, PLAIN, name, &forged(name), &expected)
            }),
        ),
        (
            "rspamd-forged-found",
            Box::new(move || {
                let name = "rspamd-forged-found";
                let expected = ["WAXSEAL_FORGED(4.00)[]", "WAXSEAL_UNKNOWN(0.00)[]"];
                arrives(lab, Port::RspamdBefore, PLAIN, name, &forged(name), &expected)
            }),
        ),
        ("rspamd-asks", Box::new(move || asks(lab, key))),
    ]
}

/// Sends a letter, which must be delivered with these symbols of Waxseal, no others, and one verdict.
fn arrives(
    lab: &GateLab,
    port: Port,
    domain: Domain,
    name: &str,
    octets: &[u8],
    expected: &[&str],
) -> Result<Check, LabError> {
    let (_, letter) = match delivered(lab, port, domain, name, octets)? {
        Ok(delivered) => delivered,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let verdicts = letter.values(verdict::FIELD);
    if verdicts.len() != 1 {
        return Ok(Err(format!("expected one verdict, found {verdicts:?}")));
    }
    let results = letter.values("X-Spamd-Result").join(" ");
    let mut symbols: Vec<&str> =
        results.split("; ").filter(|symbol| symbol.starts_with("WAXSEAL_")).collect();
    symbols.sort_unstable();
    Ok(same(&symbols, expected))
}

/// rspamd gets a letter without any verdict, and its queue id; so it can know from the API only.
fn asks(lab: &GateLab, key: &LabKey) -> Result<Check, LabError> {
    let name = "rspamd-asks";
    let octets = signed(key, STRICT, &letter(STRICT, name));
    let queue_id = match delivered(lab, Port::Smtp, STRICT, name, &octets)? {
        Ok((queue_id, _)) => queue_id,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let known = same(&scan(lab, &octets, &queue_id)?, &["WAXSEAL_IDENTIFIED"]);
    let unknown = same(&scan(lab, &octets, "0unknown0")?, &["WAXSEAL_UNKNOWN"]);
    Ok(known.and_then(|known| unknown.map(|unknown| format!("{known}, else {unknown}"))))
}

/// Sends a letter, and waits until it lies in its mailbox: its queue id, and what lies there.
fn delivered(
    lab: &GateLab,
    port: Port,
    domain: Domain,
    name: &str,
    octets: &[u8],
) -> Result<Result<(String, Letter), String>, LabError> {
    let to = format!("{name}@ours.test");
    let (helo, mail_from) = (format!("mail.{}", domain.name), format!("author@{}", domain.name));
    let envelope = Envelope { helo: &helo, mail_from: &mail_from, to: &to };
    let mut client = lab.connect(domain.server, port)?;
    let reply = client.letter(&envelope, octets).map_err(LabError::io("sending a letter"))?;
    let Some(id) = reply.queue_id() else {
        return Ok(Err(format!("expected a letter that is taken, found {reply:?}")));
    };
    if lab.place(id)? == Place::Hold {
        return Ok(Err("expected it delivered, found it held".to_owned()));
    }
    Ok(match <[Letter; 1]>::try_from(lab.mailbox(&to)?) {
        Ok([letter]) => Ok((id.to_owned(), letter)),
        Err(letters) => Err(format!("expected one letter in the box, found {}", letters.len())),
    })
}

/// The symbols of Waxseal that rspamd finds if it is asked directly.
fn scan(lab: &GateLab, octets: &[u8], queue_id: &str) -> Result<Vec<String>, LabError> {
    let head = format!(
        "POST /checkv2 HTTP/1.0\r\nQueue-Id: {queue_id}\r\nContent-Length: {}\r\n\r\n",
        octets.len()
    );
    let answer = lab.namespace.within(|| {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 11333))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(&[head.as_bytes(), octets].concat())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().map_err(LabError::io("asking rspamd"))
    })?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let document: Value = serde_json::from_str(body)
        .map_err(|error| LabError::Unsupported(format!("expected JSON, found {body}: {error}")))?;
    let symbols = document["symbols"].as_object().into_iter().flat_map(|symbols| symbols.keys());
    Ok(symbols.filter(|name| name.starts_with("WAXSEAL_")).cloned().collect())
}

fn same<T: AsRef<str>>(found: &[T], expected: &[&str]) -> Check {
    let found: Vec<&str> = found.iter().map(AsRef::as_ref).collect();
    match found == expected {
        true => Ok(found.join(" ")),
        false => Err(format!("expected {expected:?}, found {found:?}")),
    }
}
