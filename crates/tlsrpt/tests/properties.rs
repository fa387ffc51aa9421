//! What must hold for every input: readers never panic, and print ∘ parse is the identity.

use proptest::prelude::*;
use smtp_types::Severity;
use tlsrpt::{Record, ReportUri, ResultType, lint_record, select};

/// Text that comes close to a record, so that the deeper rules are reached.
fn record_like() -> impl Strategy<Value = String> {
    let uri = "(mailto|https|http|ftp)?:?(//)?[a-z@.%!0-9 ]{0,14}";
    let uris = prop::collection::vec(uri, 1..4).prop_map(|uris| uris.join(","));
    prop_oneof![
        uris.prop_map(|uris| format!("v=TLSRPTv1; rua={uris};")),
        "v=TLSRPTv1;( ?(rua|x)=(mailto:a@b.test,?){0,2};?){0,3}",
        "\\PC{0,40}",
    ]
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Record::parse(&octets);
        let _ = select([&octets[..], b"v=TLSRPTv1; rua=mailto:a@b.test"]);
        let _ = lint_record(&octets);
    }

    #[test]
    fn a_record_printed_and_read_is_the_same(text in record_like()) {
        let selected = select([text.as_bytes()]);
        if let Ok(record) = &selected {
            prop_assert_eq!(&Record::parse(record.to_string().as_bytes()).unwrap(), record);
        }
        // The reader and the linter agree, but for the one leniency of the reader.
        let findings = lint_record(text.as_bytes());
        let errors = || findings.iter().filter(|finding| finding.severity == Severity::Error);
        let valid = errors().all(|finding| finding.code == "tlsrpt-rua-scheme");
        let unsupported = errors().count() > 0 && valid;
        prop_assert!(
            selected.is_ok() == valid || unsupported,
            "{:?} {:?}", selected, findings
        );
    }

    #[test]
    fn a_uri_printed_and_read_is_the_same(text in "(mailto|https):(//)?[a-z0-9%@.:/?#=-]{0,30}") {
        if let Ok(uri) = ReportUri::parse(&text) {
            prop_assert_eq!(ReportUri::parse(&uri.to_string()).unwrap(), uri);
        }
    }

    #[test]
    fn a_result_type_printed_and_read_is_the_same(text in "\\PC{0,30}") {
        prop_assert_eq!(ResultType::parse(&text).to_string(), text);
    }
}
