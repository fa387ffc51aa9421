//! Following Postfix's log, over rotations.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::{Collecting, count, until};

const AT: &str = "Nov 22 01:02:03 mail postfix/smtp[123]:";

fn append(path: &Path, lines: &[String]) {
    let mut file = File::options().append(true).create(true).open(path).unwrap();
    let text: String = lines.iter().map(|line| format!("{AT} {line}\n")).collect();
    file.write_all(text.as_bytes()).unwrap();
}

fn success(domain: &str) -> String {
    format!("TLSRPT: status=success, domain={domain}, receiving_mx=mx.{domain}[192.0.2.1]")
}

fn failure(domain: &str) -> String {
    format!(
        "TLSRPT: status=failure, domain={domain}, receiving_mx=mx.{domain}[192.0.2.1], \
         failure_type=validation_failure, failure_reason=self-signed_certificate"
    )
}

#[test]
fn the_log_is_followed_over_rotations() {
    let collecting = Collecting::new();
    // What is there already was told by whoever ran before.
    append(&collecting.log, &[success("old.test")]);
    let daemon = collecting.serve();
    daemon.until("the log to be open", |daemon| {
        let links = fs::read_dir(format!("/proc/{}/fd", daemon.id())).unwrap();
        let mut targets = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
        targets.any(|target| target == collecting.log)
    });
    let other = "connect to mx.a.test[192.0.2.1]:25: TLSRPT: status=success, domain=evil.test";
    append(&collecting.log, &[success("a.test"), other.to_owned(), failure("b.test")]);
    until(&daemon, "counted", 2);

    fs::rename(&collecting.log, collecting.world.path("mail.log.1")).unwrap();
    append(&collecting.world.path("mail.log.1"), &[failure("b.test")]);
    append(&collecting.log, &[success("c.test")]);
    until(&daemon, "counted", 4);

    File::options().write(true).open(&collecting.log).unwrap().set_len(0).unwrap();
    append(&collecting.log, &["TLSRPT: status=perhaps, domain=a.test".to_owned()]);
    until(&daemon, "lost-log-line", 1);
    until(&daemon, "saved", 4);
    assert_eq!(count(&daemon, "log-lines"), 4);
    let stored = collecting.stored();
    assert_eq!((stored.domains, stored.successes, stored.failures, stored.details), (3, 2, 2, 2));
}
