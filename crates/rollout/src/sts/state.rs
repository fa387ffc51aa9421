//! What the MTA-STS autopilot remembers between two steps, and how that is kept as a line.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use mta_sts::{MAX_AGE_LIMIT, Mode, MxPattern, Policy, PolicyId};
use smtp_types::UnixTime;

use crate::stamp;
use crate::state_line::{self, PolicyField, StateError, StateLine};
use crate::watched::LongestTtl;

/// More earlier policies than this are taken together, at the cost of a longer wait.
const MAX_CACHED: usize = 16;

const KIND: &str = "sts1";

const FIELDS: [&str; 13] = [
    "phase", "policy", "id", "spread", "stamp", "at", "since", "trouble", "ttl", "mxttl", "green",
    "red", "gone",
];

/// The state of one domain. Printed, it is one line; parsed again, it is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What is published, or about to be.
    pub(crate) issue: Option<Issue>,
    /// How far its publication is.
    pub(crate) phase: Phase,
    /// For how long all servers have shown the record in this phase.
    pub(crate) spread: Duration,
    /// Earlier policies that somebody may still remember.
    pub(crate) cached: Vec<Cached>,
    /// The last id of ours, as a time.
    pub(crate) stamp: Option<UnixTime>,
    /// When the machine was last stepped.
    pub(crate) at: Option<UnixTime>,
    /// Since when the policy has this mode and `max_age`.
    pub(crate) since: UnixTime,
    /// The end of the newest period with a decisive failure in a report.
    pub(crate) trouble: UnixTime,
    pub(crate) record_ttl: LongestTtl,
    pub(crate) mx_ttl: LongestTtl,
    /// For how long everything has been seen good; `None` if it is not.
    pub(crate) green: Option<Duration>,
    /// For how long every host has been seen bad; `None` if not every one is.
    pub(crate) red: Option<Duration>,
    /// For how long no MX record has led to what the policy allows beyond the declared hosts.
    pub(crate) gone: Option<Duration>,
}

/// A policy with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issue {
    pub(crate) policy: Policy,
    pub(crate) id: PolicyId,
}

/// How far a publication is. The order is that of RFC 8461 §8.1: the body before the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The policy host must give the new body to outside.
    Serving,
    /// It does; every authoritative server must show the new id.
    Recording,
    /// They do; caches must forget the old one.
    Spreading,
    /// The world can know it.
    #[default]
    Settled,
    /// All caches of earlier policies are empty; the record is being removed.
    Unrecording,
    /// It is gone; caches must forget it before the policy host may go.
    Forgetting,
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::Serving,
        Self::Recording,
        Self::Spreading,
        Self::Settled,
        Self::Unrecording,
        Self::Forgetting,
    ];

    /// `serving`, `recording`, `spreading`, `settled`, `unrecording` or `forgetting`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Recording => "recording",
            Self::Spreading => "spreading",
            Self::Settled => "settled",
            Self::Unrecording => "unrecording",
            Self::Forgetting => "forgetting",
        }
    }
}

/// A policy that is no longer served, and how long it may still bind somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cached {
    pub(crate) policy: Policy,
    pub(crate) left: Duration,
}

impl State {
    /// Takes over a policy that is published already, with the id that the DNS shows.
    ///
    /// Its mode and `max_age` stay: whoever enforced before enforces on.
    #[must_use]
    pub fn adopt(policy: &Policy, id: PolicyId, now: UnixTime) -> Self {
        let max_age = policy.max_age().min(MAX_AGE_LIMIT);
        let stamp = stamp::stamp_of(&id);
        let policy = Policy::new(policy.mode(), policy.mx().to_vec(), max_age);
        let issue = policy.map(|policy| Issue { policy, id });
        Self { issue, stamp, since: now, trouble: now, ..Self::default() }
    }

    /// The policy that the policy host must serve now; `None`: no policy is to be served.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.issue.as_ref().map(|issue| &issue.policy)
    }

    /// The id of that policy. It may be published only when the policy is seen from outside; an
    /// action says so.
    #[must_use]
    pub fn id(&self) -> Option<&PolicyId> {
        self.issue.as_ref().map(|issue| &issue.id)
    }

    /// How far the publication of that policy is.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// How long an earlier policy may still bind a sender; zero if none does.
    #[must_use]
    pub fn cached_for(&self) -> Duration {
        self.cached.iter().map(|cached| cached.left).max().unwrap_or_default()
    }

    pub(crate) fn mode(&self) -> Mode {
        self.policy().map_or(Mode::None, Policy::mode)
    }

    /// Begins to publish `policy`. What is served so far may be remembered from now on for its
    /// `max_age`, counted from when the new policy has settled.
    pub(crate) fn begin(&mut self, policy: Policy, seen: Option<&PolicyId>, now: UnixTime) {
        let stamp = stamp::next_stamp(self.stamp, seen, now);
        self.stamp = Some(stamp);
        let id = stamp::policy_id(stamp);
        let before = self.issue.replace(Issue { policy, id });
        if let Some(before) = before {
            self.remember(before.policy);
        }
        self.phase = Phase::Serving;
        self.spread = Duration::ZERO;
        self.green = None;
        self.red = None;
    }

    fn remember(&mut self, policy: Policy) {
        let left = policy.max_age();
        let alike = |cached: &&mut Cached| {
            (cached.policy.mode(), cached.policy.mx()) == (policy.mode(), policy.mx())
        };
        if let Some(cached) = self.cached.iter_mut().find(alike) {
            cached.left = cached.left.max(left);
            return;
        }
        self.cached.push(Cached { policy, left });
        if self.cached.len() > MAX_CACHED {
            let first = self.cached.remove(0);
            let second = self.cached.remove(0);
            self.cached.insert(0, stricter(&first, &second));
        }
    }

    /// Lets `gap` pass for the caches of earlier policies.
    pub(crate) fn age_caches(&mut self, gap: Duration) {
        for cached in &mut self.cached {
            cached.left = cached.left.saturating_sub(gap);
        }
        self.cached.retain(|cached| !cached.left.is_zero());
    }
}

/// A policy that allows only what both allow, for as long as one of them lasts.
fn stricter(first: &Cached, second: &Cached) -> Cached {
    let both: Vec<MxPattern> = { first.policy.mx().iter() }
        .filter(|one| second.policy.mx().contains(one))
        .cloned()
        .collect();
    let enforced = [first, second].into_iter().find(|one| one.policy.mode() == Mode::Enforce);
    let basis = enforced.unwrap_or(first);
    let left = first.left.max(second.left);
    let policy = Policy::new(basis.policy.mode(), both, basis.policy.max_age());
    Cached { policy: policy.unwrap_or_else(|| basis.policy.clone()), left }
}

/// Whether two policies say the same, in whatever order.
pub(crate) fn is_same(one: &Policy, other: &Policy) -> bool {
    (one.mode(), one.max_age()) == (other.mode(), other.max_age())
        && one.mx().iter().all(|pattern| other.mx().contains(pattern))
        && other.mx().iter().all(|pattern| one.mx().contains(pattern))
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KIND} phase={}", self.phase.as_str())?;
        if let Some(Issue { policy, id }) = &self.issue {
            write!(f, " policy={} id={id}", PolicyField(policy))?;
        }
        write!(f, " spread={}", self.spread.as_secs())?;
        for (name, time) in [("stamp", self.stamp), ("at", self.at)] {
            time.map_or(Ok(()), |time| write!(f, " {name}={}", time.0))?;
        }
        write!(f, " since={} trouble={}", self.since.0, self.trouble.0)?;
        write!(f, " ttl={} mxttl={}", self.record_ttl, self.mx_ttl)?;
        for (name, span) in [("green", self.green), ("red", self.red), ("gone", self.gone)] {
            span.map_or(Ok(()), |span| write!(f, " {name}={}", span.as_secs()))?;
        }
        let mut cached = self.cached.iter();
        cached.try_for_each(|one| {
            write!(f, " cached={},{}", one.left.as_secs(), PolicyField(&one.policy))
        })
    }
}

impl FromStr for State {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        let line = StateLine::read(text, KIND, &FIELDS, &["cached"])?;
        let phase = line.one("phase")?;
        let phase = { Phase::ALL.into_iter().find(|known| known.as_str() == phase) }
            .ok_or_else(|| StateError::value("phase", "a phase", phase))?;
        let policy =
            line.maybe("policy").map(|text| state_line::policy("policy", text)).transpose()?;
        let issue = match policy {
            None => None,
            Some(policy) => Some(Issue { policy, id: read_id(line.one("id")?)? }),
        };
        let required = |name| line.time(name)?.ok_or(StateError::Missing { field: name });
        Ok(Self {
            issue,
            phase,
            spread: line.span("spread")?.ok_or(StateError::Missing { field: "spread" })?,
            cached: line.all("cached").map(read_cached).collect::<Result<_, _>>()?,
            stamp: line.time("stamp")?,
            at: line.time("at")?,
            since: required("since")?,
            trouble: required("trouble")?,
            record_ttl: LongestTtl::parse("ttl", line.one("ttl")?)?,
            mx_ttl: LongestTtl::parse("mxttl", line.one("mxttl")?)?,
            green: line.span("green")?,
            red: line.span("red")?,
            gone: line.span("gone")?,
        })
    }
}

fn read_id(text: &str) -> Result<PolicyId, StateError> {
    PolicyId::parse(text).ok_or_else(|| StateError::value("id", "1 to 32 letters and digits", text))
}

fn read_cached(text: &str) -> Result<Cached, StateError> {
    let fault = || StateError::value("cached", "seconds and a policy", text);
    let (left, policy) = text.split_once(',').ok_or_else(fault)?;
    Ok(Cached {
        left: state_line::seconds("cached", left)?,
        policy: state_line::policy("cached", policy)?,
    })
}
