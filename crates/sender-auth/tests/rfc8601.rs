//! RFC 8601, clause by clause, for whoever writes the field, reads it and removes it. Each name
//! carries the section; lay the file beside the standard and tick off.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use sender_auth::authres::{
    AuthenticationResults, AuthenticationResultsFault, AuthservId, Keyword, MethodResult,
    PropertyName, Removal, RemovalReason, removals, signature_prefixes,
};
use sender_auth::{Header, HeaderField};

fn parse(value: &str) -> AuthenticationResults {
    AuthenticationResults::parse(value.as_bytes()).unwrap_or_else(|e| panic!("{value:?}: {e}"))
}

fn fault(value: &str) -> AuthenticationResultsFault {
    AuthenticationResults::parse(value.as_bytes()).expect_err(value).fault
}

fn id(text: &str) -> AuthservId {
    AuthservId::new(text).unwrap()
}

fn header(values: &[&str]) -> Header {
    let field =
        |value: &&str| HeaderField::new(b"Authentication-Results", value.as_bytes()).unwrap();
    values.iter().map(field).collect()
}

fn written(results: Vec<MethodResult>) -> String {
    AuthenticationResults { authserv_id: id("mx.example.com"), results }.to_value()
}

mod s2_2_grammar {
    use super::*;

    #[test]
    fn s2_2_none_says_that_nothing_was_checked() {
        assert_eq!(parse(" example.org 1; none").results, []);
        assert_eq!(parse("example.org;(x) NONE (y)").results, []);
        assert_eq!(written(vec![]), " mx.example.com; none");
    }

    #[test]
    fn s2_2_a_payload_has_none_or_at_least_one_result() {
        assert!(matches!(fault("example.org"), AuthenticationResultsFault::Expected { .. }));
        assert!(matches!(fault("example.org;"), AuthenticationResultsFault::Expected { .. }));
        assert!(matches!(
            fault("example.org; none; spf=pass"),
            AuthenticationResultsFault::Expected { .. }
        ));
    }

    #[test]
    fn s2_2_comments_and_folds_stand_between_all_words() {
        let field = parse(
            " (a)\r\n example.org (b (c)) 1 (d)\r\n\t; (e) dkim (f) / (g) 1 (h) = (i) pass (j) \
             reason (k) = (l) \"m\" (n) header (o) . (p) d (q) = (r) example.net (s)",
        );
        let expected = MethodResult::new(Keyword::DKIM, Keyword::PASS)
            .with_comment("j")
            .with_reason("m")
            .with_property(PropertyName::HEADER_D, "example.net");
        assert_eq!(field.results, [expected]);
    }

    #[test]
    fn s2_2_a_comment_and_a_quoted_string_end() {
        assert_eq!(fault("a; x=y (z"), AuthenticationResultsFault::Unclosed { opened: '(' });
        assert_eq!(fault("a; x=y z.z=\"z"), AuthenticationResultsFault::Unclosed { opened: '"' });
    }

    #[test]
    fn s2_2_quoted_pairs_stand_for_their_character() {
        let field = parse(r#"a; x=y reason="b \"c\" \\ d""#);
        assert_eq!(field.results[0].reason.as_ref().unwrap().as_str(), r#"b "c" \ d"#);
    }

    #[test]
    fn s2_2_words_are_compared_without_case() {
        let field = parse("A; DKIM=Pass HEADER.From=X");
        let result = &field.results[0];
        assert_eq!((&result.method, &result.result), (&Keyword::DKIM, &Keyword::PASS));
        assert_eq!(result.property(&PropertyName::HEADER_FROM).unwrap().as_str(), "X");
    }

    #[test]
    fn s2_2_a_mail_identity_is_written_as_an_address_without_quotes() {
        for address in ["user@example.org", "a/b=c@example.org", "\"a b\"@example.org", "@x.test"] {
            let result = MethodResult::new(Keyword::AUTH, Keyword::PASS)
                .with_property(PropertyName::SMTP_AUTH, address);
            let text = written(vec![result.clone()]);
            assert!(text.ends_with(&format!("smtp.auth={address}")), "{text:?}");
            assert_eq!(parse(&text).results, [result]);
        }
    }

    #[test]
    fn s2_2_specials_are_written_in_quotes() {
        let result = MethodResult::new(Keyword::IPREV, Keyword::PASS)
            .with_property(PropertyName::POLICY_IPREV, "2001:db8::1");
        assert!(written(vec![result]).ends_with("policy.iprev=\"2001:db8::1\""));
    }

    #[test]
    fn s2_2_nothing_that_a_sender_chose_ends_the_field_or_a_statement() {
        let hostile = "x\r\nX-Forged: 1\r\n\r\n\0; dkim=pass (\" \\";
        let result = MethodResult::new(Keyword::SPF, Keyword::FAIL)
            .with_comment(hostile)
            .with_reason(hostile)
            .with_property(PropertyName::SMTP_HELO, hostile);
        let text = written(vec![result.clone()]);
        assert!(!text.contains("\r\nX-Forged"), "{text:?}");
        assert_eq!(parse(&text).results, [result]);
    }

    #[test]
    fn s2_2_lines_have_at_most_78_columns() {
        let mut result = MethodResult::new(Keyword::DKIM, Keyword::FAIL)
            .with_comment(&"many words ".repeat(30))
            .with_reason(&"(\"many\\ words\") ".repeat(30));
        for _ in 0..10 {
            result = result.with_property(PropertyName::HEADER_I, "someone@mail.example.org");
        }
        let text = format!("Authentication-Results:{}", written(vec![result.clone(), result]));
        for line in text.split("\r\n") {
            assert!(line.chars().count() <= 78, "{line:?}");
            assert!(!line.trim().is_empty());
        }
    }

    #[test]
    fn s1_5_2_international_mail_has_utf_8() {
        let field = parse("dané.test; spf=pass smtp.mailfrom=jürgen@dané.test");
        assert_eq!(field.authserv_id, id("dané.test"));
        let value = field.results[0].property(&PropertyName::SMTP_MAILFROM).unwrap();
        assert_eq!(value.as_str(), "jürgen@dané.test");
        assert_eq!(parse(&field.to_value()), field);
        let error = AuthenticationResults::parse(b"dan\xe9.test; none").unwrap_err();
        assert_eq!(error.fault, AuthenticationResultsFault::NotUtf8);
    }
}

mod s2_5_authserv_id {
    use super::*;

    #[test]
    fn s2_5_an_id_is_any_string() {
        for text in ["example.com", "mail.example.org", "example-auth", "our service; \"1\""] {
            let field = AuthenticationResults { authserv_id: id(text), results: vec![] };
            assert_eq!(parse(&field.to_value()), field);
        }
    }

    #[test]
    fn s2_5_a_field_without_an_id_is_not_read() {
        let value = "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=example.com; dkim=pass";
        assert!(matches!(fault(value), AuthenticationResultsFault::Expected { what: ";", .. }));
    }
}

mod s2_6_versions {
    use super::*;

    #[test]
    fn s2_6_behind_an_unknown_version_nothing_is_read() {
        assert_eq!(fault("a 2; ]["), AuthenticationResultsFault::Version { found: 2 });
        assert_eq!(parse("a 1; none"), parse("a; none"));
    }

    #[test]
    fn s2_6_a_method_has_version_1_if_it_does_not_say() {
        let versions: Vec<_> =
            parse("a; x=y; x/1=y; x/2=y").results.iter().map(|one| one.method_version).collect();
        assert_eq!(versions, [1, 1, 2]);
    }
}

mod s2_7_methods {
    use super::*;

    #[test]
    fn s2_7_the_methods_that_we_report() {
        let field = AuthenticationResults {
            authserv_id: id("mx.example.com"),
            results: vec![
                MethodResult::new(Keyword::SPF, Keyword::SOFTFAIL)
                    .with_property(PropertyName::SMTP_MAILFROM, "example.org"),
                MethodResult::new(Keyword::DKIM, Keyword::PASS)
                    .with_property(PropertyName::HEADER_D, "example.org")
                    .with_property(PropertyName::HEADER_I, "@example.org")
                    .with_property(PropertyName::HEADER_S, "2026")
                    .with_property(PropertyName::HEADER_A, "ed25519-sha256")
                    .with_property(PropertyName::HEADER_B, "AbCdEf+/"),
                MethodResult::new(Keyword::ARC, Keyword::PASS)
                    .with_property(PropertyName::SMTP_REMOTE_IP, "192.0.2.1")
                    .with_property(PropertyName::HEADER_OLDEST_PASS, "0"),
                MethodResult::new(Keyword::DMARC, Keyword::NONE)
                    .with_property(PropertyName::HEADER_FROM, "example.org")
                    .with_property(PropertyName::POLICY_DMARC, "reject"),
                MethodResult::new(Keyword::IPREV, Keyword::PERMERROR)
                    .with_property(PropertyName::POLICY_IPREV, "192.0.2.1"),
                MethodResult::new(Keyword::AUTH, Keyword::TEMPERROR)
                    .with_property(PropertyName::SMTP_AUTH, "user@example.org"),
            ],
        };
        assert_eq!(
            field.to_value(),
            " mx.example.com;\r\n    spf=softfail smtp.mailfrom=example.org;\r\n    dkim=pass \
             header.d=example.org header.i=@example.org header.s=2026\r\n    \
             header.a=ed25519-sha256 header.b=\"AbCdEf+/\";\r\n    arc=pass \
             smtp.remote-ip=192.0.2.1 header.oldest-pass=0;\r\n    dmarc=none \
             header.from=example.org policy.dmarc=reject;\r\n    iprev=permerror \
             policy.iprev=192.0.2.1;\r\n    auth=temperror smtp.auth=user@example.org"
        );
        assert_eq!(parse(&field.to_value()), field);
    }

    #[test]
    fn s2_7_1_signatures_are_told_apart_by_their_beginning() {
        assert_eq!(signature_prefixes(["AbCdEfGhIjKl", "MnOpQrStUvWx"]), ["AbCdEfGh", "MnOpQrSt"]);
        assert_eq!(signature_prefixes(["AbCdEfGhIj", "AbCdEfGhXy"]), ["AbCdEfGhI", "AbCdEfGhX"]);
    }

    #[test]
    fn s2_7_6_methods_and_results_of_others_are_read() {
        let field = parse("example.com;\r\n foo=pass bar.baz=blob (2 of 3 tests OK)");
        let result = &field.results[0];
        assert_eq!(result.method.as_str(), "foo");
        assert_eq!(result.comment.as_ref().unwrap().as_str(), "2 of 3 tests OK");
    }
}

mod s5_removal {
    use super::*;

    fn removed(values: &[&str]) -> Vec<(u32, RemovalReason)> {
        let found = removals(&header(values), &id("mx.example.com"));
        found.iter().map(|Removal { index, reason }| (*index, *reason)).collect()
    }

    #[test]
    fn s5_fields_that_bear_our_id_are_removed_from_the_lowest_up() {
        let fields = [
            "mx.example.com; dkim=pass",
            "mx.example.net; dkim=pass",
            "(x) \"MX.example.com\" 1; dkim=pass",
        ];
        let ours = RemovalReason::ClaimsOurId;
        assert_eq!(removed(&fields), [(3, ours), (1, ours)]);
    }

    #[test]
    fn s5_names_above_and_below_ours_are_not_ours() {
        assert_eq!(removed(&["example.com; none", "in.mx.example.com; none"]), []);
    }

    #[test]
    fn s5_a_and_u_labels_are_the_same_name() {
        let fields = header(&["xn--dan-dma.test; none", "DANÉ.test; none"]);
        assert_eq!(removals(&fields, &id("dané.test")).len(), 2);
        assert_eq!(removals(&fields, &id("xn--dan-dma.test")).len(), 2);
    }

    #[test]
    fn s5_a_field_that_we_cannot_read_but_others_might_is_removed() {
        let may = RemovalReason::MayClaimOurId;
        for value in [
            "mx.example.com",
            "mx.example.com; dkim=pass header.d=x=y",
            "mx.example.com dkim=pass",
            "(; mx.example.com; dkim=pass",
            "\"mx.example.com; dkim=pass",
            "m\0x.example.com; dkim=pass",
            "mx.example.com; dkim=pass \u{1}",
        ] {
            assert_eq!(removed(&[value]), [(1, may)], "{value:?}");
        }
        assert_eq!(removed(&["dkim=pass header.d=x; mx.example.com"]), []);
    }

    #[test]
    fn s5_a_field_of_an_unknown_version_is_removed_whoever_it_names() {
        let fields = ["mx.example.net 2; dkim=pass", "mx.example.net 1; dkim=pass"];
        assert_eq!(removed(&fields), [(1, RemovalReason::UnknownVersion)]);
    }

    #[test]
    fn s5_what_we_write_ourselves_is_found_again() {
        let field = AuthenticationResults { authserv_id: id("mx.example.com"), results: vec![] };
        assert_eq!(removed(&[&field.to_value()]), [(1, RemovalReason::ClaimsOurId)]);
    }
}

#[test]
fn s4_the_statements_of_all_our_fields_are_one_assessment() {
    let fields = header(&[
        "Garbage Authentication-Results Header",
        "(testing) mx.example.com (test); arc=none;\r\n spf=pass smtp.mfrom=jqd@d1.example",
        "MX.example.com; dkim=pass (1024-bit key) header.i=@d1.example",
        "mx.example.net; something=ignored",
        "mx.example.com; none",
    ]);
    let all = AuthenticationResults::collect(&fields, &id("mx.example.com"));
    assert_eq!(
        all.to_value(),
        " mx.example.com;\r\n    arc=none;\r\n    spf=pass smtp.mfrom=jqd@d1.example;\r\n    \
         dkim=pass (1024-bit key) header.i=@d1.example"
    );
}
