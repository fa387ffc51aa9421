//! A cursor over the text of the field: white space, comments, words and quoted strings.

use alloc::string::String;

use smtp_types::Position;

use super::parse::{AuthenticationResultsError, AuthenticationResultsFault};
use super::words::{Comment, Keyword, MAX_OCTETS, Value, is_keyword_octet};

/// How many octets a field may have.
pub(crate) const MAX_FIELD: usize = 64 * 1024;
/// How deep comments may be nested.
pub(super) const MAX_DEPTH: usize = 32;

pub(super) fn utf8(value: &[u8]) -> Result<&str, AuthenticationResultsError> {
    if value.len() > MAX_FIELD {
        let position = Position { line: 1, column: 1 };
        return Err(AuthenticationResultsError {
            position,
            fault: AuthenticationResultsFault::TooLong,
        });
    }
    core::str::from_utf8(value).map_err(|_| {
        let valid = valid_utf8(value);
        Cursor { text: valid, offset: valid.len() }.error(AuthenticationResultsFault::NotUtf8)
    })
}

/// The beginning that is UTF-8.
pub(super) fn valid_utf8(value: &[u8]) -> &str {
    value.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// A place in the text.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    pub(super) text: &'t str,
    pub(super) offset: usize,
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    pub(super) fn next(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) {
        self.offset += self.next().map_or(0, char::len_utf8);
    }

    /// Goes over `word` if it stands here.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.offset += word.len();
        }
        found
    }

    pub(super) fn require(&mut self, word: &'static str) -> Result<(), AuthenticationResultsError> {
        if self.take(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    /// Goes over all characters of a kind.
    pub(super) fn run(&mut self, is_of_kind: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !is_of_kind(c)).unwrap_or(rest.len());
        self.offset += end;
        rest.get(..end).unwrap_or_default()
    }

    pub(super) fn keyword(
        &mut self,
        what: &'static str,
    ) -> Result<Keyword, AuthenticationResultsError> {
        let start = *self;
        let run = self.run(|c| u8::try_from(c).is_ok_and(is_keyword_octet));
        Keyword::parse(run).ok_or_else(|| start.expected(what))
    }

    /// `1*DIGIT`. A number that is too large is the largest.
    pub(super) fn digits(&mut self) -> Result<u64, AuthenticationResultsError> {
        let digits = self.run(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.expected("digits"));
        }
        Ok(digits.parse().unwrap_or(u64::MAX))
    }

    /// `position = 1*2DIGIT` (RFC 8617 §3.9)
    pub(super) fn position(&mut self) -> Result<u8, AuthenticationResultsError> {
        let start = *self;
        let digits = self.run(|c| c.is_ascii_digit());
        let found = if digits.len() <= 2 { digits.parse().ok() } else { None };
        found.ok_or_else(|| start.expected("1 to 50"))
    }

    /// `CFWS` (RFC 5322 §3.2.2), or nothing. Returns the first comment.
    pub(super) fn cfws(&mut self) -> Result<Option<Comment>, AuthenticationResultsError> {
        let mut first = None;
        loop {
            self.run(is_white);
            if self.next() == Some('(') {
                let comment = self.comment()?;
                first = first.or(Some(comment));
            } else if !self.fold()? {
                return Ok(first);
            }
        }
    }

    /// Goes over CRLF with white space behind it. A CR or LF that stands otherwise is a fault.
    fn fold(&mut self) -> Result<bool, AuthenticationResultsError> {
        match self.rest().as_bytes() {
            [b'\r', b'\n', b' ' | b'\t', ..] => {
                self.offset += 2;
                Ok(true)
            }
            [b'\r' | b'\n', ..] => Err(self.expected("a fold")),
            _ => Ok(false),
        }
    }

    /// `comment = "(" *([FWS] ccontent) [FWS] ")"`, nested to 32 levels. The words of inner
    /// comments keep their parentheses.
    fn comment(&mut self) -> Result<Comment, AuthenticationResultsError> {
        let start = *self;
        let mut text = String::new();
        let mut depth = 0;
        loop {
            let Some(next) = self.next() else {
                return Err(start.error(AuthenticationResultsFault::Unclosed { opened: '(' }));
            };
            match next {
                '(' if depth == MAX_DEPTH => {
                    return Err(self.error(AuthenticationResultsFault::TooDeep));
                }
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.advance();
                return Ok(Comment::new(text.get(1..).unwrap_or_default()));
            }
            self.text_character(&mut text)?;
        }
    }

    /// `quoted-string` (RFC 5322 §3.2.4, RFC 6532 §3.2), without its quotes; `None` if there is
    /// none here.
    pub(super) fn quoted_string(&mut self) -> Result<Option<String>, AuthenticationResultsError> {
        let start = *self;
        if !self.take("\"") {
            return Ok(None);
        }
        let mut text = String::new();
        loop {
            match self.next() {
                None => {
                    return Err(start.error(AuthenticationResultsFault::Unclosed { opened: '"' }));
                }
                Some('"') => {
                    self.advance();
                    return Ok(Some(text));
                }
                Some(_) => self.text_character(&mut text)?,
            }
        }
    }

    /// One character inside of a comment or a quoted string: itself, a quoted pair or a fold.
    fn text_character(&mut self, text: &mut String) -> Result<(), AuthenticationResultsError> {
        if self.fold()? {
            return Ok(());
        }
        self.take("\\");
        match self.next() {
            Some('\t') => text.push(' '),
            Some(c) if !c.is_control() => text.push(c),
            found => {
                let what = "a printable character";
                return Err(self.error(AuthenticationResultsFault::Expected { what, found }));
            }
        }
        self.advance();
        Ok(())
    }

    /// `value / [ [ local-part ] "@" ] domain-name`, the cursor behind `CFWS`.
    pub(super) fn value(&mut self) -> Result<Value, AuthenticationResultsError> {
        let start = *self;
        let Some(quoted) = self.quoted_string()? else {
            let run = self.plain_value();
            return if run.is_empty() { Err(self.expected("a value")) } else { start.bounded(run) };
        };
        if !self.take("@") {
            return start.bounded(&quoted);
        }
        // A local part in quotes: they belong to the address.
        self.run(is_value);
        let written = start.rest().get(..self.offset - start.offset).unwrap_or_default();
        start.bounded(&written.replace("\r\n", "").replace('\t', " "))
    }

    /// A value without quotes. An equals sign belongs to it in a local part only, where forwarders
    /// like to have one.
    fn plain_value(&mut self) -> &'t str {
        let mut ahead = *self;
        let run = ahead.run(|c| is_value(c) || c == '=');
        let is_address = run
            .rsplit_once('@')
            .is_some_and(|(local_part, domain)| is_dot_atom(local_part) && !domain.contains('='));
        if is_address {
            *self = ahead;
            return run;
        }
        self.run(is_value)
    }

    fn bounded(&self, text: &str) -> Result<Value, AuthenticationResultsError> {
        if text.len() > MAX_OCTETS {
            return Err(self.error(AuthenticationResultsFault::TooLong));
        }
        Ok(Value::new(text))
    }

    pub(super) fn expected(&self, what: &'static str) -> AuthenticationResultsError {
        self.error(AuthenticationResultsFault::Expected { what, found: self.next() })
    }

    pub(super) fn error(&self, fault: AuthenticationResultsFault) -> AuthenticationResultsError {
        AuthenticationResultsError { position: Position::of(self.text, self.offset), fault }
    }
}

const fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// `token` of RFC 2045 §5.1: printable ASCII without its specials.
pub(super) fn is_token(c: char) -> bool {
    c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c)
}

/// What is read in a value without quotes: all that cannot be taken for something else.
fn is_value(c: char) -> bool {
    is_token(c) || "<>@,:/[]?".contains(c) || is_international(c)
}

/// `dot-atom-text` (RFC 5322 §3.2.3, RFC 6532 §3.2)
pub(super) fn is_dot_atom(text: &str) -> bool {
    let is_atext = |c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_international(c)
    };
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// What international mail adds to a word (RFC 6532 §3.1).
pub(super) fn is_international(c: char) -> bool {
    !(c.is_ascii() || c.is_control() || c.is_whitespace())
}
