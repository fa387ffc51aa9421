//! Rows of the table `policy`, as values.

use mta_sts::{CachedPolicy, Policy, PolicyId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use smtp_types::{DomainName, UnixTime};

use super::{from_column, to_column};

/// A remembered policy with what is needed to keep it fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPolicy {
    /// Whose policy it is.
    pub domain: DomainName,
    /// The policy.
    pub cached: CachedPolicy,
    /// When an answer last rested on it.
    pub last_used: UnixTime,
    /// When to fetch it again ahead of time.
    pub refresh_at: UnixTime,
    /// How many refreshes have failed in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

/// The columns, in the order in which rows are written and read.
const COLUMNS: &str =
    "domain, id, body, issuer, fetched, expires, last_used, refresh_at, failures, last_error";

/// Inserts or replaces a row. Returns how many rows there are more than before: 1 or 0.
pub(super) fn save(db: &Connection, policy: &StoredPolicy) -> rusqlite::Result<usize> {
    let StoredPolicy { domain, cached, last_used, refresh_at, failures, last_error } = policy;
    let is_new = !db
        .prepare_cached("SELECT 1 FROM policy WHERE domain = ?1")?
        .exists(params![domain.as_str()])?;
    let sql = format!(
        "INSERT OR REPLACE INTO policy ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)"
    );
    db.prepare_cached(&sql)?.execute(params![
        domain.as_str(),
        cached.id.as_str(),
        cached.policy.to_string(),
        cached.issuer,
        to_column(cached.fetched),
        to_column(cached.expires()),
        to_column(*last_used),
        to_column(*refresh_at),
        failures,
        last_error,
    ])?;
    Ok(usize::from(is_new))
}

/// Notes that answers rested on a policy; a domain without a row is passed over.
pub(super) fn touch(db: &Connection, domain: &DomainName, now: UnixTime) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE policy SET last_used = ?2 WHERE domain = ?1")?
        .execute(params![domain.as_str(), to_column(now)])?;
    Ok(())
}

/// Removes what has not bound anybody since `before`.
pub(super) fn delete_expired(db: &Connection, before: UnixTime) -> rusqlite::Result<usize> {
    db.execute("DELETE FROM policy WHERE expires < ?1", params![to_column(before)])
}

/// The row of one domain. One that makes no sense is damage.
pub(super) fn load(db: &Connection, domain: &DomainName) -> rusqlite::Result<Option<StoredPolicy>> {
    let sql = format!("SELECT {COLUMNS} FROM policy WHERE domain = ?1");
    let row = db.prepare_cached(&sql)?.query_row(params![domain.as_str()], |row| Ok(read(row)));
    match row.optional()? {
        Some(None) => Err(damage(format!("the row of {domain} makes no sense"))),
        found => Ok(found.flatten()),
    }
}

/// Reads every row: SQLite's own check knows pages, not what stands on them.
pub(super) fn check(db: &Connection) -> rusqlite::Result<()> {
    let mut statement = db.prepare(&format!("SELECT {COLUMNS} FROM policy"))?;
    let senseless = statement
        .query_map([], |row| Ok(read(row).is_none()))?
        .try_fold(0_usize, |count, row| row.map(|senseless| count + usize::from(senseless)))?;
    if senseless > 0 {
        return Err(damage(format!("rows that make no sense: {senseless}")));
    }
    Ok(())
}

/// What SQLite says of a damaged file, in our words.
pub(super) fn damage(what: String) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(what))
}

/// Rows to be refreshed by `now` that were used since `used_since`, at most `limit`, the most
/// overdue first.
pub(super) fn due(
    db: &Connection,
    now: UnixTime,
    used_since: UnixTime,
    limit: u32,
) -> rusqlite::Result<Vec<StoredPolicy>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM policy WHERE refresh_at <= ?1 AND last_used >= ?2 AND expires > ?1 \
         ORDER BY refresh_at LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement
        .query_map(params![to_column(now), to_column(used_since), limit], |row| Ok(read(row)))?;
    rows.filter_map(Result::transpose).collect()
}

/// How many policies there are.
pub(super) fn rows(db: &Connection) -> rusqlite::Result<usize> {
    let count: i64 = db.query_row("SELECT COUNT(*) FROM policy", [], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// How many policies there are, and how many of them failed to refresh at least `failures` times.
pub(super) fn count(db: &Connection, failures: u32) -> rusqlite::Result<(u64, u64)> {
    let sql = "SELECT COUNT(*), COALESCE(SUM(failures >= ?1), 0) FROM policy";
    db.query_row(sql, params![failures], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
    })
}

/// Every row that can be read, in both directions from a damaged page; for carrying over.
pub(super) fn salvage(db: &Connection) -> Vec<StoredPolicy> {
    let mut found = std::collections::BTreeMap::new();
    for direction in ["ASC", "DESC"] {
        let sql = format!("SELECT {COLUMNS} FROM policy ORDER BY domain {direction}");
        let Ok(mut statement) = db.prepare(&sql) else { continue };
        let Ok(mut rows) = statement.query([]) else { continue };
        while let Ok(Some(row)) = rows.next() {
            if let Some(policy) = read(row) {
                found.insert(policy.domain.clone(), policy);
            }
        }
    }
    found.into_values().collect()
}

/// A row as a value; `None` if it does not make sense any more, which is like having no row.
fn read(row: &Row<'_>) -> Option<StoredPolicy> {
    let time = |index| row.get::<_, i64>(index).ok().map(from_column);
    Some(StoredPolicy {
        domain: DomainName::parse(&row.get::<_, String>(0).ok()?).ok()?,
        cached: CachedPolicy {
            id: PolicyId::parse(&row.get::<_, String>(1).ok()?)?,
            policy: Policy::parse(row.get::<_, String>(2).ok()?.as_bytes()).ok()?,
            issuer: row.get(3).ok()?,
            fetched: time(4)?,
        },
        last_used: time(6)?,
        refresh_at: time(7)?,
        failures: row.get(8).ok()?,
        last_error: row.get(9).ok()?,
    })
}
