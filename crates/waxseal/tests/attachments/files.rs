//! Files as small as they can be and still be what they are.

use miniz_oxide::deflate::compress_to_vec;

use crate::zips::{Entry, deflated, stored, zip};

/// Octets that no search finds anything in, and that do not pack well.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // No letters: no magic octets come about by chance.
        [0x80, 0x91, 0xa2, 0xb3, 0xc4, 0xd5, 0xe6, 0xf7][(state >> 29) as usize]
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A Windows program with its PE header at this place.
pub(crate) fn windows(pe: u32) -> Vec<u8> {
    let mut file = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0\x40\0\0\0".to_vec();
    file.resize(60, 0);
    file.extend(pe.to_le_bytes());
    file.extend(noise((pe as usize).saturating_sub(64)));
    file.extend(b"PE\0\0\x64\x86\x01\0");
    file.extend(noise(400));
    file
}

pub(crate) fn dos() -> Vec<u8> {
    let mut file = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0\x1c\0\0\0".to_vec();
    file.extend(noise(400));
    file
}

pub(crate) fn elf() -> Vec<u8> {
    [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0".to_vec(), noise(400)].concat()
}

pub(crate) fn java_class() -> Vec<u8> {
    [b"\xca\xfe\xba\xbe\0\0\0\x3d\0\x10".to_vec(), noise(100)].concat()
}

pub(crate) fn shortcut() -> Vec<u8> {
    let class = b"\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";
    [b"L\0\0\0".as_slice(), class, &noise(100)].concat()
}

/// A compound file with a directory of these names, behind so many sectors.
pub(crate) fn compound(names: &[&str], sectors: usize) -> Vec<u8> {
    let mut file = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    file.resize(512, 0);
    file.extend(noise(sectors * 512));
    for name in names {
        let mut entry: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        entry.resize(128, 0);
        file.extend(entry);
    }
    file.resize(file.len().next_multiple_of(512), 0);
    file
}

pub(crate) fn doc_with_macros() -> Vec<u8> {
    compound(&["Root Entry", "WordDocument", "Macros", "VBA", "dir", "_VBA_PROJECT"], 300)
}

pub(crate) fn doc() -> Vec<u8> {
    compound(&["Root Entry", "WordDocument", "1Table"], 300)
}

pub(crate) fn installer() -> Vec<u8> {
    let mut file = compound(&["Root Entry"], 1);
    let class = b"\x84\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";
    let root = file.len() - 512 + 80;
    file[root..root + 16].copy_from_slice(class);
    file
}

/// A workbook with one sheet: 0 is a worksheet, 1 a sheet of Excel 4 macros.
pub(crate) fn xls(sheet: u8) -> Vec<u8> {
    let mut file = compound(&["Root Entry", "Workbook"], 8);
    file.extend(b"\x09\x08\x10\0\0\x06\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\x42\0\x02\0\xb0\x04");
    file.extend([0x85, 0, 14, 0, 0, 2, 0, 0, 1, sheet, 6, 0]);
    file.extend(b"Macro1");
    file
}

pub(crate) fn encrypted_xls() -> Vec<u8> {
    let mut file = compound(&["Root Entry", "Workbook"], 8);
    file.extend(b"\x09\x08\x10\0\0\x06\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\x2f\0\x36\0\x01\0");
    file
}

const TYPES: &str = "<?xml version=\"1.0\"?><Types><Override PartName=\"/word/document.xml\" \
                     ContentType=\"application/vnd.openxmlformats\"/></Types>";

fn ooxml(types: &str, more: &[Entry]) -> Vec<u8> {
    let entries = [
        deflated("[Content_Types].xml", types),
        deflated("_rels/.rels", "<?xml version=\"1.0\"?><Relationships/>"),
        deflated("word/document.xml", noise(3000)),
    ];
    zip(&[&entries, more].concat())
}

pub(crate) fn docx() -> Vec<u8> {
    ooxml(TYPES, &[])
}

pub(crate) fn docm() -> Vec<u8> {
    ooxml(TYPES, &[deflated("word/vbaProject.bin", doc_with_macros())])
}

/// The project of macros has another name, and the type that says so stands behind much else.
pub(crate) fn docm_in_disguise() -> Vec<u8> {
    let padding = "<!-- x -->".repeat(20_000);
    let macros = "<Override PartName=\"/word/a.bin\" \
                  ContentType=\"application/vnd.ms-office.vbaProject\"/></Types>";
    let types = TYPES.replace("</Types>", &padding) + macros;
    ooxml(&types, &[deflated("word/a.bin", noise(100))])
}

pub(crate) fn xlsm_with_macro_sheet() -> Vec<u8> {
    ooxml(TYPES, &[deflated("xl/macrosheets/sheet1.xml", "<?xml?>")])
}

pub(crate) fn odt(more: &[Entry]) -> Vec<u8> {
    let entries = [
        stored("mimetype", "application/vnd.oasis.opendocument.text"),
        deflated("content.xml", "<?xml version=\"1.0\"?><office/>"),
        deflated("Basic/script-lc.xml", "<?xml version=\"1.0\"?>"),
        deflated("META-INF/manifest.xml", "<?xml version=\"1.0\"?>"),
    ];
    zip(&[&entries, more].concat())
}

pub(crate) fn rtf(object: &str) -> Vec<u8> {
    format!("{{\\rtf1\\ansi {}{{\\object{object}}}}}", "text ".repeat(5000)).into_bytes()
}

/// A OneNote section in which this file is embedded.
pub(crate) fn one_note(file: &[u8]) -> Vec<u8> {
    let mut section = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3".to_vec();
    section.extend(noise(2000));
    section.extend(b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac");
    section.extend([(file.len() as u64).to_le_bytes().as_slice(), &[0; 12], file].concat());
    section
}

pub(crate) fn tnef(file: &[u8]) -> Vec<u8> {
    let mut attributes = b"\x78\x9f\x3e\x22\x01\x00".to_vec();
    let mut attribute = |level: u8, identity: u32, octets: &[u8]| {
        attributes.push(level);
        attributes.extend(identity.to_le_bytes());
        attributes.extend(u32::try_from(octets.len()).unwrap().to_le_bytes());
        attributes.extend_from_slice(octets);
        attributes.extend([0; 2]);
    };
    attribute(1, 0x0008_9006, b"\0\0\x01\0");
    attribute(2, 0x0006_9002, &[0; 14]);
    attribute(2, 0x0006_800f, file);
    attribute(2, 0x0001_8010, b"a.exe\0");
    attributes
}

pub(crate) fn gzip(file: &[u8]) -> Vec<u8> {
    let header = b"\x1f\x8b\x08\x0c\0\0\0\0\0\x03\x02\0xxname.tar\0";
    [header.as_slice(), &compress_to_vec(file, 6), &[0; 8]].concat()
}

pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, octets) in files {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..136].copy_from_slice(format!("{:011o}\0", octets.len()).as_bytes());
        header[148..156].fill(b' ');
        header[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = header.iter().map(|octet| u32::from(*octet)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend(header);
        archive.extend_from_slice(octets);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// CMS signed data: with what is signed in it, or without.
pub(crate) fn signed(content: Option<&[u8]>) -> Vec<u8> {
    let der = |tag: u8, contents: &[u8]| {
        let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], length.as_slice(), contents].concat()
    };
    const DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
    const SIGNED_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    let content = content.map(|content| der(0xa0, &der(0x04, content))).unwrap_or_default();
    let encapsulated = der(0x30, &[DATA, &content].concat());
    let certificates = der(0xa0, &noise(200));
    let signed_data =
        der(0x30, &[b"\x02\x01\x01", &*der(0x31, &[]), &encapsulated, &certificates].concat());
    der(0x30, &[SIGNED_DATA, &der(0xa0, &signed_data)].concat())
}
