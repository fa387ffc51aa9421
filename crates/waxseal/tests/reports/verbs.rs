//! `waxseal outbox`, beside a program that holds the store open.

use std::process::Command;

use serde_json::Value;

use crate::dns::Dns;
use crate::mail_server::Reply;
use crate::node::{DAY, NOW, Node, at, publish, xml_of};

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

#[tokio::test(flavor = "multi_thread")]
async fn what_will_be_reported_and_what_was() {
    let dns = Dns::start();
    let long = format!("{}.a-very-long-name.test", "x".repeat(30));
    for domain in ["a.test", &long] {
        publish(&dns, domain, &format!("v=DMARC1; p=none; rua=mailto:rua@{domain}"));
    }
    let node = Node::new("us.test", &dns);
    assert_eq!(outbox(&node, &["list"]).out, "No letters.\n");
    node.receive_good(NOW, "a.test", 2).await;
    node.receive_good(NOW, &long, 1).await;
    let preview = outbox(&node, &["preview", "--day", "2027-01-15"]);
    assert!(preview.out.contains("2 messages in 1 rows; a report will be made"), "{}", preview.out);
    let document = json(&node, &["preview", "--at", &NOW.0.to_string()]);
    assert_eq!(document["domains"][0]["messages"], 2);
    let xml = outbox(&node, &["preview", "a.test", "--day", "20270115"]);
    assert!(xml.out.contains("<count>2</count>"), "{}{}", xml.out, xml.err);
    assert_eq!(outbox(&node, &["preview", "b.test"]).code, Some(1));
    assert_eq!(outbox(&node, &["preview", "--day", "yesterday"]).code, Some(64));

    assert_eq!(node.end_day(NOW).await, 2);
    node.mail_server.say(
        "rua@a.test",
        Reply::Rcpt(
            "550 5.7.1 this is a long story about why mail of this kind is never taken here, at \
         least not by the machine that you are talking to at the moment",
        ),
    );
    node.reporter.deliver_due(at(2 * DAY)).await.unwrap();
    let list = outbox(&node, &["list"]);
    assert!(list.out.lines().all(|line| line.len() <= 80), "{}", list.out);
    let failed = "failed      2027-01-15\n        report about a.test\n        to rua@a.test\n";
    assert!(list.out.contains(failed), "{}", list.out);
    let failed = json(&node, &["list", "--state", "failed"]);
    assert_eq!(failed["letters"][0]["recipient"], "rua@a.test");
    let delivered = json(&node, &["list", "--state", "delivered", "--limit", "5"]);
    let id = delivered["letters"][0]["id"].to_string();
    let shown = outbox(&node, &["show", &id]);
    assert!(shown.out.contains("State       delivered"), "{}", shown.out);
    assert_eq!(json(&node, &["show", &id])["tries"], 1);
    let message = outbox(&node, &["show", &id, "--message"]).out;
    assert_eq!(message.as_bytes(), node.mail_server.taken()[0].message);
    assert!(xml_of(message.as_bytes()).contains("<feedback"));
    assert_eq!(outbox(&node, &["show", "99"]).code, Some(1));
    assert_eq!(outbox(&node, &["list", "--state", "lost"]).code, Some(64));
}
