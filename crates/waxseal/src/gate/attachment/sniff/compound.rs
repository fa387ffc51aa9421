//! Compound files (MS-CFB), also called OLE2: Office documents before 2007, installer packages,
//! and encrypted documents of today.
//!
//! A compound file is a file system, whose directory may stand anywhere. It is not followed; the
//! names in it are 16-bit letters, and are found wherever they stand.

use memchr::memmem;

use super::super::kind::{Kind, Locked, Macro, Program, Wrapper};
use super::Sniffer;
use super::head::Form;

/// The first octets of a compound file.
pub(super) const MAGIC: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// MS-OVBA §2.3.4.1: a project of macros has a stream of this name, and in Excel it stands in a
/// storage whose name begins so. Names are compared without case (MS-CFB §2.6.4).
const VBA_PROJECT: &[u8] = b"_VBA_PROJECT";

/// MS-OFFCRYPTO §2.3.3.1: an encrypted document is one stream of this name.
const ENCRYPTED_PACKAGE: &[u8] = b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0";

/// The class of an installer database is {000C10xx-0000-0000-C000-000000000046}; this is what
/// follows xx: packages have 84, patches 86, transforms 82.
const INSTALLER: &[u8] = b"\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";

/// The beginning of a workbook: BOF of BIFF8 for globals (MS-XLS §2.4.21).
const WORKBOOK: &[u8] = b"\x09\x08\x10\0\0\x06\x05\0";

impl Sniffer {
    /// Looks at what begins before `to`.
    pub(super) fn scan_compound(&mut self, window: &[u8], to: usize) {
        if has_vba_project(window, to) {
            self.see_compound(Kind::MacroDocument(Macro::CompoundVba));
        }
        if memmem::find(window, ENCRYPTED_PACKAGE).is_some_and(|at| at < to) {
            self.see_compound(Kind::Locked(Locked::Office));
        }
        for at in memmem::find_iter(window, INSTALLER).take_while(|at| *at < to) {
            if at > 0 && matches!(window[at - 1], 0x82 | 0x84 | 0x86) {
                self.see_compound(Kind::Executable(Program::Installer));
            }
        }
        for at in memmem::find_iter(window, WORKBOOK).take_while(|at| *at < to) {
            // MS-XLS §2.4.117: what follows FilePass is encrypted.
            if window.get(at + 20..at + 22) == Some(b"\x2f\0") {
                self.see_compound(Kind::Locked(Locked::Office));
            }
        }
        if has_macro_sheet(window, to) {
            self.see_compound(Kind::MacroDocument(Macro::CompoundExcel4));
        }
    }

    /// A compound file is the part itself, or stands unpacked in an archive.
    fn see_compound(&mut self, kind: Kind) {
        match self.head {
            Some(Form::Compound) => self.see(kind),
            Some(Form::Tar) => self.see_wrapped(kind, Wrapper::Tar, None),
            _ => self.see_wrapped(kind, Wrapper::Zip, None),
        }
    }
}

fn has_vba_project(window: &[u8], to: usize) -> bool {
    memmem::find_iter(window, b"_\0").take_while(|at| *at < to).any(|at| {
        let name = window[at..].as_chunks::<2>().0;
        let letters = name.iter().zip(VBA_PROJECT);
        let same =
            |([low, high], letter): (&[u8; 2], &u8)| *high == 0 && low.eq_ignore_ascii_case(letter);
        name.len() >= VBA_PROJECT.len() && letters.into_iter().all(same)
    })
}

/// MS-XLS §2.4.28, BoundSheet8: type 0x85, length, position of the sheet (4), whether it is hidden
/// (1), what it is (1; a macro sheet is 1), and its name: count, width, letters.
fn has_macro_sheet(window: &[u8], to: usize) -> bool {
    memmem::find_iter(window, b"\x85\0").take_while(|at| *at < to).any(|at| {
        let Some([_, _, low, high, _, _, _, _, hidden, sheet, count, width]) =
            window[at..].first_chunk::<12>()
        else {
            return false;
        };
        let length = 8 + u16::from(*count) * (1 + u16::from(*width & 1));
        u16::from_le_bytes([*low, *high]) == length
            && *sheet == 1
            && *hidden <= 2
            && *width <= 1
            && *count > 0
    })
}
