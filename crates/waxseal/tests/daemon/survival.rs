//! A policy that was promised binds, whatever happens to the process, the disk and the clock.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::world::{Daemon, NOW, World, run, secure};

/// A state folder that remembers `a.test`, and a world that knows nothing of it any more.
fn remembering() -> World {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    assert!(daemon.terminate().success());
    vanish(&world);
    world
}

/// The record and the policy are gone.
fn vanish(world: &World) {
    world.dns.remove("_mta-sts.a.test TXT");
    world.dns.remove("mta-sts.a.test A");
    world.host.go_down();
}

#[test]
fn a_policy_survives_kill_9_right_after_the_first_answer() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    daemon.kill();
    vanish(&world);
    assert_eq!(world.serve().query("a.test"), secure("a.test"));
}

#[test]
fn kill_9_leaves_nothing_that_hinders_the_next_start() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    for _ in 0..3 {
        let daemon = world.serve();
        assert_eq!(daemon.query("a.test"), secure("a.test"));
        assert_eq!(daemon.decision("a.test")["decision"], "secure");
        daemon.kill();
    }
    assert_eq!(world.host.requests(), 1);
}

/// Starts over a damaged store, and expects that the policy binds and that the damage is told.
fn binds_all_the_same(world: &World, told: &str) {
    let daemon = world.serve();
    daemon.log.wait(told);
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    assert!(daemon.terminate().success());
    // And it is whole again.
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    assert_eq!(daemon.log.count(told), 0, "{}", daemon.log.text());
}

fn damage(world: &World, change: impl FnOnce(&mut Vec<u8>)) {
    let path = world.state().join("waxseal.db");
    let mut octets = fs::read(&path).unwrap();
    change(&mut octets);
    fs::write(&path, octets).unwrap();
}

#[test]
fn a_file_with_an_overwritten_header() {
    let world = remembering();
    damage(&world, |octets| octets[..100].fill(0x55));
    binds_all_the_same(&world, "the store was damaged");
    assert!(world.state().join("waxseal-damaged-1.db").exists());
}

#[test]
fn a_file_with_an_overwritten_page() {
    let world = remembering();
    damage(&world, |octets| octets[4096..8192].fill(0x55));
    binds_all_the_same(&world, "the store was damaged");
}

/// Inside of a row, where SQLite itself sees nothing wrong.
#[test]
fn a_file_with_overwritten_octets_in_a_row() {
    for garbage in [b"\xff\xff\xff\xff\xff\xff\xff", b"version"] {
        let world = remembering();
        damage(&world, |octets| {
            let at = octets.windows(7).position(|seven| seven == b"enforce").unwrap();
            octets[at..at + 7].copy_from_slice(garbage);
        });
        binds_all_the_same(&world, "the store was damaged");
    }
}

#[test]
fn a_truncated_file() {
    let world = remembering();
    damage(&world, |octets| octets.truncate(6000));
    binds_all_the_same(&world, "the store was damaged");
    let world = remembering();
    damage(&world, |octets| octets.truncate(50));
    binds_all_the_same(&world, "the store was damaged");
}

#[test]
fn an_emptied_or_deleted_file() {
    let world = remembering();
    damage(&world, Vec::clear);
    binds_all_the_same(&world, "missing or empty");
    let world = remembering();
    fs::remove_file(world.state().join("waxseal.db")).unwrap();
    binds_all_the_same(&world, "missing or empty");
}

/// A file that is sound SQLite, and yet not ours.
#[test]
fn a_file_without_its_table() {
    let world = remembering();
    let db = rusqlite::Connection::open(world.state().join("waxseal.db")).unwrap();
    db.execute_batch("DROP TABLE policy").unwrap();
    drop(db);
    binds_all_the_same(&world, "the store was damaged");
}

/// Damage that comes while the program runs: the copy still knows the policy.
#[test]
fn a_file_that_is_damaged_under_the_running_program() {
    let world = remembering();
    let daemon = world.serve();
    damage(&world, |octets| octets[4096..].fill(0x55));
    assert_eq!(daemon.query("a.test"), secure("a.test"));
}

#[test]
fn damage_after_kill_9_costs_no_policy_that_the_copy_knows() {
    let world = remembering();
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    daemon.kill();
    for name in ["waxseal.db", "waxseal.db-wal", "waxseal.db-shm"] {
        let _ = fs::write(world.state().join(name), [0x55; 9000]);
    }
    binds_all_the_same(&world, "the store was damaged");
}

/// A file system of its own that somebody else fills up.
#[test]
fn a_full_disk_costs_nothing_but_health() {
    let world = World::new();
    fs::create_dir(world.state()).unwrap();
    let mut command = Command::new("unshare");
    // Mounting is for root, or for whoever is root of a namespace of users.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    command.args(if is_root { &["--mount"][..] } else { &["--mount", "--map-root-user"] });
    let script = "mount -t tmpfs -o size=1m tmpfs \"$0\" && exec \"$@\"";
    command.args(["sh", "-c", script]).arg(world.state());
    let mut daemon = start(&world, &mut command);
    let state = format!("/proc/{}/root{}", daemon.id(), world.state().display());
    let state = Path::new(&state);
    daemon.api = state.join("api");
    let filler = &state.join("filler");
    let fill = || {
        let error = fs::write(filler, vec![0; 2_000_000]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    };
    costs_nothing_but_health(&world, &daemon, fill, || fs::remove_file(filler).unwrap());
    let kept = world.path("kept");
    fs::create_dir(&kept).unwrap();
    let files = fs::read_dir(state).unwrap();
    for file in files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        fs::copy(&file, kept.join(file.file_name().unwrap())).unwrap();
    }
    daemon.kill();
    fs::remove_dir_all(world.state()).unwrap();
    fs::rename(kept, world.state()).unwrap();
    assert_eq!(world.serve().query("b.test"), secure("b.test"));
}

/// As with quotas, and with `LimitFSIZE=` of systemd.
#[test]
fn a_limit_on_file_sizes_costs_nothing_but_health() {
    let world = World::new();
    let mut command = Command::new("sh");
    // The signal that comes with the limit would end the program.
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    let daemon = start(&world, &mut command);
    let limit = |octets: &str| {
        let flags = [format!("--pid={}", daemon.id()), format!("--fsize={octets}:unlimited")];
        assert!(Command::new("prlimit").args(flags).status().unwrap().success());
    };
    costs_nothing_but_health(&world, &daemon, || limit("1"), || limit("unlimited"));
    daemon.kill();
    assert_eq!(world.serve().query("b.test"), secure("b.test"));
}

/// `serve` behind the words of `command`.
fn start(world: &World, command: &mut Command) -> Daemon {
    world.publish("a.test", "1", "enforce");
    world.publish("b.test", "1", "enforce");
    let serve = world.command(&[]);
    command.arg(serve.get_program()).args(serve.get_args()).current_dir(world.folder.path());
    Daemon::start(command, &world.state())
}

fn costs_nothing_but_health(world: &World, daemon: &Daemon, fill: impl Fn(), make_room: impl Fn()) {
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    fill();
    assert_eq!(daemon.query("b.test"), secure("b.test"));
    world.dns.remove("_mta-sts.b.test TXT");
    world.host.go_down();
    assert_eq!(daemon.decision("b.test")["facts"]["sts"]["source"], "cache-only");
    assert_eq!(daemon.decision("a.test")["decision"], "secure");
    let (code, word, notes) = daemon.health();
    assert_eq!((code, word.as_str()), (200, "degraded"), "{notes}");
    assert!(notes.contains("only in memory"), "{notes}");
    assert_eq!(daemon.metric("waxseal_policies_unsaved"), 1.0);
    daemon.log.wait("policies stay in memory");
    make_room();
    daemon.until("room", |daemon| daemon.metric("waxseal_policies_unsaved") == 0.0);
}

#[test]
fn a_second_instance_ends_with_a_clear_message() {
    let world = World::new();
    let daemon = world.serve();
    let mut command = world.waxseal(&["serve", "--socketmap", "127.0.0.1:0", "--state-dir"]);
    let second = run(command.arg(world.state()).args(world.machine()));
    assert_eq!(second.code, 64, "{}", second.err);
    assert!(second.err.contains("in use by another waxseal"), "{}", second.err);
    // The same command line meets the socket of the first, and leaves it alone.
    let second = run(&mut world.command(&[]));
    assert_eq!(second.code, 64);
    assert!(second.err.contains("is waxseal running?"), "{}", second.err);
    assert_eq!(daemon.decision("nowhere.test")["decision"], "none");
}

#[test]
fn a_file_of_a_newer_release_is_left_alone() {
    let world = remembering();
    let path = world.state().join("waxseal.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let before = fs::read(&path).unwrap();
    let said = run(&mut world.command(&[]));
    assert_eq!(said.code, 64);
    assert!(said.err.contains("written by a newer release"), "{}", said.err);
    assert!(said.err.contains("found 99"), "{}", said.err);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_state_folder_that_cannot_be_used() {
    let world = World::new();
    for folder in [world.path("ca.pem"), Path::new("/proc/waxseal").to_owned()] {
        let mut command = world.waxseal(&["serve", "--socketmap", "127.0.0.1:0", "--state-dir"]);
        let said = run(command.arg(&folder).args(world.machine()));
        assert_eq!(said.code, 64, "{}", said.err);
        assert!(said.err.contains(&format!("state folder {}", folder.display())), "{}", said.err);
    }
}

/// Which domains a company writes to is nobody's business.
#[test]
fn the_store_is_readable_by_its_owner_only() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    daemon.until("the copy", |_| world.state().join("waxseal-copy.db").exists());
    for entry in fs::read_dir(world.state()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains(".db") {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
}

#[test]
fn a_clock_that_is_set_back_or_forward() {
    const MAX_AGE: u64 = 604_800;
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve_at(NOW);
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    daemon.kill();
    vanish(&world);
    let cases = [
        (NOW - 10 * 365 * 86_400, true),
        (NOW - 1, true),
        (NOW + MAX_AGE - 1, true),
        (NOW + MAX_AGE, false),
        (u64::MAX, false),
        // An expired policy is kept for a week, so a clock that was wrong can be set right.
        (NOW, true),
    ];
    for (now, binds) in cases {
        let daemon = world.serve_at(now);
        let expected = if binds { secure("a.test") } else { "NOTFOUND ".to_owned() };
        assert_eq!(daemon.query("a.test"), expected, "{now}");
        daemon.kill();
    }
}
