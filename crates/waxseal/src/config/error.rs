//! What is wrong with a setting, where it stands, and what was expected there.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use smtp_types::Position;

/// How many characters of a long source line are shown.
const SHOWN_WIDTH: usize = 72;

const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// One thing that is wrong in the configuration. The program does not start with it.
///
/// As text it names key, expected, found, file, line and column, and shows the line with a mark
/// under what is wrong:
///
/// ```text
/// error: dns.timeout: expected a duration from 100ms to 30s, found "2 sec"
///   --> /etc/waxseal/waxseal.toml:2:11
///    |
///  2 | timeout = "2 sec"
///    |           ^^^^^^^
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The dotted name of the key, the flag, or empty if it concerns a file as a whole.
    pub key: String,
    /// What is wrong.
    pub fault: Fault,
    /// Where.
    pub place: Place,
    /// What to do about it, where that is not plain from the rest.
    pub hint: Option<String>,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The file cannot be read; nothing in it is known.
    Unreadable {
        /// Why, in the words of the system.
        reason: String,
    },
    /// The text is not TOML at this place.
    Syntax {
        /// What the reader stumbled over, and what it expected.
        message: String,
    },
    /// No key has this name: a setting that was meant to change something changes nothing.
    UnknownKey,
    /// A key that must be there is not.
    Missing {
        /// What should stand there.
        expected: String,
    },
    /// The value is of the wrong type, out of range, or does not fit to another one.
    Value {
        /// What may stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// It stands there twice: nobody can tell which one was meant.
    Duplicate {
        /// What is there twice.
        what: String,
        /// The line of the first one, if known.
        first_line: Option<usize>,
    },
}

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file as a whole.
    WholeFile {
        /// The name of the file.
        file: String,
    },
    /// At a place in a file.
    InFile {
        /// The name of the file.
        file: String,
        /// Line and column.
        position: Position,
        /// The text of that line.
        line_text: String,
        /// How many characters of the line it takes, at least 1.
        width: usize,
    },
    /// On the command line.
    CommandLine {
        /// The flag, with its dashes.
        flag: String,
    },
    /// In the environment.
    Environment {
        /// The name of the variable.
        variable: &'static str,
    },
    /// Nowhere: the default is meant.
    Default,
}

impl Place {
    /// The place of the octets `span` of `text`.
    pub(super) fn in_file(file: &str, text: &str, span: Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |index| index + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |index| start + index);
        let end = text.floor_char_boundary(span.end).clamp(start, line_end);
        Self::InFile {
            file: file.into(),
            position: Position::of(text, start),
            line_text: text[line_start..line_end].trim_end_matches('\r').into(),
            width: text[start..end].chars().count().max(1),
        }
    }

    /// Line and column, if it is a place within a file.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::InFile { position, .. } => Some(*position),
            Self::WholeFile { .. }
            | Self::CommandLine { .. }
            | Self::Environment { .. }
            | Self::Default => None,
        }
    }
}

/// In one line: `waxseal.toml:4:11`, `--resolver`, `$STATE_DIRECTORY` or `default`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WholeFile { file } => f.write_str(file),
            Self::InFile { file, position, .. } => {
                write!(f, "{file}:{}:{}", position.line, position.column)
            }
            Self::CommandLine { flag } => f.write_str(flag),
            Self::Environment { variable } => write!(f, "${variable}"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { reason } => write!(f, "the file cannot be read: {reason}"),
            Self::Syntax { message } => write!(f, "this is not TOML: {message}"),
            Self::UnknownKey => f.write_str("there is no such key"),
            Self::Missing { expected } => write!(f, "expected {expected}, found nothing"),
            Self::Value { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Duplicate { what, first_line } => {
                write!(f, "{what} stands here a second time")?;
                first_line.map_or(Ok(()), |line| write!(f, ", the first is in line {line}"))
            }
        }
    }
}

impl ConfigError {
    /// That the file at `path` cannot be read, with the words of the system.
    #[must_use]
    pub fn unreadable(path: &Path, reason: &str) -> Self {
        let file = path.display().to_string();
        Self {
            key: String::new(),
            fault: Fault::Unreadable { reason: reason.into() },
            place: Place::WholeFile { file },
            hint: None,
        }
    }

    pub(super) fn not_utf8(file: &str, bytes: &[u8], offset: usize) -> Self {
        let text = String::from_utf8_lossy(bytes);
        Self {
            key: String::new(),
            fault: Fault::Syntax { message: "expected UTF-8, found other octets".into() },
            // Up to the first wrong octet the two texts are the same.
            place: Place::in_file(file, &text, offset..offset + 1),
            hint: None,
        }
    }

    /// The same in one line, without the source: `overrides.toml:3:10: domain: expected …`.
    #[must_use]
    pub fn line(&self) -> String {
        let text = self.to_string();
        let what = text.lines().next().unwrap_or_default();
        format!("{}: {}", self.place, what.strip_prefix("error: ").unwrap_or(what))
    }

    /// As the [`Display`](fmt::Display) form, in color. Print it by `anstream`, which drops the
    /// color where it is not wanted.
    #[must_use]
    pub fn styled(&self) -> String {
        let mut text = format!("{BAD}error{BAD:#}{STRONG}: ");
        if !self.key.is_empty() {
            let _ = write!(text, "{}: ", self.key);
        }
        let _ = write!(text, "{}{STRONG:#}", self.fault);
        self.write_place(&mut text);
        if let Some(hint) = &self.hint {
            let _ = write!(text, "\n  {DIM}={DIM:#} {hint}");
        }
        text
    }

    fn write_place(&self, text: &mut String) {
        match &self.place {
            Place::Default => {}
            Place::CommandLine { .. } => {
                let _ = write!(text, "\n  {DIM}-->{DIM:#} on the command line");
            }
            Place::WholeFile { .. } | Place::Environment { .. } => {
                let _ = write!(text, "\n  {DIM}-->{DIM:#} {}", self.place);
            }
            Place::InFile { position, line_text, width, .. } => {
                let (shown, indent) = window(line_text, position.column);
                let marks = (*width).min(shown.chars().count().saturating_sub(indent).max(1));
                let number = position.line.to_string();
                let gutter = number.len().max(2);
                let _ = write!(
                    text,
                    "\n{:gutter$}{DIM}-->{DIM:#} {}\
                     \n{:gutter$} {DIM}|{DIM:#}\
                     \n{DIM}{number:>gutter$} |{DIM:#} {shown}\
                     \n{:gutter$} {DIM}|{DIM:#} {:indent$}{BAD}{:^<marks$}{BAD:#}",
                    "", self.place, "", "", "", "",
                );
            }
        }
    }
}

/// The part of a line around `column`, and how many characters of it stand before that column.
/// Tabs become spaces, so that the mark below stands right; other control characters are hidden.
fn window(line: &str, column: usize) -> (String, usize) {
    let before = column.saturating_sub(1);
    let length = line.chars().count();
    let skipped = if length <= SHOWN_WIDTH { 0 } else { before.saturating_sub(SHOWN_WIDTH / 3) };
    let shown = { line.chars().skip(skipped).take(SHOWN_WIDTH) }
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect();
    (shown, before - skipped)
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", anstream::adapter::strip_str(&self.styled()))
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_at(text: &str, span: Range<usize>) -> String {
        let error = ConfigError {
            key: "dns.timeout".into(),
            fault: Fault::UnknownKey,
            place: Place::in_file("w.toml", text, span),
            hint: Some("do this".into()),
        };
        error.to_string()
    }

    #[test]
    fn the_mark_stands_under_what_is_wrong() {
        assert_eq!(
            error_at("a = 1\n\tb = \"ü\" # \u{7}\n", 7..14),
            "error: dns.timeout: there is no such key\n\
             \x20 --> w.toml:2:2\n\
             \x20  |\n\
             \x202 |  b = \"ü\" # \u{fffd}\n\
             \x20  |  ^^^^^^\n\
             \x20 = do this"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}BAD{}", "a".repeat(500), "b".repeat(500));
        let rendered = error_at(&text, 500..503);
        let lines: Vec<_> = rendered.lines().collect();
        assert_eq!(lines[1], "  --> w.toml:1:501");
        let column = lines[4].find('^').unwrap();
        assert_eq!(&lines[3][column..column + 3], "BAD");
        assert!(lines[3].len() <= 80);
    }

    #[test]
    fn a_span_past_the_end_or_over_lines_is_cut() {
        assert!(error_at("", 7..9).ends_with("| ^\n  = do this"));
        assert!(error_at("a\r\nb\n", 0..5).contains("1 | a\n   | ^\n"));
    }
}
