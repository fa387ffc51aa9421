//! What the TLSA autopilot remembers between two steps, and how that is kept as a line.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use smtp_dane::Tlsa;
use smtp_types::UnixTime;

use super::chain::{Chain, KeyDigest};
use crate::state_line::{self, StateError, StateLine};
use crate::watched::LongestTtl;

const KIND: &str = "tlsa1";

/// The state of one host. Printed, it is one line; parsed again, it is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What the server shows.
    pub(crate) active: Chain,
    /// The keys of the next certificate.
    pub(crate) next: Option<BTreeSet<KeyDigest>>,
    /// A certificate to deploy, or that is being deployed.
    pub(crate) waiting: Option<Chain>,
    /// Earlier chains, whose records are still there.
    pub(crate) retiring: Vec<Retiring>,
    /// For how long all servers have shown a record without a break.
    pub(crate) shown: BTreeMap<Tlsa, Duration>,
    pub(crate) ttl: LongestTtl,
    pub(crate) at: Option<UnixTime>,
    /// For how long no server has shown any record.
    pub(crate) gone: Option<Duration>,
}

/// An earlier chain, and for how long the server has been seen without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retiring {
    pub(crate) chain: Chain,
    pub(crate) unused: Option<Duration>,
}

impl State {
    /// Begins with what the server shows now.
    #[must_use]
    pub const fn new(active: Chain) -> Self {
        Self {
            active,
            next: None,
            waiting: None,
            retiring: Vec::new(),
            shown: BTreeMap::new(),
            ttl: LongestTtl::ZERO,
            at: None,
            gone: None,
        }
    }

    /// What the server shows, as far as is known.
    #[must_use]
    pub const fn active(&self) -> &Chain {
        &self.active
    }

    /// The keys of the next certificate, once they are made.
    #[must_use]
    pub const fn next(&self) -> Option<&BTreeSet<KeyDigest>> {
        self.next.as_ref()
    }

    /// The records that the DNS must show: for whatever the server shows or may show soon.
    #[must_use]
    pub fn records(&self) -> BTreeSet<Tlsa> {
        let next = self.next.iter().map(|keys| Chain::of_keys(keys.iter().copied()));
        let others = self.waiting.iter().chain(self.retiring.iter().map(|one| &one.chain));
        let chains = next.chain(others.cloned()).chain([self.active.clone()]);
        chains.flat_map(|chain| chain.records().collect::<Vec<_>>()).collect()
    }

    /// Keeps the records of a chain until the server has been seen without it.
    pub(crate) fn retire(&mut self, chain: Chain) {
        match self.retiring.iter_mut().find(|one| one.chain == chain) {
            Some(known) => known.unused = None,
            None => self.retiring.push(Retiring { chain, unused: None }),
        }
    }

    /// For how much longer the records of a chain must be seen before it may be deployed: two TTLs
    /// (RFC 7671 §8.1). `None` if nobody knows the TTL yet.
    pub(crate) fn unproved_for(&self, chain: &Chain) -> Option<Duration> {
        let needed = self.ttl.get().saturating_mul(2);
        let left = |record: Tlsa| match self.shown.get(&record) {
            Some(shown) => needed.saturating_sub(*shown),
            None => needed.max(Duration::from_secs(1)),
        };
        (!needed.is_zero()).then(|| chain.records().map(left).max().unwrap_or_default())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KIND} active={}", self.active)?;
        if let Some(next) = &self.next {
            write!(f, " next={}", Chain::of_keys(next.iter().copied()))?;
        }
        if let Some(waiting) = &self.waiting {
            write!(f, " waiting={waiting}")?;
        }
        write!(f, " ttl={}", self.ttl)?;
        self.at.map_or(Ok(()), |at| write!(f, " at={}", at.0))?;
        self.gone.map_or(Ok(()), |gone| write!(f, " gone={}", gone.as_secs()))?;
        for Retiring { chain, unused } in &self.retiring {
            match unused {
                Some(unused) => write!(f, " retiring={},{chain}", unused.as_secs())?,
                None => write!(f, " retiring=,{chain}")?,
            }
        }
        for (record, shown) in &self.shown {
            let [usage, selector, matching] = numbers(record);
            write!(f, " shown={},{usage}-{selector}-{matching}-", shown.as_secs())?;
            record.data().iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
        }
        Ok(())
    }
}

fn numbers(record: &Tlsa) -> [u8; 3] {
    [record.usage().number(), record.selector().number(), record.matching_type().number()]
}

impl FromStr for State {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        let known = ["active", "next", "waiting", "ttl", "at", "gone"];
        let line = StateLine::read(text, KIND, &known, &["retiring", "shown"])?;
        let chain = |name: &str| line.maybe(name).map(str::parse::<Chain>).transpose();
        let next = match chain("next")? {
            Some(chain) if !chain.anchors.is_empty() => {
                return Err(StateError::value("next", "keys", line.one("next")?));
            }
            next => next.map(|chain| chain.keys),
        };
        Ok(Self {
            active: line.one("active")?.parse()?,
            next,
            waiting: chain("waiting")?,
            retiring: line.all("retiring").map(read_retiring).collect::<Result<_, _>>()?,
            shown: line.all("shown").map(read_shown).collect::<Result<_, _>>()?,
            ttl: LongestTtl::parse("ttl", line.one("ttl")?)?,
            at: line.time("at")?,
            gone: line.span("gone")?,
        })
    }
}

fn read_retiring(text: &str) -> Result<Retiring, StateError> {
    let fault = || StateError::value("retiring", "seconds and a chain", text);
    let (unused, chain) = text.split_once(',').ok_or_else(fault)?;
    let unused = match unused {
        "" => None,
        unused => Some(state_line::seconds("retiring", unused)?),
    };
    Ok(Retiring { chain: chain.parse()?, unused })
}

fn read_shown(text: &str) -> Result<(Tlsa, Duration), StateError> {
    let fault = || StateError::value("shown", "seconds and a record", text);
    let (shown, record) = text.split_once(',').ok_or_else(fault)?;
    let record = Tlsa::parse_presentation(&record.replace('-', " ")).map_err(|_| fault())?;
    Ok((record, state_line::seconds("shown", shown)?))
}
