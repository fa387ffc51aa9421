//! What an attachment can be, in words for machines and for people.
//!
//! A [`Kind`] says what was recognized, to the format; its [`Class`] is what a rule is made for.
//! There are few classes, because an operator must be able to think about each of them.

use std::fmt;

/// Enums whose variants have a stable name for machines and a phrase for people.
macro_rules! formats {
    ($($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal, $phrase:literal;)+ })+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $(#[doc = concat!("`", $code, "`: ", $phrase, ".")] $(#[$doc])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// A stable name for machines: lower case and hyphens.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }

        impl fmt::Display for $name {
            /// A phrase for people, to stand in a sentence.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $phrase,)+ })
            }
        }
    )+};
}

formats! {
    /// What a rule is made for.
    Class {
        Executable = "executable", "something that runs when it is opened";
        MacroDocument = "macro-document", "a document that can carry a program";
        ClosedArchive = "closed-archive", "an archive or document that cannot be looked into";
        Archive = "archive", "an archive that was looked into";
        Sealed = "sealed", "a message inside a message, encrypted or signed as a whole";
        Unreadable = "unreadable", "a structure that mail programs read in different ways";
    }

    /// What runs when it is opened.
    ///
    /// Only what its content gives away. Batch files, DOS `.com` files, JScript, VBScript, HTA and
    /// shortcuts to web addresses are text or machine code without any mark; no reader of content
    /// can tell them from other text.
    Program {
        Windows = "windows-program", "a Windows program (PE)";
        Dos = "dos-program", "a DOS or 16-bit Windows program (MZ)";
        Elf = "elf-program", "a Linux or BSD program (ELF)";
        MachO = "macos-program", "a macOS program (Mach-O)";
        JavaClass = "java-class", "a Java class";
        JavaArchive = "java-archive", "a Java archive with classes";
        Android = "android-program", "an Android program";
        Shortcut = "windows-shortcut", "a Windows shortcut";
        Installer = "windows-installer", "a Windows installer package (MSI)";
        CompiledHelp = "compiled-help", "compiled HTML help (CHM)";
        /// Begins with `#!`. Not said of the text of a message, only of what is attached.
        Script = "script", "a script that names its interpreter";
        AppleScript = "apple-script", "a compiled AppleScript";
    }

    /// How a document carries a program.
    Macro {
        OoxmlVba = "ooxml-vba", "an Office document (OOXML) with VBA macros";
        OoxmlExcel4 = "ooxml-excel4", "an Excel workbook (OOXML) with a sheet of Excel 4 macros";
        CompoundVba = "ole-vba", "an Office document (OLE2) with VBA macros";
        CompoundExcel4 = "ole-excel4", "an Excel workbook (OLE2) with a sheet of Excel 4 macros";
        OpenDocument = "opendocument-macro", "an OpenDocument file with macros";
        ActiveMime = "activemime", "an Office document as XML or web page, with macros (ActiveMime)";
        RtfObject = "rtf-object", "a rich text document (RTF) with an embedded object";
        OneNote = "onenote", "a OneNote section, which can embed any file";
    }

    /// The format of an archive, or of an image that a click mounts as a disk.
    Archive {
        Zip = "zip", "a zip archive";
        Gzip = "gzip", "a gzip file";
        Tar = "tar", "a tar archive";
        /// What Outlook calls winmail.dat.
        Tnef = "tnef", "attachments wrapped by Outlook (TNEF)";
        Rar = "rar", "a RAR archive";
        SevenZip = "7z", "a 7z archive";
        Cab = "cab", "a Windows cabinet";
        Bzip2 = "bzip2", "a bzip2 file";
        Xz = "xz", "an xz file";
        Zstd = "zstd", "a zstd file";
        Lzip = "lzip", "an lzip file";
        Compress = "compress", "a file of Unix compress";
        Ace = "ace", "an ACE archive";
        Arj = "arj", "an ARJ archive";
        Lha = "lha", "an LHA archive";
        Ar = "ar", "an ar archive or Debian package";
        Cpio = "cpio", "a cpio archive";
        Rpm = "rpm", "an RPM package";
        Xar = "xar", "a xar archive or macOS package";
        Iso = "iso", "an image of a CD or DVD (ISO 9660 or UDF)";
        DiskImage = "disk-image", "an image of a disk";
    }

    /// What needs a password.
    Locked {
        Zip = "encrypted-zip", "a zip archive with encrypted entries";
        Office = "encrypted-office", "an encrypted Office document";
    }

    /// A message that only the program of its recipient unwraps.
    Sealed {
        SmimeSigned = "smime-signed", "an S/MIME message signed as a whole";
        SmimeEncrypted = "smime-encrypted", "an encrypted S/MIME message";
        SmimeCompressed = "smime-compressed", "a compressed S/MIME message";
        OpenPgp = "openpgp", "an encrypted or signed OpenPGP message";
    }

    /// Why the structure of a message, or of an archive in it, is not beyond doubt. Each of these
    /// is read differently by different programs, so that a filter may see something else than the
    /// recipient does.
    Unreadable {
        NoBoundary = "no-boundary", "a multipart without a usable boundary";
        BoundaryTooLong = "boundary-too-long", "a multipart with too long a boundary";
        NoDelimiter = "no-delimiter", "a multipart whose boundary never comes";
        AmbiguousDelimiter = "ambiguous-delimiter", "a line that may or may not delimit parts";
        PartAfterClose = "part-after-close", "a part behind the end of its multipart";
        HeaderLine = "header-line", "a line in a header that may or may not be a field";
        HeaderTooLong = "header-too-long", "a field of the header that is too long";
        RepeatedField = "repeated-field", "a field of the header with two different values";
        Parameters = "parameters", "a field of the header with doubtful parameters";
        Encoding = "encoding", "an unknown transfer encoding";
        Base64 = "base64", "base64 that decoders read differently";
        EncodedMessage = "encoded-message", "an attached message in a forbidden encoding";
        PartialMessage = "partial-message", "a fragment of a message";
        ArchiveEntry = "archive-entry", "an archive with an entry that cannot be looked at";
    }

    /// Which bound of [`Limits`](super::Limits) a message went beyond. What came behind was not
    /// looked at.
    Incomplete {
        Parts = "parts", "the message has too many parts";
        Depth = "depth", "the parts are nested too deeply";
        Entries = "entries", "the archives have too many entries";
        Inflated = "inflated", "the archives are too large when unpacked";
    }

    /// What an attachment was packed in.
    Wrapper {
        Zip = "zip", "in a zip archive";
        Gzip = "gzip", "in a gzip file";
        Tar = "tar", "in a tar archive";
        Tnef = "tnef", "wrapped by Outlook (TNEF)";
        OneNote = "onenote", "in a OneNote section";
        Uuencode = "uuencode", "uuencoded in the text";
    }
}

/// What was recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It runs.
    Executable(Program),
    /// A document that carries a program, or can.
    MacroDocument(Macro),
    /// It needs a password.
    Locked(Locked),
    /// An archive.
    Archive(Archive),
    /// Only the recipient's program unwraps it.
    Sealed(Sealed),
    /// Programs read it in different ways.
    Unreadable(Unreadable),
}

impl Kind {
    /// What a rule is made for.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Executable(_) => Class::Executable,
            Self::MacroDocument(_) => Class::MacroDocument,
            Self::Locked(_) => Class::ClosedArchive,
            Self::Archive(Archive::Zip | Archive::Gzip | Archive::Tar | Archive::Tnef) => {
                Class::Archive
            }
            Self::Archive(_) => Class::ClosedArchive,
            Self::Sealed(_) => Class::Sealed,
            Self::Unreadable(_) => Class::Unreadable,
        }
    }

    /// A stable name for machines, for example `windows-program`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Executable(program) => program.as_str(),
            Self::MacroDocument(form) => form.as_str(),
            Self::Locked(locked) => locked.as_str(),
            Self::Archive(archive) => archive.as_str(),
            Self::Sealed(sealed) => sealed.as_str(),
            Self::Unreadable(unreadable) => unreadable.as_str(),
        }
    }

    /// All kinds, the ones of one class together.
    pub fn all() -> impl Iterator<Item = Self> {
        let programs = Program::ALL.iter().copied().map(Self::Executable);
        let macros = Macro::ALL.iter().copied().map(Self::MacroDocument);
        let locked = Locked::ALL.iter().copied().map(Self::Locked);
        let archives = Archive::ALL.iter().copied().map(Self::Archive);
        let sealed = Sealed::ALL.iter().copied().map(Self::Sealed);
        let unreadable = Unreadable::ALL.iter().copied().map(Self::Unreadable);
        programs.chain(macros).chain(locked).chain(archives).chain(sealed).chain(unreadable)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Executable(program) => program.fmt(f),
            Self::MacroDocument(form) => form.fmt(f),
            Self::Locked(locked) => locked.fmt(f),
            Self::Archive(archive) => archive.fmt(f),
            Self::Sealed(sealed) => sealed.fmt(f),
            Self::Unreadable(unreadable) => unreadable.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        let names: Vec<_> = Kind::all().map(Kind::as_str).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        for name in names {
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
        }
        assert!(Kind::all().all(|kind| !kind.to_string().contains(['.', '\n'])));
    }

    #[test]
    fn only_what_is_looked_into_is_an_open_archive() {
        assert_eq!(Kind::Archive(Archive::Zip).class(), Class::Archive);
        assert_eq!(Kind::Archive(Archive::Rar).class(), Class::ClosedArchive);
        assert_eq!(Kind::Locked(Locked::Zip).class(), Class::ClosedArchive);
    }
}
