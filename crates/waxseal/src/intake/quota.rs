//! How much one sender may bring in a day.
//!
//! Who has proved a domain has an account under it. Who has not shares one with all who merely claim
//! the same domain, with a tenth of that, so nobody can use up the account of somebody else; and all
//! who have proved nothing have no more than one who has. Accounts are in memory: a restart opens new
//! ones.

use std::collections::HashMap;

use smtp_types::DomainName;

/// How many accounts there are at most. Beyond that, new names share one.
const MAX_ACCOUNTS: usize = 10_000;

/// Which part of an account there is for those who merely claim a domain.
const CLAIMED_PART: u64 = 10;

/// The name of the account of all for whom there is no other.
const OTHERS: &str = "";

/// Who brings something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bearer {
    /// This domain, as far as the rules go.
    Proved(DomainName),
    /// Somebody who claims this domain, or none.
    Claimed(Option<DomainName>),
}

/// The accounts of one day.
#[derive(Debug)]
pub(super) struct Quota {
    limit: u64,
    day: u64,
    accounts: HashMap<Account, u64>,
    unproved: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Account {
    Proved(String),
    Claimed(String),
}

impl Quota {
    /// Whoever has proved a domain may bring `limit` mails a day.
    #[must_use]
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, day: 0, accounts: HashMap::new(), unproved: 0 }
    }

    /// Counts a mail on `day`, a number of days. Returns whether there was room for it; if not, it
    /// was not counted.
    pub(super) fn take(&mut self, bearer: &Bearer, day: u64) -> bool {
        if self.day != day {
            self.day = day;
            self.accounts.clear();
            self.unproved = 0;
        }
        let is_unproved = matches!(bearer, Bearer::Claimed(_));
        if is_unproved && self.unproved >= self.limit {
            return false;
        }
        let limit = match is_unproved {
            true => (self.limit / CLAIMED_PART).max(1),
            false => self.limit,
        };
        let count = self.account(bearer);
        if *count >= limit {
            return false;
        }
        *count += 1;
        self.unproved += u64::from(is_unproved);
        true
    }

    /// A mail that was counted was not taken after all.
    pub(super) fn give_back(&mut self, bearer: &Bearer) {
        let count = self.account(bearer);
        *count = count.saturating_sub(1);
        if matches!(bearer, Bearer::Claimed(_)) {
            self.unproved = self.unproved.saturating_sub(1);
        }
    }

    fn account(&mut self, bearer: &Bearer) -> &mut u64 {
        let name = |domain: &DomainName| domain.as_str().to_owned();
        let account = match bearer {
            Bearer::Proved(domain) => Account::Proved(name(domain)),
            Bearer::Claimed(domain) => {
                Account::Claimed(domain.as_ref().map_or_else(String::new, name))
            }
        };
        let is_full = self.accounts.len() >= MAX_ACCOUNTS && !self.accounts.contains_key(&account);
        let account = match (is_full, account) {
            (false, account) => account,
            (true, Account::Proved(_)) => Account::Proved(OTHERS.to_owned()),
            (true, Account::Claimed(_)) => Account::Claimed(OTHERS.to_owned()),
        };
        self.accounts.entry(account).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proved(name: &str) -> Bearer {
        Bearer::Proved(DomainName::parse(name).unwrap())
    }

    fn claimed(name: &str) -> Bearer {
        Bearer::Claimed(DomainName::parse(name).ok())
    }

    #[test]
    fn nobody_uses_up_what_is_of_another() {
        let mut quota = Quota::new(20);
        for _ in 0..2 {
            assert!(quota.take(&claimed("a.test"), 1));
        }
        assert!(!quota.take(&claimed("a.test"), 1));
        assert!(quota.take(&proved("a.test"), 1));
        assert!(quota.take(&claimed("b.test"), 1));
        quota.give_back(&claimed("a.test"));
        assert!(quota.take(&claimed("a.test"), 1));
        // Another day.
        assert!(quota.take(&claimed("a.test"), 2));
    }

    #[test]
    fn made_up_names_have_an_end() {
        let mut quota = Quota::new(20);
        let taken = (0..100).filter(|n| quota.take(&claimed(&format!("d{n}.test")), 1)).count();
        assert_eq!(taken, 20);
        assert!(quota.take(&proved("a.test"), 1));
        let mut quota = Quota::new(1000);
        for n in 0..=MAX_ACCOUNTS {
            quota.take(&proved(&format!("d{n}.test")), 1);
        }
        assert!(quota.accounts.len() <= MAX_ACCOUNTS + 2);
    }
}
