//! Letters with too much of something: each ends in an answer that says so, and the next letter is
//! judged as usual. A letter that is big, and not too big, is in [`connections`](crate::connections).

use crate::case::{Case, Check, Expect, Marks};
use crate::incoming::{case, replaced};
use crate::raw::{Session, Try, is_as_signed, talking};
use e2e::error::LabError;
use e2e::gate::signature::{LabKey, Tags};
use e2e::gate::smtp::stuffed;
use e2e::gate::world::{STRANGER, STRICT, letter, signed, tags};
use e2e::gate::{GateLab, Port};

/// What Postfix takes: `message_size_limit`.
const POSTFIX_TAKES: usize = 52_428_800;

/// A field of so many octets is long; with a milter, Postfix cuts those above 60,000.
const LONG: usize = 50_000;

/// Letters that Postfix takes, and shows to Waxseal.
pub(crate) fn cases(key: &LabKey) -> Vec<Case> {
    let below = |name, fields: &str| {
        signed(key, STRICT, &[fields.as_bytes(), &letter(STRICT, name)].concat())
    };
    let own = |name, letter, expect| case(name, STRICT, STRICT.server, letter, expect);
    let by_stranger = |name, letter, expect| case(name, STRICT, STRANGER, letter, expect);
    let passes = || {
        let verdict = &["identified=yes", "by=strict.test", "dmarc=pass"];
        Expect::Delivered(Marks { verdict, ..Marks::default() })
    };
    let with_signatures = |name: &'static str, first: Tags<'_>, last: Tags<'_>| {
        let mut letter = key.sign(&last, &letter(STRICT, name));
        for _ in 0..30 {
            letter = key.sign(&Tags { selector: "nowhere", ..tags(STRICT) }, &letter);
        }
        key.sign(&first, &letter)
    };
    let (good, bad) = (tags(STRICT), Tags { selector: "nowhere", ..tags(STRICT) });
    let authors: Vec<String> = (0..2_000).map(|n| format!("a{n}@a{n}.test")).collect();
    let from = format!("From: {}\r\nSender: a@strict.test\r\n", authors.join(",\r\n "));
    let many_authors =
        replaced(&letter(STRICT, "many-authors"), "From: Author <author@strict.test>\r\n", &from);
    vec![
        own("long-field", below("long-field", &long_field(LONG)), passes()),
        own(
            "too-long-header",
            below("too-long-header", &long_field(LONG).repeat(24)),
            Expect::Refused(550, &["5.3.4", "header: expected at most 1048576 octets"]),
        ),
        own(
            "too-many-fields",
            below("too-many-fields", &"X-Field: x\r\n".repeat(2_000)),
            Expect::Refused(550, &["5.3.4", "header: expected at most 2000 fields"]),
        ),
        own("many-authors", signed(key, STRICT, &many_authors), Expect::Refused(550, &["5.6.0"])),
        by_stranger("many-signatures", with_signatures("many-signatures", good, bad), passes()),
        // Ten are looked at; whoever wants to pass shows a good one among them.
        by_stranger(
            "too-many-signatures",
            with_signatures("too-many-signatures", bad, good),
            Expect::Refused(550, &["5.7.26", "strict.test"]),
        ),
    ]
}

/// A field of so many octets, in lines that a mail server takes.
fn long_field(octets: usize) -> String {
    let line = format!("\r\n {}", "x".repeat(900));
    format!("X-Long:{}\r\n", line.repeat(octets / line.len()))
}

/// Letters that Postfix refuses by itself.
pub(crate) fn tries<'t>(lab: &'t GateLab, key: &'t LabKey) -> Vec<Try<'t>> {
    vec![
        ("oversized-announced", Box::new(move || announced(lab))),
        ("oversized", Box::new(move || oversized(lab, key))),
    ]
}

/// RFC 1870 §6.1: the client says how long its letter is.
fn announced(lab: &GateLab) -> Result<Check, LabError> {
    let mut session = Session::open(lab, STRICT.server, Port::Smtp)?;
    session.client.ask("EHLO mail.strict.test").map_err(talking)?;
    let path = format!("MAIL FROM:<author@strict.test> SIZE={}", POSTFIX_TAKES + 1);
    let reply = session.client.ask(&path).map_err(talking)?;
    Ok(match reply.code {
        552 => Ok(format!("552 {}", reply.text)),
        _ => Err(format!("expected 552, found {reply:?}")),
    })
}

/// It does not say it, and sends it. The next letter of the session is judged as any other.
fn oversized(lab: &GateLab, key: &LabKey) -> Result<Check, LabError> {
    let name = "oversized";
    let usual = letter(STRICT, name);
    let mut session = Session::open(lab, STRICT.server, Port::Smtp)?;
    session.begin(name)?;
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    let body = line.repeat(POSTFIX_TAKES / line.len() + 1);
    let refused = session.end(&stuffed(&[&usual, &body[..]].concat()))?;
    if refused.code != 552 {
        return Ok(Err(format!("expected 552, found {refused:?}")));
    }
    session.begin(name)?;
    let octets = stuffed(&signed(key, STRICT, &usual));
    let reply = session.end(octets.strip_suffix(b"\r\n").unwrap_or(&octets))?;
    Ok(session.arrived(name, &reply)?.and_then(|letter| {
        is_as_signed(&letter, &usual).map(|_| format!("552 {}; then delivered", refused.text))
    }))
}
