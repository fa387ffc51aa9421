//! `waxseal reports problems`: what is wrong, why, and what to do.

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::ArgMatches;
use serde_json::{Value, json};
use smtp_types::UnixTime;

use super::text::{BOLD, WIDTH, counted, cut, date, number, wrapped};
use super::{Asked, DAY, Failed};
use crate::intake::problems::{Blame, Evidence, Problem, find};
use crate::store::{Counted, ReceivedKind, ReceivedView, Selection};

/// How many days are looked at if nothing else is wished.
const DAYS: u64 = 30;

/// How far the text of a problem stands in.
const INDENT: &str = "    ";

/// How many names of reporters, sources and reasons people are shown.
const MAX_NAMES: usize = 4;

pub(super) fn run(matches: &ArgMatches, view: &ReceivedView) -> Result<ExitCode, Failed> {
    let asked = Asked::of(matches);
    let mut selection = Selection {
        domain: asked.domain.clone(),
        kind: None,
        since: asked.since.unwrap_or(UnixTime(0)),
        until: asked.until.unwrap_or(UnixTime(asked.now.0.saturating_add(DAY))),
        counted: Counted::Only,
        limit: 1,
    };
    // The latest days that there is anything about, so that an archive can be looked at, too.
    let newest = view.reports(&selection)?.first().map_or(asked.now, |report| report.begins);
    if asked.since.is_none() {
        let first = (newest.0 / DAY + 1).saturating_sub(DAYS);
        selection.since = UnixTime(first * DAY);
    }
    selection.limit = u32::MAX;
    let mut evidence = Evidence::default();
    for report in view.reports(&selection)? {
        evidence.add(&report, &view.details(report.id)?);
    }
    let problems = find(&evidence);
    let days = (selection.since.0 / DAY, newest.0 / DAY);
    if matches.get_flag("json") {
        let document = json!({
            "version": 1,
            "since": date(days.0),
            "until": date(days.1),
            "reports": evidence.reports(),
            "domains": evidence.domains(),
            "problems": problems.iter().map(document).collect::<Vec<_>>(),
        });
        writeln!(io::stdout().lock(), "{document:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = anstream::stdout().lock();
    let domains = counted(u64::try_from(evidence.domains()).unwrap_or(u64::MAX), "domain");
    let reports = counted(evidence.reports(), "report");
    let (since, until) = (date(days.0), date(days.1));
    writeln!(out, "{BOLD}{reports} about {domains}, {since} to {until}{BOLD:#}")?;
    if evidence.reports() == 0 {
        writeln!(out, "Nothing is known of this time. waxseal reports list shows what there is.")?;
    } else if problems.iter().all(|problem| problem.cause.blame == Blame::Notice) {
        writeln!(out, "{0}Nothing is wrong.{0:#}", AnsiColor::Green.on_default())?;
    }
    index(&mut out, &problems, evidence.newest())?;
    let mut heading = None;
    for (index, problem) in problems.iter().enumerate() {
        let blame = problem.cause.blame;
        if heading != Some(blame) {
            let style = style(blame);
            writeln!(out, "\n{style}{}{style:#}", blame.title().to_uppercase())?;
            heading = Some(blame);
        }
        write(&mut out, index + 1, problem, evidence.newest())?;
    }
    Ok(match problems.first().map(|problem| problem.cause.blame) {
        Some(Blame::Ours) => ExitCode::from(2),
        Some(Blame::Attack | Blame::Theirs) => ExitCode::from(1),
        Some(Blame::Notice) | None => ExitCode::SUCCESS,
    })
}

fn style(blame: Blame) -> Style {
    let color = match blame {
        Blame::Ours => AnsiColor::Red,
        Blame::Attack => AnsiColor::Magenta,
        Blame::Theirs => AnsiColor::Yellow,
        Blame::Notice => AnsiColor::Green,
    };
    color.on_default().bold()
}

fn document(problem: &Problem) -> Value {
    let counts = |counts: &[(String, u64)]| -> Vec<Value> {
        counts.iter().map(|(name, count)| json!({ "name": name, "count": count })).collect()
    };
    json!({
        "id": problem.cause.id,
        "blame": problem.cause.blame.as_str(),
        "kind": problem.kind.as_str(),
        "domain": problem.domain,
        "title": problem.title(),
        "why": problem.why(),
        "fix": problem.fix(),
        "first": date(problem.first),
        "last": date(problem.last),
        "lost": problem.lost,
        "of": problem.of,
        "reporters": counts(&problem.reporters),
        "sources": counts(&problem.sources),
        "reasons": counts(&problem.reasons),
    })
}

/// One line for each, so that the whole is seen at once.
fn index(out: &mut impl Write, problems: &[Problem], newest: u64) -> io::Result<()> {
    if problems.len() < 2 {
        return Ok(());
    }
    writeln!(out)?;
    for (index, problem) in problems.iter().enumerate() {
        let style = style(problem.cause.blame);
        let title = cut(&problem.title(), WIDTH - INDENT.len() - 8);
        let state = match (problem.lost, problem.is_over(newest)) {
            (0, _) => String::new(),
            (_, true) => "over".to_owned(),
            (lost, false) => percent(lost, problem.of),
        };
        let text = format!("{title:<68}{state:>8}");
        writeln!(out, "{style}{:>2}{style:#}  {}", index + 1, text.trim_end())?;
    }
    Ok(())
}

/// `14.6 %`; what is little is not nothing.
fn percent(part: u64, whole: u64) -> String {
    match u128::from(part) * 1000 / u128::from(whole.max(1)) {
        0 => "<0.1 %".to_owned(),
        per_mille => format!("{}.{} %", per_mille / 10, per_mille % 10),
    }
}

fn write(out: &mut impl Write, place: usize, problem: &Problem, newest: u64) -> io::Result<()> {
    let style = style(problem.cause.blame);
    let mut titles = wrapped(&problem.title(), WIDTH - INDENT.len()).into_iter();
    let first = titles.next().unwrap_or_default();
    writeln!(out, "\n{style}{place:>2}{style:#}  {BOLD}{first}{BOLD:#}")?;
    for title in titles {
        writeln!(out, "{INDENT}{BOLD}{title}{BOLD:#}")?;
    }
    for text in wrapped(&facts(problem, newest), WIDTH - INDENT.len()) {
        writeln!(out, "{INDENT}{text}")?;
    }
    for text in wrapped(&problem.why(), WIDTH - INDENT.len()) {
        writeln!(out, "{INDENT}{text}")?;
    }
    let cyan = AnsiColor::Cyan.on_default();
    let mut named = |name: &str, lines: Vec<String>| -> io::Result<()> {
        let mut name = name;
        for text in lines {
            writeln!(out, "{INDENT}{cyan}{name:<8}{cyan:#}{text}")?;
            name = "";
        }
        Ok(())
    };
    let room = WIDTH - INDENT.len() - 8;
    for (name, counts) in
        [("seen by", &problem.reporters), ("sources", &problem.sources), ("said", &problem.reasons)]
    {
        // Whoever is silent has counted nothing, and stands in the title.
        if counts.iter().any(|(_, count)| *count > 0) {
            named(name, wrapped(&most(counts), room))?;
        }
    }
    for (index, step) in problem.fix().iter().enumerate() {
        let mut lines = wrapped(step, room - 3).into_iter();
        let mut steps = vec![format!("{}. {}", index + 1, lines.next().unwrap_or_default())];
        steps.extend(lines.map(|text| format!("   {text}")));
        named(if index == 0 { "do" } else { "" }, steps)?;
    }
    Ok(())
}

/// `example.com · since 2026-11-20 · 1,204 of 8,410 sessions failed`
fn facts(problem: &Problem, newest: u64) -> String {
    let what = match problem.kind {
        ReceivedKind::Tls => "sessions failed",
        ReceivedKind::Dmarc | ReceivedKind::Failure => "messages affected",
    };
    let (first, last) = (date(problem.first), date(problem.last));
    let days = match (problem.is_over(newest), problem.first == problem.last) {
        (true, true) => format!("{first}, over"),
        (true, false) => format!("{first} to {last}, over"),
        (false, _) => format!("since {first}"),
    };
    let lost = match (problem.lost, problem.of) {
        (0, _) => String::new(),
        (lost, of) => format!(" · {} of {} {what}", number(lost), number(of)),
    };
    format!("{} · {days}{lost}", problem.domain)
}

/// The first of many names, each with its count.
fn most(counts: &[(String, u64)]) -> String {
    let shown = counts.iter().take(MAX_NAMES);
    let mut names: Vec<String> =
        shown.map(|(name, count)| format!("{name} ({})", number(*count))).collect();
    if counts.len() > MAX_NAMES {
        names.push(format!("and {} more", counts.len() - MAX_NAMES));
    }
    names.join(", ")
}
