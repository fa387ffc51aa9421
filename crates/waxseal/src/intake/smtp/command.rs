//! One line that a client says (RFC 5321 §4.1.1, RFC 2033 §4), read.

use std::fmt;
use std::net::IpAddr;

/// How many octets a path may have: a local part of 64, an `@`, a domain of 255 (RFC 5321
/// §4.5.3.1), and some for a source route.
const MAX_PATH: usize = 512;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `HELO name`.
    Helo(String),
    /// `EHLO name`.
    Ehlo(String),
    /// `LHLO name` of LMTP.
    Lhlo(String),
    /// `MAIL FROM:<path>`.
    Mail {
        /// The return path; empty for a message about a message.
        path: String,
        /// What is said of the message.
        parameters: Parameters,
    },
    /// `RCPT TO:<path>`.
    Rcpt {
        /// The recipient, as it stands between the angle brackets.
        path: String,
    },
    /// `DATA`.
    Data,
    /// `RSET`.
    Rset,
    /// `NOOP`.
    Noop,
    /// `VRFY`.
    Vrfy,
    /// `QUIT`.
    Quit,
    /// `XFORWARD`: what the mail server in front knows of its client.
    Forward(Forwarded),
}

/// The parameters of `MAIL` that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// `SIZE=`: how many octets the message has (RFC 1870).
    pub size: Option<u64>,
    /// Whether there is `SMTPUTF8` (RFC 6531).
    pub is_utf8: bool,
}

/// What a mail server says of its client (Postfix `XFORWARD_README`). A later command adds to an
/// earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// `ADDR=`: from which address the message came.
    pub address: Option<IpAddr>,
    /// `HELO=`: by which name the client went.
    pub helo: Option<String>,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// There is no such command here.
    Unknown,
    /// The octets are no text.
    NotText,
    /// There is something else behind the command than it wants.
    Arguments,
    /// A parameter of `MAIL` or `RCPT` that was not offered.
    Parameter,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "command: expected one that was offered, found another",
            Self::NotText => "command: expected text, found other octets",
            Self::Arguments => "arguments: expected those of the command, found others",
            Self::Parameter => "parameter: expected one that was offered, found another",
        })
    }
}

impl std::error::Error for CommandError {}

impl Command {
    /// Reads a line, without the line end.
    ///
    /// # Errors
    /// [`CommandError`], which is the client's fault.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let text = std::str::from_utf8(line).map_err(|_| CommandError::NotText)?;
        if text.chars().any(char::is_control) {
            return Err(CommandError::NotText);
        }
        let text = text.trim_end_matches(' ');
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim_start_matches(' ');
        match verb.to_ascii_uppercase().as_str() {
            "HELO" => name(rest).map(Self::Helo),
            "EHLO" => name(rest).map(Self::Ehlo),
            "LHLO" => name(rest).map(Self::Lhlo),
            "MAIL" => {
                let (path, parameters) = path_of(rest, "FROM:")?;
                let parameters = Parameters::parse(parameters)?;
                Ok(Self::Mail { path: path.to_owned(), parameters })
            }
            "RCPT" => match path_of(rest, "TO:")? {
                (_, parameters) if !parameters.is_empty() => Err(CommandError::Parameter),
                ("", _) => Err(CommandError::Arguments),
                (path, _) => Ok(Self::Rcpt { path: path.to_owned() }),
            },
            "DATA" => alone(rest, Self::Data),
            "RSET" => alone(rest, Self::Rset),
            "QUIT" => alone(rest, Self::Quit),
            "NOOP" => Ok(Self::Noop),
            "VRFY" => Ok(Self::Vrfy),
            "XFORWARD" => Forwarded::parse(rest).map(Self::Forward),
            _ => Err(CommandError::Unknown),
        }
    }
}

fn alone(rest: &str, command: Command) -> Result<Command, CommandError> {
    if rest.is_empty() { Ok(command) } else { Err(CommandError::Arguments) }
}

/// The name behind a greeting: anything without spaces, for nothing hangs on it.
fn name(rest: &str) -> Result<String, CommandError> {
    let is_name = !rest.is_empty() && rest.len() <= 255 && !rest.contains(' ');
    if is_name { Ok(rest.to_owned()) } else { Err(CommandError::Arguments) }
}

/// RFC 5321 §4.1.2: `FROM:<path> parameters`. A space behind the colon is common and harmless. A
/// source route is passed over (§4.1.1.3, appendix C).
fn path_of<'t>(rest: &'t str, keyword: &str) -> Result<(&'t str, &'t str), CommandError> {
    let (found, rest) = rest.split_at_checked(keyword.len()).ok_or(CommandError::Arguments)?;
    if !found.eq_ignore_ascii_case(keyword) {
        return Err(CommandError::Arguments);
    }
    let rest = rest.trim_start_matches(' ').strip_prefix('<').ok_or(CommandError::Arguments)?;
    let end = end_of_path(rest).ok_or(CommandError::Arguments)?;
    let (path, rest) = rest.split_at(end);
    let parameters = rest.strip_prefix('>').unwrap_or(rest);
    if !(parameters.is_empty() || parameters.starts_with(' ')) || path.len() > MAX_PATH {
        return Err(CommandError::Arguments);
    }
    let path = match path.strip_prefix('@') {
        Some(route) => route.split_once(':').ok_or(CommandError::Arguments)?.1,
        None => path,
    };
    Ok((path, parameters.trim_start_matches(' ')))
}

/// Where the path ends; a `>` may stand within quotes.
fn end_of_path(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return Some(at),
            ' ' | '<' if !is_quoted => return None,
            _ => {}
        }
    }
    None
}

impl Parameters {
    fn parse(text: &str) -> Result<Self, CommandError> {
        let mut parameters = Self::default();
        for parameter in text.split(' ').filter(|one| !one.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match (name.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
                ("SIZE", digits) => {
                    let is_number = (1..=20).contains(&digits.len())
                        && digits.bytes().all(|octet| octet.is_ascii_digit());
                    if !is_number {
                        return Err(CommandError::Arguments);
                    }
                    parameters.size = Some(digits.parse().unwrap_or(u64::MAX));
                }
                // RFC 6152: nothing is changed on the way, whatever it is.
                ("BODY", "7BIT" | "8BITMIME") => {}
                ("SMTPUTF8", "") => parameters.is_utf8 = true,
                _ => return Err(CommandError::Parameter),
            }
        }
        Ok(parameters)
    }
}

impl Forwarded {
    fn parse(text: &str) -> Result<Self, CommandError> {
        let mut forwarded = Self::default();
        for attribute in text.split(' ').filter(|one| !one.is_empty()) {
            let (name, value) = attribute.split_once('=').ok_or(CommandError::Arguments)?;
            let value = xtext(value).ok_or(CommandError::Arguments)?;
            let is_known = !value.eq_ignore_ascii_case("[UNAVAILABLE]")
                && !value.eq_ignore_ascii_case("[TEMPUNAVAIL]");
            match name.to_ascii_uppercase().as_str() {
                "ADDR" if is_known => {
                    let (head, rest) = value.split_at_checked(5).unwrap_or(("", &value));
                    let address = if head.eq_ignore_ascii_case("IPV6:") { rest } else { &value };
                    forwarded.address = address.parse().ok();
                }
                "HELO" if is_known && value.len() <= 255 => forwarded.helo = Some(value),
                "NAME" | "ADDR" | "PORT" | "PROTO" | "HELO" | "IDENT" | "SOURCE" => {}
                _ => return Err(CommandError::Parameter),
            }
        }
        Ok(forwarded)
    }

    /// Adds what a later command says.
    pub(super) fn add(&mut self, later: Self) {
        self.address = later.address.or(self.address);
        self.helo = later.helo.or_else(|| self.helo.take());
    }
}

/// RFC 3461 §4: `+` and two hexadecimal digits stand for an octet.
fn xtext(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'+' {
            octets.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = behind;
    }
    let text = String::from_utf8(octets).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(line: &str, expected: &Command) {
        assert_eq!(Command::parse(line.as_bytes()).as_ref(), Ok(expected), "{line}");
    }

    fn bad(line: &[u8], expected: CommandError) {
        let shown = line.escape_ascii();
        assert_eq!(Command::parse(line), Err(expected), "{shown}");
    }

    fn mail(path: &str, size: Option<u64>, is_utf8: bool) -> Command {
        Command::Mail { path: path.to_owned(), parameters: Parameters { size, is_utf8 } }
    }

    #[test]
    fn commands() {
        good("EHLO mx.test", &Command::Ehlo("mx.test".into()));
        good("lhlo [192.0.2.1] ", &Command::Lhlo("[192.0.2.1]".into()));
        good("MAIL FROM:<>", &mail("", None, false));
        good("mail from: <a@b.test> size=100 BODY=8bitmime", &mail("a@b.test", Some(100), false));
        good("MAIL FROM:<ü@b.test> SMTPUTF8", &mail("ü@b.test", None, true));
        good("MAIL FROM:<\"a> b\"@b.test>", &mail("\"a> b\"@b.test", None, false));
        good("RCPT TO:<@a,@b:c@d.test>", &Command::Rcpt { path: "c@d.test".into() });
        good("NOOP whatever", &Command::Noop);
        good("quit", &Command::Quit);
        let forwarded =
            Forwarded { address: "2001:db8::1".parse().ok(), helo: Some("mx+test".into()) };
        good(
            "XFORWARD NAME=[UNAVAILABLE] ADDR=IPv6:2001:db8::1 HELO=mx+2Btest",
            &Command::Forward(forwarded),
        );
    }

    #[test]
    fn what_is_none() {
        bad(b"", CommandError::Unknown);
        bad(b"STARTTLS", CommandError::Unknown);
        bad(b"EHLO", CommandError::Arguments);
        bad(b"MAIL FROM:a@b.test", CommandError::Arguments);
        bad(b"MAIL FROM:<a@b.test", CommandError::Arguments);
        bad(b"MAIL FROM:<a@b.test>SIZE=1", CommandError::Arguments);
        bad(b"MAIL FROM:<a@b.test> SIZE=-1", CommandError::Arguments);
        bad(b"MAIL FROM:<a@b.test> AUTH=<>", CommandError::Parameter);
        bad(b"RCPT TO:<>", CommandError::Arguments);
        bad(b"RCPT TO:<a@b.test> NOTIFY=NEVER", CommandError::Parameter);
        bad(b"DATA now", CommandError::Arguments);
        bad(b"RCPT TO:<a\x00b@c.test>", CommandError::NotText);
        bad(b"RCPT TO:<\xFF@c.test>", CommandError::NotText);
        bad(b"XFORWARD ADDR", CommandError::Arguments);
        bad(b"XFORWARD HELO=+0", CommandError::Arguments);
        bad(b"XFORWARD HELO=+0D+0A", CommandError::Arguments);
    }
}
