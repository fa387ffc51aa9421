//! What the first octets of something say about it.
//!
//! Formats are told by the marks that their own programs look for. A mark of two or three octets
//! alone would be found in any text now and then, so with these more of the header must fit.

use super::super::kind::{Archive, Kind, Macro, Program, Sealed};
use super::super::words;
use super::{compound, tar, tnef};

/// What the first octets say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// What it is, if that is known by now.
    pub(super) kind: Option<Kind>,
    /// How to go on.
    pub(super) form: Form,
}

/// How to read what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Zip,
    Gzip,
    Tar,
    Tnef,
    Compound,
    Rtf,
    OneNote,
    /// No octet of the first ones is zero.
    Text,
    Other,
}

/// Whether there is more than is in sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    Beginning,
}

/// How Office packs macros into web pages and XML.
const ACTIVE_MIME: Kind = Kind::MacroDocument(Macro::ActiveMime);

/// Looks at the first octets.
pub(super) fn look(octets: &[u8], extent: Extent) -> Head {
    if let Some(form) = form(octets) {
        let kind = match form {
            Form::Gzip => Some(Kind::Archive(Archive::Gzip)),
            Form::Tar => Some(Kind::Archive(Archive::Tar)),
            Form::Tnef => Some(Kind::Archive(Archive::Tnef)),
            Form::OneNote => Some(Kind::MacroDocument(Macro::OneNote)),
            Form::Zip | Form::Compound | Form::Rtf | Form::Text | Form::Other => None,
        };
        return Head { kind, form };
    }
    let kind = (program(octets, extent).map(Kind::Executable))
        .or_else(|| octets.starts_with(b"ActiveMime").then_some(ACTIVE_MIME))
        .or_else(|| archive(octets).map(Kind::Archive))
        .or_else(|| sealed(octets).map(Kind::Sealed));
    let is_text = !octets[..octets.len().min(512)].contains(&0);
    Head { kind, form: if is_text { Form::Text } else { Form::Other } }
}

/// Formats that are looked into.
fn form(octets: &[u8]) -> Option<Form> {
    const ONE_NOTE: &[u8] = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3";
    // An entry, an empty zip, or the mark of a zip in several files (APPNOTE §4.3.7, §8.5).
    let zip: [&[u8]; 4] = [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK", b"PK00PK"];
    let begins = |magic: &[u8]| octets.starts_with(magic);
    Some(match () {
        () if zip.into_iter().any(begins) => Form::Zip,
        () if begins(b"\x1f\x8b\x08") => Form::Gzip,
        () if begins(compound::MAGIC) => Form::Compound,
        () if begins(tnef::MAGIC) => Form::Tnef,
        () if begins(ONE_NOTE) => Form::OneNote,
        // Word takes more than the "{\rtf1" that is right.
        () if octets.trim_ascii_start().starts_with(b"{\\rt") => Form::Rtf,
        () if tar::is_header(octets) => Form::Tar,
        () => return None,
    })
}

fn program(octets: &[u8], extent: Extent) -> Option<Program> {
    let begins = |magic: &[u8]| octets.starts_with(magic);
    Some(match octets {
        [b'M', b'Z', ..] => return windows_or_dos(octets, extent),
        [0x7f, b'E', b'L', b'F', 1 | 2, ..] => Program::Elf,
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => Program::MachO,
        // A fat Mach-O has here the number of architectures, a Java class its version.
        [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 1..=43, ..] => Program::MachO,
        [0xca, 0xfe, 0xba, 0xbf, 0, 0, 0, 1..=43, ..] => Program::MachO,
        [0xca, 0xfe, 0xba, 0xbe, _, _, 0, 45..=255, ..] => Program::JavaClass,
        // Length and class of a shell link (MS-SHLLINK §2.1).
        [b'L', 0, 0, 0, 1, 0x14, 2, 0, 0, 0, 0, 0, 0xc0, ..] => Program::Shortcut,
        [b'#', b'!', rest @ ..] if rest.trim_ascii_start().starts_with(b"/") => Program::Script,
        [b'd', b'e', b'x', b'\n', b'0', ..] => Program::Android,
        _ if begins(b"ITSF\x03\0\0\0") => Program::CompiledHelp,
        _ if begins(b"FasdUAS ") => Program::AppleScript,
        _ => return None,
    })
}

/// A Windows program begins as one for DOS, whose header says where the other begins (PE format,
/// "MS-DOS Stub").
fn windows_or_dos(octets: &[u8], extent: Extent) -> Option<Program> {
    let header = octets.first_chunk::<28>()?;
    let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    if let Some(&[a, b, c, d]) = octets.get(60..).and_then(|rest| rest.first_chunk()) {
        let offset = u32::from_le_bytes([a, b, c, d]);
        let mark = usize::try_from(offset).ok().and_then(|offset| octets.get(offset..));
        match mark.and_then(|mark| mark.first_chunk::<2>()) {
            Some(b"PE" | b"NE" | b"LE" | b"LX") => return Some(Program::Windows),
            Some(_) => {}
            // Windows loads no file above 256 MiB, so text does not look like this.
            None if extent == Extent::Beginning && offset < 1 << 28 => {
                return Some(Program::Windows);
            }
            None => {}
        }
    }
    // Octets in the last page, pages, paragraphs of the header, where relocations begin.
    let fits = word(2) < 512 && word(4) > 0 && (2..=0x1000).contains(&word(8)) && word(24) < 0x400;
    fits.then_some(Program::Dos)
}

fn archive(octets: &[u8]) -> Option<Archive> {
    let begins = |magic: &[u8]| octets.starts_with(magic);
    let has =
        |at: usize, magic: &[u8]| octets.get(at..).is_some_and(|rest| rest.starts_with(magic));
    Some(match octets {
        // Block size, then the end of an empty file or the beginning of a block.
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Archive::Bzip2,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Archive::Bzip2,
        [0x1f, 0x9d, bits, ..] if bits & 0x60 == 0 && (9..=16).contains(&(bits & 0x1f)) => {
            Archive::Compress
        }
        [_, _, b'-', b'l', b'h' | b'z', b'0'..=b'9' | b'd' | b's', b'-', ..] => Archive::Lha,
        // Size of the header, size of its first part, versions.
        [0x60, 0xea, _, 0..=10, 0x1e..=0x30, 1..=15, ..] => Archive::Arj,
        _ if begins(b"Rar!\x1a\x07") => Archive::Rar,
        _ if begins(b"7z\xbc\xaf\x27\x1c") => Archive::SevenZip,
        _ if begins(b"MSCF\0\0\0\0") || begins(b"ISc(") => Archive::Cab,
        _ if begins(b"\xfd7zXZ\0") => Archive::Xz,
        _ if begins(b"\x28\xb5\x2f\xfd") => Archive::Zstd,
        _ if begins(b"LZIP\x01") => Archive::Lzip,
        _ if begins(b"!<arch>\n") => Archive::Ar,
        // The header goes on with digits, most of them zeros.
        [b'0', b'7', b'0', b'7', b'0', b'1' | b'2' | b'7', rest @ ..]
            if rest.len() >= 70 && rest[..70].iter().all(u8::is_ascii_hexdigit) =>
        {
            Archive::Cpio
        }
        _ if begins(b"\xed\xab\xee\xdb") => Archive::Rpm,
        _ if begins(b"xar!\0") => Archive::Xar,
        _ if begins(b"conectix") || begins(b"vhdxfile") || begins(b"MSWIM\0\0\0") => {
            Archive::DiskImage
        }
        _ if has(7, b"**ACE**") => Archive::Ace,
        // Behind 16 sectors: the first volume descriptor (ECMA-119 §8.1, ECMA-167 part 2 §9.1).
        _ if has(32769, b"CD001") || has(32769, b"BEA01") => Archive::Iso,
        _ => return None,
    })
}

/// What the last octets say: some images of disks have their mark only there.
pub(super) fn tail(octets: &[u8]) -> Option<Kind> {
    let last = octets.get(octets.len().checked_sub(512)?..)?;
    let is_image = last.starts_with(b"conectix") || last.starts_with(b"koly\0\0\0\x04");
    is_image.then_some(Kind::Archive(Archive::DiskImage))
}

/// Messages of OpenPGP in ASCII (RFC 9580 §6.2), and CMS ones (RFC 5652 §3).
fn sealed(octets: &[u8]) -> Option<Sealed> {
    if octets.trim_ascii_start().starts_with(b"-----BEGIN PGP MESSAGE-----") {
        return Some(Sealed::OpenPgp);
    }
    let (0x30, content) = der_open(octets)? else {
        return None;
    };
    // 1.2.840.113549.1.7 and .1.9.16.1, the arcs of content types.
    const PKCS7: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
    const SMIME: &[u8] = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01";
    if let Some(rest) = content.strip_prefix(PKCS7) {
        return match rest.split_first()? {
            (2, rest) => has_content(rest).then_some(Sealed::SmimeSigned),
            (3, _) => Some(Sealed::SmimeEncrypted),
            _ => None,
        };
    }
    match content.strip_prefix(SMIME)?.first()? {
        9 => Some(Sealed::SmimeCompressed),
        23 => Some(Sealed::SmimeEncrypted),
        _ => None,
    }
}

/// Whether signed data have what they sign in them. If not, they are the signature of another
/// part, or a bag of certificates (RFC 5652 §5.1, §5.2).
fn has_content(signed_data: &[u8]) -> bool {
    let content = || {
        let (_, explicit) = der_open(signed_data)?;
        let (_, sequence) = der_open(explicit)?;
        let (_, version) = der_skip(sequence)?;
        let (_, algorithms) = der_skip(version)?;
        let (length, contained) = der_sequence(algorithms)?;
        let (_, behind_type) = der_skip(contained)?;
        let used = contained.len() - behind_type.len();
        let has_room = length.is_none_or(|length| used < length);
        Some(has_room && behind_type.first() == Some(&0xa0))
    };
    content().unwrap_or(false)
}

/// Tag and contents of what begins here; what follows the contents is not cut off.
fn der_open(octets: &[u8]) -> Option<(u8, &[u8])> {
    let (tag, _, contents) = der_header(octets)?;
    Some((tag, contents))
}

/// Length, if there is one, and contents of what begins here.
fn der_sequence(octets: &[u8]) -> Option<(Option<usize>, &[u8])> {
    let (_, length, contents) = der_header(octets)?;
    Some((length, contents))
}

/// Tag of what begins here, and what follows it. It must have a length.
fn der_skip(octets: &[u8]) -> Option<(u8, &[u8])> {
    let (tag, length, contents) = der_header(octets)?;
    Some((tag, contents.get(length?..)?))
}

/// Tag, length (none if indefinite) and the rest (X.690 §8.1).
fn der_header(octets: &[u8]) -> Option<(u8, Option<usize>, &[u8])> {
    let [tag, first, rest @ ..] = octets else {
        return None;
    };
    match first {
        0..=0x7f => Some((*tag, Some(usize::from(*first)), rest)),
        0x80 => Some((*tag, None, rest)),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = length.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
            Some((*tag, Some(length), rest))
        }
        _ => None,
    }
}

/// How long the header of a gzip file is, and the name in it (RFC 1952 §2.3).
pub(super) fn gzip_header(octets: &[u8]) -> Option<(usize, Option<String>)> {
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    const CHECKSUM: u8 = 1 << 1;
    let flags = *octets.get(3)?;
    let mut length = 10;
    if flags & EXTRA != 0 {
        let [low, high] = *octets.get(length..)?.first_chunk()?;
        length += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    let mut name = None;
    for field in [NAME, COMMENT] {
        if flags & field != 0 {
            let text = octets.get(length..)?.split(|octet| *octet == 0).next()?;
            length += text.len() + 1;
            if field == NAME {
                name = words::printable(&String::from_utf8_lossy(text));
            }
        }
    }
    length += if flags & CHECKSUM != 0 { 2 } else { 0 };
    Some((length, name))
}
