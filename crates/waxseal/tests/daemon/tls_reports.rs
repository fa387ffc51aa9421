//! TLS reports by the program as it is run, without the gate: what was counted is told, once,
//! whatever happens to the process.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::json;
use tlsrpt::read_report;

use crate::mail_server::{MailServer, Taken};
use crate::reports::make_keys;
use crate::world::{NOW, World};

const DAY: u64 = 86_400;
const MADE: &str = "waxseal_tls_reports_total{event=\"made\"}";

/// A world without a gate in which `a.test` wants TLS reports.
fn world(mail_server: &MailServer) -> World {
    let world = World::new();
    world.settings(&format!(
        "[collect]\nstream = [\"unix:{}\"]\n\
         [reports]\nfrom = \"reports@us.test\"\nsubmit = \"{}\"\n",
        world.path("lines").display(),
        mail_server.address
    ));
    world.dns.say(&[
        "_smtp._tls.a.test TXT v=TLSRPTv1; rua=mailto:rua@a.test",
        "_dmarc.us.test TXT v=DMARC1; p=reject",
    ]);
    make_keys(&world);
    world
}

/// Tells of sessions with `a.test`, and waits until they are on the disk.
fn tell(world: &World, sessions: usize) {
    let mut stream = UnixStream::connect(world.path("lines")).unwrap();
    let line = "{\"d\": \"a.test\", \"policies\": [{\"policy-type\": 9, \"t\": 0, \"f\": 0}]}\n";
    stream.write_all(line.repeat(sessions).as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&answer["counted"], &answer["saved"]), (&json!(sessions), &json!(true)));
}

/// How many letters are on their way.
fn waiting(state: &Path) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(state.join("waxseal.db"), flags).unwrap();
    let sql = "SELECT COUNT(*) FROM outbox WHERE state IN ('queued', 'sending')";
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// How many sessions are told in a report.
fn told(letter: &Taken) -> u64 {
    let text = std::str::from_utf8(&letter.message).unwrap();
    let (_, attached) = text.split_once("filename=").unwrap();
    let (_, base64) = attached.split_once("\r\n\r\n").unwrap();
    let base64: String = base64.lines().take_while(|line| !line.starts_with("--")).collect();
    let mut json = String::new();
    GzDecoder::new(&*STANDARD.decode(base64).unwrap()).read_to_string(&mut json).unwrap();
    read_report(json.as_bytes()).unwrap().report.totals().sessions()
}

#[test]
fn sessions_survive_kill_9_and_are_told_once_without_a_gate() {
    let mail_server = MailServer::start();
    let world = world(&mail_server);
    let daemon = world.serve_at(NOW);
    tell(&world, 3);
    daemon.kill();
    // Killed while it asks the DNS who wants the report.
    let asked = || {
        let asked = world.dns.asked();
        asked.iter().filter(|asked| asked.name == "_smtp._tls.a.test").count()
    };
    world.dns.hold("_smtp._tls.a.test");
    let before = asked();
    let daemon = world.serve_at(NOW + 2 * DAY);
    daemon.until("the question", |_| asked() > before);
    daemon.kill();
    world.dns.release("_smtp._tls.a.test");
    // Killed when the report is made and lies in the outbox.
    let daemon = world.serve_at(NOW + 2 * DAY);
    daemon.until("a report", |daemon| daemon.metric(MADE) == 1.0);
    daemon.kill();
    let daemon = world.serve_at(NOW + 3 * DAY);
    daemon.until("the letter", |_| waiting(&world.state()) == 0);
    assert_eq!(daemon.metric(MADE), 0.0);
    assert!(daemon.terminate().success());
    let taken = mail_server.taken();
    assert_eq!(taken.iter().map(told).collect::<Vec<_>>(), [3]);
    assert!(taken[0].message.starts_with(b"DKIM-Signature:"));
}

/// While the daemon runs: a letter that failed is sent when the operator wants it.
#[test]
fn a_letter_is_tried_again_beside_the_running_daemon() {
    let mail_server = MailServer::start();
    let refusal = crate::mail_server::Reply::Rcpt("550 5.1.1 no such user");
    mail_server.say("rua@a.test", refusal);
    let world = world(&mail_server);
    let daemon = world.serve_at(NOW);
    tell(&world, 1);
    daemon.kill();
    let daemon = world.serve_at(NOW + 2 * DAY);
    daemon.until("a report", |daemon| daemon.metric(MADE) == 1.0);
    daemon.kill();
    let daemon = world.serve_at(NOW + 3 * DAY);
    let failed = "waxseal_tls_reports_total{event=\"failed\"}";
    daemon.until("the refusal", |daemon| daemon.metric(failed) == 1.0);
    mail_server.take_again("rua@a.test");
    let mut retry = world.waxseal(&["outbox", "retry", "1"]);
    retry.arg("--state-dir").arg(world.state()).arg("--config").arg(world.path("waxseal.toml"));
    let retried = crate::world::run(retry.args(["--at", &(NOW + 3 * DAY).to_string()]));
    assert_eq!(retried.code, 0, "{}", retried.err);
    daemon.until("the letter", |_| waiting(&world.state()) == 0);
    assert_eq!(mail_server.taken().len(), 1);
}
