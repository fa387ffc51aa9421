//! `waxseal reports inject`: hands TLS sessions to the running daemon, for mail servers and scripts
//! that cannot do it themselves.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use serde_json::Value;
use tlsrpt::parse_datagram;

use super::wiring;
use crate::collect::MAX_LINE;
use crate::config;
use crate::listen::ListenAddress;

/// The exit code if a line could not be counted.
const REFUSED: u8 = 2;

/// How long the daemon may take to read, or to bring to its disk what it has read.
const PATIENCE: Duration = Duration::from_secs(60);

/// The verb with its flags.
pub(super) fn command() -> Command {
    Command::new("inject")
        .about("Hand TLS sessions to the running daemon, to be counted for reports")
        .long_about(
            "Hand TLS sessions to the running daemon, to be counted for reports: a line of JSON \
             for each, in the form of the datagrams that Postfix sends. Blank lines are left out; \
             what is wrong with a line is told, and the rest goes on. Exit code: 0 all were \
             counted and are on the disk, 1 the daemon could not be reached or its disk does not \
             take them, 2 a line was refused, 64 wrong usage or settings.",
        )
        .arg(Arg::new("socket").long("socket").value_name("LISTEN").value_parser(address).help(
            "Where the daemon takes lines: a path, \"unix:PATH\" or \"ADDR:PORT\"; by \
                     default the first of collect.stream.",
        ))
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The file with the lines; - is standard input."),
        )
        .arg(super::json_arg())
        .arg(config::config_file_arg())
        .args(config::args(&["state_dir"]))
}

fn address(text: &str) -> Result<ListenAddress, String> {
    let path = if text.starts_with('/') { format!("unix:{text}") } else { text.to_owned() };
    ListenAddress::parse(&path)
        .ok_or_else(|| format!("expected an absolute path, unix:PATH or ADDR:PORT, found {text:?}"))
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some(loaded) = wiring::load(matches) else { return Ok(ExitCode::from(super::USAGE)) };
    let named = matches.get_one::<ListenAddress>("socket");
    let Some(address) = named.or_else(|| loaded.config.collect.stream.first()) else {
        anstream::eprintln!(
            "waxseal: there is no collect.stream in the settings; say where the daemon takes \
             lines: --socket LISTEN"
        );
        return Ok(ExitCode::from(super::USAGE));
    };
    let name = matches.get_one::<String>("file").map_or("-", String::as_str);
    let source: Box<dyn Read> = match name {
        "-" => Box::new(io::stdin().lock()),
        _ => match File::open(name) {
            Ok(file) => Box::new(file),
            Err(error) => {
                anstream::eprintln!("waxseal: {name}: {error}");
                return Ok(ExitCode::FAILURE);
            }
        },
    };
    let told = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
    let mut daemon = Daemon::connect(address).map_err(told)?;
    let refused = send(BufReader::new(source), name, &mut daemon).map_err(told)?;
    let answer = daemon.finish().map_err(told)?;
    let counted = answer["counted"].as_u64().unwrap_or_default();
    let refused = refused + answer["refused"].as_u64().unwrap_or_default();
    let saved = answer["saved"].as_bool().unwrap_or_default();
    let mut out = anstream::stdout().lock();
    if matches.get_flag("json") {
        let document = serde_json::json!({
            "version": 1,
            "counted": counted,
            "refused": refused,
            "saved": saved,
        });
        writeln!(out, "{document}")?;
    } else {
        let where_they_are = if saved { "on the disk" } else { "in the daemon's memory only" };
        writeln!(out, "{counted} counted, {where_they_are}; {refused} refused")?;
    }
    Ok(match (refused, saved) {
        (1.., _) => ExitCode::from(REFUSED),
        (0, false) => ExitCode::FAILURE,
        (0, true) => ExitCode::SUCCESS,
    })
}

/// Sends all lines that can be read, and tells of the others. Returns how many those are.
fn send(mut source: impl BufRead, name: &str, daemon: &mut Daemon) -> io::Result<u64> {
    let (mut refused, mut line) = (0, Vec::new());
    let longest = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    for number in 1_u64.. {
        line.clear();
        let octets = (&mut source).take(longest + 1).read_until(b'\n', &mut line)?;
        if octets == 0 {
            break;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        if text.len() > MAX_LINE || !line.ends_with(b"\n") && octets > MAX_LINE {
            skip_line(&mut source)?;
            anstream::eprintln!(
                "waxseal: {name}:{number}: expected a line of at most {MAX_LINE} octets, found more"
            );
            refused += 1;
            continue;
        }
        match parse_datagram(text) {
            Ok(_) => {
                daemon.output.write_all(text)?;
                daemon.output.write_all(b"\n")?;
            }
            Err(error) => {
                let (column, fault) = (error.position.column, &error.fault);
                anstream::eprintln!("waxseal: {name}:{number}:{column}: {fault}");
                refused += 1;
            }
        }
    }
    Ok(refused)
}

/// Reads up to the end of the line, without keeping it.
fn skip_line(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let piece = source.fill_buf()?;
        if piece.is_empty() {
            return Ok(());
        }
        let end = memchr::memchr(b'\n', piece);
        let octets = end.map_or(piece.len(), |at| at + 1);
        source.consume(octets);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// A connection to the daemon.
struct Daemon {
    output: BufWriter<Stream>,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Daemon {
    fn connect(address: &ListenAddress) -> io::Result<Self> {
        let stream = match address {
            ListenAddress::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Stream::Tcp(stream)
            }
            ListenAddress::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Stream::Unix(stream)
            }
        };
        Ok(Self { output: BufWriter::new(stream) })
    }

    /// Says that there is nothing more, and reads what came of it.
    fn finish(self) -> io::Result<Value> {
        let stream = self.output.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut answer = String::new();
        match stream {
            Stream::Tcp(mut stream) => {
                stream.shutdown(Shutdown::Write)?;
                stream.read_to_string(&mut answer)?;
            }
            Stream::Unix(mut stream) => {
                stream.shutdown(Shutdown::Write)?;
                stream.read_to_string(&mut answer)?;
            }
        }
        serde_json::from_str(&answer)
            .map_err(|_| io::Error::other("the daemon has closed the connection without an answer"))
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(octets),
            Self::Unix(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
        }
    }
}
