//! Signs zones with `ldns-signzone`, one key for each zone (ECDSA P-256), and keeps their files.

use crate::command::{run, succeed};
use crate::error::LabError;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of keys.
#[derive(Debug)]
pub struct Signer {
    folder: PathBuf,
    keys: HashMap<String, String>,
}

impl Signer {
    /// Keeps its keys in `folder`, which must exist.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), keys: HashMap::new() }
    }

    /// Makes the key of `zone`, and hands back the DS record for the zone above.
    pub fn make_key(&mut self, zone: &str) -> Result<String, LabError> {
        let mut command = Command::new("ldns-keygen");
        command.args(["-k", "-a", "ECDSAP256SHA256", &format!("{zone}.")]);
        command.current_dir(&self.folder);
        let key = succeed(command)?.trim().to_owned();
        let file = self.folder.join(format!("{key}.ds"));
        let ds = fs::read_to_string(&file).map_err(LabError::io(file.display().to_string()))?;
        self.keys.insert(zone.to_owned(), key);
        Ok(ds.trim().to_owned())
    }

    /// The file with the public key of `zone`, in the form that a resolver takes as trust anchor.
    pub fn trust_anchor(&self, zone: &str) -> PathBuf {
        let key = self.keys.get(zone).map_or("", String::as_str);
        self.folder.join(format!("{key}.key"))
    }

    /// Signs the text of `zone` with the key made for it.
    pub fn sign(&self, zone: &str, text: &str) -> Result<String, LabError> {
        let Some(key) = self.keys.get(zone) else {
            return Err(LabError::Unsupported(format!("signing {zone}. before its key is made")));
        };
        let (from, to) = (self.folder.join("unsigned"), self.folder.join("signed"));
        fs::write(&from, text).map_err(LabError::io(from.display().to_string()))?;
        let files = [&to, &from, &self.folder.join(key)].map(|path| path.display().to_string());
        run("ldns-signzone", &["-o", &format!("{zone}."), "-f", &files[0], &files[1], &files[2]])?;
        fs::read_to_string(&to).map_err(LabError::io(files[0].clone()))
    }
}
