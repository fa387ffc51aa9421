//! Three machines in a row: the sender, the path that all its traffic takes, and the world.
//!
//! ```text
//! sender 10.1.0.1 ──── 10.1.0.2 path 10.2.0.1 ──── 10.2.0.2 world
//! ```
//!
//! There is no way out: no address of the machine that runs the lab is in any of the three.

use crate::addresses::{
    ATTACKER_RANGE, PATH_TO_SENDER, PATH_TO_WORLD, SENDER, WORLD, WORLD_RANGES,
};
use crate::command::run;
use crate::error::LabError;
use crate::namespace::Namespace;
use std::net::Ipv4Addr;

/// The three machines.
#[derive(Debug)]
pub struct Network {
    /// Sends the letters: Postfix, its resolver, and Waxseal.
    pub sender: Namespace,
    /// A router, and the place of the attacker.
    pub path: Namespace,
    /// Everybody else: name servers, policy hosts and receiving mail servers.
    pub world: Namespace,
}

impl Network {
    /// Makes the machines and the links between them.
    pub fn build() -> Result<Self, LabError> {
        let network = Self {
            sender: Namespace::create("sender")?,
            path: Namespace::create("path")?,
            world: Namespace::create("world")?,
        };
        let Self { sender, path, world } = &network;
        link((sender, "to-path", SENDER), (path, "to-sender", PATH_TO_SENDER))?;
        link((path, "to-world", PATH_TO_WORLD), (world, "to-path", WORLD))?;
        sender.ip(&["route", "add", "default", "via", &PATH_TO_SENDER.to_string()])?;
        world.ip(&["route", "add", "default", "via", &PATH_TO_WORLD.to_string()])?;
        path.sysctl("net.ipv4.ip_forward=1")?;
        path.ip(&["route", "add", "local", ATTACKER_RANGE, "dev", "lo"])?;
        for range in WORLD_RANGES {
            world.ip(&["route", "add", "local", range, "dev", "lo"])?;
            path.ip(&["route", "add", range, "via", &WORLD.to_string()])?;
        }
        Ok(network)
    }
}

type End<'a> = (&'a Namespace, &'static str, Ipv4Addr);

fn link(one: End<'_>, other: End<'_>) -> Result<(), LabError> {
    let ((here, near, _), (there, far, _)) = (one, other);
    let pair = ["link", "add", near, "netns", here.name(), "type", "veth", "peer", "name", far];
    run("ip", &[&pair[..], &["netns", there.name()]].concat())?;
    for (namespace, interface, address) in [one, other] {
        namespace.ip(&["address", "add", &format!("{address}/30"), "dev", interface])?;
        namespace.ip(&["link", "set", interface, "up"])?;
    }
    Ok(())
}
