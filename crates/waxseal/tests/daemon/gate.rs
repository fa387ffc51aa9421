//! The gate by the program as it is run: what it signs, and who would do it harm.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;

use waxseal::gate::milter::command::Command;

use crate::reports::make_keys;
use crate::world::milter::{Mail, POSTFIX, Wanted, begin, message, show, speak, written};
use crate::world::{Daemon, NOW, World, run};

const SENDMAIL: &str = "8.18.1";
const US: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const LETTER: &[u8] = b"From: <joe@us.test>\r\nTo: <jane@a.test>\r\nSubject: x\r\n\r\nHello!\r\n";

/// With a milter by TCP and by a unix socket.
fn world(more: &str) -> World {
    let world = World::new();
    let listen = "listen = [\"127.0.0.1:0\", \"unix:STATE_DIR/milter\"]";
    world.settings(&format!("[gate]\n{listen}\n{more}\n"));
    world
}

fn mail<'m>(software: &'m str, client: IpAddr, message: &'m [u8]) -> Mail<'m> {
    Mail { software, client, mail_from: "joe@us.test", to: "jane@a.test", message }
}

/// What verifiers say of a message with new fields on top, for each signature.
fn verified(world: &World, wanted: &Wanted, added: &str, message: &[u8]) -> Vec<String> {
    let fields = wanted.inserted.iter().map(|(name, value)| format!("{name}:{value}\n"));
    let header = fields.collect::<String>().replace('\n', "\r\n");
    let path = world.path("letter.eml");
    std::fs::write(&path, [header.as_bytes(), added.as_bytes(), message].concat()).unwrap();
    let mut command = world.waxseal(&["verify", "--json", "--at", &NOW.to_string()]);
    let said = run(command.arg("--resolver").arg(world.dns.address.to_string()).arg(&path));
    let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let signatures = found["dkim"].as_array().unwrap();
    signatures.iter().map(|one| one["result"].as_str().unwrap().to_owned()).collect()
}

/// sendmail adds `Date` and `Message-Id` behind its milters. Postfix adds them before, so there
/// nobody may add them later.
#[test]
fn signatures_survive_what_sendmail_adds() {
    const ADDED: &str = "Date: Sat, 21 Nov 2026 00:00:00 +0000\r\nMessage-Id: <1@us.test>\r\n";
    let world = world("");
    make_keys(&world);
    let daemon = world.serve_at(NOW);
    let milter = daemon.milter.unwrap();
    for (software, expected) in [(SENDMAIL, "pass"), (POSTFIX, "fail")] {
        let wanted = show(milter, &mail(software, US, LETTER));
        assert_eq!(verified(&world, &wanted, ADDED, LETTER), [expected; 2], "{software}");
        assert_eq!(verified(&world, &wanted, "", LETTER), ["pass"; 2], "{software}");
    }
    // What is there is signed, and once more, whoever asks.
    let complete = [ADDED.as_bytes(), LETTER].concat();
    for software in [SENDMAIL, POSTFIX] {
        let wanted = show(milter, &mail(software, US, &complete));
        assert_eq!(verified(&world, &wanted, "", &complete), ["pass"; 2], "{software}");
        assert_eq!(verified(&world, &wanted, ADDED, &complete), ["fail"; 2], "{software}");
    }
}

/// BSI TR-03182-04-M.
#[test]
fn mail_that_is_not_strict() {
    let date = b"Date: Sat, 21 Nov 2026 00:00:00 +0000\r\n";
    let strict = [&date[..], LETTER].concat();
    let twice = [&date[..], b"Subject: y\r\n", LETTER].concat();
    for (setting, verdict, signatures) in [("sign", 'a', 2), ("leave", 'a', 0), ("refuse", 'y', 0)]
    {
        let world = world(&format!("not_strict = \"{setting}\""));
        make_keys(&world);
        let daemon = world.serve_at(NOW);
        let shown = |mail: &Mail<'_>| show(daemon.milter.unwrap(), mail);
        let wanted = shown(&mail(POSTFIX, US, &twice));
        let found = (wanted.verdict, wanted.count("DKIM-Signature"));
        assert_eq!(found, (verdict, signatures), "{setting}");
        if setting == "refuse" {
            assert!(wanted.reply.starts_with("550 5.6.0 This message"), "{}", wanted.reply);
            assert!(wanted.reply.contains("Subject"), "{}", wanted.reply);
        }
        // A message that is strict, and one that sendmail is about to give a Date.
        for good in [mail(POSTFIX, US, &strict), mail(SENDMAIL, US, LETTER)] {
            let wanted = shown(&good);
            assert_eq!((wanted.verdict, wanted.count("DKIM-Signature")), ('a', 2), "{setting}");
        }
        // What others send is not ours to mend.
        assert_eq!(shown(&mail(POSTFIX, STRANGER, &twice)).verdict, 'a');
    }
}

#[test]
fn the_bsi_profile_names_what_it_expects_of_signatures() {
    let world = World::new();
    for (setting, is_told) in [("sign", true), ("leave", false), ("refuse", false)] {
        world.settings(&format!(
            "profile = \"bsi\"\n[gate]\nlisten = [\"127.0.0.1:8644\"]\nnot_strict = \"{setting}\"\n"
        ));
        let mut command = world.waxseal(&["config", "check", "--config"]);
        let said = run(command.arg(world.path("waxseal.toml")));
        let text = said.out + &said.err;
        assert_eq!(text.contains("gate.not_strict: BSI TR-03182 (04-M)"), is_told, "{text}");
    }
}

fn is_well(daemon: &Daemon) {
    let milter = daemon.milter.unwrap();
    assert_eq!(show(milter, &mail(POSTFIX, STRANGER, LETTER)).verdict, 'a');
}

#[test]
fn garbage_by_tcp_and_by_unix_socket() {
    let world = world("");
    let daemon = world.serve();
    let begun = begin(POSTFIX, STRANGER);
    let garbage = [
        b"\0\0\0\0".to_vec(),
        b"\xff\xff\xff\xffO".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"\0\0\0\x0dO\0\0\0\x01\0\0\x01\xff\0\x1f\xff\xff".to_vec(),
        b"\0\0\0\x0dO\xff\xff\xff\xff\0\0\0\0\0\0\0\0".to_vec(),
        [&begun[..], b"\0\0\0\x01O"].concat(),
        [&begun[..], b"\0\0\0\x01E"].concat(),
        (0..=255).cycle().take(100_000).collect(),
        vec![0xff; 2_000_000],
        vec![0; 2_000_000],
    ];
    for octets in &garbage {
        let tcp = TcpStream::connect(daemon.milter.unwrap()).unwrap();
        assert!(speak(tcp, octets).is_none());
        let unix = UnixStream::connect(world.state().join("milter")).unwrap();
        assert!(speak(unix, octets).is_none());
    }
    daemon
        .until("the end of all", |daemon| daemon.metric("waxseal_milter_connections_open") == 0.0);
    is_well(&daemon);
}

#[test]
fn connections_that_are_only_held_cost_nobody_else_anything_up_to_the_limit() {
    let world = world("max_connections = 100");
    let daemon = world.serve();
    let milter = daemon.milter.unwrap();
    let open = |count: f64| {
        daemon.until("connections", |daemon| {
            daemon.metric("waxseal_milter_connections_open") == count
        });
    };
    let mut held: Vec<_> = (0..99).map(|_| TcpStream::connect(milter).unwrap()).collect();
    open(99.0);
    is_well(&daemon);
    open(99.0);
    held.push(TcpStream::connect(milter).unwrap());
    open(100.0);
    let mut more = TcpStream::connect(milter).unwrap();
    assert!(matches!(more.read(&mut [0]), Ok(0) | Err(_)));
    drop(held);
    open(0.0);
    is_well(&daemon);
}

#[test]
fn messages_that_are_too_much() {
    let world = world("");
    let daemon = world.serve();
    let milter = daemon.milter.unwrap();
    let field = Command::Header { name: b"X", value: b" y" };
    let from = Command::Header { name: b"From", value: b" <joe@us.test>" };
    let envelope = || Command::Mail { path: b"<joe@us.test>", parameters: vec![] };
    let to = || Command::Rcpt { path: b"<jane@a.test>", parameters: vec![] };
    let sent = |middle: Vec<u8>| {
        let ends =
            [Command::EndOfHeader, Command::Body(b"\0\xff\0"), Command::EndOfMessage { body: b"" }];
        let octets = [begin(POSTFIX, STRANGER), middle, written(&ends)].concat();
        speak(TcpStream::connect(milter).unwrap(), &octets)
    };
    let header = |fields: Vec<u8>| {
        let head = written(&[envelope(), to(), Command::Data, from.clone()]);
        sent([head, fields].concat())
    };
    let refused = header(written(&[field]).repeat(10_000)).unwrap();
    assert!(refused.reply.starts_with("550 5.3.4"), "{refused:?}");
    // A line of a megabyte is read, and judged as far as it is kept; more is no packet.
    let long = |octets: usize| {
        let value = vec![b'x'; octets];
        header(written(&[Command::Header { name: b"X", value: &value }]))
    };
    assert_eq!(long(1_000_000).unwrap().verdict, 'a');
    assert!(long(1_100_000).is_none());
    // A text that ends twice.
    assert!(header(b"\0\0\0\x06LX\0a\0b".to_vec()).is_none());
    assert!(header(b"\0\0\0\x05LX\0\0\0".to_vec()).is_none());
    for count in [1_000, 20_000] {
        let head = [written(&[envelope()]), written(&[to()]).repeat(count)].concat();
        let rest = written(&[Command::Data, from.clone()]);
        assert_eq!(sent([head, rest].concat()).unwrap().verdict, 'a', "{count}");
    }
    // Begun and given up, over and over; the message behind it counts.
    let storm = written(&[envelope(), to(), Command::Data, from.clone(), Command::Abort]);
    let last = message(&mail(POSTFIX, STRANGER, LETTER));
    let octets = [begin(POSTFIX, STRANGER), storm.repeat(10_000), last].concat();
    let wanted = speak(TcpStream::connect(milter).unwrap(), &octets).unwrap();
    assert_eq!(wanted.verdict, 'a');
    is_well(&daemon);
}

#[test]
fn kill_9_within_a_message_leaves_nothing_in_the_way() {
    let world = world("");
    let path = world.state().join("milter");
    for _ in 0..2 {
        let daemon = world.serve();
        let mut unix = UnixStream::connect(&path).unwrap();
        let head = [
            Command::Mail { path: b"<joe@us.test>", parameters: vec![] },
            Command::Rcpt { path: b"<jane@a.test>", parameters: vec![] },
        ];
        let octets = [begin(POSTFIX, STRANGER), written(&head)].concat();
        unix.write_all(&octets).unwrap();
        daemon.until("the connection", |daemon| {
            daemon.metric("waxseal_milter_connections_open") == 1.0
        });
        daemon.kill();
        // The mail server notices at once, and does what its own setting says.
        let mut rest = Vec::new();
        let _ = unix.read_to_end(&mut rest);
    }
    let daemon = world.serve();
    let octets = [begin(POSTFIX, STRANGER), message(&mail(POSTFIX, STRANGER, LETTER))].concat();
    let wanted = speak(UnixStream::connect(&path).unwrap(), &octets);
    assert_eq!(wanted.unwrap().verdict, 'a');
    is_well(&daemon);
}

#[test]
fn two_instances_on_one_socket() {
    let world = world("");
    let daemon = world.serve();
    let path = world.state().join("milter");
    let tcp = daemon.milter.unwrap().to_string();
    let unix = format!("unix:{}", path.display());
    for (address, told) in [(unix, "waxseal running?"), (tcp, "already in use")] {
        let mut second = world.waxseal(&["serve", "--socketmap", "127.0.0.1:0", "--milter"]);
        second.arg(&address).arg("--state-dir").arg(world.path("other"));
        let said = run(second.args(world.machine()));
        assert_eq!(said.code, 64, "{address}: {}", said.err);
        assert!(said.err.contains(told), "{address}: {}", said.err);
    }
    let octets = [begin(POSTFIX, STRANGER), message(&mail(POSTFIX, STRANGER, LETTER))].concat();
    let wanted = speak(UnixStream::connect(&path).unwrap(), &octets);
    assert_eq!(wanted.unwrap().verdict, 'a');
    is_well(&daemon);
}
