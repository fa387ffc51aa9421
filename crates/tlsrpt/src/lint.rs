//! Every remark about a record, not only the first fault.
//!
//! The reader in `record` stops where a sender may stop. Whoever writes the record wants to hear
//! everything at once, and also what is allowed but unwise. Both use the same grammar functions,
//! so that they cannot disagree about what is valid.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use smtp_types::{Finding, Position, RecordField, Severity};

use crate::ReportUri;
use crate::record::{self, RUA, Record, RecordError};

const RECORD_CLAUSE: &str = "RFC 8460 §3";
const TR_CLAUSE: &str = "BSI TR-03108 10-M";

/// All remarks about a TXT record at `_smtp._tls.<domain>`, in the order of the text. It is valid
/// if none is an error.
#[must_use]
pub fn lint_record(text: &[u8]) -> Vec<Finding> {
    let read = RecordField::ascii(text)
        .and_then(|text| Ok((text, RecordField::all(text, record::VERSION, Some(RUA))?)));
    let (text, parsed) = match read {
        Ok(read) => read,
        Err(error) => return alloc::vec![fault(&error.into())],
    };
    let mut findings = Vec::new();
    let mut fields: Vec<RecordField<'_>> = Vec::new();
    for field in parsed {
        match field {
            Ok(field) => {
                findings.extend(field_remarks(text, &fields, &field));
                fields.push(field);
            }
            Err(error) => findings.push(fault(&error.into())),
        }
    }
    // What is missing can be said only when all fields were understood.
    if findings.iter().all(|finding| finding.severity < Severity::Error)
        && let Err(error) = Record::from_fields(text, &fields)
    {
        findings.push(fault(&error));
    }
    // The grammar allows white space before the semicolon, but such a record is discarded,
    // because it does not "begin with "v=TLSRPTv1;"".
    if !text.starts_with("v=TLSRPTv1;") {
        let message = "v: expected \"v=TLSRPTv1;\" without a space; other records are discarded";
        let offset = "v=TLSRPTv1".len();
        findings.push(remark(text, offset, "tlsrpt-discarded", Severity::Error, message.into()));
    }
    findings.sort_by_key(|finding| finding.position);
    findings
}

/// Remarks about a field, given the fields before it.
fn field_remarks(text: &str, before: &[RecordField<'_>], field: &RecordField<'_>) -> Vec<Finding> {
    let RecordField { name, name_offset, .. } = *field;
    let say =
        |code, severity, message| alloc::vec![remark(text, name_offset, code, severity, message)];
    if before.iter().any(|first| first.name == name) {
        let message = format!("{name}: repeated; only the first counts");
        return say("tlsrpt-field-repeated", Severity::Warning, message);
    }
    if name == RUA {
        return rua_remarks(text, field);
    }
    // `ruf` is what DMARC has besides `rua`.
    if name.eq_ignore_ascii_case(RUA) || name.eq_ignore_ascii_case("ruf") {
        let message = format!("{name}: an unknown field, which is ignored; did you mean \"rua\"?");
        return say("tlsrpt-field-misspelled", Severity::Warning, message);
    }
    let message = format!("{name}: an unknown field, which is ignored");
    say("tlsrpt-field-unknown", Severity::Notice, message)
}

/// Every URI that is wrong, and what is odd about the others.
fn rua_remarks(text: &str, field: &RecordField<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for (offset, uri) in record::uris(field) {
        let uri = match record::parse_uri(text, offset, uri) {
            Ok(uri) => uri,
            Err(error) => {
                findings.push(fault(&error));
                continue;
            }
        };
        let mut say = |code, severity, message| {
            findings.push(remark(text, offset, code, severity, message));
        };
        if seen.contains(&uri) {
            let message = format!("rua: {uri}: repeated");
            say("tlsrpt-rua-repeated", Severity::Warning, message);
        }
        match &uri {
            ReportUri::Mailto(mailto) => {
                if mailto.header_fields().is_some() {
                    let message = format!("rua: {uri}: what stands behind the ? has no effect");
                    say("tlsrpt-rua-header-fields", Severity::Warning, message);
                }
            }
            ReportUri::Https(_) => {
                let message = format!("rua: {uri}: the BSI wants reports by mail only");
                say("tlsrpt-rua-https", Severity::Notice, message);
                if let Some(finding) = findings.last_mut() {
                    finding.clause = TR_CLAUSE;
                }
            }
        }
        seen.push(uri);
    }
    findings
}

fn remark(
    text: &str,
    offset: usize,
    code: &'static str,
    severity: Severity,
    message: String,
) -> Finding {
    let position = Position::of(text, offset);
    Finding { code, severity, position, message, clause: RECORD_CLAUSE }
}

fn fault(error: &RecordError) -> Finding {
    Finding {
        code: error.fault.code(),
        severity: Severity::Error,
        position: error.position,
        message: format!("{}", error.fault),
        clause: RECORD_CLAUSE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lint(text: &str) -> Vec<(&'static str, usize)> {
        let place = |f: &Finding| (f.code, f.position.column);
        lint_record(text.as_bytes()).iter().map(place).collect()
    }

    #[test]
    fn record_remarks() {
        assert_eq!(lint("v=TLSRPTv1; rua=mailto:tls@example.com"), []);
        assert_eq!(lint("v=TLSRPTv1;"), [("record-empty-field", 12)]);
        assert_eq!(
            lint("v=TLSRPTv1; RUA=mailto:tls@example.com; ruf=x"),
            [
                ("tlsrpt-field-misspelled", 13),
                ("tlsrpt-field-misspelled", 41),
                ("tlsrpt-rua-missing", 46),
            ]
        );
        assert_eq!(
            lint("v=TLSRPTv1; x; y=1; rua=mailto:a@b.test; rua=z; z=a b"),
            [
                ("record-no-equals", 13),
                ("tlsrpt-field-unknown", 16),
                ("tlsrpt-field-repeated", 42),
                ("record-value-character", 52),
            ]
        );
        assert_eq!(lint("v=TLSRPTv1 ; rua=mailto:a@b.test"), [("tlsrpt-discarded", 11)]);
        assert_eq!(lint("v=spf1 -all"), [("record-version", 1)]);
        assert_eq!(lint("v=TLSRPTv1; rua = mailto:a@b.test"), [("record-field-name", 13)]);
    }

    #[test]
    fn uri_remarks() {
        assert_eq!(
            lint("v=TLSRPTv1; rua=http://a.test/, tls@b.test,, mailto:c@d.test!10m, ftp:e"),
            [
                ("tlsrpt-rua-scheme", 17),
                ("tlsrpt-rua", 33),
                ("tlsrpt-rua-empty", 44),
                ("tlsrpt-rua-size", 46),
                ("tlsrpt-rua-scheme", 67),
            ]
        );
        assert_eq!(
            lint("v=TLSRPTv1; rua=https://a.test/,mailto:b@c.test?subject=x,https://a.test/"),
            [
                ("tlsrpt-rua-https", 17),
                ("tlsrpt-rua-header-fields", 33),
                ("tlsrpt-rua-repeated", 59),
                ("tlsrpt-rua-https", 59),
            ]
        );
        let finding = &lint_record(b"v=TLSRPTv1; rua=https://a.test/")[0];
        assert_eq!((finding.severity, finding.clause), (Severity::Notice, TR_CLAUSE));
    }
}
