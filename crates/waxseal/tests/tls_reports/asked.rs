//! Who wants a report is asked when the day is over (RFC 8460 §3).

use waxseal::report::{ReportCount, ReporterSettings, TlsHttps};

use crate::dns::Dns;
use crate::node::{DAY, HOUR, NOW, Node, at};
use crate::sessions::{Sessions, ask, count, end_day, good, night_after, outcome};

fn seen(record: &str) -> Sessions {
    Sessions { record: Some(record.to_owned()), ..good(3) }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_a_record_that_is_gone_or_broken_gets_none() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    dns.say(&[
        "_smtp._tls.broken.test TXT v=TLSRPTv1; rua=rua@broken.test",
        "_smtp._tls.two.test TXT v=TLSRPTv1; rua=mailto:1@two.test",
        "_smtp._tls.two.test TXT v=TLSRPTv1; rua=mailto:2@two.test",
    ]);
    let gone = ["gone.test", "broken.test", "two.test"];
    for domain in gone {
        let record = format!("v=TLSRPTv1; rua=mailto:rua@{domain}");
        count(&node, NOW, domain, seen(&record)).await;
    }
    assert_eq!(end_day(&node, NOW).await, 0);
    for domain in gone {
        assert_eq!(outcome(&node, NOW, domain).as_deref(), Some("not-wanted"), "{domain}");
    }
    assert_eq!(node.letters(), []);
    assert_eq!(node.reporter.tls_counters().get(ReportCount::NotMade), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_today_counts_and_not_that_of_yesterday() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    ask(&dns, "a.test", "mailto:new@a.test");
    count(&node, NOW, "a.test", seen("v=TLSRPTv1; rua=mailto:old@a.test")).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    assert_eq!(node.letters(), [("new@a.test".into(), "queued".into())]);
}

/// A DNS that says nothing is asked for a day; then the record counts that was seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_dns_that_fails_is_waited_for() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    for domain in ["a.test", "b.test", "c.test"] {
        dns.fail(&format!("_smtp._tls.{domain} TXT"));
    }
    count(&node, NOW, "a.test", seen("v=TLSRPTv1; rua=mailto:rua@a.test")).await;
    count(&node, NOW, "b.test", good(1)).await;
    count(&node, NOW, "c.test", good(1)).await;
    assert_eq!(end_day(&node, NOW).await, 0);
    assert_eq!(outcome(&node, NOW, "a.test"), None, "it waits");
    ask(&dns, "c.test", "mailto:rua@c.test");
    let midnight = (NOW.0 / DAY + 1) * DAY;
    let mut made = Vec::new();
    for hour in 1..=24 {
        let now = at(midnight - NOW.0 + hour * HOUR + 700);
        made.push(node.reporter.make_due(now).await.unwrap());
    }
    assert_eq!((made[0], made.iter().sum::<usize>(), made[23]), (1, 2, 1), "{made:?}");
    assert_eq!(outcome(&node, NOW, "a.test").as_deref(), Some("reported"));
    assert_eq!(outcome(&node, NOW, "b.test").as_deref(), Some("dns-failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_are_switched_off_are_not_made() {
    let dns = Dns::start();
    let off = |settings: &mut ReporterSettings| settings.tls = None;
    let node = Node::with("us.test", &dns, off);
    ask(&dns, "a.test", "mailto:rua@a.test");
    count(&node, NOW, "a.test", good(1)).await;
    assert_eq!(end_day(&node, NOW).await, 0);
    assert_eq!(outcome(&node, NOW, "a.test"), None);
    // Nor is anything sent by https if that is off.
    let by_mail = |settings: &mut ReporterSettings| {
        settings.tls = settings.tls.map(|mut tls| {
            tls.https = TlsHttps::Off;
            tls
        });
    };
    let node = Node::with("us.test", &dns, by_mail);
    ask(&dns, "b.test", "https://b.test/");
    ask(&dns, "c.test", "https://c.test/,mailto:rua@c.test");
    for domain in ["b.test", "c.test"] {
        count(&node, NOW, domain, good(1)).await;
    }
    assert_eq!(end_day(&node, NOW).await, 1);
    assert_eq!(outcome(&node, NOW, "b.test").as_deref(), Some("no-place"));
    assert_eq!(node.letters(), [("rua@c.test".into(), "queued".into())]);
    assert_eq!(node.reporter.deliver_due(night_after(NOW)).await.unwrap(), 1);
}
