//! RFC 9990 for whoever writes aggregate reports, clause by clause, with RFC 7489's form where it
//! differs. Each name carries the section; lay the file beside the standard and tick off.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod report_xml;

use report_xml::{Element, check, read, rfc7489, rfc9990, word_fits};
use sender_auth::report::*;
use smtp_types::{DnsName, DomainName, EmailAddress, UnixTime};

/// 2026-11-21 19:30 UTC.
const NOW: UnixTime = UnixTime(1_795_289_400);

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn text(text: &str) -> Text {
    Text::parse(text).unwrap()
}

fn metadata() -> Metadata {
    Metadata {
        org_name: text("Receiver & Söhne <GmbH>"),
        email: EmailAddress::parse("dmarc@mx.example.net").unwrap(),
        extra_contact_info: None,
        report_id: ReportId::parse("20261121.example.com.a@mx.example.net").unwrap(),
        errors: Vec::new(),
        generator: None,
    }
}

fn policy() -> PolicyPublished {
    PolicyPublished::new(name("example.com"), Policy::Reject)
}

/// The report about rows, given as lines of the store.
fn report_of(policy: &PolicyPublished, lines: &[&str]) -> Report {
    let mut seen = Accumulation::new(Limits::default());
    for line in lines {
        let row = Row::from_line(line).unwrap();
        let seen_policy = PolicySeen { at: NOW, policy: policy.clone() };
        seen.add(Day::of(NOW), seen_policy, row, Tally { messages: 3, triggers: 1 });
    }
    seen.groups().next().unwrap().to_report(metadata())
}

fn valid(report: &Report, schema: Schema) -> Element {
    let feedback = read(&write_xml(report, schema)).unwrap();
    let old = schema == Schema::Rfc7489;
    let table = if old { rfc7489() } else { rfc9990() };
    check(&feedback, "", &table, &|path, text| word_fits(path, text, old));
    feedback
}

fn both(report: &Report) -> (Element, Element) {
    (valid(report, Schema::Rfc9990), valid(report, Schema::Rfc7489))
}

const ROW: &str = "r1 exact 192.0.2.1 example.com example.com - pass pass fail - \
                   example.com/s1/pass example.com/fail";

#[test]
fn s3_1_a_report_is_about_one_domain_and_one_day() {
    let mut seen = Accumulation::new(Limits::default());
    for (domain, at) in [("example.com", 0), ("bar.example.com", 0), ("example.com", 86_400)] {
        seen.observe(Observation {
            at: UnixTime(NOW.0 + at),
            policy: PolicyPublished::new(name(domain), Policy::None),
            row: Row::new("192.0.2.1".parse().unwrap(), name(domain)),
            trigger: Trigger::Counts,
        });
    }
    let groups: Vec<String> =
        seen.groups().map(|group| format!("{} {}", group.day(), group.domain())).collect();
    assert_eq!(
        groups,
        ["20261121 bar.example.com", "20261121 example.com", "20261122 example.com"]
    );
}

#[test]
fn s3_1_of_several_configurations_the_last_is_noted() {
    let mut seen = Accumulation::new(Limits::default());
    for (at, p) in [(2, Policy::Quarantine), (3, Policy::Reject), (1, Policy::None)] {
        let policy = PolicyPublished::new(name("example.com"), p);
        let seen_policy = PolicySeen { at: UnixTime(NOW.0 + at), policy };
        let row = Row::from_line(ROW).unwrap();
        seen.add(Day::of(NOW), seen_policy, row, Tally { messages: 1, triggers: 1 });
    }
    let report = seen.groups().next().unwrap().to_report(metadata());
    assert_eq!((report.policy.p, report.messages()), (Policy::Reject, 3));
}

#[test]
fn s3_1_counts_are_of_all_messages_also_of_blocked_ones() {
    let mut seen = Accumulation::new(Limits::default());
    for (trigger, count) in [
        (Trigger::Counts, 2),
        (Trigger::Optional(Unwanted::Spam), 5),
        (Trigger::Never(Untold::OwnReport), 7),
    ] {
        for _ in 0..count {
            let row = Row::from_line(ROW).unwrap();
            seen.observe(Observation { at: NOW, policy: policy(), row, trigger });
        }
    }
    let report = seen.groups().next().unwrap().to_report(metadata());
    assert_eq!(valid(&report, Schema::Rfc9990).at("record/row/count"), Some("7"));
}

#[test]
fn s3_1_1_1_the_root_has_the_namespace_and_that_of_rfc_7489_has_none() {
    let (new, old) = both(&report_of(&policy(), &[ROW]));
    assert_eq!(new.namespace.as_deref(), Some("urn:ietf:params:xml:ns:dmarc-2.0"));
    assert_eq!(old.namespace, None);
    assert_eq!((new.name.as_str(), old.name.as_str()), ("feedback", "feedback"));
}

#[test]
fn s3_1_1_2_first_level_elements_stand_in_order_and_the_version_is_1_0() {
    let (new, old) = both(&report_of(&policy(), &[ROW, &ROW.replace("192.0.2.1", "2001:db8::1")]));
    let names: Vec<_> = new.children.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(names, ["version", "report_metadata", "policy_published", "record", "record"]);
    assert_eq!((new.at("version"), old.at("version")), (Some("1.0"), Some("1.0")));
}

#[test]
fn s3_1_1_3_metadata() {
    let mut report = report_of(&policy(), &[ROW]);
    report.metadata.extra_contact_info = Some(text("https://example.net/?a&b"));
    report.metadata.generator = Some(text("Waxseal 0.1"));
    let remark = |text| Remark::parse(text).unwrap();
    report.metadata.errors = vec![remark("two records"), remark("rua: no URI")];
    let (new, old) = both(&report);
    for (name, value) in [
        ("org_name", "Receiver & Söhne <GmbH>"),
        ("email", "dmarc@mx.example.net"),
        ("extra_contact_info", "https://example.net/?a&b"),
        ("report_id", "20261121.example.com.a@mx.example.net"),
    ] {
        let path = format!("report_metadata/{name}");
        assert_eq!((new.at(&path), old.at(&path)), (Some(value), Some(value)));
    }
    assert_eq!(new.at("report_metadata/generator"), Some("Waxseal 0.1"));
    // There is one error only; RFC 7489 has any number of them.
    assert_eq!(new.at("report_metadata/error"), Some("two records; rua: no URI"));
    let errors = old.find("report_metadata").unwrap().all("error");
    assert_eq!(errors.count(), 2);
}

#[test]
fn s3_1_1_4_the_period_is_a_day_in_utc_and_periods_do_not_overlap() {
    let (new, old) = both(&report_of(&policy(), &[ROW]));
    for feedback in [new, old] {
        assert_eq!(feedback.at("report_metadata/date_range/begin"), Some("1795219200"));
        assert_eq!(feedback.at("report_metadata/date_range/end"), Some("1795305599"));
    }
}

#[test]
fn s3_1_1_5_the_policy_that_was_published() {
    let mut all = policy();
    (all.sp, all.np) = (Some(Policy::Quarantine), Some(Policy::None));
    (all.adkim, all.testing) = (AlignmentMode::Strict, Testing::Yes);
    all.fo = [FailureOption::Spf, FailureOption::Any].into();
    let (new, old) = both(&report_of(&all, &[ROW]));
    let published: Vec<_> = new.find("policy_published").unwrap().children.iter().collect();
    let published: Vec<_> =
        published.iter().map(|child| format!("{}={}", child.name, child.text)).collect();
    assert_eq!(
        published.join(" "),
        "domain=example.com p=reject sp=quarantine np=none adkim=s aspf=r \
         discovery_method=treewalk fo=1:s testing=y"
    );
    assert_eq!(old.at("policy_published/pct"), Some("0"));
    assert_eq!(old.at("policy_published/fo"), Some("1:s"));

    let (new, old) = both(&report_of(&policy(), &[ROW]));
    for absent in ["sp", "np", "fo"] {
        assert_eq!(new.at(&format!("policy_published/{absent}")), None);
    }
    assert_eq!(new.at("policy_published/testing"), Some("n"));
    // RFC 7489 wants all of them.
    assert_eq!(old.at("policy_published/sp"), Some("reject"));
    assert_eq!(old.at("policy_published/pct"), Some("100"));
    assert_eq!(old.at("policy_published/fo"), Some("0"));
}

#[test]
fn s3_1_1_7_equal_messages_are_one_record() {
    let other = ROW.replace("s1/pass", "s2/pass");
    let report = report_of(&policy(), &[ROW, ROW, &other]);
    let counts: Vec<_> = report.records.iter().map(|record| record.count).collect();
    assert_eq!(counts, [6, 3]);
}

#[test]
fn s3_1_1_8_the_address_is_written_as_the_schema_wants_it() {
    for (address, written) in [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::1", "::1"),
        ("::", "::"),
        ("::192.0.2.1", "::c000:201"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
    ] {
        let row = Row::new(address.parse().unwrap(), name("example.com"));
        let report = report_of(&policy(), &[&row.to_line()]);
        let feedback = valid(&report, Schema::Rfc9990);
        assert_eq!(feedback.at("record/row/source_ip"), Some(written));
    }
}

#[test]
fn s3_1_1_9_an_override_of_failing_mail_has_a_reason() {
    let without = "r1 exact 192.0.2.1 example.com - - none fail fail - - -";
    let (new, old) = both(&report_of(&policy(), &[without]));
    for feedback in [new, old] {
        assert_eq!(feedback.at("record/row/policy_evaluated/reason/type"), Some("other"));
    }
    let applied = "r1 exact 192.0.2.1 example.com - - reject fail fail - - -";
    let (new, _) = both(&report_of(&policy(), &[applied]));
    assert_eq!(new.find("record/row/policy_evaluated/reason"), None);
}

#[test]
fn s3_1_1_9_pass_is_a_disposition_of_its_own_and_none_in_rfc_7489() {
    let (new, old) = both(&report_of(&policy(), &[ROW]));
    assert_eq!(new.at("record/row/policy_evaluated/disposition"), Some("pass"));
    assert_eq!(old.at("record/row/policy_evaluated/disposition"), Some("none"));
}

#[test]
fn s3_1_1_10_identifiers_are_domains_and_a_null_return_path_is_empty() {
    let line = "r1 exact 192.0.2.1 mail.example.com - rcpt.test none fail fail other - -";
    let (new, old) = both(&report_of(&policy(), &[line]));
    for feedback in [new, old] {
        assert_eq!(feedback.at("record/identifiers/header_from"), Some("mail.example.com"));
        assert_eq!(feedback.at("record/identifiers/envelope_from"), Some(""));
        assert_eq!(feedback.at("record/identifiers/envelope_to"), Some("rcpt.test"));
    }
    // Withheld by default.
    let (new, _) = both(&report_of(&policy(), &[ROW]));
    assert_eq!(new.find("record/identifiers/envelope_to"), None);
}

#[test]
fn s3_1_1_11_spf_may_be_missing_and_rfc_7489_cannot_do_without() {
    let line = "r1 exact 192.0.2.1 example.com - - none fail fail other - -";
    let (new, old) = both(&report_of(&policy(), &[line]));
    assert_eq!(new.find("record/auth_results").unwrap().children, []);
    assert_eq!(old.at("record/auth_results/spf/domain"), Some("example.com"));
    assert_eq!(old.at("record/auth_results/spf/result"), Some("none"));
}

#[test]
fn s3_1_1_12_every_signature_has_its_selector_and_result() {
    let words = DkimResult::ALL.iter().map(|result| format!("d.test/s/{result}"));
    let line = format!(
        "r1 exact 192.0.2.1 example.com - - none fail fail other {} -",
        words.collect::<Vec<_>>().join(",")
    );
    let (new, _) = both(&report_of(&policy(), &[&line]));
    let auth_results = new.find("record/auth_results").unwrap();
    let results: Vec<_> = auth_results.all("dkim").map(|dkim| dkim.at("result").unwrap()).collect();
    let expected = ["none", "pass", "fail", "policy", "neutral", "temperror", "permerror"];
    assert_eq!(results, expected);
    assert!(auth_results.all("dkim").all(|dkim| dkim.at("selector") == Some("s")));
}

#[test]
fn s3_1_1_13_the_scope_of_spf_is_mfrom() {
    for result in SpfResult::ALL {
        let line = format!(
            "r1 exact 192.0.2.1 example.com - - none fail fail other - h.test/{result}/why"
        );
        let (new, old) = both(&report_of(&policy(), &[&line]));
        assert_eq!(new.at("record/auth_results/spf/scope"), Some("mfrom"));
        assert_eq!(new.at("record/auth_results/spf/result"), Some(result.as_str()));
        assert_eq!(new.at("record/auth_results/spf/human_result"), Some("why"));
        assert_eq!(old.at("record/auth_results/spf/human_result"), None);
    }
}

#[test]
fn s3_1_2_each_from_domain_has_its_own_record() {
    let foo = ROW.replace("192.0.2.1 example.com", "192.0.2.1 foo.example.com");
    let report = report_of(&policy(), &[ROW, &foo]);
    let feedback = valid(&report, Schema::Rfc9990);
    let domains: Vec<_> =
        feedback.all("record").map(|one| one.at("identifiers/header_from").unwrap()).collect();
    assert_eq!(domains, ["example.com", "foo.example.com"]);
}

#[test]
fn s3_1_3_at_most_100_signatures_the_best_first() {
    let signature = |n: usize, result, alignment| Signature {
        auth: DkimAuth {
            domain: DnsName::parse(&format!("d{n}.test")).unwrap(),
            selector: DnsName::parse("s").unwrap(),
            result,
            human_result: None,
        },
        alignment,
    };
    let bad = (0..200).map(|n| signature(n, DkimResult::Fail, SignatureAlignment::Strict));
    let mut row = Row::from_line(ROW).unwrap();
    row.auth_results.dkim = Signatures::new(bad.chain([
        signature(901, DkimResult::Pass, SignatureAlignment::None),
        signature(902, DkimResult::Pass, SignatureAlignment::Relaxed),
        signature(903, DkimResult::Pass, SignatureAlignment::Strict),
    ]));
    let feedback = valid(&report_of(&policy(), &[&row.to_line()]), Schema::Rfc9990);
    let all: Vec<_> = feedback.find("record/auth_results").unwrap().all("dkim").collect();
    assert_eq!(all.len(), 100);
    let first: Vec<_> = all.iter().take(4).map(|dkim| dkim.at("domain").unwrap()).collect();
    assert_eq!(first, ["d903.test", "d902.test", "d901.test", "d0.test"]);
}

#[test]
fn s3_1_4_the_unique_id_is_the_report_id_or_is_not_there() {
    let mut report = report_of(&policy(), &[ROW]);
    let receiver = name("mail.receiver.example");
    let expected = "mail.receiver.example!example.com!1795219200!1795305599.xml.gz";
    assert_eq!(file_name(&report, &receiver), expected);
    report.metadata.report_id = ReportId::parse("3v98abbp8ya9n3va8yr8oa3ya").unwrap();
    assert_eq!(
        file_name(&report, &receiver),
        "mail.receiver.example!example.com!1795219200!1795305599!3v98abbp8ya9n3va8yr8oa3ya.xml.gz"
    );
}

#[test]
fn s3_1_5_rows_that_were_made_coarser_are_told_as_an_error() {
    let mut seen = Accumulation::new(Limits::new(256, usize::MAX));
    for last in 0..=299_u32 {
        let row = Row::new((0xc000_0200 + last).to_be_bytes().into(), name("example.com"));
        let seen_policy = PolicySeen { at: NOW, policy: policy() };
        seen.add(Day::of(NOW), seen_policy, row, Tally { messages: 2, triggers: 1 });
    }
    let report = seen.groups().next().unwrap().to_report(metadata());
    assert_eq!((report.records.len(), report.messages()), (2, 600));
    let error = valid(&report, Schema::Rfc9990);
    let error = error.at("report_metadata/error").unwrap();
    assert!(error.contains("networks (/24, /48)"), "{error}");
}

#[test]
fn s3_1_6_every_reason_has_a_word_in_both_forms() {
    for kind in ReasonType::ALL {
        let line = format!("r1 exact 192.0.2.1 example.com - - none fail fail {kind}/why - -");
        let (new, old) = both(&report_of(&policy(), &[&line]));
        let reason = |feedback: &Element| {
            let reason = feedback.find("record/row/policy_evaluated/reason").unwrap();
            format!("{} {}", reason.at("type").unwrap(), reason.at("comment").unwrap())
        };
        assert_eq!(reason(&new), format!("{kind} why"));
        match kind {
            ReasonType::PolicyTestMode => assert_eq!(reason(&old), "other policy_test_mode"),
            _ => assert_eq!(reason(&old), reason(&new)),
        }
    }
}

#[test]
fn s3_5_1_the_report_id_is_a_dot_atom_with_or_without_a_domain() {
    for good in ["a", "20261121.example.com.a@mx.example.net", "x+y@z"] {
        assert!(ReportId::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "a b", "a@b@c", "<a@b>", ".a", "a@", "a\"b"] {
        assert!(ReportId::parse(bad).is_err(), "{bad}");
    }
}

fn mail_of(report: &Report, gzipped: &[u8]) -> String {
    let to = EmailAddress::parse("rua@example.com").unwrap();
    let mail = AggregateMail {
        letter: Letter {
            from: &report.metadata.email,
            to: &to,
            date: NOW,
            message_id: &report.metadata.report_id,
        },
        submitter: &name("mx.example.net"),
        report,
        gzipped,
        notice: None,
    };
    String::from_utf8(mail.write(DEFAULT_MAIL_OCTETS).unwrap()).unwrap()
}

#[test]
fn s3_5_2_the_subject_names_domain_submitter_and_report() {
    let report = report_of(&policy(), &[ROW]);
    assert_eq!(
        subject(&report, &name("mx.example.net")).replace("\r\n ", " "),
        "Report Domain: example.com Submitter: mx.example.net \
         Report-ID: <20261121.example.com.a@mx.example.net>"
    );
}

#[test]
fn s3_5_2_the_mail_is_mime_with_a_gzip_attachment() {
    let mut report = report_of(&policy(), &[ROW]);
    report.metadata.org_name = text("Receiver");
    let mail = mail_of(&report, b"\x1f\x8b0123456789");
    let (header, body) = mail.split_once("\r\n\r\n").unwrap();
    for field in [
        "From: <dmarc@mx.example.net>\r\n",
        "To: <rua@example.com>\r\n",
        "Date: Sat, 21 Nov 2026 19:30:00 +0000\r\n",
        "Message-ID:\r\n <20261121.example.com.a@mx.example.net>\r\n",
        "Subject: Report Domain: example.com\r\n",
        "MIME-Version: 1.0\r\n",
        "Content-Type: multipart/mixed; boundary=",
    ] {
        assert!(header.contains(field), "{field}");
    }
    for part in [
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n",
        "Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n",
        "filename=\"mx.example.net!example.com!1795219200!1795305599.xml.gz\"\r\n\r\nH4swMTIz",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
    assert!(mail.ends_with("\r\n--=_report--\r\n"));
    assert!(mail.is_ascii());
    assert!(!mail.replace("\r\n", "").contains(['\r', '\n']), "a bare line end");
}

#[test]
fn s3_5_2_lines_stay_short_for_the_longest_names() {
    let long = vec!["a".repeat(49); 5].join(".");
    let mut report = report_of(&PolicyPublished::new(name(&long), Policy::None), &[ROW]);
    report.metadata.report_id =
        ReportId::of_day(report.day, &name(&long), "node1", &name(&long)).unwrap();
    report.metadata.org_name = text(&"ö".repeat(500));
    let mail = mail_of(&report, &[0; 10_000]);
    let longest = mail.split("\r\n").map(str::len).max().unwrap();
    assert!(longest <= 998, "{longest}");
}

#[test]
fn s3_5_2_a_mail_that_is_too_large_is_not_made() {
    let report = report_of(&policy(), &[ROW]);
    let to = EmailAddress::parse("rua@example.com").unwrap();
    let id = ReportId::parse("a").unwrap();
    let letter = Letter { from: &report.metadata.email, to: &to, date: NOW, message_id: &id };
    let gzipped = vec![7; 100_000];
    let submitter = name("mx.example.net");
    let mail = AggregateMail {
        letter,
        submitter: &submitter,
        report: &report,
        gzipped: &gzipped,
        notice: None,
    };
    let octets = mail.write(usize::MAX).unwrap().len();
    assert_eq!(mail.write(octets).unwrap().len(), octets);
    let error = mail.write(octets - 1).unwrap_err();
    assert_eq!(error, MailTooLarge { octets, limit: octets - 1 });
    // The Message-ID has a right half in any case.
    let text = String::from_utf8(mail.write(octets).unwrap()).unwrap();
    assert!(text.contains("Message-ID:\r\n <a@mx.example.net>\r\n"));
}

#[test]
fn s3_5_2_nobody_answers_it_and_it_arrives_although_tls_is_broken() {
    let mail = mail_of(&report_of(&policy(), &[ROW]), b"");
    assert!(mail.contains("\r\nAuto-Submitted: auto-generated\r\n")); // RFC 3834 §5
    assert!(mail.contains("\r\nTLS-Required: No\r\n")); // RFC 8689 §3
}

#[test]
fn s7_2_purpose_and_ground_are_said_and_nobody_is_named() {
    let mut report = report_of(&policy(), &[ROW]);
    report.metadata.org_name = text("Receiver");
    let mail = mail_of(&report, b"");
    for said in ["Purpose:", "may be used for no other", "GDPR", "It names no recipients"] {
        assert!(mail.contains(said), "{said}");
    }
    let switched_on = ROW.replace("example.com - pass", "example.com rcpt.test pass");
    let mut report = report_of(&policy(), &[&switched_on]);
    report.metadata.org_name = text("Receiver");
    assert!(mail_of(&report, b"").contains("It names the domains of recipients"));
}

#[test]
fn s8_what_a_sender_writes_cannot_leave_its_element() {
    let line = "r1 exact 192.0.2.1 example.com - - none fail fail other/%3C%2Fcomment%3E%3Cx%3E \
                %3C%21--%26.test/%5D%5D%3E/fail %22%27.test/fail";
    let (new, old) = both(&report_of(&policy(), &[line]));
    for feedback in [new, old] {
        assert_eq!(feedback.at("record/auth_results/dkim/domain"), Some("<!--&.test"));
        assert_eq!(feedback.at("record/auth_results/dkim/selector"), Some("]]>"));
        assert_eq!(feedback.at("record/auth_results/spf/domain"), Some("\"'.test"));
        let comment = feedback.at("record/row/policy_evaluated/reason/comment");
        assert_eq!(comment, Some("</comment><x>"));
    }
}
