//! Programs that sign, seal and verify: Waxseal's own verbs, and those of others.

use super::{GateLab, read};
use crate::command::succeed;
use crate::error::LabError;
use crate::lab::write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The selector of the RSA key with which forwarders seal.
pub const RSA_SELECTOR: &str = "rsa";

/// Counts files, so that no two have one name.
static FILES: AtomicUsize = AtomicUsize::new(1);

/// A file for a program of another: its name is new.
pub fn scratch(lab: &GateLab, octets: &[u8]) -> Result<PathBuf, LabError> {
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let folder = lab.folder.join("letters");
    fs::create_dir_all(&folder).map_err(LabError::io(folder.display().to_string()))?;
    let file = folder.join(format!("{number}.eml"));
    fs::write(&file, octets).map_err(LabError::io(file.display().to_string()))?;
    Ok(file)
}

/// An RSA key of 2048 bits, made by OpenSSL.
#[derive(Debug, Clone)]
pub struct RsaKey {
    /// The private key, as text.
    pub pem: String,
    /// The text of the TXT record.
    pub record: String,
}

impl RsaKey {
    /// Makes a new one.
    pub fn generate() -> Result<Self, LabError> {
        let mut make = Command::new("openssl");
        make.args(["genrsa", "-traditional", "2048"]);
        let pem = succeed(make)?;
        let mut public = Command::new("openssl");
        public.args(["rsa", "-pubout", "-outform", "PEM"]);
        let public = crate::command::fed(public, pem.as_bytes())?;
        let public = String::from_utf8_lossy(&public).into_owned();
        let base64: String = public.lines().filter(|line| !line.starts_with("---")).collect();
        Ok(Self { pem, record: format!("v=DKIM1; k=rsa; p={base64}") })
    }
}

/// Waxseal's verbs, in the hands of somebody else in the world.
pub struct Waxseal<'l> {
    lab: &'l GateLab,
}

impl<'l> Waxseal<'l> {
    /// In this lab.
    pub fn new(lab: &'l GateLab) -> Self {
        Self { lab }
    }

    /// The letter with an ARC set of `domain` on top; whose results it takes is `domain`, too.
    pub fn seal(&self, domain: &str, letter: &[u8]) -> Result<Vec<u8>, LabError> {
        let key = self.lab.folder.join("rsa.pem").display().to_string();
        let file = scratch(self.lab, letter)?.display().to_string();
        let mut command = self.lab.waxseal_command(&["seal", "--key", &key]);
        command.args(["--selector", RSA_SELECTOR, "--domain", domain, "--authserv-id", domain]);
        command.args(["--resolver", "127.0.0.1:53", &file]);
        let fields = succeed(command)?;
        Ok([fields.as_bytes(), letter].concat())
    }
}

/// Puts the private key where the verbs find it.
pub fn keep(lab: &GateLab, key: &RsaKey) -> Result<(), LabError> {
    write(&lab.folder.join("rsa.pem"), &key.pem)
}

/// A letter that a program left in a file.
pub fn taken(file: &std::path::Path) -> Result<Vec<u8>, LabError> {
    read(file)
}
