//! What a report says of a message, as the line that the store keeps.

use sender_auth::crypto::Crypto;
use sender_auth::report::guard::{Client, Outcome};
use sender_auth::report::{Evidence, Untold, Unwanted};
use sender_auth::{HeaderField, Incoming, Limits, spf};
use smtp_types::{DnsAnswer, Dnssec, Known, RecordData};

use super::*;
use crate::crypto::AwsLc;
use crate::gate::decide::{Asked, Local, Voucher};

const NOW: UnixTime = UnixTime(1_800_000_000);

/// The results for a message from 192.0.2.1, with these texts in the DNS.
fn authenticate(header: &Header, mail_from: &str, texts: &[(&str, &str)]) -> Authentication {
    let crypto = AwsLc::new();
    let _ = crypto.sha256();
    let received = Incoming::new(header, &crypto, &Limits::default()).finish();
    let address = "192.0.2.1".parse().unwrap();
    let client = spf::Client { ip: address, helo: "client.test", mail_from };
    let receiver = spf::Receiver { host_name: "", now: NOW };
    let mut known = Known::default();
    loop {
        let limits = Limits::default();
        let evaluated = received.evaluate(&known, &crypto, Some(client), &receiver, &limits);
        let need = match evaluated {
            Ok(authentication) => return authentication,
            Err(need) => need,
        };
        for question in need.dns {
            let found = texts.iter().filter(|(name, _)| question.name.as_str() == *name);
            let records: Vec<_> =
                found.map(|(_, text)| RecordData::Txt(text.as_bytes().into())).collect();
            let answer = DnsAnswer {
                dnssec: Dnssec::Insecure,
                canonical_name: question.name.clone(),
                name_exists: true,
                records,
                ttl: 300,
            };
            known.add_dns(question, Ok(answer));
        }
    }
}

fn header(fields: &[&str]) -> Header {
    fields.iter().map(|field| HeaderField::parse(field.as_bytes()).unwrap()).collect()
}

/// One message: its return path, the record of a.test, and what was done with it.
struct Case {
    mail_from: &'static str,
    record: &'static str,
    decision: Decision,
    looks: Looks,
    outcome: Outcome,
    header: Vec<&'static str>,
}

impl Case {
    /// Forged: SPF says nothing good about a.test.
    fn forged(record: &'static str, action: Action, reason: Why) -> Self {
        Self {
            mail_from: "x@evil.test",
            record,
            decision: Decision { action, reason },
            looks: Looks::Unknown { evidence: [].into() },
            outcome: Outcome::Accepted,
            header: vec!["From: <joe@a.test>"],
        }
    }

    /// Rows and triggers.
    fn seen(&self) -> Vec<(String, Trigger)> {
        let header = header(&self.header);
        let texts = [
            ("_dmarc.a.test", self.record),
            ("_dmarc.b.test", "v=DMARC1; p=none; rua=mailto:rua@b.test"),
            ("a.test", "v=spf1 ip4:192.0.2.1 -all"),
            ("evil.test", "v=spf1 ?all"),
        ];
        let authentication = authenticate(&header, self.mail_from, &texts);
        let judged = Judged {
            at: NOW,
            address: "192.0.2.1".parse().unwrap(),
            client: Client::Other,
            mail_from: self.mail_from.as_bytes(),
            recipients: &[b"jane@us.test"],
            header: &header,
            authentication: &authentication,
            looks: &self.looks,
            decision: &self.decision,
            outcome: self.outcome,
        };
        let seen = judged.seen(&ReportAddresses::default());
        seen.iter().map(|seen| (seen.observation.row.to_line(), seen.observation.trigger)).collect()
    }

    /// The one row, up to the reasons.
    fn check(&self, expected: &str) {
        let seen = self.seen();
        assert_eq!(seen.len(), 1);
        let line = &seen[0].0;
        assert!(line.contains(expected), "{line}\n{expected}");
    }
}

const REJECT: &str = "v=DMARC1; p=reject; rua=mailto:rua@a.test";

#[test]
fn a_message_that_passes() {
    let passed = |record| Case {
        mail_from: "joe@a.test",
        ..Case::forged(record, Action::Accept, Why::Passed)
    };
    let line = "r1 exact 192.0.2.1 a.test a.test - pass fail pass - - a.test/pass";
    assert_eq!(passed(REJECT).seen(), [(line.to_owned(), Trigger::Counts)]);
    // Nothing would have been done anyway.
    passed("v=DMARC1; p=none; rua=mailto:rua@a.test").check(" - none fail pass - - ");
    passed("v=DMARC1; p=quarantine; t=y; rua=mailto:rua@a.test").check(" - none fail pass - - ");
    let spam = Case { outcome: Outcome::RefusedAsSpam, ..passed(REJECT) };
    assert_eq!(spam.seen()[0].1, Trigger::Optional(Unwanted::Spam));
}

#[test]
fn what_was_done_and_why() {
    use Action::{Accept, Quarantine, Reject};
    let local = |comment: &str| Why::Local(Local { action: Accept, comment: comment.to_owned() });
    let voucher = || {
        let sealer = DomainName::parse("lists.test").unwrap();
        Why::Vouched(Voucher { sealer, comment: "our lists".to_owned() })
    };
    let asked = Why::Asked;
    let forged = |action, reason| Case::forged(REJECT, action, reason);
    forged(Reject, asked(Asked::Reject))
        .check(" evil.test - reject fail fail - - evil.test/neutral");
    // Another line of the operator's table.
    forged(Quarantine, asked(Asked::Reject)).check(" - quarantine fail fail local_policy - ");
    // What the operator has written for himself is not told.
    forged(Accept, local("Ticket 4711 of jane")).check(" none fail fail local_policy/override - ");
    forged(Accept, voucher()).check(" - none fail fail trusted_forwarder - ");
    let listed = Looks::Forwarded {
        evidence: [
            Evidence::ListFields,
            Evidence::TrustedArc { sealer: DomainName::parse("lists.test").unwrap() },
        ]
        .into(),
    };
    let case = Case { looks: listed, ..forged(Accept, voucher()) };
    case.check(" - none fail fail mailing_list/forwarded%3A%20trusted-arc - ");
    forged(Reject, Why::SeveralAuthors).check(" reject fail fail local_policy/several%20authors");
    // A policy that is only tested.
    let tested = "v=DMARC1; p=reject; t=y; rua=mailto:rua@a.test";
    Case::forged(tested, Quarantine, asked(Asked::Quarantine))
        .check(" - quarantine fail fail policy_test_mode - ");
}

#[test]
fn what_is_not_told() {
    let deferred = Case::forged(REJECT, Action::Defer, Why::Temperror);
    assert_eq!(deferred.seen(), [], "it comes again");
    for silent in ["v=DMARC1; p=reject", "v=DMARC1; p=reject; rua=https://a.test/"] {
        let case = Case::forged(silent, Action::Reject, Why::Asked(Asked::Reject));
        assert_eq!(case.seen()[0].1, Trigger::Never(Untold::NotAskedFor));
    }
    let unknown = Case::forged("v=spf1", Action::Accept, Why::NoPolicy);
    assert_eq!(unknown.seen(), []);
}

#[test]
fn every_author_is_told() {
    let several = Case {
        header: vec!["From: <joe@a.test>, <jim@b.test>"],
        ..Case::forged(REJECT, Action::Reject, Why::SeveralAuthors)
    };
    let seen = several.seen();
    assert!(seen[0].0.contains(" a.test evil.test - reject fail fail local_policy/several%20auth"));
    assert!(seen[1].0.contains(" b.test evil.test - reject fail fail local_policy/several%20auth"));
    assert!(seen.iter().all(|(_, trigger)| *trigger == Trigger::Optional(Unwanted::Stranger)));
}

#[test]
fn signatures_with_domain_and_selector() {
    let signed = Case {
        header: vec![
            "DKIM-Signature: v=1; a=rsa-sha256; d=a.test; s=s1; h=from; bh=AAAA; b=AAAA",
            "DKIM-Signature: v=1; a=rsa-sha256; d=a.test; h=from; bh=AAAA; b=AAAA",
            "From: <joe@a.test>",
        ],
        ..Case::forged(REJECT, Action::Reject, Why::Asked(Asked::Reject))
    };
    let line = signed.seen()[0].0.clone();
    assert!(line.contains(" - a.test/s1/"), "{line}");
    assert_eq!(line.matches("a.test/").count(), 1, "{line}");
}

#[test]
fn addresses_that_cannot_be_read_are_those_of_somebody() {
    for (octets, expected) in [
        (&b""[..], None),
        (b"a@b.test", Some("a@b.test")),
        (b"\"a b\"@b.test", Some("unreadable@b.test")),
        (b"a@[192.0.2.1]", Some("unreadable@unreadable.invalid")),
        (b"\xff@\xff", Some("unreadable@unreadable.invalid")),
        (b"no at", Some("unreadable@unreadable.invalid")),
    ] {
        assert_eq!(address(octets).map(|found| found.to_string()).as_deref(), expected);
    }
}
