//! Who has made a report: mails signed by own keys, asked for at the DNS of the test.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sender_auth::crypto::{Crypto, KeyType, Sha256, SigningKey as _};
use sender_auth::dkim::{BodyHash, SIGNATURE_FIELD, Signature, header_field};
use sender_auth::{Header, HeaderField, HeaderLimits, MessageReader, Part};
use waxseal::crypto::{AwsLc, SigningKey};

use crate::intake::{Client, EVENT, letter, stored, world};
use crate::intake_forms::{gzip, mail, part, xml};
use crate::reports::ask;
use crate::world::{NOW, World};

/// A key of `s._domainkey.DOMAIN`, with these tags in its record.
fn publish(world: &World, domain: &str, tags: &str) -> SigningKey {
    let key = SigningKey::generate(KeyType::Ed25519).unwrap();
    let public = key.public_key().unwrap().base64();
    let record = format!("s._domainkey.{domain} TXT v=DKIM1; k=ed25519; {tags}p={public}");
    world.dns.say(&[&record]);
    key
}

/// The letter with a signature on top; `tags` are added to its tags.
fn signed(key: &SigningKey, domain: &str, tags: &str, letter: &str) -> String {
    let (header, body) = read(letter);
    let field = |bh: &str, b: &str| {
        let text = format!(
            "{SIGNATURE_FIELD}: v=1; a=ed25519-sha256; c=relaxed/relaxed; d={domain}; s=s; \
             h=from:subject:tls-report-submitter{tags}; bh={bh}; b={b}"
        );
        HeaderField::parse(text.as_bytes()).unwrap()
    };
    let draft = Signature::parse(&field("AAAA", "AAAA")).unwrap();
    let crypto = AwsLc::new();
    let mut hash = BodyHash::new(draft.body_canonicalization, draft.body_limit, crypto.sha256());
    hash.push(&body);
    let bh = STANDARD.encode(hash.finish().digest);
    let mut octets = Vec::new();
    let mut left: Vec<&HeaderField> = header.fields().iter().rev().collect();
    for name in draft.signed_fields() {
        if let Some(index) = left.iter().position(|field| field.is(name)) {
            header_field(draft.header_canonicalization, left.remove(index), &mut octets);
        }
    }
    header_field(draft.header_canonicalization, &field(&bh, ""), &mut octets);
    octets.truncate(octets.len() - 2);
    let mut sha256 = crypto.sha256();
    sha256.update(&octets);
    let b = STANDARD.encode(key.sign(&sha256.finish()).unwrap());
    let field = field(&bh, &b);
    format!("{}\r\n{letter}", String::from_utf8(field.octets().to_vec()).unwrap())
}

fn read(letter: &str) -> (Header, Vec<u8>) {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(letter.as_bytes()).unwrap();
    parts.extend(reader.finish().unwrap());
    let (mut header, mut body) = (Header::default(), Vec::new());
    for part in parts {
        match part {
            Part::Header(found) => header = found,
            Part::Body(octets) => body.extend(octets),
        }
    }
    (header, body)
}

/// A letter with this author, and with a line end at its end, as mail servers make it.
fn from(author: &str, id: &str) -> String {
    let letter = letter(id);
    let (_, rest) = letter.split_once("\r\n").unwrap();
    assert!(letter.starts_with("From:"), "{letter}");
    format!("From: {author}\r\n{rest}\r\n")
}

/// How the last report was graded.
fn grade(world: &World) -> &'static str {
    for grade in ["failed", "unauthenticated", "unchecked", "authenticated"] {
        let sql = format!(
            "SELECT COUNT(*) FROM received_report WHERE grade = '{grade}' AND id = \
             (SELECT MAX(id) FROM received_report)"
        );
        if ask(&world.state(), &sql) == 1 {
            return grade;
        }
    }
    "none"
}

#[test]
fn reports_about_tls_are_signed_by_who_reports() {
    let world = world("");
    let daemon = world.serve_at(NOW);
    let mut lmtp = Client::lmtp(&daemon);
    let mut number = 0;
    let mut graded = |author: &str, domain: &str, record: &str, tags: &str, more: &str| {
        number += 1;
        let key = publish(&world, domain, record);
        let letter = from(author, &format!("{number}@a.test"));
        let letter = signed(&key, domain, tags, &format!("{more}{letter}"));
        // The test's DNS has a new key, and the daemon asks anew.
        let said = lmtp.deliver("", "rua@us.test", &letter);
        assert!(said.starts_with("250 "), "{said}");
        assert_eq!(stored(&world, "report"), number);
        grade(&world)
    };
    const AUTHOR: &str = "tls@receiver.example";
    let good = "authenticated";
    assert_eq!(graded(AUTHOR, "receiver.example", "", "", ""), good);
    assert_eq!(graded(AUTHOR, "receiver.example", "s=tlsrpt; ", "", ""), good);
    assert_eq!(graded(AUTHOR, "receiver.example", "s=*; ", "", ""), good);
    // RFC 6376 §3.6.1: a key for something else.
    assert_eq!(graded(AUTHOR, "receiver.example", "s=email; ", "", ""), "failed");
    // RFC 8460 §3: "must not use the l= attribute".
    assert_eq!(graded(AUTHOR, "receiver.example", "", "; l=5", ""), "failed");
    assert_eq!(graded(AUTHOR, "receiver.example", "t=y; ", "", ""), "failed");
    // Somebody else's, however well he signs.
    assert_eq!(graded(AUTHOR, "stranger.example", "", "", ""), "unauthenticated");
    // The same organization.
    world.dns.say(&["_dmarc.receiver.example TXT v=DMARC1; p=none"]);
    assert_eq!(graded("tls@mail.receiver.example", "receiver.example", "", "", ""), good);
    // Not the author, but whom the report names as its sender.
    let submitter = "TLS-Report-Submitter: receiver.example\r\n";
    assert_eq!(graded("noreply@other.example", "receiver.example", "", "", submitter), good);
    assert_eq!(daemon.metric(&format!("{EVENT}\"failed\"}}")), 3.0);
}

#[test]
fn what_was_changed_on_the_way_has_failed_and_what_is_unsigned_is_unknown() {
    let world = world("");
    let daemon = world.serve_at(NOW);
    let mut lmtp = Client::lmtp(&daemon);
    let letter = from("tls@receiver.example", "1@a.test");
    assert!(lmtp.deliver("", "rua@us.test", &letter).starts_with("250 "));
    assert_eq!(grade(&world), "unauthenticated");
    let key = publish(&world, "receiver.example", "");
    let letter = signed(&key, "receiver.example", "", &from("tls@receiver.example", "2@a.test"));
    let changed = letter.replace("\r\nSubject: ", "\r\nSubject: Re: ");
    assert_ne!(changed, letter);
    assert!(lmtp.deliver("", "rua@us.test", &changed).starts_with("250 "));
    assert_eq!(grade(&world), "failed");
}

/// RFC 9990 §4: DMARC passes for the mail itself, be it by the address that Postfix tells of.
#[test]
fn reports_about_dmarc_pass_dmarc() {
    let world = world("");
    world.dns.say(&[
        "receiver.example TXT v=spf1 ip4:192.0.2.1 -all",
        "_dmarc.receiver.example TXT v=DMARC1; p=reject",
    ]);
    let daemon = world.serve_at(NOW);
    let mut lmtp = Client::lmtp(&daemon);
    let mut number = 0;
    let mut graded = |address: &str, author: &str| {
        number += 1;
        let id = format!("<report_id>{number}</report_id>");
        let report = xml(2).replace("<report_id>1</report_id>", &id);
        let letter = mail(&[part("Content-Type: application/gzip", &gzip(report.as_bytes()))]);
        let letter = letter.replace("reports@receiver.example", author);
        let said = lmtp.say(&format!("XFORWARD ADDR={address} HELO=mx.{author}"));
        assert!(said.starts_with("250 "), "{said}");
        let said = lmtp.deliver(author, "rua@us.test", &letter);
        assert!(said.starts_with("250 "), "{said}");
        assert_eq!(stored(&world, "report"), number);
        grade(&world)
    };
    assert_eq!(graded("192.0.2.1", "dmarc@receiver.example"), "authenticated");
    assert_eq!(graded("192.0.2.9", "dmarc@receiver.example"), "failed");
    assert_eq!(graded("192.0.2.1", "dmarc@unknown.example"), "unauthenticated");
}

/// Without an answer of the DNS nobody knows whether it would count, so it comes again.
#[test]
fn a_proof_that_is_demanded_is_waited_for() {
    let world = world("require_author = \"yes\"");
    let daemon = world.serve_at(NOW);
    let mut lmtp = Client::lmtp(&daemon);
    let key = publish(&world, "receiver.example", "");
    let letter = signed(&key, "receiver.example", "", &from("tls@receiver.example", "1@a.test"));
    world.dns.fail("s._domainkey.receiver.example TXT");
    let said = lmtp.deliver("", "rua@us.test", &letter);
    assert!(said.starts_with("451 4.4.3"), "{said}");
    assert_eq!((stored(&world, "report"), stored(&world, "aside")), (0, 0));
    let public = key.public_key().unwrap().base64();
    world.dns.say(&[&format!("s._domainkey.receiver.example TXT v=DKIM1; k=ed25519; p={public}")]);
    assert!(lmtp.deliver("", "rua@us.test", &letter).starts_with("250 "));
    assert_eq!((stored(&world, "report"), grade(&world)), (1, "authenticated"));
    // What is not proved is kept aside.
    let unsigned = from("tls@receiver.example", "2@a.test");
    assert!(lmtp.deliver("", "rua@us.test", &unsigned).starts_with("250 "));
    assert_eq!((stored(&world, "report"), stored(&world, "aside")), (1, 1));
}
