//! What holds for every message.

use proptest::prelude::*;
use waxseal::gate::attachment::Attachments;

use crate::files;
use crate::mail::{base64, mixed, multipart, quoted_printable, uuencode};
use crate::zips::{deflated, stored, zip};
use crate::{scan, scan_by};

/// Parts of messages that mean something to the scanner.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop::sample::select(vec![
        "\r\n",
        "\n",
        "\r",
        "--a\r\n",
        "--a--\r\n",
        "--ab\r\n",
        "--",
        "-",
        "a",
        " ",
        "text\r\n",
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n",
        "Content-Type: multipart/mixed; boundary=\"ab\"\r\n\r\n",
        "Content-Type: multipart/digest; boundary*0=a; boundary*1=b\r\n\r\n",
        "Content-Type: message/rfc822\r\n\r\n",
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        "Content-Transfer-Encoding: base64\r\n\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
        "Content-Transfer-Encoding: x-uuencode\r\n\r\n",
        "Content-Type: a/b; name=c\r\n",
        "Content-Type: a/b\r\nContent-Type: c/d\r\n",
        "begin 644 a\r\n",
        "`\r\nend\r\n",
        "no field\r\n",
        "=3D=\r\n=",
        "==",
        "begin ",
    ]);
    let files = prop::sample::select(vec![
        files::windows(0x80),
        files::elf(),
        files::docm(),
        files::docx(),
        files::xls(1),
        files::installer(),
        files::gzip(&files::elf()),
        files::tar(&[("a", b"MZ")]),
        files::tnef(&files::elf()),
        files::rtf("\\objdata"),
        files::one_note(&files::elf()),
        zip(&[deflated("a", files::elf()), stored("b", files::docm())]),
    ]);
    prop_oneof![
        8 => lines.prop_map(|line| line.as_bytes().to_vec()),
        1 => files.clone(),
        1 => files.clone().prop_map(|file| base64(&file)),
        1 => files.clone().prop_map(|file| quoted_printable(&file)),
        1 => files.prop_map(|file| uuencode("a", &file)),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..20).prop_map(|pieces| pieces.concat())
}

fn check(attachments: &Attachments) {
    for found in &attachments.found {
        let same = attachments.found.iter().filter(|other| other.kind == found.kind).count();
        assert!(same <= 4, "{found:?}");
        assert!(!found.to_string().contains(char::is_control), "{found:?}");
        let names = [&found.entry, &found.declared_name, &found.declared_type];
        assert!(names.into_iter().flatten().all(|name| (1..=100).contains(&name.chars().count())));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_cutting_gives_the_same(
        message in message(),
        sizes in prop::collection::vec(1_usize..200, 1..10),
    ) {
        let whole = scan(&message);
        check(&whole);
        prop_assert_eq!(scan_by(&message, &sizes), whole.clone());
        prop_assert_eq!(scan_by(&message, &[1]), whole);
    }

    #[test]
    fn a_program_is_seen_in_any_nesting(
        levels in prop::collection::vec(0_usize..4, 0..10),
        before in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut part = b"Content-Transfer-Encoding: base64\r\n\r\n".to_vec();
        part.extend(base64(&files::elf()));
        for (level, form) in levels.into_iter().enumerate() {
            let boundary = format!("=_{level}_");
            let text = [b"\r\n".as_slice(), &base64(&before)].concat();
            part = match form {
                0 => multipart("mixed", &boundary, &[&text, &part]),
                1 => multipart("related", &boundary, &[&part, &text, &text]),
                2 => multipart("digest", &boundary, &[&[b"\r\n".as_slice(), &part].concat()]),
                _ => [b"Content-Type: message/rfc822\r\n\r\n".as_slice(), &part].concat(),
            };
        }
        let found = scan(&mixed(&[&part])).found;
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].kind.as_str(), "elf-program");
    }

    #[test]
    fn a_program_is_seen_at_any_place_of_an_archive(
        before in 0_usize..200_000,
        packed in any::<bool>(),
    ) {
        let program = if packed { deflated("b", files::elf()) } else { stored("b", files::elf()) };
        let archive = zip(&[stored("a", files::noise(before)), program]);
        let part = [b"Content-Transfer-Encoding: base64\r\n\r\n".to_vec(), base64(&archive)];
        let found = scan(&part.concat()).found;
        let kinds: Vec<_> = found.iter().map(|one| one.kind.as_str()).collect();
        prop_assert_eq!(kinds, ["elf-program", "zip"]);
    }
}
