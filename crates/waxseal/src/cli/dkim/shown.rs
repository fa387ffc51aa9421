//! What `waxseal dkim` prints: text in 80 columns for people, zone files, and one JSON document.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use smtp_types::UnixTime;

use super::Seen;
use crate::keys::{
    DnsObservation, DomainKeys, Generation, Key, KeyStoreError, Next, Oddity, Schedule, State,
    Task, Wanted, next, record_text, strings, zone_entry,
};

/// The version of the JSON document.
const VERSION: u32 = 1;

/// How wide the column of selectors is.
const SELECTORS: usize = 24;

/// What a verb came to.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) entries: Vec<Entry>,
    pub(super) errors: Vec<KeyStoreError>,
    /// What is worth knowing, and no reason for another exit code.
    pub(super) notes: Vec<String>,
}

/// One domain.
pub(super) struct Entry {
    pub(super) keys: DomainKeys,
    pub(super) oddities: Vec<Oddity>,
    /// What the DNS showed, if it was asked.
    pub(super) seen: Option<Seen>,
}

/// In which form records are printed.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// Lines of a zone file.
    Zone,
    /// What web pages ask for.
    WebPage,
}

impl Entry {
    pub(super) fn new(keys: DomainKeys) -> Self {
        Self { keys, oddities: Vec::new(), seen: None }
    }

    pub(super) fn has_problem(&self) -> bool {
        let is_seen = |seen: &Seen| {
            let unknown = |one: &DnsObservation| matches!(one, DnsObservation::Unknown { .. });
            !seen.plan.tasks.is_empty()
                || seen.plan.step.is_some()
                || seen.observed.values().any(unknown)
        };
        !self.oddities.is_empty() || self.seen.as_ref().is_some_and(is_seen)
    }

    fn tasks(&self) -> &[Task] {
        self.seen.as_ref().map_or(&[], |seen| &seen.plan.tasks)
    }
}

impl Outcome {
    pub(super) fn add(&mut self, result: Result<Entry, KeyStoreError>) {
        match result {
            Ok(entry) => self.entries.push(entry),
            Err(error) => self.errors.push(error),
        }
    }

    /// What goes to standard error.
    pub(super) fn problems(&self) -> Vec<String> {
        let errors = self.errors.iter().map(ToString::to_string);
        let oddities = self.entries.iter().flat_map(|entry| &entry.oddities);
        let oddities = oddities.map(|oddity| format!("warning: {oddity}"));
        let notes = self.notes.iter().map(|note| format!("note: {note}"));
        errors.chain(oddities).chain(notes).collect()
    }

    /// 2 failures, 3 unknown, 1 warnings, 0 fine.
    pub(super) fn code(&self) -> u8 {
        let is_mild = |error: &KeyStoreError| match error {
            KeyStoreError::HasKeys { .. }
            | KeyStoreError::NoKeys { .. }
            | KeyStoreError::HasAnnounced { .. } => true,
            KeyStoreError::Io { .. }
            | KeyStoreError::Busy { .. }
            | KeyStoreError::Damaged { .. }
            | KeyStoreError::Missing { .. }
            | KeyStoreError::PrivateKey { .. }
            | KeyStoreError::OtherKey { .. }
            | KeyStoreError::FileThere { .. }
            | KeyStoreError::NotMade { .. }
            | KeyStoreError::Name { .. }
            | KeyStoreError::Keys { .. } => false,
        };
        let mut tasks = self.entries.iter().flat_map(Entry::tasks);
        if !self.errors.iter().all(is_mild) || tasks.clone().any(Task::is_urgent) {
            return 2;
        }
        let seen = self.entries.iter().filter_map(|entry| entry.seen.as_ref());
        let mut observed = seen.flat_map(|seen| seen.observed.values());
        if observed.any(|one| matches!(one, DnsObservation::Unknown { .. })) {
            return crate::cli::UNKNOWN;
        }
        let is_odd = self.entries.iter().any(|entry| !entry.oddities.is_empty());
        u8::from(!self.errors.is_empty() || is_odd || tasks.next().is_some())
    }
}

/// `add` and `rotate`.
pub(super) fn made(out: &mut impl Write, outcome: &Outcome, form: Form) -> io::Result<()> {
    for Entry { keys, .. } in &outcome.entries {
        let Some(announced) = keys.announced() else { continue };
        writeln!(out, "; {}: publish {}", keys.domain(), announced.names())?;
        write_records(out, announced.keys(), form)?;
        writeln!(out)?;
    }
    if !outcome.entries.is_empty() {
        let first = outcome.entries.iter().all(|entry| entry.keys.active().is_none());
        let when = if first { "as soon as" } else { "some days after" };
        writeln!(out, "; They sign {when} the DNS shows them; `waxseal dkim check` tells.")?;
        if let Form::Zone = form {
            writeln!(out, "; For the form of a web page: `waxseal dkim records --form`.")?;
        }
    }
    Ok(())
}

/// `import`.
pub(super) fn imported(out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    for Entry { keys, .. } in &outcome.entries {
        let names = keys.announced().map(Generation::names).unwrap_or_default();
        let when = match keys.active() {
            None => "as soon as",
            Some(_) => "some days after",
        };
        writeln!(out, "{}: took over {names}", keys.domain())?;
        writeln!(out, "Used {when} the DNS shows it; `waxseal dkim check --apply` looks now.")?;
        writeln!(out, "The old file is not needed by waxseal; another signer may still use it.")?;
    }
    Ok(())
}

/// `remove`.
pub(super) fn removed(out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    for Entry { keys, .. } in &outcome.entries {
        writeln!(out, "; {}: the private keys are deleted", keys.domain())?;
        writeln!(out, "; Remove these from the DNS, best when the last letters have arrived:")?;
        for (key, _) in keys.keys() {
            writeln!(out, "; {}. IN TXT", key.name)?;
        }
    }
    Ok(())
}

/// `records`.
pub(super) fn records(out: &mut impl Write, outcome: &Outcome, form: Form) -> io::Result<()> {
    for Entry { keys, .. } in &outcome.entries {
        for generation in keys.generations() {
            let (state, since) = (generation.state.as_str(), date(generation.state.since()));
            let domain = keys.domain();
            match generation.state {
                State::Retired { .. } => {
                    writeln!(out, "; {domain}: {state} since {since}, may be removed")?;
                    for key in generation.keys() {
                        writeln!(out, "; {}. IN TXT", key.name)?;
                    }
                }
                State::Announced { .. } | State::Active { .. } | State::Retiring { .. } => {
                    writeln!(out, "; {domain}: {state} since {since}")?;
                    write_records(out, generation.keys(), form)?;
                }
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

fn write_records(out: &mut impl Write, keys: &[Key], form: Form) -> io::Result<()> {
    for key in keys {
        match form {
            Form::Zone => write!(out, "{}", zone_entry(key))?,
            Form::WebPage => {
                writeln!(out, "name   {}", key.name)?;
                writeln!(out, "type   TXT")?;
                writeln!(out, "value  {}", record_text(&key.public))?;
            }
        }
    }
    Ok(())
}

/// `list`.
pub(super) fn list(out: &mut impl Write, outcome: &Outcome, schedule: &Schedule) -> io::Result<()> {
    if outcome.entries.is_empty() && outcome.errors.is_empty() {
        writeln!(out, "No domain has keys; `waxseal dkim add DOMAIN` makes some.")?;
    }
    let bold = Style::new().bold();
    for Entry { keys, .. } in &outcome.entries {
        writeln!(out, "{bold}{}{bold:#}", keys.domain())?;
        for generation in keys.generations() {
            let state = generation.state;
            let selectors: Vec<_> =
                generation.keys().iter().map(|key| key.selector.as_str()).collect();
            let selectors = selectors.join(" ");
            let then = next_text(next(keys, generation, schedule));
            let (word, since) = (state.as_str(), date(state.since()));
            if selectors.len() > SELECTORS {
                writeln!(out, "  {word:<9}  {since}  {selectors}\n{:25}{then}", "")?;
            } else {
                writeln!(out, "  {word:<9}  {since}  {selectors:<SELECTORS$}  {then}")?;
            }
        }
    }
    Ok(())
}

fn next_text(next: Next) -> String {
    match next {
        Next::Publish => "publish its records".into(),
        Next::Sign { at } => format!("signs from {}", date(at)),
        Next::MakeNext { at } => format!("next keys on {}", date(at)),
        Next::GiveWay => "until the next sign".into(),
        Next::Stay => "until you rotate".into(),
        Next::Retire { at } => format!("published until {}", date(at)),
        Next::Remove => "remove its records".into(),
    }
}

/// `check`.
pub(super) fn check(out: &mut impl Write, outcome: &Outcome, applied: bool) -> io::Result<()> {
    let bold = Style::new().bold();
    for Entry { keys, seen, .. } in &outcome.entries {
        let Some(Seen { observed, plan }) = seen else { continue };
        writeln!(out, "{bold}{}{bold:#}", keys.domain())?;
        for (key, state) in keys.keys() {
            // Keys that were made just now have not been looked up.
            let Some(observation) = observed.get(&key.selector) else { continue };
            let task = plan.tasks.iter().find(|task| task.selector == key.selector);
            let (word, style) = verdict(observation, task);
            let (state, selector) = (state.as_str(), &key.selector);
            let shown = match task {
                Some(Task { wanted: Wanted::Remove, .. }) => "still there".to_owned(),
                Some(_) | None => observation.to_string(),
            };
            writeln!(out, "  {style}{word:<7}{style:#}  {state:<9}  {selector}: {shown}")?;
        }
        match &plan.step {
            Some(step) if applied => writeln!(out, "  done: {step}")?,
            Some(step) => writeln!(out, "  due: {step}")?,
            None => {}
        }
    }
    let count = |test: fn(&Task) -> bool| {
        { outcome.entries.iter().flat_map(Entry::tasks) }.filter(|task| test(task)).count()
    };
    let records: usize = outcome.entries.iter().map(|entry| entry.keys.keys().count()).sum();
    let missing = |task: &Task| matches!(task.wanted, Wanted::Publish | Wanted::Correct(_));
    let (missing, urgent) = (count(missing), count(Task::is_urgent));
    let old = count(|task| task.wanted == Wanted::Remove);
    writeln!(out, "records: {records}, missing: {missing}, signatures fail: {urgent}, old: {old}")
}

fn verdict(observation: &DnsObservation, task: Option<&Task>) -> (&'static str, Style) {
    let red = AnsiColor::Red.on_default().bold();
    let yellow = AnsiColor::Yellow.on_default().bold();
    let Some(task) = task else {
        return match observation {
            DnsObservation::Unknown { .. } => ("unknown", yellow),
            DnsObservation::Matches
            | DnsObservation::Absent
            | DnsObservation::Revoked
            | DnsObservation::Different(_) => ("ok", AnsiColor::Green.on_default().bold()),
        };
    };
    let style = if task.is_urgent() { red } else { yellow };
    match task.wanted {
        Wanted::Publish => ("publish", style),
        Wanted::Correct(_) => ("correct", style),
        Wanted::Remove => ("remove", style),
    }
}

fn date(time: UnixTime) -> String {
    time.to_string().chars().take_while(|c| *c != 'T').collect()
}

/// The document for machines.
pub(super) fn json(outcome: &Outcome, schedule: &Schedule) -> Value {
    let errors: Vec<_> = outcome.errors.iter().map(ToString::to_string).collect();
    let domains: Vec<_> = outcome.entries.iter().map(|entry| entry_json(entry, schedule)).collect();
    json!({
        "version": VERSION,
        "domains": domains,
        "errors": errors,
        "notes": outcome.notes,
    })
}

fn entry_json(entry: &Entry, schedule: &Schedule) -> Value {
    let keys = &entry.keys;
    let observed = entry.seen.as_ref().map(|seen| &seen.observed);
    let key_json = |key: &Key| {
        let text = record_text(&key.public);
        let mut value = json!({
            "selector": key.selector.as_str(),
            "algorithm": key.public.key_type().as_str(),
            "name": key.name.as_str(),
            "value": text,
            "strings": strings(&text),
        });
        if let Some(observation) = observed.and_then(|observed| observed.get(&key.selector)) {
            value["dns"] = json!({
                "observation": observation.as_str(),
                "detail": observation.to_string(),
            });
        }
        value
    };
    let generation_json = |generation: &Generation| {
        let (what, at) = next_json(next(keys, generation, schedule));
        let mut value = json!({
            "state": generation.state.as_str(),
            "since": generation.state.since().0,
            "next": { "what": what, "at": at.map(|at| at.0) },
            "keys": generation.keys().iter().map(key_json).collect::<Vec<_>>(),
        });
        if let State::Announced { seen, .. } = generation.state {
            value["seen"] = json!(seen.map(|seen| seen.0));
        }
        value
    };
    let oddities: Vec<_> = entry.oddities.iter().map(ToString::to_string).collect();
    let mut value = json!({
        "domain": keys.domain().as_str(),
        "generations": keys.generations().iter().map(generation_json).collect::<Vec<_>>(),
        "oddities": oddities,
    });
    if let Some(Seen { plan, .. }) = &entry.seen {
        let tasks: Vec<_> = { plan.tasks.iter() }
            .map(|task| {
                json!({
                    "wanted": wanted_json(task.wanted),
                    "name": task.name.as_str(),
                    "selector": task.selector.as_str(),
                    "urgent": task.is_urgent(),
                    "message": task.to_string(),
                })
            })
            .collect();
        value["tasks"] = json!(tasks);
        value["step"] = json!(plan.step.as_ref().map(ToString::to_string));
    }
    value
}

const fn wanted_json(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Publish => "publish",
        Wanted::Correct(_) => "correct",
        Wanted::Remove => "remove",
    }
}

const fn next_json(next: Next) -> (&'static str, Option<UnixTime>) {
    match next {
        Next::Publish => ("publish", None),
        Next::Sign { at } => ("sign", Some(at)),
        Next::MakeNext { at } => ("make-next", Some(at)),
        Next::GiveWay => ("give-way", None),
        Next::Stay => ("stay", None),
        Next::Retire { at } => ("retire", Some(at)),
        Next::Remove => ("remove", None),
    }
}
