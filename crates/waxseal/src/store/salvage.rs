//! Carrying over what a damaged file still tells about reports. Nothing that fails here matters
//! more than a start that succeeds, so nothing is told.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// Tables whose rows are worth it by themselves.
const TABLES: [&str; 18] = [
    "report_day",
    "report_domain",
    "report_row",
    "report_contact",
    "report_secret",
    "tls_total",
    "tls_day",
    "tls_policy",
    "tls_failure",
    "mail_spam",
    "outbox",
    "outbox_suppressed",
    "received_text",
    "received_report",
    "received_policy",
    "received_failure",
    "received_record",
    "received_aside",
];

/// Whether there is anything about reports.
pub(super) fn has_rows(db: &Connection) -> bool {
    TABLES.iter().any(|table| {
        db.prepare(&format!("SELECT 1 FROM {table}"))
            .and_then(|mut sql| sql.exists([]))
            .is_ok_and(|exists| exists)
    })
}

/// Copies every row that can be read, table by table.
pub(super) fn carry_over(damaged: &Connection, db: &Connection) {
    for table in TABLES {
        let Ok(transaction) = db.unchecked_transaction() else { return };
        if copy_rows(damaged, &transaction, table).is_err() {
            // What was read before the damage is kept all the same.
        }
        let _ = transaction.commit();
    }
}

fn copy_rows(damaged: &Connection, db: &Connection, table: &str) -> rusqlite::Result<()> {
    let mut select = damaged.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = select.column_count();
    let places = vec!["?"; columns].join(", ");
    let mut insert = db.prepare(&format!("INSERT OR IGNORE INTO {table} VALUES ({places})"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|index| row.get(index)).collect::<Result<Vec<Value>, _>>()?;
        // A row that does not fit the table is damaged itself.
        let _ = insert.execute(params_from_iter(values));
    }
    Ok(())
}
