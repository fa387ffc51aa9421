//! Programs that sign, seal and verify: Waxseal's own verbs, and those of OpenDKIM and dkimpy.
//!
//! Each takes a letter with lines ended by CRLF, and gives one back.

use super::GateLab;
use super::signature::LabKey;
use crate::command::{fed, outcome_of, succeed};
use crate::daemon::Daemon;
use crate::error::LabError;
use crate::lab::write;
use crate::python;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The selector of the RSA key that several domains share.
pub const RSA_SELECTOR: &str = "rsa";

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
        let public = fed(public, pem.as_bytes())?;
        let public = String::from_utf8_lossy(&public).into_owned();
        let base64: String = public.lines().filter(|line| !line.starts_with("---")).collect();
        Ok(Self { pem, record: format!("v=DKIM1; k=rsa; p={base64}") })
    }
}

/// A key in a file, as a program wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFile {
    /// The RSA key, for all of them.
    Rsa,
    /// The lab's Ed25519 key as OpenSSL writes it, for Waxseal.
    Ed25519,
    /// The same as dkimpy writes it.
    Seed,
}

impl KeyFile {
    const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa.pem",
            Self::Ed25519 => "ed25519.pem",
            Self::Seed => "ed25519.seed",
        }
    }
}

/// The programs, in the hands of anybody in the lab's world.
pub struct Peers<'l> {
    lab: &'l GateLab,
    python: PathBuf,
    files: AtomicUsize,
}

/// How dkimpy signs.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// `simple` or `relaxed`, for the header.
    pub header: &'static str,
    /// The same for the body.
    pub body: &'static str,
    /// With which key.
    pub key: KeyFile,
}

/// Puts the keys where the programs find them, also those in the place of Postfix.
pub fn keep_keys(lab: &GateLab, rsa: &RsaKey, key: &LabKey) -> Result<(), LabError> {
    write(&lab.folder.join(KeyFile::Rsa.name()), &rsa.pem)?;
    write(&lab.folder.join(KeyFile::Ed25519.name()), &key.pem()?)?;
    write(&lab.folder.join(KeyFile::Seed.name()), &key.seed()?)?;
    write(&lab.postfix.file("etc/rsa.pem"), &rsa.pem)?;
    write(&lab.postfix.file("etc/ed25519.pem"), &key.pem()?)
}

impl<'l> Peers<'l> {
    /// Those in this lab.
    pub fn new(lab: &'l GateLab) -> Result<Self, LabError> {
        write(&lab.folder.join("resolv.conf"), "nameserver 127.0.0.1\n")?;
        let letters = lab.folder.join("letters");
        fs::create_dir_all(&letters).map_err(LabError::io(letters.display().to_string()))?;
        Ok(Self { lab, python: python::require()?, files: AtomicUsize::new(1) })
    }

    /// A file that holds the letter.
    fn file(&self, letter: &[u8]) -> Result<String, LabError> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let file = self.lab.folder.join("letters").join(format!("{number}.eml"));
        fs::write(&file, letter).map_err(LabError::io(file.display().to_string()))?;
        Ok(file.display().to_string())
    }

    fn key(&self, key: KeyFile) -> String {
        self.lab.folder.join(key.name()).display().to_string()
    }

    /// The letter with an ARC set by Waxseal on top; whose results it takes is `domain`, too.
    pub fn waxseal_seal(&self, domain: &str, letter: &[u8]) -> Result<Vec<u8>, LabError> {
        self.waxseal_seal_at(SystemTime::now(), domain, letter)
    }

    /// The same, sealed at another time.
    pub fn waxseal_seal_at(
        &self,
        at: SystemTime,
        domain: &str,
        letter: &[u8],
    ) -> Result<Vec<u8>, LabError> {
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
        let (key, file) = (self.key(KeyFile::Rsa), self.file(letter)?);
        let mut command = self.lab.waxseal_command(&["seal", "--key", &key, "--domain", domain]);
        command.args(["--selector", RSA_SELECTOR, "--authserv-id", domain]);
        command.args(["--at", &at, "--resolver", "127.0.0.1:53", &file]);
        let fields = succeed(command)?;
        Ok([fields.as_bytes(), letter].concat())
    }

    /// The letter with a signature by Waxseal on top.
    pub fn waxseal_sign(
        &self,
        domain: &str,
        keys: &[(KeyFile, &str)],
        letter: &[u8],
    ) -> Result<Vec<u8>, LabError> {
        let mut command = self.lab.waxseal_command(&["sign", "--domain", domain]);
        for (key, selector) in keys {
            command.args(["--key", &self.key(*key), "--selector", selector]);
        }
        command.arg(self.file(letter)?);
        let fields = succeed(command)?;
        Ok([fields.as_bytes(), letter].concat())
    }

    /// What Waxseal says of a letter.
    pub fn waxseal_verify(&self, letter: &[u8]) -> Result<Value, LabError> {
        let file = self.file(letter)?;
        let verb = ["verify", "--json", "--resolver", "127.0.0.1:53", &file];
        let document = succeed(self.lab.waxseal_command(&verb))?;
        serde_json::from_str(&document).map_err(|error| {
            LabError::Unsupported(format!(
                "waxseal verify: expected JSON, found {error}: {document}"
            ))
        })
    }

    /// A program of dkimpy, with the letter on its standard input. Its resolver comes from the file
    /// that every Python program reads, which is another one for it.
    fn dkimpy(&self, program: &str, arguments: &[&str], letter: &[u8]) -> Result<Output, LabError> {
        const WITH_RESOLVER: &str = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        let mut command = self.lab.command("unshare");
        command.args(["--mount", "sh", "-c", WITH_RESOLVER]);
        command.arg(self.lab.folder.join("resolv.conf"));
        command.arg(self.python.join("bin").join(program)).args(arguments);
        outcome_of(command, letter)
    }

    /// The letter with a signature by dkimpy on top.
    pub fn dkimpy_sign(
        &self,
        selector: &str,
        domain: &str,
        manner: Manner,
        letter: &[u8],
    ) -> Result<Vec<u8>, LabError> {
        let key = self.key(manner.key);
        let algorithm = match manner.key {
            KeyFile::Rsa => "rsa-sha256",
            KeyFile::Ed25519 | KeyFile::Seed => "ed25519-sha256",
        };
        let arguments = [
            "--hcanon",
            manner.header,
            "--bcanon",
            manner.body,
            "--signalg",
            algorithm,
            selector,
            domain,
            &key,
        ];
        printed("dkimsign", self.dkimpy("dkimsign", &arguments, letter)?)
    }

    /// Whether dkimpy takes the signature number `index`, counted from 0 and from above.
    pub fn dkimpy_verify(
        &self,
        index: usize,
        letter: &[u8],
    ) -> Result<Result<(), String>, LabError> {
        let output = self.dkimpy("dkimverify", &["--index", &index.to_string()], letter)?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && said == "signature ok" {
            return Ok(Ok(()));
        }
        let error = String::from_utf8_lossy(&output.stderr);
        Ok(Err(format!("dkimverify --index {index}: {said} {}", error.trim())))
    }

    /// The letter with an ARC set by dkimpy on top; whose results it takes is `domain`, too.
    pub fn dkimpy_seal(&self, domain: &str, letter: &[u8]) -> Result<Vec<u8>, LabError> {
        let key = self.key(KeyFile::Rsa);
        let arguments = [RSA_SELECTOR, domain, &key, domain];
        printed("arcsign", self.dkimpy("arcsign", &arguments, letter)?)
    }

    /// What dkimpy says of the ARC chain of a letter.
    pub fn dkimpy_chain(&self, letter: &[u8]) -> Result<String, LabError> {
        let output = self.dkimpy("arcverify", &[], letter)?;
        let said = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }

    /// What parsedmarc reads out of a letter with a report, and all that it has to complain about.
    pub fn parsedmarc(&self, letter: &[u8]) -> Result<(Value, String), LabError> {
        let program = self.python.join("bin/parsedmarc").display().to_string();
        let mut command = self.lab.command(&program);
        command.args(["--offline", "--warnings", &self.file(letter)?]);
        let output = outcome_of(command, b"")?;
        let read = serde_json::from_slice(&output.stdout).unwrap_or_default();
        Ok((read, String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// Whether OpenDKIM takes the signatures of a letter; it wants lines ended by LF.
    pub fn opendkim_verify(&self, letter: &[u8]) -> Result<Result<(), String>, LabError> {
        let lines: Vec<u8> = letter.iter().copied().filter(|octet| *octet != b'\r').collect();
        let output = outcome_of(self.lab.postfix.tool("opendkim-testmsg"), &lines)?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        Ok(match output.status.success() && said.is_empty() {
            true => Ok(()),
            false => Err(format!("opendkim-testmsg: {}: {said}", output.status)),
        })
    }

    /// The letter with a signature by `opendkim-testmsg` on top, which still signs with SHA-1.
    pub fn opendkim_sign_with_sha1(
        &self,
        domain: &str,
        letter: &[u8],
    ) -> Result<Vec<u8>, LabError> {
        let lines: Vec<u8> = letter.iter().copied().filter(|octet| *octet != b'\r').collect();
        let mut command = self.lab.postfix.tool("opendkim-testmsg");
        command.args(["-d", domain, "-s", RSA_SELECTOR, "-k", "/etc/rsa.pem"]);
        let signed = fed(command, &lines)?;
        let lines = signed.split(|octet| *octet == b'\n');
        let lines: Vec<&[u8]> =
            lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        Ok(lines.join(&b"\r\n"[..]))
    }
}

/// A running OpenDKIM that signs for strict.test, as a milter.
#[derive(Debug, Clone, Copy)]
pub struct OpenDkim {
    /// Where it listens; which port of Postfix asks it is said in `postfix/gate.master.cf`.
    pub port: u16,
    /// How it signs: `simple/simple` and the like.
    pub canonicalization: &'static str,
    /// `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: &'static str,
    /// The key.
    pub key: KeyFile,
    /// The name of the key.
    pub selector: &'static str,
}

impl OpenDkim {
    /// Starts it in the place of Postfix.
    pub fn start(self, lab: &GateLab) -> Result<Daemon, LabError> {
        let Self { port, canonicalization, algorithm, key, selector } = self;
        let config = format!(
            "Mode s\nDomain strict.test\nSelector {selector}\nKeyFile /etc/{}\n\
             Canonicalization {canonicalization}\nSignatureAlgorithm {algorithm}\n\
             Socket inet:{port}@127.0.0.1\nInternalHosts csl:10.0.0.0/8\nRequireSafeKeys no\n\
             UserID root\nSyslog no\nBackground no\n",
            key.name()
        );
        let file = format!("etc/opendkim-{port}.conf");
        write(&lab.postfix.file(&file), &config)?;
        let daemon = lab.postfix.daemon("opendkim", &["-f", "-x", &format!("/{file}")])?;
        lab.wait_for_port(port, &daemon)?;
        Ok(daemon)
    }
}

fn printed(program: &str, output: Output) -> Result<Vec<u8>, LabError> {
    if output.status.success() && output.stdout.starts_with(b"DKIM-")
        || output.stdout.starts_with(b"ARC-")
    {
        return Ok(output.stdout);
    }
    Err(LabError::Command {
        command: program.to_owned(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
