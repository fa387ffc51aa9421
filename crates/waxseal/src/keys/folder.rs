//! Folders for secrets: what is written is whole or not there, and only its owner reads it.
//!
//! Every name is looked up relative to an open folder, and no symbolic link is followed below the
//! state folder: `waxseal dkim`, started by root, works in a folder of the user `waxseal`, and must
//! not be led by that user to files of others. For the same reason what root makes there is given to
//! the folder's owner, so that the daemon can read it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};

/// What the name of a file begins with until it is whole.
const DRAFT: &str = ".new-";

/// The longest file that is read.
const MAX_OCTETS: u64 = 1024 * 1024;

/// An open folder.
pub(super) struct Folder {
    handle: OwnedFd,
    path: PathBuf,
    /// To whom new files are given, if not to us.
    heir: Option<Heir>,
}

#[derive(Clone, Copy)]
struct Heir {
    user: u32,
    group: u32,
}

/// A file as it was read.
pub(super) struct Content {
    /// Its octets.
    pub(super) octets: Vec<u8>,
    /// Whether others than its owner may read or write it.
    pub(super) is_exposed: bool,
}

impl Folder {
    /// Opens a folder that is somebody's choice, so links to it are followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let handle = rustix::fs::openat(CWD, path, folder_flags(), Mode::empty())?;
        let owner = File::from(handle.try_clone()?).metadata()?;
        let is_ours = owner.uid() == rustix::process::geteuid().as_raw();
        let can_give = rustix::process::geteuid().is_root();
        let heir = (can_give && !is_ours).then_some(Heir { user: owner.uid(), group: owner.gid() });
        Ok(Self { handle, path: path.to_owned(), heir })
    }

    /// Its path, for people.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder `name` in it; `None` if there is nothing of that name, or no folder.
    pub(super) fn folder(&self, name: &str) -> io::Result<Option<Self>> {
        let flags = folder_flags() | OFlags::NOFOLLOW;
        match rustix::fs::openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => Ok(Some(Self { handle, path: self.path.join(name), heir: self.heir })),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The folder `name` in it, which is made if it is not there; for its owner alone.
    pub(super) fn make_folder(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.handle, name, Mode::RWXU) {
            Ok(()) => {
                let made = self.folder(name)?.ok_or(io::ErrorKind::NotADirectory)?;
                self.bequeath(&File::from(made.handle.try_clone()?))?;
                self.sync()?;
                Ok(made)
            }
            Err(rustix::io::Errno::EXIST) => {
                Ok(self.folder(name)?.ok_or(io::ErrorKind::NotADirectory)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The names of all that is in it, sorted. A name that is not UTF-8 is none of ours, and comes
    /// with replacement characters.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_string_lossy();
            if name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads a file of at most 1 MiB; `None` if it is not there.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Content>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => File::from(handle),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("expected a file, found something else"));
        }
        let mut octets = Vec::new();
        file.take(MAX_OCTETS + 1).read_to_end(&mut octets)?;
        if u64::try_from(octets.len()).unwrap_or(u64::MAX) > MAX_OCTETS {
            return Err(io::Error::other(format!("expected at most {MAX_OCTETS} octets")));
        }
        let is_exposed = metadata.permissions().mode() & 0o077 != 0;
        Ok(Some(Content { octets, is_exposed }))
    }

    /// What changes whenever the file `name` is written anew; `None` if it is not there.
    pub(super) fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(Stamp {
                inode: found.st_ino,
                modified: found.st_mtime,
                modified_nanoseconds: found.st_mtime_nsec,
                octets: found.st_size,
            })),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file for its owner alone. Until it is whole and on the disk, the old one stays.
    pub(super) fn write(&self, name: &str, octets: &[u8]) -> io::Result<()> {
        let draft = format!("{DRAFT}{name}");
        let written = self
            .write_draft(&draft, octets)
            .and_then(|()| Ok(rustix::fs::renameat(&self.handle, &*draft, &self.handle, name)?));
        if written.is_err() {
            let _ = self.delete(&draft);
        }
        written
    }

    fn write_draft(&self, draft: &str, octets: &[u8]) -> io::Result<()> {
        // What a crash has left.
        self.delete(draft)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(rustix::fs::openat(&self.handle, draft, flags, mode)?);
        self.bequeath(&file)?;
        file.write_all(octets)?;
        file.sync_all()
    }

    /// Makes sure that what was written, renamed and deleted so far outlives a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.handle)?)
    }

    /// Deletes a file, if it is there.
    pub(super) fn delete(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes files that a crash has left unfinished. Only who holds the lock may know that
    /// nobody is writing them.
    pub(super) fn delete_drafts(&self) -> io::Result<()> {
        let names = self.names()?;
        let mut drafts = names.iter().filter(|name| name.starts_with(DRAFT));
        drafts.try_for_each(|name| self.delete(name))
    }

    /// Gives a folder in it another name. An empty folder of that name is replaced.
    pub(super) fn rename_folder(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.handle, from, &self.handle, to)?)
    }

    /// Deletes a folder in it with the files that are in that.
    pub(super) fn delete_folder(&self, name: &str) -> io::Result<()> {
        let Some(folder) = self.folder(name)? else { return Ok(()) };
        for file in folder.names()? {
            folder.delete(&file)?;
        }
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR)?)
    }

    /// Opens the file `name` to be locked; it is made if it is not there.
    pub(super) fn open_lock(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = File::from(rustix::fs::openat(&self.handle, name, flags, mode)?);
        self.bequeath(&file)?;
        Ok(file)
    }

    fn bequeath(&self, file: &File) -> io::Result<()> {
        match self.heir {
            Some(Heir { user, group }) => std::os::unix::fs::fchown(file, Some(user), Some(group)),
            None => Ok(()),
        }
    }
}

/// What changes whenever a file is written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    modified: i64,
    modified_nanoseconds: u64,
    octets: i64,
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_are_whole_private_and_found_again() {
        let scratch = tempfile::tempdir().unwrap();
        let top = Folder::open(scratch.path()).unwrap();
        let folder = top.make_folder("a.test").unwrap();
        assert!(top.make_folder("a.test").is_ok(), "it is there already");
        assert!(folder.read("file").unwrap().is_none());
        assert_eq!(folder.stamp("file").unwrap(), None);
        folder.write("file", b"one").unwrap();
        let first = folder.stamp("file").unwrap();
        folder.write("file", b"two").unwrap();
        assert_ne!(folder.stamp("file").unwrap(), first);
        let content = folder.read("file").unwrap().unwrap();
        assert_eq!((&*content.octets, content.is_exposed), (&b"two"[..], false));
        assert_eq!(folder.names().unwrap(), ["file"]);
        let mode = |path: &str| {
            scratch.path().join(path).metadata().unwrap().permissions().mode() & 0o7777
        };
        assert_eq!((mode("a.test"), mode("a.test/file")), (0o700, 0o600));
        top.delete_folder("a.test").unwrap();
        assert_eq!(top.names().unwrap(), [""; 0]);
        assert!(top.folder("a.test").unwrap().is_none());
    }

    #[test]
    fn what_a_crash_leaves_is_in_nobodys_way() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::open(scratch.path()).unwrap();
        for name in [".new-file", ".new-other"] {
            std::fs::write(scratch.path().join(name), "half").unwrap();
        }
        folder.write("file", b"whole").unwrap();
        assert_eq!(folder.names().unwrap(), [".new-other", "file"]);
        folder.delete_drafts().unwrap();
        assert_eq!(folder.names().unwrap(), ["file"]);
    }

    /// Links lead nowhere, whether read, written, entered or deleted.
    #[test]
    fn links_are_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("target");
        std::fs::write(&target, "secret").unwrap();
        let folder = Folder::open(scratch.path()).unwrap();
        symlink(elsewhere.path(), scratch.path().join("a.test")).unwrap();
        for name in ["file", ".new-file", "lock"] {
            symlink(&target, scratch.path().join(name)).unwrap();
        }
        assert!(folder.folder("a.test").unwrap().is_none());
        assert!(folder.make_folder("a.test").is_err());
        assert!(folder.read("file").is_err());
        assert!(folder.open_lock("lock").is_err());
        folder.write("file", b"mine").unwrap();
        folder.delete_folder("a.test").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"secret");
        assert_eq!(folder.read("file").unwrap().unwrap().octets, b"mine");
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::open(scratch.path()).unwrap();
        folder.write("file", b"old").unwrap();
        std::fs::create_dir(scratch.path().join(".new-file")).unwrap();
        assert!(folder.write("file", b"new").is_err());
        assert_eq!(folder.read("file").unwrap().unwrap().octets, b"old");
    }
}
