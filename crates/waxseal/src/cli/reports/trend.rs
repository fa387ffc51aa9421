//! `waxseal reports trend`: a chart of days.

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::AnsiColor;
use clap::ArgMatches;
use serde_json::{Value, json};
use smtp_types::UnixTime;

use super::text::{BOLD, date, number};
use super::{Asked, DAY, Failed};
use crate::store::{Counted, DaySum, ReceivedKind, ReceivedView, Selection};

/// How many days are shown if nothing else is wished.
const DAYS: u64 = 14;

/// How many days are shown at most.
const MAX_DAYS: u64 = 400;

/// How wide the longest bar is.
const BAR: u64 = 40;

pub(super) fn run(matches: &ArgMatches, view: &ReceivedView) -> Result<ExitCode, Failed> {
    let asked = Asked::of(matches);
    let newest = view.reports(&Selection {
        domain: asked.domain.clone(),
        kind: asked.kind,
        since: asked.since.unwrap_or(UnixTime(0)),
        until: asked.until.unwrap_or(UnixTime(asked.now.0.saturating_add(DAY))),
        counted: Counted::Only,
        limit: 1,
    })?;
    let newest = newest.first().map_or(asked.now, |report| report.begins).0 / DAY;
    let end = asked.until.map_or(newest + 1, |until| until.0 / DAY);
    let start = asked.since.map_or(end.saturating_sub(DAYS), |since| since.0 / DAY);
    let start = start.max(end.saturating_sub(MAX_DAYS));
    let kinds = match asked.kind {
        Some(kind) => vec![kind],
        None => vec![ReceivedKind::Tls, ReceivedKind::Dmarc],
    };
    let mut charts = Vec::new();
    for kind in kinds {
        let (since, until) = (UnixTime(start * DAY), UnixTime(end * DAY));
        charts.push((kind, view.days(kind, asked.domain.as_deref(), since, until)?));
    }
    if matches.get_flag("json") {
        let charts: Vec<Value> = charts.iter().map(|(kind, days)| document(*kind, days)).collect();
        let document = json!({ "version": 1, "domain": asked.domain, "trends": charts });
        writeln!(io::stdout().lock(), "{document:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = anstream::stdout().lock();
    let about = asked.domain.map(|domain| format!(" of {domain}")).unwrap_or_default();
    let mut is_first = true;
    for (kind, days) in &charts {
        if days.is_empty() && charts.len() > 1 {
            continue;
        }
        if !is_first {
            writeln!(out)?;
        }
        is_first = false;
        chart(&mut out, *kind, &about, start..end, days)?;
    }
    if is_first {
        writeln!(out, "No reports.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn document(kind: ReceivedKind, days: &[DaySum]) -> Value {
    let days: Vec<Value> = days
        .iter()
        .map(|sum| {
            json!({
                "day": date(sum.day),
                "reports": sum.reports,
                "good": sum.good,
                "bad": sum.bad,
            })
        })
        .collect();
    json!({ "kind": kind.as_str(), "days": days })
}

fn chart(
    out: &mut impl Write,
    kind: ReceivedKind,
    about: &str,
    days: std::ops::Range<u64>,
    sums: &[DaySum],
) -> io::Result<()> {
    let (title, unit) = match kind {
        ReceivedKind::Tls => ("TLS", "sessions"),
        ReceivedKind::Dmarc => ("DMARC", "messages"),
        ReceivedKind::Failure => ("DMARC failure reports", "incidents"),
    };
    writeln!(out, "{BOLD}{title}{about}{BOLD:#}")?;
    writeln!(out, "  day           {unit:>9}   failed  █ good  ░ failed")?;
    let all = |sum: &DaySum| sum.good.saturating_add(sum.bad);
    let most = sums.iter().map(all).max().unwrap_or(0).max(1);
    let (good, bad) = (AnsiColor::Green.on_default(), AnsiColor::Red.on_default());
    for day in days {
        let Some(sum) = sums.iter().find(|sum| sum.day == day) else {
            writeln!(out, "  {}            –        –", date(day))?;
            continue;
        };
        // What failed is never too little to be seen.
        let scale = |count: u64| {
            let bar = u128::from(count) * u128::from(BAR) / u128::from(most);
            usize::try_from(bar).unwrap_or_default().max(usize::from(count > 0))
        };
        let failed = scale(sum.bad);
        let passed = scale(all(sum)).saturating_sub(failed);
        writeln!(
            out,
            "  {}  {:>11} {:>8}  {good}{}{good:#}{bad}{}{bad:#}",
            date(day),
            number(all(sum)),
            number(sum.bad),
            "█".repeat(passed),
            "░".repeat(failed),
        )?;
    }
    Ok(())
}
