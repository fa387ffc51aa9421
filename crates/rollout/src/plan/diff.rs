//! What there should be beside what there is.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DnsFailure, DnsName, DomainNameError};

use super::declared::Declared;
use super::rdata::{Kind, Rdata, ZoneRecord};
use super::wanted::{Scope, Wanted, Weight, When, Why, wanted};

/// What authoritative servers said, for each question; one that was not asked is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    answers: BTreeMap<(DnsName, Kind), Result<BTreeSet<Rdata>, DnsFailure>>,
}

impl Existing {
    /// Adds what is there at a name and type: perhaps nothing, perhaps it could not be had.
    pub fn add(
        &mut self,
        name: DnsName,
        kind: Kind,
        answer: Result<impl IntoIterator<Item = Rdata>, DnsFailure>,
    ) {
        self.answers.insert((name, kind), answer.map(|records| records.into_iter().collect()));
    }
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is to be done.
    pub change: Change,
    /// How much it matters.
    pub weight: Weight,
    /// What must come before.
    pub when: When,
    /// Why.
    pub why: Why,
}

/// What is to be done with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is as it must be.
    Keep(ZoneRecord),
    /// It is not there.
    Add(ZoneRecord),
    /// Others are in its place.
    Replace {
        /// What is there.
        before: Vec<Rdata>,
        /// What must be.
        after: ZoneRecord,
    },
    /// It must not be there.
    Remove(ZoneRecord),
    /// Nobody knows what is there.
    Unknown {
        /// What must be.
        wanted: ZoneRecord,
        /// Why not; `None`: it was not asked for.
        failure: Option<Box<DnsFailure>>,
    },
}

impl Change {
    /// `keep`, `add`, `change`, `remove` or `unknown`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Keep(_) => "keep",
            Self::Add(_) => "add",
            Self::Replace { .. } => "change",
            Self::Remove(_) => "remove",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// As a diff of zone files: a sign in the first column.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(record) => write!(f, "  {record}"),
            Self::Add(record) => write!(f, "+ {record}"),
            Self::Remove(record) => write!(f, "- {record}"),
            Self::Unknown { wanted, .. } => write!(f, "? {wanted}"),
            Self::Replace { before, after } => {
                for rdata in before {
                    let ZoneRecord { name, ttl, .. } = after.clone();
                    writeln!(f, "- {}", ZoneRecord { name, ttl, rdata: rdata.clone() })?;
                }
                write!(f, "+ {after}")
            }
        }
    }
}

/// Every record that should be there or should go, in the order in which that may happen.
///
/// The TTL of records that are there is not compared; it is printed as that of new ones.
///
/// # Errors
/// If the domain is so long that a name below it has more than 253 octets.
pub fn plan(declared: &Declared, existing: &Existing) -> Result<Vec<Entry>, DomainNameError> {
    let mut entries = Vec::new();
    for wanted in wanted(declared)? {
        let answer = existing.answers.get(&(wanted.name.clone(), wanted.kind));
        let changes = match answer {
            Some(Ok(found)) => changes(&wanted, found),
            Some(Err(failure)) => unknown(&wanted, Some(failure)),
            None => unknown(&wanted, None),
        };
        let Wanted { weight, when, why, .. } = wanted;
        entries.extend(changes.into_iter().map(|change| Entry { change, weight, when, why }));
    }
    // What is not there and what goes away comes first: an alias must be alone at its name.
    entries.sort_by_key(|entry| (entry.when, !matches!(entry.change, Change::Remove(_))));
    Ok(entries)
}

fn unknown(wanted: &Wanted, failure: Option<&DnsFailure>) -> Vec<Change> {
    let change = |rdata: &Rdata| Change::Unknown {
        wanted: record(wanted, rdata),
        failure: failure.cloned().map(Box::new),
    };
    wanted.records.iter().map(change).collect()
}

fn changes(wanted: &Wanted, found: &BTreeSet<Rdata>) -> Vec<Change> {
    if matches!(wanted.scope, Scope::Additions) {
        return additions(wanted, found);
    }
    let ours: BTreeSet<&Rdata> = found.iter().filter(|rdata| is_ours(wanted, rdata)).collect();
    if wanted.weight == Weight::Suggested && !ours.is_empty() {
        return ours.into_iter().map(|rdata| Change::Keep(record(wanted, rdata))).collect();
    }
    let extra: Vec<&Rdata> =
        ours.iter().filter(|rdata| !wanted.records.contains(**rdata)).copied().collect();
    let missing: Vec<&Rdata> =
        wanted.records.iter().filter(|rdata| !ours.contains(rdata)).collect();
    if let ([only], [_, ..], 1) = (&*missing, &*extra, wanted.records.len()) {
        let before = extra.into_iter().cloned().collect();
        return [Change::Replace { before, after: record(wanted, only) }].into();
    }
    let removed = extra.into_iter().map(|rdata| Change::Remove(record(wanted, rdata)));
    let kept = wanted.records.iter().filter(|rdata| ours.contains(rdata));
    let kept = kept.map(|rdata| Change::Keep(record(wanted, rdata)));
    let added = missing.into_iter().map(|rdata| Change::Add(record(wanted, rdata)));
    removed.chain(kept).chain(added).collect()
}

/// What others have put there stays; what says the same already is not added.
fn additions(wanted: &Wanted, found: &BTreeSet<Rdata>) -> Vec<Change> {
    let change = |rdata: &Rdata| match found.iter().find(|present| permits_as_much(present, rdata))
    {
        Some(present) => Change::Keep(record(wanted, present)),
        None => Change::Add(record(wanted, rdata)),
    };
    wanted.records.iter().map(change).collect()
}

/// Whether a record is the same, or is CAA for the same issuer without parameters (RFC 8659 §4.2).
fn permits_as_much(present: &Rdata, wanted: &Rdata) -> bool {
    let issuer = |rdata: &Rdata| match rdata {
        Rdata::Caa { tag, value, .. } if **tag == *"issue" => Some(
            value.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii().to_vec(),
        ),
        _ => None,
    };
    let plain = matches!(present, Rdata::Caa { value, .. } if !value.contains(&b';'));
    present == wanted || (plain && issuer(present).is_some() && issuer(present) == issuer(wanted))
}

fn is_ours(wanted: &Wanted, rdata: &Rdata) -> bool {
    match (&wanted.scope, rdata) {
        (Scope::Texts(prefix), Rdata::Txt(text)) => text.starts_with(prefix.as_bytes()),
        (Scope::Texts(_), _) => false,
        (Scope::Whole | Scope::Additions, _) => true,
    }
}

fn record(wanted: &Wanted, rdata: &Rdata) -> ZoneRecord {
    ZoneRecord { name: wanted.name.clone(), ttl: wanted.ttl, rdata: rdata.clone() }
}
