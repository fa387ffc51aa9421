//! A mailbox that reports come to, at a small IMAP server of the test.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::intake::{EVENT, letter, stored};
use crate::world::{Daemon, NOW, World, run};

const PASSWORD: &str = "secret \"word\"";

#[derive(Clone, Default)]
struct Mail {
    octets: Vec<u8>,
    is_seen: bool,
}

struct Mailbox {
    validity: u32,
    next: u32,
    mails: BTreeMap<u32, Mail>,
    moved: Vec<u32>,
    fetched: Vec<u32>,
    has_plain: bool,
    /// How many connections are closed behind the next fetch.
    cut: u32,
    sessions: u32,
}

/// A server with one folder for one user.
struct Imap {
    address: SocketAddr,
    mailbox: Arc<Mutex<Mailbox>>,
}

impl Imap {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mailbox = Mailbox {
            validity: 1,
            next: 1,
            mails: BTreeMap::new(),
            moved: Vec::new(),
            fetched: Vec::new(),
            has_plain: true,
            cut: 0,
            sessions: 0,
        };
        let mailbox = Arc::new(Mutex::new(mailbox));
        let shared = Arc::clone(&mailbox);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(&stream.unwrap(), &shared));
            }
        });
        Self { address, mailbox }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Mailbox) -> T) -> T {
        change(&mut self.mailbox.lock().unwrap())
    }

    fn add(&self, letter: &str) -> u32 {
        self.change(|mailbox| {
            let uid = mailbox.next;
            mailbox.next += 1;
            let mail = Mail { octets: letter.as_bytes().to_vec(), is_seen: false };
            mailbox.mails.insert(uid, mail);
            uid
        })
    }

    /// A world whose daemon reads this mailbox.
    fn world(&self, more: &str) -> World {
        let world = World::new();
        let password = world.path("password");
        fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        world.settings(&format!(
            "[intake]\nimap = \"{}\"\nimap_tls = \"none\"\nimap_user = \"rua@us.test\"\n\
             imap_password_file = \"{}\"\n{more}\n",
            self.address,
            password.display()
        ));
        world
    }
}

fn serve(stream: &TcpStream, mailbox: &Mutex<Mailbox>) -> Option<()> {
    let mut out = stream;
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    let mut is_known = false;
    mailbox.lock().unwrap().sessions += 1;
    out.write_all(b"* OK ready\r\n").ok()?;
    let mut line = String::new();
    loop {
        line.clear();
        (lines.read_line(&mut line).ok()? > 0).then_some(())?;
        let (tag, command) = line.trim_end().split_once(' ')?;
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let mut done = "OK done";
        match word {
            "CAPABILITY" => {
                let plain = mailbox.lock().unwrap().has_plain;
                let plain = if plain { " AUTH=PLAIN" } else { "" };
                write!(out, "* CAPABILITY IMAP4rev1 IDLE MOVE{plain}\r\n").ok()?;
            }
            "AUTHENTICATE" => {
                out.write_all(b"+ \r\n").ok()?;
                let mut proof = String::new();
                lines.read_line(&mut proof).ok()?;
                let proof = STANDARD.decode(proof.trim_end()).ok()?;
                is_known = proof == format!("\0rua@us.test\0{PASSWORD}").as_bytes();
                done = if is_known { done } else { "NO who are you" };
            }
            "LOGIN" => {
                is_known = rest == "\"rua@us.test\" \"secret \\\"word\\\"\"";
                done = if is_known { done } else { "NO who are you" };
            }
            _ if !is_known => done = "NO who are you",
            "SELECT" => {
                let mailbox = mailbox.lock().unwrap();
                let (count, validity) = (mailbox.mails.len(), mailbox.validity);
                write!(out, "* {count} EXISTS\r\n* OK [UIDVALIDITY {validity}] fine\r\n").ok()?;
            }
            "IDLE" => {
                let before = mailbox.lock().unwrap().mails.len();
                out.write_all(b"+ idling\r\n").ok()?;
                idle(stream, &mut lines, mailbox, before)?;
            }
            "UID" => {
                let cut = uid(&mut out, rest, mailbox)?;
                if cut {
                    return None;
                }
            }
            _ => {}
        }
        write!(out, "{tag} {done}\r\n").ok()?;
    }
}

/// Tells of more mails until the client has heard enough.
fn idle(
    mut out: &TcpStream,
    lines: &mut BufReader<TcpStream>,
    mailbox: &Mutex<Mailbox>,
    mut before: usize,
) -> Option<()> {
    lines.get_ref().set_read_timeout(Some(Duration::from_millis(20))).ok()?;
    let mut line = String::new();
    loop {
        let now = mailbox.lock().unwrap().mails.len();
        if now > before {
            write!(out, "* {now} EXISTS\r\n").ok()?;
        }
        before = now;
        match lines.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) if line.trim_end() == "DONE" => break,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => return None,
        }
    }
    lines.get_ref().set_read_timeout(None).ok()
}

/// `UID` with a command. Returns whether the connection is to be cut.
fn uid(out: &mut impl Write, command: &str, mailbox: &Mutex<Mailbox>) -> Option<bool> {
    let mut mailbox = mailbox.lock().unwrap();
    let mut words = command.split(' ');
    let verb = words.next()?;
    if verb == "SEARCH" {
        let is_wanted = |mail: &Mail| !command.contains("UNSEEN") || !mail.is_seen;
        let found = mailbox.mails.iter().filter(|(_, mail)| is_wanted(mail));
        let found: Vec<String> = found.map(|(uid, _)| uid.to_string()).collect();
        write!(out, "* SEARCH {}\r\n", found.join(" ")).ok()?;
        return Some(false);
    }
    let uid: u32 = words.next()?.parse().ok()?;
    let Some(mail) = mailbox.mails.get_mut(&uid) else { return Some(false) };
    match verb {
        "FETCH" if command.contains("SIZE") => {
            let size = mail.octets.len();
            write!(out, "* {uid} FETCH (UID {uid} RFC822.SIZE {size})\r\n").ok()?;
        }
        "FETCH" => {
            let octets = mail.octets.clone();
            write!(out, "* {uid} FETCH (UID {uid} BODY[] {{{}}}\r\n", octets.len()).ok()?;
            if mailbox.cut > 0 {
                mailbox.cut -= 1;
                out.write_all(octets.get(..octets.len() / 2)?).ok()?;
                return Some(true);
            }
            out.write_all(&octets).ok()?;
            out.write_all(b")\r\n").ok()?;
            mailbox.fetched.push(uid);
        }
        "STORE" => mail.is_seen = true,
        "MOVE" => {
            assert!(command.ends_with("\"Old reports\""), "{command}");
            mailbox.mails.remove(&uid);
            mailbox.moved.push(uid);
        }
        _ => {}
    }
    Some(false)
}

fn reports(daemon: &Daemon, world: &World, wanted: i64) {
    daemon.until("reports", |_| stored(world, "report") == wanted);
}

#[test]
fn mails_are_fetched_as_they_come_and_marked() {
    let imap = Imap::start();
    imap.add(&letter("1@a.test"));
    imap.add("Subject: no report\r\n\r\nHello!\r\n");
    let world = imap.world("");
    let daemon = world.serve_at(NOW);
    reports(&daemon, &world, 1);
    daemon.until("the mailbox", |daemon| daemon.metric("waxseal_intake_mailbox_open") == 1.0);
    // One bad mail does not stop those behind it.
    imap.add(&letter("2@a.test"));
    reports(&daemon, &world, 2);
    daemon.until("marks", |_| imap.change(|one| one.mails.values().all(|mail| mail.is_seen)));
    assert_eq!(stored(&world, "aside"), 1);
    assert_eq!(imap.change(|mailbox| mailbox.fetched.clone()), [1, 2, 3]);
    assert_eq!(daemon.metric(&format!("{EVENT}\"fetched\"}}")), 3.0);
    assert!(!daemon.log.text().contains("secret"), "{}", daemon.log.text());
    assert!(daemon.terminate().success());
}

/// A connection that breaks within a mail costs nothing: it is fetched again.
#[test]
fn a_connection_that_breaks_is_made_again() {
    let imap = Imap::start();
    imap.change(|mailbox| {
        mailbox.cut = 1;
        mailbox.has_plain = false;
    });
    imap.add(&letter("1@a.test"));
    let world = imap.world("");
    let daemon = world.serve_at(NOW);
    reports(&daemon, &world, 1);
    assert_eq!(imap.change(|mailbox| mailbox.sessions), 2);
    assert_eq!(daemon.metric(&format!("{EVENT}\"mailbox_failure\"}}")), 1.0);
}

/// A mail that nobody can fetch does not keep others waiting.
#[test]
fn a_mail_that_breaks_each_connection_is_passed_over() {
    let imap = Imap::start();
    imap.change(|mailbox| mailbox.cut = 3);
    imap.add(&letter("1@a.test"));
    imap.add(&letter("2@a.test"));
    let world = imap.world("");
    let daemon = world.serve_at(NOW);
    daemon.log.wait("a mail is passed over");
    reports(&daemon, &world, 1);
    assert_eq!(imap.change(|mailbox| mailbox.fetched.clone()), [2]);
}

#[test]
fn mails_are_moved_when_they_are_stored() {
    let imap = Imap::start();
    imap.add(&letter("1@a.test"));
    let world = imap.world("imap_after = \"move\"\nimap_move_to = \"Old reports\"");
    let daemon = world.serve_at(NOW);
    daemon.until("a move", |_| imap.change(|mailbox| mailbox.moved == [1]));
    assert_eq!(stored(&world, "report"), 1);
}

#[test]
fn mails_that_are_kept_are_fetched_once() {
    let imap = Imap::start();
    imap.add(&letter("1@a.test"));
    let world = imap.world("imap_after = \"keep\"");
    let daemon = world.serve_at(NOW);
    reports(&daemon, &world, 1);
    imap.add(&letter("2@a.test"));
    reports(&daemon, &world, 2);
    imap.add(&letter("3@a.test"));
    reports(&daemon, &world, 3);
    assert_eq!(imap.change(|mailbox| mailbox.fetched.clone()), [1, 2, 3]);
    assert!(imap.change(|mailbox| mailbox.mails.values().all(|mail| !mail.is_seen)));
}

/// A password that anybody may read is none.
#[test]
fn a_password_is_a_secret() {
    let imap = Imap::start();
    let world = imap.world("");
    let password = world.path("password");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    let said = run(&mut world.command(&[]));
    assert_eq!(said.code, 64);
    assert!(said.err.contains("intake.imap_password_file"), "{}", said.err);
    assert!(said.err.contains("found 0644"), "{}", said.err);
    assert!(!said.err.contains("secret"), "{}", said.err);
}

#[test]
fn a_wrong_password_is_told_once_and_never_shown() {
    let imap = Imap::start();
    let world = imap.world("");
    fs::write(world.path("password"), "another one\n").unwrap();
    let daemon = world.serve_at(NOW);
    daemon.log.wait("mailbox cannot be read");
    daemon.log.wait("who are you");
    assert!(!daemon.log.text().contains("another one"), "{}", daemon.log.text());
}
