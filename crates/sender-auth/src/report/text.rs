//! Free text in a report: short, one line, and for remarks without any address of a person.
//!
//! Free text is where reports leak. A diagnosis that quotes a signature's `i=` or a recipient says
//! who wrote to whom. So a [`Remark`], the only free text that goes into a row, cannot hold an `@`.

use alloc::boxed::Box;
use core::fmt;

/// How many characters a text may have.
const MAX_CHARACTERS: usize = 500;

/// One line of text: 1 to 500 characters, no control characters, no white space at an end, and
/// only what XML 1.0 allows (§2.2 there).
///
/// For what the operator says of himself: the name of the organization, where to ask.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Box<str>);

impl Text {
    /// Reads a text.
    ///
    /// # Errors
    /// [`TextError`] says what a text must not have.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        let characters = text.chars().count();
        if characters > MAX_CHARACTERS {
            return Err(TextError::TooLong { characters });
        }
        if let Some(found) = text.chars().find(|c| c.is_control() || !is_xml(*c)) {
            return Err(TextError::Character { found });
        }
        if text.trim() != text {
            return Err(TextError::WhiteSpaceAtAnEnd);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({:?})", &*self.0)
    }
}

/// A [`Text`] without `@`: it cannot name a mailbox.
///
/// For what is said of messages: a result in words, the comment of an override. It is part of the
/// key by which messages are counted, so it should come from a handful of fixed texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Remark(Text);

impl Remark {
    /// Reads a remark.
    ///
    /// # Errors
    /// [`TextError`]; an `@` is one, also its wide and small forms (`＠`, `﹫`).
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.contains(['@', '\u{FF20}', '\u{FE6B}']) {
            return Err(TextError::Address);
        }
        Text::parse(text).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl From<Remark> for Text {
    fn from(remark: Remark) -> Self {
        remark.0
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remark({:?})", self.as_str())
    }
}

/// `Char` of XML 1.0, §2.2 there.
pub(super) const fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Why something is not the text of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextError {
    /// There is no text.
    Empty,
    /// There is too much.
    TooLong {
        /// How many characters there are.
        characters: usize,
    },
    /// A control character, a line end, or one that XML cannot hold.
    Character {
        /// The character.
        found: char,
    },
    /// It begins or ends with white space.
    WhiteSpaceAtAnEnd,
    /// A remark holds something that looks like the address of a person.
    Address,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "text: expected at least one character, found none"),
            Self::TooLong { characters } => {
                write!(f, "text: expected at most {MAX_CHARACTERS} characters, found {characters}")
            }
            Self::Character { found } => {
                write!(f, "text: expected one line of plain text, found {found:?}")
            }
            Self::WhiteSpaceAtAnEnd => {
                write!(f, "text: expected no white space at an end, found some")
            }
            Self::Address => write!(f, "remark: expected no address, found an @"),
        }
    }
}

impl core::error::Error for TextError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for good in ["a", "Müller & Söhne <GmbH>", "https://example.com/?a=b", "a@b.test"] {
            assert_eq!(Text::parse(good).unwrap().as_str(), good);
        }
        let bad = [
            ("", TextError::Empty),
            ("a\nb", TextError::Character { found: '\n' }),
            ("a\u{0}", TextError::Character { found: '\u{0}' }),
            ("a\u{85}b", TextError::Character { found: '\u{85}' }),
            ("a\u{FFFE}", TextError::Character { found: '\u{FFFE}' }),
            (" a", TextError::WhiteSpaceAtAnEnd),
        ];
        for (text, error) in bad {
            assert_eq!(Text::parse(text), Err(error), "{text:?}");
        }
        assert!(Text::parse(&"ö".repeat(500)).is_ok());
        assert_eq!(Text::parse(&"a".repeat(501)), Err(TextError::TooLong { characters: 501 }));
    }

    #[test]
    fn a_remark_names_nobody() {
        assert_eq!(Remark::parse("body hash did not verify").unwrap().as_str().len(), 24);
        for bad in ["i=jane@example.com", "@", "jane＠example.com", "jane﹫example.com"] {
            assert_eq!(Remark::parse(bad), Err(TextError::Address), "{bad:?}");
        }
    }
}
