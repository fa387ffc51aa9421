//! Following the log of a Postfix that cannot tell us otherwise.
//!
//! A log is the poorest of the ways in: it does not name the policy or the record, and what is
//! written while we are not there is not read later: we begin at the end of the file, and where we
//! are is not written down. It is read once a second, over rotations (by renaming, and by copying
//! and truncating) as `tail -F` does.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::lines::{Line, Lines};

/// How many octets a line has at most; syslog's are far shorter.
const MAX_LINE: usize = 16 * 1024;

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// How much is read in one [step](Follower::step), so that nobody waits for it for long.
const STEP: u64 = 16 * 1024 * 1024;

/// A log file, as it grows and moves.
pub(super) struct Follower {
    path: PathBuf,
    open: Option<Open>,
    lines: Lines,
    /// Where to begin in the next file that is opened.
    begin: SeekFrom,
}

struct Open {
    file: File,
    device: u64,
    inode: u64,
    offset: u64,
}

impl Follower {
    /// Follows this file from its end on. It need not be there yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: None, lines: Lines::new(MAX_LINE), begin: SeekFrom::End(0) }
    }

    /// Hands on every line that was written since the last step.
    ///
    /// # Errors
    /// If the file cannot be read; a later step may find that it can.
    pub(super) fn step(&mut self, take: &mut dyn FnMut(&str)) -> io::Result<()> {
        if self.open.is_none() {
            self.open()?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.file.metadata()?.len() < open.offset {
            // It was truncated, and what is in it now is new.
            open.offset = open.file.seek(SeekFrom::Start(0))?;
            self.lines.clear();
        }
        let mut read: u64 = 0;
        let mut piece = vec![0; PIECE];
        while read < STEP {
            let octets = match open.file.read(&mut piece) {
                Ok(0) => break,
                Ok(octets) => octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let got = u64::try_from(octets).unwrap_or(u64::MAX);
            read = read.saturating_add(got);
            open.offset = open.offset.saturating_add(got);
            let mut hand_on = |line: Line<'_>| {
                // A line that is too long is none of Postfix's.
                if let Line::Whole(line) = line {
                    take(&String::from_utf8_lossy(line));
                }
            };
            self.lines.push(piece.get(..octets).unwrap_or_default(), &mut hand_on);
        }
        // Who rotates may write to the old file for a moment, so it is left when nothing comes.
        if read == 0 && self.is_elsewhere()? {
            self.open = None;
            self.lines.clear();
            self.open()?;
            return self.step(take);
        }
        Ok(())
    }

    /// Whether another file has taken the place of the one that is open.
    fn is_elsewhere(&self) -> io::Result<bool> {
        let Some(open) = &self.open else { return Ok(false) };
        match std::fs::metadata(&self.path) {
            Ok(now) => Ok((now.dev(), now.ino()) != (open.device, open.inode)),
            // It was moved, and the next one is not there yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn open(&mut self) -> io::Result<()> {
        // Whatever appears from now on is new.
        let begin = std::mem::replace(&mut self.begin, SeekFrom::Start(0));
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                self.begin = begin;
                return Err(error);
            }
        };
        let metadata = file.metadata()?;
        let offset = file.seek(begin)?;
        self.open = Some(Open { file, device: metadata.dev(), inode: metadata.ino(), offset });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    fn append(path: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn step(follower: &mut Follower) -> Vec<String> {
        let mut lines = Vec::new();
        follower.step(&mut |line| lines.push(line.to_owned())).unwrap();
        lines
    }

    #[test]
    fn it_begins_at_the_end_and_waits_for_whole_lines() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("mail.log");
        append(&path, "old\nold, too");
        let mut follower = Follower::new(path.clone());
        assert!(step(&mut follower).is_empty());
        append(&path, " is this\none\ntw");
        assert_eq!(step(&mut follower), [" is this", "one"]);
        append(&path, "o\n");
        assert_eq!(step(&mut follower), ["two"]);
        assert!(step(&mut follower).is_empty());
    }

    #[test]
    fn a_file_that_comes_later_is_read_whole() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("mail.log");
        let mut follower = Follower::new(path.clone());
        assert!(step(&mut follower).is_empty());
        append(&path, "one\n");
        assert_eq!(step(&mut follower), ["one"]);
    }

    #[test]
    fn rotation_by_renaming() {
        let scratch = tempfile::tempdir().unwrap();
        let (path, old) = (scratch.path().join("mail.log"), scratch.path().join("mail.log.1"));
        append(&path, "");
        let mut follower = Follower::new(path.clone());
        step(&mut follower);
        append(&path, "one\n");
        fs::rename(&path, &old).unwrap();
        assert_eq!(step(&mut follower), ["one"]);
        assert!(step(&mut follower).is_empty(), "the next file is not there yet");
        append(&path, "three\n");
        append(&old, "two\n");
        assert_eq!(step(&mut follower), ["two"]);
        assert_eq!(step(&mut follower), ["three"]);
        append(&path, "four\n");
        assert_eq!(step(&mut follower), ["four"]);
    }

    #[test]
    fn rotation_by_truncating() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("mail.log");
        append(&path, "");
        let mut follower = Follower::new(path.clone());
        step(&mut follower);
        append(&path, "a long line\nand one that has begun");
        assert_eq!(step(&mut follower), ["a long line"]);
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        append(&path, "new\n");
        assert_eq!(step(&mut follower), ["new"]);
    }

    #[test]
    fn what_is_no_file_is_told() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(Follower::new(scratch.path().into()).step(&mut |_| {}).is_err());
    }
}
