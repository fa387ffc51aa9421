//! A TOML text on its way in: it finds all that is wrong, not just the first.

use std::ops::Range;

use smtp_types::Position;
use toml::Spanned;
use toml::de::DeTable;

use super::error::{ConfigError, Fault, Place};
use super::kind::Refusal;

/// The text of a file, and what was found wrong in it so far.
pub(super) struct Document<'a> {
    name: &'a str,
    text: &'a str,
    errors: Vec<ConfigError>,
}

impl<'a> Document<'a> {
    /// Reads `text` as TOML, as far as it is TOML. What is not is noted once for each line.
    pub(super) fn parse(name: &'a str, text: &'a str) -> (Self, Spanned<DeTable<'a>>) {
        let (table, faults) = DeTable::parse_recoverable(text);
        let mut document = Self { name, text, errors: Vec::new() };
        for fault in faults {
            let span = fault.span().unwrap_or(0..0);
            if document.is_broken_at(&span) {
                continue;
            }
            if fault.message() == "duplicate key" {
                document.note("", span.clone(), document.duplicate(span), None);
                continue;
            }
            let message = fault.message().into();
            // A date without quotes is a date.
            let is_date = fault.message().starts_with("invalid date");
            let hint = document.unquoted(&span).filter(|_| !is_date);
            document.note("", span, Fault::Syntax { message }, hint.as_deref());
        }
        (document, table)
    }

    /// Notes that something is wrong. Nothing is noted in a line that is not TOML, for what the
    /// reader made of it was never written.
    pub(super) fn add(&mut self, key: &str, span: Range<usize>, fault: Fault, hint: Option<&str>) {
        if !self.is_broken_at(&span) {
            self.note(key, span, fault, hint);
        }
    }

    /// Notes a value that is not what it should be.
    pub(super) fn refuse(&mut self, key: &str, refusal: Refusal, hint: Option<&str>) {
        let Refusal { span, expected, found } = refusal;
        self.add(key, span, Fault::Value { expected, found }, hint);
    }

    /// The place of `span` in the file.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place::in_file(self.name, self.text, span)
    }

    /// The line of the octet `offset`, from 1.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        Position::of(self.text, offset).line
    }

    /// All that is wrong, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<ConfigError> {
        self.errors.sort_by_key(|error| error.place.position());
        self.errors
    }

    fn note(&mut self, key: &str, span: Range<usize>, fault: Fault, hint: Option<&str>) {
        self.errors.push(ConfigError {
            key: key.into(),
            fault,
            place: self.place(span),
            hint: hint.map(Into::into),
        });
    }

    fn is_broken_at(&self, span: &Range<usize>) -> bool {
        let line = self.line_of(span.start);
        self.errors.iter().any(|error| {
            matches!(error.fault, Fault::Syntax { .. })
                && error.place.position().is_some_and(|at| at.line == line)
        })
    }

    /// The most common slip: a text, a duration or an address without quotes.
    fn unquoted(&self, span: &Range<usize>) -> Option<String> {
        let line = self.text.lines().nth(self.line_of(span.start) - 1)?;
        let (key, value) = line.split_once('=')?;
        let value = value.split('#').next().unwrap_or_default().trim();
        let is_bare = value.starts_with(|c: char| c.is_ascii_alphanumeric() || "/.-*".contains(c))
            && !value.contains(['"', '\'']);
        is_bare.then(|| format!("texts stand in quotes: {} = \"{value}\"", key.trim()))
    }

    /// A key or table that is there twice. The first is looked for where people put it: above,
    /// at the start of a line, and for a key, in the same table.
    fn duplicate(&self, span: Range<usize>) -> Fault {
        let line = self.line_of(span.start);
        let word = self.text.get(span).unwrap_or_default();
        let lines: Vec<_> = self.text.lines().map(str::trim_start).collect();
        let own_line = lines.get(line - 1).copied().unwrap_or_default();
        let is_table = own_line.starts_with('[');
        let first = { lines.iter().enumerate().take(line - 1).rev() }
            .take_while(|(_, other)| is_table || !other.starts_with('['))
            .find(|(_, other)| {
                let name = other.split(['=', '#']).next().unwrap_or_default().trim_end();
                if is_table {
                    name == own_line.split('#').next().unwrap_or_default().trim_end()
                } else {
                    name == word
                }
            });
        Fault::Duplicate {
            what: if is_table { format!("the table [{word}]") } else { format!("the key {word}") },
            first_line: first.map(|(index, _)| index + 1),
        }
    }
}
