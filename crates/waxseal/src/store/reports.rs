//! What was counted for reports: the tables `report_*`, as values.
//!
//! Rows and policies are lines of text here; what they mean is known to `sender-auth`.

use rusqlite::{Connection, OptionalExtension, params};
use smtp_types::{DomainName, UnixTime};

use super::outbox::{self, NewLetter};
use super::{from_column, to_column};

/// What was counted for one policy domain on one day, to be added to what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayCounts {
    /// The day, counted from 1970-01-01.
    pub day: u32,
    /// The policy domain.
    pub domain: DomainName,
    /// The policy that was seen last.
    pub policy: String,
    /// When it was seen.
    pub policy_at: UnixTime,
    /// The record with the addresses for reports.
    pub record: String,
    /// Messages that are a reason for a report if the domain has ever sent anything good.
    pub strangers: u64,
    /// Messages that were refused as spam.
    pub spam: u64,
    /// Messages that are alike, each kind once.
    pub rows: Vec<CountedRow>,
}

/// Messages that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedRow {
    /// What they have in common.
    pub line: String,
    /// How many they are.
    pub messages: u64,
    /// How many of them are a reason for a report.
    pub triggers: u64,
}

/// How many domains a day may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainBounds {
    /// All together.
    pub all: u64,
    /// New ones without a message that is a reason for a report are taken up to here.
    pub strangers: u64,
}

/// What is known of the mail that came from a domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailOfDomain {
    /// When it last sent something good, if that is remembered.
    pub last_good: Option<UnixTime>,
    /// How many messages of it were refused as spam on the day.
    pub spam: u64,
}

/// What came of adding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Messages that were not counted, for the day has too many domains.
    pub dropped: u64,
    /// How many rows the fullest of the days now has.
    pub day_rows: u64,
    /// Days of domains that have more rows than was asked for.
    pub crowded: Vec<(u32, DomainName)>,
}

/// A day of a domain that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDay {
    /// The day, counted from 1970-01-01.
    pub day: u32,
    /// The policy domain.
    pub domain: DomainName,
    /// The policy that was seen last.
    pub policy: String,
    /// When it was seen.
    pub policy_at: UnixTime,
    /// The record with the addresses for reports, as seen.
    pub record: String,
    /// Messages that are a reason for a report.
    pub triggers: u64,
    /// Messages that are one if the domain has ever sent anything good.
    pub strangers: u64,
    /// How many times something was added.
    pub changes: i64,
    /// When the domain last sent something good, if that is remembered.
    pub last_good: Option<UnixTime>,
}

/// For how many days at most counts are moved on because their day is closed already.
const DAYS_ON: u32 = 8;

/// Adds counts. What belongs to a day that is closed already (a clock was set back) is counted in
/// the next one that is not.
pub(super) fn add(
    db: &Connection,
    counts: &[DayCounts],
    bounds: DomainBounds,
    crowded_from: u64,
) -> rusqlite::Result<Added> {
    let mut added = Added::default();
    for one in counts {
        let Some(place) = place(db, one, bounds)? else {
            let messages = one.rows.iter().map(|row| row.messages);
            added.dropped = messages.fold(added.dropped, u64::saturating_add);
            continue;
        };
        let (new, triggers) = add_rows(db, place.day, &one.domain, &one.rows)?;
        let rows = place.rows + new;
        update_domain(db, &place, one, rows, triggers)?;
        let day_rows: i64 = db
            .prepare_cached(
                "UPDATE report_day SET rows = rows + ?2, domains = domains + ?3 WHERE day = ?1 \
                 RETURNING rows",
            )?
            .query_row(params![place.day, new, i64::from(place.is_new)], |row| row.get(0))?;
        added.day_rows = added.day_rows.max(day_rows.max(0).unsigned_abs());
        if rows.max(0).unsigned_abs() > crowded_from {
            added.crowded.push((place.day, one.domain.clone()));
        }
        if triggers > 0 {
            note_contact(db, &one.domain, one.policy_at)?;
        }
        if one.spam > 0 {
            note_spam(db, place.day, &one.domain, one.spam)?;
        }
    }
    Ok(added)
}

/// Where counts go.
struct Place {
    day: u32,
    rows: i64,
    is_new: bool,
}

fn place(
    db: &Connection,
    counts: &DayCounts,
    bounds: DomainBounds,
) -> rusqlite::Result<Option<Place>> {
    let mut find = db
        .prepare_cached("SELECT outcome, rows FROM report_domain WHERE day = ?1 AND domain = ?2")?;
    for day in (counts.day..).take(DAYS_ON as usize) {
        let found: Option<(Option<String>, i64)> = find
            .query_row(params![day, counts.domain.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            Some((None, rows)) => return Ok(Some(Place { day, rows, is_new: false })),
            Some((Some(_), _)) => {}
            None => {
                let has_trigger = counts.rows.iter().any(|row| row.triggers > 0);
                let limit = if has_trigger { bounds.all } else { bounds.strangers };
                let place = Place { day, rows: 0, is_new: true };
                return Ok((domains_of(db, day)? < limit).then_some(place));
            }
        }
    }
    Ok(None)
}

fn domains_of(db: &Connection, day: u32) -> rusqlite::Result<u64> {
    db.prepare_cached("INSERT OR IGNORE INTO report_day (day, domains, rows) VALUES (?1, 0, 0)")?
        .execute(params![day])?;
    let domains: i64 = db
        .prepare_cached("SELECT domains FROM report_day WHERE day = ?1")?
        .query_row(params![day], |row| row.get(0))?;
    Ok(domains.max(0).unsigned_abs())
}

/// Returns how many rows are new, and how many triggers came.
fn add_rows(
    db: &Connection,
    day: u32,
    domain: &DomainName,
    rows: &[CountedRow],
) -> rusqlite::Result<(i64, i64)> {
    let mut update = db.prepare_cached(
        "UPDATE report_row SET messages = messages + ?4, triggers = triggers + ?5 \
         WHERE day = ?1 AND domain = ?2 AND line = ?3",
    )?;
    let mut insert = db.prepare_cached("INSERT INTO report_row VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let (mut new, mut triggers) = (0, 0_i64);
    for row in rows {
        let (messages, some) = (count(row.messages), count(row.triggers));
        triggers = triggers.saturating_add(some);
        let values = params![day, domain.as_str(), row.line, messages, some];
        if update.execute(values)? == 0 {
            insert.execute(values)?;
            new += 1;
        }
    }
    Ok((new, triggers))
}

fn update_domain(
    db: &Connection,
    place: &Place,
    counts: &DayCounts,
    rows: i64,
    triggers: i64,
) -> rusqlite::Result<()> {
    let DayCounts { domain, policy, policy_at, record, strangers, .. } = counts;
    let (at, strangers) = (to_column(*policy_at), count(*strangers));
    if place.is_new {
        let sql = "INSERT INTO report_domain (day, domain, policy, policy_at, record, rows, \
                   triggers, strangers, changes, next_look) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0)";
        let values =
            params![place.day, domain.as_str(), policy, at, record, rows, triggers, strangers];
        db.prepare_cached(sql)?.execute(values)?;
        return Ok(());
    }
    let sql = "UPDATE report_domain SET rows = ?3, triggers = triggers + ?4, \
               strangers = strangers + ?5, changes = changes + 1 WHERE day = ?1 AND domain = ?2";
    db.prepare_cached(sql)?.execute(params![
        place.day,
        domain.as_str(),
        rows,
        triggers,
        strangers
    ])?;
    let sql = "UPDATE report_domain SET policy = ?3, policy_at = ?4, record = ?5 \
               WHERE day = ?1 AND domain = ?2 AND policy_at <= ?4";
    db.prepare_cached(sql)?.execute(params![place.day, domain.as_str(), policy, at, record])?;
    Ok(())
}

fn note_contact(db: &Connection, domain: &DomainName, at: UnixTime) -> rusqlite::Result<()> {
    let sql = "INSERT INTO report_contact VALUES (?1, ?2) \
               ON CONFLICT (domain) DO UPDATE SET last_good = max(last_good, excluded.last_good)";
    db.prepare_cached(sql)?.execute(params![domain.as_str(), to_column(at)])?;
    Ok(())
}

fn note_spam(
    db: &Connection,
    day: u32,
    domain: &DomainName,
    messages: u64,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO mail_spam VALUES (?1, ?2, ?3) \
               ON CONFLICT (day, domain) DO UPDATE SET messages = messages + excluded.messages";
    db.prepare_cached(sql)?.execute(params![day, domain.as_str(), count(messages)])?;
    Ok(())
}

/// What came from a domain, or from one above it.
pub(super) fn mail_of(
    db: &Connection,
    day: u32,
    domain: &DomainName,
) -> rusqlite::Result<MailOfDomain> {
    let mut found = MailOfDomain::default();
    let mut name = Some(domain.clone());
    while let Some(domain) = name {
        found.last_good = found.last_good.max(last_good(db, &domain)?);
        let spam: Option<i64> = db
            .prepare_cached("SELECT messages FROM mail_spam WHERE day = ?1 AND domain = ?2")?
            .query_row(params![day, domain.as_str()], |row| row.get(0))
            .optional()?;
        found.spam = found.spam.saturating_add(spam.map_or(0, |spam| from_column(spam).0));
        name = domain.parent();
    }
    Ok(found)
}

/// When a domain last sent something good, if that is remembered.
pub(super) fn last_good(
    db: &Connection,
    domain: &DomainName,
) -> rusqlite::Result<Option<UnixTime>> {
    db.prepare_cached("SELECT last_good FROM report_contact WHERE domain = ?1")?
        .query_row(params![domain.as_str()], |row| row.get(0).map(from_column))
        .optional()
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
) -> rusqlite::Result<Vec<OpenDay>> {
    let sql = format!(
        "SELECT {OPEN_DAY} WHERE outcome IS NULL AND day <= ?1 \
         AND (next_look <= ?2 OR next_look > ?2 + ?3) ORDER BY day, report_domain.domain LIMIT ?4"
    );
    let values = params![last, to_column(now), count(longest_wait), limit];
    let mut statement = db.prepare_cached(&sql)?;
    let days = statement.query_map(values, read_open_day)?;
    days.filter_map(Result::transpose).collect()
}

/// All domains of one day that are not closed, for people.
pub(super) fn open_domains(db: &Connection, day: u32) -> rusqlite::Result<Vec<OpenDay>> {
    let sql = format!("SELECT {OPEN_DAY} WHERE outcome IS NULL AND day = ?1 ORDER BY 2");
    let mut statement = db.prepare_cached(&sql)?;
    let days = statement.query_map(params![day], read_open_day)?;
    days.filter_map(Result::transpose).collect()
}

const OPEN_DAY: &str = "day, report_domain.domain, policy, policy_at, record, triggers, \
                        strangers, changes, last_good FROM report_domain \
                        LEFT JOIN report_contact USING (domain)";

/// `None` if the domain is none: such a row can only have been put there by somebody else.
fn read_open_day(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<OpenDay>> {
    let Ok(domain) = DomainName::parse(&row.get::<_, String>(1)?) else { return Ok(None) };
    Ok(Some(OpenDay {
        day: row.get(0)?,
        domain,
        policy: row.get(2)?,
        policy_at: from_column(row.get(3)?),
        record: row.get(4)?,
        triggers: from_column(row.get(5)?).0,
        strangers: from_column(row.get(6)?).0,
        changes: row.get(7)?,
        last_good: row.get::<_, Option<i64>>(8)?.map(from_column),
    }))
}

/// The rows of a domain's day.
pub(super) fn rows_of(
    db: &Connection,
    day: u32,
    domain: &DomainName,
) -> rusqlite::Result<Vec<CountedRow>> {
    let sql = "SELECT line, messages, triggers FROM report_row WHERE day = ?1 AND domain = ?2";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![day, domain.as_str()], |row| {
        Ok(CountedRow {
            line: row.get(0)?,
            messages: from_column(row.get(1)?).0,
            triggers: from_column(row.get(2)?).0,
        })
    })?;
    rows.collect()
}

/// How many rows a domain's day has, and how many messages they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSum {
    /// How many rows.
    pub rows: u64,
    /// How many messages.
    pub messages: u64,
}

/// What the rows of a domain's day come to.
pub(super) fn sum(db: &Connection, day: u32, domain: &DomainName) -> rusqlite::Result<RowSum> {
    let sql = "SELECT COUNT(*), CAST(TOTAL(messages) AS BIGINT) FROM report_row \
               WHERE day = ?1 AND domain = ?2";
    db.prepare_cached(sql)?.query_row(params![day, domain.as_str()], |row| {
        let (rows, messages) = (from_column(row.get(0)?).0, from_column(row.get(1)?).0);
        Ok(RowSum { rows, messages })
    })
}

/// Puts other rows into the place of those of a domain's day, unless it is closed.
pub(super) fn replace_rows(
    db: &Connection,
    day: u32,
    domain: &DomainName,
    rows: &[CountedRow],
) -> rusqlite::Result<()> {
    let key = params![day, domain.as_str()];
    let sql = "SELECT rows FROM report_domain WHERE day = ?1 AND domain = ?2 AND outcome IS NULL";
    let before: Option<i64> =
        db.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
    let Some(before) = before else { return Ok(()) };
    db.prepare_cached("DELETE FROM report_row WHERE day = ?1 AND domain = ?2")?.execute(key)?;
    let (now, _) = add_rows(db, day, domain, rows)?;
    db.prepare_cached("UPDATE report_domain SET rows = ?3 WHERE day = ?1 AND domain = ?2")?
        .execute(params![day, domain.as_str(), now])?;
    db.prepare_cached("UPDATE report_day SET rows = rows + ?2 WHERE day = ?1")?
        .execute(params![day, now - before])?;
    Ok(())
}

/// Notes that a day must be looked at again at `next_look`.
pub(super) fn postpone(
    db: &Connection,
    day: u32,
    domain: &DomainName,
    next_look: UnixTime,
) -> rusqlite::Result<()> {
    let sql = "UPDATE report_domain SET next_look = ?3 WHERE day = ?1 AND domain = ?2";
    db.prepare_cached(sql)?.execute(params![day, domain.as_str(), to_column(next_look)])?;
    Ok(())
}

/// Closes a day: its rows go, and its letters, if there are any, come into the outbox. Returns
/// whether it was open and as it was when it was read; if not, nothing changes, so that a report is
/// made once and nothing is lost.
pub(super) fn close(
    db: &Connection,
    open: &OpenDay,
    outcome: &str,
    letters: &[NewLetter],
) -> rusqlite::Result<bool> {
    let OpenDay { day, domain, changes, .. } = open;
    let key = params![day, domain.as_str()];
    // What is closed is only remembered, so its texts can go.
    let sql = "UPDATE report_domain SET outcome = ?3, policy = '', record = '' \
               WHERE day = ?1 AND domain = ?2 AND outcome IS NULL AND changes = ?4 RETURNING rows";
    let rows: Option<i64> = db
        .prepare_cached(sql)?
        .query_row(params![day, domain.as_str(), outcome, changes], |row| row.get(0))
        .optional()?;
    let Some(rows) = rows else { return Ok(false) };
    db.prepare_cached("DELETE FROM report_row WHERE day = ?1 AND domain = ?2")?.execute(key)?;
    db.prepare_cached("UPDATE report_day SET rows = rows - ?2 WHERE day = ?1")?
        .execute(params![day, rows])?;
    letters.iter().try_for_each(|letter| outbox::insert(db, letter))?;
    Ok(true)
}

/// Forgets closed days before `day`, and domains that have sent nothing good since `contact`.
pub(super) fn delete_old(db: &Connection, day: u32, contact: UnixTime) -> rusqlite::Result<()> {
    db.execute("DELETE FROM report_domain WHERE day < ?1 AND outcome IS NOT NULL", params![day])?;
    db.execute(
        "DELETE FROM report_day WHERE day < ?1 \
         AND NOT EXISTS (SELECT 1 FROM report_domain WHERE report_domain.day = report_day.day)",
        params![day],
    )?;
    db.execute("DELETE FROM report_contact WHERE last_good < ?1", params![to_column(contact)])?;
    db.execute("DELETE FROM mail_spam WHERE day < ?1", params![day])?;
    Ok(())
}

/// Octets that stay the same: `fresh` if there are none under this name.
pub(super) fn secret(db: &Connection, name: &str, fresh: &[u8]) -> rusqlite::Result<Vec<u8>> {
    db.execute("INSERT OR IGNORE INTO report_secret VALUES (?1, ?2)", params![name, fresh])?;
    db.query_row("SELECT value FROM report_secret WHERE name = ?1", params![name], |row| row.get(0))
}

/// SQLite's integers are signed; what is more than they hold is more than anybody counts to.
fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX / 4)
}
