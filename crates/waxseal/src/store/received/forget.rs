//! What is too old goes out, a little at a time, so that nobody waits long for the file.

use rusqlite::{Connection, params};
use smtp_types::UnixTime;

use super::super::to_column;
use super::take_in::{TEXT_LAG, count, remove_rows};

/// How many things may be kept aside, whatever their size.
const MAX_ASIDE: u32 = 100_000;

/// Removes up to `limit` reports and other things that came before `before`, and the octets of the
/// oldest things kept aside beyond `aside_octets`. Returns whether there may be more to remove.
pub(in super::super) fn forget(
    db: &Connection,
    before: UnixTime,
    aside_octets: u64,
    limit: u32,
) -> rusqlite::Result<bool> {
    let sql = "SELECT id FROM received_report WHERE received < ?1 ORDER BY received LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let ids = statement.query_map(params![to_column(before), limit], |row| row.get(0))?;
    let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
    for id in &ids {
        remove_rows(db, *id)?;
        db.prepare_cached("DELETE FROM received_report WHERE id = ?1")?.execute(params![id])?;
    }
    db.prepare_cached("DELETE FROM received_aside WHERE received < ?1")?
        .execute(params![to_column(before)])?;
    let sql = "DELETE FROM received_aside WHERE id <= \
               (SELECT id FROM received_aside ORDER BY id DESC LIMIT 1 OFFSET ?1)";
    db.prepare_cached(sql)?.execute(params![MAX_ASIDE])?;
    drop_octets(db, aside_octets)?;
    let more = ids.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    if !more {
        // Every row of a text came at most TEXT_LAG days after its day.
        let day = to_column(before) / 86_400 - TEXT_LAG - 1;
        db.prepare_cached("DELETE FROM received_text WHERE seen < ?1")?.execute(params![day])?;
    }
    Ok(more)
}

/// From the newest to the oldest, what is beyond the limit loses its octets.
fn drop_octets(db: &Connection, aside_octets: u64) -> rusqlite::Result<()> {
    let sql = "UPDATE received_aside SET packed = NULL WHERE packed IS NOT NULL AND id IN \
               (SELECT id FROM (SELECT id, SUM(LENGTH(packed)) OVER (ORDER BY id DESC) AS filled \
               FROM received_aside WHERE packed IS NOT NULL) AS sizes WHERE filled > ?1)";
    db.prepare_cached(sql)?.execute(params![count(aside_octets)])?;
    Ok(())
}
