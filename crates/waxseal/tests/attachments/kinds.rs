//! Each kind of file is recognized by its content, in every encoding, and nothing else is.

use waxseal::gate::attachment::Wrapper;

use crate::files::{self, noise};
use crate::mail::{base64, mixed, quoted_printable, uuencode, with_file};
use crate::zips::{Entry, deflated, stored, zip};
use crate::{scan, seen};

/// The names of what is seen in a file, with the wrapper behind a slash.
fn kinds(file: &[u8]) -> Vec<String> {
    let names = |message: &[u8]| -> Vec<String> {
        let attachments = scan(message);
        assert_eq!(attachments.incomplete, None);
        let name = |kind: &str, wrapper: Option<Wrapper>| match wrapper {
            Some(wrapper) => format!("{kind}/{}", wrapper.as_str()),
            None => kind.to_owned(),
        };
        attachments.found.iter().map(|one| name(one.kind.as_str(), one.wrapper)).collect()
    };
    let expected = names(&with_file("a.txt", "text/plain", file));
    let quoted = [
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".to_vec(),
        quoted_printable(file),
    ];
    assert_eq!(names(&mixed(&[&quoted.concat()])), expected);
    expected
}

fn good(file: &[u8], expected: &[&str]) {
    assert_eq!(kinds(file), expected, "{}", file[..file.len().min(40)].escape_ascii());
}

#[test]
fn harmless_files_are_nothing() {
    good(b"", &[]);
    good(b"Just text. MZ is not a program, nor is PK\x03\x04 a zip.\r\n", &[]);
    good(
        b"MZ is how this text begins, and it goes on for long enough to have a header's length.",
        &[],
    );
    good(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", &[]);
    good(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", &[]);
    good(b"GIF89a\x01\0\x01\0", &[]);
    good(b"\xff\xd8\xff\xe0\0\x10JFIF", &[]);
    good(&noise(300_000), &[]);
    good(&vec![0; 300_000], &[]);
    good(&files::doc(), &[]);
    good(&files::docx(), &[]);
    good(&files::odt(&[]), &[]);
    good(&files::xls(0), &[]);
    good(&files::rtf(""), &[]);
    good(&files::signed(None), &[]);
}

#[test]
fn programs() {
    good(&files::windows(0x80), &["windows-program"]);
    good(&files::windows(60_000), &["windows-program"]);
    good(&files::windows(200_000), &["windows-program"]);
    good(&files::dos(), &["dos-program"]);
    good(&files::elf(), &["elf-program"]);
    good(b"\xcf\xfa\xed\xfe\x07\0\0\x01", &["macos-program"]);
    good(b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07", &["macos-program"]);
    good(&files::java_class(), &["java-class"]);
    good(&files::shortcut(), &["windows-shortcut"]);
    good(&files::installer(), &["windows-installer"]);
    good(b"ITSF\x03\0\0\0\x60\0\0\0", &["compiled-help"]);
    good(b"#!/bin/sh\necho\n", &["script"]);
    good(b"#! /usr/bin/env python3\n", &["script"]);
    good(b"#!shebang is a word\n", &[]);
    good(b"FasdUAS 1.101.10", &["apple-script"]);
    good(b"dex\n035\0", &["android-program"]);
}

#[test]
fn documents_with_macros() {
    good(&files::doc_with_macros(), &["ole-vba"]);
    good(&files::compound(&["Root Entry", "_vba_project_cur"], 0), &["ole-vba"]);
    good(&files::docm(), &["ooxml-vba"]);
    good(&files::docm_in_disguise(), &["ooxml-vba"]);
    let types = "<?xml?><Types>application/vnd.ms-office.vbaProject</Types>";
    let entries = [stored("[Content_Types].xml", types), stored("_rels/.rels", "<?xml?>")];
    good(&zip(&entries), &["ooxml-vba"]);
    let types: Vec<u8> = types.encode_utf16().flat_map(u16::to_be_bytes).collect();
    good(&zip(&[deflated("[content_types].xml", types)]), &["ooxml-vba", "zip"]);
    good(&files::xlsm_with_macro_sheet(), &["ooxml-excel4"]);
    good(&files::xls(1), &["ole-excel4"]);
    good(
        &files::odt(&[deflated("Basic/Standard/Module1.xml", "<?xml?>")]),
        &["opendocument-macro"],
    );
    good(&files::odt(&[deflated("Scripts/python/a.py", "print()")]), &["opendocument-macro"]);
    good(&files::rtf("\\objocx{\\*\\objdata 0105}"), &["rtf-object"]);
    good(&files::rtf("\\objupdate"), &["rtf-object"]);
    good(&files::one_note(b"text"), &["onenote"]);
    good(&files::one_note(&files::windows(0x80)), &["onenote", "windows-program/onenote"]);
    let mht = format!("MIME-Version: 1.0\r\n\r\n{}QWN0aXZlTWltZQ\r\n", "x\r\n".repeat(30_000));
    good(mht.as_bytes(), &["activemime"]);
    good(b"<?xml version='1.0'?><w:wordDocument w:macrosPresent=\"yes\">", &["activemime"]);
    good(b"<?xml version='1.0'?><w:wordDocument w:macrosPresent=\"no\">", &[]);
    good(b"ActiveMime\0\0\x01\xf0", &["activemime"]);
}

#[test]
fn archives() {
    good(&zip(&[]), &["zip"]);
    good(&zip(&[stored("a.txt", "text")]), &["zip"]);
    good(&zip(&[deflated("a.txt", "text")]), &["zip"]);
    good(&zip(&[stored("empty", ""), stored("empty too", "")]), &["zip"]);
    good(&[b"PK00".as_slice(), &zip(&[stored("a", "b")])].concat(), &["zip"]);
    good(&[noise(100_000), zip(&[stored("a.txt", "text")])].concat(), &["zip"]);
    good(b"Rar!\x1a\x07\x01\0", &["rar"]);
    good(b"7z\xbc\xaf\x27\x1c\0\x04", &["7z"]);
    good(b"MSCF\0\0\0\0\x50\0\0\0", &["cab"]);
    good(b"BZh91AY&SY", &["bzip2"]);
    good(b"\xfd7zXZ\0\0\x04", &["xz"]);
    good(b"\x28\xb5\x2f\xfd\x04", &["zstd"]);
    good(b"\x1f\x9d\x90\0", &["compress"]);
    good(b"\x10\x20-lh5-\0", &["lha"]);
    good(b"\0\0\x31\0\0\0\0**ACE**\x14", &["ace"]);
    good(b"\x60\xea\x2b\0\x22\x0b\x01", &["arj"]);
    good(&[b"070701".as_slice(), &[b'0'; 104]].concat(), &["cpio"]);
    good(b"0707015 is a number in a longer text that has got other letters in it as well", &[]);
    good(b"!<arch>\ndebian-binary   ", &["ar"]);
    good(b"\xed\xab\xee\xdb\x03", &["rpm"]);
    good(&[vec![0; 32769], b"CD001\x01".to_vec(), vec![0; 100]].concat(), &["iso"]);
    good(&[noise(100_000), b"conectix".to_vec(), vec![0; 504]].concat(), &["disk-image"]);
    good(&files::gzip(b"text"), &["gzip"]);
    good(&files::tar(&[("a.txt", b"text")]), &["tar"]);
    good(&files::tnef(b"text"), &["tnef"]);
}

#[test]
fn what_is_in_archives() {
    let program = files::windows(0x80);
    good(&zip(&[stored("a.txt", program.clone())]), &["windows-program/zip", "zip"]);
    good(&zip(&[deflated("a.txt", program.clone())]), &["windows-program/zip", "zip"]);
    let streamed = Entry { flags: 8, ..deflated("a.txt", program.clone()) };
    good(&zip(&[streamed]), &["windows-program/zip", "zip"]);
    let self_extractor = [program.clone(), zip(&[deflated("a", files::elf())])].concat();
    good(&self_extractor, &["windows-program", "elf-program/zip", "zip"]);
    let second = [deflated("a", noise(200_000)), deflated("b", program.clone())];
    good(&zip(&second), &["windows-program/zip", "zip"]);
    let jar = [deflated("META-INF/MANIFEST.MF", "x"), deflated("A.class", files::java_class())];
    good(&zip(&jar), &["java-class/zip", "java-archive", "zip"]);
    good(&files::gzip(&program), &["gzip", "windows-program/gzip"]);
    good(&files::tar(&[("a", b"x"), ("b", &program)]), &["tar", "windows-program/tar"]);
    let tar_gz = files::gzip(&files::tar(&[("a", &noise(100_000)), ("b", &program)]));
    good(&tar_gz, &["gzip", "tar/gzip", "windows-program/gzip"]);
    good(&files::tnef(&program), &["tnef", "windows-program/tnef"]);
    let wrapped = files::tnef(&zip(&[deflated("a", program.clone())]));
    let twice = files::tnef(&files::tnef(&program));
    good(&twice, &["tnef", "tnef/tnef", "archive-entry/tnef"]);
    // It is a zip with something before it, too.
    let expected = ["tnef", "windows-program/zip", "windows-program/tnef", "zip/tnef", "zip"];
    good(&wrapped, &expected);
}

#[test]
fn documents_in_archives() {
    good(&zip(&[deflated("a.doc", files::doc_with_macros())]), &["ole-vba/zip", "zip"]);
    good(&zip(&[stored("a.doc", files::doc_with_macros())]), &["ole-vba/zip", "zip"]);
    good(&zip(&[deflated("a.docm", files::docm())]), &["ooxml-vba/zip", "zip"]);
    good(&zip(&[deflated("a.docx", files::docx())]), &["zip"]);
    good(&zip(&[stored("a.docx", files::docx())]), &["zip"]);
    let rtf = files::rtf("{\\*\\objdata 01}");
    good(&zip(&[deflated("a.rtf", rtf.clone())]), &["rtf-object/zip", "zip"]);
    good(&zip(&[stored("a.rtf", rtf.clone())]), &["rtf-object/zip", "zip"]);
    // A length that is too short, and one that is not there.
    let mut archive = zip(&[stored("a.rtf", rtf.clone()), stored("b", "c")]);
    archive[18..22].copy_from_slice(&100_u32.to_le_bytes());
    good(&archive, &["archive-entry", "zip"]);
    good(&zip(&[Entry { flags: 8, ..stored("a.rtf", rtf) }]), &["archive-entry", "zip"]);
    good(&files::gzip(&files::doc_with_macros()), &["gzip", "ole-vba/gzip"]);
}

#[test]
fn archives_in_archives() {
    let inner = zip(&[deflated("a.exe", files::windows(0x80))]);
    let expected = ["windows-program/zip", "zip/zip", "zip"];
    good(&zip(&[deflated("inner.zip", inner.clone())]), &expected);
    let mut seen = kinds(&zip(&[stored("inner.zip", inner.clone())]));
    seen.sort();
    assert_eq!(seen, ["windows-program/zip", "zip", "zip/zip"]);
    let third = zip(&[deflated("third.zip", zip(&[deflated("inner.zip", inner)]))]);
    good(&third, &["windows-program/zip", "zip/zip", "zip"]);
    let fourth = zip(&[deflated("fourth.zip", third)]);
    good(
        &zip(&[deflated("a", fourth)]),
        &["zip/zip", "archive-entry/zip", "windows-program/zip", "zip"],
    );
    let program = files::windows(0x80);
    let compressed = files::gzip(&files::tar(&[("a", &noise(3000)), ("b", &program)]));
    for entry in [stored("a.tgz", compressed.clone()), deflated("a.tgz", compressed)] {
        let expected = ["gzip/zip", "tar/zip", "windows-program/zip", "zip"];
        good(&zip(&[entry, stored("b", "c")]), &expected);
    }
}

#[test]
fn locked_files() {
    let locked = Entry { flags: 1, ..stored("a", noise(100)) };
    good(&zip(&[locked]), &["encrypted-zip", "zip"]);
    good(&zip(&[Entry { method: 99, ..stored("a", noise(100)) }]), &["encrypted-zip", "zip"]);
    good(&files::compound(&["Root Entry", "EncryptedPackage"], 2), &["encrypted-office"]);
    good(&files::encrypted_xls(), &["encrypted-office"]);
}

#[test]
fn entries_that_cannot_be_looked_at() {
    good(&zip(&[Entry { method: 14, ..stored("a", noise(100)) }]), &["archive-entry", "zip"]);
    // No deflate stream begins so.
    let broken = Entry { method: 0, ..stored("a", noise(100)) };
    let mut archive = zip(&[broken]);
    archive[8] = 8;
    good(&archive, &["archive-entry", "zip"]);
    let hidden = Entry { extra: noise(60_000), ..deflated("a", files::windows(0x80)) };
    let entries = [stored("b", noise(40_000)), hidden, stored("c", noise(60_000))];
    good(&zip(&entries), &["archive-entry", "zip"]);
    let joined = [files::gzip(b""), files::gzip(&files::windows(0x80))].concat();
    good(&joined, &["gzip", "archive-entry"]);
}

#[test]
fn a_header_in_a_header_hides_nothing() {
    // A local header that swallows the next entry in its extra field, and one in an extra field.
    let swallowed = zip(&[deflated("b", files::windows(0x80))]);
    let swallow = Entry { extra: swallowed, ..stored("a", "x") };
    good(&zip(&[swallow]), &["windows-program/zip", "zip"]);
    let decoy = zip(&[stored("decoy", "x")]);
    let behind = Entry { extra: decoy, ..deflated("a", files::windows(0x80)) };
    good(&zip(&[behind]), &["windows-program/zip", "zip"]);
}

#[test]
fn sealed_messages() {
    good(&files::signed(Some(b"Content-Type: text/plain\r\n\r\nHello")), &["smime-signed"]);
    good(b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80", &["smime-encrypted"]);
    good(b"-----BEGIN PGP MESSAGE-----\r\n", &["openpgp"]);
}

#[test]
fn uuencoded_files() {
    let file = uuencode("a program.exe", &files::windows(0x80));
    let text = [b"Content-Type: text/plain\r\n\r\nHello,\r\n".as_slice(), &file, b"\r\nBye"];
    let expected = ["part 1 (text/plain): a Windows program (PE) uuencoded in the text \
                     (\"a program.exe\")"];
    assert_eq!(seen(&text.concat()), expected);
    let long = [b"\r\n".as_slice(), &b"text\r\n".repeat(20_000), &file];
    let expected = ["part 1: a Windows program (PE) uuencoded in the text (\"a program.exe\")"];
    assert_eq!(seen(&long.concat()), expected);
    let encoded =
        [b"Content-Type: a/b; name=c\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n", &*file];
    let expected = ["part 1 (\"c\", a/b): a Windows program (PE) uuencoded in the text \
                     (\"a program.exe\")"];
    assert_eq!(seen(&encoded.concat()), expected);
    let docm = uuencode("x", &files::docm());
    let found = scan(&[b"\r\n".as_slice(), &docm].concat()).found;
    assert!(found.iter().any(|one| one.kind.as_str() == "ooxml-vba"), "{found:?}");
    let two = [b"\r\n".as_slice(), &uuencode("x", b"text"), &uuencode("y", &files::elf())];
    let expected = ["part 1: a Linux or BSD program (ELF) uuencoded in the text (\"y\")"];
    assert_eq!(seen(&two.concat()), expected);
    let talk = b"\r\nLet us\r\nbegin with an open mind, and\r\nend.\r\n";
    assert_eq!(seen(talk), [""; 0]);
}

#[test]
fn a_quoted_script_is_text() {
    assert_eq!(seen(b"\r\n#!/bin/sh\r\n"), [""; 0]);
    let named = b"Content-Type: text/plain; name=a.sh\r\n\r\n#!/bin/sh\r\n";
    let expected = ["part 1 (\"a.sh\", text/plain): a script that names its interpreter"];
    assert_eq!(seen(named), expected);
}

#[test]
fn findings_are_told_for_people() {
    let file = zip(&[deflated("b\u{202e}txt.exe", files::windows(0x80))]);
    let expected = [
        "part 2 (\"a.zip\", application/zip): a Windows program (PE) in a zip archive \
         (\"b?txt.exe\")",
        "part 2 (\"a.zip\", application/zip): a zip archive",
    ];
    assert_eq!(seen(&with_file("a.zip", "application/zip", &file)), expected);
    let body = [b"Content-Transfer-Encoding: base64\r\n\r\n".to_vec(), base64(&files::elf())];
    assert_eq!(seen(&body.concat()), ["part 1: a Linux or BSD program (ELF)"]);
}
