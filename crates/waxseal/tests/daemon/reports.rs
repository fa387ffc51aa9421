//! DMARC reports by the program as it is run: what was counted is told, once, whatever happens to
//! the process, the disk and the clock.
//!
//! Each start has the time that the test gives it. Days are made at the start, and letters are
//! handed over within seconds; two days behind the message both are due.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use crate::mail_server::{MailServer, Taken};
use crate::world::milter::{Mail, POSTFIX, Wanted, show};
use crate::world::{Daemon, NOW, World, run};

const DAY: u64 = 86_400;
const EVENT: &str = "waxseal_dmarc_reports_total{event=";

/// A world in which `a.test` wants reports, and we report as `dmarc@us.test`.
fn world(mail_server: &MailServer) -> World {
    let world = World::new();
    submit_to(&world, mail_server.address.port());
    world.dns.say(&[
        "a.test TXT v=spf1 ip4:192.0.2.1 -all",
        "_dmarc.a.test TXT v=DMARC1; p=reject; rua=mailto:rua@a.test",
        "us.test TXT v=spf1 -all",
        "_dmarc.us.test TXT v=DMARC1; p=reject; rua=mailto:rua@us.test",
    ]);
    world
}

fn submit_to(world: &World, port: u16) {
    world.settings(&format!(
        "[gate]\nlisten = [\"127.0.0.1:0\"]\n\
         [reports]\nfrom = \"dmarc@us.test\"\nsubmit = \"127.0.0.1:{port}\"\n"
    ));
}

/// Keys for `us.test` that sign from now on.
pub(crate) fn make_keys(world: &World) {
    let dkim = |arguments: &[&str], at: u64| {
        let mut command = world.waxseal(&["dkim"]);
        command.args(arguments).arg("--state-dir").arg(world.state());
        command.arg("--config").arg(world.path("waxseal.toml"));
        if arguments[0] != "records" {
            command.args(["--at", &at.to_string()]);
        }
        if arguments[0] == "check" {
            command.args(["--resolver", &world.dns.address.to_string()]);
        }
        run(&mut command)
    };
    let made = dkim(&["add", "us.test"], NOW - 30 * DAY);
    assert_eq!(made.code, 0, "{}", made.err);
    let records = dkim(&["records", "us.test", "--json"], NOW);
    let records: serde_json::Value = serde_json::from_str(&records.out).unwrap();
    for key in records["domains"][0]["generations"][0]["keys"].as_array().unwrap() {
        let [name, value] = ["name", "value"].map(|field| key[field].as_str().unwrap());
        world.dns.say(&[&format!("{name} TXT {value}")]);
    }
    let checked = dkim(&["check", "us.test", "--apply"], NOW - 29 * DAY);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
}

/// A message of `a.test` that passes; returns when it lies on the disk.
pub(crate) fn receive(daemon: &Daemon, count: u32) {
    let observed = || daemon.metric(&format!("{EVENT}\"observed\"}}"));
    let before = observed();
    for _ in 0..count {
        assert_eq!(pass(daemon).verdict, 'a');
    }
    assert_eq!(observed(), before + f64::from(count));
}

fn pass(daemon: &Daemon) -> Wanted {
    let mail = Mail {
        software: POSTFIX,
        client: "192.0.2.1".parse().unwrap(),
        mail_from: "joe@a.test",
        to: "jane@us.test",
        message: b"From: <joe@a.test>\r\nTo: <jane@us.test>\r\nSubject: x\r\n\r\nHello!\r\n",
    };
    show(daemon.milter.unwrap(), &mail)
}

/// How many messages the file has counted, those of closed days aside.
pub(crate) fn on_disk(state: &Path) -> i64 {
    ask(state, "SELECT CAST(TOTAL(messages) AS BIGINT) FROM report_row")
}

/// How many letters are on their way.
fn waiting(state: &Path) -> i64 {
    ask(state, "SELECT COUNT(*) FROM outbox WHERE state IN ('queued', 'sending')")
}

pub(crate) fn ask(state: &Path, sql: &str) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(state.join("waxseal.db"), flags).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// How many times it was asked who wants reports.
fn questions(world: &World) -> usize {
    world.dns.asked().iter().filter(|asked| asked.name == "_dmarc.a.test").count()
}

pub(crate) fn delivered(daemon: &Daemon, state: &Path) {
    daemon.until("letters", |_| waiting(state) == 0);
    assert!(daemon.metric(&format!("{EVENT}\"delivered\"}}")) >= 1.0);
}

/// How many messages are told in a report.
fn told(letter: &Taken) -> u64 {
    let text = std::str::from_utf8(&letter.message).unwrap();
    let (_, attached) = text.split_once("filename=").unwrap();
    let (_, base64) = attached.split_once("\r\n\r\n").unwrap();
    let base64: String = base64.lines().take_while(|line| !line.starts_with("--")).collect();
    let mut xml = String::new();
    GzDecoder::new(&*STANDARD.decode(base64).unwrap()).read_to_string(&mut xml).unwrap();
    let counts = xml.split("<count>").skip(1).map(|rest| rest.split('<').next().unwrap());
    counts.map(|count| count.parse::<u64>().unwrap()).sum()
}

#[test]
fn what_is_counted_survives_kill_9_and_is_told_once() {
    let mail_server = MailServer::start();
    let world = world(&mail_server);
    let daemon = world.serve_at(NOW);
    receive(&daemon, 3);
    daemon.until("the disk", |_| on_disk(&world.state()) == 3);
    daemon.kill();
    // Killed while it asks the DNS where the report may go.
    world.dns.hold("_dmarc.a.test");
    let asked = questions(&world);
    let daemon = world.serve_at(NOW + 2 * DAY);
    daemon.until("the question", |_| questions(&world) > asked);
    daemon.kill();
    world.dns.release("_dmarc.a.test");
    // Killed when the report is made and lies in the outbox, perhaps on its way.
    let daemon = world.serve_at(NOW + 2 * DAY);
    daemon.until("a report", |daemon| daemon.metric(&format!("{EVENT}\"made\"}}")) == 1.0);
    daemon.kill();
    let daemon = world.serve_at(NOW + 3 * DAY);
    daemon.until("letters", |_| waiting(&world.state()) == 0);
    let taken = mail_server.taken();
    assert_eq!(taken.iter().map(told).collect::<Vec<_>>(), [3]);
    assert_eq!(daemon.metric(&format!("{EVENT}\"made\"}}")), 0.0);
}

/// The mail server has the whole letter, and dies with its answer: it goes out again, octet by
/// octet the same, so that whoever gets both sees one report.
#[test]
fn a_letter_that_was_under_way_at_kill_9_goes_out_again_unchanged() {
    let mail_server = MailServer::start();
    let world = world(&mail_server);
    make_keys(&world);
    let (port, letters) = mute_mail_server();
    submit_to(&world, port);
    let daemon = world.serve_at(NOW);
    receive(&daemon, 1);
    daemon.until("the disk", |_| on_disk(&world.state()) == 1);
    daemon.kill();
    let daemon = world.serve_at(NOW + DAY);
    daemon.until("a report", |daemon| daemon.metric(&format!("{EVENT}\"made\"}}")) == 1.0);
    daemon.kill();
    let daemon = world.serve_at(NOW + 2 * DAY);
    let first = letters.recv_timeout(crate::world::PATIENCE).unwrap();
    daemon.kill();
    submit_to(&world, mail_server.address.port());
    let daemon = world.serve_at(NOW + 2 * DAY + 3600);
    delivered(&daemon, &world.state());
    let taken = mail_server.taken();
    assert_eq!(taken.len(), 1);
    assert!(taken[0].message == first, "other octets");
}

/// Takes letters, and never says so.
fn mute_mail_server() -> (u16, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, letters) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            thread::spawn(move || take_in_silence(&stream.unwrap(), &sender));
        }
    });
    (port, letters)
}

fn take_in_silence(stream: &std::net::TcpStream, sender: &mpsc::Sender<Vec<u8>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    stream.write_all(b"220 mx.test ESMTP\r\n").ok()?;
    let mut line = String::new();
    while !line.starts_with("DATA") {
        line.clear();
        (lines.read_line(&mut line).ok()? > 0).then_some(())?;
        let reply: &[u8] = if line.starts_with("DATA") { b"354 go on\r\n" } else { b"250 ok\r\n" };
        stream.write_all(reply).ok()?;
    }
    let mut letter = Vec::new();
    loop {
        line.clear();
        (lines.read_line(&mut line).ok()? > 0).then_some(())?;
        if line == ".\r\n" {
            break;
        }
        letter.extend_from_slice(line.strip_prefix('.').unwrap_or(&line).as_bytes());
    }
    sender.send(letter).ok()?;
    // Held open until the other side is gone.
    lines.read_line(&mut line).ok().map(drop)
}

/// While messages are counted, and while a report is made.
#[test]
fn a_full_disk_costs_no_count_and_no_report() {
    let mail_server = MailServer::start();
    let world = world(&mail_server);
    let kept = world.path("kept");
    fs::create_dir(&kept).unwrap();

    let disk = Disk::start(&world, &kept, NOW);
    receive(&disk.daemon, 2);
    disk.daemon.until("the disk", |_| disk.ask(on_disk) == 2);
    disk.fill();
    receive(&disk.daemon, 3);
    disk.daemon.log.wait("the disk does not take what is counted");
    assert_eq!(disk.daemon.metric("waxseal_reports_unsaved"), 1.0);
    disk.make_room();
    disk.daemon.until("room", |_| disk.ask(on_disk) == 5);
    disk.keep(&kept);

    world.dns.hold("_dmarc.a.test");
    let asked = questions(&world);
    let disk = Disk::start(&world, &kept, NOW + 2 * DAY);
    disk.daemon.until("the question", |_| questions(&world) > asked);
    disk.fill();
    world.dns.release("_dmarc.a.test");
    disk.daemon.log.wait("the disk does not take what is counted");
    disk.make_room();
    disk.keep(&kept);
    assert_eq!(mail_server.taken(), []);

    let disk = Disk::start(&world, &kept, NOW + 3 * DAY);
    disk.daemon.until("a report", |daemon| daemon.metric(&format!("{EVENT}\"made\"}}")) == 1.0);
    disk.keep(&kept);
    let disk = Disk::start(&world, &kept, NOW + 4 * DAY);
    disk.daemon.until("the letter", |_| disk.ask(waiting) == 0);
    assert_eq!(mail_server.taken().iter().map(told).collect::<Vec<_>>(), [5]);
}

/// The program on a file system of its own that somebody else fills up.
pub(crate) struct Disk {
    pub(crate) daemon: Daemon,
    state: String,
}

impl Disk {
    /// Starts with the files that were kept.
    pub(crate) fn start(world: &World, kept: &Path, now: u64) -> Self {
        fs::create_dir_all(world.state()).unwrap();
        let mut command = Command::new("unshare");
        // Mounting is for root, or for whoever is root of a namespace of users.
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        command.args(if is_root { &["--mount"][..] } else { &["--mount", "--map-root-user"] });
        let script = "mount -t tmpfs -o size=2m,mode=700 tmpfs \"$0\" && cp -a \"$1/.\" \"$0\" && \
                      shift && exec \"$@\"";
        command.args(["sh", "-c", script]).arg(world.state()).arg(kept);
        let serve = world.command(&["--at", &now.to_string()]);
        command.arg(serve.get_program()).args(serve.get_args()).current_dir(world.folder.path());
        let mut daemon = Daemon::start(&mut command, &world.state());
        let state = format!("/proc/{}/root{}", daemon.id(), world.state().display());
        daemon.api = Path::new(&state).join("api");
        Self { daemon, state }
    }

    fn state(&self) -> std::path::PathBuf {
        Path::new(&self.state).to_owned()
    }

    pub(crate) fn fill(&self) {
        let error = fs::write(self.state().join("filler"), vec![0; 4_000_000]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.state().join("filler")).unwrap();
    }

    /// `kill -9`; the files, as they lie there, are kept.
    fn keep(self, kept: &Path) {
        self.daemon.signal("STOP");
        fs::remove_dir_all(kept).unwrap();
        fs::create_dir(kept).unwrap();
        self.copy(kept);
        self.daemon.kill();
    }

    /// What a statement says of a copy: SQLite would follow the path to its own file system.
    pub(crate) fn ask<T>(&self, ask: impl FnOnce(&Path) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        self.daemon.signal("STOP");
        self.copy(folder.path());
        self.daemon.signal("CONT");
        ask(folder.path())
    }

    fn copy(&self, to: &Path) {
        let files = fs::read_dir(&self.state).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|path| path.is_file()) {
            fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
}

#[test]
fn a_second_instance_does_not_report_from_the_same_store() {
    let mail_server = MailServer::start();
    let world = world(&mail_server);
    let daemon = world.serve_at(NOW);
    receive(&daemon, 1);
    daemon.until("the disk", |_| on_disk(&world.state()) == 1);
    let mut second = world.waxseal(&["serve", "--at", &(NOW + 2 * DAY).to_string()]);
    second.arg("--config").arg(world.path("waxseal.toml"));
    second.args(["--socketmap", "127.0.0.1:0", "--state-dir"]).arg(world.state());
    let second = run(second.args(world.machine()));
    assert_eq!(second.code, 64, "{}", second.err);
    assert!(second.err.contains("in use by another waxseal"), "{}", second.err);
    receive(&daemon, 1);
    daemon.until("the disk", |_| on_disk(&world.state()) == 2);
}

/// Over midnight and back: what came is told, once.
#[test]
fn a_clock_that_jumps_over_midnight() {
    let mail_server = MailServer::start();
    let world = world(&mail_server);
    let midnight = (NOW / DAY + 1) * DAY;
    let mut sum = 0;
    for (now, count) in [
        (midnight - 60, 1),
        // Ahead: yesterday is over and is made.
        (midnight + 600, 2),
        // Back: the day is made already, so what comes is counted with the next.
        (midnight - 60, 4),
        // A week ahead, and back again.
        (midnight + 7 * DAY, 8),
        (midnight - 30, 16),
    ] {
        let daemon = world.serve_at(now);
        receive(&daemon, count);
        // At its end it brings to the disk what it has counted.
        assert!(daemon.terminate().success());
        sum += u64::from(count);
    }
    let daemon = world.serve_at(midnight + 9 * DAY);
    daemon.until("all made", |_| on_disk(&world.state()) == 0);
    assert!(daemon.terminate().success());
    let daemon = world.serve_at(midnight + 11 * DAY);
    delivered(&daemon, &world.state());
    assert_eq!(mail_server.taken().iter().map(told).sum::<u64>(), sum);
}

/// Reports go out by a mail server that asks our own gate, and come back to it as mail from outside.
#[test]
fn a_report_of_ours_is_signed_once_and_is_no_reason_for_another() {
    let mail_server = MailServer::start();
    let world = world(&mail_server);
    make_keys(&world);
    let daemon = world.serve_at(NOW);
    receive(&daemon, 1);
    daemon.until("the disk", |_| on_disk(&world.state()) == 1);
    assert!(daemon.terminate().success());
    let daemon = world.serve_at(NOW + DAY);
    daemon.until("a report", |daemon| daemon.metric(&format!("{EVENT}\"made\"}}")) == 1.0);
    assert!(daemon.terminate().success());
    let daemon = world.serve_at(NOW + 2 * DAY);
    delivered(&daemon, &world.state());
    let letter = mail_server.taken().remove(0);
    let signatures = |message: &[u8]| {
        let text = String::from_utf8(message.to_vec()).unwrap();
        text.lines().filter(|line| line.starts_with("DKIM-Signature:")).count()
    };
    assert_eq!(signatures(&letter.message), 2);
    let mail = |client: &str| Mail {
        software: POSTFIX,
        client: client.parse().unwrap(),
        mail_from: &letter.from,
        to: &letter.to,
        message: &letter.message,
    };
    // On its way out.
    let wanted = show(daemon.milter.unwrap(), &mail("127.0.0.1"));
    assert_eq!((wanted.verdict, wanted.count("DKIM-Signature")), ('a', 0));
    // And what of ours was not signed yet is.
    let text = String::from_utf8(letter.message.clone()).unwrap();
    let unsigned = &text.as_bytes()[text.find("\r\nFrom:").unwrap() + 2..];
    let wanted = show(daemon.milter.unwrap(), &Mail { message: unsigned, ..mail("127.0.0.1") });
    assert_eq!((wanted.verdict, wanted.count("DKIM-Signature")), ('a', 2));
    // It is forwarded, and comes in again: told along at most, and no reason for a report.
    let wanted = show(daemon.milter.unwrap(), &mail("198.51.100.7"));
    assert_eq!(wanted.verdict, 'a');
    assert_eq!(daemon.metric(&format!("{EVENT}\"observed\"}}")), 0.0);
    assert!(daemon.terminate().success());
    let daemon = world.serve_at(NOW + 4 * DAY);
    daemon.until("the end of the day", |_| on_disk(&world.state()) == 0);
    assert_eq!(daemon.metric(&format!("{EVENT}\"made\"}}")), 0.0);
}
