//! Zip archives (PKWARE's APPNOTE.TXT 6.3.10), and documents that are one.
//!
//! A zip ends in a directory, and that is what programs read; whatever stands before it may be
//! anything, so that a picture, a program or a text can be a zip as well. While the octets stream
//! by, the directory is not known yet, but each entry begins with a header of its own. So every
//! header is looked at wherever it stands, and sizes are not believed: an entry that is hidden
//! behind a wrong length, or between other entries, is found like any other.

use memchr::memmem;
use miniz_oxide::inflate::core::DecompressorOxide;

use super::super::kind::{Archive, Kind, Locked, Macro, Program, Unreadable, Wrapper};
use super::super::search::Search;
use super::super::words;
use super::head::Form;
use super::inflate::{self, Inflater, Progress};
use super::{LOOKAHEAD, MAX_DEPTH, Packing, SAMPLE, Sniffer, Source, Unpacking};

/// What was seen of a zip so far. It counts when it is certain that there is one.
#[derive(Debug, Default)]
pub(super) struct Zip {
    certainty: Certainty,
    /// Some entry needs a password.
    is_locked: bool,
    /// Some entry cannot be looked at.
    pub(super) has_doubt: bool,
    /// The directory that is being read, and the last one that was complete.
    directory: Directory,
    last: Directory,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Certainty {
    #[default]
    Nothing,
    /// An entry stood somewhere.
    Entry,
    /// The file begins as a zip, or there was an end of a directory, too.
    Zip,
}

/// What the names in a directory say about the whole.
#[derive(Clone, Copy, Debug, Default)]
struct Directory {
    content_types: bool,
    relations: bool,
    mime_type: bool,
    odf_manifest: bool,
    epub_container: bool,
    java_manifest: bool,
    android_manifest: bool,
    /// Entries in which OpenDocument keeps macros.
    odf_macros: bool,
}

/// The inflater's tables, made when they are needed.
#[derive(Default)]
struct State(Option<Box<DecompressorOxide>>);

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

impl Zip {
    /// The file begins as a zip.
    pub(super) fn is_certain(&mut self) {
        self.certainty = Certainty::Zip;
    }
}

/// How many entries are unpacked at once. In an archive that is what it seems to be, no entry
/// begins within another, but for archives that were packed without getting any smaller: these
/// stand in the outer one in plain sight, with all their entries.
const MAX_UNPACKING: usize = 3;

/// So many octets of a name are shown at most.
const MAX_NAME: usize = 400;

/// How an entry is packed (APPNOTE §4.4.5).
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Encrypted by AES (APPNOTE appendix E).
const AES: u16 = 99;

/// General purpose flags (APPNOTE §4.4.4): encrypted; sizes stand behind the data; names hidden.
const ENCRYPTED: u16 = 1;
const SIZES_BEHIND: u16 = 1 << 3;
const HIDDEN: u16 = 1 << 13;

impl Sniffer {
    /// Looks at everything of a zip that begins before `to`.
    pub(super) fn scan_zip(&mut self, window: &[u8], to: usize, search: &mut Search) {
        let mut unpacked = 0;
        for at in memmem::find_iter(window, b"PK").take_while(|at| *at < to) {
            let record = &window[at..];
            match record.get(2..4) {
                Some(b"\x03\x04") => {
                    self.unpack(&window[unpacked..at], search);
                    unpacked = at;
                    self.local_header(record, search);
                }
                Some(b"\x01\x02") => self.directory_header(record),
                Some(b"\x05\x06") => self.end_of_directory(),
                _ => {}
            }
        }
        self.unpack(&window[unpacked..to], search);
    }

    /// APPNOTE §4.3.7.
    fn local_header(&mut self, record: &[u8], search: &mut Search) {
        let Some(header) = record.first_chunk::<30>() else {
            return;
        };
        let (flags, method) = (u16_at(header, 6), u16_at(header, 8));
        let (name_length, extra) = (u16_at(header, 26), u16_at(header, 28));
        let packed_length = u32::from(u16_at(header, 18)) | u32::from(u16_at(header, 20)) << 16;
        let skip = 30 + usize::from(name_length) + usize::from(extra);
        let name = record.get(30..30 + usize::from(name_length)).unwrap_or_default();
        if self.zip.certainty == Certainty::Nothing {
            self.zip.certainty = Certainty::Entry;
        }
        self.note_macros(name);
        if flags & (ENCRYPTED | HIDDEN) != 0 || method == AES {
            self.zip.is_locked = true;
            return;
        }
        if name.ends_with(b"/") || !search.take_entry() {
            return;
        }
        let Some(packed) = record.get(skip..) else {
            self.zip.has_doubt |= record.len() >= LOOKAHEAD;
            return;
        };
        let shown = &name[..name.len().min(MAX_NAME)];
        let entry = words::printable(&String::from_utf8_lossy(shown));
        match method {
            STORED if is_content_types(name) => {
                let length = usize::try_from(packed_length).unwrap_or(usize::MAX);
                let types = &packed[..packed.len().min(LOOKAHEAD)];
                self.scan_content_types(types);
                self.zip.has_doubt |= length > types.len() || flags & SIZES_BEHIND != 0;
            }
            STORED => {
                let is_empty = packed_length == 0 && flags & SIZES_BEHIND == 0;
                if !(is_empty && packed.starts_with(b"PK")) {
                    let sample = &packed[..packed.len().min(SAMPLE)];
                    self.stored_entry(sample, entry, skip, packed_length);
                }
            }
            DEFLATED => self.deflated_entry(name, entry, packed, skip, record.len()),
            _ => self.zip.has_doubt = true,
        }
    }

    /// What is stored stands in plain sight: a zip in it, or a compound file, is looked at as if it
    /// were the part.
    fn stored_entry(
        &mut self,
        sample: &[u8],
        entry: Option<String>,
        skip: usize,
        packed_length: u32,
    ) {
        match self.see_sample(sample, Wrapper::Zip, entry.as_deref()) {
            Form::Compound => self.has_compound = true,
            Form::Zip if is_document(sample) => {}
            Form::Zip => {
                self.see_wrapped(Kind::Archive(Archive::Zip), Wrapper::Zip, entry.as_deref());
            }
            // A length that stands behind the data comes too late.
            Form::Gzip | Form::Tar | Form::Tnef | Form::OneNote | Form::Rtf
                if packed_length == 0 =>
            {
                self.zip.has_doubt = true;
            }
            Form::Gzip | Form::Tar | Form::Tnef | Form::OneNote | Form::Rtf => {
                self.unpack_nested(skip, Packing::Stored(packed_length), entry);
            }
            Form::Text | Form::Other => {}
        }
    }

    fn deflated_entry(
        &mut self,
        name: &[u8],
        entry: Option<String>,
        packed: &[u8],
        skip: usize,
        in_sight: usize,
    ) {
        let state = self.zip.state.0.get_or_insert_default();
        let mut sample = [0; SAMPLE];
        let (progress, length) = inflate::sample(state, packed, &mut sample);
        let is_cut = progress == Progress::More && in_sight >= LOOKAHEAD;
        if progress == Progress::Broken || is_cut {
            self.zip.has_doubt |= self.unpacking.is_empty();
        }
        let sample = &sample[..length];
        let form = self.see_sample(sample, Wrapper::Zip, entry.as_deref());
        let packing = Packing::Deflated(Inflater::default());
        match form {
            _ if is_content_types(name) => {
                self.unpack_entry(skip, packing, entry, Source::ContentTypes);
            }
            // The project of macros itself was told by its name.
            Form::Compound if is_vba_project(name) => {}
            Form::Zip if self.depth() == MAX_DEPTH => {
                self.see_wrapped(Kind::Archive(Archive::Zip), Wrapper::Zip, entry.as_deref());
                self.zip.has_doubt = true;
            }
            Form::Zip | Form::Gzip | Form::Tar | Form::Tnef => {
                self.unpack_nested(skip, packing, entry);
            }
            Form::Compound | Form::OneNote | Form::Rtf => self.unpack_nested(skip, packing, entry),
            Form::Text | Form::Other => {}
        }
    }

    /// Gives an entry to a sniffer of its own, if it is not too deep.
    fn unpack_nested(&mut self, skip: usize, packing: Packing, entry: Option<String>) {
        if self.depth() == MAX_DEPTH {
            self.zip.has_doubt = true;
        } else {
            self.unpack_entry(skip, packing, entry, Source::Entry(self.depth() + 1));
        }
    }

    fn unpack_entry(
        &mut self,
        skip: usize,
        packing: Packing,
        entry: Option<String>,
        source: Source,
    ) {
        if self.unpacking.len() == MAX_UNPACKING {
            self.zip.has_doubt = true;
            return;
        }
        let child = Box::new(Sniffer::new(source));
        self.unpacking.push(Unpacking { skip, packing, child, wrapper: Wrapper::Zip, entry });
    }

    /// APPNOTE §4.3.12. Programs take the names from here.
    fn directory_header(&mut self, record: &[u8]) {
        let Some(header) = record.first_chunk::<46>() else {
            return;
        };
        let (flags, method) = (u16_at(header, 8), u16_at(header, 10));
        let name_length = usize::from(u16_at(header, 28));
        let name = record.get(46..46 + name_length).unwrap_or_default();
        self.zip.is_locked |= flags & (ENCRYPTED | HIDDEN) != 0 || method == AES;
        self.note_macros(name);
        self.zip.directory.note(name);
    }

    /// APPNOTE §4.3.16. If a zip stands in another, the last directory is that of the outer one.
    fn end_of_directory(&mut self) {
        if self.zip.certainty == Certainty::Entry {
            self.zip.certainty = Certainty::Zip;
        }
        self.zip.last = std::mem::take(&mut self.zip.directory);
    }

    fn note_macros(&mut self, name: &[u8]) {
        const SHEETS: [&[u8]; 2] = [b"xl/macrosheets/", b"xl\\macrosheets\\"];
        if is_vba_project(name) {
            self.see(Kind::MacroDocument(Macro::OoxmlVba));
        }
        if SHEETS.into_iter().any(|sheets| begins_with(name, sheets)) {
            self.see(Kind::MacroDocument(Macro::OoxmlExcel4));
        }
    }

    /// The part is at its end: what is it?
    pub(super) fn finish_zip(&mut self) {
        let Zip { certainty, is_locked, has_doubt, last, .. } = self.zip;
        if certainty != Certainty::Zip {
            return;
        }
        if is_locked {
            self.see(Kind::Locked(Locked::Zip));
        }
        if has_doubt {
            self.see(Kind::Unreadable(Unreadable::ArchiveEntry));
        }
        let is_odf = last.mime_type && last.odf_manifest;
        if is_odf && last.odf_macros {
            self.see(Kind::MacroDocument(Macro::OpenDocument));
        }
        let class = Kind::Executable(Program::JavaClass);
        if last.java_manifest && self.seen.iter().any(|sighting| sighting.kind == class) {
            self.see(Kind::Executable(Program::JavaArchive));
        }
        if last.android_manifest {
            self.see(Kind::Executable(Program::Android));
        }
        let is_ooxml = last.content_types && last.relations;
        let is_epub = last.mime_type && last.epub_container;
        if !(is_ooxml || is_odf || is_epub) {
            self.see(Kind::Archive(Archive::Zip));
        }
    }
}

impl Directory {
    fn note(&mut self, name: &[u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        self.content_types |= is_content_types(name);
        self.relations |= is("_rels/.rels");
        self.mime_type |= is("mimetype");
        self.odf_manifest |= is("META-INF/manifest.xml");
        self.epub_container |= is("META-INF/container.xml");
        self.java_manifest |= is("META-INF/MANIFEST.MF");
        self.android_manifest |= is("AndroidManifest.xml");
        // `script-lb.xml` and `script-lc.xml` list what there is, which may be nothing.
        let is_list = name.ends_with(b"/script-lb.xml") || name.ends_with(b"/script-lc.xml");
        let basic = begins_with(name, b"Basic/") && name.ends_with(b".xml") && !is_list;
        let script = begins_with(name, b"Scripts/") && !name.ends_with(b"/");
        self.odf_macros |= basic || script;
    }
}

fn is_vba_project(name: &[u8]) -> bool {
    const NAME: &[u8; 14] = b"vbaProject.bin";
    name.last_chunk::<14>().is_some_and(|last| last.eq_ignore_ascii_case(NAME))
}

fn is_content_types(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"[Content_Types].xml")
}

fn begins_with(name: &[u8], beginning: &[u8]) -> bool {
    let first = name.get(..beginning.len()).unwrap_or_default();
    first.eq_ignore_ascii_case(beginning)
}

/// Whether a zip whose beginning this is most likely is a document: the first entry tells.
fn is_document(zip: &[u8]) -> bool {
    let name = zip.get(30..).unwrap_or_default();
    [&b"[Content_Types].xml"[..], b"_rels/.rels", b"mimetypeapplication/"]
        .iter()
        .any(|first| name.starts_with(first))
}

/// A little-endian number in a header.
fn u16_at<const N: usize>(header: &[u8; N], at: usize) -> u16 {
    u16::from_le_bytes([header[at], header[at + 1]])
}
