//! Files that nobody else may read.

use std::fs::File;
use std::path::Path;

/// Makes an empty file, if there is none, that only its owner can read: which domains somebody
/// writes to is nobody's business. SQLite gives the files beside it the same permissions.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().create(true).append(true).mode(0o600).open(path).map(drop)
}
