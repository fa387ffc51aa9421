//! Who has which address. Each case has a number, and with it one address of each kind, so that
//! an address alone tells the rogue and the policy host which case a connection belongs to.
//!
//! The ranges are local to their namespace as a whole (`ip route add local … dev lo`), so no
//! address has to be added one by one.

use std::net::{IpAddr, Ipv4Addr};

/// The sender's side of the link to the path.
pub const SENDER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
/// The path's side of the link to the sender.
pub const PATH_TO_SENDER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
/// The path's side of the link to the world.
pub const PATH_TO_WORLD: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);
/// The world's side of the link to the path.
pub const WORLD: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 2);

/// What is local to the world: mail servers, policy hosts, name servers.
pub const WORLD_RANGES: [&str; 3] = ["10.25.0.0/16", "10.44.0.0/16", "10.53.0.0/16"];
/// What is local to the path: the attacker.
pub const ATTACKER_RANGE: &str = "10.66.0.0/16";

/// Name server of the root.
pub const ROOT: Ipv4Addr = Ipv4Addr::new(10, 53, 0, 1);
/// Name server of `test.`
pub const TOP_LEVEL: Ipv4Addr = Ipv4Addr::new(10, 53, 0, 2);
/// Name server of `rogue.test.`, the attacker's own domain.
pub const ROGUE_ZONE: Ipv4Addr = Ipv4Addr::new(10, 53, 0, 3);
/// The forger's name server on the path.
pub const FORGER: Ipv4Addr = Ipv4Addr::new(10, 66, 53, 53);

/// The number of a case, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseNumber(pub u8);

impl CaseNumber {
    /// The domain's real mail server.
    pub fn receiver(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 25, 0, self.0)
    }

    /// The domain's real policy host.
    pub fn policy_host(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 44, 0, self.0)
    }

    /// The domain's real name server.
    pub fn name_server(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 53, 1, self.0)
    }

    /// The attacker's host for this case.
    pub fn rogue(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 66, 0, self.0)
    }

    /// The case that an address of one of the kinds above belongs to.
    pub fn of(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(address) => Some(Self(address.octets()[3])),
            IpAddr::V6(_) => None,
        }
    }
}
