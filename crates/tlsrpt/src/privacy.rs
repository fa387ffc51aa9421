//! Nothing personal in a report (RFC 8460 §8).
//!
//! A report tells of servers. Free text can betray people all the same: a server that answers EHLO
//! with the address of whoever connects, a diagnosis that quotes a recipient. So free text is
//! [reduced](without_addresses) when it comes in, and [`personal_data`] looks at what goes out, so
//! that a test can show it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::Position;

/// What stands in place of a word that was taken out.
const WITHHELD: &str = "[address]";

/// The text without words that have an `@`.
#[must_use]
pub fn without_addresses(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut reduced = String::with_capacity(text.len());
    for word in text.split_inclusive(is_gap) {
        if word.contains('@') {
            reduced.push_str(WITHHELD);
            reduced.extend(word.chars().next_back().filter(|c| is_gap(*c)));
        } else {
            reduced.push_str(word);
        }
    }
    Cow::Owned(reduced)
}

fn is_gap(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, ',' | ';' | '"' | '(' | ')')
}

/// Something in a text that may belong to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalData {
    /// What it is.
    pub kind: PersonalDataKind,
    /// Where it begins.
    pub position: Position,
    /// The word.
    pub found: Box<str>,
}

impl fmt::Display for PersonalData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, position, found } = self;
        write!(f, "{position}: expected nothing personal, found {kind} {found:?}")
    }
}

/// What may belong to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonalDataKind {
    /// `somebody@example.com`.
    MailAddress,
    /// `<something@example.com>`; it names a message, and with that who wrote to whom.
    MessageId,
    /// A word that is the local part of a known address.
    LocalPart,
}

impl fmt::Display for PersonalDataKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MailAddress => "a mail address",
            Self::MessageId => "a message id",
            Self::LocalPart => "a local part",
        })
    }
}

/// All mail addresses, message ids and known local parts in a text, for example a report.
///
/// `allowed` are words that may be there: the contact of the submitter, the id of the report.
/// `local_parts` are those of people whose mail led to the report. An escaped `@` (`\u0040`) is
/// one, too.
#[must_use]
pub fn personal_data(text: &str, allowed: &[&str], local_parts: &[&str]) -> Vec<PersonalData> {
    let mut found = Vec::new();
    let mut offset = 0;
    for word in text.split_inclusive(|c| is_gap(c) || c == '[' || c == ']') {
        let start = offset;
        offset += word.len();
        let word = word.trim_end_matches(|c| is_gap(c) || c == '[' || c == ']');
        if word.is_empty() || allowed.contains(&word) {
            continue;
        }
        let kind = if word.contains('@') || word.contains("\\u0040") {
            match word.starts_with('<') && word.ends_with('>') {
                true => PersonalDataKind::MessageId,
                false => PersonalDataKind::MailAddress,
            }
        } else if word.split(is_separator).any(|part| local_parts.contains(&part)) {
            PersonalDataKind::LocalPart
        } else {
            continue;
        };
        found.push(PersonalData { kind, position: Position::of(text, start), found: word.into() });
    }
    found
}

/// What may stand beside a local part in a word: `user=alice`, `to:alice`.
fn is_separator(c: char) -> bool {
    matches!(c, '=' | ':' | '<' | '>' | '/' | '!' | '%' | '\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_out() {
        let table = [
            ("self-signed_certificate", "self-signed_certificate"),
            ("550 for <alice@example.com>, sorry", "550 for [address], sorry"),
            ("a@b c@d", "[address] [address]"),
            ("@", "[address]"),
        ];
        for (text, expected) in table {
            assert_eq!(without_addresses(text), expected);
        }
    }

    #[test]
    fn personal_data_is_found() {
        let kinds = |text: &str| -> Vec<_> {
            let found = personal_data(text, &["tls@s.test", "1.a@s.test"], &["alice"]);
            found.into_iter().map(|found| (found.kind, found.position.column)).collect()
        };
        let clean =
            "{\"contact-info\":\"tls@s.test\",\"report-id\":\"1.a@s.test\",\"x\":\"malice\"}";
        assert_eq!(kinds(clean), []);
        assert_eq!(kinds("{\"x\":\"bob@a.test\"}"), [(PersonalDataKind::MailAddress, 7)]);
        assert_eq!(kinds("{\"x\":\"bob\\u0040a.test\"}"), [(PersonalDataKind::MailAddress, 7)]);
        assert_eq!(kinds("{\"x\":\"<1@a.test>\"}"), [(PersonalDataKind::MessageId, 7)]);
        assert_eq!(kinds("for to=alice"), [(PersonalDataKind::LocalPart, 5)]);
    }
}
