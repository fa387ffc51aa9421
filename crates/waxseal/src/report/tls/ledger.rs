//! What our own letters mean for the reports about a day: who got how many, and who may get more.

use std::collections::HashMap;

use smtp_types::DomainName;
use tlsrpt::{Day, NoReport, Quota};

use crate::store::LettersOfDay;

/// Our letters, as they matter for one day.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Mails by the domain that they went to, tried within the day.
    mails: HashMap<String, u64>,
    /// What hosts got about the day.
    quota: Quota,
}

impl Ledger {
    /// What the outbox tells. `per_host` is how many letters a host may get.
    pub(super) fn new(day: Day, per_host: u32, letters: LettersOfDay) -> Self {
        // What went out already counts, even if the operator has lowered the bound since.
        let mut quota = Quota::new(day, per_host);
        for (host, domain) in letters.about {
            if let (Ok(host), Ok(domain)) = (DomainName::parse(&host), DomainName::parse(&domain)) {
                let _ = quota.admit(&host, &domain);
            }
        }
        Self { mails: letters.mails.into_iter().collect(), quota }
    }

    /// How many mails of ours went to this domain.
    pub(super) fn mails_to(&self, domain: &DomainName) -> u64 {
        self.mails.get(domain.as_str()).copied().unwrap_or(0)
    }

    /// Counts a letter about `domain` to `host`.
    ///
    /// # Errors
    /// If it may not be sent.
    pub(super) fn admit(&mut self, host: &DomainName, domain: &DomainName) -> Result<(), NoReport> {
        self.quota.admit(host, domain)
    }
}
