//! How many failure reports are sent.
//!
//! Whoever sends a thousand forged messages must not make us send a thousand reports: report
//! generators "MUST ensure not to flood report consumers" (RFC 9991 §2). What matters is "to report
//! different failure conditions", not each failure (§8.1). So failures of one domain from one
//! network in one way are one [`Incident`]. The first is reported; the others are counted and told
//! with the next report. And there is a [`Budget`] for each destination and for all together.
//!
//! The state is bounded and forgets by itself. It knows no clock; if that is set back, nothing is
//! sent until the time comes that was before.

use alloc::collections::BTreeMap;
use core::net::IpAddr;
use core::time::Duration;

use smtp_types::{DomainName, EmailAddress, UnixTime};

use super::DmarcResult;
use super::aggregate::Row;
use super::coarsen::network;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many incidents and destinations are remembered, each.
const MAX_REMEMBERED: usize = 10_000;

/// What failures have in common that are told as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incident {
    header_from: DomainName,
    network: IpAddr,
    dkim: DmarcResult,
    spf: DmarcResult,
}

impl Incident {
    /// The incident to which a message belongs: its From domain, the network (/24 or /48) of its
    /// server, and what failed.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        Self {
            header_from: row.identifiers.header_from.clone(),
            network: network(row.source_ip()),
            dkim: row.evaluated.dkim,
            spf: row.evaluated.spf,
        }
    }
}

/// How many failure reports may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// To one address in a minute. The default is 1.
    pub destination_per_minute: u32,
    /// To one address in a day. The default is 50.
    pub destination_per_day: u32,
    /// To all addresses in a minute. The default is 10.
    pub all_per_minute: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { destination_per_minute: 1, destination_per_day: 50, all_per_minute: 10 }
    }
}

/// What is to be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Send a report that stands for so many messages.
    Send {
        /// How many, this one included.
        incidents: u64,
    },
    /// Send nothing now. The message is counted if there is room to remember it.
    Hold,
}

/// What was reported of late, and what was held back.
#[derive(Clone, Debug)]
pub struct Incidents {
    budget: Budget,
    held: BTreeMap<(EmailAddress, Incident), Held>,
    destinations: BTreeMap<EmailAddress, Spent>,
    all: Window,
    /// When it was last looked for what is old.
    forgotten: UnixTime,
}

impl Incidents {
    /// Nothing was reported yet.
    #[must_use]
    pub const fn new(budget: Budget) -> Self {
        Self {
            budget,
            held: BTreeMap::new(),
            destinations: BTreeMap::new(),
            all: Window::NEW,
            forgotten: UnixTime(0),
        }
    }

    /// Decides about one failure that one address wants to know of. An incident is told once in an
    /// hour at most.
    pub fn admit(&mut self, incident: Incident, to: &EmailAddress, now: UnixTime) -> Admission {
        self.forget(now);
        let key = (to.clone(), incident);
        let held = self.held.get(&key).copied();
        let fresh = held.and_then(|held| held.told).is_none_or(|told| now.since(told) >= HOUR);
        let room = self.held.len() < MAX_REMEMBERED || held.is_some();
        if !(fresh && room && self.spend(to, now)) {
            if room {
                let held = self.held.entry(key).or_insert(Held { told: None, at: now, count: 0 });
                (held.at, held.count) = (now, held.count.saturating_add(1));
            }
            return Admission::Hold;
        }
        self.held.insert(key, Held { told: Some(now), at: now, count: 0 });
        Admission::Send { incidents: held.map_or(0, |held| held.count).saturating_add(1) }
    }

    /// Takes one report out of every budget, if all have one left.
    fn spend(&mut self, to: &EmailAddress, now: UnixTime) -> bool {
        if !self.destinations.contains_key(to) && self.destinations.len() >= MAX_REMEMBERED {
            return false;
        }
        let budget = self.budget;
        let spent = self.destinations.entry(to.clone()).or_insert(Spent::NEW);
        let left = spent.minute.count(MINUTE, now) < budget.destination_per_minute
            && spent.day.count(DAY, now) < budget.destination_per_day
            && self.all.count(MINUTE, now) < budget.all_per_minute;
        if left {
            spent.minute.spend(MINUTE, now);
            spent.day.spend(DAY, now);
            self.all.spend(MINUTE, now);
        }
        left
    }

    /// Looks for what is old once in a minute at most, and only if there is no room: it looks at
    /// everything that is remembered.
    fn forget(&mut self, now: UnixTime) {
        if now.since(self.forgotten) < MINUTE {
            return;
        }
        self.forgotten = now;
        if self.held.len() >= MAX_REMEMBERED {
            self.held.retain(|_, held| now.since(held.at) < DAY);
        }
        if self.destinations.len() >= MAX_REMEMBERED {
            self.destinations.retain(|_, spent| spent.day.count(DAY, now) > 0);
        }
    }
}

/// Messages of an incident that were not told yet.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// When the incident was told the last time.
    told: Option<UnixTime>,
    /// When the last message came.
    at: UnixTime,
    /// How many messages have come since it was told.
    count: u64,
}

/// What was sent to one address.
#[derive(Clone, Copy, Debug)]
struct Spent {
    minute: Window,
    day: Window,
}

impl Spent {
    const NEW: Self = Self { minute: Window::NEW, day: Window::NEW };
}

/// How many there were since a moment.
#[derive(Clone, Copy, Debug)]
struct Window {
    begin: UnixTime,
    count: u32,
}

impl Window {
    const NEW: Self = Self { begin: UnixTime(0), count: 0 };

    fn count(self, span: Duration, now: UnixTime) -> u32 {
        if now.since(self.begin) >= span { 0 } else { self.count }
    }

    fn spend(&mut self, span: Duration, now: UnixTime) {
        let count = self.count(span, now);
        if count == 0 {
            self.begin = now;
        }
        self.count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn incident(address: &str) -> Incident {
        let domain = DomainName::parse("example.com").unwrap();
        Incident::of(&Row::new(address.parse().unwrap(), domain))
    }

    fn to(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn like_failures_are_told_as_one_and_no_message_is_lost() {
        let mut incidents = Incidents::new(Budget::default());
        let ruf = to("ruf@example.com");
        let mut told = 0;
        for second in 0..7_300 {
            let address = format!("192.0.2.{}", second % 250);
            let now = UnixTime(NOW + second);
            if let Admission::Send { incidents } = incidents.admit(incident(&address), &ruf, now) {
                told += incidents;
                assert_eq!(told, second + 1);
            }
        }
        assert_eq!(told, 7_201); // at once, after an hour, and after two
    }

    #[test]
    fn budgets() {
        let mut incidents = Incidents::new(Budget::default());
        let sent = |incidents: &mut Incidents, n: u64, to: &EmailAddress, now| {
            let one = incident(&format!("10.{}.{}.1", n / 250, n % 250));
            incidents.admit(one, to, UnixTime(now)) != Admission::Hold
        };
        let ruf = to("ruf@example.com");
        let in_a_minute = (0..30).filter(|n| sent(&mut incidents, *n, &ruf, NOW + n)).count();
        assert_eq!(in_a_minute, 1);
        let minutes = (100..1_400).filter(|n| sent(&mut incidents, *n, &ruf, NOW + n * 60));
        assert_eq!(minutes.count(), 49);
        assert!(sent(&mut incidents, 2_000, &ruf, NOW + 100_000));

        let mut incidents = Incidents::new(Budget::default());
        let all = |n: &u64| sent(&mut incidents, *n, &to(&format!("ruf@d{n}.test")), NOW);
        assert_eq!((0..100).filter(all).count(), 10);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut incidents = Incidents::new(Budget::default());
        for n in 0..(MAX_REMEMBERED + 500) {
            let one = incident(&format!("10.{}.{}.1", n / 250, n % 250));
            incidents.admit(one, &to(&format!("ruf@d{n}.test")), UnixTime(NOW));
        }
        assert_eq!(incidents.held.len(), MAX_REMEMBERED);
        assert!(incidents.destinations.len() <= MAX_REMEMBERED);
        let later = UnixTime(NOW + 90_000);
        let sent = incidents.admit(incident("192.0.2.1"), &to("ruf@example.com"), later);
        assert_eq!(sent, Admission::Send { incidents: 1 });
    }
}
