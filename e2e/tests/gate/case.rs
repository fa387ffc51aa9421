//! A case: a letter, who brings it, and what must become of it; and how it is tried.

use e2e::error::LabError;
use e2e::gate::mailbox::{Letter, Place};
use e2e::gate::smtp::{Envelope, Reply};
use e2e::gate::{GateLab, Port, verdict};
use serde_json::Value;
use std::net::Ipv4Addr;

/// What was seen, for people; or what is wrong.
pub(crate) type Check = Result<String, String>;

/// A letter with its fate.
pub(crate) struct Case {
    /// Its name, and the name of its mailbox.
    pub(crate) name: &'static str,
    /// Where the client stands.
    pub(crate) from: Ipv4Addr,
    /// Where it connects to.
    pub(crate) port: Port,
    /// What it says that it is called.
    pub(crate) helo: &'static str,
    /// The return path.
    pub(crate) mail_from: &'static str,
    /// The letter, lines ended by CRLF.
    pub(crate) letter: Vec<u8>,
    /// What must become of it.
    pub(crate) expect: Expect,
}

/// What must become of a letter.
pub(crate) enum Expect {
    /// It lies in its mailbox, with these marks.
    Delivered(Marks),
    /// It lies in quarantine, with these marks.
    Held(Marks),
    /// It was not taken, and the answer has this code and says all of this.
    Refused(u16, &'static [&'static str]),
}

/// What Waxseal must have written into a letter.
#[derive(Default)]
pub(crate) struct Marks {
    /// Tags of `Waxseal-Verdict`; one that begins with `!` must not be there.
    pub(crate) verdict: &'static [&'static str],
    /// Parts of our `Authentication-Results`.
    pub(crate) results: &'static [&'static str],
    /// Values that the letter must have as its `Authentication-Results` besides ours, and no others.
    pub(crate) other_results: &'static [&'static str],
}

impl Case {
    /// Sends the letter, and compares what became of it with what must.
    pub(crate) fn run(&self, lab: &GateLab) -> Result<Check, LabError> {
        let to = format!("{}@ours.test", self.name);
        let envelope = Envelope { helo: self.helo, mail_from: self.mail_from, to: &to };
        let mut client = lab.connect(self.from, self.port)?;
        let reply = client.letter(&envelope, &self.letter);
        let reply = reply.map_err(LabError::io(format!("sending {}", self.name)))?;
        Ok(match (&self.expect, reply.queue_id()) {
            (Expect::Refused(code, says), _) => refused(&reply, *code, says),
            (Expect::Delivered(_) | Expect::Held(_), None) => {
                Err(format!("expected a letter that is taken, found {} {}", reply.code, reply.text))
            }
            (Expect::Delivered(marks), Some(id)) => match lab.place(id)? {
                Place::Hold => {
                    Err(format!("expected it delivered, found it held: {}", held(lab, id)?))
                }
                Place::Mailbox => match lab.mailbox(&to)?.as_slice() {
                    [letter] => self.marked(lab, id, letter, marks)?,
                    letters => {
                        Err(format!("expected 1 letter in the box, found {}", letters.len()))
                    }
                },
            },
            (Expect::Held(marks), Some(id)) => match lab.place(id)? {
                Place::Mailbox => Err("expected it held, found it delivered".to_owned()),
                Place::Hold => {
                    let letter = Letter::read(lab.queued(id)?.as_bytes());
                    self.marked(lab, id, &letter, marks)?
                }
            },
        })
    }

    /// Compares a letter that was taken: what Waxseal wrote into it, what the API says of it, and
    /// that nothing else has changed.
    fn marked(
        &self,
        lab: &GateLab,
        queue_id: &str,
        letter: &Letter,
        marks: &Marks,
    ) -> Result<Check, LabError> {
        let check = || -> Result<String, String> {
            let verdicts = letter.values(verdict::FIELD);
            let [found] = verdicts.as_slice() else {
                return Err(format!("expected one {}, found {verdicts:?}", verdict::FIELD));
            };
            has_tags(found, marks.verdict)?;
            let results = letter.values("Authentication-Results");
            let Some((ours, others)) = results.split_first() else {
                return Err("expected Authentication-Results, found none".to_owned());
            };
            if !ours.starts_with("mx.ours.test; ") {
                return Err(format!("expected the results of mx.ours.test on top, found {ours}"));
            }
            for part in marks.results {
                if !ours.contains(part) {
                    return Err(format!("expected \"{part}\", found {ours}"));
                }
            }
            if others != marks.other_results {
                return Err(format!(
                    "expected {:?} below ours, found {others:?}",
                    marks.other_results
                ));
            }
            is_unchanged(&self.letter, letter)?;
            Ok(found.clone())
        };
        let found = match check() {
            Ok(found) => found,
            wrong => return Ok(wrong),
        };
        if !verdict::is_sealed(&verdict::key(lab)?, &found, letter) {
            return Ok(Err(format!("expected a seal that fits, found {found}")));
        }
        let (status, document) = verdict::ask(lab, &format!("/v1/verdict?id={queue_id}"))?;
        Ok(agrees(&found, &status, &document).map(|()| summary(&found)))
    }
}

fn refused(reply: &Reply, code: u16, says: &[&str]) -> Check {
    let one_line = reply.text.replace('\n', " | ");
    if reply.code != code {
        return Err(format!("expected {code}, found {} {one_line}", reply.code));
    }
    match says.iter().find(|part| !reply.text.contains(**part)) {
        Some(part) => Err(format!("expected \"{part}\" in the answer, found {one_line}")),
        None => Ok(format!("{code} {}", one_line.chars().take(90).collect::<String>())),
    }
}

fn held(lab: &GateLab, id: &str) -> Result<String, LabError> {
    let letter = Letter::read(lab.queued(id)?.as_bytes());
    Ok(letter.values(verdict::FIELD).join(" | "))
}

/// The tags but for the numbers, short enough for a line.
fn summary(found: &str) -> String {
    let tags = found
        .split("; ")
        .filter(|tag| !["v=", "t=", "seal=", "author="].iter().any(|start| tag.starts_with(start)));
    tags.collect::<Vec<_>>().join(" ")
}

fn has_tags(found: &str, expected: &[&str]) -> Result<(), String> {
    let tags: Vec<&str> = found.split("; ").collect();
    for tag in expected {
        let (tag, wanted) = tag.strip_prefix('!').map_or((*tag, true), |tag| (tag, false));
        if tags.contains(&tag) != wanted {
            let not = if wanted { "" } else { "not " };
            return Err(format!("expected {not}\"{tag}\", found {found}"));
        }
    }
    Ok(())
}

/// The letter must have arrived as it was sent, with fields above it, and without those that Waxseal
/// must remove.
fn is_unchanged(sent: &[u8], arrived: &Letter) -> Result<(), String> {
    let sent = Letter::read(&sent.iter().copied().filter(|o| *o != b'\r').collect::<Vec<_>>());
    let removed = |field: &&String| {
        let name = field.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        !["waxseal-verdict", "authentication-results"].contains(&&*name)
    };
    let kept: Vec<&String> = sent.fields.iter().filter(removed).collect();
    let found: Vec<&String> = arrived.fields.iter().filter(removed).collect();
    if !found.ends_with(&kept) {
        return Err(format!("expected the fields {kept:?} at the end, found {found:?}"));
    }
    if arrived.body != sent.body {
        let (sent, arrived) = (&sent.body, &arrived.body);
        let at = sent.iter().zip(arrived).position(|(one, other)| one != other);
        return Err(format!("the body has changed at octet {at:?}"));
    }
    Ok(())
}

/// The document of the API and the field in the letter must say the same.
fn agrees(found: &str, status: &str, document: &str) -> Result<(), String> {
    if !status.contains(" 200 ") {
        return Err(format!("expected a verdict on the API, found {status}"));
    }
    let document: Value = serde_json::from_str(document)
        .map_err(|error| format!("expected JSON on the API, found {document}: {error}"))?;
    for tag in found.split("; ") {
        let Some((name, value)) = tag.split_once('=') else { continue };
        let said = match name {
            "v" | "seal" | "forwarded" | "warning" => continue,
            "t" => document["at"].to_string(),
            "tls" => document["tls"]["protection"].as_str().unwrap_or("?").to_owned(),
            "attachments" => match document["attachments"].as_array() {
                Some(kinds) => {
                    let kinds = kinds.iter().filter_map(Value::as_str);
                    kinds.collect::<Vec<_>>().join(",")
                }
                None => "?".to_owned(),
            },
            name => document[name].as_str().unwrap_or("?").to_owned(),
        };
        if said != value {
            return Err(format!("the letter says {tag}, the API says {said}"));
        }
    }
    Ok(())
}
