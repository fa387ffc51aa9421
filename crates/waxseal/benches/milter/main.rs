//! The programs of `cargo xtask bench milter`, which starts them and compares:
//!
//! - `load`: a mail server, as the milter sees one;
//! - `accept`: the floor, a milter that reads everything and accepts it unseen;
//! - `dns`: the DNS of the senders, out of memory.
//!
//! The milter itself is the real daemon. Messages and key records are those that the benchmark
//! `dkim` has written to a folder. Each server prints its address when it is ready, and serves until
//! it is killed.

mod accept;
mod dns;
mod load;
mod session;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use load::{Plan, Until};

const USAGE: &str = "\
usage: milter load ADDRESS FOLDER CONNECTIONS MILLISECONDS
       milter send ADDRESS FOLDER CONNECTIONS MESSAGES
       milter accept
       milter dns FOLDER
`cargo xtask bench milter` runs these.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [how @ ("load" | "send"), address, folder, connections, amount] => {
            load(how, address, folder, connections, amount)
        }
        ["accept"] => one_thread().and_then(|runtime| runtime.block_on(accept::serve())),
        ["dns", folder] => one_thread().and_then(|runtime| runtime.block_on(dns::serve(folder))),
        // `cargo bench` runs every benchmark with this argument.
        _ => {
            println!("{USAGE}");
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("milter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn load(
    how: &str,
    address: &str,
    folder: &str,
    connections: &str,
    amount: &str,
) -> Result<(), Box<dyn Error>> {
    let amount = amount.parse()?;
    let until = match how {
        "load" => Until::Time(Duration::from_millis(amount)),
        _ => Until::Messages(amount),
    };
    let plan = Plan { address: address.parse()?, connections: connections.parse()?, until };
    let messages = session::messages(folder)?;
    one_thread()?.block_on(load::run(plan, messages))
}

fn one_thread() -> Result<tokio::runtime::Runtime, Box<dyn Error>> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
