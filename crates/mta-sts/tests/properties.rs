//! What must hold for every input: readers never panic, and print ∘ parse is the identity.

use mta_sts::{MxPattern, Policy, Record, lint_policy, lint_record, select};
use proptest::prelude::*;
use smtp_types::Severity;

/// Text that comes close to a policy, so that the deeper rules are reached.
fn policy_like() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("version: STSv1".to_owned()),
        "(version|mode|mx|max_age|note|Mode): ?(STSv1|enforce|none|testing|[a-z*.]{0,9}|[0-9]{1,11})",
        "\\PC{0,12}",
    ];
    (prop::collection::vec(line, 0..8), prop_oneof![Just("\n"), Just("\r\n")])
        .prop_map(|(lines, end)| lines.join(end))
}

fn record_like() -> impl Strategy<Value = String> {
    prop_oneof!["v=STSv1;( ?(id|x)=[a-zA-Z0-9]{0,34};?){0,3}", "\\PC{0,40}"]
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Policy::parse(&octets);
        let _ = Record::parse(&octets);
        let _ = select([&octets[..], b"v=STSv1; id=1"]);
        let _ = lint_policy(&octets);
        let _ = lint_record(&octets);
    }

    #[test]
    fn a_policy_printed_and_read_is_the_same(text in policy_like()) {
        let parsed = Policy::parse(text.as_bytes());
        if let Ok(policy) = &parsed {
            prop_assert_eq!(&Policy::parse(policy.to_string().as_bytes()).unwrap(), policy);
        }
        // The reader and the linter agree, but for the one leniency of the reader.
        let findings = lint_policy(text.as_bytes());
        let valid = findings.iter().all(|finding| {
            finding.severity < Severity::Error || finding.code == "policy-max-age-limit"
        });
        prop_assert_eq!(parsed.is_ok(), valid, "{:?} {:?}", parsed, findings);
    }

    #[test]
    fn a_record_printed_and_read_is_the_same(text in record_like()) {
        let selected = select([text.as_bytes()]);
        if let Ok(record) = &selected {
            prop_assert_eq!(&Record::parse(record.to_string().as_bytes()).unwrap(), record);
        }
        let findings = lint_record(text.as_bytes());
        let valid = findings.iter().all(|finding| finding.severity < Severity::Error);
        prop_assert_eq!(selected.is_ok(), valid, "{:?} {:?}", selected, findings);
    }

    #[test]
    fn a_pattern_printed_and_read_is_the_same(text in "(\\*\\.)?[a-zA-Z0-9._*-]{0,20}") {
        if let Ok(pattern) = MxPattern::parse(&text) {
            prop_assert_eq!(MxPattern::parse(&pattern.to_string()).unwrap(), pattern);
        }
    }
}
