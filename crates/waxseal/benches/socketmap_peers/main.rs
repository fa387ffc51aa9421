//! The programs of `cargo xtask bench socketmap`, which starts them and compares:
//!
//! - `echo`: a bare server, the floor that no server with this protocol can be under;
//! - `waxseal`: the real socketmap server with a filled memory in front of nothing;
//! - `load`: the client; `fill` is one that asks for every domain once;
//! - `nothing`: a resolver for the real daemon, which is a program of its own.
//!
//! They are in one program, so that they share one table of domains and one set of compiler
//! flags. Each server prints its address when it is ready, and serves until it is killed.

mod echo;
mod load;
mod nothing;
mod table;
mod waxseal;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use table::Mix;

const USAGE: &str = "\
usage: socketmap_peers echo DOMAINS
       socketmap_peers waxseal DOMAINS secure|typical
       socketmap_peers load ADDRESS CONNECTIONS PIPELINED MILLISECONDS DOMAINS
       socketmap_peers fill ADDRESS DOMAINS
       socketmap_peers nothing
`cargo xtask bench socketmap` runs these.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["echo", domains] => echo(domains),
        ["waxseal", domains, mix] => waxseal(domains, mix),
        ["load", address, connections, pipelined, milliseconds, domains] => {
            load(address, connections, pipelined, milliseconds, domains)
        }
        ["fill", address, domains] => fill(address, domains),
        ["nothing"] => nothing(),
        // `cargo bench` runs every benchmark with this argument.
        _ => {
            println!("{USAGE}");
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("socketmap_peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn echo(domains: &str) -> Result<(), Box<dyn Error>> {
    let domains = domains.parse()?;
    one_thread()?.block_on(echo::serve(domains))
}

fn waxseal(domains: &str, mix: &str) -> Result<(), Box<dyn Error>> {
    let domains = domains.parse()?;
    let mix = match mix {
        "secure" => Mix::Secure,
        "typical" => Mix::Typical,
        _ => return Err(USAGE.into()),
    };
    one_thread()?.block_on(waxseal::serve(domains, mix))
}

fn load(
    address: &str,
    connections: &str,
    pipelined: &str,
    milliseconds: &str,
    domains: &str,
) -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = address.parse()?;
    let plan = load::Plan {
        address,
        connections: connections.parse()?,
        pipelined: pipelined.parse()?,
        duration: Duration::from_millis(milliseconds.parse()?),
        domains: domains.parse()?,
    };
    one_thread()?.block_on(load::run(plan))
}

fn fill(address: &str, domains: &str) -> Result<(), Box<dyn Error>> {
    let (address, domains) = (address.parse()?, domains.parse()?);
    one_thread()?.block_on(load::fill(address, domains))
}

fn nothing() -> Result<(), Box<dyn Error>> {
    one_thread()?.block_on(nothing::serve())
}

fn one_thread() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
