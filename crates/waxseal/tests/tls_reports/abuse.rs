//! Nobody makes us send reports that nobody wants: loops, floods, spam.

use sender_auth::report::guard::Outcome;
use smtp_types::EmailAddress;
use waxseal::report::{ReportCount, ReporterSettings};

use crate::dns::Dns;
use crate::node::{DAY, HOUR, Mail, NOW, Node, at, message, publish};
use crate::sessions::{Sessions, ask, count, end_day, good, night_after, outcome};

/// Two installations whose mail servers count the sessions of report mails, too: both report to each
/// other for 30 days. S3-26.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_report_to_each_other_for_30_days_stay_silent() {
    let dns = Dns::start();
    let (a, b) = (Node::new("a.test", &dns), Node::new("b.test", &dns));
    for domain in ["a.test", "b.test"] {
        ask(&dns, domain, &format!("mailto:rua@{domain}"));
    }
    // One real letter in each direction.
    count(&a, NOW, "b.test", good(1)).await;
    count(&b, NOW, "a.test", good(1)).await;
    let mut sent = Vec::new();
    for day in 0..30 {
        let now = at(day * DAY);
        let mut today = 0;
        for (node, other) in [(&a, "b.test"), (&b, "a.test")] {
            today += end_day(node, now).await;
            let night = night_after(now);
            node.reporter.deliver_due(night).await.unwrap();
            for _ in node.mail_server.taken() {
                count(node, night, other, good(1)).await;
            }
        }
        sent.push(today);
    }
    assert_eq!(sent.iter().sum::<usize>(), 2, "{sent:?}");
    assert_eq!(sent[0], 2, "{sent:?}");
    // A real letter is reported again.
    let now = at(40 * DAY);
    count(&a, now, "b.test", good(1)).await;
    assert_eq!(end_day(&a, now).await, 1);
}

/// Reports that fail at the other side are sessions that fail; they are not told either.
#[tokio::test(flavor = "multi_thread")]
async fn reports_that_do_not_arrive_make_no_reports() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    ask(&dns, "a.test", "mailto:rua@a.test");
    count(&node, NOW, "a.test", good(1)).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    let night = night_after(NOW);
    node.reporter.deliver_due(night).await.unwrap();
    count(&node, night, "a.test", Sessions { failures: 1, ..Sessions::default() }).await;
    assert_eq!(end_day(&node, night).await, 0);
    assert_eq!(outcome(&node, night, "a.test").as_deref(), Some("own-reports-only"));
}

/// Domains that send nothing but spam: our sessions with them are bounces.
#[tokio::test(flavor = "multi_thread")]
async fn spam_of_81_domains_makes_no_report() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    for number in 0..81 {
        let domain = format!("spam{number}.test");
        publish(&dns, &domain, &format!("v=DMARC1; p=none; rua=mailto:rua@{domain}"));
        ask(&dns, &domain, &format!("mailto:rua@{domain}"));
        let (from, message) = (format!("joe@{domain}"), message(&domain));
        let mail = Mail::new(NOW, &from, &message);
        node.receive(Mail { outcome: Outcome::RefusedAsSpam, ..mail }).await;
        count(&node, NOW, &domain, good(2)).await;
        // Mail goes to a host below as well.
        ask(&dns, &format!("mx.{domain}"), &format!("mailto:rua@{domain}"));
        count(&node, NOW, &format!("mx.{domain}"), good(2)).await;
    }
    assert!(node.reporter.flush().await);
    assert_eq!(end_day(&node, NOW).await, 0);
    assert_eq!(node.reporter.tls_counters().get(ReportCount::NotMade), 162);
    assert_eq!(outcome(&node, NOW, "mx.spam80.test").as_deref(), Some("refused-sender"));
    // One that has sent something good is told again.
    let later = at(DAY);
    node.receive_good(later, "spam7.test", 1).await;
    count(&node, later, "spam7.test", good(2)).await;
    assert_eq!(end_day(&node, later).await, 2, "one of each kind");
}

/// RFC 8460 has no check of whether a place agrees, so a host gets so many and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_not_flooded() {
    let dns = Dns::start();
    let few = |settings: &mut ReporterSettings| {
        settings.tls = settings.tls.map(|mut tls| {
            tls.per_host = 5;
            tls
        });
    };
    let node = Node::with("us.test", &dns, few);
    for number in 0..12 {
        let domain = format!("d{number}.test");
        let rua = format!("mailto:a{number}@victim.test,mailto:b{number}@victim.test");
        ask(&dns, &domain, &rua);
        count(&node, NOW, &domain, good(1)).await;
        if number == 8 {
            // What was sent before a restart counts.
            assert_eq!(end_day(&node, NOW).await, 5);
        }
    }
    let node = node.restart();
    assert_eq!(end_day(&node, NOW).await, 0);
    assert_eq!(node.letters().len(), 5);
    assert_eq!(outcome(&node, NOW, "d11.test").as_deref(), Some("host-quota"));
    // Another day, another five.
    let next = at(DAY);
    for number in 0..12 {
        count(&node, next, &format!("d{number}.test"), good(1)).await;
    }
    assert_eq!(end_day(&node, next).await, 5);
}

/// An address that refused a report gets none for a while, by whatever domain it is named.
#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_reports_gets_none() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    let refusal = crate::mail_server::Reply::Rcpt("550 5.1.1 no such user");
    node.mail_server.say("rua@victim.test", refusal);
    ask(&dns, "a.test", "mailto:rua@victim.test");
    count(&node, NOW, "a.test", good(1)).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    assert_eq!(node.reporter.deliver_due(night_after(NOW)).await.unwrap(), 0);
    let later = at(DAY);
    ask(&dns, "b.test", "mailto:rua@victim.test,mailto:rua@b.test");
    count(&node, later, "b.test", good(1)).await;
    assert_eq!(end_day(&node, later).await, 1);
    let states = |state: &str| {
        let letters = node.letters();
        letters.iter().filter(|one| one.1 == state).map(|one| one.0.clone()).collect::<Vec<_>>()
    };
    assert_eq!(states("suppressed"), ["rua@victim.test"]);
    assert_eq!(states("queued"), ["rua@b.test"]);
    assert_eq!(node.reporter.tls_counters().get(ReportCount::Suppressed), 1);
    node.reporter.deliver_due(at(3 * DAY)).await.unwrap();
    assert_eq!(node.mail_server.taken().len(), 1);
    // A bounce of a TLS report is known by its return path, too.
    let bounced = node.view().letters(Some("delivered"), 1).unwrap().remove(0);
    let path = EmailAddress::parse(&format!("dmarc+{}@us.test", bounced.token)).unwrap();
    node.reporter.bounced(&path, "550 gone", at(3 * DAY + HOUR)).await.unwrap();
    assert_eq!(states("failed"), ["rua@victim.test", "rua@b.test"]);
    assert_eq!(node.reporter.tls_counters().get(ReportCount::Bounced), 1);
}
