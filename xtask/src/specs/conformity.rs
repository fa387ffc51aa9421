//! The table for people: what of each standard is kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::table::{Row, Status};

/// How wide the column of rules is.
const RULE_WIDTH: usize = 72;

/// The whole table: one block for each RFC, rows in the order of sections.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut text = String::new();
    for (rfc, mut rows) in by_rfc(rows) {
        rows.sort_by_key(|row| section_order(&row.section));
        let _ = writeln!(text, "RFC {rfc}: {}", sum(&rows));
        for row in rows {
            let section = format!("§{}", row.section);
            let rule: Vec<String> = wrap(&row.rule, RULE_WIDTH);
            let mut lines = rule.iter();
            let first = lines.next().map_or("", String::as_str);
            let _ = writeln!(text, "  {section:<8} {:<7} {first}", row.status.as_str());
            for line in lines {
                let _ = writeln!(text, "  {:<16} {line}", "");
            }
            if row.status != Status::Yes {
                for line in wrap(&row.note, RULE_WIDTH - 2) {
                    let _ = writeln!(text, "  {:<16}   {line}", "");
                }
            }
        }
        text.push('\n');
    }
    text
}

/// One line for each RFC: how many rules are kept.
pub(crate) fn sums(rows: &[Row]) -> String {
    let lines = by_rfc(rows).into_iter().map(|(rfc, rows)| format!("RFC {rfc}: {}", sum(&rows)));
    lines.collect::<Vec<_>>().join("\n")
}

fn by_rfc(rows: &[Row]) -> BTreeMap<u32, Vec<&Row>> {
    let mut by_rfc: BTreeMap<u32, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| by_rfc.entry(row.rfc).or_default().push(row));
    by_rfc
}

fn sum(rows: &[&Row]) -> String {
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    let [yes, partly, no] = [Status::Yes, Status::Partly, Status::No].map(count);
    format!("{} rules, {yes} yes, {partly} partly, {no} no", rows.len())
}

/// 3.2 before 3.10; appendices last.
fn section_order(section: &str) -> Vec<(bool, u32, &str)> {
    let parts = section.split('.');
    parts.map(|part| (part.parse::<u32>().is_err(), part.parse().unwrap_or(0), part)).collect()
}

/// Breaks at spaces into lines of at most `width` characters, where the words allow it.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::table::{HEADER, parse};
    use super::*;

    #[test]
    fn sections_are_sorted_as_numbers_and_notes_shown_where_something_lacks() {
        let text = format!(
            "{HEADER}\n8461\t3.10\tlater\t\t\tno\tby the mail server\n8461\t3.2\tearlier\tf\tt\tyes\tunseen\n\
             1035\tA\tx\t\t\tpartly\ty\n"
        );
        let rows = parse(&text).unwrap();
        assert_eq!(
            render(&rows),
            "RFC 1035: 1 rules, 0 yes, 1 partly, 0 no\n  \
               §A       partly  x\n                     y\n\n\
             RFC 8461: 2 rules, 1 yes, 0 partly, 1 no\n  \
               §3.2     yes     earlier\n  \
               §3.10    no      later\n                     by the mail server\n\n"
        );
    }
}
