//! Attachments that say what they are by their content, whatever they are called.

use crate::case::{Case, Expect, Marks};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use e2e::gate::Port;
use e2e::gate::signature::LabKey;
use e2e::gate::world::{PLAIN, STRICT, crlf, signed};

/// Class of attachment × whether the author is identified.
pub(crate) fn cases(key: &LabKey) -> Vec<Case> {
    let program = program();
    let zipped = zip(&[Entry { name: "invoice.exe", content: &program, flags: 0 }]);
    let text = zip(&[Entry { name: "notes.txt", content: b"notes", flags: 0 }]);
    let closed = zip(&[Entry { name: "invoice.exe", content: &program, flags: 1 }]);
    let macros = zip(&[
        Entry { name: "[Content_Types].xml", content: b"<Types/>", flags: 0 },
        Entry { name: "word/document.xml", content: b"<document/>", flags: 0 },
        Entry { name: "word/vbaProject.bin", content: b"\xd0\xcf\x11\xe0", flags: 0 },
    ]);
    let delivered = |verdict| Expect::Delivered(Marks { verdict, ..Marks::default() });
    let held = |verdict| Expect::Held(Marks { verdict, ..Marks::default() });
    let by = |sender: Sender, name, file, content: &[u8], expect| {
        let letter = letter(sender, name, file, content);
        let (domain, letter) = match sender {
            Sender::Identified => (STRICT, signed(key, STRICT, &letter)),
            Sender::Unidentified => (PLAIN, letter),
        };
        let (helo, mail_from) = match sender {
            Sender::Identified => ("mail.strict.test", "author@strict.test"),
            Sender::Unidentified => ("mail.plain.test", "author@plain.test"),
        };
        Case { name, from: domain.server, port: Port::Smtp, helo, mail_from, letter, expect }
    };
    let refused = || {
        Expect::Refused(
            550,
            &["5.7.1", "attachment", "Windows program", "see https://ours.test/mail"],
        )
    };
    use Sender::{Identified, Unidentified};
    vec![
        by(Unidentified, "program-zipped", "invoice.zip", &zipped, refused()),
        by(Unidentified, "program-disguised", "photo.jpg", &program, refused()),
        by(
            Identified,
            "program-identified",
            "invoice.zip",
            &zipped,
            held(&[
                "identified=yes",
                "action=quarantine",
                "reason=attachment",
                "attachments=archive,executable",
            ]),
        ),
        by(
            Unidentified,
            "closed-archive",
            "invoice.zip",
            &closed,
            held(&[
                "identified=no",
                "action=quarantine",
                "reason=attachment",
                "attachments=archive,closed-archive",
            ]),
        ),
        by(
            Identified,
            "closed-archive-known",
            "invoice.zip",
            &closed,
            delivered(&["identified=yes", "action=accept", "attachments=archive,closed-archive"]),
        ),
        by(
            Unidentified,
            "macros",
            "letter.docx",
            &macros,
            held(&["identified=no", "action=quarantine", "attachments=archive,macro-document"]),
        ),
        by(
            Unidentified,
            "archive-of-text",
            "notes.zip",
            &text,
            delivered(&["identified=no", "action=accept", "attachments=archive"]),
        ),
    ]
}

#[derive(Clone, Copy)]
enum Sender {
    Identified,
    Unidentified,
}

fn letter(sender: Sender, name: &str, file: &str, content: &[u8]) -> Vec<u8> {
    let domain = match sender {
        Sender::Identified => STRICT.name,
        Sender::Unidentified => PLAIN.name,
    };
    let encoded = BASE64_STANDARD.encode(content);
    let lines = encoded.as_bytes().chunks(76).map(String::from_utf8_lossy);
    let lines = lines.collect::<Vec<_>>().join("\n");
    crlf(&format!(
        "From: Author <author@{domain}>\nTo: <{name}@ours.test>\nSubject: {name}\n\
         Message-ID: <{name}@{domain}>\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=frontier\n\n\
         --frontier\nContent-Type: text/plain\n\nSee the attachment.\n\
         --frontier\nContent-Type: application/octet-stream; name=\"{file}\"\n\
         Content-Disposition: attachment; filename=\"{file}\"\n\
         Content-Transfer-Encoding: base64\n\n{lines}\n--frontier--\n"
    ))
}

/// The beginning of a Windows program: an MZ header that points to a PE header.
fn program() -> Vec<u8> {
    let mut program = vec![0; 512];
    program[..2].copy_from_slice(b"MZ");
    program[0x3c] = 0x80;
    program[0x80..0x86].copy_from_slice(b"PE\0\0\x64\x86");
    program
}

/// A file in a zip archive.
struct Entry<'e> {
    name: &'e str,
    content: &'e [u8],
    /// Bit 0: with a password.
    flags: u16,
}

/// A zip archive of files that are stored, not compressed (APPNOTE 4.3).
fn zip(entries: &[Entry<'_>]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for Entry { name, content, flags } in entries {
        let offset = four(archive.len());
        let size = four(content.len());
        let about = [
            &[20, 0][..],
            &flags.to_le_bytes(),
            &[0; 6],
            &crc(content).to_le_bytes(),
            &size,
            &size,
            &four(name.len())[..2],
            &[0, 0],
        ]
        .concat();
        archive.extend_from_slice(b"PK\x03\x04");
        archive.extend_from_slice(&about);
        archive.extend_from_slice(name.as_bytes());
        archive.extend_from_slice(content);
        directory.extend_from_slice(b"PK\x01\x02\x14\0");
        directory.extend_from_slice(&about);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset);
        directory.extend_from_slice(name.as_bytes());
    }
    let count = &four(entries.len())[..2];
    let (size, offset) = (four(directory.len()), four(archive.len()));
    let end = [b"PK\x05\x06\0\0\0\0", count, count, &size, &offset, &[0, 0]].concat();
    [archive, directory, end].concat()
}

fn four(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

/// CRC-32, bit by bit.
fn crc(octets: &[u8]) -> u32 {
    let rest = octets.iter().fold(u32::MAX, |rest, octet| {
        (0..8).fold(rest ^ u32::from(*octet), |rest, _| {
            (rest >> 1) ^ if rest & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    !rest
}
