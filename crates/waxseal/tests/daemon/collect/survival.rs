//! What was counted outlives kills, ends and full disks.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Collecting, count, failure, stored, success, until};
use crate::world::Daemon;

#[test]
fn kill_9_loses_nothing_that_was_saved() {
    let collecting = Collecting::new();
    for round in 1..=3 {
        let daemon = collecting.serve();
        collecting.send((0..50).map(|_| success("a.test")));
        collecting.send((0..50).map(|number| failure("b.test", &format!("r{number}"))));
        until(&daemon, "saved", 100);
        daemon.kill();
        let stored = collecting.stored();
        let sums = (stored.successes, stored.failures, stored.details, stored.sessions);
        assert_eq!(sums, (50 * round, 50 * round, 50 * round, 100 * round));
    }
}

/// What was sent before SIGTERM is on the disk when the program has ended: what is in the kernel's
/// queue, what is not counted yet, and what is in memory.
#[test]
fn sigterm_saves_all() {
    let collecting = Collecting::new();
    let daemon = collecting.serve();
    collecting.send((0..1_000).map(|number| failure(&format!("d{}.test", number % 10), "x")));
    assert!(daemon.terminate().success());
    let stored = collecting.stored();
    assert_eq!((stored.domains, stored.failures, stored.details), (10, 1_000, 1_000));
    assert!(!collecting.socket.exists() && !collecting.stream.exists());
}

/// A resolver that says nothing holds up the start for seconds, and counting does not wait for it.
#[test]
fn sessions_count_before_the_resolver_has_answered() {
    let collecting = Collecting::new();
    collecting.world.dns.fall_silent();
    let mut command = collecting.world.command(&[]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    collecting.world.dns.wait_for(".");
    collecting.send((0..200).map(|_| success("a.test")));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(collecting.stored().successes, 200);
}

/// A file system of its own that somebody else fills up.
#[test]
fn a_full_disk_costs_nothing() {
    let collecting = Collecting::new();
    let world = &collecting.world;
    fs::create_dir(world.state()).unwrap();
    let mut command = Command::new("unshare");
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    command.args(if is_root { &["--mount"][..] } else { &["--mount", "--map-root-user"] });
    let script = "mount -t tmpfs -o size=1m tmpfs \"$0\" && exec \"$@\"";
    command.args(["sh", "-c", script]).arg(world.state());
    let serve = world.command(&[]);
    command.arg(serve.get_program()).args(serve.get_args()).current_dir(world.folder.path());
    let daemon = Daemon::start(&mut command, &world.state());
    let state = format!("/proc/{}/root{}", daemon.id(), world.state().display());
    let state = Path::new(&state);
    collecting.send([success("a.test")]);
    until(&daemon, "saved", 1);

    let filler = state.join("filler");
    assert!(fs::write(&filler, vec![0; 2_000_000]).is_err());
    let many =
        |round: u32| (0..300).map(move |number| failure("b.test", &format!("{round}.{number}")));
    collecting.send(many(1));
    until(&daemon, "counted", 301);
    daemon.until("the complaint", |daemon| daemon.metric("waxseal_tls_sessions_unsaved") == 1.0);
    let (_, word, notes) = daemon.health();
    assert_eq!(word, "degraded", "{notes}");
    assert!(notes.contains("TLS sessions"), "{notes}");
    collecting.send(many(2));
    until(&daemon, "counted", 601);
    assert_eq!(count(&daemon, "saved"), 1);
    assert_eq!(daemon.log.count("the disk does not take what is counted"), 1);

    fs::remove_file(&filler).unwrap();
    until(&daemon, "saved", 601);
    assert_eq!(daemon.metric("waxseal_tls_sessions_unsaved"), 0.0);
    // SQLite does not open a path through another's root.
    let kept = world.path("kept");
    fs::create_dir(&kept).unwrap();
    for name in ["waxseal.db", "waxseal.db-wal"] {
        fs::copy(state.join(name), kept.join(name)).unwrap();
    }
    let stored = stored(&kept);
    assert_eq!((stored.successes, stored.failures, stored.details), (1, 600, 600));
    assert_eq!(count(&daemon, "lost-memory-full"), 0);
}
