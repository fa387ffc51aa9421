//! Every remark about a record or a policy, not only the first fault.
//!
//! The readers in `record` and `policy` stop where a sender may stop. Whoever writes the text
//! wants to hear everything at once, and also what is allowed but unwise. Both use the same
//! grammar functions, so that they cannot disagree about what is valid.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use smtp_types::{Finding, Position, RecordField, Severity};

use crate::cache::MAX_AGE_LIMIT;
use crate::fetch::MAX_POLICY_OCTETS;
use crate::mx_pattern::MxPattern;
use crate::policy::{self, KNOWN_FIELDS, PolicyError};
use crate::record::{self, RecordError};

const POLICY_CLAUSE: &str = "RFC 8461 §3.2";
const RECORD_CLAUSE: &str = "RFC 8461 §3.1";

/// A `max_age` below this hardly protects: whoever blocks the policy host for a day wins.
/// RFC 8461 §3.2 expects "weeks or greater".
const SHORT_MAX_AGE: u64 = 86_400 * 7;

/// All remarks about a policy file, in the order of the text. It is valid if none is an error.
#[must_use]
pub fn lint_policy(body: &[u8]) -> Vec<Finding> {
    let text = match policy::utf8(body) {
        Ok(text) => text,
        Err(error) => return alloc::vec![policy_fault(&error)],
    };
    let mut remarks = Vec::from_iter(length_remark(body.len()));
    let mut faults = Vec::new();
    let mut fields: Vec<policy::Field<'_>> = Vec::new();
    for field in policy::fields(text) {
        let field = match field {
            Ok(field) => field,
            Err(error) => {
                faults.push(error);
                continue;
            }
        };
        let repeated = fields.iter().any(|first| first.name == field.name) && field.name != "mx";
        if repeated {
            let message = format!("{}: repeated; only the first counts", field.name);
            remarks.push(remark(text, &field, "policy-field-repeated", Severity::Warning, message));
        } else {
            match policy_field_remark(text, &field) {
                Ok(remark) => remarks.extend(remark),
                Err(error) => faults.push(error),
            }
        }
        fields.push(field);
    }
    // What is missing can be said only when all lines were understood.
    if faults.is_empty() {
        faults.extend(policy::Policy::from_fields(text, &fields).err());
    }
    let withdrawn = fields.iter().any(|field| (field.name, field.value) == ("mode", "none"));
    if withdrawn {
        // A short life is right for a withdrawn policy (§8.3).
        remarks.retain(|remark| remark.code != "policy-max-age-short");
    }
    remarks.extend(faults.iter().map(policy_fault));
    remarks.sort_by_key(|finding| finding.position);
    remarks
}

/// What there is to say about a field that stands here for the first time.
fn policy_field_remark(
    text: &str,
    field: &policy::Field<'_>,
) -> Result<Option<Finding>, PolicyError> {
    match field.name {
        "version" => policy::check_version(text, field).map(|()| None),
        "mode" => policy::parse_mode(text, field).map(|_| None),
        "max_age" => policy::parse_max_age(text, field).map(|age| max_age_remark(text, field, age)),
        "mx" => policy::parse_mx(text, field).map(|pattern| mx_remark(text, field, &pattern)),
        name => Ok(Some(unknown_field_remark(text, field, name))),
    }
}

fn remark(
    text: &str,
    field: &policy::Field<'_>,
    code: &'static str,
    severity: Severity,
    message: String,
) -> Finding {
    let position = Position::of(text, field.name_offset);
    Finding { code, severity, position, message, clause: POLICY_CLAUSE }
}

fn length_remark(octets: usize) -> Option<Finding> {
    (octets > MAX_POLICY_OCTETS).then(|| Finding {
        code: "policy-too-long",
        severity: Severity::Error,
        position: Position { line: 1, column: 1 },
        message: format!("expected at most {MAX_POLICY_OCTETS} octets, found {octets}"),
        clause: "RFC 8461 §3.3",
    })
}

/// `*.com` is well-formed, and allows every domain that anyone can register (ledger S1-28).
fn mx_remark(text: &str, field: &policy::Field<'_>, pattern: &MxPattern) -> Option<Finding> {
    let wide = pattern.is_wildcard() && !pattern.name().as_str().contains('.');
    wide.then(|| {
        let message = format!("mx: {pattern} allows every domain of a top-level domain");
        remark(text, field, "policy-mx-wide", Severity::Warning, message)
    })
}

fn policy_fault(error: &PolicyError) -> Finding {
    Finding {
        code: error.fault.code(),
        severity: Severity::Error,
        position: error.position,
        message: format!("{}", error.fault),
        clause: POLICY_CLAUSE,
    }
}

fn max_age_remark(text: &str, field: &policy::Field<'_>, seconds: u64) -> Option<Finding> {
    let limit = MAX_AGE_LIMIT.as_secs();
    let (code, severity, message) = if seconds > limit {
        let message = format!("max_age: expected at most {limit} (a year), found {seconds}");
        ("policy-max-age-limit", Severity::Error, message)
    } else if seconds < SHORT_MAX_AGE {
        let message =
            format!("max_age: {seconds} s protect for less than a week; weeks are expected");
        ("policy-max-age-short", Severity::Warning, message)
    } else {
        return None;
    };
    let position = Position::of(text, field.value_offset);
    Some(Finding { code, severity, position, message, clause: POLICY_CLAUSE })
}

/// Unknown fields are allowed; one that differs from a known name by its case or by `-` for `_`
/// is most likely meant to be it.
fn unknown_field_remark(text: &str, field: &policy::Field<'_>, name: &str) -> Finding {
    let folded = name.to_ascii_lowercase().replace('-', "_");
    match KNOWN_FIELDS.iter().find(|known| **known == folded) {
        Some(known) => {
            let message =
                format!("{name}: an unknown field, which is ignored; did you mean {known:?}?");
            remark(text, field, "policy-field-misspelled", Severity::Warning, message)
        }
        None => {
            let message = format!("{name}: an unknown field, which is ignored");
            remark(text, field, "policy-field-unknown", Severity::Notice, message)
        }
    }
}

/// All remarks about a TXT record at `_mta-sts.<domain>`, in the order of the text. It is valid
/// if none is an error.
#[must_use]
pub fn lint_record(text: &[u8]) -> Vec<Finding> {
    let read = RecordField::ascii(text)
        .and_then(|text| Ok((text, RecordField::all(text, record::VERSION, None)?)));
    let (text, parsed) = match read {
        Ok(read) => read,
        Err(error) => return alloc::vec![record_fault(&error.into())],
    };
    let mut findings = Vec::new();
    let mut fields = Vec::new();
    for field in parsed {
        match field {
            Ok(field) => fields.push(field),
            Err(error) => findings.push(record_fault(&error.into())),
        }
    }
    for (index, field) in fields.iter().enumerate() {
        let remark = |code, severity, message| Finding {
            code,
            severity,
            position: Position::of(text, field.name_offset),
            message,
            clause: RECORD_CLAUSE,
        };
        if fields[..index].iter().any(|first| first.name == field.name) {
            let message = format!("{}: repeated; only the first counts", field.name);
            findings.push(remark("record-field-repeated", Severity::Warning, message));
        } else if field.name == "id" {
            findings.extend(record::parse_id(text, field).err().as_ref().map(record_fault));
        } else if field.name.eq_ignore_ascii_case("id") {
            let message =
                format!("{}: an unknown field, which is ignored; did you mean \"id\"?", field.name);
            findings.push(remark("record-field-misspelled", Severity::Warning, message));
        } else {
            let message = format!("{}: an unknown field, which is ignored", field.name);
            findings.push(remark("record-field-unknown", Severity::Notice, message));
        }
    }
    if findings.iter().all(|finding| finding.severity < Severity::Error)
        && let Err(error) = record::Record::from_fields(text, &fields)
    {
        findings.push(record_fault(&error));
    }
    // The grammar allows white space before the semicolon, but such a record is discarded,
    // because it does not "begin with "v=STSv1;"".
    if !text.starts_with("v=STSv1;") {
        findings.push(Finding {
            code: "record-discarded",
            severity: Severity::Error,
            position: Position { line: 1, column: 8 },
            message: "v: expected \"v=STSv1;\" without a space; other records are discarded".into(),
            clause: RECORD_CLAUSE,
        });
    }
    findings.sort_by_key(|finding| finding.position);
    findings
}

fn record_fault(error: &RecordError) -> Finding {
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

    fn codes(findings: &[Finding]) -> Vec<(&'static str, usize, usize)> {
        let place = |f: &Finding| (f.code, f.position.line, f.position.column);
        findings.iter().map(place).collect()
    }

    #[test]
    fn policy_remarks() {
        let lint = |text: &str| codes(&lint_policy(text.as_bytes()));
        assert_eq!(lint("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 604800\n"), []);
        assert_eq!(
            lint(
                "version: STSv2\nmode: strict\nmx: *.*.example\nmax_age: 1d\nMode: x\n\nnote: y\n"
            ),
            [
                ("policy-version", 1, 10),
                ("policy-mode", 2, 7),
                ("policy-mx", 3, 5),
                ("policy-max-age", 4, 10),
                ("policy-field-misspelled", 5, 1),
                ("policy-empty-line", 6, 1),
                ("policy-field-unknown", 7, 1),
            ]
        );
        assert_eq!(
            lint("version: STSv1\nmode: enforce\nmx: *.com\nmax_age: 9999999999\nmode: none"),
            [
                ("policy-mx-wide", 3, 1),
                ("policy-max-age-limit", 4, 10),
                ("policy-field-repeated", 5, 1),
            ]
        );
        assert_eq!(
            lint("version: STSv1\nmode: testing\nmax_age: 60"),
            [("policy-max-age-short", 3, 10), ("policy-field-missing", 3, 12),]
        );
        assert_eq!(lint("version: STSv1\nmode: none\nmax_age: 60"), []);
        assert_eq!(codes(&lint_policy(b"version: \xff")), [("policy-not-utf8", 1, 10)]);
    }

    #[test]
    fn record_remarks() {
        let lint = |text: &str| codes(&lint_record(text.as_bytes()));
        assert_eq!(lint("v=STSv1; id=1"), []);
        assert_eq!(
            lint("v=STSv1; ID=1"),
            [("record-field-misspelled", 1, 10), ("record-id-missing", 1, 14),]
        );
        assert_eq!(
            lint("v=STSv1; id=2026-11;; x; y=1"),
            [
                ("record-id", 1, 13),
                ("record-empty-field", 1, 21),
                ("record-no-equals", 1, 23),
                ("record-field-unknown", 1, 26),
            ]
        );
        assert_eq!(lint("v=STSv1 ; id=1"), [("record-discarded", 1, 8)]);
        assert_eq!(lint("v=spf1 -all"), [("record-version", 1, 1)]);
    }
}
