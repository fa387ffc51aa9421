//! Whom people see: the Author Domain of a message (RFC 9989 §3.2.2, §4.2, §5.3.1).
//!
//! DMARC protects one thing, the domain in `From`. So the first attack on it is a `From` that a
//! receiver reads in one way and a mail program in another: two fields, two addresses, an address
//! as display name, a NUL in the middle. Such a message "does not comply with" RFC 5322, and its
//! handling "is outside of the scope" of the standard. Here it ends in a typed fault, and with the
//! fault come all domains that can be made out, so that the policies of each can still be applied
//! (RFC 9989 §11.5): by breaking the grammar nobody escapes the policy of a domain that is shown.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DomainName, Position};

use super::address_fault::AddressFault;
use super::address_list::{AddressList, MAX_ADDRESSES, MAX_DOMAIN_OCTETS, Mailbox, read_addresses};
use super::encoded_word::decode;
use super::sender_hint::{SenderHint, hints, is_at, is_domain_character};
use crate::{Header, HeaderField};

/// How many Author Domains are evaluated for one message: each may cost
/// [`MAX_QUERIES`](super::MAX_QUERIES) questions and more, and the sender chooses them. "Limiting the
/// number of Author Domains processed will avoid this risk" (RFC 9989 §11.5).
pub const MAX_AUTHOR_DOMAINS: usize = 4;

/// The authors of a message, as its `From` shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    mailboxes: Vec<Mailbox>,
    words: Vec<Box<str>>,
    domains: Vec<DomainName>,
    fault: Option<AuthorFault>,
}

/// What an [`Author`] comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorDomain<'a> {
    /// Every address has this domain: the Author Domain.
    One(&'a DomainName),
    /// A valid field with addresses of several domains, in their order.
    Several(&'a [DomainName]),
    /// There is no telling what people see.
    Unclear(&'a AuthorFault),
}

impl Author {
    /// Reads the `From` field or fields of a message.
    #[must_use]
    pub fn read(header: &Header) -> Self {
        let mut author =
            Self { mailboxes: Vec::new(), words: Vec::new(), domains: Vec::new(), fault: None };
        let fields = header.named("From");
        match fields.clone().count() {
            0 => author.fault = Some(AuthorFault::NoFrom),
            1 => {}
            count => author.fault = Some(AuthorFault::ManyFrom { count }),
        }
        for field in fields {
            author.read_field(field);
        }
        if author.domains.is_empty() {
            author.fault.get_or_insert(AuthorFault::NoAddress);
        }
        if author.fault.is_some() {
            let values = header.named("From").map(HeaderField::value);
            let places = values.flat_map(places).take(MAX_PLACES);
            for domain in places.flat_map(|place| visible(&place)).flatten() {
                author.add_domain(&domain);
            }
        }
        author
    }

    fn read_field(&mut self, field: &HeaderField) {
        let value = field.value();
        let AddressList { mailboxes, words, fault } = read_addresses(value);
        for mailbox in &mailboxes {
            self.add_domain(&mailbox.domain);
        }
        let room = MAX_ADDRESSES.saturating_sub(self.mailboxes.len());
        self.mailboxes.extend(mailboxes.into_iter().take(room));
        let room = MAX_ADDRESSES.saturating_sub(self.words.len());
        self.words.extend(words.into_iter().take(room));
        if let Some((offset, fault)) = fault {
            let offset = field.octets().len() - value.len() + offset;
            let position = position(field.octets(), offset);
            self.fault.get_or_insert(AuthorFault::Address { position, fault });
        }
    }

    fn add_domain(&mut self, domain: &DomainName) {
        if self.domains.contains(domain) {
            return;
        }
        if self.domains.len() == MAX_AUTHOR_DOMAINS {
            let limit = MAX_AUTHOR_DOMAINS;
            self.fault.get_or_insert(AuthorFault::TooManyDomains { limit });
            return;
        }
        self.domains.push(domain.clone());
    }

    /// The Author Domain, or why there is not exactly one.
    #[must_use]
    pub fn domain(&self) -> AuthorDomain<'_> {
        match (&self.fault, self.domains.as_slice()) {
            (Some(fault), _) => AuthorDomain::Unclear(fault),
            (None, [domain]) => AuthorDomain::One(domain),
            (None, domains) => AuthorDomain::Several(domains),
        }
    }

    /// The domains that people see, each once, at most [`MAX_AUTHOR_DOMAINS`]. If the field is at
    /// fault, those that can be made out.
    #[must_use]
    pub fn domains(&self) -> &[DomainName] {
        &self.domains
    }

    /// What is wrong with the field; several domains are not wrong.
    #[must_use]
    pub const fn fault(&self) -> Option<&AuthorFault> {
        self.fault.as_ref()
    }

    /// The addresses with what people see beside them, in their order. If the field is at fault,
    /// those before the fault.
    #[must_use]
    pub fn mailboxes(&self) -> &[Mailbox] {
        &self.mailboxes
    }

    /// What people may be deceived by although the domain is clear.
    #[must_use]
    pub fn hints(&self) -> Vec<SenderHint> {
        hints(&self.mailboxes, &self.words)
    }
}

/// Why nobody can tell which domain people see. Each is a reason to be wary of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorFault {
    /// There is no `From` (RFC 5322 §3.6 wants one).
    NoFrom,
    /// There is more than one `From`: mail programs show the first, the last, or all.
    ManyFrom {
        /// How many there are.
        count: usize,
    },
    /// There is no address: an empty field, an empty group, only words.
    NoAddress,
    /// An address without a usable domain, or something that is no address.
    Address {
        /// Where in the field, its name included.
        position: Position,
        /// What is wrong there.
        fault: AddressFault,
    },
    /// More domains than are evaluated.
    TooManyDomains {
        /// How many are.
        limit: usize,
    },
}

impl fmt::Display for AuthorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFrom => write!(f, "From: expected this field, found none"),
            Self::ManyFrom { count } => write!(f, "From: expected one field, found {count}"),
            Self::NoAddress => write!(f, "From: expected an address, found none"),
            Self::Address { position, fault } => write!(f, "From: {position}: {fault}"),
            Self::TooManyDomains { limit } => {
                write!(f, "From: expected at most {limit} domains, found more")
            }
        }
    }
}

impl core::error::Error for AuthorFault {}

/// Lines and columns in characters, as far as the octets are UTF-8.
fn position(octets: &[u8], offset: usize) -> Position {
    let before = String::from_utf8_lossy(octets.get(..offset).unwrap_or(octets));
    Position::of(&before, before.len())
}

/// What stands behind each `@` of a field whose grammar says nothing: as it is written, and with
/// encoded words decoded, for mail programs differ.
fn places(value: &[u8]) -> Vec<String> {
    let raw = String::from_utf8_lossy(value);
    let decoded = decode(&raw);
    let behind = |text: &str| -> Vec<String> {
        let places = text.split(is_at).skip(1).take(MAX_PLACES).map(str::trim_start);
        places.map(String::from).collect()
    };
    let mut places = behind(&raw);
    if decoded != raw {
        places.extend(behind(&decoded));
    }
    places
}

/// How many places of a message at fault are looked at.
const MAX_PLACES: usize = 300;

/// What looks like a domain at a place: all up to a space or a special character, and all up to a
/// character that domains do not have.
fn visible(place: &str) -> [Option<DomainName>; 2] {
    let is_wide = |c: char| !c.is_ascii() || is_domain_character(c);
    let widest = place.find(|c| !is_wide(c)).unwrap_or(place.len());
    let usual = place.find(|c| !is_domain_character(c)).unwrap_or(place.len());
    [widest, usual].map(|end| place.get(..end).and_then(longest_domain))
}

/// The text as a domain, or as much of its end as is one: a label that cannot exist does not take
/// the domain above it out of sight.
fn longest_domain(text: &str) -> Option<DomainName> {
    let text = text.trim_end_matches(['.', '-']);
    let ends = text.rmatch_indices('.').map(|(index, _)| index + 1).take(MAX_VISIBLE_LABELS);
    let mut starts: Vec<usize> = ends.collect();
    starts.push(0);
    let names = starts.iter().rev().filter_map(|start| text.get(*start..));
    let mut short = names.filter(|name| name.len() <= MAX_DOMAIN_OCTETS);
    short.find_map(|name| DomainName::parse(name).ok())
}

/// How many labels of a domain that cannot exist are looked at.
const MAX_VISIBLE_LABELS: usize = 8;
