//! Messages that are made to cost much, or to hide something. A cost that is not linear would let
//! these tests run for hours.

use waxseal::gate::attachment::{Incomplete, Limits};

use crate::files::{self, noise};
use crate::mail::{base64, mixed, multipart, with_file};
use crate::zips::{deflated, stored, zip};
use crate::{scan, scan_by, scan_within};

#[test]
fn ten_thousand_parts() {
    let parts = vec![b"\r\nx".as_slice(); 10_000];
    let attachments = scan(&mixed(&parts));
    assert_eq!(attachments.incomplete, Some(Incomplete::Parts));
    let parts = vec![b"Content-Type: message/partial\r\n\r\nx".as_slice(); 900];
    let attachments = scan(&mixed(&parts));
    assert_eq!(attachments.found.len(), 4);
    assert_eq!(attachments.further, 896);
}

#[test]
fn many_of_one_kind_do_not_hide_another() {
    let text = [b"\r\n".as_slice(), b"PK\x05\x06"].concat();
    let program = [b"\r\n".to_vec(), files::elf()].concat();
    let mut parts = vec![text.as_slice(); 900];
    parts.push(&program);
    let attachments = scan(&mixed(&parts));
    assert_eq!(attachments.incomplete, None);
    assert!(attachments.found.iter().any(|one| one.kind.as_str() == "elf-program"));
}

#[test]
fn ten_thousand_levels() {
    let mut message = Vec::new();
    for level in 0..10_000 {
        message.extend(
            format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n")
                .into_bytes(),
        );
    }
    assert_eq!(scan(&message).incomplete, Some(Incomplete::Depth));
    let message = b"Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
    assert_eq!(scan(&message).incomplete, Some(Incomplete::Depth));
    let mut message = b"\r\ntext".to_vec();
    let header =
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n".as_slice();
    for _ in 0..10 {
        message = [header, &base64(&message)].concat();
    }
    assert_eq!(scan(&message).incomplete, Some(Incomplete::Depth));
}

#[test]
fn floods_of_boundaries() {
    let mut message = Vec::new();
    for level in 0..19 {
        let boundary = "a".repeat(200 + level);
        let header = format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n");
        message.extend(format!("{header}--{boundary}\r\n").into_bytes());
    }
    message.extend(b"\r\n");
    message.extend(format!("--{}\r\n", "a".repeat(199)).repeat(20_000).into_bytes());
    assert_eq!(scan(&message).found, []);
    message.extend(b"--\r\n".repeat(200_000));
    assert_eq!(scan(&message).found, []);
    message.extend(vec![b'-'; 1_000_000]);
    assert_eq!(scan(&message).found, []);
}

#[test]
fn huge_headers() {
    let field = format!("Content-Type: text/plain; a=\"{}\"\r\n", "x".repeat(500_000));
    let attachments = scan(&[field.as_bytes(), b"\r\ntext"].concat());
    assert_eq!(attachments.found[0].kind.as_str(), "header-too-long");
    let attachments = scan(&mixed(&[&[field.as_bytes(), b"\r\ntext"].concat()]));
    assert_eq!(attachments.found[0].kind.as_str(), "header-too-long");
    for junk in [" a=b;", " (", "\\\"", " a*0*=''%;", "=?utf-8?q?x?= "] {
        let junk = junk.repeat(16_000 / junk.len());
        let field =
            format!("Content-Type: multipart/mixed; name=\"{junk}; boundary={junk}\r\n\r\n");
        scan(&[field.as_bytes(), b"text"].concat());
    }
    let fields = "X: y\r\n".repeat(100_000);
    let part = [fields.as_bytes(), b"Content-Type: a/b\r\n\r\n", &files::elf()].concat();
    let attachments = scan(&mixed(&[&part]));
    assert_eq!(attachments.found[0].kind.as_str(), "elf-program");
    let endless = [b"X".repeat(1_000_000), b"\r\n y".repeat(100_000)].concat();
    assert_eq!(scan(&mixed(&[&endless])).found.len(), 1);
}

#[test]
fn garbage_in_base64() {
    let garbage: Vec<u8> =
        base64(&files::elf()).iter().flat_map(|one| [*one, b'\0', 0xff]).collect();
    let header = b"Content-Transfer-Encoding: base64\r\n\r\n".as_slice();
    let attachments = scan(&[header, &garbage].concat());
    assert_eq!(attachments.found[0].kind.as_str(), "elf-program");
    let attachments = scan(&[header, &[b'='; 1_000_000]].concat());
    assert_eq!(attachments.found, []);
    scan(&[header, &b"=A".repeat(500_000)].concat());
    let header = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n".as_slice();
    scan(&[header, &[b'='; 1_000_000]].concat());
}

#[test]
fn bombs() {
    let limits = Limits { inflated: 1_000_000, ..Limits::default() };
    let scan = |file: &[u8]| {
        let message = with_file("a", "a/b", file);
        scan_within(&message, &[usize::MAX], limits).incomplete
    };
    let zeros = vec![0; 400_000];
    let document = [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), &zeros].concat();
    assert_eq!(scan(&zip(&vec![deflated("a.doc", document.clone()); 2])), None);
    let many = zip(&vec![deflated("a.doc", document); 3]);
    assert_eq!(scan(&many), Some(Incomplete::Inflated));
    assert_eq!(scan(&files::gzip(&vec![0; 900_000])), None);
    assert_eq!(scan(&files::gzip(&vec![0; 1_100_000])), Some(Incomplete::Inflated));
    // The bound is one for all parts.
    let part = [
        b"Content-Transfer-Encoding: base64\r\n\r\n".to_vec(),
        base64(&files::gzip(&vec![0; 600_000])),
    ]
    .concat();
    let incomplete = scan_within(&mixed(&[&part, &part]), &[usize::MAX], limits).incomplete;
    assert_eq!(incomplete, Some(Incomplete::Inflated));
}

#[test]
fn a_million_entries() {
    let archive = zip(&vec![stored("", ""); 20_000]);
    let attachments = scan(&with_file("a", "a/b", &archive));
    assert_eq!(attachments.incomplete, Some(Incomplete::Entries));
    let archive = zip(&vec![deflated("", "x"); 20_000]);
    let attachments = scan(&with_file("a", "a/b", &archive));
    assert_eq!(attachments.incomplete, Some(Incomplete::Entries));
    scan(&with_file("a", "a/b", &b"PK\x03\x04".repeat(200_000)));
    scan(&with_file("a", "a/b", &b"PK".repeat(500_000)));
    let compound = files::compound(&[], 0);
    scan(&with_file("a", "a/b", &[compound.clone(), b"_\0".repeat(500_000)].concat()));
    scan(&with_file("a", "a/b", &[compound, b"\x85\0".repeat(500_000)].concat()));
    scan(&with_file("a", "a/b", &[b"{\\rtf1".to_vec(), b"\\obj".repeat(200_000)].concat()));
}

#[test]
fn uuencoding_without_end() {
    let begins = b"begin 644 a\r\n".repeat(200_000);
    assert_eq!(scan(&[b"\r\n".as_slice(), &begins].concat()).found, []);
    let long = [b"\r\nbegin 644 a\r\n".to_vec(), vec![b'M'; 1_000_000]].concat();
    assert_eq!(scan(&long).found, []);
    let lines = [b"\r\nbegin 644 a\r\n".to_vec(), b"#0V%T\r\n".repeat(100_000)].concat();
    assert_eq!(scan(&lines).found, []);
}

#[test]
fn cut_at_every_place() {
    let inner = multipart(
        "mixed",
        "=_inner",
        &[
            b"Content-Type: text/plain\r\n\r\nHello\r\n--=_inne\r\n--=_innerx",
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=7FELF=02=01=\r\n=01",
        ],
    );
    let file = zip(&[deflated("a", files::windows(0x80)), stored("b", noise(50))]);
    let part = [b"Content-Transfer-Encoding: base64\r\n\r\n".to_vec(), base64(&file)].concat();
    let message = mixed(&[&inner, &part]);
    let expected = scan(&message);
    assert_eq!(expected.found.len(), 4, "{expected:?}");
    for first in 0..message.len() {
        assert_eq!(scan_by(&message, &[first, usize::MAX]), expected, "cut at {first}");
    }
    for size in 1..100 {
        assert_eq!(scan_by(&message, &[size]), expected, "cut by {size}");
    }
}
