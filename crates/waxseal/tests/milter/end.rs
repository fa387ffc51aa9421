//! The end of the server: messages that have begun are judged.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use waxseal::gate::milter::MilterSettings;
use waxseal::listen::ListenAddress;

use crate::mail_server::{Milter, in_time, until};

#[tokio::test]
async fn the_end_finishes_what_has_begun() {
    let milter = Milter::start(MilterSettings::default());
    let mut idle = milter.session().await;
    let mut done = milter.session().await;
    assert_eq!(done.message("ok@example.com").await, "a");
    let mut early = milter.session().await;
    early.mail("<ok@example.com>").await;
    let mut late = milter.session().await;
    late.begin("slow@example.com").await;
    late.finish().await;
    until(|| milter.court.begun.load(SeqCst) == 3 && milter.counters.open() == 4).await;

    milter.stop.send(true).unwrap();
    for mail_server in [&mut idle, &mut done] {
        assert_eq!(mail_server.rest().await, "");
    }
    let ListenAddress::Tcp(address) = milter.address else { panic!("not TCP") };
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    early.rcpt("<bob@example.org>").await;
    early.field(b"A", b" b").await;
    early.finish().await;
    assert_eq!(early.reply().await, "a");
    assert_eq!(early.rest().await, "");
    milter.court.gate.add_permits(1);
    assert_eq!(late.reply().await, "a");
    assert_eq!(late.rest().await, "");
    in_time(milter.running).await.unwrap();
    assert_eq!((milter.counters.open(), milter.counters.aborted()), (0, 0));
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let stop_timeout = Duration::from_millis(100);
    let milter = Milter::start(MilterSettings { stop_timeout, ..MilterSettings::default() });
    let mut mail_server = milter.session().await;
    mail_server.begin("hang@example.com").await;
    mail_server.finish().await;
    until(|| milter.court.begun.load(SeqCst) == 1).await;
    milter.stop.send(true).unwrap();
    in_time(milter.running).await.unwrap();
    assert_eq!(mail_server.rest().await, "");
    assert_eq!(milter.counters.open(), 0);
}
