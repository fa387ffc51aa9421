//! Opening the store, mending what is broken, and the handle that the program holds.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use smtp_types::{DomainName, UnixTime};

use super::private::create_private;
use super::reader::Reader;
use super::writer::Writer;
use super::{COPY, FILE, StoreError, StoredPolicy, policies, salvage};

/// Numbered SQL files, applied in order, forward only.
const MIGRATIONS: [&str; 4] = [
    include_str!("migrations/0001_policies.sql"),
    include_str!("migrations/0002_dmarc_reports.sql"),
    include_str!("migrations/0003_tls_reports.sql"),
    include_str!("migrations/0004_received_reports.sql"),
];

/// The store, open. Cloning is not needed: share it.
pub struct Store {
    path: PathBuf,
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    /// Held as long as the store is open: one process for one state folder.
    _lock: File,
}

/// What was noticed while opening, worth a line in the log.
#[derive(Debug)]
pub enum OpenNote {
    /// A new file was made.
    Created,
    /// The file was damaged.
    Mended {
        /// Where the damaged file is kept.
        kept: PathBuf,
        /// What SQLite said of it.
        damage: String,
        /// How many policies were carried over from the file and its copy.
        carried_over: usize,
    },
}

impl fmt::Display for OpenNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => write!(f, "new store"),
            Self::Mended { kept, damage, carried_over } => write!(
                f,
                "the store was damaged ({damage}); {carried_over} policies were carried over, \
                 the damaged file is kept as {}",
                kept.display()
            ),
        }
    }
}

impl Store {
    /// Opens the store in `folder`, which is made if it is not there. Others may enter the folder,
    /// for there are sockets in it; the store's files are readable by their owner only.
    ///
    /// # Errors
    /// If the folder cannot be used, another process uses it, a newer release wrote the file, or
    /// SQLite cannot open or write it.
    pub fn open(folder: &Path) -> Result<(Self, Option<OpenNote>), StoreError> {
        let lock = lock_folder(folder)?;
        let path = folder.join(FILE);
        let is_new = !path.exists() && !folder.join(COPY).exists();
        let (db, mended) = match open_checked(&path) {
            Ok(db) if !is_empty_beside_a_copy(&db, folder) => (db, None),
            Ok(db) => {
                drop(db);
                let (db, note) = mend(folder, "the file was missing or empty".into())?;
                (db, Some(note))
            }
            Err(StoreError::Sqlite { error, .. }) if is_damage(&error) => {
                let (db, note) = mend(folder, error.to_string())?;
                (db, Some(note))
            }
            Err(error) => return Err(error),
        };
        let note = mended.or(is_new.then_some(OpenNote::Created));
        let reader = Reader::start(connect(&path)?, path.clone());
        let writer = Writer::start(db, path.clone());
        Ok((Self { path, writer, reader, _lock: lock }, note))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Saves a policy. Returns when it is on the disk.
    ///
    /// # Errors
    /// If SQLite cannot write; what was saved before stays.
    pub async fn save(&self, policy: StoredPolicy) -> Result<(), StoreError> {
        self.writer.save(policy).await
    }

    /// Notes that answers rested on these policies.
    ///
    /// # Errors
    /// If SQLite cannot write.
    pub async fn touch(&self, domains: Vec<DomainName>, now: UnixTime) -> Result<(), StoreError> {
        self.writer.touch(domains, now).await
    }

    /// Removes policies that have not bound anybody since `before`. Returns how many.
    ///
    /// # Errors
    /// If SQLite cannot write.
    pub async fn delete_expired(&self, before: UnixTime) -> Result<usize, StoreError> {
        self.writer.delete_expired(before).await
    }

    /// Writes the copy anew, if anything changed since the last one. Returns whether it did.
    ///
    /// # Errors
    /// If the copy cannot be written; the old one stays.
    pub async fn copy(&self) -> Result<bool, StoreError> {
        self.writer.copy().await
    }

    /// The policy of a domain, expired or not.
    ///
    /// # Errors
    /// If SQLite cannot read, or what it reads makes no sense.
    pub async fn load(&self, domain: DomainName) -> Result<Option<StoredPolicy>, StoreError> {
        self.reader.run(move |db| policies::load(db, &domain)).await
    }

    /// The policy of a domain as the copy has it; for when [`load`](Self::load) fails.
    ///
    /// # Errors
    /// If there is no copy, or SQLite cannot read it either.
    pub async fn load_from_copy(
        &self,
        domain: DomainName,
    ) -> Result<Option<StoredPolicy>, StoreError> {
        let copy = self.path.with_file_name(COPY);
        self.reader.run(move |_| policies::load(&read_only(&copy)?, &domain)).await
    }

    /// Policies to be refreshed by `now` that were used since `used_since`, at most `limit`.
    ///
    /// # Errors
    /// If SQLite cannot read.
    pub async fn due(
        &self,
        now: UnixTime,
        used_since: UnixTime,
        limit: u32,
    ) -> Result<Vec<StoredPolicy>, StoreError> {
        self.reader.run(move |db| policies::due(db, now, used_since, limit)).await
    }

    /// How many policies there are, and how many have failed to refresh at least `failures`
    /// times in a row.
    ///
    /// # Errors
    /// If SQLite cannot read.
    pub async fn count(&self, failures: u32) -> Result<(u64, u64), StoreError> {
        self.reader.run(move |db| policies::count(db, failures)).await
    }
}

fn lock_folder(folder: &Path) -> Result<File, StoreError> {
    let failed = |error| StoreError::Folder { path: folder.to_owned(), error };
    if !folder.is_dir() {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(failed)?;
    }
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("waxseal.lock"))
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A connection with the settings that the promises of the module rest on.
pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let failed = StoreError::sqlite(path);
    create_private(path).map_err(|error| StoreError::Folder { path: path.to_owned(), error })?;
    let db = Connection::open(path).map_err(&failed)?;
    db.busy_timeout(std::time::Duration::from_secs(5)).map_err(&failed)?;
    db.pragma_update(None, "journal_mode", "WAL").map_err(&failed)?;
    db.pragma_update(None, "synchronous", "FULL").map_err(&failed)?;
    Ok(db)
}

/// A connection to a sound file of this release's schema.
fn open_checked(path: &Path) -> Result<Connection, StoreError> {
    let failed = StoreError::sqlite(path);
    let mut db = connect(path)?;
    let verdict: String =
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(&failed)?;
    if verdict != "ok" {
        return Err(failed(policies::damage(verdict)));
    }
    migrate(&mut db, path)?;
    policies::check(&db).map_err(&failed)?;
    Ok(db)
}

pub(super) fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = StoreError::sqlite(path);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found: i64 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(&failed)?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for (number, sql) in (1_i64..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        let transaction =
            db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        // Another process may have done it while we waited.
        let reached: i64 = transaction
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(&failed)?;
        if reached < number {
            transaction.execute_batch(sql).map_err(&failed)?;
            transaction.pragma_update(None, "user_version", number).map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)?;
    }
    Ok(())
}

/// A connection that writes beside a daemon, or without one. If no daemon runs, the store is opened
/// as a daemon would, so that it is made or mended, and let go of at once: an import must not keep
/// a daemon from starting.
pub(super) fn beside(folder: &Path) -> Result<Connection, StoreError> {
    match Store::open(folder) {
        Ok(_) | Err(StoreError::InUse { .. }) => {}
        Err(error) => return Err(error),
    }
    let path = folder.join(FILE);
    let mut db = connect(&path)?;
    migrate(&mut db, &path)?;
    Ok(db)
}

/// Whether the file is not what it should be. `Unknown` is "SQL logic error": sound SQLite, and not
/// our tables.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, Unknown};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase | Unknown))
}

/// A file that somebody emptied or removed, while its copy still knows policies.
fn is_empty_beside_a_copy(db: &Connection, folder: &Path) -> bool {
    let empty = policies::count(db, 1).is_ok_and(|(count, _)| count == 0);
    empty
        && !salvage::has_rows(db)
        && !read_only(&folder.join(COPY))
            .map(|copy| policies::salvage(&copy))
            .unwrap_or_default()
            .is_empty()
}

/// Carries every readable row of the damaged file and of its copy over into a new file.
fn mend(folder: &Path, damage: String) -> Result<(Connection, OpenNote), StoreError> {
    let path = folder.join(FILE);
    let mut rows = std::collections::BTreeMap::new();
    // The newer fetch of a policy wins, wherever it was found.
    for source in [folder.join(COPY), path.clone()] {
        let found = read_only(&source).map(|db| policies::salvage(&db)).unwrap_or_default();
        for policy in found {
            let newer = rows
                .get(&policy.domain)
                .is_none_or(|known: &StoredPolicy| known.cached.fetched <= policy.cached.fetched);
            if newer {
                rows.insert(policy.domain.clone(), policy);
            }
        }
    }
    let kept = set_aside(folder)?;
    let db = open_checked(&path)?;
    let failed = StoreError::sqlite(&path);
    db.execute_batch("BEGIN").map_err(&failed)?;
    for policy in rows.values() {
        policies::save(&db, policy).map_err(&failed)?;
    }
    db.execute_batch("COMMIT").map_err(&failed)?;
    if let Ok(damaged) = read_only(&kept) {
        salvage::carry_over(&damaged, &db);
    }
    Ok((db, OpenNote::Mended { kept, damage, carried_over: rows.len() }))
}

/// Renames the damaged file, and removes its log, which belongs to it.
fn set_aside(folder: &Path) -> Result<PathBuf, StoreError> {
    let failed = |error| StoreError::Folder { path: folder.to_owned(), error };
    let free = (1_u32..).map(|number| folder.join(format!("waxseal-damaged-{number}.db")));
    let kept = free
        .into_iter()
        .find(|path| !path.exists())
        .unwrap_or_else(|| folder.join("waxseal-damaged.db"));
    fs::rename(folder.join(FILE), &kept).map_err(failed)?;
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(folder.join(format!("{FILE}{suffix}")));
    }
    Ok(kept)
}

pub(super) fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}
