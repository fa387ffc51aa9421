//! Records, policies and patterns of MTA-STS.

use mta_sts::{MxPattern, Policy, Record, lint_policy, lint_record, select};
use smtp_types::DomainName;

use crate::{is_valid, text};

/// A policy file: printed and read it is the same, and the linter agrees with the reader but for
/// two things: the reader does not know how long the body is, and is lenient with `max_age`.
pub fn mta_sts_policy(data: &[u8]) {
    let parsed = Policy::parse(data);
    let valid = is_valid(&lint_policy(data), &["policy-max-age-limit", "policy-too-long"]);
    assert_eq!(parsed.is_ok(), valid, "reader and linter disagree: {parsed:?}");
    let Ok(policy) = parsed else {
        return;
    };
    assert_eq!(Policy::parse(policy.to_string().as_bytes()).as_ref(), Ok(&policy));
    assert!(policy.max_age().as_secs() <= 9_999_999_999);
    assert!(policy.mode() == mta_sts::Mode::None || !policy.mx().is_empty());
}

/// A TXT record: printed and read it is the same, and the linter agrees with the selection.
pub fn mta_sts_record(data: &[u8]) {
    let selected = select([data]);
    assert_eq!(selected.is_ok(), is_valid(&lint_record(data), &[]), "{selected:?}");
    if let Ok(record) = selected {
        assert_eq!(Record::parse(record.to_string().as_bytes()), Ok(record.clone()));
        // A second text that counts makes both useless; one that does not count changes nothing.
        assert!(select([data, data]).is_err());
        assert_eq!(select([b"v=spf1 -all", data]), Ok(record));
    }
}

/// An mx pattern: printed and read it is the same, and it matches what §4.1 says and no more.
pub fn mx_pattern(data: &[u8]) {
    let Some(pattern) = text(data).and_then(|text| MxPattern::parse(text).ok()) else {
        return;
    };
    assert_eq!(MxPattern::parse(&pattern.to_string()).as_ref(), Ok(&pattern));
    let name = pattern.name();
    let below = |name: &DomainName| name.below("a").ok();
    assert_eq!(pattern.matches(name), !pattern.is_wildcard());
    if let Some(child) = below(name) {
        assert_eq!(pattern.matches(&child), pattern.is_wildcard());
        assert!(!below(&child).is_some_and(|grandchild| pattern.matches(&grandchild)));
    }
}
