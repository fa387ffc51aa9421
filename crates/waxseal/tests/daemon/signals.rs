//! Signals, and what systemd does for daemons and expects of them.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::world::{Daemon, PATIENCE, World, get, secure};

#[test]
fn sigterm_and_sigint_end_it_with_0_and_remove_sockets() {
    for name in ["TERM", "INT"] {
        let world = World::new();
        let socket = world.path("map");
        let listen = format!("unix:{}", socket.display());
        let mut daemon = world.serve_with(&["--socketmap", &listen]);
        assert!(socket.exists() && daemon.api.exists());
        daemon.signal(name);
        assert_eq!(daemon.wait().code(), Some(0));
        assert!(!socket.exists() && !daemon.api.exists());
    }
}

#[test]
fn a_question_in_flight_is_still_answered() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    world.host.hold();
    let mut daemon = world.serve();
    let mut connection = daemon.connect();
    connection.send("QUERY", "a.test");
    world.host.wait_for(1);
    daemon.signal("TERM");
    daemon.until("the end of accepting", |daemon| {
        std::net::TcpStream::connect(daemon.socketmap.unwrap()).is_err()
    });
    world.host.release();
    assert_eq!(connection.receive().unwrap(), secure("a.test"));
    assert_eq!(connection.receive(), None);
    assert_eq!(daemon.wait().code(), Some(0));
    // And what it brought is remembered.
    world.host.go_down();
    assert_eq!(world.serve().query("a.test"), secure("a.test"));
}

#[test]
fn idle_connections_do_not_delay_the_end() {
    let world = World::new();
    let daemon = world.serve();
    let _idle: Vec<_> = (0..20).map(|_| daemon.connect()).collect();
    let start = Instant::now();
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Whoever stops a daemon that cannot reach its resolver need not kill it.
#[test]
fn sigterm_during_the_first_proof() {
    let world = World::new();
    world.dns.fall_silent();
    let mut child = world.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    world.dns.wait_for(".");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!world.state().join("api").exists());
}

/// The protocol of sd_listen_fds(3): descriptors from 3 on, with names.
#[test]
fn sockets_of_systemd() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let map = TcpListener::bind("127.0.0.1:0").unwrap();
    let map_address = map.local_addr().unwrap();
    let api_path = world.path("given");
    let api = UnixListener::bind(&api_path).unwrap();
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "exec 3<&0 4<&1 0</dev/null 1>&2; \
         LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=socketmap:api exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_waxseal"),
        "serve",
        "--state-dir",
    ]);
    command.arg(world.state()).args(["--http", "127.0.0.1:0"]).args(world.machine());
    command.current_dir(world.folder.path());
    command.stdin(Stdio::from(OwnedFd::from(map))).stdout(Stdio::from(OwnedFd::from(api)));
    let daemon = Daemon::start_as_is(&mut command, &world.state());
    assert_eq!(daemon.socketmap, Some(map_address));
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    let (status, body) = get(UnixStream::connect(&api_path).unwrap(), "/v1/decision?domain=a.test");
    assert_eq!(status, 200, "{body}");
    assert_eq!(daemon.get("/healthz").0, 200);
    // The listeners of the settings are not opened beside those of systemd.
    assert!(!world.state().join("socketmap").exists() && !world.state().join("api").exists());
    assert!(daemon.terminate().success());
    assert!(api_path.exists(), "the socket is systemd's");
}

#[test]
fn a_socket_of_an_unknown_name_is_no_start() {
    let world = World::new();
    let mut command = Command::new("sh");
    let script =
        "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=submission exec \"$@\"";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_waxseal"), "serve", "--state-dir"]);
    command.arg(world.state()).args(world.machine());
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = command.stdin(Stdio::from(OwnedFd::from(socket))).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("FileDescriptorName=") && told.contains("\"submission\""), "{told}");
}

#[test]
fn systemd_is_told_of_start_life_and_end() {
    let world = World::new();
    let path = world.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let receive = || {
        let mut octets = [0; 1024];
        let length = socket.recv(&mut octets).unwrap();
        String::from_utf8(octets[..length].to_vec()).unwrap()
    };
    let mut command = world.command(&[]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let mut daemon = Daemon::start(&mut command, &world.state());
    assert!(receive().contains("READY=1"));
    // Whoever was told that it is ready is answered.
    assert_eq!(daemon.query("nowhere.test"), "NOTFOUND ");
    for _ in 0..3 {
        assert!(receive().contains("WATCHDOG=1"));
    }
    daemon.signal("TERM");
    while !receive().contains("STOPPING=1") {}
    assert_eq!(daemon.wait().code(), Some(0));
}
