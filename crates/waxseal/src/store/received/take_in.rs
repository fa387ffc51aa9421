//! A report goes in, once.
//!
//! The same report comes more than once: by two mail servers, from a mailbox that is imported again,
//! from a reporter that retries. It is known by who reports, its id, its domains and its period
//! (`identity`), and by what it says (`content`). Both the same: a duplicate, which is only counted.
//! The same identity and another content: the newer one counts, and the older stays as a header
//! without rows. But one whose author is less sure never takes the place of a surer one, or anybody
//! could wipe out a report by sending another in its name.

use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::to_column;
use super::rows::{
    NewAside, NewReceived, ReceivedTotals, Taken, TakenIn, TakenOutcome, TextNumber,
};

/// How many days the day of a text's last use may be behind, so that it is seldom written.
pub(super) const TEXT_LAG: i64 = 30;

/// By how many seconds periods may touch: some end a day at the midnight that begins the next.
const TOUCH: i64 = 60;

/// The grades, from bad to good; their place is their rank.
const GRADES: [&str; 4] = ["failed", "unauthenticated", "unchecked", "authenticated"];

/// Takes in what one mail or file holds, within a transaction of the caller.
pub(in super::super) fn take_in(
    db: &Connection,
    reports: &[NewReceived],
    aside: Option<&NewAside>,
) -> rusqlite::Result<TakenIn> {
    let reports = reports.iter().map(|report| take(db, report)).collect::<Result<_, _>>()?;
    let was_aside = match aside {
        Some(aside) => put_aside(db, aside)?,
        None => false,
    };
    Ok(TakenIn { reports, was_aside })
}

/// A report of the same identity.
struct Earlier {
    id: i64,
    content: Vec<u8>,
    rank: usize,
    counts: bool,
}

fn take(db: &Connection, report: &NewReceived) -> rusqlite::Result<Taken> {
    let taken = |id, outcome| Taken { id, kind: report.kind, outcome };
    let earlier = earlier(db, report)?;
    let rank = usize::from(report.grade_rank);
    if let Some(same) = earlier.iter().find(|one| one.content == report.content) {
        let sql = "UPDATE received_report SET duplicates = duplicates + 1 WHERE id = ?1";
        db.prepare_cached(sql)?.execute(params![same.id])?;
        if rank <= same.rank {
            return Ok(taken(same.id, TakenOutcome::Duplicate));
        }
        // The same again, and now it is surer who says it.
        let mut texts = Dictionary { db, day: day_of(report) };
        let submitter = report.submitter.map(|number| texts.number(report, number)).transpose()?;
        let sql = "UPDATE received_report SET grade = ?2, submitter = ?3 WHERE id = ?1";
        db.prepare_cached(sql)?.execute(params![same.id, report.grade, submitter])?;
        if same.counts {
            return Ok(taken(same.id, TakenOutcome::Duplicate));
        }
        // It was in doubt, and is so no more: it goes in as if it came now.
        let sql = "DELETE FROM received_report WHERE id = ?1";
        db.prepare_cached(sql)?.execute(params![same.id])?;
        remove_rows(db, same.id)?;
    }
    let counted = earlier.iter().find(|one| one.counts && one.content != report.content);
    match counted {
        Some(surer) if surer.rank > rank => {
            let id = insert(db, report, "doubtful")?;
            Ok(taken(id, TakenOutcome::Doubtful))
        }
        Some(older) => {
            let sql = "UPDATE received_report SET state = 'replaced' WHERE id = ?1";
            db.prepare_cached(sql)?.execute(params![older.id])?;
            remove_rows(db, older.id)?;
            Ok(taken(insert(db, report, "counted")?, TakenOutcome::Replaced))
        }
        None => Ok(taken(insert(db, report, "counted")?, TakenOutcome::New)),
    }
}

fn earlier(db: &Connection, report: &NewReceived) -> rusqlite::Result<Vec<Earlier>> {
    let sql = "SELECT id, content, grade, state = 'counted' FROM received_report \
               WHERE identity = ?1 ORDER BY id";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![report.identity], |row| {
        let grade: String = row.get(2)?;
        let rank = GRADES.iter().position(|one| *one == grade).unwrap_or_default();
        Ok(Earlier { id: row.get(0)?, content: row.get(1)?, rank, counts: row.get(3)? })
    })?;
    rows.collect()
}

fn insert(db: &Connection, report: &NewReceived, state: &str) -> rusqlite::Result<i64> {
    let mut dictionary = Dictionary { db, day: day_of(report) };
    let texts = report.texts.all().iter().map(|text| dictionary.number_of(text));
    let texts: Vec<i64> = texts.collect::<Result<_, _>>()?;
    let text = |number: TextNumber| texts.get(number.index()).copied();
    let maybe = |number: Option<TextNumber>| number.and_then(text);
    let overlaps = overlaps(db, report, text(report.organization), text(report.domain))?;
    let ReceivedTotals { good, bad, dkim_pass, spf_pass, quarantined, rejected } = report.totals;
    let rows = report.failures.len().max(report.records.len());
    let sql = "INSERT INTO received_report (kind, state, domain, organization, contact, submitter, \
               name, begins, ends, received, way, grade, identity, content, row_count, good, bad, \
               dkim_pass, spf_pass, quarantined, rejected, policy, quirks, overlaps, duplicates) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
               ?18, ?19, ?20, ?21, ?22, ?23, ?24, 0)";
    db.prepare_cached(sql)?.execute(params![
        report.kind.as_str(),
        state,
        text(report.domain),
        text(report.organization),
        maybe(report.contact),
        maybe(report.submitter),
        report.name,
        to_column(report.begins),
        to_column(report.ends),
        to_column(report.received),
        report.way,
        report.grade,
        report.identity,
        report.content,
        count(u64::try_from(rows).unwrap_or(u64::MAX)),
        count(good),
        count(bad),
        count(dkim_pass),
        count(spf_pass),
        count(quarantined),
        count(rejected),
        maybe(report.policy),
        report.quirks,
        overlaps,
    ])?;
    let id = db.last_insert_rowid();
    let sql = "INSERT INTO received_policy VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = db.prepare_cached(sql)?;
    for (number, row) in (0_i64..).zip(&report.policies) {
        let (domain, policy) = (text(row.domain), text(row.policy));
        statement.execute(params![id, number, domain, policy, count(row.good), count(row.bad)])?;
    }
    let sql = "INSERT INTO received_failure VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let mut statement = db.prepare_cached(sql)?;
    for (number, row) in (0_i64..).zip(&report.failures) {
        statement.execute(params![
            id,
            number,
            row.policy,
            text(row.result),
            row.sending_ip.map(address),
            maybe(row.mx),
            row.receiving_ip.map(address),
            maybe(row.helo),
            maybe(row.reason),
            count(row.sessions),
        ])?;
    }
    let sql = "INSERT INTO received_record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let mut statement = db.prepare_cached(sql)?;
    for (number, row) in (0_i64..).zip(&report.records) {
        statement.execute(params![
            id,
            number,
            row.source.map(address),
            count(row.messages),
            row.disposition,
            row.aligned.to_column(),
            maybe(row.header_from),
            maybe(row.envelope_from),
            maybe(row.envelope_to),
            text(row.auth),
            text(row.reasons),
        ])?;
    }
    Ok(id)
}

/// Whether another report of the same reporter about the same domain covers a part of the same time.
/// Some reporters send several for each day, one from each of their sites, so this is only a hint.
fn overlaps(
    db: &Connection,
    report: &NewReceived,
    organization: Option<i64>,
    domain: Option<i64>,
) -> rusqlite::Result<bool> {
    // Periods are a few days at most, so only what begins near by is looked at.
    let sql = "SELECT 1 FROM received_report WHERE domain = ?1 AND begins < ?2 AND begins > ?3 \
               AND ends > ?4 AND organization = ?5 AND kind = ?6 AND state = 'counted' \
               AND identity <> ?7 LIMIT 1";
    let (begins, ends) = (to_column(report.begins), to_column(report.ends));
    db.prepare_cached(sql)?.exists(params![
        domain,
        ends - TOUCH,
        begins - 8 * 86_400,
        begins + TOUCH,
        organization,
        report.kind.as_str(),
        report.identity,
    ])
}

/// Removes what a report says, and leaves its header.
pub(super) fn remove_rows(db: &Connection, id: i64) -> rusqlite::Result<()> {
    for table in ["received_policy", "received_failure", "received_record"] {
        let sql = format!("DELETE FROM {table} WHERE report = ?1");
        db.prepare_cached(&sql)?.execute(params![id])?;
    }
    Ok(())
}

/// Keeps something aside. Returns whether it is there already.
fn put_aside(db: &Connection, aside: &NewAside) -> rusqlite::Result<bool> {
    let sql = "UPDATE received_aside SET times = times + 1 WHERE digest = ?1";
    if db.prepare_cached(sql)?.execute(params![aside.digest])? > 0 {
        return Ok(true);
    }
    let sql = "INSERT INTO received_aside (received, way, name, problems, digest, size, times, \
               packed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7)";
    db.prepare_cached(sql)?.execute(params![
        to_column(aside.received),
        aside.way,
        aside.name,
        aside.problems,
        aside.digest,
        count(aside.size),
        aside.packed,
    ])?;
    Ok(false)
}

fn day_of(report: &NewReceived) -> i64 {
    to_column(report.received) / 86_400
}

/// The dictionary of texts.
struct Dictionary<'d> {
    db: &'d Connection,
    day: i64,
}

impl Dictionary<'_> {
    fn number(&mut self, report: &NewReceived, number: TextNumber) -> rusqlite::Result<i64> {
        self.number_of(report.texts.all().get(number.index()).map_or("", |text| text))
    }

    /// The number of a text, which is used today.
    fn number_of(&mut self, text: &str) -> rusqlite::Result<i64> {
        let sql = "SELECT id, seen FROM received_text WHERE text = ?1";
        let found: Option<(i64, i64)> = self
            .db
            .prepare_cached(sql)?
            .query_row(params![text], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            Some((id, seen)) if seen + TEXT_LAG >= self.day => Ok(id),
            Some((id, _)) => {
                let sql = "UPDATE received_text SET seen = ?2 WHERE id = ?1";
                self.db.prepare_cached(sql)?.execute(params![id, self.day])?;
                Ok(id)
            }
            None => {
                let sql = "INSERT INTO received_text (text, seen) VALUES (?1, ?2)";
                self.db.prepare_cached(sql)?.execute(params![text, self.day])?;
                Ok(self.db.last_insert_rowid())
            }
        }
    }
}

/// An address in 4 or 16 octets.
fn address(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// SQLite's integers are signed.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
