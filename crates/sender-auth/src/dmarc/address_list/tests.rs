//! Lists as senders write them, and as forgers do.

use super::*;
use crate::dmarc::address_tokens::MAX_COMMENT_DEPTH;

/// What `value` shows: each mailbox as `name|local part|domain`, then words in brackets.
fn show(list: &AddressList) -> Vec<String> {
    let mailboxes = list.mailboxes.iter().map(|mailbox| {
        let name = mailbox.name.as_deref().unwrap_or_default();
        alloc::format!("{name}|{}|{}", mailbox.local_part, mailbox.domain)
    });
    mailboxes.chain(list.words.iter().map(|words| alloc::format!("[{words}]"))).collect()
}

fn good(value: &str, expected: &[&str]) {
    let list = read_addresses(value.as_bytes());
    assert_eq!(list.fault, None, "{value:?}");
    assert_eq!(show(&list), expected, "{value:?}");
}

fn bad(value: &[u8], offset: usize, message: &str, expected: &[&str]) {
    let list = read_addresses(value);
    let value = value.escape_ascii();
    let (found, fault) = list.fault.clone().unwrap_or_else(|| panic!("{value}: no fault"));
    assert_eq!((fault.to_string().as_str(), found), (message, offset), "{value}");
    assert_eq!(show(&list), expected, "{value}");
}

#[test]
fn lists() {
    good(" a@b.test", &["|a|b.test"]);
    good("John Q. Public <a@b.test>", &["John Q. Public|a|b.test"]);
    good("\"Doe, John\" <a@b.test>", &["Doe, John|a|b.test"]);
    good("a@b.test, c <d@E.TEST>", &["|a|b.test", "c|d|e.test"]);
    good(",, a@b.test ,,", &["|a|b.test"]);
    good("", &[]);
    good("(only a comment)", &[]);
    good("<a@b.test>", &["|a|b.test"]);
    good("a@b.test (John (the) Doe\\))", &["John (the) Doe)|a|b.test"]);
    good("=?utf-8?q?J=C3=BCrgen?=\r\n =?utf-8?q?_M?= <a@b.test>", &["Jürgen M|a|b.test"]);
    good("Jürgen <ä@dané.test>", &["Jürgen|ä|xn--dan-dma.test"]);
}

#[test]
fn local_parts() {
    good("\"a b\\\"c\"@b.test", &["|a b\"c|b.test"]);
    good("a . \"b\" . c@b.test", &["|a.b.c|b.test"]);
    good("a..b.@b.test", &["|a..b.|b.test"]);
    good("=?utf-8?q?x?=@b.test", &["|=?utf-8?q?x?=|b.test"]);
    bad(b"a b@b.test", 2, "expected the end of an address, found 'b'", &[]);
    bad(b"@b.test", 7, "expected the end of an address, found '@'", &[]);
}

#[test]
fn domains() {
    good("a@(x)b(y).(z) test", &["x y z|a|b.test"]);
    good("a@b\r\n .test", &["|a|b.test"]);
    good("a@b.test.", &["|a|b.test"]);
    bad(b"a@[192.0.2.1]", 2, "expected a domain, found an address literal", &[]);
    bad(b"a@b..test", 4, "expected the end of an address, found '.'", &[]);
    bad(b"a@b_\xff.test", 2, "expected a domain in UTF-8, found other octets", &[]);
    bad(b"a@b!.test", 2, "column 2: expected a letter, digit, hyphen or dot, found '!'", &[]);
    bad(b"a@\"b\".test", 2, "expected the end of an address, found '\"'", &[]);
    bad(b"a@b.test c", 9, "expected the end of an address, found 'c'", &["|a|b.test"]);
    bad(b"a@", 2, "expected 'a', found the end", &[]);
}

#[test]
fn groups() {
    good("undisclosed:;", &["[undisclosed]"]);
    good("A: a@b.test, c <d@e.test>;, f@g.test", &["|a|b.test", "c|d|e.test", "|f|g.test", "[A]"]);
    good("A:,;", &["[A]"]);
    bad(b"A: a@b.test", 11, "expected ';', found the end", &["|a|b.test", "[A]"]);
    bad(b"A: B: a@b.test;;", 4, "expected the end of an address, found ':'", &["[A]", "[B]"]);
    bad(b"A:; a@b.test", 4, "expected the end of an address, found 'a'", &["[A]"]);
    bad(b"a@b.test;", 8, "expected the end of an address, found ';'", &["|a|b.test"]);
    bad(b": a@b.test;", 0, "expected the end of an address, found ':'", &[]);
}

#[test]
fn angles() {
    good("<@x.test,@y.test:a@b.test>", &["|a|b.test"]);
    good("<,@x.test,,:a@b.test>", &["|a|b.test"]);
    good("a@b.test <c@d.test>", &["|a|b.test", "a@b.test|c|d.test"]);
    bad(b"x <>", 2, "expected an address, found \"<>\"", &["[x]"]);
    bad(b"x <root>", 2, "expected an address with a domain, found none", &["[x]", "[root]"]);
    bad(b"<a@b.test", 9, "expected '>', found the end", &["|a|b.test"]);
    bad(b"<a@b.test> <c@d.test>", 11, "expected the end of an address, found '<'", &["|a|b.test"]);
    bad(b"<<a@b.test>>", 1, "expected the end of an address, found '<'", &[]);
    bad(b"a@b.test>", 8, "expected the end of an address, found '>'", &["|a|b.test"]);
}

#[test]
fn words_without_an_address_are_a_name() {
    good("root", &["[root]"]);
    good("Doe, John <a@b.test>", &["John|a|b.test", "[Doe]"]);
}

#[test]
fn octets() {
    bad(b"a@b.test\0.c.test", 8, "expected printable characters, found the octet 0x00", &[]);
    bad(b"\"\\\0\" <a@b.test>", 2, "expected printable characters, found the octet 0x00", &[]);
    bad(b"a@b.test\rX", 8, "expected printable characters, found the octet 0x0d", &[]);
    bad(b"a@b.test\r\nX", 8, "expected printable characters, found the octet 0x0d", &[]);
    bad(b"a\x07@b.test", 1, "expected printable characters, found the octet 0x07", &[]);
    bad(b"a@b.test)", 8, "expected the end of an address, found ')'", &[]);
    bad(b"a\\@b.test", 1, "expected the end of an address, found '\\\\'", &[]);
    bad(b"\"a", 2, "expected '\"', found the end", &[]);
    bad(b"(a\\", 3, "expected ')', found the end", &[]);
    bad(b"a@[x", 4, "expected ']', found the end", &[]);
}

#[test]
fn bounds() {
    let nested = |depth: usize| ["(".repeat(depth), ")".repeat(depth)].concat() + "a@b.test";
    good(
        &nested(MAX_COMMENT_DEPTH),
        &[&["(".repeat(31), ")".repeat(31), "|a|b.test".into()].concat()],
    );
    let message = "expected comments at most 32 deep, found more";
    bad(nested(MAX_COMMENT_DEPTH + 1).as_bytes(), MAX_COMMENT_DEPTH, message, &[]);
    let list = read_addresses("a@b.test,".repeat(MAX_ADDRESSES + 1).as_bytes());
    assert_eq!(list.mailboxes.len(), MAX_ADDRESSES);
    assert!(matches!(list.fault, Some((_, AddressFault::TooMany { limit: MAX_ADDRESSES }))));
}
