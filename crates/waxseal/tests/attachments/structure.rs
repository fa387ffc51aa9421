//! The structure of messages: what all programs read alike, and what they do not.

use crate::files;
use crate::mail::{base64, mixed, multipart, quoted_printable};
use crate::seen;
use crate::zips::{stored, zip};

const PROGRAM: &str = "a Linux or BSD program (ELF)";

/// A part with a program.
fn program() -> Vec<u8> {
    [b"Content-Transfer-Encoding: base64\r\n\r\n".to_vec(), base64(&files::elf())].concat()
}

fn good(message: &[u8], expected: &[&str]) {
    let expected: Vec<_> = expected.iter().map(|one| one.replace("{}", PROGRAM)).collect();
    assert_eq!(seen(message), expected, "{}", String::from_utf8_lossy(message));
}

fn text(lines: &str) -> Vec<u8> {
    let program = String::from_utf8(program()).unwrap();
    lines.replace("{}", &program).replace('\n', "\r\n").replace("\r\r", "\r").into_bytes()
}

#[test]
fn parts_are_numbered_as_in_imap() {
    good(&program(), &["part 1: {}"]);
    good(&mixed(&[b"\r\ntext", &program()]), &["part 2: {}"]);
    let inner = multipart("alternative", "=_inner", &[b"\r\ntext", &program()]);
    good(&mixed(&[b"\r\ntext", &inner, &program()]), &["part 2.2: {}", "part 3: {}"]);
    let attached = [b"Content-Type: message/rfc822\r\n\r\n".as_slice(), &program()].concat();
    good(&attached, &["part 1.1: {}"]);
    good(&mixed(&[&attached, &program()]), &["part 1.1: {}", "part 2: {}"]);
    let of_parts = multipart("mixed", "=_inner", &[b"\r\ntext", &program()]);
    let attached = [b"Content-Type: message/rfc822\r\n\r\n".as_slice(), &of_parts].concat();
    good(&mixed(&[&attached, &program()]), &["part 1.2: {}", "part 2: {}"]);
}

#[test]
fn s5_1_5_a_digest_has_messages() {
    let digest = multipart("digest", "=_d", &[&[b"\r\n".as_slice(), &program()].concat()]);
    good(&digest, &["part 1.1: {}"]);
    let digest = multipart("digest", "=_d", &[&[b"\r\nnot a field\r\n", &*program()].concat()]);
    good(&digest, &["part 1.1: a line in a header that may or may not be a field"]);
}

#[test]
fn what_all_read_alike_is_tolerated() {
    // No closing delimiter, neither inside nor outside.
    good(
        &text(
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\
             Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--a\n{}",
        ),
        &["part 2: {}"],
    );
    // Preamble, epilogue, white space behind delimiters.
    good(
        &text(
            "Content-Type: multipart/mixed; boundary=a\n\npreamble\n--a \t \n{}\n--a--  \nepilogue",
        ),
        &["part 1: {}"],
    );
    // A delimiter in place of a body, and in place of all.
    good(
        &text("Content-Type: multipart/mixed; boundary=a\n\n--a\n--a\nA: b\n--a\n{}--a--"),
        &["part 3: {}"],
    );
    // The boundary of one is the beginning of the other.
    good(
        &text(
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\
             Content-Type: multipart/mixed; boundary=a-1\n\n--a-1\n\ntext\n--a-1\n{}\n--a-1--\n\
             --a\n{}\n--a--\n",
        ),
        &["part 1.2: {}", "part 2: {}"],
    );
    // Lines that begin with two hyphens.
    good(
        &text("Content-Type: multipart/mixed; boundary=a\n\n--a\n\n-- \n--\n--b\n---a\n--a\n{}"),
        &["part 2: {}"],
    );
    good(b"Content-Type: multipart/mixed; boundary=a\r\n\r\n \r\n", &[]);
}

#[test]
fn lines_may_end_in_lf() {
    let lines = "\n--a\n\ntext\n--a\n{}\n--a--\n";
    let header = b"Content-Type: multipart/mixed; boundary=a\n";
    let body = lines.replace("{}", &String::from_utf8(program()).unwrap()).replace('\r', "");
    good(&[header.as_slice(), body.as_bytes()].concat(), &["part 2: {}"]);
}

#[test]
fn s5_1_1_a_line_that_begins_with_the_boundary_is_a_doubt() {
    good(
        &text("Content-Type: multipart/mixed; boundary=a\n\n--a\n\ntext\n--ab\n{}\n--a--"),
        &["message: a line that may or may not delimit parts", "part 2: {}"],
    );
    good(
        &text("Content-Type: multipart/mixed; boundary=a\n\n--a\n\ntext\n--a--b\n{}"),
        &["message: a line that may or may not delimit parts"],
    );
    // Twice the same boundary.
    good(
        &text(
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\
             Content-Type: multipart/mixed; boundary=a\n\n--a\n{}",
        ),
        &["part 1 (multipart/mixed): a line that may or may not delimit parts", "part 1.1: {}"],
    );
    // One opens what the other closes.
    good(
        &text(
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\
             Content-Type: multipart/mixed; boundary=a--\n\n--a--\n{}",
        ),
        &["part 1: a line that may or may not delimit parts", "part 1.1: {}"],
    );
    let padding = " ".repeat(2000);
    good(
        &text(&format!("Content-Type: multipart/mixed; boundary=a\n\n--a{padding}b\n{{}}\n--a--")),
        &["message: a line that may or may not delimit parts", "part 1: {}"],
    );
}

#[test]
fn a_bare_cr_that_may_end_a_line_is_a_doubt() {
    let expected = ["message: a line that may or may not delimit parts"];
    let header = "Content-Type: multipart/mixed; boundary=a\r\n\r\n";
    let body = |body: &str| [header, body].concat().into_bytes();
    good(&body("--a\r\n\r\ntext\r--a\r\rMZ\r\n--a--\r\n"), &expected);
    good(&body("--a\r\n\r\ntext\r\n--b\r--a\r\r\n--a--\r\n"), &expected);
    good(&body("--a\r\n\r\ntext\r--b\r--a\r\r\n--a--\r\n"), &expected);
    good(&body("--a\r\n\r\ntext\r--b\r\n--a--\r\n"), &[]);
    good(&body("--a\r\n\r\ntext\r-\r\r\r\n--a--\r\n"), &[]);
    let in_header = "--a\r\nA: b\rContent-Transfer-Encoding: base64\r\n\r\n--a--";
    good(&body(in_header), &["part 1: a line in a header that may or may not be a field"]);
    let outer = b"A: b\rContent-Transfer-Encoding: base64\r\n\r\ntext";
    good(outer, &["part 1: a line in a header that may or may not be a field"]);
    let early = b"A: b\r\r\ntext\r\n\r\nmore";
    good(early, &[]);
    let early = b"A: b\r\rtext\r\n\r\nmore";
    good(early, &["part 1: a line in a header that may or may not be a field"]);
    good(b"Subject: b\rc\r\n\r\ntext", &[]);
}

#[test]
fn a_part_behind_the_end_is_a_doubt() {
    good(
        &text("Content-Type: multipart/mixed; boundary=a\n\n--a\n\ntext\n--a--\n--a\n{}"),
        &["message: a part behind the end of its multipart", "part 2: {}"],
    );
}

#[test]
fn a_boundary_that_never_comes_is_a_doubt() {
    good(
        &text("Content-Type: multipart/mixed; boundary=a\n\n--b\n{}"),
        &["message: a multipart whose boundary never comes"],
    );
    good(
        &text("Content-Type: multipart/mixed\n\n--b\n{}"),
        &["part 1 (multipart/mixed): a multipart without a usable boundary"],
    );
    good(
        &text(
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\
             Content-Type: multipart/mixed; boundary=b\n\ntext\n--a--",
        ),
        &["part 1: a multipart whose boundary never comes"],
    );
}

#[test]
fn headers_of_parts_may_be_damaged() {
    good(
        &text("Content-Type: multipart/mixed; boundary=a\n\n--a\nA: b\nno field\n{}\n--a--"),
        &["part 1: a line in a header that may or may not be a field", "part 1: {}"],
    );
    let lines = "Content-Type: multipart/mixed; boundary=a\n\n--a\ntext without a header\n--a--";
    good(&text(lines), &["part 1: a line in a header that may or may not be a field"]);
    good(
        &text(
            "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\n--a--",
        ),
        &["part 1 (text/plain): a field of the header with two different values"],
    );
    good(
        &text("Content-Transfer-Encoding: x-mine\n\ntext"),
        &["part 1: an unknown transfer encoding"],
    );
    good(
        &text("Content-Type: message/partial; id=1; number=1\n\ntext"),
        &["part 1 (message/partial): a fragment of a message"],
    );
}

#[test]
fn attached_messages_may_be_encoded() {
    let inner = mixed(&[b"\r\ntext", &program()]);
    let attached = |encoding: &str, body: &[u8]| {
        let header = format!(
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        );
        [header.as_bytes(), body].concat()
    };
    let in_base64 = attached("base64", &base64(&inner));
    good(&in_base64, &["part 1.2: {}"]);
    good(&mixed(&[b"\r\ntext", &in_base64]), &["part 2.2: {}"]);
    let twice = attached("base64", &base64(&in_base64));
    good(&twice, &["part 1.1.2: {}"]);
    good(
        &attached("quoted-printable", &quoted_printable(&inner)),
        &["part 1 (message/rfc822): an attached message in a forbidden encoding", "part 1.2: {}"],
    );
}

#[test]
fn a_file_that_is_a_message_is_walked_through() {
    let saved = |message: &[u8]| {
        let header = b"Content-Type: application/octet-stream; name=\"a.eml\"\r\n\
                       Content-Transfer-Encoding: base64\r\n\r\n";
        [header.as_slice(), &base64(message)].concat()
    };
    good(&saved(&mixed(&[b"\r\ntext", &program()])), &["part 1.2: {}"]);
    let twice = saved(&[b"Received: x\r\n".as_slice(), &saved(&mixed(&[&program()]))].concat());
    good(&twice, &["part 1.1.1: {}"]);
    // It may be another thing, so nothing about its structure is told.
    let text = "Subject: of all this\r\nis not a message, but text that a person has written.\r\n";
    good(&saved(text.repeat(5).as_bytes()), &[]);
    // And it may be both.
    let both = [text.as_bytes(), &zip(&[stored("a", files::elf())])].concat();
    let name = "part 1 (\"a.eml\", application/octet-stream)";
    let program = format!("{name}: {PROGRAM} in a zip archive (\"a\")");
    good(&saved(&both), &[&program, &format!("{name}: a zip archive")]);
}

#[test]
fn an_encoding_of_a_multipart_is_ignored() {
    let header = b"Content-Transfer-Encoding: quoted-printable\r\n";
    let parts = multipart("mixed", "=_a=3D", &[&program()]);
    good(&[header.as_slice(), &parts].concat(), &["part 1: {}"]);
    let header = b"Content-Type: multipart/mixed; boundary=a\r\n\
                   Content-Transfer-Encoding: base64\r\n\r\n";
    let body = base64(&text("--a\n{}\n--a--\n"));
    good(
        &[header.as_slice(), &body].concat(),
        &["message: a multipart whose boundary never comes"],
    );
}

#[test]
fn base64_that_decoders_read_differently_is_a_doubt() {
    let part = |header: &str| format!("{header}Content-Transfer-Encoding: base64\n\nZg==\nZg==\n");
    let expected = ["part 1 (a/b): base64 that decoders read differently"];
    good(&text(&part("Content-Type: a/b\n")), &expected);
    good(&text(&part("Content-Type: text/plain\n")), &[]);
}
