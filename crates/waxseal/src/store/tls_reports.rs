//! What was counted of our own TLS sessions: the tables `tls_*`, as values.
//!
//! Policies and failures are lines of text here; what they mean is known to `tlsrpt`. Each comes
//! with a coarser line that stands for many: when a domain or a day has too many rows, new ones are
//! counted under that, so rows have an end and sums stay exact.

use rusqlite::{Connection, OptionalExtension, params};
use smtp_types::{DomainName, UnixTime};

use super::outbox::{self, NewLetter};
use super::{from_column, to_column};

/// What was counted for one domain on one day, to be added to what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsCounts {
    /// The day, counted from 1970-01-01.
    pub day: u32,
    /// The domain that mail was sent to.
    pub domain: DomainName,
    /// Its record as seen last, and when; `None` if nobody has seen it.
    pub record: Option<TlsRecordSeen>,
    /// Sessions by policy, each policy once.
    pub policies: Vec<TlsPolicyCounts>,
}

/// A TLSRPT record that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRecordSeen {
    /// Its text.
    pub text: String,
    /// When.
    pub at: UnixTime,
}

/// Sessions under one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPolicyCounts {
    /// The policy.
    pub policy: String,
    /// The line that it is counted under if there are too many.
    pub coarse: String,
    /// How many succeeded.
    pub successes: u64,
    /// How many failed.
    pub failures: u64,
    /// What failed in them, each failure once.
    pub details: Vec<TlsFailureCounts>,
}

/// Sessions with one failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailureCounts {
    /// The failure.
    pub failure: String,
    /// The line that it is counted under if there are too many.
    pub coarse: String,
    /// How many.
    pub sessions: u64,
}

/// How much there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsBounds {
    /// Domains of one day.
    pub domains: u64,
    /// Policies of one domain on one day.
    pub policies: u64,
    /// Failures under one policy of one domain on one day.
    pub details: u64,
    /// Rows of one day.
    pub rows: u64,
}

/// A day of a domain that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTlsDay {
    /// The day, counted from 1970-01-01.
    pub day: u32,
    /// The domain that mail was sent to.
    pub domain: DomainName,
    /// Its record as seen last, and when; `None` if nobody has seen it.
    pub record: Option<TlsRecordSeen>,
    /// Sessions, successes and failures together.
    pub sessions: u64,
    /// How many times something was added.
    pub changes: i64,
}

/// Sessions under one policy, as they were counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPolicyRow {
    /// The policy.
    pub policy: String,
    /// How many succeeded.
    pub successes: u64,
    /// How many failed.
    pub failures: u64,
    /// What failed in them, and how many times.
    pub details: Vec<TlsFailureRow>,
}

/// Sessions with one failure, as they were counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailureRow {
    /// The failure.
    pub failure: String,
    /// How many.
    pub sessions: u64,
}

/// For how many days at most counts are moved on because their day is closed already.
const DAYS_ON: usize = 8;

/// Adds counts. What belongs to a day that is closed already (a clock was set back) is counted in
/// the next one that is not. Returns how many sessions were not counted, for there are too many
/// domains.
pub(super) fn add(
    db: &Connection,
    counts: &[TlsCounts],
    bounds: TlsBounds,
) -> rusqlite::Result<u64> {
    let mut dropped = 0;
    for one in counts {
        let sessions = sessions_of(one);
        let Some(place) = place(db, one, bounds)? else {
            dropped = sessions.saturating_add(dropped);
            continue;
        };
        let new_rows = add_rows(db, place.day, one, bounds)?;
        update_domain(db, &place, one, sessions)?;
        db.prepare_cached(
            "UPDATE tls_total SET rows = rows + ?2, domains = domains + ?3 WHERE day = ?1",
        )?
        .execute(params![place.day, new_rows, i64::from(place.is_new)])?;
    }
    Ok(dropped)
}

fn sessions_of(counts: &TlsCounts) -> u64 {
    let sessions = |one: &TlsPolicyCounts| one.successes.saturating_add(one.failures);
    counts.policies.iter().map(sessions).fold(0, u64::saturating_add)
}

/// Where counts go.
struct Place {
    day: u32,
    is_new: bool,
}

fn place(
    db: &Connection,
    counts: &TlsCounts,
    bounds: TlsBounds,
) -> rusqlite::Result<Option<Place>> {
    let mut find =
        db.prepare_cached("SELECT outcome FROM tls_day WHERE day = ?1 AND domain = ?2")?;
    for day in (counts.day..).take(DAYS_ON) {
        let found: Option<Option<String>> =
            find.query_row(params![day, counts.domain.as_str()], |row| row.get(0)).optional()?;
        match found {
            Some(None) => return Ok(Some(Place { day, is_new: false })),
            Some(Some(_)) => {}
            None => {
                let has_room = total(db, day)?.domains < bounds.domains;
                return Ok(has_room.then_some(Place { day, is_new: true }));
            }
        }
    }
    Ok(None)
}

struct Total {
    domains: u64,
    rows: u64,
}

fn total(db: &Connection, day: u32) -> rusqlite::Result<Total> {
    db.prepare_cached("INSERT OR IGNORE INTO tls_total (day, domains, rows) VALUES (?1, 0, 0)")?
        .execute(params![day])?;
    db.prepare_cached("SELECT domains, rows FROM tls_total WHERE day = ?1")?
        .query_row(params![day], |row| {
            Ok(Total { domains: from_column(row.get(0)?).0, rows: from_column(row.get(1)?).0 })
        })
}

/// Returns how many rows are new.
fn add_rows(
    db: &Connection,
    day: u32,
    counts: &TlsCounts,
    bounds: TlsBounds,
) -> rusqlite::Result<i64> {
    let is_full = total(db, day)?.rows >= bounds.rows;
    let domain = counts.domain.as_str();
    let mut new = 0;
    for one in &counts.policies {
        let (successes, failures) = (count(one.successes), count(one.failures));
        let policy = match policy_line(db, day, domain, one, bounds, is_full)? {
            Line::Known(line) => line,
            Line::New(line) => {
                new += 1;
                line
            }
        };
        db.prepare_cached(
            "INSERT INTO tls_policy VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (day, domain, policy) DO UPDATE SET \
             successes = successes + excluded.successes, failures = failures + excluded.failures",
        )?
        .execute(params![day, domain, policy, successes, failures])?;
        for detail in &one.details {
            let failure = match failure_line(db, day, domain, policy, detail, bounds, is_full)? {
                Line::Known(line) => line,
                Line::New(line) => {
                    new += 1;
                    line
                }
            };
            db.prepare_cached(
                "INSERT INTO tls_failure VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (day, domain, policy, failure) DO UPDATE SET \
                 sessions = sessions + excluded.sessions",
            )?
            .execute(params![day, domain, policy, failure, count(detail.sessions)])?;
        }
    }
    Ok(new)
}

/// Under which line something is counted.
enum Line<'l> {
    Known(&'l str),
    New(&'l str),
}

fn policy_line<'l>(
    db: &Connection,
    day: u32,
    domain: &str,
    counts: &'l TlsPolicyCounts,
    bounds: TlsBounds,
    is_full: bool,
) -> rusqlite::Result<Line<'l>> {
    let mut find = db.prepare_cached(
        "SELECT 1 FROM tls_policy WHERE day = ?1 AND domain = ?2 AND policy = ?3",
    )?;
    if find.exists(params![day, domain, counts.policy])? {
        return Ok(Line::Known(&counts.policy));
    }
    let there: i64 = db
        .prepare_cached("SELECT COUNT(*) FROM tls_policy WHERE day = ?1 AND domain = ?2")?
        .query_row(params![day, domain], |row| row.get(0))?;
    if !is_full && from_column(there).0 < bounds.policies {
        return Ok(Line::New(&counts.policy));
    }
    let is_known = find.exists(params![day, domain, counts.coarse])?;
    Ok(if is_known { Line::Known(&counts.coarse) } else { Line::New(&counts.coarse) })
}

fn failure_line<'l>(
    db: &Connection,
    day: u32,
    domain: &str,
    policy: &str,
    counts: &'l TlsFailureCounts,
    bounds: TlsBounds,
    is_full: bool,
) -> rusqlite::Result<Line<'l>> {
    let mut find = db.prepare_cached(
        "SELECT 1 FROM tls_failure \
         WHERE day = ?1 AND domain = ?2 AND policy = ?3 AND failure = ?4",
    )?;
    if find.exists(params![day, domain, policy, counts.failure])? {
        return Ok(Line::Known(&counts.failure));
    }
    let there: i64 = db
        .prepare_cached(
            "SELECT COUNT(*) FROM tls_failure WHERE day = ?1 AND domain = ?2 AND policy = ?3",
        )?
        .query_row(params![day, domain, policy], |row| row.get(0))?;
    if !is_full && from_column(there).0 < bounds.details {
        return Ok(Line::New(&counts.failure));
    }
    let is_known = find.exists(params![day, domain, policy, counts.coarse])?;
    Ok(if is_known { Line::Known(&counts.coarse) } else { Line::New(&counts.coarse) })
}

fn update_domain(
    db: &Connection,
    place: &Place,
    counts: &TlsCounts,
    sessions: u64,
) -> rusqlite::Result<()> {
    let (day, domain, sessions) = (place.day, counts.domain.as_str(), count(sessions));
    let (text, at) = match &counts.record {
        Some(seen) => (seen.text.as_str(), to_column(seen.at)),
        None => ("", 0),
    };
    if place.is_new {
        let sql = "INSERT INTO tls_day (day, domain, record, record_at, sessions, changes, \
                   next_look) VALUES (?1, ?2, ?3, ?4, ?5, 0, 0)";
        db.prepare_cached(sql)?.execute(params![day, domain, text, at, sessions])?;
        return Ok(());
    }
    let sql = "UPDATE tls_day SET sessions = sessions + ?3, changes = changes + 1 \
               WHERE day = ?1 AND domain = ?2";
    db.prepare_cached(sql)?.execute(params![day, domain, sessions])?;
    if counts.record.is_some() {
        let sql = "UPDATE tls_day SET record = ?3, record_at = ?4 \
                   WHERE day = ?1 AND domain = ?2 AND record_at <= ?4";
        db.prepare_cached(sql)?.execute(params![day, domain, text, at])?;
    }
    Ok(())
}

/// Days up to `last` that are not closed and may be looked at now, the oldest first.
///
/// One that is to be looked at much later than anything is postponed has seen a clock that was set
/// back, and may be looked at, too.
pub(super) fn open_days(
    db: &Connection,
    last: u32,
    now: UnixTime,
    longest_wait: u64,
    limit: u32,
) -> rusqlite::Result<Vec<OpenTlsDay>> {
    let sql = format!(
        "SELECT {OPEN_DAY} WHERE outcome IS NULL AND day <= ?1 \
         AND (next_look <= ?2 OR next_look > ?2 + ?3) ORDER BY day, domain LIMIT ?4"
    );
    let values = params![last, to_column(now), count(longest_wait), limit];
    let mut statement = db.prepare_cached(&sql)?;
    let days = statement.query_map(values, read_open_day)?;
    days.filter_map(Result::transpose).collect()
}

/// All domains of one day that are not closed, for people.
pub(super) fn open_domains(db: &Connection, day: u32) -> rusqlite::Result<Vec<OpenTlsDay>> {
    let sql = format!("SELECT {OPEN_DAY} WHERE outcome IS NULL AND day = ?1 ORDER BY domain");
    let mut statement = db.prepare_cached(&sql)?;
    let days = statement.query_map(params![day], read_open_day)?;
    days.filter_map(Result::transpose).collect()
}

const OPEN_DAY: &str = "day, domain, record, record_at, sessions, changes FROM tls_day";

/// `None` if the domain is none: such a row can only have been put there by somebody else.
fn read_open_day(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<OpenTlsDay>> {
    let Ok(domain) = DomainName::parse(&row.get::<_, String>(1)?) else { return Ok(None) };
    let (text, at): (String, UnixTime) = (row.get(2)?, from_column(row.get(3)?));
    Ok(Some(OpenTlsDay {
        day: row.get(0)?,
        domain,
        record: (!text.is_empty()).then_some(TlsRecordSeen { text, at }),
        sessions: from_column(row.get(4)?).0,
        changes: row.get(5)?,
    }))
}

/// The rows of a domain's day.
pub(super) fn rows_of(
    db: &Connection,
    day: u32,
    domain: &DomainName,
) -> rusqlite::Result<Vec<TlsPolicyRow>> {
    let key = params![day, domain.as_str()];
    let mut policies = db.prepare_cached(
        "SELECT policy, successes, failures FROM tls_policy \
         WHERE day = ?1 AND domain = ?2 ORDER BY policy",
    )?;
    let policies = policies.query_map(key, |row| {
        Ok(TlsPolicyRow {
            policy: row.get(0)?,
            successes: from_column(row.get(1)?).0,
            failures: from_column(row.get(2)?).0,
            details: Vec::new(),
        })
    })?;
    let mut rows = policies.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut details = db.prepare_cached(
        "SELECT failure, sessions FROM tls_failure \
         WHERE day = ?1 AND domain = ?2 AND policy = ?3 ORDER BY failure",
    )?;
    for policy in &mut rows {
        let found = details.query_map(params![day, domain.as_str(), policy.policy], |row| {
            Ok(TlsFailureRow { failure: row.get(0)?, sessions: from_column(row.get(1)?).0 })
        })?;
        policy.details = found.collect::<rusqlite::Result<_>>()?;
    }
    Ok(rows)
}

/// Notes that a day must be looked at again at `next_look`.
pub(super) fn postpone(
    db: &Connection,
    day: u32,
    domain: &DomainName,
    next_look: UnixTime,
) -> rusqlite::Result<()> {
    let sql = "UPDATE tls_day SET next_look = ?3 WHERE day = ?1 AND domain = ?2";
    db.prepare_cached(sql)?.execute(params![day, domain.as_str(), to_column(next_look)])?;
    Ok(())
}

/// Closes a day: its rows go, and its letters, if there are any, come into the outbox. Returns
/// whether it was open and as it was when it was read; if not, nothing changes, so that a report is
/// made once and nothing is lost.
pub(super) fn close(
    db: &Connection,
    open: &OpenTlsDay,
    outcome: &str,
    letters: &[NewLetter],
) -> rusqlite::Result<bool> {
    let OpenTlsDay { day, domain, changes, .. } = open;
    let key = params![day, domain.as_str()];
    // What is closed is only remembered, so its text can go.
    let sql = "UPDATE tls_day SET outcome = ?3, record = '' \
               WHERE day = ?1 AND domain = ?2 AND outcome IS NULL AND changes = ?4";
    let closed =
        db.prepare_cached(sql)?.execute(params![day, domain.as_str(), outcome, changes])?;
    if closed == 0 {
        return Ok(false);
    }
    let mut rows = 0;
    for table in ["tls_failure", "tls_policy"] {
        let sql = format!("DELETE FROM {table} WHERE day = ?1 AND domain = ?2");
        rows += i64::try_from(db.prepare_cached(&sql)?.execute(key)?).unwrap_or(i64::MAX);
    }
    db.prepare_cached("UPDATE tls_total SET rows = rows - ?2 WHERE day = ?1")?
        .execute(params![day, rows])?;
    letters.iter().try_for_each(|letter| outbox::insert(db, letter))?;
    Ok(true)
}

/// Forgets days before `day`, closed or not: what nobody has told by then, nobody will.
pub(super) fn delete_old(db: &Connection, day: u32) -> rusqlite::Result<()> {
    for table in ["tls_failure", "tls_policy", "tls_day", "tls_total"] {
        db.execute(&format!("DELETE FROM {table} WHERE day < ?1"), params![day])?;
    }
    Ok(())
}

/// SQLite's integers are signed; what is more than they hold is more than anybody counts to.
fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX / 4)
}
