//! The mail with a report (RFC 8460 §5.3).

use sender_auth::dmarc::DmarcResult;
use smtp_types::EmailAddress;
use tlsrpt::{FileName, Subject, is_report_content_type, personal_data};
use waxseal::report::ReportCount;

use crate::dns::Dns;
use crate::mail_server::Reply;
use crate::node::{Mail, NOW, Node, authenticate, cut, signatures};
use crate::sessions::{Sessions, ask, count, end_day, good, json_of, night_after, outcome, read};

fn some() -> Sessions {
    let record = Some("v=TLSRPTv1; rua=mailto:old@a.test".into());
    Sessions { successes: 5, failures: 2, record, reason: Some("certificate_has_expired") }
}

#[tokio::test(flavor = "multi_thread")]
async fn s5_3_the_mail_is_signed_and_read_back() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    ask(&dns, "a.test", "mailto:rua@a.test");
    count(&node, NOW, "a.test", some()).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    assert_eq!(end_day(&node, NOW).await, 0, "once");
    let night = night_after(NOW);
    assert_eq!(node.reporter.deliver_due(night).await.unwrap(), 1);
    let mail = node.mail_server.taken().remove(0);
    assert_eq!(mail.to, "rua@a.test");
    assert!(mail.from.starts_with("dmarc+") && mail.from.ends_with("@us.test"), "{}", mail.from);

    let (header, _) = cut(&mail.message);
    let field = |name: &str| {
        let mut found = header.named(name);
        let value = found.next().unwrap_or_else(|| panic!("no {name}")).value();
        assert!(found.next().is_none(), "two {name}");
        String::from_utf8_lossy(value).trim().to_owned()
    };
    let report = read(&json_of(&mail.message));
    assert_eq!(field("TLS-Report-Domain"), "a.test");
    assert_eq!(field("TLS-Report-Submitter"), "us.test");
    assert_eq!(field("TLS-Required"), "No");
    assert_eq!(field("Auto-Submitted"), "auto-generated");
    assert_eq!(field("To"), "<rua@a.test>");
    assert!(field("Date").contains("2027"), "{}", field("Date"));
    assert_eq!(field("Message-ID"), format!("<{}>", report.id));
    assert!(is_report_content_type(&field("Content-Type")), "{}", field("Content-Type"));
    let subject = Subject::parse(&field("Subject")).unwrap();
    assert_eq!((subject.domain.as_str(), subject.submitter.as_str()), ("a.test", "us.test"));
    assert_eq!(subject.report_id, report.id);

    let text = String::from_utf8(mail.message.clone()).unwrap();
    assert!(text.lines().all(|line| line.len() <= 998));
    assert!(text.contains("\r\nContent-Type: application/tlsrpt+gzip\r\n"), "{text}");
    let file = text.split("filename=\"").nth(1).unwrap().split('"').next().unwrap();
    let file = FileName::parse(file).unwrap();
    assert_eq!((file.submitter.as_str(), file.domain.as_str()), ("us.test", "a.test"));
    assert_eq!(file.period, report.period);
    assert!(text.contains("It serves one purpose"), "{text}");

    assert_eq!(report.organization.as_deref(), Some("Example <&> Receiver"));
    assert_eq!(report.contact.as_deref(), Some("dmarc@us.test"));
    assert_eq!((report.totals().successes, report.totals().failures), (5, 2));
    assert_eq!(report.policies[0].details[0].sessions, 2);

    // RSA and Ed25519, and they cover what tells the report apart (RFC 8460 §5.3), all of the body.
    let incoming = Mail::new(night, &mail.from, &mail.message);
    let (_, got) = authenticate(&node.observer, &incoming, "192.0.2.1".parse().unwrap()).await;
    assert_eq!(got.dmarc.result, DmarcResult::Pass);
    assert_eq!(signatures(&got), [("us.test".into(), true), ("us.test".into(), true)]);
    for signature in header.named("DKIM-Signature") {
        let signature = String::from_utf8_lossy(signature.value()).to_ascii_lowercase();
        let signature: String = signature.split_whitespace().collect();
        assert!(signature.contains(":tls-report-domain"), "{signature}");
        assert!(signature.contains(":tls-report-submitter"), "{signature}");
        assert!(!signature.contains(";l="), "{signature}");
    }
}

/// RFC 8460 §8, S4-20.
#[tokio::test(flavor = "multi_thread")]
async fn s8_nothing_personal_goes_out() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    ask(&dns, "a.test", "mailto:rua@a.test");
    count(&node, NOW, "a.test", some()).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    node.reporter.deliver_due(night_after(NOW)).await.unwrap();
    let mail = node.mail_server.taken().remove(0);
    let json = json_of(&mail.message);
    let id = read(&json).id;
    assert_eq!(personal_data(&json, &["dmarc@us.test", &id], &["jane", "joe", "rua"]), []);
}

/// Receivers must ignore it (RFC 8460 §3), so it is not sent.
#[tokio::test(flavor = "multi_thread")]
async fn s3_unsigned_never() {
    let dns = Dns::start();
    let node = Node::with("us.test", &dns, |settings| {
        settings.author.from = EmailAddress::parse("dmarc@without-keys.test").unwrap();
    });
    ask(&dns, "a.test", "mailto:rua@a.test");
    count(&node, NOW, "a.test", some()).await;
    let mut now = night_after(NOW);
    for _ in 0..30 {
        assert_eq!(node.reporter.make_due(now).await.unwrap(), 0);
        now.0 += 3600;
    }
    assert_eq!(outcome(&node, NOW, "a.test").as_deref(), Some("unsigned"));
    assert_eq!(node.letters(), []);
}

/// Keys that come within a day are in time.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_waited_for() {
    let dns = Dns::start();
    let node = Node::with("us.test", &dns, |settings| {
        settings.author.from = EmailAddress::parse("dmarc@without-keys.test").unwrap();
    });
    ask(&dns, "a.test", "mailto:rua@a.test");
    count(&node, NOW, "a.test", some()).await;
    assert_eq!(end_day(&node, NOW).await, 0);
    let mut node = node;
    node.settings.author.from = EmailAddress::parse("dmarc@us.test").unwrap();
    let node = node.restart();
    let mut later = night_after(NOW);
    later.0 += 3600;
    assert_eq!(node.reporter.make_due(later).await.unwrap(), 1);
}

/// RFC 8460 §5.3: the submitter is the domain of the contact, and must be the one that signs.
#[tokio::test(flavor = "multi_thread")]
async fn s5_3_the_submitter_is_the_domain_that_signs() {
    let dns = Dns::start();
    let node = Node::with("us.test", &dns, |settings| {
        settings.author.contact = EmailAddress::parse("help@elsewhere.test").unwrap();
    });
    ask(&dns, "a.test", "mailto:rua@a.test");
    count(&node, NOW, "a.test", some()).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    node.reporter.deliver_due(night_after(NOW)).await.unwrap();
    let mail = node.mail_server.taken().remove(0);
    assert_eq!(read(&json_of(&mail.message)).contact.as_deref(), Some("dmarc@us.test"));
}

/// Several places get it, each in a message with a name of its own; one host gets it once.
#[tokio::test(flavor = "multi_thread")]
async fn s3_each_place_gets_it() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    ask(&dns, "a.test", "mailto:rua@a.test,mailto:in@watch.test,mailto:two@a.test");
    count(&node, NOW, "a.test", good(3)).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    assert_eq!(node.reporter.deliver_due(night_after(NOW)).await.unwrap(), 2);
    let mut taken = node.mail_server.taken();
    taken.sort_by(|one, other| one.to.cmp(&other.to));
    assert_eq!(
        taken.iter().map(|one| &*one.to).collect::<Vec<_>>(),
        ["in@watch.test", "rua@a.test"]
    );
    let json: Vec<_> = taken.iter().map(|one| json_of(&one.message)).collect();
    assert_eq!(json[0], json[1]);
    let ids: Vec<_> = taken
        .iter()
        .map(|one| cut(&one.message).0.named("Message-ID").next().unwrap().value().to_vec())
        .collect();
    assert_ne!(ids[0], ids[1]);
}

/// The same address may get a report of each kind about the same domain and day.
#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_go_to_one_address() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    crate::node::publish(&dns, "a.test", "v=DMARC1; p=none; rua=mailto:rua@a.test");
    ask(&dns, "a.test", "mailto:rua@a.test");
    node.receive_good(NOW, "a.test", 1).await;
    count(&node, NOW, "a.test", good(3)).await;
    assert_eq!(end_day(&node, NOW).await, 2);
    assert_eq!(node.reporter.deliver_due(night_after(NOW)).await.unwrap(), 2);
    assert_eq!(node.letters().len(), 2);
}

/// RFC 8460 §5.5: the same octets each time, for a day.
#[tokio::test(flavor = "multi_thread")]
async fn s5_5_it_is_tried_again_with_the_same_octets() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    ask(&dns, "a.test", "mailto:rua@a.test");
    count(&node, NOW, "a.test", good(3)).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    let octets = node.view().letter(1).unwrap().unwrap().1;
    node.mail_server.say("rua@a.test", Reply::Rcpt("451 later"));
    let mut now = night_after(NOW);
    for _ in 0..3 {
        assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 0);
        now.0 += 3600;
    }
    assert_eq!(node.reporter.tls_counters().get(ReportCount::Deferred), 3);
    node.mail_server.take_again("rua@a.test");
    let node = node.restart();
    assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 1);
    assert_eq!(node.mail_server.taken().remove(0).message, octets);
    assert_eq!(node.reporter.tls_counters().get(ReportCount::Delivered), 1);
    assert_eq!(node.count(ReportCount::Delivered), 0, "it is no DMARC report");
}
