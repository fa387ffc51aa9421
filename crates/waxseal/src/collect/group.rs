//! The group that a socket is given to.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{Gid, chown};

/// Where groups are listed.
const GROUPS: &str = "/etc/group";

/// Why a socket could not be given to a group.
#[derive(Debug)]
pub(super) enum GroupFault {
    /// There is no such group on this machine.
    Unknown,
    /// The system does not permit it, or fails.
    System(io::Error),
}

impl fmt::Display for GroupFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(f, "there is no such group in {GROUPS}"),
            Self::System(error) => error.fmt(f),
        }
    }
}

/// Gives a file to a group, by name or number.
pub(super) fn give(path: &Path, group: &str) -> Result<(), GroupFault> {
    let number = match group.parse() {
        Ok(number) => number,
        Err(_) => {
            let groups = fs::read_to_string(GROUPS).map_err(GroupFault::System)?;
            find(&groups, group).ok_or(GroupFault::Unknown)?
        }
    };
    chown(path, None, Some(Gid::from_raw(number))).map_err(|error| GroupFault::System(error.into()))
}

/// The number of a group (group(5): `name:password:number:members`).
fn find(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        let groups = "root:x:0:\npostfix:x:114:waxseal\npostdrop:x:115:\nbad\nworse:x:y:\n";
        assert_eq!(find(groups, "postfix"), Some(114));
        assert_eq!(find(groups, "postdrop"), Some(115));
        for name in ["post", "bad", "worse", "", "waxseal"] {
            assert_eq!(find(groups, name), None, "{name}");
        }
    }

    #[test]
    fn a_file_and_its_group() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let own = file.as_file().metadata().unwrap().gid();
        give(file.path(), &own.to_string()).unwrap();
        let fault = give(file.path(), "no such group").unwrap_err();
        assert_eq!(fault.to_string(), "there is no such group in /etc/group");
    }
}
