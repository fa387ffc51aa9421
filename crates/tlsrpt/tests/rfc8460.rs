//! RFC 8460 §3 and §4.3 for a sender, clause by clause. Each name carries the section; lay the
//! file beside the standard and tick off.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use smtp_types::DomainName;
use tlsrpt::{
    NoRecord, Record, RecordFault, ReportUri, ReportUriError, ResultType, record_question, select,
};

const MAIL: &str = "v=TLSRPTv1; rua=mailto:tls@example.com";

/// The record that counts among these texts, printed again.
fn one(texts: &[&str]) -> Result<String, NoRecord> {
    select(texts.iter().map(|text| text.as_bytes())).map(|record| record.to_string())
}

fn rua(text: &str) -> Vec<ReportUri> {
    Record::parse(text.as_bytes()).unwrap().rua().to_vec()
}

fn fault(text: &str) -> RecordFault {
    Record::parse(text.as_bytes()).unwrap_err().fault
}

fn uri_error(uri: &str) -> ReportUriError {
    ReportUri::parse(uri).unwrap_err()
}

mod s3_record {
    use super::*;

    #[test]
    fn s3_the_record_stands_at_smtp_tls_below_the_policy_domain() {
        let domain = DomainName::parse("example.com").unwrap();
        assert_eq!(record_question(&domain).unwrap().to_string(), "TXT _smtp._tls.example.com");
    }

    #[test]
    fn s3_records_that_do_not_begin_with_the_version_are_discarded() {
        let texts = ["v=spf1 -all", MAIL, "v=TLSRPTv10; rua=x", "v=STSv1; id=1"];
        assert_eq!(one(&texts), Ok(format!("{MAIL};")));
        for text in [" v=TLSRPTv1; rua=x", "v=TLSRPTv1 ; rua=x", "V=TLSRPTv1; rua=x", "v=TLSRPTv1"]
        {
            assert_eq!(one(&[text]), Err(NoRecord::Absent), "{text}");
        }
        assert_eq!(one(&[]), Err(NoRecord::Absent));
    }

    #[test]
    fn s3_exactly_one_record_must_remain() {
        assert_eq!(one(&[MAIL, MAIL]), Err(NoRecord::Several { count: 2 }));
        assert_eq!(one(&[MAIL, "v=TLSRPTv1;"]), Err(NoRecord::Several { count: 2 }));
    }

    #[test]
    fn s3_a_malformed_record_is_no_record() {
        for text in ["v=TLSRPTv1;", "v=TLSRPTv1; x=1", "v=TLSRPTv1; rua=tls@example.com"] {
            assert!(matches!(one(&[text]), Err(NoRecord::Invalid(_))), "{text}");
        }
    }

    #[test]
    fn s3_rua_is_required_and_case_sensitive() {
        assert_eq!(fault("v=TLSRPTv1; x=1"), RecordFault::RuaMissing);
        assert_eq!(fault("v=TLSRPTv1; Rua=mailto:a@b.test"), RecordFault::RuaMissing);
    }

    #[test]
    fn s3_the_examples_of_the_standard_are_read() {
        let mail = "v=TLSRPTv1;rua=mailto:reports@example.com";
        let https = "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt";
        assert!(matches!(rua(mail)[..], [ReportUri::Mailto(_)]));
        assert!(matches!(rua(https)[..], [ReportUri::Https(_)]));
    }

    #[test]
    fn s3_unknown_fields_are_ignored() {
        let record = Record::parse(format!("{MAIL}; note=hello").as_bytes()).unwrap();
        assert_eq!(record.rua().len(), 1);
        assert_eq!(record.extensions().collect::<Vec<_>>(), [("note", "hello")]);
    }

    #[test]
    fn s3_a_repeated_rua_keeps_the_first() {
        assert_eq!(rua(&format!("{MAIL}; rua=mailto:other@example.com")), rua(MAIL));
    }
}

mod s3_report_uris {
    use super::*;

    #[test]
    fn s3_rua_is_a_list_between_commas() {
        let several = rua("v=TLSRPTv1; rua=mailto:a@b.test , https://c.test/x,mailto:d@e.test");
        let texts: Vec<_> = several.iter().map(ReportUri::as_str).collect();
        assert_eq!(texts, ["mailto:a@b.test", "https://c.test/x", "mailto:d@e.test"]);
        assert_eq!(fault("v=TLSRPTv1; rua=mailto:a@b.test,"), RecordFault::EmptyUri);
    }

    #[test]
    fn s3_two_schemes_are_supported_and_others_passed_over() {
        assert_eq!(rua("v=TLSRPTv1; rua=http://x.test/,mailto:tls@example.com"), rua(MAIL));
        assert!(matches!(
            fault("v=TLSRPTv1; rua=http://x.test/,gopher:y"),
            RecordFault::Rua { error: ReportUriError::Scheme { .. }, .. }
        ));
    }

    #[test]
    fn s3_commas_exclamation_points_and_semicolons_are_encoded() {
        let encoded = rua("v=TLSRPTv1; rua=https://example.com/?a%2Cb%21c%3Bd");
        assert_eq!(encoded[0].as_str(), "https://example.com/?a%2Cb%21c%3Bd");
        assert_eq!(address("mailto:tls%21@example.com"), "tls!@example.com");
        assert_eq!(uri_error("mailto:tls@example.com!10m"), ReportUriError::ExclamationMark);
        assert_eq!(uri_error("https://a.test/;x"), ReportUriError::Character { found: ';' });
        assert_eq!(uri_error("https://a.test/,x"), ReportUriError::Character { found: ',' });
    }

    #[test]
    fn s3_mailto_is_one_address_and_nothing_of_ours() {
        assert_eq!(address("mailto:t%6Cs@example.com?cc=x@y.test"), "tls@example.com");
        for hostile in ["mailto:a%0d%0aBcc:b@c.test", "mailto:a@b.test%2Cc@d.test", "mailto:%22"] {
            assert!(matches!(uri_error(hostile), ReportUriError::Address(_)), "{hostile}");
        }
    }

    fn address(uri: &str) -> String {
        let ReportUri::Mailto(mailto) = ReportUri::parse(uri).unwrap() else { panic!("{uri}") };
        mailto.address().to_string()
    }

    #[test]
    fn s3_https_names_a_host_and_no_user() {
        assert_eq!(uri_error("https:///tls"), ReportUriError::NoHost);
        assert_eq!(uri_error("https://user:secret@example.com/"), ReportUriError::UserName);
    }
}

mod s4_3_result_types {
    use super::*;

    #[test]
    fn s4_3_every_result_type_has_its_word() {
        let words = ResultType::ALL.map(|known| known.as_str().to_owned());
        assert_eq!(
            words,
            [
                "starttls-not-supported",
                "certificate-host-mismatch",
                "certificate-expired",
                "certificate-not-trusted",
                "tlsa-invalid",
                "dnssec-invalid",
                "dane-required",
                "sts-policy-fetch-error",
                "sts-policy-invalid",
                "sts-webpki-invalid",
                "validation-failure",
            ]
        );
    }

    #[test]
    fn s4_3_unknown_result_types_are_kept() {
        assert_eq!(ResultType::parse("new-failure").to_string(), "new-failure");
        assert_eq!(ResultType::parse("tlsa-invalid"), ResultType::TlsaInvalid);
    }
}
