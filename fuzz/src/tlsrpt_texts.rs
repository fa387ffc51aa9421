//! Records of TLSRPT, and the URIs in them.

use tlsrpt::{Record, ReportUri, lint_record, select};

use crate::is_valid;

/// A TXT record: printed and read it is the same, so is each of its URIs, and the linter agrees
/// with the reader, who passes over URIs with other schemes as long as one can be used.
pub fn tlsrpt_record(data: &[u8]) {
    let selected = select([data]);
    let findings = lint_record(data);
    if selected.is_ok() {
        assert!(is_valid(&findings, &["tlsrpt-rua-scheme"]), "{selected:?} {findings:?}");
    } else {
        assert!(!is_valid(&findings, &[]), "{selected:?} {findings:?}");
    }
    let Ok(record) = selected else {
        return;
    };
    assert_eq!(Record::parse(record.to_string().as_bytes()).as_ref(), Ok(&record));
    assert!(select([data, data]).is_err());
    assert!(!record.rua().is_empty());
    for uri in record.rua() {
        assert_eq!(ReportUri::parse(&uri.to_string()).as_ref(), Ok(uri));
    }
}
