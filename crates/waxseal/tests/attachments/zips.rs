//! Zip archives, right ones and others.

use miniz_oxide::deflate::compress_to_vec;

/// An entry, and how it is written.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) octets: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    /// The extra field of the local header.
    pub(crate) extra: Vec<u8>,
}

pub(crate) fn stored(name: &'static str, octets: impl Into<Vec<u8>>) -> Entry {
    Entry { name, octets: octets.into(), method: 0, flags: 0, extra: Vec::new() }
}

pub(crate) fn deflated(name: &'static str, octets: impl Into<Vec<u8>>) -> Entry {
    Entry { method: 8, ..stored(name, octets) }
}

/// An archive of these entries.
pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = u32::try_from(archive.len()).unwrap();
        let packed = match entry.method {
            8 => compress_to_vec(&entry.octets, 6),
            _ => entry.octets.clone(),
        };
        let sizes_behind = entry.flags & 8 != 0;
        let length = |octets: &[u8]| u32::try_from(octets.len()).unwrap().to_le_bytes();
        let lengths = [length(&packed), length(&entry.octets)].concat();
        let local_lengths = if sizes_behind { vec![0; 8] } else { lengths.clone() };
        let words = [20, entry.flags, entry.method, 0, 0].map(u16::to_le_bytes).concat();
        let name_length = u16::try_from(entry.name.len()).unwrap().to_le_bytes();
        let extra_length = u16::try_from(entry.extra.len()).unwrap().to_le_bytes();
        let crc = [0; 4]; // nobody here looks
        archive.extend([b"PK\x03\x04", words.as_slice(), &crc, &local_lengths].concat());
        archive.extend([name_length, extra_length].concat());
        archive.extend([entry.name.as_bytes(), &entry.extra, &packed].concat());
        if sizes_behind {
            archive.extend([b"PK\x07\x08", crc.as_slice(), &lengths].concat());
        }
        directory.extend([b"PK\x01\x02\x14\0", words.as_slice(), &crc, &lengths].concat());
        directory.extend([name_length.as_slice(), &[0; 12], &offset.to_le_bytes()].concat());
        directory.extend(entry.name.as_bytes());
    }
    let offset = u32::try_from(archive.len()).unwrap().to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    archive.extend(directory);
    archive.extend([b"PK\x05\x06\0\0\0\0", count.as_slice(), &count, &length, &offset].concat());
    archive.extend([0; 2]);
    archive
}
