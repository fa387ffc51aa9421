//! Records of RFC 7489 are understood: what a domain has published since 2015 goes on working, and
//! what RFC 9989 has taken out (Appendix C.5.2, C.4) does no harm.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use sender_auth::dmarc::{
    DmarcResult, Identities, Policy, Record, ReportTarget, evaluate, lint_record,
};
use smtp_types::{DnsAnswer, Dnssec, DomainName, Known, RecordData, Severity};

fn record(text: &str) -> Record {
    Record::parse(text.as_bytes()).unwrap()
}

fn remarks(text: &str) -> Vec<&'static str> {
    let findings = lint_record(text.as_bytes()).into_iter();
    let kept = findings.filter(|finding| finding.severity == Severity::Warning);
    kept.map(|finding| finding.code).collect()
}

/// What is asked for a message of `good.test` that fails.
fn disposition(text: &str) -> (DmarcResult, Policy) {
    let domain = DomainName::parse("good.test").unwrap();
    let mut known = Known::default();
    loop {
        let need = match evaluate(&known, &domain, &Identities::default()) {
            Ok(evaluation) => return (evaluation.result, evaluation.disposition()),
            Err(need) => need,
        };
        for question in need.dns {
            let is_ours = question.name.as_str() == "_dmarc.good.test";
            let text = is_ours.then(|| RecordData::Txt(text.as_bytes().into()));
            let answer = DnsAnswer {
                dnssec: Dnssec::Insecure,
                canonical_name: question.name.clone(),
                name_exists: is_ours,
                records: text.into_iter().collect(),
                ttl: 300,
            };
            known.add_dns(question, Ok(answer));
        }
    }
}

#[test]
fn s6_3_the_example_of_a_record() {
    let text = "v=DMARC1; p=reject; sp=quarantine; adkim=r; aspf=s; fo=1; pct=100; rf=afrf; \
                ri=86400; rua=mailto:dmarc@good.test!10m; ruf=mailto:dmarc@good.test!10m";
    let record = record(text);
    assert_eq!((record.p(), record.sp()), (Some(Policy::Reject), Some(Policy::Quarantine)));
    assert_eq!(record.rua()[0].as_str(), "mailto:dmarc@good.test");
    assert_eq!(
        remarks(text),
        [
            "dmarc-sp-weaker",
            "dmarc-tag-obsolete",
            "dmarc-tag-obsolete",
            "dmarc-tag-obsolete",
            "dmarc-uri-size",
            "dmarc-ruf",
            "dmarc-uri-size",
        ]
    );
}

#[test]
fn s6_3_pct_has_no_effect() {
    for pct in ["0", "50", "100", "x", ""] {
        let text = format!("v=DMARC1; p=reject; pct={pct}");
        assert_eq!(disposition(&text), (DmarcResult::Fail, Policy::Reject), "{pct}");
    }
}

#[test]
fn s6_3_rf_and_ri_have_no_effect() {
    for tags in ["rf=afrf", "rf=iodef", "ri=3600", "ri=x", "rf=afrf; rf=afrf"] {
        let text = format!("v=DMARC1; p=quarantine; {tags}");
        assert_eq!(record(&text), record("v=DMARC1; p=quarantine"), "{tags}");
    }
}

#[test]
fn s6_2_sizes_are_passed_over() {
    for size in ["!1", "!10k", "!10M", "!1g", "!1t"] {
        let record = record(&format!("v=DMARC1; p=none; rua=mailto:a@good.test{size}"));
        assert!(matches!(record.rua()[0].target(), ReportTarget::Mailbox(_)), "{size}");
    }
    // What is no size is no URI either: an exclamation point must be encoded.
    for size in ["!", "!m", "!10x", "!10mb", "!-1"] {
        let record = record(&format!("v=DMARC1; p=none; rua=mailto:a@good.test{size}"));
        assert_eq!(record.rua(), [], "{size}");
    }
}

#[test]
fn s6_3_p_need_not_come_second_any_more() {
    let text = "v=DMARC1; rua=mailto:a@good.test; p=reject";
    assert_eq!(disposition(text), (DmarcResult::Fail, Policy::Reject));
    assert!(lint_record(text.as_bytes()).iter().any(|one| one.code == "dmarc-p-not-first"));
}

#[test]
fn s6_6_3_no_valid_p_but_a_place_for_reports_is_none() {
    let text = "v=DMARC1; p=monitor; rua=mailto:a@good.test";
    assert_eq!(disposition(text), (DmarcResult::Fail, Policy::None));
    assert_eq!(disposition("v=DMARC1; p=monitor"), (DmarcResult::None, Policy::None));
}

#[test]
fn s6_4_white_space_as_in_the_wild() {
    for text in ["v=DMARC1;p=reject", "v=DMARC1;  p=reject;  ", "v=DMARC1 ; p = reject"] {
        assert_eq!(disposition(text), (DmarcResult::Fail, Policy::Reject), "{text:?}");
    }
}
