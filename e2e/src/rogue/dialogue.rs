//! As much of RFC 5321 and RFC 3207 as a server needs to be handed a letter.

use super::{Letter, Starttls};
use std::io::{self, BufRead, BufReader, Read, Write};

const LONGEST_LINE: u64 = 16 * 1024;

/// How a dialogue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client left, or went away.
    Quit,
    /// The client asked for TLS and was told to begin.
    StartTls,
}

/// Speaks with a client; `starttls` is `None` once TLS is up, when the server greets no more.
pub(super) fn converse<S: Read + Write>(
    stream: &mut S,
    starttls: Option<Starttls>,
    note: &impl Fn(String),
    keep: &impl Fn(Letter),
) -> io::Result<Ending> {
    let mut reader = BufReader::new(stream);
    let say = |reader: &mut BufReader<&mut S>, reply: &str| {
        note(format!("S: {}", reply.replace("\r\n", " / ")));
        reader.get_mut().write_all(format!("{reply}\r\n").as_bytes())?;
        reader.get_mut().flush()
    };
    if starttls.is_some() {
        say(&mut reader, "220 mx ESMTP")?;
    }
    let mut recipients = Vec::new();
    while let Some(command) = line(&mut reader)? {
        note(format!("C: {command}"));
        let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => say(&mut reader, &ehlo_reply(starttls))?,
            "STARTTLS" if starttls == Some(Starttls::Offered) => {
                say(&mut reader, "220 2.0.0 Ready to start TLS")?;
                return Ok(Ending::StartTls);
            }
            "RCPT" => {
                recipients.push(command);
                say(&mut reader, "250 2.1.5 Ok")?;
            }
            "DATA" => {
                say(&mut reader, "354 End data with <CR><LF>.<CR><LF>")?;
                let (text, end) = letter(&mut reader)?;
                // A letter that broke off half way was read half way: it counts.
                keep(Letter { recipients: std::mem::take(&mut recipients), text });
                match end {
                    LetterEnd::Dot => say(&mut reader, "250 2.0.0 Ok: now it is mine")?,
                    LetterEnd::Gone => break,
                }
            }
            "QUIT" => {
                say(&mut reader, "221 2.0.0 Bye")?;
                break;
            }
            "HELO" | "MAIL" | "RSET" | "NOOP" => say(&mut reader, "250 2.0.0 Ok")?,
            _ => say(&mut reader, "502 5.5.1 Unknown command")?,
        }
    }
    Ok(Ending::Quit)
}

fn ehlo_reply(starttls: Option<Starttls>) -> String {
    let keyword = match starttls {
        Some(Starttls::Offered) => "250-STARTTLS\r\n",
        Some(Starttls::Garbage) => "250-XXXXXXXX\r\n",
        Some(Starttls::Stripped) | None => "",
    };
    format!("250-mx\r\n{keyword}250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
}

/// One line without its end; `None` when the client has gone.
fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    match reader.take(LONGEST_LINE).read_until(b'\n', &mut bytes)? {
        0 => Ok(None),
        _ => Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())),
    }
}

/// How a letter ended.
enum LetterEnd {
    /// By the line with a single dot.
    Dot,
    /// The client went away in the middle.
    Gone,
}

fn letter(reader: &mut impl BufRead) -> io::Result<(String, LetterEnd)> {
    let mut text = String::new();
    while let Some(line) = line(reader)? {
        if line == "." {
            return Ok((text, LetterEnd::Dot));
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
    Ok((text, LetterEnd::Gone))
}
