//! The ways in for reports of others, by the program as it is run: LMTP, SMTP, HTTPS POST; those who
//! do harm, and what happens to the process meanwhile.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::intake_forms::{TLS, gzip, mail, part};
use crate::mail_server::MailServer;
use crate::reports::{Disk, ask, delivered, make_keys, on_disk, receive};
use crate::world::{Daemon, NOW, PATIENCE, World, run};

pub(crate) const EVENT: &str = "waxseal_intake_total{event=";

const DAY: u64 = 86_400;

/// With LMTP by TCP and by a unix socket, SMTP, and a place for posts.
pub(crate) fn world(more: &str) -> World {
    let world = World::new();
    world.settings(&format!(
        "[intake]\nlmtp = [\"127.0.0.1:0\", \"unix:STATE_DIR/lmtp\"]\nsmtp = [\"127.0.0.1:0\"]\n\
         https = [\"127.0.0.1:0\"]\n{more}\n"
    ));
    world
}

/// A report about TLS with this id, as JSON.
pub(crate) fn tls_report(id: &str) -> String {
    TLS.replace("1@receiver.example", id)
}

/// A mail with a report about TLS.
pub(crate) fn letter(id: &str) -> String {
    mail(&[part("Content-Type: application/tlsrpt+gzip", &gzip(tls_report(id).as_bytes()))])
        .replace("\r\n", "\n")
        .replace('\n', "\r\n")
}

/// Who delivers mail.
pub(crate) struct Client<S>(BufReader<S>);

impl Client<TcpStream> {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn lmtp(daemon: &Daemon) -> Self {
        Self::connect(daemon.address("lmtp").unwrap()).greeted("LHLO mx.test")
    }

    fn smtp(daemon: &Daemon) -> Self {
        Self::connect(daemon.address("smtp").unwrap()).greeted("EHLO mx.test")
    }
}

impl<S: Read + Write> Client<S> {
    fn greeted(mut self, hello: &str) -> Self {
        assert!(self.reply().starts_with("220 "));
        let said = self.say(hello);
        assert!(said.contains("250-PIPELINING") && said.contains("250-SIZE 26214400"), "{said}");
        self
    }

    fn send(&mut self, octets: &[u8]) {
        // Who has closed has said before why.
        let _ = self.0.get_mut().write_all(octets);
    }

    /// The next reply, all of its lines; empty at the end of the connection.
    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let begin = reply.len();
            if self.0.read_line(&mut reply).unwrap_or(0) == 0 {
                return reply;
            }
            if reply.as_bytes().get(begin + 3) == Some(&b' ') {
                return reply;
            }
        }
    }

    pub(crate) fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// The first reply to a message for the recipient, of the last command.
    pub(crate) fn deliver(&mut self, sender: &str, recipient: &str, message: &str) -> String {
        assert!(self.say(&format!("MAIL FROM:<{sender}>")).starts_with("250 "));
        let said = self.say(&format!("RCPT TO:<{recipient}>"));
        if !said.starts_with("250 ") {
            return said;
        }
        assert!(self.say("DATA").starts_with("354 "));
        let stuffed = message.replace("\r\n.", "\r\n..");
        self.send(format!("{stuffed}\r\n.\r\n").as_bytes());
        self.reply()
    }
}

pub(crate) fn stored(world: &World, what: &str) -> i64 {
    ask(&world.state(), &format!("SELECT COUNT(*) FROM received_{what}"))
}

#[test]
fn reports_come_by_lmtp_and_smtp() {
    let world = world("");
    let daemon = world.serve_at(NOW);
    let mut lmtp = Client::lmtp(&daemon);
    // One reply for each recipient.
    assert!(lmtp.say("MAIL FROM:<a@b.test> BODY=8BITMIME SIZE=500").starts_with("250 2.1.0"));
    for recipient in ["rua@us.test", "tls@us.test"] {
        assert!(lmtp.say(&format!("RCPT TO:<{recipient}>")).starts_with("250 2.1.5"));
    }
    assert!(lmtp.say("DATA").starts_with("354 "));
    lmtp.send(format!("{}\r\n.\r\n", letter("1@a.test")).as_bytes());
    assert_eq!(lmtp.reply(), "250 2.0.0 stored\r\n");
    assert_eq!(lmtp.reply(), "250 2.0.0 stored\r\n");
    assert_eq!(stored(&world, "report"), 1);
    assert_eq!(lmtp.deliver("", "rua@us.test", &letter("2@a.test")), "250 2.0.0 stored\r\n");
    assert!(lmtp.say("QUIT").starts_with("221 "));
    assert_eq!(lmtp.reply(), "");

    let stream = UnixStream::connect(world.state().join("lmtp")).unwrap();
    let mut unix = Client(BufReader::new(stream)).greeted("LHLO mx.test");
    assert!(unix.say("XFORWARD ADDR=192.0.2.1 HELO=mx.b.test").starts_with("250 "));
    assert!(unix.deliver("", "any@where.test", &letter("3@a.test")).starts_with("250 "));

    let mut smtp = Client::smtp(&daemon);
    assert!(smtp.deliver("a@b.test", "rua@us.test", &letter("4@a.test")).starts_with("250 "));
    assert_eq!((stored(&world, "report"), stored(&world, "aside")), (4, 0));
    assert!(daemon.terminate().success());
}

/// Its sender can do nothing about it, and it may matter: it is taken, and kept aside.
#[test]
fn what_cannot_be_read_is_taken_and_kept_aside() {
    let world = world("");
    let daemon = world.serve_at(NOW);
    let mut lmtp = Client::lmtp(&daemon);
    let bomb = gzip(&vec![b' '; 80 * 1024 * 1024]);
    let bomb = mail(&[part("Content-Type: application/gzip", &bomb)]);
    for letter in ["Subject: hello\r\n\r\nNo report.", "", &bomb] {
        assert_eq!(lmtp.deliver("a@b.test", "rua@us.test", letter), "250 2.0.0 stored\r\n");
    }
    assert_eq!((stored(&world, "report"), stored(&world, "aside")), (0, 3));
    assert_eq!(daemon.metric(&format!("{EVENT}\"aside\"}}")), 3.0);
    assert!(lmtp.deliver("", "rua@us.test", &letter("1@a.test")).starts_with("250 "));
    assert_eq!(stored(&world, "report"), 1);
}

#[test]
fn only_what_was_asked_for_is_taken() {
    let world = world("recipients = [\"rua@us.test\"]");
    let daemon = world.serve_at(NOW);
    let mut smtp = Client::smtp(&daemon);
    for (recipient, expected) in [
        ("jane@us.test", "550 5.1.1"),
        ("RUA@us.test", "250 2.0.0"),
        ("not an address", "501 5.5.4"),
        ("\"a b\"@us.test", "550 5.1.3"),
    ] {
        let said = smtp.deliver("a@b.test", recipient, &letter("1@a.test"));
        assert!(said.starts_with(expected), "{recipient}: {said}");
        assert!(smtp.say("RSET").starts_with("250 "));
    }
    for (line, expected) in [
        ("DATA", "503 5.5.1"),
        ("RCPT TO:<rua@us.test>", "503 5.5.1"),
        ("MAIL FROM:<a@b.test> SIZE=26214401", "552 5.3.4"),
        ("MAIL FROM:<a@b.test> AUTH=<>", "555 5.5.4"),
        ("LHLO mx.test", "500 5.5.1"),
        ("STARTTLS", "500 5.5.1"),
        ("VRFY rua@us.test", "252 2.1.5"),
        ("NOOP", "250 2.0.0"),
    ] {
        let said = smtp.say(line);
        assert!(said.starts_with(expected), "{line}: {said}");
    }
    let mut lmtp = Client::lmtp(&daemon);
    assert!(lmtp.say("EHLO mx.test").starts_with("500 5.5.1"));
}

/// Commands come all at once, and mails in one connection.
#[test]
fn pipelining() {
    let world = world("");
    let daemon = world.serve_at(NOW);
    let mut lmtp = Client::lmtp(&daemon);
    let mut all = String::new();
    for number in 0..3 {
        all.push_str("MAIL FROM:<>\r\nRCPT TO:<rua@us.test>\r\nDATA\r\n");
        all.push_str(&letter(&format!("{number}@a.test")));
        all.push_str("\r\n.\r\n");
    }
    all.push_str("QUIT\r\n");
    lmtp.send(all.as_bytes());
    for _ in 0..3 {
        for expected in ["250 2.1.0", "250 2.1.5", "354 ", "250 2.0.0"] {
            let said = lmtp.reply();
            assert!(said.starts_with(expected), "{said}");
        }
    }
    assert!(lmtp.reply().starts_with("221 "));
    assert_eq!(stored(&world, "report"), 3);
}

/// What one server takes for the end of a mail, another must not.
#[test]
fn nothing_is_smuggled() {
    let world = world("");
    let daemon = world.serve_at(NOW);
    let begin = "MAIL FROM:<>\r\nRCPT TO:<rua@us.test>\r\nDATA\r\n";
    let smuggled = "MAIL FROM:<>\r\nRCPT TO:<rua@us.test>\r\n";
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r"] {
        let mut smtp = Client::smtp(&daemon);
        smtp.send(format!("{begin}Subject: x\r\n\r\nx{end}{smuggled}\r\n.\r\n").as_bytes());
        let replies: Vec<String> = (0..5).map(|_| smtp.reply()).collect();
        let codes: Vec<&str> = replies.iter().map(|one| one.get(..3).unwrap_or("")).collect();
        assert_eq!(codes, ["250", "250", "354", "550", ""], "{end:?}");
    }
    for (line, expected) in [("NOOP\nNOOP\r\n", "521"), ("NOOP\rNOOP\r\n", "500")] {
        let mut smtp = Client::smtp(&daemon);
        smtp.send(line.as_bytes());
        let said = smtp.reply();
        assert!(said.starts_with(expected) || said.starts_with("521"), "{line:?}: {said}");
    }
    assert_eq!((stored(&world, "report"), stored(&world, "aside")), (0, 0));
}

#[test]
fn endless_lines_and_endless_errors() {
    let world = world("");
    let daemon = world.serve_at(NOW);
    let mut smtp = Client::smtp(&daemon);
    smtp.send(&vec![b'x'; 3 * 1024 * 1024]);
    assert!(smtp.say("").starts_with("500 5.5.2"));
    assert!(smtp.deliver("", "rua@us.test", &letter("1@a.test")).starts_with("250 "));
    let last = (0..30).map(|_| smtp.say("FOO")).find(|said| !said.starts_with("500 "));
    assert!(last.unwrap().starts_with("421 4.7.0"));
    assert_eq!(smtp.reply(), "");
}

/// A thousand who connect and say nothing do not keep others out for longer than they are there.
#[test]
fn a_thousand_connections() {
    let world = world("max_connections = 50");
    let daemon = world.serve_at(NOW);
    let address = daemon.address("smtp").unwrap();
    let mut clients: Vec<_> = (0..1000).map(|_| Client::connect(address)).collect();
    let greetings: Vec<String> = clients.iter_mut().map(Client::reply).collect();
    let welcome = greetings.iter().filter(|said| said.starts_with("220 ")).count();
    assert_eq!(welcome, 50);
    assert_eq!(daemon.metric("waxseal_intake_refused_total"), 950.0);
    drop(clients);
    daemon.until("room", |daemon| daemon.metric("waxseal_intake_connections_open") == 0.0);
    let mut smtp = Client::smtp(&daemon);
    assert!(smtp.deliver("", "rua@us.test", &letter("1@a.test")).starts_with("250 "));
}

#[test]
fn who_is_slow_is_told_so() {
    let world = world("command_timeout = \"1s\"\nmessage_timeout = \"1s\"");
    let daemon = world.serve_at(NOW);
    let mut silent = Client::smtp(&daemon);
    silent.send(b"NOO");
    assert!(silent.reply().starts_with("421 4.4.2"));
    assert_eq!(silent.reply(), "");
    let mut slow = Client::smtp(&daemon);
    slow.send(b"MAIL FROM:<>\r\nRCPT TO:<rua@us.test>\r\nDATA\r\nSubject: x\r\n");
    let codes: Vec<String> = (0..4).map(|_| slow.reply().get(..3).unwrap_or("").into()).collect();
    assert_eq!(codes, ["250", "250", "354", "421"]);
    daemon.until("two", |daemon| daemon.metric("waxseal_intake_timeouts_total") == 2.0);
}

#[test]
fn what_was_taken_survives_kill_9() {
    let world = world("");
    let daemon = world.serve_at(NOW);
    let mut lmtp = Client::lmtp(&daemon);
    assert!(lmtp.deliver("", "rua@us.test", &letter("1@a.test")).starts_with("250 "));
    assert!(lmtp.deliver("", "rua@us.test", "Subject: x\r\n\r\nx").starts_with("250 "));
    daemon.kill();
    assert_eq!((stored(&world, "report"), stored(&world, "aside")), (1, 1));
    let daemon = world.serve_at(NOW);
    // It comes again, for its sender has not heard the answer.
    assert!(
        Client::lmtp(&daemon).deliver("", "rua@us.test", &letter("1@a.test")).starts_with("250 ")
    );
    assert_eq!(stored(&world, "report"), 1);
}

/// The disk is full: the mail stays with its sender, and comes again.
#[test]
fn a_full_disk_costs_no_report() {
    let world = world("");
    let kept = world.path("kept");
    fs::create_dir(&kept).unwrap();
    let disk = Disk::start(&world, &kept, NOW);
    let stored = |folder: &Path| ask(folder, "SELECT COUNT(*) FROM received_report");
    let mut lmtp = Client::lmtp(&disk.daemon);
    assert!(lmtp.deliver("", "rua@us.test", &letter("1@a.test")).starts_with("250 "));
    disk.fill();
    let refused = (2..200).find_map(|number| {
        let said = lmtp.deliver("", "rua@us.test", &letter(&format!("{number}@a.test")));
        (!said.starts_with("250 ")).then_some((number, said))
    });
    let (number, said) = refused.unwrap();
    assert_eq!(said, "451 4.3.0 cannot be stored now, try again later\r\n");
    assert_eq!(disk.ask(stored), number - 1);
    disk.make_room();
    let again = letter(&format!("{number}@a.test"));
    assert!(lmtp.deliver("", "rua@us.test", &again).starts_with("250 "));
    assert_eq!(disk.ask(stored), number);
}

/// A mail that is coming is not cut off, and a client that waits is told to come again.
#[test]
fn the_end_of_the_program() {
    let world = world("");
    let daemon = world.serve_at(NOW);
    let mut idle = Client::lmtp(&daemon);
    let mut busy = Client::lmtp(&daemon);
    busy.say("MAIL FROM:<>");
    busy.say("RCPT TO:<rua@us.test>");
    assert!(busy.say("DATA").starts_with("354 "));
    daemon.signal("TERM");
    assert!(idle.reply().starts_with("421 4.3.2"));
    busy.send(format!("{}\r\n.\r\n", letter("1@a.test")).as_bytes());
    assert!(busy.reply().starts_with("250 "));
    assert!(busy.reply().starts_with("421 "));
    let mut daemon = daemon;
    assert!(daemon.wait().success());
    assert_eq!(stored(&world, "report"), 1);
}

#[test]
fn one_sender_does_not_fill_the_disk() {
    let world = world("quota = 20");
    let daemon = world.serve_at(NOW);
    let mut lmtp = Client::lmtp(&daemon);
    // A tenth of it for those who merely claim a domain.
    for expected in ["250 2.0.0", "250 2.0.0", "452 4.7.0"] {
        let said = lmtp.deliver("", "rua@us.test", "From: a@b.test\r\n\r\nx");
        assert!(said.starts_with(expected), "{said}");
    }
    assert!(lmtp.deliver("", "rua@us.test", "From: a@c.test\r\n\r\nx").starts_with("250 "));
    assert_eq!(daemon.metric(&format!("{EVENT}\"quota\"}}")), 1.0);
}

fn post(daemon: &Daemon, path: &str, kind: &str, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(daemon.address("posts").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: us.test\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Who refuses does not read it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or_default()
}

#[test]
fn reports_are_posted() {
    let world = world("");
    let mut command = world.waxseal(&["reports", "address", "example.com", "--state-dir"]);
    let told = run(command.arg(world.state()));
    assert_eq!(told.code, 0, "{}", told.err);
    let path = told.out.lines().next().unwrap().to_owned();
    assert!(told.out.contains(&format!("rua=https://mta-sts.example.com{path}\"")), "{}", told.out);
    let daemon = world.serve_at(NOW);
    const GZIP: &str = "application/tlsrpt+gzip";
    const JSON: &str = "application/tlsrpt+json";
    let report = |id: &str| gzip(tls_report(id).as_bytes());
    assert_eq!(post(&daemon, &path, GZIP, &report("1@a.test")), 201);
    assert_eq!(post(&daemon, &path, JSON, tls_report("2@a.test").as_bytes()), 201);
    assert_eq!((stored(&world, "report"), stored(&world, "aside")), (2, 0));
    let grade = "SELECT COUNT(*) FROM received_report WHERE grade = 'unauthenticated'";
    assert_eq!(ask(&world.state(), grade), 2);
    // Bad, and kept aside.
    assert_eq!(post(&daemon, &path, JSON, b"{"), 201);
    assert_eq!(stored(&world, "aside"), 1);
    let elsewhere = path.replace("example.com", "example.org");
    for (path, kind, expected) in [
        (&*elsewhere, GZIP, 404),
        ("/tlsrpt/example.com/aaaaaaaaaaaaaaaaaaaa", GZIP, 404),
        ("/tlsrpt/example.com", GZIP, 404),
        (&*path, "multipart/form-data; boundary=x", 415),
    ] {
        assert_eq!(post(&daemon, path, kind, &report("3@a.test")), expected, "{path}");
    }
    assert_eq!(post(&daemon, &path, GZIP, &vec![0; 10 * 1024 * 1024 + 1]), 413);
    assert_eq!((stored(&world, "report"), stored(&world, "aside")), (2, 1));
}

#[test]
fn settings_that_do_harm_are_refused() {
    for (settings, expected) in [
        (
            "profile = \"bsi\"\n[intake]\nhttps = [\"127.0.0.1:0\"]",
            "intake.https: expected no address",
        ),
        ("[intake]\nhttps = [\"0.0.0.0:8080\"]", "intake.https: expected loopback"),
        ("[intake]\nsmtp = [\"0.0.0.0:2525\"]", "intake.recipients: expected addresses"),
        ("[intake]\nimap = \"imap.test\"", "intake.imap_password_file: expected a file"),
        ("[intake]\nimap = \"imap.test\"\nimap_tls = \"none\"", "intake.imap_tls: expected"),
    ] {
        let world = World::new();
        world.settings(settings);
        let mut command = world.waxseal(&["config", "check", "--config"]);
        let said = run(command.arg(world.path("waxseal.toml")));
        assert_ne!(said.code, 0);
        let said = format!("{}{}", said.out, said.err);
        assert!(said.contains(expected.split(": ").next().unwrap()), "{expected}: {said}");
        assert!(said.contains(expected.split(": ").nth(1).unwrap()), "{expected}: {said}");
    }
}

/// A letter of ours comes back to its return path: its address gets no others.
#[test]
fn a_bounce_ends_letters_to_its_address() {
    let mail_server = MailServer::start();
    let world = World::new();
    let port = mail_server.address.port();
    world.settings(&format!(
        "[gate]\nlisten = [\"127.0.0.1:0\"]\n\
         [reports]\nfrom = \"dmarc@us.test\"\nsubmit = \"127.0.0.1:{port}\"\n\
         [intake]\nlmtp = [\"127.0.0.1:0\"]\nrecipients = [\"rua@us.test\"]\n"
    ));
    world.dns.say(&[
        "a.test TXT v=spf1 ip4:192.0.2.1 -all",
        "_dmarc.a.test TXT v=DMARC1; p=reject; rua=mailto:rua@a.test",
        "us.test TXT v=spf1 -all",
        "_dmarc.us.test TXT v=DMARC1; p=reject; rua=mailto:rua@us.test",
    ]);
    make_keys(&world);
    let daemon = world.serve_at(NOW);
    receive(&daemon, 1);
    daemon.until("the disk", |_| on_disk(&world.state()) == 1);
    assert!(daemon.terminate().success());
    let daemon = world.serve_at(NOW + DAY);
    daemon.until("a report", |daemon| {
        daemon.metric("waxseal_dmarc_reports_total{event=\"made\"}") == 1.0
    });
    assert!(daemon.terminate().success());
    let daemon = world.serve_at(NOW + 2 * DAY);
    delivered(&daemon, &world.state());
    let return_path = mail_server.taken().remove(0).from;
    let suppressed = || ask(&world.state(), "SELECT COUNT(*) FROM outbox_suppressed");
    let notice = |action: &str| {
        format!(
            "From: MAILER-DAEMON@a.test\r\nContent-Type: multipart/report; \
             report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\n\
             Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.a.test\r\n\r\n\
             Final-Recipient: rfc822; rua@a.test\r\nAction: {action}\r\nStatus: 5.1.1\r\n\
             Diagnostic-Code: smtp; 550 no such user\r\n--b--\r\n"
        )
    };
    let mut lmtp = Client::lmtp(&daemon);
    assert!(lmtp.deliver("", &return_path, &notice("delayed")).starts_with("250 "));
    assert_eq!(suppressed(), 0);
    assert!(lmtp.deliver("", &return_path, &notice("failed")).starts_with("250 "));
    assert_eq!(suppressed(), 1);
    assert_eq!(daemon.metric(&format!("{EVENT}\"bounce\"}}")), 2.0);
    assert_eq!((stored(&world, "report"), stored(&world, "aside")), (0, 0));
    assert!(lmtp.deliver("", "dmarc+aaaaaaaaaaaaaaaa@other.test", "x").starts_with("550 "));
}

/// The socket is for the mail server's group, and what is not ours is not taken away.
#[test]
fn the_unix_socket_has_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let world = world("unix_mode = \"0622\"");
    let daemon = world.serve_at(NOW);
    let mode = fs::metadata(world.state().join("lmtp")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o622);
    assert!(daemon.terminate().success());
    assert!(!world.state().join("lmtp").exists());
}
