//! License expressions as packages write them: SPDX, and the old `/` for `OR`.

use std::fmt;

/// Whether the licenses in `allowed` are enough for `expression`.
///
/// An exception (`WITH …`) only widens what a license permits, so it is read over.
///
/// # Errors
/// [`ExpressionError`] if the text is not an expression.
pub(crate) fn is_satisfied(expression: &str, allowed: &[&str]) -> Result<bool, ExpressionError> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    let value = reader.alternatives()?;
    match reader.words {
        [] => Ok(value),
        [word, ..] => Err(ExpressionError::Unexpected { found: (*word).to_owned() }),
    }
}

/// Recursive descent: `OR` binds less than `AND`.
struct Reader<'e> {
    words: &'e [&'e str],
    allowed: &'e [&'e str],
}

impl Reader<'_> {
    fn alternatives(&mut self) -> Result<bool, ExpressionError> {
        let mut value = self.conjunction()?;
        while self.take("OR") {
            value |= self.conjunction()?;
        }
        Ok(value)
    }

    fn conjunction(&mut self) -> Result<bool, ExpressionError> {
        let mut value = self.license()?;
        while self.take("AND") {
            value &= self.license()?;
        }
        Ok(value)
    }

    fn license(&mut self) -> Result<bool, ExpressionError> {
        if self.take("(") {
            let value = self.alternatives()?;
            return if self.take(")") { Ok(value) } else { Err(ExpressionError::Unclosed) };
        }
        let Some((word, rest)) = self.words.split_first() else {
            return Err(ExpressionError::End);
        };
        if ["OR", "AND", "WITH", ")"].contains(word) {
            return Err(ExpressionError::Unexpected { found: (*word).to_owned() });
        }
        self.words = rest;
        if self.take("WITH") {
            self.words = self.words.get(1..).ok_or(ExpressionError::End)?;
        }
        Ok(self.allowed.contains(word))
    }

    fn take(&mut self, word: &str) -> bool {
        let Some((_, rest)) = self.words.split_first().filter(|(first, _)| **first == word) else {
            return false;
        };
        self.words = rest;
        true
    }
}

/// Why a text is not a license expression.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ExpressionError {
    /// It ends where a license should stand.
    End,
    /// A parenthesis is not closed.
    Unclosed,
    /// A word that cannot stand where it does.
    Unexpected {
        /// The word.
        found: String,
    },
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => write!(f, "expected a license, found the end"),
            Self::Unclosed => write!(f, "expected a closing parenthesis, found none"),
            Self::Unexpected { found } => {
                write!(f, "expected a license or the end, found {found:?}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let holds = |text| is_satisfied(text, &["MIT", "Apache-2.0", "Unicode-3.0"]);
        assert_eq!(holds("MIT"), Ok(true));
        assert_eq!(holds("MIT OR GPL-3.0"), Ok(true));
        assert_eq!(holds("MIT/GPL-3.0"), Ok(true));
        assert_eq!(holds("MIT AND GPL-3.0"), Ok(false));
        assert_eq!(holds("(MIT OR Apache-2.0) AND Unicode-3.0"), Ok(true));
        assert_eq!(holds("(MIT OR Apache-2.0) AND OpenSSL"), Ok(false));
        assert_eq!(holds("GPL-2.0 OR MIT AND ISC"), Ok(false)); // AND binds more
        assert_eq!(holds("Apache-2.0 WITH LLVM-exception"), Ok(true));
        assert_eq!(holds("Apache-2.0 WITH LLVM-exception OR GPL-3.0"), Ok(true));
        assert_eq!(holds("LGPL-2.1"), Ok(false));
        assert_eq!(holds(""), Err(ExpressionError::End));
        assert_eq!(holds("MIT OR"), Err(ExpressionError::End));
        assert_eq!(holds("(MIT"), Err(ExpressionError::Unclosed));
        assert_eq!(holds("MIT ISC"), Err(ExpressionError::Unexpected { found: "ISC".into() }));
        assert_eq!(holds("OR MIT"), Err(ExpressionError::Unexpected { found: "OR".into() }));
    }
}
