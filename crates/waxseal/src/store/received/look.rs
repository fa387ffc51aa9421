//! What is read: reports, their rows, sums of days, and what was kept aside.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use smtp_types::UnixTime;

use super::super::{from_column, to_column};
use super::rows::{Aligned, ReceivedKind, ReceivedTotals};

/// Which reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// About this domain only.
    pub domain: Option<String>,
    /// Of this kind only.
    pub kind: Option<ReceivedKind>,
    /// That begin at this time or later.
    pub since: UnixTime,
    /// That begin before this time.
    pub until: UnixTime,
    /// Only those that count: neither replaced nor doubtful.
    pub counted: Counted,
    /// At most so many, the latest first.
    pub limit: u32,
}

/// Whether reports that do not count are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Only those that count.
    Only,
    /// All.
    All,
}

/// A report without its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// Its number.
    pub id: i64,
    /// Its kind.
    pub kind: ReceivedKind,
    /// `counted`, `replaced` or `doubtful`.
    pub state: String,
    /// Whom it is about.
    pub domain: Arc<str>,
    /// Who reports.
    pub organization: Arc<str>,
    /// Where to ask back; may be empty.
    pub contact: Arc<str>,
    /// The domain that has proved to be the author; may be empty.
    pub submitter: Arc<str>,
    /// The id that its author gave it.
    pub name: String,
    /// The first second that it is about.
    pub begins: UnixTime,
    /// The last second that it is about.
    pub ends: UnixTime,
    /// When it came.
    pub received: UnixTime,
    /// The way it came.
    pub way: String,
    /// How sure its author is.
    pub grade: String,
    /// How many rows it has.
    pub rows: u64,
    /// Its sums.
    pub totals: ReceivedTotals,
    /// The DMARC policy that the reporter has found; may be empty.
    pub policy: Arc<str>,
    /// What is wrong with its form, one in each line.
    pub quirks: String,
    /// Whether another report of the same reporter covers a part of the same time.
    pub overlaps: bool,
    /// How often it came again.
    pub duplicates: u64,
}

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportDetails {
    /// The policies of a report about TLS.
    pub policies: Vec<PolicyRow>,
    /// What failed under them.
    pub failures: Vec<FailureRow>,
    /// The records of an aggregate report.
    pub records: Vec<RecordRow>,
}

/// A policy of a report about TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// The policy domain; may be empty.
    pub domain: Arc<str>,
    /// The policy in the line form of crate `tlsrpt`.
    pub policy: Arc<str>,
    /// Sessions that succeeded.
    pub good: u64,
    /// Sessions that failed.
    pub bad: u64,
}

/// What failed. Texts may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// The place of its policy in the report.
    pub policy: usize,
    /// The result type.
    pub result: Arc<str>,
    /// Who sent.
    pub sending_ip: Option<IpAddr>,
    /// To which host.
    pub mx: Arc<str>,
    /// At which address.
    pub receiving_ip: Option<IpAddr>,
    /// What the host called itself.
    pub helo: Arc<str>,
    /// What the reporter's TLS library said.
    pub reason: Arc<str>,
    /// How many sessions.
    pub sessions: u64,
}

/// A record of an aggregate report. Texts may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Who sent.
    pub source: Option<IpAddr>,
    /// How many messages.
    pub messages: u64,
    /// What was done: 0 unknown, 1 none, 2 pass, 3 quarantine, 4 reject.
    pub disposition: u8,
    /// Which of DKIM and SPF gave an aligned pass.
    pub aligned: Aligned,
    /// The domain of the From field.
    pub header_from: Arc<str>,
    /// The domain of the return path.
    pub envelope_from: Arc<str>,
    /// The domain of the recipient.
    pub envelope_to: Arc<str>,
    /// All results of DKIM and SPF.
    pub auth: Arc<str>,
    /// Why something else was done than asked for.
    pub reasons: Arc<str>,
}

/// The sums of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaySum {
    /// The day, counted from 1970-01-01.
    pub day: u64,
    /// How many reports.
    pub reports: u64,
    /// Sessions that succeeded, or messages that passed.
    pub good: u64,
    /// Sessions that failed, or messages that did not pass.
    pub bad: u64,
}

/// Something that was kept aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsideRow {
    /// Its number.
    pub id: i64,
    /// When it came first.
    pub received: UnixTime,
    /// The way it came.
    pub way: String,
    /// How it is called.
    pub name: String,
    /// Why it was kept aside, one reason in each line.
    pub problems: String,
    /// How many octets it had.
    pub size: u64,
    /// How often it came.
    pub times: u64,
}

/// The dictionary, as far as it was needed.
#[derive(Debug, Default)]
pub(in super::super) struct KnownTexts(HashMap<i64, Arc<str>>);

impl KnownTexts {
    fn get(&mut self, db: &Connection, number: Option<i64>) -> rusqlite::Result<Arc<str>> {
        let Some(number) = number else { return Ok("".into()) };
        if let Some(text) = self.0.get(&number) {
            return Ok(Arc::clone(text));
        }
        let text: Option<String> = db
            .prepare_cached("SELECT text FROM received_text WHERE id = ?1")?
            .query_row(params![number], |row| row.get(0))
            .optional()?;
        let text: Arc<str> = text.unwrap_or_default().into();
        self.0.insert(number, Arc::clone(&text));
        Ok(text)
    }
}

const REPORT: &str = "id, kind, state, domain, organization, contact, submitter, name, begins, \
                      ends, received, way, grade, row_count, good, bad, dkim_pass, spf_pass, \
                      quarantined, rejected, policy, quirks, overlaps, duplicates \
                      FROM received_report";

/// Reports, the latest first.
pub(in super::super) fn reports(
    db: &Connection,
    texts: &mut KnownTexts,
    selection: &Selection,
) -> rusqlite::Result<Vec<ReportRow>> {
    let Selection { domain, kind, since, until, counted, limit } = selection;
    let mut sql = format!("SELECT {REPORT} WHERE begins >= ?1 AND begins < ?2");
    let domain = match domain {
        Some(domain) => {
            sql.push_str(" AND domain = ?4");
            number_of(db, domain)?
        }
        // The place is there all the same.
        None => {
            sql.push_str(" AND ?4 IS NULL");
            None
        }
    };
    if selection.domain.is_some() && domain.is_none() {
        return Ok(Vec::new());
    }
    if *counted == Counted::Only {
        sql.push_str(" AND state = 'counted'");
    }
    if let Some(kind) = kind {
        // A word of ours.
        sql.push_str(&format!(" AND kind = '{}'", kind.as_str()));
    }
    sql.push_str(" ORDER BY begins DESC, id DESC LIMIT ?3");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![to_column(*since), to_column(*until), limit, domain])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(read_report(db, texts, row)?);
    }
    Ok(found)
}

/// One report without its rows.
pub(in super::super) fn report(
    db: &Connection,
    texts: &mut KnownTexts,
    id: i64,
) -> rusqlite::Result<Option<ReportRow>> {
    let mut statement = db.prepare_cached(&format!("SELECT {REPORT} WHERE id = ?1"))?;
    let mut rows = statement.query(params![id])?;
    match rows.next()? {
        Some(row) => read_report(db, texts, row),
        None => Ok(None),
    }
}

fn number_of(db: &Connection, text: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM received_text WHERE text = ?1")?
        .query_row(params![text], |row| row.get(0))
        .optional()
}

/// `None` if its kind is none of this release.
fn read_report(
    db: &Connection,
    texts: &mut KnownTexts,
    row: &Row<'_>,
) -> rusqlite::Result<Option<ReportRow>> {
    let Some(kind) = ReceivedKind::parse(&row.get::<_, String>(1)?) else { return Ok(None) };
    let mut text = |column| texts.get(db, row.get(column)?);
    let number = |column| Ok::<_, rusqlite::Error>(from_column(row.get(column)?).0);
    Ok(Some(ReportRow {
        id: row.get(0)?,
        kind,
        state: row.get(2)?,
        domain: text(3)?,
        organization: text(4)?,
        contact: text(5)?,
        submitter: text(6)?,
        name: row.get(7)?,
        begins: UnixTime(number(8)?),
        ends: UnixTime(number(9)?),
        received: UnixTime(number(10)?),
        way: row.get(11)?,
        grade: row.get(12)?,
        rows: number(13)?,
        totals: ReceivedTotals {
            good: number(14)?,
            bad: number(15)?,
            dkim_pass: number(16)?,
            spf_pass: number(17)?,
            quarantined: number(18)?,
            rejected: number(19)?,
        },
        policy: text(20)?,
        quirks: row.get(21)?,
        overlaps: row.get(22)?,
        duplicates: number(23)?,
    }))
}

/// What a report says.
pub(in super::super) fn details(
    db: &Connection,
    texts: &mut KnownTexts,
    id: i64,
) -> rusqlite::Result<ReportDetails> {
    let mut details = ReportDetails::default();
    let sql =
        "SELECT domain, policy, good, bad FROM received_policy WHERE report = ?1 ORDER BY number";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![id])?;
    while let Some(row) = rows.next()? {
        details.policies.push(PolicyRow {
            domain: texts.get(db, row.get(0)?)?,
            policy: texts.get(db, row.get(1)?)?,
            good: from_column(row.get(2)?).0,
            bad: from_column(row.get(3)?).0,
        });
    }
    let sql = "SELECT policy, result, sending_ip, mx, receiving_ip, helo, reason, sessions \
               FROM received_failure WHERE report = ?1 ORDER BY number";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![id])?;
    while let Some(row) = rows.next()? {
        details.failures.push(FailureRow {
            policy: usize::try_from(row.get::<_, i64>(0)?).unwrap_or(usize::MAX),
            result: texts.get(db, row.get(1)?)?,
            sending_ip: address(row, 2)?,
            mx: texts.get(db, row.get(3)?)?,
            receiving_ip: address(row, 4)?,
            helo: texts.get(db, row.get(5)?)?,
            reason: texts.get(db, row.get(6)?)?,
            sessions: from_column(row.get(7)?).0,
        });
    }
    let sql = "SELECT source, messages, disposition, aligned, header_from, envelope_from, \
               envelope_to, auth, reasons FROM received_record WHERE report = ?1 ORDER BY number";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![id])?;
    while let Some(row) = rows.next()? {
        details.records.push(RecordRow {
            source: address(row, 0)?,
            messages: from_column(row.get(1)?).0,
            disposition: row.get(2)?,
            aligned: Aligned::from_column(row.get(3)?),
            header_from: texts.get(db, row.get(4)?)?,
            envelope_from: texts.get(db, row.get(5)?)?,
            envelope_to: texts.get(db, row.get(6)?)?,
            auth: texts.get(db, row.get(7)?)?,
            reasons: texts.get(db, row.get(8)?)?,
        });
    }
    Ok(details)
}

fn address(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<IpAddr>> {
    let octets: Option<Vec<u8>> = row.get(column)?;
    Ok(octets.and_then(|octets| match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(|octets| Ipv4Addr::from(octets).into()),
        _ => <[u8; 16]>::try_from(octets).ok().map(|octets| Ipv6Addr::from(octets).into()),
    }))
}

/// The sums of days with reports of one kind, in the order of days.
pub(in super::super) fn days(
    db: &Connection,
    kind: ReceivedKind,
    domain: Option<&str>,
    since: UnixTime,
    until: UnixTime,
) -> rusqlite::Result<Vec<DaySum>> {
    let number = match domain {
        Some(domain) => match number_of(db, domain)? {
            Some(number) => Some(number),
            None => return Ok(Vec::new()),
        },
        None => None,
    };
    let filter = if number.is_some() { "domain = ?4" } else { "?4 IS NULL" };
    let sql = format!(
        "SELECT begins / 86400, COUNT(*), CAST(TOTAL(good) AS BIGINT), CAST(TOTAL(bad) AS BIGINT) \
         FROM received_report WHERE begins >= ?1 AND begins < ?2 AND kind = ?3 AND {filter} \
         AND state = 'counted' GROUP BY begins / 86400 ORDER BY 1"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let values = params![to_column(since), to_column(until), kind.as_str(), number];
    let rows = statement.query_map(values, |row| {
        let number = |column| Ok::<_, rusqlite::Error>(from_column(row.get(column)?).0);
        Ok(DaySum { day: number(0)?, reports: number(1)?, good: number(2)?, bad: number(3)? })
    })?;
    rows.collect()
}

const ASIDE: &str = "id, received, way, name, problems, size, times";

/// What was kept aside, the newest first.
pub(in super::super) fn asides(db: &Connection, limit: u32) -> rusqlite::Result<Vec<AsideRow>> {
    let sql = format!("SELECT {ASIDE} FROM received_aside ORDER BY id DESC LIMIT ?1");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![limit], read_aside)?;
    rows.collect()
}

/// One thing that was kept aside, with its packed octets if they are still there.
pub(in super::super) fn aside(
    db: &Connection,
    id: i64,
) -> rusqlite::Result<Option<(AsideRow, Option<Vec<u8>>)>> {
    let sql = format!("SELECT {ASIDE}, packed FROM received_aside WHERE id = ?1");
    db.prepare_cached(&sql)?
        .query_row(params![id], |row| Ok((read_aside(row)?, row.get(7)?)))
        .optional()
}

fn read_aside(row: &Row<'_>) -> rusqlite::Result<AsideRow> {
    Ok(AsideRow {
        id: row.get(0)?,
        received: from_column(row.get(1)?),
        way: row.get(2)?,
        name: row.get(3)?,
        problems: row.get(4)?,
        size: from_column(row.get(5)?).0,
        times: from_column(row.get(6)?).0,
    })
}
