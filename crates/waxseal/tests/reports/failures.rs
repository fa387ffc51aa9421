//! Failure reports: only with leave, only to those who ask, few, and without persons in them.

use sender_auth::report::{NotPermitted, Permit, Profile, Text};
use waxseal::config::{Config, Profile as Configured};
use waxseal::report::{ReportCount, ReporterSettings};

use crate::dns::Dns;
use crate::node::{Mail, NOW, Node, authenticate, message, permitted, publish, signatures};

const RECORD: &str = "v=DMARC1; p=reject; rua=mailto:rua@a.test; ruf=mailto:ruf@a.test";

async fn forge(node: &Node, address: &str) {
    let message = message("a.test");
    let mail = Mail { address, ..Mail::new(NOW, "forger@a.test", &message) };
    node.receive(mail).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn none_without_leave() {
    let dns = Dns::start();
    publish(&dns, "a.test", RECORD);
    let node = Node::new("us.test", &dns);
    node.receive_good(NOW, "a.test", 1).await;
    forge(&node, "198.51.100.9").await;
    assert_eq!(node.reporter.make_failures(NOW).await.unwrap(), 0);

    let mut config = Config::default();
    config.reports.from = Some(smtp_types::EmailAddress::parse("d@us.test").unwrap());
    assert!(ReporterSettings::of(&config).unwrap().permit.is_none());
    let notice = Text::parse("a contract").unwrap();
    config.reports.failure_notice = Some(notice.clone());
    assert!(ReporterSettings::of(&config).unwrap().permit.is_some());
    config.profile = Configured::Bsi;
    assert!(ReporterSettings::of(&config).unwrap().permit.is_none());
    assert_eq!(Permit::grant(Profile::Bsi, Some(&notice)), Err(NotPermitted::BsiProfile));
}

/// RFC 9991 §2: `ruf` of a record with `psd=y` MUST NOT be considered.
#[tokio::test(flavor = "multi_thread")]
async fn none_to_a_public_suffix() {
    for (psd, expected) in [("; psd=y", 0), ("; psd=n", 1), ("", 1)] {
        let dns = Dns::start();
        publish(&dns, "a.test", &format!("{RECORD}{psd}"));
        let node = Node::with("us.test", &dns, permitted);
        node.receive_good(NOW, "a.test", 1).await;
        forge(&node, "198.51.100.9").await;
        assert_eq!(node.reporter.make_failures(NOW).await.unwrap(), expected, "{psd}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_for_many_and_nobody_in_it() {
    let dns = Dns::start();
    publish(&dns, "a.test", RECORD);
    let node = Node::with("us.test", &dns, permitted);
    // Of a domain that we do not know nobody wants to hear.
    forge(&node, "198.51.100.9").await;
    assert_eq!(node.reporter.make_failures(NOW).await.unwrap(), 0);
    node.receive_good(NOW, "a.test", 1).await;
    for host in 1..20 {
        forge(&node, &format!("198.51.100.{host}")).await;
    }
    assert_eq!(node.reporter.make_failures(NOW).await.unwrap(), 1);
    assert_eq!(node.count(ReportCount::FailuresHeld), 18);
    assert_eq!(node.reporter.deliver_due(NOW).await.unwrap(), 1);
    let mail = node.mail_server.taken().remove(0);
    assert_eq!(mail.to, "ruf@a.test");
    let received = Mail::new(NOW, &mail.from, &mail.message);
    let address = "203.0.113.1".parse().unwrap();
    let (_, got) = authenticate(&node.observer, &received, address).await;
    let expected = ("us.test".to_owned(), true);
    assert_eq!(signatures(&got), [expected.clone(), expected]);
    let text = String::from_utf8(mail.message).unwrap();
    for part in ["Feedback-Type: auth-failure", "Source-IP: 198.51.100.1\r\n", "SPF-DNS:"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for person in ["joe@", "jane", "hello", "forger@"] {
        assert!(!text.contains(person), "{person}: {text}");
    }
    // Once it has arrived, nothing of it is kept.
    let letters = node.view().letters(Some("delivered"), 10).unwrap();
    assert_eq!(letters[0].kind, "dmarc-failure");
    assert_eq!(node.view().letter(letters[0].id).unwrap().unwrap().1, b"");
    assert_eq!(node.end_day(NOW).await, 1);
}
