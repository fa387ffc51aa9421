//! What was measured, as medians, for people and for scripts.

use std::fmt::Write as _;

use crate::error::StepError;

/// One run of the client against one server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// Answers in a second.
    pub(super) rate: f64,
    /// Half of the answers took no longer than this, in microseconds.
    pub(super) p50: f64,
    /// Of a hundred answers, 99 took no longer than this, in microseconds.
    pub(super) p99: f64,
    /// Processor time of the server for an answer, in microseconds.
    pub(super) cpu: f64,
}

/// One row: one server under one load.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) connections: u32,
    pub(super) pipelined: u32,
    pub(super) server: &'static str,
    pub(super) median: Sample,
    /// The rate, divided by that of the first server in the same round: the median of all rounds.
    pub(super) ratio: f64,
}

/// The memory of a server.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) server: &'static str,
    pub(super) domains: u32,
    pub(super) publishing: &'static str,
    pub(super) octets: u64,
}

/// The number behind `name=` in what a program has said.
pub(super) fn figure(said: &str, name: &str) -> Result<f64, StepError> {
    said.split_whitespace()
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        .ok_or_else(|| StepError::Missing(format!("a program did not say {name}: {said:?}")))
}

/// The median; the mean of both if two are in the middle. Zero if there is nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match (values.get(half.wrapping_sub(1)), values.get(half)) {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (_, Some(middle)) => *middle,
        (_, None) => 0.0,
    }
}

/// The median of each figure.
pub(super) fn medians(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
    Sample {
        rate: of(|sample| sample.rate),
        p50: of(|sample| sample.p50),
        p99: of(|sample| sample.p99),
        cpu: of(|sample| sample.cpu),
    }
}

/// A table of at most 80 columns.
pub(super) fn table(rows: &[Row], memory: &[Memory]) -> String {
    let mut text = String::from(
        "connections  server     answers/s   of     p50 µs    p99 µs   CPU µs per\n\
         × pipelined                        echo                        answer\n",
    );
    let mut last = None;
    for row in rows {
        let load = (row.connections, row.pipelined);
        let label = match last.replace(load) == Some(load) {
            true => String::new(),
            false => format!("{} × {}", row.connections, row.pipelined),
        };
        let Sample { rate, p50, p99, cpu } = row.median;
        let _ = writeln!(
            text,
            "{label:<12} {:<9} {rate:>10.0} {:>6.2} {p50:>9.0} {p99:>9.0} {cpu:>10.2}",
            row.server, row.ratio,
        );
    }
    text.push_str("\nmemory       domains    publishing                       resident   each\n");
    let mut empty = None;
    for row in memory {
        if row.domains == 0 {
            empty = Some(row.octets);
        }
        let filled = empty.map_or(0, |empty| row.octets.saturating_sub(empty));
        let each = match filled.checked_div(row.domains.into()) {
            Some(octets) if octets > 0 => format!("{octets} B"),
            Some(_) | None => "–".to_owned(),
        };
        let _ = writeln!(
            text,
            "{:<12} {:<10} {:<29} {:>8} MB {each:>8}",
            row.server,
            row.domains,
            row.publishing,
            row.octets / 1_000_000,
        );
    }
    text
}

/// The same, as JSON.
pub(super) fn json(rows: &[Row], memory: &[Memory]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let Sample { rate, p50, p99, cpu } = row.median;
            format!(
                "    {{\"connections\": {}, \"pipelined\": {}, \"server\": \"{}\", \
                 \"answers_per_second\": {rate:.0}, \"ratio\": {:.3}, \"p50_us\": {p50:.1}, \
                 \"p99_us\": {p99:.1}, \"cpu_us_per_answer\": {cpu:.3}}}",
                row.connections, row.pipelined, row.server, row.ratio,
            )
        })
        .collect();
    let memory: Vec<String> = memory
        .iter()
        .map(|row| {
            format!(
                "    {{\"server\": \"{}\", \"domains\": {}, \"publishing\": \"{}\", \
                 \"resident_octets\": {}}}",
                row.server, row.domains, row.publishing, row.octets,
            )
        })
        .collect();
    format!(
        "{{\n  \"warm\": [\n{}\n  ],\n  \"memory\": [\n{}\n  ]\n}}\n",
        rows.join(",\n"),
        memory.join(",\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_few() {
        assert!(median(vec![]) < 0.1);
        assert!((median(vec![3.0]) - 3.0).abs() < 0.1);
        assert!((median(vec![9.0, 1.0]) - 5.0).abs() < 0.1);
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < 0.1);
    }

    #[test]
    fn the_table_fits_on_a_terminal() {
        let median = Sample { rate: 9_999_999.0, p50: 99_999.0, p99: 99_999.0, cpu: 999.99 };
        let row = Row { connections: 200, pipelined: 16, server: "resolver", median, ratio: 1.0 };
        let memory = Memory {
            server: "resolver",
            domains: 1_000_000,
            publishing: "MTA-STS, enforced, 2 hosts",
            octets: 1_000_000_000,
        };
        let table = table(&[row], &[memory]);
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    }
}
