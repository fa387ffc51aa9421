//! Entries of a file, found by the domain that they are for.

use std::collections::BTreeMap;
use std::fmt;

use smtp_types::{DomainName, UnixTime};

/// For whom an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For this domain: `example.com`.
    Exact(DomainName),
    /// For every domain below this one, at any depth, itself not included: `*.example.com`.
    Below(DomainName),
}

/// As it stands in the file: `example.com` or `*.example.com`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(domain) => domain.fmt(f),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

/// An entry that is for somebody, and for a time.
pub trait Scoped {
    /// For whom.
    fn scope(&self) -> &Scope;
    /// The last second in which it holds; `None` is forever.
    fn until(&self) -> Option<UnixTime>;
}

/// Entries by domain. An exact domain beats a pattern, and a longer pattern beats a shorter one.
/// An entry whose day has passed is as if it were not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByDomain<T> {
    exact: BTreeMap<DomainName, T>,
    below: BTreeMap<DomainName, T>,
}

impl<T> Default for ByDomain<T> {
    fn default() -> Self {
        Self { exact: BTreeMap::new(), below: BTreeMap::new() }
    }
}

impl<T: Scoped> ByDomain<T> {
    /// Adds an entry.
    ///
    /// # Errors
    /// The entry that is there already, for the same domain.
    pub fn insert(&mut self, entry: T) -> Result<(), &T> {
        let (map, domain) = match entry.scope() {
            Scope::Exact(domain) => (&mut self.exact, domain.clone()),
            Scope::Below(domain) => (&mut self.below, domain.clone()),
        };
        match map.entry(domain) {
            std::collections::btree_map::Entry::Occupied(first) => Err(first.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(entry);
                Ok(())
            }
        }
    }

    /// The entry that holds for `domain` at the time `now`.
    #[must_use]
    pub fn find(&self, domain: &DomainName, now: UnixTime) -> Option<&T> {
        let holds = |entry: &&T| entry.until().is_none_or(|until| now <= until);
        if let Some(exact) = self.exact.get(domain).filter(holds) {
            return Some(exact);
        }
        let above = std::iter::successors(domain.parent(), DomainName::parent);
        above.filter_map(|domain| self.below.get(&domain)).find(holds)
    }

    /// All of them, exact ones first, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.below.values())
    }

    /// Those whose day has passed: they do nothing any more, and should be said to do so.
    pub fn expired(&self, now: UnixTime) -> impl Iterator<Item = &T> {
        self.iter().filter(move |entry| entry.until().is_some_and(|until| until < now))
    }
}
