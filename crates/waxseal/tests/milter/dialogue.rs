//! Messages from beginning to end.

use waxseal::gate::milter::command::{Command, CommandCode};
use waxseal::gate::milter::{ClientAddress, MilterSettings, VerdictKind};
use waxseal::listen::ListenAddress;

use crate::mail_server::{MODERN, Milter, OLD, connect_unix, in_time, until};

const CONTENT: &[u8] = b"From: alice@example.com\r\nSubject:no space\r\n\tfolded \xe4\r\n\r\n\
                         one\r\ntwo\0\xff\r\n";

/// Where the mail server takes a space away, one stands.
const CONTENT_WITH_IMPLIED_SPACE: &[u8] =
    b"From: alice@example.com\r\nSubject: no space\r\n\tfolded \xe4\r\n\r\none\r\ntwo\0\xff\r\n";

#[tokio::test]
async fn a_message_octet_for_octet() {
    let milter = Milter::start(MilterSettings::default());
    let mut mail_server = milter.session().await;
    mail_server.mail("<ok@example.com>").await;
    mail_server.rcpt("<bob@example.org>").await;
    mail_server.rcpt("carol@example.org").await;
    mail_server.field(b"From", b" alice@example.com").await;
    mail_server.field(b"Subject", b"no space\n\tfolded \xe4").await;
    mail_server.finish().await;
    assert_eq!(mail_server.reply().await, "a");

    let judged = milter.court.judged.lock().unwrap().pop().unwrap();
    assert_eq!(judged.content.as_deref(), Ok(CONTENT));
    let envelope = judged.envelope;
    let address = ClientAddress::Ip { address: "192.0.2.1".parse().unwrap(), port: 1234 };
    assert_eq!(envelope.client.address, address);
    assert_eq!(*envelope.client.hostname, *b"client.example");
    assert_eq!(envelope.client.helo.as_deref(), Some(&b"helo.example"[..]));
    assert_eq!(envelope.sender(), b"ok@example.com");
    assert_eq!(envelope.parameters, [Box::from(&b"SIZE=10"[..])]);
    let recipients: Vec<_> = envelope.recipient_addresses().collect();
    assert_eq!(recipients, [b"bob@example.org".as_slice(), b"carol@example.org"]);
    assert_eq!(envelope.recipient_count, 2);
    for (name, value) in
        [("j", "mail.example"), ("tls_version", "TLSv1.3"), ("auth_authen", "alice"), ("i", "Q1")]
    {
        assert_eq!(envelope.macros.value(name), Some(value.as_bytes()), "{name}");
    }
    assert_eq!(milter.verdicts(VerdictKind::Accepted), 1);
}

#[tokio::test]
async fn verdicts() {
    let milter = Milter::start(MilterSettings::default());
    let mut mail_server = milter.session().await;
    for (case, replies, kind) in [
        ("ok", &["a"][..], VerdictKind::Accepted),
        ("refuse", &["y550 5.7.1 100%% no\\x00"], VerdictKind::Rejected),
        ("defer", &["y451 4.7.1 later\\x00"], VerdictKind::Deferred),
        ("discard", &["d"], VerdictKind::Discarded),
        ("quarantine", &["qodd\\x00", "a"], VerdictKind::Quarantined),
        (
            "change",
            &[
                "m\\x00\\x00\\x00\\x02X-Old\\x00\\x00",
                "m\\x00\\x00\\x00\\x01Subject\\x00 other\\x00",
                "i\\x00\\x00\\x00\\x01X-Top\\x00 1\\n\\t2\\x00",
                "hX-Bottom\\x00 3\\x00",
                "a",
            ],
            VerdictKind::Accepted,
        ),
    ] {
        let before = milter.verdicts(kind);
        mail_server.begin(&format!("{case}@example.com")).await;
        mail_server.finish().await;
        for reply in replies {
            assert_eq!(mail_server.reply().await, *reply, "{case}");
        }
        assert_eq!(milter.verdicts(kind), before + 1, "{case}");
    }
    mail_server.send(Command::Quit).await;
    assert_eq!(mail_server.rest().await, "");
    until(|| milter.counters.open() == 0).await;
    assert_eq!((milter.counters.aborted(), milter.counters.malformed()), (0, 0));
}

/// A mail server that waits for an answer to each step gets it, and nothing of what it does not
/// know.
#[tokio::test]
async fn an_old_mail_server() {
    let milter = Milter::start(MilterSettings::default());
    let mut mail_server = milter.connect().await;
    let agreed = mail_server.negotiate(OLD).await;
    assert_eq!(agreed, "O\\x00\\x00\\x00\\x02\\x00\\x00\\x001\\x00\\x00\\x00\\x00");
    mail_server.client().await;
    mail_server.send(Command::Unknown { line: b"HELP" }).await;
    mail_server.begin("change@example.com").await;
    mail_server.finish().await;
    for reply in [
        "m\\x00\\x00\\x00\\x02X-Old\\x00\\x00",
        "m\\x00\\x00\\x00\\x01Subject\\x00other\\x00",
        "i\\x00\\x00\\x00\\x01X-Top\\x001\\n\\t2\\x00",
        "hX-Bottom\\x003\\x00",
        "a",
    ] {
        assert_eq!(mail_server.reply().await, reply);
    }
    let judged = milter.court.judged.lock().unwrap().pop().unwrap();
    assert_eq!(judged.content.as_deref(), Ok(CONTENT_WITH_IMPLIED_SPACE));
}

/// Nothing of the first message is left in the second.
#[tokio::test]
async fn two_messages_on_one_connection() {
    let milter = Milter::start(MilterSettings::default());
    let mut mail_server = milter.session().await;
    mail_server.begin("first@example.com").await;
    mail_server.finish().await;
    assert_eq!(mail_server.reply().await, "a");
    // Without any macros, recipients or fields of its own.
    mail_server.send(Command::Macros { of: CommandCode::Mail, pairs: b"" }).await;
    mail_server.send(Command::Mail { path: b"<second@example.com>", parameters: vec![] }).await;
    mail_server.send(Command::EndOfHeader).await;
    mail_server.send(Command::EndOfMessage { body: b"last piece" }).await;
    assert_eq!(mail_server.reply().await, "a");

    let judged = milter.court.judged.lock().unwrap().pop().unwrap();
    assert_eq!(judged.content.as_deref(), Ok(&b"\r\nlast piece"[..]));
    let envelope = judged.envelope;
    assert_eq!(envelope.sender(), b"second@example.com");
    assert!(envelope.recipients.is_empty() && envelope.recipient_count == 0);
    assert!(envelope.parameters.is_empty());
    assert_eq!((envelope.macros.value("i"), envelope.macros.value("auth_authen")), (None, None));
    assert_eq!(envelope.macros.value("tls_version"), Some(&b"TLSv1.3"[..]));
    assert_eq!(envelope.client.helo.as_deref(), Some(&b"helo.example"[..]));
}

/// Nothing of the first client is left for the second, either.
#[tokio::test]
async fn two_clients_on_one_connection() {
    let milter = Milter::start(MilterSettings::default());
    let mut mail_server = milter.session().await;
    mail_server.begin("first@example.com").await;
    mail_server.send(Command::QuitNewClient).await;
    let address = ClientAddress::Unknown;
    mail_server.send(Command::Connect { hostname: b"other.example", address }).await;
    assert_eq!(mail_server.message("second@example.com").await, "a");
    assert_eq!(*milter.court.dropped.lock().unwrap(), ["first@example.com"]);
    let judged = milter.court.judged.lock().unwrap().pop().unwrap();
    assert_eq!(*judged.envelope.client.hostname, *b"other.example");
    assert_eq!(judged.envelope.client.address, ClientAddress::Unknown);
    assert_eq!(judged.envelope.client.helo, None);
    assert_eq!(judged.envelope.macros.value("tls_version"), None);
}

/// Wherever a message is broken off, the next one is judged as if it had not been.
#[tokio::test]
async fn aborted_messages() {
    let milter = Milter::start(MilterSettings::default());
    let mut mail_server = milter.session().await;
    let breaks = [
        Command::Abort,
        Command::Helo { name: b"helo.example" },
        // The MAIL of the next message itself.
        Command::Macros { of: CommandCode::Mail, pairs: b"" },
    ];
    for broken in &breaks {
        for steps in 0..5 {
            mail_server.mail("<gone@example.com>").await;
            if steps > 0 {
                mail_server.rcpt("<gone@example.org>").await;
            }
            if steps > 1 {
                mail_server.field(b"X-Gone", b" 1").await;
            }
            if steps > 2 {
                mail_server.send(Command::EndOfHeader).await;
            }
            if steps > 3 {
                mail_server.send(Command::Body(b"gone")).await;
            }
            mail_server.send(broken.clone()).await;
            assert_eq!(mail_server.message("ok@example.com").await, "a");
            let judged = milter.court.judged.lock().unwrap().pop().unwrap();
            assert_eq!(judged.content.as_deref(), Ok(CONTENT), "{broken:?} {steps}");
            assert_eq!(judged.envelope.recipient_count, 1);
        }
    }
    assert_eq!(milter.court.dropped.lock().unwrap().len(), 15);
    assert_eq!(milter.counters.aborted(), 15);
    // An abort of nothing is none.
    mail_server.send(Command::Abort).await;
    assert_eq!(mail_server.message("ok@example.com").await, "a");
    assert_eq!(milter.counters.aborted(), 15);
}

#[tokio::test]
async fn a_mail_server_that_goes_within_a_message() {
    let milter = Milter::start(MilterSettings::default());
    for is_polite in [true, false] {
        let mut mail_server = milter.session().await;
        mail_server.begin("gone@example.com").await;
        if is_polite {
            mail_server.send(Command::Quit).await;
            assert_eq!(mail_server.rest().await, "");
        }
    }
    until(|| milter.counters.aborted() == 2 && milter.counters.open() == 0).await;
    assert_eq!(milter.court.dropped.lock().unwrap().len(), 2);
    assert_eq!(milter.counters.malformed(), 0);
}

#[tokio::test]
async fn many_connections() {
    let milter = Milter::start(MilterSettings::default());
    let mut sessions = Vec::new();
    for _ in 0..50 {
        sessions.push(milter.session().await);
    }
    until(|| milter.counters.open() == 50).await;
    // All verdicts are awaited at once.
    for (number, mail_server) in sessions.iter_mut().enumerate() {
        mail_server.begin("slow@example.com").await;
        mail_server.field(b"X-Number", format!(" {number}").as_bytes()).await;
        mail_server.finish().await;
    }
    milter.court.gate.add_permits(50);
    for mail_server in &mut sessions {
        assert_eq!(mail_server.reply().await, "a");
    }
    let mut numbers: Vec<usize> = milter
        .court
        .judged
        .lock()
        .unwrap()
        .iter()
        .map(|judged| {
            let content = String::from_utf8_lossy(judged.content.as_deref().unwrap()).into_owned();
            let (_, number) = content.split_once("X-Number: ").unwrap();
            number.split("\r\n").next().unwrap().parse().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    assert_eq!(milter.verdicts(VerdictKind::Accepted), 50);
}

#[tokio::test]
async fn a_big_body_passes_through() {
    let milter = Milter::start(MilterSettings::default());
    let mut mail_server = milter.session().await;
    mail_server.begin("ok@example.com").await;
    mail_server.send(Command::EndOfHeader).await;
    let chunk = vec![b'x'; 65_535];
    for _ in 0..200 {
        mail_server.send(Command::Body(&chunk)).await;
    }
    mail_server.send(Command::EndOfMessage { body: b"" }).await;
    assert_eq!(mail_server.reply().await, "a");
    let judged = milter.court.judged.lock().unwrap().pop().unwrap();
    let header = CONTENT.len() - b"one\r\ntwo\0\xff\r\n".len();
    assert_eq!(judged.content.unwrap().len(), header + 200 * chunk.len());
}

#[tokio::test]
async fn octet_by_octet() {
    let milter = Milter::start(MilterSettings::default());
    let mut mail_server = milter.connect().await;
    let address = ClientAddress::Unknown;
    let commands = [
        Command::Negotiate(MODERN),
        Command::Connect { hostname: b"x", address },
        Command::Mail { path: b"<ok@example.com>", parameters: vec![] },
        Command::Header { name: b"A", value: b" b" },
        Command::EndOfHeader,
        Command::Body(b"body"),
        Command::EndOfMessage { body: b"" },
    ];
    for octet in commands.iter().flat_map(crate::mail_server::written) {
        mail_server.send_octets(&[octet]).await;
        tokio::task::yield_now().await;
    }
    assert!(mail_server.reply().await.starts_with('O'));
    assert_eq!(mail_server.reply().await, "a");
    let judged = milter.court.judged.lock().unwrap().pop().unwrap();
    assert_eq!(judged.content.as_deref(), Ok(&b"A: b\r\n\r\nbody"[..]));
}

#[tokio::test]
async fn unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("milter");
    let milter = Milter::start_at(&ListenAddress::Unix(path.clone()), MilterSettings::default());
    let mut mail_server = connect_unix(&path).await;
    mail_server.negotiate(MODERN).await;
    mail_server.client().await;
    assert_eq!(mail_server.message("refuse@example.com").await, "y550 5.7.1 100%% no\\x00");
    milter.stop.send(true).unwrap();
    assert_eq!(mail_server.rest().await, "");
    in_time(milter.running).await.unwrap();
    assert!(!path.exists());
}
