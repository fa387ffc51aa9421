//! What has been found in a message, and what may still be spent on finding more.

use super::kind::{Incomplete, Kind, Unreadable, Wrapper};
use super::{Attachments, Found, Limits};

/// How many findings of one kind are kept. So a kind that matters cannot be hidden behind many of
/// another.
const MAX_OF_A_KIND: usize = 4;

/// The search through one message.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) limits: Limits,
    pub(super) attachments: Attachments,
    pub(super) doubts: Doubts,
    parts: usize,
    entries: usize,
    inflated: usize,
}

/// Whether doubts about a structure are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubts {
    Told,
    PassedOver,
}

/// Which part something was found in.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) part: String,
    pub(super) declared_name: Option<String>,
    pub(super) declared_type: Option<String>,
}

/// What was recognized in the octets of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) kind: Kind,
    pub(super) wrapper: Option<Wrapper>,
    /// The name inside of the wrapper, fit for people.
    pub(super) entry: Option<String>,
}

impl Search {
    pub(super) fn new(limits: Limits) -> Self {
        let attachments = Attachments::default();
        Self { limits, attachments, doubts: Doubts::Told, parts: 0, entries: 0, inflated: 0 }
    }

    /// The structure of a part is not beyond doubt.
    pub(super) fn doubt(&mut self, unreadable: Unreadable, place: &Place) {
        if self.doubts == Doubts::Told {
            let kind = Kind::Unreadable(unreadable);
            self.add(Sighting { kind, wrapper: None, entry: None }, place);
        }
    }

    pub(super) fn add(&mut self, sighting: Sighting, place: &Place) {
        let attachments = &mut self.attachments;
        let Sighting { kind, wrapper, entry } = sighting;
        let same = attachments.found.iter().filter(|found| found.kind == kind).count();
        if same == MAX_OF_A_KIND {
            attachments.further = attachments.further.saturating_add(1);
            return;
        }
        attachments.found.push(Found {
            part: place.part.clone(),
            kind,
            wrapper,
            entry,
            declared_name: place.declared_name.clone(),
            declared_type: place.declared_type.clone(),
        });
    }

    /// A limit was met; the first one is told.
    pub(super) fn stop(&mut self, incomplete: Incomplete) {
        self.attachments.incomplete.get_or_insert(incomplete);
    }

    /// Whether one more part may be looked at.
    pub(super) fn take_part(&mut self) -> bool {
        let has_room = self.parts < self.limits.parts;
        self.parts = self.parts.saturating_add(1);
        if !has_room {
            self.stop(Incomplete::Parts);
        }
        has_room
    }

    /// Whether one more entry of an archive may be looked at.
    pub(super) fn take_entry(&mut self) -> bool {
        let has_room = self.entries < self.limits.entries;
        self.entries = self.entries.saturating_add(1);
        if !has_room {
            self.stop(Incomplete::Entries);
        }
        has_room
    }

    /// Whether so many more octets may be unpacked.
    pub(super) fn take_inflated(&mut self, octets: usize) -> bool {
        self.inflated = self.inflated.saturating_add(octets);
        let has_room = self.inflated <= self.limits.inflated;
        if !has_room {
            self.stop(Incomplete::Inflated);
        }
        has_room
    }
}

impl Place {
    pub(super) const fn of(part: String) -> Self {
        Self { part, declared_name: None, declared_type: None }
    }
}
