//! Whoever connects and is no good mail server, and senders who want to be too much.

use std::time::Duration;

use sender_auth::HeaderLimits;
use tokio::io::AsyncWriteExt;
use waxseal::gate::milter::command::{Command, CommandCode};
use waxseal::gate::milter::negotiate::{Actions, Offer};
use waxseal::gate::milter::{HeaderFault, MilterLimits, MilterSettings};

use crate::mail_server::{MODERN, Milter, in_time, until, written};

#[tokio::test]
async fn garbage_ends_the_connection() {
    let milter = Milter::start(MilterSettings::default());
    let octets: [&[u8]; 12] = [
        b"\0\0\0\0",
        b"\0\x10\0\x01B",
        b"\xff\xff\xff\xffO",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"EHLO x\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\0\0\0\x01X",
        b"\0\0\0\x01O",
        b"\0\0\0\x0eO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff\0",
        b"\0\0\0\x01M",
        b"\0\0\0\x01E",
        b"\0\0\0\x02DC",
    ];
    for octets in octets {
        let mut mail_server = milter.connect().await;
        mail_server.send_octets(octets).await;
        assert_eq!(mail_server.rest().await, "", "{}", octets.escape_ascii());
    }
    until(|| milter.counters.malformed() == 12 && milter.counters.open() == 0).await;
}

/// What came before is answered.
#[tokio::test]
async fn garbage_behind_a_message() {
    let milter = Milter::start(MilterSettings::default());
    for octets in [&b"\0\0\0\x01X"[..], b"\0\0\0\0", b"\0\0\0\x03LX\0", b"\0\0\0\x01T"] {
        let mut mail_server = milter.session().await;
        mail_server.begin("discard@example.com").await;
        mail_server.finish().await;
        mail_server.send_octets(octets).await;
        assert_eq!(mail_server.rest().await, "\\x00\\x00\\x00\\x01d", "{}", octets.escape_ascii());
    }
    until(|| milter.counters.malformed() == 4).await;
}

/// Garbage within a message does not make it to the judge.
#[tokio::test]
async fn garbage_within_a_message() {
    let milter = Milter::start(MilterSettings::default());
    let mut mail_server = milter.session().await;
    mail_server.begin("ok@example.com").await;
    mail_server.send_octets(b"\0\0\0\x05Lab\0c").await;
    assert_eq!(mail_server.rest().await, "");
    until(|| milter.counters.aborted() == 1 && milter.counters.malformed() == 1).await;
    assert!(milter.court.judged.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_mail_server_that_can_do_too_little() {
    let milter = Milter::start(MilterSettings::default());
    for offer in [
        Offer { version: 1, ..MODERN },
        Offer { actions: Actions::new(0), ..MODERN },
        Offer { actions: Actions::new(0x1ff & !0x20), ..MODERN },
    ] {
        let mut mail_server = milter.connect().await;
        mail_server.send(Command::Negotiate(offer)).await;
        assert_eq!(mail_server.rest().await, "", "{offer:?}");
    }
    until(|| milter.counters.malformed() == 3).await;
}

#[tokio::test]
async fn half_a_packet_ends_in_time() {
    let read_timeout = Duration::from_millis(200);
    let milter = Milter::start(MilterSettings { read_timeout, ..MilterSettings::default() });
    for half in [&b"\0"[..], b"\0\0\0\x05", b"\0\0\0\x05Hx"] {
        let mut mail_server = milter.session().await;
        mail_server.begin("ok@example.com").await;
        mail_server.send_octets(half).await;
        assert_eq!(mail_server.rest().await, "", "{}", half.escape_ascii());
    }
    until(|| milter.counters.timed_out() == 3 && milter.counters.aborted() == 3).await;
}

/// Drop by drop is not faster: the time of a packet counts from its first octet.
#[tokio::test]
async fn slow_loris() {
    let read_timeout = Duration::from_millis(200);
    let milter = Milter::start(MilterSettings { read_timeout, ..MilterSettings::default() });
    let mail_server = milter.connect().await;
    let (reader, mut writer) = mail_server.stream.into_split();
    in_time(async {
        writer.write_all(b"\0\x0f\0\0B").await.unwrap();
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    until(|| milter.counters.timed_out() == 1 && milter.counters.open() == 0).await;
    drop(reader);
}

/// Who is slow but steady is no loris.
#[tokio::test]
async fn a_steady_mail_server_is_not_cut_off() {
    let read_timeout = Duration::from_millis(400);
    let milter = Milter::start(MilterSettings { read_timeout, ..MilterSettings::default() });
    let mut mail_server = milter.session().await;
    mail_server.begin("ok@example.com").await;
    mail_server.send_octets(b"\0\0\0").await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(40)).await;
        mail_server.send_octets(b"\x06LA\0 b\0\0\0\0").await;
    }
    mail_server.send_octets(b"\x01N").await;
    mail_server.send(Command::EndOfMessage { body: b"" }).await;
    assert_eq!(mail_server.reply().await, "a");
}

#[tokio::test]
async fn silence_ends_in_time_and_is_no_fault() {
    let idle_timeout = Duration::from_millis(100);
    let milter = Milter::start(MilterSettings { idle_timeout, ..MilterSettings::default() });
    let mut silent = milter.connect().await;
    assert_eq!(silent.rest().await, "");
    let mut busy = milter.session().await;
    assert_eq!(busy.message("ok@example.com").await, "a");
    assert_eq!(busy.rest().await, "");
    until(|| milter.counters.open() == 0).await;
    assert_eq!(milter.counters.timed_out(), 0);
}

#[tokio::test]
async fn a_mail_server_that_never_reads() {
    let write_timeout = Duration::from_millis(200);
    let milter = Milter::start(MilterSettings { write_timeout, ..MilterSettings::default() });
    let mut mail_server = milter.session().await;
    let message: Vec<u8> = [
        Command::Mail { path: b"<refuse@example.com>", parameters: vec![] },
        Command::EndOfHeader,
        Command::EndOfMessage { body: b"" },
    ]
    .iter()
    .flat_map(written)
    .collect();
    let messages = message.repeat(1_000);
    in_time(async { while mail_server.stream.write_all(&messages).await.is_ok() {} }).await;
    until(|| milter.counters.timed_out() == 1 && milter.counters.open() == 0).await;
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    let milter = Milter::start(MilterSettings { max_connections: 2, ..MilterSettings::default() });
    let mut first = milter.session().await;
    let mut second = milter.session().await;
    assert_eq!(first.message("ok@example.com").await, "a");
    assert_eq!(second.message("ok@example.com").await, "a");
    let mut third = milter.connect().await;
    assert_eq!(third.rest().await, "");
    assert_eq!((milter.counters.refused(), milter.counters.open()), (1, 2));
    drop(first);
    until(|| milter.counters.open() == 1).await;
    let mut fourth = milter.session().await;
    assert_eq!(fourth.message("ok@example.com").await, "a");
}

#[tokio::test]
async fn a_header_without_end_is_told_to_the_judge() {
    let header = HeaderLimits { octets: 1_000, fields: 10 };
    let limits = MilterLimits { header, ..MilterLimits::default() };
    let milter = Milter::start(MilterSettings { limits, ..MilterSettings::default() });
    let mut mail_server = milter.session().await;
    let long = [b'x'; 900];
    for (fields, fault) in [
        (vec![(&b"A"[..], &long[..]); 2], HeaderFault::TooLong { limit: 1_000 }),
        (vec![(&b"A"[..], &b" b"[..]); 9], HeaderFault::TooManyFields { limit: 10 }),
        (vec![(&b"A"[..], &long[..]); 2_000], HeaderFault::TooLong { limit: 1_000 }),
    ] {
        mail_server.begin("ok@example.com").await;
        for (name, value) in fields {
            mail_server.field(name, value).await;
        }
        mail_server.finish().await;
        assert_eq!(mail_server.reply().await, "a");
        let judged = milter.court.judged.lock().unwrap().pop().unwrap();
        assert_eq!(judged.content, Err(fault));
    }
    // The next one is none the worse for it.
    mail_server.begin("ok@example.com").await;
    mail_server.field(b"no field", b"").await;
    mail_server.finish().await;
    assert_eq!(mail_server.reply().await, "a");
    let judged = milter.court.judged.lock().unwrap().pop().unwrap();
    let fault = judged.content.unwrap_err().to_string();
    assert_eq!(fault, "header field: name: expected printable ASCII, found ' '");
    assert_eq!(mail_server.message("ok@example.com").await, "a");
    assert!(milter.court.judged.lock().unwrap().pop().unwrap().content.is_ok());
}

#[tokio::test]
async fn all_recipients_are_counted_and_some_are_kept() {
    let limits = MilterLimits { recipients: 3, recipient_octets: 100, ..MilterLimits::default() };
    let milter = Milter::start(MilterSettings { limits, ..MilterSettings::default() });
    let mut mail_server = milter.session().await;
    for _ in 0..2 {
        mail_server.mail("<ok@example.com>").await;
        let long = format!("<{}@c>", "x".repeat(95));
        for path in ["<1@c>", &long, "<2@c>", "<3@c>", "<4@c>"] {
            mail_server.rcpt(path).await;
        }
        mail_server.finish().await;
        assert_eq!(mail_server.reply().await, "a");
        let envelope = milter.court.judged.lock().unwrap().pop().unwrap().envelope;
        let kept: Vec<_> = envelope.recipient_addresses().collect();
        assert_eq!(kept, [b"1@c", b"2@c", b"3@c"]);
        assert_eq!(envelope.recipient_count, 5);
    }
}

#[tokio::test]
async fn long_commands_end_the_connection() {
    let limits = MilterLimits { command_octets: 1_000, ..MilterLimits::default() };
    let milter = Milter::start(MilterSettings { limits, ..MilterSettings::default() });
    let long = [b'x'; 998];
    let too_long = [b'x'; 999];
    let pairs = [&b"j\0"[..], &[b'x'; 1_000], b"\0"].concat();
    for command in [
        Command::Helo { name: &too_long },
        Command::Mail { path: &too_long, parameters: vec![] },
        Command::Macros { of: CommandCode::Mail, pairs: &pairs },
        Command::Unknown { line: &too_long },
    ] {
        let mut mail_server = milter.session().await;
        mail_server.send(Command::Helo { name: &long }).await;
        mail_server.begin("ok@example.com").await;
        mail_server.send(command).await;
        assert_eq!(mail_server.rest().await, "");
    }
    until(|| milter.counters.malformed() == 4).await;
}
