//! Files that the program makes from its own definition: man pages and the sample configuration.
//!
//! They are committed, so that they can be read and packaged without building. `cargo xtask
//! generate` writes them, and `cargo xtask test` fails when they differ from what it would write.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{cargo, output};
use crate::error::StepError;
use crate::tree;

/// A page for each verb, and one for the configuration file. Nothing else lies there.
const MAN_PAGES: &str = "docs/man";
const SAMPLE: &str = "docs/waxseal.toml.sample";

/// The content of each file, by its path relative to the root.
type Files = BTreeMap<String, Vec<u8>>;

/// Writes all of them, and takes away man pages that the program no longer has.
pub(crate) fn write() -> Result<(), StepError> {
    let made = made()?;
    for path in committed()?.keys().filter(|path| !made.contains_key(*path)) {
        let path = tree::root().join(path);
        fs::remove_file(&path).map_err(StepError::file(&path))?;
    }
    for (name, content) in made {
        let path = tree::root().join(&name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StepError::file(folder))?;
        }
        fs::write(&path, content).map_err(StepError::file(&path))?;
        println!("{name}");
    }
    Ok(())
}

/// Compares all of them with what is committed.
pub(crate) fn check() -> Result<(), StepError> {
    let made = made()?;
    let faults = differences(&made, &committed()?);
    StepError::from_faults("run `cargo xtask generate` and commit what it writes", faults)?;
    println!("{} files are up to date", made.len());
    Ok(())
}

fn differences(made: &Files, committed: &Files) -> Vec<String> {
    let lost = made.iter().filter_map(|(name, content)| match committed.get(name) {
        Some(found) if found == content => None,
        Some(_) => Some(format!("{name}: differs from what the program makes")),
        None => Some(format!("{name}: the program makes it, and it is not there")),
    });
    let strange = committed.keys().filter(|name| !made.contains_key(*name));
    lost.chain(strange.map(|name| format!("{name}: the program does not make it"))).collect()
}

/// What the program makes today.
fn made() -> Result<Files, StepError> {
    let scratch = tree::target_folder().join("man-pages");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(StepError::file(&scratch))?;
    }
    let mut man = waxseal(&["man"]);
    man.arg(&scratch);
    output(man)?;
    let mut files = read_folder(&scratch)?;
    files.insert(SAMPLE.to_owned(), output(waxseal(&["config", "sample"]))?);
    Ok(files)
}

/// What is there.
fn committed() -> Result<Files, StepError> {
    let folder = tree::root().join(MAN_PAGES);
    let mut files = if folder.is_dir() { read_folder(&folder)? } else { Files::new() };
    let sample = tree::root().join(SAMPLE);
    if sample.exists() {
        files.insert(SAMPLE.to_owned(), fs::read(&sample).map_err(StepError::file(&sample))?);
    }
    Ok(files)
}

/// The man pages in a folder, under the names that they have in the project.
fn read_folder(folder: &Path) -> Result<Files, StepError> {
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let content = fs::read(&path).map_err(StepError::file(&path))?;
        Ok((format!("{MAN_PAGES}/{name}"), content))
    };
    tree::entries(folder)?.into_iter().map(read).collect()
}

fn waxseal(arguments: &[&str]) -> Command {
    cargo(&[&["run", "--quiet", "-p", "waxseal", "--"], arguments].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_named() {
        let files = |list: &[(&str, &str)]| {
            list.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect::<Files>()
        };
        let made = files(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(differences(&made, &made), Vec::<String>::new());
        assert_eq!(
            differences(&made, &files(&[("a", "1"), ("b", "x"), ("d", "4")])),
            [
                "b: differs from what the program makes",
                "c: the program makes it, and it is not there",
                "d: the program does not make it",
            ]
        );
    }
}
