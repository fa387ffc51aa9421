//! Address lists of a header field (RFC 5322 §3.4), the obsolete forms (§4.4) and UTF-8 (RFC 6532)
//! included, read octet by octet.
//!
//! The reader is exact about one thing, the domain of each address, and keeps the rest for people
//! to see. It is lenient in two ways that cannot hide a domain:
//!
//! - words without an address between two commas (`Doe, John <john@example.com>` lacks its quotes)
//!   are a name, not a fault;
//! - an address where a display name should be (`a@one.example <b@two.example>` lacks its quotes)
//!   is an address that people see, so both count.
//!
//! All else that the grammar does not allow ends the reading with a place and a reason. Work and
//! memory are linear in the length; nothing here calls itself.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DomainName, DomainNameError};

use super::address_fault::{AddressFault, SyntaxFault};
use super::address_tokens::{Fault, Kind, Token, syntax, tokens};
use super::encoded_word::decode;

/// How many addresses one field may have.
pub(crate) const MAX_ADDRESSES: usize = 100;

/// A domain has at most 253 octets as A-labels; in UTF-8 it may have some more.
pub(crate) const MAX_DOMAIN_OCTETS: usize = 1_000;

/// One address with a domain, and what people see beside it. Octets that are not UTF-8 are shown as
/// U+FFFD in all but the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, decoded: the phrase in front, else a comment behind.
    pub name: Option<Box<str>>,
    /// What stands before the `@`, quotes and quoted pairs removed; not decoded.
    pub local_part: Box<str>,
    /// What stands behind it.
    pub domain: DomainName,
}

impl fmt::Display for Mailbox {
    /// The address alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

/// What was read: all of it, or what came before the first fault of syntax.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressList {
    pub(crate) mailboxes: Vec<Mailbox>,
    /// Words without an address, decoded.
    pub(crate) words: Vec<Box<str>>,
    /// The first fault, and the octet where it stands.
    pub(crate) fault: Option<(usize, AddressFault)>,
}

impl AddressList {
    fn add_words(&mut self, words: &[Token<'_>]) {
        if !words.is_empty() && self.words.len() < MAX_ADDRESSES {
            self.words.push(shown(words));
        }
    }
}

/// Reads the value of a field: `address-list`, as RFC 6854 §2.1 allows it in `From` and in
/// `Sender`. Commas without an address between them are obsolete syntax (RFC 5322 §4.4).
pub(crate) fn read_addresses(value: &[u8]) -> AddressList {
    let mut list = AddressList::default();
    let mut reader = match Reader::new(value) {
        Ok(reader) => reader,
        Err(fault) => {
            list.fault = Some(fault);
            return list;
        }
    };
    if let Err((offset, fault)) = reader.read_list(&mut list) {
        // What was only wrong with one address stood before what ended the reading.
        list.fault.get_or_insert((offset, fault));
    }
    list
}

struct Reader<'v> {
    tokens: core::iter::Peekable<alloc::vec::IntoIter<Token<'v>>>,
    end: usize,
    /// The comments that were passed, for old addresses that have their name in one.
    comments: Vec<Vec<u8>>,
}

impl<'v> Reader<'v> {
    fn new(value: &'v [u8]) -> Result<Self, Fault> {
        let tokens = tokens(value)?.into_iter().peekable();
        Ok(Self { tokens, end: value.len(), comments: Vec::new() })
    }

    /// The special character that comes next; comments before it are passed.
    fn special(&mut self) -> Option<u8> {
        match self.peek()?.kind {
            Kind::Special(special) => Some(special),
            _ => None,
        }
    }

    fn peek(&mut self) -> Option<&Token<'v>> {
        while let Some(token) = self.tokens.next_if(|token| matches!(token.kind, Kind::Comment(_)))
        {
            if let Kind::Comment(text) = token.kind {
                self.comments.push(text);
            }
        }
        self.tokens.peek()
    }

    fn next(&mut self) -> Option<Token<'v>> {
        self.peek()?;
        self.tokens.next()
    }

    /// Where the next token stands, or the end.
    fn offset(&mut self) -> usize {
        let end = self.end;
        self.peek().map_or(end, |token| token.offset)
    }

    fn unexpected(&mut self, expected: char) -> Fault {
        let end = self.end;
        match self.peek() {
            None => syntax(end, SyntaxFault::End { expected }),
            Some(token) => {
                let found = match &token.kind {
                    Kind::Atom(atom) => atom.first().copied().unwrap_or_default(),
                    Kind::Quoted(_) => b'"',
                    Kind::Literal => b'[',
                    Kind::Special(special) => *special,
                    Kind::Comment(_) => b'(',
                };
                syntax(token.offset, SyntaxFault::Unexpected { found })
            }
        }
    }

    fn expect(&mut self, special: u8) -> Result<(), Fault> {
        if self.special() != Some(special) {
            return Err(self.unexpected(char::from(special)));
        }
        self.next();
        Ok(())
    }

    /// `(address *("," address)) / obs-addr-list`
    fn read_list(&mut self, list: &mut AddressList) -> Result<(), Fault> {
        let mut is_in_group = false;
        loop {
            self.comments.clear();
            self.read_element(list, &mut is_in_group)?;
            match self.special() {
                Some(b',') => {
                    self.next();
                }
                Some(b';') if is_in_group => {
                    self.next();
                    is_in_group = false;
                    match self.special() {
                        Some(b',') => {
                            self.next();
                        }
                        _ if self.peek().is_none() => return Ok(()),
                        _ => return Err(self.unexpected(',')),
                    }
                }
                _ if self.peek().is_some() => return Err(self.unexpected(',')),
                _ if is_in_group => return Err(self.unexpected(';')),
                _ => return Ok(()),
            }
        }
    }

    /// What stands between two commas: an address, the beginning of a group with its first address,
    /// words, or nothing.
    fn read_element(
        &mut self,
        list: &mut AddressList,
        is_in_group: &mut bool,
    ) -> Result<(), Fault> {
        let mut words = self.words();
        if self.special() == Some(b':') && !*is_in_group && !words.is_empty() {
            self.next();
            *is_in_group = true;
            list.add_words(&words);
            words = self.words();
        }
        let start = words.first().map(|word| word.offset);
        match self.special() {
            Some(b'@') => {
                self.next();
                let count = list.mailboxes.len();
                let local_part = local_part(&words, start.unwrap_or(self.end))?;
                self.read_domain(list, local_part, None)?;
                // An address where a display name should be.
                if self.special() == Some(b'<') {
                    let shown = list.mailboxes.get(count).map(|seen| seen.to_string().into());
                    self.read_angle(list, shown)?;
                }
            }
            Some(b'<') => {
                let name = (!words.is_empty()).then(|| shown(&words));
                self.read_angle(list, name)?;
            }
            _ => {
                list.add_words(&words);
                return Ok(());
            }
        }
        self.name_by_comment(list);
        Ok(())
    }

    /// `word` and `.` as they follow each other (phrase, obs-phrase, local-part).
    fn words(&mut self) -> Vec<Token<'v>> {
        let mut words = Vec::new();
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::Atom(_) | Kind::Quoted(_) | Kind::Special(b'.') => {}
                _ => break,
            }
            words.extend(self.next());
        }
        words
    }

    /// `"<" [obs-route] addr-spec ">"`
    fn read_angle(&mut self, list: &mut AddressList, name: Option<Box<str>>) -> Result<(), Fault> {
        let start = self.offset();
        self.expect(b'<')?;
        self.skip_route()?;
        let words = self.words();
        let only_words = self.special() == Some(b'>');
        if only_words {
            let fault = if words.is_empty() { AddressFault::Null } else { AddressFault::NoDomain };
            list.fault.get_or_insert((start, fault));
            list.words.extend(name);
            list.add_words(&words);
        } else {
            self.expect(b'@')?;
            let local_part = local_part(&words, start)?;
            self.read_domain(list, local_part, name)?;
        }
        self.expect(b'>')
    }

    /// `obs-route = obs-domain-list ":"`: `@a,@b:`, of no meaning (RFC 5322 §4.4).
    fn skip_route(&mut self) -> Result<(), Fault> {
        if !matches!(self.special(), Some(b'@' | b',')) {
            return Ok(());
        }
        loop {
            match self.special() {
                Some(b',') => {
                    self.next();
                }
                Some(b'@') => {
                    self.next();
                    self.domain_text()?;
                }
                _ => return self.expect(b':'),
            }
        }
    }

    /// What stands behind the `@`.
    fn read_domain(
        &mut self,
        list: &mut AddressList,
        local_part: Box<str>,
        name: Option<Box<str>>,
    ) -> Result<(), Fault> {
        let offset = self.offset();
        let domain = match self.domain_text()? {
            None => Err(AddressFault::Literal),
            Some(text) if text.len() > MAX_DOMAIN_OCTETS => {
                Err(AddressFault::Domain(DomainNameError::TooLong { octets: text.len() }))
            }
            Some(octets) => match core::str::from_utf8(&octets) {
                Ok(text) => DomainName::parse(text).map_err(AddressFault::Domain),
                Err(_) => Err(AddressFault::NotUtf8),
            },
        };
        if list.mailboxes.len() == MAX_ADDRESSES {
            return Err((offset, AddressFault::TooMany { limit: MAX_ADDRESSES }));
        }
        match domain {
            Ok(domain) => list.mailboxes.push(Mailbox { name, local_part, domain }),
            Err(fault) => {
                list.fault.get_or_insert((offset, fault));
                list.words.extend(name);
            }
        }
        Ok(())
    }

    /// `domain = dot-atom / domain-literal / obs-domain`; white space and comments between its
    /// atoms are no part of it. `None` for a literal. A dot at the end is that of the root.
    fn domain_text(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        if matches!(self.peek(), Some(Token { kind: Kind::Literal, .. })) {
            self.next();
            return Ok(None);
        }
        let mut text = Vec::new();
        loop {
            match self.peek() {
                Some(Token { kind: Kind::Atom(atom), .. }) => text.extend_from_slice(atom),
                _ if text.is_empty() => return Err(self.unexpected('a')),
                _ => return Ok(Some(text)),
            }
            self.next();
            if self.special() != Some(b'.') {
                return Ok(Some(text));
            }
            self.next();
            text.push(b'.');
            if self.special() == Some(b'.') {
                return Err(self.unexpected('a'));
            }
        }
    }

    /// `a@example.com (name)`: how names were written before there was a phrase.
    fn name_by_comment(&mut self, list: &mut AddressList) {
        self.peek();
        let comments = self.comments.join(&b' ');
        if let (false, Some(mailbox)) = (comments.is_empty(), list.mailboxes.last_mut()) {
            mailbox.name.get_or_insert_with(|| decode(&String::from_utf8_lossy(&comments)).into());
        }
    }
}

/// `local-part = dot-atom / quoted-string / obs-local-part`: words with one dot between them.
fn local_part(words: &[Token<'_>], offset: usize) -> Result<Box<str>, Fault> {
    let unexpected = |token: &Token<'_>| {
        let found = match &token.kind {
            Kind::Atom(atom) => atom.first().copied().unwrap_or_default(),
            Kind::Special(special) => *special,
            _ => b'"',
        };
        syntax(token.offset, SyntaxFault::Unexpected { found })
    };
    if words.is_empty() {
        return Err(syntax(offset, SyntaxFault::Unexpected { found: b'@' }));
    }
    let mut text = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let is_dot = matches!(word.kind, Kind::Special(_));
        // Word, dot, word; two dots in a row and dots at an end are in use, and harm nobody.
        let follows_word = index > 0
            && words.get(index - 1).is_some_and(|last| !matches!(last.kind, Kind::Special(_)));
        match &word.kind {
            _ if !is_dot && follows_word => return Err(unexpected(word)),
            Kind::Atom(atom) => text.extend_from_slice(atom),
            Kind::Quoted(quoted) => text.extend_from_slice(quoted),
            Kind::Special(_) => text.push(b'.'),
            Kind::Literal | Kind::Comment(_) => {}
        }
    }
    Ok(String::from_utf8_lossy(&text).into())
}

/// Words as people see them: spaces where some stood, encoded words decoded.
fn shown(words: &[Token<'_>]) -> Box<str> {
    let mut text = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 && word.is_apart {
            text.push(b' ');
        }
        match &word.kind {
            Kind::Atom(atom) => text.extend_from_slice(atom),
            Kind::Quoted(quoted) => text.extend_from_slice(quoted),
            Kind::Special(special) => text.push(*special),
            Kind::Literal | Kind::Comment(_) => {}
        }
    }
    decode(&String::from_utf8_lossy(&text)).into()
}

#[cfg(test)]
mod tests;
