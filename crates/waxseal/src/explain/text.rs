//! The form for people: 80 columns, what matters first.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::document::{Document, HostPart, LookUpPart};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

const WIDTH: usize = 80;
const LABEL: usize = 12;

/// The explanation as text with styles; whoever prints strips the styles where there is no
/// terminal. `look_ups` adds every question with its answer.
#[must_use]
pub fn render(document: &Document, look_ups: bool) -> String {
    let mut page = Page(String::new());
    let (style, meaning) = verdict(&document.decision);
    page.line(&format!("{STRONG}{}{STRONG:#}", document.next_hop));
    page.wrapped("  ", 2, &format!("{style}{}{style:#}: {meaning}", document.decision));
    page.blank();
    for (index, reason) in document.reasons.iter().enumerate() {
        page.paragraph(if index == 0 { "Why" } else { "" }, &reason.text);
    }
    page.blank();
    hosts(&mut page, document);
    sts(&mut page, document);
    for (index, one) in document.facts.disagreements.iter().enumerate() {
        let label = if index == 0 { "Alarm" } else { "" };
        page.paragraph(label, &format!("{WARN}{}{WARN:#}: {}", one.code, one.text));
    }
    if let Some(since) = &document.facts.disagreement_since {
        page.paragraph("", &format!("{DIM}since {since}{DIM:#}"));
    }
    if !document.facts.result_types.is_empty() {
        page.paragraph(
            "Report",
            &format!("result types: {}", document.facts.result_types.join(", ")),
        );
    }
    page.blank();
    page.line(&format!("{STRONG}Postfix is told{STRONG:#}"));
    for (map, reply) in &document.replies {
        page.wrapped(&format!("  {map:<16} "), 19, reply.trim_end());
    }
    page.blank();
    let resolver = &document.resolver;
    let style = if resolver.believed { DIM } else { BAD };
    page.paragraph("Resolver", &format!("{}: {style}{}{style:#}", resolver.address, resolver.text));
    let source = match document.source.as_str() {
        "daemon" => "by the running daemon, with what it remembers",
        _ => "by an own look-up, without memory",
    };
    let fresh = span(document.fresh_for);
    page.paragraph("Evaluated", &format!("{} {source}; good for {fresh}", document.at));
    if look_ups {
        page.blank();
        page.line(&format!("{STRONG}Look-ups{STRONG:#}"));
        document.look_ups.iter().for_each(|look_up| look_up_lines(&mut page, look_up));
    }
    page.0
}

/// What a decision means for the mail.
fn verdict(decision: &str) -> (Style, &'static str) {
    match decision {
        "dane-only" => (GOOD, "only hosts that match their TLSA records get mail"),
        "secure" => (GOOD, "only hosts of the policy with a trusted certificate get mail"),
        "dane" => (WARN, "hosts with TLSA records must match; others get mail as before"),
        "defer" => (BAD, "mail waits, until what must be known can be found out"),
        "none" => (DIM, "no policy: the mail server's own default applies"),
        _ => (WARN, "fixed by the operator"),
    }
}

fn hosts(page: &mut Page, document: &Document) {
    let Some(mx) = &document.facts.mx else { return };
    let state = mx.dnssec.as_deref().unwrap_or("");
    let found = match mx.lookup.as_str() {
        "records" => {
            let count = counted(mx.hosts.len() + mx.hosts_left_out, "host");
            format!("{count}, MX records {state}")
        }
        "implicit" => format!("no MX records ({state}): the domain is its own host"),
        "smart-host" => "a smart host: no MX look-up".to_owned(),
        "null" => "null MX: the domain takes no mail".to_owned(),
        "no-such-domain" => format!("the domain does not exist ({state})"),
        _ => mx.failure.clone().unwrap_or_default(),
    };
    page.paragraph("Hosts", &found);
    for host in &mx.hosts {
        page.paragraph("", &host_line(host));
    }
}

fn host_line(host: &HostPart) -> String {
    let style = match host.dane.as_str() {
        "usable" => GOOD,
        "failed" => BAD,
        "unusable" => WARN,
        _ => DIM,
    };
    let sts = match host.sts_match {
        Some(true) => "",
        Some(false) => ", not allowed by the MTA-STS policy",
        None => "",
    };
    format!("{:>5} {}  {style}{}{style:#}{sts}", host.preference, host.host, host.detail)
}

fn sts(page: &mut Page, document: &Document) {
    let Some(sts) = &document.facts.sts else { return };
    let text = match (&sts.mode, &sts.record_failure) {
        (Some(mode), _) => {
            let style = if mode == "enforce" { GOOD } else { DIM };
            let id = sts.id.as_deref().unwrap_or_default();
            let source = match sts.source.as_deref() {
                Some("live") => "fetched now",
                Some("cache") => "remembered, id unchanged",
                _ => "remembered; not to be had today",
            };
            let kept = sts.max_age.map(span).unwrap_or_default();
            let patterns = sts.mx.join(" ");
            format!("{style}{mode}{style:#}, id {id}, kept for {kept} ({source}); mx: {patterns}")
        }
        (None, Some(failure)) => failure.clone(),
        (None, None) => "a record, and no policy".to_owned(),
    };
    page.paragraph("MTA-STS", &text);
    if let Some(failure) = &sts.fetch_failure {
        page.paragraph("", &format!("{WARN}fetch{WARN:#}: {failure}"));
    }
    if let Some(kept) = &document.facts.remembered {
        let state = if kept.binds { "binds until" } else { "expired" };
        let mut text = format!(
            "{DIM}remembered: fetched {} ago, {state} {}{DIM:#}",
            span(kept.age),
            kept.expires
        );
        if kept.failures > 0 {
            let why = kept.last_error.as_deref().unwrap_or_default();
            let _ = write!(text, "; {WARN}{} refreshes failed{WARN:#}: {why}", kept.failures);
        }
        page.paragraph("", &text);
    }
}

fn look_up_lines(page: &mut Page, look_up: &LookUpPart) {
    let state = look_up.dnssec.as_deref().map(|state| format!("{state}, ")).unwrap_or_default();
    let ttl = look_up.ttl.map(|ttl| format!("ttl {ttl}, ")).unwrap_or_default();
    let head = format!(
        "{}. {}  {DIM}{state}{ttl}{} ms{DIM:#}",
        look_up.round, look_up.question, look_up.milliseconds
    );
    page.wrapped("  ", 5, &head);
    for record in &look_up.records {
        page.wrapped("       ", 9, record);
    }
    for note in &look_up.notes {
        page.wrapped("       ", 9, &format!("{DIM}{note}{DIM:#}"));
    }
    if let Some(failure) = &look_up.failure {
        page.wrapped("       ", 9, &format!("{BAD}{failure}{BAD:#}"));
    }
}

/// `1 host`, `2 hosts`.
fn counted(number: usize, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

/// A span in the largest unit that divides it well.
fn span(seconds: u64) -> String {
    let (number, unit) = match seconds {
        172_800.. => (seconds / 86_400, "days"),
        7_200.. => (seconds / 3_600, "hours"),
        120.. => (seconds / 60, "minutes"),
        1 => (1, "second"),
        _ => (seconds, "seconds"),
    };
    format!("{number} {unit}")
}

/// Text with labels on the left, wrapped at [`WIDTH`].
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn blank(&mut self) {
        if !self.0.ends_with("\n\n") {
            self.0.push('\n');
        }
    }

    /// A label, and text wrapped behind it; spaces in front of the text indent all of it.
    fn paragraph(&mut self, label: &str, text: &str) {
        let leading = text.len() - text.trim_start_matches(' ').len();
        let start = format!("  {label:<LABEL$}{}", " ".repeat(leading));
        self.wrapped(&start, 2 + LABEL + leading, text.trim_start_matches(' '));
    }

    /// Text behind `start`, its further lines indented by `indent` columns. A word longer than a
    /// line stands on its own.
    fn wrapped(&mut self, start: &str, indent: usize, text: &str) {
        let mut line = start.to_owned();
        let mut width = indent;
        let mut is_empty = true;
        for word in text.split(' ') {
            let length = visible_width(word);
            if !is_empty && width + 1 + length > WIDTH {
                self.line(line.trim_end());
                line = " ".repeat(indent);
                width = indent;
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
                width += 1;
            }
            line.push_str(word);
            width += length;
            is_empty = false;
        }
        self.line(line.trim_end());
    }
}

/// How many columns a word takes: escape sequences take none.
fn visible_width(word: &str) -> usize {
    let mut width = 0;
    let mut escape = false;
    for c in word.chars() {
        match (escape, c) {
            (false, '\u{1b}') => escape = true,
            (false, _) => width += 1,
            (true, 'm') => escape = false,
            (true, _) => {}
        }
    }
    width
}
