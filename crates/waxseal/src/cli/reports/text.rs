//! Lines for people: 80 columns, and nothing in them that moves a cursor.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use smtp_types::UnixTime;

/// How wide a line for people is.
pub(super) const WIDTH: usize = 80;

/// How wide the names in front of values are.
const NAMES: usize = 14;

/// A name and a value in lines of at most 80 characters.
pub(super) fn line(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    let dim = AnsiColor::Cyan.on_default();
    let mut name = name;
    for text in wrapped(value, WIDTH - NAMES - 2) {
        writeln!(out, "  {dim}{name:<NAMES$}{dim:#}{text}")?;
        name = "";
    }
    Ok(())
}

/// A text in lines of at most `width` characters, at least one. It is of strangers: what moves a
/// cursor or changes a direction is gone.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let text: Vec<char> = text.chars().map(harmless).collect();
    let (mut lines, mut rest) = (Vec::new(), text.as_slice());
    loop {
        let cut = match rest.len() > width {
            // At the last space, or in a word that is too long for a line.
            true => rest[..=width].iter().rposition(|c| *c == ' ').filter(|at| *at > 0),
            false => Some(rest.len()),
        };
        let (now, later) = rest.split_at(cut.unwrap_or(width));
        lines.push(now.iter().collect::<String>().trim_end().to_owned());
        rest = later.strip_prefix(&[' ']).unwrap_or(later);
        if rest.is_empty() {
            return lines;
        }
    }
}

/// A text of strangers in at most `width` characters, the rest cut off.
pub(super) fn cut(text: &str, width: usize) -> String {
    let mut shown: String = text.chars().take(width).map(harmless).collect();
    if text.chars().nth(width).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

fn harmless(c: char) -> char {
    match c {
        '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    }
}

/// `118 of 120 (98.3 %)`; rounded down, so that only all is 100 %.
pub(super) fn share(part: u64, whole: u64) -> String {
    let per_mille = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{part} of {whole} ({}.{} %)", per_mille / 10, per_mille % 10)
}

/// `1,204,000`
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 report`, `2 reports`
pub(super) fn counted(count: u64, word: &str) -> String {
    format!("{} {word}{}", number(count), if count == 1 { "" } else { "s" })
}

/// A day counted from 1970-01-01 as people write it.
pub(super) fn date(day: u64) -> String {
    let text = UnixTime(day.saturating_mul(86_400)).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// A bold style.
pub(super) const BOLD: Style = Style::new().bold();

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, value: &str) -> String {
        let mut out = Vec::new();
        line(&mut anstream::StripStream::new(&mut out), name, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_short_and_plain() {
        assert_eq!(written("domain", "a.test"), "  domain        a.test\n");
        let long = written("quirks", &"word ".repeat(50));
        assert!(long.lines().all(|line| line.chars().count() <= WIDTH), "{long}");
        assert_eq!(long.matches("word").count(), 50);
        let unbroken = written("id", &"x".repeat(300));
        assert!(unbroken.lines().all(|line| line.chars().count() <= WIDTH), "{unbroken}");
        assert_eq!(unbroken.matches('x').count(), 300);
        assert_eq!(written("id", "a\u{1b}[31m\r\nb\u{202e}"), "  id            a [31m  b\n");
        assert_eq!(wrapped("", 10), [""]);
        assert_eq!(wrapped("one two", 3), ["one", "two"]);
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("ab\u{1b}c", 4), "ab c");
    }

    #[test]
    fn numbers() {
        assert_eq!(share(118, 120), "118 of 120 (98.3 %)");
        assert_eq!(share(0, 0), "0 of 0 (0.0 %)");
        assert_eq!(share(u64::MAX, u64::MAX), format!("{0} of {0} (100.0 %)", u64::MAX));
        assert_eq!(number(0), "0");
        assert_eq!(number(1_204), "1,204");
        assert_eq!(number(123_456_789), "123,456,789");
        assert_eq!(counted(1, "report"), "1 report");
        assert_eq!(date(20_778), "2026-11-21");
    }
}
