//! Collecting TLS sessions: what comes in by any of the ways is in the store, all of it, and nothing
//! that comes stops the program.

mod lines;
mod log;
mod loss;
mod sockets;
mod survival;

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::world::{Daemon, World};

/// What every domain of these tests asks for.
const RECORD: &str = "v=TLSRPTv1; rua=mailto:reports@example.com";

/// A datagram as libtlsrpt writes it, about a session without a policy.
fn success(domain: &str) -> String {
    format!(
        "{{\"dpv\": \"1\",\"d\": \"{domain}\",\"pr\": \"{RECORD}\",\"policies\":[{{\
         \"policy-type\":9,\"policy-domain\": \"{domain}\",\"t\":0,\"f\":0}}]}}"
    )
}

/// The same about a session that an MTA-STS policy made fail.
fn failure(domain: &str, reason: &str) -> String {
    format!(
        "{{\"dpv\": \"1\",\"d\": \"{domain}\",\"pr\": \"{RECORD}\",\"policies\":[{{\
         \"policy-type\":2,\"policy-domain\": \"{domain}\",\"policy-string\":[\"version: STSv1\",\
         \"mode: enforce\",\"mx: mx.{domain}\",\"max_age: 604800\"],\"mx-host\":[\"mx.{domain}\"],\
         \"failure-details\":[{{\"c\":205,\"s\": \"192.0.2.10\",\"n\": \"mx.{domain}\",\
         \"h\": \"250-mx.{domain} at your service, [192.0.2.10]\\r\\n250 STARTTLS\",\
         \"r\": \"198.51.100.25\",\"f\": \"{reason}\"}}],\"t\":1,\"f\":1}}]}}"
    )
}

/// A world whose program collects: at sockets in its folder, and from a log.
struct Collecting {
    world: World,
    socket: PathBuf,
    stream: PathBuf,
    log: PathBuf,
}

impl Collecting {
    fn new() -> Self {
        let world = World::new();
        let [socket, stream, log] =
            ["tlsrpt.sock", "lines", "mail.log"].map(|name| world.path(name));
        let collecting = Self { world, socket, stream, log };
        collecting.world.settings(&format!(
            "[collect]\nsocket = [\"unix:{}\"]\nstream = [\"unix:{}\"]\ngroup = \"\"\n\
             postfix_log = \"{}\"\n",
            collecting.socket.display(),
            collecting.stream.display(),
            collecting.log.display()
        ));
        collecting
    }

    fn serve(&self) -> Daemon {
        self.world.serve()
    }

    /// Sends one after the other; each waits for room.
    fn send(&self, datagrams: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        let sender = UnixDatagram::unbound().unwrap();
        for datagram in datagrams {
            sender.send_to(datagram.as_ref(), &self.socket).unwrap();
        }
    }

    /// What is in the store.
    fn stored(&self) -> Stored {
        stored(&self.world.state())
    }
}

/// Sums over the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored {
    domains: i64,
    sessions: i64,
    successes: i64,
    failures: i64,
    details: i64,
}

fn stored(folder: &Path) -> Stored {
    let path = folder.join("waxseal.db");
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    db.busy_timeout(crate::world::PATIENCE).unwrap();
    let number = |sql: &str| -> i64 { db.query_row(sql, [], |row| row.get(0)).unwrap() };
    Stored {
        domains: number("SELECT COUNT(*) FROM tls_day"),
        sessions: number("SELECT COALESCE(SUM(sessions), 0) FROM tls_day"),
        successes: number("SELECT COALESCE(SUM(successes), 0) FROM tls_policy"),
        failures: number("SELECT COALESCE(SUM(failures), 0) FROM tls_policy"),
        details: number("SELECT COALESCE(SUM(sessions), 0) FROM tls_failure"),
    }
}

/// One of the counters.
fn count(daemon: &Daemon, event: &str) -> u64 {
    let value = daemon.metric(&format!("waxseal_tls_sessions_total{{event=\"{event}\"}}"));
    assert!((0.0..1e15).contains(&value) && value.fract() == 0.0, "{value}");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let number = value as u64;
    number
}

/// Waits until a counter has this value.
fn until(daemon: &Daemon, event: &str, value: u64) {
    daemon.until(&format!("{event} = {value}"), |daemon| count(daemon, event) >= value);
    assert_eq!(count(daemon, event), value, "{event}");
}
