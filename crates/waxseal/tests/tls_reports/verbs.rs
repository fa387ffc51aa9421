//! `waxseal outbox` for TLS reports, beside a program that holds the store open.

use std::process::Command;

use serde_json::Value;
use smtp_types::UnixTime;
use tlsrpt::personal_data;

use crate::dns::Dns;
use crate::mail_server::Reply;
use crate::node::{DAY, NOW, Node, at, publish};
use crate::sessions::{Sessions, ask, count, end_day, json_of, night_after, read};

struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

fn outbox(node: &Node, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    command.arg("outbox").args(arguments).arg("--state-dir").arg(node.folder.path());
    let settings = node.folder.path().join("waxseal.toml");
    std::fs::write(&settings, "[reports]\nfrom = \"dmarc@us.test\"\n").unwrap();
    let output = command.arg("--config").arg(settings).output().unwrap();
    Said {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

fn json(node: &Node, arguments: &[&str]) -> Value {
    let said = outbox(node, &[arguments, &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

async fn node(dns: &Dns) -> Node {
    let node = Node::new("us.test", dns);
    ask(dns, "a.test", "mailto:rua@a.test");
    let record = Some("v=TLSRPTv1; rua=mailto:rua@a.test".to_owned());
    let reason = Some("certificate_has_expired");
    count(&node, NOW, "a.test", Sessions { successes: 5, failures: 2, record, reason }).await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_be_reported() {
    let dns = Dns::start();
    let node = node(&dns).await;
    let day = ["--day", "2027-01-15"];
    let preview = outbox(&node, &[&["preview"], &day[..]].concat());
    assert!(preview.out.contains("7 TLS sessions; a TLS report will be made"), "{}", preview.out);
    let preview = json(&node, &["preview", "--at", &NOW.0.to_string()]);
    assert_eq!(preview["tls"][0]["sessions"], 7);
    let shown = outbox(&node, &[&["preview", "a.test"], &day[..]].concat());
    let report = read(&shown.out);
    assert_eq!((report.totals().successes, report.totals().failures), (5, 2));
    assert_eq!(personal_data(&shown.out, &["dmarc@us.test", &report.id], &["rua"]), []);
    // A domain with reports of both kinds.
    publish(&dns, "a.test", "v=DMARC1; p=none; rua=mailto:rua@a.test");
    node.receive_good(NOW, "a.test", 1).await;
    let both = outbox(&node, &[&["preview", "a.test"], &day[..]].concat());
    assert_eq!((both.code, both.err.contains("--kind")), (Some(1), true), "{}", both.err);
    let kind = |kind| outbox(&node, &[&["preview", "a.test", "--kind", kind], &day[..]].concat());
    assert!(kind("tls").out.starts_with('{'));
    assert!(kind("dmarc").out.contains("<feedback"));
    // It is the report that is made.
    assert_eq!(end_day(&node, NOW).await, 2);
    node.reporter.deliver_due(night_after(NOW)).await.unwrap();
    let mails = node.mail_server.taken();
    let mail = mails.iter().find(|mail| mail.message.windows(6).any(|w| w == b"tlsrpt")).unwrap();
    let made = read(&json_of(&mail.message));
    assert_eq!(made.policies, report.policies);
    // Whoever gets it can read it: this program, too.
    let file = node.folder.path().join("report.eml");
    std::fs::write(&file, &mail.message).unwrap();
    let mut show = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    let said = show.args(["reports", "show", "--json"]).arg(&file).output().unwrap();
    let shown: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(shown["kind"], "tls-rpt", "{shown}");
    assert_eq!(shown["reports"][0]["id"], &*made.id, "{shown}");
    assert_eq!(shown["reports"][0]["failures"], 2, "{shown}");
    assert_ne!(made.id, report.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_tried_again() {
    let dns = Dns::start();
    let node = node(&dns).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    let list = outbox(&node, &["list"]).out;
    assert!(list.contains("TLS report about a.test\n"), "{list}");
    let early = outbox(&node, &["retry", "1"]);
    assert_eq!(early.code, Some(1));
    assert!(early.err.contains("found queued"), "{}", early.err);
    node.mail_server.say("rua@a.test", Reply::Rcpt("550 5.1.1 no such user"));
    let night = night_after(NOW);
    assert_eq!(node.reporter.deliver_due(night).await.unwrap(), 0);
    let octets = node.view().letter(1).unwrap().unwrap().1;
    assert!(node.store.suppressed_until("rua@a.test".into(), night).await.unwrap().is_some());
    // Somebody has made the mailbox.
    node.mail_server.take_again("rua@a.test");
    let later = UnixTime(night.0 + 60);
    let retried = outbox(&node, &["retry", "1", "--at", &later.0.to_string()]);
    assert_eq!((retried.code, retried.out.as_str()), (Some(0), "Letter 1 waits.\n"));
    assert_eq!(node.store.suppressed_until("rua@a.test".into(), later).await.unwrap(), None);
    assert_eq!(node.reporter.deliver_due(later).await.unwrap(), 1);
    assert_eq!(node.mail_server.taken().remove(0).message, octets);
    let delivered = outbox(&node, &["retry", "1"]);
    assert!(delivered.err.contains("found delivered"), "{}", delivered.err);
    assert_eq!(outbox(&node, &["retry", "99"]).code, Some(1));
    assert_eq!(outbox(&node, &["retry", "x"]).code, Some(64));
}

/// A letter that was never sent because its address was suppressed has its octets all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_suppressed_is_sent_if_the_operator_wants() {
    let dns = Dns::start();
    let node = node(&dns).await;
    node.mail_server.say("rua@a.test", Reply::Rcpt("550 5.1.1 no such user"));
    assert_eq!(end_day(&node, NOW).await, 1);
    node.reporter.deliver_due(night_after(NOW)).await.unwrap();
    let next = at(DAY);
    count(&node, next, "a.test", crate::sessions::good(9)).await;
    assert_eq!(end_day(&node, next).await, 1);
    node.mail_server.take_again("rua@a.test");
    let now = at(2 * DAY);
    let retried = json(&node, &["retry", "2", "--at", &now.0.to_string()]);
    assert_eq!(retried["state"], "queued");
    assert_eq!(node.reporter.deliver_due(now).await.unwrap(), 1);
    let mail = node.mail_server.taken().remove(0);
    assert_eq!(read(&json_of(&mail.message)).totals().successes, 9);
}
