//! One case of the lab: a protection, an attack, and what must come of it, in one text file.
//!
//! The file is written for a mail engineer, and read by two programs. The network test turns its
//! `[dns]` and `[https]` sections into zones and web servers, attacks, and counts letters. The
//! core test gives the same sections to the decision as answers, and compares the reply. So a case
//! that passes without network and fails with it (or the other way round) points at the layer.
//!
//! ```text
//! # Why this case exists, in a few lines.
//! protection: enforce
//! attack: starttls-stripped
//! domain: enforce-starttls-stripped.test
//!
//! [dns]
//! MX   enforce-starttls-stripped.test.     insecure  10 mx.enforce-starttls-stripped.test.
//! AAAA mx.enforce-starttls-stripped.test.  insecure  nodata
//!
//! [https]
//! 200 text/plain
//! | version: STSv1
//!
//! [expect]
//! QUERY: OK secure match=mx.enforce-starttls-stripped.test
//!   servername=hostname
//! QUERYwithTLSRPT: NOTFOUND
//! receiver: 0
//! rogue: 0
//! queue: 1
//! ```
//!
//! `[earlier dns]` and `[earlier https]` say what was true in the healthy time before, when the
//! policy was cached; what they leave out was the same as at delivery. A line that starts with
//! white space continues the one before, as in Postfix's `main.cf`. This module parses only; it
//! opens no file.

mod dns;
mod https;
mod words;

pub use dns::{Answer, DnsLine, Kind, Security};
pub use https::{HttpsAnswer, Obstacle};
pub use words::{Attack, Protection};

/// One parsed case.
#[derive(Debug, Clone)]
pub struct Case {
    /// The comment at the head of the file: why the case exists.
    pub readme: String,
    /// What the receiving domain publishes.
    pub protection: Protection,
    /// What the attacker on the path does.
    pub attack: Attack,
    /// The domain that the letter goes to, without the final dot.
    pub domain: String,
    /// What the sender's resolver says at delivery time.
    pub dns: Vec<DnsLine>,
    /// What the policy host says at delivery time; `None` when the domain has no policy host.
    pub https: Option<HttpsAnswer>,
    /// The healthy time before, when there was one.
    pub earlier: Option<Earlier>,
    /// What must come of it.
    pub expect: Expect,
}

/// What the world said in the healthy time, when the sender cached the policy.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// What the sender's resolver said.
    pub dns: Vec<DnsLine>,
    /// What the policy host said.
    pub https: Option<HttpsAnswer>,
}

/// What must come of a case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expect {
    /// The answer to Postfix's plain question, as it stands in the netstring.
    pub query: String,
    /// The answer to the question of Postfix 3.10 and later, with the attributes for TLSRPT.
    pub query_with_tlsrpt: String,
    /// What Postfix's log must say about the delivery; `None` when any reason is good.
    pub log: Option<String>,
    /// Letters at the real receiver.
    pub receiver: usize,
    /// Letters at the rogue: what the attacker could read.
    pub rogue: usize,
    /// Letters that wait in the sender's queue.
    pub queue: usize,
    /// What Waxseal must find when it looks at the mail server itself, as it does in mode testing:
    /// a result type of RFC 8460; `None` when it need not find anything.
    pub probe: Option<String>,
}

/// A case file that cannot be read: the line, what was found there and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseError {
    /// Counted from 1; 0 when something is missing in the whole file.
    pub line: usize,
    /// What the line has.
    pub found: String,
    /// What it should have.
    pub expected: String,
}

impl std::fmt::Display for CaseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, found, expected } = self;
        match line {
            0 => write!(f, "expected {expected}, found {found}"),
            _ => write!(f, "line {line}: expected {expected}, found \"{found}\""),
        }
    }
}

impl std::error::Error for CaseError {}

/// A line of the file after continuation lines were joined.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    number: usize,
    text: String,
}

impl Line {
    fn error(&self, expected: impl Into<String>) -> CaseError {
        CaseError { line: self.number, found: self.text.clone(), expected: expected.into() }
    }
}

impl Case {
    /// Parses the text of a case file.
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        let sections = Sections::split(text)?;
        let head = Fields::parse(&sections.head, &["protection", "attack", "domain"])?;
        let dns = dns::parse(required(&sections.dns, "[dns]")?)?;
        let https = sections.https.as_deref().map(https::parse).transpose()?;
        let earlier_dns = sections.earlier_dns.as_deref().map(dns::parse).transpose()?;
        let earlier_https = sections.earlier_https.as_deref().map(https::parse).transpose()?;
        let earlier = match (earlier_dns, earlier_https) {
            (None, None) => None,
            (dns_before, https_before) => Some(Earlier {
                dns: dns_before.unwrap_or_else(|| dns.clone()),
                https: https_before.or_else(|| https.clone()),
            }),
        };
        Ok(Self {
            readme: readme(text),
            protection: head.value("protection", Protection::parse)?,
            attack: head.value("attack", Attack::parse)?,
            domain: head.value("domain", domain)?,
            dns,
            https,
            earlier,
            expect: expect(required(&sections.expect, "[expect]")?)?,
        })
    }

    /// The case's short name, and the place of its file: `enforce/starttls-stripped`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.protection, self.attack)
    }
}

/// The lines of each section.
#[derive(Default)]
struct Sections {
    head: Vec<Line>,
    dns: Option<Vec<Line>>,
    https: Option<Vec<Line>>,
    earlier_dns: Option<Vec<Line>>,
    earlier_https: Option<Vec<Line>>,
    expect: Option<Vec<Line>>,
}

impl Sections {
    fn split(text: &str) -> Result<Self, CaseError> {
        let mut sections = Self::default();
        let mut current = &mut sections.head;
        for (index, raw) in text.lines().enumerate() {
            let line = Line { number: index + 1, text: raw.trim().to_owned() };
            if line.text.is_empty() || line.text.starts_with('#') {
                continue;
            }
            if raw.starts_with([' ', '\t']) {
                let Some(previous) = current.last_mut() else {
                    return Err(line.error("a line that the white space can continue"));
                };
                previous.text = format!("{} {}", previous.text, line.text);
                continue;
            }
            if !line.text.starts_with('[') {
                current.push(line);
                continue;
            }
            let section = match line.text.as_str() {
                "[dns]" => &mut sections.dns,
                "[https]" => &mut sections.https,
                "[earlier dns]" => &mut sections.earlier_dns,
                "[earlier https]" => &mut sections.earlier_https,
                "[expect]" => &mut sections.expect,
                _ => {
                    return Err(
                        line.error("[dns], [https], [earlier dns], [earlier https] or [expect]")
                    );
                }
            };
            if section.is_some() {
                return Err(line.error("each section once"));
            }
            current = section.insert(Vec::new());
        }
        Ok(sections)
    }
}

fn required<'a>(section: &'a Option<Vec<Line>>, name: &str) -> Result<&'a [Line], CaseError> {
    section.as_deref().ok_or_else(|| CaseError {
        line: 0,
        found: "no such section".to_owned(),
        expected: format!("a section {name}"),
    })
}

/// `name: value` lines, each name once.
struct Fields<'a> {
    fields: Vec<(&'a Line, &'a str, &'a str)>,
}

impl<'a> Fields<'a> {
    fn parse(lines: &'a [Line], names: &[&str]) -> Result<Self, CaseError> {
        let mut fields = Vec::<(&Line, &str, &str)>::new();
        for line in lines {
            let Some((name, value)) = line.text.split_once(':') else {
                return Err(line.error("\"name: value\""));
            };
            if !names.contains(&name) {
                return Err(line.error(format!("one of the names {}", names.join(", "))));
            }
            if fields.iter().any(|(_, earlier, _)| *earlier == name) {
                return Err(line.error(format!("{name} once")));
            }
            fields.push((line, name, value.trim()));
        }
        Ok(Self { fields })
    }

    fn optional<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, CaseError> {
        let Some((line, _, value)) = self.fields.iter().find(|(_, found, _)| *found == name) else {
            return Ok(None);
        };
        parse(value).map(Some).map_err(|expected| line.error(expected))
    }

    fn value<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, CaseError> {
        self.optional(name, parse)?.ok_or_else(|| CaseError {
            line: 0,
            found: "no such line".to_owned(),
            expected: format!("a line \"{name}: …\""),
        })
    }
}

fn expect(lines: &[Line]) -> Result<Expect, CaseError> {
    let names = ["QUERY", "QUERYwithTLSRPT", "log", "receiver", "rogue", "queue", "probe"];
    let fields = Fields::parse(lines, &names)?;
    Ok(Expect {
        query: fields.value("QUERY", answer)?,
        query_with_tlsrpt: fields.value("QUERYwithTLSRPT", answer)?,
        log: fields.optional("log", |value| Ok(value.to_owned()))?,
        receiver: fields.value("receiver", count)?,
        rogue: fields.value("rogue", count)?,
        queue: fields.value("queue", count)?,
        probe: fields.optional("probe", |value| Ok(value.to_owned()))?,
    })
}

/// `NOTFOUND` and `TEMP` stand alone: what follows them is for people.
fn answer(value: &str) -> Result<String, String> {
    match value {
        "NOTFOUND" | "TEMP" => Ok(value.to_owned()),
        _ if value.starts_with("OK ") => Ok(value.to_owned()),
        _ => Err("NOTFOUND, TEMP or \"OK <level> <attributes>\"".to_owned()),
    }
}

fn count(value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| "a number of letters".to_owned())
}

fn domain(value: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    match !value.is_empty() && !value.ends_with('.') && value.chars().all(good) {
        true => Ok(value.to_owned()),
        false => Err("a domain in lower case without a final dot".to_owned()),
    }
}

/// The comment lines at the head of the file, without their signs.
fn readme(text: &str) -> String {
    let comment = text.lines().take_while(|line| line.starts_with('#'));
    comment.map(|line| line.trim_start_matches('#').trim()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
