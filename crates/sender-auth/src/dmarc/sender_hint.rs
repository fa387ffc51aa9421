//! What people may be deceived by although the domain of the author is clear.
//!
//! "Display name attacks are out of scope for DMARC" (RFC 9989 §11.4): a message may pass for the
//! domain of its address, while people see the address in its display name. These are hints, not
//! verdicts; there are honest messages among those that have one.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::DomainName;

use super::address_list::{MAX_DOMAIN_OCTETS, Mailbox};
use super::align::is_below;
use super::encoded_word::decode;

/// One hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderHint {
    /// What people see beside an address shows another address, of a domain that has nothing to
    /// do with it: `"boss@example.com" <x@example.net>`.
    AddressInName {
        /// The domain that is shown.
        shown: DomainName,
        /// The domain of the address, or of the first address for words that belong to none.
        actual: DomainName,
    },
    /// What stands before the `@` shows another address: `"boss@example.com"@example.net`, or the
    /// same as an encoded word, which some mail programs decode there.
    AddressInLocalPart {
        /// The domain that is shown.
        shown: DomainName,
        /// The domain of the address.
        actual: DomainName,
    },
    /// A character that is not shown, or that changes how others are shown: a control character, a
    /// change of direction, a space without width.
    HiddenCharacter {
        /// The character.
        found: char,
    },
}

impl fmt::Display for SenderHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressInName { shown, actual } => {
                write!(
                    f,
                    "the display name shows an address of {shown}, the address is of {actual}"
                )
            }
            Self::AddressInLocalPart { shown, actual } => {
                write!(f, "the local part shows an address of {shown}, the address is of {actual}")
            }
            Self::HiddenCharacter { found } => {
                write!(f, "the sender has the hidden character U+{:04X}", u32::from(*found))
            }
        }
    }
}

/// The hints that addresses and words without an address give, each once.
pub(crate) fn hints(mailboxes: &[Mailbox], words: &[Box<str>]) -> Vec<SenderHint> {
    let mut hints = Vec::new();
    for mailbox in mailboxes {
        let actual = &mailbox.domain;
        let name = mailbox.name.as_deref().unwrap_or_default();
        let local_part = decode(&mailbox.local_part);
        let in_name = foreign_domains(name, actual)
            .map(|shown| SenderHint::AddressInName { shown, actual: actual.clone() });
        let in_local_part = foreign_domains(&local_part, actual)
            .map(|shown| SenderHint::AddressInLocalPart { shown, actual: actual.clone() });
        let hidden = hidden_character(name).or_else(|| hidden_character(&local_part));
        let hidden = hidden.map(|found| SenderHint::HiddenCharacter { found });
        hints.extend(in_name.chain(in_local_part).chain(hidden));
    }
    if let Some(first) = mailboxes.first() {
        for words in words {
            let actual = &first.domain;
            let in_words = foreign_domains(words, actual)
                .map(|shown| SenderHint::AddressInName { shown, actual: actual.clone() });
            let hidden = hidden_character(words);
            let hidden = hidden.map(|found| SenderHint::HiddenCharacter { found });
            hints.extend(in_words.chain(hidden));
        }
    }
    let mut once: Vec<SenderHint> = Vec::new();
    for hint in hints {
        if once.len() < MAX_HINTS && !once.contains(&hint) {
            once.push(hint);
        }
    }
    once
}

/// More do not tell more.
const MAX_HINTS: usize = 20;

/// How many `@` of one text are looked at.
const MAX_PLACES: usize = 100;

/// The domains of what looks like addresses, those that are above or below `actual` apart.
fn foreign_domains<'t>(text: &'t str, actual: &'t DomainName) -> impl Iterator<Item = DomainName> {
    let ends = text.char_indices().filter(|(_, c)| is_at(*c)).take(MAX_PLACES);
    let shown = ends.filter_map(move |(index, at)| {
        let before = text.get(..index)?.chars().next_back()?;
        let behind = text.get(index + at.len_utf8()..)?;
        let length = behind.find(|c| !is_domain_character(c)).unwrap_or(behind.len());
        let domain = behind.get(..length)?.trim_end_matches(['.', '-']);
        let has_name =
            !before.is_whitespace() && !is_at(before) && domain.len() <= MAX_DOMAIN_OCTETS;
        has_name.then(|| DomainName::parse(domain).ok()).flatten()
    });
    shown.filter(move |shown| {
        let is_related = shown == actual || is_below(shown, actual) || is_below(actual, shown);
        !is_related && shown.labels().count() > 1
    })
}

/// `@`, and what looks the same: FULLWIDTH and SMALL COMMERCIAL AT.
pub(crate) const fn is_at(c: char) -> bool {
    matches!(c, '@' | '\u{ff20}' | '\u{fe6b}')
}

/// Letters and digits of all scripts, hyphens, and what UTS #46 takes for a dot.
pub(crate) fn is_domain_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

fn hidden_character(text: &str) -> Option<char> {
    text.chars().find(|c| {
        let is_format = matches!(
            c,
            '\u{ad}' | '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        );
        is_format || c.is_control() && *c != '\t'
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn mailbox(name: &str, local_part: &str) -> Mailbox {
        let domain = DomainName::parse("mail.evil.test").unwrap();
        Mailbox { name: Some(name.into()), local_part: local_part.into(), domain }
    }

    fn told(name: &str, local_part: &str) -> Vec<alloc::string::String> {
        let hints = hints(&[mailbox(name, local_part)], &[]);
        hints.iter().map(ToString::to_string).collect()
    }

    const IN_NAME: &str =
        "the display name shows an address of good.test, the address is of mail.evil.test";
    const IN_LOCAL_PART: &str =
        "the local part shows an address of good.test, the address is of mail.evil.test";

    #[test]
    fn addresses_that_are_shown() {
        for name in [
            "a@good.test",
            "The Boss (a@good.test)",
            "<a@good.test>",
            "a\u{ff20}good.test",
            "a@good\u{3002}test",
            "a@good.test.",
        ] {
            assert_eq!(told(name, "x"), [IN_NAME], "{name}");
        }
        for name in ["x@evil.test", "x@a.mail.evil.test", "@good.test", "a @good.test", "a@b", ""] {
            assert_eq!(told(name, "x"), [""; 0], "{name}");
        }
        assert_eq!(told("", "a@good.test"), [IN_LOCAL_PART]);
        assert_eq!(told("", "=?utf-8?q?a=40good.test?="), [IN_LOCAL_PART]);
        let words = [Box::from("a@good.test")];
        assert_eq!(hints(&[mailbox("", "x")], &words).len(), 1);
        assert_eq!(hints(&[], &words), []);
    }

    #[test]
    fn hidden_characters() {
        assert_eq!(told("a\u{202e}b", "x"), ["the sender has the hidden character U+202E"]);
        assert_eq!(
            told("", "=?utf-8?q?a=40good.test=00?="),
            [IN_LOCAL_PART, "the sender has the hidden character U+0000"]
        );
    }
}
