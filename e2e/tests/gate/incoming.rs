//! Letters from outside, each as its sender would write it.

use crate::case::{Case, Expect, Marks};
use e2e::error::LabError;
use e2e::gate::Port;
use e2e::gate::peers::Peers;
use e2e::gate::signature::{LabKey, Tags};
use e2e::gate::world::{
    BROKEN, CAREFUL, Domain, LISTS, PLAIN, RELAY, REVOKED, STRANGER, STRICT, TESTING, WATCHING,
    crlf, letter, signed, tags,
};
use std::net::Ipv4Addr;

const PASSES: Marks = Marks {
    verdict: &["identified=yes", "by=strict.test", "dmarc=pass", "action=accept", "tls=none"],
    results: &["spf=pass", "iprev=pass", "dkim=pass", "dmarc=pass", "header.from=strict.test"],
    other_results: &[],
};

/// A letter of `domain` that `client` brings, in the name of that domain.
pub(crate) fn case(
    name: &'static str,
    domain: Domain,
    client: Ipv4Addr,
    letter: Vec<u8>,
    expect: Expect,
) -> Case {
    let (helo, mail_from) = match domain {
        STRICT => ("mail.strict.test", "author@strict.test"),
        CAREFUL => ("mail.careful.test", "author@careful.test"),
        WATCHING => ("mail.watching.test", "author@watching.test"),
        PLAIN => ("mail.plain.test", "author@plain.test"),
        LISTS => ("mail.lists.test", "bounces@lists.test"),
        RELAY => ("mail.relay.test", "srs0=author@relay.test"),
        BROKEN => ("mail.broken.test", "author@broken.test"),
        _ => ("unknown.test", ""),
    };
    Case { name, from: client, port: Port::Smtp, helo, mail_from, letter, expect }
}

/// Letters that were not forwarded.
pub(crate) fn direct(key: &LabKey) -> Vec<Case> {
    let delivered =
        |verdict, results| Expect::Delivered(Marks { verdict, results, ..Marks::default() });
    let held = |verdict, results| Expect::Held(Marks { verdict, results, ..Marks::default() });
    let own =
        |name, domain: Domain, letter, expect| case(name, domain, domain.server, letter, expect);
    vec![
        own(
            "aligned",
            STRICT,
            signed(key, STRICT, &letter(STRICT, "aligned")),
            Expect::Delivered(PASSES),
        ),
        Case {
            port: Port::UnixMilter,
            ..own(
                "unix-socket",
                STRICT,
                signed(key, STRICT, &letter(STRICT, "unix-socket")),
                Expect::Delivered(PASSES),
            )
        },
        own(
            "unsigned",
            STRICT,
            letter(STRICT, "unsigned"),
            delivered(
                &["identified=no", "because=spf-only", "dmarc=pass", "action=accept"],
                &["spf=pass", "dkim=none", "dmarc=pass"],
            ),
        ),
        case(
            "forged-reject",
            STRICT,
            STRANGER,
            letter(STRICT, "forged-reject"),
            Expect::Refused(
                550,
                &[
                    "5.7.26",
                    "DMARC",
                    "strict.test",
                    "SPF: ",
                    "DKIM: none",
                    "see https://ours.test/mail",
                ],
            ),
        ),
        Case {
            port: Port::UnixMilter,
            ..case(
                "forged-unix-socket",
                STRICT,
                STRANGER,
                letter(STRICT, "forged-unix-socket"),
                Expect::Refused(550, &["5.7.26", "strict.test"]),
            )
        },
        case(
            "forged-quarantine",
            CAREFUL,
            STRANGER,
            letter(CAREFUL, "forged-quarantine"),
            held(
                &[
                    "identified=no",
                    "dmarc=fail",
                    "asked=quarantine",
                    "action=quarantine",
                    "reason=dmarc-fail-quarantine",
                ],
                &["spf=fail", "dkim=none", "dmarc=fail", "policy.dmarc=quarantine"],
            ),
        ),
        case(
            "forged-none",
            WATCHING,
            STRANGER,
            letter(WATCHING, "forged-none"),
            delivered(
                &[
                    "identified=no",
                    "because=no-signature",
                    "dmarc=fail",
                    "asked=none",
                    "action=accept",
                ],
                &["spf=fail", "dmarc=fail"],
            ),
        ),
        // The stranger has a return path of his own, so SPF passes, and shows somebody else.
        Case {
            helo: "mail.plain.test",
            mail_from: "bounces@plain.test",
            ..case(
                "forged-with-own-path",
                STRICT,
                PLAIN.server,
                signed(key, PLAIN, &letter(STRICT, "forged-with-own-path")),
                Expect::Refused(550, &["5.7.26", "strict.test", "DKIM: pass for plain.test"]),
            )
        },
        case(
            "forged-subdomain",
            STRICT,
            STRANGER,
            replaced(&letter(STRICT, "forged-subdomain"), "author@strict", "author@sub.strict"),
            Expect::Refused(550, &["5.7.26", "sub.strict.test"]),
        ),
        own(
            "no-policy",
            PLAIN,
            letter(PLAIN, "no-policy"),
            delivered(
                &[
                    "identified=no",
                    "because=no-signature",
                    "dmarc=none",
                    "!asked=none",
                    "reason=no-policy",
                ],
                &["spf=pass", "dmarc=none"],
            ),
        ),
        own(
            "no-policy-signed",
            PLAIN,
            signed(key, PLAIN, &letter(PLAIN, "no-policy-signed")),
            delivered(&["identified=yes", "by=plain.test", "dmarc=none"], &["dkim=pass"]),
        ),
        case(
            "no-policy-spf-fail",
            PLAIN,
            STRANGER,
            letter(PLAIN, "no-policy-spf-fail"),
            delivered(&["identified=no", "dmarc=none", "reason=spf-fail"], &["spf=fail"]),
        ),
        case(
            "local-override",
            BROKEN,
            STRANGER,
            letter(BROKEN, "local-override"),
            delivered(
                &[
                    "identified=no",
                    "dmarc=fail",
                    "asked=reject",
                    "action=accept",
                    "reason=local-override",
                ],
                &["dmarc=fail"],
            ),
        ),
        Case {
            mail_from: "",
            ..own(
                "bounce",
                STRICT,
                signed(key, STRICT, &letter(STRICT, "bounce")),
                delivered(&["identified=yes", "dmarc=pass"], &["dkim=pass"]),
            )
        },
        Case {
            mail_from: "author@silent.test",
            helo: "mail.silent.test",
            ..case(
                "silent",
                STRICT,
                STRANGER,
                replaced(&letter(STRICT, "silent"), "author@strict", "author@silent"),
                Expect::Refused(451, &["4.4.3", "silent.test"]),
            )
        },
    ]
}

/// Letters with signatures that prove less than they seem to.
pub(crate) fn signatures(key: &LabKey) -> Vec<Case> {
    let by_stranger = |name, tags: &Tags<'_>, expect| {
        case(name, STRICT, STRANGER, key.sign(tags, &letter(STRICT, name)), expect)
    };
    let usual = tags(STRICT);
    let delivered = |verdict| Expect::Delivered(Marks { verdict, ..Marks::default() });
    let refused = |says| Expect::Refused(550, says);
    let changed = |name, from: &str, to: &str, says| {
        let letter = replaced(&signed(key, STRICT, &letter(STRICT, name)), from, to);
        case(name, STRICT, STRANGER, letter, refused(says))
    };
    vec![
        by_stranger(
            "expired",
            &Tags { more: "t=1600000000; x=1600086400;", ..usual },
            refused(&["5.7.26", "DKIM: fail for strict.test: x: expected a time to come"]),
        ),
        by_stranger(
            "from-the-future",
            &Tags { more: "t=4000000000;", ..usual },
            refused(&["5.7.26", "DKIM: "]),
        ),
        by_stranger(
            "revoked-key",
            &Tags { selector: REVOKED, ..usual },
            refused(&["5.7.26", "DKIM: ", "strict.test"]),
        ),
        by_stranger(
            "missing-key",
            &Tags { selector: "nowhere", ..usual },
            refused(&["5.7.26", "DKIM: ", "strict.test"]),
        ),
        by_stranger(
            "from-not-signed",
            &Tags { fields: "to:subject", ..usual },
            refused(&["5.7.26", "DKIM: ", "strict.test"]),
        ),
        // RFC 6376 §3.6.1: as if it were not signed.
        by_stranger(
            "test-key",
            &Tags { selector: TESTING, ..usual },
            refused(&["5.7.26", "DKIM: pass for strict.test: ", "a key that its owner only tests"]),
        ),
        case(
            "test-key-and-spf",
            STRICT,
            STRICT.server,
            key.sign(&Tags { selector: TESTING, ..usual }, &letter(STRICT, "test-key-and-spf")),
            delivered(&["identified=no", "because=test-key", "dmarc=pass"]),
        ),
        by_stranger(
            "part-of-the-body",
            &Tags { length: Some(10), ..usual },
            delivered(&["identified=no", "because=body-partly-signed", "dmarc=pass"]),
        ),
        changed("changed-body", "Hello", "Hallo", &["5.7.26", "DKIM: fail", "body"]),
        changed("changed-subject", "About", "About:", &["5.7.26", "DKIM: fail"]),
    ]
}

/// Letters whose author cannot be told, or who has several.
pub(crate) fn authors(key: &LabKey) -> Vec<Case> {
    let with_from = |name, from: &str, expect| {
        let letter = letter(STRICT, name);
        let letter = replaced(&letter, "From: Author <author@strict.test>\r\n", from);
        case(name, STRICT, STRICT.server, signed(key, STRICT, &letter), expect)
    };
    let refused = || Expect::Refused(550, &["5.6.0", "see https://ours.test/mail"]);
    let delivered = |verdict| Expect::Delivered(Marks { verdict, ..Marks::default() });
    vec![
        with_from("no-from", "", refused()),
        with_from(
            "two-froms",
            "From: Author <author@strict.test>\r\nFrom: Boss <boss@ours.test>\r\n",
            refused(),
        ),
        with_from(
            "two-froms-spaced",
            "From: Author <author@strict.test>\r\nFROM \t: Boss <boss@ours.test>\r\n",
            refused(),
        ),
        with_from("group-from", "From: undisclosed:;\r\n", refused()),
        with_from("broken-from", "From: <<<\r\n", refused()),
        with_from(
            "authors-of-two-domains",
            "From: author@strict.test, boss@watching.test\r\nSender: author@strict.test\r\n",
            refused(),
        ),
        with_from(
            "authors-of-one-domain",
            "From: a@strict.test, b@strict.test\r\nSender: a@strict.test\r\n",
            delivered(&["identified=yes", "by=strict.test", "dmarc=pass"]),
        ),
        with_from(
            "address-as-name",
            "From: \"boss@ours.test\" <author@strict.test>\r\n",
            delivered(&["identified=yes", "author=strict.test", "dmarc=pass", "warning=yes"]),
        ),
    ]
}

/// Letters that carry fields which only we may write.
pub(crate) fn forged_fields(key: &LabKey) -> Vec<Case> {
    let below = |name, fields: &str| {
        let letter = [crlf(fields), letter(STRICT, name)].concat();
        signed(key, STRICT, &letter)
    };
    let case = |name, letter, expect| case(name, STRICT, STRICT.server, letter, expect);
    vec![
        case(
            "forged-results",
            below(
                "forged-results",
                "Authentication-Results: mx.ours.test; dmarc=pass header.from=bank.test\n\
                 Authentication-Results: other.test; spf=pass smtp.mailfrom=bank.test\n\
                 Authentication-Results: MX.ours.TEST 1; dkim=pass header.d=bank.test\n\
                 authentication-results:\n (comment) mx.ours.test;\n dkim=pass header.d=bank.test\n\
                 Authentication-Results: \"mx.ours.test\"; none\n\
                 Authentication-Results: mx.ours.test.evil.test; none\n",
            ),
            Expect::Delivered(Marks {
                other_results: &[
                    "other.test; spf=pass smtp.mailfrom=bank.test",
                    "mx.ours.test.evil.test; none",
                ],
                ..PASSES
            }),
        ),
        case(
            "forged-verdicts",
            below(
                "forged-verdicts",
                "Waxseal-Verdict: v=1; identified=yes; by=bank.test; seal=AAAA\n\
                 Subject2: between\n\
                 waxseal-verdict: v=1; identified=yes; by=bank.test; seal=BBBB\n\
                 WAXSEAL-VERDICT : v=1; identified=yes; by=bank.test; seal=CCCC\n\
                 Waxseal-Verdict: v=1; identified=yes; by=bank.test; seal=DDDD\n",
            ),
            Expect::Delivered(PASSES),
        ),
    ]
}

/// Letters in other characters than ASCII.
pub(crate) fn characters(key: &LabKey) -> Vec<Case> {
    let case = |name, letter: &[u8]| {
        let letter = signed(key, STRICT, letter);
        case(name, STRICT, STRICT.server, letter, Expect::Delivered(PASSES))
    };
    let with_body = |name, body: &[u8]| [&letter(STRICT, name)[..], body].concat();
    vec![
        case("utf-8-body", &with_body("utf-8-body", "Grüße, 世界\r\n".as_bytes())),
        case("latin-1-body", &with_body("latin-1-body", b"Gr\xfc\xdfe\r\n")),
        case("every-octet", &with_body("every-octet", &every_octet())),
        case(
            "utf-8-header",
            &replaced(&letter(STRICT, "utf-8-header"), "From: Author", "From: Jörg Müller"),
        ),
        Case {
            mail_from: "jörg@strict.test",
            ..case(
                "utf-8-address",
                &replaced(&letter(STRICT, "utf-8-address"), "author@strict", "jörg@strict"),
            )
        },
        case("dots", &with_body("dots", b".\r\n..\r\n...\r\n.a\r\n")),
        case("empty-lines", &with_body("empty-lines", b"\r\n\r\n\r\n\r\n")),
        case("tabs-and-spaces", &with_body("tabs-and-spaces", b"a \t b\t \r\n \r\n\t\r\n")),
    ]
}

/// All octets but CR and LF, and NUL.
fn every_octet() -> Vec<u8> {
    let octets = (1..=255_u8).filter(|octet| ![b'\r', b'\n'].contains(octet));
    octets.chain(*b"\r\n").collect()
}

/// Letters that came by others, who have changed and sealed them.
pub(crate) fn forwarded(peers: &Peers<'_>, key: &LabKey) -> Result<Vec<Case>, LabError> {
    let changed = |name: &'static str, by: Domain, results: &str| {
        let original = signed(key, STRICT, &letter(STRICT, name));
        let changed = replaced(&original, "Subject: ", "Subject: [list] ");
        let changed = [&changed[..], b"-- \r\nthe footer of the list\r\n"].concat();
        let results = format!("Authentication-Results: {}; {results}\r\n", by.name);
        [results.as_bytes(), &changed].concat()
    };
    let sealed = |name: &'static str, by: Domain, results: &str| {
        peers.waxseal_seal(by.name, &changed(name, by, results))
    };
    let passed = "dmarc=pass header.from=strict.test; dkim=pass header.d=strict.test";
    let failed = "dmarc=fail header.from=strict.test";
    let other = "dmarc=pass header.from=other.test";
    let delivered =
        |verdict, results| Expect::Delivered(Marks { verdict, results, ..Marks::default() });
    let refused = || Expect::Refused(550, &["5.7.26", "strict.test"]);
    let by = |name, by: Domain, letter, expect| case(name, by, by.server, letter, expect);
    let vouched = |name| -> Result<Vec<u8>, LabError> { sealed(name, LISTS, passed) };
    let trusted = || {
        Expect::Delivered(Marks {
            verdict: &[
                "identified=no",
                "dmarc=fail",
                "asked=reject",
                "action=accept",
                "reason=trusted-forwarder",
                "forwarded=yes",
            ],
            results: &["spf=pass", "dkim=fail", "arc=pass", "dmarc=fail"],
            other_results: &[
                "lists.test; dmarc=pass header.from=strict.test; dkim=pass header.d=strict.test",
            ],
        })
    };
    let by_dkimpy = peers.dkimpy_seal(LISTS.name, &changed("list-by-dkimpy", LISTS, passed))?;
    Ok(vec![
        case(
            "forwarded",
            STRICT,
            STRANGER,
            signed(key, STRICT, &letter(STRICT, "forwarded")),
            delivered(
                &["identified=yes", "dmarc=pass", "action=accept", "forwarded=yes"],
                &["spf=fail", "dkim=pass", "dmarc=pass"],
            ),
        ),
        by(
            "forwarded-with-srs",
            RELAY,
            signed(key, STRICT, &letter(STRICT, "forwarded-with-srs")),
            // Anybody may write such a return path, so it proves nothing.
            delivered(
                &["identified=yes", "dmarc=pass", "action=accept", "!forwarded=yes"],
                &["spf=pass", "smtp.mailfrom=relay.test", "dkim=pass", "dmarc=pass"],
            ),
        ),
        by("list-trusted", LISTS, vouched("list-trusted")?, trusted()),
        by("list-by-dkimpy", LISTS, by_dkimpy, trusted()),
        by("list-untrusted", RELAY, sealed("list-untrusted", RELAY, passed)?, refused()),
        by("list-saw-a-failure", LISTS, sealed("list-saw-a-failure", LISTS, failed)?, refused()),
        by("list-saw-another", LISTS, sealed("list-saw-another", LISTS, other)?, refused()),
        by(
            "list-seal-broken",
            LISTS,
            replaced(&vouched("list-seal-broken")?, "[list]", "[LIST]"),
            refused(),
        ),
        by(
            "list-without-seal",
            LISTS,
            replaced(
                &signed(key, STRICT, &letter(STRICT, "list-without-seal")),
                "Subject: ",
                "Subject: [list] ",
            ),
            refused(),
        ),
    ])
}

/// The letter with the first `from` exchanged for `to`.
pub(crate) fn replaced(letter: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = letter.windows(from.len()).position(|found| found == from.as_bytes());
    match at {
        Some(at) => [&letter[..at], to.as_bytes(), &letter[at + from.len()..]].concat(),
        None => letter.to_vec(),
    }
}
