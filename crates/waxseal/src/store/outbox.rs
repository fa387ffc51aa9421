//! Letters on their way: the tables `outbox` and `outbox_suppressed`, as values.

use rusqlite::{Connection, OptionalExtension, Row, params};
use smtp_types::UnixTime;

use super::{from_column, to_column};

/// A letter to be put into the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLetter {
    /// What it is, for example `dmarc-aggregate`.
    pub kind: &'static str,
    /// The name of the report in it.
    pub report_id: String,
    /// Whom the report is about.
    pub domain: String,
    /// The day that it is about, counted from 1970-01-01.
    pub day: Option<u32>,
    /// To whom it goes: an address, or an https URI.
    pub recipient: String,
    /// What stands behind the `@` there, or the host of the URI.
    pub host: String,
    /// The word in its return path; no other letter has it.
    pub token: String,
    /// When it is made.
    pub created: UnixTime,
    /// When it is first tried; `None` if the recipient refused earlier ones, so it never is.
    pub first_try: Option<UnixTime>,
    /// All octets of the message, or of the body for an https URI.
    pub message: Vec<u8>,
}

/// A letter that somebody has taken to deliver it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub kind: String,
    /// To whom it goes.
    pub recipient: String,
    /// The word in its return path.
    pub token: String,
    /// How many times it was tried, with this.
    pub tries: u32,
    /// When it was first tried.
    pub first_try: UnixTime,
    /// All octets of the message.
    pub message: Vec<u8>,
}

/// Who carries a letter. Web servers may be slow, and mail shall not wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The mail server.
    Mail,
    /// We ourselves, to a web server.
    Https,
}

/// A letter that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub kind: String,
    /// To whom it went.
    pub recipient: String,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The mail server has taken it.
    Delivered,
    /// It is tried again then.
    Retry {
        /// When.
        next_try: UnixTime,
        /// Why it was not taken.
        error: String,
    },
    /// It is never tried again.
    Ended {
        /// In which way: failed or expired.
        state: EndState,
        /// Why.
        error: String,
    },
}

/// How a letter ends that was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndState {
    /// It was refused for good.
    Failed,
    /// It was tried for long enough.
    Expired,
    /// Its recipient has refused others in the meantime.
    Suppressed,
}

impl EndState {
    /// The word in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Suppressed => "suppressed",
        }
    }
}

/// A letter as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterRow {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub kind: String,
    /// The name of the report in it.
    pub report_id: String,
    /// Whom the report is about.
    pub domain: String,
    /// The day that it is about, counted from 1970-01-01.
    pub day: Option<u32>,
    /// To whom it goes.
    pub recipient: String,
    /// The word in its return path.
    pub token: String,
    /// queued, sending, delivered, failed, expired or suppressed.
    pub state: String,
    /// How many times it was tried.
    pub tries: u32,
    /// When it was made.
    pub created: UnixTime,
    /// When it was first tried.
    pub first_try: Option<UnixTime>,
    /// When it is tried next, if it is.
    pub next_try: UnixTime,
    /// When it was at its end.
    pub ended: Option<UnixTime>,
    /// Why it was not taken, the last time.
    pub last_error: Option<String>,
}

/// That an address gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// How many times in a row it was suppressed, with this.
    pub times: u32,
    /// Until when.
    pub until: UnixTime,
}

/// How many letters wait, and how many have ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxSize {
    /// Letters that wait or are being sent.
    pub waiting: u64,
    /// Addresses that get nothing now.
    pub suppressed_addresses: u64,
}

/// What those who make reports must know of the letters of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LettersOfDay {
    /// Hosts with the number of mails to addresses there that were tried within the day.
    pub mails: Vec<(String, u64)>,
    /// Host and domain of each letter of a kind about the day, those aside that were never to be
    /// tried.
    pub about: Vec<(String, String)>,
}

/// What came of the wish to try a letter again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requeued {
    /// It is tried within moments, and its recipient is not suppressed any more.
    Yes,
    /// There is no such letter.
    Unknown,
    /// It has not ended, or was delivered.
    Not {
        /// Its state.
        state: String,
    },
    /// Its message was not kept.
    Empty,
}

/// For how long a claim holds, in seconds: longer than any try. One that is older is of a process
/// that has died.
const LEASE: u64 = 900;

/// Puts a letter into the outbox, unless it is there already.
pub(super) fn insert(db: &Connection, letter: &NewLetter) -> rusqlite::Result<()> {
    let (state, ended) = match letter.first_try {
        Some(_) => ("queued", None),
        None => ("suppressed", Some(to_column(letter.created))),
    };
    let sql = "INSERT OR IGNORE INTO outbox (kind, report_id, domain, day, recipient, host, token, \
               state, tries, created, next_try, ended, message) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12)";
    db.prepare_cached(sql)?.execute(params![
        letter.kind,
        letter.report_id,
        letter.domain,
        letter.day,
        letter.recipient,
        letter.host,
        letter.token,
        state,
        to_column(letter.created),
        to_column(letter.first_try.unwrap_or(letter.created)),
        ended,
        letter.message,
    ])?;
    Ok(())
}

/// Takes up to `limit` letters for this carrier that are due, at most `per_host` of one host. From
/// now on they count as tried, whatever happens to us.
///
/// One that is due more than `longest_wait` seconds from now has seen a clock that was set back, and
/// is due.
pub(super) fn claim(
    db: &Connection,
    carrier: Carrier,
    now: UnixTime,
    limit: usize,
    per_host: usize,
    longest_wait: u64,
) -> rusqlite::Result<Vec<Claimed>> {
    let sql = "SELECT id, host FROM outbox WHERE state IN ('queued', 'sending') \
               AND (next_try <= ?1 OR next_try > ?1 + ?2) AND (recipient LIKE 'https:%') = ?3 \
               ORDER BY next_try LIMIT 1000";
    let wait = i64::try_from(longest_wait).unwrap_or(i64::MAX / 4);
    let mut statement = db.prepare_cached(sql)?;
    let due = statement
        .query_map(params![to_column(now), wait, carrier == Carrier::Https], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
    let mut of_host = std::collections::HashMap::<String, usize>::new();
    let mut claimed = Vec::new();
    for due in due {
        let (id, host) = due?;
        let taken = of_host.entry(host).or_default();
        if *taken >= per_host {
            continue;
        }
        *taken += 1;
        claimed.push(claim_one(db, id, now)?);
        if claimed.len() >= limit {
            break;
        }
    }
    Ok(claimed)
}

fn claim_one(db: &Connection, id: i64, now: UnixTime) -> rusqlite::Result<Claimed> {
    // A first try in the future was made by a clock that was wrong.
    let sql = "UPDATE outbox SET state = 'sending', tries = tries + 1, \
               first_try = min(coalesce(first_try, ?2), ?2), next_try = ?3 WHERE id = ?1 \
               RETURNING kind, recipient, token, tries, first_try, message";
    let lease = UnixTime(now.0.saturating_add(LEASE));
    db.prepare_cached(sql)?.query_row(params![id, to_column(now), to_column(lease)], |row| {
        Ok(Claimed {
            id,
            kind: row.get(0)?,
            recipient: row.get(1)?,
            token: row.get(2)?,
            tries: row.get(3)?,
            first_try: from_column(row.get(4)?),
            message: row.get(5)?,
        })
    })
}

/// What the outbox tells of a day that begins at `begin` and ends at `end`: letters that were tried
/// then, and those of this kind that are about it.
pub(super) fn of_day(
    db: &Connection,
    kind: &str,
    day: u32,
    begin: UnixTime,
    end: UnixTime,
) -> rusqlite::Result<LettersOfDay> {
    let mut mails = db.prepare_cached(
        "SELECT host, COUNT(*) FROM outbox WHERE first_try <= ?2 \
         AND (ended IS NULL OR ended >= ?1) AND recipient NOT LIKE 'https:%' GROUP BY host",
    )?;
    let mails = mails.query_map(params![to_column(begin), to_column(end)], |row| {
        Ok((row.get(0)?, from_column(row.get(1)?).0))
    })?;
    let mut about = db.prepare_cached(
        "SELECT host, domain FROM outbox WHERE kind = ?1 AND day = ?2 \
         AND NOT (state = 'suppressed' AND tries = 0)",
    )?;
    let about = about.query_map(params![kind, day], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(LettersOfDay {
        mails: mails.collect::<rusqlite::Result<_>>()?,
        about: about.collect::<rusqlite::Result<_>>()?,
    })
}

/// Puts a letter that has ended without being delivered back among those that wait, as if it had
/// never been tried, and gives its recipient another chance.
pub(super) fn requeue(db: &Connection, id: i64, now: UnixTime) -> rusqlite::Result<Requeued> {
    let sql = "SELECT state, length(message) FROM outbox WHERE id = ?1";
    let found: Option<(String, i64)> = db
        .prepare_cached(sql)?
        .query_row(params![id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((state, octets)) = found else { return Ok(Requeued::Unknown) };
    if octets == 0 {
        return Ok(Requeued::Empty);
    }
    let sql = "UPDATE outbox SET state = 'queued', tries = 0, first_try = NULL, next_try = ?2, \
               ended = NULL WHERE id = ?1 AND state IN ('failed', 'expired', 'suppressed') \
               RETURNING recipient";
    let recipient: Option<String> = db
        .prepare_cached(sql)?
        .query_row(params![id, to_column(now)], |row| row.get(0))
        .optional()?;
    let Some(recipient) = recipient else { return Ok(Requeued::Not { state }) };
    db.prepare_cached("DELETE FROM outbox_suppressed WHERE address = ?1")?
        .execute(params![recipient])?;
    Ok(Requeued::Yes)
}

/// Notes what came of a try.
pub(super) fn settle(
    db: &Connection,
    id: i64,
    settlement: &Settlement,
    now: UnixTime,
) -> rusqlite::Result<()> {
    let (state, next_try, ended, error) = match settlement {
        Settlement::Delivered => ("delivered", None, Some(now), None),
        Settlement::Retry { next_try, error } => ("queued", Some(*next_try), None, Some(error)),
        Settlement::Ended { state, error } => (state.as_str(), None, Some(now), Some(error)),
    };
    let sql = "UPDATE outbox SET state = ?2, next_try = coalesce(?3, next_try), ended = ?4, \
               last_error = coalesce(?5, last_error), \
               message = CASE WHEN ?4 IS NOT NULL AND kind = 'dmarc-failure' THEN x'' \
               ELSE message END WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![
        id,
        state,
        next_try.map(to_column),
        ended.map(to_column),
        error,
    ])?;
    Ok(())
}

/// Until when an address gets nothing, if it does not at `now`.
pub(super) fn suppressed_until(
    db: &Connection,
    address: &str,
    now: UnixTime,
) -> rusqlite::Result<Option<UnixTime>> {
    let sql = "SELECT until FROM outbox_suppressed WHERE address = ?1 AND until > ?2";
    let until: Option<i64> = db
        .prepare_cached(sql)?
        .query_row(params![address, to_column(now)], |row| row.get(0))
        .optional()?;
    Ok(until.map(from_column))
}

/// The last time that an address was suppressed.
pub(super) fn suppression(db: &Connection, address: &str) -> rusqlite::Result<Option<Suppression>> {
    let sql = "SELECT times, until FROM outbox_suppressed WHERE address = ?1";
    db.prepare_cached(sql)?
        .query_row(params![address], |row| {
            Ok(Suppression { times: row.get(0)?, until: from_column(row.get(1)?) })
        })
        .optional()
}

/// Suppresses an address, and ends all letters to it that wait.
pub(super) fn suppress(
    db: &Connection,
    address: &str,
    suppression: Suppression,
    reason: &str,
    now: UnixTime,
) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO outbox_suppressed VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![address, to_column(suppression.until), suppression.times, reason])?;
    let sql = "UPDATE outbox SET state = 'suppressed', ended = ?2, last_error = ?3, \
               message = CASE kind WHEN 'dmarc-failure' THEN x'' ELSE message END \
               WHERE recipient = ?1 AND state = 'queued'";
    db.prepare_cached(sql)?.execute(params![address, to_column(now), reason])?;
    Ok(())
}

/// The letter with this word in its return path.
pub(super) fn sent_as(db: &Connection, token: &str) -> rusqlite::Result<Option<Sent>> {
    db.prepare_cached("SELECT id, kind, recipient FROM outbox WHERE token = ?1")?
        .query_row(params![token], |row| {
            Ok(Sent { id: row.get(0)?, kind: row.get(1)?, recipient: row.get(2)? })
        })
        .optional()
}

/// How full the outbox is.
pub(super) fn size(db: &Connection, now: UnixTime) -> rusqlite::Result<OutboxSize> {
    let one = |sql: &str| -> rusqlite::Result<u64> {
        let count: i64 =
            db.prepare_cached(sql)?.query_row(params![to_column(now)], |row| row.get(0))?;
        Ok(count.max(0).unsigned_abs())
    };
    Ok(OutboxSize {
        waiting: one(
            "SELECT COUNT(*) FROM outbox WHERE state IN ('queued', 'sending') AND ?1 IS NOT NULL",
        )?,
        suppressed_addresses: one("SELECT COUNT(*) FROM outbox_suppressed WHERE until > ?1")?,
    })
}

/// Forgets letters that ended before `before`.
pub(super) fn delete_old(db: &Connection, before: UnixTime) -> rusqlite::Result<usize> {
    db.execute("DELETE FROM outbox WHERE ended < ?1", params![to_column(before)])
}

const LETTER: &str = "id, kind, report_id, domain, day, recipient, token, state, tries, created, \
                      first_try, next_try, ended, last_error";

/// Letters in this state or in any, the newest first.
pub(super) fn letters(
    db: &Connection,
    state: Option<&str>,
    limit: u32,
) -> rusqlite::Result<Vec<LetterRow>> {
    let sql = format!(
        "SELECT {LETTER} FROM outbox WHERE ?1 IS NULL OR state = ?1 ORDER BY id DESC LIMIT ?2"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![state, limit], read_letter)?;
    rows.collect()
}

/// One letter with its message.
pub(super) fn letter(db: &Connection, id: i64) -> rusqlite::Result<Option<(LetterRow, Vec<u8>)>> {
    let sql = format!("SELECT {LETTER}, message FROM outbox WHERE id = ?1");
    db.prepare_cached(&sql)?
        .query_row(params![id], |row| Ok((read_letter(row)?, row.get(14)?)))
        .optional()
}

fn read_letter(row: &Row<'_>) -> rusqlite::Result<LetterRow> {
    Ok(LetterRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        report_id: row.get(2)?,
        domain: row.get(3)?,
        day: row.get(4)?,
        recipient: row.get(5)?,
        token: row.get(6)?,
        state: row.get(7)?,
        tries: row.get(8)?,
        created: from_column(row.get(9)?),
        first_try: row.get::<_, Option<i64>>(10)?.map(from_column),
        next_try: from_column(row.get(11)?),
        ended: row.get::<_, Option<i64>>(12)?.map(from_column),
        last_error: row.get(13)?,
    })
}
