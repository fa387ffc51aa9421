//! Files and folders as a source of mails: single files, folders, Maildirs, mboxes, standard input.
//!
//! What a file is, its beginning says. One that begins with `From ` is an mbox, and each mail in it
//! is one of its own. A folder with `cur` and `new` in it is a Maildir: what lies there counts, and
//! the index files beside it do not. Of any other folder, everything counts.
//!
//! Nothing is changed, moved or deleted. Links to folders are not followed, for they may form a
//! ring; links to files are.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// How deep folders may lie in each other.
const MAX_DEPTH: usize = 32;

/// The name that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// A file to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it is; `-` is standard input.
    pub path: PathBuf,
    /// How many octets it has; 0 if that is not known.
    pub octets: u64,
}

/// What could not be opened or read.
#[derive(Debug)]
pub struct Unreadable {
    /// Where it is.
    pub path: PathBuf,
    /// What the system says.
    pub error: io::Error,
}

/// The files in these files and folders, in the order of their names, and what cannot be opened.
#[must_use]
pub fn list(paths: &[PathBuf]) -> (Vec<Listed>, Vec<Unreadable>) {
    let mut listing = Listing::default();
    for path in paths {
        listing.add(path, 0);
    }
    (listing.files, listing.unreadable)
}

#[derive(Default)]
struct Listing {
    files: Vec<Listed>,
    unreadable: Vec<Unreadable>,
}

impl Listing {
    fn add(&mut self, path: &Path, depth: usize) {
        if path == Path::new(STANDARD_INPUT) {
            return self.files.push(Listed { path: path.to_owned(), octets: 0 });
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => self.folder(path, depth),
            // Pipes and sockets below a folder would never end; one that was named was meant.
            Ok(found) if found.is_file() || depth == 0 => {
                self.files.push(Listed { path: path.to_owned(), octets: found.len() });
            }
            Ok(_) => {}
            Err(error) => self.fail(path, error),
        }
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        if depth > MAX_DEPTH {
            let problem = format!("expected at most {MAX_DEPTH} folders in each other, found more");
            return self.fail(path, io::Error::other(problem));
        }
        let mut entries = Vec::new();
        match fs::read_dir(path) {
            Ok(found) => {
                for entry in found {
                    match entry {
                        Ok(entry) => entries.push(entry),
                        Err(error) => self.fail(path, error),
                    }
                }
            }
            Err(error) => return self.fail(path, error),
        }
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        let has = |name: &str| entries.iter().any(|entry| entry.file_name() == name);
        let is_maildir = has("cur") && has("new");
        for entry in entries {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // Of a Maildir the mails, and folders below it as Maildir++ has them.
            let counts = match (is_maildir, is_folder) {
                (true, true) => name != "tmp",
                (true, false) => false,
                (false, _) => true,
            };
            let path = entry.path();
            if counts && !(is_link && path.is_dir()) {
                self.add(&path, depth + 1);
            }
        }
    }

    fn fail(&mut self, path: &Path, error: io::Error) {
        self.unreadable.push(Unreadable { path: path.to_owned(), error });
    }
}

/// Hands out each mail in a file with its name, at most `limit` and one more octets of it. Ends
/// early if `take` says so.
///
/// # Errors
/// If the file cannot be opened or read; what was handed out before stays so.
pub fn mails(
    file: &Listed,
    limit: usize,
    take: &mut dyn FnMut(String, Vec<u8>) -> Go,
) -> io::Result<()> {
    let name = file.path.display().to_string();
    let mut octets: Box<dyn BufRead> = match file.path == Path::new(STANDARD_INPUT) {
        true => Box::new(BufReader::new(io::stdin())),
        false => Box::new(BufReader::with_capacity(64 * 1024, File::open(&file.path)?)),
    };
    let mut start = Vec::with_capacity(5);
    octets.by_ref().take(5).read_to_end(&mut start)?;
    if start == b"From " {
        return mbox(&name, start, octets, limit, take);
    }
    let mut whole = start;
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    octets.take(most).read_to_end(&mut whole)?;
    take(name, whole);
    Ok(())
}

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// On.
    On,
    /// No.
    Stop,
}

/// RFC 4155, Appendix A: a mail begins with a line `From ` behind an empty line.
fn mbox(
    name: &str,
    start: Vec<u8>,
    mut octets: Box<dyn BufRead>,
    limit: usize,
    take: &mut dyn FnMut(String, Vec<u8>) -> Go,
) -> io::Result<()> {
    let mut mail = start;
    let mut number = 1_u64;
    let mut is_behind_empty = false;
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line is bounded, too: one without end would be a mail without end.
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        octets.by_ref().take(most).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            take(format!("{name}, mail {number}"), mail);
            return Ok(());
        }
        if is_behind_empty && line.starts_with(b"From ") {
            let whole = std::mem::take(&mut mail);
            if take(format!("{name}, mail {number}"), whole) == Go::Stop {
                return Ok(());
            }
            number += 1;
        }
        is_behind_empty = matches!(line.as_slice(), b"\n" | b"\r\n");
        let room = (limit + 1).saturating_sub(mail.len());
        mail.extend_from_slice(&line[..line.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, limit: usize) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box");
        fs::write(&path, text).unwrap();
        let mut found = Vec::new();
        mails(&Listed { path, octets: 0 }, limit, &mut |name, octets| {
            let name = name.rsplit('/').next().unwrap().to_owned();
            found.push((name, String::from_utf8(octets).unwrap()));
            Go::On
        })
        .unwrap();
        found
    }

    #[test]
    fn mboxes() {
        let text = "From a\nX: 1\n\nbody\nFrom here on\n\nFrom b\nX: 2\n\n";
        let found = split(text, 100);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], ("box, mail 1".into(), text[..text.find("From b").unwrap()].into()));
        assert_eq!(found[1], ("box, mail 2".into(), "From b\nX: 2\n\n".into()));
        assert_eq!(split("From ", 100).len(), 1);
        let long = format!("From a\n{}\n\nFrom b\n", "x".repeat(500));
        let found = split(&long, 100);
        assert_eq!((found[0].1.len(), found[1].1.as_str()), (101, "From b\n"));
    }

    #[test]
    fn single_files() {
        assert_eq!(split("<feedback/>", 100), [("box".into(), "<feedback/>".into())]);
        assert_eq!(split("", 100), [("box".into(), String::new())]);
        assert_eq!(split(&"x".repeat(200), 100)[0].1.len(), 101 + 5);
    }

    #[test]
    fn maildirs_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["cur", "new", "tmp", ".Reports/cur", ".Reports/new", "other"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        for path in ["cur/1:2,S", "new/2", "tmp/3", "dovecot.index", ".Reports/cur/4", "other/5"] {
            fs::write(root.join(path), "x").unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("other/ring")).unwrap();
        let (files, unreadable) = list(&[root.to_owned(), root.join("missing")]);
        let names: Vec<_> = files
            .iter()
            .map(|file| file.path.strip_prefix(root).unwrap().display().to_string())
            .collect();
        assert_eq!(names, [".Reports/cur/4", "cur/1:2,S", "new/2", "other/5"]);
        assert_eq!(unreadable.len(), 1);
    }
}
