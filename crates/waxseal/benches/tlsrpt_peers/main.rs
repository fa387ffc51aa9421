//! The programs of `cargo xtask bench tlsrpt`, which starts them and compares:
//!
//! - `receive`: a bare receiver, the floor that no collector can be under. It counts datagrams, and
//!   says how many at each empty one;
//! - `send`: the loader, which does what Postfix does with libtlsrpt: a socket for each datagram.
//!
//! One of twenty sessions fails; half of all are under MTA-STS, half under DANE.

use std::error::Error;
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: tlsrpt_peers receive SOCKET
       tlsrpt_peers send SOCKET waiting MILLISECONDS
       tlsrpt_peers send SOCKET bursts SIZE COUNT
`cargo xtask bench tlsrpt` runs these.";

/// How many domains mail goes to.
const DOMAINS: usize = 1_000;

/// How many datagrams a second there are in bursts, in the mean.
const MEAN_RATE: f64 = 970.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["receive", socket] => receive(socket.as_ref()),
        ["send", socket, "waiting", milliseconds] => waiting(socket.as_ref(), milliseconds),
        ["send", socket, "bursts", size, count] => bursts(socket.as_ref(), size, count),
        // `cargo bench` runs every benchmark with this argument.
        _ => {
            println!("{USAGE}");
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tlsrpt_peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn receive(path: &Path) -> Result<(), Box<dyn Error>> {
    let socket = UnixDatagram::bind(path)?;
    let (mut buffer, mut count) = (vec![0; 256 * 1024], 0_u64);
    loop {
        match socket.recv(&mut buffer)? {
            0 => {
                println!("{count}");
                std::io::stdout().flush()?;
            }
            _ => count += 1,
        }
    }
}

/// Sends as fast as the receiver takes it, for so long.
fn waiting(path: &Path, milliseconds: &str) -> Result<(), Box<dyn Error>> {
    let datagrams = datagrams();
    let duration = Duration::from_millis(milliseconds.parse()?);
    let (start, mut sent) = (Instant::now(), 0_u64);
    for datagram in datagrams.iter().cycle() {
        if sent.is_multiple_of(64) && start.elapsed() >= duration {
            break;
        }
        UnixDatagram::unbound()?.send_to(datagram, path)?;
        sent += 1;
    }
    println!("sent={sent} lost=0 seconds={}", start.elapsed().as_secs_f64());
    Ok(())
}

/// Sends bursts without ever waiting for the receiver, and rests between them.
fn bursts(path: &Path, size: &str, count: &str) -> Result<(), Box<dyn Error>> {
    let datagrams = datagrams();
    let (size, count): (u32, u32) = (size.parse()?, count.parse()?);
    let mut next = datagrams.iter().cycle();
    let (start, mut sent, mut lost) = (Instant::now(), 0_u64, 0_u64);
    for burst in 1..=count {
        for datagram in next.by_ref().take(size.try_into()?) {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            match socket.send_to(datagram, path) {
                Ok(_) => sent += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => lost += 1,
                Err(error) => return Err(error.into()),
            }
        }
        let due = Duration::from_secs_f64(f64::from(size) * f64::from(burst) / MEAN_RATE);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
    println!("sent={sent} lost={lost} seconds={}", start.elapsed().as_secs_f64());
    Ok(())
}

/// What Postfix tells, in the octets of libtlsrpt.
fn datagrams() -> Vec<Vec<u8>> {
    (0..DOMAINS * 20)
        .map(|number| {
            let domain = format!("d{}.example", number % DOMAINS);
            let fails = number / DOMAINS == 7;
            let policy = match number % 2 {
                0 => format!(
                    "\"policy-type\":2,\"policy-domain\": \"{domain}\",\"policy-string\":[\
                     \"version: STSv1\",\"mode: enforce\",\"mx: mx.{domain}\",\
                     \"max_age: 604800\"],\"mx-host\":[\"mx.{domain}\"]"
                ),
                _ => format!(
                    "\"policy-type\":1,\"policy-domain\": \"mx.{domain}\",\"policy-string\":[\
                     \"3 1 1 {}\"]",
                    "1F".repeat(32)
                ),
            };
            let detail = format!(
                ",\"failure-details\":[{{\"c\":203,\"s\": \"192.0.2.10\",\"n\": \"mx.{domain}\",\
                 \"h\": \"250-mx.{domain}\\r\\n250-PIPELINING\\r\\n250-STARTTLS\\r\\n250 SMTPUTF8\",\
                 \"r\": \"198.51.100.25\"}}],\"t\":1,\"f\":1"
            );
            let end = if fails { &detail } else { ",\"t\":0,\"f\":0" };
            format!(
                "{{\"dpv\": \"1\",\"d\": \"{domain}\",\"pr\": \
                 \"v=TLSRPTv1; rua=mailto:smtp-tls-report@{domain}\",\"policies\":[{{{policy}{end}}}]}}"
            )
            .into_bytes()
        })
        .collect()
}
