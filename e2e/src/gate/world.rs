//! Who is who in the gate's world: domains, what they publish, and where their mail comes from.

use super::signature::{LabKey, Tags};
use super::zone::{host, txt};
use crate::error::LabError;
use std::net::Ipv4Addr;

/// A domain that sends mail to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: &'static str,
    /// The address that its SPF record allows.
    pub server: Ipv4Addr,
    /// What its DMARC record asks for; `None` is no record.
    pub asks: Option<&'static str>,
}

/// The address `10.8.0.n`.
const fn outside(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 8, 0, n)
}

/// Asks for rejection.
pub const STRICT: Domain =
    Domain { name: "strict.test", server: outside(1), asks: Some("p=reject") };
/// Asks for quarantine.
pub const CAREFUL: Domain =
    Domain { name: "careful.test", server: outside(2), asks: Some("p=quarantine") };
/// Asks for nothing.
pub const WATCHING: Domain =
    Domain { name: "watching.test", server: outside(3), asks: Some("p=none") };
/// Has no DMARC record.
pub const PLAIN: Domain = Domain { name: "plain.test", server: outside(4), asks: None };
/// Forwards and seals, and is trusted by us.
pub const LISTS: Domain = Domain { name: "lists.test", server: outside(5), asks: Some("p=none") };
/// Forwards and seals, and nobody has heard of it.
pub const RELAY: Domain = Domain { name: "relay.test", server: outside(6), asks: Some("p=none") };
/// Asks for rejection, but we know that its mail is broken.
pub const BROKEN: Domain =
    Domain { name: "broken.test", server: outside(7), asks: Some("p=reject") };
/// Asks for rejection, and for reports to another domain, which has agreed.
pub const REPORTED: Domain = Domain {
    name: "reported.test",
    server: outside(8),
    asks: Some("p=reject; rua=mailto:dmarc@away.test"),
};
/// Whoever nobody knows.
pub const STRANGER: Ipv4Addr = outside(66);
/// A colleague's desk.
pub const COLLEAGUE: Ipv4Addr = Ipv4Addr::new(10, 7, 1, 1);

/// All domains with records.
pub const DOMAINS: [Domain; 8] = [STRICT, CAREFUL, WATCHING, PLAIN, LISTS, RELAY, BROKEN, REPORTED];

/// The selector of the lab's key.
pub const SELECTOR: &str = "lab";
/// The selector of a key that its owner has taken back.
pub const REVOKED: &str = "old";
/// The selector of a key that its owner only tests.
pub const TESTING: &str = "trial";

/// What an operator of ours has written.
pub const LOCAL_VERDICTS: &str = r#"
[[verdict]]
domain = "broken.test"
action = "accept"
comment = "their signatures are broken, ticket 4711"

[[forwarder]]
domain = "lists.test"
comment = "our mailing lists"
"#;

/// The records of all domains, all with the same key.
pub fn records(key: &LabKey) -> Vec<String> {
    let mut records = vec![
        txt("ours.test", "v=spf1 ip4:10.7.0.25 -all"),
        txt("_dmarc.ours.test", "v=DMARC1; p=reject"),
        // RFC 9990 §4: away.test takes the reports about reported.test.
        txt("reported.test._report._dmarc.away.test", "v=DMARC1"),
        "mx.ours.test. 300 IN A 10.7.0.25".to_owned(),
    ];
    for Domain { name, server, asks } in DOMAINS {
        records.push(txt(name, &format!("v=spf1 ip4:{server} -all")));
        records.push(format!("{name}. 300 IN MX 10 mail.{name}."));
        records.extend(host(&format!("mail.{name}"), server));
        records.push(txt(&format!("{SELECTOR}._domainkey.{name}"), &key.record()));
        records.push(txt(&format!("{REVOKED}._domainkey.{name}"), "v=DKIM1; k=ed25519; p="));
        let testing = key.record().replace("k=ed25519;", "k=ed25519; t=y;");
        records.push(txt(&format!("{TESTING}._domainkey.{name}"), &testing));
        let asked = asks.map(|asks| txt(&format!("_dmarc.{name}"), &format!("v=DMARC1; {asks}")));
        records.extend(asked);
    }
    records
}

/// Signs as the domain does.
pub fn signed(key: &LabKey, domain: Domain, letter: &[u8]) -> Vec<u8> {
    key.sign(&tags(domain), letter)
}

/// The usual signature of a domain.
pub fn tags(domain: Domain) -> Tags<'static> {
    let fields = "from:to:subject:message-id";
    Tags { domain: domain.name, selector: SELECTOR, fields, more: "", length: None }
}

/// Lines, each ended by CRLF.
pub fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// A usual letter from `author@domain` to a mailbox of ours.
pub fn letter(domain: Domain, mailbox: &str) -> Vec<u8> {
    let name = domain.name;
    crlf(&format!(
        "From: Author <author@{name}>\nTo: <{mailbox}@ours.test>\nSubject: About {mailbox}\n\
         Date: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <{mailbox}@{name}>\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n\
         Hello,\n\nthis is the letter of the case {mailbox}.\n.\nYours\n"
    ))
}

/// Makes the lab's key.
pub fn key() -> Result<LabKey, LabError> {
    LabKey::generate()
}
