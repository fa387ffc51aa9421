//! Why a piece could not be read.

use std::fmt;

/// How much of a name that a stranger chose is shown, in characters.
const MAX_NAME: usize = 60;

/// A piece that could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is, for example `part 2, entry 1 "report.xml"`. Empty for the input itself.
    pub place: String,
    /// How far into the unpacked document it was met, in octets, if that says anything.
    pub offset: Option<u64>,
    /// What was expected, and what was found: one line.
    pub problem: String,
}

impl Fault {
    pub(super) fn new(place: &str, problem: impl Into<String>) -> Self {
        Self { place: place.to_owned(), offset: None, problem: printable(&problem.into(), 300) }
    }

    pub(super) fn at(place: &str, offset: u64, problem: impl Into<String>) -> Self {
        Self { offset: Some(offset), ..Self::new(place, problem) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        if let Some(offset) = self.offset {
            write!(f, "octet {offset}: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Fault {}

/// One step further into the input.
pub(super) fn below(place: &str, step: &str) -> String {
    match place {
        "" => step.to_owned(),
        place => format!("{place}, {step}"),
    }
}

/// A name that a stranger chose, between quotation marks: short, one line. It may be a path or
/// worse; nothing is ever done with it but showing it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", printable(name, MAX_NAME).replace('"', "'"))
}

fn printable(text: &str, characters: usize) -> String {
    let plain = |c: char| match c {
        '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => '?',
        c if c.is_control() => '?',
        c => c,
    };
    let mut shown: String = text.chars().take(characters).map(plain).collect();
    if text.chars().nth(characters).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_harmlessly() {
        assert_eq!(quoted("../../etc/pass\0wd\r\n\u{1b}[2J"), "\"../../etc/pass?wd???[2J\"");
        assert_eq!(quoted("a\"b\u{202e}"), "\"a'b?\"");
        assert_eq!(quoted(&"ä".repeat(300)).chars().count(), 63);
    }

    #[test]
    fn one_line() {
        let fault = Fault::at("part 2", 17, "expected a tag,\nfound nothing");
        assert_eq!(fault.to_string(), "part 2: octet 17: expected a tag,?found nothing");
    }
}
