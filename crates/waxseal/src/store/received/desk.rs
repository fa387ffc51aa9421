//! The connections of processes beside the daemon: one that only reads, one that imports.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use smtp_types::UnixTime;

use super::super::open::{self, read_only};
use super::super::{FILE, StoreError};
use super::look::{self, KnownTexts};
use super::{
    AsideRow, DaySum, NewAside, NewReceived, ReceivedKind, ReportDetails, ReportRow, Selection,
    TakenIn, forget, take_in,
};

/// How long an import waits for the daemon to finish what it writes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tables of received reports, read only. It needs no lock, for SQLite lets many read while one
/// writes.
pub struct ReceivedView {
    db: Connection,
    path: PathBuf,
    texts: RefCell<KnownTexts>,
}

/// Each function fails if SQLite cannot read.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl ReceivedView {
    /// Opens the store in this folder; `None` if there is none, or it has no such tables yet.
    pub fn open(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let failed = StoreError::sqlite(&path);
        let db = read_only(&path).map_err(&failed)?;
        db.busy_timeout(Duration::from_secs(5)).map_err(&failed)?;
        let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'received_report'";
        let exists = db.prepare(sql).and_then(|mut sql| sql.exists([])).map_err(&failed)?;
        drop(failed);
        Ok(exists.then(|| Self { db, path, texts: RefCell::default() }))
    }

    fn read<T>(
        &self,
        query: impl FnOnce(&Connection, &mut KnownTexts) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        query(&self.db, &mut self.texts.borrow_mut()).map_err(StoreError::sqlite(&self.path))
    }

    /// Reports without their rows, the latest first.
    pub fn reports(&self, selection: &Selection) -> Result<Vec<ReportRow>, StoreError> {
        self.read(|db, texts| look::reports(db, texts, selection))
    }

    /// One report without its rows.
    pub fn report(&self, id: i64) -> Result<Option<ReportRow>, StoreError> {
        self.read(|db, texts| look::report(db, texts, id))
    }

    /// What a report says.
    pub fn details(&self, id: i64) -> Result<ReportDetails, StoreError> {
        self.read(|db, texts| look::details(db, texts, id))
    }

    /// The sums of days with reports of one kind, in the order of days.
    pub fn days(
        &self,
        kind: ReceivedKind,
        domain: Option<&str>,
        since: UnixTime,
        until: UnixTime,
    ) -> Result<Vec<DaySum>, StoreError> {
        self.read(|db, _| look::days(db, kind, domain, since, until))
    }

    /// What was kept aside, the newest first.
    pub fn asides(&self, limit: u32) -> Result<Vec<AsideRow>, StoreError> {
        self.read(|db, _| look::asides(db, limit))
    }

    /// One thing that was kept aside, with its octets (gzip) if they are still there.
    pub fn aside(&self, id: i64) -> Result<Option<(AsideRow, Option<Vec<u8>>)>, StoreError> {
        self.read(|db, _| look::aside(db, id))
    }
}

/// A second process that writes received reports, and nothing else.
pub struct ReceivedImport {
    db: Connection,
    path: PathBuf,
    /// Which file it was when it was opened.
    inode: u64,
}

/// Each function fails if SQLite cannot write; then nothing of that call was written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl ReceivedImport {
    /// Opens the store in this folder, and makes it if it is not there. A daemon may run there.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let db = open::beside(folder)?;
        let path = folder.join(FILE);
        db.busy_timeout(PATIENCE).map_err(StoreError::sqlite(&path))?;
        let inode = inode(&path)?;
        Ok(Self { db, path, inode })
    }

    /// Takes in what several mails or files hold. When it returns, it is on the disk.
    pub fn take_in(
        &mut self,
        batch: &[(Vec<NewReceived>, Option<NewAside>)],
    ) -> Result<Vec<TakenIn>, StoreError> {
        let taken = self.write(|db| {
            batch.iter().map(|(reports, aside)| take_in(db, reports, aside.as_ref())).collect()
        })?;
        // A daemon that finds the file damaged puts another into its place.
        if inode(&self.path)? != self.inode {
            return Err(StoreError::Exchanged { path: self.path.clone() });
        }
        Ok(taken)
    }

    /// See [`Store::forget_received`](super::super::Store::forget_received).
    pub fn forget(
        &mut self,
        before: UnixTime,
        aside_octets: u64,
        limit: u32,
    ) -> Result<bool, StoreError> {
        self.write(|db| forget(db, before, aside_octets, limit))
    }

    fn write<T>(
        &mut self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let result = Transaction::new(&mut self.db, TransactionBehavior::Immediate).and_then(
            |transaction| {
                let value = body(&transaction)?;
                transaction.commit()?;
                Ok(value)
            },
        );
        result.map_err(StoreError::sqlite(&self.path))
    }
}

fn inode(path: &Path) -> Result<u64, StoreError> {
    let found = fs::metadata(path);
    found
        .map(|found| found.ino())
        .map_err(|error| StoreError::Folder { path: path.to_owned(), error })
}
