//! Looking at reports while the daemon runs: a connection of another process that only reads. And
//! the one thing that such a process may change: that a letter is tried again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use smtp_types::{DomainName, UnixTime};

use super::open::{connect, read_only};
use super::{
    CountedRow, FILE, LetterRow, OpenDay, OutboxSize, Requeued, RowSum, StoreError, outbox, reports,
};

/// Wants a letter to be tried again, whether the daemon runs or not: one transaction on the row,
/// which SQLite keeps apart from all that the daemon does. The daemon finds it within seconds.
///
/// # Errors
/// If SQLite cannot write, or the file is of another release.
pub fn requeue_letter(folder: &Path, id: i64, now: UnixTime) -> Result<Requeued, StoreError> {
    if ReportView::open(folder)?.is_none() {
        return Ok(Requeued::Unknown);
    }
    let path = folder.join(FILE);
    let mut db = connect(&path)?;
    let failed = StoreError::sqlite(&path);
    let transaction =
        db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    let requeued = outbox::requeue(&transaction, id, now).map_err(&failed)?;
    transaction.commit().map_err(&failed)?;
    Ok(requeued)
}

/// The tables of reports, read only. It needs no lock, for SQLite lets many read while one writes.
pub struct ReportView {
    db: Connection,
    path: PathBuf,
}

/// Each function fails if SQLite cannot read.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl ReportView {
    /// Opens the store in this folder; `None` if there is none, or it has no reports yet.
    pub fn open(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let db = read_only(&path).map_err(StoreError::sqlite(&path))?;
        db.busy_timeout(Duration::from_secs(5)).map_err(StoreError::sqlite(&path))?;
        let schema: i64 = db
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(StoreError::sqlite(&path))?;
        Ok((schema >= 3).then_some(Self { db, path }))
    }

    pub(super) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        query(&self.db).map_err(StoreError::sqlite(&self.path))
    }

    /// Letters in this state or in any, the newest first.
    pub fn letters(&self, state: Option<&str>, limit: u32) -> Result<Vec<LetterRow>, StoreError> {
        self.read(|db| outbox::letters(db, state, limit))
    }

    /// One letter with its message.
    pub fn letter(&self, id: i64) -> Result<Option<(LetterRow, Vec<u8>)>, StoreError> {
        self.read(|db| outbox::letter(db, id))
    }

    /// How full the outbox is.
    pub fn size(&self, now: UnixTime) -> Result<OutboxSize, StoreError> {
        self.read(|db| outbox::size(db, now))
    }

    /// All domains of one day that are not closed.
    pub fn open_domains(&self, day: u32) -> Result<Vec<OpenDay>, StoreError> {
        self.read(|db| reports::open_domains(db, day))
    }

    /// What the rows of a domain's day come to.
    pub fn sum(&self, day: u32, domain: &DomainName) -> Result<RowSum, StoreError> {
        self.read(|db| reports::sum(db, day, domain))
    }

    /// The rows of a domain's day.
    pub fn rows_of(&self, day: u32, domain: &DomainName) -> Result<Vec<CountedRow>, StoreError> {
        self.read(|db| reports::rows_of(db, day, domain))
    }
}
