//! What the reporter asks of the store. All of it waits for a disk; nothing of it holds a lock.

use smtp_types::{DomainName, UnixTime};

use super::{
    Added, Carrier, Claimed, CountedRow, DayCounts, DomainBounds, LettersOfDay, MailOfDomain,
    NewLetter, OpenDay, OutboxSize, Sent, Settlement, Store, StoreError, Suppression, outbox,
    reports,
};

/// Each function fails if SQLite cannot read or write; then nothing has changed.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Store {
    /// Adds counts in one transaction. Days of domains with more than `crowded_from` rows are told.
    pub async fn add_counts(
        &self,
        counts: Vec<DayCounts>,
        bounds: DomainBounds,
        crowded_from: u64,
    ) -> Result<Added, StoreError> {
        self.writer.run(move |db| reports::add(db, &counts, bounds, crowded_from)).await
    }

    /// Days up to `last` that are not closed and may be looked at now, the oldest first.
    /// `longest_wait` is the longest time in seconds for which one is [postponed](Self::postpone).
    pub async fn open_days(
        &self,
        last: u32,
        now: UnixTime,
        longest_wait: u64,
        limit: u32,
    ) -> Result<Vec<OpenDay>, StoreError> {
        self.reader.run(move |db| reports::open_days(db, last, now, longest_wait, limit)).await
    }

    /// When a domain last sent something good, if that is remembered.
    pub async fn last_good(&self, domain: DomainName) -> Result<Option<UnixTime>, StoreError> {
        self.reader.run(move |db| reports::last_good(db, &domain)).await
    }

    /// What is known of the mail that came from a domain, or from one above it.
    pub async fn mail_of(&self, day: u32, domain: DomainName) -> Result<MailOfDomain, StoreError> {
        self.reader.run(move |db| reports::mail_of(db, day, &domain)).await
    }

    /// What the outbox tells of a day that begins at `begin` and ends at `end`.
    pub async fn letters_of_day(
        &self,
        kind: &'static str,
        day: u32,
        begin: UnixTime,
        end: UnixTime,
    ) -> Result<LettersOfDay, StoreError> {
        self.reader.run(move |db| outbox::of_day(db, kind, day, begin, end)).await
    }

    /// The rows of a domain's day.
    pub async fn rows_of(
        &self,
        day: u32,
        domain: DomainName,
    ) -> Result<Vec<CountedRow>, StoreError> {
        self.reader.run(move |db| reports::rows_of(db, day, &domain)).await
    }

    /// Puts other rows into the place of those of a domain's day, unless it is closed.
    pub async fn replace_rows(
        &self,
        day: u32,
        domain: DomainName,
        rows: Vec<CountedRow>,
    ) -> Result<(), StoreError> {
        self.writer.run(move |db| reports::replace_rows(db, day, &domain, &rows)).await
    }

    /// Looks at a day again at `next_look`, not before.
    pub async fn postpone(
        &self,
        day: u32,
        domain: DomainName,
        next_look: UnixTime,
    ) -> Result<(), StoreError> {
        self.writer.run(move |db| reports::postpone(db, day, &domain, next_look)).await
    }

    /// Closes a day and puts its letters into the outbox, all or nothing. Returns whether it was
    /// open, and as it was when it was read; if not, nothing changes.
    pub async fn close_day(
        &self,
        open: OpenDay,
        outcome: &'static str,
        letters: Vec<NewLetter>,
    ) -> Result<bool, StoreError> {
        self.writer.run(move |db| reports::close(db, &open, outcome, &letters)).await
    }

    /// Puts a letter into the outbox.
    pub async fn post(&self, letter: NewLetter) -> Result<(), StoreError> {
        self.writer.run(move |db| outbox::insert(db, &letter)).await
    }

    /// Takes up to `limit` letters for this carrier that are due, at most `per_host` of one host. `longest_wait` is
    /// the longest time in seconds until a letter is tried.
    pub async fn claim_letters(
        &self,
        carrier: Carrier,
        now: UnixTime,
        limit: usize,
        per_host: usize,
        longest_wait: u64,
    ) -> Result<Vec<Claimed>, StoreError> {
        self.writer
            .run(move |db| outbox::claim(db, carrier, now, limit, per_host, longest_wait))
            .await
    }

    /// Notes what came of a try.
    pub async fn settle_letter(
        &self,
        id: i64,
        settlement: Settlement,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        self.writer.run(move |db| outbox::settle(db, id, &settlement, now)).await
    }

    /// Until when an address gets nothing, if it does not at `now`.
    pub async fn suppressed_until(
        &self,
        address: String,
        now: UnixTime,
    ) -> Result<Option<UnixTime>, StoreError> {
        self.reader.run(move |db| outbox::suppressed_until(db, &address, now)).await
    }

    /// Suppresses an address, and ends all letters to it that wait. `rule` says for how long, given
    /// the last time and the time now.
    pub async fn suppress(
        &self,
        address: String,
        reason: String,
        now: UnixTime,
        rule: fn(Option<Suppression>, UnixTime) -> Suppression,
    ) -> Result<UnixTime, StoreError> {
        let job = move |db: &rusqlite::Connection| {
            let suppression = rule(outbox::suppression(db, &address)?, now);
            outbox::suppress(db, &address, suppression, &reason, now)?;
            Ok(suppression.until)
        };
        self.writer.run(job).await
    }

    /// The letter with this word in its return path.
    pub async fn sent_as(&self, token: String) -> Result<Option<Sent>, StoreError> {
        self.reader.run(move |db| outbox::sent_as(db, &token)).await
    }

    /// How full the outbox is.
    pub async fn outbox_size(&self, now: UnixTime) -> Result<OutboxSize, StoreError> {
        self.reader.run(move |db| outbox::size(db, now)).await
    }

    /// Octets that stay the same: `fresh` if there are none under this name.
    pub async fn secret(&self, name: &'static str, fresh: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.writer.run(move |db| reports::secret(db, name, &fresh)).await
    }

    /// Forgets closed days before `day`, letters that ended before `ended`, and domains that have
    /// sent nothing good since `contact`.
    pub async fn delete_old_reports(
        &self,
        day: u32,
        ended: UnixTime,
        contact: UnixTime,
    ) -> Result<(), StoreError> {
        let job = move |db: &rusqlite::Connection| {
            reports::delete_old(db, day, contact)?;
            outbox::delete_old(db, ended).map(|_| ())
        };
        self.writer.run(job).await
    }
}
