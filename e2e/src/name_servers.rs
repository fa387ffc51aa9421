//! The DNS of the lab: authoritative servers (Knot DNS) and the sender's resolver (Unbound).

use crate::addresses::ROOT;
use crate::daemon::Daemon;
use crate::error::LabError;
use crate::namespace::Namespace;
use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Instant;

/// A zone that a server answers for: its name without final dot, and its text.
#[derive(Debug)]
pub struct Zone {
    /// The name; empty for the root.
    pub name: String,
    /// The zone file, with signatures if it shall have any.
    pub text: String,
}

/// Starts an authoritative server for `zones`, and waits until it answers.
pub fn authoritative(
    namespace: &Namespace,
    folder: &Path,
    listen: &[Ipv4Addr],
    zones: &[Zone],
    deadline: Instant,
) -> Result<Daemon, LabError> {
    let home = folder.display();
    fs::create_dir_all(folder).map_err(LabError::io(home.to_string()))?;
    let mut addresses: Vec<String> = listen.iter().map(|ip| format!("{ip}@53")).collect();
    addresses.sort();
    let mut config = format!(
        "server:\n  rundir: {home}\n  udp-workers: 1\n  tcp-workers: 1\n  \
         background-workers: 1\n  listen: [{}]\n\
         control:\n  listen: {home}/control\n\
         database:\n  storage: {home}/db\n\
         log:\n  - target: stdout\n    any: info\n\
         template:\n  - id: default\n    zonefile-sync: -1\n    journal-content: none\n\
         zone:\n",
        addresses.join(", ")
    );
    for zone in zones {
        let file = folder.join(format!("{}.zone", zone.name));
        fs::write(&file, &zone.text).map_err(LabError::io(file.display().to_string()))?;
        let _ = writeln!(config, "  - domain: {}.\n    file: {}", zone.name, file.display());
    }
    let file = folder.join("knot.conf").display().to_string();
    fs::write(&file, config).map_err(LabError::io(file.clone()))?;
    let daemon = Daemon::start(namespace, "knotd", &["-c", &file])?;
    daemon.log.wait_for_text("server started", deadline)?;
    Ok(daemon)
}

/// Starts the sender's validating resolver on 127.0.0.1, and waits until it answers.
///
/// `test.` and the reverse names of private addresses are names that Unbound answers itself by
/// default (RFC 6761 §6.2, RFC 6303 §4.1), so it is told not to.
pub fn resolver(
    namespace: &Namespace,
    folder: &Path,
    trust_anchor: &Path,
    deadline: Instant,
) -> Result<Daemon, LabError> {
    let home = folder.display();
    fs::create_dir_all(folder).map_err(LabError::io(home.to_string()))?;
    let hints = folder.join("root.hints").display().to_string();
    let root = format!(". 3600 IN NS ns.\nns. 3600 IN A {ROOT}\n");
    fs::write(&hints, root).map_err(LabError::io(hints.clone()))?;
    let config = format!(
        "server:\n  verbosity: 1\n  use-syslog: no\n  logfile: \"\"\n  username: \"\"\n  \
         chroot: \"\"\n  directory: \"{home}\"\n  pidfile: \"\"\n  interface: 127.0.0.1\n  \
         do-ip6: no\n  module-config: \"validator iterator\"\n  \
         root-hints: \"{hints}\"\n  trust-anchor-file: \"{}\"\n  val-log-level: 2\n  \
         local-zone: \"test.\" nodefault\n  local-zone: \"10.in-addr.arpa.\" nodefault\n\
         remote-control:\n  control-enable: no\n",
        trust_anchor.display()
    );
    let file = folder.join("unbound.conf").display().to_string();
    fs::write(&file, config).map_err(LabError::io(file.clone()))?;
    let daemon = Daemon::start(namespace, "unbound", &["-d", "-c", &file])?;
    daemon.log.wait_for_text("start of service", deadline)?;
    Ok(daemon)
}
