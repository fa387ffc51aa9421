//! Lines of JSON on the stream socket, and the verb that writes them.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Collecting, count, failure, success, until};
use crate::world::{PATIENCE, run};

fn connect(collecting: &Collecting) -> UnixStream {
    let stream = UnixStream::connect(&collecting.stream).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn answer(mut stream: UnixStream) -> Value {
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn lines_in_pieces_of_any_size() {
    let collecting = Collecting::new();
    let daemon = collecting.serve();
    let mut slow = connect(&collecting);
    // Between the octets of one, another writes as a whole.
    let text = format!("{}\r\n\n  \n{}", success("a.test"), failure("b.test", "x"));
    for (index, octet) in text.bytes().enumerate() {
        slow.write_all(&[octet]).unwrap();
        if index % 100 == 0 {
            let mut quick = connect(&collecting);
            quick.write_all(success("c.test").as_bytes()).unwrap();
            assert_eq!(answer(quick), json!({"counted": 1, "refused": 0, "saved": true}));
        }
    }
    assert_eq!(answer(slow), json!({"counted": 2, "refused": 0, "saved": true}));
    let quick = i64::try_from(text.len().div_ceil(100)).unwrap();
    // The answer says that it is on the disk.
    let stored = collecting.stored();
    assert_eq!((stored.domains, stored.successes, stored.failures), (3, 1 + quick, 1));
    assert_eq!(count(&daemon, "lost-not-json"), 0);
}

#[test]
fn huge_and_broken_lines_do_not_spoil_the_others() {
    let collecting = Collecting::new();
    let daemon = collecting.serve();
    let mut stream = connect(&collecting);
    let good = success("a.test");
    let fits = format!("{good}{}", " ".repeat(64 * 1024 - good.len()));
    for line in [&*good, &"x".repeat(10_000_000), &fits, &format!("{fits} "), "garbage", &good] {
        stream.write_all(line.as_bytes()).unwrap();
        stream.write_all(b"\n").unwrap();
    }
    stream.write_all(&good.as_bytes()[..50]).unwrap();
    assert_eq!(answer(stream), json!({"counted": 3, "refused": 4, "saved": true}));
    assert_eq!(count(&daemon, "lost-too-large"), 2);
    assert_eq!(count(&daemon, "lost-not-json"), 2);
}

#[test]
fn a_thousand_connections_at_once() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let collecting = Collecting::new();
    let daemon = collecting.serve();
    let mut streams: Vec<_> = (0..1_000).map(|_| connect(&collecting)).collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        writeln!(stream, "{}", failure(&format!("d{}.test", number % 3), "x")).unwrap();
    }
    for stream in streams.iter_mut().rev() {
        write!(stream, "{}", success("a.test")).unwrap();
    }
    until(&daemon, "counted", 1_000);
    for stream in streams {
        assert_eq!(answer(stream), json!({"counted": 2, "refused": 0, "saved": true}));
    }
    let stored = collecting.stored();
    assert_eq!((stored.domains, stored.successes, stored.failures), (4, 1_000, 1_000));
    assert_eq!(count(&daemon, "connections-refused"), 0);
}

/// Connections that say nothing do not hold up the end.
#[test]
fn sigterm_with_open_connections() {
    let collecting = Collecting::new();
    let daemon = collecting.serve();
    let mut silent: Vec<_> = (0..20).map(|_| connect(&collecting)).collect();
    writeln!(silent[0], "{}", success("a.test")).unwrap();
    until(&daemon, "counted", 1);
    assert!(daemon.terminate().success());
    assert_eq!(collecting.stored().successes, 1);
}

#[test]
fn the_verb() {
    let collecting = Collecting::new();
    let world = &collecting.world;
    let socket = collecting.stream.to_str().unwrap().to_owned();
    let file = world.path("sessions");
    let lines = [
        success("a.test"),
        String::new(),
        "{\"d\": \"a.test\", \"policies\": 7}".to_owned(),
        failure("b.test", "x"),
        "x".repeat(70_000),
        success("c.test"),
    ];
    fs::write(&file, lines.join("\n")).unwrap();
    let file = file.to_str().unwrap();
    let inject = |arguments: &[&str]| {
        run(world.waxseal(&["reports", "inject"]).args(arguments).stdin(Stdio::null()))
    };
    let nobody = inject(&["--socket", &socket, file]);
    assert_eq!(nobody.code, 1, "{}", nobody.err);
    assert!(nobody.err.contains(&format!("unix:{socket}: ")), "{}", nobody.err);
    assert_eq!(inject(&[file]).code, 64);
    assert_eq!(inject(&["--socket", "somewhere", file]).code, 64);

    let daemon = collecting.serve();
    let said = inject(&["--socket", &socket, file]);
    assert_eq!((said.code, &*said.out), (2, "3 counted, on the disk; 2 refused\n"), "{}", said.err);
    assert!(said.err.contains("sessions:3:"), "{}", said.err);
    assert!(said.err.contains("policies: expected "), "{}", said.err);
    assert!(said.err.contains("sessions:5: expected a line of at most 65536"), "{}", said.err);
    let stored = collecting.stored();
    assert_eq!((stored.domains, stored.successes, stored.failures), (3, 2, 1));

    // From standard input, at the place that the settings name.
    let settings = world.path("waxseal.toml");
    let mut command = world.waxseal(&["reports", "inject", "-", "--json", "--config"]);
    let mut child = spawn(command.arg(settings));
    writeln!(child.stdin.take().unwrap(), "{}", success("d.test")).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document, json!({"version": 1, "counted": 1, "refused": 0, "saved": true}));
    assert_eq!(count(&daemon, "lines"), 4);
}

fn spawn(command: &mut Command) -> std::process::Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}
