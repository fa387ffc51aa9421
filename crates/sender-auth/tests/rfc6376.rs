//! RFC 6376, DKIM, clause by clause, with RFC 8616 where it widens a clause. Each name carries the
//! section; lay the file beside the standard and tick off.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod crypto;
mod world;

use std::sync::LazyLock;
use std::time::Duration;

use crypto::{AwsLc, AwsLcKey, TestVectors};
use sender_auth::HeaderField;
use sender_auth::dkim::{
    Canonicalization, DkimResult, FieldsToSign, KeyFailure, Reason, SIGNATURE_FIELD, Selector,
    ServiceType, SignError, SignOptions, SignWith, Signature, SignatureFault, SignatureResult,
    Signer, Verifier, VerifyLimits, message_result,
};
use smtp_types::{DnsFailure, DomainName, UnixTime};
use world::{World, above, read, sign_as, txt, words};

const MESSAGE: &str = "From: Joe <joe@example.com>\r\nTo: Suzie <suzie@example.net>\r\n\
    Subject: Is dinner\r\n  ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\n\r\nHi.\r\n";

/// The tags that most tests need.
const TAGS: &str = "v=1; a=ed25519-sha256; d=example.com; s=s; h=from:to:subject:date";

static KEY: LazyLock<AwsLcKey> = LazyLock::new(|| AwsLcKey::ed25519(&[9; 32]));

const KEY_NAME: &str = "s._domainkey.example.com";

/// What the key record says, with tags added.
fn record(tags: &str) -> String {
    format!("{}{tags}", KEY.record())
}

fn world() -> World {
    World::default().key(KEY_NAME, &record(""))
}

fn sign(tags: &str, message: &str) -> HeaderField {
    sign_as(&AwsLc, &KEY, tags, message.as_bytes())
}

/// The one result of a message that was signed so and then became that.
fn verify_changed(world: &World, tags: &str, signed: &str, received: &str) -> SignatureResult {
    let message = above(&[sign(tags, signed)], received.as_bytes());
    let results = world.verify(&AwsLc, &message);
    assert_eq!(results.len(), 1);
    results.into_iter().next().unwrap()
}

/// The one result of a message that was signed so.
fn verify(world: &World, tags: &str) -> SignatureResult {
    verify_changed(world, tags, MESSAGE, MESSAGE)
}

/// The one result of a message with a signature that is only written.
fn verify_text(value: &str) -> SignatureResult {
    let field = HeaderField::new(SIGNATURE_FIELD.as_bytes(), value.as_bytes()).unwrap();
    let results = world().verify(&AwsLc, &above(&[field], MESSAGE.as_bytes()));
    results.into_iter().next().unwrap()
}

fn fault(result: &SignatureResult) -> &SignatureFault {
    match &result.reason {
        Reason::Malformed(error) => &error.fault,
        reason => panic!("expected a malformed signature, found {reason:?}"),
    }
}

mod s3_tags {
    use super::*;

    #[test]
    fn s3_1_selectors_may_have_periods_and_be_digits() {
        for selector in ["2026.brisbane", "20261121", "S"] {
            let name = format!("{}._domainkey.example.com", selector.to_lowercase());
            let world = World::default().key(&name, &record(""));
            let tags = TAGS.replace("s=s", &format!("s={selector}"));
            assert_eq!(verify(&world, &tags).reason, Reason::Verified, "{selector}");
        }
    }

    #[test]
    fn s3_2_white_space_around_tags_means_nothing() {
        let tags = " v = 1 ;\r\n\ta= ed25519-sha256 ; d\t=example.com; s=\r\n s; h= from : to ;";
        let tags = tags.trim_end_matches(';');
        assert_eq!(verify(&world(), tags).reason, Reason::Verified);
    }

    #[test]
    fn s3_2_a_tag_that_comes_twice_makes_the_list_invalid() {
        let value = format!("{TAGS}; bh=AAAA; b=AAAA; d=example.com");
        let result = verify_text(&value);
        assert!(matches!(fault(&result), SignatureFault::TagList(_)));
        assert_eq!(result.result(), DkimResult::Neutral);
    }

    #[test]
    fn s3_2_unknown_tags_are_ignored() {
        assert_eq!(verify(&world(), &format!("{TAGS}; xx=1; X=2")).reason, Reason::Verified);
    }

    #[test]
    fn s3_2_tags_and_values_are_case_sensitive() {
        let result = verify_text(&format!("{}; bh=AAAA; b=AAAA", TAGS.replace("v=1", "V=1")));
        assert_eq!(fault(&result), &SignatureFault::Missing { tag: "v" });
    }

    #[test]
    fn s3_3_4_other_algorithms_are_not_verified() {
        let value = format!("{TAGS}; bh=AAAA; b=AAAA").replace("ed25519-", "dilithium-");
        let result = verify_text(&value);
        assert!(matches!(fault(&result), SignatureFault::Algorithm { .. }));
        assert_eq!(result.result(), DkimResult::Neutral);
        // The names are known all the same, for whoever has to explain it.
        assert_eq!(result.domain.unwrap().as_str(), "example.com");
        assert_eq!(result.selector.unwrap().as_str(), "s");
    }
}

mod s3_4_canonicalization {
    use super::*;

    fn survives(c: &str, change: impl Fn(&str) -> String) -> DkimResult {
        let tags = format!("{TAGS}; c={c}");
        verify_changed(&world(), &tags, MESSAGE, &change(MESSAGE)).result()
    }

    #[test]
    fn s3_4_1_simple_headers_do_not_change_at_all() {
        let change = |message: &str| message.replace("Subject: ", "subject: ");
        assert_eq!(survives("simple/simple", change), DkimResult::Fail);
        let change = |message: &str| message.replace("dinner\r\n  ", "dinner  ");
        assert_eq!(survives("simple/relaxed", change), DkimResult::Fail);
    }

    #[test]
    fn s3_4_2_relaxed_headers_may_change_case_of_names_folds_and_white_space() {
        let change = |message: &str| {
            message
                .replace("Subject: Is dinner\r\n  ", "sUBJECT \t:\r\n\tIs \t dinner ")
                .replace("-0700", "-0700 \t")
        };
        assert_eq!(survives("relaxed/simple", change), DkimResult::Pass);
        let change = |message: &str| message.replace("dinner\r\n  ", "dinner");
        assert_eq!(survives("relaxed", change), DkimResult::Fail);
        let change = |message: &str| message.replace("Is dinner", "is dinner");
        assert_eq!(survives("relaxed", change), DkimResult::Fail);
    }

    #[test]
    fn s3_4_3_simple_bodies_may_lose_empty_lines_at_the_end() {
        let more = |message: &str| format!("{message}\r\n\r\n");
        assert_eq!(survives("simple/simple", more), DkimResult::Pass);
        let space = |message: &str| message.replace("Hi.", "Hi. ");
        assert_eq!(survives("simple/simple", space), DkimResult::Fail);
        let space = |message: &str| format!("{message} \r\n");
        assert_eq!(survives("simple/simple", space), DkimResult::Fail);
    }

    #[test]
    fn s3_4_3_a_simple_empty_body_is_crlf_and_s3_4_4_a_relaxed_one_is_empty() {
        let digest = |how| {
            let hash = sender_auth::dkim::BodyHash::new(
                how,
                None,
                sender_auth::crypto::Crypto::sha256(&AwsLc),
            );
            hash.finish()
        };
        let simple = digest(Canonicalization::Simple);
        let relaxed = digest(Canonicalization::Relaxed);
        assert_eq!((simple.canonical_octets, relaxed.canonical_octets), (2, 0));
        // The values that the standard prints.
        let base64 = |digest| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, digest);
        assert_eq!(base64(simple.digest), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
        assert_eq!(base64(relaxed.digest), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn s3_4_4_relaxed_bodies_may_change_white_space() {
        let signed = MESSAGE.replace("Hi.", "a  b\tc");
        let received = MESSAGE.replace("Hi.", "a b \t c \t\r\n \r\n\r\n");
        let tags = format!("{TAGS}; c=simple/relaxed");
        let result = verify_changed(&world(), &tags, &signed, &received);
        assert_eq!(result.reason, Reason::Verified);
        let received = MESSAGE.replace("Hi.", "ab c");
        let result = verify_changed(&world(), &tags, &signed, &received);
        assert_eq!(result.reason, Reason::BodyChanged);
    }
}

mod s3_5_signature {
    use super::*;

    #[test]
    fn s3_5_c_defaults_to_simple_simple_and_one_name_is_the_header() {
        let spaced = MESSAGE.replace("Hi.", "Hi. ");
        let by = |c: &str| verify_changed(&world(), &format!("{TAGS}{c}"), MESSAGE, &spaced).reason;
        assert_eq!(by(""), Reason::BodyChanged);
        assert_eq!(by("; c=relaxed"), Reason::BodyChanged);
        assert_eq!(by("; c=relaxed/relaxed"), Reason::Verified);
    }

    #[test]
    fn s3_5_i_must_be_at_or_below_d() {
        let below = format!("{TAGS}; i=joe@mail.example.com");
        assert_eq!(verify(&world(), &below).reason, Reason::Verified);
        let value = format!("{TAGS}; i=@example.net; bh=AAAA; b=AAAA");
        let result = verify_text(&value);
        assert!(matches!(fault(&result), SignatureFault::IdentityElsewhere { .. }));
        assert_eq!(result.result(), DkimResult::PermError);
    }

    #[test]
    fn s3_5_h_names_that_do_not_exist_are_signed_as_nothing() {
        let tags = TAGS.replace("date", "date:cc:cc:to");
        assert_eq!(verify(&world(), &tags).reason, Reason::Verified);
        let added = MESSAGE.replace("To:", "Cc: other@example.net\r\nTo:");
        let result = verify_changed(&world(), &tags, MESSAGE, &added);
        assert_eq!(result.reason, Reason::SignatureMismatch);
    }

    #[test]
    fn s3_5_h_never_means_the_signature_itself() {
        let tags = TAGS.replace("date", "date:dkim-signature");
        assert_eq!(verify(&world(), &tags).reason, Reason::Verified);
    }

    #[test]
    fn s3_5_l_leaves_the_rest_unsigned_and_says_so() {
        let tags = format!("{TAGS}; l=5");
        let longer = format!("{MESSAGE}Visit http://example.net\r\n");
        let result = verify_changed(&world(), &tags, MESSAGE, &longer);
        assert_eq!((result.reason, result.unsigned_body_octets), (Reason::Verified, 26));
        assert_eq!(verify(&world(), &tags).unsigned_body_octets, 0);
    }

    #[test]
    fn s3_5_l_must_not_be_larger_than_the_body() {
        let tags = format!("{TAGS}; l=6");
        let reason = verify(&world(), &tags).reason;
        assert_eq!(reason, Reason::BodyShorterThanLimit { limit: 6, octets: 5 });
        assert_eq!(reason.result(), DkimResult::Fail);
    }

    #[test]
    fn s3_5_t_in_the_future_is_ignored() {
        let world = world();
        let at = |seconds| verify(&world, &format!("{TAGS}; t={seconds}")).reason;
        assert_eq!(at(world.now.0), Reason::Verified);
        assert_eq!(at(world.now.0 + 86_400), Reason::Verified);
        let late = UnixTime(world.now.0 + 86_401);
        assert_eq!(at(late.0), Reason::FromTheFuture { at: late });
        assert_eq!(Reason::FromTheFuture { at: late }.result(), DkimResult::Neutral);
    }

    #[test]
    fn s3_5_x_in_the_past_has_expired() {
        let world = world();
        let at = |seconds| verify(&world, &format!("{TAGS}; x={seconds}")).reason;
        assert_eq!(at(world.now.0), Reason::Verified);
        let past = UnixTime(world.now.0 - 1);
        assert_eq!(at(past.0), Reason::Expired { at: past });
        assert_eq!(Reason::Expired { at: past }.result(), DkimResult::Fail);
    }

    #[test]
    fn s3_5_x_must_be_later_than_t() {
        let result = verify_text(&format!("{TAGS}; t=2000000000; x=2000000000; bh=AAAA; b=AAAA"));
        assert_eq!(fault(&result), &SignatureFault::ExpiresBeforeItBegins);
    }

    #[test]
    fn s3_5_v_other_than_1_is_not_evaluated() {
        for version in ["v=2", "v=1.0", "v=0.5"] {
            let value = format!("{}; bh=AAAA; b=AAAA", TAGS.replace("v=1", version));
            assert!(matches!(fault(&verify_text(&value)), SignatureFault::Version { .. }));
        }
    }
}

mod s3_6_keys {
    use super::*;

    fn with_record(record: &str) -> Reason {
        verify(&World::default().key(KEY_NAME, record), TAGS).reason
    }

    fn key(failure: KeyFailure) -> Reason {
        Reason::Key(failure)
    }

    #[test]
    fn s3_6_1_defaults_and_unknown_tags() {
        let p = KEY.record().key().unwrap().to_string();
        assert_eq!(with_record(&format!("k=ed25519; p={p}; g=x; zz=1")), Reason::Verified);
        assert_eq!(
            with_record(&format!("k=ed25519; h=x:sha256; s=x:email; t=x; n=a b; p={p};")),
            Reason::Verified
        );
    }

    #[test]
    fn s3_6_1_v_is_first_and_dkim1() {
        let p = KEY.record().key().unwrap().to_string();
        for text in [format!("v=DKIM2; k=ed25519; p={p}"), format!("k=ed25519; v=DKIM1; p={p}")] {
            let reason = with_record(&text);
            assert!(matches!(reason, Reason::Key(KeyFailure::Invalid(_))), "{text}");
            assert_eq!(reason.result(), DkimResult::PermError);
        }
    }

    #[test]
    fn s3_6_1_h_must_allow_the_hash() {
        assert_eq!(with_record(&record("; h=sha1")), key(KeyFailure::HashNotAllowed));
        assert_eq!(with_record(&record("; h=sha1:sha256")), Reason::Verified);
    }

    #[test]
    fn s3_6_1_k_must_be_the_kind_of_the_signature() {
        let rsa = crypto::AwsLcKey::new_rsa().record().to_string();
        let found = sender_auth::crypto::KeyType::Rsa;
        assert_eq!(with_record(&rsa), key(KeyFailure::OtherKeyType { found }));
        let reason = with_record("k=dsa; p=AAAA");
        assert!(matches!(reason, Reason::Key(KeyFailure::Invalid(_))));
    }

    #[test]
    fn s3_6_1_an_empty_p_revokes() {
        let reason = with_record("v=DKIM1; k=ed25519; p=");
        assert_eq!(reason, key(KeyFailure::Revoked));
        assert_eq!(reason.result(), DkimResult::PermError);
    }

    #[test]
    fn s3_6_1_s_binds_to_a_service() {
        assert_eq!(with_record(&record("; s=*")), Reason::Verified);
        assert_eq!(with_record(&record("; s=other:email")), Reason::Verified);
        assert_eq!(with_record(&record("; s=other")), key(KeyFailure::OtherService));
        assert_eq!(with_record(&record("; s=tlsrpt")), key(KeyFailure::OtherService));
        let for_reports = |tag: &str| {
            let world = World::default().key(KEY_NAME, &record(tag));
            verify(&World { service: ServiceType::TlsRpt, ..world }, TAGS).reason
        };
        for tag in ["; s=tlsrpt", "; s=email:tlsrpt", "; s=*", ""] {
            assert_eq!(for_reports(tag), Reason::Verified, "{tag}");
        }
        for tag in ["; s=email", "; s=other"] {
            assert_eq!(for_reports(tag), key(KeyFailure::OtherService), "{tag}");
        }
    }

    #[test]
    fn s3_6_1_t_y_is_told_and_t_s_forbids_subdomains() {
        let testing = verify(&World::default().key(KEY_NAME, &record("; t=y")), TAGS);
        assert_eq!((testing.reason, testing.testing), (Reason::Verified, true));
        let strict = World::default().key(KEY_NAME, &record("; t=y:s"));
        assert_eq!(verify(&strict, TAGS).reason, Reason::Verified);
        assert_eq!(verify(&strict, &format!("{TAGS}; i=x@example.com")).reason, Reason::Verified);
        let below = verify(&strict, &format!("{TAGS}; i=@sub.example.com"));
        assert_eq!(below.reason, key(KeyFailure::Subdomain));
    }

    #[test]
    fn s3_6_2_1_the_key_stands_below_domainkey() {
        let field = sign(TAGS, MESSAGE);
        let (header, _) = read(&above(&[field], MESSAGE.as_bytes()));
        let verifier = Verifier::new(&header, &AwsLc, VerifyLimits::default());
        let questions: Vec<_> = verifier.questions().map(ToString::to_string).collect();
        assert_eq!(questions, ["TXT s._domainkey.example.com"]);
    }

    #[test]
    fn s3_6_2_2_several_records_are_none_whatever_their_order() {
        let (good, other) = (record(""), AwsLcKey::ed25519(&[1; 32]).record().to_string());
        for texts in [[&*good, &*other], [&*other, &*good]] {
            let world = World::default().txt(KEY_NAME, txt(&texts));
            assert_eq!(verify(&world, TAGS).reason, key(KeyFailure::Several { count: 2 }));
        }
        for texts in [[&*good, "v=spf1 -all"], ["some token", &*good]] {
            let world = World::default().txt(KEY_NAME, txt(&texts));
            assert_eq!(verify(&world, TAGS).reason, Reason::Verified);
        }
    }
}

mod s4_several_signatures {
    use super::*;

    #[test]
    fn s4_2_every_signature_has_a_result_of_its_own() {
        let good = sign(TAGS, MESSAGE);
        let bad = sign(TAGS, &MESSAGE.replace("Hi.", "Bye."));
        let unknown = sign(&TAGS.replace("s=s", "s=other"), MESSAGE);
        let message = above(&[bad, unknown, good], MESSAGE.as_bytes());
        let results = world().verify(&AwsLc, &message);
        assert_eq!(words(&results), [DkimResult::Fail, DkimResult::PermError, DkimResult::Pass]);
        assert_eq!(message_result(&results), DkimResult::Pass);
        assert_eq!(message_result(&results[..2]), DkimResult::Fail);
        assert_eq!(message_result(&[]), DkimResult::None);
    }

    #[test]
    fn s6_1_beyond_the_limit_signatures_are_told_and_not_evaluated() {
        let broken = HeaderField::parse(b"DKIM-Signature: v=1").unwrap();
        let mut fields = vec![broken; 30];
        fields.extend(vec![sign(TAGS, MESSAGE); 11]);
        let results = world().verify(&AwsLc, &above(&fields, MESSAGE.as_bytes()));
        assert_eq!(results.len(), 41);
        // What cannot be read costs nothing and does not count.
        assert_eq!(words(&results)[30..40], [DkimResult::Pass; 10]);
        assert_eq!(results[40].reason, Reason::NotEvaluated);
        assert_eq!(results[40].result(), DkimResult::Neutral);
    }

    #[test]
    fn s6_1_a_header_beyond_the_limit_is_not_evaluated() {
        let mut world = world();
        world.limits.header_octets = 200;
        assert_eq!(verify(&world, TAGS).reason, Reason::NotEvaluated);
    }
}

mod s5_signing {
    use super::*;

    fn options() -> SignOptions {
        SignOptions::new(world().now)
    }

    fn signer(message: &str, options: SignOptions) -> Result<Vec<HeaderField>, SignError> {
        let (header, body) = read(message.as_bytes());
        let with = SignWith {
            domain: DomainName::parse("example.com").unwrap(),
            selector: Selector::parse("s").unwrap(),
            key: &*KEY,
        };
        let mut signer = Signer::new(&header, &AwsLc, vec![with], options)?;
        signer.push(&body);
        signer.finish()
    }

    fn names(field: &HeaderField) -> Vec<String> {
        let signature = Signature::parse(field).unwrap();
        signature.signed_fields().map(str::to_lowercase).collect()
    }

    #[test]
    fn s5_3_line_ends_are_crlf_before_signing() {
        let fields = signer(&MESSAGE.replace("\r\n", "\n"), options()).unwrap();
        let results = world().verify(&AwsLc, &above(&fields, MESSAGE.as_bytes()));
        assert_eq!(words(&results), [DkimResult::Pass]);
    }

    #[test]
    fn s5_4_from_is_always_signed() {
        let fields = FieldsToSign::new(["From"], []).unwrap();
        let field = &signer(MESSAGE, SignOptions { fields, ..options() }).unwrap()[0];
        assert_eq!(names(field), ["from", "from"]);
    }

    #[test]
    fn s5_4_1_fields_of_mail_servers_are_not_signed() {
        let message = format!("Return-Path: <a@b.test>\r\nReceived: x\r\n{MESSAGE}");
        let fields = signer(&message, options()).unwrap();
        for name in ["received", "return-path", "dkim-signature", "authentication-results"] {
            assert!(!names(&fields[0]).contains(&name.to_owned()), "{name}");
        }
        // So they may come and go.
        let results = world().verify(&AwsLc, &above(&fields, MESSAGE.as_bytes()));
        assert_eq!(words(&results), [DkimResult::Pass]);
    }

    #[test]
    fn s5_4_2_every_field_is_signed_once_more_than_it_is_there() {
        let message = MESSAGE.replace("To:", "List-Id: <l.example.com>\r\nTo:");
        let names = names(&signer(&message, options()).unwrap()[0]);
        let count = |name: &str| names.iter().filter(|found| *found == name).count();
        for (name, expected) in
            [("from", 2), ("to", 2), ("cc", 1), ("reply-to", 1), ("list-id", 2), ("list-post", 0)]
        {
            assert_eq!(count(name), expected, "{name}");
        }
    }

    #[test]
    fn s5_4_2_names_take_fields_from_the_bottom() {
        let tags = TAGS.replace("to:", "");
        let message = format!("To: upper@example.net\r\n{MESSAGE}");
        let tags = format!("{tags}:to");
        let changed = message.replace("upper", "other");
        let result = verify_changed(&world(), &tags, &message, &changed);
        assert_eq!(result.reason, Reason::Verified);
        assert_eq!(result.unsigned_fields, [Box::from("To")]);
        let changed = message.replace("suzie", "other");
        let result = verify_changed(&world(), &tags, &message, &changed);
        assert_eq!(result.reason, Reason::SignatureMismatch);
    }

    #[test]
    fn s5_4_what_has_no_single_author_is_not_signed() {
        let without = MESSAGE.replace("From:", "X-From:");
        assert_eq!(signer(&without, options()), Err(SignError::NoFrom));
        let twice = format!("from: b@example.com\r\n{MESSAGE}");
        assert_eq!(signer(&twice, options()), Err(SignError::SeveralFrom { count: 2 }));
        let nobody = MESSAGE.replace("Joe <joe@example.com>", "Joe");
        assert_eq!(signer(&nobody, options()), Err(SignError::FromWithoutAddress));
        let many = "Subject: x\r\n".repeat(300) + MESSAGE;
        assert!(matches!(signer(&many, options()), Err(SignError::TooManyFields { .. })));
    }

    #[test]
    fn s5_5_no_signature_limits_the_body_and_x_is_there_on_demand() {
        let field = &signer(MESSAGE, options()).unwrap()[0];
        let signature = Signature::parse(field).unwrap();
        assert_eq!((signature.body_limit, signature.expiration), (None, None));
        assert_eq!(signature.timestamp, Some(world().now));
        assert_eq!(signature.header_canonicalization, Canonicalization::Relaxed);
        assert_eq!(signature.body_canonicalization, Canonicalization::Relaxed);
        let options = SignOptions { lifetime: Some(Duration::from_secs(7)), ..options() };
        let field = &signer(MESSAGE, options).unwrap()[0];
        let expiration = Signature::parse(field).unwrap().expiration;
        assert_eq!(expiration, Some(UnixTime(world().now.0 + 7)));
    }

    #[test]
    fn s5_6_the_field_is_folded_within_78_columns() {
        let field = &signer(MESSAGE, options()).unwrap()[0];
        let text = String::from_utf8(field.octets().to_vec()).unwrap();
        assert!(text.split("\r\n").all(|line| line.len() <= 78), "{text}");
        assert!(text.split("\r\n").skip(1).all(|line| line.starts_with(' ')), "{text}");
    }
}

mod s6_verifying {
    use super::*;

    #[test]
    fn s6_1_1_a_signature_without_from_is_ignored() {
        let value = format!("{}; bh=AAAA; b=AAAA", TAGS.replace("from:", ""));
        let result = verify_text(&value);
        assert_eq!(fault(&result), &SignatureFault::FromNotSigned);
        assert_eq!(result.result(), DkimResult::PermError);
    }

    #[test]
    fn s6_1_2_no_key_is_permanent_and_a_silent_dns_is_not() {
        let reason = verify(&World::default(), TAGS).reason;
        assert_eq!(reason, Reason::Key(KeyFailure::Absent));
        assert_eq!(reason.result(), DkimResult::PermError);
        for failure in [
            DnsFailure::Temporary { detail: "timeout".into() },
            DnsFailure::Bogus { detail: "expired".into() },
            DnsFailure::Permanent { detail: "refused".into() },
        ] {
            let world = World::default().txt(KEY_NAME, Err(failure.clone()));
            let result = verify(&world, TAGS);
            assert_eq!(result.reason, Reason::Key(KeyFailure::Dns(failure)));
            assert_eq!(result.result(), DkimResult::TempError);
            assert_eq!(message_result(&[result]), DkimResult::TempError);
        }
    }

    #[test]
    fn s6_1_2_all_keys_are_asked_for_at_once() {
        let fields =
            ["a", "b", "a"].map(|s| sign(&TAGS.replace("s=s", &format!("s={s}")), MESSAGE));
        let (header, _) = read(&above(&fields, MESSAGE.as_bytes()));
        let hashed = Verifier::new(&header, &AwsLc, VerifyLimits::default()).finish();
        let world = World::default();
        let need = hashed.evaluate(&world.known, &AwsLc, world.service, world.now).unwrap_err();
        assert_eq!(need.to_string(), "TXT a._domainkey.example.com, TXT b._domainkey.example.com");
    }

    #[test]
    fn s6_1_3_a_changed_body_is_told_apart_from_a_changed_header() {
        let by = |received: &str| verify_changed(&world(), TAGS, MESSAGE, received).reason;
        assert_eq!(by(&MESSAGE.replace("Hi.", "Ho.")), Reason::BodyChanged);
        assert_eq!(by(&MESSAGE.replace("joe@", "moe@")), Reason::SignatureMismatch);
        let both = MESSAGE.replace("joe@", "moe@").replace("Hi.", "Ho.");
        assert_eq!(by(&both), Reason::BodyAndSignatureMismatch);
    }

    #[test]
    fn s6_1_3_a_key_that_did_not_sign_does_not_verify() {
        let other = AwsLcKey::ed25519(&[1; 32]).record().to_string();
        let result = verify(&World::default().key(KEY_NAME, &other), TAGS);
        assert_eq!(result.reason, Reason::SignatureMismatch);
    }

    #[test]
    fn s6_2_the_result_has_all_that_is_to_be_communicated() {
        let result = verify(&world(), &format!("{TAGS}; i=joe@mail.example.com; t=5"));
        let signature = result.signature.as_ref().unwrap();
        assert_eq!(result.result().as_str(), "pass");
        assert_eq!(result.domain.as_ref().unwrap().as_str(), "example.com");
        assert_eq!(result.selector.as_ref().unwrap().as_str(), "s");
        assert_eq!(result.key_bits, Some(256));
        assert_eq!(signature.identity.to_string(), "joe@mail.example.com");
        assert_eq!(signature.algorithm.as_str(), "ed25519-sha256");
        assert_eq!(signature.octets().len(), 64);
    }
}

mod s8_security {
    use super::*;

    #[test]
    fn s8_15_a_second_field_that_nobody_signed_is_told() {
        let added = format!("From: Boss <boss@example.org>\r\nsubject: Pay\r\n{MESSAGE}");
        let result = verify_changed(&world(), TAGS, MESSAGE, &added);
        assert_eq!(result.reason, Reason::Verified);
        assert_eq!(result.unsigned_fields, [Box::from("From"), Box::from("Subject")]);
        // Signed once more than it was there, it does not verify.
        let tags = TAGS.replace("h=from", "h=from:from");
        let result = verify_changed(&world(), &tags, MESSAGE, &added);
        assert_eq!(result.reason, Reason::SignatureMismatch);
    }

    #[test]
    fn s8_15_a_message_without_from_has_a_result() {
        let without = MESSAGE.replace("From: Joe <joe@example.com>\r\n", "");
        let result = verify_changed(&world(), TAGS, &without, &without);
        assert_eq!(result.reason, Reason::Verified);
        let result = verify_changed(&world(), TAGS, MESSAGE, &without);
        assert_eq!(result.reason, Reason::SignatureMismatch);
    }
}

mod rfc_8616 {
    use super::*;

    #[test]
    fn rfc8616_s5_names_may_be_u_labels() {
        let tags = TAGS.replace("d=example.com", "d=dané.test").replace("s=s", "s=schlüssel")
            + "; i=jöe@dané.test";
        let name = "xn--schlssel-95a._domainkey.xn--dan-dma.test";
        let result = verify(&World::default().key(name, &record("")), &tags);
        assert_eq!(result.reason, Reason::Verified);
        assert_eq!(result.domain.unwrap().as_str(), "xn--dan-dma.test");
        let identity = result.signature.unwrap().identity.clone();
        assert_eq!(identity.to_string(), "jöe@xn--dan-dma.test");
    }
}

/// Appendix A.2. The standard's print differs from what was signed: the lines were indented less
/// (erratum 4926), and one space stood in the body where two are printed (erratum 3192).
const APPENDIX_A: &str = "\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
";

/// Appendix C.
const APPENDIX_C: &str = "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/D\
    kMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NM\
    qJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";

#[test]
fn appendix_a_verifies() {
    let world = World::default().key("brisbane._domainkey.example.com", APPENDIX_C);
    let by_library = world.verify(&AwsLc, APPENDIX_A.as_bytes());
    assert_eq!(by_library[0].reason, Reason::Verified);
    assert_eq!(by_library, world.verify(&TestVectors, APPENDIX_A.as_bytes()));
    let printed = APPENDIX_A.replace("game. ", "game.  ");
    let by_library = world.verify(&AwsLc, printed.as_bytes());
    assert_eq!(by_library[0].reason, Reason::BodyChanged);
    assert_eq!(by_library, world.verify(&TestVectors, printed.as_bytes()));
}
