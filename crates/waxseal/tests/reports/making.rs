//! From messages to reports: what is counted, when a report is made, where it goes.

use sender_auth::dmarc::DmarcResult;
use sender_auth::report::guard::Outcome;
use waxseal::report::ReportCount;
use waxseal::sender::Clock;
use waxseal::store::{CountedRow, DayCounts, DomainBounds};

use crate::dns::Dns;
use crate::node::{
    DAY, HOUR, Mail, NOW, Node, at, authenticate, cut, message, morning_after, name, old_schema,
    publish, signatures, xml_of,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_day_in_full() {
    let dns = Dns::start();
    publish(&dns, "a.test", "v=DMARC1; p=reject; rua=mailto:rua@a.test,mailto:x@watch.test!10m");
    dns.say(&["a.test._report._dmarc.watch.test TXT v=DMARC1;"]);
    let node = Node::new("reports.us.test", &dns);
    node.receive_good(NOW, "a.test", 3).await;
    let forged = message("a.test");
    let forged = Mail { address: "198.51.100.9", ..Mail::new(at(60), "x@y.test", &forged) };
    node.receive(forged).await;
    assert_eq!(node.end_day(NOW).await, 1);
    // Nothing is left of the day but that it is over.
    assert_eq!(node.reporter.make_due(at(3 * DAY)).await.unwrap(), 0);
    assert_eq!(node.view().open_domains(20_833).unwrap(), []);

    let night = morning_after(NOW);
    assert_eq!(node.reporter.deliver_due(at(3 * DAY)).await.unwrap(), 2);
    assert_eq!(node.reporter.deliver_due(at(4 * DAY)).await.unwrap(), 0);
    let mut taken = node.mail_server.taken();
    taken.sort_by(|a, b| a.to.cmp(&b.to));
    let to: Vec<_> = taken.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["rua@a.test", "x@watch.test"]);
    for mail in &taken {
        assert!(mail.from.starts_with("dmarc+") && mail.from.ends_with("@reports.us.test"));
        // It is signed with both keys, and passes DMARC, as RFC 9990 §3.5.2 wants it.
        let received = Mail::new(night, &mail.from, &mail.message);
        let (header, got) =
            authenticate(&node.observer, &received, "203.0.113.1".parse().unwrap()).await;
        let expected = ("reports.us.test".to_owned(), true);
        assert_eq!(signatures(&got), [expected.clone(), expected]);
        assert_eq!(got.dmarc.result, DmarcResult::Pass);
        let field = |name: &str| {
            let fields: Vec<_> = header.named(name).collect();
            assert_eq!(fields.len(), 1, "{name}");
            String::from_utf8(fields[0].value().trim_ascii().to_vec()).unwrap()
        };
        assert_eq!(field("TLS-Required"), "No");
        assert_eq!(field("Auto-Submitted"), "auto-generated");
        assert_eq!(field("To"), format!("<{}>", mail.to));
        assert!(field("Subject").starts_with("Report Domain: a.test\r\n Submitter: reports.us"));
        let xml = xml_of(&mail.message);
        assert!(xml.contains("<org_name>Example &lt;&amp;&gt; Receiver</org_name>"), "{xml}");
        assert!(xml.contains("<count>3</count>") && xml.contains("<count>1</count>"), "{xml}");
        assert!(xml.contains("<disposition>reject</disposition>"), "{xml}");
        assert!(xml.contains("<disposition>pass</disposition>"), "{xml}");
    }
    assert_eq!(xml_of(&taken[0].message), xml_of(&taken[1].message));
    let ids: Vec<_> = taken
        .iter()
        .map(|mail| cut(&mail.message).0.named("Message-ID").next().unwrap().value().to_vec())
        .collect();
    assert_ne!(ids[0], ids[1], "each message has its own id");
    assert_eq!(node.count(ReportCount::Made), 1);
    assert_eq!(node.count(ReportCount::Delivered), 2);
    assert_eq!(node.count(ReportCount::Observed), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_made_once_whoever_tries() {
    let dns = Dns::start();
    for domain in ["a.test", "b.test", "c.test"] {
        publish(&dns, domain, &format!("v=DMARC1; p=none; rua=mailto:rua@{domain}"));
    }
    let node = Node::new("us.test", &dns);
    for domain in ["a.test", "b.test", "c.test"] {
        node.receive_good(NOW, domain, 2).await;
    }
    let (twin, night) = (node.twin(), morning_after(NOW));
    let (one, other) = tokio::join!(node.reporter.make_due(night), twin.make_due(night));
    let counted = [&node.reporter, &twin].map(|one| one.counters().get(ReportCount::Made));
    assert_eq!(counted.iter().sum::<u64>(), 3, "{one:?} {other:?}");
    assert_eq!(node.letters().len(), 3);
    drop(twin);
    // And a process that died after that finds nothing to do.
    let node = node.restart();
    assert_eq!(node.reporter.make_due(night).await.unwrap(), 0);
    assert_eq!(node.letters().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_flushed_survives_a_crash() {
    let dns = Dns::start();
    publish(&dns, "a.test", "v=DMARC1; p=none; rua=mailto:rua@a.test");
    let node = Node::new("us.test", &dns);
    node.receive_good(NOW, "a.test", 2).await;
    // Counted, and not yet on the disk: this is what a crash costs.
    node.receive(Mail::new(NOW, "joe@a.test", &message("a.test"))).await;
    let node = node.restart();
    node.receive_good(at(60), "a.test", 5).await;
    assert_eq!(node.end_day(NOW).await, 1);
    node.reporter.deliver_due(at(2 * DAY)).await.unwrap();
    let xml = xml_of(&node.mail_server.taken()[0].message);
    assert!(xml.contains("<count>7</count>"), "{xml}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_where_it_is_wanted() {
    let dns = Dns::start();
    let all = |domain: &str| format!("v=DMARC1; p=none; rua=mailto:rua@{domain}");
    // Elsewhere without a word, with a word, with another mailbox, with another host.
    publish(&dns, "victim.test", &all("bystander.test"));
    publish(&dns, "moved.test", &all("watch.test"));
    dns.say(&["moved.test._report._dmarc.watch.test TXT v=DMARC1; rua=mailto:new@watch.test"]);
    publish(&dns, "lured.test", &all("lure.test"));
    dns.say(&["lured.test._report._dmarc.lure.test TXT v=DMARC1; rua=mailto:x@bystander.test"]);
    publish(&dns, "gone.test", &all("gone.test"));
    publish(&dns, "quiet.test", "v=DMARC1; p=reject");
    publish(&dns, "web.test", "v=DMARC1; p=reject; rua=https://web.test/");
    let node = Node::new("us.test", &dns);
    let domains =
        ["victim.test", "moved.test", "lured.test", "gone.test", "quiet.test", "web.test"];
    for domain in domains {
        node.receive_good(NOW, domain, 1).await;
    }
    dns.remove("_dmarc.gone.test TXT");
    assert_eq!(node.end_day(NOW).await, 1);
    assert_eq!(node.letters(), [("new@watch.test".to_owned(), "queued".to_owned())]);
    assert_eq!(node.count(ReportCount::NotMade), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_fails_is_asked_again_for_a_day() {
    let dns = Dns::start();
    publish(&dns, "own.test", "v=DMARC1; p=none; rua=mailto:rua@own.test");
    publish(&dns, "late.test", "v=DMARC1; p=none; rua=mailto:rua@watch.test");
    publish(&dns, "never.test", "v=DMARC1; p=none; rua=mailto:a@never.test,mailto:b@watch.test");
    dns.say(&["late.test._report._dmarc.watch.test TXT v=DMARC1"]);
    let node = Node::new("us.test", &dns);
    for domain in ["own.test", "late.test", "never.test"] {
        node.receive_good(NOW, domain, 1).await;
    }
    for set in ["_dmarc.own.test", "late.test._report._dmarc.watch.test"] {
        dns.fail(&format!("{set} TXT"));
    }
    dns.fail("never.test._report._dmarc.watch.test TXT");
    // The record as it was seen says where a report goes that needs no leave.
    assert_eq!(node.end_day(NOW).await, 1);
    assert_eq!(node.letters().len(), 1);
    assert_eq!(node.count(ReportCount::Postponed), 2);
    let night = morning_after(NOW);
    let later = |seconds| smtp_types::UnixTime(night.0 + seconds);
    assert_eq!(node.reporter.make_due(later(60)).await.unwrap(), 0);
    assert_eq!(node.count(ReportCount::Postponed), 2, "not asked again so soon");
    dns.say(&["late.test._report._dmarc.watch.test TXT v=DMARC1"]);
    assert_eq!(node.reporter.make_due(later(HOUR)).await.unwrap(), 1);
    // In the end it goes to those of whom it is known that they want it.
    assert_eq!(node.reporter.make_due(later(25 * HOUR)).await.unwrap(), 1);
    let to: Vec<_> = node.letters().into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, ["rua@own.test", "rua@watch.test", "a@never.test"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_schema() {
    let dns = Dns::start();
    publish(&dns, "a.test", "v=DMARC1; p=reject; np=reject; rua=mailto:rua@a.test");
    let node = Node::with("us.test", &dns, old_schema);
    node.receive_good(NOW, "a.test", 1).await;
    assert_eq!(node.end_day(NOW).await, 1);
    node.reporter.deliver_due(at(2 * DAY)).await.unwrap();
    let xml = xml_of(&node.mail_server.taken()[0].message);
    assert!(xml.contains("<disposition>none</disposition>") && !xml.contains("<np>"), "{xml}");
}

/// A flood of different rows becomes coarse, and every message stays counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_bounded_and_counted() {
    let dns = Dns::start();
    publish(&dns, "a.test", "v=DMARC1; p=none; rua=mailto:rua@a.test");
    let node = Node::new("us.test", &dns);
    node.receive_good(NOW, "a.test", 1).await;
    let (message, number) = (message("a.test"), 25_000_u32);
    let forged = Mail { address: "198.51.100.9", ..Mail::new(NOW, "x@y.test", &message) };
    let address = "198.51.100.9".parse().unwrap();
    let (header, authentication) = authenticate(&node.observer, &forged, address).await;
    for index in 0..number {
        let address = std::net::Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(index) << 72);
        node.reporter.observe(&waxseal::report::Judged {
            at: NOW,
            address: address.into(),
            client: sender_auth::report::guard::Client::Other,
            mail_from: b"x@y.test",
            recipients: &[],
            header: &header,
            authentication: &authentication,
            looks: &sender_auth::report::Looks::Direct,
            decision: &waxseal::gate::decide::Decision {
                action: waxseal::gate::decide::Action::Accept,
                reason: waxseal::gate::decide::Reason::NoPolicy,
            },
            outcome: Outcome::Accepted,
        });
    }
    assert!(node.reporter.flush().await);
    let rows = node.view().rows_of(20_833, &name("a.test")).unwrap();
    assert!(rows.len() <= 20_000, "{}", rows.len());
    let messages: u64 = rows.iter().map(|row| row.messages).sum();
    assert_eq!(messages, u64::from(number) + 1);
    assert_eq!(node.end_day(NOW).await, 1);
    assert_eq!(node.count(ReportCount::Dropped), 0);
}

/// As if the disk was full: another process keeps the file to itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_costs_nothing() {
    let dns = Dns::start();
    publish(&dns, "a.test", "v=DMARC1; p=none; rua=mailto:rua@a.test");
    let node = Node::new("us.test", &dns);
    node.receive_good(NOW, "a.test", 1).await;
    let other = rusqlite::Connection::open(node.folder.path().join("waxseal.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..2 {
        node.receive(Mail::new(NOW, "joe@a.test", &message("a.test"))).await;
    }
    assert!(!node.reporter.flush().await);
    assert!(!node.reporter.disk_is_fine() && node.reporter.unflushed_octets() > 0);
    node.receive(Mail::new(NOW, "joe@a.test", &message("a.test"))).await;
    other.execute_batch("ROLLBACK").unwrap();
    assert!(node.reporter.flush().await);
    assert!(node.reporter.disk_is_fine() && node.reporter.unflushed_octets() == 0);
    let rows = node.view().rows_of(20_833, &name("a.test")).unwrap();
    assert_eq!(rows.iter().map(|row| row.messages).collect::<Vec<_>>(), [4]);
}

/// As the daemon runs it: with tasks and a clock, until it is told to stop.
#[tokio::test(flavor = "multi_thread")]
async fn it_works_by_itself() {
    let dns = Dns::start();
    publish(&dns, "a.test", "v=DMARC1; p=none; rua=mailto:rua@a.test");
    let node = Node::new("us.test", &dns);
    node.receive_good(NOW, "a.test", 1).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let clock = Clock::Fixed(morning_after(NOW));
    let running = tokio::spawn(std::sync::Arc::clone(&node.reporter).run(clock, stopped));
    node.receive(Mail::new(at(DAY), "joe@a.test", &message("a.test"))).await;
    let deadline = std::time::Instant::now() + crate::PATIENCE;
    while node.reporter.unflushed_octets() > 0 || node.count(ReportCount::Made) == 0 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // What was counted last is on the disk when it has stopped.
    node.receive(Mail::new(at(DAY), "joe@a.test", &message("a.test"))).await;
    stop.send(true).unwrap();
    running.await.unwrap();
    let rows = node.view().rows_of(20_834, &name("a.test")).unwrap();
    assert_eq!(rows.iter().map(|row| row.messages).collect::<Vec<_>>(), [2]);
}

/// The file is damaged in the middle: what can still be read is carried over.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_costs_little() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    for number in 0..300 {
        let domain = format!("d{number}.test");
        publish(&dns, &domain, &format!("v=DMARC1; p=none; rua=mailto:rua@{domain}"));
        node.receive_good(NOW, &domain, 1).await;
    }
    let file = node.folder.path().join("waxseal.db");
    let node = node.restart();
    let Node { folder, store, reporter, .. } = node;
    drop((store, reporter));
    let mut octets = std::fs::read(&file).unwrap();
    let middle = octets.len() / 2 / 4096 * 4096;
    octets[middle..middle + 4096].fill(0x55);
    std::fs::write(&file, octets).unwrap();
    let (store, note) = waxseal::store::Store::open(folder.path()).unwrap();
    assert!(matches!(note, Some(waxseal::store::OpenNote::Mended { .. })));
    let left = store.open_days(20_833, at(DAY), 0, 1000).await.unwrap().len();
    assert!((150..=300).contains(&left), "{left}");
}

fn counts(domain: &str, triggers: u64) -> DayCounts {
    DayCounts {
        day: 20_833,
        domain: name(domain),
        policy: format!("p1 {domain} none - - r r treewalk - n"),
        policy_at: NOW,
        record: format!("v=DMARC1; p=none; rua=mailto:rua@{domain}"),
        strangers: 1 - triggers,
        spam: 0,
        rows: vec![CountedRow {
            line: format!("r1 exact 192.0.2.1 {domain} - - none fail fail - - -"),
            messages: 1,
            triggers,
        }],
    }
}

/// Names can be made up without end; those of strangers must not crowd out others.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_so_many_domains_and_no_more() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    let bounds = DomainBounds { all: 6, strangers: 3 };
    let add = async |domain: &str, triggers| {
        let added = node.store.add_counts(vec![counts(domain, triggers)], bounds, 100).await;
        added.unwrap().dropped
    };
    let mut dropped = 0;
    for number in 0..10 {
        dropped += add(&format!("stranger{number}.test"), 0).await;
    }
    assert_eq!(dropped, 7);
    for number in 0..10 {
        dropped += add(&format!("friend{number}.test"), 1).await;
    }
    assert_eq!(dropped, 14);
    assert_eq!(add("stranger0.test", 0).await + add("friend0.test", 1).await, 0);
}

/// Something is added to a day while its report is made: it is made again, with all of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_a_report_is_made_is_in_it() {
    let dns = Dns::start();
    let node = Node::new("us.test", &dns);
    let bounds = DomainBounds { all: 6, strangers: 3 };
    let add = async || node.store.add_counts(vec![counts("a.test", 1)], bounds, 100).await.unwrap();
    add().await;
    let read = async || node.store.open_days(20_833, at(DAY), 0, 10).await.unwrap().remove(0);
    let before = read().await;
    add().await;
    assert!(!node.store.close_day(before, "reported", vec![]).await.unwrap());
    let now = read().await;
    assert_eq!(now.triggers, 2);
    assert!(node.store.close_day(now.clone(), "reported", vec![]).await.unwrap());
    assert!(!node.store.close_day(now, "reported", vec![]).await.unwrap());
}
