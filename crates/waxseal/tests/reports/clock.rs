//! Clocks jump: nothing is reported twice, and nothing is lost.

use smtp_types::UnixTime;

use crate::dns::Dns;
use crate::node::{DAY, HOUR, MINUTE, NOW, Node, at, morning_after, publish, xml_of};

async fn node(dns: &Dns) -> Node {
    publish(dns, "a.test", "v=DMARC1; p=none; rua=mailto:rua@a.test");
    Node::new("us.test", dns)
}

/// All messages that were told, in all reports that were delivered.
fn told(node: &Node) -> u64 {
    let mails = node.mail_server.taken();
    let counts = mails.iter().flat_map(|mail| {
        let xml = xml_of(&mail.message);
        let counts: Vec<u64> = xml
            .split("<count>")
            .skip(1)
            .map(|rest| rest.split('<').next().unwrap().parse().unwrap())
            .collect();
        counts
    });
    counts.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_over_only_when_it_is() {
    let dns = Dns::start();
    let node = node(&dns).await;
    node.receive_good(NOW, "a.test", 1).await;
    let midnight = (NOW.0 / DAY + 1) * DAY;
    for early in [NOW, UnixTime(midnight), UnixTime(midnight + 4 * MINUTE)] {
        assert_eq!(node.reporter.make_due(early).await.unwrap(), 0);
    }
    assert_eq!(node.reporter.make_due(UnixTime(midnight + 5 * MINUTE)).await.unwrap(), 1);
    assert_eq!(node.reporter.make_due(UnixTime(0)).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_and_back() {
    let dns = Dns::start();
    let node = node(&dns).await;
    node.receive_good(NOW, "a.test", 2).await;
    // The clock jumps ten days ahead: the day seems over. Then it is set right.
    let wrong = at(10 * DAY);
    node.receive_good(wrong, "a.test", 3).await;
    assert_eq!(node.reporter.make_due(wrong).await.unwrap(), 1);
    node.receive_good(at(60), "a.test", 4).await;
    assert_eq!(node.end_day(NOW).await, 0, "today was told already");
    // What came later today is told tomorrow, and what seems to come from the future then.
    assert_eq!(node.end_day(at(DAY)).await, 1);
    assert_eq!(node.end_day(at(10 * DAY)).await, 1);
    node.reporter.deliver_due(at(20 * DAY)).await.unwrap();
    assert_eq!(told(&node), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_do_not_wait_for_a_clock_that_was_wrong() {
    let dns = Dns::start();
    let node = node(&dns).await;
    node.receive_good(at(1000 * DAY), "a.test", 1).await;
    node.receive_good(NOW, "a.test", 1).await;
    // Made in the future, tried in the present.
    assert_eq!(node.reporter.make_due(at(1001 * DAY)).await.unwrap(), 2);
    assert_eq!(node.reporter.deliver_due(NOW).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postponed_day_does_not_wait_for_a_clock_that_was_wrong() {
    let dns = Dns::start();
    let node = node(&dns).await;
    publish(&dns, "b.test", "v=DMARC1; p=none; rua=mailto:rua@watch.test");
    dns.fail("b.test._report._dmarc.watch.test TXT");
    node.receive_good(at(10 * DAY), "b.test", 1).await;
    assert_eq!(node.end_day(at(10 * DAY)).await, 0);
    dns.say(&["b.test._report._dmarc.watch.test TXT v=DMARC1"]);
    // The clock is set back an hour after it was postponed, and comes to that day again.
    let again = morning_after(at(10 * DAY));
    assert_eq!(node.reporter.make_due(UnixTime(again.0 + 30 * MINUTE)).await.unwrap(), 0);
    assert_eq!(node.reporter.make_due(UnixTime(again.0 + HOUR)).await.unwrap(), 1);
}
