//! Nobody makes us send reports that nobody wants: spam, forged mail, reports about reports.

use sender_auth::report::guard::Outcome;
use waxseal::report::ReportCount;

use crate::dns::Dns;
use crate::node::{DAY, Mail, NOW, Node, at, message, publish};

/// What others have met: dozens of addresses for reports that exist only to be written to.
#[tokio::test(flavor = "multi_thread")]
async fn spam_of_81_domains_makes_no_report() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    for number in 0..81 {
        let domain = format!("spam{number}.test");
        publish(&dns, &domain, &format!("v=DMARC1; p=none; rua=mailto:rua@{domain}"));
        let (from, message) = (format!("joe@{domain}"), message(&domain));
        for outcome in [Outcome::RefusedAsSpam, Outcome::RefusedAsSpam] {
            node.receive(Mail { outcome, ..Mail::new(NOW, &from, &message) }).await;
        }
    }
    assert_eq!(node.end_day(NOW).await, 0);
    assert_eq!(node.count(ReportCount::NotMade), 81);
    assert_eq!(node.count(ReportCount::ObservedAlong), 162);
    // Once a domain sends something good, all of its day is told.
    let later = at(DAY);
    let spam = message("spam7.test");
    let spam =
        Mail { outcome: Outcome::RefusedAsSpam, ..Mail::new(later, "joe@spam7.test", &spam) };
    node.receive(spam).await;
    node.receive_good(later, "spam7.test", 1).await;
    assert_eq!(node.end_day(later).await, 1);
}

/// Forged mail in the name of a domain tells its owner something only if we know the domain.
#[tokio::test(flavor = "multi_thread")]
async fn forged_mail_of_strangers_makes_no_report() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    for domain in ["stranger.test", "friend.test"] {
        publish(&dns, domain, &format!("v=DMARC1; p=reject; rua=mailto:rua@{domain}"));
    }
    node.receive_good(NOW, "friend.test", 1).await;
    assert_eq!(node.end_day(NOW).await, 1);
    let forge = async |node: &Node, days: u64| {
        for domain in ["stranger.test", "friend.test"] {
            let message = message(domain);
            let mail = Mail::new(at(days * DAY), "x@y.test", &message);
            node.receive(Mail { address: "198.51.100.9", ..mail }).await;
        }
        node.end_day(at(days * DAY)).await
    };
    assert_eq!(forge(&node, 1).await, 1);
    assert_eq!(node.letters()[1].0, "rua@friend.test");
    // A friend of long ago is forgotten.
    node.reporter.tidy(at(60 * DAY)).await.unwrap();
    assert_eq!(forge(&node, 60).await, 1);
    assert_eq!(forge(&node, 100).await, 0);
}

/// Two installations, each of which wants reports about the domain that it reports from.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_report_to_each_other_fall_silent() {
    let dns = Dns::start();
    let (a, b) = (Node::new("a.test", &dns), Node::new("b.test", &dns));
    for domain in ["a.test", "b.test"] {
        publish(&dns, domain, &format!("v=DMARC1; p=reject; rua=mailto:dmarc@{domain}"));
    }
    a.receive_good(NOW, "b.test", 1).await;
    b.receive_good(NOW, "a.test", 1).await;
    let mut sent = Vec::new();
    for day in 0..30 {
        let now = at(day * DAY);
        let mut today = 0;
        for (from, to) in [(&a, &b), (&b, &a)] {
            from.reporter.flush().await;
            today += from.reporter.make_due(now).await.unwrap();
            from.reporter.deliver_due(now).await.unwrap();
            // The other gets what was sent, some of it as a bounce.
            for mail in from.mail_server.taken() {
                let incoming = Mail::new(now, &mail.from, &mail.message);
                let got = to.receive(Mail { to: &mail.to, ..incoming }).await;
                assert_eq!(got.dmarc.result.as_str(), "pass");
                let bounce = b"From: <mailer-daemon@b.test>\r\nSubject: failed\r\n\r\nNo.\r\n";
                from.receive(Mail { to: &mail.from, ..Mail::new(now, "", bounce) }).await;
            }
        }
        sent.push(today);
    }
    assert_eq!(sent.iter().sum::<usize>(), 2, "{sent:?}");
    assert!(sent[3..].iter().all(|today| *today == 0), "{sent:?}");
}
