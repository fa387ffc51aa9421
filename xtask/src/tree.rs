//! The project's files on disk.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::StepError;

/// The root of the project.
pub(crate) fn root() -> &'static Path {
    // This crate lies directly below it.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo builds.
pub(crate) fn target_folder() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.unwrap_or_else(|| root().join("target"))
}

/// A file as text.
pub(crate) fn read(path: &Path) -> Result<String, StepError> {
    fs::read_to_string(path).map_err(StepError::file(path))
}

/// A path as it is written in messages and tables: relative to the root.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The names in a folder, sorted, without those that begin with a dot.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, StepError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(StepError::file(folder))? {
        let path = entry.map_err(StepError::file(folder))?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// All files below a folder whose names end in `extension`, sorted; none if there is no folder.
pub(crate) fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, StepError> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for path in entries(folder)? {
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|one| one == extension) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The crates of the core, L0 to L2: all below `crates/` but the program itself.
pub(crate) fn core_crates() -> Result<Vec<String>, StepError> {
    let folders = entries(&root().join("crates"))?;
    let names = folders.iter().filter(|folder| folder.join("Cargo.toml").exists());
    let names = names.filter_map(|folder| folder.file_name()?.to_str());
    Ok(names.filter(|name| *name != "waxseal").map(str::to_owned).collect())
}
