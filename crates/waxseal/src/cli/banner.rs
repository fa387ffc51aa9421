//! What `waxseal serve` prints at start: what is served, where the state lies, whether DNSSEC is
//! validated, and the lines that the mail server needs.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::config::Config;
use crate::listen::{ListenAddress, Role};
use crate::observe::Validation;
use crate::postfix::{self, Advice, Found};
use crate::sender::Sender;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const STRONG: Style = Style::new().bold();

/// The width of text for people.
const WIDTH: usize = 80;

pub(super) fn print(
    config: &Config,
    addresses: &[(Role, ListenAddress)],
    datagrams: &[ListenAddress],
    sender: &Sender,
    validation: &Validation,
) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{STRONG}waxseal {}{STRONG:#}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out)?;
    for (role, address) in addresses {
        writeln!(out, "  {:<11} {address}", purpose(*role))?;
    }
    for address in datagrams {
        writeln!(out, "  {:<11} {address}", "tlsrpt")?;
    }
    match sender.remembered().store() {
        Some(_) => writeln!(out, "  {:<11} {}", "state", config.state_dir.display())?,
        None => writeln!(out, "  {:<11} in memory only, for --resolver was given", "state")?,
    }
    let resolver = sender.observer().resolver.address();
    let (style, word) = match validation {
        Validation::Proved => (GOOD, "validates DNSSEC"),
        Validation::Plausible => (GOOD, "validates DNSSEC, as far as can be seen"),
        Validation::Unproved => (WARN, "not proved to validate DNSSEC"),
        Validation::Disproved { .. } | Validation::Untrusted { .. } => (BAD, "DANE IS OFF"),
    };
    writeln!(out, "  {:<11} {resolver} {style}{word}{style:#}", "resolver")?;
    if *validation != Validation::Proved {
        wrapped(&mut out, 14, &validation.to_string())?;
    }
    writeln!(out)?;
    print_postfix(&mut out, addresses)?;
    out.flush()
}

const fn purpose(role: Role) -> &'static str {
    match role {
        Role::Socketmap => "socketmap",
        Role::Http => "metrics",
        Role::Api => "decisions",
        Role::Line => "exim",
        Role::Milter => "milter",
        Role::Lmtp => "lmtp",
        Role::Smtp => "smtp",
        Role::Https => "posts",
        Role::TlsLines => "tls lines",
    }
}

fn print_postfix(out: &mut impl Write, addresses: &[(Role, ListenAddress)]) -> io::Result<()> {
    let maps = || addresses.iter().filter(|(role, _)| *role == Role::Socketmap).map(|(_, one)| one);
    let found = postfix::find();
    let asked = maps().find(|address| found.as_ref().is_some_and(|found| found.asks_at(address)));
    // TCP needs no care for the chroot of smtp(8).
    let tcp = || maps().find(|address| matches!(address, ListenAddress::Tcp(_)));
    let Some(listen) = asked.or_else(tcp).or_else(|| maps().next()) else { return Ok(()) };
    let Advice { lines, warnings } = postfix::advise(found.as_ref(), listen);
    match &found {
        Some(Found { version, .. }) => {
            let (major, minor, patch) = (version.0, version.1, version.2);
            write!(out, "Postfix {major}.{minor}.{patch} is on this machine. Its")?;
        }
        None => write!(out, "No Postfix was found on this machine. A recent one's")?,
    }
    if lines.is_empty() {
        writeln!(out, " {STRONG}main.cf{STRONG:#} needs nothing more.")?;
    } else {
        writeln!(out, " {STRONG}main.cf{STRONG:#} needs:")?;
        writeln!(out)?;
        lines.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
        writeln!(out)?;
        writeln!(out, "Then: postfix reload")?;
        writeln!(out, "Try:  postmap -q example.com socketmap:{}:QUERY", endpoint(listen))?;
    }
    let milters = || addresses.iter().filter(|(role, _)| *role == Role::Milter).map(|(_, one)| one);
    let tcp = milters().find(|address| matches!(address, ListenAddress::Tcp(_)));
    if let Some(milter) = tcp.or_else(|| milters().next()) {
        writeln!(out)?;
        writeln!(
            out,
            "To check what comes in and sign what goes out, {STRONG}main.cf{STRONG:#} needs:"
        )?;
        writeln!(out)?;
        writeln!(out, "  smtpd_milters = {}", endpoint(milter))?;
        writeln!(out, "  non_smtpd_milters = $smtpd_milters")?;
        writeln!(out, "  milter_default_action = tempfail")?;
    }
    for warning in &warnings {
        writeln!(out)?;
        wrapped(out, 2, &format!("{WARN}note{WARN:#} {warning}"))?;
    }
    writeln!(out)
}

/// As Postfix writes it.
fn endpoint(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => format!("inet:{address}"),
        ListenAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// Text in lines of at most [`WIDTH`] columns, `indent` columns from the left.
pub(super) fn wrapped(out: &mut impl Write, indent: usize, text: &str) -> io::Result<()> {
    write!(out, "{:indent$}", "")?;
    flow(out, indent, text)
}

/// Goes on in a line that has `indent` columns already.
pub(super) fn flow(out: &mut impl Write, indent: usize, text: &str) -> io::Result<()> {
    let mut column = indent;
    for (index, word) in text.split(' ').enumerate() {
        let width = anstream::adapter::strip_str(word).to_string().chars().count();
        if index > 0 && column + 1 + width > WIDTH {
            write!(out, "\n{:indent$}", "")?;
            column = indent;
        } else if index > 0 {
            write!(out, " ")?;
            column += 1;
        }
        write!(out, "{word}")?;
        column += width;
    }
    writeln!(out)
}
