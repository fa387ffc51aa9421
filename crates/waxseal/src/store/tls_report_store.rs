//! What those who count our own TLS sessions, and those who report them, ask of the store. All of
//! it waits for a disk; nothing of it holds a lock.

use smtp_types::{DomainName, UnixTime};

use super::{
    NewLetter, OpenTlsDay, ReportView, Store, StoreError, TlsBounds, TlsCounts, TlsPolicyRow,
    tls_reports,
};

/// Each function fails if SQLite cannot read or write; then nothing has changed.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Store {
    /// Adds counts in one transaction. Returns how many sessions were not counted, for there are
    /// too many domains.
    pub async fn add_tls_counts(
        &self,
        counts: Vec<TlsCounts>,
        bounds: TlsBounds,
    ) -> Result<u64, StoreError> {
        self.writer.run(move |db| tls_reports::add(db, &counts, bounds)).await
    }

    /// Days up to `last` that are not closed and may be looked at now, the oldest first.
    /// `longest_wait` is the longest time in seconds for which one is
    /// [postponed](Self::postpone_tls_day).
    pub async fn open_tls_days(
        &self,
        last: u32,
        now: UnixTime,
        longest_wait: u64,
        limit: u32,
    ) -> Result<Vec<OpenTlsDay>, StoreError> {
        self.reader.run(move |db| tls_reports::open_days(db, last, now, longest_wait, limit)).await
    }

    /// The rows of a domain's day.
    pub async fn tls_rows_of(
        &self,
        day: u32,
        domain: DomainName,
    ) -> Result<Vec<TlsPolicyRow>, StoreError> {
        self.reader.run(move |db| tls_reports::rows_of(db, day, &domain)).await
    }

    /// Looks at a day again at `next_look`, not before.
    pub async fn postpone_tls_day(
        &self,
        day: u32,
        domain: DomainName,
        next_look: UnixTime,
    ) -> Result<(), StoreError> {
        self.writer.run(move |db| tls_reports::postpone(db, day, &domain, next_look)).await
    }

    /// Closes a day and puts its letters into the outbox, all or nothing. Returns whether it was
    /// open, and as it was when it was read; if not, nothing changes.
    pub async fn close_tls_day(
        &self,
        open: OpenTlsDay,
        outcome: &'static str,
        letters: Vec<NewLetter>,
    ) -> Result<bool, StoreError> {
        self.writer.run(move |db| tls_reports::close(db, &open, outcome, &letters)).await
    }

    /// Forgets days before `day`, closed or not.
    pub async fn delete_old_tls_days(&self, day: u32) -> Result<(), StoreError> {
        self.writer.run(move |db| tls_reports::delete_old(db, day)).await
    }
}

/// Each function fails if SQLite cannot read.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl ReportView {
    /// All domains of one day that are not closed.
    pub fn open_tls_domains(&self, day: u32) -> Result<Vec<OpenTlsDay>, StoreError> {
        self.read(|db| tls_reports::open_domains(db, day))
    }

    /// The rows of a domain's day.
    pub fn tls_rows_of(
        &self,
        day: u32,
        domain: &DomainName,
    ) -> Result<Vec<TlsPolicyRow>, StoreError> {
        self.read(|db| tls_reports::rows_of(db, day, domain))
    }
}
