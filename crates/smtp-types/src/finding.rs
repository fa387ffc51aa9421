//! What a reader of a text has to say about it, and where.

use alloc::string::String;
use core::fmt;

/// A place in a text: line and column count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

impl Position {
    /// The place of the octet `offset` in `text`. An offset past the end is the end.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Allowed, and worth knowing.
    Notice,
    /// Allowed, and likely not what was meant; or against a SHOULD.
    Warning,
    /// Against a MUST, or against the grammar: others will not accept the text.
    Error,
}

impl Severity {
    /// `notice`, `warning` or `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One remark about a record or a policy, with its place and the clause that it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable name for machines, for example `policy-max-age-digits`.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Where.
    pub position: Position,
    /// Field, found and expected, for people: lower case, no full stop.
    pub message: String,
    /// The rule, for example `RFC 8461 §3.2`.
    pub clause: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, position, message, clause, .. } = self;
        write!(f, "{position}: {}: {message} ({clause})", severity.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions() {
        let text = "ab\ncö d\n";
        let at = |offset| Position::of(text, offset);
        assert_eq!(at(0), Position { line: 1, column: 1 });
        assert_eq!(at(3), Position { line: 2, column: 1 });
        assert_eq!(at(6), Position { line: 2, column: 3 }); // ö has two octets
        assert_eq!(at(5), Position { line: 2, column: 2 }); // inside ö
        assert_eq!(at(99), Position { line: 3, column: 1 });
    }
}
