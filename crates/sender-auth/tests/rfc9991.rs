//! RFC 9991 for whoever writes failure reports, clause by clause, with RFC 6591, 5965 and 6590 that
//! it rests on. Each name carries the section; without an RFC in front it is one of RFC 9991.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use sender_auth::crypto::{
    Crypto, Digest, KeyType, RsaPublicKey, Sha256, SigningFailed, SigningKey,
};
use sender_auth::report::*;
use sender_auth::{Header, HeaderField};
use sha2::Digest as _;
use smtp_types::{DnsName, DomainName, EmailAddress, UnixTime};

/// 2026-11-21 19:30 UTC.
const NOW: UnixTime = UnixTime(1_795_289_400);

struct HashOnly;

struct Hash(sha2::Sha256);

impl Sha256 for Hash {
    fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

struct NoKey;

impl SigningKey for NoKey {
    fn key_type(&self) -> KeyType {
        KeyType::Ed25519
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        Err(SigningFailed)
    }
}

impl Crypto for HashOnly {
    type Sha256 = Hash;
    type SigningKey = NoKey;

    fn sha256(&self) -> Hash {
        Hash(sha2::Sha256::new())
    }

    fn verify_rsa_sha256(&self, _: RsaPublicKey<'_>, _: &[u8], _: &[u8]) -> bool {
        false
    }

    fn verify_ed25519(&self, _: &[u8; 32], _: &[u8], _: &[u8]) -> bool {
        false
    }
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn notice() -> Text {
    Text::parse("contract of 1 January with the owners of the domains").unwrap()
}

const FAILED: &str = "r1 exact 192.0.2.1 mail.example.com forged.test - reject fail fail - \
                      other.test/k/pass,example.com/s1/fail forged.test/softfail";

const HEADER: [&str; 12] = [
    "Return-Path: <jane.doe@example.com>",
    "Received: from x by y for <bob@victim.test>; Sat, 21 Nov 2026 19:30:00 +0000",
    "Authentication-Results: y; dkim=fail header.i=jane.doe@example.com",
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=example.com; s=s1;\r\n \
     i=jane.doe@example.com; h=from:to:subject; z=Subject:secret=20plan; bh=Ym9keQ==; b=c2ln",
    "From: \"Doe, Jane\" <jane.doe@example.com>",
    "To: Bob <bob@victim.test>",
    "Cc: carol@victim.test",
    "Subject: secret plan",
    "Date: Sat, 21 Nov 2026 19:30:00 +0100 (Jane's clock)",
    "Message-ID: <jane.doe.17@example.com>",
    "List-Id: Bob's secret list <plans.victim.test>",
    "X-Mailer: Jane's mailer",
];

/// A report about a row, with all that can be in it.
fn report_of(row: &str) -> String {
    report_about(row, &HEADER, "jane.doe@forged.test")
}

fn report_about(row: &str, header: &[&str], mail_from: &str) -> String {
    let header: Header =
        header.iter().map(|field| HeaderField::parse(field.as_bytes()).unwrap()).collect();
    let mail_from = (!mail_from.is_empty()).then(|| address(mail_from));
    let report = FailureReport {
        permit: &Permit::grant(Profile::Own, Some(&notice())).unwrap(),
        letter: Letter {
            from: &address("dmarc@mx.example.net"),
            to: &address("ruf@example.com"),
            date: NOW,
            message_id: &ReportId::parse("f.17").unwrap(),
        },
        user_agent: &Remark::parse("Waxseal/0.1").unwrap(),
        authserv_id: &name("mx.example.net"),
        policy_domain: &name("example.com"),
        row: &Row::from_line(row).unwrap(),
        arrival: NOW,
        mail_from: mail_from.as_ref(),
        delivery: DeliveryResult::Reject,
        incidents: 3,
        spf_records: &[SpfRecord {
            domain: &DnsName::parse("forged.test").unwrap(),
            text: "v=spf1 exp=\"\\ä\r\n-all",
        }],
        header: &header,
        key: &RedactionKey::new(b"0123456789abcdef").unwrap(),
    };
    String::from_utf8(report.write(&HashOnly)).unwrap()
}

fn has(report: &str, lines: &[&str]) {
    for line in lines {
        assert!(report.contains(&format!("\r\n{line}\r\n")), "{line} in {report}");
    }
}

#[test]
fn s2_a_report_of_a_public_suffix_is_never_wanted() {
    let policy = PolicyPublished::new(name("example.com"), Policy::Reject);
    let row = Row::from_line(FAILED).unwrap();
    assert!(wants_failure_report(&policy, Publisher::Organization, &row));
    assert!(!wants_failure_report(&policy, Publisher::PublicSuffix, &row));
}

#[test]
fn s2_failure_options_say_when_a_report_is_wanted() {
    let spf_only = FAILED.replace("fail fail", "fail pass");
    let passed = "r1 exact 192.0.2.1 example.com example.com - none pass pass - \
                  example.com/s/pass example.com/pass";
    let unaligned = "r1 exact 192.0.2.1 example.com a.test - none pass fail - \
                     example.com/s/pass a.test/pass";
    for (options, row, wanted) in [
        ("-", FAILED, true),
        ("0", FAILED, true),
        ("-", &spf_only, false),
        ("1", &spf_only, true),
        ("d", &spf_only, true),
        ("s", &spf_only, true),
        ("1", passed, false),
        ("0:1:d:s", passed, false),
        ("0:d:s", unaligned, false),
        ("1", unaligned, true),
    ] {
        let line = format!("p1 example.com reject - - r r treewalk {options} n");
        let policy = PolicyPublished::from_line(&line).unwrap();
        let row = Row::from_line(row).unwrap();
        let found = wants_failure_report(&policy, Publisher::Organization, &row);
        assert_eq!(found, wanted, "{options} {}", row.to_line());
    }
}

#[test]
fn s2_consumers_are_not_flooded() {
    let mut incidents = Incidents::new(Budget::default());
    let mut sent = 0;
    for n in (0..86_400_u32).step_by(10) {
        let row = Row::new((0x0a00_0000 + n * 300).to_be_bytes().into(), name("example.com"));
        let now = UnixTime(NOW.0 + u64::from(n));
        let admission = incidents.admit(Incident::of(&row), &address("ruf@example.com"), now);
        sent += u32::from(admission != Admission::Hold);
    }
    assert_eq!(sent, 50);
}

#[test]
fn s4_identity_alignment_names_what_failed() {
    for (dkim, spf, named) in [
        ("fail", "fail", "dkim, spf"),
        ("fail", "pass", "dkim"),
        ("pass", "fail", "spf"),
        ("pass", "pass", "none"),
    ] {
        let row = FAILED.replace("fail fail", &format!("{dkim} {spf}"));
        let line = format!("Identity-Alignment: {named}");
        has(&report_of(&row), &[&line, "Auth-Failure: dmarc"]);
    }
}

#[test]
fn s4_dkim_fields_are_there_if_dkim_failed_for_the_aligned_domain() {
    let fields = ["DKIM-Domain: example.com", "DKIM-Identity: @example.com", "DKIM-Selector: s1"];
    has(&report_of(FAILED), &fields);
    for row in [
        FAILED.replace("fail fail", "pass fail"),
        FAILED.replace(",example.com/s1/fail", ""),
        FAILED.replace("example.com/s1/fail", "notexample.com/s1/fail"),
    ] {
        assert!(!report_of(&row).contains("DKIM-Domain"), "{row}");
    }
}

#[test]
fn s4_spf_dns_is_there_if_spf_failed() {
    let line = "SPF-DNS: txt : forged.test : \"v=spf1 exp=\\\"\\\\???-all\"";
    has(&report_of(FAILED), &[line]);
    assert!(!report_of(&FAILED.replace("fail fail", "fail pass")).contains("SPF-DNS"));
}

#[test]
fn s7_it_is_off_without_a_notice_and_impossible_in_the_bsi_profile() {
    assert_eq!(Permit::grant(Profile::Bsi, Some(&notice())), Err(NotPermitted::BsiProfile));
    assert_eq!(Permit::grant(Profile::Bsi, None), Err(NotPermitted::BsiProfile));
    assert_eq!(Permit::grant(Profile::Own, None), Err(NotPermitted::NoNotice));
    assert!(Permit::grant(Profile::Own, Some(&notice())).is_ok());
    assert!(report_of(FAILED).contains(notice().as_str()));
}

#[test]
fn s7_nothing_names_a_person() {
    let report = report_of(FAILED).to_lowercase();
    for secret in
        ["jane", "doe", "bob", "carol", "victim", "secret", "plan", "ym9keq", "c2ln", "clock"]
    {
        assert!(!report.contains(secret), "{secret} in {report}");
    }
}

#[test]
fn s7_hostile_headers_leave_no_trace_either() {
    let header = [
        "From: =?utf-8?q?jane?= <\"jane doe\"@example.com>, (jane@example.com) jane@example.com",
        "From: jane@example.com\r\n\tjane@example.com",
        "Date: Sat, 21 Nov 2026 jane",
        "Message-ID: jane@jane.test",
        "DKIM-Signature: d=jane; d =example.com; s=(jane); h=jane@example.com; jane",
        "DKIM-Signature: v=1; z=jane",
    ];
    let report = report_about(FAILED, &header, "jane@forged.test");
    let told = report.split("text/rfc822-headers\r\n\r\n").nth(1).unwrap();
    // A domain in `d` is told; whoever puts a name there has signed with it.
    assert_eq!(told.replace("d=jane", "").matches("jane").count(), 0, "{told}");
    assert!(report.is_ascii());
}

#[test]
fn rfc_5965_s2_the_message_is_a_report_in_three_parts() {
    let report = report_of(FAILED);
    let (header, body) = report.split_once("\r\n\r\n").unwrap();
    assert!(header.contains(
        "Content-Type: multipart/report; report-type=feedback-report;\r\n boundary=\"=_failure\""
    ));
    let types: Vec<_> = body.lines().filter(|line| line.starts_with("Content-Type")).collect();
    assert_eq!(
        types,
        [
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: message/feedback-report",
            "Content-Type: text/rfc822-headers",
        ]
    );
    assert_eq!(body.matches("\r\n--=_failure\r\n").count() + 1, 3);
    assert!(body.starts_with("--=_failure\r\n") && body.ends_with("\r\n--=_failure--\r\n"));
    assert!(!report.replace("\r\n", "").contains(['\r', '\n']), "a bare line end");
}

#[test]
fn rfc_5965_s3_1_required_fields_are_there_once() {
    let report = report_of(FAILED);
    has(&report, &["Feedback-Type: auth-failure", "Version: 1", "User-Agent: Waxseal/0.1"]);
    for field in ["Feedback-Type:", "\r\nVersion:", "User-Agent:", "Auth-Failure:", "Incidents:"] {
        assert_eq!(report.matches(field).count(), 1, "{field}");
    }
}

#[test]
fn rfc_6591_s3_2_fields_of_authentication_failures() {
    let report = report_of(FAILED);
    has(
        &report,
        &[
            "Authentication-Results: mx.example.net; dmarc=fail header.from=mail.example.com; \
             spf=softfail smtp.mailfrom=forged.test; dkim=pass header.d=other.test header.s=k; \
             dkim=fail header.d=example.com header.s=s1",
            "Delivery-Result: reject",
            "Arrival-Date: Sat, 21 Nov 2026 19:30:00 +0000",
            "Source-IP: 192.0.2.1",
            "Reported-Domain: mail.example.com",
            "Incidents: 3",
        ],
    );
    assert!(!report.contains("Original-Rcpt-To"));
    assert!(!report_about(FAILED, &[], "").contains("Original-Mail-From"));
}

#[test]
fn rfc_6590_s2_one_address_has_one_pseudonym() {
    let report = report_of(FAILED);
    let from = |report: &str| {
        let line = report.split("\r\n").find(|line| line.starts_with("From: <")).unwrap();
        line.to_owned()
    };
    let second = report.split("text/rfc822-headers").nth(1).unwrap();
    let again = report_of(&FAILED.replace("192.0.2.1", "192.0.2.2"));
    let again = again.split("text/rfc822-headers").nth(1).unwrap();
    assert_eq!(from(second), from(again));
    assert!(from(second).ends_with("@example.com>"));
    assert_eq!(from(second).len(), "From: <@example.com>".len() + 32);
}

#[test]
fn rfc_5322_s2_1_1_lines_stay_short() {
    let label = "a".repeat(61);
    let long = [&*label, &label, &label, &label].join(".");
    let signatures: Vec<_> =
        (0..100).map(|n| format!("{long}/s{n}.{label}.{label}.{label}/fail")).collect();
    let row = format!(
        "r1 exact 192.0.2.1 mail.example.com - - reject fail fail - {} {long}/fail",
        signatures.join(",")
    );
    let report = report_of(&row);
    let longest = report.split("\r\n").map(str::len).max().unwrap();
    assert!(longest <= 998, "{longest}");
    assert_eq!(report.matches("dkim=fail").count(), 10);
}
