//! The lab's own commands: what to install, installing it, and a lab to play with.

use e2e::error::LabError;
use e2e::lab::Lab;
use e2e::{load, packages, python, tree, waxseal};
use std::io;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
usage: cargo run -p e2e -- COMMAND

packages   prints the Debian packages that the lab needs
setup      installs them, and makes the tree with Postfix 3.10 and what comes from PyPI (as root)
up         builds the lab, starts Waxseal in it, and keeps it until Enter is pressed (as root)
up attack  the same, with the attacker at work";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["packages"] => {
            packages::PACKAGES.iter().for_each(|package| println!("{}", package.name));
            Ok(())
        }
        ["setup"] => setup(),
        ["up"] => up(Time::Healthy),
        ["up", "attack"] => up(Time::Attack),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn setup() -> Result<(), LabError> {
    packages::install()?;
    println!("{}", tree::build()?.display());
    println!("{}", python::build()?.display());
    Ok(())
}

#[derive(Clone, Copy)]
enum Time {
    Healthy,
    Attack,
}

fn up(time: Time) -> Result<(), LabError> {
    let mut lab = Lab::build(load::all()?, Duration::from_secs(300))?;
    lab.start_waxseal(&waxseal::binary()?)?;
    match time {
        Time::Healthy => {}
        Time::Attack => lab.attack()?,
    }
    println!("The lab stands. In another terminal, as root:");
    println!("  ip netns exec {} dig @127.0.0.1 MX dane-healthy.test", lab.network.sender.name());
    println!("  {}", lab.sender.shell_command());
    println!("  postmap -q enforce-healthy.test socketmap:inet:127.0.0.1:8642:QUERY");
    println!("Enter takes it down.");
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(LabError::io("reading standard input"))?;
    Ok(())
}
