//! Faults of ours: they cost one verdict, and nothing else.

use std::time::Duration;

use waxseal::gate::milter::{MilterSettings, OnFault, VerdictKind};

use crate::mail_server::{Milter, until};

#[tokio::test]
async fn a_panic_is_answered_by_the_setting() {
    for (on_fault, reply) in [(OnFault::Defer, "t"), (OnFault::Accept, "a")] {
        let milter = Milter::start(MilterSettings { on_fault, ..MilterSettings::default() });
        let mut other = milter.session().await;
        other.begin("ok@example.com").await;
        let mut mail_server = milter.session().await;
        for (number, case) in
            (1..).zip(["panic-begin", "panic-header", "panic-body", "panic-verdict"])
        {
            assert_eq!(mail_server.message(&format!("{case}@example.com")).await, reply, "{case}");
            assert_eq!(milter.verdicts(VerdictKind::Fault), number, "{case}");
        }
        // On the same connection and on others, all goes on.
        assert_eq!(mail_server.message("discard@example.com").await, "d");
        other.finish().await;
        assert_eq!(other.reply().await, "a");
        assert_eq!(milter.counters.open(), 2);
        assert_eq!(milter.verdicts(VerdictKind::Accepted), 1);
    }
}

#[tokio::test]
async fn a_verdict_that_never_falls() {
    let settings = MilterSettings {
        verdict_timeout: Duration::from_millis(200),
        progress_period: Duration::from_millis(50),
        ..MilterSettings::default()
    };
    let milter = Milter::start(settings);
    let mut mail_server = milter.session().await;
    mail_server.begin("hang@example.com").await;
    mail_server.finish().await;
    let mut reply = mail_server.reply().await;
    assert_eq!(reply, "p");
    while reply == "p" {
        reply = mail_server.reply().await;
    }
    assert_eq!(reply, "t");
    assert_eq!(*milter.court.dropped.lock().unwrap(), ["hang@example.com"]);
    assert_eq!(mail_server.message("ok@example.com").await, "a");
}

#[tokio::test]
async fn progress_until_the_verdict() {
    let progress_period = Duration::from_millis(20);
    let milter = Milter::start(MilterSettings { progress_period, ..MilterSettings::default() });
    let mut mail_server = milter.session().await;
    mail_server.begin("slow@example.com").await;
    mail_server.finish().await;
    for _ in 0..3 {
        assert_eq!(mail_server.reply().await, "p");
    }
    milter.court.gate.add_permits(1);
    let mut reply = "p".to_owned();
    while reply == "p" {
        reply = mail_server.reply().await;
    }
    assert_eq!(reply, "a");
}

/// A mail server that does not wait for its verdict is noticed, and what was begun for it ends.
#[tokio::test]
async fn gone_before_the_verdict() {
    let progress_period = Duration::from_millis(20);
    let milter = Milter::start(MilterSettings { progress_period, ..MilterSettings::default() });
    let mut mail_server = milter.session().await;
    mail_server.begin("hang@example.com").await;
    mail_server.finish().await;
    assert_eq!(mail_server.reply().await, "p");
    drop(mail_server);
    until(|| milter.counters.open() == 0).await;
    assert_eq!(*milter.court.dropped.lock().unwrap(), ["hang@example.com"]);
    assert_eq!(milter.counters.aborted(), 1);
}
