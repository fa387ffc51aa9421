//! Reports are made once, and nothing is lost, whatever happens to the process and the disk. How the
//! daemon as a whole survives `kill -9` is tried in `tests/daemon`.

use smtp_types::UnixTime;
use waxseal::store::Carrier;

use crate::dns::Dns;
use crate::node::{DAY, NOW, Node, at, morning_after};
use crate::sessions::{ask, count, end_day, good, json_of, night_after, outcome, read};

/// The program died between making and sending, with a letter in its hands.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_survives_and_is_sent_later() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    ask(&dns, "a.test", "mailto:rua@a.test");
    count(&node, NOW, "a.test", good(3)).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    let node = node.restart();
    assert_eq!(end_day(&node, NOW).await, 0, "it was made once");
    let night = night_after(NOW);
    let claimed = node.store.claim_letters(Carrier::Mail, night, 8, 2, 6 * 3600).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let node = node.restart();
    assert_eq!(node.reporter.deliver_due(night).await.unwrap(), 0, "perhaps it is on its way");
    let later = UnixTime(night.0 + 20 * 60);
    assert_eq!(node.reporter.deliver_due(later).await.unwrap(), 1);
    assert_eq!(node.mail_server.taken().remove(0).message, claimed[0].message);
}

/// Two processes on one store make it once.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_make_the_same_day_make_one_report() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    for number in 0..40 {
        let domain = format!("d{number}.test");
        ask(&dns, &domain, &format!("mailto:rua@{domain}"));
        count(&node, NOW, &domain, good(1)).await;
    }
    let twin = node.twin();
    let now = morning_after(NOW);
    let (one, other) = tokio::join!(node.reporter.make_due(now), twin.make_due(now));
    assert_eq!(one.unwrap() + other.unwrap(), 40);
    assert_eq!(node.letters().len(), 40);
}

/// What is counted while the report is made is in it, or in the next, and nowhere twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_is_told_the_next_day() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    ask(&dns, "a.test", "mailto:rua@a.test");
    count(&node, NOW, "a.test", good(3)).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    // A clock that was set back.
    count(&node, NOW, "a.test", good(4)).await;
    assert_eq!(end_day(&node, NOW).await, 0);
    let tomorrow = at(DAY);
    assert_eq!(end_day(&node, tomorrow).await, 1);
    node.reporter.deliver_due(at(3 * DAY)).await.unwrap();
    let mails = node.mail_server.taken();
    let told = mails.iter().map(|mail| read(&json_of(&mail.message)).totals().successes);
    assert_eq!(told.sum::<u64>(), 7);
}

/// As if the disk was full, another process keeps the file to itself: nothing is half made, and all
/// is made when there is room.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_makes_no_half_report() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    for number in 0..20 {
        let domain = format!("d{number}.test");
        ask(&dns, &domain, &format!("mailto:rua@{domain},mailto:in@watch{number}.test"));
        count(&node, NOW, &domain, good(1)).await;
    }
    let other = rusqlite::Connection::open(node.folder.path().join("waxseal.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    node.reporter.make_due(morning_after(NOW)).await.unwrap_err();
    assert_eq!(node.letters(), []);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(end_day(&node, NOW).await, 20);
    assert_eq!(node.letters().len(), 40);
    assert_eq!(outcome(&node, NOW, "d0.test").as_deref(), Some("reported"));
}
