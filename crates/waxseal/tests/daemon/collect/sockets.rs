//! The socket for datagrams: bursts, garbage, and who may have it.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};

use super::{Collecting, Stored, count, failure, stored, success, until};
use crate::world::{Daemon, World, run};

const QUEUE: &str = "/proc/sys/net/unix/max_dgram_qlen";

/// One test at a time sees the length of the kernel's queues as it has set it.
static QUEUE_IS_OURS: Mutex<()> = Mutex::new(());

/// The kernel's queues at this length, if we may set it, until dropped.
struct Queue<'q> {
    before: String,
    _guard: MutexGuard<'q, ()>,
}

impl Queue<'_> {
    fn set(length: &str) -> Option<Self> {
        let guard = QUEUE_IS_OURS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = fs::read_to_string(QUEUE).ok()?;
        fs::write(QUEUE, length).ok()?;
        Some(Self { before, _guard: guard })
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        let _ = fs::write(QUEUE, &self.before);
    }
}

/// The program stands still, and nobody takes anything out of the queue: what the kernel holds is
/// not lost.
#[test]
fn a_burst_of_512_is_counted_whole() {
    let collecting = Collecting::new();
    let queue = Queue::set("512");
    let daemon = collecting.serve();
    let is_long = queue.is_some();
    drop(queue);
    if is_long {
        daemon.signal("STOP");
        for number in 0..512 {
            // As libtlsrpt does: a socket for each, and never waiting.
            let sender = UnixDatagram::unbound().unwrap();
            sender.set_nonblocking(true).unwrap();
            let datagram = failure(&format!("d{}.test", number % 7), "x");
            sender.send_to(datagram.as_bytes(), &collecting.socket).unwrap();
        }
        daemon.signal("CONT");
    } else {
        // Where nobody may set the queue, each waits for room.
        collecting.send((0..512).map(|number| failure(&format!("d{}.test", number % 7), "x")));
    }
    until(&daemon, "saved", 512);
    let all = Stored { domains: 7, sessions: 512, successes: 0, failures: 512, details: 512 };
    assert_eq!(collecting.stored(), all);
    assert_eq!(count(&daemon, "datagrams"), 512);
}

#[test]
fn a_short_queue_is_told_with_its_remedy() {
    let collecting = Collecting::new();
    let told = "sysctl -w net.unix.max_dgram_qlen=512";
    if let Some(_queue) = Queue::set("64") {
        let daemon = collecting.serve();
        daemon.log.wait(told);
        assert_eq!(daemon.log.count(told), 1);
    }
    if let Some(_queue) = Queue::set("128") {
        assert_eq!(collecting.serve().log.count(told), 0);
    }
}

/// What brings others down (and what nobody would think of), each with the counter that it moves.
#[test]
fn garbage_is_counted_and_never_stops_it() {
    let collecting = Collecting::new();
    let daemon = collecting.serve();
    let deep = "[".repeat(100_000);
    let secret = "jane.doe@example.com";
    let not_json: [&[u8]; 9] = [
        b"",
        b" ",
        b"\0",
        b"garbage",
        b"\xff\xfe\x00",
        b"{",
        b"{\"d\": \"a.test\"",
        b"{\"d\": \"a.test\"} {}",
        deep.as_bytes(),
    ];
    let of_a_person = format!("{{\"d\": \"{secret}\", \"policies\": [{{}}]}}");
    let wrong: [&[u8]; 10] = [
        b"5",
        b"null",
        b"[]",
        b"\"d\"",
        b"{}",
        b"{\"d\": 5}",
        b"{\"dpv\": \"1\", \"d\": \"a.test\", \"pr\": \"v=TLSRPTv1; rua=\", \"policies\": []}",
        b"{\"d\": \"a.test\", \"policies\": 7}",
        b"{\"d\": \"..\", \"policies\": [{\"policy-type\": 9, \"f\": 0, \"t\": 0}]}",
        of_a_person.as_bytes(),
    ];
    let version = success("a.test").replace("\"1\"", "\"2\"");
    for round in 1..=3 {
        collecting.send(not_json);
        collecting.send(wrong);
        collecting.send([&version]);
        let odd = failure("a.test", "x").replace("\"c\":205", "\"c\":999");
        collecting.send([success("a.test"), odd]);
        until(&daemon, "counted", 2 * round);
    }
    assert_eq!(count(&daemon, "odd"), 3);
    let losses = ["lost-not-json", "lost-wrong-type", "lost-wrong-version"];
    assert_eq!(losses.map(|loss| count(&daemon, loss)), [27, 30, 3]);
    assert_eq!(daemon.log.count("cannot be read"), 10, "{}", daemon.log.text());
    assert!(!daemon.log.text().contains("jane"), "{}", daemon.log.text());
    until(&daemon, "saved", 6);
    assert!(daemon.terminate().success());
    assert_eq!((collecting.stored().successes, collecting.stored().failures), (3, 3));
}

#[test]
fn a_datagram_that_is_too_large() {
    let collecting = Collecting::new();
    let daemon = collecting.serve();
    let sender = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::DGRAM, None).unwrap();
    sender.set_send_buffer_size(4 * 1024 * 1024).unwrap();
    let to = socket2::SockAddr::unix(&collecting.socket).unwrap();
    // The most that is taken, and one octet more; some systems do not even send that.
    let fits = format!("{}{}", success("a.test"), " ".repeat(212_960 - success("a.test").len()));
    let fits = u64::from(sender.send_to(fits.as_bytes(), &to).is_ok());
    let larger = u64::from(sender.send_to(&vec![b' '; 212_961], &to).is_ok());
    collecting.send([success("a.test")]);
    until(&daemon, "counted", 1 + fits);
    assert_eq!(count(&daemon, "lost-too-large"), larger);
}

#[test]
fn a_socket_belongs_to_one_program() {
    let collecting = Collecting::new();
    let first = collecting.serve();
    let mode = fs::metadata(&collecting.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let other = collecting.world.path("other");
    let mut command = collecting.world.waxseal(&["serve", "--socketmap", "127.0.0.1:0"]);
    command.arg("--state-dir").arg(other).arg("--config");
    command.arg(collecting.world.path("waxseal.toml")).args(collecting.world.machine());
    let second = run(&mut command);
    assert_eq!(second.code, 64, "{}", second.err);
    let told = format!("collect.socket: unix:{}: already in use", collecting.socket.display());
    assert!(second.err.contains(&told), "{}", second.err);
    collecting.send([success("a.test")]);
    until(&first, "counted", 1);
    // What a dead one has left is taken over, and what is no socket is left alone.
    first.kill();
    assert!(collecting.socket.exists());
    assert!(collecting.serve().terminate().success());
    assert!(!collecting.socket.exists());
    fs::write(&collecting.socket, "precious").unwrap();
    let refused = run(&mut collecting.world.command(&[]));
    assert_eq!(refused.code, 64);
    assert!(refused.err.contains("a file that is not a socket"), "{}", refused.err);
    assert_eq!(fs::read(&collecting.socket).unwrap(), b"precious");
}

#[test]
fn what_cannot_be_a_socket_for_datagrams_is_no_start() {
    let world = World::new();
    let long = format!("unix:/tmp/{}", "x".repeat(103));
    for (address, told) in [
        ("127.0.0.1:0", "expected a unix socket, unix:PATH, found \"127.0.0.1:0\""),
        (&*long, "expected a socket path of at most 107 octets"),
    ] {
        world.settings(&format!("[collect]\nsocket = [\"{address}\"]\n"));
        let said = run(&mut world.command(&[]));
        assert_eq!(said.code, 64);
        assert!(said.err.contains("collect.socket") && said.err.contains(told), "{}", said.err);
    }
}

/// A group that is not there costs a warning, for mail does not depend on it.
#[test]
fn an_unknown_group_is_told() {
    let collecting = Collecting::new();
    collecting.world.settings(&format!(
        "[collect]\nsocket = [\"unix:{}\"]\ngroup = \"no-such-group\"\n",
        collecting.socket.display()
    ));
    let daemon = collecting.serve();
    daemon.log.wait("cannot be given to the group \"no-such-group\"");
    collecting.send([success("a.test")]);
    until(&daemon, "saved", 1);
}

/// As in a unit with `ListenDatagram=` and `FileDescriptorName=tlsrpt`: what is sent while the
/// program is away waits in the socket, which stays.
#[test]
fn a_socket_of_systemd_outlives_the_program() {
    let world = World::new();
    let path = world.path("given");
    let socket = UnixDatagram::bind(&path).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    for round in 1..=2 {
        sender.send_to(success("a.test").as_bytes(), &path).unwrap();
        let mut command = Command::new("sh");
        let script = "exec 3<&0 0</dev/null; \
                      LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=tlsrpt exec \"$@\"";
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_waxseal"), "serve"]);
        command.args(["--socketmap", "127.0.0.1:0", "--http", "127.0.0.1:0", "--state-dir"]);
        command.arg(world.state()).args(world.machine());
        command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
        command.current_dir(world.folder.path());
        let daemon = Daemon::start_with_input(&mut command, &world.state());
        until(&daemon, "saved", 1);
        assert!(daemon.terminate().success());
        assert_eq!(stored(&world.state()).successes, round);
        assert!(path.exists(), "the socket is systemd's");
    }
}

/// Nobody keeps a count without a place to keep it in, so there is no socket either, and Postfix
/// says that nobody listens.
#[test]
fn without_memory_nothing_is_collected() {
    let collecting = Collecting::new();
    let mut command = collecting.world.waxseal(&["serve", "--socketmap", "127.0.0.1:0"]);
    command.arg("--config").arg(collecting.world.path("waxseal.toml"));
    command.args(collecting.world.machine());
    let daemon = Daemon::start(&mut command, &collecting.world.state());
    let sender = UnixDatagram::unbound().unwrap();
    let error = sender.send_to(b"x", &collecting.socket).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(daemon.terminate().success());
}
