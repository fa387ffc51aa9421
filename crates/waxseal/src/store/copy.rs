//! The copy: a second, whole database beside the first, for the day when the first is damaged.
//!
//! It holds the policies, without which mail would be unprotected. What was counted for reports may
//! be large, changes every second, and is not worth it.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, params};

use super::open::migrate;
use super::private::create_private;
use super::{COPY, StoreError, policies};

/// Writes the copy anew: into a file of another name, which then takes the place of the old copy,
/// so that there is a whole one at every moment.
///
/// A copy that has not the expected number of rows takes nobody's place: the file was damaged or
/// emptied under us, and the old copy may be all that is left.
pub(super) fn write(db: &Connection, path: &Path, rows: Option<usize>) -> Result<(), StoreError> {
    let target = path.with_file_name(COPY);
    let draft = path.with_file_name(format!("{COPY}.new"));
    let failed = |error| StoreError::Folder { path: draft.clone(), error };
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    // What waits in the log goes to the file, so that the file alone is whole, too. Somebody who
    // reads may be in the way; then the log is as good.
    let _ = db.pragma_update(None, "wal_checkpoint", "TRUNCATE");
    create_private(&draft).map_err(failed)?;
    let sqlite = StoreError::sqlite(&draft);
    migrate(&mut Connection::open(&draft).map_err(&sqlite)?, &draft)?;
    db.execute("ATTACH ?1 AS draft", params![draft.to_string_lossy()]).map_err(&sqlite)?;
    let copied = db.execute("INSERT INTO draft.policy SELECT * FROM main.policy", []);
    let detached = db.execute("DETACH draft", []);
    copied.and(detached).map_err(&sqlite)?;
    let found = Connection::open(&draft).and_then(|copy| policies::rows(&copy));
    let found = found.map_err(&sqlite)?;
    if let Some(expected) = rows.filter(|expected| *expected != found) {
        let what = format!("expected {expected} policies, found {found}: not copied");
        return Err(StoreError::sqlite(path)(policies::damage(what)));
    }
    fs::File::open(&draft).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&draft, &target).map_err(failed)
}
