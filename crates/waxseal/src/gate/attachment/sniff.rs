//! What the octets of a part are, found while they stream by.
//!
//! A [`Sniffer`] keeps a window of 64 KiB. Whenever it is full, everything that begins in its
//! first three quarters is looked at, so that whatever begins there has at least 16 KiB in sight,
//! or the end of the part. Only then the window moves on. So no reader of a format needs to care
//! about how the message was cut, and the result is the same for every cutting.
//!
//! What is packed is unpacked as far as it is worth it: the first octets of each entry of an
//! archive, and all of those entries that may be documents with macros. What comes out goes into a
//! sniffer of its own. What is packed more than twice is told and not looked into.

mod compound;
mod head;
mod inflate;
mod rtf;
mod tar;
mod tnef;
mod uuencoded;
mod zip;

use memchr::memmem;

use super::kind::{Kind, Macro, Program, Unreadable, Wrapper};
use super::search::{Search, Sighting};
use head::{Extent, Form};
use inflate::{Inflater, Progress};
use tnef::Tnef;
use uuencoded::Uuencoded;
use zip::Zip;

const WINDOW: usize = 64 * 1024;

/// What begins in the window up to here is looked at when the window is full.
const STEP: usize = WINDOW - LOOKAHEAD;

/// How many octets are in sight behind any that is looked at.
const LOOKAHEAD: usize = 16 * 1024;

/// How many octets of an entry are looked at to see what it is.
const SAMPLE: usize = 1024;

/// How deep archives are looked into: an archive in an archive, and no further.
const MAX_DEPTH: u8 = 2;

/// Where octets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A part that is shown as text, in which there may be uuencoded files.
    Text,
    /// A part that is uuencoded.
    Uuencode,
    /// A part to open or save.
    Attachment,
    /// Something that a part or another wrapper had in it.
    Wrapper,
    /// An entry of an archive, this deep.
    Entry(u8),
    /// `[Content_Types].xml` of an OOXML document, which says what its parts are.
    ContentTypes,
}

/// Looks at the octets of one part.
#[derive(Debug)]
pub(super) struct Sniffer {
    source: Source,
    window: Vec<u8>,
    /// The octet in front of the window.
    before: u8,
    /// What the first octets said. `None` until there were enough of them.
    head: Option<Form>,
    /// Compound files may also stand unpacked in an archive.
    has_compound: bool,
    zip: Zip,
    tnef: Tnef,
    uuencoded: Uuencoded,
    unpacking: Vec<Unpacking>,
    /// How many octets came behind the end of a gzip file's contents.
    behind: u64,
    seen: Vec<Sighting>,
}

/// An entry that is unpacked to its end.
#[derive(Debug)]
struct Unpacking {
    /// How many octets still to pass over before it begins.
    skip: usize,
    packing: Packing,
    child: Box<Sniffer>,
    wrapper: Wrapper,
    entry: Option<String>,
}

#[derive(Debug)]
enum Packing {
    Deflated(Inflater),
    /// Not packed; so many octets are left.
    Stored(u32),
}

impl Sniffer {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            window: Vec::new(),
            before: b'\n',
            head: None,
            has_compound: false,
            zip: Zip::default(),
            tnef: Tnef::default(),
            uuencoded: Uuencoded::default(),
            unpacking: Vec::new(),
            behind: 0,
            seen: Vec::new(),
        }
    }

    /// Takes the next octets.
    pub(super) fn push(&mut self, octets: &[u8], search: &mut Search) {
        let mut rest = octets;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(WINDOW - self.window.len()));
            self.window.extend_from_slice(now);
            if self.window.len() == WINDOW {
                let mut window = std::mem::take(&mut self.window);
                self.scan(&window, Extent::Beginning, search);
                self.before = window[STEP - 1];
                window.drain(..STEP);
                self.window = window;
            }
            rest = later;
        }
    }

    /// The part is at its end.
    pub(super) fn finish(mut self, search: &mut Search) -> Vec<Sighting> {
        let window = std::mem::take(&mut self.window);
        self.scan(&window, Extent::Whole, search);
        if let Some(kind) = head::tail(&window) {
            self.see(kind);
        }
        for unpacking in std::mem::take(&mut self.unpacking) {
            self.end_unpacking(unpacking, search);
        }
        self.finish_tnef(search);
        self.finish_uuencoded(search);
        self.finish_zip();
        // Eight octets behind the contents are the checksum and the length (RFC 1952 §2.3). More
        // are another member (§2.2), which is joined to the first when they are unpacked.
        if self.behind > 8 {
            self.see(Kind::Unreadable(Unreadable::ArchiveEntry));
        }
        self.seen
    }

    /// Looks at all that begins in the window and will leave it.
    fn scan(&mut self, window: &[u8], extent: Extent, search: &mut Search) {
        let to = match extent {
            Extent::Beginning => STEP,
            Extent::Whole => window.len(),
        };
        let form = match self.head {
            Some(form) => form,
            None => self.look_at_head(window, extent),
        };
        self.scan_zip(window, to, search);
        if self.has_compound {
            self.scan_compound(window, to);
        }
        match form {
            Form::Rtf => self.scan_rtf(window, to),
            Form::Tar => self.scan_tar(window, to, search),
            Form::Tnef => self.scan_tnef(window, to, search),
            Form::OneNote => self.scan_one_note(window, to),
            Form::Text if self.source != Source::Text => self.scan_text(window, to),
            Form::Zip | Form::Gzip | Form::Compound | Form::Text | Form::Other => {}
        }
        match self.source {
            Source::Text | Source::Uuencode => self.scan_uuencoded(window, to, search),
            Source::ContentTypes => self.scan_content_types(window),
            Source::Attachment | Source::Wrapper | Source::Entry(_) => {}
        }
    }

    /// How many archives this stands in.
    fn depth(&self) -> u8 {
        match self.source {
            Source::Text | Source::Uuencode | Source::Attachment | Source::Wrapper => 0,
            Source::Entry(depth) => depth,
            Source::ContentTypes => MAX_DEPTH,
        }
    }

    fn look_at_head(&mut self, window: &[u8], extent: Extent) -> Form {
        let head = head::look(window, extent);
        // Somebody may quote a script in a text; what is attached is one.
        let is_text = matches!(self.source, Source::Text | Source::Uuencode);
        const SCRIPT: Kind = Kind::Executable(Program::Script);
        if let Some(kind) = head.kind.filter(|kind| !(is_text && *kind == SCRIPT)) {
            self.see(kind);
        }
        match head.form {
            Form::Compound => self.has_compound = true,
            Form::Zip => self.zip.is_certain(),
            Form::Gzip if self.depth() < MAX_DEPTH => self.unpack_gzip(window),
            Form::Gzip | Form::Rtf | Form::Tar | Form::Tnef => {}
            Form::OneNote | Form::Text | Form::Other => {}
        }
        *self.head.insert(head.form)
    }

    /// A gzip file has a short header (RFC 1952 §2.3), and then what it packs.
    fn unpack_gzip(&mut self, window: &[u8]) {
        let Some((skip, name)) = head::gzip_header(window) else {
            return;
        };
        let packing = Packing::Deflated(Inflater::default());
        let child = Box::new(Sniffer::new(Source::Entry(self.depth() + 1)));
        let (wrapper, entry) = (Wrapper::Gzip, name);
        self.unpacking.push(Unpacking { skip, packing, child, wrapper, entry });
    }

    /// Embedded files are marked by a GUID (MS-ONESTORE §2.6.13), behind which stand the length in
    /// 8 octets, 12 unused octets, and the file.
    fn scan_one_note(&mut self, window: &[u8], to: usize) {
        const FILE: &[u8] = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";
        let finder = memmem::find_iter(window, FILE);
        for at in finder.take_while(|at| *at < to) {
            let file = window.get(at + 36..).unwrap_or_default();
            self.see_sample(&file[..file.len().min(SAMPLE)], Wrapper::OneNote, None);
        }
    }

    /// Office documents that are saved as XML or as a web page carry their macros in base64.
    fn scan_text(&mut self, window: &[u8], to: usize) {
        const MARKS: [&[u8]; 3] =
            [b"QWN0aXZlTWltZ", b"macrosPresent=\"yes\"", b"macrosPresent='yes'"];
        if MARKS.iter().any(|mark| memmem::find(window, mark).is_some_and(|at| at < to)) {
            self.see(Kind::MacroDocument(Macro::ActiveMime));
        }
    }

    /// A part of an OOXML document may have any name; its type says that it has macros. The text
    /// may be UTF-16, too.
    fn scan_content_types(&mut self, window: &[u8]) {
        let has = |needle: &[u8]| memmem::find(window, needle).is_some();
        if has(b"vbaProject") || has(b"v\0b\0a\0P\0r\0o\0j\0e\0c\0t") {
            self.see(Kind::MacroDocument(Macro::OoxmlVba));
        }
        if has(b"macrosheet") || has(b"m\0a\0c\0r\0o\0s\0h\0e\0e\0t") {
            self.see(Kind::MacroDocument(Macro::OoxmlExcel4));
        }
    }

    /// Tells what the first octets of something wrapped are. Returns the form.
    fn see_sample(&mut self, sample: &[u8], wrapper: Wrapper, entry: Option<&str>) -> Form {
        let head = head::look(sample, Extent::Beginning);
        if let Some(kind) = head.kind {
            self.see_wrapped(kind, wrapper, entry);
        }
        head.form
    }

    fn see(&mut self, kind: Kind) {
        self.keep(Sighting { kind, wrapper: None, entry: None });
    }

    fn see_wrapped(&mut self, kind: Kind, wrapper: Wrapper, entry: Option<&str>) {
        let entry = entry.map(str::to_owned);
        self.keep(Sighting { kind, wrapper: Some(wrapper), entry });
    }

    /// What a child has seen; what it calls its own has this wrapper.
    fn adopt(&mut self, seen: Vec<Sighting>, wrapper: Wrapper, entry: Option<&str>) {
        for sighting in seen {
            let entry = sighting.entry.or_else(|| entry.map(str::to_owned));
            self.keep(Sighting { kind: sighting.kind, wrapper: Some(wrapper), entry });
        }
    }

    /// The first of each kind and wrapper is kept, so there is a bound.
    fn keep(&mut self, sighting: Sighting) {
        let same = |one: &Sighting| (one.kind, one.wrapper) == (sighting.kind, sighting.wrapper);
        if !self.seen.iter().any(same) {
            self.seen.push(sighting);
        }
    }

    /// Octets for the entries that are unpacked.
    fn unpack(&mut self, octets: &[u8], search: &mut Search) {
        if self.unpacking.is_empty() && self.head == Some(Form::Gzip) {
            self.behind = self.behind.saturating_add(octets.len() as u64);
        }
        for mut unpacking in std::mem::take(&mut self.unpacking) {
            let (progress, behind) = unpacking.push(octets, search);
            match progress {
                Progress::More => {
                    self.unpacking.push(unpacking);
                    continue;
                }
                Progress::End => {}
                Progress::Broken if unpacking.wrapper == Wrapper::Gzip => {
                    self.see(Kind::Unreadable(Unreadable::ArchiveEntry));
                }
                // What only seems to be an entry, within another one, may well be none.
                Progress::Broken => self.zip.has_doubt |= self.unpacking.is_empty(),
            }
            if self.head == Some(Form::Gzip) {
                self.behind = self.behind.saturating_add(behind as u64);
            }
            self.end_unpacking(unpacking, search);
        }
    }

    fn end_unpacking(&mut self, unpacking: Unpacking, search: &mut Search) {
        let Unpacking { child, wrapper, entry, .. } = unpacking;
        let is_about_the_whole = child.source == Source::ContentTypes;
        let seen = child.finish(search);
        if is_about_the_whole {
            seen.into_iter().for_each(|sighting| self.keep(sighting));
        } else {
            self.adopt(seen, wrapper, entry.as_deref());
        }
    }
}

impl Unpacking {
    /// Takes the next octets. Returns how many of them stand behind the end.
    fn push(&mut self, octets: &[u8], search: &mut Search) -> (Progress, usize) {
        let (skipped, packed) = octets.split_at(self.skip.min(octets.len()));
        self.skip -= skipped.len();
        let child = &mut self.child;
        let mut sink = |unpacked: &[u8]| {
            let has_room = search.take_inflated(unpacked.len());
            if has_room {
                child.push(unpacked, search);
            }
            has_room
        };
        match &mut self.packing {
            Packing::Deflated(inflater) => {
                let (progress, used) = inflater.push(packed, &mut sink);
                (progress, packed.len() - used)
            }
            Packing::Stored(left) => {
                let fits = usize::try_from(*left).unwrap_or(usize::MAX).min(packed.len());
                *left -= u32::try_from(fits).unwrap_or(*left);
                let has_room = sink(&packed[..fits]);
                match packed.get(fits) {
                    _ if !has_room => (Progress::End, 0),
                    None => (Progress::More, 0),
                    // The next entry, or the directory, begins so; else the length was wrong.
                    Some(b'P') => (Progress::End, packed.len() - fits),
                    Some(_) => (Progress::Broken, packed.len() - fits),
                }
            }
        }
    }
}
