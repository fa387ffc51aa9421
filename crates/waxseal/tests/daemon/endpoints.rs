//! Metrics, health, decisions and Exim's line; and clients that are slow, rude or many.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::world::{Daemon, PATIENCE, World, openmetrics, secure};

#[test]
fn metrics_are_openmetrics_and_count() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    world.publish_dane("dane.test");
    let daemon = world.serve();
    let samples = || openmetrics::parse(&daemon.get("/metrics").1);
    let before = samples();
    assert_eq!(before["waxseal_socketmap_replies_total{reply=\"secure\"}"], 0.0);
    for key in ["a.test", "a.test", "dane.test", "nowhere.test", ".nowhere.test"] {
        daemon.query(key);
    }
    let after = samples();
    for (name, value) in [
        ("waxseal_socketmap_connections_total", 5.0),
        ("waxseal_socketmap_lookups_total", 3.0),
        ("waxseal_evaluations_total", 3.0),
        ("waxseal_decisions_total{answer=\"secure\"}", 1.0),
        ("waxseal_decisions_total{answer=\"dane-only\"}", 1.0),
        ("waxseal_decisions_total{answer=\"none\"}", 1.0),
        ("waxseal_socketmap_replies_total{reply=\"secure\"}", 2.0),
        ("waxseal_policy_fetches_total", 1.0),
        ("waxseal_policies", 1.0),
        ("waxseal_answers_in_memory", 3.0),
        ("waxseal_faults_total", 0.0),
        ("waxseal_store_errors_total", 0.0),
    ] {
        assert_eq!(after.get(name), Some(&value), "{name}");
    }
    for (name, value) in &before {
        let is_counter = name.contains("_total");
        assert!(!is_counter || after[name] >= *value, "{name} went down");
    }
    // What only comes with an alarm is OpenMetrics as well.
    world.dns.remove("_mta-sts.a.test TXT");
    daemon.decision("a.test");
    assert_eq!(samples()["waxseal_sentinel_alarms_total{kind=\"record-gone\"}"], 1.0);
}

#[test]
fn paths_and_questions_that_are_not_there() {
    let world = World::new();
    let daemon = world.serve();
    assert_eq!(daemon.get("/").0, 404);
    assert_eq!(daemon.get("/v1/decision?domain=a.test").0, 404, "decisions are not for watchers");
    for (path, status, told) in [
        ("/v1/decision", 400, "found neither"),
        ("/v1/decision?domain=a%20b", 400, "error"),
        ("/v1/decision?domain=a.test&port=x", 400, ""),
        ("/v1/decision?domain=%5B192.0.2.1%5D", 400, "error"),
        ("/metrics", 404, ""),
        ("/v1/decision?domain=nowhere.test&port=587", 200, "nowhere.test:587"),
        ("/v1/decision?next_hop=%5Bnowhere.test%5D", 200, "[nowhere.test]"),
    ] {
        let (found, body) = daemon.ask_api(path);
        assert_eq!(found, status, "{path}: {body}");
        assert!(body.contains(told), "{path}: {body}");
    }
}

/// A mail server that asks for each letter must not cost a look-up for each.
#[test]
fn a_decision_is_looked_up_once_for_many_who_ask() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    let path = "/v1/decision?domain=a.test";
    world.host.hold();
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..20).map(|_| scope.spawn(|| daemon.ask_api(path))).collect();
        world.host.wait_for(1);
        world.host.release();
        for one in asking {
            let (status, body) = one.join().unwrap();
            assert_eq!(status, 200, "{body}");
            assert!(body.contains("\"decision\":\"secure\""), "{body}");
        }
    });
    assert_eq!(daemon.metric("waxseal_evaluations_total"), 1.0);
    daemon.ask_api(&format!("{path}&anew=true"));
    assert_eq!(daemon.metric("waxseal_evaluations_total"), 2.0);
}

/// `contrib/haraka/waxseal.js` and `contrib/opensmtpd/table-waxseal` read these fields, and their
/// own tests do not run here: whoever moves one, moves it there, in docs/other-mtas.md, and raises
/// the number of the schema.
#[test]
fn the_fields_that_programs_of_others_rest_on() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let document = world.serve().decision("a.test");
    for (pointer, value) in [
        ("/schema", serde_json::json!(1)),
        ("/decision", "secure".into()),
        ("/reasons/0/text", "the MX records are not signed".into()),
        ("/facts/sts/mode", "enforce".into()),
        ("/facts/mx/hosts/0/host", "mx.a.test".into()),
        ("/facts/mx/hosts/0/preference", 10.into()),
        ("/facts/mx/hosts/0/dane", "none".into()),
        ("/facts/mx/hosts/0/sts_match", true.into()),
    ] {
        assert_eq!(document.pointer(pointer), Some(&value), "{pointer}");
    }
}

#[test]
fn a_decision_that_takes_too_long_is_503_and_the_look_up_goes_on() {
    let world = World::new();
    world.settings("[sender]\ndeadline = \"300ms\"\n");
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    world.host.hold();
    let (status, body) = daemon.ask_api("/v1/decision?domain=a.test");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("the look-up goes on"), "{body}");
    world.host.release();
    // Not at once: the answer comes after the policy is on the disk.
    daemon.until("a decision", |daemon| daemon.ask_api("/v1/decision?domain=a.test").0 == 200);
    assert_eq!(daemon.metric("waxseal_policy_fetches_total"), 1.0);
}

/// Sends octets and returns what comes back until the end.
fn send(daemon: &Daemon, octets: &[u8]) -> String {
    let mut stream = TcpStream::connect(daemon.http.unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(octets);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn garbage_on_http_is_refused() {
    let world = World::new();
    let daemon = world.serve();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let fields = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(10_000));
    let table: [&[u8]; 7] = [
        b"",
        b"\r\n\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"EHLO mail.test\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        long.as_bytes(),
        fields.as_bytes(),
    ];
    for octets in table {
        let answer = send(&daemon, octets);
        let start = answer.chars().take(40).collect::<String>();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{start}");
    }
    let answer = send(&daemon, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert_eq!(daemon.get("/healthz").0, 200);
}

#[test]
fn a_thousand_connections_do_not_hurt_the_mail_server() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    world.publish("b.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    // Half of them send half a request, and none reads.
    let mut http: Vec<_> =
        (0..500).map_while(|_| TcpStream::connect(daemon.http.unwrap()).ok()).collect();
    for stream in http.iter_mut().step_by(2) {
        let _ = stream.write_all(b"GET /metr");
    }
    let maps: Vec<_> = (0..500).map(|_| daemon.connect()).collect();
    let start = Instant::now();
    for _ in 0..100 {
        assert_eq!(daemon.query("a.test"), secure("a.test"));
    }
    assert_eq!(daemon.query("b.test"), secure("b.test"));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop((http, maps));
    daemon.until("the watchers' turn", |daemon| {
        daemon.metric("waxseal_socketmap_connections_open") <= 1.0
    });
    assert_eq!(daemon.metric("waxseal_faults_total"), 0.0);
}

#[test]
fn more_connections_than_allowed_are_refused_and_counted() {
    let world = World::new();
    world.settings("[socketmap]\nmax_connections = 2\n");
    let daemon = world.serve();
    let mut first = daemon.connect();
    first.send("QUERY", ".test");
    assert_eq!(first.receive().unwrap(), "NOTFOUND ");
    let mut second = daemon.connect();
    second.send("QUERY", ".test");
    assert_eq!(second.receive().unwrap(), "NOTFOUND ");
    assert_eq!(daemon.connect().receive(), None);
    assert_eq!(daemon.metric("waxseal_socketmap_refused_total"), 1.0);
    drop(first);
    daemon.until("a free place", |daemon| {
        let mut next = daemon.connect();
        next.send("QUERY", ".test");
        next.receive().is_some()
    });
}

#[test]
fn malformed_netstrings_are_cut_off_and_counted() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    let table: [&[u8]; 6] = [
        b"QUERY a.test\n",
        b"012:QUERY a.test,",
        b"+12:QUERY a.test,",
        b"12:QUERY a.test;",
        b"99999999:",
        b":,",
    ];
    for octets in table {
        let mut stream = TcpStream::connect(daemon.socketmap.unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(octets).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("OK"), "{answer}");
    }
    assert_eq!(daemon.metric("waxseal_socketmap_malformed_total"), 6.0);
    assert_eq!(daemon.query("a.test"), secure("a.test"));
}

/// No word on the port of the mail server changes anything.
#[test]
fn there_is_no_command_for_strangers() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    for word in ["PURGE", "DUMP", "EXPORT", "JSON"] {
        let reply = daemon.ask(word, "a.test");
        assert_eq!(reply, secure("a.test"), "{word} is the name of a map");
    }
    world.dns.fall_silent();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
}

#[test]
fn exim_gets_its_line() {
    let world = World::new();
    let path = world.path("line");
    world.settings(&format!("[line]\nlisten = [\"unix:{}\"]\n", path.display()));
    world.publish("a.test", "1", "enforce");
    world.publish_dane("dane.test");
    world.host("failing.test");
    world.dns.fail("failing.test MX");
    let _daemon = world.serve();
    for (question, line) in [
        ("a.test\n", "decision=secure mx=mx.a.test sts=enforce\n"),
        ("A.TEST.\r\n", "decision=secure mx=mx.a.test sts=enforce\n"),
        ("dane.test\n", "decision=dane-only\n"),
        ("nowhere.test\n", "decision=none\n"),
        ("[192.0.2.1]\n", "decision=none\n"),
    ] {
        assert_eq!(ask_line(&path, question), line, "{question}");
    }
    let line = ask_line(&path, "failing.test\n");
    assert!(line.starts_with("decision=defer reason=\"") && line.ends_with("\"\n"), "{line}");
}

fn ask_line(path: &std::path::Path, question: &str) -> String {
    let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
    stream.write_all(question.as_bytes()).unwrap();
    let mut line = String::new();
    stream.read_to_string(&mut line).unwrap();
    line
}
