//! From the outbox to the mail server: what happens to a letter that is not taken at once.

use smtp_types::{EmailAddress, UnixTime};
use waxseal::report::{Bounce, ReportCount};
use waxseal::store::Carrier;

use crate::dns::Dns;
use crate::mail_server::Reply;
use crate::node::{DAY, HOUR, MINUTE, NOW, Node, at, publish};

/// A node with one letter in its outbox, and the time at which that is due for sure.
async fn with_letter(dns: &Dns) -> (Node, UnixTime) {
    publish(dns, "a.test", "v=DMARC1; p=none; rua=mailto:rua@a.test");
    let node = Node::new("us.test", dns);
    node.receive_good(NOW, "a.test", 1).await;
    assert_eq!(node.end_day(NOW).await, 1);
    (node, at(2 * DAY))
}

fn state(node: &Node) -> String {
    node.letters()[0].1.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn first_tries_are_spread_over_the_night() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    for number in 0..40 {
        let domain = format!("d{number}.test");
        publish(&dns, &domain, &format!("v=DMARC1; p=none; rua=mailto:rua@{domain}"));
        node.receive_good(NOW, &domain, 1).await;
    }
    assert_eq!(node.end_day(NOW).await, 40);
    let letters = node.view().letters(None, 100).unwrap();
    let waits: Vec<u64> =
        letters.iter().map(|one| one.next_try.since(one.created).as_secs()).collect();
    assert!(waits.iter().all(|wait| *wait <= 4 * HOUR), "{waits:?}");
    assert!(waits.iter().max().unwrap() - waits.iter().min().unwrap() > HOUR, "{waits:?}");
    assert_eq!(node.reporter.deliver_due(at(2 * DAY)).await.unwrap(), 40);
    assert_eq!(node.reporter.counters().waiting(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn not_now_is_tried_again_with_the_same_octets() {
    let dns = Dns::start();
    let (node, mut now) = with_letter(&dns).await;
    node.mail_server.say("rua@a.test", Reply::Rcpt("451 4.7.1 greylisted"));
    assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 0);
    assert_eq!(state(&node), "queued");
    let letter = node.view().letters(None, 1).unwrap().remove(0);
    assert_eq!((letter.tries, letter.first_try), (1, Some(now)));
    assert_eq!(letter.last_error.unwrap(), "RCPT: 451 4.7.1 greylisted");
    let wait = letter.next_try.since(now).as_secs();
    assert!((4 * MINUTE..=6 * MINUTE).contains(&wait), "{wait}");
    // Behind the dot, and then the connection breaks at the worst moment: it goes out twice.
    node.mail_server.say("rua@a.test", Reply::End("452 no space"));
    now = UnixTime(now.0 + 10 * MINUTE);
    assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 0);
    node.mail_server.say("rua@a.test", Reply::BreakAfterEnd);
    now = UnixTime(now.0 + HOUR);
    assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 0);
    node.mail_server.take_again("rua@a.test");
    let node = node.restart();
    now = UnixTime(now.0 + HOUR);
    assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 1);
    let taken = node.mail_server.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0], taken[1]);
    assert_eq!(state(&node), "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_take_it_for_a_day_gets_no_more() {
    let dns = Dns::start();
    let (node, first) = with_letter(&dns).await;
    node.mail_server.say("*", Reply::Mail("550 not from here"));
    let mut now = first;
    while state(&node) != "expired" {
        node.reporter.deliver_due(now).await.unwrap();
        now = UnixTime(now.0 + 10 * MINUTE);
        assert!(now.since(first).as_secs() < 2 * DAY);
    }
    assert!(now.since(first).as_secs() > 19 * HOUR);
    let tries = node.mail_server.tries();
    assert!((9..=14).contains(&tries), "{tries}");
    assert_eq!(node.count(ReportCount::Expired), 1);
    // That was a fault of ours: the address is not to blame.
    assert_eq!(node.store.suppressed_until("rua@a.test".into(), now).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_not_there_is_waited_for() {
    let dns = Dns::start();
    let (mut node, now) = with_letter(&dns).await;
    let alive = node.settings.submit;
    node.settings.submit = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let node = node.restart();
    assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 0);
    assert_eq!(state(&node), "queued");
    let mut node = node;
    node.settings.submit = alive;
    let node = node.restart();
    assert_eq!(node.reporter.deliver_due(UnixTime(now.0 + HOUR)).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_address_gets_none_for_a_month_and_then_for_two() {
    let dns = Dns::start();
    let (node, mut now) = with_letter(&dns).await;
    node.mail_server.say("rua@a.test", Reply::Rcpt("550 5.1.1 no such user"));
    for days in [30, 60] {
        assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 0);
        assert_eq!(node.letters().last().unwrap().1, "failed");
        let until = node.store.suppressed_until("rua@a.test".into(), now).await.unwrap();
        assert_eq!(until.unwrap().since(now).as_secs(), days * DAY);
        let tries = node.mail_server.tries();
        now = UnixTime(now.0 + DAY);
        node.receive_good(now, "a.test", 1).await;
        assert_eq!(node.end_day(now).await, 1);
        assert_eq!(node.letters().last().unwrap().1, "suppressed");
        now = UnixTime(now.0 + 2 * DAY);
        assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 0);
        assert_eq!(node.mail_server.tries(), tries);
        now = UnixTime(until.unwrap().0 + DAY);
        node.receive_good(now, "a.test", 1).await;
        assert_eq!(node.end_day(now).await, 1);
        now = UnixTime(now.0 + 2 * DAY);
    }
    assert_eq!(node.count(ReportCount::Failed), 2);
    // What is refused for its content says nothing about the address.
    node.mail_server.say("rua@a.test", Reply::End("554 too large"));
    node.reporter.deliver_due(now).await.unwrap();
    assert_eq!(node.letters().last().unwrap().1, "failed");
    assert_eq!(node.store.suppressed_until("rua@a.test".into(), now).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_tells_which_address_is_dead() {
    let dns = Dns::start();
    let (node, now) = with_letter(&dns).await;
    node.reporter.deliver_due(now).await.unwrap();
    let return_path = node.mail_server.taken().remove(0).from;
    let bounced = async |address: &str| {
        let address = EmailAddress::parse(address).unwrap();
        node.reporter.bounced(&address, "550 5.1.1\r\nunknown", now).await.unwrap()
    };
    assert_eq!(bounced("dmarc@us.test").await, Bounce::Unknown);
    assert_eq!(bounced("dmarc+aaaaaaaaaaaaaaaa@us.test").await, Bounce::Unknown);
    let Bounce::Suppressed { address, until } = bounced(&return_path).await else { panic!() };
    assert_eq!((address.as_str(), until.since(now).as_secs()), ("rua@a.test", 30 * DAY));
    assert_eq!(state(&node), "failed");
    let error = node.view().letters(None, 1).unwrap()[0].last_error.clone().unwrap();
    assert_eq!(error, "bounced: 550 5.1.1  unknown");
    // Twice is once.
    assert_eq!(bounced(&return_path.to_uppercase()).await, Bounce::Suppressed { address, until });
}

/// The program died with a letter in its hands.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_was_being_sent_is_sent_again_later() {
    let dns = Dns::start();
    let (node, now) = with_letter(&dns).await;
    let claimed = node.store.claim_letters(Carrier::Mail, now, 8, 2, 6 * HOUR).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].tries), (1, 1));
    let node = node.restart();
    assert_eq!(state(&node), "sending");
    assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 0);
    let later = UnixTime(now.0 + 20 * MINUTE);
    assert_eq!(node.reporter.deliver_due(later).await.unwrap(), 1);
    assert_eq!(node.mail_server.taken()[0].message, claimed[0].message);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_letters_are_forgotten() {
    let dns = Dns::start();
    let (node, now) = with_letter(&dns).await;
    node.reporter.tidy(UnixTime(now.0 + 100 * DAY)).await.unwrap();
    assert_eq!(node.letters().len(), 1, "it waits");
    node.reporter.deliver_due(now).await.unwrap();
    node.reporter.tidy(UnixTime(now.0 + 29 * DAY)).await.unwrap();
    assert_eq!(node.letters().len(), 1);
    node.reporter.tidy(UnixTime(now.0 + 31 * DAY)).await.unwrap();
    assert_eq!(node.letters().len(), 0);
}
