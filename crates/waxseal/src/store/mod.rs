//! One SQLite file: what must outlive the process.
//!
//! The store knows rows, not rules: whether a policy still binds is said in `mta-sts`. It keeps
//! two promises:
//!
//! - **What was saved is not lost by a crash.** A save returns after the row is on the disk
//!   (write-ahead log, synced at each commit). Saves that arrive together share one commit.
//! - **A damaged file does not stop the mail.** At start the file is checked; if it is damaged,
//!   every row that can still be read is carried over, and the damaged file is kept beside it under
//!   another name. Policies are looked for in a copy, too, because mail depends on them; counts and
//!   letters of reports are not copied.
//!
//! Two threads own a connection each, one for writing and one for reading; the rest of the
//! program talks to them by messages and never waits for a disk while it holds a lock.

mod copy;
mod open;
mod outbox;
mod policies;
mod private;
mod reader;
mod received;
mod received_store;
mod report_store;
mod reports;
mod salvage;
mod tls_report_store;
mod tls_reports;
mod view;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};

use smtp_types::UnixTime;

pub use open::{OpenNote, Store};
pub use outbox::{
    Carrier, Claimed, EndState, LetterRow, LettersOfDay, NewLetter, OutboxSize, Requeued, Sent,
    Settlement, Suppression,
};
pub use policies::StoredPolicy;
pub use received::{
    Aligned, AsideRow, Counted, DaySum, FailureRow, NewAside, NewFailure, NewPolicy, NewReceived,
    NewRecord, PolicyRow, ReceivedImport, ReceivedKind, ReceivedTotals, ReceivedView, RecordRow,
    ReportDetails, ReportRow, Selection, Taken, TakenIn, TakenOutcome, TextNumber, Texts,
};
pub use reports::{Added, CountedRow, DayCounts, DomainBounds, MailOfDomain, OpenDay, RowSum};
pub use tls_reports::{
    OpenTlsDay, TlsBounds, TlsCounts, TlsFailureCounts, TlsFailureRow, TlsPolicyCounts,
    TlsPolicyRow, TlsRecordSeen,
};
pub use view::{ReportView, requeue_letter};

/// The file's name in the state folder.
const FILE: &str = "waxseal.db";

/// The copy's name: a whole database, at most a few minutes old.
const COPY: &str = "waxseal-copy.db";

/// Why the store did not do what it was asked.
#[derive(Debug)]
pub enum StoreError {
    /// The state folder cannot be made or entered.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Another process works in this state folder.
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file was written by a newer release.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema's number.
        found: i64,
        /// The newest number that this release knows.
        known: i64,
    },
    /// Another process has put another file into the place of ours.
    Exchanged {
        /// The file.
        path: PathBuf,
    },
    /// SQLite says no: disk full, file damaged, no permission.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// The store's thread is gone: the program is ending.
    Closed,
}

impl StoreError {
    fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self + '_ {
        |error| Self::Sqlite { path: path.to_owned(), error }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, error } => write!(f, "state folder {}: {error}", path.display()),
            Self::InUse { path } => {
                write!(f, "state folder {}: in use by another waxseal", path.display())
            }
            Self::Newer { path, found, known } => write!(
                f,
                "{}: written by a newer release: expected schema {known} or older, found {found}",
                path.display()
            ),
            Self::Exchanged { path } => write!(
                f,
                "{}: another waxseal has put a new file into its place; try again",
                path.display()
            ),
            Self::Sqlite { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Closed => write!(f, "the store is closed"),
        }
    }
}

impl std::error::Error for StoreError {}

/// SQLite's integers are signed; the end of time is far enough.
fn to_column(time: UnixTime) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

fn from_column(seconds: i64) -> UnixTime {
    UnixTime(seconds.max(0).unsigned_abs())
}
