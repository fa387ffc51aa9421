//! `dns plan`: what there should be beside what there is, and how it is printed.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;

use mta_sts::PolicyId;
use proptest::prelude::*;
use rollout::plan::{
    Declared, Endpoint, Existing, HostTlsa, Issuer, Kind, PolicyHost, Rdata, ReportUris, Service,
    Weight, When, ZoneRecord, plan, questions,
};
use rollout::tlsa::{Chain, KeyDigest};
use smtp_types::{DnsFailure, DnsName, DomainName, EmailAddress, Mx};
use tlsrpt::ReportUri;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn declared() -> Declared {
    let uri = ReportUri::parse("mailto:tls@example.com").unwrap();
    let tlsa = Chain::of_keys([KeyDigest([1; 32]), KeyDigest([2; 32])]);
    let endpoint = |port| vec![Endpoint { host: name("mail.example.com"), port }];
    Declared {
        domain: name("example.com"),
        mx: vec![Mx { preference: 10, exchange: Some(name("mx.example.com").into()) }],
        policy_host: Some(PolicyHost::Addresses(["192.0.2.1".parse().unwrap()].into())),
        policy_id: PolicyId::parse("20270115080000Z"),
        reports: ReportUris::new(vec![uri]),
        tlsa: vec![HostTlsa {
            host: name("mx.example.com"),
            port: 25,
            records: tlsa.records().collect(),
        }],
        services: [(Service::Imaps, endpoint(993)), (Service::Submissions, endpoint(465))].into(),
        issuers: vec![Issuer { domain: name("ca.test"), account_uri: None }],
        dkim: [(name("s1._domainkey.example.com"), "v=DKIM1; k=rsa; p=AAAA".into())].into(),
        dmarc_reports: EmailAddress::parse("dmarc@example.com").ok(),
        ttl: 3_600,
        tlsa_ttl: 600,
    }
}

/// What the authoritative servers of an empty zone say.
fn empty(declared: &Declared) -> Existing {
    let mut existing = Existing::default();
    for (name, kind) in questions(declared).unwrap() {
        existing.add(name, kind, Ok([]));
    }
    existing
}

fn with(name_text: &str, records: &[Rdata]) -> Existing {
    let mut existing = empty(&declared());
    let kind = records[0].kind();
    existing.add(name(name_text).into(), kind, Ok(records.iter().cloned()));
    existing
}

/// The lines of a plan at one name, with their signs.
fn lines(existing: &Existing, at: &str) -> Vec<String> {
    let entries = plan(&declared(), existing).unwrap();
    let all = entries
        .iter()
        .flat_map(|entry| entry.change.to_string().lines().map(str::to_owned).collect::<Vec<_>>());
    all.filter(|line| line[2..].starts_with(&format!("{at}. "))).collect()
}

#[test]
fn an_empty_zone_gets_everything_in_order() {
    let declared = declared();
    let entries = plan(&declared, &empty(&declared)).unwrap();
    let printed: String = entries.iter().map(|entry| format!("{}\n", entry.change)).collect();
    let ones = "01".repeat(32);
    let twos = "02".repeat(32);
    let expected = format!(
        "+ mta-sts.example.com. 3600 IN A 192.0.2.1\n\
         + mta-sts.example.com. 3600 IN CAA 0 issue \"ca.test\"\n\
         + _smtp._tls.example.com. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:tls@example.com\"\n\
         + _25._tcp.mx.example.com. 600 IN TLSA 3 1 1 {ones}\n\
         + _25._tcp.mx.example.com. 600 IN TLSA 3 1 1 {twos}\n\
         + _smtp._tls.mx.example.com. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:tls@example.com\"\n\
         + _submissions._tcp.example.com. 3600 IN SRV 0 1 465 mail.example.com.\n\
         + _imaps._tcp.example.com. 3600 IN SRV 0 1 993 mail.example.com.\n\
         + _pop3s._tcp.example.com. 3600 IN SRV 0 0 0 .\n\
         + _submission._tcp.example.com. 3600 IN SRV 0 0 0 .\n\
         + _imap._tcp.example.com. 3600 IN SRV 0 0 0 .\n\
         + _pop3._tcp.example.com. 3600 IN SRV 0 0 0 .\n\
         + s1._domainkey.example.com. 3600 IN TXT \"v=DKIM1; k=rsa; p=AAAA\"\n\
         + example.com. 3600 IN TXT \"v=spf1 mx ~all\"\n\
         + _dmarc.example.com. 3600 IN TXT \"v=DMARC1; p=none; rua=mailto:dmarc@example.com\"\n\
         + _mta-sts.example.com. 3600 IN TXT \"v=STSv1; id=20270115080000Z;\"\n\
         + example.com. 3600 IN MX 10 mx.example.com.\n"
    );
    assert_eq!(printed, expected);
    assert!(entries.iter().all(|entry| !entry.why.as_str().is_empty()));
}

#[test]
fn what_is_published_as_planned_is_kept() {
    let declared = declared();
    let mut zone: BTreeMap<(DnsName, Kind), Vec<Rdata>> = BTreeMap::new();
    for entry in plan(&declared, &empty(&declared)).unwrap() {
        if let rollout::plan::Change::Add(ZoneRecord { name, rdata, .. }) = entry.change {
            zone.entry((name, rdata.kind())).or_default().push(rdata);
        }
    }
    let mut existing = empty(&declared);
    for ((name, kind), records) in zone {
        existing.add(name, kind, Ok(records));
    }
    let entries = plan(&declared, &existing).unwrap();
    assert!(entries.iter().all(|entry| entry.change.as_str() == "keep"), "{entries:#?}");
}

#[test]
fn s8_1_the_policy_record_comes_after_the_policy() {
    let entries = plan(&declared(), &empty(&declared())).unwrap();
    let after: Vec<_> = entries.iter().filter(|entry| entry.when != When::AtOnce).collect();
    assert_eq!(after.len(), 2);
    assert_eq!(after[0].when, When::AfterPolicyIsServed);
    assert_eq!(after[1].when, When::AfterPoliciesAllowHosts);
}

#[test]
fn s8_3_without_a_policy_the_record_goes_when_caches_are_empty() {
    let mut declared = declared();
    declared.policy_id = None;
    let mut existing = empty(&declared);
    let record = Rdata::txt("v=STSv1; id=1;");
    existing.add(name("_mta-sts.example.com").into(), Kind::Txt, Ok([record]));
    let entries = plan(&declared, &existing).unwrap();
    let gone = entries.iter().find(|entry| entry.change.as_str() == "remove").unwrap();
    assert_eq!(gone.when, When::AfterCachesAreEmpty);
    assert_eq!(gone.change.to_string(), "- _mta-sts.example.com. 3600 IN TXT \"v=STSv1; id=1;\"");
}

#[test]
fn only_texts_of_the_same_version_are_ours() {
    let other = Rdata::txt("google-site-verification=x");
    let table = [
        (
            vec![other.clone()],
            vec!["+ _mta-sts.example.com. 3600 IN TXT \"v=STSv1; id=20270115080000Z;\""],
        ),
        (
            vec![other, Rdata::txt("v=STSv1; id=1")],
            vec![
                "- _mta-sts.example.com. 3600 IN TXT \"v=STSv1; id=1\"",
                "+ _mta-sts.example.com. 3600 IN TXT \"v=STSv1; id=20270115080000Z;\"",
            ],
        ),
        (
            vec![Rdata::txt("v=STSv1; id=1"), Rdata::txt("v=STSv1; id=20270115080000Z;")],
            vec![
                "- _mta-sts.example.com. 3600 IN TXT \"v=STSv1; id=1\"",
                "  _mta-sts.example.com. 3600 IN TXT \"v=STSv1; id=20270115080000Z;\"",
            ],
        ),
    ];
    for (records, expected) in table {
        let existing = with("_mta-sts.example.com", &records);
        assert_eq!(lines(&existing, "_mta-sts.example.com"), expected);
    }
}

#[test]
fn suggestions_never_replace_anything() {
    let existing = with("example.com", &[Rdata::txt("v=spf1 -all"), Rdata::txt("other")]);
    let expected = [
        "  example.com. 3600 IN TXT \"v=spf1 -all\"",
        "+ example.com. 3600 IN MX 10 mx.example.com.",
    ];
    assert_eq!(lines(&existing, "example.com"), expected);
    let existing = with("_dmarc.example.com", &[Rdata::txt("v=DMARC1; p=reject")]);
    assert_eq!(
        lines(&existing, "_dmarc.example.com"),
        ["  _dmarc.example.com. 3600 IN TXT \"v=DMARC1; p=reject\""]
    );
    let entries = plan(&declared(), &empty(&declared())).unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.weight == Weight::Suggested).count(), 4);
}

#[test]
fn an_alias_is_alone_at_its_name() {
    let mut declared = declared();
    declared.policy_host = Some(PolicyHost::Alias(name("sts.hoster.example")));
    let mut existing = empty(&declared);
    let address = Rdata::A("192.0.2.9".parse().unwrap());
    existing.add(name("mta-sts.example.com").into(), Kind::A, Ok([address]));
    let entries = plan(&declared, &existing).unwrap();
    let printed: Vec<String> =
        entries.iter().take(2).map(|entry| entry.change.to_string()).collect();
    assert_eq!(
        printed,
        [
            "- mta-sts.example.com. 3600 IN A 192.0.2.9",
            "+ mta-sts.example.com. 3600 IN CNAME sts.hoster.example."
        ]
    );
}

#[test]
fn issuers_are_added_only_if_they_may_not_issue_yet() {
    let at = "mta-sts.example.com";
    let sign = |value: &str| {
        let value = value.as_bytes().into();
        let present = Rdata::Caa { flags: 0, tag: "issue".into(), value };
        let all = lines(&with(at, &[present]), at);
        all.into_iter().find(|line| line.contains("CAA")).unwrap()[..1].to_owned()
    };
    assert_eq!(sign("ca.test"), " ");
    assert_eq!(sign("other.test"), "+");
    assert_eq!(sign("ca.test; validationmethods=dns-01"), "+");
}

#[test]
fn what_could_not_be_looked_up_is_not_touched() {
    let failure = || DnsFailure::Temporary { detail: "timeout".into() };
    let mut existing = empty(&declared());
    existing.add(name("_mta-sts.example.com").into(), Kind::Txt, Err::<[Rdata; 0], _>(failure()));
    assert_eq!(
        lines(&existing, "_mta-sts.example.com"),
        ["? _mta-sts.example.com. 3600 IN TXT \"v=STSv1; id=20270115080000Z;\""]
    );
    let entries = plan(&declared(), &Existing::default()).unwrap();
    assert!(entries.iter().all(|entry| entry.change.as_str() == "unknown"));
}

#[test]
fn a_domain_that_is_too_long_has_no_plan() {
    let mut declared = declared();
    declared.domain = name(&format!("{}test", format!("{}.", "a".repeat(60)).repeat(4)));
    assert!(plan(&declared, &Existing::default()).is_err());
    assert!(questions(&declared).is_err());
}

/// Reads the strings of a TXT line as RFC 1035 §5.1 has it.
#[expect(clippy::panic, reason = "a test may fail loudly")]
fn read_strings(text: &str) -> Vec<Vec<u8>> {
    let mut strings = Vec::new();
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b' ' => continue,
            b'"' => strings.push(Vec::new()),
            other => panic!("{other}"),
        }
        loop {
            let string = strings.last_mut().unwrap();
            match octets.next().unwrap() {
                b'"' => break,
                b'\\' => match octets.next().unwrap() {
                    digit @ b'0'..=b'9' => {
                        let digits = [digit, octets.next().unwrap(), octets.next().unwrap()];
                        string.push(std::str::from_utf8(&digits).unwrap().parse().unwrap());
                    }
                    other => string.push(other),
                },
                other => string.push(other),
            }
        }
    }
    strings
}

proptest! {
    /// Whatever a text holds, its line is one line of printable ASCII, its strings have at most 255
    /// octets, and joined they are the text.
    #[test]
    fn texts_are_printed_so_that_they_can_be_read(text in prop::collection::vec(any::<u8>(), 0..700)) {
        let printed = Rdata::Txt(text.clone().into()).to_string();
        prop_assert!(printed.bytes().all(|octet| matches!(octet, b' '..=b'~')));
        let strings = read_strings(&printed);
        prop_assert!(strings.iter().all(|string| string.len() <= 255) && !strings.is_empty());
        prop_assert_eq!(strings.concat(), text);
    }

    /// A plan never touches a text of somebody else, and what it adds it does not find missing again.
    #[test]
    fn carried_out_a_plan_is_done(texts in prop::collection::vec("(v=STSv1; id=[a-z]{1,3}|v=spf1 [a-z]{0,4}|[a-z]{1,9})", 0..5)) {
        let at = name("_mta-sts.example.com");
        let found: Vec<Rdata> = texts.iter().map(|text| Rdata::txt(text)).collect();
        let mut existing = empty(&declared());
        existing.add(at.clone().into(), Kind::Txt, Ok(found.clone()));
        let mut after: Vec<Rdata> = found;
        for entry in plan(&declared(), &existing).unwrap() {
            match entry.change {
                rollout::plan::Change::Add(record) if record.name == at => after.push(record.rdata),
                rollout::plan::Change::Remove(record) if record.name == at => after.retain(|one| *one != record.rdata),
                rollout::plan::Change::Replace { before, after: record } if record.name == at => {
                    after.retain(|one| !before.contains(one));
                    after.push(record.rdata);
                }
                _ => {}
            }
        }
        for text in texts.iter().filter(|text| !text.starts_with("v=STSv1;")) {
            prop_assert!(after.contains(&Rdata::txt(text)));
        }
        existing.add(at.clone().into(), Kind::Txt, Ok(after));
        let entries = plan(&declared(), &existing).unwrap();
        let done = entries.iter().all(|entry| !entry.change.to_string().contains(" _mta-sts.") || entry.change.as_str() == "keep");
        prop_assert!(done);
    }
}
