//! The socket to which Postfix tells how its TLS sessions went, for RFC 8460 reports.
//!
//! Postfix writes a datagram for each session with a domain that publishes a `_smtp._tls` record,
//! in the form of libtlsrpt. The lab only keeps them: they show that Postfix has understood the
//! `policy_*` attributes of Waxseal's answers, and under which policy it counted a session.

use crate::daemon::Log;
use crate::error::LabError;
use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;

const LARGEST_DATAGRAM: usize = 256 * 1024;

/// Listens on a new socket `name` in `folder`, until the process ends; each datagram becomes a
/// line of the log.
pub fn listen(folder: &Path, name: &str) -> Result<Log, LabError> {
    let doing = || format!("making the socket {name} in {}", folder.display());
    let opened = File::open(folder).map_err(LabError::io(doing()))?;
    // The name of a socket has room for 107 bytes; a folder deep in a tree needs more.
    let short = format!("/proc/self/fd/{}/{name}", opened.as_raw_fd());
    let socket = UnixDatagram::bind(&short).map_err(LabError::io(doing()))?;
    fs::set_permissions(&short, Permissions::from_mode(0o666)).map_err(LabError::io(doing()))?;
    let log = Log::default();
    let filled = log.clone();
    thread::spawn(move || {
        let mut datagram = vec![0; LARGEST_DATAGRAM];
        while let Ok(length) = socket.recv(&mut datagram) {
            filled.push(String::from_utf8_lossy(&datagram[..length]).into_owned());
        }
    });
    Ok(log)
}
