//! The DNS of the gate's world: one signed zone, the root, which holds every name, and which grows
//! while the lab stands.

use crate::addresses::ROOT;
use crate::command::run;
use crate::daemon::Daemon;
use crate::error::LabError;
use crate::name_servers::{Zone, authoritative};
use crate::namespace::Namespace;
use crate::signer::Signer;
use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Domains with a name server that takes questions and never answers, and its address. Two, because
/// a resolver soon asks such a server no more.
pub const SILENT: [(&str, Ipv4Addr); 2] =
    [("silent.test", Ipv4Addr::new(10, 53, 0, 9)), ("dark.test", Ipv4Addr::new(10, 53, 0, 10))];

/// The root zone and its server.
pub struct World {
    folder: PathBuf,
    /// The file with the root's public key.
    pub trust_anchor: PathBuf,
    inner: Mutex<Inner>,
    /// Held for its end: it is never spoken to.
    _server: Daemon,
}

struct Inner {
    signer: Signer,
    records: Vec<String>,
    serial: u32,
}

/// A `TXT` record at `name`, its text cut into strings of at most 255 octets.
pub fn txt(name: &str, text: &str) -> String {
    let strings: Vec<String> =
        text.as_bytes().chunks(255).map(|part| format!("\"{}\"", part.escape_ascii())).collect();
    format!("{name}. 300 IN TXT {}", strings.join(" "))
}

/// An `A` record and the `PTR` record that confirms it.
pub fn host(name: &str, address: Ipv4Addr) -> [String; 2] {
    let [a, b, c, d] = address.octets();
    [
        format!("{name}. 300 IN A {address}"),
        format!("{d}.{c}.{b}.{a}.in-addr.arpa. 300 IN PTR {name}."),
    ]
}

impl World {
    /// Signs the zone, and serves it in `namespace`.
    pub fn start(
        namespace: &Namespace,
        folder: &Path,
        records: Vec<String>,
        deadline: Instant,
    ) -> Result<Self, LabError> {
        let keys = folder.join("keys");
        fs::create_dir_all(&keys).map_err(LabError::io(keys.display().to_string()))?;
        let mut signer = Signer::new(&keys);
        signer.make_key("")?;
        let trust_anchor = signer.trust_anchor("");
        let inner = Inner { signer, records, serial: 1 };
        let zone = Zone { name: String::new(), text: inner.signed()? };
        let server = authoritative(namespace, folder, &[ROOT], &[zone], deadline)?;
        let folder = folder.to_owned();
        Ok(Self { folder, trust_anchor, inner: Mutex::new(inner), _server: server })
    }

    /// Adds records; they are served when this returns.
    pub fn publish(&self, records: Vec<String>) -> Result<(), LabError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.records.extend(records);
        inner.serial += 1;
        let file = self.folder.join(".zone");
        fs::write(&file, inner.signed()?).map_err(LabError::io(file.display().to_string()))?;
        let control = self.folder.join("control").display().to_string();
        run("knotc", &["--blocking", "--socket", &control, "zone-reload", "."]).map(drop)
    }
}

impl Inner {
    /// Negative answers are for the moment only, so that what is published later is seen.
    fn signed(&self) -> Result<String, LabError> {
        let mut text = format!(
            ". 300 IN SOA ns. hostmaster. {} 3600 600 86400 0\n. 300 IN NS ns.\nns. 300 IN A {ROOT}\n",
            self.serial
        );
        for (domain, server) in SILENT {
            let _ =
                writeln!(text, "{domain}. 300 IN NS ns.{domain}.\nns.{domain}. 300 IN A {server}");
        }
        for record in &self.records {
            let _ = writeln!(text, "{record}");
        }
        self.signer.sign("", &text)
    }
}
